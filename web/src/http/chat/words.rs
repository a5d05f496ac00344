//! A chat in the words both its customer's page and the agents' desk are told it in.

use axum::http::StatusCode;
use ringback_routing::{
    contact::{ChatEnd, Contact, ContactState, SegmentState},
    ids::AgentId,
    time::Timestamp,
};
use ringback_store::{ChatMessage, ChatSender};
use serde::Serialize;
use utoipa::ToSchema;

use super::callback::CallOffer;
use crate::http::error::ApiError;

/// Longest id a page may give its message, in bytes.
const MAX_CLIENT_ID: usize = 64;

/// Where a chat stands for its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatStage {
    Waiting,
    Talking,
    Ended,
}

/// A chat as its customer sees it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChatStatus {
    pub stage: ChatStage,
    /// 1 = next; null when not in line.
    pub position: Option<u32>,
    /// Null: not known yet.
    pub ewt_ms: Option<i64>,
    /// Nine of ten such waits are over by then.
    pub ewt_p90_ms: Option<i64>,
    /// First name of the agent who writes.
    pub agent: Option<String>,
    /// An agent was there before and passed the chat on.
    pub passed_on: bool,
    /// customer, agent, gone, idle, nobody_free, called_back or called; null while it lasts.
    pub ended_by: Option<&'static str>,
    #[schema(value_type = i64)]
    pub requested_at: Timestamp,
    /// The wait is long, and a call at the same place can be had instead.
    pub call: Option<CallOffer>,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Writer {
    Customer,
    Agent,
    /// What one agent leaves the next; never sent to customers.
    Note,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChatLine {
    /// Grows by one with each message of the chat.
    pub seq: u64,
    pub from: Writer,
    /// Which agent wrote it; for customers the first name.
    pub agent: Option<String>,
    /// The agent's name as colleagues know it; never sent to customers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// What the writer's page called it.
    pub client_id: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    pub body: String,
}

impl ChatLine {
    pub fn of(message: &ChatMessage) -> Self {
        let (from, agent) = match &message.sender {
            ChatSender::Customer => (Writer::Customer, None),
            ChatSender::Agent(agent) => (Writer::Agent, Some(agent.to_string())),
            ChatSender::Note(agent) => (Writer::Note, Some(agent.to_string())),
        };
        Self {
            seq: message.seq,
            from,
            agent,
            agent_name: None,
            client_id: message.client_id.clone(),
            at: message.at,
            body: message.body.clone(),
        }
    }
}

/// Stage, and who ended it.
pub fn stage_of(contact: &Contact) -> (ChatStage, Option<&'static str>) {
    let ended = contact.chat.as_ref().and_then(|chat| chat.ended.as_ref());
    let by = ended.map(|by| match by {
        ChatEnd::Customer => "customer",
        ChatEnd::Agent { .. } => "agent",
        ChatEnd::Gone => "gone",
        ChatEnd::Idle => "idle",
        ChatEnd::NobodyFree => "nobody_free",
        ChatEnd::CalledBack => "called_back",
        ChatEnd::Called { .. } => "called",
    });
    if by.is_some() || matches!(contact.state, ContactState::Closed { .. }) {
        return (ChatStage::Ended, by);
    }
    match talking_with(contact) {
        Some(_) => (ChatStage::Talking, None),
        None => (ChatStage::Waiting, None),
    }
}

/// The agent who is in the chat now.
pub fn talking_with(contact: &Contact) -> Option<&AgentId> {
    let in_it = |state: &SegmentState| matches!(state, SegmentState::Connected { .. } | SegmentState::AgentLost { .. });
    contact.segments.iter().rev().find(|segment| in_it(&segment.state)).map(|segment| &segment.agent)
}

pub fn first_name(name: &str) -> String {
    name.split_whitespace().next().unwrap_or(name).to_owned()
}

pub(crate) fn is_client_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_CLIENT_ID).contains(&text.len()) && text.bytes().all(plain)
}

/// The message as it is kept: without control characters but the line's end and the tab, at least one visible letter, at
/// most `limit` Unicode scalar values.
///
/// # Errors
/// 422 with `empty` or `too_long` and the limit.
pub(crate) fn body_within(text: &str, limit: usize) -> Result<String, ApiError> {
    let kept: String = text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect();
    let kept = kept.trim();
    let says = |code| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code).with("field", "body");
    if kept.is_empty() {
        return Err(says("message_empty"));
    }
    if kept.chars().count() > limit {
        return Err(says("too_long").with("limit", limit));
    }
    Ok(kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_scalar_values() {
        assert_eq!(body_within(&"é".repeat(500), 500).map(|body| body.len()).unwrap(), 1000);
        assert_eq!(body_within(&"😀".repeat(501), 500).unwrap_err().code, "too_long");
        assert_eq!(body_within(" \u{0}\r\n\t ", 500).unwrap_err().code, "message_empty");
        assert_eq!(body_within("a\u{0}b\u{1b}[31m\r\nc ", 500).unwrap(), "ab[31m\nc");
        assert_eq!(body_within("<script>alert(1)</script>", 500).unwrap(), "<script>alert(1)</script>");
    }

    #[test]
    fn ids_of_messages_are_plain_and_short() {
        assert!(is_client_id("a") && is_client_id("9f3e-_A") && is_client_id(&"x".repeat(64)));
        assert!(!is_client_id("") && !is_client_id("a b") && !is_client_id("é") && !is_client_id(&"x".repeat(65)));
    }

    #[test]
    fn customers_see_first_names() {
        assert_eq!(first_name("Maria Alvarez"), "Maria");
        assert_eq!(first_name(""), "");
    }
}
