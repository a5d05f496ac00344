//! Chats over HTTP: who may ask, what is refused, and that a link opens its own chat only.

use super::*;

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
