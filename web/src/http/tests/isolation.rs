//! What is one county's does not exist for another: every route with every role of the other county, and every message of
//! its agent's socket, aimed at things that are there.

use ringback_routing::{
    agent::{Health, RequestedState},
    event::Event,
    ids::{AgentId, ContactId, SessionId},
};
use ringback_store::ApiKey;

use super::{
    sockets::{connect, listening, next, say},
    *,
};
use crate::{
    http::{
        guard::Access,
        routes::{Route, table},
    },
    ws::ClientMessage,
};

/// Things of the open county, and words by which any of them is recognised.
struct Belongings {
    contact: ContactId,
    link: String,
    key: String,
    number: String,
    customer: String,
    marks: Vec<String>,
}

async fn belongings(world: &World) -> Belongings {
    let answer = world.callback("916 555 0150").await;
    let link = answer["status_token"].as_str().unwrap().to_owned();
    let contact = world.contact_of(&link).await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let made =
        world.post_as("/api/v1/api-keys", json!({ "name": "open's wallboard", "role": "supervisor" }), &admin).await;
    let key: String = made.json()["item"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        world.post_as("/api/v1/do-not-call", json!({ "phone": "916 555 0151" }), &admin).await.status,
        StatusCode::NO_CONTENT
    );
    let list = world.get_as("/api/v1/do-not-call", &admin).await.json();
    let number: String = list["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        world.post_as("/api/v1/closure", json!({ "message": "Only the open county" }), &admin).await.status,
        StatusCode::NO_CONTENT
    );
    let person = json!({ "name": "Olga Only", "numbers": ["916 555 0152"], "external_ids": ["C-open"] });
    let customer = world.post_as("/api/v1/customers", person, &admin).await.json();
    let customer: String = customer["id"].as_str().unwrap().to_owned();
    let marks =
        ["Olga Only", "C-open", "Ana Núñez", "Only the open county", "open's wallboard", "open-agent", "open-admin"];
    // A number in whole, or with all but its end hidden: the last four digits alone stand in some moments of time, too.
    let ends = ["0150", "0151", "0152"].iter().flat_map(|end| [format!("555{end}"), format!("-{end}")]);
    let marks = marks.map(str::to_owned).into_iter().chain(ends).chain([
        contact.to_string(),
        link.clone(),
        key.clone(),
        number.clone(),
        customer.clone(),
    ]);
    Belongings { contact, link, key, number, customer, marks: marks.collect() }
}

impl Belongings {
    /// The route's path with the open county's things in every place.
    fn aimed(&self, route: &Route) -> String {
        let path = route
            .path
            .replace("{contact}", &self.contact.to_string())
            .replace("{user}", &user_id(OPEN, Role::Agent))
            .replace("{key}", &self.key)
            .replace("{number}", &self.number)
            .replace("{customer}", &self.customer);
        // Of the own settings' versions there is nothing that is theirs.
        match route.path.starts_with("/api/v1/users/") {
            true => path.replace("{version}", "1"),
            false => path,
        }
    }

    /// Everything is as it was.
    async fn are_untouched(&self, world: &World) {
        let open = TenantId::new(OPEN);
        let keys: Vec<ApiKey> = world.app.store.api_keys(Some(&open)).await.unwrap();
        assert!(keys.iter().any(|key| key.id == self.key && key.revoked_at.is_none()));
        assert!(world.app.store.is_forbidden(&open, &self.number).await.unwrap());
        let customer = world.app.store.customer(&open, &self.customer).await.unwrap().unwrap();
        assert_eq!((customer.name.as_str(), customer.version), ("Olga Only", 1));
        assert_eq!(world.app.store.case(&open, self.contact).await.unwrap(), None);
        let view = world.app.engine.status_view(&open, self.contact).await.unwrap();
        assert!(view.is_some_and(|view| view.contact.segments.is_empty()), "the callback waits as before");
        let user = world.app.store.user_for_login(&user_id(OPEN, Role::Agent)).await.unwrap().unwrap();
        assert!(!user.disabled && user.role == Role::Agent);
        let config = world.app.engine.config(&open).await.unwrap();
        assert!(config.hours.closure.is_some());
    }
}

async fn call(world: &World, route: &Route, path: &str, cookie: &str) -> Answer {
    // What an earlier state is brought back on top of has to be named before anything is looked for.
    let body =
        (!route.method.is_safe()).then(|| if path.ends_with("/restore") { json!({ "base": 1 }) } else { json!({}) });
    world.send(request(route.method.clone(), path, body, &[("origin", ORIGIN), ("cookie", cookie)])).await
}

fn admits(route: &Route, role: Role) -> bool {
    match route.access {
        Access::Staff(roles) | Access::StaffPage(roles) => roles.contains(&role),
        _ => true,
    }
}

#[tokio::test]
async fn no_route_shows_or_touches_what_is_another_countys() {
    let world = World::new().await;
    let theirs = belongings(&world).await;
    let cookies = world.cookies().await;
    let (mut aimed, mut read) = (0, 0);
    for route in table(false) {
        // A customer's link opens the customer's own page, whoever holds it; signing out ends the test's own session.
        if matches!(route.access, Access::StatusLink | Access::Operations) || route.path == "/api/v1/logout" {
            continue;
        }
        let path = theirs.aimed(&route);
        let about_theirs = path != route.path;
        // Streams do not end; the board's is the board's.
        if route.path.ends_with("/events") || route.path == "/ws" || path.contains('{') {
            continue;
        }
        for role in Role::ALL {
            let answer = call(&world, &route, &path, &cookies[&(VOUCHED, role.as_str())]).await;
            let place = format!("{} {path} as {VOUCHED} {role}: {} {}", route.method, answer.status, answer.text());
            if about_theirs && admits(&route, role) {
                assert!(matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN), "{place}");
                aimed += 1;
            }
            if role != Role::Operator {
                for mark in &theirs.marks {
                    assert!(about_theirs || !answer.text().contains(mark), "{mark} in {place}");
                }
            }
            read += 1;
        }
    }
    assert!(aimed >= 20 && read >= 150, "{aimed} aimed, {read} read");
    theirs.are_untouched(&world).await;
    assert_eq!(world.get(&format!("/t/{VOUCHED}/status/{}", theirs.link)).await.status, StatusCode::NOT_FOUND);
}

/// Every message there is, aimed at the open county; a new kind does not compile until it is named here.
fn messages(theirs: &Belongings, offer: &str, segment: &str) -> Vec<Value> {
    let contact = theirs.contact.to_string();
    let all = vec![
        json!({ "type": "hello", "session": "tab-of-open", "after": 0 }),
        json!({ "type": "pong", "id": 1, "microphone": true, "media": true }),
        json!({ "type": "state", "state": "ready" }),
        json!({ "type": "phone_offer", "id": 1, "sdp": "v=0" }),
        json!({ "type": "take_over" }),
        json!({ "type": "accept", "offer": offer }),
        json!({ "type": "reject", "offer": offer }),
        json!({ "type": "hold", "contact": contact, "on": true }),
        json!({ "type": "mute", "contact": contact, "on": true }),
        json!({ "type": "dtmf", "contact": contact, "digits": "1" }),
        json!({ "type": "hang_up", "contact": contact }),
        json!({ "type": "call_transfer", "contact": contact, "to": { "to": "queue", "queue": "general" } }),
        json!({ "type": "consult", "contact": contact, "to": { "to": "outside", "number": "+19165550111" } }),
        json!({ "type": "consult_step", "contact": contact, "step": "back" }),
        json!({ "type": "colleagues" }),
        json!({ "type": "wrap_up", "segment": segment, "dispositions": ["resolved"] }),
        json!({ "type": "wrap_up_more", "segment": segment }),
        json!({ "type": "chat_say", "contact": contact, "client_id": "1", "body": "from next door" }),
        json!({ "type": "chat_seen", "contact": contact, "delivered": 1, "seen": 1 }),
        json!({ "type": "chat_typing", "contact": contact }),
        json!({ "type": "chat_end", "contact": contact }),
        json!({ "type": "chat_transfer", "contact": contact, "queue": "general" }),
        json!({ "type": "call_out", "phone": "916 555 0190" }),
        json!({ "type": "chat_call", "contact": contact, "phone": "916 555 0190" }),
    ];
    let mut kinds: Vec<_> = all.iter().map(|message| kind(&serde_json::from_value(message.clone()).unwrap())).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, (0..all.len()).collect::<Vec<_>>());
    all
}

fn kind(message: &ClientMessage) -> usize {
    match message {
        ClientMessage::Hello { .. } => 0,
        ClientMessage::Pong { .. } => 1,
        ClientMessage::State { .. } => 2,
        ClientMessage::PhoneOffer { .. } => 3,
        ClientMessage::TakeOver => 4,
        ClientMessage::Accept { .. } => 5,
        ClientMessage::Reject { .. } => 6,
        ClientMessage::Hold { .. } => 7,
        ClientMessage::Mute { .. } => 8,
        ClientMessage::Dtmf { .. } => 9,
        ClientMessage::HangUp { .. } => 10,
        ClientMessage::WrapUp { .. } => 11,
        ClientMessage::WrapUpMore { .. } => 12,
        ClientMessage::ChatSay { .. } => 13,
        ClientMessage::ChatSeen { .. } => 14,
        ClientMessage::ChatTyping { .. } => 15,
        ClientMessage::ChatEnd { .. } => 16,
        ClientMessage::ChatTransfer { .. } => 17,
        ClientMessage::ChatCall { .. } => 18,
        ClientMessage::CallTransfer { .. } => 19,
        ClientMessage::Consult { .. } => 20,
        ClientMessage::ConsultStep { .. } => 21,
        ClientMessage::Colleagues => 22,
        ClientMessage::CallOut { .. } => 23,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_of_a_socket_reaches_another_countys_call() {
    let world = World::new().await;
    let theirs = belongings(&world).await;
    let (open, engine) = (TenantId::new(OPEN), &world.app.engine);
    // The open county's own agent is offered the callback.
    engine.submit(&open, Event::ClosureLifted).await.unwrap();
    let (agent, session) = (AgentId::new(user_id(OPEN, Role::Agent)), SessionId::new("tab-of-open"));
    engine.pretend_phone(&open, &agent, &session, 7);
    let health = Health { tab: true, microphone: true, media: true };
    for event in [
        Event::AgentConnected { agent: agent.clone(), session: session.clone() },
        Event::AgentHealth { agent: agent.clone(), session: session.clone(), health },
        Event::AgentStateRequested { agent: agent.clone(), state: RequestedState::Ready },
    ] {
        engine.submit(&open, event).await.unwrap();
    }
    let offered = async || {
        let view = engine.status_view(&open, theirs.contact).await.unwrap().unwrap();
        view.contact.open_segment().cloned()
    };
    let mut segment = offered().await;
    for _ in 0..200 {
        if segment.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        segment = offered().await;
    }
    let segment = segment.expect("the callback is offered");
    let (address, _close) = listening(&world).await;
    let cookie = world.sign_in(VOUCHED, Role::Agent).await;
    let mut tab = connect(address, &cookie).await;
    let theirs_to_try = messages(&theirs, &segment.offer.to_string(), &segment.id.to_string());
    for (number, mut message) in theirs_to_try.into_iter().enumerate() {
        message["ref"] = json!(number);
        say(&mut tab, message.clone()).await;
        let word = message["type"].as_str().unwrap().to_owned();
        // The last two are never answered; they are kept for chats of the tab's own desk only.
        let harmless = ["hello", "pong", "state", "take_over", "colleagues", "chat_seen", "chat_typing"];
        if !harmless.contains(&word.as_str()) {
            let answer = next(&mut tab, "error", false).await;
            assert_eq!(answer["ref"], number, "{word}: {answer}");
            assert!(!answer.to_string().contains("Ana"), "{answer}");
        }
    }
    assert_eq!(offered().await, Some(segment), "the offer stands as it stood");
    let own = engine.agent_view(&open, &agent).await.unwrap().unwrap();
    assert_eq!(own.session, Some(session), "nobody took the tab over");
}

/// The router is made of the table; whatever made one of its own would go past the guard.
#[test]
fn there_is_no_other_router() {
    fn sources(folder: &std::path::Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() && !name.ends_with("/tests") {
                sources(&path, found);
            } else if name.ends_with(".rs") && !name.ends_with("/tests.rs") {
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 40);
    for (name, text) in found {
        let routes = [".route(", ".nest(", ".merge(", "Router::new("].iter().any(|word| text.contains(word));
        assert!(!routes || name.ends_with("/http/routes.rs"), "{name} has routes of its own");
    }
}
