//! Fuzzing on stable Rust: inputs that are good, odd and wrong, broken further in the ways of people, programs and chance, fed to
//! every reader of bytes from outside for a bounded time. An input whose outcome is of a kind not seen before is kept and
//! broken further, so the corpus grows towards the depths of a reader without any instrumentation of it.

mod kept;
pub mod mutate;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod sip;
#[cfg(test)]
mod sound;
#[cfg(test)]
mod targets;

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

use mutate::{Dice, Mutator};

/// Inputs kept beside the seeds; more would only dilute the good ones.
const MAX_KEPT: usize = 4000;
/// Longest input kept, in bytes: what is longer tries limits, not grammar.
const MAX_KEPT_BYTES: usize = 8 * 1024;

/// What one target went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub target: &'static str,
    pub inputs: u64,
    /// Kinds of outcome seen.
    pub kinds: usize,
    /// The input that broke it, if one did.
    pub broken_by: Option<Vec<u8>>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} inputs, {} kinds of outcome", self.target, self.inputs, self.kinds)?;
        match &self.broken_by {
            Some(input) => write!(f, ", BROKEN BY \"{}\"", input.escape_ascii()),
            None => Ok(()),
        }
    }
}

/// Gives each kind of outcome a number.
pub fn kind_of(outcome: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    outcome.hash(&mut hasher);
    hasher.finish()
}

/// How long each target is fuzzed: a moment, or RINGBACK_FUZZ_SECONDS.
pub fn time() -> Duration {
    Duration::from_secs(setting("RINGBACK_FUZZ_SECONDS").unwrap_or(1))
}

/// The same inputs come for the same seed: 1, or RINGBACK_FUZZ_SEED.
pub fn seed() -> u64 {
    setting("RINGBACK_FUZZ_SEED").unwrap_or(1)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Feeds `read` for [`time`], first every seed and every input kept from earlier runs as it is. `read` gives the kind of
/// outcome, and panics when an invariant is broken.
pub fn run(target: &'static str, seeds: &[Vec<u8>], words: &[&[u8]], read: impl FnMut(&[u8]) -> u64) -> Report {
    let earlier = kept::kept(target);
    let begin = [seeds, &earlier].concat();
    let (report, corpus) = run_for(time(), seed(), target, &begin, words, read);
    if setting("RINGBACK_FUZZ_KEEP") == Some(1) {
        let found = corpus.get(seeds.len()..).unwrap_or_default();
        let broken = report.broken_by.iter();
        let all: Vec<_> = found.iter().chain(broken).cloned().collect();
        kept::keep(target, &all).expect("the corpus can be written");
    }
    report
}

fn run_for(
    time: Duration,
    seed: u64,
    target: &'static str,
    seeds: &[Vec<u8>],
    words: &[&[u8]],
    mut read: impl FnMut(&[u8]) -> u64,
) -> (Report, Vec<Vec<u8>>) {
    let started = Instant::now();
    let mut dice = Dice::new(seed);
    let mut corpus = seeds.to_vec();
    let mut kinds = HashSet::new();
    let mut report = Report { target, inputs: 0, kinds: 0, broken_by: None };
    while report.inputs < seeds.len() as u64 || started.elapsed() < time {
        let turn = usize::try_from(report.inputs).unwrap_or(usize::MAX);
        let input = match seeds.get(turn) {
            Some(seed) => seed.clone(),
            None => Mutator { corpus: &corpus, words }.input(&mut dice),
        };
        report.inputs += 1;
        let Ok(kind) = panic::catch_unwind(AssertUnwindSafe(|| read(&input))) else {
            report.broken_by = Some(input);
            break;
        };
        let fresh = kinds.insert(kind);
        if fresh && turn >= seeds.len() && corpus.len() < seeds.len() + MAX_KEPT && input.len() <= MAX_KEPT_BYTES {
            corpus.push(input);
        }
    }
    report.kinds = kinds.len();
    (report, corpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_breaks_deep_inside_is_found() {
        // Four steps, each of which is only found from the one before.
        let read = |input: &[u8]| {
            let depth = b"SIP!".iter().zip(input).take_while(|(wanted, byte)| wanted == byte).count();
            assert!(depth < 4, "broken");
            kind_of(depth)
        };
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let (report, _) = run_for(Duration::from_secs(20), 1, "deep", &[b"xxxx".to_vec()], &[], read);
        panic::set_hook(hook);
        assert!(report.broken_by.is_some_and(|input| input.starts_with(b"SIP!")));
    }

    #[test]
    fn the_same_seed_tries_the_same_inputs() {
        let inputs = |seed| {
            let (corpus, mut dice) = (corpus::sip(), Dice::new(seed));
            let mutator = Mutator { corpus: &corpus, words: corpus::SIP_WORDS };
            (0..100).map(|_| mutator.input(&mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(3), inputs(3));
        assert_ne!(inputs(3), inputs(4));
    }
}
