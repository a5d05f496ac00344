//! Turns: what is committed, what is refused, what comes back.

use ringback_routing::{
    agent::{Endpoint, Presence},
    contact::*,
    core::NumberGuard,
    ids::*,
    output::{Change, Fact},
    reason::Reason,
};
use ringback_store::{testing::Database, *};

use crate::{
    on_both,
    support::{raw::Raw, *},
};

on_both! {
    a_turn_is_kept_and_loaded
    a_stale_owner_is_refused
    one_dialog_per_number
    callers_hold_no_number
    a_number_let_go_may_be_dialled_in_the_same_turn
    an_attempt_is_what_it_was_last_in_its_turn
    a_refused_turn_leaves_nothing
    attempts_are_unique_within_the_callback
    closed_contacts_are_not_loaded
    presence_makes_intervals
    facts_and_journal_keep_their_order
    the_journal_is_purged_by_age
    nothing_of_another_tenant_comes_back
    an_unreadable_document_is_told_by_its_id
    earlier_waits_come_back_oldest_first
    numbers_of_closed_contacts_stay_guarded
    the_agent_who_last_talked_is_known
}

async fn a_turn_is_kept_and_loaded(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let mut one = contact(1, "+19165550101");
    one.attempts.push(attempt(1, 1, AttemptState::Dialling));
    let ann = agent("ann");
    let changes = vec![saved(&one), Change::AgentSaved { agent: ann.clone() }, requested(1, 5)];
    store.commit(turn(&a, epoch, changes)).await.expect("commit");
    store.close().await;

    let store = database.open().await.expect("open again");
    assert_eq!(store.load_open(&a).await, Ok((vec![one.clone()], vec![ann])));
    assert_eq!(store.contact(&a, one.id).await, Ok(Some(one.clone())));
    assert_eq!(store.contact_by_status_token("digest-1").await, Ok(Some((a.clone(), one.id))));
    assert_eq!(store.contact_by_status_token("digest-2").await, Ok(None));

    // A later save of the same contact replaces it.
    let epoch = store.acquire_lease(&a, "n1", at(10)).await.expect("lease");
    assert_eq!(epoch, 2);
    one.attempts[0].state = AttemptState::Live;
    std::sync::Arc::make_mut(&mut one.customer).name = "Nul \0 in it".into();
    store.commit(turn(&a, epoch, vec![saved(&one)])).await.expect("commit");
    assert_eq!(store.contact(&a, one.id).await, Ok(Some(one)));
}

async fn a_stale_owner_is_refused(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let one = contact(1, "+19165550101");
    assert_eq!(store.commit(turn(&a, 1, vec![saved(&one)])).await, Err(StoreError::Fenced), "no lease at all");
    let old = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let new = store.acquire_lease(&a, "n2", at(1)).await.expect("lease");
    assert!(new > old);
    assert_eq!(store.commit(turn(&a, old, vec![saved(&one)])).await, Err(StoreError::Fenced));
    assert_eq!(store.contact(&a, one.id).await, Ok(None));
    assert_eq!(store.commit(turn(&a, new, vec![saved(&one)])).await, Ok(()));
}

async fn callers_hold_no_number(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let mut dialled = contact(1, "+19165550101");
    dialled.attempts.push(attempt(1, 1, AttemptState::Live));
    store.commit(turn(&a, epoch, vec![saved(&dialled)])).await.expect("commit");
    for number in ["+19165550101", "+19165550101", ""] {
        let mut caller = contact(10 + store.load_open(&a).await.expect("load").0.len() as u128, number);
        caller.channel = Channel::Call;
        caller.attempts.push(Attempt { segment: None, ..attempt(caller.id.0, 1, AttemptState::Live) });
        store.commit(turn(&a, epoch, vec![saved(&caller)])).await.expect("two dialogs of one number, when they called");
        assert!(store.load_open(&a).await.expect("load").0.contains(&caller));
    }
}

async fn one_dialog_per_number(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch_a = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let epoch_b = store.acquire_lease(&b, "n1", at(0)).await.expect("lease");
    let mut one = contact(1, "+19165550101");
    one.attempts.push(attempt(1, 1, AttemptState::Dialling));
    store.commit(turn(&a, epoch_a, vec![saved(&one)])).await.expect("commit");

    let mut two = contact(2, "+19165550101");
    two.attempts.push(attempt(2, 1, AttemptState::Dialling));
    let refused = Err(StoreError::Conflict(NumberInDialog { number_key: "key-of-+19165550101".into() }));
    for state in [AttemptState::Live, AttemptState::Unknown { until: at(60_000) }] {
        assert_eq!(store.commit(turn(&b, epoch_b, vec![saved(&two)])).await, refused, "before {state:?}");
        one.attempts[0].state = state;
        store.commit(turn(&a, epoch_a, vec![saved(&one)])).await.expect("commit");
    }
    assert_eq!(store.commit(turn(&b, epoch_b, vec![saved(&two)])).await, refused);
    // The customer's number may change while an old dialog's fate is not known: the row keeps the number dialled.
    std::sync::Arc::make_mut(&mut one.customer).number_key = "key-of-another".into();
    store.commit(turn(&a, epoch_a, vec![saved(&one)])).await.expect("commit");
    assert_eq!(store.commit(turn(&b, epoch_b, vec![saved(&two)])).await, refused);

    one.attempts[0].state = AttemptState::Ended { result: AttemptResult::Interrupted };
    store.commit(turn(&a, epoch_a, vec![saved(&one)])).await.expect("commit");
    assert_eq!(store.commit(turn(&b, epoch_b, vec![saved(&two)])).await, Ok(()));
}

async fn a_number_let_go_may_be_dialled_in_the_same_turn(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let mut one = contact(1, "+19165550101");
    one.attempts.push(attempt(1, 1, AttemptState::Live));
    store.commit(turn(&a, epoch, vec![saved(&one)])).await.expect("commit");
    one.attempts[0].state = AttemptState::Ended { result: AttemptResult::Busy };
    let mut two = contact(2, "+19165550101");
    two.attempts.push(attempt(2, 1, AttemptState::Dialling));
    assert_eq!(store.commit(turn(&a, epoch, vec![saved(&two), saved(&one)])).await, Ok(()));
}

/// A carrier that rings and refuses at once gives two events of one turn, and its contact is saved twice.
async fn an_attempt_is_what_it_was_last_in_its_turn(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch_a = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let epoch_b = store.acquire_lease(&b, "n1", at(0)).await.expect("lease");
    let mut one = contact(1, "+19165550101");
    one.attempts.push(attempt(1, 1, AttemptState::Dialling));
    store.commit(turn(&a, epoch_a, vec![saved(&one)])).await.expect("commit");
    let ringing = one.clone();
    one.attempts[0].state = AttemptState::Ended { result: AttemptResult::NoAnswer };
    store.commit(turn(&a, epoch_a, vec![saved(&ringing), saved(&one)])).await.expect("commit");
    let mut two = contact(2, "+19165550101");
    two.attempts.push(attempt(2, 1, AttemptState::Dialling));
    assert_eq!(store.commit(turn(&b, epoch_b, vec![saved(&two)])).await, Ok(()), "the number was let go");
    // From dialling to another number of the same customer in one turn: the row keeps the number dialled.
    let mut moved = two.clone();
    moved.attempts[0].state = AttemptState::Ended { result: AttemptResult::Busy };
    moved.attempts.push(attempt(2, 2, AttemptState::Dialling));
    let dialled = moved.clone();
    std::sync::Arc::make_mut(&mut moved.customer).number_key = "key-of-another".into();
    store.commit(turn(&b, epoch_b, vec![saved(&dialled), saved(&moved)])).await.expect("commit");
    let mut three = contact(3, "+19165550101");
    three.attempts.push(attempt(3, 1, AttemptState::Dialling));
    let refused = store.commit(turn(&a, epoch_a, vec![saved(&three)])).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

async fn a_refused_turn_leaves_nothing(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let mut one = contact(1, "+19165550101");
    one.attempts.push(attempt(1, 1, AttemptState::Live));
    store.commit(turn(&a, epoch, vec![saved(&one)])).await.expect("commit");

    let mut two = contact(2, "+19165550101");
    two.attempts.push(attempt(2, 1, AttemptState::Dialling));
    let mut write = turn(&a, epoch, vec![requested(2, 1), saved(&two), saved(&contact(3, "+19165550103"))]);
    write.journal.push(entry(1, 0));
    assert!(matches!(store.commit(write).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.load_open(&a).await.expect("load").0, vec![one]);
    assert_eq!(store.contact_facts(&a, two.id).await, Ok(Vec::new()));
    assert_eq!(store.journal(&a).await, Ok(Vec::new()));
}

async fn attempts_are_unique_within_the_callback(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let mut one = contact(1, "+19165550101");
    one.attempts.push(attempt(1, 1, AttemptState::Dialling));
    store.commit(turn(&a, epoch, vec![saved(&one)])).await.expect("commit");
    one.attempts[0].id = AttemptId(77);
    assert_eq!(store.commit(turn(&a, epoch, vec![saved(&one)])).await, Err(StoreError::Taken("attempt")));
}

async fn closed_contacts_are_not_loaded(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let mut contacts: Vec<Contact> = (1..=3).map(|id| contact(id, &format!("+1916555010{id}"))).collect();
    contacts[1].state = ContactState::Closed { outcome: Outcome::Cancelled };
    contacts[1].closed_at = Some(at(9));
    store.commit(turn(&a, epoch, contacts.iter().map(saved).collect())).await.expect("commit");
    let open = store.load_open(&a).await.expect("load").0;
    assert_eq!(open, vec![contacts[0].clone(), contacts[2].clone()]);

    let all = ContactSearch { limit: 2, ..ContactSearch::default() };
    let first = store.contacts(&a, &all).await.expect("page");
    assert_eq!(first.items, vec![contacts[2].clone(), contacts[1].clone()]);
    let second = store.contacts(&a, &ContactSearch { cursor: first.next, ..all }).await.expect("page");
    assert_eq!((second.items, second.next), (vec![contacts[0].clone()], None));
    let search =
        ContactSearch {
            outcome: Some(Outcome::Cancelled), text: Some("NÚÑEZ".into()), limit: 9, ..Default::default()
        };
    assert_eq!(store.contacts(&a, &search).await.expect("page").items, vec![contacts[1].clone()]);
}

async fn presence_makes_intervals(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let ann = AgentId::new("ann");
    let lunch = Some(ReasonCode::new("lunch"));
    for (millis, presence, reason) in
        [(0, Presence::Ready, None), (10, Presence::NotReady, lunch.clone()), (30, Presence::Busy, None)]
    {
        let change = Change::PresenceChanged { agent: ann.clone(), at: at(millis), presence, reason };
        store.commit(turn(&a, epoch, vec![change])).await.expect("commit");
    }
    let interval = |presence, reason: &Option<ReasonCode>, from, to: Option<i64>| PresenceInterval {
        presence,
        reason: reason.clone(),
        from: at(from),
        to: to.map(at),
    };
    let ready = interval(Presence::Ready, &None, 0, Some(10));
    let away = interval(Presence::NotReady, &lunch, 10, Some(30));
    let busy = interval(Presence::Busy, &None, 30, None);
    assert_eq!(store.presence(&a, &ann, at(0), at(99)).await, Ok(vec![ready, away.clone(), busy]));
    assert_eq!(store.presence(&a, &ann, at(10), at(30)).await, Ok(vec![away]));
}

async fn facts_and_journal_keep_their_order(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let number_changed = Change::ContactFact { contact: ContactId(1), at: at(5), fact: Fact::NumberChanged };
    let mut first = turn(&a, epoch, vec![requested(1, 5), number_changed.clone()]);
    first.journal = vec![entry(1, 0), entry(2, 5)];
    let mut second = turn(&a, epoch, vec![number_changed]);
    second.journal = vec![entry(3, 6)];
    store.commit(first).await.expect("commit");
    store.commit(second).await.expect("commit");
    let facts = store.contact_facts(&a, ContactId(1)).await.expect("facts");
    assert_eq!(facts.iter().map(|row| row.ordinal).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(facts[0].fact, Fact::Requested { position: 1, ewt: None, ewt_p90: None, config_version: 1 });
    assert_eq!(facts[2].fact, Fact::NumberChanged);
    assert_eq!(store.journal(&a).await, Ok(vec![entry(1, 0), entry(2, 5), entry(3, 6)]));
    let page = store.journal_page(&a, (epoch, 1), 1).await.expect("page");
    assert_eq!(page, vec![JournalRow { epoch, entry: entry(2, 5) }]);
    // The same place in the journal is not written twice.
    let mut again = turn(&a, epoch, Vec::new());
    again.journal = vec![entry(3, 7)];
    assert!(store.commit(again).await.is_err());
}

async fn the_journal_is_purged_by_age(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    for tenant in [&a, &b] {
        let epoch = store.acquire_lease(tenant, "n1", at(0)).await.expect("lease");
        let mut write = turn(tenant, epoch, Vec::new());
        write.journal = (1..=5).map(|seq| entry(seq, seq as i64)).collect();
        store.commit(write).await.expect("commit");
    }
    assert_eq!(store.purge_journal(&a, at(4), 2).await, Ok(2));
    assert_eq!(store.purge_journal(&a, at(4), 2).await, Ok(1));
    assert_eq!(store.purge_journal(&a, at(4), 2).await, Ok(0));
    assert_eq!(store.journal(&a).await, Ok(vec![entry(4, 4), entry(5, 5)]));
    assert_eq!(store.journal(&b).await.expect("journal").len(), 5);
}

async fn nothing_of_another_tenant_comes_back(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch_a = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let epoch_b = store.acquire_lease(&b, "n1", at(0)).await.expect("lease");
    let one = contact(1, "+19165550101");
    let ann = agent("ann");
    let presence =
        Change::PresenceChanged { agent: ann.id.clone(), at: at(0), presence: Presence::Ready, reason: None };
    let changes = vec![saved(&one), requested(1, 0), Change::AgentSaved { agent: ann.clone() }, presence];
    store.commit(TurnWrite { journal: vec![entry(1, 0)], ..turn(&a, epoch_a, changes) }).await.expect("commit");
    let leg = recording(5, &one, 10, Some("ann"));
    store.save_recording(&a, &leg).await.expect("recording");
    store.keep_dialogs("n1", vec![dialog(&a, 5, Some("{}"), 0)]).await.expect("dialog");
    store.save_setting(Some(&a), "key", "secret").await.expect("setting");
    store.save_tenant_config(&a, &serde_json::json!({}), "root", at(0)).await.expect("config");
    store.use_token(&a, "jti", at(99)).await.expect("token");
    store.claim_key(&a, "callback", "k", "d", at(0), at(99)).await.expect("claim");
    let user = User {
        id: ann.id.clone(),
        tenant: Some(a.clone()),
        name: "Ann".into(),
        role: Role::Agent,
        password_hash: "hash".into(),
        agent: None,
        disabled: false,
        permissions: None,
        external: None,
        second_factor: false,
        must_change: false,
    };
    store.create_user(&user).await.expect("user");
    let deed = AuditEntry {
        at: at(0),
        who: "sue".into(),
        what: "recording_played".into(),
        target: one.id.to_string(),
        detail: serde_json::json!({}),
    };
    store.audit(Some(&a), deed).await.expect("audit");

    assert_eq!(store.load_open(&b).await, Ok((Vec::new(), Vec::new())));
    assert_eq!(store.contact(&b, one.id).await, Ok(None));
    assert_eq!(store.contact_facts(&b, one.id).await, Ok(Vec::new()));
    assert!(
        store.contacts(&b, &ContactSearch { limit: 9, ..Default::default() }).await.expect("page").items.is_empty()
    );
    assert_eq!(store.presence(&b, &ann.id, at(-9), at(99)).await, Ok(Vec::new()));
    assert_eq!(store.journal(&b).await, Ok(Vec::new()));
    assert_eq!(store.recording(&b, leg.id).await, Ok(None));
    assert_eq!(store.recordings_of(&b, one.id).await, Ok(Vec::new()));
    assert_eq!(store.unfinished_recordings(&b, "n1").await, Ok(Vec::new()));
    let every = RecordSearch { limit: 9, ..Default::default() };
    assert!(store.search_recordings(&b, &every).await.expect("page").items.is_empty());
    assert_eq!(store.save_recording(&b, &leg).await, Err(StoreError::NotFound("contact")));
    assert_eq!(store.dialogs(&b).await, Ok(Vec::new()));
    store.remove_dialog(&b, LegId(5)).await.expect("nothing to remove");
    assert_eq!(store.dialogs(&a).await.expect("dialogs").len(), 1);
    assert_eq!(store.setting(Some(&b), "key").await, Ok(None));
    assert_eq!(store.setting(None, "key").await, Ok(None));
    assert_eq!(store.tenant_config(&b).await, Ok(None));
    assert_eq!(store.use_token(&b, "jti", at(99)).await, Ok(true), "the same token id, another tenant's token");
    assert_eq!(store.claim_key(&b, "callback", "k", "other", at(0), at(99)).await, Ok(Claim::New));
    assert_eq!(store.user(Some(&b), &ann.id).await, Ok(None));
    assert_eq!(store.user(None, &ann.id).await, Ok(None));
    assert_eq!(store.users(Some(&b)).await, Ok(Vec::new()));
    let moved = User { tenant: Some(b.clone()), name: "Mallory".into(), ..user };
    assert_eq!(store.update_user(&moved, at(0)).await, Err(StoreError::NotFound("user")));
    assert_eq!(store.create_user(&moved).await, Err(StoreError::Taken("user")));
    assert_eq!(store.audit_rows(Some(&b), &AuditSearch::default(), 9).await, Ok(Vec::new()));

    // Tenant B saving a contact of the same id makes its own and leaves A's.
    let other = Contact { status_token_digest: None, ..contact(1, "+19165550199") };
    store.commit(turn(&b, epoch_b, vec![saved(&other)])).await.expect("commit");
    assert_eq!(store.contact(&a, one.id).await, Ok(Some(one)));
}

async fn an_unreadable_document_is_told_by_its_id(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let (one, two) = (contact(1, "+19165550101"), contact(2, "+19165550102"));
    store.commit(turn(&a, epoch, vec![saved(&one), saved(&two)])).await.expect("commit");
    let mut raw = Raw::connect(database.url()).await;
    raw.run(&format!("UPDATE contacts SET doc = '{{\"name\":\"secret' WHERE id = '{}'", one.id)).await.expect("update");
    // A document of a later layout is not guessed at.
    raw.run(&format!("UPDATE contacts SET doc_version = 2 WHERE id = '{}'", two.id)).await.expect("update");
    for id in [one.id, two.id] {
        let error = store.contact(&a, id).await.expect_err("unreadable");
        assert_eq!(error, StoreError::Corrupt { kind: "contact", id: id.to_string().into() });
        assert!(!error.to_string().contains("secret"));
    }
    assert!(matches!(store.load_open(&a).await, Err(StoreError::Corrupt { .. })));
}

async fn earlier_waits_come_back_oldest_first(database: Database) {
    use ringback_routing::{
        time::Millis,
        wait::{Forecast, ForecastKind, PastWait, Seen, WaitRange},
    };
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let one = contact(1, "+19165550101");
    let range = WaitRange::new(Millis(4000), Millis(9000));
    let forecast = Some(Forecast { range, raw: range, kind: ForecastKind::Near });
    let served = Fact::Served { waited: Millis(5000), answer: Millis(1000), position: 2, forecast };
    let handled = Fact::Handled { segment: SegmentId(7), span: Millis(60_000), served: true };
    let fact = |millis, fact| Change::ContactFact { contact: one.id, at: at(millis), fact };
    let changes = vec![
        saved(&one),
        requested(1, 5),
        fact(10, served.clone()),
        fact(20, handled.clone()),
        fact(20, Fact::ConversationEnded { segment: SegmentId(7) }),
    ];
    store.commit(turn(&a, epoch, changes)).await.expect("commit");
    let past = |millis, fact: &Fact| PastWait {
        at: at(millis),
        queue: one.queue.clone(),
        subject: one.subject.clone(),
        channel: one.channel,
        seen: fact.seen().expect("one of them"),
    };
    assert!(matches!(past(10, &served).seen, Seen::Served { position: 2, .. }));
    assert_eq!(store.past_waits(&a, at(30)).await, Ok(vec![past(10, &served), past(20, &handled)]));
    assert_eq!(store.past_waits(&b, at(30)).await, Ok(Vec::new()), "another tenant's");
    let weeks_later = at(30) + Millis::from_secs(8 * 86_400);
    assert_eq!(store.past_waits(&a, weeks_later).await, Ok(Vec::new()), "too old to say anything");
}

async fn numbers_of_closed_contacts_stay_guarded(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let (over, standing) = (contact(1, "+19165550101"), contact(2, "+19165550102"));
    let guarded = |contact: &Contact, until| Change::ContactFact {
        contact: contact.id,
        at: at(10),
        fact: Fact::NumberGuarded { until: at(until) },
    };
    let changes = vec![saved(&over), saved(&standing), guarded(&over, 20), guarded(&standing, 40)];
    store.commit(turn(&a, epoch, changes)).await.expect("commit");
    let guard = NumberGuard { number_key: standing.customer.number_key.clone(), until: at(40) };
    assert_eq!(store.number_guards(&a, at(20)).await, Ok(vec![guard]));
    assert_eq!(store.number_guards(&a, at(40)).await, Ok(vec![]));
    assert_eq!(store.number_guards(&b, at(20)).await, Ok(vec![]), "another tenant's");
}

async fn the_agent_who_last_talked_is_known(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let segment = |id: u128, agent: &str, talked: bool| Segment {
        id: SegmentId(id),
        offer: OfferId(id),
        agent: AgentId::new(agent),
        endpoint: Endpoint::Browser { session: SessionId::new("tab-1") },
        state: SegmentState::Done { end: SegmentEnd::Completed },
        why: Reason::Preferred,
        offered_at: at(1),
        accepted_at: None,
        connected_at: talked.then(|| at(2)),
        ended_at: None,
        done_at: Some(at(3)),
        leg: None,
        on_hold: false,
        dispositions: Vec::new(),
        note: None,
        handover: None,
        position_when_offered: 1,
        ewt_when_offered: None,
    };
    let (mut older, mut later) = (contact(1, "+19165550101"), contact(2, "+19165550101"));
    older.segments = vec![segment(1, "ann", true), segment(2, "bob", true), segment(3, "cy", false)];
    later.segments = vec![segment(4, "dan", false)];
    store.commit(turn(&a, epoch, vec![saved(&older), saved(&later)])).await.expect("commit");
    let key = &older.customer.number_key;
    assert_eq!(store.last_agent(&a, key).await, Ok(Some(AgentId::new("bob"))));
    assert_eq!(store.last_agent(&a, "another").await, Ok(None));
    assert_eq!(store.last_agent(&tenant("b"), key).await, Ok(None));
}
