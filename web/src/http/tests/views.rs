//! The mirrored schemas against what the core writes.

use std::collections::BTreeMap;

use ringback_routing::{
    agent::{Endpoint, Health, Presence, RequestedState},
    config::OverLimit,
    contact::*,
    event::DenialReason,
    ids::*,
    reason::{ClosedReason, Reason},
    third::*,
    time::{Millis, Timestamp},
    view::*,
    wait::{FirstWait, Forecast, ForecastKind, WaitRange},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::http::schema;

/// Read by the mirror and written again, nothing is lost and nothing is new.
fn mirrored<M: DeserializeOwned + Serialize>(original: impl Serialize) {
    let written = serde_json::to_value(original).unwrap();
    let mirror: M = serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(serde_json::to_value(mirror).unwrap(), written);
}

const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn reasons() -> Vec<Reason> {
    let agent = AgentId::new("maria");
    let closed = ClosedReason::Holiday { name: "Thanksgiving".into() };
    vec![
        Reason::JustRequested,
        Reason::ChosenTime,
        Reason::NoAgentReady { signed_in: 1 },
        Reason::NoFreeChannel,
        Reason::NumberInCall,
        Reason::CallsHeldBack,
        Reason::NumberNotAllowed,
        Reason::Closed { closed: Box::new(closed), next_open: Some(AT) },
        Reason::AgentDeclined { agent: agent.clone() },
        Reason::AgentNoAnswer { agent: agent.clone() },
        Reason::AgentLost { agent: agent.clone() },
        Reason::AttemptFailed { result: AttemptResult::Busy, attempts: 1 },
        Reason::Interrupted,
        Reason::OfferedTo { agent: agent.clone() },
        Reason::AskedBy { agent: agent.clone() },
        Reason::Overflowed,
        Reason::NotReached,
        Reason::Transferred { from: agent.clone() },
        Reason::Escalated { by: agent.clone() },
        Reason::CalledOut { by: agent },
        Reason::Preferred,
        Reason::FewestInHand { in_hand: 1, considered: 2 },
        Reason::CustomerLeft,
        Reason::NobodyFree { waited: Millis(9) },
        Reason::LongestIdle { idle: Millis(5), considered: 2 },
        Reason::Completed,
        Reason::CustomerCancelled,
        Reason::AdministratorCancelled,
        Reason::CustomerHungUp,
        Reason::CustomerHungUpSoon { after: Millis(1) },
        Reason::CodeUnknown,
        Reason::AttemptsExhausted { result: AttemptResult::NoAnswer },
    ]
}

fn contact(state: ContactState, segment: SegmentState, attempt: AttemptState) -> Contact {
    let range = WaitRange::new(Millis(1000), Millis(2000));
    Contact {
        id: ContactId(1),
        channel: Channel::Callback,
        state,
        customer: std::sync::Arc::new(Customer {
            name: "Ana".into(),
            number: "+19165550100".into(),
            number_key: "k".into(),
            customer_id: Some("C".into()),
            verified: true,
            number_proven: false,
            language: "en".into(),
            page: Some("/x".into()),
            context: BTreeMap::from([("a".into(), "b".into())]),
        }),
        queue: QueueId::new("q"),
        subject: SubjectId::new("s"),
        priority: 5,
        target: 1,
        widen_at: None,
        preferred: None,
        requested_at: AT,
        status_token_digest: Some("d".into()),
        segments: vec![Segment {
            id: SegmentId(2),
            offer: OfferId(3),
            agent: AgentId::new("maria"),
            endpoint: Endpoint::Browser { session: SessionId::new("t") },
            state: segment,
            why: Reason::LongestIdle { idle: Millis(1), considered: 1 },
            offered_at: AT,
            accepted_at: Some(AT),
            connected_at: None,
            ended_at: None,
            done_at: None,
            leg: Some(LegId(4)),
            on_hold: false,
            dispositions: vec![DispositionId::new("resolved")],
            note: None,
            handover: Some("knows the case".into()),
            position_when_offered: 1,
            ewt_when_offered: Some(Millis(1000)),
        }],
        attempts: vec![Attempt {
            id: AttemptId(5),
            ordinal: 1,
            leg: LegId(6),
            trunk: TrunkId::new("t"),
            segment: Some(SegmentId(2)),
            state: attempt,
            dialled_at: AT,
            ringing_at: None,
            answered_at: None,
            bridged_at: None,
            ended_at: None,
            announcement: Some(("announcement/1".into(), AT)),
            position_when_dialled: 1,
            ewt_when_dialled: None,
        }],
        cool_off: BTreeMap::from([(AgentId::new("maria"), AT)]),
        position_when_requested: 1,
        ewt_when_requested: None,
        first_wait: Some(FirstWait {
            since: AT,
            position: 2,
            forecast: Some(Forecast { range, raw: range, kind: ForecastKind::Near }),
        }),
        config_version: 1,
        reason: Reason::JustRequested,
        closed_at: None,
        chat: None,
        third: None,
        third_end: None,
        over: None,
    }
}

#[test]
fn third_parties_at_every_stage() {
    let with = [
        ThirdParty::Agent { agent: AgentId::new("ben"), segment: SegmentId(9) },
        ThirdParty::Outside { number: "+19165550300".into() },
    ];
    let stages = [
        ThirdStage::Asked { until: AT },
        ThirdStage::Private { since: AT },
        ThirdStage::Joined { since: AT },
        ThirdStage::Told { until: AT },
        ThirdStage::Alone { since: AT },
    ];
    let ends = [
        ThirdEnd::Withdrawn,
        ThirdEnd::Declined,
        ThirdEnd::NoAnswer,
        ThirdEnd::Failed { result: AttemptResult::Busy },
        ThirdEnd::Left,
        ThirdEnd::Lost,
        ThirdEnd::CustomerLeft,
        ThirdEnd::TookOver,
        ThirdEnd::Interrupted,
    ];
    let connected = SegmentState::Connected { since: AT };
    let plain = contact(ContactState::Active { since: AT }, connected, AttemptState::Live);
    for (with, stage) in with.iter().flat_map(|with| stages.map(|stage| (with.clone(), stage))) {
        let (by, leg, ringing_at, answered_at) = (Some(SegmentId(2)), Some(LegId(8)), Some(AT), None);
        let declined = Some(CarrierDeclined { at: AT, status: Some(405) });
        let third = Third { with, stage, by, leg, asked_at: AT, ringing_at, answered_at, declined };
        mirrored::<schema::Contact>(Contact { third: Some(Box::new(third)), ..plain.clone() });
    }
    for end in ends {
        mirrored::<schema::Contact>(Contact { third_end: Some(end), over: Some(Outcome::Abandoned), ..plain.clone() });
    }
}

fn availability() -> Availability {
    Availability {
        enabled: true,
        open: false,
        closed: Some(ClosedReason::Closure { message: "Storm".into() }),
        next_open: Some(AT),
        closes_at: None,
        waiting: 3,
        ewt: Some(Millis(1)),
        ewt_p90: Some(Millis(2)),
        subjects: vec![SubjectView {
            id: SubjectId::new("general"),
            name: "General".into(),
            ewt: Some(Millis(1)),
            ewt_p90: Some(Millis(2)),
            gate: Some(GateView { limit: Millis(1), expected: Millis(2), then: OverLimit::Notify }),
        }],
    }
}

#[test]
fn contacts_in_every_state() {
    let states = [
        ContactState::Arriving { since: AT },
        ContactState::Scheduled { due: AT },
        ContactState::Queued { since: AT },
        ContactState::Active { since: AT },
        ContactState::Closed { outcome: Outcome::Abandoned },
    ];
    let segments = [
        SegmentState::Offered { until: AT },
        SegmentState::Connecting { since: AT },
        SegmentState::Connected { since: AT },
        SegmentState::AgentLost { until: AT },
        SegmentState::WrapUp { until: AT },
        SegmentState::Done { end: SegmentEnd::MediaFailed },
    ];
    let attempts = [
        AttemptState::Dialling,
        AttemptState::Unknown { until: AT },
        AttemptState::Live,
        AttemptState::Ended { result: AttemptResult::NotConfirmed },
    ];
    for index in 0..segments.len() {
        let contact = contact(states[index % 4].clone(), segments[index].clone(), attempts[index % 4]);
        mirrored::<schema::Contact>(contact);
    }
    for reason in reasons() {
        mirrored::<schema::Reason>(reason);
    }
}

#[test]
fn chats() {
    let ends = [
        ChatEnd::Customer,
        ChatEnd::Agent { agent: AgentId::new("maria") },
        ChatEnd::Gone,
        ChatEnd::Idle,
        ChatEnd::NobodyFree,
        ChatEnd::CalledBack,
        ChatEnd::Called { agent: AgentId::new("maria") },
    ];
    for end in ends {
        let mut contact =
            contact(ContactState::Active { since: AT }, SegmentState::WrapUp { until: AT }, AttemptState::Live);
        (contact.channel, contact.preferred) = (Channel::Chat, Some(AgentId::new("maria")));
        (contact.target, contact.widen_at) = (2, Some(AT));
        let outcome = Some(Outcome::Abandoned);
        contact.chat = Some(Box::new(Chat { customer_away: Some(AT), ended: Some(end), outcome }));
        mirrored::<schema::Contact>(contact);
    }
}

#[test]
fn why() {
    let agent = AgentId::new("maria");
    let obstacles = vec![
        Obstacle::HasIt,
        Obstacle::NotInQueue { queue: QueueId::new("q") },
        Obstacle::LacksSkill { skill: SkillId::new("tax"), needed: 7, has: 0 },
        Obstacle::WaitsForOther { agent: agent.clone() },
        Obstacle::Offline,
        Obstacle::NotReady { reason: ReasonCode::new("lunch") },
        Obstacle::Leaving,
        Obstacle::NoTab,
        Obstacle::NoMicrophone,
        Obstacle::NoMedia,
        Obstacle::NotInProfile,
        Obstacle::Busy { calls: 1, chats: 2 },
        Obstacle::KeptFor { contact: ContactId(1) },
        Obstacle::CallWaitsLonger,
        Obstacle::CoolingOff { until: AT },
    ];
    let channels = [
        ChannelWhy::NotNeeded,
        ChannelWhy::NotAskedYet,
        ChannelWhy::Asked { agent: agent.clone() },
        ChannelWhy::Held,
        ChannelWhy::NumberInCall,
        ChannelWhy::Blocked { reason: DenialReason::TrunksDown },
        ChannelWhy::Closed,
    ];
    for channel in channels {
        let skills = BTreeMap::from([(SkillId::new("tax"), 7)]);
        let waiting = WaitingWhy {
            since: AT,
            waited: Millis(1),
            position: 1,
            priority: 5,
            one_priority_per: Some(Millis(2)),
            target: 1,
            targets: 3,
            next_target_at: Some(AT),
            need: Needed::Skills { any: vec![skills] },
            effective_agents: 2,
            channel,
        };
        let segment = SegmentId(4);
        let state = SegmentState::Offered { until: AT };
        let chosen = ChosenWhy { segment, agent: agent.clone(), at: AT, why: Reason::Preferred, position: 1, state };
        mirrored::<schema::WhyView>(WhyView {
            contact: ContactId(1),
            at: AT,
            state: ContactState::Queued { since: AT },
            reason: Reason::JustRequested,
            waiting: Some(waiting),
            chosen: vec![chosen],
            agents: vec![AgentWhy { agent: agent.clone(), name: "Maria".into(), obstacles: obstacles.clone() }],
            signed_in: 1,
        });
    }
    mirrored::<schema::Needed>(Needed::Agent { agent });
}

#[test]
fn the_desk_and_the_board() {
    let contact =
        contact(ContactState::Active { since: AT }, SegmentState::Connected { since: AT }, AttemptState::Live);
    for next in [None, Some(RequestedState::NotReady { reason: ReasonCode::new("lunch") }), Some(RequestedState::Ready)]
    {
        mirrored::<schema::AgentView>(AgentView {
            id: AgentId::new("maria"),
            name: "Maria".into(),
            presence: Presence::Draining,
            since: AT,
            reason: Some(ReasonCode::new("lunch")),
            next,
            auto_return_at: Some(AT),
            session: Some(SessionId::new("t")),
            health: Health { tab: true, microphone: true, media: false },
            can_reject: true,
            voice_slots: 1,
            chat_slots: 2,
            contacts: vec![contact.clone()],
        });
    }
    mirrored::<schema::Availability>(availability());
    mirrored::<schema::BoardView>(BoardView {
        at: AT,
        availability: availability(),
        queues: vec![QueueView {
            id: QueueId::new("q"),
            name: "Q".into(),
            waiting: 1,
            scheduled: 0,
            active: 2,
            longest_wait: Some(Millis(4)),
        }],
        agents: vec![BoardAgent {
            id: AgentId::new("maria"),
            name: "Maria".into(),
            presence: Presence::WrapUp,
            since: AT,
            reason: None,
            contacts: vec![ContactId(1)],
        }],
        waiting: vec![WaitingContact {
            id: ContactId(1),
            channel: Channel::Callback,
            state: ContactState::Queued { since: AT },
            name: "Ana".into(),
            number: "n".into(),
            queue: QueueId::new("q"),
            subject: SubjectId::new("s"),
            requested_at: AT,
            position: Some(1),
            attempts: 0,
            why: Reason::NumberInCall,
        }],
        waiting_total: 1,
    });
}
