//! A call passed on without asking: to another queue, another subject, one agent; and what may come in between.

use crate::world::*;
use ringback_routing::{agent::*, config::*, contact::*, event::*, ids::*, output::*, reason::Reason};

fn two_queues() -> World {
    let mut config = config();
    config.queues.push(QueueConfig { id: "claims".into(), name: "Claims".into() });
    config.subjects.push(SubjectConfig {
        id: "claim".into(),
        name: "Claim".into(),
        queue: "claims".into(),
        targets: vec![],
        priorities: Priorities { initial: 2, overflow: 2, rona: 1 },
        overflow: None,
    });
    let ben = AgentConfig { queues: vec!["claims".into()], ..agent("ben") };
    let mut world = World::new(config, &[agent("anna"), ben]);
    world.ready("anna");
    world
}

fn pass_on(contact: ContactId, to: TransferTarget) -> Event {
    Event::CallTransferRequested { agent: "anna".into(), contact, to, note: Some("knows the case".into()) }
}

fn to_claims(contact: ContactId) -> Event {
    pass_on(contact, TransferTarget::Queue { queue: "claims".into() })
}

#[test]
fn to_another_queue_with_music_at_the_old_place_and_on_to_its_agent_with_the_note() {
    let mut world = two_queues();
    let contact = world.connected(1);
    let (requested, leg) = (world.row(contact).requested_at, world.leg(contact));
    world.pass(secs(30));
    world.ok(to_claims(contact));
    assert_did!(world, Deed::PlayPrompt { leg: to, prompt: PromptName::HoldMusic, repeat: true, .. } if *to == leg);
    assert_did!(world, Deed::DetachAgent { .. });
    assert!(!world.did(|deed| matches!(deed, Deed::StopRecording { leg: of } if *of == leg)), "the customer's goes on");
    assert!(world.is_queued(contact) && world.row(contact).requested_at == requested);
    assert_eq!(world.presence("anna"), Presence::WrapUp);
    world.ready("ben");
    world.accept(contact);
    assert_did!(world, Deed::Bridge { a, .. } if *a == leg);
    assert_did!(world, Deed::StartRecording { party: Party::Agent { agent }, .. } if agent.as_str() == "ben");
    let row = world.row(contact);
    assert_eq!(row.segments[0].handover.as_deref(), Some("knows the case"));
    assert_eq!((row.attempts.len(), row.queue.as_str()), (1, "claims"));
    assert_eq!(world.presence("ben"), Presence::Busy);
    world.pass(secs(60));
    assert_eq!(world.presence("anna"), Presence::Ready, "wrapped up while the other talks");
    world.ok(Event::HangUpRequested { agent: "ben".into(), contact });
    assert_eq!(world.outcome(contact), None);
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn to_another_subject_with_its_queue_and_priority() {
    let mut world = two_queues();
    let contact = world.connected(1);
    world.ok(pass_on(contact, TransferTarget::Subject { subject: "claim".into() }));
    let row = world.row(contact);
    assert_eq!((row.subject.as_str(), row.queue.as_str(), row.priority), ("claim", "claims", 2));
    let unknown = pass_on(contact, TransferTarget::Subject { subject: "nothing".into() });
    assert_eq!(world.take(unknown), Err(Rejection::WrongState), "it is nobody's to pass on now");
}

#[test]
fn to_one_agent_first_and_to_anybody_when_that_one_is_away() {
    let mut world = two_queues();
    world.ready("ben");
    let contact = world.connected(1);
    world.ok(pass_on(contact, TransferTarget::Agent { agent: "ben".into() }));
    assert_eq!(world.segment(contact).agent.as_str(), "ben");
    assert_eq!(world.segment(contact).why, Reason::Preferred);
    world.ok(Event::OfferDeclined { agent: "ben".into(), offer: world.segment(contact).offer });
    assert!(world.is_queued(contact) && world.row(contact).live_leg().is_some());
    assert_eq!(world.row(contact).target, 1);
}

#[test]
fn a_call_that_is_on_hold_keeps_its_music() {
    let mut world = two_queues();
    let contact = world.connected(1);
    world.ok(Event::HoldRequested { agent: "anna".into(), contact, hold: true });
    world.ok(to_claims(contact));
    assert_did!(world, Deed::Mark { mark: MarkKind::Hold, begin: false, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::Unbridge { .. } | Deed::StopPrompt { .. })));
}

#[test]
fn a_customer_who_hangs_up_while_the_first_agent_wraps_up_is_abandoned_after_that() {
    for inbound in [false, true] {
        let mut world = two_queues();
        let contact = if inbound { world.called(1) } else { world.connected(1) };
        if inbound {
            world.accept(contact);
        }
        world.ok(to_claims(contact));
        world.ok(Event::LegEnded { leg: world.leg(contact) });
        assert_eq!((world.outcome(contact), world.presence("anna")), (None, Presence::WrapUp));
        let segment = world.segment(contact).id;
        let (dispositions, note) = (vec!["solved".into()], None);
        world.ok(Event::WrapUpFinished { agent: "anna".into(), segment, dispositions, note });
        assert_eq!(world.outcome(contact), Some(Outcome::Abandoned));
        assert_eq!(world.row(contact).reason, Reason::CustomerHungUp);
    }
}

#[test]
fn only_a_call_in_conversation_can_be_passed_on_and_only_to_somebody_else() {
    let mut world = two_queues();
    let contact = world.dialling(1);
    assert_eq!(world.take(to_claims(contact)), Err(Rejection::WrongState));
    world.ok(Event::LegAnswered { leg: world.leg(contact) });
    world.ok(Event::PromptFinished { leg: world.leg(contact), heard: None });
    let nowhere = pass_on(contact, TransferTarget::Queue { queue: "nowhere".into() });
    assert_eq!(world.take(nowhere), Err(Rejection::NoSuchQueue));
    let oneself = pass_on(contact, TransferTarget::Agent { agent: "anna".into() });
    assert_eq!(world.take(oneself), Err(Rejection::WrongState));
    let theirs = Event::CallTransferRequested {
        agent: "ben".into(),
        contact,
        to: TransferTarget::Queue { queue: "claims".into() },
        note: None,
    };
    assert_eq!(world.take(theirs), Err(Rejection::WrongState));
}

#[test]
fn a_crash_after_it_calls_the_customer_back_and_ends_a_call_that_came_in() {
    for inbound in [false, true] {
        let mut world = two_queues();
        let contact = if inbound { world.called(1) } else { world.connected(1) };
        if inbound {
            world.accept(contact);
        }
        world.ok(to_claims(contact));
        world.restart();
        match inbound {
            false => assert!(world.is_queued(contact), "called again: {:?}", world.row(contact).state),
            true => assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful)),
        }
        assert_eq!(world.state("anna"), AgentState::Offline);
    }
}

#[test]
fn a_crash_after_the_customer_hung_up_forgets_nothing_of_that() {
    let mut world = two_queues();
    let contact = world.connected(1);
    world.ok(to_claims(contact));
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    world.restart();
    assert_eq!(world.outcome(contact), Some(Outcome::Abandoned));
}
