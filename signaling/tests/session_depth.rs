//! What carriers ask of a session: timers, reliable provisionals, identity, large requests, IPv6, strict routes.

mod peer;

use std::time::Duration;

use peer::{OFFER, Rig, Scripted, config, header, trunk};
use ringback_signaling::{FailureCause, SignalingEvent, Transport, TrunkConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const RING: Duration = Duration::from_secs(20);
const ANSWER: &str =
    "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

async fn with_trunk(change: impl FnOnce(&mut TrunkConfig)) -> (Rig, Scripted) {
    let peer = Scripted::bind().await;
    let mut trunk = trunk(Transport::Udp, peer.port());
    change(&mut trunk);
    (Rig::start(config(vec![trunk])).await, peer)
}

#[tokio::test]
async fn a_422_is_met_with_the_interval_it_names_and_only_once() {
    let (mut rig, mut peer) = with_trunk(|trunk| trunk.session_expires = Some(Duration::from_secs(600))).await;
    rig.call(RING);
    let invite = peer.expect("INVITE").await;
    assert_eq!((header(&invite, "Session-Expires"), header(&invite, "Min-SE")), ("600".into(), "90".into()));
    peer.reply(&invite, "422 Session Interval Too Small", "Min-SE: 1800\r\n", "").await;
    peer.expect("ACK").await;
    let again = peer.expect("INVITE").await;
    assert_eq!((header(&again, "Session-Expires"), header(&again, "CSeq")), ("1800".into(), "2 INVITE".into()));
    peer.reply(&again, "422 Session Interval Too Small", "Min-SE: 1800\r\n", "").await;
    let SignalingEvent::Failed { status: Some(422), cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!(cause, FailureCause::Failed);
}

#[tokio::test]
async fn a_redirection_is_a_failure() {
    let (mut rig, mut peer) = with_trunk(|_| {}).await;
    rig.call(RING);
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, "302 Moved Temporarily", "", "").await;
    let SignalingEvent::Failed { status: Some(302), cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!(cause, FailureCause::Failed);
    assert!(peer.quiet("INVITE", Duration::from_millis(300)).await, "nobody is called on a carrier's word");
}

#[tokio::test]
async fn who_calls_is_asserted_only_to_a_carrier_that_is_trusted() {
    for trusted in [true, false] {
        let (rig, mut peer) = with_trunk(|trunk| trunk.trusts_identity = trusted).await;
        rig.call(RING);
        let invite = peer.expect("INVITE").await;
        assert_eq!(invite.contains("P-Asserted-Identity: <sip:+19165550100@"), trusted, "{invite}");
    }
}

fn invite_from(peer: &Scripted, extra: &str) -> String {
    format!(
        "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{0};branch=z9hG4bKin\r\nMax-Forwards: 70\r\n\
         From: <sip:anonymous@b>;tag=caller\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: in-1\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:a@127.0.0.1:{0}>\r\n{extra}Content-Type: application/sdp\r\nContent-Length: {1}\r\n\r\n{ANSWER}",
        peer.port(),
        ANSWER.len()
    )
}

#[tokio::test]
async fn an_asserted_caller_is_believed_only_from_a_carrier_that_is_trusted() {
    for trusted in [true, false] {
        let (mut rig, mut peer) = with_trunk(|trunk| trunk.trusts_identity = trusted).await;
        peer.aim(rig.signaling.udp_addr().expect("bound"));
        let extra = "P-Asserted-Identity: \"Rosa\" <tel:+19165550177>\r\nPrivacy: id;critical\r\n";
        peer.send(invite_from(&peer, extra).as_bytes()).await;
        let SignalingEvent::Incoming { from_user, private, headers, .. } = rig.next().await else { panic!("incoming") };
        assert_eq!(from_user, if trusted { "+19165550177" } else { "anonymous" });
        assert!(private);
        assert_eq!(headers.iter().any(|(name, _)| name == "P-Asserted-Identity"), trusted);
    }
}

#[tokio::test]
async fn a_caller_that_insists_gets_reliable_ringing() {
    let (mut rig, mut peer) = with_trunk(|_| {}).await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    peer.send(invite_from(&peer, "Require: 100rel\r\n").as_bytes()).await;
    let SignalingEvent::Incoming { key, .. } = rig.next().await else { panic!("incoming") };
    rig.signaling.ring(key, 180, None);
    let ringing = peer.expect("SIP/2.0 180").await;
    assert_eq!(header(&ringing, "Require"), "100rel");
    assert_eq!(peer.expect("SIP/2.0 180").await, ringing, "repeated until PRACK comes");
    rig.signaling.accept(key, OFFER.into());
    assert!(peer.quiet("SIP/2.0 200", Duration::from_millis(300)).await, "one thing at a time");
    let prack = |rseq: &str| {
        format!(
            "PRACK sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bKp{}\r\nMax-Forwards: 70\r\n\
             From: <sip:anonymous@b>;tag=caller\r\nTo: {}\r\nCall-ID: in-1\r\nCSeq: {} PRACK\r\nRAck: {rseq} 1 INVITE\r\n\
             Content-Length: 0\r\n\r\n",
            peer.port(),
            rseq.len(),
            header(&ringing, "To"),
            rseq.len() + 1
        )
    };
    let (wrong, right) = (prack("1"), prack(&header(&ringing, "RSeq")));
    peer.send(wrong.as_bytes()).await;
    peer.expect("SIP/2.0 481").await;
    peer.send(right.as_bytes()).await;
    peer.expect("SIP/2.0 200").await;
    let answer = peer.expect("SIP/2.0 200").await;
    assert!(header(&answer, "CSeq").contains("INVITE"), "the answer that had to wait");
}

/// Reads from a connection until a message has come.
async fn read(stream: &mut tokio::net::TcpStream) -> String {
    let mut text = String::new();
    let mut chunk = [0; 4_096];
    while !text.contains("\r\n\r\n") || !text.contains("end-of-offer") {
        let count = stream.read(&mut chunk).await.expect("bytes");
        assert!(count > 0, "the connection ended after {text}");
        text += &String::from_utf8_lossy(&chunk[..count]);
    }
    text
}

#[tokio::test]
async fn a_large_request_goes_by_tcp_or_by_udp_when_tcp_is_refused() {
    let large = format!("{OFFER}a=x:{}end-of-offer\r\n", "y".repeat(1_300));
    let request = |rig: &Rig, name: &str| {
        let request = ringback_signaling::CallRequest {
            key: ringback_signaling::CallKey(77),
            trunk: "trunk".into(),
            to_user: "+19165550199".into(),
            caller_id: None,
            display_name: None,
            sdp: large.clone(),
            ring_timeout: RING,
            call_id: format!("large-{name}"),
            from_tag: "near".into(),
            branch: "large".into(),
            extra_headers: Vec::new(),
        };
        rig.signaling.place_call(request).expect("room");
    };
    let (mut rig, mut peer) = with_trunk(|_| {}).await;
    request(&rig, "refused");
    let invite = peer.expect("INVITE").await;
    assert!(header(&invite, "Via").contains("SIP/2.0/UDP"), "nobody listens for TCP there: {invite}");
    peer.reply(&invite, "486 Busy Here", "", "").await;
    rig.over().await;

    let listener = TcpListener::bind(("127.0.0.1", peer.port())).await.expect("the same port");
    request(&rig, "taken");
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let invite = read(&mut stream).await;
    assert!(header(&invite, "Via").contains("SIP/2.0/TCP"), "{invite}");
    let ringing = peer.response(&invite, "180 Ringing", "far", "", "");
    stream.write_all(ringing.as_bytes()).await.expect("written");
    rig.until("ringing", |event| matches!(event, SignalingEvent::Provisional { .. })).await;
    rig.signaling.hang_up(ringback_signaling::CallKey(77));
    let mut chunk = [0; 4_096];
    let count = stream.read(&mut chunk).await.expect("bytes");
    let cancel = String::from_utf8_lossy(&chunk[..count]).into_owned();
    assert!(cancel.starts_with("CANCEL") && header(&cancel, "Via").contains("SIP/2.0/TCP"), "{cancel}");
}

#[tokio::test]
async fn a_trunk_over_ipv6_and_one_over_ipv4_from_the_same_socket() {
    for (bind, host) in [("[::1]:0", "::1"), ("[::]:0", "127.0.0.1"), ("[::]:0", "::1")] {
        let far = tokio::net::UdpSocket::bind((host, 0)).await.expect("a port");
        let port = far.local_addr().expect("bound").port();
        let mut config = config(vec![TrunkConfig { host: host.into(), ..trunk(Transport::Udp, port) }]);
        config.udp_bind = bind.parse().ok();
        let mut rig = Rig::start(config).await;
        rig.call(RING);
        let mut buffer = [0; 4_096];
        let (count, from) = far.recv_from(&mut buffer).await.expect("an INVITE");
        let invite = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if host == "::1" {
            assert!(
                invite.starts_with("INVITE sip:+19165550199@[::1]:") && header(&invite, "Via").contains("[::1]:"),
                "{invite}"
            );
        } else {
            assert!(header(&invite, "Contact").contains("@127.0.0.1:"), "{invite}");
        }
        let mut lines = String::from("SIP/2.0 486 Busy Here\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            lines += &format!("{name}: {}\r\n", header(&invite, name));
        }
        far.send_to(format!("{lines}Content-Length: 0\r\n\r\n").as_bytes(), from).await.expect("sent");
        let SignalingEvent::Failed { status: Some(486), .. } = rig.over().await else { panic!("busy, {bind} {host}") };
    }
}

#[tokio::test]
async fn a_strict_router_is_given_what_it_expects() {
    let (mut rig, mut peer) = with_trunk(|_| {}).await;
    let key = rig.call(RING);
    let invite = peer.expect("INVITE").await;
    let route = format!("Record-Route: <sip:strict@127.0.0.1:{}>\r\n", peer.port());
    let ok = peer.response(&invite, "200 OK", "far", &route, ANSWER).replace("sip:far@", "sip:behind@192.0.2.9;x=");
    peer.send(ok.as_bytes()).await;
    let ack = peer.expect("ACK sip:strict@127.0.0.1").await;
    assert!(header(&ack, "Route").contains("sip:behind@192.0.2.9"), "{ack}");
    rig.answered().await;
    rig.signaling.hang_up(key);
    peer.expect("BYE sip:strict@127.0.0.1").await;
}
