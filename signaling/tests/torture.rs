//! Bytes no good peer sends, with a good call after each.

mod peer;

use std::time::Duration;

use peer::{
    Rig, Scripted, config,
    good::{self, request},
    header,
};
use ringback_signaling::SignalingLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn odd_but_valid_requests_are_answered() {
    let rig = Rig::start(config(Vec::new())).await;
    let mut peer = Scripted::bind().await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    let options = |id: &str| request("OPTIONS", id);
    let compact = "OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:9;rport ;branch=z9hG4bKc\r\nf: <sip:a@b>;tag=n\r\n\
                   t: <sip:100@127.0.0.1>\r\ni: compact\r\nCSEQ: 0009\r\n OPTIONS\r\nl: 0\r\n\r\n";
    let cases = [
        ("compact names and folding", compact.to_owned()),
        ("spaces before the colon", options("sp").replace("Call-ID:", "Call-ID :")),
        ("odd case", options("case").replace("From:", "fRoM:")),
        ("folded display name", options("fold").replace("From: <", "From: \"J\\\"\r\n\t Rosen\" <")),
        ("spaces in Via", options("via").replace("SIP/2.0/UDP 127.0.0.1:9999;", "SIP / 2.0 / UDP  127.0.0.1 : 9999 ;")),
        (
            "two Vias in one line",
            options("vias").replace("Max-F", "Via: SIP/2.0/TCP h2;branch=z9hG4bKx, SIP/2.0/UDP h3\r\nMax-F"),
        ),
        ("Latin-1", options("latin").replace("From: <", "From: J\u{fc}rgen <")),
        ("a tel: target", options("tel").replace("sip:100@127.0.0.1 SIP", "tel:+1-916-555-0100;x=y SIP")),
        ("an IPv6 target", options("v6").replace("sip:100@127.0.0.1 SIP", "sip:100@[2001:db8::1]:5060 SIP")),
        ("escaped user", options("esc").replace("sip:100@127.0.0.1 SIP", "sip:%31%30%30;a=b@127.0.0.1;x=%20 SIP")),
        ("unknown headers", options("unk").replace("Max-F", "X-Strange: @@ ;;; \"\r\nP: q\r\nMax-F")),
        ("bare line feeds", options("lf").replace("\r\n", "\n")),
        ("no Content-Length", options("nolen").replace("Content-Length: 0\r\n", "")),
        ("more bytes than announced", options("more") + "trailing"),
        ("a long Call-ID", options(&"x".repeat(3_000))),
        ("an old peer without the cookie", options("old").replace("z9hG4bK", "")),
    ];
    for (what, text) in cases {
        let bytes = if what == "Latin-1" { text.chars().map(|c| c as u8).collect() } else { text.into_bytes() };
        peer.send(&bytes).await;
        let answer = peer.expect("SIP/2.0 ").await;
        assert!(answer.starts_with("SIP/2.0 200"), "{what}: {answer}");
        assert!(header(&answer, "Via").contains(&format!("rport={}", peer.port())), "{what}: {answer}");
    }
}

#[tokio::test]
async fn broken_requests_are_refused_or_dropped_and_good_calls_go_on() {
    let mut rig = Rig::start(config(Vec::new())).await;
    let mut peer = Scripted::bind().await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    let invite = |id: &str| request("INVITE", id);
    let refused = [
        ("400", invite("b1").replace("CSeq: 1 INVITE", "CSeq: 1 ACK")),
        ("400", invite("b2").replace("CSeq: 1 INVITE", "CSeq: 9999999999 INVITE")),
        ("400", invite("b3").replace("To: <sip:100@127.0.0.1>", "To: \"unclosed <sip:100@127.0.0.1>")),
        ("400", invite("b4").replace("Call-ID: b4\r\n", "")),
        ("400", invite("b5").replace("Content-Length: 0", "Content-Length: -999")),
        ("400", invite("b6").replace("Content-Length: 0", "Content-Length: 9999")),
        (
            "400",
            invite("b7")
                .replace("From: <sip:a@b>;tag=near\r\n", "From: <sip:a@b>;tag=near\r\nFrom: <sip:c@d>;tag=x\r\n"),
        ),
        ("400", invite("b8").replace("Max-Forwards: 70", "Max-Forwards: 300")),
        ("400", invite("b9").replace(";tag=near", "")),
        ("416", invite("b10").replace("sip:100@127.0.0.1 SIP", "nobody:knows SIP")),
        ("400", invite("b11").replace("sip:100@127.0.0.1 SIP", "sip:100@[::::1 SIP")),
        ("420", invite("b12").replace("Max-F", "Require: nothing-we-know\r\nMax-F")),
        (
            "415",
            invite("b13")
                .replace("Content-Length: 0\r\n\r\n", "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"),
        ),
        ("422", invite("b14").replace("Max-F", "Session-Expires: 5\r\nSupported: timer\r\nMax-F")),
        ("481", request("CANCEL", "b15")),
        ("481", request("UPDATE", "b16")),
        ("405", request("SUBSCRIBE", "b17")),
        ("501", request("invite", "b18")),
    ];
    for (at, (status, text)) in refused.into_iter().enumerate() {
        peer.send(text.as_bytes()).await;
        let answer = peer.expect("SIP/2.0 ").await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status}")), "{text}\n{answer}");
        if !text.starts_with("INVITE") {
            continue;
        }
        let ack = text.replacen("INVITE", "ACK", 1).replace("1 INVITE", "1 ACK");
        peer.send(ack.as_bytes()).await;
        good::call(&mut rig, &mut peer, &format!("good{at}")).await;
    }
    let dropped: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\r\n\r\n".to_vec(),
        vec![0; 4_000],
        vec![0xff; 65_000],
        b"INVITE".to_vec(),
        b"INVITE sip:a@b SIP/2.0".to_vec(),
        b"INVITE sip:a@b SIP/2.0\r\n\r\n".to_vec(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        b"SIP/2.0 4294967301 better not break the receiver\r\nVia: x\r\n\r\n".to_vec(),
        invite("d1").replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia").into_bytes(),
        invite("d2").replace("Via:", "Nia:").into_bytes(),
        invite("d3").replace("From: ", "From: a\0b").into_bytes(),
        invite("d4").replace("\r\nTo", "\r\n: x\r\nTo").into_bytes(),
        invite("d5").replace("Max-F", &"X: y\r\n".repeat(1_000)).into_bytes(),
        request("ACK", "d6").into_bytes(),
        invite("d7").replace("INVITE sip:100@127.0.0.1 ", "INVITE sip:100@127.0.0.1  two words ").into_bytes(),
    ];
    for (at, bytes) in dropped.into_iter().enumerate() {
        peer.send(&bytes).await;
        assert!(peer.quiet("", Duration::from_millis(30)).await, "case {at} deserves silence");
        good::call(&mut rig, &mut peer, &format!("still{at}")).await;
    }
}

#[tokio::test]
async fn strangers_hear_nothing() {
    let mut config = config(Vec::new());
    config.accept_inbound_from = vec!["192.0.2.0/24".parse().expect("a range")];
    let rig = Rig::start(config).await;
    let mut peer = Scripted::bind().await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    for method in ["OPTIONS", "INVITE", "REGISTER"] {
        peer.send(request(method, method).as_bytes()).await;
    }
    assert!(peer.quiet("", Duration::from_millis(200)).await);
    let mut stream = TcpStream::connect(rig.signaling.tcp_addr().expect("bound")).await.expect("connects");
    let closed = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 16])).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    assert_eq!(rig.signaling.counters().strangers, 4);
    assert_eq!(rig.signaling.counters().received, 0);
}

#[tokio::test]
async fn a_flood_is_cut_and_a_good_call_goes_on_after_it() {
    let mut config = config(Vec::new());
    config.limits.per_source_per_second = 200;
    let mut rig = Rig::start(config).await;
    let mut peer = Scripted::bind().await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    for n in 0..2_000 {
        peer.send(format!("garbage {n}\r\n\r\n").as_bytes()).await;
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(rig.signaling.counters().flooding > 500, "{:?}", rig.signaling.counters());
    good::call(&mut rig, &mut peer, "after").await;
}

async fn connect(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.signaling.tcp_addr().expect("bound")).await.expect("connects")
}

fn over_tcp(method: &str, id: &str) -> String {
    request(method, id).replace("SIP/2.0/UDP", "SIP/2.0/TCP")
}

/// Everything the peer sends until it holds so many complete answers.
async fn answers(stream: &mut TcpStream, count: usize) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    while text.matches("SIP/2.0 200").count() < count {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await;
        let length = read.expect("an answer in time").expect("readable");
        assert!(length > 0, "closed after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    text
}

#[tokio::test]
async fn tcp_split_and_pipelined() {
    let rig = Rig::start(config(Vec::new())).await;
    let mut stream = connect(&rig).await;
    stream.set_nodelay(true).expect("nodelay");
    for byte in over_tcp("OPTIONS", "split").into_bytes() {
        stream.write_all(&[byte]).await.expect("written");
    }
    answers(&mut stream, 1).await;
    let many: String = (0..50).map(|n| over_tcp("OPTIONS", &format!("pipe{n}"))).collect();
    stream.write_all(many.as_bytes()).await.expect("written");
    let text = answers(&mut stream, 50).await;
    assert!((0..50).all(|n| text.contains(&format!("Call-ID: pipe{n}\r\n"))));
    stream.write_all(b"\r\n\r\n").await.expect("written");
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).await.expect("a pong");
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn tcp_without_framing_is_closed() {
    let mut rig = Rig::start(config(Vec::new())).await;
    let mut peer = Scripted::bind().await;
    peer.aim(rig.signaling.udp_addr().expect("bound"));
    for (at, bytes) in [
        over_tcp("OPTIONS", "neg").replace("Content-Length: 0", "Content-Length: -1").into_bytes(),
        over_tcp("OPTIONS", "big").replace("Content-Length: 0", "Content-Length: 99999999").into_bytes(),
        over_tcp("OPTIONS", "two").replace("Content-Length: 0", "Content-Length: 0\r\nl: 7").into_bytes(),
        vec![b'x'; 10_000],
        [0x16, 0x03, 0x01].repeat(100),
        format!("OPTIONS sip:a@b SIP/2.0\r\n{}", "X: y\r\n".repeat(10_000)).into_bytes(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = connect(&rig).await;
        let _ = stream.write_all(&bytes).await;
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "case {at} must be cut");
        good::call(&mut rig, &mut peer, &format!("tcp{at}")).await;
    }
}

#[tokio::test]
async fn slow_idle_and_many_connections_are_cut() {
    let mut config = config(Vec::new());
    config.limits = SignalingLimits {
        slow_sender: Duration::from_millis(300),
        idle_connection: Duration::from_millis(900),
        max_connections_per_source: 10,
        ..SignalingLimits::default()
    };
    let rig = Rig::start(config).await;
    let closes = |mut stream: TcpStream| async move {
        let begun = std::time::Instant::now();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 16])).await.expect("closed");
        begun.elapsed()
    };
    let mut slow = connect(&rig).await;
    slow.write_all(b"OPTIONS sip:a@b SIP/2.0\r\nVia:").await.expect("written");
    let idle = connect(&rig).await;
    let (slow, idle) = tokio::join!(closes(slow), closes(idle));
    assert!(slow < Duration::from_millis(800) && idle > Duration::from_millis(600), "{slow:?} {idle:?}");
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(connect(&rig).await);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = closes(connect(&rig).await).await;
    assert!(refused < Duration::from_millis(400), "the eleventh is closed at once: {refused:?}");
    let mut first = open.swap_remove(0);
    first.write_all(over_tcp("OPTIONS", "fine").as_bytes()).await.expect("written");
    answers(&mut first, 1).await;
}
