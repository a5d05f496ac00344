//! A number outside as the last step of a subject's ladder (G9): who is on the telephone and is taken by nobody goes there.

use crate::world::*;
use ringback_routing::{config::*, contact::*, event::*, output::*, reason::Reason, third::*};

const OUTSIDE: &str = "+19165550400";

fn overflowing(targets: Vec<Target>) -> World {
    let mut config = config();
    config.subjects[0].targets = targets;
    config.subjects[0].overflow = Some(Overflow { number: OUTSIDE.into(), timeout: secs(30) });
    World::new(config, &[agent("anna")])
}

fn placed(world: &World) -> bool {
    world.did(|deed| matches!(deed, Deed::PlaceThird { number, .. } if number == OUTSIDE))
}

#[test]
fn after_the_last_target_the_caller_is_sent_outside_with_the_context_and_talks_there() {
    let first = Target { timeout: secs(20), ..Target::skill("tax", 5) };
    let mut world = overflowing(vec![first, Target::skill("tax", 1)]);
    let contact = world.called(1);
    let customer = world.leg(contact);
    world.pass(secs(49));
    assert!(world.is_queued(contact) && world.row(contact).target == 2);
    world.pass(secs(1));
    assert_did!(world, Deed::PlaceThird { context, .. } if context.contains("subject=benefits"));
    assert_eq!(world.row(contact).reason, Reason::Overflowed);
    let leg = world.row(contact).third.as_ref().unwrap().leg.unwrap();
    assert!(!world.did(|deed| matches!(deed, Deed::StopPrompt { .. })), "music until somebody answers");
    world.ok(Event::LegAnswered { leg });
    assert_did!(world, Deed::Bridge { a, b } if *a == customer && *b == leg);
    assert_did!(world, Deed::StartRecording { party: Party::Outside, .. });
    world.ok(Event::LegEnded { leg: customer });
    assert_did!(world, Deed::ReleaseLeg { leg: of } if *of == leg);
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn outside_not_reached_the_caller_waits_on_at_the_old_place_and_is_sent_again_later() {
    let mut world = overflowing(vec![]);
    let contact = world.called(1);
    let requested = world.row(contact).requested_at;
    world.pass(secs(30));
    let leg = world.row(contact).third.as_ref().unwrap().leg.unwrap();
    world.ok(Event::LegFailed { leg, result: AttemptResult::Busy, sip_status: Some(486) });
    assert!(world.is_queued(contact) && world.row(contact).requested_at == requested);
    assert_eq!(world.row(contact).third_end, Some(ThirdEnd::Failed { result: AttemptResult::Busy }));
    world.pass(secs(29));
    assert!(!placed(&world));
    world.pass(secs(1));
    assert!(placed(&world));
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    assert_eq!(world.outcome(contact), Some(Outcome::Abandoned), "hung up before anybody answered");
}

#[test]
fn an_agent_who_comes_in_time_takes_it() {
    let mut world = overflowing(vec![]);
    let contact = world.called(1);
    world.pass(secs(20));
    world.ready("anna");
    world.accept(contact);
    world.pass(secs(60));
    assert!(!placed(&world) && world.row(contact).talking_segment().is_some());
}

#[test]
fn who_is_not_on_the_telephone_is_sent_nowhere() {
    let mut world = overflowing(vec![]);
    let contact = world.request(1);
    world.pass(secs(300));
    assert!(!placed(&world) && world.is_queued(contact));
    let contact = world.called(2);
    world.pass(secs(10));
    let mut config = world.core.config().clone();
    config.subjects[0].overflow = None;
    world.ok(Event::TenantConfigured { config: Box::new(config) });
    world.pass(secs(300));
    assert!(!placed(&world) && world.is_queued(contact), "switched off meanwhile");
}

#[test]
fn a_crash_ends_a_call_that_came_in_and_releases_both() {
    let mut world = overflowing(vec![]);
    let contact = world.called(1);
    world.pass(secs(30));
    let leg = world.row(contact).third.as_ref().unwrap().leg.unwrap();
    world.restart();
    assert_did!(world, Deed::ReleaseLeg { leg: of } if *of == leg);
    assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
}
