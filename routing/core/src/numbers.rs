//! Which contact may dial which number.

use std::collections::BTreeMap;

use crate::ids::ContactId;

/// Number key → the one open contact of the tenant that may still dial it. The keys, digests of some length, are kept
/// as 128 bits of FNV-1a: with every contact holding its key already, a second copy would be a tenth of its weight.
#[derive(Debug, Default)]
pub(crate) struct Numbers(BTreeMap<u128, ContactId>);

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

/// FNV-1a with its 128-bit parameters.
fn tag(number_key: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    number_key.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn the_tag_is_fnv_1a() {
        assert_eq!(tag(""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(tag("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }
}
