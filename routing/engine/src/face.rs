//! The handle everything outside holds.

use std::sync::Arc;

use ringback_routing::{
    config::TenantConfig,
    event::{Event, Receipt},
    ids::{AgentId, ContactId, RecordingId, SessionId, TenantId},
    view::{AgentView, Availability, BoardView, StatusView},
};
use tokio::sync::watch;

use crate::error::{EngineError, PhoneError, RecordingError};

/// A cheap handle; all clones speak to the same engine.
#[derive(Clone)]
pub struct Engine {}

/// What of a contact's recordings is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingView {
    /// Customer left, agents right.
    Call,
    Leg(RecordingId),
}

/// A WAV that is rendered as it is read.
pub struct AudioFile {}

impl AudioFile {
    /// Bytes, header included.
    pub fn len(&self) -> u64 {
        0
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes `from..to`, clamped to the file. Blocking: call it from a blocking thread.
    pub fn read_range(&self, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
        let _ = (from, to);
        Ok(Vec::new())
    }
}

impl Engine {
    /// Takes an event. `Ok` means durable: the change is committed before the answer is given.
    pub async fn submit(&self, tenant: &TenantId, event: Event) -> Result<Receipt, EngineError> {
        let _ = (tenant, event);
        Err(EngineError::NoSuchTenant)
    }

    pub async fn availability(&self, tenant: &TenantId) -> Result<Availability, EngineError> {
        let _ = tenant;
        Err(EngineError::NoSuchTenant)
    }

    /// `None`: no such contact is open; a closed one is in the ledger.
    pub async fn status_view(&self, tenant: &TenantId, contact: ContactId) -> Result<Option<StatusView>, EngineError> {
        let _ = (tenant, contact);
        Err(EngineError::NoSuchTenant)
    }

    pub async fn agent_view(&self, tenant: &TenantId, agent: &AgentId) -> Result<Option<AgentView>, EngineError> {
        let _ = (tenant, agent);
        Err(EngineError::NoSuchTenant)
    }

    pub async fn board_view(&self, tenant: &TenantId, waiting_limit: usize) -> Result<Option<BoardView>, EngineError> {
        let _ = (tenant, waiting_limit);
        Err(EngineError::NoSuchTenant)
    }

    pub async fn config(&self, tenant: &TenantId) -> Result<Arc<TenantConfig>, EngineError> {
        let _ = tenant;
        Err(EngineError::NoSuchTenant)
    }

    /// Ticks after every committed turn; whoever shows a view asks for it again then.
    pub fn watch(&self, tenant: &TenantId) -> Option<watch::Receiver<u64>> {
        let _ = tenant;
        None
    }

    /// The agent's browser offers its connection (`restart`: again, for the same session); the answer goes back to it.
    pub async fn phone_offer(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        session: &SessionId,
        sdp: String,
        restart: bool,
    ) -> Result<String, PhoneError> {
        let _ = (tenant, agent, session, sdp, restart);
        Err(PhoneError::NoSuchAgent)
    }

    pub async fn phone_close(&self, tenant: &TenantId, agent: &AgentId, session: &SessionId) {
        let _ = (tenant, agent, session);
    }

    /// While muted nothing of the agent reaches the customer.
    pub async fn mute(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        contact: ContactId,
        on: bool,
    ) -> Result<(), PhoneError> {
        let _ = (tenant, agent, contact, on);
        Err(PhoneError::NoSuchCall)
    }

    pub async fn is_muted(&self, tenant: &TenantId, agent: &AgentId) -> bool {
        let _ = (tenant, agent);
        false
    }

    /// Sends digits (0-9, *, #, A-D) to the customer's side by RFC 4733.
    pub async fn dtmf(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        contact: ContactId,
        digits: String,
    ) -> Result<(), PhoneError> {
        let _ = (tenant, agent, contact, digits);
        Err(PhoneError::NoSuchCall)
    }

    pub async fn recording_audio(
        &self,
        tenant: &TenantId,
        contact: ContactId,
        view: RecordingView,
    ) -> Result<AudioFile, RecordingError> {
        let _ = (tenant, contact, view);
        Err(RecordingError::NotFound)
    }
}
