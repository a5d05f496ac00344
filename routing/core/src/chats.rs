//! What is only a chat's own: no leg and no trunk channel, a customer who may close the window, an end that either side
//! may make, and the way to another queue. Line, match, offer and wrap-up are those of every contact.

use crate::{
    agent::Endpoint,
    contact::*,
    core::Core,
    event::{ChatRequest, Receipt, Rejection, TransferTarget},
    hours::openness,
    ids::*,
    offers::Miss,
    output::{Deed, Fact, RevokeReason},
    reason::Reason,
    time::{Millis, Timestamp},
    timers::Timer,
    transfer::Destination,
    wait::WaitRange,
};

impl Core {
    pub(crate) fn is_chat(&self, id: ContactId) -> bool {
        self.contacts.get(&id).is_some_and(|entry| entry.contact.channel == Channel::Chat)
    }

    pub(crate) fn chat_requested(&mut self, now: Timestamp, request: ChatRequest) -> Result<Receipt, Rejection> {
        if !self.config.chat.enabled {
            return Err(Rejection::NotEnabled);
        }
        let link = request.status_token_digest.as_deref();
        if let Some(contact) = link.and_then(|link| self.by_link.get(link)) {
            return Ok(self.chat_again(now, contact));
        }
        let (subject, queue, priority) = self.subject_asked(request.subject.as_ref())?;
        if self.contacts.len() >= self.config.limits.max_open_contacts {
            return Err(Rejection::Full);
        }
        let open = openness(&self.config, now);
        if let Some(closed) = open.closed {
            return Err(Rejection::Closed { closed, next_open: open.next_open });
        }
        let preferred = request.preferred.filter(|_| self.config.policy.sticky.enabled);
        let id = ContactId(self.ids.mint(now));
        let customer = request.customer.into();
        let contact = Contact {
            target: u8::from(preferred.is_none()),
            preferred,
            status_token_digest: request.status_token_digest.map(Into::into),
            chat: Some(Box::default()),
            ..self.begun(now, (id, Channel::Chat), customer, (subject, queue, priority))
        };
        self.admit(now, contact);
        let (position, expected) = self.capture_place(id);
        let (ewt, ewt_p90) = (expected.map(WaitRange::p50), expected.map(WaitRange::p90));
        self.fact(id, now, Fact::Requested { position, ewt, ewt_p90, config_version: self.config.version });
        Ok(Receipt::ChatQueued { contact: id, position, ewt })
    }

    /// The answer to a request that was taken before: its asker was told of a failure and tried again.
    fn chat_again(&self, now: Timestamp, contact: ContactId) -> Receipt {
        let view = self.view_status(now, contact);
        let (position, ewt) = view.map_or((None, None), |view| (view.position, view.ewt));
        Receipt::ChatQueued { contact, position: position.unwrap_or(1), ewt }
    }

    /// A chat that has not ended.
    pub(crate) fn live_chat(&self, id: ContactId) -> Result<&Contact, Rejection> {
        let contact = &self.contacts.get(&id).ok_or(Rejection::NoSuchContact)?.contact;
        match &contact.chat {
            Some(chat) if chat.ended.is_none() => Ok(contact),
            _ => Err(Rejection::WrongState),
        }
    }

    fn chat_mut(&mut self, id: ContactId) -> Option<&mut Chat> {
        self.contacts.get_mut(&id)?.contact.chat.as_deref_mut()
    }

    pub(crate) fn chat_activity(&mut self, now: Timestamp, id: ContactId) -> Result<Receipt, Rejection> {
        self.live_chat(id)?;
        self.watch_idle(now, id);
        Ok(Receipt::Done)
    }

    /// The chat in hand ends when nobody writes from here on.
    fn watch_idle(&mut self, now: Timestamp, id: ContactId) {
        let segment = self.contacts.get(&id).and_then(|entry| entry.contact.open_segment());
        if segment.is_some_and(|segment| matches!(segment.state, SegmentState::Connected { .. })) {
            self.timers.set(Timer::ChatIdle(id), now + self.config.chat.idle_timeout.max(Millis(1)));
        }
    }

    pub(crate) fn customer_gone(&mut self, now: Timestamp, id: ContactId) -> Result<Receipt, Rejection> {
        let contact = self.live_chat(id)?;
        if contact.chat.as_ref().is_some_and(|chat| chat.customer_away.is_some()) {
            return Ok(Receipt::Done);
        }
        let grace = self.config.chat.reconnect_grace;
        if grace <= Millis(0) {
            self.end_chat(now, id, ChatEnd::Gone);
        } else {
            self.await_customer(now, id, now + grace);
        }
        Ok(Receipt::Done)
    }

    fn await_customer(&mut self, now: Timestamp, id: ContactId, until: Timestamp) {
        if let Some(chat) = self.chat_mut(id) {
            chat.customer_away = Some(until);
        }
        self.timers.set(Timer::CustomerGone(id), until);
        self.save(id);
        self.fact(id, now, Fact::CustomerGone { until });
    }

    pub(crate) fn customer_back(&mut self, now: Timestamp, id: ContactId) -> Result<Receipt, Rejection> {
        self.live_chat(id)?;
        let away = self.chat_mut(id).and_then(|chat| chat.customer_away.take());
        if away.is_some() {
            self.timers.cancel(&Timer::CustomerGone(id));
            self.save(id);
            self.fact(id, now, Fact::CustomerBack);
        }
        Ok(Receipt::Done)
    }

    /// The agent accepted: no dialling, no announcement, the two can write.
    pub(crate) fn connect_chat(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, session: SessionId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(found) = entry.contact.segment_mut(segment) else { return };
        found.accepted_at = Some(now);
        found.connected_at = Some(now);
        found.state = SegmentState::Connected { since: now };
        found.endpoint = Endpoint::Browser { session };
        let agent = found.agent.clone();
        self.floor.touched_agents.insert(agent.clone());
        self.watch_idle(now, id);
        self.save(id);
        self.fact(id, now, Fact::OfferAccepted { segment, agent: agent.clone() });
        self.fact(id, now, Fact::ChatConnected { segment, agent: agent.clone() });
        self.deed(now, Deed::OpenChat { contact: id, segment, agent });
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    pub(crate) fn chat_ended(&mut self, now: Timestamp, id: ContactId, by: ChatEnd) -> Result<Receipt, Rejection> {
        self.live_chat(id)?;
        if let ChatEnd::Agent { agent } = &by {
            let segment = self.segment_with(agent, id)?;
            if !matches!(segment.state, SegmentState::Connected { .. }) {
                return Err(Rejection::WrongState);
            }
        }
        self.end_chat(now, id, by);
        Ok(Receipt::Done)
    }

    /// Nobody writes any more. Who was in the chat wraps up; a chat nobody was in is closed.
    pub(crate) fn end_chat(&mut self, now: Timestamp, id: ContactId, by: ChatEnd) {
        let Ok(contact) = self.live_chat(id) else { return };
        let engaged = contact.open_segment().map(|segment| (segment.id, segment.state.clone()));
        if let Some(chat) = self.chat_mut(id) {
            chat.ended = Some(by.clone());
            chat.customer_away = None;
        }
        self.timers.cancel(&Timer::CustomerGone(id));
        self.save(id);
        self.fact(id, now, Fact::ChatEnded { by: by.clone() });
        self.deed(now, Deed::CloseChat { contact: id, by: by.clone() });
        self.deed(now, Deed::NotifyCustomer { contact: id });
        match engaged {
            Some((segment, SegmentState::Connected { .. })) => {
                self.fact(id, now, Fact::ConversationEnded { segment });
                self.begin_wrap_up(now, id, segment);
            }
            Some((segment, _)) => {
                self.revoke_offer(now, id, segment, RevokeReason::CustomerCancelled);
                self.conclude_unserved(now, id, &by);
            }
            None => self.conclude_unserved(now, id, &by),
        }
    }

    /// A chat that ended in line or at an offer; an agent who passed it on may still wrap up, and closes it then.
    fn conclude_unserved(&mut self, now: Timestamp, id: ContactId, by: &ChatEnd) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let (outcome, reason) = match by {
            ChatEnd::NobodyFree => {
                let waited = now.since(entry.contact.requested_at);
                (Outcome::Unsuccessful, Reason::NobodyFree { waited })
            }
            _ => (Outcome::Abandoned, Reason::CustomerLeft),
        };
        if entry.contact.segments.iter().all(Segment::is_done) {
            self.close(now, id, outcome, reason);
            return;
        }
        if let Some(chat) = self.chat_mut(id) {
            chat.outcome = Some(outcome);
        }
        self.move_to(now, id, ContactState::Active { since: now }, reason);
    }

    pub(crate) fn transfer_chat(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        id: ContactId,
        to: TransferTarget,
    ) -> Result<Receipt, Rejection> {
        self.live_chat(id)?;
        let segment = self.segment_with(agent, id)?;
        if !matches!(segment.state, SegmentState::Connected { .. }) {
            return Err(Rejection::WrongState);
        }
        let segment = segment.id;
        let Destination { queue, preferred, subject } = self.destination(id, &to)?;
        self.fact(id, now, Fact::Transferred { segment, from: agent.clone(), to });
        self.deed(now, Deed::LeaveChat { contact: id, segment, agent: agent.clone() });
        self.leave_state(id);
        let reason = Reason::Transferred { from: agent.clone() };
        // Who passes a chat on is not offered it at once again.
        let until = now + self.aftermath_in(id, Miss::Rejected).cool_off;
        let Some(entry) = self.contacts.get_mut(&id) else { return Err(Rejection::NoSuchContact) };
        entry.contact.queue = queue;
        if let Some((subject, priority)) = subject {
            (entry.contact.subject, entry.contact.priority) = (subject, priority);
        }
        entry.contact.target = u8::from(preferred.is_none());
        (entry.contact.preferred, entry.contact.widen_at) = (preferred, None);
        entry.contact.cool_off.insert(agent.clone(), until);
        entry.contact.state = ContactState::Queued { since: now };
        entry.contact.reason = reason.clone();
        self.enter_state(now, id);
        self.fact(id, now, Fact::Queued { reason });
        self.begin_wrap_up(now, id, segment);
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    /// The queue in which this agent can be waited for: the present one if possible.
    pub(crate) fn queue_with(&self, agent: &AgentId, present: &QueueId) -> Result<QueueId, Rejection> {
        let served = &self.agents.get(agent).ok_or(Rejection::NoSuchAgent)?.config.queues;
        let known = served.iter().filter(|queue| self.config.queue(queue));
        let found = known.clone().find(|queue| *queue == present).or_else(|| known.clone().next());
        found.cloned().ok_or(Rejection::NoSuchQueue)
    }

    /// The agent's browser did not come back: the customer, still there, is back in line at the old place.
    pub(crate) fn agent_left_chat(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        let found = self.contacts.get(&id).and_then(|entry| entry.contact.segment(segment));
        let Some(found) = found.filter(|found| matches!(found.state, SegmentState::Connected { .. })) else { return };
        let agent = found.agent.clone();
        if self.agents.get(&agent).is_some_and(|desk| desk.record.session.is_some()) {
            return;
        }
        self.fact(id, now, Fact::AgentLost { segment, agent: agent.clone() });
        self.deed(now, Deed::LeaveChat { contact: id, segment, agent: agent.clone() });
        self.give_up_agent(now, id, segment);
        self.take_back(now, id, Reason::AgentLost { agent });
    }

    /// After a restart: a chat in hand goes on with its agent, who like the customer has a grace time to come back.
    pub(crate) fn resume_chat(&mut self, now: Timestamp, id: ContactId, until: Timestamp) {
        self.await_customer(now, id, until);
        self.watch_idle(now, id);
        let held = self.contacts.get(&id).and_then(|entry| entry.contact.open_segment());
        let Some((segment, agent)) = held.map(|segment| (segment.id, segment.agent.clone())) else { return };
        if let Some(desk) = self.agents.get_mut(&agent) {
            desk.hand.push((id, segment));
        }
        self.start_grace(now, &agent);
        self.floor.touched_agents.insert(agent);
    }
}
