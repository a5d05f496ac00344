//! The waiting line of one queue: contacts in order, with the place of each found without counting the line.

use crate::{contact::Contact, ids::ContactId, time::Timestamp};

/// The order of waiting: priority (lower is sooner), then the original request time, then the id.
pub(crate) type Place = (u8, Timestamp, ContactId);

pub(crate) fn place_of(contact: &Contact) -> Place {
    (contact.priority, contact.requested_at, contact.id)
}

/// A run is split when it grows past this; 256 places of 32 bytes move in well under a microsecond.
const MAX_RUN: usize = 256;

/// An ordered set of places kept as sorted runs, so that a rank costs one step per run instead of one per contact.
#[derive(Debug, Default)]
pub(crate) struct Line {
    runs: Vec<Vec<Place>>,
    len: usize,
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// False if it was there already.
    pub(crate) fn insert(&mut self, place: Place) -> bool {
        if self.runs.is_empty() {
            self.runs.push(Vec::new());
        }
        let run = self.run_of(&place).min(self.runs.len() - 1);
        let Err(at) = self.runs[run].binary_search(&place) else { return false };
        self.runs[run].insert(at, place);
        self.len += 1;
        if self.runs[run].len() > MAX_RUN {
            // A line mostly grows at its end: there, a full run is left full.
            let last = run + 1 == self.runs.len() && at + 1 == self.runs[run].len();
            let keep = if last { MAX_RUN } else { MAX_RUN / 2 };
            let tail = self.runs[run].split_off(keep);
            self.runs.insert(run + 1, tail);
        }
        true
    }

    pub(crate) fn remove(&mut self, place: &Place) -> bool {
        let run = self.run_of(place);
        let Some(found) = self.runs.get_mut(run) else { return false };
        let Ok(at) = found.binary_search(place) else { return false };
        found.remove(at);
        self.len -= 1;
        if found.is_empty() {
            self.runs.remove(run);
        }
        true
    }

    /// How many stand before it; None if it is not in line.
    pub(crate) fn rank(&self, place: &Place) -> Option<usize> {
        let run = self.run_of(place);
        let at = self.runs.get(run)?.binary_search(place).ok()?;
        Some(self.runs[..run].iter().map(Vec::len).sum::<usize>() + at)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.runs.iter().flatten()
    }

    /// The earliest request time in line: the least of the first places of each priority.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let mut oldest: Option<Timestamp> = None;
        let mut from = (0, Timestamp::from_millis(i64::MIN), ContactId(0));
        while let Some(&(priority, at, _)) = self.first_from(&from) {
            oldest = Some(oldest.map_or(at, |known| known.min(at)));
            let Some(next) = priority.checked_add(1) else { break };
            from.0 = next;
        }
        oldest
    }

    fn first_from(&self, from: &Place) -> Option<&Place> {
        let run = self.run_of(from);
        let found = self.runs.get(run)?;
        let at = found.partition_point(|place| place < from);
        found.get(at)
    }

    /// The first run whose last place is not before `place`.
    fn run_of(&self, place: &Place) -> usize {
        self.runs.partition_point(|run| run.last().is_some_and(|last| last < place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_like_an_ordered_set_with_ranks() {
        let mut ids = IdSource::new(3);
        let (mut line, mut model) = (Line::default(), BTreeSet::new());
        for step in 0..6000u64 {
            let noise = ids.mint(Timestamp::from_millis(0)) as u64;
            let place = ((noise % 3) as u8, Timestamp::from_millis((noise >> 8) as i64 % 700), ContactId(1));
            if noise >> 40 & 3 != 0 || step < 2000 {
                assert_eq!(line.insert(place), model.insert(place));
            } else {
                assert_eq!(line.remove(&place), model.remove(&place));
            }
            assert_eq!(line.len(), model.len());
            let rank = model.contains(&place).then(|| model.range(..place).count());
            assert_eq!(line.rank(&place), rank);
        }
        assert!(line.iter().eq(model.iter()));
        assert_eq!(line.oldest(), model.iter().map(|place| place.1).min());
        for place in model {
            assert!(line.remove(&place));
        }
        assert_eq!((line.len(), line.oldest()), (0, None));
    }
}
