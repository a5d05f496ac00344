//! From the chat to the telephone in the same contact: the customer who waits would rather be called, or the agent calls
//! the customer who writes. From then on the contact is a callback, at the place of its original request.

use std::sync::Arc;

use crate::{
    contact::*,
    core::Core,
    event::{Receipt, Rejection},
    hours::callable,
    ids::*,
    output::{Deed, Fact, RevokeReason},
    reason::Reason,
    slots::Load,
    time::Timestamp,
    timers::Timer,
};

impl Core {
    /// The customer, in line or at an offer, would rather be called.
    pub(crate) fn chat_callback_chosen(
        &mut self,
        now: Timestamp,
        id: ContactId,
        number: String,
        number_key: String,
    ) -> Result<Receipt, Rejection> {
        let engaged = self.live_chat(id)?.open_segment().map(|segment| (segment.id, segment.state.clone()));
        if let Some(receipt) = self.may_be_called(&number_key)? {
            return Ok(receipt);
        }
        let open = callable(&self.config, now);
        let due = match (open.closed, open.next_open) {
            (None, _) => self.number_guard(now, &number_key).map(|due| (due, Reason::NumberInCall)),
            (Some(closed), Some(due)) => Some((due, Reason::Closed { closed: Box::new(closed), next_open: Some(due) })),
            (Some(closed), None) => return Err(Rejection::Closed { closed, next_open: None }),
        };
        match engaged {
            Some((segment, SegmentState::Offered { .. })) => {
                self.revoke_offer(now, id, segment, RevokeReason::Withdrawn);
            }
            Some(_) => return Err(Rejection::WrongState),
            None => {}
        }
        self.become_callback(now, id, number, number_key, ChatEnd::CalledBack);
        self.fact(id, now, Fact::CallbackPreferred);
        match due {
            Some((due, reason)) => self.schedule(now, id, due, reason),
            None => self.requeue(now, id, Reason::JustRequested),
        }
        self.deed(now, Deed::CloseChat { contact: id, by: ChatEnd::CalledBack });
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    /// The agent calls the customer of the chat: the number is dialled as soon as a trunk channel is granted, without
    /// the agent being asked again.
    pub(crate) fn chat_call_requested(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        id: ContactId,
        number: String,
        number_key: String,
    ) -> Result<Receipt, Rejection> {
        self.live_chat(id)?;
        let segment = self.segment_with(agent, id)?;
        if !matches!(segment.state, SegmentState::Connected { .. }) {
            return Err(Rejection::WrongState);
        }
        let segment = segment.id;
        if let Some(receipt) = self.may_be_called(&number_key)? {
            return Ok(receipt);
        }
        let open = callable(&self.config, now);
        if let Some(closed) = open.closed {
            return Err(Rejection::Closed { closed, next_open: open.next_open });
        }
        let dialled_now = self.floor.blocked.is_none() && self.number_guard(now, &number_key).is_none();
        if !dialled_now || !self.could_talk_instead(agent) {
            return Err(Rejection::WrongState);
        }
        let by = ChatEnd::Called { agent: agent.clone() };
        self.become_callback(now, id, number, number_key, by.clone());
        self.fact(id, now, Fact::ChatEnded { by: by.clone() });
        self.deed(now, Deed::LeaveChat { contact: id, segment, agent: agent.clone() });
        self.finish_segment(now, id, segment, SegmentEnd::Completed);
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.contact.preferred = Some(agent.clone());
            entry.contact.target = 0;
        }
        self.requeue(now, id, Reason::Escalated { by: agent.clone() });
        self.engage(now, id, agent.clone());
        self.deed(now, Deed::CloseChat { contact: id, by });
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    /// Whether a callback under this number may be made at all; a receipt if one waits already.
    fn may_be_called(&self, number_key: &str) -> Result<Option<Receipt>, Rejection> {
        if !self.config.callback.enabled {
            return Err(Rejection::NotEnabled);
        }
        Ok(self.by_number.get(number_key).map(|contact| Receipt::CallbackExists { contact }))
    }

    /// Whether the agent is free for a call once the chat in question is out of the hand.
    fn could_talk_instead(&self, agent: &AgentId) -> bool {
        let Some(desk) = self.agents.get(agent) else { return false };
        let load = self.load(desk);
        let without = Load { text: load.text.saturating_sub(1), ..load };
        desk.takes_contacts()
            && desk.earmark.is_none()
            && desk.reaches(Medium::Voice)
            && self.fits(desk, without, Medium::Voice)
    }

    /// The chat is over, the contact a callback; whoever calls places it in line or plans it.
    fn become_callback(&mut self, now: Timestamp, id: ContactId, number: String, number_key: String, by: ChatEnd) {
        self.leave_state(id);
        self.timers.cancel(&Timer::CustomerGone(id));
        self.timers.cancel(&Timer::ChatIdle(id));
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let contact = &mut entry.contact;
        contact.channel = Channel::Callback;
        contact.state = ContactState::Active { since: now };
        if contact.customer.number_key != number_key {
            let customer = Arc::make_mut(&mut contact.customer);
            (customer.number, customer.number_key) = (number, number_key.clone());
            customer.number_proven = false;
        }
        if let Some(chat) = contact.chat.as_deref_mut() {
            chat.ended = Some(by);
            chat.customer_away = None;
        }
        self.by_number.insert(&number_key, id);
        self.enter_state(now, id);
        self.save(id);
    }

    /// Whether this agent, before whom the call is put for the first time, is the one who asked for it.
    pub(crate) fn is_asked_for(&self, id: ContactId, agent: &AgentId) -> bool {
        let Some(entry) = self.contacts.get(&id) else { return false };
        if entry.contact.channel != Channel::Callback || entry.contact.target != 0 {
            return false;
        }
        let chat = entry.contact.chat.as_deref();
        matches!(chat.and_then(|chat| chat.ended.as_ref()), Some(ChatEnd::Called { agent: by }) if by == agent)
    }
}
