//! Chats through the same line, offers and wrap-up as calls; slots across both media; the customer who may vanish.

use crate::world::*;
use ringback_routing::{agent::*, contact::*, event::*, output::*, reason::Reason, time::Millis};

fn world(agents: &[&str]) -> World {
    let mut config = config();
    config.chat.enabled = true;
    config.queues.push(ringback_routing::config::QueueConfig { id: "claims".into(), name: "Claims".into() });
    let agents: Vec<_> = agents.iter().map(|name| agent(name)).collect();
    let mut world = World::new(config, &agents);
    for config in &agents {
        world.ready(config.id.as_str());
    }
    world
}

fn ended(contact: ringback_routing::ids::ContactId, by: ChatEnd) -> Event {
    Event::ChatEnded { contact, by }
}

fn without_microphone(world: &mut World, agent: &str) {
    let health = Health { microphone: false, media: false, ..WELL };
    world.ok(Event::AgentHealth { agent: agent.into(), session: session(agent), health });
}

#[test]
fn a_chat_is_asked_for_offered_accepted_ended_and_wrapped_up() {
    let mut world = world(&["anna"]);
    let contact = world.chat(1);
    assert_did!(world, Deed::PresentOffer { channel: Channel::Chat, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::ReserveChannel { .. })), "a chat needs no trunk");
    world.accept(contact);
    assert_did!(world, Deed::OpenChat { .. });
    assert_eq!(world.presence("anna"), Presence::Busy);
    assert!(!world.did(|deed| matches!(deed, Deed::AttachAgent { .. } | Deed::PlaceLeg { .. })));
    world.ok(ended(contact, ChatEnd::Customer));
    assert_did!(world, Deed::CloseChat { by: ChatEnd::Customer, .. });
    assert_eq!(world.presence("anna"), Presence::WrapUp);
    assert_eq!(world.take(ended(contact, ChatEnd::Customer)), Err(Rejection::WrongState));
    let segment = world.segment(contact);
    world.ok(Event::WrapUpFinished { agent: "anna".into(), segment: segment.id, dispositions: vec![], note: None });
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
    assert_eq!(world.presence("anna"), Presence::Ready);
}

#[test]
fn a_request_that_comes_again_under_its_link_is_the_same_chat() {
    let mut world = world(&[]);
    let first = world.chat(1);
    let other = world.chat(2);
    assert_ne!(first, other);
    let again = world.ok(chat_requested(2));
    assert!(matches!(again, Receipt::ChatQueued { contact, position: 2, .. } if contact == other), "{again:?}");
    world.ok(ended(other, ChatEnd::Customer));
    assert_ne!(world.chat(2), other, "a closed chat is another matter");
}

#[test]
fn off_by_default_and_refused_when_closed() {
    let mut off = World::with_anna();
    assert_eq!(off.take(chat_requested(1)), Err(Rejection::NotEnabled));
    let mut world = world(&["anna"]);
    world.pass(secs(8 * 3600));
    assert!(matches!(world.take(chat_requested(1)), Err(Rejection::Closed { next_open: Some(_), .. })));
}

#[test]
fn two_chats_at_once_a_third_waits_and_no_call_comes() {
    let mut world = world(&["anna"]);
    world.chatting(1);
    let second = world.chat(2);
    assert_did!(world, Deed::PresentOffer { .. });
    assert!(matches!(world.segment(second).why, Reason::FewestInHand { in_hand: 1, considered: 1 }));
    world.accept(second);
    let third = world.chat(3);
    assert!(world.is_queued(third));
    let call = world.request(4);
    assert!(world.is_queued(call) && world.deeds.is_empty(), "a call does not come into a chat");
    let segment = world.segment(second);
    world.ok(ended(second, ChatEnd::Agent { agent: "anna".into() }));
    assert!(world.is_queued(third), "wrap-up holds the slot");
    world.ok(Event::WrapUpFinished { agent: "anna".into(), segment: segment.id, dispositions: vec![], note: None });
    assert!(!world.is_queued(third));
}

#[test]
fn neither_during_a_call_nor_while_one_is_being_prepared_comes_a_chat() {
    let mut world = world(&["anna"]);
    let call = world.request(1);
    assert_did!(world, Deed::ReserveChannel { .. });
    let chat = world.chat(2);
    assert!(world.is_queued(chat), "she is kept for the call");
    world.grant(call);
    world.accept(call);
    assert!(world.is_queued(chat));
    world.ok(Event::LegFailed { leg: world.leg(call), result: AttemptResult::Busy, sip_status: Some(486) });
    assert!(!world.is_queued(chat), "free again");
}

#[test]
fn a_policy_may_let_calls_and_chats_be_together() {
    let mut world = world(&["anna"]);
    let mut config = world.core.config().clone();
    config.policy.voice_exclusive = false;
    world.ok(Event::TenantConfigured { config: Box::new(config) });
    world.chatting(1);
    let call = world.offered(2);
    let chat = world.chat(3);
    assert!(!world.is_queued(chat) && !world.is_queued(call));
}

#[test]
fn who_has_no_microphone_still_chats() {
    let mut world = world(&["anna"]);
    without_microphone(&mut world, "anna");
    assert_eq!(world.presence("anna"), Presence::Ready);
    let call = world.request(1);
    assert!(world.is_queued(call) && world.deeds.is_empty());
    let chat = world.chatting(2);
    // The sound coming and going is nothing to a chat.
    world.connect("anna");
    without_microphone(&mut world, "anna");
    world.pass(secs(60));
    assert!(matches!(world.segment(chat).state, SegmentState::Connected { .. }));
}

#[test]
fn chats_go_to_who_has_fewest_then_to_who_has_been_idle_longest() {
    let mut world = world(&["anna", "ben"]);
    world.pass(secs(1));
    let first = world.chatting(1);
    assert_eq!(world.segment(first).agent, "anna".into());
    let second = world.chatting(2);
    assert_eq!(world.segment(second).agent, "ben".into());
    let third = world.chat(3);
    assert_eq!(world.segment(third).agent, "anna".into());
}

#[test]
fn a_break_lets_present_chats_go_on_and_no_new_ones_come() {
    let mut world = world(&["anna"]);
    let chat = world.chatting(1);
    let state = RequestedState::NotReady { reason: "lunch".into() };
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state });
    assert_eq!(world.presence("anna"), Presence::Draining);
    let second = world.chat(2);
    assert!(world.is_queued(second));
    world.ok(ended(chat, ChatEnd::Customer));
    world.pass(secs(60));
    assert_eq!(world.state("anna"), not_ready("lunch"));
    assert!(world.is_queued(second));
}

#[test]
fn a_customer_who_comes_back_in_time_loses_nothing() {
    let mut world = world(&["anna"]);
    let contact = world.chatting(1);
    world.ok(Event::ChatCustomerGone { contact });
    world.pass(secs(29));
    world.ok(Event::ChatCustomerBack { contact });
    world.pass(secs(600));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
    world.ok(Event::ChatCustomerGone { contact });
    world.pass(secs(30));
    assert_eq!(world.row(contact).chat.as_ref().unwrap().ended.clone(), Some(ChatEnd::Gone));
    assert_eq!(world.presence("anna"), Presence::WrapUp);
}

#[test]
fn without_grace_closing_the_window_ends_the_chat() {
    let mut world = world(&["anna"]);
    let mut config = world.core.config().clone();
    config.chat.reconnect_grace = Millis(0);
    world.ok(Event::TenantConfigured { config: Box::new(config) });
    let waiting = world.chat(1);
    world.ok(Event::ChatCustomerGone { contact: waiting });
    assert_eq!(world.outcome(waiting), Some(Outcome::Abandoned));
    assert_did!(world, Deed::RevokeOffer { why: RevokeReason::CustomerCancelled, .. });
    assert_eq!(world.presence("anna"), Presence::Ready);
}

#[test]
fn silence_and_a_line_without_end_both_end() {
    let mut world = world(&["anna"]);
    let contact = world.chatting(1);
    world.pass(secs(1799));
    world.ok(Event::ChatActivity { contact });
    world.pass(secs(1799));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
    world.pass(secs(1));
    assert_eq!(world.row(contact).chat.as_ref().unwrap().ended.clone(), Some(ChatEnd::Idle));
    let state = RequestedState::NotReady { reason: "lunch".into() };
    world.pass(secs(60));
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state });
    let waiting = world.chat(2);
    world.pass(secs(3600));
    assert_eq!(world.outcome(waiting), Some(Outcome::Unsuccessful));
    assert!(matches!(world.row(waiting).reason, Reason::NobodyFree { .. }));
}

#[test]
fn at_closing_time_those_in_line_are_still_served() {
    let mut world = world(&["anna"]);
    let state = RequestedState::NotReady { reason: "lunch".into() };
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state });
    world.pass(secs(7 * 3600 - 60));
    let chat = world.chat(1);
    world.pass(secs(120));
    assert!(world.is_queued(chat));
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state: RequestedState::Ready });
    assert!(!world.is_queued(chat));
}

#[test]
fn a_chat_moves_to_another_queue_with_its_time_and_its_history() {
    let mut world = world(&["anna"]);
    let mut ben = agent("ben");
    ben.queues = vec!["claims".into()];
    world.ok(Event::AgentConfigured { agent: ben });
    let contact = world.chatting(1);
    let asked_at = world.row(contact).requested_at;
    world.pass(secs(30));
    let to = |queue: &str| Event::ChatTransferRequested {
        agent: "anna".into(),
        contact,
        to: TransferTarget::Queue { queue: queue.into() },
    };
    assert_eq!(world.take(to("nowhere")), Err(Rejection::NoSuchQueue));
    world.ok(to("claims"));
    assert_did!(world, Deed::LeaveChat { .. });
    assert_eq!(world.presence("anna"), Presence::WrapUp);
    let row = world.row(contact);
    assert_eq!((row.requested_at, row.queue.clone()), (asked_at, "claims".into()));
    assert!(world.is_queued(contact));
    world.ready("ben");
    world.accept(contact);
    let row = world.row(contact);
    assert_eq!(row.segments.len(), 2);
    // The first agent's wrap-up ends without ending the second's chat.
    world.pass(secs(60));
    assert_eq!(world.presence("anna"), Presence::Ready);
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
    world.ok(ended(contact, ChatEnd::Customer));
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn a_customer_who_leaves_between_two_agents_is_abandoned_once_the_first_has_wrapped_up() {
    let mut world = world(&["anna"]);
    let contact = world.chatting(1);
    let to = TransferTarget::Queue { queue: "claims".into() };
    world.ok(Event::ChatTransferRequested { agent: "anna".into(), contact, to });
    world.ok(ended(contact, ChatEnd::Customer));
    assert_eq!((world.outcome(contact), world.presence("anna")), (None, Presence::WrapUp));
    let segment = world.row(contact).segments[0].id;
    let dispositions = vec!["solved".into()];
    world.ok(Event::WrapUpFinished { agent: "anna".into(), segment, dispositions: dispositions.clone(), note: None });
    assert_eq!(world.outcome(contact), Some(Outcome::Abandoned));
    assert_eq!(world.row(contact).segments[0].dispositions, dispositions);
}

#[test]
fn only_the_agent_in_the_chat_ends_or_moves_it() {
    let mut world = world(&["anna", "ben"]);
    let contact = world.chatting(1);
    let by = ChatEnd::Agent { agent: "ben".into() };
    assert_eq!(world.take(ended(contact, by)), Err(Rejection::WrongState));
    let to = TransferTarget::Queue { queue: "claims".into() };
    assert!(world.take(Event::ChatTransferRequested { agent: "ben".into(), contact, to }).is_err());
    assert_eq!(world.take(cancelled(contact)), Err(Rejection::WrongState));
    world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
    assert_eq!(world.presence("anna"), Presence::WrapUp);
}

#[test]
fn a_chat_whose_agent_vanished_is_back_in_line_after_the_grace_time() {
    let mut world = world(&["anna", "ben"]);
    let contact = world.chatting(1);
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.pass(secs(14));
    assert_eq!(world.segment(contact).agent, "anna".into());
    world.pass(secs(1));
    assert_did!(world, Deed::LeaveChat { .. });
    assert_eq!(world.state("anna"), not_ready("media"));
    assert_eq!(world.segment(contact).agent, "ben".into());
    world.pass(secs(700));
    assert_eq!(world.state("anna"), AgentState::Offline);
}

#[test]
fn a_restart_leaves_chats_where_they_were() {
    let mut world = world(&["anna"]);
    let (talking, waiting) = (world.chatting(1), world.chatting(2));
    let third = world.chat(3);
    world.ok(ended(waiting, ChatEnd::Customer));
    world.restart();
    assert_eq!(world.outcome(waiting), Some(Outcome::Successful), "only its wrap-up was open");
    assert!(matches!(world.segment(talking).state, SegmentState::Connected { .. }));
    assert!(world.is_queued(third));
    world.connect("anna");
    world.ok(Event::ChatCustomerBack { contact: talking });
    world.ok(Event::ChatCustomerBack { contact: third });
    world.pass(secs(90));
    assert!(matches!(world.segment(talking).state, SegmentState::Connected { .. }));
    assert!(matches!(world.row(third).state, ContactState::Active { .. } | ContactState::Queued { .. }));
    world.restart();
    world.pass(secs(30));
    assert!(world.is_queued(talking), "she did not come back");
    world.pass(secs(60));
    assert_eq!(world.outcome(talking), Some(Outcome::Abandoned), "nor did the customer");
}
