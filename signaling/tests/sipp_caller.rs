//! Calls coming in from sipp.

mod peer;

use peer::{OFFER, Rig, Sipp, config};
use ringback_signaling::{CallKey, EndedBy, SignalingEvent, Transport};

async fn incoming(rig: &mut Rig) -> CallKey {
    match rig.until("incoming", |event| matches!(event, SignalingEvent::Incoming { .. })).await {
        SignalingEvent::Incoming { key, to_user, .. } => {
            assert_eq!(to_user, "+19165550142");
            key
        }
        other => panic!("{other:?}"),
    }
}

async fn rig_and_caller(scenario: &str, transport: Transport) -> (Rig, Sipp) {
    let rig = Rig::start(config(Vec::new())).await;
    let target = match transport {
        Transport::Udp => rig.signaling.udp_addr(),
        Transport::Tcp | Transport::Tls => rig.signaling.tcp_addr(),
    };
    let sipp = Sipp::caller(scenario, transport, target.expect("bound"));
    (rig, sipp)
}

#[tokio::test]
async fn a_call_is_answered_and_they_hang_up() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut rig, sipp) = rig_and_caller("call_us", transport).await;
        let SignalingEvent::Incoming { key, from_user, from_display, sdp, headers, .. } = rig.next().await else {
            panic!("incoming")
        };
        assert_eq!((from_user.as_str(), from_display.as_deref()), ("+19165550123", Some("A \"caller\"")));
        assert!(sdp.is_some_and(|sdp| sdp.contains("m=audio 40000")));
        assert!(headers.iter().any(|(name, _)| name == "Max-Forwards"));
        rig.signaling.ring(key, 180, None);
        rig.signaling.accept(key, OFFER.into());
        assert!(rig.answered().await.contains("m=audio 40000"));
        assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
        sipp.passed().await;
    }
}

#[tokio::test]
async fn we_hang_up() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut rig, sipp) = rig_and_caller("call_us_and_wait", transport).await;
        let key = incoming(&mut rig).await;
        rig.signaling.ring(key, 180, None);
        rig.signaling.accept(key, OFFER.into());
        rig.answered().await;
        rig.signaling.hang_up(key);
        assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
        sipp.passed().await;
    }
}

#[tokio::test]
async fn the_answer_may_come_in_ack() {
    let (mut rig, sipp) = rig_and_caller("call_us_without_sdp", Transport::Udp).await;
    let SignalingEvent::Incoming { key, sdp, .. } = rig.next().await else { panic!("incoming") };
    assert_eq!(sdp, None);
    rig.signaling.ring(key, 180, None);
    rig.signaling.accept(key, OFFER.into());
    assert!(rig.answered().await.contains("m=audio 40000"));
    rig.over().await;
    sipp.passed().await;
}

#[tokio::test]
async fn the_caller_gives_up() {
    let (mut rig, sipp) = rig_and_caller("call_us_and_cancel", Transport::Udp).await;
    let key = incoming(&mut rig).await;
    rig.signaling.ring(key, 180, None);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
}

#[tokio::test]
async fn we_refuse() {
    let (mut rig, sipp) = rig_and_caller("call_us_refused", Transport::Udp).await;
    let key = incoming(&mut rig).await;
    rig.signaling.reject(key, 486);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
    sipp.passed().await;
}

#[tokio::test]
async fn requests_outside_calls() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (_rig, sipp) = rig_and_caller("odd_requests", transport).await;
        sipp.passed().await;
    }
}
