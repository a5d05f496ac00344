//! Signing in and out, the board, the closure, the audit.

use super::*;

#[tokio::test]
async fn every_wrong_login_gets_the_same_answer() {
    let world = World::new().await;
    let mut answers = Vec::new();
    for (user, password) in [
        (user_id(OPEN, Role::Agent), "wrong"),
        ("nobody".to_owned(), PASSWORD),
        ("x".repeat(500), PASSWORD),
        (String::new(), ""),
    ] {
        let answer = world.post("/api/v1/login", json!({ "user": user, "password": password })).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("set-cookie"), "");
        answers.push(answer.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn a_session_begins_and_ends() {
    let world = World::new().await;
    let answer = world.post("/api/v1/login", json!({ "user": user_id(OPEN, Role::Agent), "password": PASSWORD })).await;
    let cookie = answer.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "plain http on localhost");
    assert_eq!(answer.json()["user"]["tenant"], OPEN);
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let me = world.get_as("/api/v1/me", &cookie).await.json();
    assert_eq!((me["user"]["role"].as_str(), me["can_reject"].as_bool()), (Some("agent"), Some(true)));
    assert_eq!(me["tenant"]["dispositions"][0]["id"], "resolved");
    assert_eq!(world.post_as("/api/v1/logout", json!({}), &cookie).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get_as("/api/v1/me", &cookie).await.status, StatusCode::UNAUTHORIZED);
    for forged in ["ringback_session=", "ringback_session=x", &format!("ringback_session={}", "A".repeat(43))] {
        assert_eq!(world.get_as("/api/v1/me", forged).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn over_tls_the_cookie_is_secure() {
    let world = World::new().await;
    let body = json!({ "user": user_id(OPEN, Role::Agent), "password": PASSWORD });
    let mut login = request(Method::POST, "/api/v1/login", Some(body), &[]);
    login.extensions_mut().insert(Peer { tls: true, ..peer("198.51.100.7") });
    assert!(world.send(login).await.header("set-cookie").contains("; Secure"));
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() {
    let world = World::with_limits("logins_per_minute = 2").await;
    let body = || json!({ "user": "nobody", "password": "guess" });
    for _ in 0..2 {
        assert_eq!(world.post("/api/v1/login", body()).await.status, StatusCode::UNAUTHORIZED);
    }
    let third = world.post("/api/v1/login", body()).await;
    assert_eq!((third.status, third.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
}

#[tokio::test]
async fn a_supervisor_sees_who_waits_masked_and_cancels() {
    let world = World::new().await;
    let link = world.callback("916 555 0141").await["status_token"].as_str().unwrap().to_owned();
    let contact = world.contact_of(&link).await;
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let board = world.get_as("/api/v1/board", &supervisor).await;
    assert!(!board.text().contains("5550141"), "{}", board.text());
    assert_eq!(board.json()["waiting"][0]["number"], "(•••) •••-0141");
    assert_eq!(board.json()["waiting_total"], 1);
    let other = world.sign_in(VOUCHED, Role::Supervisor).await;
    assert_eq!(world.get_as("/api/v1/board", &other).await.json()["waiting_total"], 0);
    let path = format!("/api/v1/callbacks/{contact}/cancel");
    assert_eq!(world.post_as(&path, json!({}), &other).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post_as(&path, json!({}), &supervisor).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("/api/v1/status/{link}")).await.json()["stage"], "cancelled");
    let audit = world.get_as("/api/v1/audit", &supervisor).await.json();
    let row = &audit["items"].as_array().unwrap().iter().find(|row| row["what"] == "callback_cancelled").unwrap();
    assert_eq!((&row["who"], &row["target"]), (&json!(user_id(OPEN, Role::Supervisor)), &json!(contact.to_string())));
    let foreign = world.get_as("/api/v1/audit", &other).await.text();
    assert!(!foreign.contains("callback_cancelled"));
}

#[tokio::test]
async fn a_closure_closes_at_once_and_is_lifted() {
    let world = World::new().await;
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let bad = world.post_as("/api/v1/closure", json!({ "message": " " }), &supervisor).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    let past = world.post_as("/api/v1/closure", json!({ "message": "Storm", "until": 1 }), &supervisor).await;
    assert_eq!(past.json()["field"], "until");
    let closed = world.post_as("/api/v1/closure", json!({ "message": "Storm" }), &supervisor).await;
    assert_eq!(closed.status, StatusCode::NO_CONTENT);
    let path = format!("/api/v1/t/{OPEN}/callbacks");
    let refused = world.post(&path, json!({ "name": "Ana", "phone": "916 555 0142" })).await;
    assert_eq!(refused.json()["closed"], json!({ "closed": "closure", "message": "Storm" }));
    assert_eq!(world.get_as("/api/v1/closure", &supervisor).await.json()["closure"]["message"], "Storm");
    let lift = request(Method::DELETE, "/api/v1/closure", None, &[("cookie", &supervisor), ("origin", ORIGIN)]);
    assert_eq!(world.send(lift).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.post(&path, json!({ "name": "Ana", "phone": "916 555 0142" })).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_agent_sees_only_the_own_contacts() {
    let world = World::new().await;
    let link = world.callback("916 555 0143").await["status_token"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/contacts/{}", world.contact_of(&link).await);
    let agent = world.sign_in(OPEN, Role::Agent).await;
    assert_eq!(world.get_as(&path, &agent).await.status, StatusCode::NOT_FOUND);
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let answer = world.get_as(&path, &supervisor).await.json();
    assert_eq!(answer["contact"]["customer"]["number"], "(•••) •••-0143");
    assert_eq!(answer["contact"]["customer"]["number_key"], "");
    assert_eq!(answer["contact"]["status_token_digest"], Value::Null);
    assert_eq!(answer["facts"][0]["fact"]["fact"], "requested");
}

#[tokio::test]
async fn operators_see_carriers_and_no_customers() {
    let world = World::new().await;
    let operator = world.sign_in(OPEN, Role::Operator).await;
    assert_eq!(world.get_as("/api/v1/trunks", &operator).await.status, StatusCode::OK);
    assert_eq!(world.get_as("/api/v1/alarms", &operator).await.status, StatusCode::OK);
    assert_eq!(world.get_as("/api/v1/board", &operator).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    assert!(world.get("/metrics").await.text().contains("ringback_http_requests_total"));
    world.app.draining.send_replace(true);
    assert_eq!(world.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
}
