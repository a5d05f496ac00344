//! A WebRTC browser bridged to a carrier, and what protects its connection.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use ringback_media::testing::tone::level;
use ringback_media::testing::{BrowserPeer, Received};
use ringback_media::{Circle, Codec, DisconnectReason, LegKey, MediaError, MediaEvent};

use crate::rig::{LOCAL, Party, Peer, Rig, Tape};

#[test]
fn browser_and_carrier_hear_each_other() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    let tape = Tape::default();
    rig.media.record(LegKey(1), Box::new(tape.clone()));
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 50);
    assert!(agent.level(1000.0, 40) > 0.45 && agent.level(440.0, 40) < 0.02);
    assert!(customer.level(440.0, 40) > 0.45 && customer.level(1000.0, 40) < 0.02);
    agent.assert_continuous();
    customer.assert_continuous();
    assert_eq!(rig.count(|event| *event == MediaEvent::Connected { leg: LegKey(1) }), 1);
    rig.media.shutdown();
    let tape = tape.0.lock().unwrap();
    assert!(level(&tape.samples, 440.0) > 0.45 && level(&tape.samples, 1000.0) < 0.02);
}

#[test]
fn a_carrier_with_the_other_flavour_reaches_the_browser_untouched() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcma, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 30);
    assert!(agent.heard.iter().all(|packet| packet.payload_type == 8), "the browser decodes both flavours");
    assert!(customer.heard.iter().all(|packet| packet.payload_type == 8), "the carrier agreed on one");
    assert!(agent.level(1000.0, 20) > 0.45 && customer.level(440.0, 20) > 0.45);
}

#[test]
fn keys_pass_between_browser_and_carrier_with_each_sides_payload_type() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 5);
    for duration in [160u16, 320, 480] {
        agent.browser().send_event(Instant::now(), 9, duration, duration == 480, duration == 480);
    }
    rig.media.send_dtmf(LegKey(1), "3".into());
    rig.run(&mut [&mut agent, &mut customer], 20);
    assert_eq!(rig.count(|event| *event == MediaEvent::Dtmf { leg: LegKey(1), digit: '9' }), 1);
    let keys = |party: &Party, payload_type: u8, code: u8| {
        let key = |packet: &&Received| packet.payload_type == payload_type && packet.payload[0] == code;
        party.heard.iter().filter(key).count()
    };
    assert_eq!(keys(&customer, 101, 9), 3);
    assert_eq!(keys(&agent, 126, 3), 8);
}

/// A record-layer ClientHello as a stranger would send it to occupy the handshake.
const CLIENT_HELLO: [u8; 27] =
    [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0xfe, 0xfd];

#[test]
fn a_client_hello_without_a_passed_check_is_dropped_and_the_real_one_connects() {
    let mut rig = Rig::start(|_| {});
    let server = rig.media.browser_candidates()[0];
    let stranger = UdpSocket::bind((LOCAL, 0)).unwrap();
    stranger.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut peer, offer) = BrowserPeer::offer(Instant::now(), LOCAL).unwrap();
    let answer = rig.wait(rig.media.open_browser(LegKey(1), Circle(0), offer)).unwrap();
    for _ in 0..20 {
        stranger.send_to(&CLIENT_HELLO, server).unwrap();
    }
    assert!(stranger.recv(&mut [0; 2048]).is_err(), "no HelloVerifyRequest for a stranger");
    assert_eq!(rig.media.stats().dropped_by_guard, 20);
    peer.accept(Instant::now(), &answer).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while !peer.is_connected() {
        assert!(Instant::now() < until, "the real browser did not connect");
        stranger.send_to(&CLIENT_HELLO, server).unwrap();
        peer.drive(Instant::now());
        std::thread::sleep(Duration::from_millis(2));
    }
    rig.run(&mut [], 5);
    assert_eq!(rig.count(|event| *event == MediaEvent::Connected { leg: LegKey(1) }), 1);
}

#[test]
fn a_reloaded_page_takes_the_leg_over_with_its_bridge() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 10);
    let (mut peer, offer) = BrowserPeer::offer(Instant::now(), LOCAL).unwrap();
    let answer = rig.wait(rig.media.browser_restart(LegKey(1), offer)).unwrap();
    peer.accept(Instant::now(), &answer).unwrap();
    let mut reloaded = Party { peer: Peer::Browser(Box::new(peer)), ..agent };
    reloaded.heard.clear();
    rig.run(&mut [&mut reloaded, &mut customer], 60);
    assert!(reloaded.level(1000.0, 20) > 0.45 && customer.level(440.0, 20) > 0.45);
    customer.assert_continuous();
}

#[test]
fn an_ice_restart_keeps_the_connection() {
    let mut rig = Rig::start(|_| {});
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 10);
    let offer = agent.browser().restart(Instant::now()).unwrap();
    let answer = rig.wait(rig.media.browser_restart(LegKey(1), offer)).unwrap();
    agent.browser().accept(Instant::now(), &answer).unwrap();
    rig.run(&mut [&mut agent, &mut customer], 100);
    assert!(agent.level(1000.0, 20) > 0.45 && customer.level(440.0, 20) > 0.45);
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::Connected { .. })), 1, "no second DTLS");
}

#[test]
fn a_path_is_mended_for_the_same_connection_only_and_sound_that_was_missed_is_told_when_it_is_back() {
    let mut rig = Rig::start(|config| config.agent_silence_timeout = Duration::from_millis(300));
    let mut agent = rig.browser(1, 440.0);
    let mut customer = rig.carrier(2, Codec::Pcmu, 1000.0);
    rig.media.bridge(LegKey(1), LegKey(2));
    rig.run(&mut [&mut agent, &mut customer], 10);
    let heard = |event: &MediaEvent| *event == MediaEvent::Heard { leg: LegKey(1) };
    assert_eq!(rig.count(heard), 1);
    rig.run(&mut [&mut customer], 25);
    let missed = MediaEvent::Disconnected { leg: LegKey(1), why: DisconnectReason::NoAudio };
    assert_eq!(rig.count(|event| *event == missed), 1);
    let (_, offer) = BrowserPeer::offer(Instant::now(), LOCAL).unwrap();
    let other = rig.wait(rig.media.browser_mend(LegKey(1), offer));
    assert_eq!(other, Err(MediaError::UnknownLeg), "another connection does not take the leg over this way");
    let offer = agent.browser().restart(Instant::now()).unwrap();
    let answer = rig.wait(rig.media.browser_mend(LegKey(1), offer)).unwrap();
    agent.browser().accept(Instant::now(), &answer).unwrap();
    rig.run(&mut [&mut agent, &mut customer], 100);
    assert!(agent.level(1000.0, 20) > 0.45 && customer.level(440.0, 20) > 0.45);
    assert_eq!(rig.count(heard), 2);
    assert_eq!(rig.count(|event| matches!(event, MediaEvent::Connected { .. })), 1, "no second DTLS");
}

#[test]
fn a_closed_a_vanished_and_a_mute_browser_are_told_apart() {
    let mut rig = Rig::start(|config| {
        config.agent_silence_timeout = Duration::from_millis(500);
        config.limits.consent_timeout = Duration::from_millis(300);
    });
    let mut closed = rig.browser(1, 440.0);
    closed.browser().close();
    let _vanished = rig.browser(2, 440.0);
    rig.run(&mut [], 40);
    let gone = |leg: u128, why| move |event: &MediaEvent| *event == MediaEvent::Disconnected { leg: LegKey(leg), why };
    assert_eq!(rig.count(gone(1, DisconnectReason::Closed)), 1);
    assert_eq!(rig.count(gone(2, DisconnectReason::ConsentExpired)), 1);

    let mut rig = Rig::start(|config| config.agent_silence_timeout = Duration::from_millis(300));
    let mut mute = rig.browser(3, 440.0);
    for _ in 0..40 {
        mute.listen();
        rig.run(&mut [], 1);
    }
    assert_eq!(rig.count(gone(3, DisconnectReason::NoAudio)), 1);
}
