//! Outbound calls against sipp, one scenario per habit of a carrier.

mod peer;

use std::time::Duration;

use peer::{Rig, Sipp, config, trunk};
use ringback_signaling::{EndedBy, FailureCause, SignalingEvent, Transport, TrunkConfig};

const RING: Duration = Duration::from_secs(20);

async fn rig(sipp: &Sipp, transport: Transport) -> Rig {
    Rig::start(config(vec![trunk(transport, sipp.port)])).await
}

async fn answered_and_hung_up(scenario: &str, transport: Transport) {
    let sipp = Sipp::called(scenario, transport, &[]);
    let mut rig = rig(&sipp, transport).await;
    let key = rig.call(RING);
    assert!(rig.answered().await.contains("m=audio 40000"));
    rig.signaling.hang_up(key);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
    sipp.passed().await;
}

#[tokio::test]
async fn answer_over_udp() {
    answered_and_hung_up("answer", Transport::Udp).await;
}

#[tokio::test]
async fn answer_over_tcp() {
    answered_and_hung_up("answer", Transport::Tcp).await;
}

#[tokio::test]
async fn the_second_of_two_answers_is_ended() {
    let sipp = Sipp::called("two_answers", Transport::Udp, &[]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    let key = rig.call(RING);
    rig.answered().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig.signaling.hang_up(key);
    assert_eq!(rig.next().await, SignalingEvent::Ended { key, by: EndedBy::Local });
    sipp.passed().await;
}

#[tokio::test]
async fn a_reliable_provisional_gets_prack() {
    answered_and_hung_up("reliable_183", Transport::Udp).await;
}

#[tokio::test]
async fn early_media_and_their_bye() {
    let sipp = Sipp::called("early_media", Transport::Udp, &[]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    let key = rig.call(RING);
    let SignalingEvent::Provisional { status: 183, sdp: Some(_), .. } = rig.next().await else { panic!("early media") };
    assert_eq!(rig.next().await, SignalingEvent::Provisional { key, status: 180, sdp: None });
    rig.answered().await;
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
}

async fn refused(status: &str, cause: FailureCause) {
    let sipp = Sipp::called("refuse", Transport::Udp, &[("status", status)]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    let key = rig.call(RING);
    let (code, reason) = status.split_once(' ').expect("code and reason");
    let expected = SignalingEvent::Failed { key, status: code.parse().ok(), cause, reason: Some(reason.to_owned()) };
    assert_eq!(rig.over().await, expected);
    sipp.passed().await;
}

#[tokio::test]
async fn refusals_become_causes() {
    tokio::join!(
        refused("486 Busy Here", FailureCause::Busy),
        refused("480 Temporarily Unavailable", FailureCause::NoAnswer),
        refused("404 Not Found", FailureCause::Unreachable),
        refused("503 Service Unavailable", FailureCause::Unreachable),
        refused("603 Decline", FailureCause::Rejected),
        refused("302 Moved Temporarily", FailureCause::Failed),
    );
}

#[tokio::test]
async fn no_answer_is_cancelled_by_the_ring_timeout() {
    let sipp = Sipp::called("ring_until_cancel", Transport::Udp, &[]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    let key = rig.call(Duration::from_millis(800));
    let SignalingEvent::Failed { status, cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!((status, cause), (Some(487), FailureCause::NoAnswer), "{key}");
    sipp.passed().await;
}

#[tokio::test]
async fn hanging_up_while_it_rings_cancels() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let sipp = Sipp::called("ring_until_cancel", transport, &[]);
        let mut rig = rig(&sipp, transport).await;
        let key = rig.call(RING);
        rig.until("ringing", |event| matches!(event, SignalingEvent::Provisional { .. })).await;
        rig.signaling.hang_up(key);
        rig.signaling.hang_up(key);
        let SignalingEvent::Failed { cause, .. } = rig.over().await else { panic!("failed") };
        assert_eq!(cause, FailureCause::Cancelled);
        sipp.passed().await;
    }
}

#[tokio::test]
async fn cancel_waits_for_the_first_provisional() {
    let sipp = Sipp::called("silent_then_cancel", Transport::Udp, &[]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    let key = rig.call(RING);
    rig.signaling.hang_up(key);
    let SignalingEvent::Failed { cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!(cause, FailureCause::Cancelled);
    sipp.passed().await;
}

#[tokio::test]
async fn a_200_that_crosses_cancel_is_ended() {
    let sipp = Sipp::called("cancel_crosses_200", Transport::Udp, &[]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    let key = rig.call(RING);
    rig.until("ringing", |event| matches!(event, SignalingEvent::Provisional { .. })).await;
    rig.signaling.hang_up(key);
    let SignalingEvent::Failed { cause, .. } = rig.over().await else { panic!("failed, never answered") };
    assert_eq!(cause, FailureCause::Cancelled);
    sipp.passed().await;
}

fn with_password(port: u16, password: &str) -> TrunkConfig {
    TrunkConfig { username: Some("ringback".into()), password: Some(password.into()), ..trunk(Transport::Udp, port) }
}

#[tokio::test]
async fn digest_by_401_and_407() {
    for scenario in ["digest_401", "digest_407"] {
        let sipp = Sipp::called(scenario, Transport::Udp, &[]);
        let mut rig = Rig::start(config(vec![with_password(sipp.port, "s3cret")])).await;
        let key = rig.call(RING);
        rig.answered().await;
        rig.signaling.hang_up(key);
        rig.over().await;
        sipp.passed().await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let sipp = Sipp::called("challenge_forever", Transport::Udp, &[]);
    let mut rig = Rig::start(config(vec![with_password(sipp.port, "wrong")])).await;
    rig.call(RING);
    let SignalingEvent::Failed { status, cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!((status, cause), (Some(401), FailureCause::Rejected));
    sipp.passed().await;
}

#[tokio::test]
async fn a_challenge_without_credentials_is_a_refusal() {
    let sipp = Sipp::called("refuse", Transport::Udp, &[("status", "401 Unauthorized")]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    rig.call(RING);
    let SignalingEvent::Failed { cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!(cause, FailureCause::Rejected);
    sipp.passed().await;
}

#[tokio::test]
async fn requests_of_the_far_side_within_the_call() {
    let sipp = Sipp::called("within_the_call", Transport::Udp, &[]);
    let mut rig = rig(&sipp, Transport::Udp).await;
    let key = rig.call(RING);
    rig.answered().await;
    assert_eq!(rig.next().await, SignalingEvent::Dtmf { key, digit: '7' });
    let SignalingEvent::RemoteSdp { sdp, .. } = rig.next().await else { panic!("only the changed offer is reported") };
    assert!(sdp.contains("m=audio 40002"));
    rig.signaling.accept_reinvite(key, peer::OFFER.replace("s=-", "s=changed by us"));
    assert_eq!(rig.next().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
}

#[tokio::test]
async fn nobody_there_is_unreachable_at_once_over_tcp() {
    let mut rig = Rig::start(config(vec![trunk(Transport::Tcp, peer::free_port())])).await;
    rig.call(RING);
    let SignalingEvent::Failed { status, cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!((status, cause), (None, FailureCause::Unreachable));
}
