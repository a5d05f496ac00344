//! The cases of RFC 4475 and RFC 5118 by their names, in our own words: over UDP, and over TCP byte by byte, with a good call after each.
//! What is valid is answered as the method deserves, what is not gets its status or silence.

mod peer;

use std::time::Duration;

use peer::{
    OFFER, Rig, Scripted, config, good,
    torture::{Answer, Case, Wanted, responses, rfc_4475, rfc_5118},
    trunk,
};
use ringback_signaling::{SignalingConfig, SignalingEvent, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// As long as silence is listened to.
const SILENCE: Duration = Duration::from_millis(60);
/// As long as an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

fn wide_open() -> SignalingConfig {
    let mut config = config(Vec::new());
    config.limits.per_source_per_second = 1_000_000;
    config.limits.slow_sender = Duration::from_millis(700);
    config
}

/// What came of a case: the status, that somebody is called, that the connection was cut, or nothing.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Status(u16),
    Rang,
    Cut,
    Nothing,
}

fn status_of(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let code = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no answer of SIP: {text}"))
}

/// What is called is refused at once.
async fn refuse_call(rig: &mut Rig) {
    let SignalingEvent::Incoming { key, .. } = rig.next().await else { panic!("incoming") };
    rig.signaling.reject(key, 486);
}

/// `first`: the first answer. A call is told of by its 100, and by the event.
async fn judge(rig: &mut Rig, first: Option<u16>) -> Came {
    match first {
        Some(100) => {
            refuse_call(rig).await;
            Came::Rang
        }
        Some(status) => Came::Status(status),
        None => Came::Nothing,
    }
}

fn is_as_wanted(case: &Case, over: Transport, came: &Came) -> bool {
    let wanted = if over == Transport::Tcp { case.over_tcp.as_ref().unwrap_or(&case.wanted) } else { &case.wanted };
    match (wanted, came) {
        (Wanted::Rings, Came::Rang) | (Wanted::Silence, Came::Nothing) => true,
        // A stream that has lost its place is not worth keeping.
        (Wanted::Silence | Wanted::Cut, Came::Cut) => over == Transport::Tcp,
        (Wanted::Status(known), Came::Status(status)) => known.contains(status),
        _ => false,
    }
}

async fn by_udp(rig: &mut Rig, case: &Case, at: usize) {
    // A socket of its own: what is repeated of an earlier case is not mistaken for an answer.
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let port = socket.local_addr().expect("bound").port();
    let us = rig.signaling.udp_addr().expect("bound");
    socket.send_to(&case.bytes("UDP", port, at), us).await.expect("sent");
    let mut buffer = vec![0; 65_535];
    let patience = if case.wanted == Wanted::Silence { SILENCE } else { PATIENCE };
    let first = match timeout(patience, socket.recv_from(&mut buffer)).await {
        Ok(received) => Some(status_of(&buffer[..received.expect("received").0])),
        Err(_) => None,
    };
    let came = judge(rig, first).await;
    assert!(is_as_wanted(case, Transport::Udp, &came), "{} by UDP: {came:?}, wanted {:?}", case.name, case.wanted);
}

async fn by_tcp(rig: &mut Rig, case: &Case, at: usize) {
    let mut stream = TcpStream::connect(rig.signaling.tcp_addr().expect("bound")).await.expect("connects");
    stream.set_nodelay(true).expect("nodelay");
    let port = stream.local_addr().expect("bound").port();
    for byte in case.bytes("TCP", port, at) {
        // A server that has heard enough hangs up in the middle.
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let wanted = case.over_tcp.as_ref().unwrap_or(&case.wanted);
    let patience = if *wanted == Wanted::Silence { SILENCE } else { PATIENCE };
    let mut buffer = vec![0; 65_535];
    let came = match timeout(patience, stream.read(&mut buffer)).await {
        Ok(Ok(0) | Err(_)) => Came::Cut,
        Ok(Ok(length)) => judge(rig, Some(status_of(&buffer[..length]))).await,
        Err(_) => Came::Nothing,
    };
    assert!(is_as_wanted(case, Transport::Tcp, &came), "{} by TCP: {came:?}, wanted {wanted:?}", case.name);
    if came != Came::Cut && *wanted != Wanted::Silence {
        still_in_step(&mut stream, case.name, at).await;
    }
}

/// The next request on the same connection is understood.
async fn still_in_step(stream: &mut TcpStream, name: &str, at: usize) {
    let id = format!("after-{at}-{name}");
    stream.write_all(good::request("OPTIONS", &id).as_bytes()).await.expect("written");
    let mut text = String::new();
    let mut buffer = vec![0; 65_535];
    while !text.contains(&format!("Call-ID: {id}\r\n")) {
        let length = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer in time").expect("readable");
        assert!(length > 0, "{name}: closed after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

async fn every_case(cases: Vec<Case>, over: Transport) {
    let mut rig = Rig::start(wide_open()).await;
    let mut peer = Scripted::bind().await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    for (at, case) in cases.iter().enumerate() {
        match over {
            Transport::Tcp => by_tcp(&mut rig, case, at).await,
            Transport::Udp | Transport::Tls => by_udp(&mut rig, case, at).await,
        }
        good::call(&mut rig, &mut peer, &format!("good-{at}")).await;
    }
}

#[tokio::test]
async fn rfc_4475_over_udp() {
    let cases = rfc_4475();
    assert_eq!(
        cases.len(),
        51,
        "the RFC's requests, and those of its valid ones whose method is not ours once more as OPTIONS"
    );
    every_case(cases, Transport::Udp).await;
}

#[tokio::test]
async fn rfc_4475_over_tcp_byte_by_byte() {
    every_case(rfc_4475(), Transport::Tcp).await;
}

#[tokio::test]
async fn rfc_5118_over_udp() {
    every_case(rfc_5118(), Transport::Udp).await;
}

#[tokio::test]
async fn rfc_5118_over_tcp_byte_by_byte() {
    every_case(rfc_5118(), Transport::Tcp).await;
}

/// The RFC's responses, each as the answer to a call of ours: what is valid counts, what is not is not heard, and the good answer after it is.
#[tokio::test]
async fn responses_of_rfc_4475() {
    for Answer { name, start, otherwise: (this, so), counts } in responses() {
        let mut peer = Scripted::bind().await;
        let mut rig =
            Rig::start(SignalingConfig { trunks: vec![trunk(Transport::Udp, peer.port())], ..config(Vec::new()) })
                .await;
        rig.call(Duration::from_secs(20));
        let invite = peer.expect("INVITE").await;
        let good = peer.response(&invite, "200 OK", "far", "", OFFER);
        let good = if this.is_empty() { good } else { good.replacen(this, so, 1) };
        let (_, rest) = good.split_once("\r\n").expect("a start line");
        peer.send(format!("{start}\r\n{rest}").as_bytes()).await;
        if !counts {
            assert!(peer.quiet("ACK", SILENCE).await, "{name} was taken for an answer");
            peer.reply(&invite, "200 OK", "", OFFER).await;
        }
        rig.answered().await;
        peer.expect("ACK").await;
    }
}
