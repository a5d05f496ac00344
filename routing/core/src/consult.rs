//! A third party beside customer and agent: asked while the customer hears music, joined by all, handed the call, or let go.
//!
//! The agent who asked stays responsible until leaving: every way a consultation can fail leads back to the customer.

use crate::{
    agent::Endpoint,
    attempts::RING_MARGIN,
    contact::*,
    core::{Core, LegOwner, Side},
    event::{ConsultationStep, Consulted, Receipt, Rejection},
    ids::*,
    output::{Deed, Fact, Party, PromptName, RevokeReason},
    reason::Reason,
    third::*,
    time::{Millis, Timestamp},
    timers::Timer,
    transfer::Talk,
};

/// No code is told for longer than this.
const CODE_LIMIT: Millis = Millis::from_secs(30);

impl Core {
    fn third(&self, id: ContactId) -> Option<&Third> {
        self.contacts.get(&id)?.contact.third.as_deref()
    }

    fn third_mut(&mut self, id: ContactId) -> Option<&mut Third> {
        self.contacts.get_mut(&id)?.contact.third.as_deref_mut()
    }

    /// The agent who talks to the customer, or would but for the consultation.
    fn lead(&self, id: ContactId) -> Option<(SegmentId, LegId)> {
        let segment = self.contacts.get(&id)?.contact.talking_segment()?;
        Some((segment.id, segment.leg?))
    }

    pub(crate) fn is_third(&self, id: ContactId, segment: SegmentId) -> bool {
        self.contacts.get(&id).is_some_and(|entry| entry.contact.is_third(segment))
    }

    pub(crate) fn consultation_requested(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        id: ContactId,
        with: Consulted,
        note: Option<String>,
    ) -> Result<Receipt, Rejection> {
        let talk = self.talk(agent, id)?;
        match &with {
            Consulted::Agent { agent: other } if other == agent => return Err(Rejection::WrongState),
            Consulted::Agent { agent: other } => {
                let desk = self.agents.get(other).ok_or(Rejection::NoSuchAgent)?;
                if desk.earmark.is_some() || !desk.listed.is_some_and(|listing| listing.voice) {
                    return Err(Rejection::AgentNotFree);
                }
            }
            Consulted::Outside { .. } if self.config.callback.trunks.is_empty() => return Err(Rejection::NotEnabled),
            Consulted::Outside { .. } => {}
        }
        self.note_handover(id, talk.segment, note);
        self.hold(now, id, talk, true);
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.contact.third_end = None;
        }
        self.play(now, talk.agent_leg, id, PromptName::Ringback, true, false);
        match with {
            Consulted::Agent { agent: other } => self.ask_colleague(now, id, agent, talk, other),
            Consulted::Outside { number, at_once } => {
                self.dial_outside(now, id, Some(talk.segment), number);
                if at_once {
                    self.lead_leaves(now, id, true);
                }
            }
        }
        Ok(Receipt::Done)
    }

    fn ask_colleague(&mut self, now: Timestamp, id: ContactId, by: &AgentId, talk: Talk, other: AgentId) {
        let Some(session) = self.agents.get(&other).and_then(|desk| desk.record.session.clone()) else { return };
        let (segment, offer) = (SegmentId(self.ids.mint(now)), OfferId(self.ids.mint(now)));
        let Some(entry) = self.contacts.get(&id) else { return };
        let (channel, queue) = (entry.contact.channel, entry.contact.queue.clone());
        let until = now + self.offer_timeout(&queue).max(Millis(1));
        let why = Reason::AskedBy { agent: by.clone() };
        let record = Segment::offered((segment, offer), &other, &session, why, now, until);
        let with = ThirdParty::Agent { agent: other.clone(), segment };
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.contact.segments.push(record);
            entry.contact.third = Some(Box::new(asked(now, with, Some(talk.segment), None, until)));
        }
        if let Some(desk) = self.agents.get_mut(&other) {
            desk.hand.push((id, segment));
        }
        self.floor.touched_agents.insert(other.clone());
        self.relist_agent(&other);
        self.timers.set(Timer::ThirdAsked(id), until);
        self.save(id);
        self.fact(id, now, Fact::ThirdAsked { segment: Some(talk.segment), agent: Some(other.clone()) });
        self.deed(now, Deed::PresentOffer { offer, contact: id, agent: other, session, channel, until });
    }

    /// Nobody took the customer, who is on the telephone: a number outside is asked, and has the customer when it answers.
    pub(crate) fn overflow(&mut self, now: Timestamp, id: ContactId, number: String) {
        self.leave_state(id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.contact.widen_at = None;
        entry.contact.state = ContactState::Active { since: now };
        entry.contact.reason = Reason::Overflowed;
        self.enter_state(now, id);
        self.dial_outside(now, id, None, number);
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// The gate, a channel and the call itself are the engine's; it says how it went.
    fn dial_outside(&mut self, now: Timestamp, id: ContactId, by: Option<SegmentId>, number: String) {
        let leg = LegId(self.ids.mint(now));
        let ring_timeout = self.config.callback.ring_timeout;
        let until = now + ring_timeout + RING_MARGIN;
        let with = ThirdParty::Outside { number: number.clone() };
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.contact.third = Some(Box::new(asked(now, with, by, Some(leg), until)));
        let context = context_of(&entry.contact);
        self.legs.insert(leg, LegOwner { contact: id, side: Side::Third });
        self.timers.set(Timer::ThirdAsked(id), until);
        self.save(id);
        self.fact(id, now, Fact::ThirdAsked { segment: by, agent: None });
        let trunks = self.config.callback.trunks.clone();
        self.deed(
            now,
            Deed::PlaceThird { leg, contact: id, trunks, number, ring_timeout, context, code: short_code(id) },
        );
    }

    /// The colleague accepts: the two talk, the customer waits on.
    pub(crate) fn colleague_accepts(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, session: SessionId) {
        let leg = LegId(self.ids.mint(now));
        let Some((_, agent_leg)) = self.lead(id) else { return };
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(found) = entry.contact.segment_mut(segment) else { return };
        (found.accepted_at, found.connected_at, found.leg) = (Some(now), Some(now), Some(leg));
        found.state = SegmentState::Connected { since: now };
        found.endpoint = Endpoint::Browser { session: session.clone() };
        let agent = found.agent.clone();
        self.legs.insert(leg, LegOwner { contact: id, side: Side::Agent(segment) });
        self.floor.touched_agents.insert(agent.clone());
        self.deed(now, Deed::AttachAgent { leg, contact: id, agent: agent.clone(), session });
        self.third_answers(now, id, leg);
        self.deed(now, Deed::StopPrompt { leg: agent_leg });
        self.start_recording(now, id, leg, Party::Agent { agent });
        self.deed(now, Deed::Bridge { a: agent_leg, b: leg });
    }

    fn third_answers(&mut self, now: Timestamp, id: ContactId, leg: LegId) {
        self.timers.cancel(&Timer::ThirdAsked(id));
        let stage = match self.lead(id) {
            Some(_) => ThirdStage::Private { since: now },
            None if self.config.tell_code => ThirdStage::Told { until: now + CODE_LIMIT },
            None => ThirdStage::Alone { since: now },
        };
        if let ThirdStage::Told { until } = stage {
            self.timers.set(Timer::ThirdAsked(id), until);
        }
        let Some(third) = self.third_mut(id) else { return };
        third.leg = Some(leg);
        third.answered_at = Some(now);
        third.stage = stage;
        let by = third.by;
        self.save(id);
        self.fact(id, now, Fact::ThirdAnswered { segment: by });
    }

    /// The carrier was asked to connect the customer's call with the one outside itself, and does not.
    pub(crate) fn carrier_declined(
        &mut self,
        now: Timestamp,
        leg: LegId,
        status: Option<u16>,
    ) -> Result<Receipt, Rejection> {
        let id = self.customer_leg(leg).ok_or(Rejection::NoSuchContact)?;
        let alone = |third: &&mut Third| third.segment().is_none() && matches!(third.stage, ThirdStage::Alone { .. });
        let third = self.third_mut(id).filter(alone).ok_or(Rejection::WrongState)?;
        third.declined = Some(CarrierDeclined { at: now, status });
        let segment = third.by;
        self.save(id);
        self.fact(id, now, Fact::CarrierDeclined { segment, status });
        Ok(Receipt::Done)
    }

    /// The number outside rings or answers; false: the leg is nobody's third party.
    pub(crate) fn outside_rings(&mut self, now: Timestamp, leg: LegId) -> bool {
        let Some(id) = self.third_leg(leg) else { return false };
        if let Some(third) = self.third_mut(id).filter(|third| third.ringing_at.is_none()) {
            third.ringing_at = Some(now);
            self.save(id);
        }
        true
    }

    pub(crate) fn outside_answers(&mut self, now: Timestamp, leg: LegId) -> bool {
        let Some(id) = self.third_leg(leg) else { return false };
        if self.third(id).is_none_or(|third| third.answered_at.is_some()) {
            return true;
        }
        self.third_answers(now, id, leg);
        self.start_recording(now, id, leg, Party::Outside);
        match (self.lead(id), self.third(id).map(|third| third.stage)) {
            (Some((_, agent_leg)), _) => {
                self.deed(now, Deed::StopPrompt { leg: agent_leg });
                self.deed(now, Deed::Bridge { a: leg, b: agent_leg });
            }
            (None, Some(ThirdStage::Told { .. })) => self.tell_code(now, id, leg),
            (None, _) => self.joins_customer(now, id, leg),
        }
        true
    }

    /// Who answers outside hears the code twice, the customer waits on.
    fn tell_code(&mut self, now: Timestamp, id: ContactId, leg: LegId) {
        let code = short_code(id).repeat(2);
        let digits = code.bytes().map(|digit| PromptName::Digit(digit.saturating_sub(b'0')));
        let words = std::iter::once(PromptName::ShortCode).chain(digits).collect();
        self.say(now, leg, id, words, true);
    }

    /// The code has been told, was cut short by a key, or its end never was told: customer and number outside are together from
    /// here on.
    pub(crate) fn code_told(&mut self, now: Timestamp, id: ContactId) {
        let Some(third) = self.third_mut(id).filter(|third| matches!(third.stage, ThirdStage::Told { .. })) else {
            return;
        };
        third.stage = ThirdStage::Alone { since: now };
        let leg = third.leg;
        self.timers.cancel(&Timer::ThirdAsked(id));
        self.save(id);
        if let Some(leg) = leg {
            self.deed(now, Deed::StopPrompt { leg });
            self.joins_customer(now, id, leg);
        }
    }

    /// Nobody of the house is in it: the number outside and the customer hear each other.
    fn joins_customer(&mut self, now: Timestamp, id: ContactId, leg: LegId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        if let Some(attempt) = entry.contact.running_attempt_mut() {
            attempt.bridged_at.get_or_insert(now);
        }
        let Some(customer) = entry.contact.live_leg() else { return };
        self.deed(now, Deed::StopPrompt { leg: customer });
        self.deed(now, Deed::Bridge { a: customer, b: leg });
    }

    /// The time of whoever is asked, or told, is up.
    pub(crate) fn third_timeout(&mut self, now: Timestamp, id: ContactId) {
        match self.third(id).map(|third| third.stage) {
            Some(ThirdStage::Told { .. }) => self.code_told(now, id),
            _ => self.third_gone(now, id, ThirdEnd::NoAnswer),
        }
    }

    pub(crate) fn third_leg(&self, leg: LegId) -> Option<ContactId> {
        self.legs.get(&leg).filter(|owner| owner.side == Side::Third).map(|owner| owner.contact)
    }

    pub(crate) fn consultation_step(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        id: ContactId,
        step: ConsultationStep,
    ) -> Result<Receipt, Rejection> {
        let segment = self.segment_with(agent, id)?;
        if !matches!(segment.state, SegmentState::Connected { .. }) {
            return Err(Rejection::WrongState);
        }
        let third = self.third(id).ok_or(Rejection::WrongState)?;
        let colleague = third.segment().is_some();
        match (step, third.stage) {
            (ConsultationStep::Back, _) => self.third_gone(now, id, ThirdEnd::Withdrawn),
            (ConsultationStep::Join, ThirdStage::Private { .. }) => self.join_all(now, id),
            (ConsultationStep::Complete, ThirdStage::Private { .. } | ThirdStage::Joined { .. }) => {
                self.lead_leaves(now, id, true);
            }
            // A number that rings is waited for by the customer alone; a colleague may still say no.
            (ConsultationStep::Complete, ThirdStage::Asked { .. }) if !colleague => self.lead_leaves(now, id, true),
            _ => return Err(Rejection::WrongState),
        }
        Ok(Receipt::Done)
    }

    fn join_all(&mut self, now: Timestamp, id: ContactId) {
        let Some((segment, agent_leg)) = self.lead(id) else { return };
        let customer = self.contacts.get(&id).and_then(|entry| entry.contact.live_leg());
        let Some((third, customer)) = self.third_mut(id).and_then(|third| third.leg).zip(customer) else { return };
        self.part(now, id);
        self.end_hold(now, id, segment, true);
        if let Some(third) = self.third_mut(id) {
            third.stage = ThirdStage::Joined { since: now };
        }
        self.save(id);
        self.fact(id, now, Fact::ThirdJoined { segment });
        self.deed(now, Deed::Confer { contact: id, legs: vec![agent_leg, customer, third] });
    }

    /// Takes the sound between the third party and the others apart.
    fn part(&mut self, now: Timestamp, id: ContactId) {
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let Some(third) = &contact.third else { return };
        let (customer, lead) = (contact.live_leg(), self.lead(id).map(|(_, leg)| leg));
        let outside = third.segment().is_none();
        match (third.stage, third.leg, lead, customer) {
            (ThirdStage::Private { .. }, Some(leg), Some(lead), _) => {
                let (a, b) = if outside { (leg, lead) } else { (lead, leg) };
                self.deed(now, Deed::Unbridge { a, b });
            }
            (ThirdStage::Joined { .. }, Some(leg), Some(lead), Some(customer)) => {
                self.deed(now, Deed::Disperse { contact: id, legs: vec![lead, customer, leg] });
            }
            (ThirdStage::Alone { .. }, Some(b), _, Some(a)) => self.deed_unbridge(now, a, b),
            (ThirdStage::Asked { .. }, _, Some(leg), _) => {
                self.deed(now, Deed::StopPrompt { leg });
            }
            _ => {}
        }
    }

    fn deed_unbridge(&mut self, now: Timestamp, a: LegId, b: LegId) {
        self.deed(now, Deed::Unbridge { a, b });
    }

    /// Lets the third party go; who hears whom after that is the caller's business.
    pub(crate) fn end_third(&mut self, now: Timestamp, id: ContactId, end: ThirdEnd) {
        self.part(now, id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(third) = entry.contact.third.clone() else { return };
        entry.contact.third_end = Some(end);
        self.timers.cancel(&Timer::ThirdAsked(id));
        match &third.with {
            ThirdParty::Agent { agent, segment } => {
                if let (ThirdStage::Asked { .. }, Some(found)) = (third.stage, entry.contact.segment(*segment)) {
                    let (offer, agent, why) = (found.offer, agent.clone(), revoked(end));
                    self.deed(now, Deed::RevokeOffer { offer, agent, why });
                }
                self.finish_segment(now, id, *segment, segment_end(end, third.answered_at.is_some()));
            }
            ThirdParty::Outside { .. } => {
                if let Some(leg) = third.leg.filter(|leg| self.legs.remove(leg).is_some()) {
                    if third.answered_at.is_some() {
                        self.stop_recording(now, leg);
                    }
                    self.deed(now, Deed::ReleaseLeg { leg });
                }
            }
        }
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.contact.third = None;
        }
        self.save(id);
        self.fact(id, now, Fact::ThirdLeft { segment: third.by, end });
    }

    /// The third party is out of it: the agent has the customer back, or, where the agent has left, the customer is back
    /// in line or the call is over.
    pub(crate) fn third_gone(&mut self, now: Timestamp, id: ContactId, end: ThirdEnd) {
        let Some((stage, by)) = self.third(id).map(|third| (third.stage, third.by)) else { return };
        self.end_third(now, id, end);
        let Some(contact) = self.contacts.get(&id).map(|entry| &entry.contact) else { return };
        let Some(customer) = contact.live_leg() else { return };
        let asker = by.and_then(|by| contact.segment(by)).map(|segment| segment.agent.clone());
        match (stage, self.lead(id)) {
            (ThirdStage::Alone { .. }, _) => self.outside_over(now, id, by),
            (ThirdStage::Joined { .. }, Some((_, agent_leg))) => {
                self.deed(now, Deed::Bridge { a: customer, b: agent_leg });
            }
            (_, Some((segment, agent_leg))) => self.hold(now, id, Talk { segment, agent_leg, customer }, false),
            (_, None) => {
                // Whoever passed it on knows the matter and is asked first.
                if let (Some(entry), Some(asker)) = (self.contacts.get_mut(&id), asker) {
                    entry.contact.target = 0;
                    (entry.contact.preferred, entry.contact.widen_at) = (Some(asker), None);
                }
                self.requeue(now, id, Reason::NotReached);
                self.deed(now, Deed::NotifyCustomer { contact: id });
            }
        }
    }

    /// Customer and number outside are done talking.
    fn outside_over(&mut self, now: Timestamp, id: ContactId, by: Option<SegmentId>) {
        self.end_attempt(now, id, AttemptResult::Connected, None);
        if let Some(segment) = by {
            self.fact(id, now, Fact::ConversationEnded { segment });
        }
        self.conclude(now, id, Outcome::Successful, Reason::Completed);
    }

    /// The customer hangs up with a third party in the call. True: the contact is seen to.
    pub(crate) fn customer_leaves_third(&mut self, now: Timestamp, id: ContactId) -> bool {
        let Some((stage, by)) = self.third(id).map(|third| (third.stage, third.by)) else { return false };
        self.end_third(now, id, ThirdEnd::CustomerLeft);
        match (stage, self.lead(id)) {
            (ThirdStage::Alone { .. }, _) => self.outside_over(now, id, by),
            (_, Some((segment, _))) => self.end_conversation(now, id, segment),
            (_, None) => self.abandon(now, id, true),
        }
        true
    }

    /// One of the two agents of a consultation hangs up: the colleague leaves, the agent who asked leaves a conference to
    /// the others, or, before that, goes back to the customer. False: this is no consultation.
    pub(crate) fn leaves_consultation(&mut self, now: Timestamp, agent: &AgentId, id: ContactId) -> bool {
        let Some(third) = self.third(id) else { return false };
        let lead = self.contacts.get(&id).and_then(|entry| entry.contact.talking_segment());
        let leads = lead.is_some_and(|segment| segment.agent == *agent);
        let helps = matches!(&third.with, ThirdParty::Agent { agent: helper, .. } if helper == agent);
        match third.stage {
            ThirdStage::Joined { .. } if leads => self.lead_leaves(now, id, true),
            ThirdStage::Asked { .. } | ThirdStage::Private { .. } if leads => {
                self.third_gone(now, id, ThirdEnd::Withdrawn);
            }
            ThirdStage::Private { .. } | ThirdStage::Joined { .. } if helps => self.third_gone(now, id, ThirdEnd::Left),
            _ => return false,
        }
        true
    }

    /// The agent who asked cannot hear any more: in a conference the others go on, otherwise the third party is let go and
    /// the customer waits for the agent (false).
    pub(crate) fn lost_from_consultation(&mut self, now: Timestamp, id: ContactId) -> bool {
        match self.third(id).map(|third| third.stage) {
            Some(ThirdStage::Joined { .. }) => {
                self.lead_leaves(now, id, false);
                true
            }
            Some(_) => {
                self.end_third(now, id, ThirdEnd::Lost);
                false
            }
            None => false,
        }
    }

    /// The agent is out of it and the third party has the customer; with `wraps_up`, the agent's time for that begins.
    pub(crate) fn lead_leaves(&mut self, now: Timestamp, id: ContactId, wraps_up: bool) {
        let Some((segment, _)) = self.lead(id) else { return };
        self.part(now, id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(customer) = entry.contact.live_leg() else { return };
        let Some(third) = entry.contact.third.as_deref_mut() else { return };
        let (leg, asked) = (third.leg, matches!(third.stage, ThirdStage::Asked { .. }));
        let colleague = match &third.with {
            ThirdParty::Agent { agent, segment } => Some((agent.clone(), *segment)),
            ThirdParty::Outside { .. } => None,
        };
        if !asked {
            third.stage = ThirdStage::Alone { since: now };
        }
        self.end_hold(now, id, segment, !asked);
        self.detach_agent(now, id, segment);
        if let Some((agent, taken)) = colleague {
            self.hand_to(now, id, segment, agent, taken);
        } else {
            self.fact(id, now, Fact::HandedOver { segment, agent: None });
        }
        if let Some(b) = leg.filter(|_| !asked) {
            self.deed(now, Deed::Bridge { a: customer, b });
        }
        self.save(id);
        if wraps_up {
            self.begin_wrap_up(now, id, segment);
        } else {
            self.give_up_agent(now, id, segment);
        }
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// The colleague's engagement is the contact's from here on.
    fn hand_to(&mut self, now: Timestamp, id: ContactId, from: SegmentId, agent: AgentId, taken: SegmentId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.contact.third = None;
        entry.contact.third_end = Some(ThirdEnd::TookOver);
        entry.contact.reason = Reason::OfferedTo { agent: agent.clone() };
        let attempt = entry.contact.running_attempt().map(|attempt| attempt.id);
        self.floor.touched_agents.insert(agent.clone());
        self.fact(id, now, Fact::HandedOver { segment: from, agent: Some(agent.clone()) });
        if let Some(attempt) = attempt {
            self.fact(id, now, Fact::Bridged { attempt, segment: taken, agent });
        }
    }
}

fn asked(now: Timestamp, with: ThirdParty, by: Option<SegmentId>, leg: Option<LegId>, until: Timestamp) -> Third {
    let stage = ThirdStage::Asked { until };
    Third { with, stage, by, leg, asked_at: now, ringing_at: None, answered_at: None, declined: None }
}

/// What the colleague's page is told of an offer that is over.
fn revoked(end: ThirdEnd) -> RevokeReason {
    match end {
        ThirdEnd::Declined => RevokeReason::Declined,
        ThirdEnd::NoAnswer => RevokeReason::Lapsed,
        ThirdEnd::CustomerLeft => RevokeReason::CustomerCancelled,
        ThirdEnd::Lost => RevokeReason::AgentGone,
        _ => RevokeReason::Withdrawn,
    }
}

fn segment_end(end: ThirdEnd, answered: bool) -> SegmentEnd {
    match end {
        ThirdEnd::Lost if answered => SegmentEnd::MediaFailed,
        _ if answered => SegmentEnd::Completed,
        ThirdEnd::Declined => SegmentEnd::Declined,
        ThirdEnd::NoAnswer => SegmentEnd::NoAnswer,
        _ => SegmentEnd::Revoked,
    }
}

/// What another system is told of the contact: ours and the portal's ids and the matter, no name and no number.
fn context_of(contact: &Contact) -> String {
    let mut context = format!("{};subject={};code={}", contact.id, contact.subject, short_code(contact.id));
    if let Some(customer) = &contact.customer.customer_id {
        context.push_str(&format!(";customer={customer}"));
    }
    context
}
