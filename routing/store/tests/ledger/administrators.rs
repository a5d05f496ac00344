//! What administrators and operators keep, on both databases, and that all of it comes back from a backup into either.

use ringback_routing::ids::{AgentId, TrunkId};
use ringback_store::{testing::Database, *};
use serde_json::{Value, json};

use crate::{on_both, staff::user, support::*};

on_both! {
    pictures_and_sounds_are_a_tenants_own
    a_county_is_founded_whole_or_not_at_all
    a_carrier_is_changed_and_its_states_are_kept
    everything_an_administrator_keeps_comes_back_in_either_database
}

fn trunk(id: &str, host: &str, password: Option<&str>) -> ConnectedTrunk {
    ConnectedTrunk {
        id: TrunkId::new(id),
        doc: json!({ "host": host }),
        password: password.map(str::to_owned),
        retired: false,
    }
}

fn founding(county: &str, person: &str, carrier: &str) -> Founding {
    let id = tenant(county);
    Founding {
        tenant: FoundedTenant { id: id.clone(), doc: json!({ "timezone": "America/Los_Angeles" }) },
        settings: json!({ "callback": true }),
        people: vec![user(person, Some(&id))],
        trunk: Some(trunk(carrier, "sip.example.net", Some("sealed"))),
        who: "olga".into(),
        at: at(1),
    }
}

fn picture(word: &str) -> KeptPicture {
    KeptPicture { kind: "image/png".into(), bytes: word.into() }
}

async fn pictures_and_sounds_are_a_tenants_own(database: Database) {
    let store = database.open().await.expect("opened");
    let (a, b) = (tenant("a"), tenant("b"));
    for (who, millis) in [("ada", 1), ("bob", 2)] {
        // The same file brought in twice is one picture, and one sound.
        store.keep_picture(&a, "p1", picture("AAAA"), who, at(millis)).await.expect("kept");
        store.keep_sound(&a, "s1", "BBBB".into(), who, at(millis)).await.expect("kept");
    }
    assert_eq!(store.picture(&a, "p1").await, Ok(Some(picture("AAAA"))));
    assert_eq!(store.sound(&a, "s1").await, Ok(Some("BBBB".to_owned())));
    assert_eq!(store.picture(&b, "p1").await, Ok(None), "another tenant's");
    assert_eq!(store.sound(&b, "s1").await, Ok(None));
    assert_eq!(store.picture(&a, "p2").await, Ok(None));
    let rows = store.audit_rows(Some(&a), &AuditSearch::default(), 10).await.expect("the audit");
    assert_eq!(rows.iter().map(|row| row.entry.who.as_str()).collect::<Vec<_>>(), ["ada", "ada"], "{rows:?}");
}

async fn a_county_is_founded_whole_or_not_at_all(database: Database) {
    let store = database.open().await.expect("opened");
    store.found(founding("nevada", "ada", "line-1")).await.expect("founded");
    for (county, person, carrier, taken) in
        [("nevada", "bob", "line-2", "tenant"), ("yuba", "bob", "line-1", "trunk"), ("yuba", "ada", "line-2", "user")]
    {
        assert_eq!(store.found(founding(county, person, carrier)).await, Err(StoreError::Taken(taken)));
    }
    let counties = store.founded_tenants().await.expect("read");
    assert_eq!(counties.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["nevada"]);
    assert_eq!(store.connected_trunks().await.expect("read").len(), 1, "what was refused left nothing");
    assert_eq!(store.tenant_config(&tenant("yuba")).await, Ok(None));
    assert_eq!(store.user_for_login("bob").await, Ok(None));
    let first = store.tenant_config(&tenant("nevada")).await.expect("read").expect("its settings");
    assert_eq!((first.version, first.who.as_str(), first.doc), (1, "olga", json!({ "callback": true })));
}

async fn a_carrier_is_changed_and_its_states_are_kept(database: Database) {
    let store = database.open().await.expect("opened");
    store.connect_trunk(trunk("line", "one", Some("sealed")), "olga", at(1)).await.expect("connected");
    let change = |base, host: &str, retired| TrunkChange {
        base,
        trunk: ConnectedTrunk { retired, ..trunk("line", host, None) },
        who: "otto".into(),
        at: at(2),
    };
    assert_eq!(store.change_trunk(change(1, "two", false)).await, Ok(2));
    assert!(
        store.change_trunk(change(1, "late", false)).await.is_err(),
        "made from a state that is no longer the last"
    );
    assert_eq!(store.change_trunk(change(2, "two", true)).await, Ok(3));
    let now = store.connected_trunks().await.expect("read");
    assert_eq!((now[0].doc["host"].as_str(), now[0].retired), (Some("two"), true));
    assert_eq!(now[0].password.as_deref(), Some("sealed"), "a change that names no password leaves it");
    let states = store.trunk_versions(&TrunkId::new("line"), 10).await.expect("read");
    assert_eq!(states.len(), 3);
}

/// A row in every table that the pages of administrators and operators write.
async fn filled(store: &Store) {
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    let one = contact(1, "+19165550101");
    store.commit(turn(&a, epoch, vec![saved(&one), requested(1, 1)])).await.expect("kept");
    store.found(founding("nevada", "nora", "line")).await.expect("founded");
    let retired = ConnectedTrunk { retired: true, ..trunk("line", "two", None) };
    store.change_trunk(TrunkChange { base: 1, trunk: retired, who: "otto".into(), at: at(2) }).await.expect("changed");
    let ann = user("ann", Some(&a));
    store.create_user(&ann).await.expect("created");
    let granted = User { permissions: Some(vec![Permission::Listen, Permission::RoleSms]), ..ann };
    store.change_user(&granted, "ada", at(3)).await.expect("changed");
    store.keep_picture(&a, "p1", picture("AAAA"), "ada", at(4)).await.expect("kept");
    store.keep_sound(&a, "s1", "BBBB".into(), "ada", at(4)).await.expect("kept");
    assert_eq!(store.forbid_number(Some(&a), "+19165550199", "key", "ada", at(5)).await, Ok(true));
    let key = ApiKey {
        id: "k1".into(),
        tenant: Some(a.clone()),
        name: "wallboard".into(),
        role: Role::Supervisor,
        permissions: vec![Permission::Export],
        created_by: "ada".into(),
        created_at: at(6),
        expires_at: Some(at(900_000)),
        revoked_at: None,
    };
    store.create_api_key(&key, "digest").await.expect("created");
    let hold = LegalHold { contact: one.id, reason: "a hearing".into(), who: "sam".into(), at: at(7) };
    store.set_legal_hold(&a, hold).await.expect("held");
    let hook = Webhook {
        id: "h1".into(),
        url: "https://hooks.example.gov/".into(),
        events: vec!["closure.declared".into()],
        secret: "sealed".into(),
        personal: true,
        created_by: "ada".into(),
        created_at: at(8),
    };
    store.add_webhook(&a, hook).await.expect("added");
    let (who, what, target) = ("ada".to_owned(), "closure_declared".to_owned(), "a".to_owned());
    let audit = AuditEntry { at: at(9), who, what, target, detail: json!({ "until": Value::Null }) };
    let notice = VersionNotice { audit, event: "closure.declared", detail: json!({ "until": Value::Null }) };
    // Limits of dialling and keys of portals stand in the versions, as everything that is set.
    let settings =
        json!({ "dialling": { "spend_per_day": 12.5 }, "portal_keys": [{ "name": "ñ", "key": "-----BEGIN" }] });
    assert_eq!(store.save_tenant_config_noted(&a, 0, &settings, notice).await, Ok(1));
}

const TABLES: [&str; 13] = [
    "tenants",
    "tenant_configs",
    "trunks",
    "trunk_versions",
    "users",
    "user_versions",
    "api_keys",
    "pictures",
    "sounds",
    "do_not_call",
    "legal_holds",
    "webhooks",
    "webhook_deliveries",
];

async fn everything_an_administrator_keeps_comes_back_in_either_database(database: Database) {
    let store = database.open().await.expect("opened");
    filled(&store).await;
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("backup");
    let report = store.back_up(&file, at(100)).await.expect("backed up");
    for table in TABLES {
        assert!(report.tables.get(table).is_some_and(|rows| *rows > 0), "{table}: {report:?}");
    }
    let mut others = vec![Database::sqlite().expect("folder")];
    others.extend(Database::postgres().await.expect("PostgreSQL"));
    for other in others {
        let restored = Store::restore(other.url(), &StoreConfig::default(), &file).await.expect("restored");
        assert_eq!(restored, report);
        comes_back(&store, &other.open().await.expect("opened")).await;
    }
}

/// The same questions have the same answers in both.
async fn comes_back(before: &Store, after: &Store) {
    let (a, ann) = (tenant("a"), AgentId::new("ann"));
    assert_eq!(after.picture(&a, "p1").await, before.picture(&a, "p1").await);
    assert_eq!(after.sound(&a, "s1").await, before.sound(&a, "s1").await);
    assert_eq!(after.tenant_config_history(&a, 10).await, before.tenant_config_history(&a, 10).await);
    assert_eq!(after.founded_tenants().await, before.founded_tenants().await);
    let trunks = after.connected_trunks().await.expect("read");
    assert_eq!((trunks[0].retired, trunks[0].password.as_deref()), (true, Some("sealed")));
    assert_eq!(after.trunk_versions(&TrunkId::new("line"), 10).await.map(|all| all.len()), Ok(2));
    let granted = after.user(Some(&a), &ann).await.expect("read").expect("ann");
    assert!(granted.may(Permission::RoleSms) && granted.may(Permission::Listen) && !granted.may(Permission::Export));
    assert_eq!(
        after.user_versions(Some(&a), &ann, 10).await.map(|all| all.len()),
        before.user_versions(Some(&a), &ann, 10).await.map(|all| all.len())
    );
    assert!(after.is_forbidden(&a, "key").await.expect("read"));
    assert!(!after.is_forbidden(&tenant("b"), "key").await.expect("read"));
    assert_eq!(after.api_key("digest", at(10)).await.expect("read").map(|key| key.name), Some("wallboard".into()));
    assert_eq!(after.legal_holds(&a).await, before.legal_holds(&a).await);
    assert_eq!(after.webhooks(&a).await, before.webhooks(&a).await);
    assert_eq!(after.open_deliveries(&a, 10).await, before.open_deliveries(&a, 10).await);
    assert_eq!(
        after.due_deliveries(at(10), 10).await.map(|due| due.len()),
        Ok(1),
        "the message still waits to be sent"
    );
}
