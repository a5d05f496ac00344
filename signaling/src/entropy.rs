//! Tags, branches and nonces from the operating system's random source.

use std::hash::{BuildHasher, Hasher};

/// Where random tokens come from.
#[derive(Debug)]
pub enum Entropy {
    Os,
    /// Reproducible, for tests on virtual time only.
    #[cfg(test)]
    Seeded(u64),
}

impl Entropy {
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        match self {
            Self::Os => {
                if getrandom::fill(&mut bytes).is_err() {
                    Self::hashed(&mut bytes);
                }
            }
            #[cfg(test)]
            Self::Seeded(seed) => {
                for byte in &mut bytes {
                    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = (*seed >> 56) as u8;
                }
            }
        }
        bytes
    }

    /// The standard library's hash keys were drawn from the system when the process started: good enough for a tag
    /// should the random source fail later, which must not end calls.
    fn hashed(bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = std::collections::hash_map::RandomState::new().build_hasher().finish().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    fn hex<const N: usize>(&mut self) -> String {
        crate::digest::hex(&self.bytes::<N>())
    }

    /// 64 bits, for From and To tags.
    pub fn tag(&mut self) -> String {
        self.hex::<8>()
    }

    /// A branch with the magic cookie of RFC 3261 §8.1.1.7.
    pub fn branch(&mut self) -> String {
        "z9hG4bK".to_owned() + &self.hex::<12>()
    }

    /// For Call-IDs and client nonces.
    pub fn token(&mut self) -> String {
        self.hex::<16>()
    }

    pub fn key(&mut self) -> u128 {
        u128::from_le_bytes(self.bytes())
    }

    /// A whole number from `from` up to, not including, `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + u64::from_le_bytes(self.bytes()) % (to - from).max(1)
    }
}
