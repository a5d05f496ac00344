//! One key pressed once, although some carriers tell of it twice: in the sound (RFC 4733) and in signalling (SIP INFO).

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use ringback_routing::ids::LegId;

/// The two tidings of one key are not further apart than this: longer than the longest key press tells of itself, and a
/// retransmitted INFO takes.
const TOGETHER: Duration = Duration::from_secs(2);
/// Keys of one leg that may wait for their second tidings; more are not pressed within that time by a person.
const MOST: usize = 32;

/// How a key was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Sound,
    Signalling,
}

#[derive(Debug, Clone, Copy)]
struct Pressed {
    digit: char,
    way: Way,
    at: Instant,
}

/// What was pressed lately on each leg.
#[derive(Debug, Default)]
pub(crate) struct Digits {
    legs: HashMap<LegId, VecDeque<Pressed>>,
}

impl Digits {
    /// Whether this is a key of its own, and not one that the other way has told of already.
    pub fn is_new(&mut self, leg: LegId, digit: char, way: Way, now: Instant) -> bool {
        let pressed = self.legs.entry(leg).or_default();
        pressed.retain(|before| now.saturating_duration_since(before.at) < TOGETHER);
        let same = pressed.iter().position(|before| before.digit == digit && before.way != way);
        if let Some(same) = same {
            pressed.remove(same);
            return false;
        }
        if pressed.len() < MOST {
            pressed.push_back(Pressed { digit, way, at: now });
        }
        true
    }

    /// The leg is over.
    pub fn forget(&mut self, leg: LegId) {
        self.legs.remove(&leg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEG: LegId = LegId(1);

    /// Keys as they are told, at these milliseconds; how many of them count.
    fn counted(told: &[(u64, char, Way)]) -> usize {
        let (mut digits, start) = (Digits::default(), Instant::now());
        told.iter()
            .filter(|(at, digit, way)| digits.is_new(LEG, *digit, *way, start + Duration::from_millis(*at)))
            .count()
    }

    #[test]
    fn a_key_told_of_both_ways_counts_once() {
        use Way::*;
        assert_eq!(counted(&[(0, '1', Sound), (40, '1', Signalling)]), 1);
        assert_eq!(counted(&[(0, '1', Signalling), (900, '1', Sound)]), 1);
        assert_eq!(counted(&[(0, '1', Sound), (0, '1', Signalling), (300, '1', Sound), (310, '1', Signalling)]), 2);
        assert_eq!(counted(&[(0, '1', Sound), (300, '1', Sound), (310, '1', Signalling), (620, '1', Signalling)]), 2);
    }

    #[test]
    fn keys_told_of_one_way_all_count() {
        use Way::*;
        assert_eq!(counted(&[(0, '1', Sound), (200, '1', Sound), (400, '1', Sound)]), 3);
        assert_eq!(counted(&[(0, '1', Sound), (10, '2', Signalling)]), 2, "another key");
        assert_eq!(counted(&[(0, '1', Sound), (2500, '1', Signalling)]), 2, "much later");
    }

    #[test]
    fn legs_are_apart_and_forgotten() {
        let (mut digits, now) = (Digits::default(), Instant::now());
        assert!(digits.is_new(LEG, '1', Way::Sound, now));
        assert!(digits.is_new(LegId(2), '1', Way::Signalling, now));
        digits.forget(LEG);
        assert!(digits.is_new(LEG, '1', Way::Signalling, now));
        assert_eq!(digits.legs[&LEG].len(), 1);
        for _ in 0..100 {
            digits.is_new(LEG, '2', Way::Sound, now);
        }
        assert_eq!(digits.legs[&LEG].len(), MOST, "a flood does not grow");
    }
}
