//! The ladder of targets: whom a waiting contact may be offered to, for how long, and who besides after that.
//!
//! Target 0 is the customer's own agent, where there is one; targets 1 to n come from the subject (G9). Each later target
//! widens: whoever met an earlier one still may. A contact stands in the bucket of its present target only.

use crate::{
    config::{Overflow, SubjectConfig, Target},
    contact::{Contact, ContactState, Medium},
    core::{Core, Desk},
    floor::BucketId,
    ids::*,
    matcher::cooling,
    output::Fact,
    time::{Millis, Timestamp},
    timers::Timer,
};

/// No number outside is tried more often than that.
const SHORTEST_OVERFLOW: Millis = Millis::from_secs(1);

/// What an agent must be able to do, by skill and least level; sorted by skill.
pub(crate) type Skills = Vec<(SkillId, u8)>;

/// Who may be offered a contact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Target 0: nobody but this agent.
    Only(AgentId),
    /// Whoever meets one of these.
    AnyOf(Vec<Skills>),
}

impl Need {
    pub(crate) fn is_met_by(&self, agent: &AgentId, skills: &std::collections::BTreeMap<SkillId, u8>) -> bool {
        let has = |(skill, least): &(SkillId, u8)| skills.get(skill).is_some_and(|level| level >= least);
        match self {
            Self::Only(only) => only == agent,
            Self::AnyOf(any) => any.iter().any(|all| all.iter().all(has)),
        }
    }
}

/// All that the need of a contact follows from, its own agent aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Standing {
    queue: QueueId,
    subject: SubjectId,
    medium: Medium,
    target: u8,
    language: Option<(SkillId, u8)>,
}

/// What a subject asks for at first, whoever the customer is.
pub(crate) fn first_need(subject: &SubjectConfig) -> Need {
    let skills = subject.targets.first().map(|target| target.skills.clone()).unwrap_or_default();
    Need::AnyOf(vec![skills.into_iter().collect()])
}

/// Whether everybody who meets `narrow` meets `wide` too.
fn implies(narrow: &Skills, wide: &Skills) -> bool {
    wide.iter().all(|(skill, least)| narrow.iter().any(|(known, level)| known == skill && level >= least))
}

impl Core {
    /// The subject's targets, as far as they hold where the contact waits: in a queue it was transferred to, being in the
    /// queue is all that counts.
    fn targets(&self, contact: &Contact) -> &[Target] {
        let own = |subject: &&SubjectConfig| subject.queue == contact.queue;
        self.config.subject(&contact.subject).filter(own).map_or(&[][..], |subject| &subject.targets[..])
    }

    /// Where a customer on the telephone goes after the last target. Like the targets it holds in the subject's own queue.
    pub(crate) fn overflow_of(&self, contact: &Contact) -> Option<&Overflow> {
        let own = |subject: &&SubjectConfig| subject.queue == contact.queue;
        let overflow = self.config.subject(&contact.subject).filter(own)?.overflow.as_ref()?;
        (contact.live_leg().is_some() && !self.config.callback.trunks.is_empty()).then_some(overflow)
    }

    /// How many targets there are after the customer's own agent; at least one.
    pub(crate) fn last_target(&self, contact: &Contact) -> u8 {
        self.targets(contact).len().clamp(1, usize::from(u8::MAX)) as u8
    }

    /// What the contact's present target asks of an agent.
    pub(crate) fn need_of(&self, contact: &Contact) -> Need {
        if let (0, Some(agent)) = (contact.target, &contact.preferred) {
            return Need::Only(agent.clone());
        }
        let language = self.config.language_skill(contact.customer.language.as_str());
        let mut any: Vec<Skills> = Vec::new();
        let targets = self.targets(contact);
        for target in targets.iter().take(usize::from(contact.target).max(1)) {
            let mut skills: Skills = target.skills.iter().map(|(skill, level)| (skill.clone(), *level)).collect();
            if let Some((skill, level)) = language {
                match skills.binary_search_by(|(known, _)| known.cmp(skill)) {
                    Ok(at) => skills[at].1 = skills[at].1.max(*level),
                    Err(at) => skills.insert(at, (skill.clone(), *level)),
                }
            }
            add_unless_implied(&mut any, skills);
        }
        if targets.is_empty() {
            any.push(language.cloned().into_iter().collect());
        }
        any.sort_unstable();
        Need::AnyOf(any)
    }

    /// The bucket of those who wait like this contact; working its need out every time would be the dearest part of a step.
    pub(crate) fn bucket_of(&mut self, id: ContactId) -> Option<BucketId> {
        let contact = &self.contacts.get(&id)?.contact;
        let (queue, medium) = (contact.queue.clone(), contact.channel.medium());
        if contact.target == 0 && contact.preferred.is_some() {
            let need = self.need_of(contact);
            return Some(self.bucket_for(queue, medium, need));
        }
        let language = self.config.language_skill(contact.customer.language.as_str()).cloned();
        let standing = Standing { queue, subject: contact.subject.clone(), medium, target: contact.target, language };
        if let Some(known) = self.floor.standings.get(&standing) {
            return Some(*known);
        }
        let need = self.need_of(contact);
        let bucket = self.bucket_for(standing.queue.clone(), medium, need);
        self.floor.standings.insert(standing, bucket);
        Some(bucket)
    }

    /// Before the contact's indexes are entered: which target it stands at, and until when.
    pub(crate) fn stand_at_target(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let (contact, last) = (&entry.contact, self.last_target(&entry.contact));
        let skipped = contact.target == 0 && !self.waits_for_preferred(now, contact);
        let target = if skipped { 1 } else { contact.target.min(last) };
        let timeout = match target {
            0 => Some(self.config.policy.sticky.timeout),
            at if at < last => self.targets(contact).get(usize::from(at) - 1).map(|target| target.timeout),
            _ => self.overflow_of(contact).map(|overflow| overflow.timeout.max(SHORTEST_OVERFLOW)),
        };
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        // A stage goes on where it was left: who was offered meanwhile, or waited through a restart, is not set back.
        let begun = entry.contact.widen_at.filter(|_| entry.contact.target == target);
        let widen_at = timeout.map(|timeout| begun.unwrap_or(now + timeout));
        if (entry.contact.target, entry.contact.widen_at) != (target, widen_at) {
            (entry.contact.target, entry.contact.widen_at) = (target, widen_at);
            self.outbox.contacts.insert(id);
        }
        if let Some(at) = widen_at {
            self.floor.widening.insert((at, id));
            self.set_widen_timer();
        }
    }

    pub(crate) fn leave_target(&mut self, id: ContactId, at: Option<Timestamp>) {
        if at.is_some_and(|at| self.floor.widening.remove(&(at, id))) {
            self.set_widen_timer();
        }
    }

    /// One timer for all: the next stage that ends.
    pub(crate) fn set_widen_timer(&mut self) {
        match self.floor.widening.first() {
            Some((at, _)) if self.timers.get(&Timer::Widen) == Some(*at) => {}
            Some((at, _)) => self.timers.set(Timer::Widen, *at),
            None => self.timers.cancel(&Timer::Widen),
        }
    }

    /// The first stage that is over at `now`.
    pub(crate) fn widen_due(&mut self, now: Timestamp) {
        if let Some((at, id)) = self.floor.widening.first().copied().filter(|(at, _)| *at <= now) {
            self.floor.widening.remove(&(at, id));
            self.widen(now, id);
        }
        self.set_widen_timer();
    }

    /// On to the next target, with the overflow priority from the second one on.
    pub(crate) fn widen(&mut self, now: Timestamp, id: ContactId) {
        let Some(entry) = self.contacts.get(&id) else { return };
        let ContactState::Queued { .. } = entry.contact.state else { return };
        if entry.contact.target >= self.last_target(&entry.contact) {
            if let Some(number) = self.overflow_of(&entry.contact).map(|overflow| overflow.number.clone()) {
                self.overflow(now, id, number);
            }
            return;
        }
        let overflow = self.config.subject(&entry.contact.subject).map(|subject| subject.priorities.overflow);
        self.leave_state(id);
        let Some(entry) = self.contacts.get_mut(&id) else { return };
        entry.contact.target += 1;
        if entry.contact.target > 1 {
            // Who was passed over by an agent already stands at the more urgent of the two.
            entry.contact.priority = entry.contact.priority.min(overflow.unwrap_or(u8::MAX));
        }
        let (target, priority) = (entry.contact.target, entry.contact.priority);
        entry.contact.widen_at = None;
        self.enter_state(now, id);
        self.save(id);
        self.fact(id, now, Fact::Widened { target, priority });
    }

    /// The customer's own agent is there, free or busy: worth waiting for.
    fn waits_for_preferred(&self, now: Timestamp, contact: &Contact) -> bool {
        let Some(agent) = &contact.preferred else { return false };
        let medium = contact.channel.medium();
        let here = |desk: &Desk| {
            desk.takes_contacts()
                && desk.reaches(medium)
                && desk.slots(medium) > 0
                && desk.config.queues.contains(&contact.queue)
        };
        !cooling(contact, agent, now) && self.agents.get(agent).is_some_and(here)
    }

    /// Those who wait for this agent alone must hear if that is in vain.
    pub(crate) fn doubt_preferred(&mut self, agent: &AgentId) {
        let Some(desk) = self.agents.get(agent) else { return };
        for &bucket in &desk.own {
            let bucket = &self.floor.buckets[bucket];
            self.floor.doubted.extend(bucket.waiting.iter().chain(&bucket.on_line).map(|place| place.contact));
        }
    }

    /// Those who wait for an agent who has gone, or will not have them, wait for anybody else instead.
    pub(crate) fn skip_preferred(&mut self, now: Timestamp) {
        while let Some(id) = self.floor.doubted.pop_first() {
            let Some(entry) = self.contacts.get(&id) else { continue };
            let queued = matches!(entry.contact.state, ContactState::Queued { .. });
            if queued && entry.contact.target == 0 && !self.waits_for_preferred(now, &entry.contact) {
                self.widen(now, id);
            }
        }
    }
}

/// Keeps the alternatives apart: one that another implies adds nobody.
fn add_unless_implied(any: &mut Vec<Skills>, skills: Skills) {
    if any.iter().any(|known| implies(&skills, known)) {
        return;
    }
    any.retain(|known| !implies(known, &skills));
    any.push(skills);
}
