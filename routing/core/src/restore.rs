//! From rows to a running core: what a crash left is settled so that every contact has a way on and every agent is
//! offline until the browser is back.

use std::collections::BTreeSet;

use crate::{
    agent::{AgentRecord, AgentState, Health, Presence},
    config::AgentConfig,
    contact::*,
    core::{Core, NumberGuard},
    ids::SegmentId,
    output::{Change, Deed, Fact, RevokeReason},
    reason::Reason,
    third::{ThirdEnd, ThirdParty},
    time::{Millis, Timestamp},
    timers::Timer,
};

/// However short the tenant's grace time for customers is: the server itself was away.
const RESTART_GRACE: Millis = Millis::from_secs(60);

impl Core {
    pub(crate) fn settle_start(
        &mut self,
        now: Timestamp,
        configs: Vec<AgentConfig>,
        records: Vec<AgentRecord>,
        contacts: Vec<Contact>,
    ) {
        self.rebuild_floor(now);
        let in_chat: BTreeSet<_> = contacts.iter().filter_map(chatting).map(|segment| segment.agent.clone()).collect();
        for config in configs {
            let found = records.iter().find(|record| record.id == config.id);
            let record = match found {
                Some(record) if in_chat.contains(&record.id) => settled_in_chat(record),
                Some(record) => settled_agent(now, record),
                None => AgentRecord::offline(config.id.clone(), now),
            };
            self.seat(now, config, record);
        }
        for record in records.iter().filter(|record| record.state != AgentState::Offline) {
            let agent = record.id.clone();
            if !self.agents.contains_key(&agent) {
                self.outbox.removed.insert(agent.clone(), settled_agent(now, record));
            }
            let presence = Presence::Offline;
            self.outbox.changes.push_back(Change::PresenceChanged { agent, at: now, presence, reason: None });
        }
        for contact in contacts {
            if !matches!(contact.state, ContactState::Closed { .. }) {
                self.settle_contact(now, contact);
            }
        }
        self.rebuild_floor(now);
        self.hours_edge(now);
    }

    /// A chat that had ended closes; any other goes on, in its agent's hand or in line.
    fn settle_chat(&mut self, now: Timestamp, mut contact: Contact) {
        let id = contact.id;
        let ended = contact.chat.as_ref().filter(|chat| chat.ended.is_some());
        let outcome = ended.map(|chat| chat.outcome.unwrap_or(Outcome::Successful));
        let held = chatting(&contact).filter(|segment| self.agents.contains_key(&segment.agent));
        let held = held.map(|segment| segment.id);
        self.settle_segments(now, &mut contact, held);
        if outcome.is_none() && held.is_none() && !matches!(contact.state, ContactState::Queued { .. }) {
            contact.reason = Reason::Interrupted;
            contact.state = ContactState::Queued { since: now };
            self.fact(id, now, Fact::Queued { reason: Reason::Interrupted });
        }
        let reason = contact.reason.clone();
        self.admit(now, contact);
        match outcome {
            Some(Outcome::Successful) => self.close(now, id, Outcome::Successful, Reason::Completed),
            Some(outcome) => self.close(now, id, outcome, reason),
            None => {
                let grace = self.config.chat.reconnect_grace.max(RESTART_GRACE);
                self.resume_chat(now, id, now + grace);
            }
        }
    }

    fn settle_contact(&mut self, now: Timestamp, mut contact: Contact) {
        if contact.channel == Channel::Chat {
            return self.settle_chat(now, contact);
        }
        let id = contact.id;
        let active = matches!(contact.state, ContactState::Active { .. });
        self.settle_third(now, &mut contact);
        let (spoken, cut) = (self.settle_segments(now, &mut contact, None), contact.live_leg().is_some());
        if matches!(contact.channel, Channel::Call | Channel::Outbound) {
            return self.settle_call(now, contact, spoken);
        }
        let guard = self.settle_attempts(now, &mut contact);
        // Of a contact back in line, an earlier agent may still have been wrapping up: that closes nothing. Whom an agent
        // had passed on, and who waited or talked to somebody else, is called again.
        let talked = active && spoken && !cut;
        let over = talked && contact.attempts.last().is_none_or(|last| last.bridged_at.is_some()) && guard.is_none();
        if over {
            contact.state = ContactState::Active { since: now };
            let (outcome, reason) = match contact.over {
                None | Some(Outcome::Successful) => (Outcome::Successful, Reason::Completed),
                Some(outcome) => (outcome, contact.reason.clone()),
            };
            self.admit(now, contact);
            self.close(now, id, outcome, reason);
            return;
        }
        self.by_number.insert_new(&contact.customer.number_key, id);
        match (guard, &contact.state) {
            (Some(until), ContactState::Active { .. } | ContactState::Queued { .. }) => {
                contact.reason = Reason::Interrupted;
                contact.state = ContactState::Scheduled { due: until };
                self.fact(id, now, Fact::Scheduled { due: until, reason: Reason::Interrupted });
            }
            // Arriving as a callback: the caller had pressed the key and heard the farewell.
            (_, ContactState::Active { .. } | ContactState::Arriving { .. }) => {
                contact.reason = Reason::Interrupted;
                contact.state = ContactState::Queued { since: now };
                self.fact(id, now, Fact::Queued { reason: Reason::Interrupted });
            }
            _ => {}
        }
        self.admit(now, contact);
    }

    /// A third party went down with the server.
    fn settle_third(&mut self, now: Timestamp, contact: &mut Contact) {
        let Some(third) = contact.third.take() else { return };
        contact.third_end = Some(ThirdEnd::Interrupted);
        let outside = matches!(third.with, ThirdParty::Outside { .. });
        if let Some(leg) = third.leg.filter(|_| outside) {
            self.deed(now, Deed::ReleaseLeg { leg });
        }
        self.fact(contact.id, now, Fact::ThirdLeft { segment: third.by, end: ThirdEnd::Interrupted });
    }

    /// Who called was cut off with the server and is the only one who can call again, be it customer or agent: the contact
    /// is over.
    fn settle_call(&mut self, now: Timestamp, mut contact: Contact, spoken: bool) {
        let id = contact.id;
        let cut = contact.live_leg().is_some();
        self.settle_attempts(now, &mut contact);
        let left =
            contact.over.filter(|outcome| *outcome != Outcome::Successful).map(|left| (left, contact.reason.clone()));
        contact.state = ContactState::Active { since: now };
        self.admit(now, contact);
        let (outcome, reason) = match (left, spoken && !cut) {
            (Some(left), _) => left,
            (None, true) => (Outcome::Successful, Reason::Completed),
            (None, false) => (Outcome::Unsuccessful, Reason::Interrupted),
        };
        self.close(now, id, outcome, reason);
    }

    /// Ends every open segment but the one to keep. True if the conversation itself was over and only wrap-up was open.
    fn settle_segments(&mut self, now: Timestamp, contact: &mut Contact, keep: Option<SegmentId>) -> bool {
        let (id, mut wrapping) = (contact.id, false);
        for found in contact.segments.iter_mut().filter(|segment| !segment.is_done() && Some(segment.id) != keep) {
            let (segment, agent) = (found.id, found.agent.clone());
            let end = match found.state {
                SegmentState::Offered { .. } => {
                    self.fact(id, now, Fact::OfferRevoked { segment, agent: agent.clone() });
                    self.deed(now, Deed::RevokeOffer { offer: found.offer, agent, why: RevokeReason::Withdrawn });
                    SegmentEnd::Revoked
                }
                SegmentState::WrapUp { .. } => {
                    wrapping = true;
                    let dispositions = found.dispositions.clone();
                    self.fact(id, now, Fact::WrapUpEnded { segment, dispositions, by_timeout: true });
                    SegmentEnd::Completed
                }
                _ => SegmentEnd::Interrupted,
            };
            found.state = SegmentState::Done { end };
            found.on_hold = false;
            found.ended_at.get_or_insert(now);
            found.done_at = Some(now);
        }
        wrapping
    }

    /// Ends the attempts that cannot live on. The guard time, if one stands between now and the next attempt.
    fn settle_attempts(&mut self, now: Timestamp, contact: &mut Contact) -> Option<Timestamp> {
        let guard = now + self.config.callback.guard_time.max(Millis(0));
        let id = contact.id;
        let last = contact.attempts.last_mut()?;
        let result = AttemptResult::Interrupted;
        match last.state {
            AttemptState::Dialling => {
                last.state = AttemptState::Unknown { until: guard };
                self.deed(now, Deed::ReleaseLeg { leg: last.leg });
                Some(guard)
            }
            AttemptState::Unknown { until } => Some(until),
            AttemptState::Live => {
                last.state = AttemptState::Ended { result };
                last.ended_at = Some(now);
                let (attempt, leg) = (last.id, last.leg);
                self.fact(id, now, Fact::AttemptEnded { attempt, result, sip_status: None });
                self.deed(now, Deed::ReleaseLeg { leg });
                None
            }
            AttemptState::Ended { .. } => None,
        }
    }

    /// A contact closes while it is not known whether its last call lives: the number stays guarded.
    pub(crate) fn guard_number(&mut self, now: Timestamp, contact: &mut Contact) {
        let id = contact.id;
        let Some(attempt) = contact.attempts.last_mut() else { return };
        let AttemptState::Unknown { until } = attempt.state else { return };
        let result = AttemptResult::Interrupted;
        attempt.state = AttemptState::Ended { result };
        attempt.ended_at = Some(now);
        let attempt = attempt.id;
        self.fact(id, now, Fact::AttemptEnded { attempt, result, sip_status: None });
        if until > now {
            let key = contact.customer.number_key.clone();
            self.timers.set(Timer::NumberGuard(key), until);
            self.fact(id, now, Fact::NumberGuarded { until });
        }
    }

    /// Numbers that may still be in a call of a contact that is closed, by key.
    pub fn guards(&self) -> Vec<NumberGuard> {
        let guard = |(timer, until): (&Timer, Timestamp)| match timer {
            Timer::NumberGuard(number_key) => Some(NumberGuard { number_key: number_key.clone(), until }),
            _ => None,
        };
        self.timers.iter().filter_map(guard).collect()
    }

    /// Until when the number may not be dialled, if so.
    pub(crate) fn number_guard(&self, now: Timestamp, number_key: &str) -> Option<Timestamp> {
        self.timers.get(&Timer::NumberGuard(number_key.to_owned())).filter(|until| *until > now)
    }
}

/// The engagement of a chat that was going on.
fn chatting(contact: &Contact) -> Option<&Segment> {
    let live = contact.chat.as_ref().is_some_and(|chat| chat.ended.is_none());
    let segment = contact.open_segment().filter(|_| live)?;
    matches!(segment.state, SegmentState::Connected { .. }).then_some(segment)
}

/// In the state asked for, with chats in hand and the browser still to come back.
fn settled_in_chat(record: &AgentRecord) -> AgentRecord {
    AgentRecord { session: None, health: Health::default(), auto_return_at: None, ..record.clone() }
}

/// Signed off until the browser is back.
fn settled_agent(now: Timestamp, record: &AgentRecord) -> AgentRecord {
    let since = if record.state == AgentState::Offline { record.since } else { now };
    AgentRecord {
        id: record.id.clone(),
        state: AgentState::Offline,
        since,
        next: None,
        auto_return_at: None,
        idle_since: record.idle_since,
        session: None,
        health: Health::default(),
    }
}
