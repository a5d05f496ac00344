//! What an administrator sets is in force at once, kept, told, and can be undone.

use ringback_routing::config::TenantConfig;

use super::*;
use crate::counties;

const PATH: &str = "/api/v1/settings";

fn always() -> Value {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    json!(days.map(|day| json!({ "day": day, "from": "00:00", "to": "24:00" })))
}

fn change(base: u64, hours: Value, holidays: Value) -> Value {
    json!({ "base": base, "settings": { "callback": true, "chat": true, "hours": hours, "holidays": holidays } })
}

impl World {
    async fn put_settings(&self, body: Value, cookie: &str) -> Answer {
        self.send(request(Method::PUT, PATH, Some(body), &[("cookie", cookie), ("origin", ORIGIN)])).await
    }

    /// The open county as the next start of the server finds it.
    async fn restarted(&self) -> TenantConfig {
        let config = counties::in_force(&self.app.store, self.app.config.clone()).await.unwrap();
        config.tenant(&TenantId::new(OPEN)).unwrap().core.clone()
    }

    async fn is_open(&self) -> bool {
        let answer = self.get(&format!("/api/v1/t/{OPEN}/availability")).await.json();
        answer["availability"]["open"].as_bool().unwrap_or_else(|| panic!("{answer}"))
    }
}

#[tokio::test]
async fn a_change_is_in_force_at_once_told_and_undone() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let first = world.get_as(PATH, &admin).await.json();
    assert_eq!((first["version"].as_u64(), first["settings"]["callback"].as_bool()), (Some(0), Some(true)));
    assert_eq!(first["settings"]["hours"].as_array().map(Vec::len), Some(7));
    assert!(world.is_open().await);
    let shut = world.put_settings(change(0, json!([]), json!([])), &admin).await;
    assert_eq!(shut.status, StatusCode::OK, "{}", shut.text());
    assert_eq!(shut.json()["version"], 2, "the file's own state is kept as version 1");
    assert!(!world.is_open().await, "the running core has it");
    let refused =
        world.post(&format!("/api/v1/t/{OPEN}/callbacks"), json!({ "name": "Ana", "phone": "916 555 0100" })).await;
    assert_eq!(refused.code(), "closed");
    let list = world.get_as("/api/v1/settings/versions", &admin).await.json();
    assert_eq!((list["items"][0]["version"].as_u64(), list["items"][0]["who"].as_str()), (Some(2), Some("open-admin")));
    let told = &list["items"][0]["differences"];
    assert_eq!(told.as_array().map(Vec::len), Some(7), "{told}");
    assert_eq!(told[0], json!({ "what": "hours.fri", "before": [["00:00", "00:00"]], "after": null }));
    let back = world.post_as("/api/v1/settings/versions/1/restore", json!({ "base": 2 }), &admin).await;
    assert_eq!((back.status, back.json()["version"].as_u64()), (StatusCode::OK, Some(3)));
    assert!(world.is_open().await);
    let gone = world.post_as("/api/v1/settings/versions/9/restore", json!({ "base": 3 }), &admin).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let rows = world.get_as("/api/v1/audit?what=settings_changed", &admin).await.json();
    assert_eq!(rows["items"][0]["detail"]["version"], 2, "{rows}");
}

#[tokio::test]
async fn nobody_overwrites_what_was_not_seen_and_nothing_impossible_is_kept() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let holidays = json!([{ "date": "2030-01-01", "name": "New Year" }]);
    assert_eq!(world.put_settings(change(0, always(), holidays), &admin).await.status, StatusCode::OK);
    let late = world.put_settings(change(0, json!([]), json!([])), &admin).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "settings_outdated"));
    assert!(world.is_open().await);
    let twice =
        json!([{ "day": "mon", "from": "08:00", "to": "12:00" }, { "day": "mon", "from": "11:00", "to": "13:00" }]);
    let nameless = json!([{ "date": "2026-12-24", "name": "  ", "open": [] }]);
    for (body, field) in
        [(change(2, twice, json!([])), "hours.mon"), (change(2, always(), nameless), "holidays.2026-12-24")]
    {
        let refused = world.put_settings(body, &admin).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "bad_value"));
        assert_eq!(refused.json()["field"], field);
    }
    for nonsense in
        [json!([{ "day": "noday", "from": "08:00", "to": "12:00" }]), json!([{ "day": "mon", "from": "8", "to": "x" }])]
    {
        assert_eq!(world.put_settings(change(2, nonsense, json!([])), &admin).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.get_as(PATH, &admin).await.json()["version"], 2);
    for role in [Role::Agent, Role::Supervisor, Role::Auditor] {
        let cookie = world.sign_in(OPEN, role).await;
        assert_eq!(world.put_settings(change(2, json!([]), json!([])), &cookie).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_closure_meanwhile_makes_no_change_outdated_and_hides_none() {
    let world = World::new().await;
    let (admin, chief) = (world.sign_in(OPEN, Role::Admin).await, world.sign_in(OPEN, Role::Supervisor).await);
    let lift = || async {
        let gone = request(Method::DELETE, "/api/v1/closure", None, &[("cookie", chief.as_str()), ("origin", ORIGIN)]);
        assert_eq!(world.send(gone).await.status, StatusCode::NO_CONTENT);
    };
    // The page was opened before anybody had changed anything; somebody closes and opens the office.
    assert_eq!(
        world.post_as("/api/v1/closure", json!({ "message": "Fire" }), &chief).await.status,
        StatusCode::NO_CONTENT
    );
    lift().await;
    let holidays = json!([{ "date": "2030-12-25", "name": "Christmas" }]);
    let kept = world.put_settings(change(0, always(), holidays.clone()), &admin).await;
    assert_eq!((kept.status, kept.json()["version"].as_u64()), (StatusCode::OK, Some(4)), "{}", kept.text());
    // The same once there is a version, with the closure standing.
    assert_eq!(
        world.post_as("/api/v1/closure", json!({ "message": "Flood" }), &chief).await.status,
        StatusCode::NO_CONTENT
    );
    let kept = world.put_settings(change(4, always(), json!([])), &admin).await;
    assert_eq!((kept.status, kept.json()["version"].as_u64()), (StatusCode::OK, Some(6)), "{}", kept.text());
    assert_eq!(kept.json()["settings"]["closure"]["message"], "Flood", "it stands all the same");
    // A colleague's change is not overwritten, however often the office was closed since.
    lift().await;
    for unseen in [4, 5] {
        assert_eq!(
            world.put_settings(change(unseen, always(), holidays.clone()), &admin).await.code(),
            "settings_outdated",
            "{unseen}"
        );
    }
    let rows = world.get_as("/api/v1/audit?what=closure_declared", &admin).await.json();
    assert_eq!(rows["items"].as_array().map(Vec::len), Some(2), "{rows}");
}

#[tokio::test]
async fn a_closure_and_the_settings_outlive_the_server() {
    let world = World::new().await;
    let (admin, chief) = (world.sign_in(OPEN, Role::Admin).await, world.sign_in(OPEN, Role::Supervisor).await);
    let declared = world.post_as("/api/v1/closure", json!({ "message": "Power cut" }), &chief).await;
    assert_eq!(declared.status, StatusCode::NO_CONTENT, "{}", declared.text());
    assert!(!world.is_open().await);
    // The administrator's other changes leave it standing, also when they are undone.
    let holidays = json!([{ "date": "2030-12-25", "name": "Christmas" }]);
    let changed = world.put_settings(change(2, always(), holidays), &admin).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    assert_eq!(changed.json()["settings"]["closure"]["message"], "Power cut");
    assert_eq!(
        world.post_as("/api/v1/settings/versions/1/restore", json!({ "base": 3 }), &admin).await.status,
        StatusCode::OK
    );
    assert!(!world.is_open().await);
    let config = world.restarted().await;
    assert_eq!(config.hours.closure.as_ref().map(|closure| closure.message.as_str()), Some("Power cut"));
    assert_eq!(config, *world.app.engine.config(&config.id).await.unwrap());
    let lifted =
        world.send(request(Method::DELETE, "/api/v1/closure", None, &[("cookie", &chief), ("origin", ORIGIN)])).await;
    assert_eq!(lifted.status, StatusCode::NO_CONTENT, "{}", lifted.text());
    assert!(world.is_open().await);
    let config = world.restarted().await;
    assert_eq!(config.hours.closure, None);
}

/// The settings in force with one part changed.
pub(super) async fn with(world: &World, admin: &str, change: impl Fn(&mut Value)) -> Answer {
    let answer = world.get_as(PATH, admin).await.json();
    let mut settings = answer["settings"].clone();
    change(&mut settings);
    world.put_settings(json!({ "base": answer["version"], "settings": settings }), admin).await
}

#[tokio::test]
async fn every_part_is_in_force_at_once_for_staff_and_customers() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let changed = with(&world, &admin, |settings| {
        settings["queues"] = json!([{ "id": "general", "name": "General" }, { "id": "food", "name": "Food help" }]);
        settings["subjects"] = json!([{ "id": "calfresh", "name": "CalFresh", "queue": "food", "initial": 4, "overflow": 3,
            "rona": 2, "outside": "+19165550400", "outside_seconds": 90, "targets": [{ "skills": { "calfresh": 5 }, "seconds": 20 }, { "skills": {}, "seconds": 0 }] }]);
        settings["reason_codes"].as_array_mut().unwrap().push(json!({ "id": "fire_drill" }));
        settings["dispositions"] = json!([{ "id": "sent", "name": "Papers sent" }]);
        settings["canned"] = json!([{ "word": "hi", "text": "Hi {name}" }]);
        settings["faq"] = json!([{ "question": "Where?", "answer": "Here.", "public": true }]);
        settings["look"]["name"] = json!("Alpine County");
        settings["look"]["accent"] = json!("#7a1f5c");
        settings["calls"]["max_attempts"] = json!(7);
        settings["calls"]["press_one"] = json!(true);
        settings["chats"]["customer_chars"] = json!(123);
        settings["offers"]["offer_seconds"] = json!(33);
    })
    .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    let core = world.app.engine.config(&TenantId::new(OPEN)).await.unwrap();
    assert_eq!((core.callback.max_attempts, core.callback.press_one, core.policy.offer_timeout.0), (7, true, 33_000));
    assert_eq!((core.subjects[0].targets.len(), core.subjects[0].priorities.rona), (2, 2));
    let outside = core.subjects[0].overflow.as_ref().map(|overflow| (overflow.number.as_str(), overflow.timeout.0));
    assert_eq!(outside, Some(("+19165550400", 90_000)));
    assert_eq!(core.dispositions.len(), 1);
    let me = world.get_as("/api/v1/me", &admin).await.json();
    let tenant = &me["tenant"];
    assert_eq!(
        (tenant["name"].as_str(), tenant["queues"][1]["name"].as_str()),
        (Some("Alpine County"), Some("Food help"))
    );
    assert_eq!(tenant["chat"]["canned"][0]["word"], "hi");
    assert!(tenant["reason_codes"].as_array().unwrap().contains(&json!("fire_drill")));
    assert!(world.get(&format!("/t/{OPEN}/theme.css")).await.text().contains("#7a1f5c"));
    assert_eq!(world.get(&format!("/api/v1/t/{OPEN}/availability")).await.json()["tenant"]["accent"], "#7a1f5c");
    assert_eq!(world.restarted().await, *core, "the next start finds the same");
    // Each is told by its name, and an earlier version brings them all back.
    let told = world.get_as("/api/v1/settings/versions", &admin).await.json();
    let told: Vec<_> =
        told["items"][0]["differences"].as_array().unwrap().iter().map(|one| one["what"].clone()).collect();
    for what in
        ["calls.max_attempts", "look.accent", "queues.food", "subjects.calfresh", "subjects.general", "faq.Where?"]
    {
        assert!(told.contains(&json!(what)), "{what} in {told:?}");
    }
    assert!(!told.contains(&json!("queues.general")), "{told:?}");
    let back = world.post_as("/api/v1/settings/versions/1/restore", json!({ "base": 2 }), &admin).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.text());
    assert_eq!(world.app.engine.config(&TenantId::new(OPEN)).await.unwrap().subjects[0].id.as_str(), "general");
    assert!(!world.get(&format!("/t/{OPEN}/theme.css")).await.text().contains("#7a1f5c"));
}

#[tokio::test]
async fn what_others_refer_to_is_not_taken_away() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let only = json!([{ "id": "other", "name": "Other" }]);
    let orphan = with(&world, &admin, |settings| settings["queues"] = only.clone()).await;
    assert_eq!((orphan.code().as_str(), orphan.json()["field"].as_str()), ("bad_value", Some("subjects.0.queue")));
    let moved = |settings: &mut Value| {
        settings["queues"] = only.clone();
        settings["subjects"][0]["queue"] = json!("other");
    };
    let served = with(&world, &admin, moved).await;
    assert_eq!((served.status, served.code().as_str()), (StatusCode::CONFLICT, "in_use"));
    assert_eq!((served.json()["field"].as_str(), &served.json()["by"]), (Some("queues.general"), &json!(["A Name"])));
    // Both are there: the agent moves first, then the empty queue goes.
    let both = with(&world, &admin, |settings| {
        settings["queues"].as_array_mut().unwrap().push(only[0].clone());
    })
    .await;
    assert_eq!(both.status, StatusCode::OK, "{}", both.text());
    let agent = format!("/api/v1/users/{}", user_id(OPEN, Role::Agent));
    let origin = [("cookie", admin.as_str()), ("origin", ORIGIN)];
    let patch = json!({ "queues": ["other"], "voice_slots": 1, "chat_slots": 4, "skills": { "spanish": 9 } });
    let patched = world.send(request(Method::PATCH, &agent, Some(patch), &origin)).await;
    assert_eq!(
        (patched.status, patched.json()["chat_slots"].as_u64()),
        (StatusCode::OK, Some(4)),
        "{}",
        patched.text()
    );
    for (wrong, field) in [(json!({ "chat_slots": 11 }), "chat_slots"), (json!({ "voice_slots": 2 }), "voice_slots")] {
        let refused = world.send(request(Method::PATCH, &agent, Some(wrong), &origin)).await;
        assert_eq!((refused.status.as_u16(), refused.json()["field"].as_str()), (422, Some(field)));
    }
    let waiting = world.callback("916 555 0100").await;
    assert!(waiting["status_token"].is_string());
    let somebody_waits = with(&world, &admin, moved).await;
    assert_eq!(somebody_waits.code(), "in_use", "{}", somebody_waits.text());
    let token = waiting["status_token"].as_str().unwrap();
    let cancelled = world.post(&format!("/api/v1/status/{token}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, StatusCode::OK);
    let gone = with(&world, &admin, moved).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.text());
}
