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
    pub(crate) changes: Vec<Change>,
    pub(crate) commands: Vec<Command>,
    sealed: VecDeque<Output>,
}

impl Core {
    pub(crate) fn fact(&mut self, contact: ContactId, at: Timestamp, fact: Fact) {
        self.outbox.changes.push(Change::ContactFact { contact, at, fact });
    }

    pub(crate) fn deed(&mut self, now: Timestamp, deed: Deed) {
        let id = CommandId(self.ids.mint(now));
        self.outbox.commands.push(Command { id, deed });
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
        if self.outbox.sealed.is_empty() {
            self.seal();
        }
        self.outbox.sealed.pop_front()
    }

    fn seal(&mut self) {
        let mut sealed = std::mem::take(&mut self.outbox.sealed);
        for id in self.outbox.contacts.0.drain(..) {
            if let Some(entry) = self.contacts.get(&id) {
                sealed.push_back(Output::Change(Change::ContactSaved { contact: Box::new(entry.contact.clone()) }));
            }
        }
        for (_, contact) in std::mem::take(&mut self.outbox.closed) {
            sealed.push_back(Output::Change(Change::ContactSaved { contact }));
        }
        for id in self.outbox.agents.0.drain(..) {
            if let Some(desk) = self.agents.get(&id) {
                sealed.push_back(Output::Change(Change::AgentSaved { agent: desk.record.clone() }));
            }
        }
        for (id, agent) in std::mem::take(&mut self.outbox.removed) {
            if !self.agents.contains_key(&id) {
                sealed.push_back(Output::Change(Change::AgentSaved { agent }));
            }
        }
        sealed.extend(self.outbox.changes.drain(..).map(Output::Change));
        sealed.extend(self.outbox.commands.drain(..).map(Output::Command));
        self.outbox.sealed = sealed;
    }
}

/// A few things in order, each once; a list, because its room is used again drain after drain.
#[derive(Debug)]
pub(crate) struct Noted<T>(Vec<T>);

impl<T> Default for Noted<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Noted<T> {
    pub(crate) fn insert(&mut self, item: T) {
        if let Err(at) = self.0.binary_search(&item) {
            self.0.insert(at, item);
        }
    }

    pub(crate) fn remove(&mut self, item: &T) {
        if let Ok(at) = self.0.binary_search(item) {
            self.0.remove(at);
        }
    }
}
