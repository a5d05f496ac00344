//! The floor: who waits where and who is free for it. Every index over contacts and agents lives here and is changed
//! only by moving a contact to another state or relisting an agent, so that no index can disagree with the records.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Index, IndexMut},
};

use crate::{
    config::{AgentConfig, TenantConfig},
    contact::{Channel, Contact, ContactState, Medium},
    core::{ChannelHold, Core, Desk, Listing},
    event::DenialReason,
    filing::Filing,
    ids::*,
    ladder::{Need, Standing},
    line::{self, Line, NO_AGEING, Place},
    outbox::Noted,
    output::Fact,
    reason::Reason,
    runs::Runs,
    time::{Millis, Timestamp},
    timers::Timer,
    wait::WaitStats,
};

/// Half as wide as a place in memory: every waiting contact carries one.
pub(crate) type BucketId = u32;

/// All buckets there ever were, by their ids.
#[derive(Default)]
pub(crate) struct Buckets(Vec<Bucket>);

/// A free agent: fewest in hand first, then longest idle.
pub(crate) type Free = (u8, Timestamp, AgentId);

pub(crate) struct Floor {
    pub(crate) queues: BTreeMap<QueueId, QueueLine>,
    pub(crate) buckets: Buckets,
    /// Those of chats.
    pub(crate) text_buckets: Vec<BucketId>,
    bucket_ids: BTreeMap<(QueueId, Medium, Need), BucketId>,
    /// The same, by what the needs follow from.
    pub(crate) standings: Filing<Standing, BucketId, 1>,
    pub(crate) scheduled: BTreeSet<(Timestamp, ContactId)>,
    /// In line with a target still to open, by the moment it does.
    pub(crate) widening: Runs<(Timestamp, ContactId)>,
    /// Waiting for an agent who may have gone.
    pub(crate) doubted: BTreeSet<ContactId>,
    /// What one priority is worth.
    pub(crate) step: Millis,
    /// Buckets in which a match may have become possible.
    pub(crate) touched_buckets: BTreeSet<BucketId>,
    /// Agents whose standing may have changed.
    pub(crate) touched_agents: Noted<AgentId>,
    /// Agents kept free for a reservation.
    pub(crate) earmarked: BTreeSet<Free>,
    pub(crate) signed_in: u32,
    /// Customers may be called, by the hours and the callback window.
    pub(crate) open: bool,
    /// Only customers who are on the line already are served.
    pub(crate) shut: bool,
    /// No channel is asked for while this stands; `Timer::ChannelsRetry` ends it.
    pub(crate) blocked: Option<DenialReason>,
}

impl Default for Floor {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            buckets: Buckets::default(),
            text_buckets: Vec::new(),
            bucket_ids: BTreeMap::new(),
            standings: Filing::default(),
            scheduled: BTreeSet::new(),
            widening: Runs::default(),
            doubted: BTreeSet::new(),
            step: NO_AGEING,
            touched_buckets: BTreeSet::new(),
            touched_agents: Noted::default(),
            earmarked: BTreeSet::new(),
            signed_in: 0,
            open: false,
            shut: false,
            blocked: None,
        }
    }
}

impl Floor {
    pub(crate) fn place_of(&self, contact: &Contact) -> Place {
        line::place_of(contact, self.step)
    }
}

/// One configured queue.
#[derive(Default)]
pub(crate) struct QueueLine {
    pub(crate) line: Line,
    pub(crate) scheduled: u32,
    /// With an agent, or arriving by telephone.
    pub(crate) active: u32,
    pub(crate) wait: WaitStats,
}

/// Contacts of one queue and medium with one need, and the free agents who meet it.
pub(crate) struct Bucket {
    pub(crate) queue: QueueId,
    pub(crate) medium: Medium,
    pub(crate) need: Need,
    /// Contacts that the agents who are Ready and serve this bucket can have in hand, busy ones included.
    pub(crate) slots: u32,
    pub(crate) free: BTreeSet<Free>,
    /// In line, no channel asked for yet.
    pub(crate) waiting: Runs<Place>,
    /// In line with the customer there already, on the telephone or in a chat.
    pub(crate) on_line: BTreeSet<Place>,
}

impl Buckets {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bucket> {
        self.0.iter()
    }

    pub(crate) fn ids(&self) -> std::ops::Range<BucketId> {
        0..self.next_id()
    }

    fn ids_of(&self, wanted: impl Fn(&Bucket) -> bool) -> Vec<BucketId> {
        self.ids().filter(|&id| wanted(&self[id])).collect()
    }

    fn next_id(&self) -> BucketId {
        self.0.len() as BucketId
    }

    fn push(&mut self, bucket: Bucket) {
        self.0.push(bucket);
    }
}

impl Index<BucketId> for Buckets {
    type Output = Bucket;

    fn index(&self, id: BucketId) -> &Bucket {
        &self.0[id as usize]
    }
}

impl IndexMut<BucketId> for Buckets {
    fn index_mut(&mut self, id: BucketId) -> &mut Bucket {
        &mut self.0[id as usize]
    }
}

impl Bucket {
    fn new(queue: QueueId, medium: Medium, need: Need) -> Self {
        let (free, waiting, on_line) = Default::default();
        Self { queue, medium, need, slots: 0, free, waiting, on_line }
    }

    /// Takes an agent who serves it in, as that agent stands.
    fn enlist(&mut self, agent: &AgentId, desk: &Desk) {
        if desk.effective {
            self.staff(desk);
        }
        if let Some(listing) = desk.listed.filter(|listing| self.takes(listing)) {
            self.free.insert((listing.load, listing.idle, agent.clone()));
        }
    }

    pub(crate) fn is_served_by(&self, agent: &AgentConfig) -> bool {
        agent.queues.contains(&self.queue) && self.need.is_met_by(&agent.id, &agent.skills)
    }

    /// Whether an agent who stands like this is free for it. Who is kept for a call is free for no other call.
    pub(crate) fn takes(&self, listing: &Listing) -> bool {
        listing.open(self.medium) && !(listing.kept && self.medium == Medium::Voice)
    }

    fn staff(&mut self, desk: &Desk) {
        self.slots += u32::from(desk.slots(self.medium));
    }

    fn unstaff(&mut self, desk: &Desk) {
        self.slots -= u32::from(desk.slots(self.medium));
    }
}

impl Core {
    /// Moves the contact to another state with all its indexes; the reason is kept in the record.
    pub(crate) fn move_to(&mut self, now: Timestamp, id: ContactId, state: ContactState, reason: Reason) {
        self.leave_state(id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.contact.state = state;
        entry.contact.reason = reason;
        self.enter_state(now, id);
        self.save(id);
    }

    pub(crate) fn leave_state(&mut self, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let (contact, widen_at) = (&entry.contact, entry.contact.widen_at);
        let place = self.floor.place_of(contact);
        let Some(queue) = self.floor.queues.get_mut(&contact.queue) else { return };
        match contact.state {
            ContactState::Scheduled { due } => {
                queue.scheduled -= 1;
                self.floor.scheduled.remove(&(due, id));
                self.timers.cancel(&Timer::ContactDue(id));
            }
            ContactState::Queued { .. } => {
                queue.line.remove(&place);
                let bucket = &mut self.floor.buckets[entry.bucket];
                bucket.waiting.remove(&place);
                bucket.on_line.remove(&place);
                self.timers.cancel(&Timer::CoolOffOver(id));
                self.timers.cancel(&Timer::ChatWait(id));
                self.timers.cancel(&Timer::AnnounceWait(id));
                self.leave_target(id, widen_at);
                self.release_held();
            }
            ContactState::Arriving { .. } | ContactState::Active { .. } => queue.active -= 1,
            ContactState::Closed { .. } => {}
        }
    }

    pub(crate) fn enter_state(&mut self, now: Timestamp, id: ContactId) {
        if self.contacts.get(&id).is_some_and(|entry| matches!(entry.contact.state, ContactState::Queued { .. })) {
            self.stand_at_target(now, id);
        }
        let Some(bucket) = self.bucket_of(id) else { return };
        let longest_wait = self.config.chat.longest_wait;
        let announce_every = self.config.inbound.announce_every;
        let step = self.floor.step;
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.bucket = bucket;
        let channel = entry.contact.channel;
        let queue = self.floor.queues.entry(entry.contact.queue.clone()).or_default();
        match entry.contact.state {
            ContactState::Scheduled { due } => {
                queue.scheduled += 1;
                self.floor.scheduled.insert((due, id));
                self.timers.set(Timer::ContactDue(id), due);
            }
            ContactState::Queued { since } => {
                queue.line.insert(line::place_of(&entry.contact, step));
                self.list_contact(id);
                self.watch_cool_off(now, id);
                if !channel.needs_trunk() {
                    self.timers.set(Timer::ChatWait(id), since + longest_wait);
                }
                if channel == Channel::Call && announce_every > Millis(0) {
                    self.timers.set(Timer::AnnounceWait(id), now + announce_every);
                }
            }
            ContactState::Arriving { .. } | ContactState::Active { .. } => queue.active += 1,
            ContactState::Closed { .. } => {}
        }
    }

    /// Puts a queued contact that waits for no channel among those to be matched.
    pub(crate) fn list_contact(&mut self, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        if !matches!(entry.contact.state, ContactState::Queued { .. }) {
            return;
        }
        let place = self.floor.place_of(&entry.contact);
        if entry.contact.target == 0 {
            self.floor.doubted.insert(id);
        }
        let bucket = &mut self.floor.buckets[entry.bucket];
        if entry.contact.is_on_line() {
            bucket.on_line.insert(place);
        } else if entry.channel == ChannelHold::None {
            bucket.waiting.insert(place);
        }
        self.floor.touched_buckets.insert(entry.bucket);
        // A call at the head that an agent has just refused holds that agent back for no chat any more.
        self.release_held();
    }

    pub(crate) fn unlist_contact(&mut self, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let place = self.floor.place_of(&entry.contact);
        let bucket = &mut self.floor.buckets[entry.bucket];
        bucket.waiting.remove(&place);
        bucket.on_line.remove(&place);
        self.release_held();
    }

    /// Free agents who serve the need, and contacts of the channel that all of them can have in hand.
    pub(crate) fn capacity(&self, queue: &QueueId, need: &Need, channel: Channel) -> (u32, u32) {
        if let Some(&known) = self.floor.bucket_ids.get(&(queue.clone(), channel.medium(), need.clone())) {
            let bucket = &self.floor.buckets[known];
            return (bucket.free.len() as u32, bucket.slots);
        }
        // Nobody ever asked for it: counted by hand.
        let mut bucket = Bucket::new(queue.clone(), channel.medium(), need.clone());
        for agent in self.perhaps_able(need) {
            if let Some(desk) = self.agents.get(&agent).filter(|desk| bucket.is_served_by(&desk.config)) {
                bucket.enlist(&agent, desk);
            }
        }
        (bucket.free.len() as u32, bucket.slots)
    }

    /// Everybody who meets the need, and some who do not: those with the rarest skill of each alternative.
    fn perhaps_able(&self, need: &Need) -> BTreeSet<AgentId> {
        let any = match need {
            Need::Only(agent) => return BTreeSet::from([agent.clone()]),
            Need::AnyOf(any) => any,
        };
        let nobody = BTreeSet::new();
        let mut found = BTreeSet::new();
        for all in any {
            let skilled = all.iter().map(|(skill, _)| self.skilled.get(skill).unwrap_or(&nobody));
            match skilled.min_by_key(|agents| agents.len()) {
                Some(agents) => found.extend(agents.iter().cloned()),
                None => return self.agents.keys().cloned().collect(),
            }
        }
        found
    }

    /// The index of agents by skill, before (`false`) and after (`true`) an agent's configuration changes.
    pub(crate) fn note_skills(&mut self, id: &AgentId, has: bool) {
        let Some(desk) = self.agents.get(id) else { return };
        for skill in desk.config.skills.keys() {
            let agents = self.skilled.entry(skill.clone()).or_default();
            if has {
                agents.insert(id.clone())
            } else {
                agents.remove(id)
            };
        }
    }

    pub(crate) fn bucket_for(&mut self, queue: QueueId, medium: Medium, need: Need) -> BucketId {
        let key = (queue, medium, need);
        if let Some(&known) = self.floor.bucket_ids.get(&key) {
            return known;
        }
        let id = self.floor.buckets.next_id();
        let (queue, medium, need) = key.clone();
        let mut bucket = Bucket::new(queue, medium, need);
        for agent in self.perhaps_able(&bucket.need) {
            let Some(desk) = self.agents.get_mut(&agent).filter(|desk| bucket.is_served_by(&desk.config)) else {
                continue;
            };
            desk.buckets.push(id);
            if matches!(bucket.need, Need::Only(_)) {
                desk.own.push(id);
            }
            bucket.enlist(&agent, desk);
        }
        if bucket.medium == Medium::Text {
            self.floor.text_buckets.push(id);
        }
        self.floor.buckets.push(bucket);
        self.floor.bucket_ids.insert(key, id);
        id
    }

    /// Brings an agent's place among the free, the counters and the earmark up to date.
    pub(crate) fn relist_agent(&mut self, id: &AgentId) {
        self.doubt_preferred(id);
        let listing = self.listing(id);
        let Some(desk) = self.agents.get(id) else { return };
        let signed_in = desk.record.state != crate::agent::AgentState::Offline;
        let effective = desk.record.state == crate::agent::AgentState::Ready && desk.record.session.is_some();
        self.count_agent(id, signed_in, effective);
        self.list_agent(id, listing);
    }

    pub(crate) fn unlist_agent(&mut self, id: &AgentId) {
        self.count_agent(id, false, false);
        self.list_agent(id, None);
    }

    fn count_agent(&mut self, id: &AgentId, signed_in: bool, effective: bool) {
        let Some(desk) = self.agents.get_mut(id) else { return };
        let was = std::mem::replace(&mut desk.signed_in, signed_in);
        self.floor.signed_in = self.floor.signed_in + u32::from(signed_in) - u32::from(was);
        if std::mem::replace(&mut desk.effective, effective) == effective {
            return;
        }
        for &bucket in &desk.buckets {
            let bucket = &mut self.floor.buckets[bucket];
            if effective { bucket.staff(desk) } else { bucket.unstaff(desk) }
        }
    }

    /// To another standing among the free. Most of what touches an agent moves nothing or half, and a dozen lists are dear.
    fn list_agent(&mut self, id: &AgentId, new: Option<Listing>) {
        let Some(desk) = self.agents.get_mut(id) else { return };
        let old = std::mem::replace(&mut desk.listed, new);
        if old == new {
            return;
        }
        let key = |listing: Listing| (listing.load, listing.idle, id.clone());
        let (was, is) = (old.map(key), new.map(key));
        for &id in &desk.buckets {
            let bucket = &mut self.floor.buckets[id];
            let leaves = was.as_ref().filter(|_| old.is_some_and(|old| bucket.takes(&old)));
            let enters = is.as_ref().filter(|_| new.is_some_and(|new| bucket.takes(&new)));
            if leaves == enters {
                continue;
            }
            // One held back for a call less: the next one may not be.
            let gone = leaves.is_some_and(|key| bucket.free.remove(key));
            let freed = gone && bucket.medium == Medium::Text && !bucket.on_line.is_empty();
            let came = enters.is_some_and(|key| bucket.free.insert(key.clone()));
            if freed || came {
                self.floor.touched_buckets.insert(id);
            }
        }
        let kept = |listing: Option<Listing>| listing.is_some_and(|listing| listing.kept && listing.voice);
        if let Some(key) = was.filter(|_| kept(old)) {
            self.floor.earmarked.remove(&key);
        }
        if let Some(key) = is.filter(|_| kept(new)) {
            self.floor.earmarked.insert(key);
        }
    }

    /// Builds every index anew, after a configuration change or at start.
    pub(crate) fn rebuild_floor(&mut self, now: Timestamp) {
        let old = std::mem::take(&mut self.floor);
        self.floor.blocked = old.blocked;
        (self.floor.open, self.floor.shut) = (old.open, old.shut);
        self.floor.touched_agents = old.touched_agents;
        let mut stats: BTreeMap<_, _> = old.queues.into_iter().map(|(id, queue)| (id, queue.wait)).collect();
        let step = self.config.policy.ageing.filter(|step| *step > Millis(0)).unwrap_or(NO_AGEING).min(NO_AGEING);
        self.floor.step = step;
        for queue in &self.config.queues {
            let (wait, line) = (stats.remove(&queue.id).unwrap_or_default(), Line::with_step(step));
            self.floor.queues.insert(queue.id.clone(), QueueLine { wait, line, ..QueueLine::default() });
        }
        for (_, desk) in self.agents.iter_mut() {
            (desk.listed, desk.signed_in, desk.effective) = (None, false, false);
            desk.buckets.clear();
            desk.own.clear();
        }
        let contacts: Vec<_> = self.contacts.keys().copied().collect();
        for id in contacts {
            self.rehome(id);
            self.enter_state(now, id);
        }
        let agents: Vec<_> = self.agents.keys().cloned().collect();
        for id in agents {
            self.relist_agent(&id);
        }
        self.set_widen_timer();
    }

    /// A contact whose queue is configured no more goes to its subject's queue, or to the first.
    fn rehome(&mut self, id: ContactId) {
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        if self.config.queue(&entry.contact.queue) {
            return;
        }
        let subject = self.config.subject(&entry.contact.subject).map(|subject| &subject.queue);
        let home = subject.filter(|queue| self.config.queue(queue));
        if let Some(home) = home.or_else(|| self.config.queues.first().map(|queue| &queue.id)).cloned() {
            entry.contact.queue = home;
            self.save(id);
        }
    }

    /// Which buckets an agent serves; call before relisting.
    pub(crate) fn find_buckets(&mut self, id: &AgentId) {
        if let Some(desk) = self.agents.get_mut(id) {
            let buckets = &self.floor.buckets;
            desk.buckets = buckets.ids_of(|bucket| bucket.is_served_by(&desk.config));
            desk.own = buckets.ids_of(|bucket| matches!(&bucket.need, Need::Only(only) if only == id));
        }
    }

    /// Back in line at the original request time; outside hours, with nobody on the line, at the next opening.
    pub(crate) fn requeue(&mut self, now: Timestamp, id: ContactId, reason: Reason) {
        let on_line = self.contacts.get(&id).is_some_and(|entry| entry.contact.is_on_line());
        if self.floor.shut && !on_line {
            self.reschedule_closed(now, id);
            return;
        }
        self.fact(id, now, Fact::Queued { reason: reason.clone() });
        self.move_to(now, id, ContactState::Queued { since: now }, reason);
        self.note_first_wait(now, id);
        self.tell_if_emergency(now, id);
    }

    /// 1 = next; None when not in line.
    pub(crate) fn position(&self, contact: &Contact) -> Option<u32> {
        let queue = self.floor.queues.get(&contact.queue)?;
        queue.line.rank(&self.floor.place_of(contact)).map(|rank| rank as u32 + 1)
    }
}

impl TenantConfig {
    pub(crate) fn subject(&self, id: &SubjectId) -> Option<&crate::config::SubjectConfig> {
        self.subjects.iter().find(|subject| subject.id == *id)
    }

    pub(crate) fn queue(&self, id: &QueueId) -> bool {
        self.queues.iter().any(|queue| queue.id == *id)
    }
}
