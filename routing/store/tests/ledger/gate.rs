//! What the gate asks: rings of a number over all tenants, a tenant's use of its day, numbers never called.

use ringback_routing::{contact::*, ids::*};
use ringback_store::{testing::Database, *};

use crate::{on_both, support::*};

on_both! {
    rings_are_counted_over_all_tenants_but_not_those_that_disturbed_nobody
    a_tenants_calls_and_minutes_are_its_own
    numbers_brought_in_use_up_the_same_day
    a_code_leads_to_who_went_outside_under_it
    a_number_is_forbidden_to_one_or_to_all
}

fn ended(contact: u128, ordinal: u32, result: AttemptResult, rang: bool) -> Attempt {
    Attempt {
        ringing_at: rang.then(|| at(11)),
        ended_at: Some(at(20)),
        ..attempt(contact, ordinal, AttemptState::Ended { result })
    }
}

fn of(id: u128, proof: Proof, attempts: Vec<Attempt>) -> Contact {
    let mut contact = contact(id, "+19165550100");
    let customer = std::sync::Arc::make_mut(&mut contact.customer);
    customer.verified = proof > Proof::Nobody;
    customer.number_proven = proof == Proof::Number;
    contact.attempts = attempts;
    contact
}

async fn keep(store: &Store, tenant: &TenantId, contacts: &[Contact]) {
    let epoch = store.acquire_lease(tenant, "n1", at(0)).await.expect("lease");
    store.commit(turn(tenant, epoch, contacts.iter().map(saved).collect())).await.expect("commit");
}

async fn rings_are_counted_over_all_tenants_but_not_those_that_disturbed_nobody(database: Database) {
    use AttemptResult::*;
    let store = database.open().await.expect("open");
    let unproven = of(
        1,
        Proof::Nobody,
        vec![
            ended(1, 1, NoAnswer, true),
            ended(1, 2, NoAnswer, false),
            ended(1, 3, Busy, false),
            ended(1, 4, Failed, false),
            ended(1, 5, Unreachable, false),
            ended(1, 6, NotAllowed, false),
            ended(1, 7, Failed, true),
        ],
    );
    keep(&store, &tenant("a"), &[unproven, of(3, Proof::Number, vec![ended(3, 1, Connected, true)])]).await;
    let vouched = of(2, Proof::Person, vec![ended(2, 1, NotConfirmed, true), attempt(2, 2, AttemptState::Dialling)]);
    keep(&store, &tenant("b"), &[vouched]).await;
    let key = "key-of-+19165550100";
    let rings = store.rings(key, at(0), None).await;
    assert_eq!(rings, Ok(Rings { by_nobody: 3, by_persons: 2 }));
    let own = store.rings(key, at(0), Some(LegId(2002))).await;
    assert_eq!(own, Ok(Rings { by_nobody: 3, by_persons: 1 }), "a call does not count against itself");
    assert_eq!(store.rings(key, at(10), None).await, Ok(Rings::default()), "all of them are older");
    assert_eq!(store.rings("another", at(0), None).await, Ok(Rings::default()));
}

async fn a_tenants_calls_and_minutes_are_its_own(database: Database) {
    let store = database.open().await.expect("open");
    let answered = |ordinal, from, to: Option<i64>| Attempt {
        answered_at: Some(at(from)),
        ended_at: to.map(at),
        ..match to {
            Some(_) => ended(1, ordinal, AttemptResult::Connected, true),
            None => attempt(1, ordinal, AttemptState::Live),
        }
    };
    let calls = vec![
        answered(1, 100, Some(60_100)),
        answered(2, 100, Some(60_101)),
        ended(1, 3, AttemptResult::Busy, false),
        ended(1, 4, AttemptResult::NotAllowed, false),
        answered(5, 200_000, None),
    ];
    keep(&store, &tenant("a"), &[of(1, Proof::Nobody, calls)]).await;
    let used = store.usage(&tenant("a"), at(0), at(200_001)).await;
    assert_eq!(used, Ok(Usage { calls: 4, minutes: 1 + 2 + 1 }), "begun minutes count; what was refused does not");
    assert_eq!(store.usage(&tenant("a"), at(11), at(0)).await, Ok(Usage::default()));
    assert_eq!(store.usage(&tenant("b"), at(0), at(0)).await, Ok(Usage::default()));
}

async fn a_number_is_forbidden_to_one_or_to_all(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    assert_eq!(store.forbid_number(Some(&a), "+19165550100", "k1", "ann", at(1)).await, Ok(true));
    assert_eq!(store.forbid_number(Some(&a), "+19165550100", "k1", "bob", at(2)).await, Ok(false));
    assert_eq!(store.is_forbidden(&a, "k1").await, Ok(true));
    assert_eq!(store.is_forbidden(&b, "k1").await, Ok(false));
    assert_eq!(store.forbid_number(None, "+19165550101", "k2", "root", at(3)).await, Ok(true));
    assert_eq!(store.is_forbidden(&b, "k2").await, Ok(true));
    let list = store.forbidden_numbers(Some(&a), 10).await.expect("list");
    assert_eq!(list.len(), 1, "the list of all is not the tenant's");
    assert_eq!((list[0].number_last4.as_str(), list[0].who.as_str(), list[0].at), ("0100", "ann", at(1)));
    assert_eq!(store.allow_number(Some(&b), "k1").await, Ok(false));
    assert_eq!(store.allow_number(Some(&a), "k2").await, Ok(false), "a tenant cannot undo what holds for all");
    assert_eq!(store.allow_number(Some(&a), "k1").await, Ok(true));
    assert_eq!(store.is_forbidden(&a, "k1").await, Ok(false));
}

async fn numbers_brought_in_use_up_the_same_day(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    let used = async |tenant: &TenantId, now: i64| {
        let usage = store.usage(tenant, at(0), at(now)).await.expect("usage");
        (usage.calls, usage.minutes)
    };
    for leg in 1..=2 {
        store.outside_dialled(&a, LegId(leg), ContactId(leg), "123456", at(1000)).await.expect("dialled");
    }
    store.outside_dialled(&a, LegId(1), ContactId(1), "654321", at(1000)).await.expect("said again");
    assert_eq!(used(&a, 500_000).await, (2, 0), "nobody has answered");
    store.outside_answered(&a, LegId(1), at(2000)).await.expect("answered");
    assert_eq!(used(&a, 2000 + 60_001).await, (2, 2), "begun minutes, while it stands");
    store.outside_ended(&a, LegId(1), at(2000 + 30_000)).await.expect("ended");
    assert_eq!(used(&a, 900_000).await, (2, 1));
    store.outside_answered(&a, LegId(2), at(3000)).await.expect("answered");
    store.outside_all_ended(&a, at(3000 + 60_000)).await.expect("a restart");
    assert_eq!(used(&a, 900_000).await, (2, 2), "a restart ended the other");
    assert_eq!(used(&b, 900_000).await, (0, 0), "no other tenant's day");
    assert_eq!(store.usage(&a, at(1001), at(900_000)).await, Ok(Usage::default()), "nor another day");
}

async fn a_code_leads_to_who_went_outside_under_it(database: Database) {
    let store = database.open().await.expect("open");
    let (a, b) = (tenant("a"), tenant("b"));
    for (leg, contact, code, when) in
        [(1, 7, "000111", 1000), (2, 8, "000111", 3000), (3, 7, "000111", 2000), (4, 9, "5", 4000)]
    {
        store.outside_dialled(&a, LegId(leg), ContactId(contact), code, at(when)).await.expect("dialled");
    }
    let found = async |tenant: &TenantId, since, limit| {
        store.contacts_by_code(tenant, "000111", at(since), limit).await.expect("found")
    };
    assert_eq!(found(&a, 0, 5).await, [ContactId(8), ContactId(7)], "the latest first, each once");
    assert_eq!(found(&a, 2001, 5).await, [ContactId(8)], "not what is too old");
    assert_eq!(found(&a, 0, 1).await, [ContactId(8)]);
    assert_eq!(found(&b, 0, 5).await, [], "nobody else's");
}
