//! Garbage for the SIP port while calls go on: noise, half messages, scanners' requests, idle and dawdling connections. Half of
//! it from an address nobody knows, half from one that is let in and then has to be held back by its rate.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::load::Failure;

/// Not on any list.
pub const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// On the list of those who may call.
pub const ADMITTED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// Connections opened and hardly used, from the one address that has a reason to connect; most are refused.
const IDLE_CONNECTIONS: usize = 600;

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Fallout {
    pub packets: u64,
    /// What the stranger was told; must be nothing.
    pub answers_to_strangers: u64,
    pub connections: u64,
}

/// Sends `rate` packets a second for `seconds` and prints what came of it as JSON.
#[allow(clippy::print_stdout, reason = "how the result is told")]
pub fn rage(udp: SocketAddr, tcp: SocketAddr, rate: u32, seconds: u32) -> Result<(), Failure> {
    let sockets = [UdpSocket::bind((STRANGER, 0))?, UdpSocket::bind((ADMITTED, 0))?];
    for socket in &sockets {
        socket.set_nonblocking(true)?;
    }
    let mut fallout = Fallout::default();
    let connections: Vec<TcpStream> = (0..IDLE_CONNECTIONS).filter_map(|_| TcpStream::connect(tcp).ok()).collect();
    fallout.connections = connections.len() as u64;
    // Some of them dawdle: a byte now and then of a message that never ends.
    let mut dawdlers: Vec<TcpStream> = connections.iter().take(50).filter_map(|c| c.try_clone().ok()).collect();
    let (begun, end) = (Instant::now(), Duration::from_secs(seconds.into()));
    let mut dice: u64 = 0x5eed;
    let mut buffer = [0; 2_048];
    while begun.elapsed() < end {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        while fallout.packets < due {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let socket = &sockets[(fallout.packets % 2) as usize];
            // A full buffer drops it, which is as good as sent.
            let _ = socket.send_to(&packet(dice), udp);
            fallout.packets += 1;
        }
        while sockets[0].recv_from(&mut buffer).is_ok() {
            fallout.answers_to_strangers += 1;
        }
        while sockets[1].recv_from(&mut buffer).is_ok() {}
        for dawdler in &mut dawdlers {
            let _ = dawdler.write_all(b"O");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    println!("{}", serde_json::to_string(&fallout)?);
    Ok(())
}

fn packet(dice: u64) -> Vec<u8> {
    let number = dice >> 32;
    let head = |method: &str, body: usize| {
        format!(
            "{method} sip:{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.3:5060;branch=z9hG4bK{number}\r\n\
             From: <sip:100@127.0.0.1>;tag={number}\r\nTo: <sip:{number}@127.0.0.1>\r\nCall-ID: {number}\r\n\
             CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:x@127.0.0.3>\r\nContent-Length: {body}\r\n\r\n"
        )
        .into_bytes()
    };
    match number % 8 {
        0 => dice.to_le_bytes().repeat(1 + (number % 150) as usize),
        1 => head("OPTIONS", 0),
        2 => head("REGISTER", 0),
        3 => head("INVITE", 0),
        4 => head("INVITE", 100_000),
        5 => head("BYE", 0)[..40].to_vec(),
        6 => format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{number}\r\n\r\n").into_bytes(),
        _ => head("INVITE", 0).iter().map(|byte| byte ^ ((number % 7) as u8)).collect(),
    }
}
