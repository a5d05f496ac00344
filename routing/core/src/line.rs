//! The waiting line of one queue: contacts in order, with the place of each found without counting the line.
//!
//! The order is one of moments: a contact stands where it would stand had it asked `priority × step` later. So a contact
//! gains one priority for every `step` it has waited, at every moment and without ever being moved: nobody can be
//! overtaken by a more urgent contact that asked later than that difference of priorities is worth. Without ageing the
//! step is longer than any wait, and priority alone decides.

use std::collections::BTreeMap;

use crate::{
    contact::Contact,
    ids::ContactId,
    runs::Runs,
    time::{Millis, Timestamp},
};

/// Where a contact stands: by the moment it is ranked by, its priority, its id. Moment and priority are kept as one number,
/// because a line may have a hundred thousand places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    rank: i64,
    pub(crate) contact: ContactId,
}

/// Moments further from 1970 than half a million years do not count.
const LATEST_MOMENT: i64 = i64::MAX >> 9;

impl Place {
    fn new(moment: Timestamp, priority: u8, contact: ContactId) -> Self {
        let moment = moment.as_millis().clamp(-LATEST_MOMENT, LATEST_MOMENT);
        Self { rank: moment << 8 | i64::from(priority), contact }
    }

    fn moment(self) -> Timestamp {
        Timestamp::from_millis(self.rank >> 8)
    }

    fn priority(self) -> u8 {
        (self.rank & 0xff) as u8
    }
}

/// Without ageing: no request is a hundred years older than another.
pub(crate) const NO_AGEING: Millis = Millis(100 * 365 * 86_400_000);

pub(crate) fn place_of(contact: &Contact, step: Millis) -> Place {
    Place::new(contact.requested_at + worth(contact.priority, step), contact.priority, contact.id)
}

fn worth(priority: u8, step: Millis) -> Millis {
    Millis(step.0.saturating_mul(i64::from(priority)))
}

/// The contacts of one queue: a line by request time for each priority there is.
#[derive(Debug)]
pub(crate) struct Line {
    by_priority: BTreeMap<u8, Runs<Asked>>,
    step: Millis,
}

impl Default for Line {
    fn default() -> Self {
        Self { by_priority: BTreeMap::new(), step: NO_AGEING }
    }
}

impl Line {
    pub(crate) fn with_step(step: Millis) -> Self {
        Self { step, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_priority.values().map(Runs::len).sum()
    }

    fn asked(&self, place: &Place) -> Asked {
        (place.moment() - worth(place.priority(), self.step), place.contact)
    }

    /// False if it was there already.
    pub(crate) fn insert(&mut self, place: Place) -> bool {
        let asked = self.asked(&place);
        self.by_priority.entry(place.priority()).or_default().insert(asked)
    }

    pub(crate) fn remove(&mut self, place: &Place) -> bool {
        let asked = self.asked(place);
        let Some(runs) = self.by_priority.get_mut(&place.priority()) else { return false };
        let removed = runs.remove(&asked);
        if runs.is_empty() {
            self.by_priority.remove(&place.priority());
        }
        removed
    }

    pub(crate) fn contains(&self, place: &Place) -> bool {
        self.by_priority.get(&place.priority()).is_some_and(|runs| runs.contains(&self.asked(place)))
    }

    /// How many stand before it; None if it is not in line.
    pub(crate) fn rank(&self, place: &Place) -> Option<usize> {
        let own = self.by_priority.get(&place.priority())?.rank(&self.asked(place))?;
        let others = self.by_priority.iter().filter(|(priority, _)| **priority != place.priority());
        let before = others.map(|(priority, runs)| {
            let same_moment = place.moment() - worth(*priority, self.step);
            // At the same moment the lower priority number comes first.
            let up_to = if *priority < place.priority() { ContactId(u128::MAX) } else { ContactId(0) };
            runs.before(&(same_moment, up_to))
        });
        Some(own + before.sum::<usize>())
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Place> {
        let lines = self.by_priority.iter();
        let mut heads: Vec<_> = lines
            .map(|(&priority, runs)| {
                let later = worth(priority, self.step);
                runs.iter().map(move |(at, id)| Place::new(*at + later, priority, *id)).peekable()
            })
            .collect();
        std::iter::from_fn(move || {
            let first = heads.iter_mut().enumerate().filter_map(|(line, head)| Some((*head.peek()?, line))).min()?;
            heads.get_mut(first.1)?.next()
        })
    }

    /// The earliest request time in line.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.by_priority.values().filter_map(Runs::first).map(|(at, _)| *at).min()
    }
}

/// When somebody asked.
type Asked = (Timestamp, ContactId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;
    use std::collections::BTreeSet;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis as i64)
    }

    #[test]
    fn behaves_like_an_ordered_set_with_ranks() {
        for step in [NO_AGEING, Millis(150), Millis(0)] {
            let mut ids = IdSource::new(3);
            let (mut line, mut model) = (Line::with_step(step), BTreeSet::new());
            for turn in 0..8000u64 {
                let noise = ids.mint(at(0)) as u64;
                let priority = (noise % 3) as u8;
                let asked = at((noise >> 8) % 700);
                let place = Place::new(asked + worth(priority, step), priority, ContactId(u128::from(noise >> 20 & 3)));
                if noise >> 40 & 3 != 0 || turn < 2000 {
                    assert_eq!(line.insert(place), model.insert(place));
                } else {
                    assert_eq!(line.remove(&place), model.remove(&place));
                }
                assert_eq!(line.len(), model.len());
                let rank = model.contains(&place).then(|| model.range(..place).count());
                assert_eq!(line.rank(&place), rank);
            }
            assert!(line.iter().eq(model.iter().copied()));
            let asked = model.iter().map(|place| place.moment() - worth(place.priority(), step));
            assert_eq!(line.oldest(), asked.min());
            for place in model {
                assert!(line.remove(&place));
            }
            assert_eq!((line.len(), line.oldest()), (0, None));
        }
    }
}
