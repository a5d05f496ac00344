//! What the recorder's tests share: a caller that speaks a tone, and a recorder with short intervals.
#![allow(dead_code, unreachable_pub)] // Each test file is a crate that uses its own part.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use ringback_recorder::{
    Recorder, RecorderConfig, RecorderEvent, RecorderEvents, RecordingSpec, Summary,
    frame::{Codec, Frame, FrameSink},
};

/// µ-law bytes that decode to ±8,316: half a period of 20 samples each, a 200 Hz square wave.
pub fn square(number: usize) -> [u8; 160] {
    std::array::from_fn(|n| if ((number * 160 + n) / 20).is_multiple_of(2) { 0x9f } else { 0x1f })
}

/// Speaks into a sink, one frame every 20 ms of its own time.
pub struct Caller {
    pub sink: Box<dyn FrameSink>,
    pub started: Instant,
    pub next: usize,
}

impl Caller {
    pub fn new(sink: Box<dyn FrameSink>) -> Self {
        Self { sink, started: Instant::now(), next: 0 }
    }

    pub fn at(&self, number: usize) -> Instant {
        self.started + Duration::from_millis(20) * number as u32
    }

    pub fn say(&mut self, frames: usize) {
        for _ in 0..frames {
            self.say_bytes(&square(self.next));
        }
    }

    pub fn say_bytes(&mut self, payload: &[u8]) {
        let number = self.next;
        self.sink.frame(Frame {
            codec: Codec::Pcmu,
            rtp_timestamp: (number * 160) as u32,
            sequence: number as u16,
            ssrc: 1,
            arrived: self.at(number),
            payload,
        });
        self.next += 1;
    }

    /// Says so many frames without overtaking the writer's queue.
    pub fn say_slowly(&mut self, frames: usize) {
        for _ in 0..frames / 100 {
            self.say(100);
            std::thread::sleep(Duration::from_millis(15));
        }
        self.say(frames % 100);
    }

    pub fn mark(&mut self, name: &str, begin: bool) {
        let at = self.at(self.next);
        self.sink.mark(name, begin, at);
    }
}

pub fn config(dir: &Path) -> RecorderConfig {
    RecorderConfig {
        drain_every: Duration::from_millis(5),
        flush_every: Duration::from_millis(20),
        min_free_bytes: 0,
        reserve_bytes: 0,
        ..RecorderConfig::new(dir)
    }
}

pub fn spec(key: u128, name: &str) -> RecordingSpec {
    RecordingSpec { key, name: name.into(), subdir: "sacramento/2026".into(), offset: Duration::from_millis(1_500) }
}

/// The next end of a recording; disk events are passed over.
pub fn finished(events: &mut RecorderEvents) -> Summary {
    loop {
        match events.blocking_recv() {
            Some(RecorderEvent::Finished { summary, .. }) => return summary,
            Some(RecorderEvent::Failed { why, .. }) => panic!("failed: {why}"),
            Some(_) => {}
            None => panic!("the recorder is gone"),
        }
    }
}

/// Waits until a condition holds; panics after ten seconds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < patience, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn recorder(dir: &Path) -> (Recorder, RecorderEvents) {
    Recorder::start(config(dir)).expect("a recorder")
}

/// The decoded square wave of `frames` frames.
pub fn square_samples(frames: usize) -> Vec<i16> {
    (0..frames * 160).map(|n| if (n / 20).is_multiple_of(2) { SQUARE } else { -SQUARE }).collect()
}

/// The level of [`square`].
pub const SQUARE: i16 = 8_316;
