//! `sim --seed S --contacts N`: random days on the real core until N contacts have come and gone.
//! `sim --seed S --seeds K --events E`: K wilder days, from seed S on, of E events each.
//!
//! `--threads N` (default: the processors), `--minutes M` (no further day is begun after that). The last line is JSON. A
//! violation is told with its seed, the event and what led to it; exit code 1.

use std::{process::ExitCode, time::Duration};

use ringback_tests::sim::{
    run::{Options, Violation, Work, run},
    site::Bound,
};

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "the result of a command-line tool")]
fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    // What panics is told below, with its story.
    std::panic::set_hook(Box::new(|_| {}));
    match run(&options, |words| eprintln!("{words}")) {
        Ok(summary) => {
            println!("{}", serde_json::to_string(&summary).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(violation) => {
            tell(&violation);
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "the result of a command-line tool")]
fn tell(violation: &Violation) {
    for line in &violation.story {
        println!("{line}");
    }
    let seed = violation.unit.seed;
    let (again, bound) = match violation.unit.bound {
        Bound::Contacts(contacts) => (format!("--seed {seed} --contacts {contacts}"), contacts),
        Bound::Events(events) => (format!("--seed {seed} --seeds 1 --events {events}"), events),
    };
    println!("VIOLATION at event {} (seed {seed}, bound {bound}): {}", violation.event, violation.fault);
    println!("again: sim {again}");
    println!("{}", serde_json::json!({ "seed": seed, "event": violation.event, "violations": 1 }));
}

fn options() -> Result<Options, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut seed, mut contacts, mut seeds, mut events) = (7, None, None, 10_000);
    let (mut threads, mut limit) = (threads, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number: u64 = value.parse().map_err(|_| format!("{word}: {value} is no number"))?;
        match word.as_str() {
            "--seed" => seed = number,
            "--contacts" => contacts = Some(number),
            "--seeds" => seeds = Some(number),
            "--events" => events = number,
            "--threads" => threads = number as usize,
            "--minutes" => limit = Some(Duration::from_secs(number * 60)),
            _ => {
                return Err(format!(
                    "unknown argument {word}; there are --seed S, --contacts N, --seeds K, --events E, --threads N, --minutes M"
                ));
            }
        }
    }
    let work = match (contacts, seeds) {
        (_, Some(seeds)) => Work::Seeds { seeds, events },
        (contacts, None) => Work::Contacts(contacts.unwrap_or(100_000)),
    };
    Ok(Options { seed, work, threads, limit })
}
