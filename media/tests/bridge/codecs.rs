//! Legs that speak different codecs: what they share passes untouched, what they do not share is turned, and counted.

use std::sync::Arc;

use ringback_media::testing::tone::{Tone, level};
use ringback_media::{Codec, Codecs, LegKey, MediaError, MediaEvent, Pcm8k, RoomKey, RtpTerms, SdpError, Voice};

use crate::rig::{LOCAL, Rig, Tape};

/// Of a tone of 0.5 through a codec, and what is left of another one.
const AUDIBLE: f64 = 0.4;
const SILENT: f64 = 0.02;

#[test]
fn two_carriers_with_g722_share_it() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::G722, 440.0);
    let mut b = rig.carrier(2, Codec::G722, 1000.0);
    let tape = Tape::default();
    rig.media.record(LegKey(1), Box::new(tape.clone()));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 100);
    assert!(a.heard.iter().all(|packet| packet.payload_type == 9));
    assert!(a.level(1000.0, 40) > AUDIBLE && a.level(440.0, 40) < SILENT, "{}", a.level(1000.0, 40));
    assert!(b.level(440.0, 40) > AUDIBLE && b.level(1000.0, 40) < SILENT, "{}", b.level(440.0, 40));
    a.assert_continuous();
    let stats = rig.media.stats();
    assert_eq!((stats.transcoded_frames, stats.transcoded_calls), (0, 0));
    rig.media.shutdown();
    let tape = tape.0.lock().unwrap();
    assert!(level(&tape.samples, 440.0) > AUDIBLE && level(&tape.samples, 1000.0) < SILENT, "recorded at its pitch");
}

#[test]
fn two_carriers_with_opus_share_it_and_are_recorded_at_their_pitch() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Opus, 440.0);
    let mut b = rig.carrier(2, Codec::Opus, 1000.0);
    let tape = Tape::default();
    rig.media.record(LegKey(1), Box::new(tape.clone()));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 100);
    assert!(a.heard.iter().all(|packet| packet.payload_type == 111));
    assert!(a.level(1000.0, 40) > AUDIBLE && a.level(440.0, 40) < SILENT, "{}", a.level(1000.0, 40));
    assert!(b.level(440.0, 40) > AUDIBLE && b.level(1000.0, 40) < SILENT, "{}", b.level(440.0, 40));
    for pair in a.heard[10..].windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), 960, "by its own clock");
    }
    rig.media.mute(LegKey(1), true);
    b.heard.clear();
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(b.heard.len() > 30 && b.level(440.0, 20) < SILENT, "muted");
    let stats = rig.media.stats();
    assert_eq!((stats.transcoded_frames, stats.transcoded_calls), (0, 0));
    rig.media.shutdown();
    let tape = tape.0.lock().unwrap();
    let spoken = &tape.samples[..98 * 160];
    assert!(level(spoken, 440.0) > AUDIBLE && level(spoken, 1000.0) < SILENT, "{}", level(spoken, 440.0));
    assert!((tape.samples.len() as i64 - 138 * 160).abs() < 480, "as long as it took: {}", tape.samples.len());
}

#[test]
fn opus_and_g711_understand_each_other_by_conversion() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Opus, 440.0);
    let mut b = rig.carrier(2, Codec::Pcma, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 100);
    assert!(a.heard.iter().all(|packet| packet.payload_type == 111));
    assert!(a.level(1000.0, 40) > AUDIBLE && b.level(440.0, 40) > AUDIBLE);
    b.assert_continuous();
    assert_eq!(rig.media.stats().transcoded_calls, 1);
    rig.media.play(LegKey(1), Arc::new(Pcm8k(Tone::new(2000.0, 0.5).samples(8000))), true, 7);
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(a.level(2000.0, 25) > AUDIBLE, "a prompt: {}", a.level(2000.0, 25));
    rig.media.stop_play(LegKey(1));
    for key in [1, 2] {
        rig.media.join(RoomKey(1), LegKey(key), Voice::Everyone);
    }
    rig.run(&mut [&mut a, &mut b], 60);
    assert!(a.mixed_level(1000.0, 30) > 0.35 && b.mixed_level(440.0, 30) > 0.35);
    for pair in a.heard[10..].windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "one stream all the time");
    }
}

#[test]
fn what_is_not_shared_is_turned_and_counted_as_one_call() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::G722, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 40);
    let early = rig.media.stats();
    assert!(early.transcoded_frames > 60 && early.transcoded_calls == 0, "not clear yet: {early:?}");
    rig.run(&mut [&mut a, &mut b], 60);
    assert!(
        a.heard.iter().all(|packet| packet.payload_type == 9) && b.heard.iter().all(|packet| packet.payload_type == 0)
    );
    assert!(a.level(1000.0, 40) > AUDIBLE && b.level(440.0, 40) > AUDIBLE);
    a.assert_continuous();
    b.assert_continuous();
    assert_eq!(rig.media.stats().transcoded_calls, 1);
    // Another bridge of one of them is another call.
    let mut c = rig.carrier(3, Codec::Pcma, 2000.0);
    rig.media.bridge(LegKey(1), LegKey(3));
    rig.run(&mut [&mut a, &mut c], 100);
    assert!(a.level(2000.0, 40) > AUDIBLE && c.level(440.0, 40) > AUDIBLE);
    assert_eq!(rig.media.stats().transcoded_calls, 2);
}

#[test]
fn prompts_silence_and_mixes_reach_a_leg_of_g722() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::G722, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.play(LegKey(1), Arc::new(Pcm8k(Tone::new(2000.0, 0.5).samples(8000))), true, 7);
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(a.level(2000.0, 25) > AUDIBLE, "{}", a.level(2000.0, 25));
    rig.media.stop_play(LegKey(1));
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(a.level(2000.0, 15) < SILENT && a.heard.len() > 60, "silence is sent, and is silent");
    for key in [1, 2] {
        rig.media.join(RoomKey(1), LegKey(key), Voice::Everyone);
    }
    rig.run(&mut [&mut a, &mut b], 60);
    assert!(a.mixed_level(1000.0, 30) > 0.35 && b.mixed_level(440.0, 30) > 0.35);
    assert_eq!(rig.media.stats().transcoded_calls, 0, "a mix is no forced codec");
}

#[test]
fn a_browser_is_asked_to_speak_what_the_carrier_speaks() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::G722, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 30);
    assert_eq!(rig.count(|event| *event == MediaEvent::Suggested { leg: LegKey(1), codec: Codec::G722 }), 1);
    assert!(agent.heard.iter().all(|packet| packet.payload_type == 9), "it is sent what it listed, untouched");
    assert!(agent.level(1000.0, 20) > AUDIBLE && customer.level(440.0, 20) > AUDIBLE);
    let mut other = rig.carrier(3, Codec::Pcmu, 2000.0);
    rig.media.bridge(LegKey(1), LegKey(3));
    rig.run(&mut [&mut agent, &mut other], 20);
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::Suggested { .. })), 1, "this one it speaks already");
}

#[test]
fn what_a_trunk_was_not_offered_is_refused_in_answers_and_offers() {
    let rig = Rig::start(|_| {});
    let terms = RtpTerms { codecs: Codecs::new(&[Codec::Pcmu]).unwrap(), ..RtpTerms::default() };
    let offer = rig.wait(rig.media.open_rtp_on(LegKey(1), terms)).unwrap();
    assert!(offer.contains("RTP/AVP 0 101\r\n"), "{offer}");
    let mut peer = ringback_media::testing::RtpPeer::bind(LOCAL, Codec::G722).unwrap();
    let answer = peer.answer(&offer);
    assert_eq!(rig.wait(rig.media.take_answer(LegKey(1), answer)), Err(MediaError::Sdp(SdpError::NotOffered)));
    let offered = rig.wait(rig.media.answer_rtp_on(LegKey(2), peer.description(), terms));
    assert_eq!(offered, Err(MediaError::Sdp(SdpError::NotOffered)));
}
