//! Calls that come in: answered by the house, greeted, told that we are closed or put in line. From there on a caller is a
//! customer who waits on the telephone, like one whose agent was lost.

use crate::{
    config::DialledNumber,
    contact::*,
    core::{Arrival, ChannelHold, CodeEntry, Core, LegOwner, Side},
    event::{CallArrival, Receipt, Rejection},
    hours::openness,
    ids::*,
    output::{Deed, Fact, MarkKind, PromptName, RefusalReason},
    reason::{ClosedReason, Reason},
    time::{Millis, Timestamp},
    timers::Timer,
};

/// How long signalling may take to say that our answer has arrived, or that it has not: 32 s for the acknowledgement
/// (RFC 3261, 13.3.1.4) and some for the way.
const ANSWER_LIMIT: Millis = Millis::from_secs(40);
/// No greeting and no message is longer than this.
const GREETING_LIMIT: Millis = Millis::from_secs(120);

impl Core {
    pub(crate) fn call_arrived(&mut self, now: Timestamp, call: CallArrival) -> Result<Receipt, Rejection> {
        let leg = call.leg;
        if self.legs.contains_key(&leg) {
            return Err(Rejection::WrongState);
        }
        let number = self.config.inbound.numbers.iter().find(|number| number.number == call.number).cloned();
        let Some(number) = number else {
            self.deed(now, Deed::RefuseLeg { leg, why: RefusalReason::NoSuchNumber });
            return Ok(Receipt::Done);
        };
        if self.contacts.len() >= self.config.limits.max_open_contacts {
            self.deed(now, Deed::RefuseLeg { leg, why: RefusalReason::Full });
            return Ok(Receipt::Done);
        }
        let Ok((subject, queue, priority)) = self.subject_asked(Some(&number.subject)) else {
            self.deed(now, Deed::RefuseLeg { leg, why: RefusalReason::NoSuchNumber });
            return Ok(Receipt::Done);
        };
        let open = openness(&self.config, now);
        let reason = match open.closed {
            Some(closed) => Reason::Closed { closed: Box::new(closed), next_open: open.next_open },
            None => Reason::JustRequested,
        };
        let (id, attempt) = (ContactId(self.ids.mint(now)), AttemptId(self.ids.mint(now)));
        let (trunk, number_key) = (call.trunk.clone(), call.customer.number_key.clone());
        let customer = self.greeted_in(call.customer, &number).into();
        let contact = Contact {
            state: ContactState::Arriving { since: now },
            attempts: vec![incoming(now, attempt, leg, call.trunk)],
            reason,
            ..self.begun(now, (id, Channel::Call), customer, (subject, queue, priority))
        };
        self.legs.insert(leg, LegOwner { contact: id, side: Side::Customer });
        self.admit(now, contact);
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.channel = ChannelHold::Held { trunk };
            let code = number.code.clone().map(|asked| CodeEntry {
                asked,
                number: number.number.clone(),
                entered: String::new(),
                failed: 0,
            });
            let arrival = Arrival { menu: number.menu, told: 0, code, callable: call.callable };
            entry.arrival = Some(Box::new(arrival));
        }
        self.timers.set(Timer::RingGuard(id), now + ANSWER_LIMIT);
        let (position, _) = self.capture_place(id);
        let config_version = self.config.version;
        self.fact(id, now, Fact::Requested { position, ewt: None, ewt_p90: None, config_version });
        self.fact(id, now, Fact::Arrived { attempt, leg, number: number.number });
        if let Some(visit) = call.visit {
            self.match_visit(now, id, visit, false);
        }
        self.deed(now, Deed::AnswerLeg { leg, contact: id, number_key });
        Ok(Receipt::Done)
    }

    /// The caller hears us: the greeting with the notice that the call is recorded, or why nobody can take it.
    pub(crate) fn greet(&mut self, now: Timestamp, id: ContactId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let Some(leg) = contact.live_leg() else { return };
        let words = match &contact.reason {
            Reason::Closed { closed, .. } => match **closed {
                ClosedReason::Closure { .. } => PromptName::Closure,
                ClosedReason::Hours | ClosedReason::Holiday { .. } => PromptName::Closed,
            },
            _ => PromptName::Greeting,
        };
        self.timers.set(Timer::AnnouncementGuard(id), now + GREETING_LIMIT);
        self.play(now, leg, id, words, false, true);
        self.deed(now, Deed::Mark { leg, mark: MarkKind::Announcement, begin: true });
    }

    /// What an arriving caller was told has been heard to its end.
    pub(crate) fn arrival_heard(&mut self, now: Timestamp, id: ContactId, heard: Option<String>) {
        if self.timers.get(&Timer::AnnouncementGuard(id)).is_none() {
            return;
        }
        self.timers.cancel(&Timer::AnnouncementGuard(id));
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let closed = matches!(entry.contact.reason, Reason::Closed { .. });
        if entry.contact.channel == Channel::Callback && !closed {
            self.farewell_over(now, id);
            return;
        }
        let Some(attempt) = entry.contact.running_attempt_mut() else { return };
        if attempt.announcement.is_some() && !closed {
            self.words_heard(now, id);
            return;
        }
        let prompt = heard.unwrap_or_else(|| "greeting".to_owned());
        // Who was in line already when it closed keeps what was announced first.
        attempt.announcement.get_or_insert_with(|| (prompt.clone(), now));
        let (leg, attempt) = (attempt.leg, attempt.id);
        self.save(id);
        self.fact(id, now, Fact::Announced { attempt, prompt });
        self.deed(now, Deed::Mark { leg, mark: MarkKind::Announcement, begin: false });
        if closed {
            self.closing_words_heard(now, id);
            return;
        }
        self.ask_caller(now, id);
    }

    /// From the greeting into the line, at the place of the moment the call came in.
    pub(crate) fn join_line(&mut self, now: Timestamp, id: ContactId) {
        let Some(leg) = self.contacts.get(&id).and_then(|entry| entry.contact.live_leg()) else { return };
        self.requeue(now, id, Reason::JustRequested);
        self.capture_place(id);
        // In an emergency there are other words already.
        if self.contacts.get(&id).is_some_and(|entry| matches!(entry.contact.state, ContactState::Queued { .. })) {
            self.play(now, leg, id, PromptName::HoldMusic, true, false);
        }
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// Nothing is known of a caller's language: it is the number's, or the tenant's.
    fn greeted_in(&self, customer: Customer, number: &DialledNumber) -> Customer {
        let language = match (customer.language.as_str(), &number.language) {
            ("", Some(language)) => language.as_str().into(),
            ("", None) => self.config.language.as_str().into(),
            _ => customer.language.clone(),
        };
        Customer { language, ..customer }
    }
}

/// The caller's own dialog, as the only attempt there is.
fn incoming(now: Timestamp, id: AttemptId, leg: LegId, trunk: TrunkId) -> Attempt {
    Attempt {
        id,
        ordinal: 1,
        leg,
        trunk,
        segment: None,
        state: AttemptState::Live,
        dialled_at: now,
        ringing_at: None,
        answered_at: None,
        bridged_at: None,
        ended_at: None,
        announcement: None,
        position_when_dialled: 0,
        ewt_when_dialled: None,
    }
}
