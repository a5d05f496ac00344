//! Times a customer may choose, and the gate before a line that has grown too long.
//!
//! A slot is a span of the callback window with room for so many callbacks. Nobody keeps a count of it: the callbacks
//! planned for it by choice are its bookings, so a slot can be neither overbooked nor leaked.

use crate::{
    config::{CheckAt, OverLimit, Slots},
    contact::*,
    core::Core,
    event::{Receipt, Rejection},
    hours::callable,
    ids::*,
    output::Deed,
    reason::Reason,
    time::{Millis, Timestamp},
    view::{GateView, SlotView, SubjectView},
};

/// At most so many slots are listed for one customer.
const SLOTS_LISTED: usize = 1_000;
/// Shortest slot there is: how far apart the grid's lines may be.
const SHORTEST_SLOT: Millis = Millis::from_secs(60);

impl Core {
    /// The slots a customer may choose now, soonest first; full ones are not among them.
    pub(crate) fn open_slots(&self, now: Timestamp) -> Vec<SlotView> {
        let Some(slots) = &self.config.callback.slots else { return Vec::new() };
        let (length, last) = (slots.length.max(SHORTEST_SLOT), now + slots.ahead);
        let mut found = Vec::new();
        let mut at = grid_after(now + slots.lead, length);
        while at <= last && found.len() < SLOTS_LISTED {
            let open = callable(&self.config, at);
            let Some(end) = open.closes_at.or(open.is_open().then_some(last + length)) else {
                // Closed: the first line of the grid in the next opening.
                let Some(next) = open.next_open else { break };
                at = grid_after(next, length);
                continue;
            };
            while at <= last && at + length <= end && found.len() < SLOTS_LISTED {
                let free = slots.capacity.saturating_sub(self.booked(at));
                if free > 0 {
                    found.push(SlotView { at, free });
                }
                at = at + length;
            }
            at = grid_after(end.max(at), length);
        }
        found
    }

    /// Callbacks planned for this slot by their customers' choice.
    fn booked(&self, slot: Timestamp) -> u32 {
        let planned = self.floor.scheduled.range((slot, ContactId(0))..=(slot, ContactId(u128::MAX)));
        let chosen =
            |id: ContactId| self.contacts.get(&id).is_some_and(|entry| entry.contact.reason == Reason::ChosenTime);
        planned.filter(|(_, id)| chosen(*id)).count() as u32
    }

    /// Whether one more callback fits into the slot.
    pub(crate) fn check_slot(&self, now: Timestamp, slot: Timestamp) -> Result<(), Rejection> {
        let Some(slots) = &self.config.callback.slots else { return Err(Rejection::NoSuchSlot) };
        let length = slots.length.max(SHORTEST_SLOT);
        let on_grid = grid_after(slot, length) == slot;
        let in_time = slot >= now + slots.lead && slot <= now + slots.ahead;
        if !on_grid || !in_time || !fits(self, slots, slot) {
            return Err(Rejection::NoSuchSlot);
        }
        if self.booked(slot) >= slots.capacity {
            return Err(Rejection::SlotFull);
        }
        Ok(())
    }

    /// The customer chooses a time, or (`slot` None) to be called as soon as possible after all. The place in line goes
    /// by the original request either way.
    pub(crate) fn time_chosen(
        &mut self,
        now: Timestamp,
        id: ContactId,
        slot: Option<Timestamp>,
    ) -> Result<Receipt, Rejection> {
        let contact = &self.contacts.get(&id).ok_or(Rejection::NoSuchContact)?.contact;
        let waits = matches!(contact.state, ContactState::Scheduled { .. } | ContactState::Queued { .. });
        // After a failed attempt, or while a number is guarded, the next try has a time of its own.
        let own = matches!(
            (&contact.state, &contact.reason),
            (ContactState::Scheduled { .. }, Reason::AttemptFailed { .. } | Reason::Interrupted | Reason::NumberInCall)
        );
        if contact.channel != Channel::Callback || !waits || own || contact.live_leg().is_some() {
            return Err(Rejection::WrongState);
        }
        match slot {
            Some(due) if contact.state == (ContactState::Scheduled { due }) && contact.reason == Reason::ChosenTime => {
            }
            Some(due) => {
                self.check_slot(now, due)?;
                self.schedule(now, id, due, Reason::ChosenTime);
            }
            None if matches!(contact.state, ContactState::Queued { .. }) => {}
            None => {
                self.requeue(now, id, Reason::JustRequested);
                self.deed(now, Deed::NotifyCustomer { contact: id });
            }
        }
        Ok(match self.contacts.get(&id).map(|entry| &entry.contact.state) {
            Some(ContactState::Scheduled { due }) => Receipt::CallbackScheduled { contact: id, due: *due },
            _ => Receipt::Done,
        })
    }

    /// What stands before somebody who asks about this subject now: None = the way is free.
    pub(crate) fn gate(&self, now: Timestamp, subject: &SubjectId) -> Option<GateView> {
        let gate = self.config.callback.gate.as_ref()?;
        let expected = self.expected_for(now, subject, Channel::Callback)?;
        let over = expected.p50() > gate.longest_wait;
        over.then(|| GateView { limit: gate.longest_wait, expected: expected.p50(), then: gate.then })
    }

    /// The gate at the submit: `accepted` if the customer has read how long it will take and wants it all the same.
    pub(crate) fn pass_gate(&self, now: Timestamp, subject: &SubjectId, accepted: bool) -> Result<(), Rejection> {
        let checked = self.config.callback.gate.as_ref().is_some_and(|gate| gate.check_at != CheckAt::Render);
        match self.gate(now, subject).filter(|_| checked) {
            Some(GateView { then: OverLimit::Notify, .. }) if accepted => Ok(()),
            Some(GateView { limit, expected, then }) => Err(Rejection::TooLong { limit, expected, then }),
            None => Ok(()),
        }
    }

    /// Every subject with its wait and what stands before it, for whoever is about to ask.
    pub(crate) fn view_subjects(&self, now: Timestamp) -> Vec<SubjectView> {
        let shown = self.config.callback.gate.as_ref().is_some_and(|gate| gate.check_at != CheckAt::Submit);
        let view = |subject: &crate::config::SubjectConfig| {
            let expected = self.expected_for(now, &subject.id, Channel::Callback);
            SubjectView {
                id: subject.id.clone(),
                name: subject.name.clone(),
                ewt: expected.map(|range| range.p50()),
                ewt_p90: expected.map(|range| range.p90()),
                gate: self.gate(now, &subject.id).filter(|_| shown),
            }
        };
        self.config.subjects.iter().map(view).collect()
    }
}

/// The whole slot lies within one opening of the callback window.
fn fits(core: &Core, slots: &Slots, slot: Timestamp) -> bool {
    let open = callable(&core.config, slot);
    open.is_open() && open.closes_at.is_none_or(|end| slot + slots.length.max(SHORTEST_SLOT) <= end)
}

/// The first line of the grid at or after `at`. The grid counts from 1970 in UTC, so a quarter of an hour is a quarter
/// of an hour on every wall clock there is.
fn grid_after(at: Timestamp, length: Millis) -> Timestamp {
    let over = at.as_millis().rem_euclid(length.0);
    if over == 0 { at } else { at + Millis(length.0 - over) }
}
