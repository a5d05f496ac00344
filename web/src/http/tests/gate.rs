//! What the gate says of each call and why, without a carrier: rates, lists, caps, hours, and whose word counts.

use ringback_store::Proof;

use super::*;
use crate::gate::{Asked, Barrier, Gate};

const TIGHT: &str = "callbacks_per_minute = 1000
callbacks_per_number_per_hour = 2
callbacks_per_address_per_hour = 3
callbacks_per_network_per_hour = 5
callbacks_per_tenant_per_hour = 8";

async fn ask_from(world: &World, address: &str, tenant: &str, body: Value) -> Answer {
    let mut request = request(Method::POST, &format!("/api/v1/t/{tenant}/callbacks"), Some(body), &[]);
    request.extensions_mut().insert(peer(address));
    world.send(request).await
}

fn anybody(number: u32) -> Value {
    json!({ "name": "Ana", "phone": format!("916 555 {number:04}") })
}

#[tokio::test]
async fn requests_are_limited_by_address_network_and_tenant_and_each_says_what_else() {
    let world = World::with_limits(TIGHT).await;
    let mut codes = Vec::new();
    for (number, address) in [
        "198.51.100.1",
        "198.51.100.1",
        "198.51.100.1",
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.3",
        "198.51.100.4",
        "203.0.113.1",
        "203.0.113.2",
        "203.0.113.3",
        "192.0.2.1",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = ask_from(&world, address, OPEN, anybody(1000 + number as u32)).await;
        codes.push(match answer.status {
            StatusCode::CREATED => "taken".to_owned(),
            _ => {
                assert_eq!(answer.json()["phone_display"], "(916) 874-3100", "{}", answer.text());
                assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
                answer.code()
            }
        });
    }
    let expected = [
        "taken",
        "taken",
        "taken",
        "rate_limited",
        "taken",
        "taken",
        "network_rate",
        "taken",
        "taken",
        "taken",
        "tenant_rate",
    ];
    assert_eq!(codes, expected);
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let seen = world.get_as("/api/v1/refusals", &supervisor).await.json();
    let why: Vec<_> = seen["items"].as_array().unwrap().iter().map(|one| one["why"].as_str().unwrap()).collect();
    assert_eq!(why, ["address_rate", "network_rate", "tenant_rate"]);
    let other = world.sign_in(VOUCHED, Role::Supervisor).await;
    assert_eq!(world.get_as("/api/v1/refusals", &other).await.json()["items"], json!([]));
}

#[tokio::test]
async fn the_portals_customers_are_not_punished_for_what_strangers_do() {
    let world = World::with_limits(TIGHT).await;
    for number in 0..20 {
        ask_from(&world, "198.51.100.1", OPEN, anybody(number)).await;
        ask_from(&world, "198.51.100.1", OPEN, anybody(1234)).await;
    }
    for jti in 0..6 {
        let token = portal_token(&world.app, VOUCHED, &format!("j{jti}"));
        let body = json!({ "phone": format!("916 555 {:04}", 2000 + jti), "token": token });
        let answer = ask_from(&world, "198.51.100.1", VOUCHED, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    }
    let token = portal_token(&world.app, VOUCHED, "own");
    let answer = ask_from(&world, "198.51.100.1", VOUCHED, json!({ "phone": "916 555 1234", "token": token })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "a number that strangers gave too often");
}

#[tokio::test]
async fn a_number_on_the_list_is_not_called_and_its_county_keeps_the_list() {
    let world = World::new().await;
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let path = "/api/v1/do-not-call";
    assert_eq!(
        world.post_as(path, json!({ "phone": "(916) 555-0188" }), &supervisor).await.status,
        StatusCode::NO_CONTENT
    );
    let refused = ask_from(&world, "198.51.100.1", OPEN, anybody(188)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "opted_out"));
    assert_eq!(refused.json()["field"], "phone");
    let list = world.get_as(path, &supervisor).await.json();
    assert_eq!(list["items"][0]["number_display"], "••• 0188");
    let entry = format!("{path}/{}", list["items"][0]["id"].as_str().unwrap());
    let delete = |cookie: &str| request(Method::DELETE, &entry, None, &[("cookie", cookie), ("origin", ORIGIN)]);
    let other = world.sign_in(VOUCHED, Role::Supervisor).await;
    assert_eq!(world.send(delete(&other)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.send(delete(&supervisor)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask_from(&world, "198.51.100.1", OPEN, anybody(188)).await.status, StatusCode::CREATED);
    // Whoever runs the installation forbids a number to all, of whatever country.
    let operator = world.sign_in(OPEN, Role::Operator).await;
    for phone in ["916 555 0189", "+44 20 7946 0018"] {
        assert_eq!(world.post_as(path, json!({ "phone": phone }), &operator).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(ask_from(&world, "198.51.100.1", OPEN, anybody(189)).await.code(), "opted_out");
    // A callback that waits already may change to no such number either.
    let link = world.callback("916 555 0190").await["status_token"].as_str().unwrap().to_owned();
    let changed = world.post(&format!("/api/v1/status/{link}/number"), json!({ "phone": "916 555 0189" })).await;
    assert_eq!(changed.code(), "opted_out");
}

async fn gate(change: &str) -> (tempfile::TempDir, World, Gate) {
    let folder = tempfile::tempdir().unwrap();
    let always = r#""mon", "tue", "wed", "thu", "fri", "sat", "sun""#;
    let text = format!(
        "[server]\ndata_dir = \"{}\"\n[[trunk]]\nid = \"t\"\nhost = \"127.0.0.1\"\nchannels = 1\ncaller_id = \"+19165550000\"\n",
        folder.path().display()
    ) + &tenant_toml(OPEN, &format!("auth = \"none\"\ncallback.enabled = true\n{change}"), always);
    let config = ServerConfig::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let world = World::new().await;
    let gate = Gate::new(&config, world.app.store.clone(), world.app.installation_key.clone());
    (folder, world, gate)
}

fn asked(tenant: &TenantId, now: ringback_routing::time::Timestamp) -> Asked<'_> {
    Asked { tenant, number: "+19165550100", proof: Proof::Nobody, leg: None, may_wait: false, now }
}

#[tokio::test]
async fn calls_are_placed_in_callback_hours_and_below_the_caps() {
    let tenant = TenantId::new(OPEN);
    let hours = "callback.hours = [{ days = [\"fri\"], from = \"08:00\", to = \"21:00\" }]";
    let (_folder, _world, gate) = gate(hours).await;
    // Friday 2026-11-27 in Los Angeles: 07:59:59, 08:00, 20:59:59, 21:00.
    let at = |seconds: i64| ringback_routing::time::Timestamp::from_millis((1_795_766_400 + seconds) * 1000);
    for (seconds, expected) in [
        (8 * 3600 - 1, Some(Barrier::Hours)),
        (8 * 3600, None),
        (21 * 3600 - 1, None),
        (21 * 3600, Some(Barrier::Hours)),
    ] {
        assert_eq!(gate.barrier(asked(&tenant, at(seconds))).await, Ok(expected), "{seconds}");
    }
    let waits = Asked { may_wait: true, ..asked(&tenant, at(0)) };
    assert_eq!(gate.barrier(waits).await, Ok(None), "kept for later, the hour is no matter yet");
    assert_eq!(gate.next_hour(&tenant, at(0)), Some(at(8 * 3600)));
    let stranger = TenantId::new("nowhere");
    assert_eq!(gate.barrier(asked(&stranger, at(9 * 3600))).await, Ok(Some(Barrier::Plan)));
    for number in ["19165550100", "+1 9165550100", "+19165550100\r\n", "+442079460018", "+19005550100", "911", ""] {
        let asked = Asked { number, ..asked(&tenant, at(9 * 3600)) };
        assert_eq!(gate.barrier(asked).await, Ok(Some(Barrier::Plan)), "{number:?}");
    }
}

#[tokio::test]
async fn the_caps_of_a_day_hold() {
    let tenant = TenantId::new(OPEN);
    for (change, expected) in
        [("dialling = { calls_per_day = 0 }", Barrier::Calls), ("dialling = { minutes_per_day = 0 }", Barrier::Minutes)]
    {
        let (_folder, world, gate) = gate(change).await;
        assert_eq!(gate.barrier(asked(&tenant, world.app.now())).await, Ok(Some(expected)));
    }
    let money = "dialling = { cost_per_minute = 0.5, spend_per_day = 0.0 }";
    let (_folder, world, gate) = gate(money).await;
    assert_eq!(gate.barrier(asked(&tenant, world.app.now())).await, Ok(None), "no cap on money");
}
