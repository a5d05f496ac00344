//! What the agent's tab and the server say to each other on `ringback.v1`.

use std::collections::BTreeMap;

use ringback_routing::{
    agent::Presence,
    ids::{AgentId, ContactId, DispositionId, OfferId, QueueId, ReasonCode, SegmentId, SubjectId},
    reason::Reason,
    time::Timestamp,
    view::AgentView,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{chat::ChatLine, schema};

/// A message with the number its answer carries.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    #[serde(default, rename = "ref")]
    pub reference: Option<u64>,
    #[serde(flatten)]
    pub message: ClientMessage,
}

/// From the tab. Each may carry `ref`: then an `ack` or an `error` with the same `ref` answers it.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// First on every connection. `session` names the tab and stays the same while it lives.
    Hello {
        session: String,
        /// The last `seq` seen; the answer is a whole snapshot in any case.
        #[serde(default)]
        after: Option<u64>,
        /// Of each chat, the last message the tab has: what came later is sent.
        #[serde(default)]
        #[schema(value_type = BTreeMap<String, u64>)]
        chats: BTreeMap<ContactId, u64>,
    },
    /// Answers a ping: whether the microphone and the connection of this tab live.
    Pong { id: u64, microphone: bool, media: bool },
    State {
        state: StateWord,
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        reason: Option<ReasonCode>,
    },
    /// The tab's SDP offer; answered by `phone_answer` with the same `id`. `restart`: a connection for the same session again.
    /// `mend`: the same connection by another path (ICE restart); `phone_gone` says that it must be made anew.
    PhoneOffer {
        id: u64,
        sdp: String,
        #[serde(default)]
        restart: bool,
        #[serde(default)]
        mend: bool,
    },
    /// This tab becomes the one with the phone.
    TakeOver,
    Accept {
        #[schema(value_type = String)]
        offer: OfferId,
    },
    Reject {
        #[schema(value_type = String)]
        offer: OfferId,
    },
    Hold {
        #[schema(value_type = String)]
        contact: ContactId,
        on: bool,
    },
    Mute {
        #[schema(value_type = String)]
        contact: ContactId,
        on: bool,
    },
    /// 0-9, *, #, A-D.
    Dtmf {
        #[schema(value_type = String)]
        contact: ContactId,
        digits: String,
    },
    HangUp {
        #[schema(value_type = String)]
        contact: ContactId,
    },
    /// The call goes on to somebody else at once; the agent wraps up. The note is for whoever is next.
    CallTransfer {
        #[schema(value_type = String)]
        contact: ContactId,
        to: CallTo,
        #[serde(default)]
        note: Option<String>,
    },
    /// A colleague or a number outside is asked first, while the customer hears music.
    Consult {
        #[schema(value_type = String)]
        contact: ContactId,
        to: CallTo,
        #[serde(default)]
        note: Option<String>,
    },
    /// What becomes of a consultation.
    ConsultStep {
        #[schema(value_type = String)]
        contact: ContactId,
        step: StepWord,
    },
    /// Calls a number of the agent's own accord: dialled at once if the gate lets it be.
    CallOut {
        /// As typed.
        phone: String,
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        subject: Option<SubjectId>,
    },
    /// Answered by `colleagues`.
    Colleagues,
    WrapUp {
        #[schema(value_type = String)]
        segment: SegmentId,
        #[schema(value_type = Vec<String>)]
        dispositions: Vec<DispositionId>,
        #[serde(default)]
        note: Option<String>,
    },
    WrapUpMore {
        #[schema(value_type = String)]
        segment: SegmentId,
    },
    /// Answered by `chat_said` once the message is kept. Sent again under its `client_id` it is kept once.
    ChatSay {
        #[schema(value_type = String)]
        contact: ContactId,
        client_id: String,
        body: String,
    },
    /// How far this desk was given, and the agent has seen, what the customer wrote.
    ChatSeen {
        #[schema(value_type = String)]
        contact: ContactId,
        delivered: u64,
        seen: u64,
    },
    ChatTyping {
        #[schema(value_type = String)]
        contact: ContactId,
    },
    ChatEnd {
        #[schema(value_type = String)]
        contact: ContactId,
    },
    /// To another queue, or first to that agent; the note is for the next agent.
    ChatTransfer {
        #[schema(value_type = String)]
        contact: ContactId,
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        queue: Option<QueueId>,
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        agent: Option<AgentId>,
        #[serde(default)]
        note: Option<String>,
    },
    /// Calls the customer of the chat: the chat ends and the contact goes on as a call of the same agent.
    ChatCall {
        #[schema(value_type = String)]
        contact: ContactId,
        /// Another number than the one the customer gave.
        #[serde(default)]
        phone: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateWord {
    Ready,
    NotReady,
    Offline,
}

/// Where a call goes on to, or who is asked; only the last two can be asked.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum CallTo {
    Queue {
        #[schema(value_type = String)]
        queue: QueueId,
    },
    Subject {
        #[schema(value_type = String)]
        subject: SubjectId,
    },
    Agent {
        #[schema(value_type = String)]
        agent: AgentId,
    },
    /// As typed.
    Outside { number: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepWord {
    /// Let go; the customer is back.
    Back,
    /// All three hear each other.
    Join,
    /// The agent leaves, the third party has the customer.
    Complete,
}

/// An agent who is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Colleague {
    #[schema(value_type = String)]
    pub id: AgentId,
    pub name: String,
    #[schema(value_type = schema::Presence)]
    pub presence: Presence,
}

/// To the tab.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The agent's whole desk, after hello and after each change.
    Snapshot {
        seq: u64,
        #[schema(value_type = schema::AgentView)]
        agent: Box<AgentView>,
        /// Whether this tab has the phone.
        owner: bool,
        #[schema(value_type = i64)]
        server_time: Timestamp,
        live: BTreeMap<String, LiveCall>,
    },
    Ping {
        id: u64,
    },
    PhoneAnswer {
        id: u64,
        sdp: String,
    },
    Ack {
        #[serde(rename = "ref")]
        reference: u64,
    },
    Error {
        #[serde(rename = "ref")]
        reference: Option<u64>,
        #[schema(value_type = Object)]
        problem: serde_json::Value,
    },
    /// Who else is signed in.
    Colleagues {
        agents: Vec<Colleague>,
    },
    /// The agent's own call came to nothing.
    CallOver {
        #[schema(value_type = String)]
        contact: ContactId,
        #[schema(value_type = schema::Reason)]
        why: Reason,
    },
    /// The phone moved to or from this tab.
    Owner {
        owner: bool,
        session: Option<String>,
    },
    /// What was said in a chat of this desk, in order.
    ChatMessages {
        #[schema(value_type = String)]
        contact: ContactId,
        messages: Vec<ChatLine>,
        upto: u64,
    },
    /// How a chat of this desk stands beside its messages.
    ChatStanding {
        #[schema(value_type = String)]
        contact: ContactId,
        /// What the customer was given, and has seen.
        delivered: u64,
        seen: u64,
        /// Whether the customer's page is connected.
        here: bool,
    },
    ChatTyping {
        #[schema(value_type = String)]
        contact: ContactId,
    },
    /// The message is kept.
    ChatSaid {
        #[schema(value_type = String)]
        contact: ContactId,
        client_id: String,
        seq: u64,
        #[schema(value_type = i64)]
        at: Timestamp,
    },
    /// The session ended; the socket closes.
    Revoked {
        why: String,
    },
}

/// What of a call is not in the contact.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LiveCall {
    pub muted: bool,
    /// What the browser should speak (PCMU, PCMA, G722, opus), by another offer with `mend`, so that nothing has to be turned into
    /// another codec on the way; none: what it speaks anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_with_their_reference() {
        let read = |text: &str| serde_json::from_str::<Envelope>(text);
        let hello = read(r#"{"type":"hello","session":"abc","after":null}"#).unwrap();
        assert_eq!(hello.message, ClientMessage::Hello { session: "abc".into(), after: None, chats: BTreeMap::new() });
        let state = read(r#"{"type":"state","state":"not_ready","reason":"lunch","ref":7,"id":7}"#).unwrap();
        assert_eq!(state.reference, Some(7));
        let offer = read(r#"{"type":"phone_offer","sdp":"v=0","restart":false,"ref":1,"id":1}"#).unwrap();
        assert_eq!(offer.message, ClientMessage::PhoneOffer { id: 1, sdp: "v=0".into(), restart: false, mend: false });
        let to = read(
            r#"{"type":"consult","contact":"ct_00000000000000000000000001","to":{"to":"outside","number":"1"},"ref":1}"#,
        );
        assert!(matches!(to.unwrap().message, ClientMessage::Consult { to: CallTo::Outside { .. }, note: None, .. }));
        for bad in
            [r#"{"type":"nothing"}"#, r#"{"type":"accept","offer":"ct_1"}"#, "[]", "1", "{}", r#"{"type":"pong"}"#]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_are_written_as_the_pages_read_them() {
        let text = |message: &ServerMessage| serde_json::to_string(message).unwrap();
        assert_eq!(text(&ServerMessage::Ack { reference: 3 }), r#"{"type":"ack","ref":3}"#);
        assert_eq!(text(&ServerMessage::Ping { id: 1 }), r#"{"type":"ping","id":1}"#);
        assert_eq!(
            text(&ServerMessage::Owner { owner: false, session: None }),
            r#"{"type":"owner","owner":false,"session":null}"#
        );
    }
}
