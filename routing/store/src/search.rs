//! What recordings and chats are looked for by.

use ringback_routing::{
    ids::{AgentId, QueueId},
    time::Timestamp,
};

/// Looks for contacts by their recordings or their messages; an empty search is all of the tenant's, the latest first.
#[derive(Debug, Clone, Default)]
pub struct RecordSearch {
    /// The first recording began, or the chat was asked for, at or after.
    pub from: Option<Timestamp>,
    /// … and before.
    pub to: Option<Timestamp>,
    /// Who spoke, or wrote, in it.
    pub agent: Option<AgentId>,
    pub queue: Option<QueueId>,
    /// The whole number, by its keyed digest.
    pub number_key: Option<String>,
    /// One to four digits the number ends with.
    pub last_digits: Option<String>,
    /// Part of the customer's name, in any case.
    pub text: Option<String>,
    /// From the page before.
    pub cursor: Option<String>,
    pub limit: u32,
}
