//! The load generator: browsers and a carrier in this process, the server in another, all on loopback, every call recorded.
//!
//! Agents are driven by the same HTTP and WebSocket API as the agent's page; sound goes by real ICE, DTLS and SRTP on one
//! side and RTP on the other. Each packet carries the moment it was sent, so one clock measures what the server adds.

pub(crate) mod carrier;
pub(crate) mod desk;
pub(crate) mod http;
pub(crate) mod server;
pub(crate) mod sound;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;

use self::{
    desk::{Floor, Shift},
    server::{Server, Usage},
    sound::{Sound, Tally},
};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Longest the calls may take to come up.
const SETUP_LIMIT: Duration = Duration::from_secs(180);
/// Between the last bridge and the measurement.
const SETTLE: Duration = Duration::from_secs(2);
/// What is under way when the measurement ends may still arrive.
const DRAIN: Duration = Duration::from_millis(500);
/// Soak: how long each call lasts before its agent ends it.
const CYCLE: Duration = Duration::from_secs(15);
/// Soak: what resident memory may grow by over the run, beside a twentieth of itself.
const FLAT_KB: i64 = 4096;
/// Soak: descriptors that may be more at the end than at the start: calls are at different points of their life.
const FLAT_DESCRIPTORS: i64 = 20;

#[derive(Debug)]
pub struct Options {
    pub calls: usize,
    pub seconds: u64,
    /// The server's binary.
    pub server: PathBuf,
    /// Soak: calls come and go, and memory and descriptors must not grow.
    pub flat: bool,
}

/// The last line. Figures are of the server's process alone; latency is what it adds one way.
#[derive(Debug, Serialize)]
pub struct Report {
    pub calls: usize,
    pub seconds: f64,
    pub cpu_ms_per_call_s: f64,
    pub rss_kb_per_call: f64,
    pub lost_packets: u64,
    pub latency_us_p50: u64,
    pub latency_us_p99: u64,
    pub setup_cpu_ms: f64,
    pub packets: u64,
    pub calls_made: u64,
    pub recordings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
}

#[derive(Debug, Serialize)]
pub struct Growth {
    pub rss_kb: i64,
    pub descriptors: i64,
    pub flat: bool,
}

/// Runs the whole measurement.
///
/// # Errors
/// When the server does not start, a call does not come up in time, or a peer fails.
pub async fn run(options: &Options, say: impl Fn(&str)) -> Result<Report, Failure> {
    let carrier = carrier::Carrier::bind()?;
    let server = Server::start(options, carrier.port()).await?;
    let sound = Arc::new(Sound::start(options.calls, !options.flat)?);
    carrier.serve(Arc::clone(&sound));
    let idle = server.usage()?;
    say("the server is up; agents sign in");
    let shift = if options.flat { Shift::Cycle(CYCLE) } else { Shift::Hold };
    let floor = Floor::open(&server, &sound, options.calls, shift).await?;
    let before = server.usage()?;
    say("agents are available; customers ask to be called");
    floor.ask(&server, options.calls).await?;
    wait_until_bridged(&sound, options, &server).await?;
    let set_up = server.usage()?;
    say("all calls are up; measuring");
    tokio::time::sleep(SETTLE).await;
    let (report, growth) = measure(options, &server, &sound).await?;
    let Measured { took, used, from, tally } = report;
    let calls = options.calls as f64;
    let recordings = server.recordings();
    let report = Report {
        calls: options.calls,
        seconds: took.as_secs_f64(),
        cpu_ms_per_call_s: round(used.as_secs_f64() * 1000.0 / calls / took.as_secs_f64()),
        rss_kb_per_call: round((from.rss_kb - idle.rss_kb) as f64 / calls),
        lost_packets: tally.lost,
        latency_us_p50: tally.percentile(0.50),
        latency_us_p99: tally.percentile(0.99),
        setup_cpu_ms: round((set_up.cpu - before.cpu).as_secs_f64() * 1000.0 / calls),
        packets: tally.received,
        calls_made: floor.calls_made(),
        recordings,
        growth,
    };
    drop(floor);
    server.stop().await?;
    if recordings < options.calls * 2 {
        return Err(format!("only {recordings} recordings of {} legs", options.calls * 2).into());
    }
    Ok(report)
}

struct Measured {
    took: Duration,
    used: Duration,
    from: Usage,
    tally: Tally,
}

async fn measure(options: &Options, server: &Server, sound: &Sound) -> Result<(Measured, Option<Growth>), Failure> {
    let from = server.usage()?;
    sound.measure(true);
    let began = Instant::now();
    // Soak: the first tenth warms caches and pools.
    let warm = Duration::from_secs(options.seconds / 10);
    let mut early = from;
    if options.flat {
        tokio::time::sleep(warm).await;
        early = server.usage()?;
    }
    tokio::time::sleep(Duration::from_secs(options.seconds).saturating_sub(began.elapsed())).await;
    let took = began.elapsed();
    let to = server.usage()?;
    sound.measure(false);
    tokio::time::sleep(DRAIN).await;
    let tally = sound.tally();
    let growth = options.flat.then(|| {
        let rss_kb = to.rss_kb - early.rss_kb;
        let descriptors = to.descriptors - early.descriptors;
        let flat = rss_kb <= FLAT_KB + early.rss_kb / 20 && descriptors <= FLAT_DESCRIPTORS;
        Growth { rss_kb, descriptors, flat }
    });
    Ok((Measured { took, used: to.cpu.saturating_sub(from.cpu), from, tally }, growth))
}

async fn wait_until_bridged(sound: &Sound, options: &Options, server: &Server) -> Result<(), Failure> {
    let deadline = Instant::now() + SETUP_LIMIT;
    while sound.bridged() < options.calls {
        if Instant::now() > deadline || !server.is_running() {
            return Err(format!("{} of {} calls came up", sound.bridged(), options.calls).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
