//! Asking for a callback: who may, which numbers, once or twice.

use super::*;

async fn ask(world: &World, tenant: &str, body: Value) -> Answer {
    world.post(&format!("/api/v1/t/{tenant}/callbacks"), body).await
}

#[tokio::test]
async fn a_customer_gets_a_place_and_a_page() {
    let world = World::new().await;
    let answer = world.callback("(916) 555-0161").await;
    assert_eq!(answer["contact_state"], "queued");
    assert_eq!(answer["position"], 1);
    assert_eq!(answer["number_display"], "(916) 555-0161");
    let link = answer["status_token"].as_str().unwrap();
    assert_eq!(answer["status_url"], format!("/t/{OPEN}/status/{link}"));
    let status = world.get(&format!("/api/v1/status/{link}")).await.json();
    assert_eq!(status["stage"], "waiting");
    assert_eq!(status["number_display"], "(•••) •••-0161");
    assert_eq!((status["can_cancel"].as_bool(), status["can_change"].as_bool()), (Some(true), Some(true)));
    assert_eq!(status["timeline"][0]["what"], "requested");
    let second = world.callback("916 555 0162").await;
    assert_eq!(second["position"], 2);
}

#[tokio::test]
async fn the_same_number_again_is_told_so_but_not_given_the_link() {
    let world = World::new().await;
    world.callback("916 555 0163").await;
    let again = world.callback("+1 916 555 0163").await;
    assert_eq!(again["contact_state"], "existing");
    assert_eq!((&again["status_token"], &again["status_url"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_customer_can_change_the_number_and_cancel() {
    let world = World::new().await;
    let link = world.callback("916 555 0164").await["status_token"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/status/{link}");
    let wrong = world.post(&format!("{path}/number"), json!({ "phone": "911" })).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "phone_not_allowed"));
    let changed = world.post(&format!("{path}/number"), json!({ "phone": "916 555 0165" })).await.json();
    assert_eq!(changed["number_display"], "(•••) •••-0165");
    let cancelled = world.post(&format!("{path}/cancel"), json!({})).await.json();
    assert_eq!((cancelled["stage"].as_str(), cancelled["outcome"].as_str()), (Some("cancelled"), Some("cancelled")));
    assert_eq!(cancelled["can_cancel"], false);
    let late = world.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "wrong_state"));
    let after = world.get(&path).await.json();
    assert_eq!(after["timeline"].as_array().unwrap().last().unwrap()["what"], "cancelled");
}

#[tokio::test]
async fn links_that_are_none_open_nothing() {
    let world = World::new().await;
    for link in ["x", &"x".repeat(43), "..%2f..", "'%20or%201=1"] {
        let answer = world.get(&format!("/api/v1/status/{link}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{link}");
        let answer = world.post(&format!("/api/v1/status/{link}/cancel"), json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{link}");
    }
}

#[tokio::test]
async fn refusals_say_what_and_where() {
    let world = World::new().await;
    let cases = [
        (json!({ "name": "", "phone": "916 555 0166" }), "name_required", "name"),
        (json!({ "name": "x".repeat(101), "phone": "916 555 0166" }), "name_too_long", "name"),
        (json!({ "name": "Ana", "phone": "" }), "phone_required", "phone"),
        (json!({ "name": "Ana", "phone": "12" }), "phone_not_allowed", "phone"),
        (json!({ "name": "Ana", "phone": "call me" }), "phone_invalid", "phone"),
        (json!({ "name": "Ana", "phone": "+44 20 7946 0018" }), "phone_not_allowed", "phone"),
        (json!({ "name": "Ana", "phone": "916 555 0166", "subject": "none" }), "no_such_subject", "subject"),
    ];
    for (body, code, field) in cases {
        let answer = ask(&world, OPEN, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{code}");
        assert_eq!((answer.code().as_str(), answer.json()["field"].as_str()), (code, Some(field)));
    }
    let unknown = ask(&world, OPEN, json!({ "name": "Ana", "phone": "916 555 0166", "admin": true })).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (StatusCode::BAD_REQUEST, "bad_json"));
    let nobody = ask(&world, "nowhere", json!({ "name": "Ana", "phone": "916 555 0166" })).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn where_it_is_off_the_office_and_its_hours_are_named() {
    let world = World::new().await;
    let answer = ask(&world, OFF, json!({ "name": "Ana", "phone": "916 555 0167" })).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "not_enabled"));
    assert_eq!(answer.json()["phone_display"], "(916) 874-3100");
    assert_eq!(answer.json()["hours"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn a_closed_office_says_so() {
    let world = World::new().await;
    let answer = ask(&world, SHUT, json!({ "name": "Ana", "phone": "916 555 0168" })).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::CONFLICT, "closed"));
    assert_eq!(answer.json()["closed"]["closed"], "hours");
}

#[tokio::test]
async fn the_portals_word_counts_once() {
    let world = World::new().await;
    let body = |token: Option<String>| json!({ "name": "Typed", "phone": "916 555 0169", "token": token });
    let without = ask(&world, VOUCHED, body(None)).await;
    assert_eq!((without.status, without.code().as_str()), (StatusCode::UNAUTHORIZED, "auth_required"));
    let foreign = ask(&world, VOUCHED, body(Some(portal_token(&world.app, OPEN, "j0")))).await;
    assert_eq!(foreign.code(), "token_invalid");
    let token = portal_token(&world.app, VOUCHED, "j1");
    // A refused try leaves the token good.
    let refused = ask(&world, VOUCHED, json!({ "phone": "911", "token": token })).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let first = ask(&world, VOUCHED, body(Some(token.clone()))).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text());
    let link = first.json()["status_token"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("/api/v1/status/{link}")).await.json()["name"], "Vouched Name");
    let again = ask(&world, VOUCHED, body(Some(token))).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::UNAUTHORIZED, "token_used"));
}

#[tokio::test]
async fn a_key_makes_twice_once() {
    let world = World::new().await;
    let path = format!("/api/v1/t/{OPEN}/callbacks");
    let send = async |body: Value, key: &str| {
        world.send(request(Method::POST, &path, Some(body), &[("idempotency-key", key)])).await
    };
    let body = json!({ "name": "Ana", "phone": "916 555 0170" });
    let first = send(body.clone(), "key-1").await;
    assert_eq!(first.status, StatusCode::CREATED);
    let second = send(body.clone(), "key-1").await;
    assert_eq!(second.status, StatusCode::CREATED);
    assert_eq!(first.json(), second.json());
    assert!(first.json()["status_token"].is_string());
    let other = send(json!({ "name": "Ana", "phone": "916 555 0171" }), "key-1").await;
    assert_eq!((other.status, other.code().as_str()), (StatusCode::CONFLICT, "idempotency_mismatch"));
    let bad = send(body, "with space").await;
    assert_eq!(bad.code(), "idempotency_key_invalid");
    // A refused request does not hold its key.
    let wrong = json!({ "name": "", "phone": "916 555 0172" });
    assert_eq!(send(wrong.clone(), "key-2").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(send(wrong, "key-2").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn rates_hold_per_address_and_per_number() {
    let world = World::with_limits("callbacks_per_minute = 3\ncallbacks_per_number_per_hour = 1").await;
    let from = async |address: &str, phone: &str| {
        let body = json!({ "name": "Ana", "phone": phone });
        let mut request = request(Method::POST, &format!("/api/v1/t/{OPEN}/callbacks"), Some(body), &[]);
        request.extensions_mut().insert(peer(address));
        world.send(request).await
    };
    assert_eq!(from("198.51.100.1", "916 555 0173").await.status, StatusCode::CREATED);
    let number = from("198.51.100.1", "916 555 0173").await;
    assert_eq!((number.status, number.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "number_rate"));
    assert_eq!(from("198.51.100.1", "916 555 0174").await.status, StatusCode::CREATED);
    let address = from("198.51.100.1", "916 555 0175").await;
    assert_eq!((address.status, address.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    assert!(address.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(from("198.51.100.2", "916 555 0175").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn availability_is_told_to_the_tenants_own_pages() {
    let world = World::new().await;
    let path = format!("/api/v1/t/{OPEN}/availability");
    let own = world.send(request(Method::GET, &path, None, &[("origin", "https://portal.open.example.gov")])).await;
    assert_eq!(own.header("access-control-allow-origin"), "https://portal.open.example.gov");
    assert_eq!(own.json()["availability"]["open"], true);
    assert_eq!(own.json()["auth"], "none");
    let foreign = world.send(request(Method::GET, &path, None, &[("origin", "https://evil.example")])).await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    let off = world.get(&format!("/api/v1/t/{OFF}/availability")).await.json();
    assert_eq!(off["availability"]["enabled"], false);
}
