//! Reaching the customer: dialling, ringing, the announcement, the confirmation; and what a failed attempt leads to.

use crate::{
    contact::*,
    core::{ChannelHold, Core, LegOwner, Side},
    event::{Receipt, Rejection},
    ids::*,
    output::{Deed, Fact, MarkKind, Party, PromptName, RevokeReason},
    reason::Reason,
    third::ThirdEnd,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// Past the ring timeout, how long signalling may take to say how the call failed.
pub(crate) const RING_MARGIN: Millis = Millis::from_secs(15);
/// No announcement is longer than this.
const ANNOUNCEMENT_LIMIT: Millis = Millis::from_secs(120);
/// The digit that confirms a person.
const CONFIRM_DIGIT: char = '1';
/// How long a finished leg's recording is waited for.
const RECORDING_WAIT: Millis = Millis::from_secs(600);

impl Core {
    /// Places the customer's leg on the channel that was reserved before the offer.
    pub(crate) fn dial(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, agent_leg: LegId) {
        let (attempt, leg) = (AttemptId(self.ids.mint(now)), LegId(self.ids.mint(now)));
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let ChannelHold::Held { trunk } = entry.channel.clone() else { return };
        let contact = &mut entry.contact;
        let ordinal = contact.attempts.last().map_or(0, |last| last.ordinal) + 1;
        let found = contact.segment(segment);
        let (position, ewt) =
            found.map_or((1, None), |segment| (segment.position_when_offered, segment.ewt_when_offered));
        contact.attempts.push(Attempt {
            id: attempt,
            ordinal,
            leg,
            trunk: trunk.clone(),
            segment: Some(segment),
            state: AttemptState::Dialling,
            dialled_at: now,
            ringing_at: None,
            answered_at: None,
            bridged_at: None,
            ended_at: None,
            announcement: None,
            position_when_dialled: position,
            ewt_when_dialled: ewt,
        });
        entry.confirmed = false;
        let number = contact.customer.number.clone();
        self.legs.insert(leg, LegOwner { contact: id, side: Side::Customer });
        let ring_timeout = self.config.callback.ring_timeout;
        self.timers.set(Timer::RingGuard(id), now + ring_timeout + RING_MARGIN);
        self.save(id);
        self.fact(id, now, Fact::Dialled { attempt, leg, ordinal, position, ewt });
        self.play(now, agent_leg, id, PromptName::Ringback, true, false);
        self.deed(now, Deed::PlaceLeg { leg, attempt, contact: id, trunk, number, ring_timeout });
    }

    pub(crate) fn leg_rerouted(&mut self, leg: LegId, trunk: TrunkId) -> Result<Receipt, Rejection> {
        let id = self.customer_leg(leg).ok_or(Rejection::NoSuchContact)?;
        let attempt = self.running(id).ok_or(Rejection::WrongState)?;
        if attempt.state != AttemptState::Dialling || attempt.ringing_at.is_some() {
            return Err(Rejection::WrongState);
        }
        attempt.trunk = trunk.clone();
        if let Some(entry) = self.contacts.get_mut(&id)
            && let ChannelHold::Held { trunk: held } = &mut entry.channel
        {
            *held = trunk;
        }
        self.save(id);
        Ok(Receipt::Done)
    }

    pub(crate) fn leg_ringing(&mut self, now: Timestamp, leg: LegId) -> Result<Receipt, Rejection> {
        if self.outside_rings(now, leg) {
            return Ok(Receipt::Done);
        }
        let id = self.customer_leg(leg).ok_or(Rejection::NoSuchContact)?;
        let attempt = self.running(id).ok_or(Rejection::WrongState)?;
        if attempt.state != AttemptState::Dialling || attempt.ringing_at.is_some() {
            return Ok(Receipt::Done);
        }
        attempt.ringing_at = Some(now);
        let attempt = attempt.id;
        self.save(id);
        self.fact(id, now, Fact::Ringing { attempt });
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    pub(crate) fn leg_answered(&mut self, now: Timestamp, leg: LegId) -> Result<Receipt, Rejection> {
        if self.outside_answers(now, leg) {
            return Ok(Receipt::Done);
        }
        let Some(id) = self.customer_leg(leg) else {
            if self.legs.contains_key(&leg) {
                // An agent's own: nothing of it rings.
                return Err(Rejection::WrongState);
            }
            // Answered while being cancelled: nobody is left to talk to.
            self.deed(now, Deed::ReleaseLeg { leg });
            return Ok(Receipt::Done);
        };
        let attempt = self.running(id).ok_or(Rejection::WrongState)?;
        if attempt.answered_at.is_some() {
            return Ok(Receipt::Done);
        }
        attempt.state = AttemptState::Live;
        attempt.answered_at = Some(now);
        let (attempt, inbound) = (attempt.id, attempt.is_inbound());
        self.timers.cancel(&Timer::RingGuard(id));
        self.save(id);
        self.fact(id, now, Fact::Answered { attempt });
        self.start_recording(now, id, leg, Party::Customer);
        if inbound {
            self.greet(now, id);
        } else {
            self.proceed(now, id);
        }
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    /// The next step of a live leg whose agent is connecting: announcement, confirmation, bridge.
    pub(crate) fn proceed(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let Some(attempt) = entry.contact.running_attempt() else { return };
        let leg = attempt.leg;
        // Who called needs no proof of being a person, and an agent who calls hears for themselves.
        let dialled = !attempt.is_inbound() && entry.contact.channel != Channel::Outbound;
        let asks = self.config.callback.press_one && dialled;
        let confirm = asks && !entry.confirmed && attempt.bridged_at.is_none();
        if attempt.announcement.is_none() {
            self.timers.set(Timer::AnnouncementGuard(id), now + ANNOUNCEMENT_LIMIT);
            self.play(now, leg, id, PromptName::Announcement, false, true);
            self.deed(now, Deed::Mark { leg, mark: MarkKind::Announcement, begin: true });
        } else if confirm {
            self.timers.set(Timer::PressOne(id), now + self.config.callback.press_one_timeout);
            self.play(now, leg, id, PromptName::PressOne, false, false);
        } else {
            self.bridge(now, id);
        }
    }

    pub(crate) fn prompt_finished(
        &mut self,
        now: Timestamp,
        leg: LegId,
        heard: Option<String>,
    ) -> Result<Receipt, Rejection> {
        if let Some(id) = self.third_leg(leg) {
            self.code_told(now, id);
            return Ok(Receipt::Done);
        }
        let id = self.customer_leg(leg).ok_or(Rejection::NoSuchContact)?;
        let Some(entry) = self.contacts.get_mut(&id) else { return Err(Rejection::NoSuchContact) };
        if matches!(entry.contact.state, ContactState::Arriving { .. }) {
            self.arrival_heard(now, id, heard);
            return Ok(Receipt::Done);
        }
        let connecting = entry.contact.open_segment().map(|segment| segment.state.clone());
        match connecting {
            Some(SegmentState::Connecting { .. }) => {}
            // The words that the agent was lost are over; the customer waits on.
            Some(SegmentState::AgentLost { .. } | SegmentState::Offered { .. }) | None => {
                self.play(now, leg, id, PromptName::HoldMusic, true, false);
                return Ok(Receipt::Done);
            }
            Some(_) => return Ok(Receipt::Done),
        }
        let Some(attempt) = entry.contact.running_attempt_mut() else { return Err(Rejection::WrongState) };
        if attempt.state != AttemptState::Live || attempt.announcement.is_some() {
            return Ok(Receipt::Done);
        }
        let prompt = heard.unwrap_or_else(|| "announcement".to_owned());
        attempt.announcement = Some((prompt.clone(), now));
        let attempt = attempt.id;
        self.timers.cancel(&Timer::AnnouncementGuard(id));
        self.save(id);
        self.fact(id, now, Fact::Announced { attempt, prompt });
        self.deed(now, Deed::Mark { leg, mark: MarkKind::Announcement, begin: false });
        self.proceed(now, id);
        Ok(Receipt::Done)
    }

    pub(crate) fn dtmf_received(&mut self, now: Timestamp, leg: LegId, digit: char) -> Result<Receipt, Rejection> {
        if let Some(id) = self.third_leg(leg) {
            self.code_told(now, id);
            return Ok(Receipt::Done);
        }
        let id = self.customer_leg(leg).ok_or(Rejection::NoSuchContact)?;
        if self.arrival_pressed(now, id, digit) {
            return Ok(Receipt::Done);
        }
        if digit == CONFIRM_DIGIT && self.timers.get(&Timer::PressOne(id)).is_some() {
            self.timers.cancel(&Timer::PressOne(id));
            if let Some(entry) = self.contacts.get_mut(&id) {
                entry.confirmed = true;
            }
            self.deed(now, Deed::StopPrompt { leg });
            self.proceed(now, id);
        }
        Ok(Receipt::Done)
    }

    /// Nobody pressed 1: a machine, most likely.
    pub(crate) fn not_confirmed(&mut self, now: Timestamp, id: ContactId) {
        self.attempt_failed(now, id, AttemptResult::NotConfirmed, None);
    }

    /// The announcement's end was never told; without it nobody is bridged.
    pub(crate) fn announcement_guard(&mut self, now: Timestamp, id: ContactId) {
        self.attempt_failed(now, id, AttemptResult::Failed, None);
    }

    /// Signalling never said how the call went.
    pub(crate) fn ring_guard(&mut self, now: Timestamp, id: ContactId) {
        self.attempt_failed(now, id, AttemptResult::NoAnswer, None);
    }

    pub(crate) fn leg_failed(
        &mut self,
        now: Timestamp,
        leg: LegId,
        result: AttemptResult,
        sip_status: Option<u16>,
    ) -> Result<Receipt, Rejection> {
        if let Some(id) = self.third_leg(leg) {
            self.third_gone(now, id, ThirdEnd::Failed { result });
            return Ok(Receipt::Done);
        }
        let id = self.customer_leg(leg).ok_or(Rejection::NoSuchContact)?;
        let attempt = self.running(id).ok_or(Rejection::WrongState)?;
        if attempt.answered_at.is_some() {
            return self.leg_ended(now, leg);
        }
        // Whatever signalling calls it: an attempt that came to an end unanswered was no connection and no wish of ours.
        let result = if result.counts() { result } else { AttemptResult::Failed };
        self.attempt_failed(now, id, result, sip_status);
        Ok(Receipt::Done)
    }

    /// The attempt is over, its agent is free at once without wrap-up, and the contact is tried again or closed.
    pub(crate) fn attempt_failed(
        &mut self,
        now: Timestamp,
        id: ContactId,
        result: AttemptResult,
        sip_status: Option<u16>,
    ) {
        if self.contacts.get(&id).is_some_and(|entry| self.prefers_callback(&entry.contact)) {
            self.farewell_over(now, id);
            return;
        }
        self.end_attempt(now, id, result, sip_status);
        let segment = self.contacts.get(&id).and_then(|entry| entry.contact.open_segment()).map(|segment| segment.id);
        if let Some(segment) = segment {
            self.finish_segment(now, id, segment, SegmentEnd::AttemptFailed);
        }
        self.retry_or_close(now, id, result);
    }

    pub(crate) fn leg_ended(&mut self, now: Timestamp, leg: LegId) -> Result<Receipt, Rejection> {
        let owner = *self.legs.get(&leg).ok_or(Rejection::NoSuchContact)?;
        let id = owner.contact;
        let contact = &self.contacts.get(&id).ok_or(Rejection::NoSuchContact)?.contact;
        match owner.side {
            Side::Agent(segment) => {
                self.agent_leg_gone(now, id, segment);
                return Ok(Receipt::Done);
            }
            Side::Third => {
                self.third_gone(now, id, ThirdEnd::Left);
                return Ok(Receipt::Done);
            }
            Side::Customer => {}
        }
        let attempt = contact.running_attempt().ok_or(Rejection::WrongState)?;
        let (dialling, bridged) = (attempt.state == AttemptState::Dialling, attempt.bridged_at.is_some());
        // Who called may hang up whenever they like: that is no attempt of ours that failed.
        let dialled = !bridged && !attempt.is_inbound();
        let segment = contact.open_segment().map(|segment| (segment.id, segment.state.clone()));
        if self.customer_leaves_third(now, id) {
            return Ok(Receipt::Done);
        }
        match segment {
            _ if dialling => self.attempt_failed(now, id, AttemptResult::Failed, None),
            Some((_, SegmentState::Connecting { .. })) if dialled => {
                self.attempt_failed(now, id, AttemptResult::NotConfirmed, None);
            }
            Some((segment, SegmentState::AgentLost { .. })) if dialled => {
                self.end_attempt(now, id, AttemptResult::NotConfirmed, None);
                self.give_up_agent(now, id, segment);
                self.retry_or_close(now, id, AttemptResult::NotConfirmed);
            }
            Some((segment, SegmentState::Connecting { .. })) => {
                self.finish_segment(now, id, segment, SegmentEnd::AttemptFailed);
                self.abandon(now, id, bridged);
            }
            Some((segment, SegmentState::AgentLost { .. })) if !bridged => {
                self.give_up_agent(now, id, segment);
                self.abandon(now, id, bridged);
            }
            Some((segment, SegmentState::Offered { .. })) => {
                self.revoke_offer(now, id, segment, RevokeReason::Withdrawn);
                self.abandon(now, id, bridged);
            }
            Some((segment, _)) => self.end_conversation(now, id, segment),
            None => self.abandon(now, id, bridged),
        }
        Ok(Receipt::Done)
    }

    /// The customer hung up while waiting on the line for an agent.
    pub(crate) fn abandon(&mut self, now: Timestamp, id: ContactId, bridged: bool) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        if self.prefers_callback(contact) {
            self.farewell_over(now, id);
            return;
        }
        let result = if bridged { AttemptResult::Connected } else { AttemptResult::NotConfirmed };
        let after = now.since(contact.requested_at);
        let soon = contact.channel == Channel::Call && !bridged && after < self.config.inbound.short_abandon;
        let (outcome, reason) = match (&contact.state, &contact.reason) {
            // It was the closing message that was hung up on.
            (ContactState::Arriving { .. }, reason @ Reason::Closed { .. }) => (Outcome::Unsuccessful, reason.clone()),
            _ if soon => (Outcome::Abandoned, Reason::CustomerHungUpSoon { after }),
            _ => (Outcome::Abandoned, Reason::CustomerHungUp),
        };
        self.end_attempt(now, id, result, None);
        self.conclude(now, id, outcome, reason);
    }

    /// Ends the running attempt with its leg, recording, timers and channel.
    pub(crate) fn end_attempt(
        &mut self,
        now: Timestamp,
        id: ContactId,
        result: AttemptResult,
        sip_status: Option<u16>,
    ) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let queued = matches!(entry.contact.state, ContactState::Queued { .. });
        if queued {
            self.unlist_contact(id);
        }
        let Some(attempt) = self.running(id) else { return };
        let (leg, answered, attempt_id) = (attempt.leg, attempt.answered_at.is_some(), attempt.id);
        attempt.state = AttemptState::Ended { result };
        attempt.ended_at = Some(now);
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.confirmed = false;
            entry.arrival = None;
        }
        let guards = [Timer::RingGuard(id), Timer::AnnouncementGuard(id), Timer::PressOne(id), Timer::MenuChoice(id)];
        for timer in guards {
            self.timers.cancel(&timer);
        }
        self.legs.remove(&leg);
        self.save(id);
        self.fact(id, now, Fact::AttemptEnded { attempt: attempt_id, result, sip_status });
        if answered {
            self.stop_recording(now, leg);
        }
        self.deed(now, Deed::ReleaseLeg { leg });
        self.drop_channel(now, id);
    }

    pub(crate) fn start_recording(&mut self, now: Timestamp, id: ContactId, leg: LegId, party: Party) {
        let recording = RecordingId(self.ids.mint(now));
        let Some(entry) = self.contacts.get(&id) else { return };
        let contact_started = entry.contact.requested_at;
        self.recordings.insert(leg, id);
        self.deed(now, Deed::StartRecording { leg, contact: id, recording, party, contact_started });
    }

    pub(crate) fn stop_recording(&mut self, now: Timestamp, leg: LegId) {
        self.deed(now, Deed::StopRecording { leg });
        if self.recordings.contains_key(&leg) {
            self.timers.set(Timer::RecordingForgotten(leg), now + RECORDING_WAIT);
        }
    }

    pub(crate) fn recording_finished(
        &mut self,
        now: Timestamp,
        leg: LegId,
        recording: RecordingId,
    ) -> Result<Receipt, Rejection> {
        let contact = self.recordings.remove(&leg).ok_or(Rejection::NoSuchContact)?;
        self.timers.cancel(&Timer::RecordingForgotten(leg));
        self.fact(contact, now, Fact::Recorded { leg, recording });
        Ok(Receipt::Done)
    }

    pub(crate) fn play(
        &mut self,
        now: Timestamp,
        leg: LegId,
        id: ContactId,
        prompt: PromptName,
        repeat: bool,
        then_tell: bool,
    ) {
        let Some(language) = self.spoken_to(id) else { return };
        self.deed(now, Deed::PlayPrompt { leg, prompt, language, repeat, then_tell });
    }

    /// The customer's language, or the tenant's.
    pub(crate) fn spoken_to(&self, id: ContactId) -> Option<String> {
        let spoken = self.contacts.get(&id)?.contact.customer.language.as_str();
        Some(if spoken.is_empty() { self.config.language.clone() } else { spoken.to_owned() })
    }

    pub(crate) fn customer_leg(&self, leg: LegId) -> Option<ContactId> {
        self.legs.get(&leg).filter(|owner| owner.side == Side::Customer).map(|owner| owner.contact)
    }

    fn running(&mut self, id: ContactId) -> Option<&mut Attempt> {
        self.contacts.get_mut(&id)?.contact.running_attempt_mut()
    }
}
