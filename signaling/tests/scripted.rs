//! Calls with a scripted peer, for what sipp cannot do: SHA-256, exact repetitions, late and strange answers, and the
//! functions used after a crash.

mod peer;

use std::time::{Duration, Instant};

use md5::Md5;
use peer::{OFFER, Rig, Scripted, config, header, param, trunk};
use ringback_signaling::{
    CallKey, DialogState, EndedBy, FailureCause, SignalingEvent, StaleCall, Transport, TrunkConfig,
};
use sha2::{Digest, Sha256};

const RING: Duration = Duration::from_secs(20);
const ANSWER: &str =
    "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

async fn rig_and_peer() -> (Rig, Scripted) {
    let peer = Scripted::bind().await;
    let rig = Rig::start(config(vec![trunk(Transport::Udp, peer.port())])).await;
    (rig, peer)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The proof a server expects, written here from RFC 7616 independently of the crate.
fn expected(hash: impl Fn(String) -> String, value: &str, method: &str, password: &str) -> String {
    let get = |name: &str| param(value, name);
    let a1 = hash(format!("{}:{}:{password}", get("username"), get("realm")));
    let a2 = hash(format!("{method}:{}", get("uri")));
    hash(format!("{a1}:{}:{}:{}:{}:{a2}", get("nonce"), get("nc"), get("cnonce"), get("qop")))
}

async fn challenged(status: &str, header_name: &str, answer_name: &str, sha: bool) {
    let mut peer = Scripted::bind().await;
    let trunk = TrunkConfig {
        username: Some("ringback".into()),
        password: Some("pass \"word\"".into()),
        ..trunk(Transport::Udp, peer.port())
    };
    let mut rig = Rig::start(config(vec![trunk])).await;
    let key = rig.call(RING);
    let invite = peer.expect("INVITE").await;
    let mut challenge = format!("{header_name}: Digest realm=\"c\", nonce=\"md5\", qop=\"auth\"\r\n");
    if sha {
        challenge +=
            &format!("{header_name}: Digest realm=\"c\", nonce=\"sha\", algorithm=SHA-256, qop=\"auth-int, auth\"\r\n");
    }
    peer.reply(&invite, status, &challenge, "").await;
    peer.expect("ACK").await;
    let again = peer.expect("INVITE").await;
    assert_eq!(header(&again, "CSeq"), "2 INVITE");
    assert_ne!(header(&again, "Via"), header(&invite, "Via"), "a new transaction");
    let hash = |text: String| if sha { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) };
    let proof = header(&again, answer_name);
    assert_eq!(param(&proof, "response"), expected(hash, &proof, "INVITE", "pass \"word\""));
    peer.reply(&again, "200 OK", "", ANSWER).await;
    let ack = peer.expect("ACK").await;
    assert_eq!(header(&ack, answer_name), proof, "ACK carries the INVITE's credentials");
    rig.answered().await;
    rig.signaling.hang_up(key);
    let bye = peer.expect("BYE").await;
    let proof = header(&bye, answer_name);
    assert_eq!(param(&proof, "nc"), "00000002", "the nonce is used on");
    assert_eq!(param(&proof, "response"), expected(hash, &proof, "BYE", "pass \"word\""));
    // The nonce has gone stale meanwhile.
    let stale = challenge.replace("nonce=\"", "stale=true, nonce=\"new-");
    peer.reply(&bye, status, &stale, "").await;
    let bye = peer.expect("BYE").await;
    assert_eq!(header(&bye, "CSeq"), "4 BYE");
    peer.reply(&bye, "200 OK", "", "").await;
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
}

#[tokio::test]
async fn digest_md5_and_sha256_by_401_and_407() {
    tokio::join!(
        challenged("401 Unauthorized", "WWW-Authenticate", "Authorization", false),
        challenged("401 Unauthorized", "WWW-Authenticate", "Authorization", true),
        challenged("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization", false),
        challenged("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization", true),
    );
}

#[tokio::test]
async fn a_repeated_200_gets_the_same_ack_even_after_bye() {
    let (mut rig, mut peer) = rig_and_peer().await;
    let key = rig.call(RING);
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, "200 OK", "", ANSWER).await;
    let ack = peer.expect("ACK").await;
    for _ in 0..3 {
        peer.reply(&invite, "200 OK", "", ANSWER).await;
        assert_eq!(peer.expect("ACK").await, ack);
    }
    rig.answered().await;
    rig.signaling.hang_up(key);
    let bye = peer.expect("BYE").await;
    peer.reply(&invite, "200 OK", "", ANSWER).await;
    assert_eq!(peer.expect("ACK").await, ack);
    peer.reply(&bye, "200 OK", "", "").await;
    assert_eq!(rig.next().await, SignalingEvent::Ended { key, by: EndedBy::Local });
    peer.reply(&invite, "200 OK", "", ANSWER).await;
    assert_eq!(peer.expect("ACK").await, ack);
}

#[tokio::test]
async fn record_route_is_followed_in_reverse() {
    let (mut rig, mut peer) = rig_and_peer().await;
    let key = rig.call(RING);
    let invite = peer.expect("INVITE").await;
    let routes = format!("Record-Route: <sip:127.0.0.1:9;lr>, <sip:127.0.0.1:{};lr>\r\n", peer.port());
    let ok = peer.response(&invite, "200 OK", "far", &routes, ANSWER).replace("sip:far@", "sip:behind@192.0.2.9;x=");
    peer.send(ok.as_bytes()).await;
    let ack = peer.expect("ACK sip:behind@192.0.2.9").await;
    assert!(header(&ack, "Route").contains(&peer.port().to_string()), "{ack}");
    assert!(ack.find(&format!("{};lr", peer.port())) < ack.find("127.0.0.1:9;lr"), "{ack}");
    rig.answered().await;
    rig.signaling.hang_up(key);
    peer.expect("BYE sip:behind@192.0.2.9").await;
}

#[tokio::test]
async fn a_200_without_contact_or_without_sdp() {
    let (mut rig, mut peer) = rig_and_peer().await;
    let key = rig.call(RING);
    let invite = peer.expect("INVITE").await;
    let contact = format!("Contact: <sip:far@127.0.0.1:{}>\r\n", peer.port());
    let ok = peer.response(&invite, "200 OK", "far", "", ANSWER).replace(&contact, "");
    peer.send(ok.as_bytes()).await;
    peer.expect("ACK").await;
    rig.answered().await;
    rig.signaling.hang_up(key);
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, "200 OK", "", "").await;
    rig.over().await;

    rig.call(RING);
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, "200 OK", "", "").await;
    peer.expect("ACK").await;
    peer.expect("BYE").await;
    let SignalingEvent::Failed { cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!(cause, FailureCause::Failed);
}

#[tokio::test]
async fn a_reinvite_of_ours_meets_one_of_theirs() {
    let (mut rig, mut peer) = rig_and_peer().await;
    let key = rig.call(RING);
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, "200 OK", "", ANSWER).await;
    peer.expect("ACK").await;
    rig.answered().await;
    rig.signaling.reinvite(key, OFFER.replace("s=-", "s=hold"));
    let ours = peer.expect("INVITE").await;
    let theirs = format!(
        "INVITE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bKglare\r\nMax-Forwards: 70\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 7 INVITE\r\nContact: <sip:far@127.0.0.1:{}>\r\nContent-Length: 0\r\n\r\n",
        peer.port(),
        header(&ours, "To"),
        header(&ours, "From"),
        header(&ours, "Call-ID"),
        peer.port()
    );
    peer.send(theirs.as_bytes()).await;
    peer.expect("SIP/2.0 491").await;
    peer.send(theirs.replace("INVITE", "ACK").as_bytes()).await;
    peer.reply(&ours, "491 Request Pending", "", "").await;
    peer.expect("ACK").await;
    let again = peer.expect("INVITE").await;
    assert!(again.contains("s=hold") && header(&again, "CSeq") == "3 INVITE", "{again}");
    peer.reply(&again, "200 OK", "", &ANSWER.replace("40000", "40002")).await;
    peer.expect("ACK").await;
    let SignalingEvent::RemoteAnswer { sdp, .. } = rig.next().await else { panic!("their answer") };
    assert!(sdp.contains("40002"));
}

#[tokio::test]
async fn stored_dialogs_are_ended_by_a_new_life() {
    for state in [DialogState::Calling, DialogState::Early, DialogState::Confirmed] {
        let (mut old, mut peer) = rig_and_peer().await;
        let key = old.call(RING);
        let invite = peer.expect("INVITE").await;
        match state {
            DialogState::Calling => {}
            DialogState::Early => peer.reply(&invite, "180 Ringing", "", "").await,
            DialogState::Confirmed => peer.reply(&invite, "200 OK", "", ANSWER).await,
        }
        let at = |event: &SignalingEvent| matches!(event, SignalingEvent::Dialog(dialog) if dialog.state == state);
        let SignalingEvent::Dialog(stored) = old.until("the stored dialog", at).await else { panic!("a dialog") };
        let json = serde_json::to_string(&stored).expect("can be stored");
        // The old life ends here without a word; its socket goes with it in a crash, here another one takes over.
        let mut new = Rig::start(config(vec![trunk(Transport::Udp, peer.port())])).await;
        new.signaling.terminate_stored(serde_json::from_str(&json).expect("can be read"));
        if state == DialogState::Confirmed {
            let bye = peer.expect("BYE").await;
            let cseq: u32 = header(&bye, "CSeq").split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
            assert!(cseq > 1);
            peer.reply(&bye, "200 OK", "", "").await;
            assert_eq!(new.next().await, SignalingEvent::Ended { key, by: EndedBy::Local });
            continue;
        }
        let cancel = peer.expect("CANCEL").await;
        let branch =
            |text: &str| header(text, "Via").split("branch=").nth(1).map(|b| b.split(';').next().map(str::to_owned));
        assert_eq!(branch(&cancel), branch(&invite), "CANCEL names the INVITE's transaction");
        assert_eq!(cancel.split(' ').nth(1), invite.split(' ').nth(1), "and its URI");
        assert_eq!(header(&cancel, "CSeq"), "1 CANCEL");
        peer.reply(&cancel, "200 OK", "", "").await;
        peer.reply(&invite, "487 Request Terminated", "", "").await;
        peer.expect("ACK").await;
        let SignalingEvent::Failed { key: failed, cause, .. } = new.next().await else { panic!("failed") };
        assert_eq!((failed, cause), (key, FailureCause::Cancelled));
    }
}

#[tokio::test]
async fn late_answers_to_a_call_of_a_previous_life_are_ended() {
    let (old, mut peer) = rig_and_peer().await;
    old.call(RING);
    let invite = peer.expect("INVITE").await;
    let from_tag = header(&invite, "From").rsplit("tag=").next().expect("a tag").to_owned();
    let rig = Rig::start(config(vec![trunk(Transport::Udp, peer.port())])).await;
    let until = Instant::now() + Duration::from_secs(60);
    rig.signaling.watch_stale(StaleCall { call_id: header(&invite, "Call-ID"), from_tag, until });
    tokio::time::sleep(Duration::from_millis(50)).await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    peer.reply(&invite, "180 Ringing", "", "").await;
    let cancel = peer.expect("CANCEL").await;
    assert_eq!(cancel.split(' ').nth(1), invite.split(' ').nth(1), "the INVITE's URI");
    // Too late: it has been answered.
    peer.reply(&cancel, "200 OK", "", "").await;
    peer.reply(&invite, "200 OK", "", ANSWER).await;
    peer.expect("ACK").await;
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, "200 OK", "", "").await;
}

#[tokio::test]
async fn shutdown_ends_what_runs() {
    let (mut rig, mut peer) = rig_and_peer().await;
    rig.call(RING);
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, "200 OK", "", ANSWER).await;
    rig.answered().await;
    let begun = Instant::now();
    let script = async {
        let bye = peer.expect("BYE").await;
        peer.reply(&bye, "200 OK", "", "").await;
    };
    tokio::join!(rig.signaling.shutdown(), script);
    assert!(begun.elapsed() < Duration::from_secs(2), "it did not wait in vain");
}

#[tokio::test]
async fn a_trunk_goes_down_and_up_with_its_options() {
    let mut peer = Scripted::bind().await;
    let mut trunk = trunk(Transport::Udp, peer.port());
    trunk.options_interval = Some(Duration::from_millis(300));
    let mut config = config(vec![trunk]);
    config.timers.t1 = Duration::from_millis(50);
    let (signaling, events) = ringback_signaling::Signaling::start(config).await.expect("starts");
    let mut rig = Rig { signaling, events };
    let is = |up: bool| move |event: &SignalingEvent| matches!(event, SignalingEvent::Trunk(state) if state.up == up);
    let ping = peer.expect("OPTIONS").await;
    peer.reply(&ping, "200 OK", "", "").await;
    rig.until("up", is(true)).await;
    assert!(rig.signaling.trunk_states()[0].rtt_ms.is_some());
    rig.until("down for silence", is(false)).await;
    let ping = peer.expect("OPTIONS").await;
    peer.reply(&ping, "404 Not Found", "", "").await;
    rig.until("up, for any answer shows life", is(true)).await;
    loop {
        let ping = peer.expect("OPTIONS").await;
        peer.reply(&ping, "503 Service Unavailable", "", "").await;
        if !rig.signaling.trunk_states()[0].up {
            break;
        }
    }
    let event = rig.until("down by 503", is(false)).await;
    assert!(matches!(event, SignalingEvent::Trunk(state) if state.last_status == Some(503)));
}

#[tokio::test]
async fn a_200_of_ours_is_repeated_until_ack() {
    let mut rig = Rig::start(config(Vec::new())).await;
    let mut peer = Scripted::bind().await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    let invite = format!(
        "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{0};branch=z9hG4bKin\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=caller\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: in-1\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:a@127.0.0.1:{0}>\r\nContent-Type: application/sdp\r\nContent-Length: {1}\r\n\r\n{ANSWER}",
        peer.port(),
        ANSWER.len()
    );
    peer.send(invite.as_bytes()).await;
    peer.expect("SIP/2.0 100").await;
    let SignalingEvent::Incoming { key, .. } = rig.next().await else { panic!("incoming") };
    rig.signaling.accept(key, OFFER.into());
    let first = peer.expect("SIP/2.0 200").await;
    assert_eq!(peer.expect("SIP/2.0 200").await, first);
    peer.send(invite.as_bytes()).await;
    let ack = format!(
        "ACK sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bKack\r\nFrom: <sip:a@b>;tag=caller\r\n\
         To: {}\r\nCall-ID: in-1\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
        peer.port(),
        header(&first, "To")
    );
    peer.send(ack.as_bytes()).await;
    rig.answered().await;
    assert!(peer.quiet("SIP/2.0 200", Duration::from_millis(1_500)).await, "ACK stops it");
    let _: CallKey = key;
}
