//! Users, sessions, single-use tokens, idempotency keys, settings, configurations, dialogs.

use std::collections::BTreeMap;

use ringback_routing::{config::AgentConfig, ids::*};
use ringback_store::{testing::Database, *};

use crate::{on_both, support::*};

on_both! {
    a_user_is_created_once_and_changed_within_the_tenant
    a_session_ends_by_time_by_revoking_and_with_its_user
    a_code_holds_once_and_a_recovery_code_too
    a_key_holds_until_it_is_revoked_or_over
    the_provider_ends_its_own_sessions
    a_token_is_used_once
    of_many_at_once_one_uses_the_token
    a_repeated_request_gets_the_first_answer
    a_claim_left_behind_is_taken_over
    what_expired_is_forgotten
    a_setting_made_once_stays
    configurations_are_kept_with_their_history
    the_last_save_of_a_dialog_wins
}

pub(crate) fn user(id: &str, tenant: Option<&TenantId>) -> User {
    User {
        id: AgentId::new(id),
        tenant: tenant.cloned(),
        name: "Ann Lee".into(),
        role: Role::Agent,
        password_hash: "$argon2id$secret".into(),
        agent: Some(AgentConfig {
            id: AgentId::new(id),
            name: "Ann Lee".into(),
            queues: vec![QueueId::new("permits")],
            skills: BTreeMap::from([(SkillId::new("spanish"), 7)]),
            can_reject: true,
            voice_slots: 1,
            chat_slots: 0,
        }),
        disabled: false,
        permissions: None,
        external: None,
        second_factor: false,
        must_change: false,
    }
}

fn session(token: &str, user: &User, expires: i64) -> Session {
    Session {
        token_digest: token.into(),
        user: user.id.clone(),
        tenant: user.tenant.clone(),
        created_at: at(0),
        expires_at: at(expires),
        idp_session: None,
    }
}

async fn a_user_is_created_once_and_changed_within_the_tenant(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let mut ann = user("ann", Some(&a));
    let root = User { role: Role::Operator, agent: None, ..user("root", None) };
    store.create_user(&ann).await.expect("create");
    store.create_user(&root).await.expect("create");
    assert_eq!(store.create_user(&ann).await, Err(StoreError::Taken("user")));
    assert_eq!(store.user_for_login("ann").await, Ok(Some(ann.clone())));
    assert_eq!(store.user_for_login("ANN").await, Ok(None));
    assert_eq!(store.users(Some(&a)).await, Ok(vec![ann.clone()]));
    assert_eq!(store.users(None).await, Ok(vec![root.clone()]));
    ann.role = Role::Supervisor;
    ann.agent = None;
    store.update_user(&ann, at(1)).await.expect("update");
    assert_eq!(store.user(Some(&a), &ann.id).await, Ok(Some(ann.clone())));
    let promoted = User { tenant: None, role: Role::Operator, ..ann.clone() };
    assert_eq!(store.update_user(&promoted, at(1)).await, Err(StoreError::NotFound("user")));
    assert!(!format!("{ann:?}").contains("argon2"), "a hash must not reach a log");
}

async fn a_session_ends_by_time_by_revoking_and_with_its_user(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let mut ann = user("ann", Some(&a));
    store.create_user(&ann).await.expect("create");
    for token in ["t1", "t2", "t3"] {
        store.create_session(&session(token, &ann, 100)).await.expect("session");
    }
    assert_eq!(store.session("t1", at(99)).await, Ok(Some((session("t1", &ann, 100), ann.clone()))));
    assert_eq!(store.session("t1", at(100)).await, Ok(None), "expired");
    store.extend_session("t1", at(200)).await.expect("extend");
    assert!(store.session("t1", at(150)).await.expect("read").is_some());
    store.revoke_session("t1", at(5)).await.expect("revoke");
    assert_eq!(store.session("t1", at(6)).await, Ok(None));
    store.extend_session("t1", at(900)).await.expect("extending a revoked session does nothing");
    assert_eq!(store.session("t1", at(6)).await, Ok(None));
    assert_eq!(store.session("unknown", at(6)).await, Ok(None));
    assert_eq!(store.revoke_sessions_of(&ann.id, at(7)).await, Ok(2));
    assert_eq!(store.session("t2", at(8)).await, Ok(None));

    store.create_session(&session("t4", &ann, 100)).await.expect("session");
    ann.disabled = true;
    store.update_user(&ann, at(9)).await.expect("update");
    assert_eq!(store.session("t4", at(10)).await, Ok(None));
    ann.disabled = false;
    store.update_user(&ann, at(11)).await.expect("update");
    assert_eq!(store.session("t4", at(12)).await, Ok(None), "enabling a user does not bring sessions back");
}

async fn a_token_is_used_once(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    assert_eq!(store.use_token(&a, "jti-1", at(100)).await, Ok(true));
    assert_eq!(store.use_token(&a, "jti-1", at(100)).await, Ok(false));
    assert_eq!(store.use_token(&a, "jti-2", at(100)).await, Ok(true));
    store.release_token(&a, "jti-1").await.expect("release");
    assert_eq!(store.use_token(&a, "jti-1", at(100)).await, Ok(true));
    store.close().await;
    let store = database.open().await.expect("open again");
    assert_eq!(store.use_token(&a, "jti-1", at(100)).await, Ok(false), "not even after a restart");
}

async fn of_many_at_once_one_uses_the_token(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let tries: Vec<_> = (0..32)
        .map(|_| {
            let (store, a) = (store.clone(), a.clone());
            tokio::spawn(async move { store.use_token(&a, "jti", at(100)).await })
        })
        .collect();
    let mut used = 0;
    for one in tries {
        used += u32::from(one.await.expect("task").expect("answer"));
    }
    assert_eq!(used, 1);
}

async fn a_repeated_request_gets_the_first_answer(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let claim = |digest: &'static str, millis| {
        let (store, a) = (store.clone(), a.clone());
        async move { store.claim_key(&a, "callback", "key", digest, at(millis), at(3_600_000)).await }
    };
    assert_eq!(claim("d1", 0).await, Ok(Claim::New));
    assert_eq!(claim("d1", 1).await, Ok(Claim::UnderWay));
    assert_eq!(claim("d2", 1).await, Ok(Claim::OtherBody));
    store.keep_answer(&a, "callback", "key", 201, "{\"n\":1}").await.expect("keep");
    let answered = Claim::Answered { status: 201, response: "{\"n\":1}".into() };
    assert_eq!(claim("d1", 2).await, Ok(answered.clone()));
    assert_eq!(claim("d2", 2).await, Ok(Claim::OtherBody));
    assert_eq!(claim("d1", 120_000).await, Ok(answered.clone()), "an answer is not taken over like a claim");
    // Only the first answer is kept, and an answer is not dropped.
    store.keep_answer(&a, "callback", "key", 500, "{}").await.expect("keep");
    store.drop_claim(&a, "callback", "key").await.expect("drop");
    assert_eq!(claim("d1", 3).await, Ok(answered));
    assert_eq!(claim("d2", 3_600_000).await, Ok(Claim::New), "expired");
    store.drop_claim(&a, "callback", "key").await.expect("drop");
    assert_eq!(claim("d3", 3_600_001).await, Ok(Claim::New));
}

async fn a_claim_left_behind_is_taken_over(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    assert_eq!(store.claim_key(&a, "s", "k", "d1", at(0), at(900_000)).await, Ok(Claim::New));
    assert_eq!(store.claim_key(&a, "s", "k", "d1", at(59_999), at(900_000)).await, Ok(Claim::UnderWay));
    assert_eq!(store.claim_key(&a, "s", "k", "d2", at(60_000), at(900_000)).await, Ok(Claim::OtherBody));
    assert_eq!(store.claim_key(&a, "s", "k", "d1", at(60_000), at(900_000)).await, Ok(Claim::New));
    assert_eq!(store.claim_key(&a, "s", "k", "d1", at(60_001), at(900_000)).await, Ok(Claim::UnderWay));
}

async fn what_expired_is_forgotten(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let ann = user("ann", Some(&a));
    store.create_user(&ann).await.expect("create");
    for (token, expires) in [("old", 10), ("new", 30)] {
        store.create_session(&session(token, &ann, expires)).await.expect("session");
        store.use_token(&a, token, at(expires)).await.expect("token");
        store.claim_key(&a, "s", token, "d", at(0), at(expires)).await.expect("claim");
    }
    assert_eq!(store.purge_expired(at(20)).await, Ok(3));
    assert_eq!(store.purge_expired(at(20)).await, Ok(0));
    assert!(store.session("new", at(20)).await.expect("read").is_some());
    assert_eq!(store.use_token(&a, "new", at(30)).await, Ok(false));
}

async fn a_setting_made_once_stays(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    assert_eq!(store.setting(Some(&a), "number_key").await, Ok(None));
    assert_eq!(store.setting_or_insert(Some(&a), "number_key", "first").await, Ok("first".into()));
    assert_eq!(store.setting_or_insert(Some(&a), "number_key", "second").await, Ok("first".into()));
    assert_eq!(store.setting_or_insert(None, "number_key", "own").await, Ok("own".into()));
    store.save_setting(Some(&a), "number_key", "third").await.expect("save");
    assert_eq!(store.setting(Some(&a), "number_key").await, Ok(Some("third".into())));
    assert_eq!(store.setting(Some(&tenant("server")), "number_key").await, Ok(None));
}

async fn configurations_are_kept_with_their_history(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let docs = [serde_json::json!({"name": "A"}), serde_json::json!({"name": "Ä"})];
    assert_eq!(store.save_tenant_config(&a, &docs[0], "root", at(1)).await, Ok(1));
    assert_eq!(store.save_tenant_config(&a, &docs[1], "ann", at(2)).await, Ok(2));
    let second = ConfigVersion { version: 2, doc: docs[1].clone(), who: "ann".into(), at: at(2) };
    assert_eq!(store.tenant_config(&a).await, Ok(Some(second.clone())));
    let outdated = store.save_tenant_config_after(&a, 1, &docs[0], "bob", at(3)).await;
    assert_eq!(outdated, Err(StoreError::Taken("configuration")), "somebody else was quicker");
    let ahead = store.save_tenant_config_after(&a, 3, &docs[0], "bob", at(3)).await;
    assert_eq!(ahead, Err(StoreError::Taken("configuration")));
    assert_eq!(store.tenant_config_version(&a, 1).await.expect("version").map(|kept| kept.doc), Some(docs[0].clone()));
    assert_eq!(store.tenant_config_version(&a, 3).await, Ok(None));
    let history = store.tenant_config_history(&a, 9).await.expect("history");
    assert_eq!(history.len(), 2);
    assert_eq!((&history[0], &history[1].doc), (&second, &docs[0]));
}

async fn the_last_save_of_a_dialog_wins(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    store.keep_dialogs("n1", vec![dialog(&a, 1, Some("{\"state\":\"early\"}"), 1)]).await.expect("save");
    store.keep_dialogs("n1", vec![dialog(&a, 1, Some("{\"state\":\"confirmed\"}"), 2)]).await.expect("save");
    store.keep_dialogs("n2", vec![dialog(&a, 2, Some("{}"), 2)]).await.expect("save");
    let kept = store.dialogs(&a).await.expect("dialogs");
    assert_eq!(kept.len(), 2);
    let first = DialogRow {
        tenant: a.clone(),
        leg: LegId(1),
        node: "n1".into(),
        saved_at: at(2),
        doc: "{\"state\":\"confirmed\"}".into(),
    };
    assert_eq!(kept[0], first);
    store.remove_dialog(&a, LegId(1)).await.expect("remove");
    store.remove_dialog(&a, LegId(1)).await.expect("remove twice");
    assert_eq!(store.dialogs(&a).await.expect("dialogs").len(), 1);
}

async fn a_code_holds_once_and_a_recovery_code_too(database: Database) {
    let store = database.open().await.expect("open");
    let ann = user("ann", Some(&tenant("a")));
    store.create_user(&ann).await.expect("created");
    assert_eq!(store.second_factor(&ann.id).await, Ok(None));
    store.set_second_factor(&ann.id, Some("SECRET"), &["r1".into(), "r2".into()]).await.expect("enrolled");
    assert_eq!(store.second_factor(&ann.id).await, Ok(Some("SECRET".into())));
    assert!(store.user_for_login("ann").await.expect("read").is_some_and(|user| user.second_factor));
    assert_eq!(store.use_step(&ann.id, 100).await, Ok(true));
    assert_eq!(store.use_step(&ann.id, 100).await, Ok(false), "a code does not hold twice");
    assert_eq!(store.use_step(&ann.id, 99).await, Ok(false), "nor does an older one");
    assert_eq!(store.use_step(&ann.id, 101).await, Ok(true));
    assert_eq!(store.use_recovery(&ann.id, "r3").await, Ok(None));
    assert_eq!(store.use_recovery(&ann.id, "r1").await, Ok(Some(1)));
    assert_eq!(store.use_recovery(&ann.id, "r1").await, Ok(None));
    // A change of the person leaves the second factor alone.
    store.update_user(&User { name: "Ann B".into(), ..ann.clone() }, at(1)).await.expect("updated");
    assert_eq!(store.second_factor(&ann.id).await, Ok(Some("SECRET".into())));
    store.set_second_factor(&ann.id, None, &[]).await.expect("taken away");
    assert_eq!(store.second_factor(&ann.id).await, Ok(None));
    assert_eq!(store.use_recovery(&ann.id, "r2").await, Ok(None));
    let nobody = AgentId::new("nobody");
    assert_eq!(store.set_second_factor(&nobody, Some("S"), &[]).await, Err(StoreError::NotFound("user")));
}

async fn a_key_holds_until_it_is_revoked_or_over(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let key = |id: &str, expires: Option<i64>| ApiKey {
        id: id.into(),
        tenant: Some(a.clone()),
        name: "wallboard".into(),
        role: Role::Supervisor,
        permissions: vec![Permission::Listen],
        created_by: "ann".into(),
        created_at: at(0),
        expires_at: expires.map(at),
        revoked_at: None,
    };
    store.create_api_key(&key("k1", None), "digest-1").await.expect("created");
    store.create_api_key(&key("k2", Some(10)), "digest-2").await.expect("created");
    assert_eq!(store.api_key("digest-1", at(5)).await, Ok(Some(key("k1", None))));
    assert_eq!(store.api_key("digest-2", at(9)).await, Ok(Some(key("k2", Some(10)))));
    assert_eq!(store.api_key("digest-2", at(10)).await, Ok(None));
    assert_eq!(store.api_key("digest-3", at(5)).await, Ok(None));
    assert_eq!(store.revoke_api_key(Some(&b), "k1", at(6)).await, Ok(false), "another tenant's key");
    assert_eq!(store.revoke_api_key(None, "k1", at(6)).await, Ok(false));
    assert_eq!(store.revoke_api_key(Some(&a), "k1", at(6)).await, Ok(true));
    assert_eq!(store.revoke_api_key(Some(&a), "k1", at(7)).await, Ok(false));
    assert_eq!(store.api_key("digest-1", at(7)).await, Ok(None));
    assert_eq!(store.api_keys(Some(&a)).await.expect("list").len(), 2);
    assert_eq!(store.api_keys(Some(&b)).await, Ok(Vec::new()));
}

async fn the_provider_ends_its_own_sessions(database: Database) {
    let store = database.open().await.expect("open");
    let ann = User { external: Some("https://idp s1".into()), ..user("ann", Some(&tenant("a"))) };
    store.create_user(&ann).await.expect("created");
    assert_eq!(store.user_of_provider("https://idp s1").await.expect("read").map(|user| user.id), Some(ann.id.clone()));
    assert_eq!(store.user_of_provider("https://other s1").await, Ok(None));
    for (digest, idp) in [("d1", Some("https://idp sid-1")), ("d2", Some("https://idp sid-2")), ("d3", None)] {
        let session = Session { idp_session: idp.map(str::to_owned), ..session(digest, &ann, 1000) };
        store.create_session(&session).await.expect("created");
    }
    assert_eq!(store.revoke_provider_sessions("https://idp sid-1", at(1)).await, Ok(vec!["d1".to_owned()]));
    assert_eq!(store.revoke_provider_sessions("https://idp sid-1", at(1)).await, Ok(Vec::new()));
    assert_eq!(store.session("d1", at(2)).await, Ok(None));
    assert!(store.session("d2", at(2)).await.expect("read").is_some());
}
