//! What is going to happen in an installation, by time.

use std::{cmp::Reverse, collections::BinaryHeap};

use ringback_routing::{contact::AttemptResult, ids::*, time::Timestamp};

/// One thing that people, phones or the house will do. Whether it still makes sense is seen when its time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plan {
    /// A customer comes, by form or chat, and the next one is planned.
    Arrive,
    ChannelAnswer(ContactId),
    Accept(ContactId, OfferId),
    Decline(ContactId, OfferId),
    Ringing(LegId),
    Answered(LegId),
    Failed(LegId, AttemptResult),
    Ended(LegId),
    Heard(LegId),
    Pressed(LegId),
    Recorded(LegId, RecordingId),
    Hold(ContactId, bool),
    AgentHangsUp(ContactId),
    WrapUp(ContactId),
    Cancel(ContactId),
    /// Somebody writes in a chat.
    Write(ContactId),
    /// The customer of a chat closes the page, or reloads it.
    PageGone(ContactId),
    PageBack(ContactId),
    ChatEnds(ContactId, bool),
    Transfer(ContactId),
    ChangeNumber(ContactId),
    ChooseTime(ContactId),
    /// An agent's next whim.
    Whim(usize),
    /// A change of configuration, a closure, a trunk's outage.
    House,
    Crash,
    Jump,
}

#[derive(Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<(Timestamp, u64, usize, Plan)>>,
    count: u64,
}

impl Agenda {
    pub fn push(&mut self, at: Timestamp, tenant: usize, plan: Plan) {
        self.count += 1;
        self.heap.push(Reverse((at, self.count, tenant, plan)));
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(first)| first.0)
    }

    pub fn pop(&mut self) -> Option<(Timestamp, usize, Plan)> {
        self.heap.pop().map(|Reverse((at, _, tenant, plan))| (at, tenant, plan))
    }
}
