//! Opening: a fresh database, one of an earlier schema, one that this program must not touch.

use ringback_routing::output::{Change, Fact};
use ringback_store::{testing::Database, *};

use crate::{
    on_both,
    support::{raw::Raw, *},
};

on_both! {
    a_fresh_database_is_made_ready
    an_earlier_schema_is_brought_up_to_date
    a_schema_from_the_future_is_refused
    a_migration_with_another_text_is_refused
    two_may_open_at_once
}

/// A migration that was once released never changes; the next one does.
const CHECKSUMS: &[(i64, &str, &str)] = &[
    (
        1,
        "2551c8082e4645daaa7e77e2413864ba92e94d93dce682f4c43aa5ffebf0a41e",
        "d035954f4442dc4222567c9796cb9a8b6cd8d3766d6a1b7dc5cd0d2db8dd2ce7",
    ),
    (
        2,
        "413d4503c05e2f5480869ed962d7d3b0e8049d4c446d656ff54f1278e4cd0adf",
        "5876dbc030b096830afe97d199fce9602ec5f70feb83e4b528c6d69eb176c2ed",
    ),
    (
        3,
        "94208d6dc7208b04bce79700a9b0a930a2270a988b4c420c1f10670a15751b6b",
        "5450963678581e3d2141953351fd15293a70706df94ae88530a3df10d771ada6",
    ),
    (
        4,
        "ec17aca198055925edebd3f5799f5d3ed5c64db127371fd1b9539729abc98777",
        "ec17aca198055925edebd3f5799f5d3ed5c64db127371fd1b9539729abc98777",
    ),
    (
        5,
        "f962b9e143b1bed66b0585347aa2b636ddfbd70455b4a08fe3a08ff3b21c8801",
        "f962b9e143b1bed66b0585347aa2b636ddfbd70455b4a08fe3a08ff3b21c8801",
    ),
    (
        6,
        "1c266b5868f272b645dd0ad6e47fc3d62733eee177d0cfda99bbbd48c8ef159b",
        "1c266b5868f272b645dd0ad6e47fc3d62733eee177d0cfda99bbbd48c8ef159b",
    ),
    (
        7,
        "bfdb217049adea78382698acdc3b186b541c754df5dafbaa8f046993e68d0269",
        "bfdb217049adea78382698acdc3b186b541c754df5dafbaa8f046993e68d0269",
    ),
    (
        8,
        "73cd162669b0333cb36b22a824a1151cb9a236ab585a62c966027ed1b464c00e",
        "73cd162669b0333cb36b22a824a1151cb9a236ab585a62c966027ed1b464c00e",
    ),
    (
        9,
        "f375d86a51eb5ec72146f679aa9341aca725cc3b2e732232a80b0e98cc2d1b6d",
        "f375d86a51eb5ec72146f679aa9341aca725cc3b2e732232a80b0e98cc2d1b6d",
    ),
    (
        10,
        "c1c6922c2eb0f66ed60dcbb6ed843e87629e0a34664a719e406524d3c6055c8c",
        "c1c6922c2eb0f66ed60dcbb6ed843e87629e0a34664a719e406524d3c6055c8c",
    ),
    (
        11,
        "ac8baa53cee8c8d5bedd83f62342428ec6fc3c10eebbfdd83a2a9f10408d9b9d",
        "ac8baa53cee8c8d5bedd83f62342428ec6fc3c10eebbfdd83a2a9f10408d9b9d",
    ),
    (
        12,
        "66707794c0c6e10365d92c7ce98b1e273d7ea15b23ea349b21194a68a21336c3",
        "66707794c0c6e10365d92c7ce98b1e273d7ea15b23ea349b21194a68a21336c3",
    ),
    (
        13,
        "abbcd754fdfa293c21c9af11c903bdcb6432f2a14089db77e881debcd0eb6fc4",
        "abbcd754fdfa293c21c9af11c903bdcb6432f2a14089db77e881debcd0eb6fc4",
    ),
    (
        14,
        "0426146142864a84a50009ac584aa306d7b32ea7d0ec8b74283483aa1b4a78d6",
        "0426146142864a84a50009ac584aa306d7b32ea7d0ec8b74283483aa1b4a78d6",
    ),
    (
        15,
        "1979dd4d3bae3cc8127363b49bf58228a46f83380499d91a9a4091446feaebcb",
        "1979dd4d3bae3cc8127363b49bf58228a46f83380499d91a9a4091446feaebcb",
    ),
    (
        16,
        "920c3c41b4229c7a48424f1cbf2e057295a48703502d4527bf3438cff8a591df",
        "920c3c41b4229c7a48424f1cbf2e057295a48703502d4527bf3438cff8a591df",
    ),
    (
        17,
        "84991fee0616b2499388a85b5bb869843993628ad5b2dc90d2ee33408d11740b",
        "84991fee0616b2499388a85b5bb869843993628ad5b2dc90d2ee33408d11740b",
    ),
    (
        18,
        "9a7e43efbb545d669d84967a320420e99478dc6d0ce6cb08d19e104266b9263d",
        "9a7e43efbb545d669d84967a320420e99478dc6d0ce6cb08d19e104266b9263d",
    ),
    (
        19,
        "342674230d130ec5b42fe601576890be5a956a17c3d855c3117462abe2a0a200",
        "342674230d130ec5b42fe601576890be5a956a17c3d855c3117462abe2a0a200",
    ),
    (
        20,
        "bc369de19b7cc15f7076754c0bb3128a0d534f0dfce79a2259f5b404769d2588",
        "bc369de19b7cc15f7076754c0bb3128a0d534f0dfce79a2259f5b404769d2588",
    ),
    (
        21,
        "1e100e90cb895be6502f396676fbf998feb9fd0dc515bd17cd50b5fbc35a3c92",
        "1e100e90cb895be6502f396676fbf998feb9fd0dc515bd17cd50b5fbc35a3c92",
    ),
];

#[test]
fn released_migrations_keep_their_text() {
    let kept: Vec<_> = CHECKSUMS.iter().map(|(number, lite, pg)| (*number, lite.to_string(), pg.to_string())).collect();
    assert_eq!(testing::migration_checksums(), kept);
}

async fn a_fresh_database_is_made_ready(database: Database) {
    for _ in 0..2 {
        let store = database.open().await.expect("open");
        store.close().await;
        assert_eq!(store.save_setting(None, "k", "v").await, Err(StoreError::Closed));
        assert_eq!(store.setting(None, "k").await, Err(StoreError::Closed));
    }
    let mut raw = Raw::connect(database.url()).await;
    let versions = raw.number("SELECT COUNT(*) FROM schema_migrations").await;
    assert_eq!(versions, CHECKSUMS.len() as i64);
}

async fn an_earlier_schema_is_brought_up_to_date(database: Database) {
    let store = database.open_at(1).await.expect("schema 1");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let one = contact(1, "+19165550101");
    // Of what a later schema tells others of, schema 1 can keep nothing.
    let fact = Change::ContactFact { contact: one.id, at: at(5), fact: Fact::NumberChanged };
    let mut write = turn(&a, epoch, vec![saved(&one), fact]);
    write.journal.push(entry(1, 0));
    store.commit(write).await.expect("commit");
    store.save_recording(&a, &recording(5, &one, 10, None)).await.expect("recording");
    assert!(store.tenant_config(&a).await.is_err(), "schema 1 keeps no configurations");
    store.close().await;

    let store = database.open().await.expect("upgrade");
    assert_eq!(store.load_open(&a).await.expect("load").0, vec![one.clone()]);
    assert_eq!(store.contact_facts(&a, one.id).await.expect("facts").len(), 1);
    assert_eq!(store.journal(&a).await, Ok(vec![entry(1, 0)]));
    assert_eq!(store.recordings_of(&a, one.id).await.expect("recordings").len(), 1);
    assert_eq!(store.acquire_lease(&a, "n1", at(9)).await, Ok(epoch + 1), "epochs go on counting");
    assert_eq!(store.save_tenant_config(&a, &serde_json::json!({}), "root", at(9)).await, Ok(1));
}

async fn a_schema_from_the_future_is_refused(database: Database) {
    database.open().await.expect("open").close().await;
    let mut raw = Raw::connect(database.url()).await;
    raw.run("INSERT INTO schema_migrations VALUES (999, 'later', 'x', 0)").await.expect("insert");
    assert!(matches!(database.open().await, Err(StoreError::Schema(why)) if why.contains("999")));
}

async fn a_migration_with_another_text_is_refused(database: Database) {
    database.open().await.expect("open").close().await;
    let mut raw = Raw::connect(database.url()).await;
    raw.run("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1").await.expect("update");
    assert!(matches!(database.open().await, Err(StoreError::Schema(why)) if why.contains("migration 1")));
}

async fn two_may_open_at_once(database: Database) {
    let (one, two) = tokio::join!(database.open(), database.open());
    let (one, two) = (one.expect("open"), two.expect("open"));
    let a = tenant("a");
    assert_eq!(one.acquire_lease(&a, "n1", at(0)).await, Ok(1));
    assert_eq!(two.acquire_lease(&a, "n2", at(0)).await, Ok(2));
    let refused = one.commit(turn(&a, 1, vec![saved(&contact(1, "+19165550101"))])).await;
    assert_eq!(refused, Err(StoreError::Fenced));
}

#[tokio::test]
async fn an_unusable_url_is_told_without_its_password() {
    for url in ["", "mysql://x", "sqlite://", "postgres://user:sesame@[bad/db"] {
        let error = Store::open(url, StoreConfig::default()).await.expect_err("refused");
        assert!(matches!(error, StoreError::Schema(_)), "{url}");
        assert!(!error.to_string().contains("sesame"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_companions_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("new/deep/ledger.sqlite");
    let store = Store::open(&format!("sqlite://{}", path.display()), StoreConfig::default()).await.expect("open");
    store.save_setting(None, "k", "v").await.expect("save");
    for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let mode = std::fs::metadata(path.with_file_name(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
