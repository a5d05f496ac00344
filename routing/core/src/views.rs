//! Read-only answers for pages.

use crate::{
    contact::*,
    core::{Core, Desk},
    hours::callable,
    ids::*,
    reason::Reason,
    time::Timestamp,
    view::*,
    wait::WaitRange,
};

impl Core {
    pub(crate) fn view_availability(&self, now: Timestamp) -> Availability {
        let open = callable(&self.config, now);
        let first = self.config.subjects.first();
        let expected = first.and_then(|subject| self.expected_for(now, &subject.id, Channel::Callback));
        Availability {
            enabled: self.config.callback.enabled,
            open: open.is_open(),
            closed: open.closed,
            next_open: open.next_open,
            closes_at: open.closes_at,
            waiting: self.waiting(),
            ewt: expected.map(WaitRange::p50),
            ewt_p90: expected.map(WaitRange::p90),
            subjects: self.view_subjects(now),
        }
    }

    fn waiting(&self) -> u32 {
        self.floor.queues.values().map(|queue| queue.line.len() as u32).sum()
    }

    pub(crate) fn view_status(&self, now: Timestamp, id: ContactId) -> Option<StatusView> {
        let contact = &self.contacts.get(&id)?.contact;
        let position = match contact.state {
            ContactState::Queued { .. } => self.position(contact),
            _ => None,
        };
        let expected = position.and_then(|position| self.expected(now, contact, position));
        let expected = expected.map(|forecast| forecast.range);
        let (ewt, ewt_p90) = (expected.map(WaitRange::p50), expected.map(WaitRange::p90));
        Some(StatusView { contact: Contact::clone(contact), position, ewt, ewt_p90, stage: stage(contact) })
    }

    pub(crate) fn view_agent(&self, id: &AgentId) -> Option<AgentView> {
        let desk = self.agents.get(id)?;
        let contacts = desk.hand.iter().filter_map(|(contact, _)| self.contacts.get(contact));
        let (presence, reason) = self.presence(desk);
        Some(AgentView {
            id: id.clone(),
            name: desk.config.name.clone(),
            presence,
            since: desk.shown_since,
            reason,
            next: desk.record.next.clone(),
            auto_return_at: desk.record.auto_return_at,
            session: desk.record.session.clone(),
            health: desk.record.health,
            can_reject: desk.config.can_reject,
            voice_slots: desk.config.voice_slots,
            chat_slots: desk.config.chat_slots,
            contacts: contacts.map(|entry| Contact::clone(&entry.contact)).collect(),
        })
    }

    pub(crate) fn view_board(&self, now: Timestamp, limit: usize) -> BoardView {
        let queues = self.config.queues.iter().filter_map(|queue| {
            let line = self.floor.queues.get(&queue.id)?;
            Some(QueueView {
                id: queue.id.clone(),
                name: queue.name.clone(),
                waiting: line.line.len() as u32,
                scheduled: line.scheduled,
                active: line.active,
                longest_wait: line.line.oldest().map(|oldest| now.since(oldest)),
            })
        });
        let agents = self.agents.iter().map(|(id, desk)| self.board_agent(id, desk));
        BoardView {
            at: now,
            availability: self.view_availability(now),
            queues: queues.collect(),
            agents: agents.collect(),
            waiting: self.view_waiting(limit),
            waiting_total: self.waiting() + self.floor.scheduled.len() as u32,
        }
    }

    fn board_agent(&self, id: &AgentId, desk: &Desk) -> BoardAgent {
        let (presence, reason) = self.presence(desk);
        BoardAgent {
            id: id.clone(),
            name: desk.config.name.clone(),
            presence,
            since: desk.shown_since,
            reason,
            contacts: desk.hand.iter().map(|(contact, _)| *contact).collect(),
        }
    }

    /// The heads of all lines merged, then those whose time is still to come.
    fn view_waiting(&self, limit: usize) -> Vec<WaitingContact> {
        let heads = self.floor.queues.values().flat_map(|queue| queue.line.iter().take(limit));
        let mut places: Vec<_> = heads.collect();
        places.sort_unstable();
        let scheduled = self.floor.scheduled.iter().map(|(_, id)| *id);
        let order = places.into_iter().map(|place| place.contact).chain(scheduled).take(limit);
        order.filter_map(|id| self.waiting_contact(&self.contacts.get(&id)?.contact)).collect()
    }

    fn waiting_contact(&self, contact: &Contact) -> Option<WaitingContact> {
        Some(WaitingContact {
            id: contact.id,
            channel: contact.channel,
            state: contact.state.clone(),
            name: contact.customer.name.clone(),
            number: contact.customer.number.clone(),
            queue: contact.queue.clone(),
            subject: contact.subject.clone(),
            requested_at: contact.requested_at,
            position: self.position(contact),
            attempts: contact.attempts.len() as u32,
            why: self.why_waiting(contact),
        })
    }

    /// The reason on record, unless the plain truth of this moment says more.
    fn why_waiting(&self, contact: &Contact) -> Reason {
        let stale = matches!(contact.reason, Reason::JustRequested | Reason::NoAgentReady { .. });
        if !stale || !matches!(contact.state, ContactState::Queued { .. }) {
            return contact.reason.clone();
        }
        if self.floor.blocked.is_some() {
            return Reason::NoFreeChannel;
        }
        Reason::NoAgentReady { signed_in: self.floor.signed_in }
    }
}

/// The callback's life in the customer's words.
pub fn stage(contact: &Contact) -> Stage {
    // Whoever hears the announcement does not talk to anybody yet.
    let on_line =
        contact.live_leg().is_some() && contact.running_attempt().is_some_and(|attempt| attempt.bridged_at.is_some());
    match &contact.state {
        ContactState::Scheduled { .. } if contact.attempts.is_empty() => Stage::Scheduled,
        ContactState::Scheduled { .. } => Stage::Retrying,
        ContactState::Arriving { .. } => Stage::Waiting,
        ContactState::Queued { .. } if on_line => Stage::Talking,
        ContactState::Queued { .. } => Stage::Waiting,
        ContactState::Closed { outcome: Outcome::Successful } => Stage::Successful,
        ContactState::Closed { outcome: Outcome::Cancelled } => Stage::Cancelled,
        ContactState::Closed { .. } => Stage::Unsuccessful,
        ContactState::Active { .. } if on_line => Stage::Talking,
        ContactState::Active { .. } => match contact.open_segment().map(|segment| &segment.state) {
            Some(SegmentState::Offered { .. }) => Stage::AgentFound,
            Some(SegmentState::WrapUp { .. }) | None => Stage::Successful,
            Some(_) if contact.channel == Channel::Chat => Stage::Talking,
            Some(_) => match contact.running_attempt() {
                Some(attempt) if attempt.ringing_at.or(attempt.answered_at).is_some() => Stage::Ringing,
                _ => Stage::Calling,
            },
        },
    }
}
