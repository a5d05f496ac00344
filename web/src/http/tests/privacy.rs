//! One person's data by REST: found, taken along, erased down to the bytes of the ledger's files.

use super::*;

/// What must stand nowhere afterwards.
const WORDS: [&str; 5] = ["Rosalinda Quetzal", "rosalinda quetzal", "+19165550183", "C-990017", "xylophone papers"];

/// Which words stand in which files of the server.
fn traces(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(traces(&path));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = |word: &&&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
        found.extend(WORDS.iter().filter(holds).map(|word| format!("{word} in {}", path.display())));
    }
    found
}

async fn person(world: &World, admin: &str) {
    let body = json!({ "name": "Rosalinda Quetzal", "numbers": ["916 555 0183"], "external_ids": ["C-990017"], "notes": "About her xylophone papers" });
    let added = world.post_as("/api/v1/customers", body, admin).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
}

#[tokio::test]
async fn a_person_is_looked_up_taken_along_and_erased() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    person(&world, &admin).await;
    let ask =
        json!({ "name": "Rosalinda Quetzal", "phone": "916 555 0183", "question": "Where are my xylophone papers?" });
    let chat = world.post(&format!("/api/v1/t/{OPEN}/chats"), ask).await.json();
    let link = chat["chat_token"].as_str().unwrap().to_owned();
    let who = json!({ "external_id": "C-990017" });
    let post = async |what: &str, body: Value| world.post_as(&format!("/api/v1/privacy/{what}"), body, &admin).await;

    // In line still: seen, and not erased.
    let seen = post("find", who.clone()).await.json();
    assert_eq!((&seen["contacts"], &seen["chats"], &seen["customers"]), (&json!(1), &json!(1), &json!(1)), "{seen}");
    assert_eq!(seen["live"].as_array().map(Vec::len), Some(1));
    let now = json!({ "external_id": "C-990017", "found": seen["found"] });
    assert_eq!(post("erase", now.clone()).await.code(), "person_live");
    assert_eq!(world.post(&format!("/api/v1/chat/{link}/end"), json!({})).await.status, StatusCode::OK);

    let seen = post("find", json!({ "phone": "(916) 555-0183" })).await.json();
    assert_eq!((&seen["live"], &seen["names"]), (&json!([]), &json!(["Rosalinda Quetzal"])));
    let taken = post("export", who.clone()).await;
    assert_eq!((taken.status, taken.header("content-type")), (StatusCode::OK, "application/zip"));
    for word in ["person.json", "Where are my xylophone papers?", "About her xylophone papers"] {
        assert!(taken.text().contains(word), "{word}");
    }
    assert!(!traces(world._folder.path()).is_empty(), "what is looked for afterwards is there now");

    // What goes is what was seen.
    assert_eq!(
        post("erase", json!({ "external_id": "C-990017", "found": "another" })).await.code(),
        "changed_meanwhile"
    );
    let erased = post("erase", json!({ "external_id": "C-990017", "found": seen["found"] })).await.json();
    assert_eq!(
        (&erased["complete"], &erased["contacts"], &erased["customers"]),
        (&json!(true), &json!(1), &json!(1)),
        "{erased}"
    );
    assert!(erased["journal"].as_u64().unwrap() > 0);
    assert_eq!(traces(world._folder.path()), Vec::<String>::new());
    let after = post("find", who).await.json();
    assert_eq!((&after["contacts"], &after["customers"], &after["cases"]), (&json!(0), &json!(0), &json!(0)));
    let rows = world.get_as("/api/v1/audit", &admin).await.text();
    assert!(rows.contains("person_erased") && rows.contains("person_exported") && rows.contains("person_looked_up"));
    let open = TenantId::new(OPEN);
    let verdict = world.app.store.verify_audit(Some(&open)).await.unwrap();
    assert!(matches!(verdict, ringback_store::AuditVerdict::Whole { .. }), "{verdict:?}");
}

#[tokio::test]
async fn a_hold_keeps_everything_and_others_may_not_ask() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    person(&world, &admin).await;
    let ask =
        json!({ "name": "Rosalinda Quetzal", "phone": "916 555 0183", "question": "Where are my xylophone papers?" });
    let chat = world.post(&format!("/api/v1/t/{OPEN}/chats"), ask).await.json();
    let link = chat["chat_token"].as_str().unwrap().to_owned();
    let contact = world.contact_of(&link).await;
    assert_eq!(world.post(&format!("/api/v1/chat/{link}/end"), json!({})).await.status, StatusCode::OK);
    let hold = format!("/api/v1/contacts/{contact}/legal-hold");
    assert_eq!(
        world.post_as(&hold, json!({ "reason": "Asked for by the court" }), &admin).await.status,
        StatusCode::CREATED
    );
    let who = json!({ "phone": "916 555 0183" });
    let seen = world.post_as("/api/v1/privacy/find", who.clone(), &admin).await.json();
    assert_eq!(seen["held"], json!([contact.to_string()]));
    let now = json!({ "phone": "916 555 0183", "found": seen["found"] });
    assert_eq!(world.post_as("/api/v1/privacy/erase", now, &admin).await.code(), "person_held");
    let again = world.post_as("/api/v1/privacy/find", who.clone(), &admin).await.json();
    assert_eq!(again["found"], seen["found"], "nothing went");
    for role in [Role::Agent, Role::Supervisor, Role::Auditor] {
        let other = world.sign_in(OPEN, role).await;
        assert_eq!(world.post_as("/api/v1/privacy/find", who.clone(), &other).await.status, StatusCode::FORBIDDEN);
    }
    let next_door = world.sign_in(VOUCHED, Role::Admin).await;
    let nobody = world.post_as("/api/v1/privacy/find", who, &next_door).await.json();
    assert_eq!((&nobody["contacts"], &nobody["customers"]), (&json!(0), &json!(0)));
}
