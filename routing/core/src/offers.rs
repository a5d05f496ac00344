//! One contact before one agent for a limited time.

use crate::{
    agent::{AgentState, Endpoint, RequestedState},
    config::{Aftermath, EntryMode},
    contact::*,
    core::{Core, Desk, LegOwner, Side},
    event::{Receipt, Rejection},
    ids::*,
    output::{Deed, Fact, RevokeReason},
    reason::Reason,
    third::ThirdEnd,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// How an offer or a connection came to nothing.
pub(crate) enum Miss {
    Rejected,
    NoAnswer,
    MediaError,
}

impl Core {
    /// Puts a queued contact before a free agent.
    pub(crate) fn make_offer(&mut self, now: Timestamp, id: ContactId, agent: AgentId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let Some(desk) = self.agents.get(&agent) else { return };
        let Some(session) = desk.record.session.clone() else { return };
        // Kept free for it until now, the agent is in no list of calls.
        let kept = desk.listed.is_some_and(|listing| listing.kept);
        let considered = self.floor.buckets[entry.bucket].free.len() as u32 + u32::from(kept);
        let in_hand = desk.hand.len() as u32;
        let why = match in_hand {
            _ if entry.contact.target == 0 => Reason::Preferred,
            0 => Reason::LongestIdle { idle: now.since(desk.record.idle_since), considered },
            _ => Reason::FewestInHand { in_hand, considered },
        };
        let position = self.position(&entry.contact).unwrap_or(1);
        let ewt = self.expected(now, &entry.contact, position).map(|forecast| forecast.range.p50());
        let channel = entry.contact.channel;
        let entry_mode = self.config.entry_mode_in(&entry.contact.queue);
        let asked_for = self.is_asked_for(id, &agent);
        let until = now + self.offer_timeout(&entry.contact.queue).max(Millis(1));
        let segment = SegmentId(self.ids.mint(now));
        let offer = OfferId(self.ids.mint(now));
        let record = Segment {
            position_when_offered: position,
            ewt_when_offered: ewt,
            ..Segment::offered((segment, offer), &agent, &session, why.clone(), now, until)
        };
        self.move_to(now, id, ContactState::Active { since: now }, Reason::OfferedTo { agent: agent.clone() });
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.contact.segments.push(record);
            if entry.contact.target == 0 {
                // Its own agent is asked once.
                (entry.contact.target, entry.contact.widen_at) = (1, None);
            }
        }
        if let Some(desk) = self.agents.get_mut(&agent) {
            desk.hand.push((id, segment));
        }
        self.floor.touched_agents.insert(agent.clone());
        // Out of the lists at once: the next match of this turn must not see the agent as free.
        self.relist_agent(&agent);
        self.timers.set(Timer::OfferLapse(id), until);
        self.fact(id, now, Fact::Offered { segment, agent: agent.clone(), position, ewt, why });
        let first = channel == Channel::Callback && entry_mode == EntryMode::CallbackCustomerFirst;
        if first || asked_for {
            // Reserved instead of asked, or the agent is the one who asked: the record reads as if the agent had accepted in the same moment.
            let taken = self.offer_accepted(now, &agent, offer);
            debug_assert!(taken.is_ok(), "the offer was made to an agent with a session");
            return;
        }
        self.deed(now, Deed::PresentOffer { offer, contact: id, agent, session, channel, until });
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// The standing offer of this id to this agent.
    fn standing_offer(&self, agent: &AgentId, offer: OfferId) -> Result<(ContactId, SegmentId), Rejection> {
        let desk = self.agents.get(agent).ok_or(Rejection::NoSuchAgent)?;
        let standing = |(contact, segment): &&(ContactId, SegmentId)| {
            let segment = self.contacts.get(contact).and_then(|entry| entry.contact.segment(*segment));
            segment.is_some_and(|found| found.offer == offer && matches!(found.state, SegmentState::Offered { .. }))
        };
        desk.hand.iter().find(standing).copied().ok_or(Rejection::OfferGone)
    }

    pub(crate) fn offer_accepted(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        offer: OfferId,
    ) -> Result<Receipt, Rejection> {
        let (id, segment) = self.standing_offer(agent, offer)?;
        let session = self.agents.get(agent).and_then(|desk| desk.record.session.clone());
        let session = session.ok_or(Rejection::OfferGone)?;
        if self.is_third(id, segment) {
            self.colleague_accepts(now, id, segment, session);
            return Ok(Receipt::Done);
        }
        self.timers.cancel(&Timer::OfferLapse(id));
        self.note_service(now, id, segment);
        if self.contacts.get(&id).is_some_and(|entry| entry.contact.channel == Channel::Chat) {
            self.connect_chat(now, id, segment, session);
            return Ok(Receipt::Done);
        }
        let leg = LegId(self.ids.mint(now));
        let Some(entry) = self.contacts.get_mut(&id) else { return Err(Rejection::OfferGone) };
        if let Some(segment) = entry.contact.segment_mut(segment) {
            segment.accepted_at = Some(now);
            segment.state = SegmentState::Connecting { since: now };
            segment.endpoint = Endpoint::Browser { session: session.clone() };
            segment.leg = Some(leg);
        }
        let live = entry.contact.live_leg();
        self.legs.insert(leg, LegOwner { contact: id, side: Side::Agent(segment) });
        self.floor.touched_agents.insert(agent.clone());
        self.save(id);
        self.fact(id, now, Fact::OfferAccepted { segment, agent: agent.clone() });
        self.deed(now, Deed::AttachAgent { leg, contact: id, agent: agent.clone(), session });
        match live {
            Some(customer) => {
                self.deed(now, Deed::StopPrompt { leg: customer });
                self.proceed(now, id);
            }
            None => self.dial(now, id, segment, leg),
        }
        self.deed(now, Deed::NotifyCustomer { contact: id });
        Ok(Receipt::Done)
    }

    pub(crate) fn offer_declined(
        &mut self,
        now: Timestamp,
        agent: &AgentId,
        offer: OfferId,
    ) -> Result<Receipt, Rejection> {
        let (id, segment) = self.standing_offer(agent, offer)?;
        if !self.agents.get(agent).is_some_and(|desk| desk.config.can_reject) {
            return Err(Rejection::MayNotReject);
        }
        if self.is_third(id, segment) {
            self.third_gone(now, id, ThirdEnd::Declined);
            return Ok(Receipt::Done);
        }
        self.fact(id, now, Fact::OfferDeclined { segment, agent: agent.clone() });
        self.deed(now, Deed::RevokeOffer { offer, agent: agent.clone(), why: RevokeReason::Declined });
        let aftermath = self.aftermath_in(id, Miss::Rejected);
        self.finish_segment(now, id, segment, SegmentEnd::Declined);
        self.apply_aftermath(now, id, agent, &aftermath);
        self.take_back(now, id, Reason::AgentDeclined { agent: agent.clone() });
        Ok(Receipt::Done)
    }

    pub(crate) fn offer_lapsed(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let Some(found) = entry.contact.open_segment() else { return };
        let (segment, offer, agent) = (found.id, found.offer, found.agent.clone());
        if self.agents.get(&agent).is_some_and(|desk| desk.record.session.is_none()) {
            // The page lost its socket and could not answer: no missed offer.
            self.withdraw_offers(now, &agent);
            return;
        }
        let rona = self.config.subject(&entry.contact.subject).map(|subject| subject.priorities.rona);
        self.fact(id, now, Fact::OfferLapsed { segment, agent: agent.clone() });
        self.deed(now, Deed::RevokeOffer { offer, agent: agent.clone(), why: RevokeReason::Lapsed });
        let aftermath = self.aftermath_in(id, Miss::NoAnswer);
        self.finish_segment(now, id, segment, SegmentEnd::NoAnswer);
        self.apply_aftermath(now, id, &agent, &aftermath);
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.contact.priority = aftermath.priority.or(rona).unwrap_or(entry.contact.priority);
        }
        self.take_back(now, id, Reason::AgentNoAnswer { agent });
    }

    /// Withdraws a standing offer; the contact is left Active for the caller to place.
    pub(crate) fn revoke_offer(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, why: RevokeReason) {
        let found = self.contacts.get(&id).and_then(|entry| entry.contact.segment(segment));
        let Some((offer, agent)) = found.map(|segment| (segment.offer, segment.agent.clone())) else { return };
        self.fact(id, now, Fact::OfferRevoked { segment, agent: agent.clone() });
        self.deed(now, Deed::RevokeOffer { offer, agent, why });
        self.finish_segment(now, id, segment, SegmentEnd::Revoked);
    }

    /// The contact's agent is out of it: back in line, the channel given back unless the customer is on the line.
    pub(crate) fn take_back(&mut self, now: Timestamp, id: ContactId, reason: Reason) {
        if self.contacts.get(&id).is_some_and(|entry| entry.contact.is_unreached_outbound()) {
            self.conclude(now, id, Outcome::Unsuccessful, reason);
            return;
        }
        if self.contacts.get(&id).is_some_and(|entry| entry.contact.live_leg().is_none()) {
            self.drop_channel(now, id);
        }
        self.requeue(now, id, reason);
        self.deed(now, Deed::NotifyCustomer { contact: id });
    }

    /// Ends a segment and frees its agent, who takes the state asked for meanwhile when nothing else is in hand.
    pub(crate) fn finish_segment(&mut self, now: Timestamp, id: ContactId, segment: SegmentId, end: SegmentEnd) {
        self.detach_agent(now, id, segment);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        let Some(found) = entry.contact.segment_mut(segment) else { return };
        // Timers of the contact belong to the engagement under way, not to one that still wraps up.
        match found.state {
            SegmentState::Offered { .. } => self.timers.cancel(&Timer::OfferLapse(id)),
            SegmentState::AgentLost { .. } => self.timers.cancel(&Timer::AgentBack(id)),
            SegmentState::Connected { .. } => self.timers.cancel(&Timer::ChatIdle(id)),
            _ => {}
        }
        found.state = SegmentState::Done { end };
        found.on_hold = false;
        found.ended_at.get_or_insert(now);
        found.done_at = Some(now);
        let agent = found.agent.clone();
        let (span, served) = (now.since(found.offered_at), found.accepted_at.is_some());
        self.timers.cancel(&Timer::WrapUpOver(id, segment));
        self.save(id);
        if !self.is_third(id, segment) {
            self.agent_is_done(now, id, segment, span, served);
        }
        if let Some(desk) = self.agents.get_mut(&agent) {
            desk.hand.retain(|held| held.1 != segment);
        }
        self.hand_changed(now, &agent);
    }

    pub(crate) fn offer_timeout(&self, queue: &QueueId) -> Millis {
        self.config.queue_policies.get(queue).map_or(self.config.policy.offer_timeout, |policy| policy.offer_timeout)
    }

    /// What the contact's queue, or the tenant, does then.
    pub(crate) fn aftermath_in(&self, id: ContactId, miss: Miss) -> Aftermath {
        let queue = self.contacts.get(&id).map(|entry| &entry.contact.queue);
        let tenant = &self.config.policy;
        let aftermath = match (queue.and_then(|queue| self.config.queue_policies.get(queue)), miss) {
            (Some(own), Miss::Rejected) => &own.on_reject,
            (Some(own), Miss::NoAnswer) => &own.on_no_answer,
            (Some(own), Miss::MediaError) => &own.on_media_error,
            (None, Miss::Rejected) => &tenant.on_reject,
            (None, Miss::NoAnswer) => &tenant.on_no_answer,
            (None, Miss::MediaError) => &tenant.on_media_error,
        };
        aftermath.clone()
    }

    /// What the tenant does to agent and contact after an offer or a connection came to nothing.
    pub(crate) fn apply_aftermath(&mut self, now: Timestamp, id: ContactId, agent: &AgentId, aftermath: &Aftermath) {
        if let Some(entry) = self.contacts.get_mut(&id) {
            if aftermath.cool_off > Millis(0) {
                entry.contact.cool_off.insert(agent.clone(), now + aftermath.cool_off);
            }
            entry.contact.priority = aftermath.priority.unwrap_or(entry.contact.priority);
        }
        // Who asked to be away, or went, meanwhile is left where they are.
        let stays = |desk: &Desk| {
            desk.record.state == AgentState::Ready && matches!(desk.record.next, None | Some(RequestedState::Ready))
        };
        let Some(reason) = aftermath.not_ready.clone() else { return };
        if !self.agents.get(agent).is_some_and(stays) {
            return;
        }
        self.set_state(now, agent, AgentState::NotReady { reason });
        let Some(after) = aftermath.auto_return else { return };
        let at = now + after.max(Millis(0));
        if let Some(desk) = self.agents.get_mut(agent) {
            desk.record.auto_return_at = Some(at);
        }
        self.timers.set(Timer::AutoReturn(agent.clone()), at);
    }
}
