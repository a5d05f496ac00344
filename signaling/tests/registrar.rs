//! Registration at Kamailio's registrar: digest with a nonce used on, 423, calls to the binding, farewell, refusal.

mod peer;

use std::time::Duration;

use peer::{
    OFFER, Rig, Sipp, config,
    kamailio::{Border, Kamailio, PASSWORD, REALM, USER},
};
use ringback_signaling::{EndedBy, SignalingEvent, Transport, TrunkConfig};

fn trunk(port: u16, password: &str, seconds: u64) -> TrunkConfig {
    TrunkConfig {
        username: Some(USER.into()),
        password: Some(password.into()),
        from_domain: Some(REALM.into()),
        register: Some(Duration::from_secs(seconds)),
        ..peer::trunk(Transport::Udp, port)
    }
}

#[tokio::test]
async fn calls_reach_us_by_our_registration_and_no_longer_after_the_farewell() {
    let kamailio = Kamailio::start(&Border { digest: true, to: 9, ..Border::default() });
    let mut rig = Rig::start(config(vec![trunk(kamailio.udp, PASSWORD, 600)])).await;
    assert_eq!(rig.signaling.trunk_states()[0].registered, Some(true));
    assert_eq!((kamailio.said("challenged:"), kamailio.said("registers:")), (1, 1));
    let sipp = Sipp::caller("call_us_by_proxy", Transport::Udp, ([127, 0, 0, 1], kamailio.udp).into());
    let SignalingEvent::Incoming { key, trunk, to_user, .. } = rig.next().await else { panic!("incoming") };
    assert_eq!(trunk.as_deref(), Some("trunk"));
    assert_eq!(to_user, "+19165550142", "the number called, not our account");
    rig.signaling.accept(key, OFFER.into());
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
    rig.signaling.shutdown().await;
    kamailio.says(";expires=0").await;
    assert_eq!(kamailio.said("challenged:"), 1, "the nonce was used on");
}

#[tokio::test]
async fn the_registrar_decides_how_long_and_the_nonce_is_counted_until_it_is_stale() {
    let border = Border { digest: true, expires: Some((4, 60)), nonce_seconds: 3, to: 9, ..Border::default() };
    let kamailio = Kamailio::start(&border);
    let mut rig = Rig::start(config(vec![trunk(kamailio.udp, PASSWORD, 1)])).await;
    kamailio.says("expires=4").await;
    kamailio.says("nc=00000002").await;
    let begun = tokio::time::Instant::now();
    // Renewed every two seconds; after three the nonce is stale.
    while kamailio.said("challenged:") < 2 || kamailio.said("registers:") < 4 {
        assert!(begun.elapsed() < Duration::from_secs(15), "{}", kamailio.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while let Ok(event) = rig.events.try_recv() {
        assert!(!matches!(event, SignalingEvent::Trunk(state) if !state.up), "registered all the while");
    }
}

#[tokio::test]
async fn a_refused_password_takes_the_trunk_down_and_is_not_hammered() {
    let kamailio = Kamailio::start(&Border { digest: true, to: 9, ..Border::default() });
    let refused = trunk(kamailio.udp, "wrong", 600);
    let (signaling, events) = ringback_signaling::Signaling::start(config(vec![refused])).await.expect("starts");
    let mut rig = Rig { signaling, events };
    let down = |event: &SignalingEvent| matches!(event, SignalingEvent::Trunk(state) if state.cause.as_ref().is_some_and(|cause| cause.contains("401")));
    rig.until("down by 401", down).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(kamailio.said("challenged:"), 2, "once without and once with an answer");
    assert_eq!(rig.signaling.trunk_states()[0].registered, Some(false));
}
