//! Which contact may dial which number, and which chat belongs to which link.

use std::collections::BTreeMap;

use crate::ids::ContactId;

/// Number key → the one open contact of the tenant that may still dial it. The keys, digests of some length, are kept
/// as 64 bits of FNV-1a: with every contact holding its key already, a second copy would be a tenth of its weight. The
/// keys come from a secret, so nobody can seek two that agree; and among
/// a hundred thousand the chance that two agree is one in three billion.
#[derive(Debug, Default)]
pub(crate) struct Numbers(BTreeMap<u64, ContactId>);

impl Numbers {
    pub(crate) fn get(&self, number_key: &str) -> Option<ContactId> {
        self.0.get(&tag(number_key)).copied()
    }

    pub(crate) fn insert(&mut self, number_key: &str, contact: ContactId) {
        self.0.insert(tag(number_key), contact);
    }

    /// Leaves an entry that is there.
    pub(crate) fn insert_new(&mut self, number_key: &str, contact: ContactId) {
        self.0.entry(tag(number_key)).or_insert(contact);
    }

    pub(crate) fn remove(&mut self, number_key: &str) {
        self.0.remove(&tag(number_key));
    }

    pub(crate) fn contacts(&self) -> impl Iterator<Item = ContactId> {
        self.0.values().copied()
    }
}

/// FNV-1a with its 64-bit parameters.
fn tag(number_key: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    number_key.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn the_tag_is_fnv_1a() {
        assert_eq!(tag(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(tag("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
