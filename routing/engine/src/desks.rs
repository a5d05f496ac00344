//! Which agents' desks a turn may have changed, and the bells of those who show them. A tenant's version ticks with every
//! turn; an agent's page need not look at the desk each time another agent's call goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use ringback_routing::{ids::AgentId, output::Change};
use tokio::sync::watch;

/// The desks that may look different after a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched {
    These(BTreeSet<AgentId>),
    /// The configuration changed, or the core was made anew.
    All,
}

impl Default for Touched {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Touched {
    pub fn add(&mut self, agent: &AgentId) {
        if let Self::These(agents) = self
            && !agents.contains(agent)
        {
            agents.insert(agent.clone());
        }
    }

    /// A desk is its agent's record, presence, and the contacts in hand, which name the agent in a segment.
    pub fn add_change(&mut self, change: &Change) {
        match change {
            Change::ContactSaved { contact } => {
                for segment in &contact.segments {
                    self.add(&segment.agent);
                }
            }
            Change::AgentSaved { agent } => self.add(&agent.id),
            Change::PresenceChanged { agent, .. } => self.add(agent),
            Change::ContactFact { .. } => {}
        }
    }
}

/// The bells of one tenant's desks: the tenant's version when the desk was touched last.
#[derive(Debug, Default)]
pub(crate) struct Desks {
    bells: Mutex<BTreeMap<AgentId, watch::Sender<u64>>>,
}

impl Desks {
    pub fn watch(&self, agent: &AgentId) -> watch::Receiver<u64> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(agent.clone()).or_default().subscribe()
    }

    pub fn ring(&self, touched: &Touched, version: u64) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        match touched {
            Touched::All => bells.values().for_each(|bell| {
                bell.send_replace(version);
            }),
            Touched::These(agents) => agents.iter().filter_map(|agent| bells.get(agent)).for_each(|bell| {
                bell.send_replace(version);
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rings_for_its_own_desk_and_for_all() {
        let desks = Desks::default();
        let (maria, jon) = (AgentId::new("maria"), AgentId::new("jon"));
        let (mut marias, mut jons) = (desks.watch(&maria), desks.watch(&jon));
        let mut touched = Touched::default();
        touched.add(&maria);
        desks.ring(&touched, 7);
        assert!(marias.has_changed().unwrap());
        assert!(!jons.has_changed().unwrap());
        assert_eq!(*marias.borrow_and_update(), 7);
        desks.ring(&Touched::All, 8);
        assert!(marias.has_changed().unwrap());
        assert_eq!(*jons.borrow_and_update(), 8);
    }
}
