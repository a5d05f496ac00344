//! Messages for other programs: written with what they tell of, for whoever asked, settled, given up, sent again.

use ringback_routing::contact::ContactState;
use ringback_store::{testing::Database, *};
use serde_json::json;

use crate::{on_both, support::*};

on_both! {
    a_message_is_written_for_whoever_asked_for_its_event
    a_closure_its_row_and_its_message_are_kept_together_or_not_at_all
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

fn lifted(millis: i64) -> VersionNotice {
    let (who, what, target) = ("ada".to_owned(), "closure_lifted".to_owned(), "a".to_owned());
    let audit = AuditEntry { at: at(millis), who, what, target, detail: json!({}) };
    VersionNotice { audit, event: "closure.lifted", detail: json!({}) }
}

async fn a_closure_its_row_and_its_message_are_kept_together_or_not_at_all(database: Database) {
    let store = database.open().await.expect("opened");
    let a = tenant("a");
    store.add_webhook(&a, hook("h", &["closure.lifted"])).await.expect("added");
    let rows = || async {
        let found = store.audit_rows(Some(&a), &AuditSearch::default(), 10).await.expect("the audit");
        found.iter().filter(|row| row.entry.what == "closure_lifted").count()
    };
    assert_eq!(store.save_tenant_config_noted(&a, 0, &json!({ "n": 1 }), lifted(1)).await, Ok(1));
    // Somebody was faster: neither a row nor a message tells of what was not done.
    let late = store.save_tenant_config_noted(&a, 0, &json!({ "n": 2 }), lifted(2)).await;
    assert_eq!(late, Err(StoreError::Taken("configuration")));
    let due = || async { store.due_deliveries(at(10), 10).await.expect("due").len() };
    assert_eq!((rows().await, due().await), (1, 1));
    assert_eq!(store.save_tenant_config_noted(&a, 1, &json!({ "n": 3 }), lifted(3)).await, Ok(2));
    assert_eq!((rows().await, due().await), (2, 2), "each closure is a message of its own");
    let newest = store.tenant_config(&a).await.expect("read").expect("kept");
    assert_eq!((newest.version, newest.who.as_str(), newest.at), (2, "ada", at(3)));
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
    store.save_tenant_config_noted(&a, 0, &json!({}), lifted(8)).await.expect("nobody asked");
    assert_eq!(store.open_deliveries(&a, 10).await.expect("open").len(), 3);
    assert_eq!(store.open_deliveries(&b, 10).await, Ok(Vec::new()));
}

async fn a_message_is_settled_given_up_and_sent_again(database: Database) {
    let store = database.open().await.expect("opened");
    let a = tenant("a");
    store.add_webhook(&a, hook("h", &["closure.lifted"])).await.expect("added");
    assert_eq!(store.save_tenant_config_noted(&a, 0, &json!({}), lifted(1)).await, Ok(1));
    let due = store.due_deliveries(at(1), 10).await.expect("due");
    assert_eq!((due.len(), due[0].0.message.as_str()), (1, "closure.lifted.1"));
    let message = &due[0].0;
    let end = |state, millis, word: &str| DeliveryEnd { state, next_at: at(millis), word: word.into() };
    store.settle_delivery(message, end(DeliveryState::Waiting, 50, "answered 500")).await.expect("settled");
    assert!(store.due_deliveries(at(49), 10).await.expect("due").is_empty());
    let again = store.due_deliveries(at(50), 10).await.expect("due");
    assert_eq!((again[0].0.tries, again[0].0.last_word.as_str()), (1, "answered 500"));
    store.settle_delivery(message, end(DeliveryState::Dead, 50, "answered 500")).await.expect("settled");
    assert!(store.due_deliveries(at(99), 10).await.expect("due").is_empty());
    assert_eq!(store.open_deliveries(&a, 10).await.expect("open")[0].state, DeliveryState::Dead);
    let other = store.resend_delivery(&tenant("b"), "h", "closure.lifted.1", "eve", at(60)).await;
    assert_eq!(other, Err(StoreError::NotFound("message")));
    store.resend_delivery(&a, "h", "closure.lifted.1", "ada", at(60)).await.expect("again");
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
