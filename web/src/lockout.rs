//! Wrong sign-ins make the next one wait: longer each time, for that name from that place. Nobody can lock somebody else
//! out for good: a browser that the person has signed in with before has a count of its own, and what strangers do to a
//! name makes other strangers wait a minute at most.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Wrong tries from one place that cost nothing but a word.
const FREE_TRIES: u32 = 5;
/// Wrong tries on one name from all unknown places together that cost nothing.
const FREE_TRIES_OF_STRANGERS: u32 = 50;
/// The first wait; each further wrong try doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
const LONGEST_WAIT_OF_STRANGERS: Duration = Duration::from_secs(60);
/// After so long without a wrong try everything is forgotten.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Counts kept; beyond, those forgotten go first, then the oldest.
const CAPACITY: usize = 100_000;

/// Where a sign-in comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A browser this person has signed in with before.
    Known(String),
    /// A network (see [`crate::rate::network_key`]).
    Network(IpAddr),
    /// All unknown places together.
    Strangers,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    wrong: u32,
    last: Instant,
    until: Instant,
}

#[derive(Debug, Default)]
pub struct Lockouts(Mutex<HashMap<(String, Place), Tries>>);

impl Lockouts {
    /// `Err`: how long this name has to wait before it may be tried from there.
    pub fn may_try(&self, user: &str, place: &Place, now: Instant) -> Result<(), Duration> {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = counted(place)
            .filter_map(|place| tries.get(&(user.to_owned(), place)))
            .map(|tries| tries.until.saturating_duration_since(now))
            .max();
        match wait {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    /// A wrong name, password or code.
    pub fn failed(&self, user: &str, place: &Place, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for place in counted(place) {
            if all.len() >= CAPACITY {
                make_room(&mut all, now);
            }
            let fresh = Tries { wrong: 0, last: now, until: now };
            let tries = all.entry((user.to_owned(), place.clone())).or_insert(fresh);
            if now.saturating_duration_since(tries.last) > MEMORY {
                *tries = fresh;
            }
            tries.wrong += 1;
            tries.last = now;
            tries.until = now + wait_after(tries.wrong, &place);
        }
    }

    /// Signed in: the place's own count begins anew. The strangers' stays, for it was not they who knew the password.
    pub fn succeeded(&self, user: &str, place: &Place) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(user.to_owned(), place.clone()));
    }

    /// An administrator lets the person try again at once, from everywhere.
    pub fn forget(&self, user: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(known, _), _| known != user);
    }
}

/// The counts a try belongs to.
fn counted(place: &Place) -> impl Iterator<Item = Place> {
    let strangers = matches!(place, Place::Network(_)).then_some(Place::Strangers);
    std::iter::once(place.clone()).chain(strangers)
}

fn wait_after(wrong: u32, place: &Place) -> Duration {
    let (free, longest) = match place {
        Place::Strangers => (FREE_TRIES_OF_STRANGERS, LONGEST_WAIT_OF_STRANGERS),
        Place::Known(_) | Place::Network(_) => (FREE_TRIES, LONGEST_WAIT),
    };
    match wrong.checked_sub(free) {
        None => Duration::ZERO,
        // 2^5 first waits are past the longest.
        Some(beyond) => (FIRST_WAIT * 2u32.pow(beyond.min(5))).min(longest),
    }
}

fn make_room(all: &mut HashMap<(String, Place), Tries>, now: Instant) {
    all.retain(|_, tries| now.saturating_duration_since(tries.last) <= MEMORY);
    if all.len() >= CAPACITY {
        let oldest = all.iter().min_by_key(|(_, tries)| tries.last).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            all.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Place {
        Place::Network(IpAddr::from([198, 51, 100, last]))
    }

    #[test]
    fn waits_grow_and_end() {
        let (lockouts, start) = (Lockouts::default(), Instant::now());
        for _ in 0..4 {
            lockouts.failed("ann", &network(0), start);
            assert_eq!(lockouts.may_try("ann", &network(0), start), Ok(()));
        }
        let mut waits = Vec::new();
        for _ in 0..7 {
            lockouts.failed("ann", &network(0), start);
            waits.push(lockouts.may_try("ann", &network(0), start).unwrap_err().as_secs());
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(lockouts.may_try("ann", &network(0), start + Duration::from_secs(900)), Ok(()));
        assert_eq!(lockouts.may_try("bob", &network(0), start), Ok(()), "another person");
        assert_eq!(lockouts.may_try("ann", &network(9), start), Ok(()), "another place");
        let later = start + MEMORY + Duration::from_secs(1);
        lockouts.failed("ann", &network(0), later);
        assert_eq!(lockouts.may_try("ann", &network(0), later), Ok(()), "yesterday is forgotten");
    }

    #[test]
    fn an_attacker_everywhere_does_not_lock_the_owner_out() {
        let (lockouts, start) = (Lockouts::default(), Instant::now());
        for n in 0..10_000u32 {
            lockouts.failed("ann", &network((n % 250) as u8), start);
        }
        let own = Place::Known("browser".into());
        assert_eq!(lockouts.may_try("ann", &own, start), Ok(()), "the browser she always uses");
        let new_place = Place::Network(IpAddr::from([203, 0, 113, 0]));
        let wait = lockouts.may_try("ann", &new_place, start).unwrap_err();
        assert_eq!(wait, LONGEST_WAIT_OF_STRANGERS, "a new browser waits a minute, not for ever");
        assert_eq!(lockouts.may_try("ann", &new_place, start + wait), Ok(()));
    }

    #[test]
    fn success_and_an_administrator_clear_the_count() {
        let (lockouts, start) = (Lockouts::default(), Instant::now());
        (0..9).for_each(|_| lockouts.failed("ann", &network(0), start));
        lockouts.succeeded("ann", &network(0));
        assert_eq!(lockouts.may_try("ann", &network(0), start), Ok(()));
        (0..60).for_each(|_| lockouts.failed("ann", &network(0), start));
        lockouts.forget("ann");
        assert_eq!(lockouts.may_try("ann", &network(1), start), Ok(()));
    }
}
