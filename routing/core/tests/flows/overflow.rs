//! A number outside as the last step of a subject's ladder (G9): who is on the telephone and is taken by nobody goes there.

use crate::world::*;
use ringback_routing::{config::*, contact::*, event::*, ids::*, output::*, reason::Reason, third::*};

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

/// Somebody outside has answered and hears the code.
fn told() -> (World, ContactId, LegId) {
    let mut config = config();
    config.subjects[0].overflow = Some(Overflow { number: OUTSIDE.into(), timeout: secs(30) });
    config.tell_code = true;
    let mut world = World::new(config, &[agent("anna")]);
    let contact = world.called(1);
    world.pass(secs(30));
    let leg = world.row(contact).third.as_ref().unwrap().leg.unwrap();
    world.ok(Event::LegAnswered { leg });
    (world, contact, leg)
}

#[test]
fn who_answers_outside_hears_the_code_twice_and_then_the_caller() {
    let (mut world, contact, leg) = told();
    let customer = world.leg(contact);
    let code = short_code(contact);
    assert_eq!(code.len(), CODE_DIGITS);
    let digits = code.repeat(2).bytes().map(|digit| PromptName::Digit(digit - b'0')).collect::<Vec<_>>();
    let heard = [vec![PromptName::ShortCode], digits].concat();
    assert_did!(world, Deed::PlayWords { leg: of, words, then_tell: true, .. } if *of == leg && *words == heard);
    assert!(!world.did(|deed| matches!(deed, Deed::Bridge { .. })), "the caller hears music until it is told");
    world.ok(Event::PromptFinished { leg, heard: None });
    assert_did!(world, Deed::StopPrompt { leg } if *leg == customer);
    assert_did!(world, Deed::Bridge { a, b } if *a == customer && *b == leg);
    world.ok(Event::LegEnded { leg });
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn a_key_cuts_the_code_short_and_one_whose_end_is_never_told_ends_by_itself() {
    let (mut world, contact, leg) = told();
    let customer = world.leg(contact);
    world.ok(Event::DtmfReceived { leg, digit: '5' });
    assert_did!(world, Deed::StopPrompt { leg: of } if *of == leg);
    assert_did!(world, Deed::Bridge { a, b } if *a == customer && *b == leg);
    let (mut world, contact, leg) = told();
    world.pass(secs(29));
    assert!(!world.did(|deed| matches!(deed, Deed::Bridge { .. })));
    world.pass(secs(1));
    assert_did!(world, Deed::Bridge { b, .. } if *b == leg);
    assert!(world.row(contact).third.is_some());
}

#[test]
fn who_hangs_up_while_the_code_is_told_has_not_taken_the_call() {
    let (mut world, contact, leg) = told();
    world.ok(Event::LegEnded { leg });
    assert!(world.is_queued(contact), "the caller is in line again");
    let (mut world, contact, _) = told();
    let customer = world.leg(contact);
    world.ok(Event::LegEnded { leg: customer });
    assert_eq!(world.outcome(contact), Some(Outcome::Abandoned));
}

#[test]
fn codes_of_neighbours_differ() {
    let codes =
        |from: u128| (from..from + 1000).map(|id| short_code(ContactId(id))).collect::<std::collections::BTreeSet<_>>();
    assert!(codes(1 << 80).len() > 990 && codes(7).len() > 990);
}
