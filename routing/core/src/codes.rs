//! Which visit of a web page a call belongs to: known from the number that was lent for it, or by an access code that the
//! caller enters, or that the telephone sends by itself behind the number.

use std::sync::Arc;

use crate::{
    contact::*,
    core::{CodeEntry, Core},
    event::{Receipt, Rejection, Visit},
    ids::*,
    output::{Deed, Fact, PromptName},
    reason::Reason,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// How long a code may be looked up, or its prompt may last.
const CODE_LIMIT: Millis = Millis::from_secs(120);

impl Core {
    /// The greeting is over: who is not known yet is asked for a code where the number wants one, then come the choices.
    pub(crate) fn ask_caller(&mut self, now: Timestamp, id: ContactId) {
        match self.code_of(id) {
            // The telephone sent the code during the greeting, and it is being looked up.
            Some(code) if code.is_whole() => self.timers.set(Timer::AnnouncementGuard(id), now + CODE_LIMIT),
            Some(_) => self.ask_code(now, id, &[PromptName::EnterCode]),
            None => self.tell_choices(now, id, &[PromptName::Menu]),
        }
    }

    fn code_of(&mut self, id: ContactId) -> Option<&mut CodeEntry> {
        self.contacts.get_mut(&id)?.arrival.as_mut()?.code.as_mut()
    }

    fn ask_code(&mut self, now: Timestamp, id: ContactId, words: &[PromptName]) {
        let Some(leg) = self.contacts.get(&id).and_then(|entry| entry.contact.live_leg()) else { return };
        self.timers.cancel(&Timer::MenuChoice(id));
        self.timers.set(Timer::AnnouncementGuard(id), now + CODE_LIMIT);
        self.say(now, leg, id, words.to_vec(), true);
    }

    /// One more digit; the last one has the code looked up.
    pub(crate) fn code_digit(&mut self, now: Timestamp, id: ContactId, digit: char) {
        let greeted = self.is_greeted(id);
        let Some(leg) = self.contacts.get(&id).and_then(|entry| entry.contact.live_leg()) else { return };
        let Some(code) = self.code_of(id) else { return };
        if !digit.is_ascii_digit() || code.is_whole() || code.failed >= code.asked.tries {
            return;
        }
        code.entered.push(digit);
        if !code.is_whole() {
            return;
        }
        let (number, code) = (code.number.clone(), code.entered.clone());
        if greeted {
            self.timers.cancel(&Timer::MenuChoice(id));
            self.timers.set(Timer::AnnouncementGuard(id), now + CODE_LIMIT);
        }
        self.deed(now, Deed::CheckCode { leg, number, code });
    }

    fn is_greeted(&self, id: ContactId) -> bool {
        let attempt = self.contacts.get(&id).and_then(|entry| entry.contact.running_attempt());
        attempt.is_some_and(|attempt| attempt.announcement.is_some())
    }

    pub(crate) fn code_checked(
        &mut self,
        now: Timestamp,
        leg: LegId,
        visit: Option<Visit>,
    ) -> Result<Receipt, Rejection> {
        let id = self.legs.get(&leg).map(|owner| owner.contact).ok_or(Rejection::NoSuchContact)?;
        let greeted = self.is_greeted(id);
        if !self.code_of(id).is_some_and(|code| code.is_whole()) {
            return Err(Rejection::WrongState);
        }
        match visit {
            Some(visit) => {
                self.match_visit(now, id, visit, true);
                if greeted {
                    self.timers.cancel(&Timer::AnnouncementGuard(id));
                    self.join_line(now, id);
                }
            }
            None if greeted => self.code_failed(now, id),
            None => {
                // Asked for anew when the greeting is over.
                if let Some(code) = self.code_of(id) {
                    code.entered.clear();
                    code.failed += 1;
                }
            }
        }
        Ok(Receipt::Done)
    }

    /// A code that is unknown, or was not entered in time.
    pub(crate) fn code_failed(&mut self, now: Timestamp, id: ContactId) {
        let Some(code) = self.code_of(id) else { return };
        code.entered.clear();
        code.failed = code.failed.saturating_add(1);
        match code.failed >= code.asked.tries {
            true => self.ask_code(now, id, &[PromptName::CodeFailed]),
            false => self.ask_code(now, id, &[PromptName::CodeWrong, PromptName::EnterCode]),
        }
    }

    /// The last word has been said.
    pub(crate) fn turn_away_codeless(&mut self, now: Timestamp, id: ContactId) {
        self.end_attempt(now, id, AttemptResult::Cancelled, None);
        self.close(now, id, Outcome::Unsuccessful, Reason::CodeUnknown);
    }

    /// Subject, priority and what the agent sees follow the visit; menu and code are skipped.
    pub(crate) fn match_visit(&mut self, now: Timestamp, id: ContactId, visit: Visit, by_code: bool) {
        let place = visit.subject.as_ref().and_then(|subject| self.subject_asked(Some(subject)).ok());
        self.leave_state(id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        if let Some((subject, queue, priority)) = place {
            (entry.contact.subject, entry.contact.queue, entry.contact.priority) = (subject, queue, priority);
        }
        let caller = &entry.contact.customer;
        let (number, number_key) = (caller.number.clone(), caller.number_key.clone());
        let language = match visit.customer.language.as_str() {
            "" => caller.language.clone(),
            _ => visit.customer.language.clone(),
        };
        entry.contact.customer = Arc::new(Customer { number, number_key, language, ..visit.customer });
        if let Some(arrival) = entry.arrival.as_mut() {
            (arrival.menu, arrival.code) = (None, None);
        }
        self.enter_state(now, id);
        self.save(id);
        self.fact(id, now, Fact::VisitFound { by_code });
    }
}

impl CodeEntry {
    fn is_whole(&self) -> bool {
        self.entered.len() >= usize::from(self.asked.digits.max(1))
    }
}
