//! Calls that come in: answered, greeted, in line on the telephone, bridged without being dialled.

use crate::world::*;
use ringback_routing::{agent::*, config::*, contact::*, event::*, ids::LegId, output::*, reason::*};

#[test]
fn a_caller_is_greeted_put_in_line_and_bridged_on_accept() {
    let mut world = World::with_anna();
    let contact = world.arriving(1);
    let leg = world.leg(contact);
    assert!(matches!(world.row(contact).state, ContactState::Arriving { .. }));
    assert!(!world.did(|deed| matches!(deed, Deed::PlayPrompt { .. })), "nothing is said before the answer");
    world.ok(Event::LegAnswered { leg });
    assert_did!(world, Deed::StartRecording { party: Party::Customer, .. });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::Greeting, then_tell: true, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::PresentOffer { .. })), "no offer during the greeting");
    world.pass(secs(8));
    world.ok(Event::PromptFinished { leg, heard: Some("greeting es 1".into()) });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::HoldMusic, repeat: true, .. });
    assert_did!(world, Deed::PresentOffer { channel: Channel::Call, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::ReserveChannel { .. })), "the caller brought the channel along");
    world.accept(contact);
    assert_did!(world, Deed::StopPrompt { .. });
    assert_did!(world, Deed::Bridge { .. });
    assert!(!world.did(|deed| matches!(deed, Deed::PlaceLeg { .. })));
    let row = world.row(contact);
    assert_eq!((row.channel, row.attempts.len()), (Channel::Call, 1));
    assert!(row.attempts[0].is_inbound() && row.attempts[0].announcement.is_some());
    world.ok(Event::LegEnded { leg });
    assert_did!(world, Deed::ReleaseChannel { .. });
    assert_eq!(world.presence("anna"), Presence::WrapUp);
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn who_called_first_is_served_first_although_greetings_end_in_another_order() {
    let mut world = World::new(config(), &[agent("anna")]);
    let first = world.arriving(1);
    world.pass(secs(1));
    let second = world.called(2);
    world.pass(secs(5));
    world.ok(Event::LegAnswered { leg: world.leg(first) });
    world.ok(Event::PromptFinished { leg: world.leg(first), heard: None });
    world.ready("anna");
    assert!(world.row(first).open_segment().is_some() && world.is_queued(second));
}

#[test]
fn a_caller_who_hangs_up_waiting_has_abandoned_and_a_hasty_one_counts_apart() {
    for (waits, reason) in [(30, Reason::CustomerHungUp), (3, Reason::CustomerHungUpSoon { after: secs(3) })] {
        let mut world = World::new(config(), &[]);
        let contact = world.called(1);
        world.pass(secs(waits));
        world.ok(Event::LegEnded { leg: world.leg(contact) });
        assert_eq!(world.outcome(contact), Some(Outcome::Abandoned));
        assert_eq!(world.row(contact).reason, reason);
        assert_did!(world, Deed::StopRecording { .. });
        assert_did!(world, Deed::ReleaseChannel { .. });
    }
}

#[test]
fn hung_up_at_any_stage_the_caller_is_not_called_back() {
    let stages: [fn(&mut World) -> ringback_routing::ids::ContactId; 3] = [
        |world| world.arriving(1),
        |world| {
            let contact = world.arriving(1);
            world.ok(Event::LegAnswered { leg: world.leg(contact) });
            contact
        },
        |world| world.called(1),
    ];
    for stage in stages {
        let mut world = World::with_anna();
        let contact = stage(&mut world);
        world.pass(secs(10));
        world.ok(Event::LegEnded { leg: world.leg(contact) });
        assert_eq!(world.outcome(contact), Some(Outcome::Abandoned));
        assert_eq!(world.presence("anna"), Presence::Ready);
    }
}

#[test]
fn a_missed_offer_leaves_the_caller_in_line_at_the_old_place() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    let contact = world.called(1);
    let later = world.called(2);
    world.pass(secs(20));
    assert!(world.is_queued(contact));
    assert_eq!(world.row(contact).requested_at, MORNING);
    world.ready("ben");
    assert!(world.row(contact).open_segment().is_some() && world.is_queued(later), "the first caller is still first");
}

#[test]
fn a_caller_whose_agent_is_lost_is_told_to_stay_and_comes_back_into_line() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    let contact = world.called(1);
    world.accept(contact);
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::StayOnLine, .. });
    world.pass(secs(15));
    assert!(world.is_queued(contact) && world.row(contact).is_on_line());
    world.ready("ben");
    world.accept(contact);
    assert_did!(world, Deed::Bridge { .. });
}

#[test]
fn outside_hours_the_caller_is_told_and_the_call_ends() {
    for closure in [false, true] {
        let mut world = World::with_anna();
        if closure {
            let closure = Closure { since: world.now, until: None, message: "Fire".into() };
            world.ok(Event::ClosureDeclared { closure });
        } else {
            world.pass(secs(10 * 3600));
        }
        let contact = world.arriving(1);
        let leg = world.leg(contact);
        world.ok(Event::LegAnswered { leg });
        let words = if closure { PromptName::Closure } else { PromptName::Closed };
        assert!(world.did(|deed| matches!(deed, Deed::PlayPrompt { prompt, .. } if *prompt == words)));
        world.ok(Event::PromptFinished { leg, heard: None });
        assert_did!(world, Deed::ReleaseLeg { .. });
        assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
        assert!(matches!(world.row(contact).reason, Reason::Closed { .. }));
    }
}

#[test]
fn callers_in_line_at_closing_time_are_still_served() {
    let mut world = World::new(config(), &[agent("anna")]);
    world.pass(secs(7 * 3600 - 60));
    let contact = world.called(1);
    world.pass(secs(600));
    assert!(world.is_queued(contact));
    world.ready("anna");
    world.accept(contact);
    assert_did!(world, Deed::Bridge { .. });
}

#[test]
fn in_an_emergency_who_waits_on_the_telephone_hears_so_and_is_not_left_with_the_music() {
    for (then, told) in [(Waiting::Keep, false), (Waiting::Reschedule, true), (Waiting::Tell, true)] {
        let mut config = config();
        config.hours.at_closing.closure = then;
        let mut world = World::new(config, &[agent("anna")]);
        let contact = world.called(1);
        let leg = world.leg(contact);
        let closure = Closure { since: world.now, until: None, message: "Fire".into() };
        let preview = world.core.closure_preview(&closure);
        assert_eq!((preview.callers, preview.under_way), if told { (1, 0) } else { (0, 1) });
        world.ok(Event::ClosureDeclared { closure });
        let said = world.did(|deed| matches!(deed, Deed::PlayPrompt { prompt: PromptName::Closure, .. }));
        assert_eq!((said, world.is_queued(contact)), (told, !told), "{then:?}");
        if !told {
            continue;
        }
        world.ready("anna");
        assert!(!world.did(|deed| matches!(deed, Deed::PresentOffer { .. })), "nobody is offered who is being told");
        // A key does not bring anybody back into line.
        world.ok(Event::DtmfReceived { leg, digit: '1' });
        world.ok(Event::PromptFinished { leg, heard: Some("closure en 1".into()) });
        assert_did!(world, Deed::ReleaseLeg { .. });
        assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
        assert!(matches!(world.row(contact).reason, Reason::Closed { .. }));
        let heard = world.row(contact).attempts[0].announcement.clone();
        assert!(
            heard.is_some_and(|(prompt, _)| !prompt.starts_with("closure")),
            "the first announcement stays recorded"
        );
    }
}

#[test]
fn in_an_emergency_who_was_called_and_lost_the_agent_is_told_too() {
    use Waiting::{Keep, Reschedule, Tell};
    // Declared while the customer waits on the line again, or while the agent is being waited for.
    for (then, lost_before) in [(Keep, true), (Reschedule, true), (Tell, true), (Reschedule, false), (Tell, false)] {
        let mut config = config();
        config.hours.at_closing.closure = then;
        let mut world = World::new(config, &[agent("anna"), agent("ben")]);
        world.ready("anna");
        let contact = world.connected(1);
        let leg = world.leg(contact);
        world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
        world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
        world.pass(secs(if lost_before { 15 } else { 1 }));
        let closure = Closure { since: world.now, until: Some(world.now + secs(3600)), message: "Fire".into() };
        let (until, preview) = (closure.until, world.core.closure_preview(&closure));
        let told = then != Keep && lost_before;
        assert_eq!((preview.callers, preview.under_way), if told { (1, 0) } else { (0, 1) });
        world.ok(Event::ClosureDeclared { closure });
        let said = |world: &World| {
            world
                .did(|deed| matches!(deed, Deed::PlayPrompt { leg: to, prompt: PromptName::Closure, .. } if *to == leg))
        };
        if then == Keep {
            assert!(!said(&world) && world.is_queued(contact));
            continue;
        }
        if !lost_before {
            assert!(!said(&world), "the agent may still come back");
            world.pass(secs(15));
        }
        assert!(said(&world), "{then:?} {lost_before}");
        world.ready("ben");
        assert!(!world.did(|deed| matches!(deed, Deed::PresentOffer { .. })), "nobody is offered who is being told");
        world.ok(Event::PromptFinished { leg, heard: Some("closure en 1".into()) });
        assert_did!(world, Deed::ReleaseLeg { .. });
        assert_did!(world, Deed::ReleaseChannel { .. });
        let row = world.row(contact);
        assert!(matches!(row.reason, Reason::Closed { .. }));
        assert_eq!(row.attempts[0].state, AttemptState::Ended { result: AttemptResult::Connected });
        match then {
            Tell => assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful)),
            _ => {
                assert_eq!(world.due(contact), until, "at the old place from the next opening on");
                world.pass(secs(3600));
                assert_did!(world, Deed::ReserveChannel { .. });
            }
        }
    }
}

#[test]
fn who_comes_out_of_the_greeting_into_an_emergency_is_not_put_in_line() {
    let mut config = config();
    config.hours.at_closing.closure = Waiting::Reschedule;
    let mut world = World::new(config, &[agent("anna")]);
    let contact = world.arriving(1);
    let leg = world.leg(contact);
    world.ok(Event::LegAnswered { leg });
    world.ok(Event::ClosureDeclared { closure: Closure { since: world.now, until: None, message: "Fire".into() } });
    world.ok(Event::PromptFinished { leg, heard: None });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::Closure, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::PlayPrompt { prompt: PromptName::HoldMusic, .. })));
    world.ok(Event::PromptFinished { leg, heard: None });
    assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
}

#[test]
fn a_number_nobody_has_and_a_full_house_are_refused_unanswered() {
    let mut world = World::with_anna();
    world.ok(arrived(LegId(7), "+19165559999", 1));
    assert_did!(world, Deed::RefuseLeg { why: RefusalReason::NoSuchNumber, .. });
    let mut small = config();
    small.limits.max_open_contacts = 1;
    let mut world = World::new(small, &[agent("anna")]);
    world.called(1);
    world.ok(arrived(LegId(7), OUR_NUMBER, 2));
    assert_did!(world, Deed::RefuseLeg { why: RefusalReason::Full, .. });
    assert_eq!(world.rows.len(), 1);
}

#[test]
fn an_answer_that_never_arrives_ends_the_contact() {
    let mut world = World::with_anna();
    let contact = world.arriving(1);
    world.pass(secs(40));
    assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
    assert_did!(world, Deed::ReleaseLeg { .. });
}

#[test]
fn after_a_crash_the_call_is_over_and_nobody_is_called() {
    let stages: [fn(&mut World) -> ringback_routing::ids::ContactId; 4] = [
        |world| world.arriving(1),
        |world| world.called(1),
        |world| {
            let contact = world.called(1);
            world.accept(contact);
            contact
        },
        |world| {
            let contact = world.called(1);
            world.accept(contact);
            world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
            contact
        },
    ];
    for (stage, reach) in stages.into_iter().enumerate() {
        let mut world = World::with_anna();
        let contact = reach(&mut world);
        world.restart();
        let (outcome, reason) = match stage {
            3 => (Outcome::Successful, Reason::Completed),
            _ => (Outcome::Unsuccessful, Reason::Interrupted),
        };
        assert_eq!(world.outcome(contact), Some(outcome), "stage {stage}");
        assert_eq!(world.row(contact).reason, reason, "stage {stage}");
        assert_eq!(world.core.open_count(), 0);
    }
}

#[test]
fn a_caller_is_spoken_to_in_the_numbers_language_or_the_tenants() {
    for own in [None, Some("es")] {
        let mut config = config();
        config.inbound.numbers[0].language = own.map(Into::into);
        let mut world = World::new(config, &[]);
        let Event::CallArrived { mut call } = arrived(LegId(7), OUR_NUMBER, 1) else { unreachable!() };
        call.customer.language = "".into();
        world.ok(Event::CallArrived { call });
        let contact = world.core.contacts().next().unwrap();
        assert_eq!(contact.customer.language.as_str(), own.unwrap_or("en"));
    }
}

#[test]
fn two_callers_without_a_number_do_not_meet() {
    let mut world = World::new(config(), &[]);
    for leg in [1, 2] {
        let Event::CallArrived { mut call } = arrived(LegId(leg), OUR_NUMBER, 1) else { unreachable!() };
        (call.customer.number, call.customer.number_key) = (String::new(), String::new());
        world.ok(Event::CallArrived { call });
    }
    assert_eq!(world.core.open_count(), 2);
    world.request(1);
    assert_eq!(world.core.open_count(), 3, "who calls may have asked for a callback too");
}
