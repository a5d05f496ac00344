//! From the chat to the telephone: the same contact, the same place, dialled only through the same channel and gate.

use crate::world::*;
use ringback_routing::{agent::*, contact::*, event::*, ids::ContactId, output::*, reason::Reason};

fn world(agents: &[&str]) -> World {
    let mut config = config();
    config.chat.enabled = true;
    let agents: Vec<_> = agents.iter().map(|name| agent(name)).collect();
    let mut world = World::new(config, &agents);
    for config in &agents {
        world.ready(config.id.as_str());
    }
    world
}

fn rather_called(contact: ContactId, number: u32) -> Event {
    let customer = customer(number);
    Event::ChatCallbackChosen { contact, number: customer.number, number_key: customer.number_key }
}

fn call_now(agent: &str, contact: ContactId, number: u32) -> Event {
    let customer = customer(number);
    let (number, number_key) = (customer.number, customer.number_key);
    Event::ChatCallRequested { agent: agent.into(), contact, number, number_key }
}

#[test]
fn who_waits_in_the_chat_may_be_called_instead_at_the_old_place() {
    let mut world = world(&[]);
    let chat = world.chat(1);
    world.pass(secs(60));
    let later = world.request(2);
    world.ok(rather_called(chat, 1));
    let contact = world.core.contact(chat).unwrap().clone();
    assert_eq!(
        (contact.channel, contact.requested_at < world.core.contact(later).unwrap().requested_at),
        (Channel::Callback, true)
    );
    assert_eq!(contact.chat.as_ref().and_then(|chat| chat.ended.clone()), Some(ChatEnd::CalledBack));
    assert_eq!(world.core.status_view(world.now, chat).unwrap().position, Some(1), "before who asked later");
    assert_did!(world, Deed::CloseChat { by: ChatEnd::CalledBack, .. });
    assert_eq!(world.take(Event::ChatEnded { contact: chat, by: ChatEnd::Customer }), Err(Rejection::WrongState));
    world.pass(secs(7200));
    assert!(world.core.contact(chat).is_some(), "neither the chat's longest wait nor its closed page ends a callback");
    world.ok(Event::AgentConfigured { agent: agent("anna") });
    world.ready("anna");
    assert_did!(world, Deed::ReserveChannel { contact, .. } if *contact == chat);
    world.grant(chat);
    world.accept(chat);
    assert_did!(world, Deed::PlaceLeg { .. });
}

#[test]
fn an_offer_of_the_chat_is_withdrawn_and_a_running_chat_is_left_alone() {
    let mut world = world(&["anna"]);
    let offered = world.chat(1);
    assert_did!(world, Deed::PresentOffer { .. });
    world.ok(rather_called(offered, 1));
    assert_did!(world, Deed::RevokeOffer { .. });
    assert_did!(world, Deed::ReserveChannel { .. });
    world.grant(offered);
    world.accept(offered);
    let mut world = self::world(&["anna"]);
    let talking = world.chatting(1);
    assert_eq!(world.take(rather_called(talking, 1)), Err(Rejection::WrongState));
    assert_eq!(world.core.contact(talking).unwrap().channel, Channel::Chat, "refused events change nothing");
}

#[test]
fn a_number_that_waits_already_and_a_house_that_calls_nobody() {
    let mut world = world(&[]);
    let waiting = world.request(1);
    let chat = world.chat(1);
    assert_eq!(world.ok(rather_called(chat, 1)), Receipt::CallbackExists { contact: waiting });
    assert_eq!(world.core.contact(chat).unwrap().channel, Channel::Chat);
    let mut config = world.core.config().clone();
    config.callback.enabled = false;
    world.ok(Event::TenantConfigured { config: Box::new(config) });
    assert_eq!(world.take(rather_called(chat, 2)), Err(Rejection::NotEnabled));
}

#[test]
fn the_agent_calls_who_writes_without_being_asked_again() {
    let mut world = world(&["anna", "ben"]);
    let chat = world.chatting(1);
    let (agent, segment) = (world.segment(chat).agent, world.segment(chat).id);
    let (agent, other) = (agent.as_str().to_owned(), if agent.as_str() == "anna" { "ben" } else { "anna" });
    assert_eq!(world.take(call_now(other, chat, 1)), Err(Rejection::WrongState), "nobody else's chat");
    world.ok(call_now(&agent, chat, 1));
    assert_did!(world, Deed::LeaveChat { .. });
    assert_did!(world, Deed::ReserveChannel { .. });
    let contact = world.core.contact(chat).unwrap();
    assert_eq!(
        (contact.channel, &contact.reason),
        (Channel::Callback, &Reason::Escalated { by: agent.as_str().into() })
    );
    assert_eq!(contact.segment(segment).unwrap().state, SegmentState::Done { end: SegmentEnd::Completed });
    world.grant(chat);
    assert!(!world.did(|deed| matches!(deed, Deed::PresentOffer { .. })), "who asked is not asked");
    assert_did!(world, Deed::PlaceLeg { .. });
    assert_eq!(world.segment(chat).agent.as_str(), agent);
    assert!(matches!(world.segment(chat).state, SegmentState::Connecting { .. }));
    // The customer does not answer: the next try is offered like any other.
    world.ok(Event::LegFailed { leg: world.leg(chat), result: AttemptResult::NoAnswer, sip_status: Some(480) });
    assert!(matches!(world.core.contact(chat).unwrap().state, ContactState::Scheduled { .. }));
    assert_eq!(world.presence(&agent), Presence::Ready);
}

#[test]
fn who_cannot_talk_now_cannot_call() {
    let mut world = world(&["anna"]);
    let chat = world.chatting(1);
    world.chatting(2);
    assert_eq!(world.take(call_now("anna", chat, 1)), Err(Rejection::WrongState), "another chat is in hand");
    let mut world = self::world(&["anna"]);
    let chat = world.chatting(1);
    let health = Health { microphone: false, media: false, ..WELL };
    world.ok(Event::AgentHealth { agent: "anna".into(), session: session("anna"), health });
    assert_eq!(world.take(call_now("anna", chat, 1)), Err(Rejection::WrongState), "no microphone");
    assert!(matches!(world.segment(chat).state, SegmentState::Connected { .. }), "the chat goes on");
}

#[test]
fn no_channel_for_the_call_leaves_it_first_in_its_agents_line() {
    let mut world = world(&["anna"]);
    let chat = world.chatting(1);
    world.ok(call_now("anna", chat, 1));
    let retry_after = ringback_routing::time::Millis::from_secs(2);
    world.ok(Event::ChannelDenied { contact: chat, answers: None, reason: DenialReason::AllBusy, retry_after });
    assert!(world.is_queued(chat));
    world.deeds.clear();
    world.pass(secs(3));
    assert_did!(world, Deed::ReserveChannel { .. });
    world.grant(chat);
    assert_did!(world, Deed::PlaceLeg { .. });
}
