//! A backup holds everything, fits into either database, and is refused if it is not whole.

use ringback_store::{testing::Database, *};
use serde_json::json;

use crate::{on_both, support::*};

on_both! {
    everything_comes_back_in_either_database
    what_an_earlier_program_wrote_comes_back
    only_whole_files_and_empty_databases
}

async fn filled(store: &Store) {
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    // More rows than one page, with everything a text can hold.
    let contacts: Vec<_> = (1..=1_203).map(|id| contact(id, &format!("+1916555{id:04}"))).collect();
    for chunk in contacts.chunks(100) {
        let changes = chunk.iter().flat_map(|one| [saved(one), requested(one.id.0, 1)]).collect();
        store.commit(turn(&a, epoch, changes)).await.expect("commit");
    }
    let entry = |what: &str| AuditEntry {
        at: at(5),
        who: "ann".into(),
        what: what.into(),
        target: "\"quoted\" \\ \n ñ ☎ 字".into(),
        detail: json!({ "n": 9_007_199_254_740_993_i64 }),
    };
    for what in ["signed_in", "listened", "exported"] {
        store.audit(Some(&a), entry(what)).await.expect("audit");
    }
    store.save_setting(None, "key", "value").await.expect("setting");
}

/// The lines of a backup but the moment it was made and the digest that depends on it.
fn rows(path: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("read");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[1..lines.len() - 1].to_vec()
}

async fn everything_comes_back_in_either_database(database: Database) {
    let store = database.open().await.expect("open");
    filled(&store).await;
    let folder = tempfile::tempdir().expect("folder");
    let (first, mut others) = (folder.path().join("first"), vec![Database::sqlite().expect("folder")]);
    others.extend(Database::postgres().await.expect("PostgreSQL"));
    let report = store.back_up(&first, at(100)).await.expect("back up");
    assert_eq!((report.tables["contacts"], report.tables["audit"]), (1_203, 3));
    assert!(store.back_up(&first, at(100)).await.is_err(), "nothing is written over");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&first).expect("the backup").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "a backup is as private as the ledger");
    }
    for (place, other) in others.iter().enumerate() {
        let restored = Store::restore(other.url(), &StoreConfig::default(), &first).await.expect("restore");
        assert_eq!(restored, report);
        let there = other.open().await.expect("open");
        let second = folder.path().join(place.to_string());
        there.back_up(&second, at(200)).await.expect("back up");
        let (mut before, mut after) = (rows(&first), rows(&second));
        // The two databases sort texts by different rules.
        before.sort_unstable();
        after.sort_unstable();
        assert!(before == after, "every row is as it was");
        assert_eq!(there.load_open(&tenant("a")).await.expect("load").0.len(), 1_203);
        for chain in there.verify_audits().await.expect("verify") {
            assert!(matches!(chain.verdict, AuditVerdict::Whole { .. }), "{chain:?}");
        }
        there
            .audit(
                Some(&tenant("a")),
                AuditEntry {
                    at: at(300),
                    who: "ann".into(),
                    what: "went_on".into(),
                    target: String::new(),
                    detail: json!({}),
                },
            )
            .await
            .expect("the chain goes on");
    }
}

async fn what_an_earlier_program_wrote_comes_back(database: Database) {
    let old = database.open_at(3).await.expect("open");
    old.save_setting(None, "key", "of schema 3").await.expect("setting");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("old");
    assert_eq!(old.back_up(&path, at(0)).await.expect("back up").schema, 3);
    let other = Database::sqlite().expect("folder");
    Store::restore(other.url(), &StoreConfig::default(), &path).await.expect("restore");
    let there = other.open().await.expect("open");
    assert_eq!(there.setting(None, "key").await, Ok(Some("of schema 3".to_owned())));
    assert_eq!(there.users(None).await.expect("users").len(), 0, "and has the newest schema");
}

async fn only_whole_files_and_empty_databases(database: Database) {
    let store = database.open().await.expect("open");
    store.save_setting(None, "key", "value").await.expect("setting");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("whole");
    store.back_up(&path, at(0)).await.expect("back up");
    let text = std::fs::read_to_string(&path).expect("read");
    let cut = text.lines().count() - 1;
    let without_end: String = text.lines().take(cut).map(|line| format!("{line}\n")).collect();
    for (name, broken) in [
        ("cut", without_end),
        ("changed", text.replace("value", "other")),
        ("longer", format!("{text}[]\n")),
        ("empty", String::new()),
        ("foreign", "-- PostgreSQL database dump\n".to_owned()),
        ("newer", text.replace("\"ringback_backup\":1", "\"ringback_backup\":2")),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, broken).expect("write");
        let other = Database::sqlite().expect("folder");
        let refused = Store::restore(other.url(), &StoreConfig::default(), &path).await;
        assert!(matches!(refused, Err(StoreError::Schema(_))), "{name}: {refused:?}");
    }
    let refused = Store::restore(database.url(), &StoreConfig::default(), &path).await;
    assert!(matches!(refused, Err(StoreError::Schema(_))), "not empty: {refused:?}");
}
