//! A burst of callers for few agents: how long until the last of them has been served, and what that costs.
//!
//! The callers are SIP user agents of our own that call the server's number, the agents browsers as in the load generator;
//! all sound flows and is recorded. With `storm` ill will comes from everywhere meanwhile. What two hundred calls of two seconds must take at least is known, so the rest is the server's.

mod callers;
mod storm;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::load::{
    Failure,
    desk::{Floor, Shift},
    server::{House, Server, sounds},
    sound::Sound,
};

/// The number they call.
const CALLED: &str = "+19165550001";
/// After the ideal time the burst may take so much longer before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The storm is waited for until so many connections sit there, or so long.
const CROWD: usize = 3_900;
const CROWD_LIMIT: Duration = Duration::from_secs(20);

const POLICY: &str = "offer_seconds = 60\nwrap_up_seconds = 0";

#[derive(Debug)]
pub struct Options {
    pub callers: usize,
    /// Calls begun per second.
    pub per_second: u32,
    pub agents: usize,
    pub ring: Duration,
    pub talk: Duration,
    /// The server's binary.
    pub server: PathBuf,
    /// Ill will meanwhile.
    pub storm: bool,
}

/// The last line. CPU is of the server's process alone.
#[derive(Debug, Serialize)]
pub struct Report {
    pub callers: usize,
    pub agents: usize,
    /// Callers who spoke to an agent and were hung up on by nobody else.
    pub served: usize,
    /// From the first INVITE to the last BYE.
    pub makespan_s: f64,
    /// What it takes if nothing but ringing and talking takes time.
    pub ideal_s: f64,
    /// All threads but those of media and recording.
    pub cpu_s: f64,
    pub cpu_media_s: f64,
    pub cpu_recorder_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<Weathered>,
}

/// What there was besides the calls, and what it left behind.
#[derive(Debug, Serialize)]
pub struct Weathered {
    /// Datagrams, a volley of the foreign voice counted as one.
    pub datagrams_per_second: f64,
    /// Connections that said nothing, held at the end.
    pub idle_connections: usize,
    pub recordings: usize,
    /// Of these, the ones in which the foreign voice is heard.
    pub foreign: usize,
}

impl Report {
    /// Everybody was served; in a storm all but one in a thousand, and nobody heard or recorded a stranger.
    pub fn is_good(&self) -> bool {
        match &self.storm {
            None => self.served == self.callers,
            Some(storm) => {
                self.served * 1000 >= self.callers * 999 && storm.foreign == 0 && storm.recordings >= 2 * self.served
            }
        }
    }
}

/// The threads that carry sound, and those that write it.
const SOUND: [&str; 2] = ["media", "recorder"];

/// Runs the burst once.
///
/// # Errors
/// When the server does not start, an agent's socket fails, or callers are left over.
pub async fn run(options: &Options, say: impl Fn(&str)) -> Result<Report, Failure> {
    let line = callers::Line::bind()?;
    let tables = format!("[tenant.inbound]\nannounce_seconds = 0\n[[tenant.number]]\nnumber = \"{CALLED}\"");
    let prompts = [("greeting", silence())];
    // In a storm fewer ports, so that more of what is thrown at them hits a call.
    let calls = if options.storm { options.agents * 2 } else { options.callers };
    let binary = options.server.as_path();
    let house = House { binary, calls, agents: options.agents, policy: POLICY, tables: &tables, prompts: &prompts };
    let server = Server::set_up(&house, line.port()).await?;
    let sound = Arc::new(Sound::start(options.callers, false)?);
    say("the server is up; agents sign in");
    let shift = Shift::Serve { ring: options.ring, talk: options.talk };
    let floor = Floor::open(&server, &sound, options.agents, shift).await?;
    let before = usage(&server)?;
    let storm = match options.storm {
        true => Some(begin(&server, &say).await?),
        false => None,
    };
    say("the callers call");
    let callers = line.call(server.sip, options.callers, options.per_second, Arc::clone(&sound));
    let deadline = Instant::now() + Duration::from_secs_f64(ideal(options)) + PATIENCE;
    while callers.left() > 0 && Instant::now() < deadline && server.is_running() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = usage(&server)?;
    let storm = storm.map(storm::Storm::end);
    let seconds = |at: usize| rounded(after[at].saturating_sub(before[at]).as_secs_f64());
    let mut report = Report {
        callers: options.callers,
        agents: options.agents,
        served: callers.served(),
        makespan_s: rounded(callers.makespan().as_secs_f64()),
        ideal_s: rounded(ideal(options)),
        cpu_s: rounded(seconds(0) - seconds(1) - seconds(2)),
        cpu_media_s: seconds(1),
        cpu_recorder_s: seconds(2),
        storm: None,
    };
    drop(floor);
    let folder = server.stop().await?;
    if let Some(done) = storm {
        say("looking for the foreign voice");
        let files = sounds(folder.path());
        let foreign = files.iter().filter(|file| std::fs::read(file).is_ok_and(|bytes| storm::is_in(&bytes))).count();
        report.storm = Some(Weathered {
            datagrams_per_second: done.per_second.round(),
            idle_connections: done.idle,
            recordings: files.len(),
            foreign,
        });
    }
    Ok(report)
}

/// The storm is up when most of the connections that only sit there are.
async fn begin(server: &Server, say: &impl Fn(&str)) -> Result<storm::Storm, Failure> {
    let targets =
        storm::Targets { http: server.port, sip: server.sip, webrtc: server.webrtc, sound: server.sound.clone() };
    let storm = storm::Storm::begin(&targets)?;
    say("the storm rises");
    let until = Instant::now() + CROWD_LIMIT;
    while storm.idle() < CROWD && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(storm)
}

/// Of the whole process, and of the threads of sound.
fn usage(server: &Server) -> Result<[Duration; 3], Failure> {
    let [media, recorder] = SOUND;
    Ok([server.usage()?.cpu, server.cpu_of(media)?, server.cpu_of(recorder)?])
}

/// Each agent has so many callers one after the other; the last round begins when its callers have called.
fn ideal(options: &Options) -> f64 {
    let rounds = options.callers.div_ceil(options.agents.max(1));
    let first = options.agents.min(options.callers) as f64 / f64::from(options.per_second.max(1));
    first + rounds as f64 * (options.ring + options.talk).as_secs_f64()
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// A WAV file of 20 ms: the greeting is not what is measured.
fn silence() -> Vec<u8> {
    const SAMPLES: u32 = 160;
    const RATE: u32 = 8000;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + SAMPLES * 2).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&(SAMPLES * 2).to_le_bytes());
    file.resize(file.len() + SAMPLES as usize * 2, 0);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_time_is_that_of_the_rounds() {
        let (ring, talk) = (Duration::from_millis(200), Duration::from_secs(2));
        let options =
            Options { callers: 200, per_second: 100, agents: 20, ring, talk, server: PathBuf::new(), storm: false };
        assert!((ideal(&options) - 22.2).abs() < 0.001, "{}", ideal(&options));
    }
}
