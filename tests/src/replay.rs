//! The journal of a run, fed to fresh cores: the same events must give the same changes and commands, byte for byte.

use ringback_routing::{Core, core::Start, event::Event, output::Output, time::Timestamp};
use ringback_store::{JournalEntry, JournalKind};
use sha2::{Digest, Sha256};

/// What went wrong at which entry.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    #[error("entry {seq}: the journal does not begin with a start")]
    NoStart { seq: u64 },
    #[error("entry {seq}: cannot be read: {error}")]
    Unreadable { seq: u64, error: serde_json::Error },
    #[error("entry {seq} at {at:?} ({kind:?} {body}): other outputs than in the run: {outputs}")]
    Outputs { seq: u64, at: Timestamp, kind: JournalKind, body: String, outputs: String },
}

/// Replays one tenant's journal; the number of entries that came out the same.
pub fn replay(journal: &[JournalEntry]) -> Result<usize, Box<Difference>> {
    let mut core: Option<Core> = None;
    for entry in journal {
        let unreadable = |error| Box::new(Difference::Unreadable { seq: entry.seq, error });
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
    }
    Ok(journal.len())
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
