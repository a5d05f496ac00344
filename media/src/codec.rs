//! Sound of 8 kHz from what travels, and back. Everything that is made, mixed or recorded here has that rate.

use crate::frame::Codec;
use crate::{g711, g722};

/// Decodes one stream. A stream that changes its codec begins anew in it.
#[derive(Debug, Clone, Default)]
pub struct Decoder(Option<Box<g722::Decoder>>);

impl Decoder {
    /// Appends what a payload says: a sample for each of its bytes.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], out: &mut Vec<i16>) {
        match codec.law() {
            Some(law) => {
                self.0 = None;
                out.extend(payload.iter().map(|byte| g711::decode(law, *byte)));
            }
            None => {
                let decoder = self.0.get_or_insert_with(|| Box::new(g722::Decoder::new()));
                out.extend(payload.iter().map(|code| decoder.decode(*code)));
            }
        }
    }
}

/// Encodes one stream.
#[derive(Debug, Clone, Default)]
pub struct Encoder(Option<Box<g722::Encoder>>);

impl Encoder {
    /// Writes the samples into `out` as far as there is room; gives how many bytes that took.
    pub fn encode(&mut self, codec: Codec, samples: &[i16], out: &mut [u8]) -> usize {
        match codec.law() {
            Some(law) => {
                self.0 = None;
                out.iter_mut().zip(samples).for_each(|(byte, sample)| *byte = g711::encode(law, *sample));
            }
            None => {
                let encoder = self.0.get_or_insert_with(|| Box::new(g722::Encoder::new()));
                out.iter_mut().zip(samples).for_each(|(code, sample)| *code = encoder.encode(*sample));
            }
        }
        samples.len().min(out.len())
    }
}

/// Changes one stream's codec packet by packet, so that the listener's jitter buffer sees what it would have seen without.
#[derive(Debug, Clone, Default)]
pub(crate) struct Converter {
    decoder: Decoder,
    /// Whose stream the decoder knows.
    origin: u64,
    samples: Vec<i16>,
}

impl Converter {
    /// From one codec into another by the listener's own encoder; gives how many bytes it took.
    pub(crate) fn convert(
        &mut self,
        encoder: &mut Encoder,
        origin: u64,
        (from, to): (Codec, Codec),
        payload: &[u8],
        out: &mut [u8],
    ) -> usize {
        if let (Some(from), Some(to)) = (from.law(), to.law()) {
            out.iter_mut().zip(payload).for_each(|(turned, byte)| *turned = g711::transcode(from, to, *byte));
            return payload.len().min(out.len());
        }
        if self.origin != origin {
            (self.origin, self.decoder) = (origin, Decoder::default());
        }
        self.samples.clear();
        self.decoder.decode(from, payload, &mut self.samples);
        encoder.encode(to, &self.samples, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_turns_into_every_other() {
        let sound: Vec<i16> = (0..800).map(|n| ((f64::from(n) * 0.5).sin() * 9_000.0) as i16).collect();
        let level = |sound: &[i16]| {
            (sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / sound.len() as f64).sqrt()
        };
        for from in Codec::ALL {
            for to in Codec::ALL {
                let mut said = vec![0; sound.len()];
                let mut turned = said.clone();
                assert_eq!(Encoder::default().encode(from, &sound, &mut said), said.len());
                let mut converter = Converter::default();
                converter.convert(&mut Encoder::default(), 1, (from, to), &said, &mut turned);
                let mut heard = Vec::new();
                Decoder::default().decode(to, &turned, &mut heard);
                let apart: Vec<i16> = heard.iter().zip(&sound).map(|(a, b)| a.saturating_sub(*b)).skip(100).collect();
                assert!(level(&apart) < level(&sound) / 12.0, "{from:?} to {to:?}: {}", level(&apart));
            }
        }
    }
}
