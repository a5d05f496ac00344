//! Carriers' legs: bridge, hold, prompt, echo, DTMF, silence, source filter.

use std::sync::Arc;
use std::time::Duration;

use ringback_media::testing::tone::{Tone, level};
use ringback_media::{Circle, Codec, LegKey, MediaError, MediaEvent, Pcm8k, RoomKey, SdpError, Voice};

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

#[test]
fn keys_are_reported_once_stay_out_of_the_recording_and_cross_the_bridge() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    let tape = Tape::default();
    rig.media.record(LegKey(1), Box::new(tape.clone()));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 10);
    for packet in 1..=8u16 {
        let (duration, end) = (160 * packet.min(6), packet >= 6);
        a.carrier().send_event(5, duration, end, packet == 8).unwrap();
        rig.run(&mut [&mut b], 1);
    }
    rig.run(&mut [&mut a, &mut b], 10);
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::Dtmf { leg: LegKey(1), digit: '5' })), 1);
    let keys: Vec<_> = b.heard.iter().filter(|packet| packet.payload_type == 101).collect();
    assert_eq!(keys.len(), 8);
    assert!(keys.iter().all(|packet| packet.payload[0] == 5 && packet.timestamp == keys[0].timestamp));
    for pair in b.heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
    }
    rig.media.shutdown();
    let tape = tape.0.lock().unwrap();
    assert!((19 * 160..=20 * 160).contains(&tape.samples.len()), "only audio packets: {}", tape.samples.len());
}

#[test]
fn sent_keys_are_proper_events_and_sound_comes_back_after_them() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 10);
    rig.media.send_dtmf(LegKey(2), "7#".into());
    rig.run(&mut [&mut a, &mut b], 40);
    let keys: Vec<_> = b.heard.iter().filter(|packet| packet.payload_type == 101).collect();
    assert_eq!(keys.len(), 16);
    assert_eq!(keys.iter().map(|packet| packet.payload[0]).collect::<Vec<_>>(), [[7; 8], [11; 8]].concat());
    assert_eq!(keys.iter().filter(|packet| packet.payload[1] & 0x80 != 0).count(), 6, "three end packets each");
    assert_eq!(keys.iter().filter(|packet| packet.marker).count(), 2);
    for pair in b.heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
    }
    assert!(b.level(440.0, 8) > 0.45, "the bridge is heard again");
}

#[test]
fn silence_is_reported_once_and_sound_again() {
    let mut rig = Rig::start(|config| config.silence_timeout = Duration::from_millis(300));
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    rig.run(&mut [&mut a], 5);
    std::thread::sleep(Duration::from_millis(900));
    assert_eq!(rig.count(|event| *event == MediaEvent::Silent { leg: LegKey(1) }), 1);
    rig.run(&mut [&mut a], 5);
    assert_eq!(rig.count(|event| *event == MediaEvent::Heard { leg: LegKey(1) }), 2);
    a.listen();
    assert!(a.heard.len() > 40, "silence frames keep the far side alive: {}", a.heard.len());
    assert!(a.level(440.0, 40) < 0.01);
}

#[test]
fn a_stranger_is_neither_heard_nor_answered() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    let mut stranger = rig.intruder(&mut a, 2000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 5);
    rig.run(&mut [&mut a, &mut b, &mut stranger], 40);
    assert!(b.level(440.0, 30) > 0.45 && b.level(2000.0, 30) < 0.02);
    assert!(stranger.heard.is_empty());
    let stats = rig.wait(rig.media.leg_stats(LegKey(1))).unwrap();
    assert_eq!(stats.dropped_by_source, 40);
    assert_eq!(rig.media.stats().dropped_by_source, 40);
}

#[test]
fn a_reinvite_holds_and_resumes() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    rig.run(&mut [&mut a], 10);
    assert!(!a.heard.is_empty(), "comfort frames");
    let description = a.carrier().description();
    let answer = rig.wait(rig.media.answer_rtp(LegKey(1), description.replace("sendrecv", "inactive"))).unwrap();
    assert!(answer.contains("a=inactive"), "{answer}");
    a.listen();
    a.heard.clear();
    rig.run(&mut [&mut a], 15);
    assert!(a.heard.is_empty(), "nothing is sent to a side that holds us");
    let answer = rig.wait(rig.media.answer_rtp(LegKey(1), description)).unwrap();
    assert!(answer.contains("a=sendrecv"), "{answer}");
    rig.run(&mut [&mut a], 15);
    assert!(a.heard.len() > 10);
}

#[test]
fn errors_are_told_apart() {
    let mut rig = Rig::start(|config| config.rtp_ports = 29_990..=29_991);
    let _a = rig.carrier(1, Codec::Pcmu, 440.0);
    assert_eq!(rig.wait(rig.media.open_rtp(LegKey(1))), Err(MediaError::Exists));
    assert_eq!(rig.wait(rig.media.open_rtp(LegKey(2))), Err(MediaError::Exhausted));
    assert_eq!(rig.wait(rig.media.open_browser(LegKey(3), Circle(0), "v=0".into())), Err(MediaError::Offer));
    assert_eq!(rig.wait(rig.media.browser_restart(LegKey(3), "v=0".into())), Err(MediaError::UnknownLeg));
    rig.media.apply_answer(LegKey(1), "v=0".into());
    let why = MediaError::Sdp(SdpError::NoAudio);
    assert_eq!(rig.count(|event| *event == MediaEvent::Failed { leg: LegKey(1), why }), 1);
    rig.media.close(LegKey(1));
    assert_eq!(rig.wait(rig.media.leg_stats(LegKey(1))), None);
    std::thread::sleep(Duration::from_millis(50));
    assert!(rig.wait(rig.media.open_rtp(LegKey(2))).is_ok(), "the ports came back");
    assert_eq!(rig.media.stats().legs, 1);
}

#[test]
fn legs_of_different_threads_come_together() {
    let mut rig = Rig::start(|config| config.threads = 3);
    let mut agents = [1, 2, 3].map(|key| rig.browser_of(key, Circle(key as u64), 440.0));
    let mut customers = [rig.carrier(13, Codec::Pcmu, 1000.0), rig.carrier(12, Codec::Pcmu, 1000.0)];
    let tape = Tape::default();
    rig.media.record(LegKey(12), Box::new(tape.clone()));
    for agent in 1..=3 {
        rig.media.bridge(LegKey(agent), LegKey(12));
        rig.media.bridge(LegKey(agent), LegKey(13));
    }
    rig.media.bridge(LegKey(1), LegKey(12));
    rig.media.bridge(LegKey(2), LegKey(13));
    let [a, b, c] = &mut agents;
    let [x, y] = &mut customers;
    rig.run(&mut [a, b, c, x, y], 40);
    for party in [&*x, &*y] {
        assert!(party.level(440.0, 20) > 0.45);
        party.assert_continuous();
    }
    assert!(a.level(1000.0, 20) > 0.45 && b.level(1000.0, 20) > 0.45);
    assert!(c.heard.is_empty() || c.level(1000.0, 5) < 0.02 || c.heard.len() < 5);
    rig.media.bridge(LegKey(1), LegKey(2));
    let why = MediaError::Unavailable;
    assert_eq!(rig.count(|event| *event == MediaEvent::Failed { leg: LegKey(1), why }), 1);
    rig.media.shutdown();
    assert!(tape.0.lock().unwrap().samples.len() > 35 * 160);
}

#[test]
fn agents_of_one_circle_are_joined_however_many_threads_there_are() {
    let mut rig = Rig::start(|config| config.threads = 3);
    let mut stranger = rig.browser_of(9, Circle(9), 2000.0);
    let mut agents = [rig.browser_of(1, Circle(1), 440.0), rig.browser_of(2, Circle(1), 1000.0)];
    let mut customer = rig.carrier(12, Codec::Pcmu, 700.0);
    let [a, b] = &mut agents;
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [a, b, &mut customer, &mut stranger], 40);
    assert!(a.level(1000.0, 20) > 0.45 && b.level(440.0, 20) > 0.45, "one asks the other");
    for key in [1, 2, 12] {
        rig.media.join(RoomKey(1), LegKey(key), Voice::Everyone);
    }
    rig.run(&mut [a, b, &mut customer, &mut stranger], 60);
    assert!(customer.mixed_level(440.0, 30) > 0.35 && customer.mixed_level(1000.0, 30) > 0.35, "all three together");
    assert!(a.mixed_level(700.0, 30) > 0.35 && b.mixed_level(700.0, 30) > 0.35);
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::Failed { .. })), 0);
}

#[test]
fn a_stalled_source_is_replaced_by_silence_at_full_rate() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 10);
    a.heard.clear();
    std::thread::sleep(Duration::from_secs(1));
    a.listen();
    assert!((35..=42).contains(&a.heard.len()), "{} packets in a second", a.heard.len());
    rig.run(&mut [&mut a, &mut b], 20);
    assert!(a.level(1000.0, 15) > 0.45);
    a.assert_continuous();
}

#[test]
fn figures_of_a_leg_tell_loss_jitter_round_trip_and_how_it_sounds() {
    let mut rig = Rig::start(|config| config.limits.rtcp_interval = Duration::from_millis(200));
    // Two legs of ours that talk to each other: each reports about the other.
    let offer = rig.wait(rig.media.open_rtp(LegKey(1))).unwrap();
    let answer = rig.wait(rig.media.answer_rtp(LegKey(2), offer)).unwrap();
    rig.media.apply_answer(LegKey(1), answer);
    let mut a = rig.carrier(3, Codec::Pcmu, 440.0);
    rig.media.bridge(LegKey(3), LegKey(1));
    for beat in 0..100 {
        // One packet in ten is lost before it reaches us.
        if beat % 10 == 9 {
            a.skip();
        }
        rig.run(&mut [&mut a], 1);
    }
    let stats = rig.wait(rig.media.leg_stats(LegKey(3))).unwrap();
    assert!((9..=11).contains(&stats.lost), "{stats:?}");
    assert!(stats.mos.is_some_and(|mos| (2.9..3.8).contains(&mos)), "{stats:?}");
    assert_eq!((stats.round_trip_ms, stats.remote_mos), (None, None), "this peer sends no reports");
    let stats = rig.wait(rig.media.leg_stats(LegKey(1))).unwrap();
    assert!(stats.round_trip_ms.is_some_and(|trip| (0.0..100.0).contains(&trip)), "{stats:?}");
    assert!(stats.remote_lost >= 5 && stats.remote_mos.is_some_and(|mos| mos < 4.0), "{stats:?}");
    rig.media.close(LegKey(3));
    std::thread::sleep(Duration::from_millis(50));
    let ended = |event: &MediaEvent| matches!(event, MediaEvent::Ended { leg: LegKey(3), stats } if stats.lost >= 9 && stats.mos.is_some());
    assert_eq!(rig.count(ended), 1);
}
