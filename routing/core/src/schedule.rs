//! Contacts that wait for a time instead of an agent: the next opening, the next attempt, the end of a guard time.

use crate::{
    config::{AtClosing, Closure, TenantConfig, Waiting},
    contact::*,
    core::Core,
    event::{Receipt, Rejection},
    hours::{callable, next_reason},
    ids::*,
    output::{Deed, Fact},
    reason::{ClosedReason, Reason},
    time::{Millis, Timestamp},
    timers::Timer,
    view::ClosurePreview,
};

/// When closed with no opening in sight, it is looked at again after this.
const CLOSED_RECHECK: Millis = Millis::from_secs(3600);
/// At closing time so many contacts are rescheduled in one turn; the next turn goes on.
const SWEEP_PER_TURN: usize = 256;

impl AtClosing {
    fn of(self, closed: &ClosedReason) -> Waiting {
        match closed {
            ClosedReason::Hours => self.hours,
            ClosedReason::Holiday { .. } => self.holiday,
            ClosedReason::Closure { .. } => self.closure,
        }
    }
}

/// Somebody in line on the telephone, by whoever's call, to whom nobody speaks or is about to.
fn waits_on_the_telephone(contact: &Contact) -> bool {
    let queued = matches!(contact.state, ContactState::Queued { .. });
    queued && contact.channel != Channel::Chat && contact.live_leg().is_some() && contact.third.is_none()
}

impl Core {
    /// Opening or closing time has come, or the hours themselves have changed.
    pub(crate) fn hours_edge(&mut self, now: Timestamp) {
        let open = callable(&self.config, now);
        let edge = if open.is_open() {
            open.closes_at
        } else {
            // Those in line may be kept at night and told on the holiday that begins at midnight.
            [open.next_open, next_reason(&self.config, now)].into_iter().flatten().min()
        };
        match edge {
            Some(at) => self.timers.set(Timer::HoursEdge, at),
            None => self.timers.cancel(&Timer::HoursEdge),
        }
        self.floor.open = open.is_open();
        let then = open.closed.as_ref().map(|closed| self.config.hours.at_closing.of(closed));
        self.floor.shut = then.is_some_and(|then| then != Waiting::Keep);
        if let Some(then) = then.filter(|then| *then != Waiting::Keep) {
            self.release_held();
            self.sweep_line(now, then);
            if let Some(closed) = self.emergency(now) {
                self.tell_callers(now, &closed);
            }
        } else {
            // Closed, but those in line are kept: who was told another time is left to it.
            if open.is_open() {
                self.wake_those_closed_out(now);
            }
            self.touch_all_buckets();
        }
    }

    /// Everybody still in line, but nobody who is on the line, is moved to the next opening or told that nobody calls.
    fn sweep_line(&mut self, now: Timestamp, then: Waiting) {
        let lines = self.floor.queues.values().flat_map(|queue| queue.line.iter());
        let waiting = lines
            .map(|place| place.contact)
            .filter(|id| self.contacts.get(id).is_some_and(|entry| !entry.contact.is_on_line()));
        let waiting: Vec<_> = waiting.take(SWEEP_PER_TURN + 1).collect();
        for &id in waiting.iter().take(SWEEP_PER_TURN) {
            self.turn_away(now, id, then);
        }
        if waiting.len() > SWEEP_PER_TURN {
            self.timers.set(Timer::HoursEdge, now);
        }
    }

    /// In an emergency nobody is left with the music: who waits on the telephone hears that it is closed, and the call ends.
    fn tell_callers(&mut self, now: Timestamp, closed: &Reason) {
        let lines = self.floor.queues.values().flat_map(|queue| queue.line.iter());
        let callers = lines
            .map(|place| place.contact)
            .filter(|id| self.contacts.get(id).is_some_and(|entry| waits_on_the_telephone(&entry.contact)));
        let callers: Vec<_> = callers.take(SWEEP_PER_TURN + 1).collect();
        for &id in callers.iter().take(SWEEP_PER_TURN) {
            self.tell_caller(now, id, closed.clone());
        }
        if callers.len() > SWEEP_PER_TURN {
            self.timers.set(Timer::HoursEdge, now);
        }
    }

    /// Why nobody is left in line on the telephone, if that is so: an emergency closure that does not keep them.
    fn emergency(&self, now: Timestamp) -> Option<Reason> {
        let open = callable(&self.config, now);
        let closed = open.closed.filter(|closed| matches!(closed, ClosedReason::Closure { .. }))?;
        let kept = self.config.hours.at_closing.of(&closed) == Waiting::Keep;
        (!kept).then(|| Reason::Closed { closed: Box::new(closed), next_open: open.next_open })
    }

    fn tell_caller(&mut self, now: Timestamp, id: ContactId, closed: Reason) {
        self.move_to(now, id, ContactState::Arriving { since: now }, closed);
        self.greet(now, id);
    }

    /// Whoever comes into line on the telephone while an emergency closure stands is told like those who were in it.
    pub(crate) fn tell_if_emergency(&mut self, now: Timestamp, id: ContactId) {
        if !self.contacts.get(&id).is_some_and(|entry| waits_on_the_telephone(&entry.contact)) {
            return;
        }
        if let Some(closed) = self.emergency(now) {
            self.tell_caller(now, id, closed);
        }
    }

    /// It was heard that it is closed. Who was called keeps the place or is told, as set; who called may call again.
    pub(crate) fn closing_words_heard(&mut self, now: Timestamp, id: ContactId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let (reason, called) = (contact.reason.clone(), contact.channel == Channel::Callback);
        let spoken = contact.running_attempt().is_some_and(|attempt| attempt.bridged_at.is_some());
        let result = if spoken { AttemptResult::Connected } else { AttemptResult::Cancelled };
        self.end_attempt(now, id, result, None);
        let then = callable(&self.config, now).closed.map(|closed| self.config.hours.at_closing.of(&closed));
        if called && then != Some(Waiting::Tell) {
            self.requeue(now, id, Reason::JustRequested);
            self.deed(now, Deed::NotifyCustomer { contact: id });
        } else {
            self.conclude(now, id, Outcome::Unsuccessful, reason);
        }
    }

    /// Open earlier than was thought: a closure was lifted, hours were widened.
    fn wake_those_closed_out(&mut self, now: Timestamp) {
        for &(due, id) in &self.floor.scheduled {
            let reason = self.contacts.get(&id).map(|entry| &entry.contact.reason);
            if due > now && matches!(reason, Some(Reason::Closed { .. })) {
                self.timers.set(Timer::ContactDue(id), now);
            }
        }
    }

    fn turn_away(&mut self, now: Timestamp, id: ContactId, then: Waiting) {
        match then {
            Waiting::Keep => {}
            Waiting::Reschedule => self.reschedule_closed(now, id),
            Waiting::Tell => {
                let open = callable(&self.config, now);
                let closed = open.closed.unwrap_or(ClosedReason::Hours);
                let reason = Reason::Closed { closed: Box::new(closed), next_open: open.next_open };
                self.close(now, id, Outcome::Unsuccessful, reason);
            }
        }
    }

    /// Whom a closure would find, and what would become of them.
    pub(crate) fn preview_closure(&self, closure: &Closure) -> ClosurePreview {
        let mut config = self.config.clone();
        config.hours.closure = Some(closure.clone());
        let then = config.hours.at_closing.closure;
        let (mut waiting, mut planned, mut callers, mut under_way) = (0, 0, 0, 0);
        for contact in self.contacts.any_order().map(|entry| &entry.contact) {
            match contact.state {
                _ if then != Waiting::Keep && waits_on_the_telephone(contact) => callers += 1,
                _ if contact.live_leg().is_some() => under_way += 1,
                ContactState::Queued { .. } => waiting += 1,
                ContactState::Scheduled { due } => {
                    planned += u32::from(due >= closure.since && closure.until.is_none_or(|until| due < until));
                }
                ContactState::Arriving { .. } | ContactState::Active { .. } => under_way += 1,
                ContactState::Closed { .. } => {}
            }
        }
        let next_open = callable(&config, closure.since).next_open;
        ClosurePreview { waiting, planned, callers, under_way, then, next_open }
    }

    pub(crate) fn reschedule_closed(&mut self, now: Timestamp, id: ContactId) {
        let open = callable(&self.config, now);
        let due = match (&open.closed, open.next_open) {
            (None, _) => now,
            (Some(_), Some(next)) => next,
            (Some(_), None) => now + CLOSED_RECHECK,
        };
        let closed = open.closed.unwrap_or(ClosedReason::Hours);
        let reason = Reason::Closed { closed: Box::new(closed), next_open: open.next_open };
        self.schedule(now, id, due, reason);
    }

    pub(crate) fn schedule(&mut self, now: Timestamp, id: ContactId, due: Timestamp, reason: Reason) {
        self.drop_channel(now, id);
        self.fact(id, now, Fact::Scheduled { due, reason: reason.clone() });
        self.move_to(now, id, ContactState::Scheduled { due }, reason);
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// A scheduled contact's time has come.
    pub(crate) fn contact_due(&mut self, now: Timestamp, id: ContactId) {
        self.settle_unknown(now, id);
        let Some(entry) = self.contacts.get(&id) else { return };
        let reason = match &entry.contact.reason {
            Reason::Closed { .. } | Reason::NumberInCall | Reason::ChosenTime => Reason::JustRequested,
            kept => kept.clone(),
        };
        let open = callable(&self.config, now);
        if open.is_open() != self.floor.open {
            // The clock was set: the edge of the hours was passed without its timer.
            self.hours_edge(now);
        }
        if let Some(closed) = open.closed {
            // Nobody is called outside hours; who had a time for then is kept for later at least.
            let then = self.config.hours.at_closing.of(&closed);
            self.turn_away(now, id, if then == Waiting::Tell { then } else { Waiting::Reschedule });
            return;
        }
        self.requeue(now, id, reason);
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// The guard time of an attempt that a crash left unknown is over.
    fn settle_unknown(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(attempt) = entry.contact.attempts.last_mut() else { return };
        if matches!(attempt.state, AttemptState::Unknown { until } if until <= now) {
            let result = AttemptResult::Interrupted;
            attempt.state = AttemptState::Ended { result };
            attempt.ended_at = Some(now);
            let attempt = attempt.id;
            self.fact(id, now, Fact::AttemptEnded { attempt, result, sip_status: None });
            self.save(id);
        }
    }

    /// After a failed attempt: another one after the spacing of its result and within hours, or the end.
    pub(crate) fn retry_or_close(&mut self, now: Timestamp, id: ContactId, result: AttemptResult) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let (attempts, once) = (contact.failed_attempts(), contact.channel != Channel::Callback);
        if result == AttemptResult::NotAllowed {
            self.close(now, id, Outcome::Unsuccessful, Reason::NumberNotAllowed);
            return;
        }
        let callback = &self.config.callback;
        if once || attempts >= callback.max_attempts.max(1) {
            self.close(now, id, Outcome::Unsuccessful, Reason::AttemptsExhausted { result });
            return;
        }
        let spacing = match result {
            AttemptResult::Busy => callback.busy_spacing,
            AttemptResult::NoAnswer | AttemptResult::NotConfirmed => callback.no_answer_spacing,
            _ => callback.failed_spacing,
        };
        let due = now + spacing.max(Millis(0));
        let then = callable(&self.config, due);
        let due = if then.is_open() { due } else { then.next_open.unwrap_or(due) };
        self.schedule(now, id, due, Reason::AttemptFailed { result, attempts });
    }

    pub(crate) fn closure_changed(&mut self, now: Timestamp, closure: Option<Closure>) -> Result<Receipt, Rejection> {
        self.config.hours.closure = closure;
        self.hours_edge(now);
        Ok(Receipt::Done)
    }

    /// A closure is declared and lifted by its own events; a configuration that names none leaves it standing.
    pub(crate) fn tenant_configured(&mut self, now: Timestamp, mut config: TenantConfig) -> Result<Receipt, Rejection> {
        config.hours.closure = config.hours.closure.or_else(|| self.config.hours.closure.take());
        self.config = config;
        self.rebuild_floor(now);
        self.hours_edge(now);
        Ok(Receipt::Done)
    }
}
