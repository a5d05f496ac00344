//! One chat that somebody looks at: its last messages, how far each side has come, who is there.
//!
//! Followers are woken after every change and read what they have not seen yet, so that a slow one misses nothing.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use ringback_routing::ids::{ContactId, TenantId};
use ringback_store::{ChatMarks, ChatMessage, ChatSide};
use tokio::sync::{Notify, mpsc};

/// Messages kept at hand; whoever is further behind reads from the ledger.
const AT_HAND: usize = 16;
/// The core hears at most this often that somebody wrote: it needs to know that a chat lives, not each line. Well below the
/// least idle time that can be configured.
const ACTIVITY_PACE: Duration = Duration::from_secs(60);

pub(crate) struct Room {
    pub tenant: TenantId,
    pub contact: ContactId,
    state: Mutex<State>,
    door: mpsc::UnboundedSender<Arc<Room>>,
}

#[derive(Default)]
struct State {
    last: u64,
    recent: VecDeque<Arc<ChatMessage>>,
    customer: ChatMarks,
    agent: ChatMarks,
    /// Counted up at each sign of typing.
    typing: [u64; 2],
    /// Counted up when the contact itself changed.
    news: u64,
    followers: Vec<Weak<Notify>>,
    /// Open connections of the customer.
    connections: usize,
    /// A customer without a connection, who asks again and again, counts as present until then.
    expected_until: Option<Instant>,
    /// What the core was last told; unknown of a chat that nobody looked at for a while or that a restart left.
    told_here: Option<bool>,
    activity: Option<Instant>,
}

/// How a chat stands, for whoever follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Number of the last message.
    pub last: u64,
    /// What the customer has been given and has seen.
    pub customer: ChatMarks,
    pub agent: ChatMarks,
    /// Counted up at each sign of the customer's typing.
    pub customer_typing: u64,
    pub agent_typing: u64,
    /// Counted up when the contact itself changed: an agent came, the chat ended.
    pub news: u64,
    pub customer_here: bool,
}

impl Room {
    pub(super) fn new(
        tenant: TenantId,
        contact: ContactId,
        last: u64,
        customer: ChatMarks,
        agent: ChatMarks,
        door: mpsc::UnboundedSender<Arc<Room>>,
    ) -> Self {
        let state = State { last, customer, agent, ..State::default() };
        Self { tenant, contact, state: Mutex::new(state), door }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn follow(&self, follower: &Arc<Notify>) {
        let mut state = self.state();
        state.followers.retain(|known| known.strong_count() > 0);
        state.followers.push(Arc::downgrade(follower));
    }

    fn wake(state: &mut State) {
        for follower in &state.followers {
            if let Some(follower) = follower.upgrade() {
                follower.notify_one();
            }
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let state = self.state();
        Standing {
            last: state.last,
            customer: state.customer,
            agent: state.agent,
            customer_typing: state.typing[0],
            agent_typing: state.typing[1],
            news: state.news,
            customer_here: state.is_here(),
        }
    }

    /// The messages after `after` if all of them are at hand.
    pub(super) fn at_hand(&self, after: u64) -> Option<Vec<Arc<ChatMessage>>> {
        let state = self.state();
        if after >= state.last {
            return Some(Vec::new());
        }
        let first = state.recent.front()?.seq;
        (first <= after + 1).then(|| state.recent.iter().filter(|message| message.seq > after).cloned().collect())
    }

    /// A message was kept. One that is out of order (its first answer was lost) sends everybody to the ledger.
    pub(super) fn kept(&self, message: ChatMessage) {
        let mut state = self.state();
        if message.seq <= state.last {
            return;
        }
        if message.seq != state.last + 1 {
            state.recent.clear();
        }
        state.last = message.seq;
        state.recent.push_back(Arc::new(message));
        if state.recent.len() > AT_HAND {
            state.recent.pop_front();
        }
        Self::wake(&mut state);
    }

    /// Whether the core should hear that somebody wrote.
    pub(super) fn is_activity(&self, now: Instant) -> bool {
        let mut state = self.state();
        let fresh = state.activity.is_none_or(|at| now.duration_since(at) >= ACTIVITY_PACE);
        if fresh {
            state.activity = Some(now);
        }
        fresh
    }

    /// What `side` was given and saw; true when that is more than before.
    pub(super) fn mark(&self, side: ChatSide, marks: ChatMarks) -> bool {
        let mut state = self.state();
        let last = state.last;
        let known = match side {
            ChatSide::Customer => &mut state.customer,
            ChatSide::Agent => &mut state.agent,
        };
        let seen = known.seen.max(marks.seen.min(last));
        let grown = ChatMarks { delivered: known.delivered.max(marks.delivered.min(last)).max(seen), seen };
        let more = grown != *known;
        *known = grown;
        if more {
            Self::wake(&mut state);
        }
        more
    }

    pub(super) fn marks(&self, side: ChatSide) -> ChatMarks {
        let state = self.state();
        match side {
            ChatSide::Customer => state.customer,
            ChatSide::Agent => state.agent,
        }
    }

    pub(super) fn typing(&self, side: ChatSide) {
        let mut state = self.state();
        let index = usize::from(side == ChatSide::Agent);
        state.typing[index] += 1;
        Self::wake(&mut state);
    }

    /// The contact itself changed: followers look again.
    pub fn news(&self) {
        let mut state = self.state();
        state.news += 1;
        Self::wake(&mut state);
    }

    /// The customer's side is connected as long as what is returned lives.
    pub(super) fn enter(self: &Arc<Self>) -> Here {
        let mut state = self.state();
        state.connections += 1;
        // Whoever was expected has come: from now on the connection tells.
        state.expected_until = None;
        drop(state);
        self.at_the_door();
        Here { room: self.clone() }
    }

    /// A customer without a connection was heard of and is expected again within `patience`.
    pub(super) fn expect(self: &Arc<Self>, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.state();
        state.expected_until = Some(state.expected_until.map_or(until, |known| known.max(until)));
        drop(state);
        self.at_the_door();
    }

    /// The chat was just asked for: its core takes the customer as present.
    pub(super) fn welcome(self: &Arc<Self>, patience: Duration) {
        self.state().told_here = Some(true);
        self.expect(patience);
    }

    fn at_the_door(self: &Arc<Self>) {
        // The doorkeeper ends only with the engine.
        let _ = self.door.send(self.clone());
    }

    /// What the core is to be told: `Some(true)` the customer is back, `Some(false)` gone.
    pub(super) fn turn_of_presence(&self) -> Option<bool> {
        let mut state = self.state();
        let here = state.is_here();
        // Somebody who was never said to be there cannot go.
        if state.told_here == Some(here) || (state.told_here.is_none() && !here) {
            return None;
        }
        state.told_here = Some(here);
        Self::wake(&mut state);
        Some(here)
    }

    /// Whether a customer without a connection may still come back to it.
    pub(super) fn is_expected(&self) -> bool {
        let state = self.state();
        state.is_here() || state.told_here == Some(true)
    }
}

impl State {
    fn is_here(&self) -> bool {
        self.connections > 0 || self.expected_until.is_some_and(|until| Instant::now() < until)
    }
}

/// The customer's connection; dropped when it ends.
pub struct Here {
    room: Arc<Room>,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.room.state().connections -= 1;
        self.room.at_the_door();
    }
}

#[cfg(test)]
mod tests {
    use ringback_routing::time::Timestamp;
    use ringback_store::ChatSender;

    use super::*;

    fn room() -> (Arc<Room>, mpsc::UnboundedReceiver<Arc<Room>>) {
        let (door, comings) = mpsc::unbounded_channel();
        let none = ChatMarks::default();
        (Arc::new(Room::new(TenantId::new("a"), ContactId(1), 0, none, none, door)), comings)
    }

    fn message(seq: u64) -> ChatMessage {
        let sender = ChatSender::Customer;
        ChatMessage { seq, sender, client_id: seq.to_string(), at: Timestamp::from_millis(0), body: "x".into() }
    }

    fn seqs(room: &Room, after: u64) -> Option<Vec<u64>> {
        room.at_hand(after).map(|messages| messages.iter().map(|message| message.seq).collect())
    }

    #[test]
    fn a_follower_reads_on_from_where_it_was_or_is_sent_to_the_ledger() {
        let (room, _comings) = room();
        for seq in 1..=20 {
            room.kept(message(seq));
        }
        assert_eq!(seqs(&room, 18), Some(vec![19, 20]));
        assert_eq!(seqs(&room, 20), Some(vec![]));
        assert_eq!(seqs(&room, 20 - AT_HAND as u64).map(|all| all.len()), Some(AT_HAND));
        assert_eq!(seqs(&room, 1), None);
        room.kept(message(22));
        assert_eq!(seqs(&room, 20), None);
        assert_eq!(seqs(&room, 21), Some(vec![22]));
        room.kept(message(22));
        assert_eq!(room.standing().last, 22);
    }

    #[test]
    fn marks_only_grow_and_never_beyond_what_was_said() {
        let (room, _comings) = room();
        (1..=3).for_each(|seq| room.kept(message(seq)));
        assert!(room.mark(ChatSide::Agent, ChatMarks { delivered: 9, seen: 2 }));
        assert!(!room.mark(ChatSide::Agent, ChatMarks { delivered: 1, seen: 1 }));
        assert_eq!(room.standing().agent, ChatMarks { delivered: 3, seen: 2 });
        assert_eq!(room.standing().customer, ChatMarks::default());
    }

    #[tokio::test]
    async fn a_customer_is_gone_with_the_last_connection() {
        let (room, _comings) = room();
        assert_eq!(room.turn_of_presence(), None);
        let (one, two) = (room.enter(), room.enter());
        assert_eq!(room.turn_of_presence(), Some(true), "after a restart the core waits to hear it");
        assert_eq!(room.turn_of_presence(), None);
        drop(one);
        assert_eq!(room.turn_of_presence(), None);
        drop(two);
        assert_eq!(room.turn_of_presence(), Some(false));
        assert_eq!(room.turn_of_presence(), None);
        room.expect(Duration::from_secs(60));
        assert_eq!(room.turn_of_presence(), Some(true));
    }

    #[tokio::test]
    async fn who_asked_and_never_came_is_gone() {
        let (room, _comings) = room();
        room.welcome(Duration::from_secs(60));
        let here = room.enter();
        assert_eq!(room.turn_of_presence(), None);
        drop(here);
        assert_eq!(room.turn_of_presence(), Some(false), "who came and left is not waited for");
        room.welcome(Duration::ZERO);
        assert!(room.is_expected());
        assert_eq!(room.turn_of_presence(), Some(false));
        assert!(!room.is_expected());
    }

    #[tokio::test]
    async fn followers_are_woken_by_what_happens() {
        let (room, _comings) = room();
        let follower = Arc::new(Notify::new());
        room.follow(&follower);
        room.kept(message(1));
        tokio::time::timeout(Duration::from_secs(1), follower.notified()).await.unwrap();
        room.typing(ChatSide::Customer);
        tokio::time::timeout(Duration::from_secs(1), follower.notified()).await.unwrap();
        assert_eq!(room.standing().customer_typing, 1);
    }
}
