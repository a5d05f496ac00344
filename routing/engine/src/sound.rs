//! Sound as somebody brings it, made into what is played on the telephone: 8 kHz, one channel, 16 bits.

use std::f32::consts::PI;

pub use ringback_media::Pcm8k;
use ringback_recorder::wav;

/// What prompts are played at, in Hz.
const RATE: u32 = 8_000;
/// Rates that are taken, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
/// Zero crossings of the filter to each side: about 60 dB against what would fold back.
const CROSSINGS: usize = 16;
/// Points of the filter between two crossings.
const POINTS: usize = 256;
/// Share of the band that passes; the rest is the filter's slope.
const PASS: f32 = 0.92;
/// Shorter than this, in samples, nobody hears anything: a tenth of a second.
const SHORTEST: usize = 800;
/// Softer than this everywhere it is silence.
const SILENCE: i16 = 30;

/// Why a sound cannot be a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SoundError {
    #[error("not a WAV file of linear PCM or floating point, 8 to 192 kHz, one or two channels")]
    NotWav,
    #[error("longer than allowed")]
    TooLong,
    #[error("shorter than a tenth of a second")]
    TooShort,
    #[error("nothing is to be heard")]
    Silent,
}

/// The sound of a WAV file. Its length is looked at before any of it is taken in.
pub fn convert(bytes: &[u8], most_seconds: u32) -> Result<Pcm8k, SoundError> {
    let shape = wav::declared(bytes).map_err(|_| SoundError::NotWav)?;
    if !RATES.contains(&shape.sample_rate) || !(1..=2).contains(&shape.channels) {
        return Err(SoundError::NotWav);
    }
    if shape.frames > u64::from(most_seconds) * u64::from(shape.sample_rate) {
        return Err(SoundError::TooLong);
    }
    let interleaved = wav::decode_floats(bytes).map_err(|_| SoundError::NotWav)?;
    let mono = mixed(&interleaved, usize::from(shape.channels));
    let samples: Vec<i16> = resampled(&mono, shape.sample_rate).into_iter().map(whole).collect();
    if samples.len() < SHORTEST {
        return Err(SoundError::TooShort);
    }
    if samples.iter().all(|sample| sample.unsigned_abs() < SILENCE.unsigned_abs()) {
        return Err(SoundError::Silent);
    }
    Ok(Pcm8k(samples))
}

/// As a file that browsers play.
pub fn wav_of(pcm: &[i16]) -> Vec<u8> {
    let bytes = pcm.len() as u64 * 2;
    let mut file = wav::header(1, bytes);
    file.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

fn mixed(interleaved: &[f32], channels: usize) -> Vec<f32> {
    interleaved.chunks_exact(channels.max(1)).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect()
}

fn whole(sample: f32) -> i16 {
    // `as` saturates, and what is no number becomes 0.
    (sample * 32_767.0).round() as i16
}

/// A windowed sinc at the lower of both rates, read from a table between whose points is drawn a line.
fn resampled(from: &[f32], rate: u32) -> Vec<f32> {
    if rate == RATE {
        return from.to_vec();
    }
    let step = f64::from(rate) / f64::from(RATE);
    let cutoff = PASS * (1.0 / step as f32).min(1.0);
    let table = kernel();
    let reach = CROSSINGS as f64 / f64::from(cutoff);
    let count = (from.len() as f64 / step).floor() as usize;
    (0..count)
        .map(|at| {
            let middle = at as f64 * step;
            let first = (middle - reach).ceil().max(0.0) as usize;
            let last = ((middle + reach).floor() as usize).min(from.len().saturating_sub(1));
            let weigh = |(place, sample): (usize, &f32)| {
                let away = ((first + place) as f64 - middle).abs() as f32 * cutoff;
                sample * read(&table, away)
            };
            let heard = from.get(first..=last).unwrap_or_default();
            cutoff * heard.iter().enumerate().map(weigh).sum::<f32>()
        })
        .collect()
}

fn kernel() -> Vec<f32> {
    let last = CROSSINGS * POINTS;
    (0..=last + 1)
        .map(|point| {
            let x = point as f32 / POINTS as f32;
            let sinc = if point == 0 { 1.0 } else { (PI * x).sin() / (PI * x) };
            // Blackman.
            let share = (point as f32 / last as f32).min(1.0);
            let window = 0.42 + 0.5 * (PI * share).cos() + 0.08 * (2.0 * PI * share).cos();
            sinc * window
        })
        .collect()
}

fn read(table: &[f32], away: f32) -> f32 {
    let place = away * POINTS as f32;
    let (at, between) = (place as usize, place.fract());
    match (table.get(at), table.get(at + 1)) {
        (Some(here), Some(next)) => here + (next - here) * between,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(rate: u32, channels: u16, seconds: f32, hertz: &[f32]) -> Vec<u8> {
        let frames = (rate as f32 * seconds) as usize;
        let mut data = Vec::new();
        for frame in 0..frames {
            let at = frame as f32 / rate as f32;
            let sum: f32 = hertz.iter().map(|hertz| 0.4 * (2.0 * PI * hertz * at).sin()).sum();
            (0..channels).for_each(|_| data.extend(((sum * 32_767.0) as i16).to_le_bytes()));
        }
        let (block, len) = (channels * 2, data.len() as u32);
        let mut file = Vec::new();
        file.extend(b"RIFF");
        file.extend((36 + len).to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(16u32.to_le_bytes());
        file.extend([1, channels].into_iter().flat_map(u16::to_le_bytes));
        file.extend([rate, rate * u32::from(block)].into_iter().flat_map(u32::to_le_bytes));
        file.extend([block, 16].into_iter().flat_map(u16::to_le_bytes));
        file.extend(b"data");
        file.extend(len.to_le_bytes());
        file.extend(data);
        file
    }

    /// Amplitude of one frequency (Goertzel), 1 = full scale.
    fn level(samples: &[i16], hertz: f32) -> f32 {
        let w = 2.0 * PI * hertz / RATE as f32;
        let (mut a, mut b) = (0.0f64, 0.0f64);
        let c = 2.0 * f64::from(w).cos();
        for sample in samples {
            (a, b) = (f64::from(*sample) / 32_767.0 + c * a - b, a);
        }
        (2.0 * (a * a + b * b - c * a * b).max(0.0).sqrt() / samples.len() as f64) as f32
    }

    #[test]
    fn tones_of_every_rate_keep_their_pitch_and_level_and_nothing_folds_back() {
        for (rate, channels) in
            [(8_000, 1), (11_025, 1), (16_000, 2), (22_050, 1), (44_100, 2), (48_000, 1), (96_000, 2)]
        {
            let sound = convert(&wav(rate, channels, 1.0, &[700.0]), 5).unwrap().0;
            assert!((7_990..=8_000).contains(&sound.len()), "{rate}: {}", sound.len());
            let inner = &sound[400..7_600];
            assert!((level(inner, 700.0) - 0.4).abs() < 0.01, "{rate}: {}", level(inner, 700.0));
            if rate > 16_000 {
                // 7 kHz would be heard as 1 kHz.
                let folded = convert(&wav(rate, channels, 1.0, &[700.0, 7_000.0]), 5).unwrap().0;
                assert!(level(&folded[400..7_600], 1_000.0) < 0.001, "{rate}");
            }
        }
    }

    #[test]
    fn what_is_no_sound_is_refused_and_nothing_panics() {
        assert_eq!(convert(b"no sound", 5), Err(SoundError::NotWav));
        assert_eq!(convert(&wav(8_000, 1, 6.0, &[700.0]), 5), Err(SoundError::TooLong));
        assert_eq!(convert(&wav(8_000, 1, 0.05, &[700.0]), 5), Err(SoundError::TooShort));
        assert_eq!(convert(&wav(8_000, 1, 1.0, &[]), 5), Err(SoundError::Silent));
        assert_eq!(convert(&wav(8_000, 3, 1.0, &[700.0]), 5), Err(SoundError::NotWav));
        assert_eq!(convert(&wav(4_000, 1, 1.0, &[700.0]), 5), Err(SoundError::NotWav));
        let whole = wav(44_100, 2, 0.5, &[700.0]);
        for cut in 0..whole.len().min(200) {
            let _ = convert(&whole[..cut], 5);
        }
        for place in 0..44 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = whole.clone();
                broken[place] = value;
                let _ = convert(&broken, 5);
            }
        }
    }
}
