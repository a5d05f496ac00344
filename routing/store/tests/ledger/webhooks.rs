//! Messages for other programs: written with what they tell of, for whoever asked, settled, given up, sent again.

use ringback_routing::contact::ContactState;
use ringback_store::{testing::Database, *};

use crate::{on_both, support::*};

on_both! {
    a_message_is_written_for_whoever_asked_for_its_event
    a_message_is_settled_given_up_and_sent_again
}

fn hook(id: &str, events: &[&str]) -> Webhook {
    Webhook {
        id: id.into(),
        url: "https://hooks.example.gov/".into(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        secret: "sealed".into(),
        personal: false,
        created_by: "ada".into(),
        created_at: at(0),
    }
}

async fn a_message_is_written_for_whoever_asked_for_its_event(database: Database) {
    let store = database.open().await.expect("opened");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    let mut one = contact(1, "+19165550101");
    store.commit(turn(&a, epoch, vec![saved(&one), requested(1, 1)])).await.expect("nobody is told");
    store.add_webhook(&a, hook("all", &["contact.created", "contact.closed"])).await.expect("added");
    store.add_webhook(&a, hook("some", &["contact.closed"])).await.expect("added");
    store.add_webhook(&b, hook("theirs", &["contact.created", "contact.closed"])).await.expect("added");
    assert_eq!(store.add_webhook(&a, hook("all", &[])).await, Err(StoreError::Taken("webhook")));
    let two = contact(2, "+19165550102");
    store.commit(turn(&a, epoch, vec![saved(&two), requested(2, 5)])).await.expect("told");
    let due = store.due_deliveries(at(10), 10).await.expect("due");
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].0.event.as_str(), due[0].0.contact, due[0].1.id.as_str()),
        ("contact.created", Some(two.id), "all")
    );
    // A turn the ledger refuses tells nothing.
    one.state = ContactState::Closed { outcome: ringback_routing::contact::Outcome::Cancelled };
    let fact = ringback_routing::output::Fact::Closed {
        outcome: ringback_routing::contact::Outcome::Cancelled,
        reason: ringback_routing::reason::Reason::CustomerCancelled,
    };
    let closed = ringback_routing::output::Change::ContactFact { contact: one.id, at: at(7), fact };
    let stale = turn(&a, epoch - 1, vec![saved(&one), closed.clone()]);
    assert_eq!(store.commit(stale).await, Err(StoreError::Fenced));
    assert_eq!(store.due_deliveries(at(10), 10).await.expect("due").len(), 1);
    store.commit(turn(&a, epoch, vec![saved(&one), closed])).await.expect("told");
    let due = store.due_deliveries(at(10), 10).await.expect("due");
    let mut closed: Vec<_> =
        due.iter().filter(|(message, _)| message.event == "contact.closed").map(|(_, hook)| hook.id.as_str()).collect();
    closed.sort_unstable();
    assert_eq!((due.len(), closed), (3, vec!["all", "some"]));
    store.tell_webhooks(&a, "closure.lifted", "closure.1", at(8), serde_json::json!({})).await.expect("nobody asked");
    assert_eq!(store.open_deliveries(&a, 10).await.expect("open").len(), 3);
    assert_eq!(store.open_deliveries(&b, 10).await, Ok(Vec::new()));
}

async fn a_message_is_settled_given_up_and_sent_again(database: Database) {
    let store = database.open().await.expect("opened");
    let a = tenant("a");
    store.add_webhook(&a, hook("h", &["closure.lifted"])).await.expect("added");
    for _ in 0..2 {
        store.tell_webhooks(&a, "closure.lifted", "m1", at(1), serde_json::json!({})).await.expect("told");
    }
    let due = store.due_deliveries(at(1), 10).await.expect("due");
    assert_eq!(due.len(), 1, "told twice it is one message");
    let message = &due[0].0;
    let end = |state, millis, word: &str| DeliveryEnd { state, next_at: at(millis), word: word.into() };
    store.settle_delivery(message, end(DeliveryState::Waiting, 50, "answered 500")).await.expect("settled");
    assert!(store.due_deliveries(at(49), 10).await.expect("due").is_empty());
    let again = store.due_deliveries(at(50), 10).await.expect("due");
    assert_eq!((again[0].0.tries, again[0].0.last_word.as_str()), (1, "answered 500"));
    store.settle_delivery(message, end(DeliveryState::Dead, 50, "answered 500")).await.expect("settled");
    assert!(store.due_deliveries(at(99), 10).await.expect("due").is_empty());
    assert_eq!(store.open_deliveries(&a, 10).await.expect("open")[0].state, DeliveryState::Dead);
    let other = store.resend_delivery(&tenant("b"), "h", "m1", "eve", at(60)).await;
    assert_eq!(other, Err(StoreError::NotFound("message")));
    store.resend_delivery(&a, "h", "m1", "ada", at(60)).await.expect("again");
    let again = store.due_deliveries(at(60), 10).await.expect("due");
    assert_eq!(again[0].0.tries, 0);
    store.settle_delivery(message, end(DeliveryState::Sent, 61, "")).await.expect("settled");
    assert_eq!(store.open_deliveries(&a, 10).await, Ok(Vec::new()));
    assert_eq!(store.purge_deliveries(at(1), 10).await, Ok(0));
    assert_eq!(store.purge_deliveries(at(2), 10).await, Ok(1));
    assert_eq!(store.remove_webhook(&tenant("b"), "h", "eve", at(70)).await, Err(StoreError::NotFound("webhook")));
    store.remove_webhook(&a, "h", "ada", at(70)).await.expect("removed");
    assert_eq!(store.webhooks(&a).await, Ok(Vec::new()));
}
