//! What a crash leaves, at each stage of a callback's life.

use crate::world::*;
use ringback_routing::{agent::*, contact::*, event::*, output::*, reason::Reason};

#[test]
fn waiting_contacts_wait_on() {
    let mut world = World::new(config(), &[agent("anna")]);
    let contact = world.request(1);
    let before = world.row(contact).clone();
    world.restart();
    assert_eq!(world.row(contact), &before);
    world.ready("anna");
    assert_did!(world, Deed::ReserveChannel { .. });
}

#[test]
fn a_standing_offer_is_revoked() {
    let mut world = World::with_anna();
    let contact = world.offered(1);
    world.restart();
    assert_did!(world, Deed::RevokeOffer { .. });
    assert_eq!(world.presences.last(), Some(&("anna".into(), Presence::Offline)), "her interval ends here");
    assert!(world.is_queued(contact));
    assert_eq!(world.segment(contact).state, SegmentState::Done { end: SegmentEnd::Revoked });
    assert_eq!(world.presence("anna"), Presence::Offline);
}

#[test]
fn a_dialled_number_is_not_dialled_again_before_the_guard_time() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    let until = world.now + secs(180);
    world.restart();
    assert_eq!(world.row(contact).attempts[0].state, AttemptState::Unknown { until });
    assert_eq!(world.due(contact), Some(until));
    world.ready("anna");
    world.pass(secs(60));
    world.restart();
    assert_eq!(world.due(contact), Some(until), "a second crash does not begin the guard anew");
    world.ready("anna");
    world.pass(secs(120));
    assert_did!(world, Deed::ReserveChannel { .. });
    assert_eq!(world.row(contact).attempts[0].state, AttemptState::Ended { result: AttemptResult::Interrupted });
    assert_eq!(world.row(contact).requested_at, MORNING);
}

#[test]
fn cancelled_meanwhile_the_number_stays_guarded() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    let until = world.now + secs(180);
    world.restart();
    world.ok(cancelled(contact));
    assert_eq!(world.row(contact).attempts[0].state, AttemptState::Ended { result: AttemptResult::Interrupted });
    let Receipt::CallbackScheduled { due, .. } = world.ok(requested(1)) else { panic!() };
    assert_eq!(due, until);
}

#[test]
fn the_guard_of_a_closed_contacts_number_outlives_a_second_crash() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    let until = world.now + secs(180);
    world.restart();
    world.ok(cancelled(contact));
    world.pass(secs(60));
    world.restart();
    let Receipt::CallbackScheduled { contact, due, .. } = world.ok(requested(1)) else { panic!() };
    assert_eq!(due, until);
    world.ok(cancelled(contact));
    world.pass(secs(121));
    world.restart();
    let Receipt::CallbackQueued { .. } = world.ok(requested(1)) else { panic!("the guard is over") };
}

#[test]
fn an_interrupted_conversation_is_called_again_at_its_old_place() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.restart();
    assert!(world.is_queued(contact));
    let row = world.row(contact);
    assert_eq!((row.requested_at, &row.reason), (MORNING, &Reason::Interrupted));
    assert_eq!(row.attempts[0].state, AttemptState::Ended { result: AttemptResult::Interrupted });
    assert_eq!(row.segments[0].state, SegmentState::Done { end: SegmentEnd::Interrupted });
    world.ready("anna");
    world.grant(contact);
    world.accept(contact);
    assert_eq!(world.row(contact).attempts[1].ordinal, 2);
}

#[test]
fn wrap_up_is_over() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    world.restart();
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
    assert!(world.had(contact, |fact| matches!(fact, Fact::WrapUpEnded { by_timeout: true, .. })));
}

#[test]
fn a_customer_on_the_line_without_agent_was_cut_off() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    world.pass(secs(15));
    world.restart();
    assert!(world.is_queued(contact));
    assert_eq!(world.row(contact).live_leg(), None);
}

#[test]
fn restarted_outside_hours_those_in_line_wait_for_the_opening() {
    let mut world = World::new(config(), &[]);
    let contact = world.request(1);
    world.now = world.now + secs(10 * 3600);
    world.restart();
    assert_eq!(world.due(contact), Some(MORNING + secs(22 * 3600)));
}

#[test]
fn settling_twice_settles_nothing_more() {
    let mut world = World::with_anna();
    world.connected(1);
    world.restart();
    let rows = world.rows.clone();
    world.facts.clear();
    world.restart();
    assert_eq!((world.rows.clone(), world.facts.len()), (rows, 0));
}

#[test]
fn a_removed_agent_leaves_after_the_call() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentRemoved { agent: "anna".into() });
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    world.pass(secs(60));
    assert!(world.core.agent_view(world.now, &"anna".into()).is_none());
    assert_eq!(world.agents[&"anna".into()].state, AgentState::Offline);
}
