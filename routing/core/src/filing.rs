//! What is filed under a key and looked up many times in every event, while it is read in order only now and then: a
//! hash finds it, and who wants the order sorts.

use std::{
    collections::{HashMap, hash_map},
    hash::{BuildHasherDefault, Hash, Hasher},
    ops::Index,
};

/// `DRAWERS` tables instead of one: a table that grows moves all it holds, and of a hundred thousand contacts no event may
/// have to wait for more than a few thousand.
#[derive(Debug)]
pub(crate) struct Filing<K, V, const DRAWERS: usize> {
    drawers: [HashMap<K, V, BuildHasherDefault<Quick>>; DRAWERS],
    len: usize,
}

impl<K, V, const DRAWERS: usize> Default for Filing<K, V, DRAWERS> {
    fn default() -> Self {
        Self { drawers: std::array::from_fn(|_| HashMap::default()), len: 0 }
    }
}

impl<K: Hash + Ord, V, const DRAWERS: usize> Filing<K, V, DRAWERS> {
    /// The table's own use of the hash begins at either end; this takes from the middle.
    fn drawer(key: &K) -> usize {
        if DRAWERS == 1 {
            return 0;
        }
        let mut hasher = Quick::default();
        key.hash(&mut hasher);
        (hasher.finish() >> 32) as usize % DRAWERS
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.drawers[Self::drawer(key)].get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.drawers[Self::drawer(key)].get_mut(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.drawers[Self::drawer(&key)].insert(key, value);
        self.len += usize::from(old.is_none());
        old
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let gone = self.drawers[Self::drawer(key)].remove(key);
        self.len -= usize::from(gone.is_some());
        gone
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// In the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut all: Vec<_> = self.drawers.iter().flatten().collect();
        all.sort_unstable_by(|a, b| a.0.cmp(b.0));
        all.into_iter()
    }

    /// In the order of the keys.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let mut all: Vec<_> = self.drawers.iter_mut().flatten().collect();
        all.sort_unstable_by(|a, b| a.0.cmp(b.0));
        all.into_iter()
    }

    /// In the order of the keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// In the order of the keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// In no order: for sums.
    pub(crate) fn any_order(&self) -> impl Iterator<Item = &V> {
        self.drawers.iter().flat_map(hash_map::HashMap::values)
    }
}

impl<K: Hash + Ord, V, const DRAWERS: usize> Index<&K> for Filing<K, V, DRAWERS> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        &self.drawers[Self::drawer(key)][key]
    }
}

/// For keys that are minted here or chosen by administrators; nobody else could seek ones that collide. No random start:
/// the same day runs the same way twice.
#[derive(Debug, Default)]
pub(crate) struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        // Shorter than a word: its length tells zeros at the end from none.
        let last = rest.iter().fold(rest.len() as u64, |word, byte| word << 8 | u64::from(*byte));
        self.write_u64(last);
    }

    /// Both halves of a product stir every bit into every other.
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64 ^ ((word >> 64) as u64).rotate_left(32));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filed_is_found_and_read_in_order() {
        let mut filing = Filing::<String, u32, 4>::default();
        for number in 0..1000u32 {
            assert_eq!(filing.insert(format!("agent-{:03}", number * 7 % 1000), number), None);
        }
        assert_eq!(filing.insert("agent-007".into(), 1), Some(1));
        assert_eq!((filing.len(), filing.remove(&"agent-500".into()).is_some()), (1000, true));
        assert!(filing.get(&"agent-500".into()).is_none() && filing.contains_key(&"agent-999".into()));
        assert!(filing.keys().is_sorted() && filing.iter_mut().map(|(key, _)| key).is_sorted());
        assert_eq!((filing.keys().count(), filing.values().count()), (999, 999));
        assert!(
            filing.drawers.iter().all(|drawer| (200..300).contains(&drawer.len())),
            "no drawer is fuller than another"
        );
    }
}
