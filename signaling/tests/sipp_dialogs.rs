//! What becomes of one call when its far side is several, repeats itself or crosses us; with sipp, and Kamailio where there is a fork
//! or a route.

mod peer;

use std::time::Duration;

use peer::{
    OFFER, Rig, Sipp, config,
    kamailio::{Border, Kamailio},
    relay::{Pieces, Relay},
    trunk,
};
use ringback_signaling::{CallKey, EndedBy, SignalingEvent, Transport};

const RING: Duration = Duration::from_secs(20);

async fn rig(port: u16) -> Rig {
    Rig::start(config(vec![trunk(Transport::Udp, port)])).await
}

/// Hangs up, and nothing was reported of the call before its end.
async fn hung_up(rig: &mut Rig, key: CallKey) {
    rig.signaling.hang_up(key);
    assert_eq!(rig.next().await, SignalingEvent::Ended { key, by: EndedBy::Local });
}

#[tokio::test]
async fn a_200_that_is_repeated_gets_its_ack_each_time_and_is_answered_once() {
    let sipp = Sipp::called("answers_again", Transport::Udp, &[]);
    let mut rig = rig(sipp.port).await;
    let key = rig.call(RING);
    rig.answered().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    hung_up(&mut rig, key).await;
    sipp.passed().await;
}

#[tokio::test]
async fn a_200_of_ours_comes_again_until_it_is_acknowledged() {
    let mut rig = Rig::start(config(Vec::new())).await;
    let sipp = Sipp::caller("call_us_and_hear_late", Transport::Udp, rig.signaling.udp_addr().expect("bound"));
    let SignalingEvent::Incoming { key, .. } = rig.next().await else { panic!("incoming") };
    rig.signaling.ring(key, 180, None);
    rig.signaling.accept(key, OFFER.into());
    rig.answered().await;
    let sent = rig.signaling.ladder(key).await.rungs.into_iter().filter(|rung| rung.out);
    assert_eq!(
        sent.filter(|rung| rung.text.starts_with("SIP/2.0 200")).count(),
        3,
        "at once, after 0.5 s and after 1.5 s"
    );
    assert_eq!(rig.next().await, SignalingEvent::Ended { key, by: EndedBy::Remote });
    sipp.passed().await;
}

#[tokio::test]
async fn offers_that_meet_are_refused_on_both_sides_and_ours_comes_again() {
    let sipp = Sipp::called("glare", Transport::Udp, &[]);
    let mut rig = rig(sipp.port).await;
    let key = rig.call(RING);
    rig.answered().await;
    let begun = tokio::time::Instant::now();
    rig.signaling.reinvite(key, OFFER.replace("m=audio 30000", "m=audio 30010"));
    let SignalingEvent::RemoteAnswer { sdp, .. } = rig.next().await else {
        panic!("ours is answered, theirs never reported")
    };
    assert!(sdp.contains("m=audio 40004"), "{sdp}");
    // RFC 3261 §14.1: who made the Call-ID waits between 2.1 and 4 seconds.
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(2100) && waited < Duration::from_secs(5), "{waited:?}");
    hung_up(&mut rig, key).await;
    sipp.passed().await;
}

#[tokio::test]
async fn of_a_proxys_fork_one_telephone_answers_and_the_other_is_cancelled() {
    let rings = Sipp::called("rings_until_another_answers", Transport::Udp, &[]);
    let answers = Sipp::called("answers_in_a_fork", Transport::Udp, &[("tag", "answering"), ("wait", "400")]);
    let kamailio = Kamailio::start(&Border { to: rings.port, and_to: Some(answers.port), ..Border::default() });
    let mut rig = rig(kamailio.udp).await;
    let key = rig.call(RING);
    assert_eq!(rig.next().await, SignalingEvent::Provisional { key, status: 180, sdp: None });
    rig.answered().await;
    rings.passed().await;
    hung_up(&mut rig, key).await;
    answers.passed().await;
    assert_eq!(kamailio.said("within: BYE"), 1, "{}", kamailio.log());
}

#[tokio::test]
async fn of_two_answers_of_a_proxys_fork_the_second_is_ended() {
    let first = Sipp::called("answers_in_a_fork", Transport::Udp, &[("tag", "first"), ("wait", "0")]);
    let second = Sipp::called("answers_in_a_fork", Transport::Udp, &[("tag", "second"), ("wait", "300")]);
    let kamailio = Kamailio::start(&Border { to: first.port, and_to: Some(second.port), ..Border::default() });
    let mut rig = rig(kamailio.udp).await;
    let key = rig.call(RING);
    rig.answered().await;
    second.passed().await;
    hung_up(&mut rig, key).await;
    first.passed().await;
    assert_eq!(kamailio.said("within: BYE"), 2, "{}", kamailio.log());
}

#[tokio::test]
async fn a_proxy_that_stays_in_the_route_has_every_request_be_it_loose_or_strict() {
    for strict in [false, true] {
        let sipp = Sipp::called("answer_behind_proxy", Transport::Udp, &[]);
        let kamailio = Kamailio::start(&Border { to: sipp.port, strict, ..Border::default() });
        // Of a strict router the address is its own, and the telephone's comes last in the route.
        let to = if strict { kamailio.udp } else { sipp.port };
        let mut rig = rig(kamailio.udp).await;
        let key = rig.call(RING);
        rig.answered().await;
        kamailio.says("within: ACK").await;
        hung_up(&mut rig, key).await;
        sipp.passed().await;
        for method in ["ACK", "BYE"] {
            let line = format!("within: {method} over udp, to sip:");
            let found = kamailio.log().lines().any(|said| said.contains(&line) && said.contains(&format!(":{to}")));
            assert!(found, "{method} to {to}, strict: {strict}\n{}", kamailio.log());
        }
    }
}

#[tokio::test]
async fn calls_in_one_piece_and_calls_in_many_pieces_over_one_connection() {
    for (calls, pieces) in [(20, Pieces::Few(Duration::from_millis(150))), (5, Pieces::Of(31))] {
        let mut rig = Rig::start(config(Vec::new())).await;
        let relay = Relay::start(rig.signaling.tcp_addr().expect("bound"), pieces).await;
        let sipp = Sipp::callers("call_us", Transport::Tcp, relay.address, calls);
        let mut over = 0;
        while over < calls {
            match rig.next().await {
                SignalingEvent::Incoming { key, .. } => {
                    rig.signaling.ring(key, 180, None);
                    rig.signaling.accept(key, OFFER.into());
                }
                SignalingEvent::Ended { by: EndedBy::Remote, .. } => over += 1,
                SignalingEvent::Answered { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        sipp.passed().await;
        if let Pieces::Few(_) = pieces {
            assert!(relay.most_in_one() > 3, "several messages in one piece: {}", relay.most_in_one());
        }
    }
}
