//! A trunk found by SRV records of a small name server: failover on silence, refusal and 503, and a name that is lost.

mod peer;

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use peer::{Rig, Sipp, config, free_port};
use ringback_signaling::{EndedBy, FailureCause, SignalingConfig, SignalingEvent, Transport, TrunkConfig};
use tokio::net::UdpSocket;

const RING: Duration = Duration::from_secs(10);

/// Answers SRV and A questions out of a table; all else does not exist.
async fn name_server(records: HashMap<String, Vec<(u16, u16, u16)>>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let answer = answer(&buffer[..length], &records);
            let _ = socket.send_to(&answer, from).await;
        }
    });
    address
}

fn answer(query: &[u8], records: &HashMap<String, Vec<(u16, u16, u16)>>) -> Vec<u8> {
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let label = usize::from(query[at]);
        name += &format!("{}.", String::from_utf8_lossy(&query[at + 1..=at + label]).to_lowercase());
        at += label + 1;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let mut data: Vec<Vec<u8>> = Vec::new();
    match (kind, records.get(&name)) {
        (33, Some(servers)) => {
            for (priority, weight, port) in servers {
                let mut record: Vec<u8> = [*priority, *weight, *port].iter().flat_map(|n| n.to_be_bytes()).collect();
                record.extend(b"\x04edge\x07carrier\x07example\x00");
                data.push(record);
            }
        }
        (1, _) if name == "edge.carrier.example." => data.push(vec![127, 0, 0, 1]),
        _ => {}
    }
    let code = if data.is_empty() { 3 } else { 0 };
    let mut message = query[..2].to_vec();
    message.extend([0x85, 0x80 | code, 0, 1, 0, data.len() as u8, 0, 0, 0, 0]);
    message.extend(&query[12..at + 5]);
    for record in data {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend((record.len() as u16).to_be_bytes());
        message.extend(record);
    }
    message
}

async fn found_by(transport: Transport, servers: &[(u16, u16, u16)]) -> SignalingConfig {
    let service = match transport {
        Transport::Udp => "_sip._udp.carrier.example.",
        Transport::Tcp => "_sip._tcp.carrier.example.",
        Transport::Tls => "_sips._tcp.carrier.example.",
    };
    let trunk = TrunkConfig { port: None, host: "carrier.example".into(), ..peer::trunk(transport, 0) };
    let mut config = config(vec![trunk]);
    config.nameservers = vec![name_server(HashMap::from([(service.to_owned(), servers.to_vec())])).await];
    config.timers.t1 = Duration::from_millis(50);
    config
}

async fn call_and_hang_up(rig: &mut Rig) {
    let key = rig.call(RING);
    rig.answered().await;
    rig.signaling.hang_up(key);
    assert_eq!(rig.over().await, SignalingEvent::Ended { key, by: EndedBy::Local });
}

#[tokio::test]
async fn the_second_server_answers_when_the_first_is_silent_or_closed() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let sipp = Sipp::called("answer", transport, &[]);
        let config = found_by(transport, &[(20, 0, sipp.port), (10, 0, free_port())]).await;
        let mut rig = Rig::start(config).await;
        let begun = std::time::Instant::now();
        call_and_hang_up(&mut rig).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "eight T1 of patience, not 64");
        sipp.passed().await;
    }
}

#[tokio::test]
async fn a_503_sends_the_call_elsewhere_and_a_busy_does_not() {
    let refusing = Sipp::called("refuse", Transport::Udp, &[("status", "503 Service Unavailable")]);
    let sipp = Sipp::called("answer", Transport::Udp, &[]);
    let mut rig = Rig::start(found_by(Transport::Udp, &[(10, 0, refusing.port), (20, 0, sipp.port)]).await).await;
    call_and_hang_up(&mut rig).await;
    refusing.passed().await;
    sipp.passed().await;

    let busy = Sipp::called("refuse", Transport::Udp, &[("status", "486 Busy Here")]);
    let mut rig = Rig::start(found_by(Transport::Udp, &[(10, 0, busy.port), (20, 0, free_port())]).await).await;
    let key = rig.call(RING);
    let SignalingEvent::Failed { key: failed, status, cause, .. } = rig.over().await else { panic!("failed") };
    assert_eq!((failed, status, cause), (key, Some(486), FailureCause::Busy));
    busy.passed().await;
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_said() {
    let mut config = found_by(Transport::Udp, &[]).await;
    config.trunks[0].host = "lost.example".into();
    let (signaling, events) = ringback_signaling::Signaling::start(config).await.expect("starts");
    let mut rig = Rig { signaling, events };
    let told = |event: &SignalingEvent| {
        let says = |cause: &String| cause.contains("lost.example does not exist");
        matches!(event, SignalingEvent::Trunk(state) if !state.up && state.cause.as_ref().is_some_and(says))
    };
    rig.until("the cause", told).await;
}
