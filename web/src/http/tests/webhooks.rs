//! Who is told what happens, and by which addresses nobody is.

use super::*;

#[tokio::test]
async fn a_receiver_is_added_by_its_administrator_and_its_secret_is_sealed() {
    let world = World::new().await;
    let admin = world.sign_in(OPEN, Role::Admin).await;
    let add = async |url: &str, events: Value| {
        world.post_as("/api/v1/webhooks", json!({ "url": url, "events": events }), &admin).await
    };
    let both = json!(["contact.created", "recording.ready"]);
    for inside in ["http://hooks.example.gov/", "https://127.0.0.1/", "https://[fd00::1]/", "nowhere", ""] {
        let refused = add(inside, both.clone()).await;
        assert_eq!((refused.code().as_str(), refused.json()["field"].clone()), ("bad_value", json!("url")), "{inside}");
    }
    for odd in [json!([]), json!(["contact.deleted"])] {
        assert_eq!(add("https://hooks.example.gov/", odd).await.json()["field"], "events");
    }
    let made = add("https://hooks.example.gov/", both).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let (id, secret) = (made.json()["item"]["id"].as_str().unwrap().to_owned(), made.json()["secret"].clone());
    let listed = world.get_as("/api/v1/webhooks", &admin).await;
    assert_eq!(listed.json()["items"][0]["url"], "https://hooks.example.gov/");
    assert!(!listed.text().contains(secret.as_str().unwrap()));
    let kept = world.app.store.webhooks(&TenantId::new(OPEN)).await.unwrap();
    assert!(kept[0].secret.starts_with("sealed:1:"));

    // Its message is written with the request it tells of; what nobody asked for is not.
    world.callback("916 555 0150").await;
    let waiting = world.get_as("/api/v1/webhooks", &admin).await.json()["messages"].clone();
    assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
    assert_eq!((&waiting[0]["event"], &waiting[0]["state"]), (&json!("contact.created"), &json!("waiting")));
    let message = waiting[0]["message"].as_str().unwrap();

    let theirs = world.sign_in(VOUCHED, Role::Admin).await;
    assert_eq!(world.get_as("/api/v1/webhooks", &theirs).await.json(), json!({ "items": [], "messages": [] }));
    let again = format!("/api/v1/webhooks/{id}/messages/{message}/resend");
    assert_eq!(world.post_as(&again, json!({}), &theirs).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post_as(&again, json!({}), &admin).await.status, StatusCode::NOT_FOUND, "it is not given up");
    let remove = async |cookie: &str| {
        let path = format!("/api/v1/webhooks/{id}");
        world.send(request(Method::DELETE, &path, None, &[("cookie", cookie), ("origin", ORIGIN)])).await.status
    };
    assert_eq!(remove(&theirs).await, StatusCode::NOT_FOUND);
    assert_eq!(remove(&admin).await, StatusCode::NO_CONTENT);
    assert_eq!(world.get_as("/api/v1/webhooks", &admin).await.json(), json!({ "items": [], "messages": [] }));
}
