//! What the tests with foreign peers share: a stack under test and sipp processes to talk to.

#![allow(dead_code)] // each test binary uses its own part

pub mod certificates;
pub mod good;
pub mod kamailio;
pub mod names;
pub mod relay;
pub mod torture;

use std::{
    net::UdpSocket,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use ringback_signaling::{CallKey, CallRequest, Signaling, SignalingConfig, SignalingEvent, Transport, TrunkConfig};
use tokio::sync::mpsc::Receiver;

pub const OFFER: &str = "v=0\r\no=ringback 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// How long any one event may take.
const PATIENCE: Duration = Duration::from_secs(10);

static SERIAL: AtomicU32 = AtomicU32::new(1);

/// A stack on loopback with one trunk, `trunk`.
pub struct Rig {
    pub signaling: Signaling,
    pub events: Receiver<SignalingEvent>,
}

pub fn config(trunks: Vec<TrunkConfig>) -> SignalingConfig {
    SignalingConfig {
        udp_bind: "127.0.0.1:0".parse().ok(),
        tcp_bind: "127.0.0.1:0".parse().ok(),
        trunks,
        accept_inbound_from: vec!["127.0.0.1".parse().expect("a range")],
        ..SignalingConfig::default()
    }
}

pub fn trunk(transport: Transport, port: u16) -> TrunkConfig {
    let mut trunk = TrunkConfig::new("trunk", transport, "127.0.0.1", port);
    trunk.from_user = "+19165550100".into();
    trunk
}

impl Rig {
    pub async fn start(config: SignalingConfig) -> Self {
        let wants_trunk = !config.trunks.is_empty();
        let (signaling, events) = Signaling::start(config).await.expect("signaling starts");
        let mut rig = Self { signaling, events };
        if wants_trunk {
            rig.until("the trunk is up", |event| matches!(event, SignalingEvent::Trunk(state) if state.up)).await;
        }
        rig
    }

    pub fn call(&self, ring_timeout: Duration) -> CallKey {
        self.call_with(ring_timeout, OFFER)
    }

    /// The same with this session description.
    pub fn call_with(&self, ring_timeout: Duration, sdp: &str) -> CallKey {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let key = CallKey(u128::from(serial));
        let request = CallRequest {
            key,
            trunk: "trunk".into(),
            to_user: "+19165550199".into(),
            caller_id: None,
            display_name: Some("Placer \"County\"".into()),
            sdp: sdp.into(),
            ring_timeout,
            call_id: format!("call-{serial}-{}", std::process::id()),
            from_tag: format!("tag{serial}"),
            branch: format!("branch{serial}"),
            extra_headers: vec![("User-to-User".into(), "c0ffee;encoding=hex".into())],
        };
        self.signaling.place_call(request).expect("room for a call");
        key
    }

    /// The next event of a call that is no `Dialog`.
    pub async fn next(&mut self) -> SignalingEvent {
        loop {
            match tokio::time::timeout(PATIENCE, self.events.recv()).await {
                Ok(Some(SignalingEvent::Dialog(_) | SignalingEvent::Trunk(_))) => {}
                Ok(Some(event)) => return event,
                Ok(None) => panic!("signaling has ended"),
                Err(_) => panic!("no event within {PATIENCE:?}"),
            }
        }
    }

    /// Skips events up to the one wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&SignalingEvent) -> bool) -> SignalingEvent {
        let mut seen = Vec::new();
        loop {
            match tokio::time::timeout(PATIENCE, self.events.recv()).await {
                Ok(Some(event)) if wanted(&event) => return event,
                Ok(Some(event)) => seen.push(event),
                Ok(None) => panic!("signaling has ended while waiting for: {what}; seen {seen:?}"),
                Err(_) => panic!("not within {PATIENCE:?}: {what}; seen {seen:?}"),
            }
        }
    }

    pub async fn answered(&mut self) -> String {
        match self.until("answered", |event| matches!(event, SignalingEvent::Answered { .. })).await {
            SignalingEvent::Answered { sdp, .. } => sdp,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the last event of a call.
    pub async fn over(&mut self) -> SignalingEvent {
        let last =
            |event: &SignalingEvent| matches!(event, SignalingEvent::Ended { .. } | SignalingEvent::Failed { .. });
        self.until("the end of the call", last).await
    }
}

/// A sipp process that must end well.
pub struct Sipp {
    child: Child,
    pub port: u16,
    /// The scenario as run, and the error log.
    files: [PathBuf; 2],
    scenario: String,
}

impl Sipp {
    /// sipp as the called side. `keys` fill `[name]` in the scenario.
    pub fn called(scenario: &str, transport: Transport, keys: &[(&str, &str)]) -> Self {
        Self::called_at(free_port(), scenario, transport, keys, 1)
    }

    /// The same at this port, for so many calls.
    pub fn called_at(port: u16, scenario: &str, transport: Transport, keys: &[(&str, &str)], calls: u32) -> Self {
        let mut sipp = Self::start(port, scenario, transport, keys, calls, None);
        sipp.wait_bound(transport);
        sipp
    }

    /// sipp as the caller of the stack under test.
    pub fn caller(scenario: &str, transport: Transport, target: std::net::SocketAddr) -> Self {
        Self::callers(scenario, transport, target, 1)
    }

    /// So many of them, over one connection where there are connections.
    pub fn callers(scenario: &str, transport: Transport, target: std::net::SocketAddr, calls: u32) -> Self {
        Self::start(free_port(), scenario, transport, &[], calls, Some(target))
    }

    fn start(
        port: u16,
        scenario: &str,
        transport: Transport,
        keys: &[(&str, &str)],
        calls: u32,
        target: Option<std::net::SocketAddr>,
    ) -> Self {
        let scratch =
            |kind: &str| std::env::temp_dir().join(format!("ringback-sipp-{}-{port}.{kind}", std::process::id()));
        let (file, errors) = (scratch("xml"), scratch("log"));
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sipp").join(format!("{scenario}.xml"));
        let mut text = std::fs::read_to_string(&source).expect("the scenario exists");
        for (name, value) in keys {
            // sipp's own -key does not reach the status line.
            text = text.replace(&format!("[{name}]"), value);
        }
        std::fs::write(&file, text).expect("the scenario can be written");
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(&file).args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"]);
        command.args(["-m", &calls.to_string()]);
        command.args(["-timeout", "25s", "-timeout_error", "-trace_err", "-error_file"]).arg(&errors);
        command.args(["-t", if transport == Transport::Tcp { "t1" } else { "u1" }]);
        if let Some(target) = target {
            command.args(["-r", "1000", "-s", "+19165550142"]).arg(target.to_string());
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("sipp cannot be run ({error}); install the package sip-tester"));
        Self { child, port, files: [file, errors], scenario: scenario.into() }
    }

    /// The port is sipp's when nobody else can bind it.
    fn wait_bound(&mut self, transport: Transport) {
        let begun = Instant::now();
        let is_free = |port: u16| match transport {
            Transport::Udp => UdpSocket::bind(("127.0.0.1", port)).is_ok(),
            Transport::Tcp | Transport::Tls => std::net::TcpListener::bind(("127.0.0.1", port)).is_ok(),
        };
        while is_free(self.port) {
            assert!(begun.elapsed() < PATIENCE, "sipp does not bind its port; {}", self.complaint());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn complaint(&mut self) -> String {
        let mut text = std::fs::read_to_string(&self.files[1]).unwrap_or_default();
        if let (Ok(Some(_)), Some(mut stderr)) = (self.child.try_wait(), self.child.stderr.take()) {
            let _ = std::io::Read::read_to_string(&mut stderr, &mut text);
        }
        format!("sipp {}:\n{text}", self.scenario)
    }

    /// Waits for sipp to end; its scenario must have gone as written.
    pub async fn passed(mut self) {
        let begun = Instant::now();
        loop {
            match self.child.try_wait().expect("sipp can be waited for") {
                Some(status) if status.success() => break,
                Some(status) => panic!("{status}: {}", self.complaint()),
                None if begun.elapsed() > Duration::from_secs(30) => panic!("sipp hangs: {}", self.complaint()),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// A port free on UDP and TCP a moment ago, from outside the range the system gives out.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + ((std::process::id().wrapping_mul(97) + step * 3) % 12_000) as u16;
        let both =
            UdpSocket::bind(("127.0.0.1", port)).is_ok() && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if both {
            return port;
        }
    }
}

/// A peer that says exactly what a test wants, over UDP.
pub struct Scripted {
    socket: tokio::net::UdpSocket,
    us: std::net::SocketAddr,
}

impl Scripted {
    pub async fn bind() -> Self {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        Self { socket, us: "127.0.0.1:9".parse().expect("an address") }
    }

    pub fn port(&self) -> u16 {
        self.socket.local_addr().expect("bound").port()
    }

    /// Sends to this address from now on.
    pub fn aim(&mut self, us: std::net::SocketAddr) {
        self.us = us;
    }

    /// The next message whose first line starts so; others are skipped.
    pub async fn expect(&mut self, start: &str) -> String {
        let mut buffer = vec![0; 65_535];
        let mut seen = Vec::new();
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await;
            let (length, source) = received.unwrap_or_else(|_| panic!("no {start}; seen {seen:#?}")).expect("received");
            self.us = source;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(start) {
                return text;
            }
            seen.push(text);
        }
    }

    /// Whether nothing that starts so comes within the time.
    pub async fn quiet(&mut self, start: &str, time: Duration) -> bool {
        let mut buffer = vec![0; 65_535];
        let until = tokio::time::Instant::now() + time;
        while let Ok(received) = tokio::time::timeout_at(until, self.socket.recv_from(&mut buffer)).await {
            let (length, _) = received.expect("received");
            if buffer[..length].starts_with(start.as_bytes()) {
                return false;
            }
        }
        true
    }

    pub async fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.us).await.expect("sent");
    }

    /// Answers a request; `extra` are header lines, each with its line end.
    pub async fn reply(&self, request: &str, status: &str, extra: &str, sdp: &str) {
        self.send(self.response(request, status, "far", extra, sdp).as_bytes()).await;
    }

    pub fn response(&self, request: &str, status: &str, tag: &str, extra: &str, sdp: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let mut value = header(request, name);
            if name == "To" && !value.contains(";tag=") && !status.starts_with("100") {
                value.push_str(&format!(";tag={tag}"));
            }
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Contact: <sip:far@127.0.0.1:{}>\r\n{extra}", self.port()));
        if !sdp.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        text + &format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len())
    }
}

/// A header of a message; fails the test when it is missing.
pub fn header(message: &str, name: &str) -> String {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {message}")).trim().to_owned()
}

/// A parameter of a digest header.
pub fn param(value: &str, name: &str) -> String {
    let rest = value.strip_prefix("Digest ").unwrap_or(value);
    let found = rest.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {value}")).trim_matches('"').to_owned()
}
