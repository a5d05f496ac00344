//! A third party beside customer and agent: a colleague or a number outside; asked, joined, handed the call, lost.

use crate::world::{engine::Engine, *};
use ringback_routing::{agent::*, contact::*, event::*, ids::*, output::*, third::*};

const OUTSIDE: &str = "+19165550300";

/// Anna in conversation with a customer, Ben free.
fn talking() -> (World, ContactId) {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    let contact = world.connected(1);
    world.ready("ben");
    (world, contact)
}

fn ask(world: &mut World, contact: ContactId, with: Consulted) {
    world.ok(Event::ConsultationRequested { agent: "anna".into(), contact, with, note: Some("see case".into()) });
}

fn ask_ben(world: &mut World, contact: ContactId) {
    ask(world, contact, Consulted::Agent { agent: "ben".into() });
}

fn ask_outside(world: &mut World, contact: ContactId, at_once: bool) -> LegId {
    ask(world, contact, Consulted::Outside { number: OUTSIDE.into(), at_once });
    third(world, contact).leg.expect("dialled")
}

fn step(contact: ContactId, step: ConsultationStep) -> Event {
    Event::ConsultationStepped { agent: "anna".into(), contact, step }
}

fn third(world: &World, contact: ContactId) -> Third {
    *world.row(contact).third.clone().expect("a third party")
}

fn ended(world: &World, contact: ContactId) -> Option<ThirdEnd> {
    assert_eq!(world.row(contact).third, None);
    world.row(contact).third_end
}

/// Anna and the customer hear each other.
fn is_back(world: &World, contact: ContactId) -> bool {
    let talks = world.row(contact).talking_segment();
    talks.is_some_and(|segment| segment.agent.as_str() == "anna" && !segment.on_hold)
}

#[test]
fn a_colleague_is_asked_in_private_while_the_customer_hears_music_and_takes_the_call() {
    let (mut world, contact) = talking();
    let customer = world.leg(contact);
    ask_ben(&mut world, contact);
    assert_did!(world, Deed::PlayPrompt { leg, prompt: PromptName::HoldMusic, .. } if *leg == customer);
    assert_did!(world, Deed::PresentOffer { agent, .. } if agent.as_str() == "ben");
    assert_eq!(world.presence("ben"), Presence::Offered);
    assert_eq!(world.take(step(contact, ConsultationStep::Complete)), Err(Rejection::WrongState), "Ben may say no");
    world.accept(contact);
    let leg = third(&world, contact).leg.unwrap();
    assert_did!(world, Deed::StartRecording { party: Party::Agent { .. }, leg: of, .. } if *of == leg);
    assert_did!(world, Deed::Bridge { b, .. } if *b == leg);
    assert!(matches!(third(&world, contact).stage, ThirdStage::Private { .. }));
    world.ok(step(contact, ConsultationStep::Complete));
    assert_did!(world, Deed::Bridge { a, b } if *a == customer && *b == leg);
    assert_eq!(ended(&world, contact), Some(ThirdEnd::TookOver));
    assert_eq!(world.row(contact).talking_segment().unwrap().agent.as_str(), "ben");
    assert_eq!((world.presence("anna"), world.presence("ben")), (Presence::WrapUp, Presence::Busy));
    assert_eq!(world.row(contact).segments[0].handover.as_deref(), Some("see case"));
    world.ok(Event::LegEnded { leg: customer });
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn whatever_happens_to_a_colleague_the_customer_is_back() {
    type Mishap = fn(&mut World, ContactId);
    let mishaps: [(bool, ThirdEnd, Mishap); 7] = [
        (false, ThirdEnd::Declined, |world, contact| {
            world.ok(Event::OfferDeclined { agent: "ben".into(), offer: world.segment(contact).offer });
        }),
        (false, ThirdEnd::NoAnswer, |world, _| world.pass(secs(21))),
        (false, ThirdEnd::Withdrawn, |world, contact| {
            world.ok(step(contact, ConsultationStep::Back));
        }),
        (false, ThirdEnd::Lost, |world, _| {
            world.ok(Event::AgentMediaLost { agent: "ben".into(), session: session("ben") });
        }),
        (true, ThirdEnd::Lost, |world, _| {
            world.ok(Event::AgentMediaLost { agent: "ben".into(), session: session("ben") });
        }),
        (true, ThirdEnd::Left, |world, contact| {
            world.ok(Event::HangUpRequested { agent: "ben".into(), contact });
        }),
        (true, ThirdEnd::Withdrawn, |world, contact| {
            world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
        }),
    ];
    for (accepted, end, mishap) in mishaps {
        let (mut world, contact) = talking();
        ask_ben(&mut world, contact);
        if accepted {
            world.accept(contact);
        }
        mishap(&mut world, contact);
        assert_eq!(ended(&world, contact), Some(end));
        assert!(is_back(&world, contact), "{end:?}");
        assert_did!(world, Deed::Bridge { .. });
    }
}

#[test]
fn only_a_colleague_who_is_free_is_asked() {
    let (mut world, contact) = talking();
    let refused = |world: &mut World, agent: &str, why| {
        let with = Consulted::Agent { agent: agent.into() };
        let event = Event::ConsultationRequested { agent: "anna".into(), contact, with, note: None };
        assert_eq!(world.take(event), Err(why));
    };
    refused(&mut world, "anna", Rejection::WrongState);
    refused(&mut world, "nobody", Rejection::NoSuchAgent);
    world.ok(Event::AgentStateRequested {
        agent: "ben".into(),
        state: RequestedState::NotReady { reason: "lunch".into() },
    });
    refused(&mut world, "ben", Rejection::AgentNotFree);
    assert!(is_back(&world, contact));
}

#[test]
fn a_number_outside_is_dialled_with_the_context_and_without_names_and_takes_the_call() {
    let (mut world, contact) = talking();
    let customer = world.leg(contact);
    let leg = ask_outside(&mut world, contact, false);
    assert_did!(world, Deed::PlaceThird { number, context, .. } if number == OUTSIDE
        && context.contains("subject=benefits") && !context.contains("Rosa") && !context.contains("+1916"));
    world.ok(Event::LegRinging { leg });
    assert_eq!(third(&world, contact).ringing_at, Some(world.now));
    world.ok(Event::LegAnswered { leg });
    assert_did!(world, Deed::StartRecording { party: Party::Outside, .. });
    world.ok(step(contact, ConsultationStep::Complete));
    assert_did!(world, Deed::Bridge { a, b } if *a == customer && *b == leg);
    world.pass(secs(60));
    assert_eq!(world.presence("anna"), Presence::Ready);
    assert_eq!(world.outcome(contact), None, "the two still talk");
    world.ok(Event::LegEnded { leg });
    assert_did!(world, Deed::ReleaseLeg { leg } if *leg == customer);
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn a_number_that_does_not_answer_brings_the_customer_back() {
    use AttemptResult::*;
    for result in [Busy, NoAnswer, Rejected, Unreachable, NotAllowed] {
        let (mut world, contact) = talking();
        let leg = ask_outside(&mut world, contact, false);
        world.ok(Event::LegFailed { leg, result, sip_status: Some(486) });
        assert_eq!(ended(&world, contact), Some(ThirdEnd::Failed { result }));
        assert!(is_back(&world, contact));
    }
    let (mut world, contact) = talking();
    ask_outside(&mut world, contact, false);
    world.pass(secs(60));
    assert_eq!(ended(&world, contact), Some(ThirdEnd::NoAnswer), "signalling never said");
    assert!(is_back(&world, contact));
}

#[test]
fn a_number_dialled_without_waiting_has_the_customer_when_it_answers() {
    let (mut world, contact) = talking();
    let customer = world.leg(contact);
    let leg = ask_outside(&mut world, contact, true);
    assert_eq!(world.presence("anna"), Presence::WrapUp);
    assert!(!world.did(|deed| matches!(deed, Deed::StopPrompt { leg } if *leg == customer)), "music goes on");
    world.ok(Event::LegAnswered { leg });
    assert_did!(world, Deed::Bridge { a, b } if *a == customer && *b == leg);
    world.ok(Event::LegEnded { leg: customer });
    assert_did!(world, Deed::ReleaseLeg { leg: of } if *of == leg);
    assert_eq!(world.outcome(contact), None, "Anna wraps up");
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn a_carrier_that_does_not_connect_the_two_itself_changes_nothing_but_what_is_known() {
    let (mut world, contact) = talking();
    let customer = world.leg(contact);
    let leg = ask_outside(&mut world, contact, false);
    world.ok(Event::LegAnswered { leg });
    let declined = Event::CarrierDeclined { leg: customer, status: Some(405) };
    assert_eq!(world.take(declined.clone()), Err(Rejection::WrongState), "nobody has asked it yet");
    world.ok(step(contact, ConsultationStep::Complete));
    world.ok(declined);
    assert_eq!(third(&world, contact).declined, Some(CarrierDeclined { at: world.now, status: Some(405) }));
    assert!(world.facts.iter().any(|(_, fact)| matches!(fact, Fact::CarrierDeclined { status: Some(405), .. })));
    world.ok(Event::LegEnded { leg });
    assert_did!(world, Deed::ReleaseLeg { leg } if *leg == customer);
    let late = world.take(Event::CarrierDeclined { leg: customer, status: None });
    assert!(late.is_err(), "{late:?}");
}

#[test]
fn a_number_dialled_without_waiting_that_fails_puts_the_customer_back_in_line() {
    let (mut world, contact) = talking();
    let requested = world.row(contact).requested_at;
    let leg = ask_outside(&mut world, contact, true);
    world.ok(Event::LegFailed { leg, result: AttemptResult::Busy, sip_status: Some(486) });
    let row = world.row(contact);
    assert_eq!(row.requested_at, requested);
    assert_eq!(row.preferred.as_ref().map(AgentId::as_str), Some("anna"), "who knows the matter is asked first");
    assert!(row.live_leg().is_some());
    let (mut world, contact) = talking();
    ask_outside(&mut world, contact, true);
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Abandoned), "hung up before anybody answered");
}

#[test]
fn in_a_conference_whoever_of_the_three_leaves_the_others_go_on() {
    for outside in [false, true] {
        for leaves in ["anna", "third", "lost"] {
            let (mut world, contact) = talking();
            let customer = world.leg(contact);
            if outside {
                let leg = ask_outside(&mut world, contact, false);
                world.ok(Event::LegAnswered { leg });
            } else {
                ask_ben(&mut world, contact);
                world.accept(contact);
            }
            let leg = third(&world, contact).leg.unwrap();
            world.ok(step(contact, ConsultationStep::Join));
            assert_did!(world, Deed::Confer { legs, .. } if legs.len() == 3 && legs.contains(&customer));
            assert_did!(world, Deed::StopPrompt { leg } if *leg == customer);
            match leaves {
                "anna" => drop(world.ok(Event::HangUpRequested { agent: "anna".into(), contact })),
                "lost" => drop(world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") })),
                _ if outside => drop(world.ok(Event::LegEnded { leg })),
                _ => drop(world.ok(Event::HangUpRequested { agent: "ben".into(), contact })),
            }
            assert_did!(world, Deed::Disperse { .. });
            match leaves {
                "third" => assert!(is_back(&world, contact)),
                _ => assert_did!(world, Deed::Bridge { a, b } if *a == customer && *b == leg),
            }
            world.ok(Event::LegEnded { leg: customer });
            world.pass(secs(60));
            assert_eq!(world.outcome(contact), Some(Outcome::Successful), "{leaves} {outside}");
        }
    }
}

#[test]
fn a_customer_who_hangs_up_ends_it_for_all() {
    for joined in [false, true] {
        let (mut world, contact) = talking();
        ask_ben(&mut world, contact);
        world.accept(contact);
        if joined {
            world.ok(step(contact, ConsultationStep::Join));
        }
        world.ok(Event::LegEnded { leg: world.leg(contact) });
        assert_eq!(ended(&world, contact), Some(ThirdEnd::CustomerLeft));
        assert_eq!((world.presence("anna"), world.presence("ben")), (Presence::WrapUp, Presence::Ready));
    }
}

#[test]
fn an_agent_lost_in_a_consultation_is_waited_for_as_ever() {
    let (mut world, contact) = talking();
    ask_ben(&mut world, contact);
    world.accept(contact);
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert_eq!(ended(&world, contact), Some(ThirdEnd::Lost));
    assert!(matches!(world.row(contact).open_segment().unwrap().state, SegmentState::AgentLost { .. }));
    assert_eq!(world.presence("ben"), Presence::Ready);
}

#[test]
fn hold_waits_until_the_consultation_is_over() {
    let (mut world, contact) = talking();
    ask_ben(&mut world, contact);
    for hold in [true, false] {
        let event = Event::HoldRequested { agent: "anna".into(), contact, hold };
        assert_eq!(world.take(event), Err(Rejection::WrongState));
    }
    let again = Event::ConsultationRequested {
        agent: "anna".into(),
        contact,
        with: Consulted::Outside { number: OUTSIDE.into(), at_once: false },
        note: None,
    };
    assert_eq!(world.take(again), Err(Rejection::WrongState), "one third party at a time");
    assert_eq!(world.take(step(contact, ConsultationStep::Join)), Err(Rejection::WrongState));
}

#[test]
fn a_crash_at_any_stage_calls_the_customer_back_and_releases_the_third_leg() {
    for stage in 0..4 {
        let (mut world, contact) = talking();
        let leg = ask_outside(&mut world, contact, stage == 3);
        if stage > 0 {
            world.ok(Event::LegAnswered { leg });
        }
        if stage == 2 {
            world.ok(step(contact, ConsultationStep::Join));
        }
        world.restart();
        assert_did!(world, Deed::ReleaseLeg { leg: of } if *of == leg);
        assert_eq!(ended(&world, contact), Some(ThirdEnd::Interrupted));
        assert!(world.is_queued(contact), "stage {stage}: {:?}", world.row(contact).state);
    }
}

#[test]
fn the_model_sees_who_hears_whom() {
    let (mut world, contact) = talking();
    let mut engine = Engine::default();
    engine.conferences.insert(contact, Default::default());
    let wrong = std::panic::catch_unwind(|| engine.check(&world));
    assert!(wrong.is_err(), "a conference nobody called is noticed");
    world.pass(secs(1));
}
