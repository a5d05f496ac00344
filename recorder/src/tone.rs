//! Measures tones in samples, for tests that must hear who spoke: Goertzel's filter over short windows.
//!
//! Levels are amplitudes relative to full scale: a sine that just fills 16 bits has 1.0.

/// One short stretch and the tone's level in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub at_ms: f64,
    pub level: f64,
}

/// A tone over a whole recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Tone {
    /// Over all samples.
    pub level: f64,
    /// The level of the loud windows (their 90th percentile).
    pub reference: f64,
    /// Between the first and the last window of at least half the reference; `None` when there is no tone to speak of.
    pub span: Option<(f64, f64)>,
    /// Windows within the span that are below half the reference.
    pub weak: Vec<Window>,
}

/// References below this are noise, not a tone (−54 dBFS).
pub const FAINT: f64 = 0.002;

/// Amplitude of `freq` Hz.
pub fn level(samples: &[i16], rate: u32, freq: f64) -> f64 {
    if samples.is_empty() || rate == 0 {
        return 0.0;
    }
    let omega = std::f64::consts::TAU * freq / f64::from(rate);
    let coefficient = 2.0 * omega.cos();
    let (mut newest, mut older) = (0.0, 0.0);
    for &sample in samples {
        let next = f64::from(sample) / 32_768.0 + coefficient * newest - older;
        older = newest;
        newest = next;
    }
    let power = newest * newest + older * older - coefficient * newest * older;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}

/// Root mean square, 0 to 1.
pub fn rms(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f64 = samples.iter().map(|&sample| (f64::from(sample) / 32_768.0).powi(2)).sum();
    (sum / samples.len() as f64).sqrt()
}

/// Largest magnitude, 0 to 1.
pub fn peak(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(sample.unsigned_abs()) / 32_768.0).fold(0.0, f64::max)
}

/// The level in each whole window, one after the other.
pub fn windows(samples: &[i16], rate: u32, freq: f64, window_ms: u32) -> Vec<Window> {
    let size = (u64::from(rate) * u64::from(window_ms) / 1_000).max(1) as usize;
    let window = |(index, part): (usize, &[i16])| Window {
        at_ms: (index * size) as f64 * 1_000.0 / f64::from(rate.max(1)),
        level: level(part, rate, freq),
    };
    samples.chunks_exact(size).enumerate().map(window).collect()
}

/// The windows in which the tone is below `level`.
pub fn windows_below(samples: &[i16], rate: u32, freq: f64, window_ms: u32, level: f64) -> Vec<Window> {
    let mut windows = windows(samples, rate, freq, window_ms);
    windows.retain(|window| window.level < level);
    windows
}

/// Looks for one tone: how loud, from when to when, and where it is weak in between.
pub fn find(samples: &[i16], rate: u32, freq: f64, window_ms: u32) -> Tone {
    let windows = windows(samples, rate, freq, window_ms);
    let mut levels: Vec<f64> = windows.iter().map(|window| window.level).collect();
    levels.sort_by(f64::total_cmp);
    let loudest = levels.last().copied().unwrap_or(0.0);
    let loud: Vec<f64> = levels.into_iter().filter(|&level| level >= loudest / 4.0).collect();
    let reference = loud.get(loud.len() * 9 / 10).copied().unwrap_or(0.0);
    let strong = |window: &&Window| reference >= FAINT && window.level >= reference / 2.0;
    let first = windows.iter().find(strong).map(|window| window.at_ms);
    let last = windows.iter().rev().find(strong).map(|window| window.at_ms);
    let span = first.zip(last).map(|(first, last)| (first, last + f64::from(window_ms)));
    let weak = windows
        .iter()
        .filter(|window| span.is_some_and(|(first, last)| (first..last).contains(&window.at_ms)))
        .filter(|window| window.level < reference / 2.0)
        .copied()
        .collect();
    Tone { level: level(samples, rate, freq), reference, span, weak }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8_000;

    fn sine(freq: f64, amplitude: f64, samples: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * freq / f64::from(RATE);
        (0..samples).map(|n| (amplitude * 32_767.0 * (step * n as f64).sin()) as i16).collect()
    }

    #[test]
    fn a_tone_has_its_amplitude_and_others_none() {
        let samples = sine(440.0, 0.5, 8_000);
        assert!((level(&samples, RATE, 440.0) - 0.5).abs() < 0.001);
        assert!(level(&samples, RATE, 1_000.0) < 0.001);
        assert!((rms(&samples) - 0.5 / 2f64.sqrt()).abs() < 0.001);
        assert!((peak(&samples) - 0.5).abs() < 0.001);
        assert_eq!((level(&[], RATE, 440.0), rms(&[])), (0.0, 0.0));
    }

    #[test]
    fn the_span_begins_and_ends_with_the_tone_and_a_hole_shows() {
        let mut samples = vec![0; 1_600];
        samples.extend(sine(1_000.0, 0.3, 16_000));
        samples.extend([0; 800]);
        let whole = find(&samples, RATE, 1_000.0, 10);
        assert_eq!((whole.span, whole.weak.len()), (Some((200.0, 2_200.0)), 0));
        samples[8_000..8_160].fill(0);
        let holed = find(&samples, RATE, 1_000.0, 10);
        assert_eq!(holed.weak.iter().map(|weak| weak.at_ms).collect::<Vec<_>>(), [1_000.0, 1_010.0]);
        assert_eq!(windows_below(&samples, RATE, 1_000.0, 10, 0.1).len(), 20 + 10 + 2);
        assert_eq!(find(&samples, RATE, 2_000.0, 10).span, None);
        assert_eq!(find(&[0; 8_000], RATE, 1_000.0, 10).span, None);
    }
}
