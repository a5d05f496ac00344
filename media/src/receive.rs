//! Reception statistics of one source (RFC 3550 A.1, A.3, A.8).

use std::time::Instant;

use crate::output::CLOCK;
use crate::rtp::RtpHeader;

/// Beyond this jump the source is taken as restarted.
const MAX_JUMP: u16 = 3000;

/// Counts of one leg's inbound stream.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    source: Option<Source>,
    /// Packets of sources that were replaced.
    earlier_received: u64,
    earlier_expected: u64,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    base: u32,
    /// Highest sequence number, extended by the cycles.
    highest: u32,
    received: u64,
    expected_before: u64,
    received_before: u64,
    transit: u32,
    /// Jitter in timestamp units, scaled by 16.
    jitter: u32,
    first: Instant,
}

/// One report block (RFC 3550 §6.4.1) without the last-SR fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportBlock {
    pub(crate) ssrc: u32,
    pub(crate) fraction_lost: u8,
    pub(crate) lost: u32,
    pub(crate) highest: u32,
    pub(crate) jitter: u32,
}

impl Reception {
    pub(crate) fn receive(&mut self, now: Instant, header: &RtpHeader) {
        let same = self.source.as_ref().is_some_and(|source| source.continues(header));
        if !same {
            if let Some(old) = self.source.take() {
                self.earlier_received += old.received;
                self.earlier_expected += old.expected();
            }
            self.source = Some(Source::new(now, header));
        }
        if let Some(source) = &mut self.source {
            source.receive(now, header);
        }
    }

    pub(crate) fn received(&self) -> u64 {
        self.earlier_received + self.source.as_ref().map_or(0, |source| source.received)
    }

    /// Packets missing so far; repeated ones make up for lost ones.
    pub(crate) fn lost(&self) -> u64 {
        let expected = self.earlier_expected + self.source.as_ref().map_or(0, Source::expected);
        expected.saturating_sub(self.received())
    }

    /// Interarrival jitter in milliseconds.
    pub(crate) fn jitter_ms(&self) -> f32 {
        self.source.as_ref().map_or(0.0, |source| (source.jitter >> 4) as f32 * 1000.0 / CLOCK as f32)
    }

    /// The block for the next report; closes the interval of `fraction_lost`.
    pub(crate) fn report(&mut self) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let in_interval = expected - source.expected_before;
        let lost = in_interval.saturating_sub(source.received - source.received_before);
        source.expected_before = expected;
        source.received_before = source.received;
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from((lost * 256).checked_div(in_interval).unwrap_or(0)).unwrap_or(u8::MAX),
            lost: u32::try_from(expected.saturating_sub(source.received)).unwrap_or(u32::MAX).min(0x7f_ffff),
            highest: source.highest,
            jitter: source.jitter >> 4,
        })
    }
}

impl Source {
    fn new(now: Instant, header: &RtpHeader) -> Self {
        let sequence = u32::from(header.sequence);
        Source {
            ssrc: header.ssrc,
            base: sequence,
            highest: sequence,
            received: 0,
            expected_before: 0,
            received_before: 0,
            transit: 0u32.wrapping_sub(header.timestamp),
            jitter: 0,
            first: now,
        }
    }

    fn continues(&self, header: &RtpHeader) -> bool {
        let ahead = header.sequence.wrapping_sub(self.highest as u16);
        self.ssrc == header.ssrc && (ahead <= MAX_JUMP || ahead >= u16::MAX - MAX_JUMP)
    }

    fn receive(&mut self, now: Instant, header: &RtpHeader) {
        self.received += 1;
        let ahead = header.sequence.wrapping_sub(self.highest as u16);
        if ahead <= MAX_JUMP {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        }
        let arrival = (now.saturating_duration_since(self.first).as_micros() * u128::from(CLOCK) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(header.timestamp);
        let change = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        self.jitter = self.jitter.saturating_add(change).saturating_sub((self.jitter + 8) >> 4);
    }

    fn expected(&self) -> u64 {
        u64::from(self.highest.wrapping_sub(self.base)) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn header(ssrc: u32, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader { ssrc, sequence, timestamp, ..RtpHeader::default() }
    }

    #[test]
    fn counts_loss_over_the_wrap_and_over_a_new_source() {
        let base = Instant::now();
        let mut reception = Reception::default();
        for i in 0..100u32 {
            if i % 10 == 5 {
                continue;
            }
            let at = base + Duration::from_millis(u64::from(i) * 20);
            reception.receive(at, &header(7, 65_500u16.wrapping_add(i as u16), i * 160));
        }
        assert_eq!((reception.received(), reception.lost()), (90, 10));
        let block = reception.report().unwrap();
        assert_eq!((block.lost, block.fraction_lost), (10, 25));
        assert_eq!(block.highest, 65_599);
        assert_eq!(reception.report().unwrap().fraction_lost, 0, "nothing in the new interval");
        reception.receive(base, &header(8, 5, 0));
        assert_eq!((reception.received(), reception.lost()), (91, 10));
    }

    #[test]
    fn steady_arrival_has_no_jitter_and_uneven_has() {
        let base = Instant::now();
        let mut steady = Reception::default();
        let mut uneven = Reception::default();
        for i in 0..200u64 {
            steady.receive(base + Duration::from_millis(i * 20), &header(1, i as u16, i as u32 * 160));
            uneven.receive(base + Duration::from_millis(i * 20 + (i % 2) * 10), &header(1, i as u16, i as u32 * 160));
        }
        assert!(steady.jitter_ms() < 0.5, "{}", steady.jitter_ms());
        assert!((8.0..12.0).contains(&uneven.jitter_ms()), "{}", uneven.jitter_ms());
    }
}
