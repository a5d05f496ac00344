//! Why a decision fell as it did: written into the record when it falls, so that "why this agent" and "why still
//! waiting" are answered from facts and not reconstructed.

use serde::{Deserialize, Serialize};

use crate::{
    contact::AttemptResult,
    ids::*,
    time::{Millis, Timestamp},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    // Why in line, why still waiting.
    JustRequested,
    NoAgentReady {
        signed_in: u32,
    },
    NoFreeChannel,
    NumberInCall,
    /// Planned for a time that the customer chose.
    ChosenTime,
    /// No calls at this hour, or a cap of the day is reached.
    CallsHeldBack,
    Closed {
        closed: Box<ClosedReason>,
        next_open: Option<Timestamp>,
    },
    AgentDeclined {
        agent: AgentId,
    },
    AgentNoAnswer {
        agent: AgentId,
    },
    AgentLost {
        agent: AgentId,
    },
    AttemptFailed {
        result: AttemptResult,
        attempts: u32,
    },
    Transferred {
        from: AgentId,
    },
    /// The agent of the chat calls the customer.
    Escalated {
        by: AgentId,
    },
    /// Nobody took it at the last target: sent to a number outside.
    Overflowed,
    /// The agent called of the agent's own accord.
    CalledOut {
        by: AgentId,
    },
    /// Whom the customer was passed on to was not reached.
    NotReached,
    Interrupted,
    OfferedTo {
        agent: AgentId,
    },
    // Why this agent.
    LongestIdle {
        idle: Millis,
        considered: u32,
    },
    /// A colleague wants help with it.
    AskedBy {
        agent: AgentId,
    },
    /// The customer's own agent (O7), or the one it was transferred to.
    Preferred,
    /// With other chats in hand, but with the fewest of all who have room.
    FewestInHand {
        in_hand: u32,
        considered: u32,
    },
    // Why over.
    Completed,
    CustomerCancelled,
    AdministratorCancelled,
    CustomerHungUp,
    /// So soon that it says nothing of the waiting; counted apart.
    CustomerHungUpSoon {
        after: Millis,
    },
    CustomerLeft,
    /// No code that we know was entered.
    CodeUnknown,
    NobodyFree {
        waited: Millis,
    },
    AttemptsExhausted {
        result: AttemptResult,
    },
    /// This number may not be rung, or not again today.
    NumberNotAllowed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "closed", rename_all = "snake_case")]
pub enum ClosedReason {
    /// Outside the weekly hours.
    Hours,
    Holiday {
        name: String,
    },
    Closure {
        message: String,
    },
}
