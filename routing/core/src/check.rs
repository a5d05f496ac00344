//! The invariants, each checked against the records from scratch. Called by tests and simulation after every event.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    agent::AgentState,
    contact::*,
    core::{ChannelHold, Core, Desk, Entry, Side},
    floor::Bucket,
    ids::*,
    line::Place,
    matcher::is_listed,
    third::{ThirdParty, ThirdStage},
    time::Timestamp,
    timers::Timer,
};

/// So many at the head of every line are looked at after every event.
const LOOKED_AT: usize = 50;

impl Core {
    /// The invariants of these contacts and of the agents who have them, and that nobody waits for an agent who is free:
    /// what one event can break, at a cost that does not depend on how many wait. Panics like [`Core::check`].
    pub fn check_touched(&self, contacts: impl Iterator<Item = ContactId>) {
        for id in contacts {
            if let Some(entry) = self.contacts.get(&id) {
                self.check_contact(id, entry);
            }
        }
        self.check_matches();
    }

    /// The agent kept free while a channel for this contact is asked for; whoever calls of their own accord is kept for nobody.
    pub fn kept_for(&self, contact: ContactId) -> Option<&AgentId> {
        let entry = self.contacts.get(&contact)?;
        match &entry.channel {
            ChannelHold::Asked { agent, .. } if !entry.contact.is_unreached_outbound() => Some(agent),
            _ => None,
        }
    }

    /// Whether it takes itself to be open exactly when it is.
    pub fn knows_the_hours(&self, now: Timestamp) -> bool {
        crate::hours::callable(&self.config, now).is_open() == self.floor.open
    }

    /// No channel is asked for at present.
    pub fn is_blocked(&self) -> bool {
        self.floor.blocked.is_some()
    }

    /// Forgets what a restart from rows forgets: waits and handling times seen, recordings still to come, the state
    /// of the ids. A core in which nobody is being served and everybody has
    /// signed off is afterwards what `restore` makes of its rows and the same seed.
    pub fn lose_what_no_row_holds(&mut self, seed: u64) {
        self.ids = IdSource::new(seed);
        for queue in self.floor.queues.values_mut() {
            queue.wait = crate::wait::WaitStats::default();
        }
        self.recordings.clear();
        let lost = |timer: &&Timer| matches!(timer, Timer::RecordingForgotten(_));
        let lost: Vec<_> = self.timers.iter().map(|(timer, _)| timer).filter(lost).cloned().collect();
        lost.iter().for_each(|timer| self.timers.cancel(timer));
    }

    /// How many contacts are open.
    pub fn open_count(&self) -> usize {
        self.contacts.len()
    }

    pub(crate) fn check_all(&self) {
        for (id, entry) in self.contacts.iter() {
            self.check_contact(*id, entry);
        }
        self.check_lines();
        self.check_agents();
        self.check_numbers();
        self.check_legs();
        self.check_timers();
        self.check_matches();
    }

    /// Every contact is in exactly the places its state says, and has a way on.
    fn check_contact(&self, id: ContactId, entry: &Entry) {
        let contact = &entry.contact;
        assert_eq!(contact.id, id, "a contact is filed under its own id");
        let queue = self.floor.queues.get(&contact.queue).expect("a contact's queue exists");
        let place = self.floor.place_of(contact);
        let in_line = queue.line.contains(&place);
        let bucket = &self.floor.buckets[entry.bucket];
        let listed = (bucket.waiting.contains(&place), bucket.on_line.contains(&place));
        let queued = matches!(contact.state, ContactState::Queued { .. });
        let on_line = contact.is_on_line();
        assert_eq!(in_line, queued, "in line exactly when queued: {contact:?}");
        let should = is_listed(contact, &entry.channel);
        assert_eq!(
            listed,
            (should && !on_line, should && on_line),
            "listed as it waits: {contact:?} {:?}",
            entry.channel
        );
        let scheduled = matches!(contact.state, ContactState::Scheduled { .. });
        assert_eq!(self.timers.get(&Timer::ContactDue(id)).is_some(), scheduled, "scheduled with a timer");
        let open = contact.segments.iter().filter(|segment| !segment.is_done());
        let wraps = |segment: &&Segment| matches!(segment.state, SegmentState::WrapUp { .. });
        match contact.state {
            ContactState::Active { .. } => {
                let served = open.clone().next().is_some() || contact.third.is_some();
                assert!(served, "an active contact has an agent: {contact:?}");
                open.for_each(|segment| self.check_segment(contact, segment));
            }
            ContactState::Arriving { .. } => {
                let guarded = [Timer::RingGuard(id), Timer::AnnouncementGuard(id), Timer::MenuChoice(id)];
                assert!(guarded.iter().any(|guard| self.timers.get(guard).is_some()), "an arrival ends: {contact:?}");
                assert!(contact.live_leg().is_some(), "who arrives is on the line");
                // Whoever is told that it is closed may have been passed on by an agent who still wraps up.
                let told = matches!(contact.reason, crate::reason::Reason::Closed { .. });
                assert!(open.clone().all(|segment| told && wraps(&segment)), "nobody serves who arrives: {contact:?}");
                open.for_each(|segment| self.check_segment(contact, segment));
            }
            ContactState::Closed { .. } => panic!("closed contacts leave memory"),
            _ => {
                assert!(
                    open.clone().all(|segment| wraps(&segment)),
                    "waiting contacts have no agent but in wrap-up: {contact:?}"
                );
                open.for_each(|segment| self.check_segment(contact, segment));
            }
        }
        self.check_outbound(contact);
        self.check_chat(contact);
        self.check_third(contact);
        self.check_target(entry);
        let running = contact
            .attempts
            .iter()
            .filter(|attempt| matches!(attempt.state, AttemptState::Dialling | AttemptState::Live));
        let last = contact.running_attempt().map(|attempt| attempt.id);
        assert!(running.map(|attempt| attempt.id).eq(last), "only the last attempt runs: {contact:?}");
        self.check_channel(contact, &entry.channel, last.is_some());
    }

    /// In line at a target that exists, in its bucket, and on to the next one in time.
    fn check_target(&self, entry: &Entry) {
        let contact = &entry.contact;
        let queued = matches!(contact.state, ContactState::Queued { .. });
        let widens = contact.widen_at.is_some_and(|at| self.floor.widening.contains(&(at, contact.id)));
        assert_eq!(widens, queued && contact.widen_at.is_some(), "a stage that ends is watched: {contact:?}");
        if !queued {
            assert!(!widens, "only those in line go up the ladder");
            return;
        }
        let last = self.last_target(contact);
        assert!(contact.target <= last && (contact.target > 0 || contact.preferred.is_some()));
        let ends = contact.target < last || self.overflow_of(contact).is_some();
        assert_eq!(widens, ends, "every stage but the last ends: {contact:?}");
        let bucket = &self.floor.buckets[entry.bucket];
        let (queue, medium) = (&bucket.queue, bucket.medium);
        assert_eq!((queue, medium), (&contact.queue, contact.channel.medium()), "in its own bucket");
        assert_eq!(bucket.need, self.need_of(contact), "in the bucket of its target");
    }

    /// Nobody calls in the place of an agent who called of their own accord: it is tried once, by that agent, and only whom
    /// it reached is ever in line.
    fn check_outbound(&self, contact: &Contact) {
        if contact.channel != Channel::Outbound {
            return;
        }
        let waits = !matches!(contact.state, ContactState::Active { .. });
        let in_line = matches!(contact.state, ContactState::Queued { .. } | ContactState::Arriving { .. });
        assert!(
            !waits || (in_line && contact.live_leg().is_some()),
            "planned, or in line without its customer: {contact:?}"
        );
        assert!(contact.attempts.len() <= 1, "tried once: {contact:?}");
        let first = contact.segments.first().map(|segment| &segment.why);
        assert!(matches!(first, Some(crate::reason::Reason::CalledOut { .. })), "an agent called: {contact:?}");
    }

    /// A chat waits for a bounded time, for its customer, for an agent and for words.
    fn check_chat(&self, contact: &Contact) {
        let id = contact.id;
        let has = |timer: Timer| self.timers.get(&timer).is_some();
        assert!(contact.channel != Channel::Chat || contact.chat.is_some(), "a chat has a chat's record");
        let Some(chat) = &contact.chat else { return };
        if contact.channel != Channel::Chat {
            let called = matches!(chat.ended, Some(ChatEnd::CalledBack | ChatEnd::Called { .. }));
            assert!(called && contact.channel == Channel::Callback, "a chat becomes a callback: {contact:?}");
            let left = [Timer::CustomerGone(id), Timer::ChatWait(id), Timer::ChatIdle(id)];
            assert!(!left.into_iter().any(has), "what ends a chat ends no callback: {contact:?}");
            return;
        }
        assert!(contact.attempts.is_empty() && contact.segments.iter().all(|segment| segment.leg.is_none()));
        assert_eq!(self.timers.get(&Timer::CustomerGone(id)), chat.customer_away, "an absent customer is waited for");
        let queued = matches!(contact.state, ContactState::Queued { .. });
        assert_eq!(has(Timer::ChatWait(id)), queued, "a chat waits so long in line: {contact:?}");
        let talking = contact.open_segment().is_some_and(|s| matches!(s.state, SegmentState::Connected { .. }));
        assert_eq!(has(Timer::ChatIdle(id)), talking, "a chat in hand ends when nobody writes: {contact:?}");
        if chat.ended.is_some() {
            let wraps = contact.segments.iter().filter(|segment| !segment.is_done());
            assert!(!queued && wraps.clone().count() > 0, "an ended chat is wrapped up");
            wraps.for_each(|segment| assert!(matches!(segment.state, SegmentState::WrapUp { .. })));
        } else {
            assert!(queued || contact.open_segment().is_some(), "a live chat is in line or in a hand");
        }
    }

    /// Whoever is brought in is asked for a bounded time, and hears and is heard as the record says.
    fn check_third(&self, contact: &Contact) {
        let id = contact.id;
        let timer = self.timers.get(&Timer::ThirdAsked(id));
        let Some(third) = &contact.third else {
            assert_eq!(timer, None, "nobody is asked");
            return;
        };
        assert!(contact.live_leg().is_some(), "brought in to a customer on the line: {contact:?}");
        assert!(matches!(contact.state, ContactState::Active { .. }), "brought in to a call: {contact:?}");
        let lead = contact.talking_segment();
        let until = match third.stage {
            ThirdStage::Asked { until } | ThirdStage::Told { until } => Some(until),
            ThirdStage::Private { .. } | ThirdStage::Joined { .. } | ThirdStage::Alone { .. } => None,
        };
        assert_eq!(timer, until, "asked until then");
        match &third.with {
            ThirdParty::Agent { agent, segment } => {
                let found = contact.segment(*segment).expect("a colleague's engagement exists");
                let offered = matches!(found.state, SegmentState::Offered { .. });
                let connected = matches!(found.state, SegmentState::Connected { .. });
                assert!(found.agent == *agent && found.leg == third.leg, "the colleague's own: {contact:?}");
                assert!(if until.is_some() { offered } else { connected }, "as far as the colleague is: {contact:?}");
                assert!(lead.is_some(), "a colleague helps somebody: {contact:?}");
            }
            ThirdParty::Outside { .. } => {
                let known = third.leg.and_then(|leg| self.legs.get(&leg));
                assert!(
                    known.is_some_and(|owner| owner.contact == id && owner.side == Side::Third),
                    "its leg is known"
                );
            }
        }
        match third.stage {
            ThirdStage::Asked { .. } => assert!(lead.is_none_or(|lead| lead.on_hold), "the customer hears music"),
            ThirdStage::Private { .. } => assert!(lead.is_some_and(|lead| lead.on_hold), "the customer hears music"),
            ThirdStage::Joined { .. } => assert!(lead.is_some_and(|lead| !lead.on_hold), "all hear each other"),
            ThirdStage::Told { .. } | ThirdStage::Alone { .. } => {
                assert!(lead.is_none(), "the agent has left: {contact:?}");
            }
        }
        let outside = third.segment().is_none() && matches!(third.stage, ThirdStage::Alone { .. });
        assert!(
            outside || third.declined.is_none(),
            "a carrier is asked for two calls alone with each other: {contact:?}"
        );
    }

    fn check_channel(&self, contact: &Contact, channel: &ChannelHold, running: bool) {
        let id = contact.id;
        let queued = matches!(contact.state, ContactState::Queued { .. });
        match channel {
            ChannelHold::None => assert!(!running, "a leg has a channel: {contact:?}"),
            ChannelHold::Asked { .. } if contact.is_unreached_outbound() => {
                let engaged = matches!(contact.open_segment().map(|s| &s.state), Some(SegmentState::Connecting { .. }));
                assert!(engaged && contact.attempts.is_empty(), "the caller waits for the channel: {contact:?}");
                assert!(self.timers.get(&Timer::ChannelReply(id)).is_some(), "and not for ever");
            }
            ChannelHold::Asked { agent, .. } => {
                assert!(queued && !running && self.timers.get(&Timer::ChannelReply(id)).is_some());
                if let Some(desk) = self.agents.get(agent) {
                    assert_eq!(desk.earmark, Some(id), "the agent kept for a reservation knows it");
                }
            }
            ChannelHold::Refused => assert!(queued && self.timers.get(&Timer::NumberRetry(id)).is_some()),
            ChannelHold::Held { .. } => {
                let offered = contact.open_segment().is_some();
                assert!(running || offered, "a channel is held for something: {contact:?}");
            }
        }
    }

    /// Every engagement is in its agent's hand and ends by a timer, a live leg, or both.
    fn check_segment(&self, contact: &Contact, segment: &Segment) {
        let id = contact.id;
        let desk = self.agents.get(&segment.agent).expect("the agent of an open segment is there");
        assert!(desk.hand.contains(&(id, segment.id)), "the segment is in its agent's hand");
        let has = |timer: Timer| self.timers.get(&timer).is_some();
        let live = contact.live_leg().is_some_and(|leg| self.legs.contains_key(&leg));
        match segment.state {
            SegmentState::Offered { until } => {
                let lapse = if contact.is_third(segment.id) { Timer::ThirdAsked(id) } else { Timer::OfferLapse(id) };
                assert_eq!(self.timers.get(&lapse), Some(until), "an offer lapses");
            }
            SegmentState::Connecting { .. } => {
                let guarded =
                    [Timer::RingGuard(id), Timer::AnnouncementGuard(id), Timer::PressOne(id), Timer::ChannelReply(id)];
                assert!(guarded.into_iter().any(has), "connecting comes to an end: {contact:?}");
            }
            SegmentState::Connected { .. } => {
                assert!(live || contact.channel == Channel::Chat, "a conversation has a live leg: {contact:?}");
            }
            SegmentState::AgentLost { .. } => assert!(live && has(Timer::AgentBack(id)), "a lost agent is waited for"),
            SegmentState::WrapUp { until } => {
                assert_eq!(self.timers.get(&Timer::WrapUpOver(id, segment.id)), Some(until), "wrap-up ends");
                let last = contact.open_segment().is_some_and(|open| open.id == segment.id) && contact.third.is_none();
                assert!(!last || contact.running_attempt().is_none(), "no leg outlives the conversation");
            }
            SegmentState::Done { .. } => {}
        }
    }

    /// The incremental counters and indexes say what a count from scratch says.
    fn check_lines(&self) {
        let mut counts: BTreeMap<&QueueId, (usize, u32, u32)> = BTreeMap::new();
        for entry in self.contacts.any_order() {
            let count = counts.entry(&entry.contact.queue).or_default();
            match entry.contact.state {
                ContactState::Queued { .. } => count.0 += 1,
                ContactState::Scheduled { .. } => count.1 += 1,
                _ => count.2 += 1,
            }
        }
        for (id, queue) in &self.floor.queues {
            let found = (queue.line.len(), queue.scheduled, queue.active);
            assert_eq!(found, counts.get(id).copied().unwrap_or_default(), "counters of {id}");
        }
        let listed: usize = self.floor.buckets.iter().map(|bucket| bucket.waiting.len() + bucket.on_line.len()).sum();
        let should = self.contacts.any_order().filter(|entry| is_listed(&entry.contact, &entry.channel)).count();
        assert_eq!(listed, should, "no stale place in any bucket");
        let first = self.floor.widening.first().map(|(at, _)| *at);
        assert_eq!(self.timers.get(&Timer::Widen), first, "the next stage to end has the timer");
        assert!(self.floor.doubted.is_empty(), "nobody waits for an agent who has gone");
        let scheduled = self.contacts.any_order().filter(|e| matches!(e.contact.state, ContactState::Scheduled { .. }));
        assert_eq!(self.floor.scheduled.len(), scheduled.count());
    }

    fn check_agents(&self) {
        for (id, desk) in self.agents.iter() {
            assert_eq!(desk.record.id, *id);
            for (contact, segment) in &desk.hand {
                let found = self.contacts.get(contact).and_then(|entry| entry.contact.segment(*segment));
                let found = found.expect("what is in hand exists");
                assert!(!found.is_done() && found.agent == *id, "what is in hand is open and the agent's own");
            }
            if let Some(kept) = desk.earmark {
                let asked = self.contacts.get(&kept).map(|entry| &entry.channel);
                let keeps = matches!(asked, Some(ChannelHold::Asked { agent, .. }) if agent == id);
                assert!(keeps, "kept free for a reservation: {asked:?}");
            }
            assert_eq!(desk.listed, self.listing(id), "{id} is listed as room and reach say");
            let auto = self.timers.get(&Timer::AutoReturn(id.clone()));
            assert_eq!(auto, desk.record.auto_return_at, "auto-return has its timer");
            // A call's sound says itself when it is gone; of a chat only the page tells.
            let writes = desk.hand.iter().any(|(contact, segment)| {
                let chat = self.contacts.get(contact).filter(|entry| entry.contact.channel == Channel::Chat);
                let found = chat.and_then(|entry| entry.contact.segment(*segment));
                matches!(found.map(|found| &found.state), Some(SegmentState::Connected { .. }))
            });
            let grace = self.timers.get(&Timer::AgentGrace(id.clone()));
            assert!(!writes || desk.record.session.is_some() || grace.is_some(), "{id}: absent from a chat ends");
            if !desk.hand.is_empty() {
                continue;
            }
            assert!(desk.record.next.is_none() && !desk.leaving, "{id}: with nothing in hand nothing is put off");
            if desk.record.session.is_none() && desk.record.state != AgentState::Offline {
                let grace = self.timers.get(&Timer::AgentGrace(id.clone()));
                assert!(grace.is_some(), "{id}: absent but not offline ends by a timer");
            }
        }
        self.floor.buckets.iter().for_each(|bucket| self.check_bucket(bucket));
        for (skill, agents) in &self.skilled {
            let has = |desk: &&Desk| desk.config.skills.contains_key(skill);
            let known = |desk: &Desk| agents.contains(&desk.record.id);
            assert!(self.agents.any_order().filter(has).all(known), "those who can do {skill}");
            assert_eq!(self.agents.any_order().filter(has).count(), agents.len(), "nobody else can do {skill}");
        }
        let signed_in = self.agents.any_order().filter(|desk| desk.record.state != AgentState::Offline).count();
        assert_eq!(self.floor.signed_in as usize, signed_in);
    }

    /// Its free agents, and the slots of those who work, are those of the agents who can serve it.
    fn check_bucket(&self, bucket: &Bucket) {
        let (mut slots, mut free) = (0, 0);
        for desk in self.agents.any_order().filter(|desk| bucket.is_served_by(&desk.config)) {
            if desk.record.state == AgentState::Ready && desk.record.session.is_some() {
                slots += u32::from(desk.slots(bucket.medium));
            }
            if let Some(listing) = desk.listed.filter(|listing| bucket.takes(listing)) {
                free += 1;
                let key = (listing.load, listing.idle, desk.record.id.clone());
                assert!(bucket.free.contains(&key), "{key:?} can serve a bucket of {}", bucket.queue);
            }
        }
        assert_eq!(bucket.slots, slots, "effective agents of {}", bucket.queue);
        assert_eq!(bucket.free.len(), free, "the free of a bucket are those who can serve it");
    }

    /// One contact per number that may still dial it; no number in two live attempts.
    fn check_numbers(&self) {
        for id in self.by_number.contacts() {
            let contact = &self.contacts.get(&id).expect("a number's contact exists").contact;
            assert!(self.may_be_dialled(contact), "filed under the number it has");
        }
        for id in self.by_link.contacts() {
            let contact = &self.contacts.get(&id).expect("a link's chat exists").contact;
            assert!(contact.chat.is_some() && contact.status_token_digest.is_some(), "filed under the link it has");
        }
        let mut live = BTreeSet::new();
        for entry in self.contacts.any_order() {
            let contact = &entry.contact;
            if matches!(contact.channel, Channel::Call | Channel::Chat) {
                assert!(!self.may_be_dialled(contact), "a chat and a call that came in hold no number");
                let wraps =
                    contact.segments.iter().any(|segment| !segment.is_done()) && contact.open_segment().is_some();
                assert!(contact.is_on_line() || wraps, "who called is on the line until the conversation is over");
                continue;
            }
            let over = contact.third.is_none()
                && matches!(contact.open_segment().map(|s| &s.state), Some(SegmentState::WrapUp { .. }));
            assert_eq!(self.may_be_dialled(contact), !over, "dialled by number until the conversation is over");
            let unknown = contact.attempts.iter().any(|a| matches!(a.state, AttemptState::Unknown { .. }));
            if contact.running_attempt().is_some() || unknown {
                assert!(live.insert(&contact.customer.number_key), "one live attempt per number");
            }
        }
    }

    fn check_legs(&self) {
        for (leg, owner) in &self.legs {
            let contact = &self.contacts.get(&owner.contact).expect("a leg's contact exists").contact;
            match owner.side {
                Side::Third => {
                    assert_eq!(contact.third.as_ref().and_then(|third| third.leg), Some(*leg), "a third party's leg");
                }
                Side::Customer => {
                    assert_eq!(contact.running_attempt().map(|attempt| attempt.leg), Some(*leg));
                }
                Side::Agent(segment) => {
                    let segment = contact.segment(segment).expect("an agent leg's segment exists");
                    assert!(!segment.is_done() && segment.leg == Some(*leg));
                }
            }
        }
        for entry in self.contacts.any_order() {
            if let Some(attempt) = entry.contact.running_attempt() {
                assert!(self.legs.contains_key(&attempt.leg), "a running attempt's leg is known");
            }
        }
    }

    /// Every timer refers to something that waits for it.
    fn check_timers(&self) {
        for (timer, _) in self.timers.iter() {
            assert!(self.timer_has_owner(timer), "{timer:?} has an owner");
        }
    }

    fn timer_has_owner(&self, timer: &Timer) -> bool {
        let contact = |id: &ContactId| self.contacts.get(id);
        let state = |id: &ContactId| contact(id)?.contact.open_segment().map(|segment| &segment.state);
        let attempt = |id: &ContactId| contact(id)?.contact.running_attempt();
        match timer {
            Timer::HoursEdge | Timer::NumberGuard(_) => true,
            Timer::Widen => !self.floor.widening.is_empty(),
            Timer::ChannelsRetry => self.floor.blocked.is_some(),
            Timer::ContactDue(id) => {
                contact(id).is_some_and(|entry| matches!(entry.contact.state, ContactState::Scheduled { .. }))
            }
            Timer::ChannelReply(id) => {
                contact(id).is_some_and(|entry| matches!(entry.channel, ChannelHold::Asked { .. }))
            }
            Timer::NumberRetry(id) => contact(id).is_some_and(|entry| entry.channel == ChannelHold::Refused),
            Timer::CoolOffOver(id) => {
                contact(id).is_some_and(|entry| matches!(entry.contact.state, ContactState::Queued { .. }))
            }
            Timer::OfferLapse(id) => matches!(state(id), Some(SegmentState::Offered { .. })),
            Timer::RingGuard(id) => attempt(id).is_some_and(|attempt| attempt.answered_at.is_none()),
            Timer::AnnouncementGuard(id) => {
                let arrives =
                    contact(id).is_some_and(|entry| matches!(entry.contact.state, ContactState::Arriving { .. }));
                arrives || attempt(id).is_some_and(|attempt| attempt.announcement.is_none())
            }
            Timer::PressOne(id) => attempt(id).is_some_and(|attempt| attempt.announcement.is_some()),
            Timer::MenuChoice(id) => {
                contact(id).is_some_and(|entry| matches!(entry.contact.state, ContactState::Arriving { .. }))
            }
            Timer::AnnounceWait(id) => contact(id).is_some_and(|entry| {
                entry.contact.channel == Channel::Call && matches!(entry.contact.state, ContactState::Queued { .. })
            }),
            Timer::CustomerGone(id) | Timer::ChatWait(id) | Timer::ChatIdle(id) => {
                contact(id).is_some_and(|entry| entry.contact.chat.is_some())
            }
            Timer::AgentBack(id) => matches!(state(id), Some(SegmentState::AgentLost { .. })),
            Timer::ThirdAsked(id) => contact(id).is_some_and(|entry| entry.contact.third.is_some()),
            Timer::WrapUpOver(id, segment) => {
                let found = contact(id).and_then(|entry| entry.contact.segment(*segment));
                found.is_some_and(|segment| matches!(segment.state, SegmentState::WrapUp { .. }))
            }
            Timer::AgentGrace(id) => self.agents.get(id).is_some_and(|desk| {
                desk.record.session.is_some() || desk.record.state != AgentState::Offline || !desk.hand.is_empty()
            }),
            Timer::OfferGrace(id) | Timer::AutoReturn(id) => self.agents.contains_key(id),
            Timer::RecordingForgotten(leg) => self.recordings.contains_key(leg),
        }
    }

    /// Nobody waits in line for an agent who is free for them.
    fn check_matches(&self) {
        let open = !self.floor.shut && self.floor.blocked.is_none();
        for bucket in self.floor.buckets.iter().filter(|bucket| !bucket.free.is_empty()) {
            self.check_passed_over(bucket, bucket.on_line.iter().take(LOOKED_AT));
            self.check_passed_over(bucket, bucket.waiting.iter().take(if open { LOOKED_AT } else { 0 }));
        }
    }

    /// None of these, who stand in order, could have one of the bucket's free agents.
    fn check_passed_over<'a>(&self, bucket: &Bucket, places: impl Iterator<Item = &'a Place>) {
        for place in places {
            let contact = &self.contacts[&place.contact].contact;
            // A cool-off that ran out this instant wakes the contact by its timer.
            let Ok(free) = self.free_for(bucket, place, |agent| contact.cool_off.contains_key(agent)) else {
                // Who is held back for a call that has waited longer is so for everybody after this one too.
                return;
            };
            assert!(free.is_none(), "{:?} waits although {free:?} is free", place.contact);
        }
    }
}
