//! What tenants share: trunk channels, and the rule of one live dialog per number.
//!
//! A core asks before it offers a contact to an agent, so that no agent accepts a call that cannot be placed.

use std::collections::{BTreeMap, HashMap, HashSet};

use ringback_media::RtpTerms;
use ringback_routing::{
    event::DenialReason,
    ids::{ContactId, LegId, TenantId, TrunkId},
    time::Timestamp,
};

/// What is known of a trunk besides its SIP side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkTerms {
    /// Simultaneous calls.
    pub channels: usize,
    /// What is asked of the sound of its calls.
    pub sound: RtpTerms,
    /// The carrier connects two of its calls itself when it is asked to (REFER).
    pub refers: bool,
}

impl TrunkTerms {
    /// So many calls, and plain sound.
    pub fn plain(channels: usize) -> Self {
        Self { channels, sound: RtpTerms::default(), refers: false }
    }
}

/// One trunk's room.
#[derive(Debug, Clone, Copy)]
struct Trunk {
    terms: TrunkTerms,
    in_use: usize,
    up: bool,
}

impl Trunk {
    fn has_room(&self) -> bool {
        self.in_use < self.terms.channels
    }
}

#[derive(Debug)]
struct Grant {
    trunk: TrunkId,
    /// None: the caller brought it, and withholds the number or is in another call of ours.
    number_key: Option<String>,
    /// Trunks that would also do, in order, should the granted one not be reached.
    others: Vec<TrunkId>,
}

/// The book of granted channels.
#[derive(Debug, Default)]
pub struct Channels {
    trunks: BTreeMap<TrunkId, Trunk>,
    grants: HashMap<(TenantId, ContactId), Grant>,
    numbers: HashSet<String>,
    /// Calls that hold a channel by their leg: those that ring here and of which no core has said anything yet, and numbers
    /// outside that agents brought in.
    arriving: HashMap<LegId, TrunkId>,
    /// Numbers that a former life may still have in a dialog, and until when.
    blocked: HashMap<String, Timestamp>,
    draining: bool,
}

impl Channels {
    pub fn new(trunks: impl IntoIterator<Item = (TrunkId, TrunkTerms)>) -> Self {
        let trunks = trunks.into_iter().map(|(id, terms)| (id, Trunk { terms, in_use: 0, up: true })).collect();
        Self { trunks, ..Self::default() }
    }

    /// A trunk on these terms from now on. A new one is down until SIP says otherwise; calls that run stay as they are, also
    /// where there are fewer channels now.
    pub fn admit(&mut self, trunk: TrunkId, terms: TrunkTerms) {
        self.trunks.entry(trunk).or_insert(Trunk { terms, in_use: 0, up: false }).terms = terms;
    }

    /// What is asked of the sound of a call over this trunk.
    pub fn sound(&self, trunk: &TrunkId) -> RtpTerms {
        self.trunks.get(trunk).map_or_else(RtpTerms::default, |trunk| trunk.terms.sound)
    }

    /// Whether both calls are over one trunk whose carrier connects them itself.
    pub fn refers(&self, one: &TrunkId, other: &TrunkId) -> bool {
        one == other && self.trunks.get(one).is_some_and(|trunk| trunk.terms.refers)
    }

    /// Reserves a channel on the first of `wanted` that is up and has room. Asking again gives the same grant.
    pub fn reserve(
        &mut self,
        tenant: &TenantId,
        contact: ContactId,
        number_key: &str,
        wanted: &[TrunkId],
        now: Timestamp,
    ) -> Result<TrunkId, DenialReason> {
        let key = (tenant.clone(), contact);
        if let Some(grant) = self.grants.get(&key) {
            return Ok(grant.trunk.clone());
        }
        if self.draining {
            return Err(DenialReason::Draining);
        }
        self.blocked.retain(|_, until| *until > now);
        if self.numbers.contains(number_key) || self.blocked.contains_key(number_key) {
            return Err(DenialReason::NumberInCall);
        }
        let (trunk, others) = self.take(wanted)?;
        self.numbers.insert(number_key.to_owned());
        self.grants.insert(key, Grant { trunk: trunk.clone(), number_key: Some(number_key.to_owned()), others });
        Ok(trunk)
    }

    /// A channel for a call that comes in on the trunk; false when there is none or the server is draining. Given back by
    /// [`Channels::depart`], or [`Channels::settle`]d as a contact's.
    pub fn arrive(&mut self, leg: LegId, trunk: &TrunkId) -> bool {
        let draining = self.draining;
        let Some(book) = self.trunks.get_mut(trunk).filter(|book| !draining && book.has_room()) else {
            return false;
        };
        book.in_use += 1;
        self.arriving.insert(leg, trunk.clone());
        true
    }

    /// A channel of the first wanted trunk that is up and has room, for a leg beside its contact's own. Given back by
    /// [`Channels::depart`].
    pub fn lend(&mut self, leg: LegId, wanted: &[TrunkId]) -> Result<TrunkId, DenialReason> {
        if self.draining {
            return Err(DenialReason::Draining);
        }
        let (trunk, _) = self.take(wanted)?;
        self.arriving.insert(leg, trunk.clone());
        Ok(trunk)
    }

    /// The call that came in is this contact's. Nobody dials its number while it stands.
    pub fn settle(&mut self, leg: LegId, tenant: &TenantId, contact: ContactId, number_key: &str) {
        let Some(trunk) = self.arriving.remove(&leg) else { return };
        let holds = !number_key.is_empty() && self.numbers.insert(number_key.to_owned());
        let number_key = holds.then(|| number_key.to_owned());
        self.grants.insert((tenant.clone(), contact), Grant { trunk, number_key, others: Vec::new() });
    }

    /// The call that came in is nobody's, or the leg that was lent a channel is over.
    pub fn depart(&mut self, leg: LegId) {
        if let Some(trunk) = self.arriving.remove(&leg) {
            self.free(&trunk);
        }
    }

    fn free(&mut self, trunk: &TrunkId) {
        if let Some(trunk) = self.trunks.get_mut(trunk) {
            trunk.in_use = trunk.in_use.saturating_sub(1);
        }
    }

    /// A channel of the first trunk that is up and has room, and the trunks behind it.
    fn take(&mut self, wanted: &[TrunkId]) -> Result<(TrunkId, Vec<TrunkId>), DenialReason> {
        let mut any_up = false;
        for (at, id) in wanted.iter().enumerate() {
            let Some(trunk) = self.trunks.get_mut(id).filter(|trunk| trunk.up) else { continue };
            any_up = true;
            if trunk.has_room() {
                trunk.in_use += 1;
                return Ok((id.clone(), wanted[at + 1..].to_vec()));
            }
        }
        Err(if any_up { DenialReason::AllBusy } else { DenialReason::TrunksDown })
    }

    /// The granted trunk was not reached: the grant moves to the next one that is up, has room and asks the same of the sound,
    /// for the description that was made for it goes with the call. `None`: there is none, and the grant stays where it is.
    pub fn move_on(&mut self, tenant: &TenantId, contact: ContactId) -> Option<TrunkId> {
        let key = (tenant.clone(), contact);
        let grant = self.grants.get(&key)?;
        let sound = self.sound(&grant.trunk);
        let others: Vec<_> = grant.others.iter().filter(|other| self.sound(other) == sound).cloned().collect();
        let (next, rest) = self.take(&others).ok()?;
        let grant = self.grants.get_mut(&key)?;
        grant.others = rest;
        let left = std::mem::replace(&mut grant.trunk, next.clone());
        self.free(&left);
        Some(next)
    }

    /// The trunk a contact has a channel on.
    pub fn trunk_of(&self, tenant: &TenantId, contact: ContactId) -> Option<TrunkId> {
        self.grants.get(&(tenant.clone(), contact)).map(|grant| grant.trunk.clone())
    }

    /// Gives the contact's channel back; without one it does nothing.
    pub fn release(&mut self, tenant: &TenantId, contact: ContactId) {
        if let Some(grant) = self.grants.remove(&(tenant.clone(), contact)) {
            if let Some(number_key) = &grant.number_key {
                self.numbers.remove(number_key);
            }
            self.free(&grant.trunk);
        }
    }

    /// Nobody dials this number before `until`.
    pub fn block(&mut self, number_key: &str, until: Timestamp) {
        let blocked = self.blocked.entry(number_key.to_owned()).or_insert(until);
        *blocked = until.max(*blocked);
    }

    pub fn set_up(&mut self, trunk: &TrunkId, up: bool) {
        if let Some(trunk) = self.trunks.get_mut(trunk) {
            trunk.up = up;
        }
    }

    /// No new grants from now on; those given stay.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// (trunk, channels, in use)
    pub fn usage(&self) -> Vec<(TrunkId, usize, usize)> {
        self.trunks.iter().map(|(id, trunk)| (id.clone(), trunk.terms.channels, trunk.in_use)).collect()
    }
}

#[cfg(test)]
mod tests {
    use ringback_media::Encryption;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn book() -> Channels {
        Channels::new(["a", "b"].map(|id| (TrunkId::new(id), TrunkTerms::plain(1))))
    }

    fn wanted() -> [TrunkId; 2] {
        [TrunkId::new("a"), TrunkId::new("b")]
    }

    #[test]
    fn the_second_call_overflows_to_the_second_trunk_and_the_third_waits() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        assert_eq!(book.reserve(&tenant, ContactId(1), "n1", &wanted(), NOW), Ok(TrunkId::new("a")));
        assert_eq!(book.reserve(&tenant, ContactId(2), "n2", &wanted(), NOW), Ok(TrunkId::new("b")));
        assert_eq!(book.reserve(&tenant, ContactId(3), "n3", &wanted(), NOW), Err(DenialReason::AllBusy));
        book.release(&tenant, ContactId(1));
        book.release(&tenant, ContactId(1));
        assert_eq!(book.reserve(&tenant, ContactId(3), "n3", &wanted(), NOW), Ok(TrunkId::new("a")));
    }

    #[test]
    fn a_grant_moves_on_to_the_next_trunk_with_room_and_never_back() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        assert_eq!(book.reserve(&tenant, ContactId(1), "n1", &wanted(), NOW), Ok(TrunkId::new("a")));
        assert_eq!(book.move_on(&tenant, ContactId(1)), Some(TrunkId::new("b")));
        assert_eq!(book.usage(), [(TrunkId::new("a"), 1, 0), (TrunkId::new("b"), 1, 1)]);
        assert_eq!(book.move_on(&tenant, ContactId(1)), None, "both have been tried");
        assert_eq!(book.reserve(&tenant, ContactId(2), "n2", &wanted(), NOW), Ok(TrunkId::new("a")));
        assert_eq!(book.move_on(&tenant, ContactId(2)), None, "the other one is full");
        book.release(&tenant, ContactId(1));
        book.set_up(&TrunkId::new("b"), false);
        assert_eq!(book.move_on(&tenant, ContactId(2)), None, "or down");
        assert_eq!(book.usage(), [(TrunkId::new("a"), 1, 1), (TrunkId::new("b"), 1, 0)]);
    }

    #[test]
    fn a_call_moves_on_only_to_a_trunk_that_asks_the_same_of_its_sound() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        let sound = RtpTerms { encryption: Encryption::Required, ..RtpTerms::default() };
        book.admit(TrunkId::new("b"), TrunkTerms { sound, ..TrunkTerms::plain(1) });
        assert_eq!(book.reserve(&tenant, ContactId(1), "n1", &wanted(), NOW), Ok(TrunkId::new("a")));
        assert_eq!(
            book.move_on(&tenant, ContactId(1)),
            None,
            "what was agreed in the clear is not sent where it is secret"
        );
        book.admit(TrunkId::new("a"), TrunkTerms { sound, refers: true, ..TrunkTerms::plain(1) });
        assert_eq!(book.move_on(&tenant, ContactId(1)), Some(TrunkId::new("b")));
        assert_eq!(book.sound(&TrunkId::new("b")), sound);
        let (a, b) = (TrunkId::new("a"), TrunkId::new("b"));
        assert_eq!([book.refers(&a, &a), book.refers(&a, &b), book.refers(&b, &b)], [true, false, false]);
    }

    #[test]
    fn one_number_is_in_one_dialog_whichever_the_tenant() {
        let mut book = book();
        assert!(book.reserve(&TenantId::new("t"), ContactId(1), "n", &wanted(), NOW).is_ok());
        let other = TenantId::new("u");
        assert_eq!(book.reserve(&other, ContactId(2), "n", &wanted(), NOW), Err(DenialReason::NumberInCall));
    }

    #[test]
    fn a_number_of_a_former_life_waits_for_its_guard_time() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        book.block("n", Timestamp::from_millis(10));
        assert_eq!(book.reserve(&tenant, ContactId(1), "n", &wanted(), NOW), Err(DenialReason::NumberInCall));
        assert!(book.reserve(&tenant, ContactId(1), "n", &wanted(), Timestamp::from_millis(10)).is_ok());
    }

    #[test]
    fn a_trunk_that_comes_later_is_used_once_it_is_up_and_can_shrink() {
        let (mut book, tenant, later) = (book(), TenantId::new("t"), [TrunkId::new("later")]);
        book.admit(later[0].clone(), TrunkTerms::plain(2));
        assert_eq!(book.reserve(&tenant, ContactId(1), "n1", &later, NOW), Err(DenialReason::TrunksDown));
        book.set_up(&later[0], true);
        assert_eq!(book.reserve(&tenant, ContactId(1), "n1", &later, NOW), Ok(later[0].clone()));
        book.admit(later[0].clone(), TrunkTerms::plain(1));
        assert_eq!(book.reserve(&tenant, ContactId(2), "n2", &later, NOW), Err(DenialReason::AllBusy), "one is in use");
        book.release(&tenant, ContactId(1));
        assert_eq!(book.reserve(&tenant, ContactId(2), "n2", &later, NOW), Ok(later[0].clone()), "and it stayed up");
    }

    #[test]
    fn asking_twice_takes_one_channel() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        for _ in 0..2 {
            assert_eq!(book.reserve(&tenant, ContactId(1), "n", &wanted(), NOW), Ok(TrunkId::new("a")));
        }
        assert_eq!(book.usage().iter().map(|(_, _, in_use)| in_use).sum::<usize>(), 1);
    }

    #[test]
    fn a_call_that_comes_in_takes_a_channel_and_keeps_its_number_from_being_dialled() {
        let (mut book, tenant, trunk) = (book(), TenantId::new("t"), TrunkId::new("a"));
        assert!(book.arrive(LegId(1), &trunk));
        assert!(!book.arrive(LegId(2), &trunk), "the trunk is full");
        assert!(!book.arrive(LegId(2), &TrunkId::new("none")));
        book.settle(LegId(1), &tenant, ContactId(1), "n");
        let other = book.reserve(&tenant, ContactId(2), "n", &wanted(), NOW);
        assert_eq!(other, Err(DenialReason::NumberInCall));
        book.release(&tenant, ContactId(1));
        assert_eq!(book.reserve(&tenant, ContactId(2), "n", &wanted(), NOW), Ok(trunk));
        assert!(book.arrive(LegId(3), &TrunkId::new("b")));
        book.settle(LegId(3), &tenant, ContactId(3), "n");
        book.release(&tenant, ContactId(3));
        let third = book.reserve(&tenant, ContactId(4), "n", &wanted(), NOW);
        assert_eq!(third, Err(DenialReason::NumberInCall), "the call that was dialled still stands");
        assert!(book.arrive(LegId(4), &TrunkId::new("b")));
        book.depart(LegId(4));
        book.drain();
        assert!(!book.arrive(LegId(5), &TrunkId::new("b")), "a server that stops takes no calls");
        assert_eq!(book.usage()[1], (TrunkId::new("b"), 1, 0));
    }

    #[test]
    fn a_leg_beside_the_contacts_own_has_a_channel_of_its_own() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        assert!(book.reserve(&tenant, ContactId(1), "n", &wanted(), NOW).is_ok());
        assert_eq!(book.lend(LegId(1), &wanted()), Ok(TrunkId::new("b")));
        assert_eq!(book.lend(LegId(2), &wanted()), Err(DenialReason::AllBusy));
        book.depart(LegId(1));
        book.depart(LegId(1));
        assert_eq!(book.usage(), [(TrunkId::new("a"), 1, 1), (TrunkId::new("b"), 1, 0)]);
        book.drain();
        assert_eq!(book.lend(LegId(3), &wanted()), Err(DenialReason::Draining));
    }

    #[test]
    fn a_lost_trunk_and_a_draining_server_are_told_apart() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        book.set_up(&TrunkId::new("a"), false);
        book.set_up(&TrunkId::new("b"), false);
        assert_eq!(book.reserve(&tenant, ContactId(1), "n", &wanted(), NOW), Err(DenialReason::TrunksDown));
        book.drain();
        assert_eq!(book.reserve(&tenant, ContactId(1), "n", &wanted(), NOW), Err(DenialReason::Draining));
    }
}
