//! Carriers' legs: bridge, hold, prompt, echo, DTMF, silence, source filter.

use std::sync::Arc;

use ringback_media::testing::tone::{Tone, level};
use ringback_media::{Codec, LegKey, MediaEvent, Pcm8k};

use crate::rig::{Rig, Tape};

#[test]
fn two_carriers_hear_each_other_and_not_themselves() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcma, 1000.0);
    let tape = Tape::default();
    rig.media.record(LegKey(1), Box::new(tape.clone()));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 50);
    assert!(a.level(1000.0, 40) > 0.45 && a.level(440.0, 40) < 0.02, "{} {}", a.level(1000.0, 40), a.level(440.0, 40));
    assert!(b.level(440.0, 40) > 0.45 && b.level(1000.0, 40) < 0.02);
    a.assert_continuous();
    b.assert_continuous();
    rig.media.shutdown();
    let tape = tape.0.lock().unwrap();
    assert!(tape.finished);
    assert!(tape.samples.len() >= 49 * 160);
    assert!(level(&tape.samples, 440.0) > 0.45 && level(&tape.samples, 1000.0) < 0.02, "own voice only");
}

#[test]
fn hold_with_music_and_back_is_one_stream() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 25);
    rig.media.unbridge(LegKey(1), LegKey(2));
    rig.media.play(LegKey(1), Arc::new(Pcm8k(Tone::new(2000.0, 0.4).samples(8000))), true, 7);
    rig.run(&mut [&mut a, &mut b], 50);
    assert!(a.level(2000.0, 30) > 0.35 && a.level(1000.0, 30) < 0.02);
    assert!(b.level(440.0, 30) < 0.02, "the held side is not heard");
    rig.media.stop_play(LegKey(1));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(a.level(1000.0, 30) > 0.45 && a.level(2000.0, 30) < 0.02);
    assert!(b.level(440.0, 30) > 0.45);
    a.assert_continuous();
    b.assert_continuous();
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::PromptFinished { .. })), 0);
}

#[test]
fn a_prompt_finishes_once_and_replaces_the_bridge() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcma, 440.0);
    let mut b = rig.carrier(2, Codec::Pcma, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.media.play(LegKey(1), Arc::new(Pcm8k(Tone::new(2000.0, 0.4).samples(4000))), false, 42);
    rig.run(&mut [&mut a, &mut b], 20);
    assert!(a.level(2000.0, 15) > 0.35 && a.level(1000.0, 15) < 0.02);
    rig.run(&mut [&mut a, &mut b], 30);
    assert!(a.level(1000.0, 15) > 0.45);
    a.assert_continuous();
    let finished = |event: &MediaEvent| *event == MediaEvent::PromptFinished { leg: LegKey(1), token: 42 };
    assert_eq!(rig.count(finished), 1);
}

#[test]
fn echo_and_mute() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    rig.media.echo(LegKey(1), true);
    rig.run(&mut [&mut a], 25);
    assert!(a.level(440.0, 15) > 0.45);
    rig.media.mute(LegKey(1), true);
    rig.run(&mut [&mut a], 25);
    assert!(a.level(440.0, 15) < 0.01);
    a.assert_continuous();
}
