//! People and programs: second factors, lock-outs, rights that end at once, keys.

use ringback_routing::ids::AgentId;
use ringback_store::Permission;

use super::*;
use crate::totp;

const STRICT: &str = "callbacks_per_minute = 1000\nlogins_per_minute = 1000";

/// Administrators need a second factor here.
async fn strict() -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), STRICT);
    config.file.server.second_factor_for = vec![Role::Admin, Role::Operator];
    World::of(folder, config).await
}

async fn log_in(world: &World, user: &str, password: &str, code: Option<&str>) -> Answer {
    world.post("/api/v1/login", json!({ "user": user, "password": password, "code": code })).await
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// Enrols an app; its secret and the recovery codes.
async fn enrol(world: &World, cookie: &str) -> (String, Vec<String>) {
    let offer = world.post_as("/api/v1/second-factor", json!({ "password": PASSWORD }), cookie).await;
    assert_eq!(offer.status, StatusCode::OK, "{}", offer.text());
    let offer = offer.json();
    let secret = offer["secret"].as_str().unwrap().to_owned();
    assert!(offer["uri"].as_str().unwrap().starts_with("otpauth://totp/Ringback:"));
    assert!(offer["qr"].as_str().unwrap().starts_with("<svg"));
    let confirm = |secret: &str, code: String| json!({ "secret": secret, "until": offer["until"], "seal": offer["seal"], "code": code });
    let code = totp::code(&secret, world.app.now());
    let wrong = confirm(&secret, format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000));
    let wrong = world.post_as("/api/v1/second-factor/confirm", wrong, cookie).await;
    assert_eq!(wrong.code(), "second_factor_wrong");
    let own = totp::secret().unwrap();
    let forged = confirm(&own, totp::code(&own, world.app.now()));
    let forged = world.post_as("/api/v1/second-factor/confirm", forged, cookie).await;
    assert_eq!(forged.code(), "form_expired", "a secret that was not offered");
    let done = world.post_as("/api/v1/second-factor/confirm", confirm(&secret, code), cookie).await.json();
    let codes: Vec<_> = done["recovery_codes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().into()).collect();
    assert_eq!(codes.len(), 10);
    (secret, codes)
}

#[tokio::test]
async fn an_administrator_enrols_before_anything_else() {
    let world = strict().await;
    let admin = user_id(OPEN, Role::Admin);
    let first = log_in(&world, &admin, PASSWORD, None).await;
    assert_eq!((first.status, first.json()["must_enrol"].as_bool()), (StatusCode::OK, Some(true)));
    let cookie = cookie_of(&first);
    let refused = world.get_as("/api/v1/board", &cookie).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "second_factor_needed"));
    let page = world.get_as("/supervisor", &cookie).await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/account"));
    assert_eq!(world.get_as("/account", &cookie).await.status, StatusCode::OK);
    let stranger = world.post_as("/api/v1/second-factor", json!({ "password": "wrong" }), &cookie).await;
    assert_eq!(stranger.code(), "login_failed", "an open browser is not enough");
    let (secret, recovery) = enrol(&world, &cookie).await;
    assert_eq!(world.get_as("/api/v1/board", &cookie).await.status, StatusCode::OK);
    // From now on the password alone does not do, nor the code that was used for enrolling.
    assert_eq!(log_in(&world, &admin, PASSWORD, None).await.code(), "second_factor_required");
    let used = totp::code(&secret, world.app.now());
    assert_eq!(log_in(&world, &admin, PASSWORD, Some(&used)).await.code(), "second_factor_wrong");
    assert_eq!(log_in(&world, &admin, "wrong", Some(&used)).await.code(), "login_failed");
    let by_recovery = log_in(&world, &admin, PASSWORD, Some(&recovery[0].to_uppercase())).await;
    assert_eq!((by_recovery.status, by_recovery.json()["must_enrol"].as_bool()), (StatusCode::OK, Some(false)));
    assert_eq!(log_in(&world, &admin, PASSWORD, Some(&recovery[0])).await.code(), "second_factor_wrong");
    // The next step's code is taken: the app's clock may be ahead.
    let next = totp::code(&secret, world.app.now() + ringback_routing::time::Millis::from_secs(30));
    assert_eq!(log_in(&world, &admin, PASSWORD, Some(&next)).await.status, StatusCode::OK);
    assert_eq!(log_in(&world, &admin, PASSWORD, Some(&next)).await.code(), "second_factor_wrong", "a code holds once");
}

#[tokio::test]
async fn wrong_passwords_lock_a_place_out_but_not_the_owner() {
    let world = World::new().await;
    let agent = user_id(OPEN, Role::Agent);
    let known = log_in(&world, &agent, PASSWORD, None).await;
    let browser = known.headers.get_all("set-cookie").iter().nth(1).unwrap().to_str().unwrap();
    let browser = browser.split(';').next().unwrap().to_owned();
    assert!(browser.starts_with("ringback_browser="));
    let mut last = None;
    for _ in 0..6 {
        last = Some(log_in(&world, &agent, "guess", None).await);
    }
    let last = last.unwrap();
    assert_eq!((last.status, last.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "locked_out"));
    assert!((1..=31).contains(&last.header("retry-after").parse::<u64>().unwrap()));
    // The right password does not help there, in the owner's own browser it does.
    let body = json!({ "user": agent, "password": PASSWORD });
    assert_eq!(world.post("/api/v1/login", body.clone()).await.code(), "locked_out");
    let own = world.send(request(Method::POST, "/api/v1/login", Some(body.clone()), &[("cookie", &browser)])).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text());
    let forged = format!("ringback_browser={}.{}", "x".repeat(43), "0".repeat(64));
    let forged = world.send(request(Method::POST, "/api/v1/login", Some(body.clone()), &[("cookie", &forged)])).await;
    assert_eq!(forged.code(), "locked_out");
    // Somebody else's browser is nothing special for this name.
    let other = log_in(&world, &user_id(OPEN, Role::Supervisor), PASSWORD, None).await;
    let other = other
        .headers
        .get_all("set-cookie")
        .iter()
        .nth(1)
        .unwrap()
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let other = world.send(request(Method::POST, "/api/v1/login", Some(body), &[("cookie", &other)])).await;
    assert_eq!(other.code(), "locked_out");
    // A name that does not exist is locked in the same way: nobody learns which do.
    for _ in 0..5 {
        log_in(&world, "nobody", "guess", None).await;
    }
    assert_eq!(log_in(&world, "nobody", "guess", None).await.code(), "locked_out");
}

#[tokio::test]
async fn an_administrator_adds_changes_and_ends_people_of_the_own_tenant() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let add = |id: &str, role: &str| json!({ "id": id, "name": "New Person", "role": role, "password": "long enough" });
    let added = world.post_as("/api/v1/users", add("newone", "agent"), &admin).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    assert_eq!(added.json()["can_reject"], true);
    assert_eq!(world.post_as("/api/v1/users", add("newone", "agent"), &admin).await.code(), "taken");
    assert_eq!(world.post_as("/api/v1/users", add("root2", "operator"), &admin).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post_as("/api/v1/users", add("Bad Name", "agent"), &admin).await.code(), "bad_value");
    let agent = cookie_of(&log_in(&world, "newone", "long enough", None).await);
    let own = json!({ "password": "long enough", "new_password": "even longer" });
    assert_eq!(world.post_as("/api/v1/password", own, &agent).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get_as("/api/v1/me", &agent).await.status, StatusCode::OK);
    let change = async |id: &str, body: Value| {
        let headers = [("cookie", admin.as_str()), ("origin", ORIGIN)];
        world.send(request(Method::PATCH, &format!("/api/v1/users/{id}"), Some(body), &headers)).await
    };
    let changed = change("newone", json!({ "can_reject": false, "queues": ["general"] })).await;
    assert_eq!((changed.status, changed.json()["can_reject"].as_bool()), (StatusCode::OK, Some(false)));
    assert_eq!(world.get_as("/api/v1/me", &agent).await.json()["can_reject"], false, "at once");
    assert_eq!(change("newone", json!({ "queues": ["nowhere"] })).await.code(), "bad_value");
    // More rights: signed in anew.
    assert_eq!(change("newone", json!({ "role": "supervisor" })).await.status, StatusCode::OK);
    assert_eq!(world.get_as("/api/v1/me", &agent).await.status, StatusCode::UNAUTHORIZED);
    let again = cookie_of(&log_in(&world, "newone", "even longer", None).await);
    assert_eq!(world.get_as("/api/v1/board", &again).await.status, StatusCode::OK);
    assert_eq!(change("newone", json!({ "disabled": true })).await.status, StatusCode::OK);
    assert_eq!(world.get_as("/api/v1/board", &again).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&world, "newone", "even longer", None).await.code(), "login_failed");
    // Nobody of another tenant, and not oneself.
    assert_eq!(change(&user_id(VOUCHED, Role::Agent), json!({ "disabled": true })).await.status, StatusCode::NOT_FOUND);
    assert_eq!(change(&user_id(OPEN, Role::Admin), json!({ "role": "agent" })).await.code(), "not_yourself");
    let listed = world.get_as("/api/v1/users", &admin).await;
    assert!(!listed.text().contains(VOUCHED) && !listed.text().contains("argon2"), "{}", listed.text());
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn rights_are_given_and_taken_one_by_one() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let path = format!("/api/v1/users/{}", user_id(OPEN, Role::Supervisor));
    let give = async |permissions: Value| {
        let headers = [("cookie", admin.as_str()), ("origin", ORIGIN)];
        let body = Some(json!({ "permissions": permissions }));
        assert_eq!(world.send(request(Method::PATCH, &path, body, &headers)).await.status, StatusCode::OK);
        world.sign_in(OPEN, Role::Supervisor).await
    };
    let contact = format!("/api/v1/recordings/{}/audio", "0".repeat(32));
    let without = give(json!([])).await;
    assert_eq!(world.get_as(&contact, &without).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        world.post_as("/api/v1/closure", json!({ "message": "Fire" }), &without).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(world.get_as("/api/v1/board", &without).await.status, StatusCode::OK);
    let with = give(json!(["listen", "close"])).await;
    assert_eq!(world.get_as(&contact, &with).await.status, StatusCode::NOT_FOUND, "allowed, but there is none");
    assert_eq!(
        world.post_as("/api/v1/closure", json!({ "message": "Fire" }), &with).await.status,
        StatusCode::NO_CONTENT
    );
    let me = world.get_as("/api/v1/me", &with).await.json();
    assert_eq!(me["permissions"], json!(["listen", "close"]));
    // Permissions widen no role: the supervisor still manages nobody.
    let people = give(json!(["people", "export"])).await;
    assert_eq!(world.get_as("/api/v1/users", &people).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get_as("/api/v1/audit/export", &people).await.status, StatusCode::FORBIDDEN);
    assert!(Permission::ALL.iter().all(|permission| !Role::Agent.permissions().contains(permission)));
}

#[tokio::test]
async fn a_key_calls_what_it_is_for_and_nothing_else() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let ask = json!({ "name": "wallboard", "role": "supervisor", "permissions": ["listen"] });
    let made = world.post_as("/api/v1/api-keys", ask, &admin).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let (key, id) =
        (made.json()["key"].as_str().unwrap().to_owned(), made.json()["item"]["id"].as_str().unwrap().to_owned());
    assert!(key.starts_with("rbk_"));
    let with = async |method: Method, path: &str, body: Option<Value>, key: &str| {
        world.send(request(method, path, body, &[("authorization", &format!("Bearer {key}"))])).await
    };
    assert_eq!(with(Method::GET, "/api/v1/board", None, &key).await.status, StatusCode::OK);
    // No browser, no origin: a program may change things where its permissions reach.
    let forbid = json!({ "phone": "916 555 0199" });
    assert_eq!(with(Method::POST, "/api/v1/do-not-call", Some(forbid), &key).await.status, StatusCode::FORBIDDEN);
    for path in ["/api/v1/users", "/api/v1/api-keys", "/api/v1/audit/export", "/account", "/ws", "/api/v1/me"] {
        let status = with(Method::GET, path, None, &key).await.status;
        assert!(matches!(status, StatusCode::FORBIDDEN | StatusCode::SEE_OTHER), "{path}: {status}");
    }
    for wrong in ["", "rbk_", &key[4..], &format!("rbk_{}", "A".repeat(43))] {
        assert_eq!(with(Method::GET, "/api/v1/board", None, wrong).await.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    // A key beside a good cookie: the key decides.
    let both = [("authorization", "Bearer rbk_x"), ("cookie", admin.as_str())];
    assert_eq!(world.send(request(Method::GET, "/api/v1/board", None, &both)).await.status, StatusCode::UNAUTHORIZED);
    let too_much = json!({ "name": "x", "role": "admin", "permissions": ["people"] });
    assert_eq!(world.post_as("/api/v1/api-keys", too_much, &admin).await.code(), "bad_value");
    let listed = world.get_as("/api/v1/api-keys", &admin).await;
    assert!(!listed.text().contains(&key[4..]), "the secret is shown once");
    let revoke =
        request(Method::DELETE, &format!("/api/v1/api-keys/{id}"), None, &[("cookie", &admin), ("origin", ORIGIN)]);
    assert_eq!(world.send(revoke).await.status, StatusCode::NO_CONTENT);
    assert_eq!(with(Method::GET, "/api/v1/board", None, &key).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_password_set_by_somebody_else_holds_for_the_first_sign_in() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let add = json!({ "id": "fresh", "name": "Fresh", "role": "agent", "password": "given by ada" });
    let added = world.post_as("/api/v1/users", add, &admin).await;
    assert_eq!((added.status, added.json()["must_change"].as_bool()), (StatusCode::CREATED, Some(true)));
    let first = log_in(&world, "fresh", "given by ada", None).await;
    assert_eq!(first.json()["must_change"], true);
    let cookie = cookie_of(&first);
    let refused = world.get_as("/api/v1/contacts/ct_0/history", &cookie).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "password_change_needed"));
    let page = world.get_as("/agent", &cookie).await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/account"));
    let own = |old: &str, new: &str| json!({ "password": old, "new_password": new });
    for (body, code) in [
        (own("wrong", "chosen by fresh"), "login_failed"),
        (own("given by ada", "short"), "bad_value"),
        (own("given by ada", "given by ada"), "bad_value"),
    ] {
        assert_eq!(world.post_as("/api/v1/password", body, &cookie).await.code(), code);
    }
    let elsewhere = cookie_of(&log_in(&world, "fresh", "given by ada", None).await);
    let done = world.post_as("/api/v1/password", own("given by ada", "chosen by fresh"), &cookie).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.text());
    assert_eq!(world.get_as("/agent", &cookie).await.status, StatusCode::OK);
    let other = world.get_as("/api/v1/me", &elsewhere).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED, "who knew the old one is out");
    assert_eq!(log_in(&world, "fresh", "given by ada", None).await.code(), "login_failed");
    assert_eq!(log_in(&world, "fresh", "chosen by fresh", None).await.json()["must_change"], false);
    // The new agent is known to the running day.
    let view = world.app.engine.agent_view(&TenantId::new(OPEN), &ringback_routing::ids::AgentId::new("fresh")).await;
    assert!(view.unwrap().is_some());
}

#[tokio::test]
async fn what_becomes_of_a_person_is_kept_told_and_undone() {
    let world = World::new().await;
    let (admin, agent) = (world.sign_in(OPEN, Role::Admin).await, world.sign_in(OPEN, Role::Agent).await);
    let path = format!("/api/v1/users/{}", user_id(OPEN, Role::Agent));
    let versions = format!("{path}/versions");
    let none = world.get_as(&versions, &admin).await.json();
    assert_eq!(none["items"], json!([]), "nobody changed anything");
    let own = [("cookie", admin.as_str()), ("origin", ORIGIN)];
    for change in [json!({ "skills": { "spanish": 9 }, "chat_slots": 4 }), json!({ "role": "supervisor" })] {
        let changed = world.send(request(Method::PATCH, &path, Some(change), &own)).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    }
    let told = world.get_as(&versions, &admin).await.json();
    let names = |at: usize| -> Vec<String> {
        let one = told["items"][at]["differences"].as_array().unwrap();
        one.iter().map(|one| one["what"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(1), names(2)), (vec!["chat_slots".to_owned(), "skills".to_owned()], Vec::new()));
    assert!(names(0).contains(&"role".to_owned()), "{told}");
    assert_eq!((told["items"][0]["who"].as_str(), told["items"][2]["who"].as_str()), (Some("open-admin"), Some("")));
    assert!(!told.to_string().contains("argon2"), "no password in it");
    let back = |version: u64, base: u64| {
        let path = format!("{versions}/{version}/restore");
        let (world, admin) = (&world, &admin);
        async move { world.post_as(&path, json!({ "base": base }), admin).await }
    };
    assert_eq!(back(2, 1).await.code(), "settings_outdated");
    assert_eq!(back(9, 3).await.status, StatusCode::NOT_FOUND);
    let again = back(2, 3).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text());
    let person = again.json();
    assert_eq!((person["role"].as_str(), person["chat_slots"].as_u64()), (Some("agent"), Some(4)));
    assert_eq!(
        world.get_as("/api/v1/me", &agent).await.status,
        StatusCode::UNAUTHORIZED,
        "other rights, other session"
    );
    let view = world.app.engine.agent_view(&TenantId::new(OPEN), &AgentId::new(user_id(OPEN, Role::Agent))).await;
    assert!(view.unwrap().is_some(), "the running day has the agent again");
    // Nobody gives the own rights back, and the other county sees nothing of it.
    let own_path = format!("/api/v1/users/{}", user_id(OPEN, Role::Admin));
    let renamed = world.send(request(Method::PATCH, &own_path, Some(json!({ "name": "Ada" })), &own)).await;
    assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.text());
    let stranger = world.sign_in(VOUCHED, Role::Admin).await;
    assert_eq!(world.get_as(&versions, &stranger).await.status, StatusCode::NOT_FOUND);
    let meddled = world.post_as(&format!("{versions}/1/restore"), json!({ "base": 4 }), &stranger).await;
    assert_eq!(meddled.status, StatusCode::NOT_FOUND);
}
