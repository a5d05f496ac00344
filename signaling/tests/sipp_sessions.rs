//! Session timers (RFC 4028), reliable ringing (RFC 3262), requests too large for a datagram and answers without Contact, with sipp as
//! the far side.

mod peer;

use std::time::Duration;

use peer::{OFFER, Rig, Sipp, config, trunk};
use ringback_signaling::{EndedBy, SignalingEvent, Transport, TrunkConfig};

const RING: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_422_is_met_with_the_interval_it_names_and_they_refresh() {
    let sipp = Sipp::called("wants_longer_sessions", Transport::Udp, &[]);
    let hasty = TrunkConfig { session_expires: Some(Duration::from_secs(90)), ..trunk(Transport::Udp, sipp.port) };
    let mut rig = Rig::start(config(vec![hasty])).await;
    let key = rig.call(RING);
    rig.answered().await;
    // The refresh changes nothing, and so is nobody's business here.
    assert_eq!(rig.next().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
}

#[tokio::test]
async fn a_caller_with_too_short_a_timer_is_told_the_least_and_granted_it() {
    let mut rig = Rig::start(config(Vec::new())).await;
    let target = rig.signaling.udp_addr().expect("bound");
    let sipp = Sipp::caller("call_us_with_short_timer", Transport::Udp, target);
    let SignalingEvent::Incoming { key, .. } = rig.next().await else { panic!("incoming") };
    rig.signaling.accept(key, OFFER.into());
    rig.answered().await;
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
}

#[tokio::test]
async fn a_caller_that_insists_on_reliable_ringing_gets_it() {
    let mut rig = Rig::start(config(Vec::new())).await;
    let target = rig.signaling.udp_addr().expect("bound");
    let sipp = Sipp::caller("call_us_with_prack", Transport::Udp, target);
    let SignalingEvent::Incoming { key, .. } = rig.next().await else { panic!("incoming") };
    rig.signaling.ring(key, 180, None);
    // Answered at once: the 200 has to wait for PRACK.
    rig.signaling.accept(key, OFFER.into());
    rig.answered().await;
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
}

#[tokio::test]
async fn an_answer_without_contact_is_acknowledged_and_hung_up() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let sipp = Sipp::called("answer_without_contact", transport, &[]);
        let mut rig = Rig::start(config(vec![trunk(transport, sipp.port)])).await;
        let key = rig.call(RING);
        rig.answered().await;
        rig.signaling.hang_up(key);
        assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
        sipp.passed().await;
    }
}

#[tokio::test]
async fn a_request_too_large_for_a_datagram_goes_by_tcp_and_by_udp_where_that_is_refused() {
    let large = format!("{OFFER}a=x:{}\r\n", "y".repeat(1_300));
    for listens in [Transport::Tcp, Transport::Udp] {
        let sipp = Sipp::called("answer", listens, &[]);
        let mut rig = Rig::start(config(vec![trunk(Transport::Udp, sipp.port)])).await;
        let key = rig.call_with(RING, &large);
        rig.answered().await;
        rig.signaling.hang_up(key);
        assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
        sipp.passed().await;
    }
}
