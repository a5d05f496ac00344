//! An agent calls a number: no line and no offer. The agent is engaged at once and a trunk channel asked for; from the
//! dialling on it is a call like any other. It is tried once: nobody else calls in the agent's place, so whatever fails
//! before somebody answers closes the contact.

use std::sync::Arc;

use crate::{
    agent::AgentState,
    contact::*,
    core::{ChannelHold, Core, LegOwner, Side},
    event::{DenialReason, OutboundRequest, Receipt, Rejection},
    ids::*,
    matcher::CHANNEL_REPLY_LIMIT,
    output::{Deed, Fact},
    reason::Reason,
    time::Timestamp,
    timers::Timer,
};

impl Core {
    pub(crate) fn outbound_requested(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        request: OutboundRequest,
    ) -> Result<Receipt, Rejection> {
        if !self.config.outbound {
            return Err(Rejection::NotEnabled);
        }
        let session = self.may_call_out(agent)?;
        let (subject, queue, priority) = self.subject_of_call(agent, request.subject.as_ref())?;
        let number_key = request.customer.number_key.clone();
        if let Some(contact) = self.by_number.get(&number_key) {
            return Ok(Receipt::CallbackExists { contact });
        }
        if self.number_guard(now, &number_key).is_some() {
            return Err(Rejection::WrongState);
        }
        if self.contacts.len() >= self.config.limits.max_open_contacts {
            return Err(Rejection::Full);
        }
        let (id, segment) = (ContactId(self.ids.mint(now)), SegmentId(self.ids.mint(now)));
        let (offer, leg) = (OfferId(self.ids.mint(now)), LegId(self.ids.mint(now)));
        let why = Reason::CalledOut { by: agent.clone() };
        let customer = Arc::new(request.customer);
        let contact = Contact {
            state: ContactState::Active { since: now },
            segments: vec![engagement(now, (segment, offer, leg), agent, &session, why.clone())],
            reason: why,
            ..self.begun(now, (id, Channel::Outbound), customer, (subject, queue, priority))
        };
        self.by_number.insert(&number_key, id);
        self.legs.insert(leg, LegOwner { contact: id, side: Side::Agent(segment) });
        if let Some(desk) = self.agents.get_mut(agent) {
            desk.hand.push((id, segment));
        }
        self.admit(now, contact);
        self.floor.touched_agents.insert(agent.clone());
        self.relist_agent(agent);
        let config_version = self.config.version;
        self.fact(id, now, Fact::Requested { position: 0, ewt: None, ewt_p90: None, config_version });
        self.fact(id, now, Fact::CalledOut { segment, agent: agent.clone() });
        self.deed(now, Deed::AttachAgent { leg, contact: id, agent: agent.clone(), session });
        self.timers.set(Timer::ChannelReply(id), now + CHANNEL_REPLY_LIMIT);
        let trunks = self.config.callback.trunks.clone();
        let question = self.deed(now, Deed::ReserveChannel { contact: id, number_key, trunks });
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.channel = ChannelHold::Asked { agent: agent.clone(), question };
        }
        Ok(Receipt::CallPlaced { contact: id })
    }

    /// The session of an agent who can call now: Ready or Not Ready, with an ear free and kept for nobody.
    fn may_call_out(&self, agent: &AgentId) -> Result<SessionId, Rejection> {
        let desk = self.agents.get(agent).ok_or(Rejection::NoSuchAgent)?;
        let there = desk.record.state != AgentState::Offline && !desk.leaving;
        let free = desk.earmark.is_none() && self.fits(desk, self.load(desk), Medium::Voice);
        let session = desk.record.session.clone().filter(|_| there && free && desk.reaches(Medium::Voice));
        session.ok_or(Rejection::AgentNotFree)
    }

    /// The subject asked for, or the first one whose queue the agent serves.
    fn subject_of_call(
        &self,
        agent: &AgentId,
        asked: Option<&SubjectId>,
    ) -> Result<(SubjectId, QueueId, u8), Rejection> {
        let serves = |queue: &QueueId| self.agents.get(agent).is_some_and(|desk| desk.config.queues.contains(queue));
        let own = self.config.subjects.iter().find(|subject| serves(&subject.queue)).map(|subject| &subject.id);
        self.subject_asked(asked.or(own))
    }

    /// The channel of an agent's own call is there: it is dialled.
    pub(crate) fn outbound_granted(&mut self, now: Timestamp, id: ContactId, trunk: TrunkId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.channel = ChannelHold::Held { trunk };
        let ends = entry.contact.open_segment().and_then(|segment| Some((segment.id, segment.leg?)));
        if let Some((segment, leg)) = ends {
            self.dial(now, id, segment, leg);
        }
    }

    /// There is none, or the gate is against it: the agent is told, and the contact is over.
    pub(crate) fn outbound_denied(&mut self, now: Timestamp, id: ContactId, why: DenialReason) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.channel = ChannelHold::None;
        let reason = match why {
            DenialReason::NumberInCall => Reason::NumberInCall,
            DenialReason::NotAllowed => Reason::NumberNotAllowed,
            DenialReason::NotNow => Reason::CallsHeldBack,
            DenialReason::AllBusy | DenialReason::TrunksDown | DenialReason::Draining => Reason::NoFreeChannel,
        };
        if let Some(segment) = entry.contact.open_segment().map(|segment| segment.id) {
            self.finish_segment(now, id, segment, SegmentEnd::AttemptFailed);
        }
        self.close(now, id, Outcome::Unsuccessful, reason);
    }

    /// The agent breaks it off before anybody talks. Whoever had answered already is let go.
    pub(crate) fn outbound_broken_off(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, agent: &AgentId) {
        self.end_attempt(now, id, AttemptResult::Cancelled, None);
        self.finish_segment(now, id, segment, SegmentEnd::Revoked);
        self.conclude(now, id, Outcome::Cancelled, Reason::AgentDeclined { agent: agent.clone() });
    }
}

/// The agent's part, which begins where that of an offered contact is when its offer has been accepted.
fn engagement(
    now: Timestamp,
    (id, offer, leg): (SegmentId, OfferId, LegId),
    agent: &AgentId,
    session: &SessionId,
    why: Reason,
) -> Segment {
    Segment {
        state: SegmentState::Connecting { since: now },
        accepted_at: Some(now),
        leg: Some(leg),
        ..Segment::offered((id, offer), agent, session, why, now, now)
    }
}
