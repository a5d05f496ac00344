//! What an administrator sets is in force at once, kept, told, and can be undone.

use super::*;
use crate::settings;

const PATH: &str = "/api/v1/settings";

fn always() -> Value {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    json!(days.map(|day| json!({ "day": day, "from": "00:00", "to": "24:00" })))
}

fn change(base: u64, hours: Value, holidays: Value) -> Value {
    json!({ "base": base, "callback": true, "chat": true, "hours": hours, "holidays": holidays })
}

impl World {
    async fn put_settings(&self, body: Value, cookie: &str) -> Answer {
        self.send(request(Method::PUT, PATH, Some(body), &[("cookie", cookie), ("origin", ORIGIN)])).await
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
    assert_eq!(world.put_settings(change(0, always(), json!([])), &admin).await.status, StatusCode::OK);
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
    // As the next start of the server finds it.
    let mut config = world.app.config.tenant(&TenantId::new(OPEN)).unwrap().core.clone();
    settings::restore(&world.app.store, &mut config).await.unwrap();
    assert_eq!(config.hours.closure.as_ref().map(|closure| closure.message.as_str()), Some("Power cut"));
    assert_eq!(config, *world.app.engine.config(&config.id).await.unwrap());
    let lifted =
        world.send(request(Method::DELETE, "/api/v1/closure", None, &[("cookie", &chief), ("origin", ORIGIN)])).await;
    assert_eq!(lifted.status, StatusCode::NO_CONTENT, "{}", lifted.text());
    assert!(world.is_open().await);
    let mut config = world.app.config.tenant(&TenantId::new(OPEN)).unwrap().core.clone();
    settings::restore(&world.app.store, &mut config).await.unwrap();
    assert_eq!(config.hours.closure, None);
}
