//! G.722 at 64 kbit/s (ITU-T G.722), for sound of 8 kHz.
//!
//! The codec halves a sound of 16 kHz into two bands of 8000 samples a second and codes each by adaptive differences: six bits
//! for the band below 4 kHz, two for the one above. The lower band is what telephones call sound, so it alone is decoded, and
//! from our own sound it alone is filled: neither needs the filter bank that splits and joins the bands. Names in capitals are
//! those of the Recommendation's blocks (§6.2).

/// Decodes to zero in both bands, whatever came before: the smallest step of each quantiser.
pub(crate) const SILENCE: u8 = 0xfd;
/// Bits of a code word that belong to the lower band.
const LOWER_BITS: u8 = 6;
/// The bands carry 15 bits (§1.4.4); our samples have 16.
const BAND_MAX: i32 = 16_383;
const BAND_MIN: i32 = -16_384;

/// Decision levels of the lower band's 60-step quantiser (table 13).
const LOWER_LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output of the lower band's 6-bit inverse quantiser for positive values, from the largest (table 16). The first two of each
/// half of the code space lie below the smallest step.
const LOWER_STEPS: [i32; 30] = [
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944,
    4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
];
/// The four bits that steer the adaptation, as magnitudes from the largest (table 17).
const LOWER_COARSE: [i32; 7] = [20456, 12896, 8968, 6288, 4240, 2584, 1200];
/// How the lower band's step width grows with the coarse magnitude, from the smallest (tables 14 and 15).
const LOWER_GROWTH: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
/// Powers of two between 1 and 2, in 32 steps, times 2048 (table 18).
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// The upper band has one decision level, two steps (tables 19 and 20) and two growths.
const UPPER_LEVEL: i32 = 564;
const UPPER_STEPS: [i32; 2] = [1616, 7408];
const UPPER_GROWTH: [i32; 2] = [-214, 798];

/// One band's adaptive predictor and step width: the same at both ends, fed by the code words alone.
#[derive(Debug, Clone)]
struct Band {
    /// DETL or DETH: the step width.
    step: i32,
    /// NBL or NBH: its logarithm.
    log_step: i32,
    /// The two poles, newest first, with the reconstructed and the partial signal they work on.
    poles: [i32; 2],
    reconstructed: [i32; 2],
    partial: [i32; 2],
    /// The six zeros with the differences they work on.
    zeros: [i32; 6],
    differences: [i32; 6],
    zero_estimate: i32,
    /// SL or SH: what the next sample is believed to be.
    estimate: i32,
}

impl Band {
    fn new(step: i32) -> Self {
        Band {
            step,
            log_step: 0,
            poles: [0; 2],
            reconstructed: [0; 2],
            partial: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            zero_estimate: 0,
            estimate: 0,
        }
    }

    /// LOGSCL and SCALEL, or LOGSCH and SCALEH; `ceiling` and `shift` are the band's own.
    fn scale(&mut self, growth: i32, ceiling: i32, shift: i32) {
        self.log_step = (((self.log_step * 127) >> 7) + growth).clamp(0, ceiling);
        let power = POWERS[((self.log_step >> 6) & 31) as usize];
        let down = shift - (self.log_step >> 11);
        self.step = if down < 0 { power << -down } else { power >> down } << 2;
    }

    /// RECONS to PREDIC: takes a quantised difference and estimates the next sample.
    fn adapt(&mut self, difference: i32) {
        let reconstructed = saturate(self.estimate + difference);
        let partial = saturate(self.zero_estimate + difference);
        let (old, older) = (self.partial[0], self.partial[1]);
        let agree = |a: i32, b: i32| (a < 0) == (b < 0);
        // UPPOL2.
        let lean = saturate(self.poles[0] << 2);
        let lean = if agree(partial, old) { saturate(-lean) } else { lean };
        let push = if agree(partial, older) { 128 } else { -128 };
        let second = (push + (lean >> 7) + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1: stable only within what the second pole leaves.
        let push = if agree(partial, old) { 192 } else { -192 };
        let room = 15_360 - second;
        let first = saturate(push + ((self.poles[0] * 32_640) >> 15)).clamp(-room, room);
        // UPZERO.
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(self.differences) {
            let push = if agree(past, difference) { push } else { -push };
            *zero = saturate(push + ((*zero * 32_640) >> 15));
        }
        // DELAYA.
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, old];
        self.poles = [first, second];
        // FILTEP, FILTEZ and PREDIC.
        let product = |weight: i32, past: i32| (weight * saturate(past << 1)) >> 15;
        let poles: i32 = self.poles.iter().zip(self.reconstructed).map(|(weight, past)| product(*weight, past)).sum();
        let zeros: i32 = self.zeros.iter().zip(self.differences).map(|(weight, past)| product(*weight, past)).sum();
        self.zero_estimate = saturate(zeros);
        self.estimate = saturate(saturate(poles) + self.zero_estimate);
    }

    /// A lower band's code word: what it says, and the adaptation by it.
    fn take_lower(&mut self, code: u8) -> i32 {
        let fine = (self.step * lower_step(code)) >> 15;
        let said = (self.estimate + fine).clamp(BAND_MIN, BAND_MAX);
        let (coarse, growth) = lower_coarse(code >> 2);
        let difference = (self.step * coarse) >> 15;
        self.scale(growth, 18_432, 8);
        self.adapt(difference);
        said
    }

    /// The lower band's code word for a sample.
    fn lower_code(&self, sample: i32) -> u8 {
        let difference = saturate(sample - self.estimate);
        let size = if difference < 0 { -(difference + 1) } else { difference };
        let level = LOWER_LEVELS.iter().position(|level| size < (level * self.step) >> 12).unwrap_or(29) as u8;
        match (difference < 0, level) {
            (false, level) => 61 - level,
            (true, 0 | 1) => 63 - level,
            (true, level) => 33 - level,
        }
    }

    /// The upper band's code word for silence, and the adaptation by it.
    fn silent_upper(&mut self) -> u8 {
        let difference = saturate(-self.estimate);
        let negative = difference < 0;
        let size = if negative { -(difference + 1) } else { difference };
        let level = usize::from(size >= (UPPER_LEVEL * self.step) >> 12);
        let step = if negative { -UPPER_STEPS[level] } else { UPPER_STEPS[level] };
        let taken = (self.step * step) >> 15;
        self.scale(UPPER_GROWTH[level], 22_528, 10);
        self.adapt(taken);
        match (negative, level) {
            (true, 0) => 1,
            (true, _) => 0,
            (false, 0) => 3,
            (false, _) => 2,
        }
    }
}

/// What a 6-bit code word says, in 32768ths of the step width: 32 to 61 positive from the largest, 62 and 63 then 4 to 31
/// negative, 0 to 3 never sent.
fn lower_step(code: u8) -> i32 {
    let at = |index: u8| LOWER_STEPS.get(usize::from(index)).copied().unwrap_or(0);
    match code & 0x3f {
        code @ 32..=61 => at(code - 32),
        code @ 62..=63 => -at(code - 34),
        code @ 4..=31 => -at(code - 4),
        _ => -at(29),
    }
}

/// The 4 bits that steer the adaptation: the difference in 32768ths of the step width, and the growth of that width.
fn lower_coarse(code: u8) -> (i32, i32) {
    let at = |index: u8| LOWER_COARSE.get(usize::from(index)).copied().unwrap_or(0);
    let growth = |size: u8| LOWER_GROWTH.get(usize::from(size)).copied().unwrap_or(0);
    match code & 0x0f {
        code @ 1..=7 => (-at(code - 1), growth(8 - code)),
        code @ 8..=14 => (at(code - 8), growth(15 - code)),
        _ => (0, growth(0)),
    }
}

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// Code words in, sound of 8 kHz out.
#[derive(Debug, Clone)]
pub(crate) struct Decoder(Band);

impl Decoder {
    pub(crate) fn new() -> Self {
        Decoder(Band::new(32))
    }

    pub(crate) fn decode(&mut self, code: u8) -> i16 {
        (self.0.take_lower(code & 0x3f) << 1) as i16
    }
}

/// Sound of 8 kHz in, code words out; the upper band is silent.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    lower: Band,
    upper: Band,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Encoder { lower: Band::new(32), upper: Band::new(8) }
    }

    pub(crate) fn encode(&mut self, sample: i16) -> u8 {
        let lower = self.lower.lower_code(i32::from(sample) >> 1);
        self.lower.take_lower(lower);
        self.upper.silent_upper() << LOWER_BITS | lower
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tone(frequency: f64, amplitude: f64, samples: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * frequency / 8000.0;
        (0..samples).map(|n| ((n as f64 * step).sin() * amplitude) as i16).collect()
    }

    #[test]
    fn what_is_coded_comes_back_with_a_hundredth_of_noise() {
        for (frequency, amplitude) in [(440.0, 8_000.0), (1300.0, 20_000.0), (2800.0, 3_000.0)] {
            let sound = tone(frequency, amplitude, 8000);
            let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
            let heard: Vec<i16> = sound.iter().map(|sample| decoder.decode(encoder.encode(*sample))).collect();
            let (mut signal, mut noise) = (0.0, 0.0);
            for (said, heard) in sound.iter().zip(heard).skip(400) {
                signal += f64::from(*said).powi(2);
                noise += (f64::from(*said) - f64::from(heard)).powi(2);
            }
            assert!(signal / noise > 1000.0, "{frequency} Hz: {} dB", 10.0 * (signal / noise).log10());
        }
    }

    /// The lower quantiser's tables by their ends and middles (ITU-T G.722, tables 16 and 17).
    #[test]
    fn code_words_mean_what_the_tables_say() {
        let fine = [
            (0, -136),
            (3, -136),
            (4, -24808),
            (31, -728),
            (32, 24808),
            (59, 728),
            (60, 432),
            (61, 136),
            (62, -432),
            (63, -136),
        ];
        for (code, step) in fine {
            assert_eq!(lower_step(code), step, "code word {code}");
        }
        let coarse = [
            (0, (0, -60)),
            (1, (-20456, 3042)),
            (7, (-1200, -30)),
            (8, (20456, 3042)),
            (14, (1200, -30)),
            (15, (0, -60)),
        ];
        for (code, said) in coarse {
            assert_eq!(lower_coarse(code), said, "code word {code}");
        }
    }

    #[test]
    fn silence_is_silent_soon_after_any_sound() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for sample in tone(700.0, 25_000.0, 1600) {
            decoder.decode(encoder.encode(sample));
        }
        let after: Vec<i16> = (0..800).map(|_| decoder.decode(SILENCE)).collect();
        assert!(after[160..].iter().all(|sample| sample.abs() < 400), "{:?}", &after[160..200]);
        assert!(after[400..].iter().all(|sample| sample.abs() < 40), "{:?}", &after[400..440]);
    }

    proptest! {
        #[test]
        fn any_code_words_are_survived(codes in proptest::collection::vec(any::<u8>(), 0..4000), samples in proptest::collection::vec(any::<i16>(), 0..500)) {
            let mut decoder = Decoder::new();
            for code in codes {
                decoder.decode(code);
            }
            let mut encoder = Encoder::new();
            for sample in samples {
                decoder.decode(encoder.encode(sample));
            }
        }
    }
}
