//! From the dialled number to the last word: failures and retries, hold, lost agents, wrap-up.

use crate::world::*;
use ringback_routing::{agent::*, config::*, contact::*, event::*, output::*, reason::Reason, time::Millis};

fn fail(world: &mut World, number: u32, result: AttemptResult) -> ringback_routing::ids::ContactId {
    let contact = world.dialling(number);
    let leg = world.leg(contact);
    world.ok(Event::LegFailed { leg, result, sip_status: Some(486) });
    contact
}

#[test]
fn a_failed_attempt_is_tried_again_after_its_spacing_and_the_agent_is_free_at_once() {
    use AttemptResult::*;
    for (result, spacing) in [(Busy, 120), (NoAnswer, 600), (Rejected, 300), (Unreachable, 300), (Failed, 300)] {
        let mut world = World::with_anna();
        let contact = fail(&mut world, 1, result);
        assert_did!(world, Deed::ReleaseChannel { .. });
        assert_did!(world, Deed::DetachAgent { .. });
        assert_eq!(world.presence("anna"), Presence::Ready);
        assert_eq!(world.due(contact), Some(world.now + secs(spacing)));
        assert_eq!(world.segment(contact).state, SegmentState::Done { end: SegmentEnd::AttemptFailed });
        assert!(world.had(contact, |fact| matches!(fact, Fact::AttemptEnded { sip_status: Some(486), .. })));
        world.pass(secs(spacing));
        assert_did!(world, Deed::ReserveChannel { .. });
        assert_eq!(world.row(contact).requested_at, MORNING);
        world.grant(contact);
        world.accept(contact);
        assert_eq!(world.row(contact).attempts[1].ordinal, 2);
    }
}

#[test]
fn after_the_last_attempt_the_callback_ends_unsuccessful() {
    let mut world = World::with_anna();
    let contact = fail(&mut world, 1, AttemptResult::Busy);
    for _ in 0..2 {
        assert_eq!(world.outcome(contact), None);
        world.pass(secs(120));
        world.grant(contact);
        world.accept(contact);
        let leg = world.leg(contact);
        world.ok(Event::LegFailed { leg, result: AttemptResult::Busy, sip_status: Some(486) });
    }
    assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
    assert_eq!(world.row(contact).reason, Reason::AttemptsExhausted { result: AttemptResult::Busy });
}

#[test]
fn a_call_the_gate_stopped_is_not_tried_again() {
    let mut world = World::with_anna();
    let contact = fail(&mut world, 1, AttemptResult::NotAllowed);
    assert_eq!(world.outcome(contact), Some(Outcome::Unsuccessful));
    assert_eq!(world.row(contact).reason, Reason::NumberNotAllowed);
    assert_eq!(world.presence("anna"), Presence::Ready);
}

#[test]
fn a_retry_outside_hours_waits_for_the_opening() {
    let mut world = World::with_anna();
    world.pass(secs(7 * 3600 - 100));
    let contact = fail(&mut world, 1, AttemptResult::Busy);
    assert_eq!(world.due(contact), Some(MORNING + secs(22 * 3600)));
}

#[test]
fn a_carrier_that_says_nothing_is_no_answer() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    world.pass(secs(45));
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert_eq!(world.row(contact).attempts[0].state, AttemptState::Ended { result: AttemptResult::NoAnswer });
}

#[test]
fn hung_up_during_the_announcement_is_not_confirmed() {
    let mut world = World::with_anna();
    let contact = world.announcing(1);
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    assert_did!(world, Deed::StopRecording { .. });
    assert_eq!(world.row(contact).attempts[0].state, AttemptState::Ended { result: AttemptResult::NotConfirmed });
    assert_eq!(world.due(contact), Some(world.now + secs(600)));
}

#[test]
fn an_announcement_that_never_ends_bridges_nobody() {
    let mut world = World::with_anna();
    let contact = world.announcing(1);
    world.pass(secs(120));
    assert!(!world.had(contact, |fact| matches!(fact, Fact::Bridged { .. })));
    assert_eq!(world.row(contact).attempts[0].state, AttemptState::Ended { result: AttemptResult::Failed });
}

#[test]
fn only_a_person_who_presses_1_is_bridged() {
    let mut config = config();
    config.callback.press_one = true;
    for pressed in [true, false] {
        let mut world = World::new(config.clone(), &[agent("anna")]);
        world.ready("anna");
        let contact = world.announcing(1);
        let leg = world.leg(contact);
        world.ok(Event::DtmfReceived { leg, digit: '1' });
        world.ok(Event::PromptFinished { leg, heard: None });
        assert_did!(world, Deed::PlayPrompt { prompt: PromptName::PressOne, .. });
        world.ok(Event::DtmfReceived { leg, digit: '7' });
        assert!(world.deeds.is_empty());
        if pressed {
            world.ok(Event::DtmfReceived { leg, digit: '1' });
            assert_did!(world, Deed::Bridge { .. });
            world.pass(secs(60));
            assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
        } else {
            world.pass(secs(10));
            assert_did!(world, Deed::ReleaseLeg { .. });
            let state = world.row(contact).attempts[0].state;
            assert_eq!(state, AttemptState::Ended { result: AttemptResult::NotConfirmed });
        }
    }
}

#[test]
fn hold_takes_the_agent_out_and_music_in() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    let leg = world.leg(contact);
    let hold = |hold| Event::HoldRequested { agent: "anna".into(), contact, hold };
    world.ok(hold(true));
    assert_did!(world, Deed::Unbridge { .. });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::HoldMusic, repeat: true, .. });
    assert_did!(world, Deed::Mark { leg: marked, mark: MarkKind::Hold, begin: true } if *marked == leg);
    world.ok(hold(true));
    assert!(world.deeds.is_empty(), "twice is once");
    world.ok(hold(false));
    assert_did!(world, Deed::Mark { mark: MarkKind::Hold, begin: false, .. });
    assert_did!(world, Deed::StopPrompt { .. });
    assert_did!(world, Deed::Bridge { .. });
    assert_eq!(
        world.take(Event::HoldRequested { agent: "eve".into(), contact, hold: true }),
        Err(Rejection::NoSuchAgent)
    );
}

#[test]
fn hung_up_while_on_hold_closes_the_mark() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::HoldRequested { agent: "anna".into(), contact, hold: true });
    world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
    assert_did!(world, Deed::Mark { mark: MarkKind::Hold, begin: false, .. });
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert_eq!(world.presence("anna"), Presence::WrapUp);
}

#[test]
fn an_agent_who_breaks_off_the_dialling_has_declined() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert!(world.is_queued(contact));
    assert_eq!(world.row(contact).failed_attempts(), 0, "the customer did nothing wrong");
    assert_eq!(world.state("anna"), not_ready("break"));
}

fn media(on: bool) -> Event {
    Event::AgentHealth { agent: "anna".into(), session: session("anna"), health: Health { media: on, ..WELL } }
}

#[test]
fn media_lost_and_found_again() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert_did!(world, Deed::Unbridge { .. });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::AgentLost, then_tell: true, .. });
    world.ok(Event::PromptFinished { leg: world.leg(contact), heard: None });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::HoldMusic, repeat: true, .. });
    world.pass(secs(14));
    world.ok(media(true));
    assert_did!(world, Deed::StopPrompt { .. });
    assert_did!(world, Deed::Bridge { .. });
    assert!(!world.did(|deed| matches!(deed, Deed::StartRecording { .. })), "one recording per leg");
    world.pass(secs(60));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
}

#[test]
fn media_lost_for_good_puts_the_live_customer_back_in_line() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    let contact = world.connected(1);
    let (leg, attempts) = (world.leg(contact), world.row(contact).attempts.len());
    world.ok(media(false));
    world.pass(secs(15));
    assert!(world.is_queued(contact));
    assert_eq!(world.state("anna"), not_ready("media"), "this is not called RONA");
    assert_eq!(world.row(contact).requested_at, MORNING);
    assert!(!world.did(|deed| matches!(deed, Deed::ReleaseLeg { .. } | Deed::ReleaseChannel { .. })));
    world.ready("ben");
    assert_did!(world, Deed::PresentOffer { .. });
    world.accept(contact);
    assert_did!(world, Deed::StopPrompt { leg: silenced } if *silenced == leg);
    assert_did!(world, Deed::Bridge { a, .. } if *a == leg);
    assert_did!(world, Deed::StartRecording { party: Party::Agent { .. }, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::PlaceLeg { .. })));
    assert_eq!(world.row(contact).attempts.len(), attempts);
    world.ok(Event::LegEnded { leg });
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn media_lost_on_hold_ends_the_hold() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::HoldRequested { agent: "anna".into(), contact, hold: true });
    world.ok(media(false));
    assert_did!(world, Deed::Mark { mark: MarkKind::Hold, begin: false, .. });
    assert!(!world.did(|deed| matches!(deed, Deed::Unbridge { .. })), "hold has done that already");
    world.ok(media(true));
    assert_did!(world, Deed::Bridge { .. });
    assert!(!world.segment(contact).on_hold);
}

#[test]
fn an_agent_without_media_may_still_hang_up() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(media(false));
    world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert!(matches!(world.segment(contact).state, SegmentState::WrapUp { .. }));
}

#[test]
fn a_customer_who_waits_on_the_line_is_served_after_hours_and_may_hang_up() {
    let mut world = World::with_anna();
    world.pass(secs(7 * 3600 - 10));
    let contact = world.connected(1);
    world.ok(media(false));
    world.pass(secs(60));
    assert!(world.is_queued(contact), "on the line is not sent home at closing time");
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    assert_eq!(world.outcome(contact), Some(Outcome::Abandoned));
    assert_eq!(world.row(contact).reason, Reason::CustomerHungUp);
    assert_did!(world, Deed::ReleaseChannel { .. });
}

#[test]
fn who_is_back_in_line_on_the_telephone_may_still_cancel() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    let cancel = Event::CallbackCancelled { contact, by: CancelledBy::Customer };
    assert_eq!(world.take(cancel.clone()), Err(Rejection::WrongState), "in the conversation one hangs up");
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    world.pass(secs(15));
    assert!(world.is_queued(contact));
    world.ok(cancel);
    assert_eq!(world.outcome(contact), Some(Outcome::Cancelled));
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert_did!(world, Deed::ReleaseChannel { .. });
}

#[test]
fn a_browser_gone_mid_call_has_a_grace_time() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    assert!(world.deeds.is_empty(), "the media may still be there");
    world.pass(secs(14));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
    world.connect("anna");
    world.pass(secs(60));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));

    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.pass(secs(1));
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::AgentLost, .. });
    world.pass(secs(14));
    assert!(world.is_queued(contact));
    assert_eq!(world.presence("anna"), Presence::NotReady, "the state says why for a while");
    assert_eq!(world.state("anna"), AgentState::NotReady { reason: "media".into() });
    world.pass(secs(600));
    assert_eq!(world.presence("anna"), Presence::Offline, "who stays away is offline");
}

#[test]
fn a_dropped_socket_under_living_media_interrupts_nobody() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    let anna = || ("anna".into(), session("anna"));
    let (agent, session) = anna();
    world.ok(Event::AgentDisconnected { agent, session });
    world.pass(secs(3));
    let (agent, session) = anna();
    world.ok(Event::AgentConnected { agent, session });
    let (agent, session) = anna();
    world.ok(Event::AgentHealth { agent, session, health: Health { tab: true, ..Health::default() } });
    assert!(world.deeds.is_empty(), "the tab has not said yet what it hears");
    let (agent, session) = anna();
    world.ok(Event::AgentHealth { agent, session, health: WELL });
    world.pass(secs(60));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
}

#[test]
fn nothing_is_waited_for_once_an_agent_without_sound_has_signed_off() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.ok(Event::AgentConnected { agent: "anna".into(), session: session("anna") });
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    let done = finish(&world, contact, &["solved"]);
    world.ok(done);
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state: RequestedState::Offline });
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    let left = world.agents.clone();
    world.pass(secs(60));
    assert_eq!(world.agents, left, "the grace time for the sound went with the agent");
}

#[test]
fn a_page_that_stays_away_does_not_end_a_conversation_whose_media_lives() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.pass(secs(3600));
    assert!(world.deeds.is_empty(), "they talk on");
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::AgentLost, .. });
    world.pass(secs(15));
    assert!(world.is_queued(contact));
    assert_eq!(world.presence("anna"), Presence::Offline);
}

#[test]
fn an_agent_whose_page_stayed_away_is_offline_after_the_conversation() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.pass(secs(60));
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    world.pass(secs(600));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
    assert_eq!(world.presence("anna"), Presence::Offline);
}

#[test]
fn a_killed_tab_whose_media_dies_tells_the_customer_at_once() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.pass(secs(2));
    world.ok(Event::AgentMediaLost { agent: "anna".into(), session: session("anna") });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::AgentLost, .. });
    // Another tab comes with media of its own; the old one's end is nobody's business then.
    world.ok(Event::AgentConnected { agent: "anna".into(), session: "second".into() });
    world.ok(Event::AgentHealth { agent: "anna".into(), session: "second".into(), health: WELL });
    assert_did!(world, Deed::Bridge { .. });
    let late = Event::AgentMediaLost { agent: "anna".into(), session: session("anna") };
    assert_eq!(world.take(late), Err(Rejection::NotTheOwner));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
}

#[test]
fn another_tab_takes_the_call_over() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    let leg = world.segment(contact).leg.unwrap();
    world.ok(Event::AgentConnected { agent: "anna".into(), session: "second".into() });
    assert_did!(world, Deed::AttachAgent { leg: moved, session, .. } if *moved == leg && session.as_str() == "second");
    assert_eq!(world.segment(contact).endpoint, Endpoint::Browser { session: "second".into() });
    assert_eq!(world.take(media(true)), Err(Rejection::NotTheOwner));
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.ok(Event::AgentHealth { agent: "anna".into(), session: "second".into(), health: WELL });
    world.pass(secs(60));
    assert!(matches!(world.segment(contact).state, SegmentState::Connected { .. }));
}

#[test]
fn media_lost_while_dialling_takes_the_call_back() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    world.ok(media(false));
    assert_did!(world, Deed::ReleaseLeg { .. });
    assert!(world.is_queued(contact));
    assert_eq!((world.state("anna"), world.row(contact).failed_attempts()), (not_ready("media"), 0));
}

#[test]
fn media_lost_during_the_announcement_is_seen_at_the_bridge() {
    let mut world = World::with_anna();
    let contact = world.announcing(1);
    let leg = world.leg(contact);
    world.ok(media(false));
    world.ok(Event::PromptFinished { leg, heard: None });
    assert_did!(world, Deed::PlayPrompt { prompt: PromptName::AgentLost, .. });
    world.ok(media(true));
    assert_did!(world, Deed::Bridge { .. });
    assert!(world.had(contact, |fact| matches!(fact, Fact::Bridged { .. })));
}

#[test]
fn the_state_asked_for_during_a_call_comes_after_wrap_up() {
    let mut world = World::with_anna();
    let contact = world.connected(1);
    let ask = |state| Event::AgentStateRequested { agent: "anna".into(), state };
    world.ok(ask(RequestedState::NotReady { reason: "lunch".into() }));
    assert_eq!(world.presence("anna"), Presence::Draining);
    world.ok(ask(RequestedState::Ready));
    assert_eq!(world.core.agent(&"anna".into()).unwrap().next, None, "the wish is taken back");
    world.ok(ask(RequestedState::NotReady { reason: "lunch".into() }));
    world.ok(Event::HangUpRequested { agent: "anna".into(), contact });
    world.pass(secs(60));
    assert_eq!(world.state("anna"), not_ready("lunch"));
    assert_eq!(world.take(ask(RequestedState::NotReady { reason: "golf".into() })), Err(Rejection::UnknownCode));
    world.ok(ask(RequestedState::Offline));
    assert_eq!(world.presence("anna"), Presence::Offline);
}

fn wrapping(disposition: DispositionMode) -> (World, ringback_routing::ids::ContactId) {
    let mut config = config();
    config.policy.disposition = disposition;
    let mut world = World::new(config, &[agent("anna")]);
    world.ready("anna");
    let contact = world.connected(1);
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    (world, contact)
}

fn finish(world: &World, contact: ringback_routing::ids::ContactId, codes: &[&str]) -> Event {
    let dispositions = codes.iter().map(|code| (*code).into()).collect();
    Event::WrapUpFinished { agent: "anna".into(), segment: world.segment(contact).id, dispositions, note: None }
}

#[test]
fn a_required_disposition_is_asked_for_until_time_is_up() {
    let (mut world, contact) = wrapping(DispositionMode::Required);
    let (none, wrong) = (finish(&world, contact, &[]), finish(&world, contact, &["lucky"]));
    assert_eq!(world.take(none), Err(Rejection::DispositionRequired));
    assert_eq!(world.take(wrong), Err(Rejection::UnknownCode));
    world.pass(secs(60));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
    assert!(world.had(contact, |fact| matches!(fact, Fact::WrapUpEnded { by_timeout: true, .. })));
    assert_eq!(world.presence("anna"), Presence::Ready);
}

#[test]
fn one_queue_may_ask_for_a_result_that_others_do_not() {
    let mut config = config();
    config.policy.disposition = DispositionMode::None;
    let own = QueuePolicy { disposition: Some(DispositionMode::Required), ..config.policy.of_queue() };
    config.queue_policies.insert("general".into(), own);
    let mut world = World::new(config, &[agent("anna")]);
    world.ready("anna");
    let contact = world.connected(1);
    world.ok(Event::LegEnded { leg: world.leg(contact) });
    let none = finish(&world, contact, &[]);
    assert_eq!(world.take(none), Err(Rejection::DispositionRequired));
}

#[test]
fn optional_and_none_end_without_one() {
    for mode in [DispositionMode::Optional, DispositionMode::None] {
        let (mut world, contact) = wrapping(mode);
        let event = finish(&world, contact, &[]);
        world.ok(event);
        assert!(world.had(contact, |fact| matches!(fact, Fact::WrapUpEnded { by_timeout: false, .. })));
    }
}

#[test]
fn wrap_up_is_extended_but_not_for_ever() {
    let (mut world, contact) = wrapping(DispositionMode::Optional);
    let segment = world.segment(contact).id;
    let extend = |by: Millis| Event::WrapUpExtended { agent: "anna".into(), segment, by };
    world.ok(extend(secs(60)));
    world.pass(secs(119));
    assert_eq!(world.presence("anna"), Presence::WrapUp);
    world.ok(extend(secs(90_000)));
    assert_eq!(world.take(extend(secs(60))), Err(Rejection::WrongState));
    assert_eq!(world.take(extend(secs(-1))), Err(Rejection::WrongState));
    world.pass(secs(3600 - 119));
    assert_eq!(world.outcome(contact), Some(Outcome::Successful));
}

#[test]
fn the_recorder_reports_after_the_contact_has_closed() {
    let (mut world, contact) = wrapping(DispositionMode::Optional);
    let leg = world.leg(contact);
    let event = finish(&world, contact, &["solved"]);
    world.ok(event);
    let recording = ringback_routing::ids::RecordingId(5);
    world.ok(Event::RecordingFinished { leg, recording });
    assert!(world.had(contact, |fact| matches!(fact, Fact::Recorded { .. })));
    assert_eq!(world.take(Event::RecordingFinished { leg, recording }), Err(Rejection::NoSuchContact));
}

#[test]
fn a_call_that_goes_over_another_trunk_remembers_which_until_it_rings() {
    let mut world = World::with_anna();
    let contact = world.dialling(1);
    let leg = world.leg(contact);
    let other = ringback_routing::ids::TrunkId::new("other");
    world.ok(Event::LegRerouted { leg, trunk: other.clone() });
    assert_eq!(world.row(contact).attempts[0].trunk, other);
    world.ok(Event::LegRinging { leg });
    let refused = world.take(Event::LegRerouted { leg, trunk: ringback_routing::ids::TrunkId::new("third") });
    assert!(refused.is_err(), "what rings stays where it is");
    assert_eq!(world.row(contact).attempts[0].trunk, other);
}

/// Who is on the telephone and who waits to be called back stand in one line, by the time they asked.
#[test]
fn a_caller_and_a_callback_are_served_in_the_order_they_asked() {
    let mut world = World::new(config(), &[agent("anna")]);
    let caller = world.called(1);
    world.pass(secs(1));
    let callback = world.request(2);
    world.ready("anna");
    assert_eq!(world.segment(caller).agent, "anna".into());
    assert!(world.is_queued(callback) && !world.did(|deed| matches!(deed, Deed::ReserveChannel { .. })));

    let mut world = World::new(config(), &[agent("anna")]);
    let callback = world.request(1);
    world.pass(secs(1));
    let caller = world.called(2);
    world.ready("anna");
    assert!(world.is_queued(caller), "the callback asked first");
    world.grant(callback);
    assert_eq!(world.segment(callback).agent, "anna".into());
}
