//! Offers: who gets them, and what becomes of those that are not accepted.

use crate::world::*;
use ringback_routing::{agent::*, config::Target, contact::*, event::*, output::*, reason::Reason, time::Millis};

#[test]
fn the_longest_idle_agent_of_the_moment_of_the_grant_is_chosen() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("ben");
    world.pass(secs(5));
    world.ready("anna");
    world.pass(secs(5));
    let contact = world.request(1);
    world.grant(contact);
    let segment = world.segment(contact);
    assert_eq!(segment.agent, "ben".into());
    assert_eq!(segment.why, Reason::LongestIdle { idle: secs(10), considered: 2 });

    // Ben's wrap-up done, Anna has been idle longer; she leaves between reservation and grant.
    world.ok(cancelled(contact));
    let contact = world.request(2);
    world.ok(Event::AgentStateRequested {
        agent: "anna".into(),
        state: RequestedState::NotReady { reason: "lunch".into() },
    });
    world.grant(contact);
    assert_eq!(world.segment(contact).agent, "ben".into());
}

#[test]
fn a_grant_in_another_order_still_goes_to_who_has_been_idle_longest() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    world.pass(secs(5));
    world.ready("ben");
    let (first, second) = (world.request(1), world.request(2));
    world.grant(second);
    assert_eq!(world.segment(second).agent, "anna".into());
    world.grant(first);
    assert_eq!(world.segment(first).agent, "ben".into());
}

#[test]
fn a_grant_with_nobody_left_goes_back_and_the_contact_stays_in_line() {
    let mut world = World::with_anna();
    let contact = world.request(1);
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.grant(contact);
    assert_did!(world, Deed::ReleaseChannel { .. });
    assert!(world.is_queued(contact));
    world.connect("anna");
    assert_did!(world, Deed::ReserveChannel { .. });
}

#[test]
fn no_more_channels_are_asked_for_than_agents_are_free() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    world.ready("ben");
    let mut asked = 0;
    for number in 0..5 {
        world.request(number);
        asked += world.deeds.iter().filter(|deed| matches!(deed, Deed::ReserveChannel { .. })).count();
    }
    assert_eq!(asked, 2);
}

#[test]
fn an_agent_kept_for_one_contact_is_not_free_for_a_need_nobody_had_before() {
    let mut config = config();
    let mut other = config.subjects[0].clone();
    (other.id, other.targets) = ("claims".into(), vec![Target::skill("claims", 1)]);
    config.subjects.push(other);
    let mut anna = agent("anna");
    anna.skills.insert("claims".into(), 1);
    let mut world = World::new(config, &[anna]);
    world.ready("anna");
    world.request(1);
    assert_did!(world, Deed::ReserveChannel { .. });
    let Event::CallbackRequested { mut request } = requested(2) else { unreachable!() };
    request.subject = Some("claims".into());
    world.ok(Event::CallbackRequested { request });
    assert!(world.deeds.is_empty(), "she is spoken for");
}

#[test]
fn waiting_contacts_are_served_by_priority_then_request_time() {
    let mut config = config();
    let mut urgent = config.subjects[0].clone();
    (urgent.id, urgent.priorities.initial) = ("urgent".into(), 1);
    config.subjects.push(urgent);
    let mut world = World::new(config, &[agent("anna")]);
    let (first, second) = (world.request(1), world.request(2));
    let Event::CallbackRequested { mut request } = requested(3) else { unreachable!() };
    request.subject = Some("urgent".into());
    let Receipt::CallbackQueued { contact: third, position, .. } = world.ok(Event::CallbackRequested { request })
    else {
        panic!()
    };
    assert_eq!(position, 1);
    assert_eq!(world.core.status_view(world.now, second).unwrap().position, Some(3));
    world.ready("anna");
    assert_did!(world, Deed::ReserveChannel { contact, .. } if *contact == third);
    assert!(!world.did(|deed| matches!(deed, Deed::ReserveChannel { contact, .. } if *contact == first)));
}

#[test]
fn skill_and_level_decide_who_may() {
    let mut config = config();
    config.subjects[0].targets = vec![Target::skill("spanish", 5)];
    let mut some = agent("anna");
    some.skills.insert("spanish".into(), 4);
    let mut able = agent("ben");
    able.skills.insert("spanish".into(), 5);
    let mut world = World::new(config, &[some, able]);
    world.ready("anna");
    let contact = world.request(1);
    assert!(world.deeds.is_empty(), "nobody able is there: {:?}", world.deeds);
    assert_eq!(world.row(contact).reason, Reason::NoAgentReady { signed_in: 1 });
    world.ready("ben");
    world.grant(contact);
    assert_eq!(world.segment(contact).agent, "ben".into());
}

#[test]
fn who_cannot_hear_is_offered_nothing() {
    for health in [Health { tab: false, ..WELL }, Health { microphone: false, ..WELL }, Health { media: false, ..WELL }]
    {
        let mut world = World::with_anna();
        world.ok(Event::AgentHealth { agent: "anna".into(), session: session("anna"), health });
        assert_eq!(world.presence("anna"), Presence::Unreachable);
        let contact = world.request(1);
        assert!(world.deeds.is_empty());
        // Losing it while the offer stands takes the offer back; that is no missed offer.
        world.ok(Event::AgentHealth { agent: "anna".into(), session: session("anna"), health: WELL });
        world.grant(contact);
        world.ok(Event::AgentHealth { agent: "anna".into(), session: session("anna"), health });
        assert_did!(world, Deed::RevokeOffer { why: RevokeReason::AgentGone, .. });
        assert_eq!(world.state("anna"), AgentState::Ready);
        assert!(world.is_queued(contact));
        assert_eq!(world.row(contact).priority, 5);
    }
}

#[test]
fn a_page_back_at_once_finds_its_offer() {
    let mut world = World::with_anna();
    let contact = world.offered(1);
    let offer = world.segment(contact).offer;
    let back = |world: &mut World| {
        world.ok(Event::AgentConnected { agent: "anna".into(), session: session("anna") });
        let health = Health { tab: true, ..Health::default() };
        world.ok(Event::AgentHealth { agent: "anna".into(), session: session("anna"), health });
    };
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.pass(secs(2));
    back(&mut world);
    assert!(world.deeds.is_empty(), "it has not said yet what it hears");
    world.ok(Event::AgentHealth { agent: "anna".into(), session: session("anna"), health: WELL });
    world.pass(secs(5));
    assert_eq!(world.presence("anna"), Presence::Offered);
    world.ok(Event::OfferAccepted { agent: "anna".into(), offer });
    assert_did!(world, Deed::PlaceLeg { .. });
}

#[test]
fn a_page_that_is_not_back_well_loses_its_offer_and_that_is_not_rona() {
    for connects in [true, false] {
        let mut world = World::with_anna();
        let contact = world.offered(1);
        world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
        if connects {
            world.ok(Event::AgentConnected { agent: "anna".into(), session: session("anna") });
        }
        world.pass(Millis(2_999));
        assert!(!world.is_queued(contact));
        world.pass(Millis(1));
        assert_did!(world, Deed::RevokeOffer { why: RevokeReason::AgentGone, .. });
        assert!(world.is_queued(contact));
        assert_eq!(world.state("anna"), AgentState::Ready);
    }
}

#[test]
fn an_offer_that_lapses_before_a_broken_socket_is_not_rona() {
    let mut world = World::with_anna();
    let contact = world.offered(1);
    world.pass(secs(19));
    world.ok(Event::AgentDisconnected { agent: "anna".into(), session: session("anna") });
    world.pass(secs(1));
    assert_did!(world, Deed::RevokeOffer { why: RevokeReason::AgentGone, .. });
    assert!(world.is_queued(contact));
    assert_eq!(world.row(contact).priority, 5);
}

#[test]
fn a_lapsed_offer_is_rona_and_the_place_is_kept() {
    let mut world = World::with_anna();
    let contact = world.offered(1);
    let asked_at = world.row(contact).requested_at;
    world.pass(Millis(19_999));
    assert_eq!(world.presence("anna"), Presence::Offered);
    world.pass(Millis(1));
    assert_did!(world, Deed::RevokeOffer { why: RevokeReason::Lapsed, .. });
    assert_did!(world, Deed::ReleaseChannel { .. });
    assert_eq!(world.state("anna"), not_ready("rona"));
    let row = world.row(contact);
    assert_eq!((row.requested_at, row.priority), (asked_at, 3));
    assert_eq!(row.reason, Reason::AgentNoAnswer { agent: "anna".into() });
    assert_eq!(row.segments[0].state, SegmentState::Done { end: SegmentEnd::NoAnswer });
    // Not before her cool-off is over, however ready she is.
    world.ok(Event::AgentStateRequested { agent: "anna".into(), state: RequestedState::Ready });
    assert!(world.deeds.is_empty());
    world.pass(secs(59));
    assert!(world.deeds.is_empty());
    world.pass(secs(1));
    assert_did!(world, Deed::ReserveChannel { .. });
}

#[test]
fn a_missed_offer_beside_a_call_drains_and_lasts() {
    let mut anna = agent("anna");
    anna.voice_slots = 2;
    let mut world = World::new(config(), &[anna]);
    world.ready("anna");
    let talking = world.connected(1);
    world.offered(2);
    world.pass(secs(20));
    assert_eq!(world.presence("anna"), Presence::Draining);
    world.ok(Event::LegEnded { leg: world.leg(talking) });
    world.pass(secs(60));
    assert_eq!(world.state("anna"), not_ready("rona"));
}

#[test]
fn a_declined_offer_is_a_break_that_ends_by_itself() {
    let mut world = World::with_anna();
    let contact = world.offered(1);
    let offer = world.segment(contact).offer;
    world.ok(Event::OfferDeclined { agent: "anna".into(), offer });
    assert_eq!(world.state("anna"), not_ready("break"));
    assert!(world.is_queued(contact));
    assert_eq!(world.row(contact).priority, 5);
    assert_eq!(
        world.take(Event::OfferAccepted { agent: "anna".into(), offer }),
        Err(Rejection::OfferGone),
        "what was declined cannot be accepted"
    );
    world.pass(secs(10));
    assert_eq!(world.state("anna"), AgentState::Ready);
    world.pass(secs(20));
    assert_did!(world, Deed::ReserveChannel { .. });
}

#[test]
fn without_permission_nobody_declines() {
    let mut anna = agent("anna");
    anna.can_reject = false;
    let mut world = World::new(config(), &[anna]);
    world.ready("anna");
    let contact = world.offered(1);
    let offer = world.segment(contact).offer;
    assert_eq!(world.take(Event::OfferDeclined { agent: "anna".into(), offer }), Err(Rejection::MayNotReject));
    assert!(world.deeds.is_empty());
    world.accept(contact);
}

#[test]
fn an_offer_is_accepted_once_and_by_its_agent_only() {
    let mut world = World::new(config(), &[agent("anna"), agent("ben")]);
    world.ready("anna");
    let contact = world.offered(1);
    let offer = world.segment(contact).offer;
    assert_eq!(world.take(Event::OfferAccepted { agent: "ben".into(), offer }), Err(Rejection::OfferGone));
    assert_eq!(world.take(Event::OfferAccepted { agent: "eve".into(), offer }), Err(Rejection::NoSuchAgent));
    world.accept(contact);
    assert_eq!(world.take(Event::OfferAccepted { agent: "anna".into(), offer }), Err(Rejection::OfferGone));
}

#[test]
fn a_denied_channel_is_asked_for_again() {
    let mut world = World::with_anna();
    let contact = world.request(1);
    let deny = |reason| Event::ChannelDenied { contact, answers: None, reason, retry_after: secs(2) };
    world.ok(deny(DenialReason::AllBusy));
    assert_eq!(world.row(contact).reason, Reason::NoFreeChannel);
    // While no channel is free, others do not ask either.
    world.request(2);
    assert!(world.deeds.is_empty());
    world.pass(secs(2));
    assert_did!(world, Deed::ReserveChannel { contact: asked, .. } if *asked == contact);
    // A number in another call concerns nobody else.
    world.ok(deny(DenialReason::NumberInCall));
    assert_eq!(world.row(contact).reason, Reason::NumberInCall);
    assert_did!(world, Deed::ReserveChannel { contact: asked, .. } if *asked != contact);
}

#[test]
fn what_the_gate_holds_back_waits_and_what_it_forbids_ends() {
    let mut world = World::with_anna();
    let contact = world.request(1);
    let deny = |reason| Event::ChannelDenied { contact, answers: None, reason, retry_after: secs(2) };
    world.ok(deny(DenialReason::NotNow));
    assert_eq!(world.row(contact).reason, Reason::CallsHeldBack);
    assert!(world.is_queued(contact));
    // What holds for the tenant is asked again once for everybody.
    let second = world.request(2);
    assert!(world.deeds.is_empty());
    world.pass(secs(2));
    assert_did!(world, Deed::ReserveChannel { contact: asked, .. } if *asked == contact);
    world.ok(deny(DenialReason::NotAllowed));
    assert_eq!(world.row(contact).state, ContactState::Closed { outcome: Outcome::Unsuccessful });
    assert_eq!(world.row(contact).reason, Reason::NumberNotAllowed);
    // The agent is free for the next in line.
    assert_did!(world, Deed::ReserveChannel { contact: asked, .. } if *asked == second);
}

#[test]
fn a_trunk_desk_that_never_answers_is_asked_again() {
    let mut world = World::with_anna();
    let contact = world.request(1);
    world.pass(secs(12));
    assert_did!(world, Deed::ReleaseChannel { .. });
    assert_did!(world, Deed::ReserveChannel { .. });
    assert!(world.is_queued(contact));
}

#[test]
fn an_answer_to_a_question_taken_back_is_none_to_the_next() {
    let mut world = World::with_anna();
    let contact = world.request(1);
    let first = world.question(contact);
    // Nobody answers in time: what may still be granted is given back, and it is asked anew.
    world.pass(secs(12));
    assert_did!(world, Deed::ReserveChannel { .. });
    let second = world.question(contact);
    assert_ne!(first, second);
    let grant = |question| Event::ChannelGranted { contact, trunk: "carrier".into(), answers: Some(question) };
    let deny = |question| Event::ChannelDenied {
        contact,
        answers: Some(question),
        reason: DenialReason::NotAllowed,
        retry_after: secs(2),
    };
    assert_eq!(world.take(grant(first)), Err(Rejection::WrongState));
    assert_eq!(world.take(deny(first)), Err(Rejection::WrongState));
    assert!(world.deeds.is_empty(), "nor is the second one's grant given back for it");
    assert!(world.row(contact).segments.is_empty(), "nobody is offered a call that has no channel");
    world.ok(grant(second));
    assert!(matches!(world.segment(contact).state, SegmentState::Offered { .. }));
}

#[test]
fn a_grant_nobody_waits_for_goes_back() {
    let mut world = World::with_anna();
    let contact = world.request(1);
    world.ok(cancelled(contact));
    world.grant(contact);
    assert_did!(world, Deed::ReleaseChannel { .. });
}
