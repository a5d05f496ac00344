//! The outgoing stream of a leg: it owns SSRC, sequence number and timestamp, so that the far side
//! hears one continuous stream while prompt, bridge, hold and transfer follow each other.

use std::time::{Duration, Instant};

use crate::rtp::RtpHeader;

/// Timestamps per second of all codecs but Opus, and of telephone-event beside them.
pub(crate) const CLOCK: u32 = 8000;
/// A forward jump of a source's sequence numbers beyond this is a restarted source (RFC 3550 A.1 MAX_DROPOUT).
const MAX_DROPOUT: i16 = 3000;
/// A packet later than this many sequence numbers is a restarted source (RFC 3550 A.1 MAX_MISORDER).
const MAX_MISORDER: i16 = -100;
/// A source's timestamp may run away from the wall clock by this many seconds before it is rebased.
const MAX_TIMESTAMP_DRIFT: u32 = 2;
/// Sequence numbers remembered as sent: a repeated one is never sent again (SRTP must not reuse a nonce).
const WINDOW: u16 = 64;

/// Who feeds the stream at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Nobody yet, or the last one was taken away.
    None,
    /// Packets made here: prompt, silence, DTMF.
    Local,
    /// Packets of another leg, shifted by constant offsets.
    Forwarded { origin: u64, ssrc: u32, last_sequence: u16, sequence_offset: u16, timestamp_offset: u32, first: u16 },
}

/// State of one outgoing RTP stream.
#[derive(Debug)]
pub(crate) struct OutputStream {
    ssrc: u32,
    /// Timestamps per second of what is being sent.
    clock: u32,
    source: Source,
    /// Highest sequence number sent.
    sequence: u16,
    /// Timestamp belonging to `sequence`.
    timestamp: u32,
    /// Samples that the packet `sequence` carries.
    samples: u32,
    sent_at: Option<Instant>,
    /// When the sample of `timestamp` was taken: `sent_at`, but for DTMF the event's start.
    stamped_at: Option<Instant>,
    /// Bit *n*: `sequence - n` was sent.
    window: u64,
    packets: u64,
    octets: u64,
}

impl OutputStream {
    /// `seed`: random bits for SSRC and start values (RFC 3550 §5.1). The sequence starts in the lower half (RFC 3711 §3.3.1).
    pub(crate) fn new(seed: u64) -> Self {
        OutputStream {
            ssrc: (seed as u32) | 1,
            clock: CLOCK,
            source: Source::None,
            sequence: ((seed >> 32) as u16) & 0x7fff,
            timestamp: (seed >> 24) as u32 ^ (seed as u32).rotate_left(7),
            samples: 160,
            sent_at: None,
            stamped_at: None,
            window: 0,
            packets: 0,
            octets: 0,
        }
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) fn clock(&self) -> u32 {
        self.clock
    }

    /// What follows counts so many timestamps per second; they go on from where they are.
    pub(crate) fn count_by(&mut self, clock: u32) {
        if clock != self.clock {
            self.samples =
                u32::try_from(u64::from(self.samples) * u64::from(clock) / u64::from(self.clock)).unwrap_or(0);
            self.clock = clock;
            self.source = Source::None;
        }
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload octets sent, for the sender report.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    pub(crate) fn sent_at(&self) -> Option<Instant> {
        self.sent_at
    }

    /// The last packet came from another leg.
    pub(crate) fn is_fed(&self) -> bool {
        matches!(self.source, Source::Forwarded { .. })
    }

    /// The timestamp that a sample taken at `now` would have.
    pub(crate) fn timestamp_at(&self, now: Instant) -> u32 {
        self.timestamp.wrapping_add(self.elapsed_samples(now))
    }

    /// Header for a packet made here. A packet after another local one follows it without a gap;
    /// after a forwarded source the timestamp continues by the wall clock.
    pub(crate) fn local(&mut self, now: Instant, payload_type: u8, samples: u32, octets: usize) -> RtpHeader {
        let continuing = self.source == Source::Local;
        let timestamp = if continuing && !self.is_stale(now) {
            self.timestamp.wrapping_add(self.samples)
        } else {
            self.next_timestamp(now)
        };
        self.source = Source::Local;
        let sequence = self.sequence.wrapping_add(1);
        self.advance(now, sequence, timestamp, samples, octets);
        self.header(payload_type, !continuing, sequence, timestamp)
    }

    /// Header for the first packet of a DTMF event, with the marker set (RFC 4733 §2.5.1.2).
    pub(crate) fn begin_event(&mut self, now: Instant, payload_type: u8, samples: u32) -> RtpHeader {
        let timestamp = self.next_timestamp(now);
        let sequence = self.sequence.wrapping_add(1);
        self.source = Source::Local;
        self.advance(now, sequence, timestamp, samples, 4);
        self.header(payload_type, true, sequence, timestamp)
    }

    /// Header for a further packet of the event just begun: next sequence number, timestamp of the event's start
    /// (RFC 4733 §2.3.3), `total` samples since that start.
    pub(crate) fn continue_event(&mut self, now: Instant, payload_type: u8, total: u32) -> RtpHeader {
        let (sequence, timestamp) = (self.sequence.wrapping_add(1), self.timestamp);
        let stamped_at = self.stamped_at;
        self.source = Source::Local;
        self.advance(now, sequence, timestamp, total, 4);
        self.stamped_at = stamped_at;
        self.header(payload_type, false, sequence, timestamp)
    }

    /// Header for a packet of another leg, or `None` when it must not be sent (repeated, or older than the switch to its source).
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        origin: u64,
        input: RtpHeader,
        payload_type: u8,
        samples: u32,
        octets: usize,
    ) -> Option<RtpHeader> {
        let Some((sequence, timestamp)) = self.shifted(now, origin, input) else {
            return Some(self.switch(now, origin, input, payload_type, samples, octets));
        };
        let Source::Forwarded { first, last_sequence, .. } = &mut self.source else { return None };
        if (sequence.wrapping_sub(*first) as i16) < 0 {
            return None;
        }
        if (input.sequence.wrapping_sub(*last_sequence) as i16) > 0 {
            *last_sequence = input.sequence;
        }
        let ahead = sequence.wrapping_sub(self.sequence) as i16;
        if ahead > 0 {
            self.advance(now, sequence, timestamp, samples, octets);
        } else if !self.fill(ahead.unsigned_abs(), octets) {
            return None;
        }
        Some(self.header(payload_type, input.marker, sequence, timestamp))
    }

    /// The source was taken away: the next one continues after it.
    pub(crate) fn release(&mut self) {
        self.source = Source::None;
    }

    /// Sequence number and timestamp by the current offsets; `None` when the input does not continue the current source.
    fn shifted(&self, now: Instant, origin: u64, input: RtpHeader) -> Option<(u16, u32)> {
        let Source::Forwarded { origin: current, ssrc, last_sequence, sequence_offset, timestamp_offset, .. } =
            self.source
        else {
            return None;
        };
        let delta = input.sequence.wrapping_sub(last_sequence) as i16;
        if current != origin || ssrc != input.ssrc || !(MAX_MISORDER..=MAX_DROPOUT).contains(&delta) {
            return None;
        }
        let timestamp = input.timestamp.wrapping_add(timestamp_offset);
        let drift = timestamp.wrapping_sub(self.timestamp_at(now)) as i32;
        (drift.unsigned_abs() <= MAX_TIMESTAMP_DRIFT * self.clock)
            .then(|| (input.sequence.wrapping_add(sequence_offset), timestamp))
    }

    fn switch(
        &mut self,
        now: Instant,
        origin: u64,
        input: RtpHeader,
        payload_type: u8,
        samples: u32,
        octets: usize,
    ) -> RtpHeader {
        let sequence = self.sequence.wrapping_add(1);
        let timestamp = self.next_timestamp(now);
        self.source = Source::Forwarded {
            origin,
            ssrc: input.ssrc,
            last_sequence: input.sequence,
            sequence_offset: sequence.wrapping_sub(input.sequence),
            timestamp_offset: timestamp.wrapping_sub(input.timestamp),
            first: sequence,
        };
        self.advance(now, sequence, timestamp, samples, octets);
        self.header(payload_type, true, sequence, timestamp)
    }

    /// Timestamp of a packet that follows a change of source: by the wall clock, but never overlapping what was sent.
    fn next_timestamp(&self, now: Instant) -> u32 {
        let elapsed = self.elapsed_samples(now);
        let step = if elapsed < self.samples + self.clock / 50 { self.samples } else { elapsed };
        self.timestamp.wrapping_add(step)
    }

    /// Local packets after a pause are placed by the clock again.
    fn is_stale(&self, now: Instant) -> bool {
        self.elapsed_samples(now) > self.samples + self.clock / 5
    }

    fn elapsed_samples(&self, now: Instant) -> u32 {
        let elapsed = self.stamped_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        u32::try_from(elapsed.as_micros() * u128::from(self.clock) / 1_000_000).unwrap_or(u32::MAX)
    }

    fn advance(&mut self, now: Instant, sequence: u16, timestamp: u32, samples: u32, octets: usize) {
        let ahead = sequence.wrapping_sub(self.sequence);
        self.window = if ahead >= WINDOW { 1 } else { (self.window << ahead) | 1 };
        self.sequence = sequence;
        self.timestamp = timestamp;
        self.samples = samples;
        self.sent_at = Some(now);
        self.stamped_at = Some(now);
        self.packets += 1;
        self.octets += octets as u64;
    }

    /// Takes a late packet's place in the window; false when it was sent already or is too old to know.
    fn fill(&mut self, behind: u16, octets: usize) -> bool {
        if behind >= WINDOW || self.window & (1 << behind) != 0 {
            return false;
        }
        self.window |= 1 << behind;
        self.packets += 1;
        self.octets += octets as u64;
        true
    }

    fn header(&self, payload_type: u8, marker: bool, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(base: Instant, ms: u64) -> Instant {
        base + Duration::from_millis(ms)
    }

    fn input(ssrc: u32, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader { marker: false, payload_type: 0, sequence, timestamp, ssrc }
    }

    fn forward(out: &mut OutputStream, at: Instant, origin: u64, header: RtpHeader) -> Option<RtpHeader> {
        out.forward(at, origin, header, 0, 160, 160)
    }

    #[test]
    fn prompt_bridge_prompt_bridge_is_one_stream() {
        let base = Instant::now();
        let mut out = OutputStream::new(0x1234_5678_9abc_def0);
        let mut sent = Vec::new();
        for i in 0..10u64 {
            sent.push(out.local(ms(base, i * 20), 0, 160, 160));
        }
        for i in 0..10u64 {
            let packet = input(7, 65_530u16.wrapping_add(i as u16), (u32::MAX - 300).wrapping_add(i as u32 * 160));
            sent.push(forward(&mut out, ms(base, 207 + i * 20), 1, packet).unwrap());
        }
        out.release();
        for i in 0..5u64 {
            sent.push(out.local(ms(base, 1000 + i * 20), 0, 160, 160));
        }
        for i in 0..5u64 {
            sent.push(
                forward(&mut out, ms(base, 1100 + i * 20), 1, input(7, 100 + i as u16, 5000 + i as u32 * 160)).unwrap(),
            );
        }
        for pair in sent.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].ssrc, pair[0].ssrc);
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!((160..8000).contains(&step), "timestamp step {step}");
        }
        let pause = sent[20].timestamp.wrapping_sub(sent[19].timestamp);
        assert!((4800..=5000).contains(&pause), "613 ms pause by the clock, not {pause}");
        assert!(sent[0].marker && sent[10].marker && sent[20].marker && sent[25].marker);
        assert!(!sent[1].marker && !sent[11].marker);
    }

    #[test]
    fn loss_and_reordering_pass_through_but_repeats_do_not() {
        let base = Instant::now();
        let mut out = OutputStream::new(99);
        let first = forward(&mut out, base, 1, input(7, 10, 0)).unwrap();
        let third = forward(&mut out, ms(base, 40), 1, input(7, 12, 320)).unwrap();
        assert_eq!(third.sequence, first.sequence.wrapping_add(2), "the gap stays visible");
        let second = forward(&mut out, ms(base, 41), 1, input(7, 11, 160)).unwrap();
        assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
        assert_eq!(forward(&mut out, ms(base, 42), 1, input(7, 11, 160)), None);
        assert_eq!(forward(&mut out, ms(base, 42), 1, input(7, 12, 320)), None);
        assert_eq!(forward(&mut out, ms(base, 42), 1, input(7, 9, 0)), None, "older than the switch");
    }

    #[test]
    fn a_restarted_or_replaced_source_is_rebased() {
        let base = Instant::now();
        let mut out = OutputStream::new(5);
        let a = forward(&mut out, base, 1, input(7, 10, 0)).unwrap();
        let b = forward(&mut out, ms(base, 20), 1, input(8, 30_000, 1_000_000)).unwrap();
        let c = forward(&mut out, ms(base, 40), 1, input(8, 1, 1_000_160)).unwrap();
        let d = forward(&mut out, ms(base, 60), 2, input(8, 2, 1_000_320)).unwrap();
        let e = forward(&mut out, ms(base, 80), 2, input(8, 3, 77)).unwrap();
        for (x, y) in [(a, b), (b, c), (c, d), (d, e)] {
            assert_eq!(y.sequence, x.sequence.wrapping_add(1));
            assert_eq!(y.timestamp, x.timestamp.wrapping_add(160));
            assert!(y.marker);
        }
    }

    #[test]
    fn another_clock_goes_on_in_the_same_stream() {
        let base = Instant::now();
        let mut out = OutputStream::new(3);
        let a = forward(&mut out, base, 1, input(7, 10, 0)).unwrap();
        out.count_by(48_000);
        let b = out.forward(ms(base, 20), 2, input(8, 500, 9_000_000), 111, 960, 60).unwrap();
        let c = out.forward(ms(base, 40), 2, input(8, 501, 9_000_960), 111, 960, 60).unwrap();
        out.count_by(8000);
        let d = out.local(ms(base, 60), 0, 160, 160);
        for (x, y, step) in [(a, b, 960), (b, c, 960), (c, d, 160)] {
            assert_eq!((y.ssrc, y.sequence), (x.ssrc, x.sequence.wrapping_add(1)));
            assert_eq!(y.timestamp.wrapping_sub(x.timestamp), step);
        }
    }

    #[test]
    fn never_the_same_sequence_number_twice() {
        let base = Instant::now();
        let mut out = OutputStream::new(u64::MAX);
        let mut seen = std::collections::HashSet::new();
        let mut noise = 12345u32;
        for i in 0..3000u64 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = ms(base, i * 5);
            let header = if noise >> 28 == 0 {
                Some(out.local(at, 0, 160, 160))
            } else {
                forward(
                    &mut out,
                    at,
                    u64::from(noise >> 30),
                    input(noise >> 31, (i as u16).wrapping_add((noise >> 8) as u16 % 90), i as u32 * 40),
                )
            };
            if let Some(header) = header {
                seen.insert(header.sequence);
                assert_eq!(header.ssrc, out.ssrc());
            }
        }
        assert_eq!(seen.len() as u64, out.packets());
    }
}
