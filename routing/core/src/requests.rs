//! What the customer asks for: a callback, another number, never mind.

use std::{mem, sync::Arc};

use crate::{
    contact::*,
    core::{ChannelHold, Core, Entry},
    event::{CallbackRequest, CancelledBy, Receipt, Rejection},
    hours::callable,
    ids::*,
    output::{Deed, Fact, RevokeReason},
    reason::Reason,
    time::Timestamp,
    wait::WaitRange,
};

/// More languages than this have their words one by one.
const LANGUAGES_KEPT: usize = 256;

impl Core {
    pub(crate) fn callback_requested(
        &mut self,
        now: Timestamp,
        request: CallbackRequest,
    ) -> Result<Receipt, Rejection> {
        if !self.config.callback.enabled {
            return Err(Rejection::NotEnabled);
        }
        let (subject, queue, priority) = self.subject_asked(request.subject.as_ref())?;
        if let Some(contact) = self.by_number.get(&request.customer.number_key) {
            return Ok(Receipt::CallbackExists { contact });
        }
        if self.contacts.len() >= self.config.limits.max_open_contacts {
            return Err(Rejection::Full);
        }
        let (state, reason) = self.first_state(now, &subject, &request)?;
        let preferred = request.preferred.filter(|_| self.config.policy.sticky.enabled);
        let id = ContactId(self.ids.mint(now));
        self.by_number.insert(&request.customer.number_key, id);
        let customer = Arc::new(request.customer);
        let contact = Contact {
            state: state.clone(),
            target: u8::from(preferred.is_none()),
            preferred,
            status_token_digest: request.status_token_digest.map(Into::into),
            reason: reason.clone(),
            ..self.begun(now, (id, Channel::Callback), customer, (subject, queue, priority))
        };
        self.admit(now, contact);
        let (position, expected) = self.capture_place(id);
        let (ewt, ewt_p90) = (expected.map(WaitRange::p50), expected.map(WaitRange::p90));
        self.fact(id, now, Fact::Requested { position, ewt, ewt_p90, config_version: self.config.version });
        if let ContactState::Scheduled { due } = state {
            self.fact(id, now, Fact::Scheduled { due, reason });
            return Ok(Receipt::CallbackScheduled { contact: id, due });
        }
        Ok(Receipt::CallbackQueued { contact: id, position, ewt, ewt_p90 })
    }

    /// A contact as it begins, in line and with nothing behind it.
    pub(crate) fn begun(
        &self,
        now: Timestamp,
        (id, channel): (ContactId, Channel),
        customer: Arc<Customer>,
        (subject, queue, priority): (SubjectId, QueueId, u8),
    ) -> Contact {
        Contact {
            id,
            channel,
            state: ContactState::Queued { since: now },
            customer,
            queue,
            subject,
            priority,
            target: 1,
            widen_at: None,
            preferred: None,
            requested_at: now,
            status_token_digest: None,
            segments: Vec::new(),
            attempts: Vec::new(),
            cool_off: Default::default(),
            position_when_requested: 0,
            ewt_when_requested: None,
            first_wait: None,
            config_version: self.config.version,
            reason: Reason::JustRequested,
            closed_at: None,
            chat: None,
            third: None,
            third_end: None,
            over: None,
        }
    }

    /// Where a new request begins: in line, or planned for a time.
    fn first_state(
        &self,
        now: Timestamp,
        subject: &SubjectId,
        request: &CallbackRequest,
    ) -> Result<(ContactState, Reason), Rejection> {
        if let Some(due) = request.slot {
            self.check_slot(now, due)?;
            return Ok((ContactState::Scheduled { due }, Reason::ChosenTime));
        }
        let open = callable(&self.config, now);
        match (open.closed, open.next_open) {
            (None, _) => {
                self.pass_gate(now, subject, request.accept_wait)?;
                Ok(match self.number_guard(now, &request.customer.number_key) {
                    Some(due) => (ContactState::Scheduled { due }, Reason::NumberInCall),
                    None => (ContactState::Queued { since: now }, Reason::JustRequested),
                })
            }
            (Some(closed), Some(due)) if request.when_open => {
                Ok((ContactState::Scheduled { due }, Reason::Closed { closed: Box::new(closed), next_open: Some(due) }))
            }
            (Some(closed), next_open) => Err(Rejection::Closed { closed, next_open }),
        }
    }

    pub(crate) fn subject_asked(&self, asked: Option<&SubjectId>) -> Result<(SubjectId, QueueId, u8), Rejection> {
        let subject = match asked {
            Some(id) => self.config.subject(id),
            None => self.config.subjects.first(),
        };
        let subject = subject.ok_or(Rejection::NoSuchSubject)?;
        let first = || self.config.queues.first().map(|queue| queue.id.clone());
        let queue = Some(subject.queue.clone()).filter(|queue| self.config.queue(queue)).or_else(first);
        Ok((subject.id.clone(), queue.ok_or(Rejection::NoSuchSubject)?, subject.priorities.initial))
    }

    /// Takes a contact into memory and its indexes.
    pub(crate) fn admit(&mut self, now: Timestamp, mut contact: Contact) {
        let id = contact.id;
        // Thousands speak the same few languages: one word for all of them.
        match self.languages.get(&contact.customer.language) {
            Some(known) => Arc::make_mut(&mut contact.customer).language = known.clone(),
            None if self.languages.len() < LANGUAGES_KEPT => {
                self.languages.insert(contact.customer.language.clone());
            }
            None => {}
        }
        if let Some(link) = contact.status_token_digest.as_deref().filter(|_| contact.chat.is_some()) {
            self.by_link.insert(link, id);
        }
        let entry = Entry { contact, channel: ChannelHold::None, bucket: 0, confirmed: false, arrival: None };
        self.contacts.insert(id, Box::new(entry));
        self.enter_state(now, id);
        self.note_first_wait(now, id);
        self.save(id);
    }

    /// Position and expected wait at the request, into the record: the position is where the contact stands or, when
    /// scheduled, would stand.
    pub(crate) fn capture_place(&mut self, id: ContactId) -> (u32, Option<WaitRange>) {
        let Some(entry) = self.contacts.get(&id) else { return (0, None) };
        let waiting = self.floor.queues.get(&entry.contact.queue).map_or(0, |queue| queue.line.len() as u32);
        let position = self.position(&entry.contact).unwrap_or(waiting + 1);
        let expected = entry.contact.first_wait.and_then(|wait| wait.forecast).map(|forecast| forecast.range);
        let signed_in = self.floor.signed_in;
        let idle = self.floor.buckets[entry.bucket].free.is_empty();
        let Some(entry) = self.contacts.get_mut(&id) else { return (0, None) };
        (entry.contact.position_when_requested, entry.contact.ewt_when_requested) =
            (position, expected.map(WaitRange::p50));
        if idle && entry.contact.reason == Reason::JustRequested {
            entry.contact.reason = Reason::NoAgentReady { signed_in };
        }
        (position, expected)
    }

    pub(crate) fn callback_cancelled(
        &mut self,
        now: Timestamp,
        id: ContactId,
        by: CancelledBy,
    ) -> Result<Receipt, Rejection> {
        let entry = self.contacts.get(&id).ok_or(Rejection::NoSuchContact)?;
        let contact = &entry.contact;
        if contact.channel == Channel::Chat {
            return Err(Rejection::WrongState);
        }
        // Back in line on the telephone after an agent was lost, the customer may still go.
        let talking = contact.open_segment().is_some_and(|segment| {
            matches!(segment.state, SegmentState::Connected { .. } | SegmentState::AgentLost { .. })
        });
        let wrapping = matches!(contact.state, ContactState::Active { .. }) && !self.may_be_dialled(contact);
        if talking || wrapping || contact.third.is_some() {
            return Err(Rejection::WrongState);
        }
        let segment = contact.open_segment().map(|segment| (segment.id, segment.state.clone()));
        match segment {
            Some((segment, SegmentState::Offered { .. })) => {
                self.revoke_offer(now, id, segment, RevokeReason::CustomerCancelled);
            }
            Some((segment, _)) => {
                self.end_attempt(now, id, AttemptResult::Cancelled, None);
                self.finish_segment(now, id, segment, SegmentEnd::Revoked);
            }
            None => {}
        }
        if self.contacts.get(&id).is_some_and(|entry| entry.contact.running_attempt().is_some()) {
            self.end_attempt(now, id, AttemptResult::Cancelled, None);
        }
        let reason = match by {
            CancelledBy::Customer => Reason::CustomerCancelled,
            CancelledBy::Administrator => Reason::AdministratorCancelled,
        };
        self.conclude(now, id, Outcome::Cancelled, reason);
        Ok(Receipt::Done)
    }

    pub(crate) fn may_be_dialled(&self, contact: &Contact) -> bool {
        self.by_number.get(&contact.customer.number_key) == Some(contact.id)
    }

    pub(crate) fn number_changed(
        &mut self,
        now: Timestamp,
        id: ContactId,
        number: String,
        number_key: String,
    ) -> Result<Receipt, Rejection> {
        let entry = self.contacts.get_mut(&id).ok_or(Rejection::NoSuchContact)?;
        let waits = matches!(entry.contact.state, ContactState::Scheduled { .. } | ContactState::Queued { .. });
        if !waits || entry.contact.is_on_line() {
            return Err(Rejection::WrongState);
        }
        // Somebody already waits under the new number: two contacts may never dial the same one.
        if self.by_number.get(&number_key).is_some_and(|other| other != id) {
            return Err(Rejection::WrongState);
        }
        let customer = Arc::make_mut(&mut entry.contact.customer);
        let old = mem::replace(&mut customer.number_key, number_key.clone());
        customer.number = number;
        customer.number_proven = false;
        self.by_number.remove(&old);
        self.by_number.insert(&number_key, id);
        // A channel was asked for under the old number.
        self.drop_channel(now, id);
        self.list_contact(id);
        self.save(id);
        self.fact(id, now, Fact::NumberChanged);
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    /// Ends the contact and takes it out of memory. Its segments and attempts are over already.
    pub(crate) fn close(&mut self, now: Timestamp, id: ContactId, outcome: Outcome, reason: Reason) {
        self.drop_channel(now, id);
        self.leave_state(id);
        let Some(entry) = self.contacts.remove(&id) else { return };
        let mut contact = entry.contact;
        if self.may_be_dialled(&contact) {
            self.by_number.remove(&contact.customer.number_key);
        }
        if let Some(link) = contact.status_token_digest.as_deref().filter(|_| contact.chat.is_some()) {
            self.by_link.remove(link);
        }
        self.guard_number(now, &mut contact);
        contact.state = ContactState::Closed { outcome };
        contact.reason = reason.clone();
        contact.closed_at = Some(now);
        self.outbox.contacts.remove(&id);
        self.outbox.closed.insert(id, Box::new(contact));
        self.fact(id, now, Fact::Closed { outcome, reason });
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }
}
