//! Records leave when their time is over, as the tenant has set it, and stay on legal hold.

use ringback_routing::{
    event::{CancelledBy, Event},
    time::{Millis, Timestamp},
};

use super::{recordings::recorded, *};
use crate::retention;

const DAY: i64 = 86_400;

async fn closed(world: &World, phone: &str) -> (ringback_routing::ids::ContactId, std::path::PathBuf) {
    let (contact, recording) = recorded(world, phone).await;
    let event = Event::CallbackCancelled { contact, by: CancelledBy::Administrator };
    world.app.engine.submit(&TenantId::new(OPEN), event).await.unwrap();
    (contact, world.app.config.recordings_dir.join(format!("{OPEN}/{recording}.wav")))
}

async fn set_days(world: &World, admin: &str, days: Value) -> Answer {
    let settings = world.get_as("/api/v1/settings", admin).await.json();
    let mut wanted = settings["settings"].clone();
    wanted["retention"] = days;
    let body = json!({ "base": settings["version"], "settings": wanted });
    world.send(request(Method::PUT, "/api/v1/settings", Some(body), &[("cookie", admin), ("origin", ORIGIN)])).await
}

fn in_days(world: &World, days: i64) -> Timestamp {
    world.app.now() + Millis::from_secs(days * DAY)
}

#[tokio::test]
async fn what_is_due_leaves_with_its_file_and_a_hold_keeps_it() {
    let world = World::new().await;
    let open = TenantId::new(OPEN);
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let sam = world.sign_in(OPEN, Role::Supervisor).await;
    let (plain, plain_file) = closed(&world, "9165550151").await;
    let (held, held_file) = closed(&world, "9165550152").await;
    assert_eq!(
        set_days(&world, &admin, json!({ "recordings_days": 0 })).await.json()["field"],
        "retention.recordings_days"
    );
    let days = json!({ "recordings_days": 2, "transcripts_days": null, "personal_days": 4, "directory_days": null });
    assert_eq!(set_days(&world, &admin, days).await.status, StatusCode::OK);
    let told = world.get_as("/api/v1/settings/versions", &admin).await.json();
    assert_eq!(told["items"][0]["differences"][0]["what"], "retention.personal_days", "{told}");

    let path = format!("/api/v1/contacts/{held}/legal-hold");
    for reason in ["", "  ", &"x".repeat(501)] {
        let refused = world.post_as(&path, json!({ "reason": reason }), &sam).await;
        assert_eq!(refused.json()["field"], "reason", "{}", refused.text());
    }
    let set = world.post_as(&path, json!({ "reason": "a hearing" }), &sam).await;
    assert_eq!((set.status, set.json()["who_name"].as_str()), (StatusCode::CREATED, Some("A Name")), "{}", set.text());
    assert_eq!(world.post_as(&path, json!({ "reason": "again" }), &sam).await.code(), "held_already");
    let listed = world.get_as("/api/v1/recordings", &sam).await.json();
    let of = |contact: String| {
        let items = listed["items"].as_array().unwrap();
        items.iter().find(|item| item["contact"] == contact).map(|item| item["held"]["reason"].clone()).unwrap()
    };
    assert_eq!((of(held.to_string()), of(plain.to_string())), (json!("a hearing"), Value::Null));

    retention::of_tenant(&world.app, &open, in_days(&world, 1)).await.unwrap();
    retention::take_files(&world.app).await;
    assert!(plain_file.exists() && held_file.exists(), "nothing is due yet");
    let removed = retention::of_tenant(&world.app, &open, in_days(&world, 3)).await.unwrap();
    retention::take_files(&world.app).await;
    assert_eq!((removed.recordings, removed.personal), (1, 0));
    assert!(!plain_file.exists() && held_file.exists());
    let removed = retention::of_tenant(&world.app, &open, in_days(&world, 5)).await.unwrap();
    assert_eq!((removed.recordings, removed.personal), (0, 1));
    assert_eq!(world.app.store.contact(&open, plain).await.unwrap().unwrap().customer.name, "");
    assert_ne!(world.app.store.contact(&open, held).await.unwrap().unwrap().customer.name, "");

    let lifted = world.send(request(Method::DELETE, &path, None, &[("cookie", &admin), ("origin", ORIGIN)])).await;
    assert_eq!(lifted.status, StatusCode::NO_CONTENT);
    retention::of_tenant(&world.app, &open, in_days(&world, 5)).await.unwrap();
    retention::take_files(&world.app).await;
    assert!(!held_file.exists());
    let rows = world.get_as("/api/v1/audit", &admin).await.json();
    let words: Vec<_> = rows["items"].as_array().unwrap().iter().filter_map(|row| row["what"].as_str()).collect();
    for word in ["legal_hold_set", "legal_hold_lifted", "records_removed"] {
        assert!(words.contains(&word), "{word} in {words:?}");
    }
}

#[tokio::test]
async fn another_countys_hold_is_none_of_ours() {
    let world = World::new().await;
    let (contact, _) = closed(&world, "9165550151").await;
    let path = format!("/api/v1/contacts/{contact}/legal-hold");
    let theirs = world.sign_in(VOUCHED, Role::Supervisor).await;
    assert_eq!(world.post_as(&path, json!({ "reason": "mine" }), &theirs).await.status, StatusCode::NOT_FOUND);
    let auditor = world.sign_in(OPEN, Role::Auditor).await;
    assert_eq!(world.post_as(&path, json!({ "reason": "a request" }), &auditor).await.status, StatusCode::CREATED);
    let lift = request(Method::DELETE, &path, None, &[("cookie", &theirs), ("origin", ORIGIN)]);
    assert_eq!(world.send(lift).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get_as("/api/v1/legal-holds", &theirs).await.json()["items"], json!([]));
    assert_eq!(world.get_as("/api/v1/legal-holds", &auditor).await.json()["items"].as_array().map(Vec::len), Some(1));
    let agent = world.sign_in(OPEN, Role::Agent).await;
    assert_eq!(world.post_as(&path, json!({ "reason": "no" }), &agent).await.status, StatusCode::FORBIDDEN);
}
