//! The directory and the cases: each person once, nobody writes over somebody else, tenants apart.

use ringback_routing::ids::ContactId;
use ringback_store::{testing::Database, *};

use crate::{on_both, support::*};

on_both! {
    a_person_is_found_by_number_id_and_name
    a_number_leads_to_one_person
    nobody_writes_over_a_later_change
    a_case_is_filed_under_a_customer_of_the_tenant
}

fn person(id: &str, name: &str, numbers: &[&str], ids: &[&str]) -> CustomerRecord {
    let number = |number: &&str| KnownNumber { number: (*number).into(), number_key: format!("key of {number}") };
    CustomerRecord {
        id: id.into(),
        name: name.into(),
        numbers: numbers.iter().map(number).collect(),
        external_ids: ids.iter().map(|id| (*id).into()).collect(),
        notes: "Prefers Spanish".into(),
        version: 0,
        created_at: at(1),
        changed_by: "maria".into(),
        changed_at: at(1),
    }
}

fn names(found: &[CustomerRecord]) -> Vec<&str> {
    found.iter().map(|found| found.name.as_str()).collect()
}

async fn a_person_is_found_by_number_id_and_name(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let rosa = person("cu_1", "Rosa Núñez", &["+19165550101", "+19165550102"], &["C-1"]);
    assert_eq!(store.save_customer(&a, &rosa).await, Ok(1));
    store.save_customer(&a, &person("cu_2", "Leo 100%", &["+19165550199"], &[])).await.expect("saved");
    let kept = CustomerRecord { version: 1, ..rosa };
    assert_eq!(store.customer(&a, "cu_1").await, Ok(Some(kept.clone())));
    assert_eq!(store.customer_of(&a, None, "key of +19165550102").await, Ok(Some(kept.clone())));
    assert_eq!(store.customer_of(&a, Some("C-1"), "").await, Ok(Some(kept.clone())));
    let by_id = store.customer_of(&a, Some("C-1"), "key of +19165550199").await;
    assert_eq!(by_id, Ok(Some(kept)), "the portal's id names one person, whoever's telephone it is");
    assert_eq!(store.customer_of(&a, None, "").await, Ok(None), "who withholds the number is nobody");
    let find = async |search: CustomerSearch| store.search_customers(&a, &CustomerSearch { limit: 9, ..search }).await;
    let text = |text: &str| CustomerSearch { text: Some(text.into()), ..Default::default() };
    assert_eq!(names(&find(text("NÚÑ")).await.expect("found")), ["Rosa Núñez"]);
    assert_eq!(names(&find(text("C-1")).await.expect("found")), ["Rosa Núñez"]);
    assert_eq!(names(&find(text("0%")).await.expect("found")), ["Leo 100%"]);
    assert_eq!(names(&find(text("_")).await.expect("found")), [""; 0]);
    assert_eq!(names(&find(CustomerSearch::default()).await.expect("found")), ["Leo 100%", "Rosa Núñez"]);
    let key = CustomerSearch { number_key: Some("key of +19165550199".into()), ..Default::default() };
    assert_eq!(names(&find(key).await.expect("found")), ["Leo 100%"]);
    let ends = CustomerSearch { last_digits: Some("0102".into()), ..Default::default() };
    assert_eq!(names(&find(ends).await.expect("found")), ["Rosa Núñez"]);
    for found in [store.customer(&b, "cu_1").await, store.customer_of(&b, Some("C-1"), "key of +19165550102").await] {
        assert_eq!(found, Ok(None), "next door nobody is known");
    }
    assert_eq!(store.search_customers(&b, &CustomerSearch { limit: 9, ..Default::default() }).await, Ok(Vec::new()));
}

async fn a_number_leads_to_one_person(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    store.save_customer(&a, &person("cu_1", "Rosa", &["+19165550101"], &["C-1"])).await.expect("saved");
    let leo = |numbers: &[&str], ids: &[&str]| person("cu_2", "Leo", numbers, ids);
    assert_eq!(store.save_customer(&a, &leo(&["+19165550101"], &[])).await, Err(StoreError::Taken("number")));
    assert_eq!(store.save_customer(&a, &leo(&[], &["C-1"])).await, Err(StoreError::Taken("external id")));
    assert_eq!(store.customer(&a, "cu_2").await, Ok(None), "nothing of it was kept");
    assert_eq!(store.save_customer(&b, &leo(&["+19165550101"], &["C-1"])).await, Ok(1), "another tenant's own");
    // What one lets go another may have.
    let without = CustomerRecord { numbers: Vec::new(), version: 1, ..person("cu_1", "Rosa", &[], &["C-1"]) };
    assert_eq!(store.save_customer(&a, &without).await, Ok(2));
    assert_eq!(store.save_customer(&a, &leo(&["+19165550101"], &[])).await, Ok(1));
}

async fn nobody_writes_over_a_later_change(database: Database) {
    let store = database.open().await.expect("open");
    let a = tenant("a");
    let rosa = person("cu_1", "Rosa", &[], &[]);
    store.save_customer(&a, &rosa).await.expect("saved");
    assert_eq!(store.save_customer(&a, &rosa).await, Err(StoreError::Taken("customer")));
    let second = CustomerRecord { version: 1, notes: "Second".into(), ..rosa.clone() };
    assert_eq!(store.save_customer(&a, &second).await, Ok(2));
    let late = CustomerRecord { version: 1, notes: "Late".into(), ..rosa };
    assert_eq!(store.save_customer(&a, &late).await, Err(StoreError::Taken("customer")));
    assert_eq!(store.customer(&a, "cu_1").await.expect("read").expect("there").notes, "Second");
}

async fn a_case_is_filed_under_a_customer_of_the_tenant(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    store.save_customer(&a, &person("cu_1", "Rosa", &[], &[])).await.expect("saved");
    store.save_customer(&b, &person("cu_9", "Leo", &[], &[])).await.expect("saved");
    let case = |customer: Option<&str>, state, version| CaseRecord {
        contact: ContactId(7),
        customer: customer.map(str::to_owned),
        state,
        title: "Papers".into(),
        body: "Sent by post".into(),
        version,
        opened_by: "maria".into(),
        opened_at: at(5),
        changed_by: "maria".into(),
        changed_at: at(5),
    };
    let other = case(Some("cu_9"), CaseState::Saved, 0);
    assert_eq!(store.save_case(&a, &other).await, Err(StoreError::NotFound("customer")));
    assert_eq!(store.save_case(&a, &case(None, CaseState::Draft, 0)).await, Ok(1));
    assert_eq!(store.save_case(&a, &case(None, CaseState::Draft, 0)).await, Err(StoreError::Taken("case")));
    let drafts = store.drafts_of(&a, "maria", 9).await.expect("read");
    assert_eq!(drafts, [case(None, CaseState::Draft, 1)]);
    assert_eq!(store.drafts_of(&a, "ben", 9).await, Ok(Vec::new()));
    assert_eq!(store.drafts_of(&b, "maria", 9).await, Ok(Vec::new()));
    assert_eq!(store.save_case(&a, &case(Some("cu_1"), CaseState::Saved, 1)).await, Ok(2));
    assert_eq!(store.drafts_of(&a, "maria", 9).await, Ok(Vec::new()));
    assert_eq!(store.cases_of(&a, "cu_1", 9).await, Ok(vec![case(Some("cu_1"), CaseState::Saved, 2)]));
    assert_eq!(store.case(&b, ContactId(7)).await, Ok(None));
}
