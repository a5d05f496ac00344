//! After the conversation: dispositions, a note, a bounded time for both.

use crate::{
    config::DispositionMode,
    contact::*,
    core::Core,
    event::{Receipt, Rejection},
    ids::*,
    output::Fact,
    reason::Reason,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// No wrap-up lasts longer than this after the conversation, however often it is extended.
const LONGEST_WRAP_UP: Millis = Millis::from_secs(3600);

impl Core {
    fn wrap_up_of(&self, agent: &AgentId, segment: SegmentId) -> Result<ContactId, Rejection> {
        let desk = self.agents.get(agent).ok_or(Rejection::NoSuchAgent)?;
        let held = desk.hand.iter().find(|held| held.1 == segment).ok_or(Rejection::WrongState)?;
        let found = self.contacts.get(&held.0).and_then(|entry| entry.contact.segment(segment));
        match found.map(|segment| &segment.state) {
            Some(SegmentState::WrapUp { .. }) => Ok(held.0),
            _ => Err(Rejection::WrongState),
        }
    }

    pub(crate) fn wrap_up_finished(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        segment: SegmentId,
        mut dispositions: Vec<DispositionId>,
        note: Option<String>,
    ) -> Result<Receipt, Rejection> {
        let id = self.wrap_up_of(agent, segment)?;
        let known = |wanted: &DispositionId| self.config.dispositions.iter().any(|code| code.id == *wanted);
        if !dispositions.iter().all(known) {
            return Err(Rejection::UnknownCode);
        }
        let queue = self.contacts.get(&id).map(|entry| &entry.contact.queue);
        match queue.map_or(self.config.policy.disposition, |queue| self.config.disposition_in(queue)) {
            DispositionMode::Required if dispositions.is_empty() => return Err(Rejection::DispositionRequired),
            DispositionMode::None => dispositions.clear(),
            _ => {}
        }
        if let Some(entry) = self.contacts.get_mut(&id)
            && let Some(found) = entry.contact.segment_mut(segment)
        {
            (found.dispositions, found.note) = (dispositions, note);
        }
        self.end_wrap_up(now, id, segment, false);
        Ok(Receipt::Done)
    }

    pub(crate) fn wrap_up_extended(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        segment: SegmentId,
        by: Millis,
    ) -> Result<Receipt, Rejection> {
        let id = self.wrap_up_of(agent, segment)?;
        let Some(entry) = self.contacts.get_mut(&id) else { return Err(Rejection::NoSuchContact) };
        let Some(found) = entry.contact.segment_mut(segment) else { return Err(Rejection::WrongState) };
        let SegmentState::WrapUp { until } = found.state else { return Err(Rejection::WrongState) };
        let latest = found.ended_at.unwrap_or(now) + LONGEST_WRAP_UP;
        let later = (until + by).min(latest);
        if by <= Millis(0) || later <= until {
            return Err(Rejection::WrongState);
        }
        found.state = SegmentState::WrapUp { until: later };
        self.timers.set(Timer::WrapUpOver(id, segment), later);
        self.save(id);
        self.floor.touched_agents.insert(agent.clone());
        Ok(Receipt::Done)
    }

    pub(crate) fn wrap_up_over(&mut self, now: Timestamp, id: ContactId, segment: SegmentId) {
        self.end_wrap_up(now, id, segment, true);
    }

    fn end_wrap_up(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, by_timeout: bool) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let Some(found) = entry.contact.segment(segment) else { return };
        let dispositions = found.dispositions.clone();
        self.fact(id, now, Fact::WrapUpEnded { segment, dispositions, by_timeout });
        self.finish_segment(now, id, segment, SegmentEnd::Completed);
        let Some(entry) = self.contacts.get(&id) else { return };
        let active = matches!(entry.contact.state, ContactState::Active { .. });
        if active && entry.contact.open_segment().is_none() && entry.contact.third.is_none() {
            let left = entry.contact.chat.as_ref().and_then(|chat| chat.outcome).or(entry.contact.over);
            let outcome = left.unwrap_or(Outcome::Successful);
            let reason = match outcome {
                Outcome::Successful => Reason::Completed,
                _ => entry.contact.reason.clone(),
            };
            self.close(now, id, outcome, reason);
        }
    }
}
