//! One callback from the request to the end of wrap-up.

use crate::world::*;
use ringback_routing::{agent::*, contact::*, event::*, output::*, view::Stage};

#[test]
fn a_callback_becomes_a_conversation_and_ends() {
    let mut world = World::with_anna();
    let contact = world.request(1);
    assert_did!(world, Deed::ReserveChannel { contact: wanted, .. } if *wanted == contact);
    assert_eq!(world.presence("anna"), Presence::Ready);

    world.grant(contact);
    assert_did!(world, Deed::PresentOffer { .. });
    assert_eq!(world.presence("anna"), Presence::Offered);
    assert_eq!(world.core.status_view(world.now, contact).unwrap().stage, Stage::AgentFound);

    world.accept(contact);
    let (leg, agent_leg) = (world.leg(contact), world.segment(contact).leg.unwrap());
    assert_did!(world, Deed::AttachAgent { leg, .. } if *leg == agent_leg);
    assert_did!(world, Deed::PlayPrompt { leg, prompt: PromptName::Ringback, repeat: true, .. } if *leg == agent_leg);
    assert_did!(world, Deed::PlaceLeg { number, .. } if number == "+19165550001");
    assert_eq!(world.core.status_view(world.now, contact).unwrap().stage, Stage::Calling);
    assert_eq!(world.presence("anna"), Presence::Busy);

    world.ok(Event::LegRinging { leg });
    assert_eq!(world.core.status_view(world.now, contact).unwrap().stage, Stage::Ringing);
    world.ok(Event::LegAnswered { leg });
    assert_did!(world, Deed::StartRecording { party: Party::Customer, .. });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::Announcement, then_tell: true, .. });
    assert_did!(world, Deed::Mark { mark: MarkKind::Announcement, begin: true, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::Bridge { .. })), "announced before being bridged");

    world.ok(Event::PromptFinished { leg, heard: None });
    assert_did!(world, Deed::Mark { mark: MarkKind::Announcement, begin: false, .. });
    assert_did!(world, Deed::Bridge { a, b } if (*a, *b) == (leg, agent_leg));
    assert_did!(world, Deed::StartRecording { party: Party::Agent { .. }, .. });
    assert_did!(world, Deed::StopPrompt { leg } if *leg == agent_leg);

    world.ok(Event::LegEnded { leg });
    assert_did!(world, Deed::StopRecording { leg: stopped } if *stopped == leg);
    assert_did!(world, Deed::StopRecording { leg: stopped } if *stopped == agent_leg);
    assert_did!(world, Deed::DetachAgent { .. });
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert_did!(world, Deed::ReleaseChannel { .. });
    assert_eq!(world.presence("anna"), Presence::WrapUp);

    let segment = world.segment(contact).id;
    world.ok(Event::WrapUpFinished {
        agent: "anna".into(),
        segment,
        dispositions: vec!["solved".into()],
        note: Some("sent the form".into()),
    });
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
    assert_eq!(world.presence("anna"), Presence::Ready);
    assert_eq!(world.core.contacts().count(), 0, "closed contacts leave memory");
    let row = world.row(contact);
    assert_eq!(row.attempts[0].state, AttemptState::Ended { result: AttemptResult::Connected });
    assert_eq!(row.segments[0].dispositions, ["solved".into()]);
}
