//! Many at once, too many, and no space: each answered truthfully.

use std::time::Duration;

use ringback_routing::{contact::*, ids::*};
use ringback_store::{testing::Database, *};

use crate::{
    on_both,
    support::{raw::Raw, *},
};

on_both! {
    eight_writers_at_once_lose_nothing
    a_conflict_fails_alone_in_its_group
    more_than_the_queue_holds_is_refused
    what_waits_is_written_before_closing
    what_may_wait_goes_with_what_may_not
    a_database_that_is_held_does_not_hold_us
    two_nodes_do_not_dial_one_number_twice
}

const WRITERS: u128 = 8;
const TURNS: u128 = 100;

async fn eight_writers_at_once_lose_nothing(database: Database) {
    let store = database.open().await.expect("open");
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let tenant = tenant(&format!("t{writer}"));
                let epoch = store.acquire_lease(&tenant, "n1", at(0)).await.expect("lease");
                for number in 1..=TURNS {
                    let id = writer << 32 | number;
                    let mut one = contact(id, &format!("+1916{id}"));
                    one.attempts.push(attempt(id, 1, AttemptState::Live));
                    store.commit(turn(&tenant, epoch, vec![saved(&one), requested(id, 0)])).await.expect("commit");
                    // Read at once what was just acknowledged, among all the writing.
                    assert_eq!(store.contact(&tenant, one.id).await, Ok(Some(one)));
                }
                (tenant, epoch)
            })
        })
        .collect();
    for task in tasks {
        let (tenant, _) = task.await.expect("no writer fails");
        assert_eq!(store.load_open(&tenant).await.expect("load").0.len() as u128, TURNS);
    }
    let stats = store.stats();
    assert_eq!(u128::from(stats.committed), WRITERS * (TURNS + 1));
    assert_eq!((stats.refused, stats.failed, stats.waiting, stats.disk_full), (0, 0, 0, false));
    assert!(stats.groups < stats.committed, "writes that wait together are committed together: {stats:?}");
}

async fn a_conflict_fails_alone_in_its_group(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let mut holder = contact(1, "+19165550101");
    holder.attempts.push(attempt(1, 1, AttemptState::Live));
    store.commit(turn(&a, epoch, vec![saved(&holder)])).await.expect("commit");
    // On one thread all are queued before the writer wakes: one group.
    let before = store.stats();
    let writes = (2..=21u128).map(|id| {
        let number = if id % 2 == 0 { "+19165550101".to_owned() } else { format!("+1916{id}") };
        let mut one = contact(id, &number);
        one.attempts.push(attempt(id, 1, AttemptState::Dialling));
        let epoch = if id % 5 == 0 { epoch + 1 } else { epoch };
        (id, store.commit(turn(&a, epoch, vec![saved(&one)])))
    });
    let answers = futures_of(writes).await;
    for (id, answer) in answers {
        match (id % 2, id % 5) {
            (_, 0) => assert_eq!(answer, Err(StoreError::Fenced), "{id}"),
            (0, _) => assert!(matches!(answer, Err(StoreError::Conflict(_))), "{id}: {answer:?}"),
            _ => assert_eq!(answer, Ok(()), "{id}"),
        }
        let kept = store.contact(&a, ContactId(id)).await.expect("read").is_some();
        assert_eq!(kept, answer.is_ok(), "{id}");
    }
    let stats = store.stats();
    assert!(stats.groups - before.groups < 20, "{stats:?}");
    assert_eq!((stats.committed - before.committed, stats.refused - before.refused), (8, 12));
}

/// Polls all from one task, so that they are queued together.
async fn futures_of<T, F: Future<Output = T>>(futures: impl Iterator<Item = (u128, F)>) -> Vec<(u128, T)> {
    let mut waiting: Vec<_> = futures.map(|(id, future)| (id, Box::pin(future))).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|(id, future)| match future.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                done.push((*id, answer));
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

async fn more_than_the_queue_holds_is_refused(database: Database) {
    let config = StoreConfig { queue_limit: 4, group_limit: 2, ..StoreConfig::default() };
    let store = Store::open(database.url(), config).await.expect("open");
    let writes = (0..200u128).map(|number| {
        let store = store.clone();
        (number, async move { store.save_setting(None, &number.to_string(), "kept").await })
    });
    let mut refused = 0;
    for (number, answer) in futures_of(writes).await {
        match answer {
            Ok(()) => assert_eq!(store.setting(None, &number.to_string()).await, Ok(Some("kept".into()))),
            Err(StoreError::Full) => {
                refused += 1;
                assert_eq!(store.setting(None, &number.to_string()).await, Ok(None));
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..200).contains(&refused), "{refused} of 200 refused");
    assert_eq!(store.save_setting(None, "later", "kept").await, Ok(()));
}

async fn what_waits_is_written_before_closing(database: Database) {
    let store = database.open().await.expect("open");
    let writes = (0..50u128).map(|number| {
        let store = store.clone();
        (number, async move { store.save_setting(None, &number.to_string(), "kept").await })
    });
    let (answers, ()) = tokio::join!(futures_of(writes), store.close());
    let kept = answers.iter().filter(|(_, answer)| answer.is_ok()).count() as i64;
    assert!(answers.iter().all(|(_, answer)| matches!(answer, Ok(()) | Err(StoreError::Closed))));
    assert_eq!(kept, 50, "all were queued before the close");
    let mut raw = Raw::connect(database.url()).await;
    assert_eq!(raw.number("SELECT COUNT(*) FROM settings").await, kept);
}

async fn what_may_wait_goes_with_what_may_not(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let before = store.stats().groups;
    let saved: Vec<_> = (1..=3).map(|leg| store.keep_dialogs("n1", vec![dialog(&a, leg, Some("{}"), 1)])).collect();
    let removed = store.keep_dialogs("n1", vec![dialog(&a, 2, None, 1)]);
    store.save_setting(None, "now", "kept").await.expect("save");
    // Nobody has waited for the others, and they are there, in order.
    let legs: Vec<_> = store.dialogs(&a).await.expect("dialogs").into_iter().map(|row| row.leg).collect();
    assert_eq!(legs, [LegId(1), LegId(3)]);
    for answer in saved {
        assert_eq!(answer.await, Ok(()));
    }
    assert_eq!(removed.await, Ok(()));
    let groups = store.stats().groups - before;
    assert!(groups <= 2, "five writes in {groups} transactions");
    assert_eq!(store.remove_dialog(&a, LegId(1)).await, Ok(()), "with no company it goes alone");
    assert_eq!(store.dialogs(&a).await.expect("dialogs").len(), 1);
}

async fn a_database_that_is_held_does_not_hold_us(database: Database) {
    let short = Duration::from_secs(1);
    let config = StoreConfig { busy_timeout: short, write_timeout: short * 2, ..StoreConfig::default() };
    let store = Store::open(database.url(), config).await.expect("open");
    store.save_setting(None, "before", "kept").await.expect("save");
    let mut raw = Raw::connect(database.url()).await;
    let hold = match store.dialect() {
        Dialect::Sqlite => "BEGIN IMMEDIATE",
        Dialect::Postgres => "BEGIN; LOCK TABLE settings IN EXCLUSIVE MODE",
    };
    raw.run(hold).await.expect("lock");
    assert!(matches!(store.save_setting(None, "meanwhile", "?").await, Err(StoreError::Io(_))));
    assert_eq!(store.setting(None, "before").await, Ok(Some("kept".into())), "readers do not wait for writers");
    raw.run("ROLLBACK").await.expect("unlock");
    assert_eq!(store.save_setting(None, "after", "kept").await, Ok(()));
    assert_eq!(store.setting(None, "meanwhile").await, Ok(None));
}

async fn two_nodes_do_not_dial_one_number_twice(database: Database) {
    let stores = [database.open().await.expect("open"), database.open().await.expect("open")];
    let mut tasks = Vec::new();
    for (node, store) in stores.iter().enumerate() {
        let tenant = tenant(&format!("t{node}"));
        let epoch = store.acquire_lease(&tenant, "n", at(0)).await.expect("lease");
        for place in 0..20u128 {
            // In opposite orders, so that each waits for what the other holds.
            let number = if node == 0 { place } else { 19 - place };
            let mut one = contact(node as u128 * 100 + number + 1, &format!("+1916555{number:04}"));
            one.attempts.push(attempt(one.id.0, 1, AttemptState::Dialling));
            let (store, write) = (store.clone(), turn(&tenant, epoch, vec![saved(&one)]));
            tasks.push(tokio::spawn(async move { (number, store.commit(write).await) }));
        }
    }
    let mut dialling = [0; 20];
    for task in tasks {
        let (number, answer) = task.await.expect("task");
        dialling[number as usize] += u32::from(answer.is_ok());
    }
    assert!(dialling.iter().all(|dialogs| *dialogs <= 1), "{dialling:?}");
    assert!(dialling.contains(&1), "somebody is called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_dropped_its_connections_is_found_again() {
    let Some(database) = Database::postgres().await.expect("PostgreSQL") else { return };
    let store = database.open().await.expect("open");
    store.save_setting(None, "before", "kept").await.expect("save");
    store.setting(None, "before").await.expect("a reader's connection");
    let mut raw = Raw::connect(database.url()).await;
    let ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    raw.run(ours).await.expect("terminate");
    assert_eq!(store.save_setting(None, "after", "kept").await, Ok(()));
    assert_eq!(store.setting(None, "before").await, Ok(Some("kept".into())));
}

/// A file system of 4 MiB, where root may mount one; elsewhere SQLite's own quota below stands in for it.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "ringback-test"])
            .arg(folder.path())
            .output();
        done.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_really_full_is_told_and_gets_over_it() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("no mount here: covered by the quota");
        return;
    };
    let folder = disk.0.path();
    let url = format!("sqlite://{}", folder.join("ledger.sqlite").display());
    let store = Store::open(&url, StoreConfig::default()).await.expect("open");
    let (ballast, chunk) = (folder.join("ballast"), "x".repeat(100_000));
    let mut kept = 0;
    for number in 0.. {
        match store.save_setting(None, &number.to_string(), &chunk).await {
            Ok(()) => kept = number,
            Err(error) => {
                assert_eq!(error, StoreError::DiskFull);
                break;
            }
        }
        if number == 3 {
            // Take nearly all that is left at once.
            let mut file = std::fs::File::create(&ballast).expect("ballast");
            while std::io::Write::write_all(&mut file, chunk.as_bytes()).is_ok() {}
        }
    }
    assert!(store.stats().disk_full);
    for number in 0..=kept {
        assert_eq!(store.setting(None, &number.to_string()).await, Ok(Some(chunk.clone())), "acknowledged: {number}");
    }
    assert_eq!(store.setting(None, &(kept + 1).to_string()).await, Ok(None));
    assert_eq!(store.save_setting(None, "still", &chunk).await, Err(StoreError::DiskFull));
    std::fs::remove_file(&ballast).expect("space");
    assert_eq!(store.save_setting(None, "again", &chunk).await, Ok(()));
    assert!(!store.stats().disk_full);
    store.close().await;
    let store = Store::open(&url, StoreConfig::default()).await.expect("open again");
    assert_eq!(store.setting(None, "again").await, Ok(Some(chunk)));
}

/// A full disk by SQLite's own quota, which gives the same SQLITE_FULL as the operating system's ENOSPC.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_gets_over_it() {
    let database = Database::sqlite().expect("folder");
    let store = database.open().await.expect("open");
    store.save_setting(None, "before", "kept").await.expect("save");
    store.limit_pages(Some(0)).await.expect("the quota");
    let big = "x".repeat(200_000);
    assert_eq!(store.save_setting(None, "big", &big).await, Err(StoreError::DiskFull));
    assert!(store.stats().disk_full);
    assert_eq!(store.setting(None, "before").await, Ok(Some("kept".into())), "reading goes on");
    assert_eq!(store.setting(None, "big").await, Ok(None));
    store.limit_pages(None).await.expect("the quota");
    assert_eq!(store.probe(at(0)).await, Ok(()));
    assert!(!store.stats().disk_full, "a probe finds the space");
    assert_eq!(store.save_setting(None, "big", &big).await, Ok(()));
    assert!(!store.stats().disk_full);
    assert_eq!(store.setting(None, "big").await, Ok(Some(big)));
}
