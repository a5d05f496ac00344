//! What the turns of a day cost the ledger: the journal of one ledger goes through a core again, turn by turn, into a new one.
//!
//! `cargo run --release -p ringback-store --example turns_again -- URL TENANT [times]`, the URL of the ledger read from. Told are
//! the transactions and the CPU of the thread that writes SQLite.

#![allow(clippy::print_stdout)] // The result is for whoever ran it.

use ringback_routing::{
    Core,
    core::Start,
    event::Event,
    ids::TenantId,
    output::{Change, Output},
    time::Timestamp,
};
use ringback_store::{JournalEntry, JournalKind, Store, StoreConfig, StoreError, TurnWrite};

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(tenant)) = (arguments.next(), arguments.next()) else {
        println!("the URL of a ledger and a tenant are needed");
        return Ok(());
    };
    let times: u32 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let tenant = TenantId::new(tenant);
    let source = Store::open(&url, StoreConfig::default()).await?;
    let journal = source.journal(&tenant).await?;
    source.close().await;
    let turns = turns_of(&journal)?;
    for _ in 0..times {
        let folder = tempfile::tempdir()?;
        let target = format!("sqlite://{}", folder.path().join("again.sqlite").display());
        let store = Store::open(&target, StoreConfig::default()).await?;
        let epoch = store.acquire_lease(&tenant, "again", Timestamp::from_millis(0)).await?;
        let began = std::time::Instant::now();
        let before = writer_cpu_ms();
        for (journal, changes) in &turns {
            let (journal, changes) = (journal.clone(), changes.clone());
            store.commit(TurnWrite { tenant: tenant.clone(), epoch, journal, changes }).await?;
        }
        println!(
            "{} turns, {} entries, {} changes: {:?}, the ledger's thread {} ms of CPU",
            turns.len(),
            journal.len(),
            turns.iter().map(|(_, changes)| changes.len()).sum::<usize>(),
            began.elapsed(),
            writer_cpu_ms() - before
        );
        store.close().await;
    }
    Ok(())
}

/// Entries and changes, turn by turn.
type Turns = Vec<(Vec<JournalEntry>, Vec<Change>)>;

/// What came at the same moment was one turn.
fn turns_of(journal: &[JournalEntry]) -> Result<Turns, StoreError> {
    let unreadable = |_| StoreError::Closed;
    let mut core: Option<Core> = None;
    let mut turns: Turns = Vec::new();
    let mut last = None;
    for entry in journal {
        match (entry.kind, &mut core) {
            (JournalKind::Start, core) => {
                let start: Start = serde_json::from_str(&entry.body).map_err(unreadable)?;
                *core = Some(Core::restore(entry.at, start));
            }
            (JournalKind::Event, Some(core)) => {
                let event: Event = serde_json::from_str(&entry.body).map_err(unreadable)?;
                let _ = core.handle(entry.at, event);
            }
            (JournalKind::Timeout, Some(core)) => core.handle_timeout(entry.at),
            (_, None) => {}
        }
        let Some(core) = &mut core else { continue };
        if last != Some(entry.at) {
            turns.push(Default::default());
            last = Some(entry.at);
        }
        let Some((entries, changes)) = turns.last_mut() else { continue };
        entries.push(entry.clone());
        while let Some(output) = core.poll_output() {
            if let Output::Change(change) = output {
                changes.push(change);
            }
        }
    }
    Ok(turns)
}

fn writer_cpu_ms() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok())
        .filter(|stat| stat.contains("(ledger)"))
        .filter_map(|stat| {
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            Some((fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?) * 10)
        })
        .sum()
}
