//! Why: for one contact, who took it and why, what it waits for, and for each agent what stands in the way.

use crate::{
    agent::AgentState,
    contact::{Contact, ContactState, Medium},
    core::{ChannelHold, Core, Desk, Entry},
    ids::*,
    ladder::Need,
    time::{Millis, Timestamp},
    view::*,
};

impl Core {
    /// None when no such contact is open. At most `limit` agents are answered for, the signed-in ones by id.
    pub fn explain(&self, now: Timestamp, id: ContactId, limit: usize) -> Option<WhyView> {
        let entry = self.contacts.get(&id)?;
        let signed_in = self.agents.values().filter(|desk| desk.record.state != AgentState::Offline);
        let agents = signed_in.take(limit).map(|desk| AgentWhy {
            agent: desk.record.id.clone(),
            name: desk.config.name.clone(),
            obstacles: self.obstacles(now, entry, desk),
        });
        Some(WhyView {
            contact: id,
            at: now,
            state: entry.contact.state.clone(),
            reason: entry.contact.reason.clone(),
            waiting: self.why_waits(now, entry),
            chosen: chosen(&entry.contact),
            agents: agents.collect(),
            signed_in: self.floor.signed_in,
        })
    }

    fn why_waits(&self, now: Timestamp, entry: &Entry) -> Option<WaitingWhy> {
        let contact = &entry.contact;
        let ContactState::Queued { since } = contact.state else { return None };
        let able = |desk: &&Desk| desk.buckets.contains(&entry.bucket) && desk.record.session.is_some();
        let effective = self.agents.any_order().filter(|desk| desk.record.state == AgentState::Ready).filter(able);
        let need = match self.need_of(contact) {
            Need::Only(agent) => Needed::Agent { agent },
            Need::AnyOf(any) => Needed::Skills { any: any.into_iter().map(|all| all.into_iter().collect()).collect() },
        };
        Some(WaitingWhy {
            since,
            waited: now.since(contact.requested_at),
            position: self.position(contact).unwrap_or(0),
            priority: contact.priority,
            one_priority_per: self.config.policy.ageing.filter(|step| *step > Millis(0)),
            target: contact.target,
            targets: self.last_target(contact),
            next_target_at: contact.widen_at,
            need,
            effective_agents: effective.count() as u32,
            channel: self.why_channel(entry),
        })
    }

    fn why_channel(&self, entry: &Entry) -> ChannelWhy {
        match &entry.channel {
            _ if entry.contact.is_on_line() => ChannelWhy::NotNeeded,
            ChannelHold::Asked { agent, .. } => ChannelWhy::Asked { agent: agent.clone() },
            ChannelHold::Held { .. } => ChannelWhy::Held,
            ChannelHold::Refused => ChannelWhy::NumberInCall,
            ChannelHold::None if self.floor.shut => ChannelWhy::Closed,
            ChannelHold::None => match self.floor.blocked {
                Some(reason) => ChannelWhy::Blocked { reason },
                None => ChannelWhy::NotAskedYet,
            },
        }
    }

    /// All that keeps the agent from being offered this contact at this moment; empty: nothing does.
    fn obstacles(&self, now: Timestamp, entry: &Entry, desk: &Desk) -> Vec<Obstacle> {
        let (contact, agent) = (&entry.contact, &desk.record.id);
        if contact.segments.iter().any(|segment| segment.agent == *agent && !segment.is_done()) {
            return vec![Obstacle::HasIt];
        }
        let mut found = Vec::new();
        if !desk.config.queues.contains(&contact.queue) {
            found.push(Obstacle::NotInQueue { queue: contact.queue.clone() });
        }
        self.skills_lacking(contact, desk, &mut found);
        self.state_of(desk, contact.channel.medium(), &mut found);
        self.room_of(entry, desk, &mut found);
        if let Some(until) = contact.cool_off.get(agent).filter(|until| **until > now) {
            found.push(Obstacle::CoolingOff { until: *until });
        }
        found
    }

    /// What is missing for the alternative that comes nearest.
    fn skills_lacking(&self, contact: &Contact, desk: &Desk, found: &mut Vec<Obstacle>) {
        let any = match self.need_of(contact) {
            Need::Only(agent) if agent == desk.record.id => return,
            Need::Only(agent) => return found.push(Obstacle::WaitsForOther { agent }),
            Need::AnyOf(any) => any,
        };
        let level = |skill: &SkillId| desk.config.skills.get(skill).copied().unwrap_or(0);
        let lacking = any.iter().map(|all| all.iter().filter(|(skill, least)| level(skill) < *least));
        let Some(nearest) = lacking.min_by_key(|lacking| lacking.clone().count()) else { return };
        found.extend(nearest.map(|(skill, needed)| Obstacle::LacksSkill {
            skill: skill.clone(),
            needed: *needed,
            has: level(skill),
        }));
    }

    fn state_of(&self, desk: &Desk, medium: Medium, found: &mut Vec<Obstacle>) {
        match &desk.record.state {
            AgentState::NotReady { reason } => found.push(Obstacle::NotReady { reason: reason.clone() }),
            AgentState::Offline => found.push(Obstacle::Offline),
            AgentState::Ready if !desk.takes_contacts() && desk.record.session.is_some() => {
                found.push(Obstacle::Leaving);
            }
            AgentState::Ready => {}
        }
        let (health, voice) = (desk.record.health, medium == Medium::Voice);
        if desk.record.session.is_none() || !health.tab {
            found.push(Obstacle::NoTab);
        } else if voice && !health.microphone {
            found.push(Obstacle::NoMicrophone);
        } else if voice && !health.media {
            found.push(Obstacle::NoMedia);
        }
    }

    fn room_of(&self, entry: &Entry, desk: &Desk, found: &mut Vec<Obstacle>) {
        let (medium, load) = (entry.contact.channel.medium(), self.load(desk));
        if desk.slots(medium) == 0 {
            found.push(Obstacle::NotInProfile);
        } else if !self.fits(desk, load, medium) {
            found.push(Obstacle::Busy { calls: load.voice, chats: load.text });
        } else if let Some(contact) = desk.earmark.filter(|kept| *kept != entry.contact.id) {
            found.push(Obstacle::KeptFor { contact });
        } else if medium == Medium::Text && self.holds_back(desk, &self.floor.place_of(&entry.contact)) {
            found.push(Obstacle::CallWaitsLonger);
        }
    }
}

/// Those it was offered to so far.
pub fn chosen(contact: &Contact) -> Vec<ChosenWhy> {
    let chosen = contact.segments.iter().map(|segment| ChosenWhy {
        segment: segment.id,
        agent: segment.agent.clone(),
        at: segment.offered_at,
        why: segment.why.clone(),
        position: segment.position_when_offered,
        state: segment.state.clone(),
    });
    chosen.collect()
}
