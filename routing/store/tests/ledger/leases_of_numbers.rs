//! Numbers and codes lent to visitors: one visitor each, for a time, found once.

use ringback_routing::{contact::Customer, event::Visit};
use ringback_store::{testing::Database, *};

use crate::{on_both, support::*};

on_both! {
    a_number_is_lent_to_one_at_a_time
    a_lease_is_taken_once_and_in_time
}

fn lease(number: &str, code: &str) -> NumberLease {
    NumberLease { number: number.into(), code: code.into() }
}

fn visit(name: &str) -> Visit {
    let known = contact(1, "").customer;
    Visit { customer: Customer { name: name.into(), ..Customer::clone(&known) }, subject: None }
}

async fn a_number_is_lent_to_one_at_a_time(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let wanted = || vec![lease("+1", ""), lease("+2", ""), lease("+3", "1234")];
    for expected in [lease("+1", ""), lease("+2", ""), lease("+3", "1234")] {
        let lent = store.lend_number(&a, wanted(), &visit("Rosa"), at(0), at(100)).await;
        assert_eq!(lent, Ok(Some(expected)));
    }
    assert_eq!(store.lend_number(&a, wanted(), &visit("Ana"), at(50), at(150)).await, Ok(None), "all are lent");
    assert_eq!(store.lend_number(&b, wanted(), &visit("Ana"), at(50), at(150)).await, Ok(Some(lease("+1", ""))));
    let again = store.lend_number(&a, wanted(), &visit("Ana"), at(100), at(200)).await;
    assert_eq!(again, Ok(Some(lease("+1", ""))), "it has run out");
    assert_eq!(store.take_lease(&a, lease("+1", ""), at(150)).await, Ok(Some(visit("Ana"))));
}

async fn a_lease_is_taken_once_and_in_time(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let code = || lease("+3", "1234");
    store.lend_number(&a, vec![code()], &visit("Rosa"), at(0), at(100)).await.expect("lent");
    assert_eq!(store.take_lease(&a, lease("+3", "1235"), at(1)).await, Ok(None));
    assert_eq!(store.take_lease(&b, code(), at(1)).await, Ok(None), "another tenant's");
    assert_eq!(store.take_lease(&a, code(), at(100)).await, Ok(None), "too late");
    assert_eq!(store.take_lease(&a, code(), at(99)).await, Ok(Some(visit("Rosa"))));
    assert_eq!(store.take_lease(&a, code(), at(99)).await, Ok(None), "once");
    store.lend_number(&a, vec![code()], &visit("Rosa"), at(0), at(100)).await.expect("lent");
    store.purge_leases(at(100)).await.expect("purged");
    assert_eq!(store.take_lease(&a, code(), at(1)).await, Ok(None));
}
