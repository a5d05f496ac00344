//! An agent: what was asked for, what is derived.
//!
//! Stored are only Offline, Not Ready with a reason, and Ready; Offered, Busy, Wrap-up and Draining follow from the
//! contacts in hand, so the two can never disagree.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AgentId, ReasonCode, SessionId},
    time::Timestamp,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    pub id: AgentId,
    pub state: AgentState,
    pub since: Timestamp,
    /// Asked for during a contact; taken when the last contact in hand is done.
    pub next: Option<RequestedState>,
    /// When the agent will be Ready again by itself.
    pub auto_return_at: Option<Timestamp>,
    /// Longest idle first: since when nothing is in hand.
    pub idle_since: Timestamp,
    pub session: Option<SessionId>,
    pub health: Health,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AgentState {
    Offline,
    NotReady { reason: ReasonCode },
    Ready,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RequestedState {
    Ready,
    NotReady { reason: ReasonCode },
    Offline,
}

/// What a person sees: the stored state and the contacts in hand, as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Offline,
    NotReady,
    /// Ready but the browser cannot take a call: no microphone, no media path, no heartbeat.
    Unreachable,
    Ready,
    Offered,
    Busy,
    WrapUp,
    /// Not Ready with contacts still in hand (O4).
    Draining,
}

/// Whether the agent's browser can hear and be heard; an agent who cannot is never offered a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// The owner tab's socket answers pings.
    pub tab: bool,
    /// A live, unmuted-by-system microphone track.
    pub microphone: bool,
    /// ICE and DTLS connected.
    pub media: bool,
}

impl Health {
    pub fn can_talk(self) -> bool {
        self.tab && self.microphone && self.media
    }
}

/// Where the agent is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Endpoint {
    Browser { session: SessionId },
}
