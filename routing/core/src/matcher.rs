//! Who is offered what. A trunk channel comes before the offer, so that nobody accepts a call that cannot be placed:
//! a free agent is kept for the contact while the channel is asked for, and the offer goes to whoever has been idle
//! longest when it is granted.

use crate::{
    agent::{AgentState, Presence},
    contact::{Contact, ContactState, Medium, Outcome},
    core::{ChannelHold, Core, Desk, Entry},
    event::{DenialReason, Receipt, Rejection},
    floor::{Bucket, BucketId, Free},
    ids::*,
    line::Place,
    output::{Change, Deed},
    reason::Reason,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// The engine answers a reservation at once; silence for this long is taken for a refusal.
pub(crate) const CHANNEL_REPLY_LIMIT: Millis = Millis::from_secs(10);
const CHANNEL_RETRY_AFTER_SILENCE: Millis = Millis::from_secs(1);
/// Bounds of what a refusal may ask for.
const SHORTEST_RETRY: Millis = Millis(100);
const LONGEST_RETRY: Millis = Millis::from_secs(300);
/// So many agents held back for a call are looked past for one chat.
const HELD_CANDIDATES: usize = 16;
/// How many agents kept for others are looked at for a longer idle time when a channel is granted.
const SWAP_CANDIDATES: usize = 8;

/// Every free agent is held back for a call.
#[derive(Debug)]
pub(crate) struct HeldBack;

impl Core {
    /// Brings listings, presences and matches up to date; ends every mutation.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        loop {
            while let Some(agent) = self.floor.touched_agents.take_first() {
                self.relist_agent(&agent);
                self.show_presence(now, &agent);
            }
            self.skip_preferred(now);
            if !self.floor.touched_agents.is_empty() {
                continue;
            }
            if !self.match_one(now) {
                break;
            }
        }
    }

    /// Makes the best match that is possible in a touched bucket; false when there is none.
    fn match_one(&mut self, now: Timestamp) -> bool {
        let open = !self.floor.shut && self.floor.blocked.is_none();
        let buckets = &self.floor.buckets;
        self.floor.touched_buckets.retain(|&id| {
            let bucket = &buckets[id];
            !bucket.free.is_empty() && (!bucket.on_line.is_empty() || open && !bucket.waiting.is_empty())
        });
        // Heads first: looking into the records is needed only where an agent's cool-off may forbid the head.
        let head = |id: BucketId| {
            let bucket = &self.floor.buckets[id];
            let waiting = bucket.waiting.first().filter(|_| open);
            [bucket.on_line.first(), waiting].into_iter().flatten().min().copied()
        };
        let best = self.floor.touched_buckets.iter().filter_map(|&id| Some((head(id)?, id))).min();
        let Some((place, bucket)) = best else {
            self.floor.touched_buckets.clear();
            return false;
        };
        let found = match self.candidate(now, bucket, open) {
            Some(found) if found.0 == place => Some(found),
            _ => {
                let all = self.floor.touched_buckets.iter();
                all.filter_map(|&id| self.candidate(now, id, open)).min_by(|a, b| a.0.cmp(&b.0))
            }
        };
        let Some((place, agent)) = found else {
            self.floor.touched_buckets.clear();
            return false;
        };
        self.engage(now, place.contact, agent);
        true
    }

    /// The first contact of the bucket for which a free agent is not in cool-off, with the longest-idle such agent.
    fn candidate(&self, now: Timestamp, id: BucketId, open: bool) -> Option<(Place, AgentId)> {
        let bucket = &self.floor.buckets[id];
        let (mut lines, mut waits) = (bucket.on_line.iter().peekable(), bucket.waiting.iter().peekable());
        loop {
            let place = match (lines.peek(), waits.peek().filter(|_| open)) {
                (Some(line), Some(wait)) if wait < line => waits.next(),
                (None, Some(_)) => waits.next(),
                (Some(_), _) => lines.next(),
                (None, None) => return None,
            }?;
            let contact = &self.contacts.get(&place.contact)?.contact;
            if let Some((_, _, agent)) = self.free_for(bucket, place, |agent| cooling(contact, agent, now)).ok()? {
                return Some((*place, agent.clone()));
            }
        }
    }

    /// The first free agent of the bucket for this place.
    ///
    /// # Errors
    /// Everybody is held back for a call; so they are for every later place.
    pub(crate) fn free_for<'a>(
        &self,
        bucket: &'a Bucket,
        place: &Place,
        cooling: impl Fn(&AgentId) -> bool,
    ) -> Result<Option<&'a Free>, HeldBack> {
        let (mut held, mut others) = (0, false);
        for free in &bucket.free {
            let engaged = bucket.medium == Medium::Text && free.0 > 0;
            if engaged && self.agents.get(&free.2).is_some_and(|desk| self.holds_back(desk, place)) {
                held += 1;
                if held == HELD_CANDIDATES {
                    break;
                }
                continue;
            }
            others = true;
            if !cooling(&free.2) {
                return Ok(Some(free));
            }
        }
        if held > 0 && !others { Err(HeldBack) } else { Ok(None) }
    }

    /// With chats in hand an agent is given no further one while a call the agent could take has waited longer: otherwise
    /// chats alone could keep an agent from calls for ever.
    pub(crate) fn holds_back(&self, desk: &Desk, place: &Place) -> bool {
        let calls_come = !self.floor.shut && self.floor.blocked.is_none();
        if !self.config.policy.voice_exclusive || desk.slots(Medium::Voice) == 0 || !desk.reaches(Medium::Voice) {
            return false;
        }
        if desk.hand.is_empty() {
            return false;
        }
        let sooner = |at: &Place| {
            let cooling = |entry: &Entry| entry.contact.cool_off.contains_key(&desk.record.id);
            at < place && self.contacts.get(&at.contact).is_some_and(|entry| !cooling(entry))
        };
        desk.buckets.iter().map(|&bucket| &self.floor.buckets[bucket]).any(|bucket| {
            let waiting = bucket.waiting.first().filter(|_| calls_come);
            bucket.medium == Medium::Voice && [bucket.on_line.first(), waiting].into_iter().flatten().any(sooner)
        })
    }

    /// A call has left the line, or calls come no more: whoever was held back for it may be given a chat again.
    pub(crate) fn release_held(&mut self) {
        if self.config.policy.voice_exclusive {
            let buckets = &self.floor.buckets;
            let chats = self.floor.text_buckets.iter().filter(|&&bucket| !buckets[bucket].on_line.is_empty());
            self.floor.touched_buckets.extend(chats.copied());
        }
    }

    /// Puts the contact before the agent; a call once its trunk channel is granted.
    pub(crate) fn engage(&mut self, now: Timestamp, id: ContactId, agent: AgentId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        if entry.contact.is_on_line() {
            self.make_offer(now, id, agent);
            return;
        }
        let number_key = entry.contact.customer.number_key.clone();
        self.unlist_contact(id);
        self.earmark(&agent, Some(id));
        self.timers.set(Timer::ChannelReply(id), now + CHANNEL_REPLY_LIMIT);
        let trunks = self.config.callback.trunks.clone();
        let question = self.deed(now, Deed::ReserveChannel { contact: id, number_key, trunks });
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.channel = ChannelHold::Asked { agent, question };
        }
    }

    fn earmark(&mut self, agent: &AgentId, contact: Option<ContactId>) {
        if let Some(desk) = self.agents.get_mut(agent) {
            desk.earmark = contact;
        }
        self.relist_agent(agent);
    }

    /// Gives back what the contact holds of the trunk, or no longer asks for it. The contact is not listed again.
    pub(crate) fn drop_channel(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        match std::mem::replace(&mut entry.channel, ChannelHold::None) {
            ChannelHold::None => return,
            ChannelHold::Refused => {
                self.timers.cancel(&Timer::NumberRetry(id));
                return;
            }
            ChannelHold::Asked { agent, .. } => {
                self.timers.cancel(&Timer::ChannelReply(id));
                // Who calls of their own accord is not kept, but engaged.
                if self.agents.get(&agent).is_some_and(|desk| desk.earmark == Some(id)) {
                    self.earmark(&agent, None);
                }
            }
            ChannelHold::Held { .. } => {}
        }
        self.deed(now, Deed::ReleaseChannel { contact: id });
        if self.floor.blocked == Some(DenialReason::AllBusy) {
            self.unblock_channels();
        }
    }

    pub(crate) fn channel_granted(
        &mut self,
        now: Timestamp,
        id: ContactId,
        trunk: TrunkId,
        answers: Option<CommandId>,
    ) -> Result<Receipt, Rejection> {
        let asked = match self.contacts.get(&id).map(|entry| &entry.channel) {
            // The question it answers was taken back, and what it grants with it; the one that stands gets its own answer.
            Some(ChannelHold::Asked { question, .. }) if answers.is_some_and(|answered| answered != *question) => {
                return Err(Rejection::WrongState);
            }
            Some(ChannelHold::Asked { agent, .. }) => agent.clone(),
            Some(ChannelHold::Held { .. }) => return Err(Rejection::WrongState),
            // A grant that nobody waits for any more goes straight back.
            Some(ChannelHold::None | ChannelHold::Refused) | None => {
                self.deed(now, Deed::ReleaseChannel { contact: id });
                return Ok(Receipt::Done);
            }
        };
        self.timers.cancel(&Timer::ChannelReply(id));
        if self.contacts.get(&id).is_some_and(|entry| entry.contact.is_unreached_outbound()) {
            self.outbound_granted(now, id, trunk);
            return Ok(Receipt::Done);
        }
        let chosen = self.choose_at_grant(now, id, &asked);
        match self.agents.get_mut(&asked) {
            // The offer takes it out of all lists at once; on the way there it need not enter those of calls.
            Some(desk) if chosen.as_ref().is_some_and(|chosen| *chosen == (asked.clone(), None)) => {
                desk.earmark = None;
                self.floor.touched_agents.insert(asked.clone());
            }
            _ => self.earmark(&asked, None),
        }
        let Some(entry) = self.contacts.get_mut(&id) else { return Ok(Receipt::Done) };
        entry.channel = ChannelHold::Held { trunk };
        let Some((agent, bumped)) = chosen else {
            self.drop_channel(now, id);
            self.list_contact(id);
            return Ok(Receipt::Done);
        };
        if let Some(other) = bumped {
            self.earmark(&agent, None);
            self.earmark(&asked, Some(other));
            if let Some(Entry { channel: ChannelHold::Asked { agent, .. }, .. }) =
                self.contacts.get_mut(&other).map(|entry| &mut **entry)
            {
                *agent = asked;
            }
        }
        self.make_offer(now, id, agent);
        Ok(Receipt::Done)
    }

    /// The longest-idle agent who may take the contact now: a free one, the one kept for it, or one kept for another
    /// contact that the agent kept for this one can take in exchange.
    fn choose_at_grant(&self, now: Timestamp, id: ContactId, asked: &AgentId) -> Option<(AgentId, Option<ContactId>)> {
        let entry = self.contacts.get(&id)?;
        let bucket = &self.floor.buckets[entry.bucket];
        let may = |contact: ContactId, agent: &AgentId| {
            let Some((entry, desk)) = self.contacts.get(&contact).zip(self.agents.get(agent)) else { return false };
            desk.listed.is_some_and(|listing| listing.voice)
                && desk.buckets.contains(&entry.bucket)
                && !cooling(&entry.contact, agent, now)
        };
        let free = bucket.free.iter().find(|(_, _, agent)| !cooling(&entry.contact, agent, now));
        let own = self.agents.get(asked).filter(|_| may(id, asked)).and_then(|desk| desk.listed);
        let own = own.map(|listing| (listing.load, listing.idle, asked.clone()));
        let best = [free.cloned(), own.clone()].into_iter().flatten().min();
        if own.is_some() {
            let kept = self.floor.earmarked.iter().take(SWAP_CANDIDATES);
            for candidate in kept.take_while(|candidate| best.as_ref().is_some_and(|best| *candidate < best)) {
                let other = self.agents.get(&candidate.2).and_then(|desk| desk.earmark);
                if let Some(other) = other.filter(|other| may(id, &candidate.2) && may(*other, asked)) {
                    return Some((candidate.2.clone(), Some(other)));
                }
            }
        }
        best.map(|(_, _, agent)| (agent, None))
    }

    pub(crate) fn channel_denied(
        &mut self,
        now: Timestamp,
        id: ContactId,
        answers: Option<CommandId>,
        why: DenialReason,
        retry_after: Millis,
    ) -> Result<Receipt, Rejection> {
        let entry = self.contacts.get_mut(&id).ok_or(Rejection::NoSuchContact)?;
        let ChannelHold::Asked { agent, question } = entry.channel.clone() else { return Err(Rejection::WrongState) };
        if answers.is_some_and(|answered| answered != question) {
            return Err(Rejection::WrongState);
        }
        let retry = now + retry_after.clamp(SHORTEST_RETRY, LONGEST_RETRY);
        self.timers.cancel(&Timer::ChannelReply(id));
        if entry.contact.is_unreached_outbound() {
            self.outbound_denied(now, id, why);
            return Ok(Receipt::Done);
        }
        match why {
            DenialReason::NumberInCall => {
                entry.channel = ChannelHold::Refused;
                entry.contact.reason = Reason::NumberInCall;
                self.timers.set(Timer::NumberRetry(id), retry);
            }
            DenialReason::NotAllowed => {
                entry.channel = ChannelHold::None;
                self.earmark(&agent, None);
                self.close(now, id, Outcome::Unsuccessful, Reason::NumberNotAllowed);
                return Ok(Receipt::Done);
            }
            DenialReason::AllBusy | DenialReason::TrunksDown | DenialReason::Draining | DenialReason::NotNow => {
                let held_back = why == DenialReason::NotNow;
                entry.channel = ChannelHold::None;
                entry.contact.reason = if held_back { Reason::CallsHeldBack } else { Reason::NoFreeChannel };
                self.floor.blocked = Some(why);
                self.release_held();
                self.timers.set(Timer::ChannelsRetry, retry);
                self.list_contact(id);
            }
        }
        self.save(id);
        self.earmark(&agent, None);
        Ok(Receipt::Done)
    }

    pub(crate) fn channel_reply_missing(&mut self, now: Timestamp, id: ContactId) {
        self.deed(now, Deed::ReleaseChannel { contact: id });
        let denied = self.channel_denied(now, id, None, DenialReason::AllBusy, CHANNEL_RETRY_AFTER_SILENCE);
        debug_assert!(denied.is_ok(), "the timer ends with the reservation");
    }

    pub(crate) fn number_retry(&mut self, id: ContactId) {
        if let Some(entry) = self.contacts.get_mut(&id) {
            entry.channel = ChannelHold::None;
        }
        self.list_contact(id);
    }

    /// Channels may be asked for again.
    pub(crate) fn unblock_channels(&mut self) {
        self.floor.blocked = None;
        self.timers.cancel(&Timer::ChannelsRetry);
        self.touch_all_buckets();
    }

    pub(crate) fn touch_all_buckets(&mut self) {
        self.floor.touched_buckets.extend(self.floor.buckets.ids());
    }

    /// Wakes the contact when the first cool-off that still runs is over.
    pub(crate) fn watch_cool_off(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        if let Some(first) = entry.contact.cool_off.values().filter(|until| **until > now).min() {
            self.timers.set(Timer::CoolOffOver(id), *first);
        }
    }

    pub(crate) fn cool_off_over(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.contact.cool_off.retain(|_, until| *until > now);
        self.floor.touched_buckets.insert(entry.bucket);
        self.save(id);
        self.watch_cool_off(now, id);
    }

    /// Writes the agent's presence down where it differs from the one shown last.
    fn show_presence(&mut self, now: Timestamp, agent: &AgentId) {
        let Some((presence, reason)) = self.agents.get(agent).map(|desk| self.presence(desk)) else { return };
        let Some(desk) = self.agents.get_mut(agent) else { return };
        if desk.shown != (presence, reason.clone()) {
            desk.shown = (presence, reason.clone());
            desk.shown_since = now;
            self.outbox.changes.push_back(Change::PresenceChanged { agent: agent.clone(), at: now, presence, reason });
        }
    }

    pub(crate) fn presence(&self, desk: &crate::core::Desk) -> (Presence, Option<ReasonCode>) {
        use crate::{agent::RequestedState, contact::SegmentState};
        let reason = match &desk.record.state {
            AgentState::NotReady { reason } => Some(reason.clone()),
            _ => None,
        };
        let states = || {
            desk.hand
                .iter()
                .filter_map(|(contact, segment)| Some(&self.contacts.get(contact)?.contact.segment(*segment)?.state))
        };
        if !desk.hand.is_empty() {
            let asked = match &desk.record.next {
                Some(RequestedState::NotReady { reason }) => Some(Some(reason.clone())),
                Some(RequestedState::Offline) => Some(None),
                _ => None,
            };
            if desk.record.state != AgentState::Ready || asked.is_some() {
                return (Presence::Draining, asked.flatten().or(reason));
            }
            let presence = if states().any(|state| {
                matches!(
                    state,
                    SegmentState::Connecting { .. } | SegmentState::Connected { .. } | SegmentState::AgentLost { .. }
                )
            }) {
                Presence::Busy
            } else if states().any(|state| matches!(state, SegmentState::Offered { .. })) {
                Presence::Offered
            } else {
                Presence::WrapUp
            };
            return (presence, None);
        }
        match desk.record.state {
            AgentState::Offline => (Presence::Offline, None),
            AgentState::NotReady { .. } => (Presence::NotReady, reason),
            AgentState::Ready if !self.is_reachable(desk) => (Presence::Unreachable, None),
            AgentState::Ready => (Presence::Ready, None),
        }
    }
}

pub(crate) fn cooling(contact: &Contact, agent: &AgentId, now: Timestamp) -> bool {
    contact.cool_off.get(agent).is_some_and(|until| *until > now)
}

/// In line with a reservation asked for or refused: not among those to be matched.
pub(crate) fn is_listed(contact: &Contact, channel: &ChannelHold) -> bool {
    matches!(contact.state, ContactState::Queued { .. }) && (contact.is_on_line() || *channel == ChannelHold::None)
}
