//! What tenants share: trunk channels, and the rule of one live dialog per number.
//!
//! A core asks before it offers a contact to an agent, so that no agent accepts a call that cannot be placed.

use std::collections::{BTreeMap, HashMap, HashSet};

use ringback_routing::{
    event::DenialReason,
    ids::{ContactId, TenantId, TrunkId},
    time::Timestamp,
};

/// One trunk's room.
#[derive(Debug, Clone, Copy)]
struct Trunk {
    channels: usize,
    in_use: usize,
    up: bool,
}

#[derive(Debug)]
struct Grant {
    trunk: TrunkId,
    number_key: String,
}

/// The book of granted channels.
#[derive(Debug, Default)]
pub struct Channels {
    trunks: BTreeMap<TrunkId, Trunk>,
    grants: HashMap<(TenantId, ContactId), Grant>,
    numbers: HashSet<String>,
    /// Numbers that a former life may still have in a dialog, and until when.
    blocked: HashMap<String, Timestamp>,
    draining: bool,
}

impl Channels {
    /// `trunks`: id and number of channels (simultaneous calls).
    pub fn new(trunks: impl IntoIterator<Item = (TrunkId, usize)>) -> Self {
        let trunks = trunks.into_iter().map(|(id, channels)| (id, Trunk { channels, in_use: 0, up: true })).collect();
        Self { trunks, ..Self::default() }
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
        let mut any_up = false;
        for id in wanted {
            let Some(trunk) = self.trunks.get_mut(id).filter(|trunk| trunk.up) else { continue };
            any_up = true;
            if trunk.in_use < trunk.channels {
                trunk.in_use += 1;
                self.numbers.insert(number_key.to_owned());
                self.grants.insert(key, Grant { trunk: id.clone(), number_key: number_key.to_owned() });
                return Ok(id.clone());
            }
        }
        Err(if any_up { DenialReason::AllBusy } else { DenialReason::TrunksDown })
    }

    /// Gives the contact's channel back; without one it does nothing.
    pub fn release(&mut self, tenant: &TenantId, contact: ContactId) {
        if let Some(grant) = self.grants.remove(&(tenant.clone(), contact)) {
            self.numbers.remove(&grant.number_key);
            if let Some(trunk) = self.trunks.get_mut(&grant.trunk) {
                trunk.in_use = trunk.in_use.saturating_sub(1);
            }
        }
    }

    /// Nobody dials this number before `until`.
    pub fn block(&mut self, number_key: &str, until: Timestamp) {
        self.blocked.insert(number_key.to_owned(), until);
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
        self.trunks.iter().map(|(id, trunk)| (id.clone(), trunk.channels, trunk.in_use)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn book() -> Channels {
        Channels::new([(TrunkId::new("a"), 1), (TrunkId::new("b"), 1)])
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
    fn asking_twice_takes_one_channel() {
        let (mut book, tenant) = (book(), TenantId::new("t"));
        for _ in 0..2 {
            assert_eq!(book.reserve(&tenant, ContactId(1), "n", &wanted(), NOW), Ok(TrunkId::new("a")));
        }
        assert_eq!(book.usage().iter().map(|(_, _, in_use)| in_use).sum::<usize>(), 1);
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
