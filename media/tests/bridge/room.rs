//! Mixed mode: who hears whom, and that each is recorded alone.

use std::sync::Arc;

use ringback_media::testing::tone::{Tone, level};
use ringback_media::{Codec, LegKey, MediaError, MediaEvent, Pcm8k, RoomKey, Voice};

use crate::rig::{Rig, Tape};

const ROOM: RoomKey = RoomKey(1);
/// Of a tone of 0.5: a voice that is there, and one that is not.
const AUDIBLE: f64 = 0.35;
const SILENT: f64 = 0.05;

#[test]
fn three_hear_the_others_and_not_themselves_and_are_recorded_alone() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    let mut third = rig.carrier(3, Codec::Pcma, 2000.0);
    let tapes = [1, 2, 3].map(|key| {
        let tape = Tape::default();
        rig.media.record(LegKey(key), Box::new(tape.clone()));
        tape
    });
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer, &mut third], 20);
    for key in 1..=3 {
        rig.media.join(ROOM, LegKey(key), Voice::Everyone);
    }
    rig.run(&mut [&mut agent, &mut customer, &mut third], 60);
    for (party, own, others) in
        [(&agent, 440.0, [1000.0, 2000.0]), (&customer, 1000.0, [440.0, 2000.0]), (&third, 2000.0, [440.0, 1000.0])]
    {
        for tone in others {
            assert!(party.mixed_level(tone, 30) > AUDIBLE, "{own} hears {tone}: {}", party.mixed_level(tone, 30));
        }
        assert!(party.mixed_level(own, 30) < SILENT, "{own} hears itself: {}", party.mixed_level(own, 30));
        party.assert_continuous();
    }
    // The third one goes; the two go on in a bridge.
    rig.media.leave(LegKey(3));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer, &mut third], 40);
    assert!(customer.mixed_level(440.0, 25) > 0.45 && customer.mixed_level(2000.0, 25) < SILENT);
    assert!(agent.mixed_level(1000.0, 25) > 0.45 && agent.mixed_level(2000.0, 25) < SILENT);
    assert!(third.mixed_level(440.0, 25) < SILENT && third.mixed_level(1000.0, 25) < SILENT);
    for party in [&agent, &customer, &third] {
        party.assert_continuous();
    }
    assert!(rig.media.stats().mixed_frames > 3 * 50);
    rig.media.shutdown();
    for (tape, own) in tapes.iter().zip([440.0, 1000.0, 2000.0]) {
        let tape = tape.0.lock().unwrap();
        assert!(tape.samples.len() >= 118 * 160);
        for tone in [440.0, 1000.0, 2000.0] {
            let heard = level(&tape.samples, tone);
            assert!(if tone == own { heard > 0.45 } else { heard < 0.02 }, "{own}: {tone} at {heard}");
        }
    }
}

#[test]
fn one_listens_one_whispers_and_then_barges_in() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    let mut supervisor = rig.browser(3, 2000.0);
    rig.media.join(ROOM, LegKey(1), Voice::Everyone);
    rig.media.join(ROOM, LegKey(2), Voice::Everyone);
    for (voice, at_agent, at_customer) in
        [(Voice::Nobody, false, false), (Voice::Only(LegKey(1)), true, false), (Voice::Everyone, true, true)]
    {
        rig.media.join(ROOM, LegKey(3), voice);
        rig.run(&mut [&mut agent, &mut customer, &mut supervisor], 45);
        assert!(
            supervisor.mixed_level(440.0, 25) > AUDIBLE && supervisor.mixed_level(1000.0, 25) > AUDIBLE,
            "{voice:?}"
        );
        for (party, hears) in [(&agent, at_agent), (&customer, at_customer)] {
            let heard = party.mixed_level(2000.0, 25);
            assert!(if hears { heard > AUDIBLE } else { heard < SILENT }, "{voice:?}: {heard}");
        }
    }
    rig.media.close(LegKey(3));
    rig.run(&mut [&mut agent, &mut customer], 30);
    assert!(customer.mixed_level(440.0, 20) > AUDIBLE && customer.mixed_level(2000.0, 20) < SILENT);
}

#[test]
fn mute_prompt_and_keys_work_in_a_room() {
    let mut rig = Rig::start(|_| {});
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    for key in 1..=2 {
        rig.media.join(ROOM, LegKey(key), Voice::Everyone);
    }
    rig.media.mute(LegKey(1), true);
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(b.mixed_level(440.0, 25) < SILENT && a.mixed_level(1000.0, 25) > AUDIBLE);
    rig.media.mute(LegKey(1), false);
    rig.media.play(LegKey(2), Arc::new(Pcm8k(Tone::new(2000.0, 0.4).samples(4800))), false, 5);
    rig.run(&mut [&mut a, &mut b], 25);
    assert!(b.mixed_level(2000.0, 15) > 0.3 && b.mixed_level(440.0, 15) < SILENT, "a prompt replaces the mix");
    a.carrier().send_event(5, 160, false, false).unwrap();
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(b.mixed_level(440.0, 20) > AUDIBLE && b.mixed_level(2000.0, 20) < SILENT);
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::Dtmf { leg: LegKey(1), digit: '5' })), 1);
    b.assert_continuous();
}

#[test]
fn a_silent_member_leaves_the_others_undisturbed_and_rooms_are_bounded() {
    let mut rig = Rig::start(|config| config.limits.room_legs = 3);
    let mut a = rig.carrier(1, Codec::Pcmu, 440.0);
    let mut b = rig.carrier(2, Codec::Pcmu, 1000.0);
    let _mute = rig.carrier(3, Codec::Pcmu, 2000.0);
    let _late = rig.carrier(4, Codec::Pcmu, 2000.0);
    for key in 1..=4 {
        rig.media.join(ROOM, LegKey(key), Voice::Everyone);
    }
    rig.run(&mut [&mut a, &mut b], 40);
    assert!(a.mixed_level(1000.0, 25) > AUDIBLE && b.mixed_level(440.0, 25) > AUDIBLE);
    let why = MediaError::Exhausted;
    assert_eq!(rig.count(|event| *event == MediaEvent::Failed { leg: LegKey(4), why }), 1);
}

#[test]
fn carriers_of_other_threads_come_to_the_room() {
    let mut rig = Rig::start(|config| config.threads = 2);
    let mut agent = rig.browser(1, 440.0);
    let mut parties = [rig.carrier(2, Codec::Pcmu, 1000.0), rig.carrier(3, Codec::Pcmu, 2000.0)];
    for key in 1..=3 {
        rig.media.join(ROOM, LegKey(key), Voice::Everyone);
    }
    let [x, y] = &mut parties;
    rig.run(&mut [&mut agent, x, y], 50);
    assert!(agent.mixed_level(1000.0, 25) > AUDIBLE && agent.mixed_level(2000.0, 25) > AUDIBLE);
    assert!(
        x.mixed_level(440.0, 25) > AUDIBLE && x.mixed_level(2000.0, 25) > AUDIBLE && x.mixed_level(1000.0, 25) < SILENT
    );
}
