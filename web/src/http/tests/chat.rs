//! Chats over HTTP: who may ask, what is refused, and that a link opens its own chat only.

use ringback_routing::{
    event::{ChatRequest, Event, Receipt},
    ids::AgentId,
};

use super::*;
use crate::http::callbacks;

async fn ask(world: &World, tenant: &str, body: Value) -> Answer {
    world.post(&format!("/api/v1/t/{tenant}/chats"), body).await
}

/// A chat of the open county; its link.
async fn chat(world: &World, question: &str) -> String {
    let answer = ask(world, OPEN, json!({ "name": "Ana Núñez", "phone": "916 555 0161", "question": question })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    answer.json()["chat_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_customer_asks_writes_and_reads_it_back() {
    let world = World::new().await;
    let link = chat(&world, "Where <b>is</b> my case?").await;
    let path = format!("/api/v1/chat/{link}");
    let news = world.get(&path).await.json();
    assert_eq!((&news["status"]["stage"], &news["status"]["position"]), (&json!("waiting"), &json!(1)));
    assert_eq!(news["messages"][0]["body"], "Where <b>is</b> my case?");
    assert_eq!((&news["messages"][0]["from"], &news["upto"]), (&json!("customer"), &json!(1)));
    let said = world.post(&format!("{path}/messages"), json!({ "client_id": "one", "body": " hello\u{0} " })).await;
    assert_eq!((said.status, said.json()["seq"].as_u64()), (StatusCode::OK, Some(2)));
    let again = world.post(&format!("{path}/messages"), json!({ "client_id": "one", "body": "hello" })).await;
    assert_eq!(again.json(), said.json(), "the same message is kept once");
    let later = world.get(&format!("{path}?after=1")).await.json();
    assert_eq!(later["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(later["messages"][0]["body"], "hello");
    let ended = world.post(&format!("{path}/end"), json!({})).await.json();
    assert_eq!((&ended["stage"], &ended["ended_by"]), (&json!("ended"), &json!("customer")));
    let late = world.post(&format!("{path}/messages"), json!({ "client_id": "two", "body": "late" })).await;
    assert_eq!((late.status, late.code().as_str()), (StatusCode::CONFLICT, "chat_over"));
    let copy = world.get(&format!("{path}/transcript")).await;
    assert!(copy.header("content-type").starts_with("text/plain") && copy.text().contains("You: hello"));
    assert_eq!(world.post(&format!("{path}/end"), json!({})).await.status, StatusCode::OK, "ended twice is ended");
}

#[tokio::test]
async fn name_and_phone_are_needed_and_not_checked_further() {
    let world = World::new().await;
    for (body, code) in [
        (json!({ "name": "", "phone": "1" }), "name_required"),
        (json!({ "name": "Ana", "phone": " " }), "phone_required"),
        (json!({ "name": "Ana", "phone": "1", "question": "x".repeat(501) }), "too_long"),
        (json!({ "name": "Ana", "phone": "1", "subject": "none" }), "no_such_subject"),
    ] {
        let answer = ask(&world, OPEN, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, code));
    }
    assert_eq!(ask(&world, OPEN, json!({ "name": "Ana", "phone": "see my file" })).await.status, StatusCode::CREATED);
    let off = ask(&world, OFF, json!({ "name": "Ana", "phone": "1" })).await;
    assert_eq!((off.status, off.code().as_str()), (StatusCode::FORBIDDEN, "not_enabled"));
    let shut = ask(&world, SHUT, json!({ "name": "Ana", "phone": "1" })).await;
    assert_eq!((shut.status, shut.code().as_str()), (StatusCode::CONFLICT, "closed"));
    let unknown = ask(&world, VOUCHED, json!({ "name": "Ana", "phone": "1" })).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (StatusCode::UNAUTHORIZED, "auth_required"));
    let token = portal_token(&world.app, VOUCHED, "chat-1");
    let body = json!({ "name": "Ana", "phone": "1", "token": token });
    assert_eq!(ask(&world, VOUCHED, body.clone()).await.status, StatusCode::CREATED);
    assert_eq!(ask(&world, VOUCHED, body).await.code(), "token_used");
}

#[tokio::test]
async fn the_same_key_gives_the_same_chat() {
    let world = World::new().await;
    let path = format!("/api/v1/t/{OPEN}/chats");
    let send = |body: Value| world.send(request(Method::POST, &path, Some(body), &[("idempotency-key", "k-1")]));
    let one = send(json!({ "name": "Ana", "phone": "1" })).await.json();
    let two = send(json!({ "name": "Ana", "phone": "1" })).await.json();
    assert_eq!(one, two);
    assert_eq!(send(json!({ "name": "Bea", "phone": "1" })).await.code(), "idempotency_mismatch");
}

#[tokio::test]
async fn a_request_that_failed_halfway_opens_no_second_chat() {
    let world = World::new().await;
    let path = format!("/api/v1/t/{OPEN}/chats");
    let body = json!({ "name": "Ana", "phone": "1", "question": "Where is my case?" });
    let digest = crate::token::digest(&body.to_string());
    let link = callbacks::derived_link(&world.app.installation_key, &format!("chat\0{OPEN}\0k-2\0{digest}"));
    // The core took the chat, then the question could not be kept: the answer was 503 and the key is free again.
    let customer = serde_json::from_value(json!({
        "name": "Ana", "number": "", "number_key": "typed", "customer_id": null, "verified": false, "language": "en",
        "page": null,
    }));
    let request = ChatRequest {
        customer: customer.unwrap(),
        subject: None,
        status_token_digest: Some(crate::token::digest(&link)),
        preferred: None,
    };
    let opened = world.app.engine.submit(&TenantId::new(OPEN), Event::ChatRequested { request }).await.unwrap();
    let Receipt::ChatQueued { contact, .. } = opened else { panic!("{opened:?}") };
    let send = || world.send(request_with_key(&path, body.clone()));
    let answer = send().await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    assert_eq!(answer.json()["chat_token"], json!(link));
    assert_eq!(world.contact_of(&link).await, contact, "the chat of the first try");
    assert_eq!(send().await.json()["chat_token"], json!(link));
    let news = world.get(&format!("/api/v1/chat/{link}")).await.json();
    assert_eq!(news["messages"].as_array().map(Vec::len), Some(1), "the question is kept once");
    let next = chat(&world, "").await;
    assert_eq!(world.get(&format!("/api/v1/chat/{next}")).await.json()["status"]["position"], 2);
}

fn request_with_key(path: &str, body: Value) -> axum::http::Request<axum::body::Body> {
    request(Method::POST, path, Some(body), &[("idempotency-key", "k-2")])
}

#[tokio::test]
async fn who_reads_a_transcript_is_written_down_and_sees_names() {
    let world = World::new().await;
    let link = chat(&world, "Who are you?").await;
    let contact = world.contact_of(&link).await;
    let room = world.app.engine.chat_room(&TenantId::new(OPEN), contact).await.unwrap();
    let agent = AgentId::new(user_id(OPEN, Role::Agent));
    room.say(ringback_store::ChatSender::Agent(agent), "hello".to_owned(), "Hello!".to_owned()).await.unwrap();
    let supervisor = world.sign_in(OPEN, Role::Supervisor).await;
    let path = format!("/api/v1/contacts/{contact}/history/{contact}");
    let lines = world.get_as(&path, &supervisor).await.json();
    assert_eq!(lines["messages"][1]["agent_name"], "A Name");
    assert_eq!(lines["messages"][0].get("agent_name"), None);
    let customers = world.get(&format!("/api/v1/chat/{link}")).await.json();
    assert_eq!(customers["messages"][1]["agent"], "A", "a customer sees the first name");
    assert_eq!(customers["messages"][1].get("agent_name"), None);
    let audit = world.get_as("/api/v1/audit?what=transcript_read", &supervisor).await.json();
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "{audit}");
    assert_eq!(audit["items"][0]["target"], json!(contact.to_string()));
    assert!(!audit.to_string().contains("Hello"), "no words of the chat in the audit");
}

#[tokio::test]
async fn a_link_opens_its_own_chat_and_nothing_else() {
    let world = World::new().await;
    let link = chat(&world, "one").await;
    let other = chat(&world, "two").await;
    assert_eq!(world.get(&format!("/api/v1/chat/{other}")).await.json()["messages"][0]["body"], "two");
    assert_eq!(world.get(&format!("/api/v1/status/{link}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post(&format!("/api/v1/status/{link}/cancel"), json!({})).await.status, StatusCode::NOT_FOUND);
    let callback = world.callback("916 555 0177").await["status_token"].as_str().unwrap().to_owned();
    for link in [callback.as_str(), &"x".repeat(43), "short"] {
        assert_eq!(world.get(&format!("/api/v1/chat/{link}")).await.status, StatusCode::NOT_FOUND);
        let said = world.post(&format!("/api/v1/chat/{link}/messages"), json!({ "client_id": "a", "body": "b" })).await;
        assert_eq!(said.status, StatusCode::NOT_FOUND);
    }
    let contact = world.contact_of(&link).await;
    let (agent, foreign) = (world.sign_in(OPEN, Role::Agent).await, world.sign_in(VOUCHED, Role::Supervisor).await);
    for cookie in [&agent, &foreign] {
        let path = format!("/api/v1/contacts/{contact}/history");
        assert_eq!(world.get_as(&path, cookie).await.status, StatusCode::NOT_FOUND);
        assert_eq!(world.get_as(&format!("{path}/{contact}"), cookie).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn who_waits_is_called_instead_through_the_gate() {
    let world = World::new().await;
    let link = chat(&world, "How long is the line?").await;
    let path = format!("/api/v1/chat/{link}");
    assert_eq!(world.get(&path).await.json()["status"]["call"], Value::Null, "nobody waits long yet");
    let called = |body: Value| {
        let path = format!("{path}/call-instead");
        let world = &world;
        async move { world.post(&path, body).await }
    };
    let odd = called(json!({ "phone": "911" })).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", odd.text());
    let forbidden = world.sign_in(OPEN, Role::Admin).await;
    let number = json!({ "phone": "916 555 0161" });
    let kept = world.post_as("/api/v1/do-not-call", number, &forbidden).await;
    assert!(kept.status.is_success(), "{}", kept.text());
    assert_eq!(called(json!({})).await.code(), "opted_out", "the gate stands here too");
    let status = called(json!({ "phone": "916 555 0162" })).await;
    assert_eq!(status.status, StatusCode::OK, "{}", status.text());
    assert_eq!(
        (&status.json()["stage"], &status.json()["ended_by"]),
        (&json!("ended"), &json!("called_back")),
        "{}",
        status.text()
    );
    let callback = world.get(&format!("/api/v1/status/{link}")).await.json();
    assert_eq!((&callback["stage"], &callback["position"]), (&json!("waiting"), &json!(1)));
    assert!(callback["number_display"].as_str().unwrap().ends_with("0162"));
    let kept = world.get(&path).await.json();
    assert_eq!(kept["messages"][0]["body"], "How long is the line?", "what was written can still be read");
    let late = world.post(&format!("{path}/messages"), json!({ "client_id": "z", "body": "late" })).await;
    assert_eq!(late.code(), "chat_over");
    assert_eq!(called(json!({})).await.code(), "wrong_state", "called once");
    let other = chat(&world, "Me too").await;
    let again = world.post(&format!("/api/v1/chat/{other}/call-instead"), json!({ "phone": "916 555 0162" })).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "number_waits"));
    let unknown = ask(&world, OPEN, json!({ "name": "Bo", "phone": "see my file" })).await.json();
    let unknown = unknown["chat_token"].as_str().unwrap();
    let without = world.post(&format!("/api/v1/chat/{unknown}/call-instead"), json!({})).await;
    assert_eq!(without.code(), "phone_required");
}

#[tokio::test]
async fn a_long_wait_is_said_with_the_last_digits_of_the_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), "public_api_per_minute = 1000");
    for face in config.tenants.iter_mut() {
        face.face.chat.offer_callback_ms = Some(1);
    }
    let world = World::of(folder, config).await;
    let link = chat(&world, "").await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let status = world.get(&format!("/api/v1/chat/{link}")).await.json();
    assert_eq!(status["status"]["call"]["number_display"], "(•••) •••-0161");
    world.post(&format!("/api/v1/chat/{link}/end"), json!({})).await;
    assert_eq!(world.get(&format!("/api/v1/chat/{link}")).await.json()["status"]["call"], Value::Null);
}

#[tokio::test]
async fn a_poll_waits_for_news_and_counts_as_presence() {
    let world = World::new().await;
    let link = chat(&world, "").await;
    let path = format!("/api/v1/chat/{link}");
    let tag = world.get(&path).await.json()["tag"].as_str().unwrap().to_owned();
    let (poll, _) = tokio::join!(world.get_owned(format!("{path}/poll?after=0&wait=10&tag={tag}")), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        world.post(&format!("{path}/messages"), json!({ "client_id": "a", "body": "woken" })).await
    });
    assert_eq!(poll.json()["messages"][0]["body"], "woken");
}

#[tokio::test]
async fn one_customer_does_not_write_without_end() {
    let world = World::with_limits("chat_messages_per_minute = 3").await;
    let link = chat(&world, "").await;
    for number in 0..4 {
        let body = json!({ "client_id": number.to_string(), "body": "x" });
        let answer = world.post(&format!("/api/v1/chat/{link}/messages"), body).await;
        let expected = if number < 3 { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(answer.status, expected);
    }
}
