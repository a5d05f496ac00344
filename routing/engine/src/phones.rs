//! The agents' browser phones: one media connection per agent, kept over calls, reloads and a change of tab.
//!
//! A phone can talk when its tab says so *and* its media connection stands; both halves are kept here, and the core
//! hears of it when the sum changes.

use std::collections::HashMap;

use ringback_media::{Codec, LegKey};
use ringback_routing::{
    agent::Health,
    ids::{AgentId, SessionId, TenantId},
};

#[derive(Debug, Clone)]
pub(crate) struct Phone {
    pub key: LegKey,
    pub session: SessionId,
    /// ICE and DTLS stand.
    pub connected: bool,
    pub muted: bool,
    /// What it should speak to be understood without conversion; None: nothing was ever wanted but what it speaks anyway.
    pub codec: Option<Codec>,
    /// What the tab last said of itself.
    pub tab: Health,
}

impl Phone {
    /// The tab's word, less what the server knows better.
    pub fn health(&self) -> Health {
        Health { media: self.tab.media && self.connected, ..self.tab }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Phones {
    phones: HashMap<(TenantId, AgentId), Phone>,
    by_key: HashMap<LegKey, (TenantId, AgentId)>,
}

impl Phones {
    pub fn get(&self, tenant: &TenantId, agent: &AgentId) -> Option<&Phone> {
        self.phones.get(&(tenant.clone(), agent.clone()))
    }

    pub fn get_mut(&mut self, tenant: &TenantId, agent: &AgentId) -> Option<&mut Phone> {
        self.phones.get_mut(&(tenant.clone(), agent.clone()))
    }

    pub fn insert(&mut self, tenant: &TenantId, agent: &AgentId, phone: Phone) {
        self.by_key.insert(phone.key, (tenant.clone(), agent.clone()));
        self.phones.insert((tenant.clone(), agent.clone()), phone);
    }

    pub fn remove(&mut self, tenant: &TenantId, agent: &AgentId) -> Option<Phone> {
        let phone = self.phones.remove(&(tenant.clone(), agent.clone()))?;
        self.by_key.remove(&phone.key);
        Some(phone)
    }

    pub fn owner_of(&self, key: LegKey) -> Option<(TenantId, AgentId)> {
        self.by_key.get(&key).cloned()
    }

    /// Notes what the tab says of itself; the sum is what the core should know.
    pub fn tab_says(&mut self, tenant: &TenantId, agent: &AgentId, session: &SessionId, tab: Health) -> Health {
        match self.get_mut(tenant, agent) {
            Some(phone) if phone.session == *session => {
                phone.tab = tab;
                phone.health()
            }
            // Without a connection nobody hears anything, whatever the tab believes.
            _ => Health { media: false, ..tab },
        }
    }

    pub fn connected(&self) -> usize {
        self.phones.values().filter(|phone| phone.connected).count()
    }
}
