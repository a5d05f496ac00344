//! The ledger's rows as a tenant's outputs build them, and what must be true of them after every drain. Each look costs
//! what the drain touched, not what the tenant holds.

use std::collections::{BTreeMap, BTreeSet};

use ringback_routing::{
    Core,
    agent::{AgentRecord, AgentState, Endpoint, Presence, RequestedState},
    config::{AgentConfig, TenantConfig},
    contact::*,
    core::NumberGuard,
    event::DenialReason,
    ids::*,
    output::{Change, Deed, Fact},
    reason::Reason,
    time::{Millis, Timestamp},
};

use super::{
    Checked, Fault,
    dice::QuickMap,
    insist,
    record::{check_history, check_shape, chosen_time, deadline, live_number, open_segments, serves},
    scene::SLOT_CAPACITY,
};

/// An answer to a reservation is waited for this long.
const CHANNEL_REPLY_LIMIT: Millis = Millis::from_secs(10);
/// So many contacts at the head of a line are looked at for one that was passed over.
const LOOKED_AT: usize = 16;

/// The moment it is ranked by, its priority, its id.
type Place = (i64, u8, ContactId);
/// What one priority is worth where waiting is worth nothing.
const NO_AGEING: Millis = Millis(100 * 365 * 86_400_000);

/// An open contact as last saved.
pub struct Row {
    pub contact: Box<Contact>,
    hold: Hold,
    /// The drain that touched it last.
    turn: u64,
    deadline: Option<Timestamp>,
    line: Option<(usize, Place)>,
    /// Its line when it was last in one.
    lane: Option<usize>,
}

/// What is known of its trunk channel from deeds and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Free,
    Asked,
    /// Refused for its number: out of line until it asks again.
    Refused,
}

/// An agent as last saved.
pub struct Seat {
    pub record: AgentRecord,
    pub config: Option<AgentConfig>, // None: taken out of the configuration.
    /// Offered, engaged or in wrap-up.
    hand: Vec<(ContactId, SegmentId)>,
    shown: (Presence, Option<ReasonCode>),
}

impl Seat {
    pub fn is_busy(&self) -> bool {
        !self.hand.is_empty()
    }

    pub fn shown(&self) -> Presence {
        self.shown.0
    }
}

/// Those in line for one subject in one queue, whose needs are the same.
struct Line {
    queue: QueueId,
    medium: Medium,
    subject: SubjectId,
    waiting: BTreeSet<Place>,
}

#[derive(Default)]
pub struct Ledger {
    pub rows: QuickMap<ContactId, Row>,
    pub seats: QuickMap<AgentId, Seat>,
    lines: Vec<Line>,
    /// What one priority is worth, in milliseconds.
    step: i64,
    /// Numbers, as fingerprints, in an attempt that lives or may live.
    dialled: QuickMap<u64, ContactId>,
    deadlines: BTreeSet<(Timestamp, ContactId)>,
    /// Callbacks planned for a time that the customer chose.
    chosen: BTreeMap<Timestamp, u32>,
    /// Numbers that may still be in a call of a contact that is closed.
    guarded: BTreeMap<String, Timestamp>,
    /// Contacts closed in this drain with a call of unknown fate, and their numbers.
    unsettled: Vec<(ContactId, String)>,
    pub counts: Counts,
    turn: u64,
    offered: Vec<ContactId>,
    reserved: Vec<ContactId>,
    touched: Vec<ContactId>,
}

/// What a day has seen. Conservation: `created` = `closed` + those open.
#[derive(Debug, Default, Clone, Copy, serde::Serialize)]
pub struct Counts {
    pub created: u64,
    pub closed: u64,
    pub successful: u64,
    pub unsuccessful: u64,
    pub cancelled: u64,
    pub abandoned: u64,
    pub offers: u64,
    pub lapsed: u64,
    pub declined: u64,
    pub attempts: u64,
    pub bridged: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.created += other.created;
        self.closed += other.closed;
        self.successful += other.successful;
        self.unsuccessful += other.unsuccessful;
        self.cancelled += other.cancelled;
        self.abandoned += other.abandoned;
        self.offers += other.offers;
        self.lapsed += other.lapsed;
        self.declined += other.declined;
        self.attempts += other.attempts;
        self.bridged += other.bridged;
    }
}

impl Ledger {
    pub fn open_contacts(&self) -> usize {
        self.rows.len()
    }

    pub fn row(&self, id: ContactId) -> Option<&Contact> {
        self.rows.get(&id).map(|row| &*row.contact)
    }

    /// The agent was configured, newly or anew.
    pub fn configured(&mut self, now: Timestamp, config: AgentConfig) {
        let seat = self.seats.entry(config.id.clone()).or_insert_with(|| Seat {
            record: AgentRecord::offline(config.id.clone(), now),
            config: None,
            hand: Vec::new(),
            shown: (Presence::Offline, None),
        });
        seat.config = Some(config);
    }

    /// The tenant was configured: who stands where follows from what a priority is worth.
    pub fn rank_by(&mut self, ageing: Option<Millis>) {
        let step = ageing.filter(|step| *step > Millis(0)).unwrap_or(NO_AGEING).0;
        if std::mem::replace(&mut self.step, step) != step {
            let all: Vec<_> = self.rows.keys().copied().collect();
            all.into_iter().for_each(|id| self.relist(id));
        }
    }

    /// Taken out of the configuration: nothing more may be offered.
    pub fn removed(&mut self, agent: &AgentId) {
        if let Some(seat) = self.seats.get_mut(agent) {
            seat.config = None;
        }
    }

    /// The agents as configured now.
    pub fn agent_configs(&self) -> Vec<AgentConfig> {
        self.seated().into_iter().filter_map(|(_, seat)| seat.config.clone()).collect()
    }

    /// Everybody who ever was configured, by id.
    pub fn seated(&self) -> Vec<(&AgentId, &Seat)> {
        let mut seats: Vec<_> = self.seats.iter().collect();
        seats.sort_unstable_by_key(|(id, _)| *id);
        seats
    }

    /// The agent who is in this chat.
    pub fn in_chat(&self, id: ContactId) -> Option<AgentId> {
        let segment = self.row(id).filter(|contact| contact.chat.is_some())?.open_segment()?;
        matches!(segment.state, SegmentState::Connected { .. }).then(|| segment.agent.clone())
    }

    /// Nobody is being served, offered or about to be: everybody waits in line or for their time.
    pub fn is_quiet(&self) -> bool {
        self.seats.values().all(|seat| seat.hand.is_empty())
            && self.rows.values().all(|row| row.hold == Hold::Free && !row.contact.is_on_line())
    }

    /// The tenant crashed: reservations are forgotten, rows stand.
    pub fn crashed(&mut self, now: Timestamp) {
        self.guarded.retain(|_, until| *until > now);
        let asked: Vec<_> = self.rows.iter().filter(|(_, row)| row.hold != Hold::Free).map(|(id, _)| *id).collect();
        for id in asked {
            self.set_hold(id, Hold::Free);
            self.set_deadline(id, None);
        }
    }

    /// The trunk desk's answer, as the core will see it.
    pub fn denied(&mut self, id: ContactId, why: DenialReason) {
        self.set_hold(id, if why == DenialReason::NumberInCall { Hold::Refused } else { Hold::Free });
    }

    fn set_hold(&mut self, id: ContactId, hold: Hold) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.hold = hold;
            row.turn = self.turn;
        }
        self.relist(id);
    }

    pub fn begin(&mut self) {
        self.turn += 1;
        self.offered.clear();
        self.reserved.clear();
        self.touched.clear();
        self.unsettled.clear();
    }

    /// What the ledger's facts say of numbers that may not be dialled yet.
    pub fn guards(&self, now: Timestamp) -> Vec<NumberGuard> {
        let standing = self.guarded.iter().filter(|(_, until)| **until > now);
        standing.map(|(number_key, until)| NumberGuard { number_key: number_key.clone(), until: *until }).collect()
    }

    /// One change of a drain. `born` is the contact this event created, if it did.
    pub fn change(
        &mut self,
        now: Timestamp,
        config: &TenantConfig,
        change: Change,
        born: Option<ContactId>,
    ) -> Checked {
        match change {
            Change::ContactSaved { contact } => self.contact_saved(now, config, contact, born),
            Change::AgentSaved { agent } => {
                let seat = self.seats.get_mut(&agent.id).ok_or_else(|| Fault(format!("{}: who?", agent.id)))?;
                seat.record = agent;
                Ok(())
            }
            Change::ContactFact { contact, fact: Fact::NumberGuarded { until }, .. } => {
                let closed = self.unsettled.iter().find(|(id, _)| *id == contact);
                let (_, key) = closed.ok_or_else(|| Fault(format!("{contact}: a number is guarded for nothing")))?;
                self.guarded.insert(key.clone(), until);
                Ok(())
            }
            Change::ContactFact { fact, .. } => {
                self.count(&fact);
                Ok(())
            }
            Change::PresenceChanged { agent, presence, reason, .. } => {
                let seat = self.seats.get_mut(&agent).ok_or_else(|| Fault(format!("{agent}: who?")))?;
                let shown = (presence, reason);
                insist!(seat.shown != shown, "{agent}: {shown:?} twice over");
                seat.shown = shown;
                Ok(())
            }
        }
    }

    fn count(&mut self, fact: &Fact) {
        let counts = &mut self.counts;
        match fact {
            Fact::Offered { .. } => counts.offers += 1,
            Fact::OfferLapsed { .. } => counts.lapsed += 1,
            Fact::OfferDeclined { .. } => counts.declined += 1,
            Fact::Dialled { .. } => counts.attempts += 1,
            Fact::Bridged { .. } => counts.bridged += 1,
            _ => {}
        }
    }

    pub fn deed(&mut self, now: Timestamp, deed: &Deed) {
        match deed {
            Deed::ReserveChannel { contact, .. } => {
                self.reserved.push(*contact);
                self.set_hold(*contact, Hold::Asked);
                self.set_deadline(*contact, Some(now + CHANNEL_REPLY_LIMIT));
            }
            Deed::ReleaseChannel { contact } if self.rows.get(contact).is_some_and(|row| row.hold == Hold::Asked) => {
                self.set_hold(*contact, Hold::Free);
                self.set_deadline(*contact, None);
            }
            _ => {}
        }
    }

    fn contact_saved(
        &mut self,
        now: Timestamp,
        config: &TenantConfig,
        contact: Box<Contact>,
        born: Option<ContactId>,
    ) -> Checked {
        let id = contact.id;
        let old = self.rows.get(&id).map(|row| &*row.contact);
        match old {
            Some(old) => check_history(old, &contact)?,
            None => {
                insist!(born == Some(id), "{id} is saved after its end, or by nobody's asking");
                self.counts.created += 1;
            }
        }
        check_shape(&contact)?;
        let was_live = old.and_then(live_number);
        let chosen = old.and_then(chosen_time);
        in_hand(&mut self.seats, &mut self.offered, old, &contact)?;
        self.on_the_line(id, was_live, live_number(&contact))?;
        self.touched.push(id);
        self.at_chosen_time(id, chosen, chosen_time(&contact))?;
        if let ContactState::Closed { outcome } = contact.state {
            return self.close(&contact, outcome);
        }
        let deadline = deadline(now, config, &contact);
        let turn = self.turn;
        match self.rows.get_mut(&id) {
            Some(row) => {
                row.contact = contact;
                row.turn = turn;
                // Only who is in line can wait for, or be refused, a channel, and an agent's own call before it is dialled.
                let own = row.contact.channel == Channel::Outbound && row.contact.attempts.is_empty();
                if !own && !matches!(row.contact.state, ContactState::Queued { .. }) {
                    row.hold = Hold::Free;
                }
            }
            None => {
                self.rows.insert(id, Row { contact, hold: Hold::Free, turn, deadline: None, line: None, lane: None });
            }
        }
        if self.rows.get(&id).is_some_and(|row| row.hold != Hold::Asked) {
            self.set_deadline(id, deadline);
        }
        self.relist(id);
        Ok(())
    }

    fn close(&mut self, contact: &Contact, outcome: Outcome) -> Checked {
        self.counts.closed += 1;
        let spoke = contact.attempts.iter().any(|attempt| attempt.bridged_at.is_some());
        match outcome {
            Outcome::Successful => {
                self.counts.successful += 1;
                let wrote = contact.chat.is_some() && contact.segments.iter().any(|found| found.connected_at.is_some());
                insist!(spoke || wrote, "{}: successful without a word", contact.id);
            }
            Outcome::Unsuccessful => {
                self.counts.unsuccessful += 1;
                // Told at closing time that nobody will call, or tried in vain.
                let told = matches!(contact.reason, Reason::Closed { .. });
                let other = contact.chat.is_some() || contact.channel == Channel::Outbound;
                insist!(contact.failed_attempts() > 0 || other || told, "{}: given up without an attempt", contact.id);
            }
            Outcome::Cancelled => self.counts.cancelled += 1,
            Outcome::Abandoned => self.counts.abandoned += 1,
        }
        self.set_deadline(contact.id, None);
        let Some(row) = self.rows.remove(&contact.id) else { return Ok(()) };
        if let Some((line, place)) = row.line {
            self.lines[line].waiting.remove(&place);
        }
        // Of an agent's own call that a crash cut off nothing more is heard.
        let cut = contact.channel == Channel::Outbound && contact.reason == Reason::Interrupted;
        if cut || matches!(row.contact.attempts.last().map(|last| last.state), Some(AttemptState::Unknown { .. })) {
            self.unsettled.push((contact.id, row.contact.customer.number_key.clone()));
        }
        Ok(())
    }

    /// Of the agent's contacts, those on the telephone and those in writing.
    fn load(&self, seat: &Seat) -> (usize, usize) {
        let media = seat.hand.iter().filter_map(|(id, _)| self.row(*id).map(|row| row.channel.medium()));
        let voice = media.filter(|medium| *medium == Medium::Voice).count();
        (voice, seat.hand.len() - voice)
    }

    /// One live dialog per number.
    fn on_the_line(&mut self, id: ContactId, was: Option<u64>, is: Option<u64>) -> Checked {
        if was == is {
            return Ok(());
        }
        if let Some(was) = was {
            self.dialled.remove(&was);
        }
        if let Some(is) = is {
            let other = self.dialled.insert(is, id);
            insist!(other.is_none(), "{id} and {other:?} are on one number");
        }
        Ok(())
    }

    /// No more callbacks are planned for a chosen time than fit.
    fn at_chosen_time(&mut self, id: ContactId, was: Option<Timestamp>, is: Option<Timestamp>) -> Checked {
        if was == is {
            return Ok(());
        }
        if let Some(planned) = was.and_then(|was| self.chosen.get_mut(&was)) {
            *planned -= 1;
        }
        if let Some(is) = is {
            let planned = self.chosen.entry(is).or_default();
            *planned += 1;
            insist!(*planned <= SLOT_CAPACITY, "{id}: {planned} callbacks planned for {is:?}");
        }
        Ok(())
    }

    fn set_deadline(&mut self, id: ContactId, deadline: Option<Timestamp>) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        if row.deadline == deadline {
            return;
        }
        if let Some(old) = row.deadline.take() {
            self.deadlines.remove(&(old, id));
        }
        if let Some(new) = deadline {
            self.deadlines.insert((new, id));
        }
        row.deadline = deadline;
    }

    fn relist(&mut self, id: ContactId) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        let contact = &row.contact;
        let medium = contact.channel.medium();
        let in_line =
            matches!(contact.state, ContactState::Queued { .. }) && (contact.is_on_line() || row.hold == Hold::Free);
        let wanted = in_line.then(|| {
            let own =
                |line: &Line| line.medium == medium && line.queue == contact.queue && line.subject == contact.subject;
            let known = row.lane.filter(|lane| own(&self.lines[*lane]));
            let line = known.or_else(|| self.lines.iter().position(own)).unwrap_or_else(|| {
                let (queue, subject) = (contact.queue.clone(), contact.subject.clone());
                self.lines.push(Line { queue, medium, subject, waiting: BTreeSet::new() });
                self.lines.len() - 1
            });
            (line, place(contact, self.step))
        });
        if row.line == wanted {
            return;
        }
        row.lane = wanted.map(|(line, _)| line).or(row.lane);
        if let Some((line, place)) = row.line.take() {
            self.lines[line].waiting.remove(&place);
        }
        if let Some((line, place)) = wanted {
            self.lines[line].waiting.insert(place);
        }
        row.line = wanted;
    }

    /// What must be true once a drain is over. `ordinary`: the configuration stood still. `nothing_due`: no timer is
    /// overdue.
    pub fn check(
        &self,
        now: Timestamp,
        core: &Core,
        config: &TenantConfig,
        ordinary: bool,
        nothing_due: bool,
    ) -> Checked {
        for id in &self.offered {
            self.check_offer(now, config, *id)?;
        }
        for id in self.reserved.iter().filter(|_| ordinary) {
            self.check_order(now, core, config, *id)?;
        }
        if let Some((deadline, id)) = self.deadlines.first().filter(|first| first.0 < now && nothing_due) {
            let row = self.row(*id).map(|row| (&row.state, row.open_segment().map(|s| &s.state)));
            return Err(Fault(format!("{id} should have gone on at {deadline:?}, it is {now:?}: {row:?}")));
        }
        core.check_touched(self.touched.iter().copied());
        let open = core.open_count();
        insist!(open == self.rows.len(), "{open} contacts in memory, {} in the ledger", self.rows.len());
        let counts = self.counts;
        insist!(counts.created == counts.closed + self.rows.len() as u64, "contacts are conserved: {counts:?}");
        Ok(())
    }

    /// An offer that stands is before an agent who may have it.
    fn check_offer(&self, now: Timestamp, config: &TenantConfig, id: ContactId) -> Checked {
        let Some(contact) = self.row(id) else { return Ok(()) };
        let Some(segment) = contact.open_segment() else { return Ok(()) };
        let SegmentState::Offered { until } = segment.state else { return Ok(()) };
        let own = config.queue_policies.get(&contact.queue);
        let longest = own.map_or(config.policy.offer_timeout, |queue| queue.offer_timeout).max(Millis(1));
        insist!(until > now && until <= now + longest, "{id}: the offer has an end");
        let agent = &segment.agent;
        let seat = self.seats.get(agent).ok_or_else(|| Fault(format!("{id}: offered to {agent}, who?")))?;
        let skilled = seat.config.as_ref().ok_or_else(|| Fault(format!("{id}: offered to {agent}, who left")))?;
        let record = &seat.record;
        let ready = record.state == AgentState::Ready && matches!(record.next, None | Some(RequestedState::Ready));
        // Another offer to the same agent may lapse in the turn in which this one is made.
        let since = record.since >= segment.offered_at;
        insist!(ready || since, "{id}: offered to {agent}, who is not ready");
        let voice = contact.channel.medium() == Medium::Voice;
        let reached = if voice { record.health.can_talk() } else { record.health.tab };
        insist!(reached, "{id}: offered to {agent}, who cannot hear or read it");
        let Endpoint::Browser { session } = &segment.endpoint;
        insist!(record.session.as_ref() == Some(session), "{id}: offered in a tab that {agent} has not");
        let own = segment.why == Reason::Preferred && contact.preferred.as_ref() == Some(agent);
        let able = if own { skilled.queues.contains(&contact.queue) } else { serves(config, skilled, contact) };
        insist!(able, "{id}: offered to {agent} without the skill");
        let (calls, chats) = self.load(seat);
        let (own, slots) = if voice { (calls, skilled.voice_slots) } else { (chats, skilled.chat_slots) };
        insist!(own <= usize::from(slots), "{agent} has {own} contacts and {slots} slots");
        let exclusive = config.policy.voice_exclusive && calls > 0 && chats > 0;
        insist!(!exclusive, "{agent} was offered a call beside a chat, or the other way round");
        let cooling = contact.cool_off.get(agent).is_some_and(|until| *until > now);
        insist!(!cooling, "{id}: offered to {agent}, who has just refused it");
        Ok(())
    }

    /// Nobody who waited unchanged, and for whom the agent could be, was passed over.
    fn check_order(&self, now: Timestamp, core: &Core, config: &TenantConfig, id: ContactId) -> Checked {
        let Some(agent) = core.kept_for(id) else { return Ok(()) };
        let Some((seat, contact)) = self.seats.get(agent).zip(self.row(id)) else { return Ok(()) };
        let Some(skilled) = &seat.config else { return Ok(()) };
        let place = place(contact, self.step);
        for line in self.lines.iter().filter(|line| line.medium == Medium::Voice) {
            for earlier in line.waiting.range(..place).take(LOOKED_AT) {
                let Some(row) = self.rows.get(&earlier.2) else { continue };
                let unchanged = row.turn != self.turn && row.contact.cool_off.values().all(|until| *until <= now);
                insist!(
                    !unchanged || !serves(config, skilled, &row.contact),
                    "{agent} is kept for {id}, but {} is before it",
                    earlier.2
                );
            }
        }
        Ok(())
    }

    /// Everything, from the records: what the rows say is what is in memory, and nobody is in two hands.
    pub fn check_all(&self, core: &Core) -> Checked {
        core.check();
        for contact in core.contacts() {
            insist!(self.row(contact.id) == Some(contact), "{}: the row is not the record", contact.id);
        }
        for (id, seat) in self.seated() {
            if let Some(record) = core.agent(id) {
                insist!(seat.record == *record, "{id}: the row is not the record");
            }
            for held in &seat.hand {
                let found = self.row(held.0).and_then(|row| row.segment(held.1)).filter(|found| !found.is_done());
                let owner = found.map(|found| &found.agent);
                insist!(owner == Some(id), "{} is in {id}'s hand and {owner:?} owns it", held.0);
            }
        }
        Ok(())
    }

    /// After the last contact is closed nothing may be left of any.
    pub fn check_empty(&self) -> Checked {
        insist!(self.dialled.is_empty(), "numbers still on the line: {}", self.dialled.len());
        insist!(self.deadlines.is_empty(), "deadlines without contacts: {}", self.deadlines.len());
        insist!(self.seats.values().all(|seat| seat.hand.is_empty()), "contacts in hand that are no more");
        insist!(self.lines.iter().all(|line| line.waiting.is_empty()), "places in line of nobody");
        Ok(())
    }
}

fn place(contact: &Contact, step: i64) -> Place {
    let rank = contact.requested_at.as_millis() + step * i64::from(contact.priority);
    (rank, contact.priority, contact.id)
}

/// What is not done is in its agent's hand, and in nobody else's. New offers are noted.
fn in_hand(
    seats: &mut QuickMap<AgentId, Seat>,
    offered: &mut Vec<ContactId>,
    old: Option<&Contact>,
    contact: &Contact,
) -> Checked {
    let id = contact.id;
    let before = || old.into_iter().flat_map(open_segments);
    for was in before().filter(|was| contact.segment(was.id).is_none_or(Segment::is_done)) {
        if let Some(seat) = seats.get_mut(&was.agent) {
            seat.hand.retain(|held| held.1 != was.id);
        }
    }
    for found in open_segments(contact).filter(|found| before().all(|known| known.id != found.id)) {
        let seat = seats.get_mut(&found.agent).ok_or_else(|| Fault(format!("{id}: offered to nobody")))?;
        seat.hand.push((id, found.id));
        if matches!(found.state, SegmentState::Offered { .. }) {
            offered.push(id);
        }
    }
    Ok(())
}
