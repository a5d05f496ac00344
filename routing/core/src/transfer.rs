//! A call passed on without asking: back in line, with the customer on the telephone and the place of the first request,
//! for another queue, another subject or one agent. Who passes it on wraps up meanwhile.

use crate::{
    contact::*,
    core::Core,
    event::{Receipt, Rejection, TransferTarget},
    ids::*,
    offers::Miss,
    output::{Deed, Fact, PromptName},
    reason::Reason,
    time::Timestamp,
};

/// Customer and agent in conversation: the ends a transfer starts from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) segment: SegmentId,
    pub(crate) agent_leg: LegId,
    pub(crate) customer: LegId,
}

/// Where a contact waits after a transfer.
pub(crate) struct Destination {
    pub(crate) queue: QueueId,
    pub(crate) preferred: Option<AgentId>,
    /// Another matter, with its priority.
    pub(crate) subject: Option<(SubjectId, u8)>,
}

impl Core {
    /// The call this agent has with the customer, with nobody else in it.
    pub(crate) fn talk(&self, agent: &AgentId, id: ContactId) -> Result<Talk, Rejection> {
        let found = self.segment_with(agent, id)?;
        let contact = &self.contacts.get(&id).ok_or(Rejection::NoSuchContact)?.contact;
        match (&found.state, found.leg, contact.live_leg()) {
            (SegmentState::Connected { .. }, Some(agent_leg), Some(customer)) if contact.third.is_none() => {
                Ok(Talk { segment: found.id, agent_leg, customer })
            }
            _ => Err(Rejection::WrongState),
        }
    }

    pub(crate) fn transfer_call(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        id: ContactId,
        to: TransferTarget,
        note: Option<String>,
    ) -> Result<Receipt, Rejection> {
        let talk = self.talk(agent, id)?;
        let Destination { queue, preferred, subject } = self.destination(id, &to)?;
        if preferred.as_ref() == Some(agent) {
            return Err(Rejection::WrongState);
        }
        let segment = talk.segment;
        self.fact(id, now, Fact::Transferred { segment, from: agent.clone(), to });
        self.note_handover(id, segment, note);
        if !self.end_hold(now, id, segment, false) {
            self.deed(now, Deed::Unbridge { a: talk.customer, b: talk.agent_leg });
            self.play(now, talk.customer, id, PromptName::HoldMusic, true, false);
        }
        self.detach_agent(now, id, segment);
        self.leave_state(id);
        let reason = Reason::Transferred { from: agent.clone() };
        // Who passes a call on is not offered it at once again.
        let until = now + self.aftermath_in(id, Miss::Rejected).cool_off;
        let Some(entry) = self.contacts.get_mut(&id) else { return Err(Rejection::NoSuchContact) };
        let contact = &mut entry.contact;
        contact.queue = queue;
        if let Some((subject, priority)) = subject {
            (contact.subject, contact.priority) = (subject, priority);
        }
        contact.target = u8::from(preferred.is_none());
        (contact.preferred, contact.widen_at) = (preferred, None);
        contact.cool_off.insert(agent.clone(), until);
        contact.state = ContactState::Queued { since: now };
        contact.reason = reason.clone();
        self.enter_state(now, id);
        self.fact(id, now, Fact::Queued { reason });
        self.begin_wrap_up(now, id, segment);
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    /// The queue, and for whom in it.
    pub(crate) fn destination(&self, id: ContactId, to: &TransferTarget) -> Result<Destination, Rejection> {
        let present = &self.contacts.get(&id).ok_or(Rejection::NoSuchContact)?.contact.queue;
        match to {
            TransferTarget::Queue { queue } if self.config.queue(queue) => {
                Ok(Destination { queue: queue.clone(), preferred: None, subject: None })
            }
            TransferTarget::Queue { .. } => Err(Rejection::NoSuchQueue),
            TransferTarget::Agent { agent } => Ok(Destination {
                queue: self.queue_with(agent, present)?,
                preferred: Some(agent.clone()),
                subject: None,
            }),
            TransferTarget::Subject { subject } => {
                let (subject, queue, priority) = self.subject_asked(Some(subject))?;
                Ok(Destination { queue, preferred: None, subject: Some((subject, priority)) })
            }
        }
    }

    /// What whoever is next should know; shown with the contact.
    pub(crate) fn note_handover(&mut self, id: ContactId, segment: SegmentId, note: Option<String>) {
        let found = self.contacts.get_mut(&id).and_then(|entry| entry.contact.segment_mut(segment));
        if let Some((found, note)) = found.zip(note) {
            found.handover = Some(note);
            self.save(id);
        }
    }

    /// The contact is over. Agents who passed it on may still wrap up; it closes after the last of them.
    pub(crate) fn conclude(&mut self, now: Timestamp, id: ContactId, outcome: Outcome, reason: Reason) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        if entry.contact.segments.iter().all(Segment::is_done) {
            self.close(now, id, outcome, reason);
            return;
        }
        entry.contact.over = Some(outcome);
        let number_key = entry.contact.customer.number_key.clone();
        if self.by_number.get(&number_key) == Some(id) {
            self.by_number.remove(&number_key);
        }
        self.move_to(now, id, ContactState::Active { since: now }, reason);
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }
}
