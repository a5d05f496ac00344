//! An agent calls a number: engaged at once, dialled on a reserved channel, tried once, and a call like any other after it.

use crate::world::*;
use ringback_routing::{agent::*, contact::*, event::*, ids::ContactId, output::*, reason::Reason};

fn world() -> World {
    let agents = [agent("anna"), agent("ben")];
    let mut world = World::new(config(), &agents);
    for config in &agents {
        world.ready(config.id.as_str());
    }
    world
}

fn call(agent: &str, number: u32) -> Event {
    let request = OutboundRequest { customer: customer(number), subject: None };
    Event::OutboundRequested { agent: agent.into(), request }
}

fn placed(world: &mut World, agent: &str, number: u32) -> ContactId {
    match world.ok(call(agent, number)) {
        Receipt::CallPlaced { contact } => contact,
        other => panic!("{other:?}"),
    }
}

fn closed(world: &World, contact: ContactId) -> (Outcome, Reason) {
    assert!(world.core.contact(contact).is_none());
    (world.outcome(contact).expect("closed"), world.row(contact).reason.clone())
}

/// As far as the announcement, and past it.
fn talking(world: &mut World, agent: &str, number: u32) -> ContactId {
    let contact = placed(world, agent, number);
    world.grant(contact);
    let leg = world.leg(contact);
    world.ok(Event::LegRinging { leg });
    world.ok(Event::LegAnswered { leg });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::Announcement, .. });
    world.ok(Event::PromptFinished { leg, heard: None });
    contact
}

#[test]
fn the_agent_is_engaged_a_channel_reserved_and_only_then_dialled() {
    let mut world = world();
    let contact = placed(&mut world, "anna", 1);
    assert_eq!(world.presence("anna"), Presence::Busy);
    assert_did!(world, Deed::AttachAgent { .. });
    assert_did!(world, Deed::ReserveChannel { contact: of, .. } if *of == contact);
    assert!(!world.did(|deed| matches!(deed, Deed::PlaceLeg { .. } | Deed::PresentOffer { .. })));
    world.grant(contact);
    let number = customer(1).number;
    assert_did!(world, Deed::PlaceLeg { number: dialled, .. } if *dialled == number);
    let record = world.core.contact(contact).unwrap();
    assert_eq!((record.channel, record.segments[0].why.clone()), (Channel::Outbound, called_by("anna")));
}

fn called_by(agent: &str) -> Reason {
    Reason::CalledOut { by: agent.into() }
}

#[test]
fn who_answers_hears_the_announcement_and_no_machine_test_then_talks_and_the_agent_wraps_up() {
    let mut world = world();
    let mut config = config();
    config.callback.press_one = true;
    world.ok(Event::TenantConfigured { config: config.into() });
    let contact = talking(&mut world, "anna", 1);
    assert!(!world.did(|deed| matches!(deed, Deed::PlayPrompt { prompt: PromptName::PressOne, .. })));
    assert_did!(world, Deed::Bridge { .. });
    world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
    assert_eq!(world.presence("anna"), Presence::WrapUp);
    let segment = world.core.contact(contact).unwrap().segments[0].id;
    let dispositions = vec!["solved".into()];
    world.ok(Event::WrapUpFinished { agent: "anna".into(), segment, dispositions, note: None });
    assert_eq!(closed(&world, contact), (Outcome::Successful, Reason::Completed));
    assert_eq!(world.presence("anna"), Presence::Ready);
}

#[test]
fn an_agent_who_is_not_ready_may_call_and_stays_so() {
    let mut world = world();
    let state = RequestedState::NotReady { reason: "lunch".into() };
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state });
    let contact = talking(&mut world, "anna", 1);
    world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
    let segment = world.core.contact(contact).unwrap().segments[0].id;
    let dispositions = vec!["solved".into()];
    world.ok(Event::WrapUpFinished { agent: "anna".into(), segment, dispositions, note: None });
    assert_eq!(world.presence("anna"), Presence::NotReady);
}

#[test]
fn busy_is_told_at_once_without_wrap_up_and_nobody_tries_again() {
    let mut world = world();
    let contact = placed(&mut world, "anna", 1);
    world.grant(contact);
    world.ok(Event::LegFailed { leg: world.leg(contact), result: AttemptResult::Busy, sip_status: Some(486) });
    let exhausted = Reason::AttemptsExhausted { result: AttemptResult::Busy };
    assert_eq!(closed(&world, contact), (Outcome::Unsuccessful, exhausted));
    assert_eq!(world.presence("anna"), Presence::Ready);
    world.pass(secs(7200));
    assert!(world.core.contact(contact).is_none());
}

#[test]
fn without_a_channel_or_past_the_gate_it_is_over() {
    for (why, reason) in [
        (DenialReason::AllBusy, Reason::NoFreeChannel),
        (DenialReason::NotNow, Reason::CallsHeldBack),
        (DenialReason::NotAllowed, Reason::NumberNotAllowed),
        (DenialReason::NumberInCall, Reason::NumberInCall),
    ] {
        let mut world = world();
        let contact = placed(&mut world, "anna", 1);
        world.ok(Event::ChannelDenied { contact, answers: None, reason: why, retry_after: secs(1) });
        assert_eq!(closed(&world, contact), (Outcome::Unsuccessful, reason));
        assert_eq!(world.presence("anna"), Presence::Ready);
    }
    let mut world = world();
    let contact = placed(&mut world, "anna", 1);
    world.pass(secs(11));
    assert_eq!(closed(&world, contact), (Outcome::Unsuccessful, Reason::NoFreeChannel), "an answer that never came");
    world.ok(Event::ChannelGranted { contact, trunk: "carrier".into(), answers: None });
    assert_did!(world, Deed::ReleaseChannel { contact: of } if *of == contact);
}

#[test]
fn who_breaks_it_off_is_free_and_the_other_side_is_let_go() {
    for granted in [false, true] {
        let mut world = world();
        let contact = placed(&mut world, "anna", 1);
        if granted {
            world.grant(contact);
        }
        world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
        assert_eq!(closed(&world, contact).0, Outcome::Cancelled);
        assert_eq!(world.did(|deed| matches!(deed, Deed::ReleaseLeg { .. })), granted);
        assert_did!(world, Deed::ReleaseChannel { .. });
        assert_eq!(world.presence("anna"), Presence::Ready, "no penalty as for an offer that was declined");
    }
}

#[test]
fn an_agent_lost_before_the_answer_ends_it_and_after_it_the_customer_is_served_by_somebody_else() {
    let mut world = world();
    let contact = placed(&mut world, "anna", 1);
    world.grant(contact);
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert_eq!(closed(&world, contact).0, Outcome::Unsuccessful);
    assert_did!(world, Deed::ReleaseLeg { .. });

    let contact = talking(&mut world, "ben", 2);
    world.ok(Event::AgentMediaLost { agent: "ben".into(), session: session("ben") });
    world.pass(secs(60));
    let record = world.core.contact(contact).expect("on the line");
    assert!(matches!(record.state, ContactState::Queued { .. } | ContactState::Active { .. }), "{record:?}");
    assert_eq!(record.attempts.len(), 1);
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    world.pass(secs(3600));
    assert!(world.core.contact(contact).is_none(), "not called again");
}

#[test]
fn what_stands_against_it() {
    let mut world = world();
    let waiting = {
        for name in ["anna", "ben"] {
            world.ok(Event::AgentStateRequested {
                agent: name.into(),
                state: RequestedState::NotReady { reason: "lunch".into() },
            });
        }
        world.request(7)
    };
    assert_eq!(world.ok(call("anna", 7)), Receipt::CallbackExists { contact: waiting });
    assert_eq!(world.take(call("nobody", 1)), Err(Rejection::NoSuchAgent));
    placed(&mut world, "anna", 1);
    assert_eq!(world.take(call("anna", 2)), Err(Rejection::AgentNotFree), "in a call");
    assert!(matches!(world.ok(call("ben", 1)), Receipt::CallbackExists { .. }), "the number is being called");
    world.ok(Event::AgentStateRequested { agent: "ben".into(), state: RequestedState::Offline });
    assert_eq!(world.take(call("ben", 2)), Err(Rejection::AgentNotFree), "offline");
    let mut config = config();
    config.outbound = false;
    world.ok(Event::TenantConfigured { config: config.into() });
    assert_eq!(world.take(call("ben", 2)), Err(Rejection::NotEnabled));
}

#[test]
fn a_crash_ends_it_and_guards_the_number() {
    let mut world = world();
    let contact = placed(&mut world, "anna", 1);
    world.grant(contact);
    world.restart();
    assert_eq!(closed(&world, contact), (Outcome::Unsuccessful, Reason::Interrupted));
    world.ready("anna");
    assert_eq!(world.take(call("anna", 1)), Err(Rejection::WrongState), "it may still ring there");
    world.pass(secs(200));
    placed(&mut world, "anna", 1);
}
