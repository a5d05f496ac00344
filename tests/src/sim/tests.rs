//! That the simulator repeats itself, that it notices what is wrong, and the days that once went wrong.

use ringback_routing::{
    contact::{Contact, ContactState},
    output::Change,
};

use super::{
    run::{Options, Work, investigate, run},
    site::{Bound, Site, Unit},
};

/// Days that ended in a violation once: seed, events, what was found.
const SEEDS: &str = include_str!("seeds.txt");

fn day(seed: u64, events: u64) -> Site {
    let mut site = Site::new(Unit { seed, bound: Bound::Events(events) }, false).expect("a day begins");
    while site.events < events {
        site.step().expect("no fault");
    }
    site
}

#[test]
fn the_same_seed_gives_the_same_digest() {
    let digest = |seed, threads| {
        let options = Options { seed, work: Work::Seeds { seeds: 3, events: 1500 }, threads, limit: None };
        run(&options, |_| ()).expect("no violation").digest
    };
    assert_eq!(digest(5, 1), digest(5, 2), "on one thread or two");
    assert_ne!(digest(5, 1), digest(50, 1));
}

#[test]
fn days_that_went_wrong_once_go_well() {
    for line in SEEDS.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("seed and events");
        let unit = Unit { seed: number(), bound: Bound::Events(number()) };
        let lived = Site::new(unit, false).and_then(|mut site| site.run());
        assert!(lived.is_ok(), "{line}: {}", investigate(unit).fault);
    }
}

#[test]
fn a_crash_after_every_event_changes_nothing_that_follows() {
    for seed in 0..3 {
        let mut site = day(seed, 400);
        for _ in 0..150 {
            site.step().expect("no fault");
            for index in 0..site.tenants.len() {
                site.crash(index).expect("no fault");
            }
        }
        assert!(site.twins > 0 && site.crashes >= 150);
        site.run().expect("everything comes to its end");
    }
}

#[test]
fn a_crash_in_which_nobody_is_served_is_as_if_all_had_gone() {
    let options = Options { seed: 1, work: Work::Seeds { seeds: 6, events: 4000 }, threads: 2, limit: None };
    let summary = run(&options, |_| ()).unwrap_or_else(|violation| panic!("{}: {violation:#?}", violation.fault));
    assert!(summary.quiet_crashes > 0, "no quiet moment in six days");
}

/// The ledger, given what a sound core never says.
#[test]
fn what_is_wrong_is_noticed() {
    let mut site = day(2, 600);
    let waits = |contact: &&Contact| matches!(contact.state, ContactState::Queued { .. });
    while site.tenants[0].core.contacts().find(waits).is_none() {
        site.step().expect("no fault");
    }
    let now = site.now;
    let tenant = &mut site.tenants[0];
    let contact = Box::new(tenant.core.contacts().find(waits).expect("somebody waits").clone());
    let saved = |contact| Change::ContactSaved { contact };
    let mut wrong = Vec::new();
    let mut forgotten = contact.clone();
    forgotten.requested_at = now;
    wrong.push(forgotten);
    let mut unowned = contact.clone();
    unowned.state = ContactState::Active { since: now };
    wrong.push(unowned);
    let mut again = contact.clone();
    again.id = ringback_routing::ids::ContactId(1);
    wrong.push(again);
    for contact in wrong {
        let change = saved(contact);
        let noticed = tenant.ledger.change(now, &tenant.config, change.clone(), None);
        assert!(noticed.is_err(), "{change:?}");
    }
    tenant.ledger.rows.remove(&contact.id);
    assert!(tenant.ledger.check_all(&tenant.core).is_err(), "a lost row");
    assert!(tenant.ledger.check(now, &tenant.core, &tenant.config, true, true).is_err(), "a contact is not conserved");
}
