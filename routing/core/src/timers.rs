//! Every timer of the core, in one place. A timer belongs to the thing it names and ends with it.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    filing::Filing,
    ids::{AgentId, ContactId, LegId, SegmentId},
    time::Timestamp,
};

/// What a timer is for. Due timers fire by (time, kind, id), so the same day runs the same way twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Nobody has pressed a key of the menu. Owner: an Arriving call.
    MenuChoice(ContactId),
    /// Time to tell a caller the place in line. Owner: a Queued call.
    AnnounceWait(ContactId),
    /// The customer's page is not back. Owner: a chat whose customer is away.
    CustomerGone(ContactId),
    /// Nobody was free for too long. Owner: a Queued chat.
    ChatWait(ContactId),
    /// Nobody wrote for too long. Owner: a chat's Connected segment.
    ChatIdle(ContactId),
    /// The agent lost in the middle of the call is not back. Owner: an AgentLost segment.
    AgentBack(ContactId),
    /// A colleague has not taken an offer to help, or nothing was heard of a number outside. Owner: a third party Asked.
    ThirdAsked(ContactId),
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

/// The set of running timers, each kind at most once per owner. Most are cancelled long before they are due: that only
/// strikes them off the list; the heap forgets them when they come to its top, or when half of it is such.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BinaryHeap<Reverse<(Timestamp, Timer)>>,
    by_timer: Filing<Timer, Timestamp, 16>,
}

/// A heap smaller than this is not swept.
const SWEPT_FROM: usize = 256;

impl Timers {
    /// Starts it, or moves it when it runs already.
    pub(crate) fn set(&mut self, timer: Timer, at: Timestamp) {
        let old = self.by_timer.insert(timer.clone(), at);
        if old == Some(at) {
            return;
        }
        let first = old.is_some_and(|old| self.is_first(old, &timer));
        self.by_time.push(Reverse((at, timer)));
        if first {
            self.forget();
        }
        self.sweep();
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if self.by_timer.remove(timer).is_some_and(|at| self.is_first(at, timer)) {
            self.forget();
        }
    }

    fn is_first(&self, at: Timestamp, timer: &Timer) -> bool {
        self.by_time.peek().is_some_and(|Reverse(top)| top.0 == at && top.1 == *timer)
    }

    pub(crate) fn get(&self, timer: &Timer) -> Option<Timestamp> {
        self.by_timer.get(timer).copied()
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the first timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, timer)) = self.by_time.pop()?;
        self.by_timer.remove(&timer);
        self.forget();
        Some(timer)
    }

    /// What is at the top of the heap runs.
    fn forget(&mut self) {
        while self.by_time.peek().is_some_and(|Reverse((at, timer))| self.by_timer.get(timer) != Some(at)) {
            self.by_time.pop();
        }
    }

    fn sweep(&mut self) {
        if self.by_time.len() > SWEPT_FROM.max(2 * self.by_timer.len()) {
            self.by_time.retain(|Reverse((at, timer))| self.by_timer.get(timer) == Some(at));
        }
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

    #[test]
    fn a_timer_moved_away_and_back_fires_once() {
        let at = Timestamp::from_millis;
        let mut timers = Timers::default();
        for when in [5, 9, 5, 9, 5] {
            timers.set(Timer::HoursEdge, at(when));
        }
        assert_eq!(timers.pop_due(at(9)), Some(Timer::HoursEdge));
        assert_eq!((timers.pop_due(at(99)), timers.next()), (None, None));
    }

    #[test]
    fn what_was_cancelled_does_not_pile_up() {
        let at = Timestamp::from_millis;
        let mut timers = Timers::default();
        for turn in 0..100_000 {
            timers.set(Timer::ContactDue(ContactId(turn % 300)), at(1_000_000 - turn as i64));
        }
        assert_eq!(timers.by_timer.len(), 300);
        assert!(timers.by_time.len() <= 600, "{}", timers.by_time.len());
        let mut fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(1_000_000))).collect();
        fired.sort_unstable();
        assert_eq!(fired.len(), 300);
        fired.dedup();
        assert_eq!(fired.len(), 300, "each once");
    }
}
