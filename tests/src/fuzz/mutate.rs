//! Breaking inputs: bytes, numbers, words, lines, and pieces of one input in another.

/// SplitMix64: small, fast, the same everywhere.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `below` - 1; 0 for 0.
    pub fn below(&mut self, below: usize) -> usize {
        if below == 0 { 0 } else { (self.number() % below as u64) as usize }
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    fn byte(&mut self) -> u8 {
        self.number() as u8
    }
}

/// Numbers at which programs go wrong.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "99999999999999999999999999",
];
/// Bytes that mean something in one grammar or another, or are no text.
const BYTES: [u8; 22] = *b"\0\r\n\t :;,=<>\"\\/@[]%\x7f\x80\xc3\xff";
/// Most changes to one input.
const MAX_CHANGES: usize = 6;
/// Most times a piece is repeated.
const MAX_REPEATS: usize = 200;
/// Bytes beyond which no input grows.
const MAX_BYTES: usize = 70_000;

pub struct Mutator<'a> {
    pub corpus: &'a [Vec<u8>],
    /// Words of the grammar.
    pub words: &'a [&'a [u8]],
}

impl Mutator<'_> {
    /// A new input out of the corpus.
    pub fn input(&self, dice: &mut Dice) -> Vec<u8> {
        let mut input = dice.pick(self.corpus).cloned().unwrap_or_default();
        for _ in 0..=dice.below(MAX_CHANGES) {
            self.change(&mut input, dice);
        }
        input.truncate(MAX_BYTES);
        input
    }

    fn change(&self, input: &mut Vec<u8>, dice: &mut Dice) {
        let at = dice.below(input.len() + 1);
        let to = at + dice.below((input.len() - at).min(40) + 1);
        match dice.below(13) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            1 => {
                let byte = dice.byte();
                if let Some(old) = input.get_mut(at) {
                    *old = byte;
                }
            }
            2 => input.insert(at, dice.pick(&BYTES).copied().unwrap_or(0)),
            3 => drop(input.drain(at..to)),
            4 => input.truncate(at),
            5 => {
                let piece = input[at..to].to_vec();
                for _ in 0..dice.below(MAX_REPEATS) {
                    if input.len() > MAX_BYTES {
                        break;
                    }
                    input.splice(at..at, piece.iter().copied());
                }
            }
            6 => {
                let word = dice.pick(self.words).map_or(&[][..], |word| word);
                input.splice(at..at, word.iter().copied());
            }
            7 => {
                let word = dice.pick(self.words).map_or(&[][..], |word| word);
                input.splice(at..to, word.iter().copied());
            }
            8 => self.other_number(input, at, dice),
            9 => self.splice(input, at, dice),
            10 => self.lines(input, dice),
            11 => {
                for byte in &mut input[at..to] {
                    *byte = dice.byte();
                }
            }
            _ => {
                let piece = input[at..to].to_vec();
                let elsewhere = dice.below(input.len() + 1);
                input.splice(elsewhere..elsewhere, piece);
            }
        }
    }

    /// Another number in place of the next one.
    fn other_number(&self, input: &mut Vec<u8>, from: usize, dice: &mut Dice) {
        let Some(offset) = input[from..].iter().position(u8::is_ascii_digit) else { return };
        let at = from + offset;
        let length = input[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = dice.pick(&NUMBERS).map_or("", |number| number);
        input.splice(at..at + length, number.bytes());
    }

    /// The end of another input behind this beginning.
    fn splice(&self, input: &mut Vec<u8>, at: usize, dice: &mut Dice) {
        let Some(other) = dice.pick(self.corpus) else { return };
        input.truncate(at);
        input.extend_from_slice(&other[dice.below(other.len() + 1)..]);
    }

    /// A line twice, away, or in another's place.
    fn lines(&self, input: &mut Vec<u8>, dice: &mut Dice) {
        let mut lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
        let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
        match dice.below(3) {
            0 if !lines.is_empty() => lines.insert(other, lines[one]),
            1 if lines.len() > 1 => drop(lines.remove(one)),
            _ if !lines.is_empty() => lines.swap(one, other),
            _ => return,
        }
        *input = lines.concat();
    }
}
