//! What a call costs the signaling crate alone: outbound, authenticated, held until all are up, then hung up.

pub mod far;
pub mod storm;

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ringback_signaling::{
    CallKey, CallRequest, Signaling, SignalingConfig, SignalingEvent, SignalingLimits, Transport, TrunkConfig,
};
use serde::Serialize;
use tokio::sync::mpsc::Receiver;

use crate::load::Failure;

const SDP: &str = "v=0\r\no=near 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// How long the last calls may take after their time.
const PATIENCE: Duration = Duration::from_secs(40);

/// Clock ticks of /proc are hundredths of a second on every Linux.
const TICK_SECONDS: f64 = 0.01;

pub struct Options {
    /// Calls begun per second.
    pub cps: u32,
    /// For how long calls are begun; each is held for as long.
    pub seconds: u32,
    /// Packets of garbage per second meanwhile; 0 = none.
    pub storm: u32,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub calls: u32,
    pub failed: u32,
    pub cpu_s_per_1000_calls: f64,
    pub kb_per_dialog: f64,
    pub setup_ms_p50: f64,
    pub setup_ms_p99: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<storm::Fallout>,
    /// What the guard dropped unread meanwhile.
    pub dropped: u64,
}

impl Report {
    /// Whether every call went well and no stranger was told anything.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.storm.as_ref().is_none_or(|storm| storm.answers_to_strangers == 0)
    }
}

struct Run {
    signaling: Signaling,
    events: Receiver<SignalingEvent>,
    placed: HashMap<CallKey, Instant>,
    setups: Vec<Duration>,
    answered: u32,
    failed: u32,
    ended: u32,
}

pub async fn run(options: &Options) -> Result<Report, Failure> {
    let carrier = Carrier::start()?;
    let calls = options.cps * options.seconds;
    let mut run = Run::start(&carrier, calls, options.storm > 0).await?;
    run.warm_up().await?;
    let storm = run.storm(options)?;
    let (cpu, memory) = usage()?;
    let begun = Instant::now();
    let pace = Duration::from_secs(1) / options.cps.max(1);
    for number in 0..calls {
        run.until(begun + pace * number).await;
        run.place(number)?;
    }
    run.until_all(|run| run.answered + run.failed >= calls).await;
    let (_, full) = usage()?;
    let live = run.answered.max(1);
    let begun = Instant::now();
    for number in 0..calls {
        run.until(begun + pace * number).await;
        run.signaling.hang_up(CallKey(u128::from(number)));
    }
    run.until_all(|run| run.ended >= run.answered).await;
    let (spent, _) = usage()?;
    let storm = storm.map(Companion::last_line).transpose()?;
    let storm = storm.map(|line| serde_json::from_str(&line)).transpose()?;
    let counters = run.signaling.counters();
    run.setups.sort();
    let share = |per_mille: usize| {
        let at = (run.setups.len() * per_mille / 1_000).min(run.setups.len().saturating_sub(1));
        run.setups.get(at).map_or(0.0, |setup| setup.as_secs_f64() * 1_000.0)
    };
    Ok(Report {
        calls,
        failed: calls - run.ended.min(calls),
        cpu_s_per_1000_calls: rounded((spent - cpu) / f64::from(calls) * 1_000.0),
        kb_per_dialog: rounded((full - memory) / f64::from(live)),
        setup_ms_p50: rounded(share(500)),
        setup_ms_p99: rounded(share(990)),
        storm,
        dropped: counters.strangers + counters.flooding,
    })
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

impl Run {
    async fn start(carrier: &Carrier, calls: u32, storm: bool) -> Result<Self, Failure> {
        let mut trunk = TrunkConfig::new("load", Transport::Udp, "127.0.0.1", carrier.port);
        trunk.username = Some("load".into());
        trunk.password = Some("open sesame".into());
        trunk.from_user = "+19165550000".into();
        let config = SignalingConfig {
            udp_bind: "127.0.0.1:0".parse().ok(),
            tcp_bind: "127.0.0.1:0".parse().ok(),
            accept_inbound_from: vec![storm::ADMITTED.into()],
            trunks: vec![trunk],
            limits: SignalingLimits {
                max_dialogs: calls as usize + 1_000,
                // The carrier is one address and says six things per call; the storm is to feel the limit.
                per_source_per_second: if storm { 2_000 } else { 100_000 },
                event_queue: 65_536,
                ..SignalingLimits::default()
            },
            ..SignalingConfig::default()
        };
        let (signaling, events) = Signaling::start(config).await?;
        let placed = HashMap::with_capacity(calls as usize);
        let setups = Vec::with_capacity(calls as usize);
        Ok(Self { signaling, events, placed, setups, answered: 0, failed: 0, ended: 0 })
    }

    /// A few calls before the measurement, so that what is made once is not counted.
    async fn warm_up(&mut self) -> Result<(), Failure> {
        for number in 0..20 {
            self.place(u32::MAX - number)?;
        }
        self.until_all(|run| run.answered >= 20).await;
        for number in 0..20 {
            self.signaling.hang_up(CallKey(u128::from(u32::MAX - number)));
        }
        self.until_all(|run| run.ended >= 20).await;
        if self.ended < 20 {
            return Err("the first calls did not come about".into());
        }
        (self.answered, self.failed, self.ended) = (0, 0, 0);
        self.setups.clear();
        Ok(())
    }

    /// Garbage for as long as the calls go.
    fn storm(&self, options: &Options) -> Result<Option<Companion>, Failure> {
        if options.storm == 0 {
            return Ok(None);
        }
        let [Some(udp), Some(tcp)] = [self.signaling.udp_addr(), self.signaling.tcp_addr()] else {
            return Err("no sockets".into());
        };
        let words = [udp.to_string(), tcp.to_string(), options.storm.to_string(), (options.seconds * 2).to_string()];
        let arguments: Vec<String> = ["--rage".to_owned()].into_iter().chain(words).collect();
        Companion::start(&arguments).map(Some)
    }

    fn place(&mut self, number: u32) -> Result<(), Failure> {
        let key = CallKey(u128::from(number));
        self.placed.insert(key, Instant::now());
        self.signaling.place_call(CallRequest {
            key,
            trunk: "load".into(),
            to_user: format!("+1916{number:010}"),
            caller_id: None,
            display_name: None,
            sdp: SDP.into(),
            ring_timeout: Duration::from_secs(30),
            call_id: format!("{number}@load"),
            from_tag: format!("near{number}"),
            branch: format!("b{number}"),
            extra_headers: Vec::new(),
        })?;
        Ok(())
    }

    fn on_event(&mut self, event: &SignalingEvent) {
        match event {
            SignalingEvent::Answered { key, .. } => {
                self.answered += 1;
                self.setups.extend(self.placed.remove(key).map(|at| at.elapsed()));
            }
            // The storm calls too: nobody has that number.
            SignalingEvent::Incoming { key, .. } => self.signaling.reject(*key, 404),
            SignalingEvent::Failed { .. } => self.failed += 1,
            SignalingEvent::Ended { key, .. } if key.0 <= u128::from(u32::MAX) => self.ended += 1,
            _ => {}
        }
    }

    async fn until(&mut self, moment: Instant) {
        while let Ok(Some(event)) = tokio::time::timeout_at(moment.into(), self.events.recv()).await {
            self.on_event(&event);
        }
    }

    async fn until_all(&mut self, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            match tokio::time::timeout_at(end.into(), self.events.recv()).await {
                Ok(Some(event)) => self.on_event(&event),
                _ => return,
            }
        }
    }
}

/// CPU seconds and resident kilobytes of this process so far.
fn usage() -> Result<(f64, f64), Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(") ").ok_or("an unusual /proc/self/stat")?;
    let field = |n: usize| rest.split(' ').nth(n).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let status = fs::read_to_string("/proc/self/status")?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    Ok(((field(11) + field(12)) * TICK_SECONDS, rss.unwrap_or(0.0)))
}

/// Another process of this program; killed when dropped.
struct Companion {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Companion {
    fn start(arguments: &[String]) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?).args(arguments).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self { child, output: BufReader::new(output) })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn last_line(mut self) -> Result<String, Failure> {
        self.line()
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The far side.
struct Carrier {
    port: u16,
    _process: Companion,
}

impl Carrier {
    fn start() -> Result<Self, Failure> {
        let mut process = Companion::start(&["--far".to_owned()])?;
        Ok(Self { port: process.line()?.parse()?, _process: process })
    }
}
