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

/// A heap of small things that say where the plans are: it is stirred at every step.
#[derive(Default)]
pub struct Agenda {
    /// When, the how manieth plan it is, where it is kept: 64, 32 and 32 bits of one number.
    heap: BinaryHeap<Reverse<u128>>,
    plans: Vec<(usize, Plan)>,
    /// Places whose plans are over.
    vacant: Vec<u32>,
    count: u32,
}

impl Agenda {
    pub fn push(&mut self, at: Timestamp, tenant: usize, plan: Plan) {
        self.count += 1;
        let place = self.vacant.pop().unwrap_or(self.plans.len() as u32);
        match self.plans.get_mut(place as usize) {
            Some(kept) => *kept = (tenant, plan),
            None => self.plans.push((tenant, plan)),
        }
        let when = u128::from(at.as_millis().max(0) as u64) << 64;
        self.heap.push(Reverse(when | u128::from(self.count) << 32 | u128::from(place)));
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(first)| time_of(*first))
    }

    pub fn pop(&mut self) -> Option<(Timestamp, usize, Plan)> {
        let Reverse(first) = self.heap.pop()?;
        let place = first as u32;
        let (tenant, plan) = self.plans[place as usize];
        self.vacant.push(place);
        Some((time_of(first), tenant, plan))
    }
}

fn time_of(place: u128) -> Timestamp {
    Timestamp::from_millis((place >> 64) as i64)
}
