//! Sites dealt to threads, and what they came to put together in their order.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Fault,
    dice::Digest,
    ledger::Counts,
    site::{Bound, Day, Site, Unit},
};

/// A site of a large run has so many contacts.
const CONTACTS_PER_SITE: u64 = 10_000;

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub seed: u64,
    pub work: Work,
    pub threads: usize,
    /// No further site is begun after this.
    pub limit: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// So many contacts, in as many sites as it takes.
    Contacts(u64),
    /// So many sites of so many events each.
    Seeds { seeds: u64, events: u64 },
}

/// The last line of a run.
#[derive(Debug, serde::Serialize)]
pub struct Summary {
    pub seed: u64,
    pub sites: u64,
    #[serde(flatten)]
    pub counts: Counts,
    pub contacts: u64,
    pub events: u64,
    pub crashes: u64,
    /// Crashes while nobody was being served: the twin is the old core itself.
    pub quiet_crashes: u64,
    /// Crashes with a twin that had to give the same outputs from then on.
    pub twins: u64,
    pub seconds: f64,
    pub events_per_second: u64,
    pub violations: u64,
    pub digest: String,
}

/// A broken invariant, where, and what led to it.
#[derive(Debug, Clone)]
pub struct Violation {
    pub unit: Unit,
    pub event: u64,
    pub fault: Fault,
    pub story: Vec<String>,
}

impl Options {
    fn units(&self) -> Vec<Unit> {
        match self.work {
            Work::Contacts(contacts) => (0..contacts.div_ceil(CONTACTS_PER_SITE))
                .map(|index| Unit {
                    // The first site has the run's own seed, so that one site can be run alone.
                    seed: self.seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                    bound: Bound::Contacts(CONTACTS_PER_SITE.min(contacts - index * CONTACTS_PER_SITE)),
                })
                .collect(),
            Work::Seeds { seeds, events } => {
                (0..seeds).map(|index| Unit { seed: self.seed + index, bound: Bound::Events(events) }).collect()
            }
        }
    }
}

/// Runs it all; `tell` hears how far it is. Stops at the first violation.
pub fn run(options: &Options, tell: impl Fn(String)) -> Result<Summary, Box<Violation>> {
    let units = options.units();
    let began = Instant::now();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let days: Mutex<Vec<Option<Result<Day, Unit>>>> = Mutex::new(vec![None; units.len()]);
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(index) else { return };
            if options.limit.is_some_and(|limit| began.elapsed() > limit) {
                return;
            }
            let day = live(*unit).map_err(|()| *unit);
            stop.fetch_or(day.is_err(), Ordering::Relaxed);
            if let Ok(mut days) = days.lock() {
                days[index] = Some(day);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            progress(&days, units.len(), began, &tell);
        }
    });
    let days = days.into_inner().unwrap_or_default();
    if let Some(unit) = days.iter().flatten().find_map(|day| day.as_ref().err()) {
        return Err(Box::new(investigate(*unit)));
    }
    Ok(add_up(options, days.into_iter().flatten().flatten(), began.elapsed()))
}

/// A line every two seconds.
fn progress(days: &Mutex<Vec<Option<Result<Day, Unit>>>>, of: usize, began: Instant, tell: &impl Fn(String)) {
    let elapsed = began.elapsed();
    if elapsed.as_millis() % 2000 >= 20 || elapsed.as_secs() == 0 {
        return;
    }
    let Ok(days) = days.lock() else { return };
    let done = days.iter().flatten().flatten();
    let (sites, contacts, events) =
        done.fold((0, 0, 0), |sum, day| (sum.0 + 1, sum.1 + day.counts.created, sum.2 + day.events));
    tell(format!("{:>5} s  {sites} of {of} sites, {contacts} contacts, {events} events", elapsed.as_secs()));
}

fn live(unit: Unit) -> Result<Day, ()> {
    let lived = catch_unwind(AssertUnwindSafe(|| Site::new(unit, false)?.run()));
    match lived {
        Ok(Ok(day)) => Ok(day),
        Ok(Err(Fault(_))) | Err(_) => Err(()),
    }
}

/// Lives through the same day once more, remembering: the same seed leads to the same fault.
pub fn investigate(unit: Unit) -> Violation {
    let mut site = match Site::new(unit, true) {
        Ok(site) => site,
        Err(fault) => return Violation { unit, event: 0, fault, story: vec![] },
    };
    let lived = catch_unwind(AssertUnwindSafe(|| site.run()));
    let fault = match lived {
        Ok(Ok(_)) => Fault("not seen again: the same seed did something else".into()),
        Ok(Err(fault)) => fault,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            Fault(words.unwrap_or_else(|| "a panic without words".into()))
        }
    };
    Violation { unit, event: site.events, fault, story: site.story() }
}

fn add_up(options: &Options, days: impl Iterator<Item = Day>, took: Duration) -> Summary {
    let (mut sum, mut sites, mut digest) = (Day::default(), 0, Digest::default());
    for day in days {
        sites += 1;
        sum.counts.add(&day.counts);
        sum.events += day.events;
        sum.crashes += day.crashes;
        sum.twins += day.twins;
        sum.quiet += day.quiet;
        digest.absorb(day.digest);
    }
    let seconds = took.as_secs_f64();
    Summary {
        seed: options.seed,
        sites,
        contacts: sum.counts.created,
        counts: sum.counts,
        events: sum.events,
        crashes: sum.crashes,
        quiet_crashes: sum.quiet,
        twins: sum.twins,
        seconds: (seconds * 100.0).round() / 100.0,
        events_per_second: (sum.events as f64 / seconds.max(0.001)) as u64,
        violations: 0,
        digest: digest.hex(),
    }
}
