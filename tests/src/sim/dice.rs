//! Chance from a seed, and the digest that shows whether two runs were the same.

use std::hash::{BuildHasherDefault, Hasher};

use ringback_routing::time::Millis;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// 0 to `sides` - 1; 0 when there are no sides.
    pub fn roll(&mut self, sides: u64) -> u64 {
        // The high half of a 64 by 64 bit product: no division, bias far below anything seen here.
        ((u128::from(self.draw()) * u128::from(sides)) >> 64) as u64
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.roll(times) == 0
    }

    pub fn percent(&mut self, share: u64) -> bool {
        self.roll(100) < share
    }

    /// A span from `least` to `most` milliseconds, evenly.
    pub fn span(&mut self, least: i64, most: i64) -> Millis {
        Millis(least + self.roll((most - least).max(0) as u64 + 1) as i64)
    }

    pub fn seconds(&mut self, least: i64, most: i64) -> Millis {
        self.span(least * 1000, most * 1000)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.roll(from.len() as u64) as usize)
    }
}

fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Two words, each word that goes in stirring both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(u64, u64);

impl Digest {
    pub fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25).rotate_left(29);
        self.1 = self.1.wrapping_add(self.0 ^ word.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.1 ^= self.1 >> 31;
    }

    pub fn mix_id(&mut self, id: u128) {
        self.mix(id as u64);
        self.mix((id >> 64) as u64);
    }

    pub fn mix_text(&mut self, text: &str) {
        self.mix(text.len() as u64);
        words(text.as_bytes()).for_each(|word| self.mix(word));
    }

    pub fn absorb(&mut self, other: Digest) {
        self.mix(other.0);
        self.mix(other.1);
    }

    pub fn hex(self) -> String {
        format!("{:016x}{:016x}", scramble(self.0), scramble(self.1))
    }
}

/// A hasher for keys that are mixed well already (minted ids) or short (configured ones); without a random start, so that
/// nothing here differs from run to run.
#[derive(Debug, Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        words(bytes).for_each(|word| self.write_u64(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

/// Eight bytes at a time, the last ones with zeros behind them.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    })
}

/// A number written as long as the digests that real keys and tokens are.
pub fn key(number: u64) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |place: u32| char::from(DIGITS[(number >> (4 * place)) as usize & 15]);
    let mut text = "0".repeat(48);
    text.extend((0..16).rev().map(digit));
    text
}

/// 64 bits that stand for a text.
pub fn fingerprint(text: &str) -> u64 {
    let mut hasher = Quick::default();
    hasher.write(text.as_bytes());
    scramble(hasher.finish())
}

pub type QuickMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Quick>>;
pub type QuickSet<K> = std::collections::HashSet<K, BuildHasherDefault<Quick>>;
