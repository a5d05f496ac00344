//! What a caller of the engine can be told.

use ringback_routing::event::Rejection;

/// An event was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EngineError {
    #[error("no such tenant")]
    NoSuchTenant,
    /// The core said no; nothing changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Not durable, so not acknowledged: try again later (HTTP 503).
    #[error("not available at the moment: {why}")]
    Unavailable { why: &'static str },
}

/// The agent's browser could not be connected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PhoneError {
    #[error("no such tenant or agent")]
    NoSuchAgent,
    #[error("another session holds the phone")]
    NotTheOwner,
    /// The browser's session description cannot be used.
    #[error("the browser's offer cannot be used: {why}")]
    BadOffer { why: String },
    /// The connection whose path was to be mended is none of ours any more: a new one must be made.
    #[error("the connection is gone")]
    Gone,
    #[error("no media capacity left")]
    Full,
    #[error("there is no such call")]
    NoSuchCall,
}

/// A recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("no such recording")]
    NotFound,
    #[error("the recording is still being written")]
    NotFinished,
    #[error("the recording cannot be read")]
    Io(#[from] std::io::Error),
    #[error("the ledger does not answer")]
    Store,
}
