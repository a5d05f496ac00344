//! What the customer may do, and when: ask, ask again, change the number, cancel at every moment.

use crate::world::*;
use ringback_routing::{agent::*, config::*, contact::*, event::*, ids::*, output::*, reason::*, wait::*};

#[test]
fn switched_off_full_or_unknown_is_refused() {
    let mut off = config();
    off.callback.enabled = false;
    assert_eq!(World::new(off, &[]).take(requested(1)), Err(Rejection::NotEnabled));
    let mut small = config();
    small.limits.max_open_contacts = 1;
    let mut world = World::new(small, &[]);
    world.request(1);
    assert_eq!(world.take(requested(2)), Err(Rejection::Full));
    let Event::CallbackRequested { mut request } = requested(3) else { unreachable!() };
    request.subject = Some("weather".into());
    assert_eq!(world.take(Event::CallbackRequested { request }), Err(Rejection::NoSuchSubject));
}

#[test]
fn the_same_number_again_is_the_same_request() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    assert_eq!(world.ok(requested(1)), Receipt::CallbackExists { contact });
    // Once they have spoken, it is a new matter.
    let leg = world.leg(contact);
    world.ok(Event::LegEnded { leg });
    assert!(matches!(world.ok(requested(1)), Receipt::CallbackQueued { .. }));
}

#[test]
fn closed_is_an_answer_and_can_be_waited_for() {
    let mut world = World::new(config(), &[]);
    world.pass(secs(8 * 3600));
    let next_open = Some(MORNING + secs(22 * 3600));
    let closed = ClosedReason::Hours;
    assert_eq!(world.take(requested(1)), Err(Rejection::Closed { closed: closed.clone(), next_open }));
    let Event::CallbackRequested { mut request } = requested(1) else { unreachable!() };
    request.when_open = true;
    let Receipt::CallbackScheduled { contact, due } = world.ok(Event::CallbackRequested { request }) else { panic!() };
    assert_eq!(Some(due), next_open);
    assert_eq!(world.row(contact).reason, Reason::Closed { closed: Box::new(closed), next_open });
    world.pass(secs(15 * 3600));
    assert!(world.is_queued(contact));
}

#[test]
fn position_is_told_and_the_wait_is_unknown_without_data() {
    let mut world = World::new(config(), &[]);
    for number in 1..4 {
        let answer = world.ok(requested(number));
        assert!(matches!(answer, Receipt::CallbackQueued { position, ewt: None, .. } if position == number));
    }
}

#[test]
fn the_wait_is_estimated_from_what_was_seen() {
    let mut world = World::with_anna();
    for number in 0..3 {
        let contact = world.connected(number);
        world.pass(secs(90));
        world.ok(Event::LegEnded { leg: world.leg(contact) });
        world.pass(secs(60));
    }
    let talking = world.connected(10);
    let Receipt::CallbackQueued { contact, ewt: Some(ewt), ewt_p90: Some(late), .. } = world.ok(requested(11)) else {
        panic!()
    };
    assert!((secs(120)..secs(150)).contains(&ewt) && late > ewt, "one agent, 150 seconds each: {ewt:?} {late:?}");
    let Some(FirstWait { position: 1, forecast: Some(foretold), .. }) = world.row(contact).first_wait else { panic!() };
    assert_eq!((foretold.range.p50(), foretold.range.p90()), (ewt, late));
    world.pass(secs(200));
    world.ok(Event::LegEnded { leg: world.leg(talking) });
    world.pass(secs(60));
    world.grant(contact);
    world.pass(secs(4));
    world.accept(contact);
    let served = Fact::Served { waited: secs(264), answer: secs(4), position: 1, forecast: Some(foretold) };
    assert!(world.had(contact, |fact| *fact == served), "foretold and actual stand side by side");
}

#[test]
fn what_is_known_of_waits_survives_a_restart() {
    let mut world = World::with_anna();
    for number in 0..3 {
        let contact = world.connected(number);
        world.pass(secs(90));
        world.ok(Event::LegEnded { leg: world.leg(contact) });
        world.pass(secs(60));
    }
    let before = world.core.availability(world.now);
    assert!(before.ewt.is_some());
    world.restart();
    assert_eq!(world.core.availability(world.now).ewt, None, "nobody is there");
    world.ready("anna");
    let after = world.core.availability(world.now);
    assert_eq!((after.ewt, after.ewt_p90), (before.ewt, before.ewt_p90));
}

/// How to get a contact into some state.
type Reach = fn(&mut World) -> ContactId;

/// Every state in which the customer may still cancel, with how to get there.
const BEFORE_THE_BRIDGE: [(&str, Reach); 6] = [
    ("in line", |world| {
        world.ok(Event::AgentStateRequested { agent: "anna".into(), state: RequestedState::Offline });
        world.request(1)
    }),
    ("channel asked for", |world| world.request(1)),
    ("offered", |world| world.offered(1)),
    ("dialling", |world| world.dialling(1)),
    ("ringing", |world| {
        let contact = world.dialling(1);
        world.ok(Event::LegRinging { leg: world.leg(contact) });
        contact
    }),
    ("announcement", |world| world.announcing(1)),
];

#[test]
fn the_customer_cancels_at_every_moment_before_the_bridge() {
    for (name, reach) in BEFORE_THE_BRIDGE {
        let mut world = World::with_anna();
        let contact = reach(&mut world);
        world.ok(cancelled(contact));
        assert_eq!(world.outcome(contact), Some(Outcome::Cancelled), "{name}");
        let dialled = world.row(contact).attempts.last().map(|attempt| (attempt.leg, attempt.state));
        if let Some((leg, state)) = dialled {
            assert_did!(world, Deed::ReleaseLeg { leg: released } if *released == leg);
            assert_did!(world, Deed::DetachAgent { .. });
            assert_eq!(state, AttemptState::Ended { result: AttemptResult::Cancelled }, "{name}");
            // What signalling still has to say of that leg finds nobody.
            let late = Event::LegFailed { leg, result: AttemptResult::Cancelled, sip_status: Some(487) };
            assert_eq!(world.take(late), Err(Rejection::NoSuchContact), "{name}");
        }
        if name != "in line" {
            assert!(matches!(world.presence("anna"), Presence::Ready), "{name}: no wrap-up, no Not Ready");
        }
        assert_eq!(world.take(cancelled(contact)), Err(Rejection::NoSuchContact));
        // The number is free again.
        assert!(matches!(world.ok(requested(1)), Receipt::CallbackQueued { .. }), "{name}");
    }
}

#[test]
fn cancelled_the_instant_before_the_accept() {
    let mut world = World::with_anna();
    let contact = world.offered(1);
    let offer = world.segment(contact).offer;
    world.ok(cancelled(contact));
    assert_did!(world, Deed::RevokeOffer { why: RevokeReason::CustomerCancelled, .. });
    assert_eq!(world.take(Event::OfferAccepted { agent: "anna".into(), offer }), Err(Rejection::OfferGone));
    assert!(!world.did(|deed| matches!(deed, Deed::PlaceLeg { .. })), "nobody is dialled");
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    let leg = world.leg(contact);
    world.ok(cancelled(contact));
    world.ok(Event::LegAnswered { leg });
    assert_did!(world, Deed::ReleaseLeg { leg: released } if *released == leg);
}

#[test]
fn once_connected_there_is_nothing_to_cancel() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    assert_eq!(world.take(cancelled(contact)), Err(Rejection::WrongState));
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    assert_eq!(world.take(cancelled(contact)), Err(Rejection::WrongState));
}

#[test]
fn a_scheduled_retry_is_cancelled_by_an_administrator() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    let leg = world.leg(contact);
    world.ok(Event::LegFailed { leg, result: AttemptResult::Busy, sip_status: Some(486) });
    world.ok(Event::CallbackCancelled { contact, by: CancelledBy::Administrator });
    assert_eq!(world.row(contact).reason, Reason::AdministratorCancelled);
    assert_eq!(world.core.next_deadline(), Some(MORNING + secs(7 * 3600)), "only closing time is left to wait for");
}

#[test]
fn the_number_changes_while_nobody_dials() {
    let mut world = World::with_anna();
    let other = world.request(2);
    let contact = world.request(1);
    let change = |contact, number| {
        let customer = customer(number);
        Event::CallbackNumberChanged { contact, number: customer.number, number_key: customer.number_key }
    };
    assert_eq!(world.take(change(contact, 2)), Err(Rejection::WrongState), "two contacts, one number");
    world.ok(change(contact, 3));
    assert_eq!(world.ok(requested(3)), Receipt::CallbackExists { contact });
    // A channel asked for under the old number is asked for anew.
    world.ok(change(other, 4));
    assert_did!(world, Deed::ReleaseChannel { .. });
    assert_did!(world, Deed::ReserveChannel { number_key, .. } if number_key == "key-4");
    world.grant(other);
    world.accept(other);
    assert_did!(world, Deed::PlaceLeg { number, .. } if number == "+19165550004");
    assert_eq!(world.take(change(other, 5)), Err(Rejection::WrongState));
}

#[test]
fn an_emergency_closure_moves_who_waits_and_its_end_brings_them_back() {
    let mut world = World::with_anna();
    let talking = world.connected(1);
    let waiting = world.request(2);
    let until = Some(MORNING + secs(3600));
    let closure = Closure { since: MORNING, until, message: "Water in the office".into() };
    world.ok(Event::ClosureDeclared { closure });
    assert_eq!(world.due(waiting), until);
    assert_did!(world, Deed::NotifyCustomer { contact } if *contact == waiting);
    assert!(matches!(world.segment(talking).state, SegmentState::Connected { .. }), "calls go on");
    world.pass(secs(60));
    world.ok(Event::ClosureLifted);
    world.pass(secs(0));
    assert!(world.is_queued(waiting));
    assert_eq!(world.row(waiting).requested_at, MORNING);
}

#[test]
fn at_closing_time_those_in_line_wait_for_the_next_opening() {
    let mut world = World::new(config(), &[]);
    let waiting: Vec<_> = (0..600).map(|number| world.request(number)).collect();
    world.pass(secs(7 * 3600));
    for contact in &waiting {
        assert_eq!(world.due(*contact), Some(MORNING + secs(22 * 3600)));
    }
    world.pass(secs(15 * 3600));
    assert!(waiting.iter().all(|contact| world.is_queued(*contact)));
    assert_eq!(world.core.status_view(world.now, waiting[0]).unwrap().position, Some(1), "the place is kept");
}
