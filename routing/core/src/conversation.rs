//! Customer and agent together: the bridge, hold, the agent lost and found, the end.

use crate::{
    agent::Endpoint,
    contact::*,
    core::Core,
    event::{Receipt, Rejection},
    ids::*,
    offers::Miss,
    output::{Deed, Fact, MarkKind, Party, PromptName},
    reason::Reason,
    third::ThirdEnd,
    time::{Millis, Timestamp},
    timers::Timer,
    transfer::Talk,
};

impl Core {
    /// Joins the live leg and the connecting agent; when the agent cannot hear, the customer is told instead.
    pub(crate) fn bridge(&mut self, now: Timestamp, id: ContactId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let Some(customer) = contact.live_leg() else { return };
        let Some(segment) = contact.open_segment() else { return };
        let (segment, Some(agent_leg), agent) = (segment.id, segment.leg, segment.agent.clone()) else { return };
        if !self.can_talk(&agent) {
            self.lose_agent(now, id, segment);
            return;
        }
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(attempt) = entry.contact.running_attempt_mut() else { return };
        attempt.bridged_at.get_or_insert(now);
        let attempt = attempt.id;
        let Some(found) = entry.contact.segment_mut(segment) else { return };
        found.state = SegmentState::Connected { since: now };
        let first = found.connected_at.is_none();
        found.connected_at.get_or_insert(now);
        self.floor.touched_agents.insert(agent.clone());
        self.save(id);
        if first {
            self.fact(id, now, Fact::Bridged { attempt, segment, agent: agent.clone() });
            self.deed(now, Deed::StopPrompt { leg: agent_leg });
            self.start_recording(now, id, agent_leg, Party::Agent { agent });
        }
        self.deed(now, Deed::Bridge { a: customer, b: agent_leg });
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    fn can_talk(&self, agent: &AgentId) -> bool {
        self.agents.get(agent).is_some_and(|desk| desk.record.session.is_some() && desk.record.health.can_talk())
    }

    /// The contact's open segment, if it is this agent's.
    pub(crate) fn segment_with(&self, agent: &AgentId, id: ContactId) -> Result<&Segment, Rejection> {
        if !self.agents.contains_key(agent) {
            return Err(Rejection::NoSuchAgent);
        }
        let entry = self.contacts.get(&id).ok_or(Rejection::NoSuchContact)?;
        entry.contact.open_segment().filter(|segment| segment.agent == *agent).ok_or(Rejection::WrongState)
    }

    pub(crate) fn hold_requested(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        id: ContactId,
        hold: bool,
    ) -> Result<Receipt, Rejection> {
        let talk = self.talk(agent, id)?;
        self.hold(now, id, talk, hold);
        Ok(Receipt::Done)
    }

    pub(crate) fn hold(&mut self, now: Timestamp, id: ContactId, talk: Talk, hold: bool) {
        let Talk { segment, agent_leg: b, customer: a } = talk;
        let found = self.contacts.get_mut(&id).and_then(|entry| entry.contact.segment_mut(segment));
        let Some(found) = found.filter(|found| found.on_hold != hold) else { return };
        found.on_hold = hold;
        self.save(id);
        if hold {
            self.fact(id, now, Fact::Held { segment });
            self.deed(now, Deed::Unbridge { a, b });
            self.play(now, a, id, PromptName::HoldMusic, true, false);
            self.deed(now, Deed::Mark { leg: a, mark: MarkKind::Hold, begin: true });
        } else {
            self.fact(id, now, Fact::Resumed { segment });
            self.deed(now, Deed::Mark { leg: a, mark: MarkKind::Hold, begin: false });
            self.deed(now, Deed::StopPrompt { leg: a });
            self.deed(now, Deed::Bridge { a, b });
        }
    }

    /// The agent hangs up: ends the conversation, or breaks off the dialling as if the offer had been declined.
    pub(crate) fn hang_up_requested(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        id: ContactId,
    ) -> Result<Receipt, Rejection> {
        if self.leaves_consultation(now, agent, id) {
            return Ok(Receipt::Done);
        }
        let segment = self.segment_with(agent, id)?;
        let (segment, state, talked) = (segment.id, segment.state.clone(), segment.connected_at.is_some());
        match state {
            SegmentState::Connected { .. } if self.is_chat(id) => {
                self.end_chat(now, id, ChatEnd::Agent { agent: agent.clone() });
            }
            SegmentState::Connected { .. } => self.end_conversation(now, id, segment),
            SegmentState::AgentLost { .. } if talked => self.end_conversation(now, id, segment),
            SegmentState::Connecting { .. } if self.is_outbound(id) => {
                self.outbound_broken_off(now, id, segment, agent)
            }
            SegmentState::Connecting { .. } => {
                if !self.agents.get(agent).is_some_and(|desk| desk.config.can_reject) {
                    return Err(Rejection::MayNotReject);
                }
                let aftermath = self.aftermath_in(id, Miss::Rejected);
                self.end_attempt(now, id, AttemptResult::Cancelled, None);
                self.finish_segment(now, id, segment, SegmentEnd::Declined);
                self.apply_aftermath(now, id, agent, &aftermath);
                self.take_back(now, id, Reason::AgentDeclined { agent: agent.clone() });
            }
            _ => return Err(Rejection::WrongState),
        }
        Ok(Receipt::Done)
    }

    fn is_outbound(&self, id: ContactId) -> bool {
        self.contacts.get(&id).is_some_and(|entry| entry.contact.channel == Channel::Outbound)
    }

    /// Customer and agent are done talking: both legs end, the agent wraps up.
    pub(crate) fn end_conversation(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        self.end_hold(now, id, segment, false);
        self.end_attempt(now, id, AttemptResult::Connected, None);
        self.detach_agent(now, id, segment);
        self.timers.cancel(&Timer::AgentBack(id));
        // From here on the number is free for another request.
        if let Some(entry) = self.contacts.get(&id) {
            let number_key = entry.contact.customer.number_key.clone();
            if self.by_number.get(&number_key) == Some(id) {
                self.by_number.remove(&number_key);
            }
        }
        self.fact(id, now, Fact::ConversationEnded { segment });
        self.deed(now, Deed::NotifyCustomer { contact: id });
        self.begin_wrap_up(now, id, segment);
    }

    pub(crate) fn begin_wrap_up(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        self.timers.cancel(&Timer::ChatIdle(id));
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let own = self.config.queue_policies.get(&entry.contact.queue).map(|policy| policy.wrap_up_timeout);
        let timeout = own.unwrap_or(self.config.policy.wrap_up_timeout).max(Millis(0));
        let until = now + timeout;
        let Some(found) = entry.contact.segment_mut(segment) else { return };
        found.state = SegmentState::WrapUp { until };
        found.ended_at = Some(now);
        let agent = found.agent.clone();
        self.floor.touched_agents.insert(agent);
        self.save(id);
        if timeout == Millis(0) {
            self.wrap_up_over(now, id, segment);
        } else {
            self.timers.set(Timer::WrapUpOver(id, segment), until);
        }
    }

    /// Takes the agent's leg off the contact, with its recording.
    pub(crate) fn detach_agent(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        let found = self.contacts.get(&id).and_then(|entry| entry.contact.segment(segment));
        let Some((Some(leg), talked)) = found.map(|segment| (segment.leg, segment.connected_at.is_some())) else {
            return;
        };
        if self.legs.remove(&leg).is_none() {
            return;
        }
        if talked {
            self.stop_recording(now, leg);
        }
        self.deed(now, Deed::DetachAgent { leg });
    }

    /// Ends a hold's mark; with `silence`, also its music.
    pub(crate) fn end_hold(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, silence: bool) -> bool {
        let Some(entry) = self.contacts.get_mut(&id) else { return false };
        let customer = entry.contact.live_leg();
        let held = entry.contact.segment_mut(segment).is_some_and(|found| std::mem::take(&mut found.on_hold));
        if let Some(leg) = customer.filter(|_| held) {
            self.deed(now, Deed::Mark { leg, mark: MarkKind::Hold, begin: false });
            if silence {
                self.deed(now, Deed::StopPrompt { leg });
            }
        }
        held
    }

    /// The agent cannot hear any more: the customer is told and waits, the agent has a grace time to come back.
    pub(crate) fn lose_agent(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        if self.lost_from_consultation(now, id) {
            return;
        }
        let held = self.end_hold(now, id, segment, true);
        let until = now + self.config.policy.agent_reconnect_grace.max(Millis(0));
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(customer) = entry.contact.live_leg() else { return };
        // Only those we called are called back.
        let words = match entry.contact.channel {
            Channel::Call | Channel::Outbound => PromptName::StayOnLine,
            Channel::Callback | Channel::Chat => PromptName::AgentLost,
        };
        let Some(found) = entry.contact.segment_mut(segment) else { return };
        let joined = matches!(found.state, SegmentState::Connected { .. }) && !held;
        let agent_leg = found.leg;
        found.state = SegmentState::AgentLost { until };
        let agent = found.agent.clone();
        self.timers.set(Timer::AgentBack(id), until);
        self.floor.touched_agents.insert(agent.clone());
        self.save(id);
        self.fact(id, now, Fact::AgentLost { segment, agent });
        if let Some(b) = agent_leg.filter(|_| joined) {
            self.deed(now, Deed::Unbridge { a: customer, b });
        }
        self.play(now, customer, id, words, false, true);
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// The agent can hear again before the grace time is over.
    pub(crate) fn agent_is_back(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let Some(customer) = contact.live_leg() else { return };
        let Some(agent) = contact.segment(segment).map(|segment| segment.agent.clone()) else { return };
        self.timers.cancel(&Timer::AgentBack(id));
        self.fact(id, now, Fact::AgentBack { segment, agent });
        self.deed(now, Deed::StopPrompt { leg: customer });
        self.bridge(now, id);
    }

    /// The grace time of an agent lost in the middle of the call is over.
    pub(crate) fn agent_not_back(&mut self, now: Timestamp, id: ContactId) {
        let lost = self.contacts.get(&id).and_then(|entry| entry.contact.open_segment());
        let Some((segment, agent)) = lost.map(|segment| (segment.id, segment.agent.clone())) else { return };
        self.give_up_agent(now, id, segment);
        self.take_back(now, id, Reason::AgentLost { agent });
    }

    /// The contact goes on without this agent, whose state says why, in its own words: this is no missed offer.
    pub(crate) fn give_up_agent(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        let found = self.contacts.get(&id).and_then(|entry| entry.contact.segment(segment));
        let Some(agent) = found.map(|segment| segment.agent.clone()) else { return };
        let aftermath = self.aftermath_in(id, Miss::MediaError);
        self.finish_segment(now, id, segment, SegmentEnd::MediaFailed);
        self.apply_aftermath(now, id, &agent, &aftermath);
    }

    /// The agent's media is gone, whatever stage the contact is in.
    pub(crate) fn media_gone(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        if contact.channel == Channel::Chat {
            return;
        }
        let Some(found) = contact.segment(segment) else { return };
        if contact.is_third(segment) {
            // An offer that does not reach the colleague any more is withdrawn by whoever notices.
            if matches!(found.state, SegmentState::Connected { .. }) {
                self.third_gone(now, id, ThirdEnd::Lost);
            }
            return;
        }
        let (agent, on_line) = (found.agent.clone(), contact.live_leg().is_some());
        match found.state {
            SegmentState::Connected { .. } => self.lose_agent(now, id, segment),
            SegmentState::Connecting { .. } if !on_line => {
                self.end_attempt(now, id, AttemptResult::Cancelled, None);
                self.give_up_agent(now, id, segment);
                self.take_back(now, id, Reason::AgentLost { agent });
            }
            // The customer hears the announcement; whether the agent is back is asked at the bridge.
            SegmentState::Connecting { .. } => self.start_grace(now, &agent),
            _ => {}
        }
    }

    /// The browser is gone for longer than the grace time, but its media never said so.
    pub(crate) fn agent_absent(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        if self.is_chat(id) {
            self.agent_left_chat(now, id, segment);
            return;
        }
        self.media_gone(now, id, segment);
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let Some(found) = contact.segment(segment) else { return };
        match found.state {
            SegmentState::AgentLost { .. } => self.agent_not_back(now, id),
            SegmentState::Connecting { .. } => {
                if let Some(leg) =
                    contact.live_leg().filter(|_| self.timers.get(&Timer::AnnouncementGuard(id)).is_some())
                {
                    // Cut short: the next agent's customer hears all of it again.
                    self.deed(now, Deed::Mark { leg, mark: MarkKind::Announcement, begin: false });
                }
                self.timers.cancel(&Timer::AnnouncementGuard(id));
                self.timers.cancel(&Timer::PressOne(id));
                self.lose_agent(now, id, segment);
                self.agent_not_back(now, id);
            }
            _ => {}
        }
    }

    /// The agent's own leg ended under the call.
    pub(crate) fn agent_leg_gone(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        self.media_gone(now, id, segment);
    }

    /// The agent's phone is in another browser session now; the legs in hand follow.
    pub(crate) fn move_legs(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, session: &SessionId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(found) = entry.contact.segment_mut(segment) else { return };
        let engaged = matches!(
            found.state,
            SegmentState::Connecting { .. } | SegmentState::Connected { .. } | SegmentState::AgentLost { .. }
        );
        if !engaged {
            return;
        }
        let leg = found.leg;
        let endpoint = Endpoint::Browser { session: session.clone() };
        let agent = found.agent.clone();
        if found.endpoint != endpoint {
            found.endpoint = endpoint;
            self.save(id);
        }
        if let Some(leg) = leg {
            self.deed(now, Deed::AttachAgent { leg, contact: id, agent, session: session.clone() });
        }
    }
}
