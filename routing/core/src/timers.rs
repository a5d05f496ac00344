//! Every timer of the core, in one place. A timer belongs to the thing it names and ends with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{AgentId, ContactId, LegId, SegmentId},
    time::Timestamp,
};

/// What a timer is for. Due timers fire by (time, kind, id), so the same day runs the same way twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The tenant opens or closes: those in line are rescheduled at closing. Owner: the tenant.
    HoursEdge,
    /// No trunk channel was free: ask again. Owner: the tenant.
    ChannelsRetry,
    /// The first stage of a ladder is over. Owner: a contact in line with a further target.
    Widen,
    /// A scheduled contact's time has come. Owner: a Scheduled contact.
    ContactDue(ContactId),
    /// The trunk desk has not answered `ReserveChannel`. Owner: a Queued contact with a reservation asked for.
    ChannelReply(ContactId),
    /// This contact's number was in another dialog: try again. Owner: a Queued contact.
    NumberRetry(ContactId),
    /// An agent's cool-off for this contact is over. Owner: a Queued contact.
    CoolOffOver(ContactId),
    /// The offer lapses. Owner: the contact's Offered segment.
    OfferLapse(ContactId),
    /// Nothing was heard of a dialled leg for longer than it may ring. Owner: a Dialling attempt.
    RingGuard(ContactId),
    /// The announcement's end was never told. Owner: a Live attempt without announcement.
    AnnouncementGuard(ContactId),
    /// The customer has not pressed 1. Owner: a Live, announced, unbridged attempt.
    PressOne(ContactId),
    /// The customer's page is not back. Owner: a chat whose customer is away.
    CustomerGone(ContactId),
    /// Nobody was free for too long. Owner: a Queued chat.
    ChatWait(ContactId),
    /// Nobody wrote for too long. Owner: a chat's Connected segment.
    ChatIdle(ContactId),
    /// The agent lost in the middle of the call is not back. Owner: an AgentLost segment.
    AgentBack(ContactId),
    /// Wrap-up is over. Owner: a WrapUp segment.
    WrapUpOver(ContactId, SegmentId),
    /// The agent's browser is gone and not back. Owner: an agent without a working session.
    AgentGrace(AgentId),
    /// The agent's page lost its socket under a standing offer. Owner: an agent who is not known to be well.
    OfferGrace(AgentId),
    /// Back to Ready by itself. Owner: an agent with `auto_return_at`.
    AutoReturn(AgentId),
    /// The recorder never said that this leg's recording is complete. Owner: a leg that was recorded.
    RecordingForgotten(LegId),
    /// A number whose last call is not known to be over may be dialled again. Owner: itself; it is the guard.
    NumberGuard(String),
}

/// The set of running timers, each kind at most once per owner.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Timestamp, Timer)>,
    by_timer: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    /// Starts it, or moves it when it runs already.
    pub(crate) fn set(&mut self, timer: Timer, at: Timestamp) {
        if let Some(old) = self.by_timer.insert(timer.clone(), at) {
            self.by_time.remove(&(old, timer.clone()));
        }
        self.by_time.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.by_timer.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    pub(crate) fn get(&self, timer: &Timer) -> Option<Timestamp> {
        self.by_timer.get(timer).copied()
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_timer.remove(&timer);
        Some(timer)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Timer, Timestamp)> {
        self.by_timer.iter().map(|(timer, at)| (timer, *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_and_cancelled_timers_fire_once_or_never() {
        let at = Timestamp::from_millis;
        let mut timers = Timers::default();
        timers.set(Timer::HoursEdge, at(5));
        timers.set(Timer::ChannelsRetry, at(5));
        timers.set(Timer::HoursEdge, at(9));
        timers.set(Timer::ContactDue(ContactId(1)), at(7));
        timers.cancel(&Timer::ContactDue(ContactId(1)));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(9)), Some(Timer::ChannelsRetry));
        assert_eq!(timers.pop_due(at(9)), Some(Timer::HoursEdge));
        assert_eq!((timers.pop_due(at(99)), timers.next()), (None, None));
    }
}
