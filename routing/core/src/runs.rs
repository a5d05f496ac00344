//! An ordered set kept as sorted runs: a rank costs one step per run instead of one per member, and a member takes little
//! more than its own bytes where a tree's nodes stand half empty.

/// A run is split when it would grow past this; 256 places of 32 bytes move in well under a microsecond.
const MAX_RUN: usize = 256;

#[derive(Debug)]
pub(crate) struct Runs<T> {
    runs: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { runs: Vec::new(), len: 0 }
    }
}

impl<T: Ord> Runs<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.runs.first()?.first()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.runs.iter().flatten()
    }

    /// False if it was there already.
    pub(crate) fn insert(&mut self, member: T) -> bool {
        if self.runs.is_empty() {
            self.runs.push(Vec::new());
        }
        let mut run = self.run_of(&member).min(self.runs.len() - 1);
        let Err(mut at) = self.runs[run].binary_search(&member) else { return false };
        if self.runs[run].len() >= MAX_RUN {
            // A line mostly grows at its end: there, a full run is left full.
            let last = run + 1 == self.runs.len() && at == self.runs[run].len();
            let keep = if last { MAX_RUN } else { MAX_RUN / 2 };
            let tail = self.runs[run].split_off(keep);
            self.runs.insert(run + 1, tail);
            if at > keep || last {
                (run, at) = (run + 1, at - keep);
            }
        }
        self.runs[run].insert(at, member);
        self.len += 1;
        true
    }

    pub(crate) fn remove(&mut self, member: &T) -> bool {
        let run = self.run_of(member);
        let Some(found) = self.runs.get_mut(run) else { return false };
        let Ok(at) = found.binary_search(member) else { return false };
        found.remove(at);
        self.len -= 1;
        if found.is_empty() {
            self.runs.remove(run);
        }
        true
    }

    pub(crate) fn contains(&self, member: &T) -> bool {
        self.runs.get(self.run_of(member)).is_some_and(|run| run.binary_search(member).is_ok())
    }

    /// How many stand before it; None if it is not there.
    pub(crate) fn rank(&self, member: &T) -> Option<usize> {
        let run = self.run_of(member);
        let at = self.runs.get(run)?.binary_search(member).ok()?;
        Some(self.counted(run) + at)
    }

    /// How many stand before this, whether it is there or not.
    pub(crate) fn before(&self, bound: &T) -> usize {
        let run = self.run_of(bound);
        let within = self.runs.get(run).map_or(0, |found| found.partition_point(|member| member < bound));
        self.counted(run) + within
    }

    fn counted(&self, runs: usize) -> usize {
        self.runs.iter().take(runs).map(Vec::len).sum()
    }

    /// The first run whose last member is not before this.
    fn run_of(&self, member: &T) -> usize {
        self.runs.partition_point(|run| run.last().is_some_and(|last| last < member))
    }
}
