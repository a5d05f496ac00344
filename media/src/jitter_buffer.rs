//! Evens out the arrival of one source's sound for a listener that takes 20 ms at a time: frames wait as long as their
//! jitter makes it necessary, what is missing is concealed, and the wait shrinks again when the network is calm.
//!
//! All positions are RTP timestamps at 8 kHz, unwrapped. Time is told by the pulls: one every 20 ms.

use std::collections::BTreeMap;

use crate::player::FRAME_SAMPLES;

const FRAME: i64 = FRAME_SAMPLES as i64;
/// Sound waits at least this long: half a frame covers the beat between two 20 ms clocks.
const SHORTEST_WAIT: i64 = 80;
/// Beyond this wait (200 ms) a conversation suffers more than from gaps.
const LONGEST_WAIT: i64 = 1_600;
/// Pulls (2 s) over which the smallest margin is taken before the wait is shortened.
const CALM_PULLS: u32 = 100;
/// A timestamp this far ahead of the expected one (1 s) starts the source anew; so does one later than the longest wait.
const MAX_JUMP: i64 = 8_000;
/// Frames kept at most: the longest wait in 5 ms packets, twice.
const MAX_FRAMES: usize = 80;
/// Samples of history: two of the longest pitch periods.
const HISTORY: usize = 320;
/// Pitch periods that are looked for: 400 Hz down to 50 Hz.
const SHORTEST_PERIOD: usize = 20;
const LONGEST_PERIOD: usize = 160;
/// Samples (5 ms) over which concealed and real sound are blended.
const BLEND: usize = 40;
/// Concealment fades to silence over this many samples (60 ms), as long as a voice may be guessed.
const FADE: usize = 480;
/// The wait is shortened by one of these lengths, whichever fits best.
const SHORTEST_CUT: usize = 24;
const LONGEST_CUT: usize = 120;

/// What one pull was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// All of it arrived.
    Sound,
    /// Some of it was guessed from what came before.
    Concealed,
    /// The source says nothing.
    Silence,
}

/// One source's frames on their way to a mix.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    source: Option<Source>,
    frames: BTreeMap<i64, Vec<i16>>,
    /// What was pulled last, oldest first.
    history: [i16; HISTORY],
    flow: Flow,
}

#[derive(Debug, Clone, Copy)]
enum Flow {
    /// Nothing was said for a while.
    Resting,
    Playing,
    /// So many samples were guessed from the last `period` of real ones.
    Guessing {
        period: usize,
        done: usize,
    },
    /// Real sound is back and takes over.
    Resuming {
        period: usize,
        done: usize,
        blended: usize,
    },
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    /// Newest timestamp seen, and the same unwrapped.
    timestamp: u32,
    extended: i64,
    /// Next sample to be pulled.
    play_at: i64,
    calm: u32,
    /// Smallest reserve at an arrival in the present window: samples between the frame and the next one due.
    margin: i64,
}

impl JitterBuffer {
    pub(crate) fn new() -> Self {
        JitterBuffer { source: None, frames: BTreeMap::new(), history: [0; HISTORY], flow: Flow::Resting }
    }

    /// Takes a decoded packet in. Late ones make the wait longer; repeated ones change nothing.
    pub(crate) fn push(&mut self, ssrc: u32, timestamp: u32, samples: &[i16]) {
        if samples.is_empty() || samples.len() as i64 > LONGEST_WAIT {
            return;
        }
        let known = self.source.as_mut().filter(|source| source.ssrc == ssrc);
        let position = known.map(|source| {
            let moved = i64::from(timestamp.wrapping_sub(source.timestamp) as i32);
            (source, moved)
        });
        let Some((source, moved)) = position.filter(|(source, moved)| {
            let reserve = source.extended + moved - source.play_at;
            (-LONGEST_WAIT..MAX_JUMP).contains(&reserve)
        }) else {
            self.frames.clear();
            let extended = i64::from(timestamp);
            self.source = Some(Source {
                ssrc,
                timestamp,
                extended,
                play_at: extended - SHORTEST_WAIT,
                calm: 0,
                margin: i64::MAX,
            });
            self.frames.insert(extended, samples.to_vec());
            return;
        };
        let at = source.extended + moved;
        if moved > 0 {
            (source.extended, source.timestamp) = (at, timestamp);
        }
        let reserve = at - source.play_at;
        source.margin = source.margin.min(reserve);
        if reserve < 0 {
            // It was due already. What follows will be as late: from now on everything waits longer.
            let newest = self.frames.last_key_value().map_or(at, |(newest, _)| (*newest).max(at));
            let wait = (newest - source.play_at).max(0) - reserve;
            if wait <= LONGEST_WAIT {
                source.play_at += reserve;
                (source.calm, source.margin) = (0, i64::MAX);
            }
        }
        if at + samples.len() as i64 > source.play_at {
            self.frames.entry(at).or_insert_with(|| samples.to_vec());
        }
        while self.frames.len() > MAX_FRAMES {
            self.frames.pop_first();
        }
    }

    /// The next 20 ms.
    pub(crate) fn pull(&mut self, out: &mut [i16; FRAME_SAMPLES]) -> Pulled {
        out.fill(0);
        let Some(mut source) = self.source.take() else { return Pulled::Silence };
        // More than the longest wait (a stalled network delivers all at once): the oldest goes.
        let waiting = self.frames.last_key_value().map_or(0, |(newest, _)| newest - source.play_at);
        if waiting > LONGEST_WAIT {
            source.play_at += waiting - LONGEST_WAIT;
        }
        let cut = self.cut(&mut source);
        let mut have = [false; FRAME_SAMPLES];
        self.copy(source.play_at, out, &mut have);
        if cut > 0 {
            self.shorten(&source, cut, out);
        }
        source.play_at += FRAME + cut;
        let keep_from = source.play_at;
        self.frames.retain(|at, samples| at + samples.len() as i64 > keep_from);
        self.source = Some(source);
        self.conceal(out, &have)
    }

    /// Copies what lies at `from` on, and notes which samples there were.
    fn copy(&self, from: i64, out: &mut [i16], have: &mut [bool]) {
        for (at, samples) in self.frames.range(from - LONGEST_WAIT..from + out.len() as i64) {
            for (offset, sample) in samples.iter().enumerate() {
                let index = at + offset as i64 - from;
                if let Some(index) = usize::try_from(index).ok().filter(|index| *index < out.len()) {
                    (out[index], have[index]) = (*sample, true);
                }
            }
        }
    }

    /// How much earlier the sound may come, once a whole window was calm: a length at which the sound repeats itself.
    fn cut(&self, source: &mut Source) -> i64 {
        source.calm += 1;
        if source.calm < CALM_PULLS {
            return 0;
        }
        let spare = source.margin.min(LONGEST_WAIT) - SHORTEST_WAIT;
        (source.calm, source.margin) = (0, i64::MAX);
        let longest = usize::try_from(spare).unwrap_or(0).min(LONGEST_CUT);
        if longest < SHORTEST_CUT {
            return 0;
        }
        let mut sound = [0; FRAME_SAMPLES + LONGEST_CUT];
        let mut have = [false; FRAME_SAMPLES + LONGEST_CUT];
        self.copy(source.play_at, &mut sound, &mut have);
        if !have.iter().take(FRAME_SAMPLES + longest).all(|have| *have) {
            return 0;
        }
        best_shift(&sound[..BLEND], &sound, SHORTEST_CUT..=longest) as i64
    }

    /// Blends the sound of now into the sound of `cut` samples later.
    fn shorten(&self, source: &Source, cut: i64, out: &mut [i16; FRAME_SAMPLES]) {
        let mut later = [0; FRAME_SAMPLES];
        self.copy(source.play_at + cut, &mut later, &mut [false; FRAME_SAMPLES]);
        for (index, (sample, later)) in out.iter_mut().zip(later).enumerate() {
            *sample = if index < BLEND { blend(*sample, later, index) } else { later };
        }
    }

    /// Fills what is missing by repeating the last pitch period, fading away, and blends the sound that follows into it.
    fn conceal(&mut self, out: &mut [i16; FRAME_SAMPLES], have: &[bool; FRAME_SAMPLES]) -> Pulled {
        let mut line = [0; HISTORY + FRAME_SAMPLES];
        line[..HISTORY].copy_from_slice(&self.history);
        let mut guessed = false;
        for (index, have) in have.iter().enumerate() {
            let here = HISTORY + index;
            line[here] = match (self.flow, *have) {
                (Flow::Resting | Flow::Playing, true) => {
                    self.flow = Flow::Playing;
                    out[index]
                }
                (Flow::Resting, false) => 0,
                (Flow::Playing, false) => {
                    let period = period(&line[..here]);
                    guessed = true;
                    self.flow = Flow::Guessing { period, done: 1 };
                    line[here - period]
                }
                (Flow::Guessing { period, done } | Flow::Resuming { period, done, .. }, false) => {
                    guessed = true;
                    self.flow = if done < FADE { Flow::Guessing { period, done: done + 1 } } else { Flow::Resting };
                    faded(line[here - period], period, done)
                }
                (Flow::Guessing { period, done }, true) => {
                    self.flow = Flow::Resuming { period, done: done + 1, blended: 1 };
                    faded(line[here - period], period, done)
                }
                (Flow::Resuming { period, done, blended }, true) => {
                    self.flow = match blended < BLEND {
                        true => Flow::Resuming { period, done: done + 1, blended: blended + 1 },
                        false => Flow::Playing,
                    };
                    blend(faded(line[here - period], period, done), out[index], blended)
                }
            };
        }
        out.copy_from_slice(&line[HISTORY..]);
        self.history.copy_from_slice(&line[FRAME_SAMPLES..]);
        match (guessed, have.contains(&true)) {
            (true, _) => Pulled::Concealed,
            (false, true) => Pulled::Sound,
            (false, false) => Pulled::Silence,
        }
    }
}

/// The pitch period at the end of `line`.
fn period(line: &[i16]) -> usize {
    let recent: Vec<i16> = line.iter().rev().take(2 * LONGEST_PERIOD).copied().collect();
    best_shift(&recent[..LONGEST_PERIOD], &recent, SHORTEST_PERIOD..=LONGEST_PERIOD)
}

/// The sample of one period ago as it is after `done` guessed samples: a straight line down to silence.
fn faded(earlier: i16, period: usize, done: usize) -> i16 {
    let left = |done: usize| FADE.saturating_sub(done) as i32;
    let before = if done < period { FADE as i32 } else { left(done - period) };
    (i32::from(earlier) * left(done) / before.max(1)) as i16
}

/// From `old` to `new` over [`BLEND`] samples.
fn blend(old: i16, new: i16, index: usize) -> i16 {
    let share = index.min(BLEND) as i32;
    ((i32::from(old) * (BLEND as i32 - share) + i32::from(new) * share) / BLEND as i32) as i16
}

/// The shift at which `sound` resembles `pattern` most: the largest normalised correlation.
fn best_shift(pattern: &[i16], sound: &[i16], shifts: std::ops::RangeInclusive<usize>) -> usize {
    let mut best = (*shifts.start(), f64::MIN);
    for shift in shifts {
        let Some(shifted) = sound.get(shift..shift + pattern.len()) else { break };
        let (mut product, mut energy) = (0.0, 1.0);
        for (a, b) in pattern.iter().zip(shifted) {
            product += f64::from(*a) * f64::from(*b);
            energy += f64::from(*b) * f64::from(*b);
        }
        let likeness = product / energy.sqrt();
        if likeness > best.1 {
            best = (shift, likeness);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A tone in packets of 20 ms; gives the pulled sound. `arrives(n)`: in which pull packet `n` arrives, `None` = lost.
    fn run(packets: usize, arrives: impl Fn(usize) -> Option<usize>) -> (Vec<i16>, Vec<Pulled>, JitterBuffer) {
        let mut buffer = JitterBuffer::new();
        let (mut sound, mut pulls) = (Vec::new(), Vec::new());
        for pull in 0..packets {
            for n in (0..packets).filter(|n| arrives(*n) == Some(pull)) {
                buffer.push(7, (u32::MAX - 3000).wrapping_add(n as u32 * 160), &tone(n));
            }
            let mut out = [0; FRAME_SAMPLES];
            pulls.push(buffer.pull(&mut out));
            sound.extend(out);
        }
        (sound, pulls, buffer)
    }

    fn tone(n: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * 437.0 / 8000.0;
        (n * 160..(n + 1) * 160).map(|i| ((i as f64 * step).sin() * 10_000.0) as i16).collect()
    }

    fn level(samples: &[i16]) -> f64 {
        (samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    const FULL: f64 = 7_071.0;

    #[test]
    fn a_steady_source_passes_unchanged_and_soon() {
        let (sound, pulls, _) = run(50, Some);
        assert_eq!(sound[..80], [0; 80]);
        let expected: Vec<i16> = (0..50).flat_map(tone).collect();
        assert_eq!(sound[80..], expected[..sound.len() - 80]);
        assert!(pulls[1..].iter().all(|pulled| *pulled == Pulled::Sound));
    }

    #[test]
    fn jitter_lengthens_the_wait_once_and_then_nothing_is_missing() {
        let (sound, pulls, _) = run(150, |n| Some(n + [0, 3, 1, 2, 0][n % 5]));
        assert!(pulls[20..].iter().all(|pulled| *pulled == Pulled::Sound), "{pulls:?}");
        for window in sound[3200..].chunks_exact(80) {
            assert!(level(window) > FULL / 2.0);
        }
    }

    #[test]
    fn the_wait_shrinks_when_the_network_is_calm_again() {
        let (sound, _, buffer) = run(3000, |n| Some(if n < 100 { n + [0, 5][n % 2] } else { n }));
        let source = buffer.source.as_ref().unwrap();
        let wait = source.extended + 160 - source.play_at;
        assert!(wait <= 160 + SHORTEST_WAIT + SHORTEST_CUT as i64, "still waits {wait} samples");
        for window in sound[1600..].chunks_exact(80) {
            assert!(level(window) > FULL / 2.0, "shortening is not heard as a gap");
        }
    }

    #[test]
    fn a_lost_packet_is_concealed_and_a_lost_source_fades() {
        let (sound, pulls, _) = run(60, |n| (n % 10 != 9).then_some(n));
        assert!(pulls.iter().filter(|pulled| **pulled == Pulled::Concealed).count() >= 5);
        for window in sound[160..].chunks_exact(80) {
            assert!(level(window) > FULL / 2.0);
        }
        let steps = sound[160..].windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
        assert!(steps < 9_000, "a click of {steps}");
        let (sound, pulls, _) = run(60, |n| (n < 30).then_some(n));
        assert_eq!(sound[40 * 160..], [0; 20 * 160]);
        assert_eq!(pulls[40..], [Pulled::Silence; 20]);
    }

    #[test]
    fn a_stalled_network_costs_no_lasting_delay() {
        let (_, _, buffer) = run(1200, |n| Some(if (100..150).contains(&n) { 150 } else { n }));
        let source = buffer.source.as_ref().unwrap();
        assert!(source.extended + 160 - source.play_at <= 400);
    }

    #[test]
    fn a_new_source_or_a_jump_starts_anew() {
        let mut buffer = JitterBuffer::new();
        let mut out = [0; FRAME_SAMPLES];
        for (ssrc, timestamp) in [(1, 0), (2, 5_000_000), (2, 0)] {
            for n in 0..5 {
                buffer.push(ssrc, timestamp + n * 160, &tone(n as usize));
                buffer.pull(&mut out);
            }
            assert!(level(&out) > FULL / 2.0);
        }
    }

    #[test]
    fn drift_of_both_signs_leaves_no_gaps() {
        // One packet in 500 (0.2 %) too many or too few.
        for fast in [true, false] {
            let arrives = |n: usize| Some(if fast { n - n / 500 } else { n + n / 500 });
            let (sound, _, buffer) = run(4000, arrives);
            let source = buffer.source.as_ref().unwrap();
            assert!(source.extended - source.play_at < LONGEST_WAIT);
            let weak = sound[1600..3900 * 160].chunks_exact(80).filter(|window| level(window) < FULL / 2.0).count();
            assert!(weak <= 8, "{weak} weak windows, fast: {fast}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_survived(frames in proptest::collection::vec((any::<bool>(), any::<u32>(), 0usize..2000, 0u8..4), 0..60)) {
            let mut buffer = JitterBuffer::new();
            let mut out = [0; FRAME_SAMPLES];
            for (ssrc, timestamp, length, pulls) in frames {
                buffer.push(u32::from(ssrc), timestamp, &vec![1; length]);
                for _ in 0..pulls {
                    buffer.pull(&mut out);
                }
                prop_assert!(buffer.frames.len() <= MAX_FRAMES);
            }
        }
    }
}
