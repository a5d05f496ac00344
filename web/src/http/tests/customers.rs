//! The directory and the cases over HTTP: who may do what, that contacts find their customer, and what is refused.

use ringback_routing::{
    agent::{Health, RequestedState},
    event::Event,
    ids::{AgentId, ContactId, SessionId},
};

use super::*;

impl World {
    pub(crate) async fn put_as(&self, path: &str, body: Value, cookie: &str) -> Answer {
        self.send(request(Method::PUT, path, Some(body), &[("cookie", cookie), ("origin", ORIGIN)])).await
    }

    /// A chat of the open county, in the hands of its agent.
    pub(crate) async fn chat_in_hand(&self, name: &str, phone: &str) -> ContactId {
        let body = json!({ "name": name, "phone": phone, "question": "Where are my papers?" });
        let answer = self.post(&format!("/api/v1/t/{OPEN}/chats"), body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let contact = self.contact_of(answer.json()["chat_token"].as_str().unwrap()).await;
        let (open, engine) = (TenantId::new(OPEN), &self.app.engine);
        let (agent, session) = (AgentId::new(user_id(OPEN, Role::Agent)), SessionId::new("tab"));
        engine.pretend_phone(&open, &agent, &session, 7);
        let health = Health { tab: true, microphone: true, media: true };
        for event in [
            Event::AgentConnected { agent: agent.clone(), session: session.clone() },
            Event::AgentHealth { agent: agent.clone(), session: session.clone(), health },
            Event::AgentStateRequested { agent: agent.clone(), state: RequestedState::Ready },
        ] {
            engine.submit(&open, event).await.unwrap();
        }
        let view = engine.status_view(&open, contact).await.unwrap().unwrap();
        let offer = view.contact.open_segment().expect("offered").offer;
        engine.submit(&open, Event::OfferAccepted { offer, agent }).await.unwrap();
        contact
    }
}

fn rosa() -> Value {
    json!({ "name": " Rosa\nDelgado ", "numbers": ["916 555 0181", "(916) 555-0181"], "external_ids": ["C-77"], "notes": "Prefers Spanish" })
}

#[tokio::test]
async fn agents_keep_the_directory() {
    let world = World::new().await;
    let agent = world.sign_in(OPEN, Role::Agent).await;
    let added = world.post_as("/api/v1/customers", rosa(), &agent).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    let kept = added.json();
    assert_eq!((&kept["name"], &kept["version"]), (&json!("Rosa Delgado"), &json!(1)));
    assert_eq!(kept["numbers"], json!([{ "number": "+19165550181", "display": "(916) 555-0181" }]));
    for text in ["delgado", "C-77", "0181", "+1 916 555 0181"] {
        let found = world
            .get_as(&format!("/api/v1/customers?q={}", text.replace(' ', "%20").replace('+', "%2B")), &agent)
            .await
            .json();
        assert_eq!(found["items"][0]["id"], kept["id"], "{text}: {found}");
    }
    assert_eq!(world.get_as("/api/v1/customers?q=nobody", &agent).await.json()["items"], json!([]));
    let path = format!("/api/v1/customers/{}", kept["id"].as_str().unwrap());
    let again = world.post_as("/api/v1/customers", rosa(), &agent).await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "number_taken"));
    let mut change = json!({ "name": "Rosa D.", "numbers": [], "external_ids": ["C-77"], "notes": "", "version": 1 });
    assert_eq!(world.put_as(&path, change.clone(), &agent).await.json()["version"], 2);
    assert_eq!(world.put_as(&path, change.clone(), &agent).await.code(), "changed_meanwhile");
    for (key, value, code) in [
        ("name", json!(" "), "bad_value"),
        ("name", json!("x".repeat(101)), "bad_value"),
        ("numbers", json!(["911"]), "phone_invalid"),
        ("external_ids", json!(["x".repeat(101)]), "bad_value"),
        ("notes", json!("x".repeat(4001)), "too_long"),
        ("version", json!(0), "bad_value"),
    ] {
        let mut wrong = change.clone();
        wrong["version"] = json!(2);
        wrong[key] = value;
        let answer = world.put_as(&path, wrong, &agent).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, code), "{key}");
    }
    change["version"] = json!(2);
    let admin = world.sign_in(OPEN, Role::Admin).await;
    assert_eq!(world.put_as(&path, change, &admin).await.status, StatusCode::OK);
    let auditor = world.sign_in(OPEN, Role::Auditor).await;
    assert_eq!(world.get_as(&path, &auditor).await.status, StatusCode::FORBIDDEN);
    // What is written down names ids, never people.
    let rows = world.get_as("/api/v1/audit", &admin).await.text();
    assert!(
        rows.contains("customer_added") && rows.contains("customer_changed") && rows.contains("customers_searched")
    );
    assert!(!rows.contains("Rosa") && !rows.contains("0181") && !rows.contains("C-77"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_finds_its_customer_and_is_filed() {
    let world = World::new().await;
    let agent = world.sign_in(OPEN, Role::Agent).await;
    let known = world.post_as("/api/v1/customers", rosa(), &agent).await.json();
    let contact = world.chat_in_hand("R. Delgado", "916-555-0181").await;
    let (of, case) = (format!("/api/v1/contacts/{contact}/customer"), format!("/api/v1/contacts/{contact}/case"));
    let seen = world.get_as(&of, &agent).await.json();
    assert_eq!((&seen["customer"]["id"], &seen["case"]), (&known["id"], &Value::Null));
    // Opened, it is there and linked by itself; opened again it is the same.
    for _ in 0..2 {
        let opened = world.post_as(&case, json!({}), &agent).await.json();
        assert_eq!((&opened["case"]["state"], &opened["case"]["customer"]), (&json!("saved"), &known["id"]));
        assert_eq!((&opened["case"]["title"], &opened["case"]["version"]), (&json!("General"), &json!(1)));
        assert_eq!(opened["customer"]["cases"][0]["contact"], json!(contact.to_string()));
    }
    let write = json!({ "title": "Papers", "body": "Sent by post", "customer": known["id"], "version": 1 });
    let saved = world.put_as(&case, write.clone(), &agent).await.json();
    assert_eq!((&saved["case"]["body"], &saved["case"]["version"]), (&json!("Sent by post"), &json!(2)));
    assert_eq!(world.put_as(&case, write, &agent).await.code(), "changed_meanwhile");
    let other = world.sign_in(VOUCHED, Role::Agent).await;
    assert_eq!(world.get_as(&of, &other).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_customer_s_chat_is_a_draft_until_somebody_is_chosen() {
    let world = World::new().await;
    let agent = world.sign_in(OPEN, Role::Agent).await;
    let contact = world.chat_in_hand("Nora Vale", "916-555-0182").await;
    let case = format!("/api/v1/contacts/{contact}/case");
    let opened = world.post_as(&case, json!({}), &agent).await.json();
    assert_eq!((&opened["case"], &opened["customer"]), (&Value::Null, &Value::Null), "nobody to link it to");
    let mut write = json!({ "title": "Papers", "body": "Asks for papers", "version": 0 });
    assert_eq!(world.put_as(&case, write.clone(), &agent).await.code(), "customer_needed");
    write["customer"] = json!("cu_nobody");
    assert_eq!(world.put_as(&case, write.clone(), &agent).await.code(), "bad_value");
    let draft = json!({ "title": "Papers", "body": "Asks for papers", "draft": true, "version": 0 });
    assert_eq!(world.put_as(&case, draft, &agent).await.json()["case"]["state"], "draft");
    let drafts = world.get_as("/api/v1/cases/drafts", &agent).await.json();
    assert_eq!(
        (&drafts["items"][0]["contact"], &drafts["items"][0]["customer_name"]),
        (&json!(contact.to_string()), &json!("Nora Vale"))
    );
    let fresh = json!({ "title": "Papers", "body": "Asks for papers", "version": 1, "keep_number": true,
        "new_customer": { "name": "Nora Vale" } });
    let saved = world.put_as(&case, fresh, &agent).await.json();
    assert_eq!((&saved["case"]["state"], &saved["case"]["customer_name"]), (&json!("saved"), &json!("Nora Vale")));
    assert_eq!(saved["customer"]["numbers"][0]["number"], "+19165550182", "known by the number from now on");
    assert_eq!(world.get_as("/api/v1/cases/drafts", &agent).await.json()["items"], json!([]));
}
