//! One person is found by everything that leads to her, and taken out of it; her namesake and the neighbours stay.

use std::collections::BTreeSet;

use ringback_routing::{
    contact::{ContactState, Outcome},
    ids::ContactId,
};
use ringback_store::{testing::Database, *};

use crate::{
    on_both,
    support::{raw::Raw, *},
};

on_both! {
    a_person_is_found_and_erased_down_to_the_rows
}

fn of_number(number: &str) -> PersonKeys {
    PersonKeys { number_keys: BTreeSet::from([format!("key-of-{number}")]), ..PersonKeys::default() }
}

async fn a_person_is_found_and_erased_down_to_the_rows(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let epoch = store.acquire_lease(&a, "n1", at(0)).await.expect("lease");
    let next_door = store.acquire_lease(&b, "n1", at(0)).await.expect("lease");
    let closed = |id: u128, number: &str, customer_id: &str| {
        let mut closed = contact(id, number);
        closed.state = ContactState::Closed { outcome: Outcome::Successful };
        closed.closed_at = Some(at(50));
        std::sync::Arc::make_mut(&mut closed.customer).customer_id = Some(customer_id.into());
        closed
    };
    // By the number, by the directory's other number, by the portal's id, and by a case alone; the fifth is somebody else.
    let contacts = [
        closed(1, "+19165550101", "c_1"),
        closed(2, "+19165550102", "c_2"),
        closed(3, "+19165550103", "c%9"),
        closed(4, "+19165550104", "c_4"),
        closed(5, "+19165550105", "cx9"),
    ];
    let mut write = turn(&a, epoch, contacts.iter().map(saved).collect());
    write.journal = (1..=5).map(|seq| entry(seq, 5)).collect();
    write.journal[1].body = r#"{"number":"+19165550101"}"#.into();
    write.journal[2].body = format!(r#"{{"contact":"{}"}}"#, ContactId(4));
    store.commit(write).await.expect("committed");
    let mut neighbour = turn(&b, next_door, vec![saved(&closed(6, "+19165550101", "c%9"))]);
    neighbour.journal = vec![JournalEntry { body: r#"{"number":"+19165550101"}"#.into(), ..entry(1, 5) }];
    store.commit(neighbour).await.expect("committed");
    let number = |number: &str| KnownNumber { number: number.into(), number_key: format!("key-of-{number}") };
    let rosa = CustomerRecord {
        id: "cu_1".into(),
        name: "Rosa".into(),
        numbers: vec![number("+19165550101"), number("+19165550102")],
        external_ids: vec!["c%9".into()],
        notes: "Nobody else's business".into(),
        version: 0,
        created_at: at(1),
        changed_by: "maria".into(),
        changed_at: at(1),
    };
    store.save_customer(&a, &rosa).await.expect("saved");
    let case = CaseRecord {
        contact: ContactId(4),
        customer: Some("cu_1".into()),
        state: CaseState::Saved,
        title: "From her sister's telephone".into(),
        body: String::new(),
        version: 0,
        opened_by: "maria".into(),
        opened_at: at(5),
        changed_by: "maria".into(),
        changed_at: at(5),
    };
    store.save_case(&a, &case).await.expect("saved");

    let found = store.find_person(&a, of_number("+19165550102")).await.expect("found");
    let ids: Vec<u128> = found.contacts.iter().map(|contact| contact.id.0).collect();
    assert_eq!((ids, found.customers.len(), found.cases.len(), found.more), (vec![1, 2, 3, 4], 1, 1, false));
    let traces = store.erase_traces(&a, &found).await.expect("erased");
    assert_eq!(traces.journal, 2);
    let all = found.contacts.iter().map(|contact| contact.id).collect();
    let removed = store.erase_contacts(&a, all, "ada", at(60)).await.expect("erased");
    assert_eq!((removed.personal, removed.cases), (4, 1));
    assert_eq!(store.erase_from_directory(&a, &found).await, Ok((0, 1)));
    store.settle().await.expect("settled");

    assert!(store.find_person(&a, of_number("+19165550101")).await.expect("found").is_empty());
    let mut raw = Raw::connect(database.url()).await;
    for (table, rows) in [("customers", 0), ("customer_numbers", 0), ("customer_external_ids", 0), ("cases", 0)] {
        assert_eq!(raw.number(&format!("SELECT COUNT(*) FROM {table}")).await, rows, "{table}");
    }
    assert_eq!(raw.number("SELECT COUNT(*) FROM journal WHERE tenant = 'a'").await, 3);
    assert_eq!(raw.number("SELECT COUNT(*) FROM journal WHERE tenant = 'b'").await, 1, "next door");
    assert_eq!(
        raw.number("SELECT COUNT(*) FROM contacts WHERE doc LIKE '%Núñez%'").await,
        2,
        "the fifth, and next door"
    );
}
