//! What callers press and are told while no agent speaks with them: the menu before the line, the place and the expected
//! wait in it, and the key that turns the call into a callback.

use std::sync::Arc;

use crate::{
    contact::*,
    core::Core,
    hours::callable,
    ids::*,
    output::{Deed, Fact, PromptName},
    reason::Reason,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// The key that turns a call in line into a callback.
const CALLBACK_DIGIT: char = '1';
/// No text is longer than this.
const WORDS_LIMIT: Millis = Millis::from_secs(120);
/// Expected waits above this are not told in minutes: nobody can rely on them.
const LONGEST_TOLD: Millis = Millis::from_secs(99 * 60);

impl Core {
    /// Tells the choices of the number that was called, after other words perhaps; without any, or told often enough, the
    /// caller comes in line.
    pub(crate) fn tell_choices(&mut self, now: Timestamp, id: ContactId, words: &[PromptName]) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(leg) = entry.contact.live_leg() else { return };
        let Some(arrival) = entry.arrival.as_mut() else { return };
        let left = arrival.menu.as_ref().is_some_and(|menu| !menu.choices.is_empty() && arrival.told < menu.tries);
        self.timers.cancel(&Timer::MenuChoice(id));
        if !left {
            self.timers.cancel(&Timer::AnnouncementGuard(id));
            self.join_line(now, id);
            return;
        }
        arrival.told += 1;
        self.timers.set(Timer::AnnouncementGuard(id), now + WORDS_LIMIT);
        self.say(now, leg, id, words.to_vec(), true);
    }

    /// What was asked has been heard; from here on the caller has so long.
    pub(crate) fn words_heard(&mut self, now: Timestamp, id: ContactId) {
        let Some(arrival) = self.contacts.get(&id).and_then(|entry| entry.arrival.as_ref()) else { return };
        let timeout = match (&arrival.code, &arrival.menu) {
            (Some(code), _) if code.failed >= code.asked.tries => {
                self.turn_away_codeless(now, id);
                return;
            }
            (Some(code), _) => code.asked.timeout,
            (None, Some(menu)) => menu.timeout,
            (None, None) => Millis(0),
        };
        self.timers.set(Timer::MenuChoice(id), now + timeout.max(Millis(1)));
    }

    pub(crate) fn nothing_pressed(&mut self, now: Timestamp, id: ContactId) {
        match self.contacts.get(&id).and_then(|entry| entry.arrival.as_ref()) {
            Some(arrival) if arrival.code.is_some() => self.code_failed(now, id),
            _ => self.tell_choices(now, id, &[PromptName::Menu]),
        }
    }

    /// True when the key meant something to a caller who is in the menu or in line.
    pub(crate) fn arrival_pressed(&mut self, now: Timestamp, id: ContactId, digit: char) -> bool {
        let Some(entry) = self.contacts.get(&id) else { return false };
        if entry.contact.channel != Channel::Call {
            return false;
        }
        match entry.contact.state {
            ContactState::Arriving { .. } => {
                match &entry.arrival {
                    // Whoever hears that it is closed has nothing to choose.
                    _ if matches!(entry.contact.reason, Reason::Closed { .. }) => {}
                    Some(arrival) if arrival.code.is_some() => self.code_digit(now, id, digit),
                    Some(arrival) if arrival.told > 0 => self.choose(now, id, digit),
                    _ => {}
                }
                true
            }
            ContactState::Queued { .. } if digit == CALLBACK_DIGIT && self.may_call_back(now, id) => {
                self.prefer_callback(now, id);
                true
            }
            _ => false,
        }
    }

    fn choose(&mut self, now: Timestamp, id: ContactId, digit: char) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let menu = entry.arrival.as_ref().and_then(|arrival| arrival.menu.as_ref());
        let choice = menu.and_then(|menu| menu.choices.iter().find(|choice| choice.digit == digit)).cloned();
        let Some(choice) = choice else {
            self.tell_choices(now, id, &[PromptName::MenuWrong, PromptName::Menu]);
            return;
        };
        let place = choice.subject.as_ref().and_then(|subject| self.subject_asked(Some(subject)).ok());
        self.leave_state(id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        if let Some((subject, queue, priority)) = place {
            (entry.contact.subject, entry.contact.queue, entry.contact.priority) = (subject, queue, priority);
        }
        if let Some(language) = choice.language {
            Arc::make_mut(&mut entry.contact.customer).language = language.as_str().into();
        }
        let (subject, language) = (entry.contact.subject.clone(), entry.contact.customer.language.as_str().to_owned());
        if let Some(arrival) = entry.arrival.as_mut().filter(|_| choice.subject.is_none()) {
            // Another language is no wrong key.
            arrival.told = arrival.told.saturating_sub(1);
        }
        self.enter_state(now, id);
        self.save(id);
        self.fact(id, now, Fact::Chosen { digit, subject, language });
        if choice.subject.is_none() {
            self.tell_choices(now, id, &[PromptName::Menu]);
            return;
        }
        self.timers.cancel(&Timer::MenuChoice(id));
        self.timers.cancel(&Timer::AnnouncementGuard(id));
        self.join_line(now, id);
    }

    /// Place, expected wait and what else the caller may do, over the music.
    pub(crate) fn announce_wait(&mut self, now: Timestamp, id: ContactId) {
        self.timers.set(Timer::AnnounceWait(id), now + self.config.inbound.announce_every.max(Millis::from_secs(1)));
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let (Some(leg), Some(position)) = (contact.live_leg(), self.position(contact)) else { return };
        let expected = self.expected(now, contact, position).map(|forecast| forecast.range.p90());
        let mut words = match position {
            1 => vec![PromptName::NextInLine],
            _ => [vec![PromptName::Position], digits(position)].concat(),
        };
        if let Some(wait) = expected.filter(|wait| *wait <= LONGEST_TOLD) {
            words.push(PromptName::ExpectedWait);
            words.extend(digits(u32::try_from(wait.0 / 60_000).unwrap_or(0) + 1));
        }
        if self.may_call_back(now, id) {
            words.push(PromptName::CallbackOffer);
        }
        self.say(now, leg, id, words, true);
    }

    /// Whether this caller can be called back: the tenant does it, the number may be dialled and nobody waits under it.
    fn may_call_back(&self, now: Timestamp, id: ContactId) -> bool {
        let Some(entry) = self.contacts.get(&id) else { return false };
        let (offered, number_key) = (self.config.inbound.offer_callback, &entry.contact.customer.number_key);
        let known = entry.arrival.as_ref().is_some_and(|arrival| arrival.callable) && !number_key.is_empty();
        offered
            && known
            && self.config.callback.enabled
            && self.by_number.get(number_key).is_none()
            && self.number_guard(now, number_key).is_none()
            && (callable(&self.config, now).is_open() || !self.floor.shut)
    }

    /// From this moment on the contact is a callback, whatever becomes of the call: the caller hears so.
    fn prefer_callback(&mut self, now: Timestamp, id: ContactId) {
        self.leave_state(id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(leg) = entry.contact.live_leg() else { return };
        entry.contact.channel = Channel::Callback;
        entry.contact.state = ContactState::Arriving { since: now };
        let number_key = entry.contact.customer.number_key.clone();
        self.by_number.insert(&number_key, id);
        self.enter_state(now, id);
        self.save(id);
        self.fact(id, now, Fact::CallbackPreferred);
        self.timers.set(Timer::AnnouncementGuard(id), now + WORDS_LIMIT);
        self.play(now, leg, id, PromptName::CallbackKept, false, true);
    }

    /// A callback on the line with the house: the caller who pressed the key hears the farewell.
    pub(crate) fn prefers_callback(&self, contact: &Contact) -> bool {
        contact.channel == Channel::Callback && matches!(contact.state, ContactState::Arriving { .. })
    }

    /// The farewell is over, or the caller did not wait for its end: in line as a callback, at the old place.
    pub(crate) fn farewell_over(&mut self, now: Timestamp, id: ContactId) {
        let reason = self.contacts.get(&id).map(|entry| &entry.contact.reason);
        if matches!(reason, Some(Reason::Closed { .. })) {
            self.closing_words_heard(now, id);
            return;
        }
        self.end_attempt(now, id, AttemptResult::Cancelled, None);
        self.requeue(now, id, Reason::JustRequested);
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    pub(crate) fn say(&mut self, now: Timestamp, leg: LegId, id: ContactId, words: Vec<PromptName>, then_tell: bool) {
        let Some(language) = self.spoken_to(id) else { return };
        self.deed(now, Deed::PlayWords { leg, words, language, then_tell });
    }
}

/// A number as its digits, one by one.
fn digits(number: u32) -> Vec<PromptName> {
    number.to_string().bytes().map(|digit| PromptName::Digit(digit - b'0')).collect()
}
