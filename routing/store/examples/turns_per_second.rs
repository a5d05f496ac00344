//! Committed turns per second with submitters that each wait for their answer: what group commit is worth.
//!
//! `cargo run --release -p ringback-store --example turns_per_second -- [URL] [submitters] [seconds]`; without a URL a
//! SQLite file in the temporary folder is used (set TMPDIR to a real disk to see what fsync costs).

#![allow(clippy::print_stdout)] // The result is for whoever ran it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ringback_routing::{
    agent::Presence,
    contact::{Channel, Contact, ContactState, Customer},
    ids::*,
    output::{Change, Fact},
    reason::Reason,
    time::Timestamp,
};
use ringback_store::{JournalEntry, JournalKind, Store, StoreConfig, StoreError, TurnWrite};

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let mut arguments = std::env::args().skip(1);
    let folder = tempfile::tempdir()?;
    let url = arguments.next().unwrap_or_else(|| format!("sqlite://{}", folder.path().join("bench.sqlite").display()));
    let submitters: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(8);
    let seconds: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let store = Store::open(&url, StoreConfig::default()).await?;
    let mut tasks = Vec::new();
    for number in 0..submitters {
        let store = store.clone();
        tasks.push(tokio::spawn(async move { submit(&store, number, Duration::from_secs(seconds)).await }));
    }
    let (mut turns, mut waits) = (0u64, Vec::new());
    for task in tasks {
        let mut mine = task.await.map_err(|_| StoreError::Closed)??;
        turns += mine.len() as u64;
        waits.append(&mut mine);
    }
    waits.sort();
    let stats = store.stats();
    store.close().await;
    println!(
        "{:?}: {submitters} submitters, {} turns/s, {:.1} turns per transaction, wait p50 {:?} p99 {:?}",
        store.dialect(),
        turns / seconds.max(1),
        stats.committed as f64 / stats.groups.max(1) as f64,
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
    );
    Ok(())
}

/// One tenant's owner: a turn like that of a callback on its way, again and again.
async fn submit(store: &Store, number: u64, span: Duration) -> Result<Vec<Duration>, StoreError> {
    let tenant = TenantId::new(format!("tenant-{number}"));
    let epoch = store.acquire_lease(&tenant, "bench", Timestamp::from_millis(0)).await?;
    let (began, mut waits) = (Instant::now(), Vec::new());
    while began.elapsed() < span {
        let seq = waits.len() as u64 + 1;
        let asked = Instant::now();
        store.commit(turn(&tenant, epoch, seq, u128::from(number) << 64 | u128::from(seq / 10))).await?;
        waits.push(asked.elapsed());
    }
    Ok(waits)
}

fn turn(tenant: &TenantId, epoch: i64, seq: u64, id: u128) -> TurnWrite {
    let now = Timestamp::from_millis(1_700_000_000_000 + seq as i64);
    let contact = Contact {
        id: ContactId(id),
        channel: Channel::Callback,
        state: ContactState::Queued { since: now },
        customer: std::sync::Arc::new(Customer {
            name: "Maria Example".into(),
            number: "+19165550101".into(),
            number_key: format!("{id:032x}"),
            customer_id: None,
            verified: false,
            number_proven: false,
            language: "en".into(),
            page: None,
            context: BTreeMap::new(),
        }),
        queue: QueueId::new("general"),
        subject: SubjectId::new("general"),
        priority: 5,
        target: 1,
        widen_at: None,
        preferred: None,
        requested_at: now,
        status_token_digest: Some(format!("{id:064x}").into()),
        segments: Vec::new(),
        attempts: Vec::new(),
        cool_off: BTreeMap::new(),
        position_when_requested: 1,
        ewt_when_requested: None,
        first_wait: None,
        config_version: 1,
        reason: Reason::JustRequested,
        closed_at: None,
        chat: None,
        third: None,
        third_end: None,
        over: None,
    };
    TurnWrite {
        tenant: tenant.clone(),
        epoch,
        journal: vec![JournalEntry {
            at: now,
            seq,
            kind: JournalKind::Event,
            body: "{\"event\":\"callback_requested\"}".repeat(8),
            outputs_digest: format!("{seq:064x}"),
        }],
        changes: vec![
            Change::ContactFact { contact: contact.id, at: now, fact: Fact::Queued { reason: Reason::JustRequested } },
            Change::PresenceChanged { agent: AgentId::new("ann"), at: now, presence: Presence::Ready, reason: None },
            Change::ContactSaved { contact: Box::new(contact) },
        ],
    }
}
