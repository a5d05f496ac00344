//! Drives the pure core: events in, changes committed, commands carried out.
//!
//! One owner task per tenant holds the tenant's core. Everything else reaches it through [`Engine`], a cheap handle.

mod error;
mod face;

pub use error::{EngineError, PhoneError, RecordingError};
pub use face::{AudioFile, Engine, RecordingView};
