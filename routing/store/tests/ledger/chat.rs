//! What is said in a chat is kept once, in order, without a gap, and only by the node that owns the tenant.

use std::collections::BTreeMap;

use ringback_routing::ids::{AgentId, ContactId};
use ringback_store::{testing::Database, *};

use crate::{
    on_both,
    support::{raw::Raw, *},
};

on_both! {
    messages_are_numbered_without_a_gap_and_kept_once
    marks_only_grow
    another_owner_s_messages_are_refused
    what_was_said_is_not_deleted
    chats_are_found_by_who_wrote_when_and_for_whom
}

fn said(contact: u128, sender: ChatSender, client_id: &str, body: &str) -> NewMessage {
    NewMessage {
        tenant: tenant("a"),
        contact: ContactId(contact),
        sender,
        client_id: client_id.into(),
        at: at(5),
        body: body.into(),
    }
}

async fn owned(store: &Store) -> BTreeMap<ringback_routing::ids::TenantId, i64> {
    let epoch = store.acquire_lease(&tenant("a"), "n1", at(0)).await.expect("lease");
    BTreeMap::from([(tenant("a"), epoch)])
}

async fn messages_are_numbered_without_a_gap_and_kept_once(database: Database) {
    let store = database.open().await.expect("open");
    let epochs = owned(&store).await;
    let maria = || ChatSender::Agent(AgentId::new("maria"));
    let batch = vec![
        said(1, ChatSender::Customer, "one", "<b>¿Hola?</b>"),
        said(1, maria(), "one", "Good morning"),
        said(2, ChatSender::Customer, "one", "another chat"),
        said(1, ChatSender::Customer, "one", "sent twice in one batch"),
        said(1, ChatSender::Customer, "two", ""),
    ];
    let kept = store.keep_chat(epochs.clone(), batch, Vec::new()).await.expect("kept");
    let seqs: Vec<_> = kept.iter().map(|kept| kept.as_ref().map(|kept| (kept.seq, kept.fresh))).collect();
    assert_eq!(seqs, [Ok((1, true)), Ok((2, true)), Ok((1, true)), Ok((1, false)), Ok((3, true))]);
    let again = vec![said(1, maria(), "one", "sent again"), said(1, maria(), "three", "new")];
    let kept = store.keep_chat(epochs, again, Vec::new()).await.expect("kept");
    assert_eq!(kept[0], Ok(Kept { seq: 2, at: at(5), fresh: false }));
    assert_eq!(kept[1].as_ref().map(|kept| kept.seq), Ok(4));
    let rows = store.chat_messages(&tenant("a"), ContactId(1), 0, 100).await.expect("read");
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((rows[0].body.as_str(), &rows[0].sender), ("<b>¿Hola?</b>", &ChatSender::Customer));
    assert_eq!((rows[1].body.as_str(), &rows[1].sender), ("Good morning", &maria()));
    let rest = store.chat_messages(&tenant("a"), ContactId(1), 2, 1).await.expect("read");
    assert_eq!(rest.iter().map(|row| row.seq).collect::<Vec<_>>(), [3]);
    assert_eq!(store.chat_messages(&tenant("b"), ContactId(1), 0, 100).await.expect("read"), []);
}

async fn marks_only_grow(database: Database) {
    let store = database.open().await.expect("open");
    let epochs = owned(&store).await;
    for (delivered, seen) in [(3, 2), (2, 3), (1, 1)] {
        let marks = ChatMarks { delivered, seen };
        let mark = ChatMark { tenant: tenant("a"), contact: ContactId(1), side: ChatSide::Customer, marks };
        store.keep_chat(epochs.clone(), Vec::new(), vec![mark]).await.expect("kept");
    }
    let standing = store.chat_standing(&tenant("a"), ContactId(1)).await.expect("read");
    assert_eq!(standing, (0, ChatMarks { delivered: 3, seen: 3 }, ChatMarks::default()));
}

async fn another_owner_s_messages_are_refused(database: Database) {
    let store = database.open().await.expect("open");
    let old = owned(&store).await;
    store.acquire_lease(&tenant("a"), "n2", at(1)).await.expect("lease");
    let kept =
        store.keep_chat(old, vec![said(1, ChatSender::Customer, "one", "late")], Vec::new()).await.expect("kept");
    assert_eq!(kept, [Err(StoreError::Fenced)]);
    assert_eq!(store.chat_messages(&tenant("a"), ContactId(1), 0, 100).await.expect("read"), []);
}

async fn what_was_said_is_not_deleted(database: Database) {
    let store = database.open().await.expect("open");
    let epochs = owned(&store).await;
    store.keep_chat(epochs, vec![said(1, ChatSender::Customer, "one", "x")], Vec::new()).await.expect("kept");
    let mut raw = Raw::connect(database.url()).await;
    assert!(raw.run("DELETE FROM chat_messages").await.is_err());
}

async fn chats_are_found_by_who_wrote_when_and_for_whom(database: Database) {
    let store = database.open().await.expect("open");
    let epochs = owned(&store).await;
    let epoch = epochs[&tenant("a")];
    let changes = [1, 2, 3].map(|id| saved(&contact(id, &format!("+1916555010{id}"))));
    store.commit(turn(&tenant("a"), epoch, changes.to_vec())).await.expect("committed");
    let maria = || ChatSender::Agent(AgentId::new("maria"));
    let written = vec![
        said(1, ChatSender::Customer, "one", "Hello"),
        said(1, maria(), "one", "Good morning"),
        said(2, ChatSender::Customer, "one", "Is somebody there?"),
    ];
    store.keep_chat(epochs, written, Vec::new()).await.expect("kept");
    let known = store.contact(&tenant("a"), ContactId(1)).await.expect("read").expect("there");
    let find = async |tenant_id: &str, search: RecordSearch| {
        let page = store.search_chats(&tenant(tenant_id), &RecordSearch { limit: 9, ..search }).await.expect("found");
        page.items.iter().map(|found| (found.contact.id.0, found.messages)).collect::<Vec<_>>()
    };
    let all = RecordSearch::default;
    let mut found = find("a", all()).await;
    found.sort_unstable();
    assert_eq!(found, [(1, 2), (2, 1)], "nothing was written in the third");
    assert_eq!(find("a", RecordSearch { agent: Some(AgentId::new("maria")), ..all() }).await, [(1, 2)]);
    assert_eq!(find("a", RecordSearch { agent: Some(AgentId::new("ben")), ..all() }).await, []);
    assert_eq!(find("a", RecordSearch { number_key: Some("somebody else's".into()), ..all() }).await, []);
    let key = Some(known.customer.number_key.clone());
    assert_eq!(find("a", RecordSearch { number_key: key, ..all() }).await, [(1, 2)]);
    assert_eq!(find("a", RecordSearch { last_digits: Some("0102".into()), ..all() }).await, [(2, 1)]);
    assert_eq!(find("a", RecordSearch { text: Some("nobody".into()), ..all() }).await, []);
    assert_eq!(find("a", RecordSearch { to: Some(known.requested_at), ..all() }).await, []);
    assert_eq!(find("a", RecordSearch { from: Some(at(2)), ..all() }).await, [(2, 1)]);
    assert_eq!(find("b", all()).await, []);
    let first = store.search_chats(&tenant("a"), &RecordSearch { limit: 1, ..all() }).await.expect("found");
    let second = RecordSearch { limit: 1, cursor: first.next.clone(), ..all() };
    let second = store.search_chats(&tenant("a"), &second).await.expect("found");
    assert_ne!(first.items[0].contact.id, second.items[0].contact.id);
    assert_eq!(second.next, None);
}
