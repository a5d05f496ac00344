//! What a mutation has decided, held until it is drained: facts first, deeds after.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    agent::AgentRecord,
    contact::Contact,
    core::Core,
    ids::*,
    output::{Change, Command, Deed, Fact, Output},
    time::Timestamp,
};

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Changed since the last drain, still in memory.
    pub(crate) contacts: Noted<ContactId>,
    pub(crate) agents: Noted<AgentId>,
    /// Changed since the last drain and out of memory.
    pub(crate) closed: BTreeMap<ContactId, Box<Contact>>,
    pub(crate) removed: BTreeMap<AgentId, AgentRecord>,
    pub(crate) changes: VecDeque<Change>,
    pub(crate) commands: VecDeque<Command>,
}

impl Core {
    pub(crate) fn fact(&mut self, contact: ContactId, at: Timestamp, fact: Fact) {
        self.outbox.changes.push_back(Change::ContactFact { contact, at, fact });
    }

    pub(crate) fn deed(&mut self, now: Timestamp, deed: Deed) -> CommandId {
        let id = CommandId(self.ids.mint(now));
        self.outbox.commands.push_back(Command { id, deed });
        id
    }

    /// The contact's record has changed: it is saved with the next drain.
    pub(crate) fn save(&mut self, contact: ContactId) {
        self.outbox.contacts.insert(contact);
    }

    /// The agent's record has changed.
    pub(crate) fn save_agent(&mut self, agent: &AgentId) {
        self.outbox.agents.insert(agent.clone());
        self.floor.touched_agents.insert(agent.clone());
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.next_record()
            .or_else(|| self.outbox.changes.pop_front())
            .map(Output::Change)
            .or_else(|| self.outbox.commands.pop_front().map(Output::Command))
    }

    /// Records as they are now: open contacts, closed ones, agents, those who have gone.
    fn next_record(&mut self) -> Option<Change> {
        while let Some(id) = self.outbox.contacts.take_first() {
            if let Some(entry) = self.contacts.get(&id) {
                return Some(Change::ContactSaved { contact: Box::new(entry.contact.clone()) });
            }
        }
        if let Some((_, contact)) = self.outbox.closed.pop_first() {
            return Some(Change::ContactSaved { contact });
        }
        while let Some(id) = self.outbox.agents.take_first() {
            if let Some(desk) = self.agents.get(&id) {
                return Some(Change::AgentSaved { agent: desk.record.clone() });
            }
        }
        while let Some((id, agent)) = self.outbox.removed.pop_first() {
            if !self.agents.contains_key(&id) {
                return Some(Change::AgentSaved { agent });
            }
        }
        None
    }
}

/// A few things in order, each once; a list, because its room is used again drain after drain.
#[derive(Debug)]
pub(crate) struct Noted<T>(VecDeque<T>);

impl<T> Default for Noted<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Ord> Noted<T> {
    pub(crate) fn insert(&mut self, item: T) {
        if let Err(at) = self.0.binary_search(&item) {
            self.0.insert(at, item);
        }
    }

    pub(crate) fn take_first(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn remove(&mut self, item: &T) {
        if let Ok(at) = self.0.binary_search(item) {
            self.0.remove(at);
        }
    }
}
