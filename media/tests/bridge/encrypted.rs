//! Carriers' legs with keys in the SDP: who encrypts when, and what is refused.

use ringback_media::{Codec, Encryption, LegKey, MediaError, MediaEvent, SdpError};

use crate::rig::{Rig, Tape};

const OFF: Encryption = Encryption::Off;
const OPTIONAL: Encryption = Encryption::Optional;
const REQUIRED: Encryption = Encryption::Required;

#[test]
fn an_encrypted_side_and_a_plain_one_hear_each_other() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.encrypted_carrier(1, REQUIRED, OPTIONAL, 440.0);
    let mut b = rig.carrier(2, Codec::Pcma, 1000.0);
    let mut c = rig.browser(3, 2000.0);
    assert!(a.carrier().is_encrypted());
    let tape = Tape::default();
    rig.media.record(LegKey(1), Box::new(tape.clone()));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(a.level(1000.0, 30) > 0.45 && b.level(440.0, 30) > 0.45);
    rig.media.bridge(LegKey(1), LegKey(3));
    rig.run(&mut [&mut a, &mut c], 40);
    assert!(a.level(2000.0, 30) > 0.45 && c.level(440.0, 30) > 0.45);
    a.assert_continuous();
    let stats = rig.wait(rig.media.leg_stats(LegKey(1))).unwrap();
    assert_eq!((stats.lost, stats.dropped_by_format, stats.dropped_by_source), (0, 0, 0));
    rig.media.shutdown();
    assert!(tape.0.lock().unwrap().samples.len() > 75 * 160);
}

#[test]
fn policies_meet_when_called() {
    for (ours, theirs, encrypted) in
        [(OFF, OPTIONAL, false), (OPTIONAL, OFF, false), (OPTIONAL, OPTIONAL, true), (REQUIRED, OPTIONAL, true)]
    {
        let mut rig = Rig::start(|_| {});
        let mut a = rig.encrypted_carrier(1, ours, theirs, 440.0);
        assert_eq!(a.carrier().is_encrypted(), encrypted, "{ours:?} {theirs:?}");
        rig.media.echo(LegKey(1), true);
        rig.run(&mut [&mut a], 25);
        assert!(a.level(440.0, 15) > 0.45, "{ours:?} {theirs:?}");
        rig.media.shutdown();
    }
}

#[test]
fn policies_meet_when_calling() {
    for (ours, theirs, encrypted) in [
        (OFF, OPTIONAL, false),
        (OPTIONAL, OFF, false),
        (OPTIONAL, OPTIONAL, true),
        (OPTIONAL, REQUIRED, true),
        (REQUIRED, OPTIONAL, true),
    ] {
        let mut rig = Rig::start(|_| {});
        let mut a = rig.encrypted_caller(1, ours, theirs, 440.0).unwrap();
        assert_eq!(a.carrier().is_encrypted(), encrypted, "{ours:?} {theirs:?}");
        rig.media.echo(LegKey(1), true);
        rig.run(&mut [&mut a], 25);
        assert!(a.level(440.0, 15) > 0.45, "{ours:?} {theirs:?}");
        rig.media.shutdown();
    }
    let rig = Rig::start(|_| {});
    let refused = |ours, theirs| rig.encrypted_caller(1, ours, theirs, 440.0).err();
    assert_eq!(refused(REQUIRED, OFF), Some(MediaError::Sdp(SdpError::Unencrypted)));
    assert_eq!(refused(OFF, REQUIRED), Some(MediaError::Sdp(SdpError::Profile)));
    assert_eq!(rig.media.stats().legs, 0);
}

#[test]
fn an_answer_without_keys_is_refused_when_they_are_required_and_nothing_plain_is_heard_or_sent() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.encrypted_carrier(1, REQUIRED, OFF, 440.0);
    rig.media.echo(LegKey(1), true);
    rig.run(&mut [&mut a], 20);
    assert!(a.heard.is_empty());
    let why = MediaError::Sdp(SdpError::Unencrypted);
    assert_eq!(rig.count(|event| *event == MediaEvent::Failed { leg: LegKey(1), why }), 1);
    let plain = a.carrier().description();
    assert_eq!(rig.wait(rig.media.take_answer(LegKey(1), plain)), Err(why), "whoever waits is told instead");
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::Failed { .. })), 1, "and nobody else");
    assert_eq!(rig.wait(rig.media.take_answer(LegKey(2), "v=0".into())), Err(MediaError::Sdp(SdpError::NoAudio)));
    assert_eq!(rig.media.stats().packets_in, 0);
}

#[test]
fn forged_and_plain_packets_are_dropped_on_an_encrypted_leg() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.encrypted_carrier(1, REQUIRED, OPTIONAL, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    let mut stranger = rig.intruder(&mut a, 2000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut stranger, &mut b], 5);
    assert!(b.level(2000.0, 5) < 0.02, "a stranger cannot latch: its packets do not decrypt");
    rig.run(&mut [&mut a, &mut b, &mut stranger], 30);
    assert!(b.level(440.0, 20) > 0.45 && b.level(2000.0, 20) < 0.02);
    assert!(a.level(1000.0, 20) > 0.45);
    let stats = rig.wait(rig.media.leg_stats(LegKey(1))).unwrap();
    assert_eq!(stats.dropped_by_format + stats.dropped_by_source, 35);
}

#[test]
fn a_reinvite_with_the_same_key_goes_on_and_one_without_is_refused() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.encrypted_carrier(1, OPTIONAL, OPTIONAL, 440.0);
    rig.media.echo(LegKey(1), true);
    rig.run(&mut [&mut a], 20);
    let description = a.carrier().description();
    let answer = rig.wait(rig.media.answer_rtp(LegKey(1), description.clone())).unwrap();
    assert!(answer.contains("a=crypto:"), "{answer}");
    rig.run(&mut [&mut a], 20);
    assert!(a.level(440.0, 15) > 0.45);
    a.assert_continuous();
    let plain: String =
        description.lines().filter(|line| !line.starts_with("a=crypto")).map(|line| format!("{line}\r\n")).collect();
    let refused = rig.wait(rig.media.answer_rtp(LegKey(1), plain));
    assert_eq!(refused, Err(MediaError::Sdp(SdpError::Unencrypted)));
    rig.run(&mut [&mut a], 20);
    assert!(a.level(440.0, 15) > 0.45, "the call goes on as it was");
}
