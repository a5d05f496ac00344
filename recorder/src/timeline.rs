//! Where each sample of a leg belongs: RTP timestamps say how frames follow each other, arrival times say when.
//!
//! The timeline emits one unbroken run of samples from the moment the recording was opened. A frame's place is its RTP
//! timestamp plus a shift fixed when the stream is *anchored*: on its first frame, on a new SSRC, on a timestamp that
//! neither the sequence numbers nor the arrival explain, and after a pause in which the sender's clock stood still. What
//! is missing is silence; what comes twice or too late is dropped; small reorderings are undone. The sender's crystal
//! and ours differ, so the *floor* of the lateness (the fastest packets of the last seconds) is watched and single
//! samples are doubled or left out where the sound is calmest, which keeps an hour's call aligned with the other legs.
//!
//! All positions are in samples at 8 kHz.

use std::{collections::BTreeMap, time::Duration};

/// Samples a second: G.711 (RFC 3551 §4.5.14).
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples of one 20 ms frame; a recording is a whole number of them.
/// The end of a recording is at most so many samples (100 ms) after its last sound without being filled up.
const TAIL: i64 = 800;
pub const FRAME_SAMPLES: usize = 160;
/// How long a missing frame is waited for, 100 ms of later sound.
pub const REORDER_WINDOW: i64 = 800;
/// Frames more than this ahead of the clock are refused: a sender cannot make a recording longer than the time it took.
pub const MAX_AHEAD: i64 = 2 * SAMPLE_RATE as i64;
/// Lateness beyond this (200 ms), compared with the usual, asks whether the sender stood still.
pub const LATE_TOLERANCE: i64 = 1_600;
/// A new stream that begins within 30 ms of the end of the old one is joined to it without a gap.
pub const JOIN_TOLERANCE: i64 = 240;
/// Drift within ±8 ms is left alone.
pub const DRIFT_TOLERANCE: i64 = 64;
/// The lateness floor is taken over this long, and the one before (5 s each).
const FLOOR_WINDOW: i64 = 5 * SAMPLE_RATE as i64;
/// Late frames looked at before deciding between a stalled network and a stalled sender.
const DECIDING_FRAMES: usize = 5;
/// Sequence steps larger than this explain nothing (RFC 3550 appendix A.1, MAX_DROPOUT).
const MAX_SEQUENCE_STEP: i16 = 3_000;
/// Samples a frame may be stretched or shortened by while drift is corrected.
const MAX_CORRECTION: i64 = 8;

/// One frame as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Since the recording was opened.
    pub at: Duration,
    pub rtp_timestamp: u32,
    pub sequence: u16,
    pub ssrc: u32,
    pub samples: &'a [i16],
}

/// A piece of the recording, in order and without holes.
#[derive(Debug, PartialEq, Eq)]
pub enum Run<'a> {
    Sound(&'a [i16]),
    Silence(u64),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that never arrived, by sequence number.
    pub lost_frames: u64,
    /// Silences filled in after the first frame.
    pub gaps: u64,
    /// Frames that came twice, after their place was written, or absurdly early.
    pub refused_frames: u64,
    /// Times the stream was placed anew by arrival.
    pub reanchored: u64,
    /// Samples doubled (positive) and left out (negative) for drift.
    pub stretched: u64,
    pub shortened: u64,
}

#[derive(Default)]
pub struct Timeline {
    /// Samples emitted so far.
    next: i64,
    stream: Option<Stream>,
    counters: Counters,
    scratch: Vec<i16>,
}

struct Stream {
    ssrc: u32,
    /// Newest frame seen, and its timestamp without wrap-around.
    sequence: u16,
    timestamp: u32,
    extended: i64,
    /// Position = extended timestamp + shift.
    shift: i64,
    /// Sequence number of the last emitted frame.
    emitted: Option<u16>,
    held: BTreeMap<i64, Held>,
    pace: Pace,
    floor: Floor,
    /// Samples of drift still to be made good: positive stretches.
    owed: i64,
}

struct Held {
    sequence: u16,
    samples: Vec<i16>,
}

/// Whether arrival and timestamps agree.
enum Pace {
    Steady,
    /// Late frames set aside until it is clear who stalled.
    Deciding(Vec<Late>),
    /// The network delivers what it held back; the timestamps are right.
    CatchingUp,
}

struct Late {
    at: Duration,
    rtp_timestamp: u32,
    sequence: u16,
    samples: Vec<i16>,
}

/// The smallest lateness of this window and the one before.
struct Floor {
    began: i64,
    current: Option<i64>,
    previous: Option<i64>,
}

impl Timeline {
    pub fn new() -> Self {
        Self::default()
    }

    /// Samples emitted so far.
    pub fn position(&self) -> u64 {
        self.next.unsigned_abs()
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Places one frame; `out` hears what has become certain by it.
    pub fn frame(&mut self, arrival: Arrival<'_>, out: &mut impl FnMut(Run<'_>)) {
        if arrival.samples.is_empty() {
            return;
        }
        match &self.stream {
            None => return self.anchor(arrival, out),
            Some(stream) if stream.ssrc != arrival.ssrc => {
                self.settle(out);
                return self.anchor(arrival, out);
            }
            Some(_) => {}
        }
        self.judge(arrival, out);
    }

    /// Emits what is held and fills with silence up to `at`, rounded up to a whole frame. A last packet that was only
    /// still on its way leaves no silence behind the sound.
    pub fn finish(&mut self, at: Duration, out: &mut impl FnMut(Run<'_>)) {
        self.settle(out);
        let end = match samples_in(at) - self.next {
            underway if underway <= TAIL => self.next,
            _ => samples_in(at),
        };
        let frame = FRAME_SAMPLES as i64;
        let whole = (end + frame - 1) / frame * frame;
        self.silence_to(whole, out);
    }

    /// Decides what an arrival of the known stream is: in its place, held for judgement, or a new beginning.
    fn judge(&mut self, arrival: Arrival<'_>, out: &mut impl FnMut(Run<'_>)) {
        let Some(stream) = &mut self.stream else { return };
        let step = arrival.sequence.wrapping_sub(stream.sequence) as i16;
        let moved = i64::from(arrival.rtp_timestamp.wrapping_sub(stream.timestamp) as i32);
        let position = stream.extended + moved + stream.shift;
        let lateness = samples_in(arrival.at) - position;
        let surprise = lateness - stream.floor.lowest().unwrap_or(0);
        let explained =
            step.unsigned_abs() < MAX_SEQUENCE_STEP as u16 && moved == i64::from(step) * arrival.samples.len() as i64;
        if surprise.abs() <= LATE_TOLERANCE {
            self.decide(out);
            if let Some(stream) = &mut self.stream {
                stream.pace = Pace::Steady;
            }
            return self.place(arrival, out);
        }
        if !explained {
            self.settle(out);
            self.counters.reanchored += 1;
            return self.anchor(arrival, out);
        }
        if surprise < 0 || step <= 0 {
            return self.place(arrival, out);
        }
        match &mut stream.pace {
            Pace::CatchingUp => self.place(arrival, out),
            Pace::Steady => {
                stream.pace = Pace::Deciding(vec![Late::from(arrival)]);
                stream.seen(&arrival);
            }
            Pace::Deciding(late) => {
                late.push(Late::from(arrival));
                let enough = late.len() >= DECIDING_FRAMES;
                stream.seen(&arrival);
                if enough {
                    self.decide(out);
                }
            }
        }
    }

    /// Ends a [`Pace::Deciding`]: frames that came faster than they play were held up by the network and keep their
    /// place; frames at talking speed mean that the sender's timestamps stood still, so they are placed by arrival.
    fn decide(&mut self, out: &mut impl FnMut(Run<'_>)) {
        let Some(stream) = &mut self.stream else { return };
        let Pace::Deciding(late) = &mut stream.pace else { return };
        let late = std::mem::take(late);
        stream.pace = Pace::CatchingUp;
        let (Some(first), Some(last)) = (late.first(), late.last()) else { return };
        let played = i64::from(last.rtp_timestamp.wrapping_sub(first.rtp_timestamp) as i32);
        let took = samples_in(last.at) - samples_in(first.at);
        let ssrc = stream.ssrc;
        let burst = late.len() > 1 && took * 2 < played;
        for (index, frame) in late.iter().enumerate() {
            let arrival = Arrival {
                at: frame.at,
                rtp_timestamp: frame.rtp_timestamp,
                sequence: frame.sequence,
                ssrc,
                samples: &frame.samples,
            };
            if index == 0 && !burst {
                self.release(true, out);
                self.counters.reanchored += 1;
                self.anchor(arrival, out);
            } else {
                self.place(arrival, out);
            }
        }
    }

    /// Nothing is held any more.
    fn settle(&mut self, out: &mut impl FnMut(Run<'_>)) {
        self.decide(out);
        self.release(true, out);
    }

    /// Begins a stream where it arrived, or where the old one ended when that is as good as the same.
    fn anchor(&mut self, arrival: Arrival<'_>, out: &mut impl FnMut(Run<'_>)) {
        let arrived = samples_in(arrival.at);
        let follows = self.stream.is_some() && arrived - self.next <= JOIN_TOLERANCE;
        let position = if follows { self.next } else { arrived.max(self.next) };
        let extended = i64::from(arrival.rtp_timestamp);
        self.stream = Some(Stream {
            ssrc: arrival.ssrc,
            sequence: arrival.sequence,
            timestamp: arrival.rtp_timestamp,
            extended,
            shift: position - extended,
            emitted: None,
            held: BTreeMap::new(),
            pace: Pace::Steady,
            floor: Floor { began: arrived, current: None, previous: None },
            owed: 0,
        });
        self.place(arrival, out);
    }

    /// Puts a frame of the current stream into its place.
    fn place(&mut self, arrival: Arrival<'_>, out: &mut impl FnMut(Run<'_>)) {
        let Some(stream) = &mut self.stream else { return };
        let moved = i64::from(arrival.rtp_timestamp.wrapping_sub(stream.timestamp) as i32);
        let extended = stream.extended + moved;
        let arrived = samples_in(arrival.at);
        let position = extended + stream.shift;
        if position > arrived + MAX_AHEAD || position + (arrival.samples.len() as i64) <= self.next {
            self.counters.refused_frames += 1;
            return;
        }
        stream.seen(&arrival);
        stream.watch(arrived, arrived - position);
        if stream.held.is_empty() && position == self.next {
            stream.emitted = Some(arrival.sequence);
            let corrected = stream.correct(arrival.samples, &mut self.scratch, &mut self.counters);
            let sound: &[i16] = if corrected { &self.scratch } else { arrival.samples };
            self.next += sound.len() as i64;
            return out(Run::Sound(sound));
        }
        let held = Held { sequence: arrival.sequence, samples: arrival.samples.to_vec() };
        if stream.held.insert(extended, held).is_some() {
            self.counters.refused_frames += 1;
        }
        self.release(false, out);
    }

    /// Emits held frames that follow on, that have no missing frame before them, or that have waited long enough.
    fn release(&mut self, all: bool, out: &mut impl FnMut(Run<'_>)) {
        loop {
            let Some(stream) = &mut self.stream else { return };
            let Some((&newest, _)) = stream.held.last_key_value() else { return };
            let Some(entry) = stream.held.first_entry() else { return };
            let mut position = *entry.key() + stream.shift;
            let missing = stream.emitted.map(|last| entry.get().sequence.wrapping_sub(last).wrapping_sub(1) as i16);
            let waited = newest + stream.shift - self.next >= REORDER_WINDOW;
            let fresh = missing.is_none();
            if position > self.next && !(all || waited || fresh || missing == Some(0)) {
                return;
            }
            let held = entry.remove();
            stream.emitted = Some(held.sequence);
            if position > self.next {
                let first = self.next == 0 && fresh;
                self.counters.gaps += u64::from(!first);
                if let Some(lost) = missing.filter(|lost| (1..MAX_SEQUENCE_STEP).contains(lost)) {
                    self.counters.lost_frames += lost.unsigned_abs() as u64;
                }
                position += stream.correct_gap(position - self.next);
                self.silence_to(position, out);
            }
            let overlap = usize::try_from(self.next - position).unwrap_or(0).min(held.samples.len());
            let sound = &held.samples[overlap..];
            if sound.is_empty() {
                self.counters.refused_frames += 1;
                continue;
            }
            self.next += sound.len() as i64;
            out(Run::Sound(sound));
        }
    }

    fn silence_to(&mut self, position: i64, out: &mut impl FnMut(Run<'_>)) {
        let missing = position - self.next;
        if missing > 0 {
            self.next = position;
            out(Run::Silence(missing.unsigned_abs()));
        }
    }
}

impl Stream {
    /// Remembers the newest frame, so that the next step is small.
    fn seen(&mut self, arrival: &Arrival<'_>) {
        let moved = i64::from(arrival.rtp_timestamp.wrapping_sub(self.timestamp) as i32);
        if moved > 0 {
            self.extended += moved;
            self.timestamp = arrival.rtp_timestamp;
            self.sequence = arrival.sequence;
        }
    }

    /// Notes one lateness; at the end of a window, decides how much drift is owed.
    fn watch(&mut self, arrived: i64, lateness: i64) {
        if arrived - self.floor.began >= FLOOR_WINDOW {
            self.floor.previous = self.floor.current.take();
            self.floor.began = arrived;
            let drift = self.floor.previous.unwrap_or(0);
            self.owed = if drift.abs() > DRIFT_TOLERANCE { drift } else { 0 };
        }
        let lowest = self.floor.current.map_or(lateness, |floor| floor.min(lateness));
        self.floor.current = Some(lowest);
    }

    fn moved(&mut self, samples: i64) {
        self.shift += samples;
        self.owed -= samples;
        for floor in [&mut self.floor.current, &mut self.floor.previous].into_iter().flatten() {
            *floor -= samples;
        }
    }

    /// Stretches or shortens one frame by the share of the owed drift that ears do not notice.
    fn correct(&mut self, sound: &[i16], corrected: &mut Vec<i16>, counters: &mut Counters) -> bool {
        let share = (self.owed / 128 + self.owed.signum()).clamp(-MAX_CORRECTION, MAX_CORRECTION);
        if share == 0 || sound.len() < 2 * MAX_CORRECTION.unsigned_abs() as usize {
            return false;
        }
        corrected.clear();
        corrected.extend_from_slice(sound);
        for _ in 0..share.unsigned_abs() {
            let calm = calmest(corrected);
            if share > 0 {
                corrected.insert(calm, corrected[calm]);
                counters.stretched += 1;
            } else {
                corrected.remove(calm);
                counters.shortened += 1;
            }
        }
        self.moved(share);
        true
    }

    /// Silence hides any correction; it is lengthened by what is owed or shortened by as much of it as it has.
    fn correct_gap(&mut self, gap: i64) -> i64 {
        let change = self.owed.max(-gap);
        self.moved(change);
        change
    }
}

impl Floor {
    fn lowest(&self) -> Option<i64> {
        match (self.current, self.previous) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

impl From<Arrival<'_>> for Late {
    fn from(arrival: Arrival<'_>) -> Self {
        Self {
            at: arrival.at,
            rtp_timestamp: arrival.rtp_timestamp,
            sequence: arrival.sequence,
            samples: arrival.samples.to_vec(),
        }
    }
}

/// Index of the sample that differs least from the one before it.
fn calmest(samples: &[i16]) -> usize {
    let steps = samples.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
    steps.enumerate().min_by_key(|&(_, step)| step).map_or(0, |(index, _)| index + 1)
}

/// Whole samples in a duration.
pub fn samples_in(time: Duration) -> i64 {
    (time.as_micros().min(u128::from(u64::MAX / 8)) as u64 / 125) as i64
}
