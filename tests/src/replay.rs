//! The journal of a run, fed to fresh cores: the same events must give the same changes and commands, byte for byte.

use ringback_routing::{Core, core::Start, event::Event, output::Output, time::Timestamp};
use ringback_store::{JournalEntry, JournalKind};
use sha2::{Digest, Sha256};

/// What went wrong at which entry.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    #[error("entry {seq}: the journal does not begin with a start")]
    NoStart { seq: u64 },
    #[error("entry {seq}: those before it are not there, and nobody had them erased")]
    Gap { seq: u64 },
    #[error("entry {seq}: cannot be read: {error}")]
    Unreadable { seq: u64, error: serde_json::Error },
    #[error("entry {seq} at {at:?} ({kind:?} {body}): other outputs than in the run: {outputs}")]
    Outputs { seq: u64, at: Timestamp, kind: JournalKind, body: String, outputs: String },
}

/// What a journal came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Entries that came out the same.
    pub same: usize,
    /// Entries after others that were erased with a person's data, up to the next start: nothing can be said of them.
    pub after_erased: usize,
}

/// Replays one tenant's journal. `erased`: a person's data was erased, and what told of them with it.
///
/// # Errors
/// The first entry that comes out otherwise, cannot be read, or follows on others that are missing without that.
pub fn replay(journal: &[JournalEntry], erased: bool) -> Result<Replayed, Box<Difference>> {
    let (mut core, mut last, mut told): (Option<Core>, u64, Replayed) = Default::default();
    for entry in journal {
        let unreadable = |error| Box::new(Difference::Unreadable { seq: entry.seq, error });
        let follows = entry.kind == JournalKind::Start || entry.seq == last + 1;
        last = entry.seq;
        if !follows && !erased {
            return Err(Box::new(Difference::Gap { seq: entry.seq }));
        }
        if !follows {
            core = None;
        }
        if erased && core.is_none() && entry.kind != JournalKind::Start {
            told.after_erased += 1;
            continue;
        }
        match entry.kind {
            JournalKind::Start => {
                let start: Start = serde_json::from_str(&entry.body).map_err(unreadable)?;
                core = Some(Core::restore(entry.at, start));
            }
            JournalKind::Event => {
                let event: Event = serde_json::from_str(&entry.body).map_err(unreadable)?;
                // Refusals are journalled too: they must be refused again and change nothing.
                let _ = started(&mut core, entry)?.handle(entry.at, event);
            }
            JournalKind::Timeout => started(&mut core, entry)?.handle_timeout(entry.at),
        }
        compare(started(&mut core, entry)?, entry)?;
        told.same += 1;
    }
    Ok(told)
}

fn started<'a>(core: &'a mut Option<Core>, entry: &JournalEntry) -> Result<&'a mut Core, Box<Difference>> {
    core.as_mut().ok_or_else(|| Box::new(Difference::NoStart { seq: entry.seq }))
}

fn compare(core: &mut Core, entry: &JournalEntry) -> Result<(), Box<Difference>> {
    let outputs: Vec<Output> = std::iter::from_fn(|| core.poll_output()).collect();
    let json =
        serde_json::to_string(&outputs).map_err(|error| Box::new(Difference::Unreadable { seq: entry.seq, error }))?;
    let digest: String = Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != entry.outputs_digest {
        return Err(Box::new(Difference::Outputs {
            seq: entry.seq,
            at: entry.at,
            kind: entry.kind,
            body: entry.body.clone(),
            outputs: json,
        }));
    }
    // Panics with the invariant's name when one is broken.
    core.check();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64) -> JournalEntry {
        let (at, kind) = (Timestamp::from_millis(0), JournalKind::Timeout);
        JournalEntry { at, seq, kind, body: String::new(), outputs_digest: String::new() }
    }

    #[test]
    fn what_is_missing_is_told_unless_it_was_erased() {
        let torn = [entry(3), entry(4), entry(6)];
        assert!(matches!(*replay(&torn, false).unwrap_err(), Difference::Gap { seq: 3 }));
        assert_eq!(replay(&torn, true).unwrap(), Replayed { same: 0, after_erased: 3 });
        assert!(matches!(*replay(&[entry(1)], false).unwrap_err(), Difference::NoStart { seq: 1 }));
    }
}
