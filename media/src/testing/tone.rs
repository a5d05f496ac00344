//! Tones and their measurement.

use std::f64::consts::TAU;

/// A sine tone with a running phase, 8000 samples per second.
#[derive(Debug)]
pub struct Tone {
    frequency: f64,
    amplitude: f64,
    position: u64,
    encoder: crate::Encoder,
}

impl Tone {
    /// `frequency` in hertz, `amplitude` as a share of full scale.
    pub fn new(frequency: f64, amplitude: f64) -> Self {
        Tone { frequency, amplitude, position: 0, encoder: crate::Encoder::default() }
    }

    /// The next samples.
    pub fn samples(&mut self, count: usize) -> Vec<i16> {
        let start = self.position;
        self.position += count as u64;
        (start..start + count as u64)
            .map(|n| {
                let phase = TAU * self.frequency * n as f64 / 8000.0;
                (phase.sin() * self.amplitude * f64::from(i16::MAX)) as i16
            })
            .collect()
    }

    /// The next 20 ms, encoded.
    pub fn frame(&mut self, codec: crate::Codec) -> Vec<u8> {
        let (sound, mut frame) = (self.samples(160), vec![0; 400]);
        let length = self.encoder.encode(codec, &sound, &mut frame);
        frame.truncate(length);
        frame
    }
}

/// Amplitude of one frequency as a share of full scale (Goertzel).
pub fn level(samples: &[i16], frequency: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let coefficient = 2.0 * (TAU * frequency / 8000.0).cos();
    let (mut previous, mut before) = (0.0, 0.0);
    for sample in samples {
        let current = f64::from(*sample) / f64::from(i16::MAX) + coefficient * previous - before;
        (before, previous) = (previous, current);
    }
    let power = previous * previous + before * before - coefficient * previous * before;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_measures_as_itself_only() {
        let samples = Tone::new(440.0, 0.5).samples(4000);
        assert!((level(&samples, 440.0) - 0.5).abs() < 0.01);
        assert!(level(&samples, 1000.0) < 0.01);
        assert!(level(&[], 440.0) < f64::EPSILON);
    }
}
