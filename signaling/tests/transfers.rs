//! Calls handed on by REFER: the far side takes it, fails at it, refuses it, or falls silent.

mod peer;

use std::time::Duration;

use peer::{OFFER, Rig, Scripted, Sipp, config, header, trunk};
use ringback_signaling::{CallKey, EndedBy, SignalingEvent, TransferStep, Transport, UserToUser};

const RING: Duration = Duration::from_secs(20);

async fn step(rig: &mut Rig) -> TransferStep {
    match rig.until("a step", |event| matches!(event, SignalingEvent::Transfer { .. })).await {
        SignalingEvent::Transfer { step, .. } => step,
        other => panic!("{other:?}"),
    }
}

async fn called(sipp: &Sipp) -> (Rig, CallKey) {
    let mut rig = Rig::start(config(vec![trunk(Transport::Udp, sipp.port)])).await;
    let key = rig.call(RING);
    rig.answered().await;
    rig.signaling.refer_to_number(key, "+19165550142".into(), UserToUser::new("case").ok());
    (rig, key)
}

async fn hung_up(rig: &mut Rig, key: CallKey, sipp: Sipp) {
    rig.signaling.hang_up(key);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
    sipp.passed().await;
}

#[tokio::test]
async fn the_far_side_calls_the_target_and_says_how_it_goes() {
    for (last, status) in [("200 OK", 200), ("486 Busy Here", 486)] {
        let sipp = Sipp::called("takes_refer", Transport::Udp, &[("last", last)]);
        let (mut rig, key) = called(&sipp).await;
        assert_eq!(step(&mut rig).await, TransferStep::Taken);
        assert_eq!(step(&mut rig).await, TransferStep::Progress(180));
        assert_eq!(step(&mut rig).await, TransferStep::Done(status));
        hung_up(&mut rig, key, sipp).await;
    }
}

#[tokio::test]
async fn a_refusal_leaves_the_call_as_it_was() {
    let sipp = Sipp::called("refuses_refer", Transport::Udp, &[]);
    let (mut rig, key) = called(&sipp).await;
    assert_eq!(step(&mut rig).await, TransferStep::Refused(603));
    hung_up(&mut rig, key, sipp).await;
}

#[tokio::test]
async fn one_call_takes_the_place_of_another() {
    let answer =
        "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    let mut peer = Scripted::bind().await;
    let mut rig = Rig::start(config(vec![trunk(Transport::Udp, peer.port())])).await;
    let mut keys = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..2 {
        keys.push(rig.call(RING));
        let invite = peer.expect("INVITE").await;
        let ok = peer.response(&invite, "200 OK", "far", "", answer);
        peer.send(ok.as_bytes()).await;
        peer.expect("ACK").await;
        rig.answered().await;
        answers.push(ok);
    }
    rig.signaling.refer_to_call(keys[0], keys[1], None);
    let refer = peer.expect("REFER").await;
    let target = header(&refer, "Refer-To");
    let second = &answers[1];
    let tag = header(second, "From").rsplit("tag=").next().expect("a tag").to_owned();
    let replaces = format!("Replaces={}%3Bto-tag%3Dfar%3Bfrom-tag%3D{tag}", header(second, "Call-ID"));
    assert!(target.contains(&replaces) && target.contains("<sip:far@127.0.0.1:"), "{target} {replaces}");
    // A second one has to wait, and a call that is not there cannot be replaced.
    rig.signaling.refer_to_call(keys[0], keys[1], None);
    assert_eq!(step(&mut rig).await, TransferStep::Refused(491));
    rig.signaling.refer_to_call(keys[0], CallKey(1), None);
    assert_eq!(step(&mut rig).await, TransferStep::Refused(481));
    // NOTIFY may come before the 202.
    let notify = format!(
        "NOTIFY sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bKn1\r\nMax-Forwards: 70\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 9 NOTIFY\r\nEvent: refer;id=2\r\nSubscription-State: active\r\n\
         Content-Type: message/sipfrag;version=2.0\r\nContent-Length: 18\r\n\r\nSIP/2.0 100 Trying",
        peer.port(),
        header(&refer, "To"),
        header(&refer, "From"),
        header(&refer, "Call-ID"),
    );
    peer.send(notify.as_bytes()).await;
    peer.expect("SIP/2.0 200").await;
    assert_eq!(step(&mut rig).await, TransferStep::Progress(100));
    peer.reply(&refer, "202 Accepted", "", "").await;
    let over = notify.replace("branch=z9hG4bKn1", "branch=z9hG4bKn2").replace("CSeq: 9", "CSeq: 10");
    peer.send(over.replace("State: active", "State: terminated").as_bytes()).await;
    peer.expect("SIP/2.0 200").await;
    assert_eq!(step(&mut rig).await, TransferStep::Lost, "it ended without a last word");
    let late = over.replace("branch=z9hG4bKn2", "branch=z9hG4bKn3").replace("CSeq: 10", "CSeq: 11");
    peer.send(late.as_bytes()).await;
    peer.expect("SIP/2.0 481").await;
    let _ = OFFER;
}
