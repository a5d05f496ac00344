//! Where samples land, on virtual time.

use std::time::Duration;

use proptest::prelude::*;
use ringback_recorder::timeline::{Arrival, Counters, FRAME_SAMPLES, MAX_AHEAD, Run, Timeline, samples_in};

const FRAME: Duration = Duration::from_millis(20);
/// Frame numbers are told apart by their sample value, which starts here so that none looks like silence.
const BASE: usize = 1_000;

/// A timeline and what it emitted.
#[derive(Default)]
struct Rig {
    timeline: Timeline,
    sound: Vec<i16>,
}

/// Frame `number` of a stream that started at timestamp `first.0`, sequence `first.1`.
#[derive(Clone, Copy)]
struct Sender {
    ssrc: u32,
    timestamp: u32,
    sequence: u16,
}

const SENDER: Sender = Sender { ssrc: 7, timestamp: 4_000, sequence: 100 };

impl Rig {
    fn frame(&mut self, sender: Sender, number: usize, at: Duration) {
        let samples = [value(number); FRAME_SAMPLES];
        let arrival = Arrival {
            at,
            rtp_timestamp: sender.timestamp.wrapping_add((number * FRAME_SAMPLES) as u32),
            sequence: sender.sequence.wrapping_add(number as u16),
            ssrc: sender.ssrc,
            samples: &samples,
        };
        let sound = &mut self.sound;
        self.timeline.frame(arrival, &mut |run| keep(sound, run));
    }

    fn frames(&mut self, sender: Sender, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.frame(sender, number, FRAME * number as u32);
        }
    }

    fn finish(mut self, at: Duration) -> (Vec<i16>, Counters) {
        let sound = &mut self.sound;
        self.timeline.finish(at, &mut |run| keep(sound, run));
        assert_eq!(self.sound.len() as u64, self.timeline.position());
        assert_eq!(self.sound.len() % FRAME_SAMPLES, 0, "whole frames");
        (self.sound, self.timeline.counters())
    }
}

fn value(number: usize) -> i16 {
    (BASE + number % 20_000) as i16
}

fn keep(sound: &mut Vec<i16>, run: Run<'_>) {
    match run {
        Run::Sound(samples) => sound.extend_from_slice(samples),
        Run::Silence(count) => sound.resize(sound.len() + count as usize, 0),
    }
}

fn expected(numbers: impl IntoIterator<Item = usize>) -> Vec<i16> {
    numbers.into_iter().flat_map(|number| [value(number); FRAME_SAMPLES]).collect()
}

#[test]
fn frames_in_order_are_the_recording() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..50);
    let (sound, counters) = rig.finish(FRAME * 50);
    assert_eq!(sound, expected(0..50));
    assert_eq!(counters, Counters::default());
}

#[test]
fn the_first_frame_lies_where_it_arrived_and_the_end_follows_the_last() {
    let mut rig = Rig::default();
    rig.frame(SENDER, 0, Duration::from_millis(100));
    let (sound, counters) = rig.finish(Duration::from_millis(131));
    assert_eq!(sound.len(), 6 * FRAME_SAMPLES, "a packet that was still on its way is no silence");
    assert_eq!(sound[..800], [0; 800]);
    assert_eq!(sound[800..960], [value(0); 160]);
    assert_eq!(counters.gaps, 0);
}

#[test]
fn a_long_silence_at_the_end_is_kept() {
    let mut rig = Rig::default();
    rig.frame(SENDER, 0, Duration::ZERO);
    let (sound, _) = rig.finish(Duration::from_millis(131));
    assert_eq!(sound.len(), 7 * FRAME_SAMPLES);
    assert_eq!(sound[160..], [0; 960]);
}

#[test]
fn timestamp_and_sequence_wrap() {
    let mut rig = Rig::default();
    rig.frames(Sender { ssrc: 7, timestamp: u32::MAX - 500, sequence: u16::MAX - 2 }, 0..20);
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert_eq!((sound, counters), (expected(0..20), Counters::default()));
}

#[test]
fn reordering_within_the_window_is_undone() {
    let mut rig = Rig::default();
    let order = [0, 1, 3, 2, 4, 8, 5, 7, 6, 9, 10];
    for (turn, number) in order.into_iter().enumerate() {
        rig.frame(SENDER, number, FRAME * turn as u32);
    }
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert_eq!((sound, counters), (expected(0..11), Counters::default()));
}

#[test]
fn a_lost_frame_is_silence_of_its_length() {
    let mut rig = Rig::default();
    rig.frames(SENDER, (0..100).filter(|number| ![40, 60, 61].contains(number)));
    let (sound, counters) = rig.finish(Duration::ZERO);
    let mut wanted = expected(0..100);
    wanted[40 * 160..41 * 160].fill(0);
    wanted[60 * 160..62 * 160].fill(0);
    assert!(sound == wanted);
    assert_eq!((counters.lost_frames, counters.gaps), (3, 2));
}

#[test]
fn duplicates_and_what_comes_after_its_time_are_dropped() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..10);
    rig.frame(SENDER, 9, FRAME * 10);
    rig.frame(SENDER, 3, FRAME * 10);
    rig.frames(SENDER, (10..40).filter(|&number| number != 15));
    rig.frame(SENDER, 15, FRAME * 40);
    let (sound, counters) = rig.finish(Duration::ZERO);
    let mut wanted = expected(0..40);
    wanted[15 * 160..16 * 160].fill(0);
    assert!(sound == wanted);
    assert_eq!(counters.refused_frames, 3);
}

#[test]
fn a_new_source_is_placed_by_its_arrival() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..50);
    let other = Sender { ssrc: 8, timestamp: 999_999, sequence: 5 };
    for number in 0..10 {
        rig.frame(other, number, Duration::from_secs(3) + FRAME * number as u32);
    }
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert_eq!(sound.len(), 24_000 + 1_600);
    assert!(sound[8_000..24_000].iter().all(|&sample| sample == 0));
    assert!(sound[24_000..] == expected(0..10));
    assert_eq!(counters.lost_frames, 0, "numbers of another source are no loss");
}

#[test]
fn a_new_source_without_a_pause_joins_without_a_gap() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..50);
    let other = Sender { ssrc: 8, timestamp: 1, sequence: 5 };
    for number in 0..10 {
        rig.frame(other, number, Duration::from_millis(1_013) + FRAME * number as u32);
    }
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert!(sound == [expected(0..50), expected(0..10)].concat());
    assert_eq!(counters.gaps, 0);
}

#[test]
fn a_timestamp_that_nothing_explains_is_placed_by_its_arrival() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..50);
    let restarted = Sender { ssrc: 7, timestamp: 3_000_000_000, sequence: 40_000 };
    for number in 0..50 {
        rig.frame(restarted, number, Duration::from_secs(2) + FRAME * number as u32);
    }
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert!(sound[16_000..] == expected(0..50));
    assert_eq!((sound.len(), counters.reanchored), (24_000, 1));
}

#[test]
fn silence_suppression_keeps_its_length() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..50);
    // The sequence goes on, the timestamp jumps by the five seconds that passed.
    let later = Sender { timestamp: SENDER.timestamp + 40_000, ..SENDER };
    for number in 50..60 {
        rig.frame(later, number, Duration::from_secs(5) + FRAME * number as u32);
    }
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert!(sound[48_000..] == expected(50..60));
    assert_eq!((counters.lost_frames, counters.gaps, counters.reanchored), (0, 1, 0));
}

#[test]
fn a_sender_whose_clock_stood_still_is_placed_by_arrival() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..50);
    for number in 50..80 {
        rig.frame(SENDER, number, Duration::from_secs(10) + FRAME * number as u32);
    }
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert!(sound[..8_000] == expected(0..50));
    assert!(sound[88_000..] == expected(50..80));
    assert_eq!(counters.reanchored, 1);
}

#[test]
fn a_stalled_network_that_delivers_all_at_once_leaves_no_gap() {
    let mut rig = Rig::default();
    rig.frames(SENDER, 0..50);
    for number in 50..150 {
        rig.frame(SENDER, number, Duration::from_millis(3_000 + number as u64));
    }
    rig.frames(SENDER, 160..200);
    let (sound, counters) = rig.finish(Duration::ZERO);
    let mut wanted = expected(0..200);
    wanted[150 * 160..160 * 160].fill(0);
    assert!(sound == wanted);
    assert_eq!((counters.lost_frames, counters.reanchored), (10, 0));
}

#[test]
fn a_flood_cannot_outrun_the_clock() {
    let mut rig = Rig::default();
    for number in 0..10_000 {
        rig.frame(SENDER, number, Duration::from_millis(1));
    }
    let (sound, counters) = rig.finish(Duration::ZERO);
    assert!(sound.len() as i64 <= MAX_AHEAD + 2 * FRAME_SAMPLES as i64);
    assert!(counters.refused_frames > 9_000);
}

/// Half an hour with a sender whose crystal is off and a network that jitters: every frame stays within 20 ms of the
/// time it was sent, no silence is made up, and the length is right.
fn drift(ppm: f64, jitter_ms: u64) {
    let mut timeline = Timeline::new();
    let frames = 30 * 60 * 50;
    let (mut position, mut worst, mut random) = (0i64, 0.0f64, 1u64);
    for number in 0..frames {
        let sent = 0.020 * (1.0 + ppm / 1e6) * number as f64;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let late = (random >> 33) % (jitter_ms * 1_000 + 1);
        let at = Duration::from_secs_f64(sent) + Duration::from_micros(late);
        let samples: Vec<i16> = (0..160).map(|n| ((n * 997) % 4_001) as i16 - 2_000).collect();
        let arrival =
            Arrival { at, rtp_timestamp: (number * 160) as u32, sequence: number as u16, ssrc: 1, samples: &samples };
        timeline.frame(arrival, &mut |run| match run {
            Run::Sound(sound) => {
                let off = (position as f64 / 8_000.0 - sent).abs();
                // The first two windows learn the network's floor.
                if number > 1_000 {
                    worst = worst.max(off);
                }
                position += sound.len() as i64;
            }
            Run::Silence(count) => {
                assert_eq!(number, 0, "silence made up at frame {number}");
                position += count as i64;
            }
        });
    }
    let counters = timeline.counters();
    assert!(worst < 0.020, "{ppm} ppm: {:.1} ms off", worst * 1e3);
    assert_eq!((counters.gaps, counters.lost_frames, counters.refused_frames), (0, 0, 0));
    let corrected = counters.stretched as i64 - counters.shortened as i64;
    let owed = (ppm / 1e6 * 30.0 * 60.0 * 8_000.0) as i64;
    assert!((corrected - owed).abs() < 300, "corrected {corrected} of {owed} samples");
}

#[test]
fn slow_senders_stay_aligned() {
    drift(200.0, 15);
}

#[test]
fn fast_senders_stay_aligned() {
    drift(-200.0, 15);
}

#[test]
fn exact_senders_are_left_alone() {
    drift(0.0, 4);
}

#[derive(Debug, Clone)]
struct Any {
    advance_ms: u64,
    timestamp: u32,
    sequence: u16,
    ssrc: u32,
    len: usize,
}

fn any_frame() -> impl Strategy<Value = Any> {
    let near = (0u64..60, 0u32..40, 0u16..40, 0u32..2, 0usize..400);
    let wild = (0u64..5_000, any::<u32>(), any::<u16>(), 0u32..3, 0usize..961);
    prop_oneof![
        4 => near.prop_map(|(advance_ms, steps, sequence, ssrc, len)| Any {
            advance_ms, timestamp: steps * 160, sequence, ssrc, len
        }),
        1 => wild.prop_map(|(advance_ms, timestamp, sequence, ssrc, len)| Any { advance_ms, timestamp, sequence, ssrc, len }),
    ]
}

proptest! {
    /// Whatever arrives: the runs add up to the position, time bounds the length, the end is a whole frame.
    #[test]
    fn any_arrivals(frames in prop::collection::vec(any_frame(), 0..300)) {
        let mut timeline = Timeline::new();
        let mut emitted = 0u64;
        let mut now = Duration::ZERO;
        for frame in &frames {
            now += Duration::from_millis(frame.advance_ms);
            let samples = vec![5; frame.len];
            let arrival = Arrival {
                at: now,
                rtp_timestamp: frame.timestamp,
                sequence: frame.sequence,
                ssrc: frame.ssrc,
                samples: &samples,
            };
            timeline.frame(arrival, &mut |run| emitted += match run {
                Run::Sound(sound) => sound.len() as u64,
                Run::Silence(count) => count,
            });
            prop_assert_eq!(emitted, timeline.position());
            prop_assert!((emitted as i64) <= samples_in(now) + MAX_AHEAD + 2_000);
        }
        timeline.finish(now, &mut |run| emitted += match run {
            Run::Sound(sound) => sound.len() as u64,
            Run::Silence(count) => count,
        });
        prop_assert_eq!(emitted, timeline.position());
        prop_assert_eq!(emitted % 160, 0);
        prop_assert!(emitted as i64 >= samples_in(now) - 800);
    }
}
