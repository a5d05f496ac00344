//! Every identifier the contact centre uses, one newtype each, so that the compiler keeps them apart.
//!
//! Two kinds: *configured* ids are words an administrator chose (`TenantId("sacramento")`); *minted* ids come from
//! [`IdSource`] and are 128 bits wide, 48 of milliseconds and 80 of seeded noise, written as 26 Crockford base-32
//! characters behind a two-letter prefix (`ct_01J…`). They sort by creation and never repeat after a restore, because
//! each restore brings a fresh seed.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

macro_rules! configured {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(word: impl AsRef<str>) -> Self { Self(Arc::from(word.as_ref())) }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}({})", stringify!($name), self.0) }
        }
        impl From<&str> for $name {
            fn from(word: &str) -> Self { Self::new(word) }
        }
    )*};
}

configured! {
    /// A county or other organisation; the unit of isolation (C16).
    TenantId
    /// A user who takes contacts.
    AgentId
    /// A line of waiting contacts.
    QueueId
    /// What the contact is about (G7); decides queue, skill and priorities.
    SubjectId
    /// What an agent can do; a language is a skill.
    SkillId
    /// A carrier connection.
    TrunkId
    /// A browser session of an agent: the tab that holds the phone.
    SessionId
    /// A disposition code (G12).
    DispositionId
    /// A Not Ready reason code (G15).
    ReasonCode
    /// A language by its BCP 47 tag; a language can be a skill.
    Language
}

macro_rules! minted {
    ($($(#[$doc:meta])* $name:ident $prefix:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        // An alignment of 16 would cost a place in line, or a timer, a third of its size.
        #[repr(C, packed(8))]
        pub struct $name(pub u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write_id(f, $prefix, self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write_id(f, $prefix, self.0) }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> { read_id($prefix, text).map(Self) }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

minted! {
    /// One matter of one customer, over all its channels, attempts and agents.
    ContactId "ct"
    /// One agent's engagement with a contact.
    SegmentId "sg"
    /// One try to reach the customer by telephone.
    AttemptId "at"
    /// One party's connection: a SIP dialog or an agent's WebRTC connection during one contact.
    LegId "lg"
    /// One contact put before one agent for a limited time.
    OfferId "of"
    /// One recorded leg.
    RecordingId "rc"
    /// One deed the core asks for; carrying out the same id twice must do no more than once.
    CommandId "cm"
}

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the kind expected here")]
pub struct BadId;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, value: u128) -> fmt::Result {
    let mut text = [0u8; 26];
    for (place, byte) in text.iter_mut().enumerate() {
        let shift = 125 - 5 * place;
        *byte = ALPHABET[((value >> shift) & 31) as usize];
    }
    write!(f, "{prefix}_{}", std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn read_id(prefix: &str, text: &str) -> Result<u128, BadId> {
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(BadId)?;
    // 26 characters hold 130 bits: the first may only use its lower three.
    if digits.len() != 26 || digits.as_bytes()[0] > b'7' {
        return Err(BadId);
    }
    digits.bytes().try_fold(0u128, |value, byte| {
        let digit = ALPHABET.iter().position(|&known| known == byte).ok_or(BadId)?;
        Ok(value << 5 | digit as u128)
    })
}

/// Mints ids from a seed: the same seed and the same times give the same ids, so a journal replays byte for byte.
#[derive(Debug, Clone)]
pub struct IdSource {
    state: u64,
    last: u128,
}

impl IdSource {
    /// `seed` must be new at every start or restore (from the operating system's CSPRNG) and is kept in the journal.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, last: 0 }
    }

    /// The next raw id at `now`; wrap it in the newtype wanted. Later ones are greater, also within a millisecond and
    /// when the clock was set back, so that who asks first is first in line.
    pub fn mint(&mut self, now: Timestamp) -> u128 {
        let time = (now.as_millis().max(0) as u128 & ((1 << 48) - 1)) << 80;
        let noise = u128::from(self.next());
        let fresh = time | noise << 15;
        self.last = if fresh >> 80 > self.last >> 80 { fresh } else { self.last.wrapping_add(1 + (noise >> 24)) };
        self.last
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): every seed gives a full-period, well-mixed sequence.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_are_one() {
        for value in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            assert_eq!(ContactId(value).to_string().parse(), Ok(ContactId(value)));
        }
    }

    #[test]
    fn another_kind_or_garbage_is_refused() {
        let id = ContactId(7).to_string();
        assert_eq!(id.parse::<LegId>(), Err(BadId));
        for text in ["", "ct_", "ct_zzzzzzzzzzzzzzzzzzzzzzzzzz", "ct_0000000000000000000000000u"] {
            assert_eq!(text.parse::<ContactId>(), Err(BadId), "{text}");
        }
    }

    #[test]
    fn the_same_seed_mints_the_same_ids() {
        let (mut a, mut b) = (IdSource::new(9), IdSource::new(9));
        let now = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(a.mint(now), b.mint(now));
        assert_ne!(a.mint(now), IdSource::new(10).mint(now));
    }

    #[test]
    fn later_ids_are_greater_whatever_the_clock_does() {
        let (mut ids, mut last) = (IdSource::new(4), 0);
        for step in 0..10_000 {
            let now = Timestamp::from_millis(1_700_000_000_000 + step / 100 - (step % 7));
            let next = ids.mint(now);
            assert!(next > last);
            last = next;
        }
    }
}
