//! What a recorded bridge between a browser and a carrier costs.
//!
//! `cargo run --release -p ringback-media --example bridge_cost -- [calls] [seconds]`
//!
//! The peers run in a process of their own (the example starts itself again), so that CPU and memory are the
//! media plane's alone. Each packet carries its send time; the peers measure what was added on the way.

#![allow(clippy::print_stdout, reason = "the figures are the output")]

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use ringback_media::testing::{BrowserPeer, Received, RtpPeer};
use ringback_media::{Circle, Codec, Frame, FrameSink, LegKey, Media, MediaConfig};

const BEAT: Duration = Duration::from_millis(20);
/// Start of calls is spread so that the peers' handshakes do not pile up.
const SETUP_GAP: Duration = Duration::from_millis(15);

/// Time for the last packets to arrive.
const SETTLE: Duration = Duration::from_millis(500);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("peers") {
        return peers(arguments.next().unwrap_or_default().parse()?, arguments.next().unwrap_or_default().parse()?);
    }
    let calls = first.map_or(Ok(50), |calls| calls.parse())?;
    let seconds = arguments.next().map_or(Ok(10), |seconds| seconds.parse())?;
    server(calls, seconds)
}

/// Counts instead of writing: the recorder is measured elsewhere.
struct Counting;

static RECORDED: AtomicU64 = AtomicU64::new(0);

impl FrameSink for Counting {
    fn frame(&mut self, frame: Frame<'_>) {
        RECORDED.fetch_add(frame.payload.len() as u64, Ordering::Relaxed);
    }
    fn mark(&mut self, _: &str, _: bool, _: Instant) {}
    fn finish(&mut self) {}
}

fn server(calls: u128, seconds: u64) -> Result<(), Failure> {
    let (media, mut events) = Media::start(MediaConfig::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    std::thread::spawn(move || while events.blocking_recv().is_some() {});
    let (rss_before, cpu_before) = (status("VmRSS:")?, cpu_ms()?);
    let mut child = Command::new(std::env::current_exe()?)
        .args(["peers", &calls.to_string(), &seconds.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut to_peers = child.stdin.take().ok_or("no pipe")?;
    let mut from_peers = BufReader::new(child.stdout.take().ok_or("no pipe")?);
    for call in 0..calls {
        let (browser, carrier) = (LegKey(call * 2), LegKey(call * 2 + 1));
        let answer = runtime.block_on(media.open_browser(browser, Circle(0), read_block(&mut from_peers)?))?;
        let offer = runtime.block_on(media.open_rtp(carrier))?;
        write!(to_peers, "{answer}\n{offer}\n")?;
        media.apply_answer(carrier, read_block(&mut from_peers)?);
        media.record(browser, Box::new(Counting));
        media.record(carrier, Box::new(Counting));
        media.bridge(browser, carrier);
    }
    let mut line = String::new();
    from_peers.read_line(&mut line)?;
    let setup = cpu_ms()? - cpu_before;
    let (cpu, rss) = (cpu_ms()?, status("VmRSS:")?);
    writeln!(to_peers, "measure")?;
    line.clear();
    from_peers.read_line(&mut line)?;
    let used = cpu_ms()? - cpu;
    let stats = media.stats();
    println!(
        "{{\"calls\":{calls},\"seconds\":{seconds},\"cpu_ms_per_call_s\":{:.3},\"setup_cpu_ms\":{:.2},\"rss_kb_per_call\":{:.0},{},\"recorded_s\":{:.0},\"packets_in\":{},\"packets_out\":{},\"send_errors\":{},\"dropped\":{}}}",
        used / (calls as f64 * seconds as f64),
        setup / calls as f64,
        (rss.max(status("VmRSS:")?) - rss_before) / calls as f64,
        line.trim(),
        RECORDED.load(Ordering::Relaxed) as f64 / 8000.0,
        stats.packets_in,
        stats.packets_out,
        stats.send_errors,
        stats.dropped_by_format + stats.dropped_by_source,
    );
    drop(to_peers);
    child.wait()?;
    media.shutdown();
    Ok(())
}

struct Call {
    browser: BrowserPeer,
    carrier: RtpPeer,
    next: Instant,
}

fn peers(calls: usize, seconds: u64) -> Result<(), Failure> {
    let local = [127, 0, 0, 1].into();
    let mut input = BufReader::new(std::io::stdin());
    let (mut running, mut silence): (Vec<Call>, _) = (Vec::new(), Vec::new());
    for _ in 0..calls {
        let (mut browser, offer) = BrowserPeer::offer(Instant::now(), local)?;
        println!("{}\n", offer.trim_end());
        let answer = read_block(&mut input)?;
        let mut carrier = RtpPeer::bind(local, Codec::Pcmu)?;
        println!("{}\n", carrier.answer(&read_block(&mut input)?).trim_end());
        browser.accept(Instant::now(), &answer)?;
        running.push(Call { browser, carrier, next: Instant::now() });
        let until = Instant::now() + SETUP_GAP;
        while Instant::now() < until || !running.last().is_none_or(|call| call.browser.is_connected()) {
            for call in &mut running {
                call.browser.drive(Instant::now());
                call.carrier.receive(&mut silence);
            }
            silence.clear();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    for call in &mut running {
        call.carrier.receive(&mut silence);
    }
    println!("ready");
    let mut line = String::new();
    input.read_line(&mut line)?;
    let (sent, mut latencies) = exchange(&mut running, seconds)?;
    latencies.sort_unstable();
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!(
        "\"sent\":{sent},\"lost_packets\":{},\"latency_us_p50\":{},\"latency_us_p99\":{}",
        sent - latencies.len(),
        at(0.5),
        at(0.99)
    );
    Ok(())
}

/// Every call sends both ways every 20 ms, evenly staggered; gives packets sent and all latencies in µs.
fn exchange(calls: &mut [Call], seconds: u64) -> Result<(usize, Vec<u64>), Failure> {
    let mut poll = Poll::new()?;
    for (index, call) in calls.iter().enumerate() {
        let sockets = [call.browser.socket().as_raw_fd(), call.carrier.socket().as_raw_fd()];
        for (side, socket) in sockets.iter().enumerate() {
            poll.registry().register(&mut SourceFd(socket), Token(index * 2 + side), Interest::READABLE)?;
        }
    }
    let start = Instant::now();
    let stagger = BEAT / u32::try_from(calls.len())?;
    for (index, call) in calls.iter_mut().enumerate() {
        call.next = start + stagger * u32::try_from(index)?;
    }
    let end = start + Duration::from_secs(seconds);
    let (mut sent, mut latencies, mut packets, mut beat) = (0, Vec::new(), Vec::new(), 0);
    let mut ready = Events::with_capacity(1024);
    let mut payload = [0xffu8; 160];
    while Instant::now() < end + SETTLE {
        // The calls are due one after the other, round and round.
        loop {
            let index = beat % calls.len();
            let call = &mut calls[index];
            let now = Instant::now();
            if call.next > now || now >= end {
                break;
            }
            payload[..8].copy_from_slice(&(start.elapsed().as_nanos() as u64).to_be_bytes());
            call.browser.send(now, &payload);
            payload[..8].copy_from_slice(&(start.elapsed().as_nanos() as u64).to_be_bytes());
            sent += 1 + usize::from(call.carrier.send(&payload).is_ok());
            call.next += BEAT;
            beat += 1;
            call.browser.drive(now);
        }
        poll.poll(&mut ready, Some(Duration::ZERO))?;
        for event in &ready {
            let call = &mut calls[event.token().0 / 2];
            if event.token().0 % 2 == 0 {
                call.browser.drive(Instant::now());
                packets.extend(call.browser.take_received());
            } else {
                call.carrier.receive(&mut packets);
            }
        }
        latencies.extend(packets.drain(..).filter_map(|packet| latency(&packet, start)));
    }
    Ok((sent, latencies))
}

fn latency(packet: &Received, start: Instant) -> Option<u64> {
    let stamp = u64::from_be_bytes(packet.payload.get(..8)?.try_into().ok()?);
    // Silence frames carry no stamp.
    (stamp != u64::MAX)
        .then(|| packet.at.duration_since(start).as_nanos().saturating_sub(u128::from(stamp)) as u64 / 1000)
}

/// A description ends with an empty line.
fn read_block(input: &mut impl BufRead) -> Result<String, Failure> {
    let mut block = String::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(block);
        }
        block.push_str(&line);
    }
}

fn status(name: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    Ok(line.split_ascii_whitespace().next().ok_or("no value")?.parse()?)
}

/// User and system time of this process in milliseconds, from the scheduler's nanosecond counters.
fn cpu_ms() -> Result<f64, Failure> {
    let mut total = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let counters = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += counters.split(' ').next().ok_or("no value")?.parse::<f64>()? / 1e6;
    }
    Ok(total)
}
