//! Who is brought in beside customer and agent: a colleague, or a number outside. A contact has one at most.
//!
//! ```text
//! Asked → Private → Joined
//!   │        │         │        the agent leaves: a colleague has the contact,
//!   └────────┴─────────┴─────▶  a number outside is Alone with the customer
//! ```
//!
//! A number outside that answers when the agent has left already may be Told the contact's code first.

use serde::{Deserialize, Serialize};

use crate::{
    contact::{AttemptResult, Contact, Segment, SegmentState},
    ids::*,
    time::Timestamp,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Third {
    pub with: ThirdParty,
    pub stage: ThirdStage,
    /// The engagement of the agent who asked; none: the house did.
    pub by: Option<SegmentId>,
    /// Their own leg; a colleague's from the moment of accepting.
    pub leg: Option<LegId>,
    pub asked_at: Timestamp,
    /// Of a number outside: its telephone rings.
    pub ringing_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    /// Of a number outside that is alone with the customer: the carrier was asked to connect the two itself, and does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<CarrierDeclined>,
}

/// The carrier leaves the two calls to us: they go on through the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierDeclined {
    pub at: Timestamp,
    /// The carrier's last word, a SIP status; none: it fell silent.
    pub status: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "party", rename_all = "snake_case")]
pub enum ThirdParty {
    /// With an engagement of their own, which becomes the contact's when the agent who asked leaves.
    Agent { agent: AgentId, segment: SegmentId },
    /// E.164.
    Outside { number: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum ThirdStage {
    /// Offered to the colleague, or dialled; over by then. The customer hears music.
    Asked { until: Timestamp },
    /// With the agent; the customer hears music.
    Private { since: Timestamp },
    /// All three hear each other.
    Joined { since: Timestamp },
    /// A number outside hears the code of the contact, until then at the longest; the customer still hears music.
    Told { until: Timestamp },
    /// A number outside and the customer; the agent is out of it.
    Alone { since: Timestamp },
}

/// How it ended with a third party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum ThirdEnd {
    /// The agent went back to the customer.
    Withdrawn,
    Declined,
    NoAnswer,
    /// The number outside was not reached.
    Failed {
        result: AttemptResult,
    },
    /// They hung up.
    Left,
    /// Their browser, or that of the agent who asked, cannot hear any more.
    Lost,
    CustomerLeft,
    /// The contact is theirs.
    TookOver,
    /// The server went down in the middle of it.
    Interrupted,
}

impl Third {
    /// The colleague's engagement.
    pub fn segment(&self) -> Option<SegmentId> {
        match self.with {
            ThirdParty::Agent { segment, .. } => Some(segment),
            ThirdParty::Outside { .. } => None,
        }
    }
}

/// Digits by which whoever was called outside can have the matter looked up: few enough to be written down while they are heard.
pub const CODE_DIGITS: usize = 6;

/// The code of a contact. Two contacts may have the same one: who looks it up means the latest that went outside.
pub fn short_code(contact: ContactId) -> String {
    // The low half of an id is chance; a multiplication by an odd constant spreads it over the high bits.
    let mixed = (contact.0 as u64 ^ (contact.0 >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:0width$}", (mixed >> 24) % 10_u64.pow(CODE_DIGITS as u32), width = CODE_DIGITS)
}

impl Contact {
    /// Whether this engagement is that of a colleague who was brought in.
    pub fn is_third(&self, segment: SegmentId) -> bool {
        self.third.as_ref().is_some_and(|third| third.segment() == Some(segment))
    }

    /// The agent who talks to the customer, or would but for a hold.
    pub fn talking_segment(&self) -> Option<&Segment> {
        self.open_segment().filter(|segment| matches!(segment.state, SegmentState::Connected { .. }))
    }
}
