//! Agents: who is configured, who is there, in which state, and whether the browser can hear.

use crate::{
    agent::*,
    config::AgentConfig,
    contact::{Medium, SegmentState},
    core::{Core, Desk},
    event::{Receipt, Rejection},
    ids::*,
    output::RevokeReason,
    reason::Reason,
    third::ThirdEnd,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// How long an agent who vanished in a call is shown with the reason before being offline.
const LOST_SHOWN: Millis = Millis::from_secs(600);
/// How long an offer waits for a page whose socket broke: a page tries again within half a second, and says at once what it
/// hears. Longer would cost a customer whose agent is really gone.
const OFFER_GRACE: Millis = Millis::from_secs(3);

impl AgentRecord {
    pub fn offline(id: AgentId, now: Timestamp) -> Self {
        Self {
            id,
            state: AgentState::Offline,
            since: now,
            next: None,
            auto_return_at: None,
            idle_since: now,
            session: None,
            health: Health::default(),
        }
    }
}

impl Core {
    pub(crate) fn seat(&mut self, now: Timestamp, config: AgentConfig, record: AgentRecord) {
        let id = config.id.clone();
        let desk = Desk {
            config,
            record,
            hand: Vec::new(),
            earmark: None,
            listed: None,
            signed_in: false,
            effective: false,
            buckets: Vec::new(),
            own: Vec::new(),
            shown: (Presence::Offline, None),
            shown_since: now,
            leaving: false,
        };
        self.agents.insert(id.clone(), desk);
        self.note_skills(&id, true);
        self.find_buckets(&id);
        self.save_agent(&id);
    }

    pub(crate) fn agent_configured(&mut self, now: Timestamp, config: AgentConfig) -> Result<Receipt, Rejection> {
        let id = config.id.clone();
        if !self.agents.contains_key(&id) {
            if self.agents.len() >= self.config.limits.max_agents {
                return Err(Rejection::Full);
            }
            self.seat(now, config, AgentRecord::offline(id, now));
            return Ok(Receipt::Done);
        }
        self.unlist_agent(&id);
        self.doubt_preferred(&id);
        self.note_skills(&id, false);
        if let Some(desk) = self.agents.get_mut(&id) {
            (desk.config, desk.leaving) = (config, false);
        }
        self.note_skills(&id, true);
        self.find_buckets(&id);
        self.save_agent(&id);
        Ok(Receipt::Done)
    }

    /// Out at once, or, with contacts in hand, after the last of them; a standing offer is withdrawn.
    pub(crate) fn agent_removed(&mut self, now: Timestamp, id: &AgentId) -> Result<Receipt, Rejection> {
        let desk = self.agents.get_mut(id).ok_or(Rejection::NoSuchAgent)?;
        desk.leaving = true;
        self.withdraw_offers(now, id);
        self.save_agent(id);
        self.hand_changed(now, id);
        Ok(Receipt::Done)
    }

    pub(crate) fn agent_connected(
        &mut self,
        now: Timestamp,
        id: &AgentId,
        session: SessionId,
    ) -> Result<Receipt, Rejection> {
        let desk = self.agents.get_mut(id).ok_or(Rejection::NoSuchAgent)?;
        if desk.record.session.as_ref() != Some(&session) {
            desk.record.health = Health::default();
        }
        desk.record.session = Some(session.clone());
        let healthy = desk.record.health.can_talk();
        let hand = desk.hand.clone();
        self.timers.cancel(&Timer::AgentGrace(id.clone()));
        self.save_agent(id);
        if !self.offer_waits(id) {
            self.withdraw_offers(now, id);
        }
        for (contact, segment) in hand {
            self.move_legs(now, contact, segment, &session);
        }
        if !healthy && self.is_talking(id) {
            self.start_grace(now, id);
        }
        Ok(Receipt::Done)
    }

    pub(crate) fn agent_disconnected(
        &mut self,
        now: Timestamp,
        id: &AgentId,
        session: &SessionId,
    ) -> Result<Receipt, Rejection> {
        let desk = self.agents.get_mut(id).ok_or(Rejection::NoSuchAgent)?;
        // A session that was taken over may go as it likes.
        if desk.record.session.as_ref() != Some(session) {
            return Ok(Receipt::Done);
        }
        desk.record.session = None;
        desk.record.health = Health::default();
        let offline = desk.record.state == AgentState::Offline && desk.hand.is_empty();
        self.save_agent(id);
        if self.has_offer(id) {
            self.timers.set(Timer::OfferGrace(id.clone()), now + OFFER_GRACE);
        }
        if offline {
            // Nor is the sound waited for of who had said good-bye without it.
            self.timers.cancel(&Timer::AgentGrace(id.clone()));
        } else {
            self.start_grace(now, id);
        }
        Ok(Receipt::Done)
    }

    /// Gives the agent's browser a time to come back, unless that runs already.
    pub(crate) fn start_grace(&mut self, now: Timestamp, id: &AgentId) {
        let timer = Timer::AgentGrace(id.clone());
        if self.timers.get(&timer).is_none() && self.agents.contains_key(id) {
            self.timers.set(timer, now + self.config.policy.agent_reconnect_grace.max(Millis(0)));
        }
    }

    /// The page is not back, or not with sound: its offers go to somebody else.
    pub(crate) fn offer_grace_over(&mut self, now: Timestamp, id: &AgentId) {
        self.withdraw_offers(now, id);
    }

    /// A page whose socket broke under a standing offer is being waited for.
    fn offer_waits(&self, id: &AgentId) -> bool {
        self.timers.get(&Timer::OfferGrace(id.clone())).is_some()
    }

    /// The browser is not back: calls in hand go on without the agent, who is offline if there is no session at all.
    /// A conversation whose media lives goes on with the agent: whoever carries the media tells when it does not.
    pub(crate) fn agent_grace_over(&mut self, now: Timestamp, id: &AgentId) {
        let Some(desk) = self.agents.get(id) else { return };
        let absent = desk.record.session.is_none();
        if !absent && desk.record.health.can_talk() {
            return;
        }
        let mut hand = desk.hand.clone();
        if absent {
            hand.retain(|held| !self.is_in_conversation(held));
        }
        let engaged = |(contact, segment): &(ContactId, SegmentId)| {
            let entry = self.contacts.get(contact);
            let state = entry.and_then(|entry| entry.contact.segment(*segment)).map(|segment| &segment.state);
            state.is_some_and(|state| {
                matches!(
                    state,
                    SegmentState::Connecting { .. } | SegmentState::Connected { .. } | SegmentState::AgentLost { .. }
                )
            })
        };
        if absent && hand.iter().any(engaged) {
            // The agent's state says why for a while; who stays away is offline then.
            self.timers.set(Timer::AgentGrace(id.clone()), now + LOST_SHOWN);
        }
        for (contact, segment) in hand {
            self.agent_absent(now, contact, segment);
        }
        self.hand_changed(now, id);
    }

    /// Customer and agent hear each other.
    fn is_in_conversation(&self, (contact, segment): &(ContactId, SegmentId)) -> bool {
        let Some(entry) = self.contacts.get(contact) else { return false };
        let state = entry.contact.segment(*segment).map(|segment| &segment.state);
        entry.contact.channel.medium() == Medium::Voice && matches!(state, Some(SegmentState::Connected { .. }))
    }

    fn is_talking(&self, id: &AgentId) -> bool {
        let Some(desk) = self.agents.get(id) else { return false };
        desk.hand.iter().any(|(contact, segment)| {
            let Some(entry) = self.contacts.get(contact) else { return false };
            let state = entry.contact.segment(*segment).map(|segment| &segment.state);
            entry.contact.channel.medium() == Medium::Voice
                && matches!(state, Some(SegmentState::Connecting { .. } | SegmentState::Connected { .. }))
        })
    }

    fn has_offer(&self, id: &AgentId) -> bool {
        let Some(desk) = self.agents.get(id) else { return false };
        desk.hand.iter().any(|(contact, segment)| {
            let found = self.contacts.get(contact).and_then(|entry| entry.contact.segment(*segment));
            found.is_some_and(|segment| matches!(segment.state, SegmentState::Offered { .. }))
        })
    }

    /// Offers standing before an agent whom they do not reach go back in line; that is no missed offer.
    pub(crate) fn withdraw_offers(&mut self, now: Timestamp, id: &AgentId) {
        let Some(desk) = self.agents.get(id) else { return };
        let (leaving, reaches) = (desk.leaving, [Medium::Voice, Medium::Text].map(|medium| desk.reaches(medium)));
        for (contact, segment) in desk.hand.clone() {
            let Some(entry) = self.contacts.get(&contact) else { continue };
            if !leaving && reaches[entry.contact.channel.medium() as usize] {
                continue;
            }
            let found = entry.contact.segment(segment);
            let offered = found.is_some_and(|segment| matches!(segment.state, SegmentState::Offered { .. }));
            if offered && entry.contact.is_third(segment) {
                self.third_gone(now, contact, ThirdEnd::Lost);
            } else if offered {
                self.revoke_offer(now, contact, segment, RevokeReason::AgentGone);
                self.take_back(now, contact, Reason::AgentLost { agent: id.clone() });
            }
        }
    }

    pub(crate) fn agent_health(
        &mut self,
        now: Timestamp,
        id: &AgentId,
        session: &SessionId,
        health: Health,
    ) -> Result<Receipt, Rejection> {
        let desk = self.agents.get_mut(id).ok_or(Rejection::NoSuchAgent)?;
        if desk.record.session.as_ref() != Some(session) {
            return Err(Rejection::NotTheOwner);
        }
        let before = desk.record.health;
        if before != health {
            desk.record.health = health;
            self.save_agent(id);
            self.release_held();
        }
        if health.can_talk() {
            self.agent_can_talk(now, id);
        }
        if !self.offer_waits(id) {
            self.withdraw_offers(now, id);
        }
        // A browser that has just come says "no media" until it has some; the grace time is for that.
        if before.media && !health.media {
            self.media_gone_in_hand(now, id);
        }
        Ok(Receipt::Done)
    }

    /// Told by whoever carries the media. It may be that of a tab that has gone meanwhile: as long as no other tab has
    /// media of its own, that was what the customer heard.
    pub(crate) fn agent_media_lost(
        &mut self,
        now: Timestamp,
        id: &AgentId,
        session: &SessionId,
    ) -> Result<Receipt, Rejection> {
        let desk = self.agents.get_mut(id).ok_or(Rejection::NoSuchAgent)?;
        let owner = desk.record.session.as_ref() == Some(session);
        if !owner && desk.record.health.media {
            return Err(Rejection::NotTheOwner);
        }
        if desk.record.health.media {
            desk.record.health.media = false;
            self.save_agent(id);
            self.release_held();
        }
        self.withdraw_offers(now, id);
        self.media_gone_in_hand(now, id);
        Ok(Receipt::Done)
    }

    fn media_gone_in_hand(&mut self, now: Timestamp, id: &AgentId) {
        let Some(hand) = self.agents.get(id).map(|desk| desk.hand.clone()) else { return };
        for (contact, segment) in hand {
            self.media_gone(now, contact, segment);
        }
    }

    fn agent_can_talk(&mut self, now: Timestamp, id: &AgentId) {
        self.timers.cancel(&Timer::AgentGrace(id.clone()));
        self.timers.cancel(&Timer::OfferGrace(id.clone()));
        let Some(hand) = self.agents.get(id).map(|desk| desk.hand.clone()) else { return };
        for (contact, segment) in hand {
            let found = self.contacts.get(&contact).and_then(|entry| entry.contact.segment(segment));
            if found.is_some_and(|segment| matches!(segment.state, SegmentState::AgentLost { .. })) {
                self.agent_is_back(now, contact, segment);
            }
        }
    }

    pub(crate) fn agent_state_requested(
        &mut self,
        now: Timestamp,
        id: &AgentId,
        asked: RequestedState,
    ) -> Result<Receipt, Rejection> {
        let desk = self.agents.get_mut(id).ok_or(Rejection::NoSuchAgent)?;
        match &asked {
            RequestedState::NotReady { reason } if !self.config.reason_codes.contains(reason) => {
                return Err(Rejection::UnknownCode);
            }
            RequestedState::Ready | RequestedState::NotReady { .. }
                if desk.record.session.is_none() || desk.leaving =>
            {
                return Err(Rejection::WrongState);
            }
            _ => {}
        }
        if desk.hand.is_empty() {
            self.set_state(now, id, asked.into());
        } else {
            // What is in hand goes on; asking for the state one is in takes an earlier wish back.
            let next = (AgentState::from(asked.clone()) != desk.record.state).then_some(asked);
            desk.record.next = next;
            self.save_agent(id);
        }
        Ok(Receipt::Done)
    }

    /// Into a state by one's own wish or the house's rule; whatever was planned before is off.
    pub(crate) fn set_state(&mut self, now: Timestamp, id: &AgentId, state: AgentState) {
        let Some(desk) = self.agents.get_mut(id) else { return };
        self.timers.cancel(&Timer::AutoReturn(id.clone()));
        desk.record.auto_return_at = None;
        desk.record.next = None;
        if state == AgentState::Offline && desk.record.session.is_none() {
            // Nobody is waited for who has gone for good.
            self.timers.cancel(&Timer::AgentGrace(id.clone()));
        }
        if desk.record.state != state {
            if state == AgentState::Ready {
                desk.record.idle_since = now;
            }
            desk.record.state = state;
            desk.record.since = now;
        }
        self.save_agent(id);
    }

    pub(crate) fn auto_return(&mut self, now: Timestamp, id: &AgentId) {
        let Some(desk) = self.agents.get_mut(id) else { return };
        if desk.hand.is_empty() {
            self.set_state(now, id, AgentState::Ready);
        } else {
            desk.record.auto_return_at = None;
            desk.record.next = Some(RequestedState::Ready);
            self.save_agent(id);
        }
    }

    /// Something left the agent's hand, or the agent is to go: takes the planned state when nothing is in hand.
    pub(crate) fn hand_changed(&mut self, now: Timestamp, id: &AgentId) {
        let Some(desk) = self.agents.get_mut(id) else { return };
        self.floor.touched_agents.insert(id.clone());
        if !desk.hand.is_empty() {
            return;
        }
        desk.record.idle_since = now;
        let next = desk.record.next.take();
        let absent = desk.record.session.is_none() && self.timers.get(&Timer::AgentGrace(id.clone())).is_none();
        let leaving = desk.leaving;
        self.save_agent(id);
        if leaving {
            self.take_seat_away(now, id);
        } else if absent {
            self.set_state(now, id, AgentState::Offline);
        } else if let Some(next) = next {
            self.set_state(now, id, next.into());
        }
    }

    fn take_seat_away(&mut self, now: Timestamp, id: &AgentId) {
        self.set_state(now, id, AgentState::Offline);
        if let Some(kept) = self.agents.get(id).and_then(|desk| desk.earmark) {
            self.drop_channel(now, kept);
            self.list_contact(kept);
        }
        self.unlist_agent(id);
        self.doubt_preferred(id);
        self.timers.cancel(&Timer::AgentGrace(id.clone()));
        self.timers.cancel(&Timer::OfferGrace(id.clone()));
        self.note_skills(id, false);
        let Some(mut desk) = self.agents.remove(id) else { return };
        (desk.record.session, desk.record.health) = (None, Health::default());
        if desk.shown.0 != Presence::Offline {
            self.outbox.changes.push_back(crate::output::Change::PresenceChanged {
                agent: id.clone(),
                at: now,
                presence: Presence::Offline,
                reason: None,
            });
        }
        self.outbox.removed.insert(id.clone(), desk.record);
    }
}

impl From<RequestedState> for AgentState {
    fn from(asked: RequestedState) -> Self {
        match asked {
            RequestedState::Ready => Self::Ready,
            RequestedState::NotReady { reason } => Self::NotReady { reason },
            RequestedState::Offline => Self::Offline,
        }
    }
}
