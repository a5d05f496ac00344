//! SHA-256 in hexadecimal, over parts that cannot run into each other.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ. 64 lower-case hex digits.
pub(crate) fn hex_of(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::hex_of;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(hex_of(&[b"ab", b"c"]), hex_of(&[b"a", b"bc"]));
        assert_eq!(hex_of(&[b"x"]).len(), 64);
    }
}
