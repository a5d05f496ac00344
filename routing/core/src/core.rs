//! The owner of all contacts and agents of one tenant.

use crate::{
    agent::AgentRecord,
    config::{AgentConfig, TenantConfig},
    contact::Contact,
    event::{Event, Receipt, Rejection},
    ids::*,
    output::Output,
    time::Timestamp,
    view::{AgentView, Availability, BoardView, StatusView},
};

/// What a core starts from: an empty day, or the ledger's rows after a restart. Journalled whole, so replay starts equal.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Start {
    pub seed: u64,
    pub config: TenantConfig,
    pub agent_configs: Vec<AgentConfig>,
    /// Open contacts only.
    pub contacts: Vec<Contact>,
    pub agents: Vec<AgentRecord>,
}

pub struct Core {
    start: Start,
}

impl Core {
    /// Builds the core and settles what a crash left: offers are revoked, dialling attempts become unknown until the
    /// guard time, bridged calls have ended and their contacts are in line again at their original time, agents are
    /// offline until their browser is back. The outputs of that are drained like those of any event.
    pub fn restore(now: Timestamp, start: Start) -> Self {
        let _ = now;
        Self { start }
    }

    pub fn handle(&mut self, now: Timestamp, event: Event) -> Result<Receipt, Rejection> {
        let _ = (now, event);
        Err(Rejection::WrongState)
    }

    pub fn handle_timeout(&mut self, now: Timestamp) {
        let _ = now;
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    pub fn config(&self) -> &TenantConfig {
        &self.start.config
    }

    pub fn availability(&self, now: Timestamp) -> Availability {
        let _ = now;
        Availability {
            enabled: false,
            open: false,
            closed: None,
            next_open: None,
            closes_at: None,
            waiting: 0,
            ewt: None,
        }
    }

    pub fn status_view(&self, now: Timestamp, contact: ContactId) -> Option<StatusView> {
        let _ = (now, contact);
        None
    }

    pub fn agent_view(&self, now: Timestamp, agent: &AgentId) -> Option<AgentView> {
        let _ = (now, agent);
        None
    }

    pub fn board_view(&self, now: Timestamp, waiting_limit: usize) -> Option<BoardView> {
        let _ = (now, waiting_limit);
        None
    }

    /// Panics if an invariant is broken; called after every event in tests and simulation.
    pub fn check(&self) {}
}
