//! `kill -9`: a process that commits and tells each acknowledged id is killed at a random moment; all it told is there.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use ringback_routing::ids::ContactId;
use ringback_store::{testing::Database, *};

use crate::support::*;

const URL: &str = "RINGBACK_TEST_CRASH_URL";
const ROUNDS: u64 = 10;
const SUBMITTERS: u128 = 8;

/// Not a test of its own: what the killed process runs, which is this program started again by the tests below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    // With room in the log before it is written, so that a kill finds it half made or half used, too.
    let config = StoreConfig { log_room: 1 << 24, ..StoreConfig::default() };
    let store = Store::open(&url, config).await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let tasks: Vec<_> = (0..SUBMITTERS)
        .map(|submitter| {
            let (store, a) = (store.clone(), a.clone());
            tokio::spawn(async move {
                for number in 0u128.. {
                    // The epoch keeps the ids of each round apart.
                    let id = (epoch as u128) << 64 | submitter << 32 | number;
                    let one = contact(id, &format!("+1916{id}"));
                    store.commit(turn(&a, epoch, vec![saved(&one), requested(id, 0)])).await.expect("commit");
                    // One write call per line, so that no line is torn by the kill.
                    let line = format!("acknowledged {}\n", one.id);
                    std::io::stdout().lock().write_all(line.as_bytes()).expect("the parent reads");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("never ends by itself");
    }
}

/// Kills the committing process `ROUNDS` times and checks after each that nothing acknowledged is missing.
async fn survives(url: &str) {
    let program = std::env::current_exe().expect("this test's program");
    let a = tenant("a");
    let mut acknowledged: Vec<ContactId> = Vec::new();
    let mut seed = std::process::id().wrapping_mul(0x9e37_79b9);
    for round in 0..ROUNDS {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // At least so many are read before the clock starts: a slow start is not what is tested.
        let pause = Duration::from_millis(u64::from(seed >> 16) % 200);
        let mut child = Command::new(&program)
            .args(["crash::the_process_that_is_killed", "--exact", "--nocapture"])
            .env(URL, url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut told = |line: String| {
            if let Some((_, id)) = line.split_once("acknowledged ") {
                acknowledged.push(id.parse().expect("an id"));
            }
        };
        for line in lines.by_ref().take(10) {
            told(line);
        }
        let killer = std::thread::spawn(move || {
            std::thread::sleep(pause);
            child.kill().expect("kill -9");
            child.wait().expect("reaped");
        });
        lines.for_each(&mut told);
        killer.join().expect("killed");

        let store = Store::open(url, StoreConfig::default()).await.expect("the database opens after a kill");
        let kept: std::collections::BTreeSet<_> =
            store.load_open(&a).await.expect("load").0.iter().map(|contact| contact.id).collect();
        for id in &acknowledged {
            assert!(kept.contains(id), "round {round}: {id} was acknowledged and is gone");
            assert_eq!(store.contact_facts(&a, *id).await.expect("facts").len(), 1, "its fact came with it");
        }
        assert!(acknowledged.len() as u64 > round * 5, "the child got to work");
        assert!(store.acquire_lease(&a, "n2", at(1)).await.expect("lease") > round as i64);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    let database = Database::sqlite().expect("folder");
    survives(database.url()).await;
    let mut raw = raw::Raw::connect(database.url()).await;
    assert_eq!(raw.number("SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgres() {
    if let Some(database) = Database::postgres().await.expect("PostgreSQL") {
        survives(database.url()).await;
    }
}
