//! Recordings, the audit chain, and that what is append-only stays.

use ringback_routing::{contact::*, ids::*, output::Party};
use ringback_store::{testing::Database, *};

use crate::{
    on_both,
    support::{raw::Raw, *},
};

on_both! {
    recordings_are_found_by_what_is_known_of_them
    pages_of_recordings_do_not_shift
    a_recording_is_finished_later
    a_recording_begins_with_what_its_contact_tells
    how_a_leg_sounded_is_kept_with_its_contact
    the_audit_chain_is_whole
    a_changed_audit_row_shows
    a_cut_audit_tail_shows
    audit_rows_are_found_by_what_is_known_of_them
    every_chain_is_checked
    audit_rows_appended_at_once_form_one_chain
    what_is_append_only_stays
}

async fn with_recordings(store: &Store, a: &TenantId) -> Vec<Contact> {
    let epoch = store.acquire_lease(a, "n1", at(0)).await.expect("lease");
    let mut contacts: Vec<Contact> = (1..=4).map(|id| contact(id, &format!("+1916555{:04}", 100 + id))).collect();
    std::sync::Arc::make_mut(&mut contacts[1].customer).name = "100%_Okafor".into();
    contacts[2].queue = QueueId::new("taxes");
    store.commit(turn(a, epoch, contacts.iter().map(saved).collect())).await.expect("commit");
    // The fourth has no recording.
    for (place, agent) in [(0usize, "ann"), (1, "bob"), (2, "ann")] {
        let one = &contacts[place];
        let begun = (place as i64 + 1) * 1000;
        let id = (place as u128 + 1) * 10;
        store.save_recording(a, &recording(id, one, begun, None)).await.expect("customer's leg");
        store.save_recording(a, &recording(id + 1, one, begun + 5, Some(agent))).await.expect("agent's leg");
    }
    contacts
}

fn search() -> RecordSearch {
    RecordSearch { limit: 50, ..RecordSearch::default() }
}

async fn found(store: &Store, tenant: &TenantId, search: RecordSearch) -> Vec<u128> {
    let page = store.search_recordings(tenant, &search).await.expect("search");
    page.items.iter().map(|item| item.contact.id.0).collect()
}

async fn recordings_are_found_by_what_is_known_of_them(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let contacts = with_recordings(&store, &a).await;
    assert_eq!(found(&store, &a, search()).await, [3, 2, 1], "newest first");
    assert_eq!(found(&store, &a, RecordSearch { from: Some(at(2000)), ..search() }).await, [3, 2]);
    assert_eq!(found(&store, &a, RecordSearch { to: Some(at(2000)), ..search() }).await, [1]);
    assert_eq!(found(&store, &a, RecordSearch { agent: Some("ann".into()), ..search() }).await, [3, 1]);
    assert_eq!(found(&store, &a, RecordSearch { queue: Some("taxes".into()), ..search() }).await, [3]);
    let key = contacts[1].customer.number_key.clone();
    assert_eq!(found(&store, &a, RecordSearch { number_key: Some(key), ..search() }).await, [2]);
    for (digits, expected) in [("0101", vec![1]), ("01", vec![1]), ("916 555-0103", vec![3]), ("99", vec![])] {
        let by_digits = RecordSearch { last_digits: Some(digits.into()), ..search() };
        assert_eq!(found(&store, &a, by_digits).await, expected, "{digits}");
    }
    for (text, expected) in [("josé NÚÑEZ", vec![3, 1]), ("0%_o", vec![2]), ("%", vec![2]), ("nobody", vec![])] {
        assert_eq!(found(&store, &a, RecordSearch { text: Some(text.into()), ..search() }).await, expected, "{text}");
    }
    let page = store.search_recordings(&a, &search()).await.expect("search");
    assert_eq!(page.items[0].contact, contacts[2]);
    assert_eq!(page.items[0].started_at, at(3000));
    let legs: Vec<u128> = page.items[0].recordings.iter().map(|row| row.id.0).collect();
    assert_eq!(legs, [30, 31], "legs in the order they began");
    assert_eq!(page.next, None);
}

async fn pages_of_recordings_do_not_shift(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let contacts = with_recordings(&store, &a).await;
    let first = store.search_recordings(&a, &RecordSearch { limit: 1, ..search() }).await.expect("page");
    assert_eq!(first.items[0].contact.id, contacts[2].id);
    // Another recording comes in between, newer than all.
    store.save_recording(&a, &recording(40, &contacts[3], 9000, None)).await.expect("recording");
    let next = RecordSearch { limit: 1, cursor: first.next, ..search() };
    let second = store.search_recordings(&a, &next).await.expect("page");
    assert_eq!(second.items[0].contact.id, contacts[1].id);
    let next = RecordSearch { limit: 1, cursor: second.next, ..search() };
    let third = store.search_recordings(&a, &next).await.expect("page");
    assert_eq!((third.items[0].contact.id, third.next), (contacts[0].id, None));
    let bad = RecordSearch { cursor: Some("1' OR '1'='1".into()), ..search() };
    assert_eq!(store.search_recordings(&a, &bad).await, Err(StoreError::BadCursor));
}

async fn a_recording_is_finished_later(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let one = contact(1, "+19165550101");
    store.commit(turn(&a, epoch, vec![saved(&one)])).await.expect("commit");
    let mut row = recording(5, &one, 100, Some("ann"));
    store.save_recording(&a, &row).await.expect("begin");
    assert_eq!(store.unfinished_recordings(&a, "n1").await, Ok(vec![row.clone()]));
    assert_eq!(store.unfinished_recordings(&a, "n2").await, Ok(Vec::new()));
    row.state = RecordingState::Finished;
    row.duration_ms = 61_250;
    row.bytes = 980_044;
    row.chain = "abc".into();
    row.marks = serde_json::json!([{"name": "hold", "begin_ms": 5, "end_ms": 9}]);
    store.save_recording(&a, &row).await.expect("finish");
    assert_eq!(store.recording(&a, row.id).await, Ok(Some(row.clone())));
    assert_eq!(store.recordings_of(&a, one.id).await, Ok(vec![row]));
    assert_eq!(store.unfinished_recordings(&a, "n1").await, Ok(Vec::new()));
}

async fn a_recording_begins_with_what_its_contact_tells(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let one = contact(1, "+19165550101");
    store.commit(turn(&a, epoch, vec![saved(&one)])).await.expect("commit");
    let expected = recording(5, &one, 100, Some("ann"));
    let begun = BegunRecording {
        id: expected.id,
        contact: one.id,
        leg: expected.leg,
        party: expected.party.clone(),
        path: expected.path.clone(),
        node: expected.node.clone(),
        started_at: expected.started_at,
        offset_ms: expected.offset_ms,
    };
    let end = RecordingEnd {
        state: RecordingState::Finished,
        duration_ms: 61_250,
        bytes: 980_044,
        lost_frames: 2,
        chain: "abc".into(),
        marks: serde_json::json!([{"name": "hold", "begin_ms": 5, "end_ms": 9}]),
    };
    let early = store.finish_recording(&a, expected.id, end.clone()).await;
    assert_eq!(early, Err(StoreError::NotFound("recording")), "its end came before its beginning was kept");
    let nobodys = BegunRecording { contact: ContactId(9), ..begun.clone() };
    assert_eq!(store.begin_recording(&a, nobodys).await, Err(StoreError::NotFound("contact")));
    assert_eq!(store.begin_recording(&a, begun).await, Ok(()));
    assert_eq!(store.recording(&a, expected.id).await, Ok(Some(expected.clone())));
    assert_eq!(store.finish_recording(&tenant("b"), expected.id, end.clone()).await, early, "another tenant's");
    assert_eq!(store.finish_recording(&a, expected.id, end.clone()).await, Ok(()));
    let kept = store.recording(&a, expected.id).await.expect("read").expect("a row");
    assert_eq!((kept.state, kept.duration_ms, kept.bytes, kept.lost_frames), (end.state, 61_250, 980_044, 2));
    assert_eq!((kept.chain, kept.marks), (end.chain, end.marks));
}

async fn how_a_leg_sounded_is_kept_with_its_contact(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let row = |leg: u128, party: Party, ended: i64| LegQuality {
        leg: LegId(leg),
        contact: ContactId(1),
        party,
        ended_at: at(ended),
        figures: QualityFigures { packets_in: 950, lost: 50, jitter_ms: 1.5, mos: Some(3.75), ..Default::default() },
    };
    let (agent, customer) = (row(2, Party::Agent { agent: "ann".into() }, 100), row(1, Party::Customer, 200));
    let mut again = customer.clone();
    again.figures.lost = 51;
    for said in [&customer, &agent, &again] {
        store.save_leg_quality(&a, said.clone()).await.expect("kept");
    }
    store.save_leg_quality(&b, customer).await.expect("kept");
    assert_eq!(store.leg_quality(&a, ContactId(1)).await, Ok(vec![agent, again]), "in the order they ended");
    assert_eq!(store.leg_quality(&a, ContactId(2)).await, Ok(Vec::new()));
}

fn deed(number: i64) -> AuditEntry {
    AuditEntry {
        at: at(number),
        who: "sue".into(),
        what: "recording_played".into(),
        target: ContactId(7).to_string(),
        detail: serde_json::json!({"n": number, "from": "127.0.0.1"}),
    }
}

async fn the_audit_chain_is_whole(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    assert_eq!(store.verify_audit(Some(&a)).await, Ok(AuditVerdict::Whole { rows: 0 }));
    for number in 1..=5 {
        assert_eq!(store.audit(Some(&a), deed(number)).await, Ok(number as u64));
    }
    assert_eq!(store.audit(None, deed(1)).await, Ok(1), "the operators' chain is its own");
    assert_eq!(store.verify_audit(Some(&a)).await, Ok(AuditVerdict::Whole { rows: 5 }));
    assert_eq!(store.verify_audit(None).await, Ok(AuditVerdict::Whole { rows: 1 }));
    let latest = store.audit_rows(Some(&a), &AuditSearch::default(), 2).await.expect("rows");
    assert_eq!(latest.iter().map(|row| row.seq).collect::<Vec<_>>(), [5, 4]);
    assert_eq!(latest[0].entry, deed(5));
    let earlier =
        store.audit_rows(Some(&a), &AuditSearch { before: Some(4), ..AuditSearch::default() }, 9).await.expect("rows");
    assert_eq!(earlier.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 2, 1]);
}

async fn a_changed_audit_row_shows(database: Database) {
    let changes = [
        "UPDATE audit SET who = 'someone else' WHERE seq = 2",
        "UPDATE audit SET detail = '{}' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let store = database.open().await.expect("open");
        let a = tenant(&format!("a{number}"));
        for number in 1..=3 {
            store.audit(Some(&a), deed(number)).await.expect("audit");
        }
        store.close().await;
        let mut raw = Raw::connect(database.url()).await;
        raw.unguard("audit").await;
        raw.run(&format!("{change} AND chain = 'tenant:a{number}'")).await.expect("tampering");
        let store = database.open().await.expect("open");
        assert_eq!(store.verify_audit(Some(&a)).await, Ok(AuditVerdict::Broken { seq: 2 }), "{change}");
        store.close().await;
    }
}

async fn a_cut_audit_tail_shows(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    for number in 1..=3 {
        store.audit(Some(&a), deed(number)).await.expect("audit");
    }
    let mut raw = Raw::connect(database.url()).await;
    raw.unguard("audit").await;
    raw.run("DELETE FROM audit WHERE seq = 3").await.expect("tampering");
    assert_eq!(store.verify_audit(Some(&a)).await, Ok(AuditVerdict::Broken { seq: 3 }));
    // Rows beyond a head that was set back show too.
    raw.run("UPDATE audit_heads SET seq = 1").await.expect("tampering");
    assert_eq!(store.verify_audit(Some(&a)).await, Ok(AuditVerdict::Broken { seq: 2 }));
}

async fn audit_rows_are_found_by_what_is_known_of_them(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    for number in 1..=6 {
        let mut entry = deed(number);
        entry.at = at(number * 100);
        entry.who = if number % 2 == 0 { "ann".into() } else { "bob".into() };
        entry.what = if number > 4 { "signed_in".into() } else { "recording_played".into() };
        store.audit(Some(&a), entry).await.expect("audit");
    }
    let found = async |search: AuditSearch| {
        let rows = store.audit_rows(Some(&a), &search, 50).await.expect("rows");
        rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    let search = AuditSearch::default;
    assert_eq!(found(search()).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(found(AuditSearch { who: "ann".into(), ..search() }).await, [6, 4, 2]);
    assert_eq!(found(AuditSearch { who: "ann".into(), what: "signed_in".into(), ..search() }).await, [6]);
    assert_eq!(found(AuditSearch { from: Some(at(200)), to: Some(at(500)), ..search() }).await, [4, 3, 2]);
    assert_eq!(found(AuditSearch { target: "nothing".into(), ..search() }).await, [0u64; 0]);
    let other = store.audit_rows(Some(&tenant("b")), &search(), 50).await.expect("rows");
    assert_eq!(other, []);
}

async fn every_chain_is_checked(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    for chain in [Some(&a), Some(&b), None] {
        for number in 1..=3 {
            store.audit(chain, deed(number)).await.expect("audit");
        }
    }
    let mut raw = Raw::connect(database.url()).await;
    raw.unguard("audit").await;
    raw.run("UPDATE audit SET target = 'else' WHERE seq = 3 AND chain = 'tenant:b'").await.expect("tampering");
    let checked = store.verify_audits().await.expect("checked");
    let verdicts: Vec<_> = checked.iter().map(|one| (one.tenant.clone(), one.verdict)).collect();
    let whole = AuditVerdict::Whole { rows: 3 };
    assert_eq!(verdicts, [(None, whole), (Some(a), whole), (Some(b), AuditVerdict::Broken { seq: 3 })]);
    assert!(checked.iter().all(|one| one.head.len() == 64));
}

async fn audit_rows_appended_at_once_form_one_chain(database: Database) {
    // Two stores on one database, as two nodes would be.
    let stores = [database.open().await.expect("open"), database.open().await.expect("open")];
    let a = tenant("a");
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let (store, a) = (stores[number % 2].clone(), a.clone());
            tokio::spawn(async move { store.audit(Some(&a), deed(number as i64)).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("task").expect("audit");
    }
    assert_eq!(stores[0].verify_audit(Some(&a)).await, Ok(AuditVerdict::Whole { rows: 40 }));
}

async fn what_is_append_only_stays(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let presence = ringback_routing::output::Change::PresenceChanged {
        agent: AgentId::new("ann"),
        at: at(0),
        presence: ringback_routing::agent::Presence::Ready,
        reason: None,
    };
    let mut write = turn(&a, epoch, vec![saved(&contact(1, "+19165550101")), requested(1, 0), presence]);
    write.journal.push(entry(1, 0));
    store.commit(write).await.expect("commit");
    store.audit(Some(&a), deed(1)).await.expect("audit");
    store.save_tenant_config(&a, &serde_json::json!({}), "root", at(0)).await.expect("config");

    let mut raw = Raw::connect(database.url()).await;
    for (table, column) in [
        ("contact_events", "fact"),
        ("presence_changes", "presence"),
        ("audit", "who"),
        ("journal", "body"),
        ("tenant_configs", "doc"),
    ] {
        let refused = raw.run(&format!("UPDATE {table} SET {column} = 'x'")).await.expect_err("an update");
        assert!(refused.contains("append-only"), "{table}: {refused}");
        // Entries of the journal have a retention.
        if table != "journal" {
            let refused = raw.run(&format!("DELETE FROM {table}")).await.expect_err("a delete");
            assert!(refused.contains("append-only"), "{table}: {refused}");
        }
    }
}
