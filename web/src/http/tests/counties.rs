//! An operator founds a county while the others work: all of it or nothing, and no line of somebody else's.

use super::*;
use crate::counties;

fn plan(id: &str, admin: &str) -> Value {
    let always = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let hours = always.map(|day| json!({ "day": day, "from": "00:00", "to": "24:00" }));
    json!({
        "id": id, "name": "Nevada County", "timezone": "America/Los_Angeles",
        "settings": {
            "callback": true, "chat": false, "hours": hours, "holidays": [],
            "queues": [{ "id": "benefits", "name": "Benefits" }],
            "subjects": [{ "id": "benefits", "name": "Benefits", "queue": "benefits", "targets": [],
                "initial": 5, "overflow": 4, "rona": 3 }],
        },
        "trunk": { "trunk": { "id": format!("{id}-line"), "host": "127.0.0.1", "port": 9, "channels": 2,
            "caller_id": "+15305550100", "username": "nevada", "options_seconds": 0 }, "password": "known to few" },
        "people": [
            { "id": admin, "name": "Ada Lane", "role": "admin", "password": "given at first" },
            { "id": format!("{admin}-agent"), "name": "Nora Fields", "role": "agent", "password": "given at first" },
        ],
    })
}

impl World {
    async fn operator(&self) -> String {
        self.sign_in(OPEN, Role::Operator).await
    }

    async fn counties(&self, operator: &str) -> Vec<String> {
        let list = self.get_as("/api/v1/tenants", operator).await.json();
        list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_county_is_founded_and_open_at_once_and_after_a_restart() {
    let world = World::new().await;
    let operator = world.operator().await;
    let before = world.counties(&operator).await;
    assert_eq!(world.get("/api/v1/t/nevada/availability").await.status, StatusCode::NOT_FOUND);
    let founded = world.post_as("/api/v1/tenants", plan("nevada", "ada"), &operator).await;
    assert_eq!(founded.status, StatusCode::CREATED, "{}", founded.text());
    assert!(!founded.text().contains("known to few"));
    let missing: Vec<_> = founded.json()["missing"].as_array().unwrap().clone();
    assert!(missing.is_empty() || missing == [json!("trunk_down")], "{missing:?}");
    assert_eq!(world.counties(&operator).await.len(), before.len() + 1);
    let answer = world.get("/api/v1/t/nevada/availability").await.json();
    assert_eq!(
        (answer["availability"]["open"].as_bool(), answer["tenant"]["name"].as_str()),
        (Some(true), Some("Nevada County"))
    );
    let asked = world.post("/api/v1/t/nevada/callbacks", json!({ "name": "Ana", "phone": "916 555 0100" })).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.text());
    // Its administrator chooses a password and sees the county's own settings, and nobody else's people.
    let first = world.post("/api/v1/login", json!({ "user": "ada", "password": "given at first" })).await;
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    let own = json!({ "password": "given at first", "new_password": "chosen by ada" });
    assert_eq!(world.post_as("/api/v1/password", own, &cookie).await.status, StatusCode::NO_CONTENT);
    let settings = world.get_as("/api/v1/settings", &cookie).await.json();
    assert_eq!((settings["version"].as_u64(), settings["who"].as_str()), (Some(1), Some("open-operator")));
    assert_eq!(settings["settings"]["calls"]["trunks"], json!(["nevada-line"]));
    assert!(!world.get_as("/api/v1/users", &cookie).await.text().contains("open-agent"));
    let board = world.get_as("/api/v1/board", &cookie).await.json();
    assert_eq!(
        (board["agents"][0]["id"].as_str(), board["waiting"].as_array().map(Vec::len)),
        (Some("ada-agent"), Some(1))
    );
    let audit = world.get_as("/api/v1/audit?what=tenant_founded", &operator).await.json();
    assert_eq!(audit["items"][0]["target"], "nevada", "{audit}");
    // As the next start finds it: the county with its settings, its line with the secret.
    let config = ServerConfig { trunks: Vec::new(), tenants: Vec::new(), ..world.app.config.clone() };
    let config = counties::in_force(&world.app.store, config).await.unwrap();
    let tenant = config.tenant(&TenantId::new("nevada")).unwrap();
    assert_eq!(tenant.core, *world.app.engine.config(&TenantId::new("nevada")).await.unwrap());
    let line = config.trunks.iter().find(|trunk| trunk.table.id.get_ref().as_str() == "nevada-line").unwrap();
    assert_eq!(line.password.as_ref().map(crate::config::Secret::reveal), Some("known to few"));
    assert_eq!(line.table.caller_id, "+15305550100");
}

#[tokio::test]
async fn what_cannot_be_founded_leaves_nothing_behind() {
    let world = World::new().await;
    let operator = world.operator().await;
    let before = world.counties(&operator).await;
    type Change = fn(&mut Value);
    let wrong: [(&str, &str, Change); 9] = [
        ("bad_value", "id", |plan| plan["id"] = json!("Nevada County")),
        ("taken", "id", |plan| plan["id"] = json!(OPEN)),
        ("bad_value", "timezone", |plan| plan["timezone"] = json!("Nevada")),
        ("bad_value", "queues.0.name", |plan| plan["settings"]["queues"][0]["name"] = json!("")),
        ("bad_value", "trunk.host", |plan| plan["trunk"]["trunk"]["host"] = json!("not a host")),
        ("bad_value", "trunk.caller_id", |plan| plan["trunk"]["trunk"]["caller_id"] = json!("916")),
        ("taken", "trunk.id", |plan| plan["trunk"]["trunk"]["id"] = json!("nowhere")),
        ("bad_value", "people.0.password", |plan| plan["people"][0]["password"] = json!("short")),
        ("taken", "people", |plan| plan["people"][1]["id"] = json!("open-agent")),
    ];
    for (code, field, change) in wrong {
        let mut plan = plan("nevada", "ada");
        change(&mut plan);
        let refused = world.post_as("/api/v1/tenants", plan, &operator).await;
        assert_eq!(
            (refused.code().as_str(), refused.json()["field"].as_str()),
            (code, Some(field)),
            "{}",
            refused.text()
        );
    }
    assert_eq!(world.counties(&operator).await, before);
    assert!(world.app.store.user_for_login("ada").await.unwrap().is_none());
    assert!(world.app.store.connected_trunks().await.unwrap().is_empty());
    assert_eq!(world.post_as("/api/v1/tenants", plan("nevada", "ada"), &operator).await.status, StatusCode::CREATED);
    let admin = world.sign_in(OPEN, Role::Admin).await;
    for path in ["/api/v1/tenants", "/api/v1/trunks"] {
        assert_eq!(world.post_as(path, json!({}), &admin).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_line_of_one_county_is_no_other_countys() {
    let world = World::new().await;
    let operator = world.operator().await;
    assert_eq!(world.post_as("/api/v1/tenants", plan("nevada", "ada"), &operator).await.status, StatusCode::CREATED);
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let over = async |trunks: Value| {
        let answer = world.get_as("/api/v1/settings", &admin).await.json();
        let mut settings = answer["settings"].clone();
        settings["calls"]["trunks"] = trunks;
        let body = json!({ "base": answer["version"], "settings": settings });
        let headers = [("cookie", admin.as_str()), ("origin", ORIGIN)];
        world.send(request(Method::PUT, "/api/v1/settings", Some(body), &headers)).await
    };
    let stolen = over(json!(["nevada-line"])).await;
    assert_eq!((stolen.code().as_str(), stolen.json()["field"].as_str()), ("bad_value", Some("calls.trunks")));
    let common = json!({ "trunk": { "id": "common", "host": "127.0.0.1", "port": 9, "channels": 2,
        "caller_id": "+15305550101", "options_seconds": 0 } });
    let connected = world.post_as("/api/v1/trunks", common, &operator).await;
    assert_eq!(connected.status, StatusCode::CREATED, "{}", connected.text());
    let shared = over(json!(["common", "nowhere"])).await;
    assert_eq!(shared.status, StatusCode::OK, "{}", shared.text());
    assert!(world.app.engine.trunk_usage().iter().any(|(id, channels, _)| id.as_str() == "common" && *channels == 2));
}

#[tokio::test]
async fn a_line_is_changed_retired_and_brought_back_and_its_password_is_sealed() {
    let world = World::new().await;
    let operator = world.operator().await;
    assert_eq!(world.post_as("/api/v1/tenants", plan("nevada", "ada"), &operator).await.status, StatusCode::CREATED);
    let put = async |body: Value| {
        let headers = [("cookie", operator.as_str()), ("origin", ORIGIN)];
        world.send(request(Method::PUT, "/api/v1/lines/nevada-line", Some(body), &headers)).await
    };
    let listed = world.get_as("/api/v1/lines", &operator).await;
    assert!(!listed.text().contains("known to few"));
    let item = listed.json()["items"][0].clone();
    assert_eq!((item["version"].as_u64(), item["password"].as_bool()), (Some(1), Some(true)));
    let kept = world.app.store.connected_trunks().await.unwrap();
    assert!(kept[0].password.as_ref().is_some_and(|kept| kept.starts_with("sealed:1:")), "not in the ledger either");

    let mut trunk = item["trunk"].clone();
    trunk["channels"] = json!(7);
    let changed = put(json!({ "base": 1, "trunk": trunk, "retired": false, "password": "a newer one" })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    let told = changed.json()["versions"][0]["differences"].clone();
    assert_eq!(told, json!([{ "what": "channels", "before": 2, "after": 7 }]), "a password is no part of it");
    let channels = |world: &World| {
        world
            .app
            .engine
            .trunk_usage()
            .into_iter()
            .find(|(id, ..)| id.as_str() == "nevada-line")
            .map(|(_, many, _)| many)
    };
    assert_eq!(channels(&world), Some(7));
    assert_eq!(put(json!({ "base": 1, "trunk": trunk })).await.code(), "settings_outdated");
    trunk["host"] = json!("not a host");
    assert_eq!(put(json!({ "base": 2, "trunk": trunk })).await.json()["field"], "trunk.host");
    trunk["host"] = json!("127.0.0.1");
    trunk["id"] = json!("another");
    assert_eq!(put(json!({ "base": 2, "trunk": trunk })).await.json()["field"], "trunk.id");
    trunk["id"] = json!("nevada-line");

    let used = put(json!({ "base": 2, "trunk": trunk, "retired": true })).await;
    assert_eq!((used.code().as_str(), used.json()["by"].clone()), ("in_use", json!(["Nevada County"])));
    let away = put(json!({ "base": 2, "trunk": { "id": "nevada-line", "host": "127.0.0.1", "channels": 7,
        "caller_id": "+15305550100", "tenant": OPEN } }));
    assert_eq!(away.await.code(), "in_use", "nor is it taken from its county");
    let free = json!({ "trunk": { "id": "spare", "host": "127.0.0.1", "port": 9, "channels": 1, "caller_id": "+15305550102" } });
    assert_eq!(world.post_as("/api/v1/trunks", free, &operator).await.status, StatusCode::CREATED);
    let spare = json!({ "id": "spare", "host": "127.0.0.1", "port": 9, "channels": 1, "caller_id": "+15305550102" });
    let headers = [("cookie", operator.as_str()), ("origin", ORIGIN)];
    let body = json!({ "base": 1, "trunk": spare, "retired": true });
    let retired = world.send(request(Method::PUT, "/api/v1/lines/spare", Some(body), &headers)).await;
    assert_eq!(
        (retired.status, retired.json()["retired"].clone()),
        (StatusCode::OK, json!(true)),
        "{}",
        retired.text()
    );
    let restarted = async || {
        let config = ServerConfig { trunks: Vec::new(), tenants: Vec::new(), ..world.app.config.clone() };
        let config = counties::in_force(&world.app.store, config).await.unwrap();
        config
            .trunks
            .iter()
            .map(|trunk| (trunk.table.id.get_ref().to_string(), trunk.table.channels))
            .collect::<Vec<_>>()
    };
    assert_eq!(restarted().await, [("nevada-line".to_owned(), 7)]);
    let back = world.post_as("/api/v1/lines/spare/versions/1/restore", json!({ "base": 2 }), &operator).await;
    assert_eq!(
        (back.json()["version"].as_u64(), back.json()["retired"].clone()),
        (Some(3), json!(false)),
        "{}",
        back.text()
    );
    assert_eq!(restarted().await.len(), 2);
    let nowhere = world.post_as("/api/v1/lines/spare/versions/9/restore", json!({ "base": 3 }), &operator).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    let audit = world.get_as("/api/v1/audit?what=trunk_changed", &operator).await;
    assert!(audit.json()["items"].as_array().is_some_and(|rows| rows.len() == 2) && !audit.text().contains("newer"));
}

#[tokio::test]
async fn a_password_of_a_former_version_is_sealed_at_the_next_start() {
    let world = World::new().await;
    let operator = world.operator().await;
    let line = json!({ "trunk": { "id": "old", "host": "127.0.0.1", "port": 9, "channels": 1, "username": "us",
        "caller_id": "+15305550102" }, "password": "soon replaced" });
    assert_eq!(world.post_as("/api/v1/trunks", line, &operator).await.status, StatusCode::CREATED);
    world.app.store.reseal_trunk(&ringback_routing::ids::TrunkId::new("old"), "as it was kept").await.unwrap();
    for _ in 0..2 {
        let config = ServerConfig { trunks: Vec::new(), tenants: Vec::new(), ..world.app.config.clone() };
        let config = counties::in_force(&world.app.store, config).await.unwrap();
        assert_eq!(config.trunks[0].password.as_ref().map(crate::config::Secret::reveal), Some("as it was kept"));
        let kept = world.app.store.connected_trunks().await.unwrap();
        assert!(kept[0].password.as_ref().is_some_and(|kept| kept.starts_with("sealed:1:")));
    }
}
