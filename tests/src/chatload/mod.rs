//! Chats under load: customers and agents in this process, the server in another, over the same HTTP and WebSocket API as
//! the pages'. Every acknowledgement is remembered and looked for again: at the other end's socket, and in what the server
//! reads back.

mod agent;
mod customer;
mod line;
mod tally;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::task::JoinSet;

use self::tally::Tally;
use crate::load::{self, Failure, server::Server};

/// Chats an agent has at one time.
const SLOTS: usize = 2;
/// Agents that connect at one time.
const AT_ONCE: usize = 20;
const SETUP_LIMIT: Duration = Duration::from_secs(240);
/// Before the idle memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// What is under way when the writing ends has so long to arrive; a restart takes a part of it.
const DRAIN: Duration = Duration::from_secs(6);

#[derive(Debug)]
pub struct Options {
    pub chats: usize,
    pub seconds: u64,
    /// Messages per chat and second, both ends together.
    pub rate: f64,
    /// In the middle of it the server is killed (`kill -9`) and started again.
    pub kill: bool,
    /// The server's binary.
    pub server: PathBuf,
}

/// The last line. Memory is of the server's process alone.
#[derive(Debug, Serialize)]
pub struct Report {
    pub chats: usize,
    pub seconds: f64,
    /// Acknowledged.
    pub messages_per_s: f64,
    pub ack_ms_p50: f64,
    pub ack_ms_p99: f64,
    /// Acknowledged, and not to be found at the other end or when read back.
    pub lost: usize,
    pub doubled: usize,
    pub rss_kb_per_chat: f64,
    pub cpu_ms_per_message: f64,
    pub messages: usize,
    pub killed: bool,
}

/// What everybody on the floor shares.
pub(crate) struct Floor {
    pub(crate) port: u16,
    pub(crate) tally: Tally,
    pub(crate) ready: AtomicUsize,
    pub(crate) talking: AtomicUsize,
    /// Whether anybody writes now.
    pub(crate) writing: AtomicBool,
    /// Between two messages of one end.
    pub(crate) pace: Duration,
}

/// Runs the whole measurement.
///
/// # Errors
/// When the server does not start, or the chats do not come up in time.
pub async fn run(options: &Options, say: impl Fn(&str)) -> Result<Report, Failure> {
    let agents = options.chats.div_ceil(SLOTS);
    let load = load::Options { calls: agents, seconds: options.seconds, server: options.server.clone(), flat: false };
    // No carrier answers there: nobody is called.
    let server = Server::start(&load, 9).await?;
    let floor = Arc::new(Floor {
        port: server.port,
        tally: Tally::default(),
        ready: AtomicUsize::new(0),
        talking: AtomicUsize::new(0),
        writing: AtomicBool::new(false),
        pace: Duration::from_secs_f64(2.0 / options.rate.max(0.01)),
    });
    let mut people = JoinSet::new();
    say("the server is up; agents connect");
    for number in 0..agents {
        wait(&server, &mut people, || floor.ready.load(Relaxed) + AT_ONCE > number, "agents to be available").await?;
        people.spawn(agent::work(Arc::clone(&floor), number));
    }
    wait(&server, &mut people, || floor.ready.load(Relaxed) >= agents, "agents to be available").await?;
    tokio::time::sleep(SETTLE).await;
    let before = server.usage()?;
    say("agents are available; customers ask");
    for number in 0..options.chats {
        let link = customer::ask(floor.port, number).await?;
        people.spawn(customer::talk(Arc::clone(&floor), number, link));
    }
    wait(&server, &mut people, || floor.talking.load(Relaxed) >= options.chats, "chats to be accepted").await?;
    tokio::time::sleep(SETTLE).await;
    let idle = server.usage()?;
    say("all chats are open; writing");
    let began = Instant::now();
    floor.writing.store(true, Relaxed);
    write(options, &server, &say).await?;
    floor.writing.store(false, Relaxed);
    let took = began.elapsed();
    let after = server.usage()?;
    tokio::time::sleep(DRAIN).await;
    people.abort_all();
    say("reading back");
    let verdict = floor.tally.judge(floor.port).await?;
    server.stop().await?;
    Ok(Report {
        chats: options.chats,
        seconds: round(took.as_secs_f64()),
        messages_per_s: round(verdict.acknowledged as f64 / took.as_secs_f64()),
        ack_ms_p50: verdict.ack_ms(0.50),
        ack_ms_p99: verdict.ack_ms(0.99),
        lost: verdict.lost,
        doubled: verdict.doubled,
        rss_kb_per_chat: round((idle.rss_kb - before.rss_kb) as f64 / options.chats as f64),
        cpu_ms_per_message: match options.kill {
            // The process that counted is gone.
            true => 0.0,
            false => round((after.cpu - idle.cpu).as_secs_f64() * 1000.0 / verdict.acknowledged.max(1) as f64),
        },
        messages: verdict.acknowledged,
        killed: options.kill,
    })
}

async fn write(options: &Options, server: &Server, say: &impl Fn(&str)) -> Result<(), Failure> {
    let whole = Duration::from_secs(options.seconds);
    if !options.kill {
        tokio::time::sleep(whole).await;
        return Ok(());
    }
    tokio::time::sleep(whole / 2).await;
    say("the power goes");
    server.cut_power(&options.server).await?;
    say("and is back");
    tokio::time::sleep(whole / 2).await;
    Ok(())
}

/// Waits until `done`; a person who gave up ends it.
async fn wait(
    server: &Server,
    people: &mut JoinSet<Result<(), Failure>>,
    done: impl Fn() -> bool,
    what: &str,
) -> Result<(), Failure> {
    let deadline = Instant::now() + SETUP_LIMIT;
    while !done() {
        match people.try_join_next() {
            Some(Ok(Err(error))) => return Err(error),
            Some(Err(error)) => return Err(error.into()),
            _ => {}
        }
        if Instant::now() > deadline || !server.is_running() {
            return Err(format!("waited in vain for {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
