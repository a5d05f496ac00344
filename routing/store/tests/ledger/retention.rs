//! What is removed on time, what stays on legal hold, and what the audit tells of it.

use ringback_routing::{contact::*, ids::*};
use ringback_store::{testing::Database, *};

use crate::{
    on_both,
    support::{raw::Raw, *},
};

on_both! {
    what_is_due_is_removed_and_told
    a_hold_keeps_everything_until_it_is_lifted
    an_erasure_takes_all_but_what_is_held
    a_batch_is_bounded
    what_was_filed_leaves_with_the_customer_and_people_with_their_last_case
    a_hold_keeps_whoever_it_is_about
}

const ALL: RetentionCut = RetentionCut { recordings: None, transcripts: None, personal: None, directory: None };

/// A closed contact with a recording, a message and a note.
async fn closed(store: &Store, tenant: &TenantId, epoch: i64, id: u128, closed_at: i64) -> Contact {
    let mut contact = contact(id, "+19165550119");
    contact.state = ContactState::Closed { outcome: Outcome::Successful };
    contact.closed_at = Some(at(closed_at));
    let mut live = attempt(id, 1, AttemptState::Ended { result: AttemptResult::Connected });
    live.ended_at = Some(at(closed_at));
    contact.attempts.push(live);
    store.commit(turn(tenant, epoch, vec![saved(&contact), requested(id, 1)])).await.expect("committed");
    let row = RecordingRow {
        state: RecordingState::Finished,
        chain: format!("chain-{id}"),
        ..recording(id, &contact, 5, None)
    };
    store.save_recording(tenant, &row).await.expect("a recording");
    let message = NewMessage {
        tenant: tenant.clone(),
        contact: contact.id,
        sender: ChatSender::Customer,
        client_id: "m1".into(),
        at: at(6),
        body: "my number is 919".into(),
    };
    store.keep_chat([(tenant.clone(), epoch)].into(), vec![message], Vec::new()).await.expect("a message");
    contact
}

async fn body(store: &Store, tenant: &TenantId, id: ContactId) -> String {
    store.chat_messages(tenant, id, 0, 10).await.expect("messages")[0].body.clone()
}

async fn what_is_due_is_removed_and_told(database: Database) {
    let store = database.open().await.expect("opened");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    let other = store.acquire_lease(&b, "n1", at(0)).await.expect("a lease");
    let old = closed(&store, &a, epoch, 1, 100).await;
    let young = closed(&store, &a, epoch, 2, 900).await;
    let theirs = closed(&store, &b, other, 3, 100).await;
    let write = TurnWrite { journal: vec![entry(1, 50), entry(2, 950)], ..turn(&a, epoch, Vec::new()) };
    store.commit(write).await.expect("journalled");

    let nothing = store.retain(&a, ALL, 10, at(1000)).await.expect("retained");
    assert_eq!(nothing, Removed::default());
    let cut = RetentionCut { recordings: Some(at(500)), transcripts: Some(at(500)), personal: Some(at(500)), ..ALL };
    let removed = store.retain(&a, cut, 10, at(1000)).await.expect("retained");
    assert_eq!(removed, Removed { recordings: 1, transcripts: 1, personal: 1, journal: 1, ..Removed::default() });
    assert_eq!(store.retain(&a, cut, 10, at(1000)).await, Ok(Removed::default()), "once");

    let kept = store.contact(&a, old.id).await.expect("read").expect("the contact itself stays for reports");
    assert_eq!((kept.customer.name.as_str(), kept.customer.number.as_str()), ("", ""));
    assert!(kept.customer.context.is_empty() && kept.customer.customer_id.is_none());
    assert_eq!(kept.closed_at, old.closed_at);
    assert!(store.recordings_of(&a, old.id).await.expect("read").is_empty());
    assert_eq!(body(&store, &a, old.id).await, "");
    assert_eq!(store.contact_by_status_token("digest-1").await, Ok(None));
    let mut raw = Raw::connect(database.url()).await;
    for column in ["doc", "customer_search", "number_key", "number_last4"] {
        let left = format!(
            "SELECT COUNT(*) FROM contacts WHERE tenant = 'a' AND closed_at < {} AND {column} LIKE '%0119%'",
            at(500).as_millis()
        );
        assert_eq!(raw.number(&left).await, 0, "{column}");
    }
    let files = store.removed_files("n1", 10).await.expect("files");
    assert_eq!(files.iter().map(|file| file.recording).collect::<Vec<_>>(), [RecordingId(1)]);
    store.file_removed(files[0].clone()).await.expect("noted");
    assert_eq!(store.removed_files("n1", 10).await, Ok(Vec::new()));

    for (tenant, contact) in [(&a, &young), (&b, &theirs)] {
        assert_eq!(store.contact(tenant, contact.id).await.expect("read").as_ref(), Some(contact));
        assert_eq!(store.recordings_of(tenant, contact.id).await.expect("read").len(), 1);
        assert_eq!(body(&store, tenant, contact.id).await, "my number is 919");
    }
    let told = store.audit_rows(Some(&a), &AuditSearch::default(), 10).await.expect("audit");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].entry.what, "records_removed");
    assert_eq!(told[0].entry.detail["recordings"][0]["chain"], "chain-1");
    assert!(!told[0].entry.detail.to_string().contains("0119"));
    assert_eq!(store.verify_audit(Some(&a)).await, Ok(AuditVerdict::Whole { rows: 1 }));
}

async fn a_hold_keeps_everything_until_it_is_lifted(database: Database) {
    let store = database.open().await.expect("opened");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    let held = closed(&store, &a, epoch, 1, 100).await;
    let hold = LegalHold { contact: held.id, reason: "a hearing".into(), who: "sam".into(), at: at(200) };
    assert_eq!(store.set_legal_hold(&tenant("b"), hold.clone()).await, Err(StoreError::NotFound("contact")));
    store.set_legal_hold(&a, hold.clone()).await.expect("held");
    assert_eq!(store.set_legal_hold(&a, hold.clone()).await, Err(StoreError::Taken("hold")));
    assert_eq!(store.legal_holds(&a).await, Ok(vec![hold.clone()]));
    assert_eq!(store.legal_holds_on(&a, &[held.id, ContactId(9)]).await, Ok(vec![hold.clone()]));
    assert_eq!(store.legal_holds(&tenant("b")).await, Ok(Vec::new()));

    let cut = RetentionCut { recordings: Some(at(500)), transcripts: Some(at(500)), personal: Some(at(500)), ..ALL };
    assert_eq!(store.retain(&a, cut, 10, at(1000)).await, Ok(Removed::default()));
    assert_eq!(store.contact(&a, held.id).await.expect("read"), Some(held.clone()));
    assert_eq!(store.recordings_of(&a, held.id).await.expect("read").len(), 1);

    assert_eq!(store.lift_legal_hold(&tenant("b"), held.id, "eve", at(1001)).await, Err(StoreError::NotFound("hold")));
    store.lift_legal_hold(&a, held.id, "ada", at(1001)).await.expect("lifted");
    assert_eq!(store.lift_legal_hold(&a, held.id, "ada", at(1001)).await, Err(StoreError::NotFound("hold")));
    let removed = store.retain(&a, cut, 10, at(1002)).await.expect("retained");
    assert_eq!((removed.recordings, removed.transcripts, removed.personal), (1, 1, 1));
    store.set_legal_hold(&a, hold).await.expect("held again");
    let words: Vec<String> = store
        .audit_rows(Some(&a), &AuditSearch::default(), 10)
        .await
        .expect("audit")
        .into_iter()
        .map(|row| row.entry.what)
        .collect();
    assert_eq!(words, ["legal_hold_set", "records_removed", "legal_hold_lifted", "legal_hold_set"]);
}

async fn an_erasure_takes_all_but_what_is_held(database: Database) {
    let store = database.open().await.expect("opened");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    let (first, second) = (closed(&store, &a, epoch, 1, 100).await, closed(&store, &a, epoch, 2, 900).await);
    let hold = LegalHold { contact: second.id, reason: "a hearing".into(), who: "sam".into(), at: at(200) };
    store.set_legal_hold(&a, hold).await.expect("held");
    let removed = store.erase_contacts(&a, vec![first.id, second.id], "ada", at(1000)).await.expect("erased");
    assert_eq!((removed.recordings, removed.transcripts, removed.personal), (1, 1, 1));
    assert_eq!(removed.held, [second.id]);
    assert_eq!(store.contact(&a, second.id).await.expect("read"), Some(second));
}

async fn a_batch_is_bounded(database: Database) {
    let store = database.open().await.expect("opened");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    for id in 1..=5 {
        closed(&store, &a, epoch, id, 100).await;
    }
    let cut = RetentionCut { personal: Some(at(500)), ..ALL };
    for (gone, more) in [(2, true), (2, true), (1, false), (0, false)] {
        let removed = store.retain(&a, cut, 2, at(1000)).await.expect("retained");
        assert_eq!((removed.personal, removed.more), (gone, more));
        assert_eq!(removed.recordings, 0);
    }
}

/// Somebody in the directory, changed at 10, with a number of their own and an id of a portal's.
async fn person(store: &Store, tenant: &TenantId, id: &str, number_key: &str, external_id: &str) {
    let record = CustomerRecord {
        id: id.into(),
        name: "Rosa Diaz".into(),
        numbers: vec![KnownNumber { number: format!("+1{number_key}"), number_key: number_key.into() }],
        external_ids: vec![external_id.into()],
        notes: String::new(),
        version: 0,
        created_at: at(10),
        changed_by: "maria".into(),
        changed_at: at(10),
    };
    store.save_customer(tenant, &record).await.expect("kept");
}

async fn filed(store: &Store, tenant: &TenantId, contact: ContactId, customer: &str) {
    let case = CaseRecord {
        contact,
        customer: Some(customer.into()),
        state: CaseState::Saved,
        title: "Papers".into(),
        body: "She sent them.".into(),
        version: 0,
        opened_by: "maria".into(),
        opened_at: at(20),
        changed_by: "maria".into(),
        changed_at: at(20),
    };
    store.save_case(tenant, &case).await.expect("filed");
}

async fn what_was_filed_leaves_with_the_customer_and_people_with_their_last_case(database: Database) {
    let store = database.open().await.expect("opened");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    let old = closed(&store, &a, epoch, 1, 100).await;
    let young = closed(&store, &a, epoch, 2, 900).await;
    person(&store, &a, "cu_old", "key-old", "C-1").await;
    person(&store, &a, "cu_young", "key-young", "C-2").await;
    person(&store, &a, "cu_called", &young.customer.number_key, "C-3").await;
    person(&store, &a, "cu_met", "key-met", "C-4").await;
    person(&store, &b, "cu_theirs", "key-old", "C-1").await;
    filed(&store, &a, old.id, "cu_old").await;
    filed(&store, &a, young.id, "cu_young").await;
    store.customer_seen(&a, "cu_met", at(590), at(600)).await.expect("noted");
    store.customer_seen(&a, "cu_met", at(590), at(700)).await.expect("once in the time");

    let people = RetentionCut { directory: Some(at(500)), ..ALL };
    assert_eq!(store.retain(&a, people, 10, at(1000)).await, Ok(Removed::default()), "whoever has a case stays");
    let both = RetentionCut { personal: Some(at(500)), ..people };
    let removed = store.retain(&a, both, 10, at(1000)).await.expect("retained");
    assert_eq!(removed, Removed { personal: 1, cases: 1, people: 1, ..Removed::default() });
    assert_eq!(store.case(&a, old.id).await, Ok(None));
    assert!(store.case(&a, young.id).await.expect("read").is_some());
    assert_eq!(store.customer(&a, "cu_old").await, Ok(None));
    assert_eq!(store.customer_of(&a, Some("C-1"), "key-old").await, Ok(None), "nor by number or id");
    for id in ["cu_young", "cu_called", "cu_met"] {
        assert!(store.customer(&a, id).await.expect("read").is_some(), "{id}");
    }
    assert!(store.customer(&b, "cu_theirs").await.expect("read").is_some());
    let told = store.audit_rows(Some(&a), &AuditSearch::default(), 10).await.expect("audit");
    assert_eq!(told[0].entry.detail["customers"][0], "cu_old");
    assert_eq!(told[0].entry.detail["cases"], 1);
    let later = RetentionCut { directory: Some(at(650)), ..ALL };
    let removed = store.retain(&a, later, 10, at(1100)).await.expect("retained");
    assert_eq!(removed.people, 1, "met at 600, and the second time was not noted");
    assert_eq!(store.customer(&a, "cu_met").await, Ok(None));
}

async fn a_hold_keeps_whoever_it_is_about(database: Database) {
    let store = database.open().await.expect("opened");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("a lease");
    let mut named = closed(&store, &a, epoch, 1, 100).await;
    std::sync::Arc::make_mut(&mut named.customer).customer_id = Some("C-9".into());
    store.commit(turn(&a, epoch, vec![saved(&named)])).await.expect("committed");
    person(&store, &a, "cu_called", &named.customer.number_key, "C-1").await;
    person(&store, &a, "cu_named", "key-other", "C-9").await;
    filed(&store, &a, named.id, "cu_called").await;
    let hold = LegalHold { contact: named.id, reason: "a hearing".into(), who: "sam".into(), at: at(200) };
    store.set_legal_hold(&a, hold).await.expect("held");
    let cut = RetentionCut { personal: Some(at(500)), directory: Some(at(500)), ..ALL };
    assert_eq!(store.retain(&a, cut, 10, at(1000)).await, Ok(Removed::default()));
    assert!(store.case(&a, named.id).await.expect("read").is_some());
    store.lift_legal_hold(&a, named.id, "ada", at(1001)).await.expect("lifted");
    let removed = store.retain(&a, cut, 10, at(1002)).await.expect("retained");
    assert_eq!((removed.personal, removed.cases, removed.people), (1, 1, 2));
}
