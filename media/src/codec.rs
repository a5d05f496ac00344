//! Sound of 8 kHz from what travels, and back. Everything that is made, mixed or recorded here has that rate.

use std::fmt;

use crate::frame::Codec;
use crate::{g711, g722, opus};

/// Decodes one stream. A stream that changes its codec begins anew in it.
#[derive(Debug, Default)]
pub struct Decoder(Ear);

#[derive(Default)]
enum Ear {
    #[default]
    Fresh,
    G722(Box<g722::Decoder>),
    Opus(Box<opus::Decoder>),
}

impl Decoder {
    /// Appends what a payload says: [`Codec::samples`] of it.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], out: &mut Vec<i16>) {
        match codec {
            Codec::Pcmu | Codec::Pcma => {
                self.0 = Ear::Fresh;
                if let Some(law) = codec.law() {
                    out.extend(payload.iter().map(|byte| g711::decode(law, *byte)));
                }
            }
            Codec::G722 => {
                if !matches!(self.0, Ear::G722(_)) {
                    self.0 = Ear::G722(Box::new(g722::Decoder::new()));
                }
                if let Ear::G722(decoder) = &mut self.0 {
                    out.extend(payload.iter().map(|code| decoder.decode(*code)));
                }
            }
            Codec::Opus => self.decode_opus(payload, out),
        }
    }

    fn decode_opus(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        if !matches!(self.0, Ear::Opus(_)) {
            self.0 = opus::Decoder::new().map_or(Ear::Fresh, |decoder| Ear::Opus(Box::new(decoder)));
        }
        let Ear::Opus(decoder) = &mut self.0 else { return };
        if !decoder.decode(payload, out) {
            self.0 = Ear::Fresh;
        }
    }
}

/// Encodes one stream.
#[derive(Debug, Default)]
pub struct Encoder(Mouth);

#[derive(Default)]
enum Mouth {
    #[default]
    Fresh,
    G722(Box<g722::Encoder>),
    Opus(Box<opus::Encoder>),
}

impl Encoder {
    /// Writes the samples into `out` as far as there is room; gives how many bytes that took. Of Opus one packet is made, of 10, 20,
    /// 40 or 60 ms, and none of what has another length.
    pub fn encode(&mut self, codec: Codec, samples: &[i16], out: &mut [u8]) -> usize {
        match codec {
            Codec::Pcmu | Codec::Pcma => {
                self.0 = Mouth::Fresh;
                if let Some(law) = codec.law() {
                    out.iter_mut().zip(samples).for_each(|(byte, sample)| *byte = g711::encode(law, *sample));
                }
                samples.len().min(out.len())
            }
            Codec::G722 => {
                if !matches!(self.0, Mouth::G722(_)) {
                    self.0 = Mouth::G722(Box::new(g722::Encoder::new()));
                }
                if let Mouth::G722(encoder) = &mut self.0 {
                    out.iter_mut().zip(samples).for_each(|(code, sample)| *code = encoder.encode(*sample));
                }
                samples.len().min(out.len())
            }
            Codec::Opus => {
                if !matches!(self.0, Mouth::Opus(_)) {
                    self.0 = opus::Encoder::new().map_or(Mouth::Fresh, |encoder| Mouth::Opus(Box::new(encoder)));
                }
                match &mut self.0 {
                    Mouth::Opus(encoder) => encoder.encode(samples, out),
                    _ => 0,
                }
            }
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ear::Fresh => "Fresh",
            Ear::G722(_) => "G722",
            Ear::Opus(_) => "Opus",
        })
    }
}

impl fmt::Debug for Mouth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mouth::Fresh => "Fresh",
            Mouth::G722(_) => "G722",
            Mouth::Opus(_) => "Opus",
        })
    }
}

/// Changes one stream's codec packet by packet, so that the listener's jitter buffer sees what it would have seen without.
#[derive(Debug, Default)]
pub(crate) struct Converter {
    decoder: Decoder,
    /// Whose stream the decoder knows.
    origin: u64,
    samples: Vec<i16>,
}

impl Converter {
    /// From one codec into another by the listener's own encoder; gives how many bytes it took, 0 for what cannot be said in it.
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

/// A source's timestamps by the clock of 8 kHz that recording and mixing have, unbroken where the source's are.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Narrowed {
    last: u32,
    unwrapped: i64,
}

impl Narrowed {
    pub(crate) fn timestamp(&mut self, codec: Codec, timestamp: u32) -> u32 {
        if codec.clock() == g711::CLOCK {
            return timestamp;
        }
        self.unwrapped += i64::from(timestamp.wrapping_sub(self.last) as i32);
        self.last = timestamp;
        // The lower half of the bits is meant: it wraps as a timestamp does.
        self.unwrapped.div_euclid(i64::from(opus::TICKS_PER_SAMPLE)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(sound: &[i16]) -> f64 {
        (sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / sound.len() as f64).sqrt()
    }

    #[test]
    fn every_codec_turns_into_every_other() {
        let sound: Vec<i16> = (0..8000).map(|n| ((f64::from(n) * 0.5).sin() * 9_000.0) as i16).collect();
        for from in Codec::ALL {
            for to in Codec::ALL {
                let (mut first, mut second) = (Encoder::default(), Encoder::default());
                let (mut converter, mut last, mut heard) = (Converter::default(), Decoder::default(), Vec::new());
                for frame in sound.chunks_exact(160) {
                    let (mut said, mut turned) = ([0; 400], [0; 400]);
                    let length = first.encode(from, frame, &mut said);
                    let length = converter.convert(&mut second, 1, (from, to), &said[..length], &mut turned);
                    assert_eq!(to.ticks(&turned[..length]), to.clock() / 50);
                    last.decode(to, &turned[..length], &mut heard);
                }
                assert_eq!(heard.len(), sound.len());
                let share = level(&heard[1600..]) / level(&sound);
                assert!((0.85..1.15).contains(&share), "{from:?} to {to:?}: {share} of the level");
            }
        }
    }

    #[test]
    fn timestamps_of_another_clock_are_unbroken_over_the_wrap() {
        let mut narrowed = Narrowed::default();
        let mut before = narrowed.timestamp(Codec::Opus, u32::MAX - 2000);
        for packet in 1..10u32 {
            let now = narrowed.timestamp(Codec::Opus, (u32::MAX - 2000).wrapping_add(packet * 960));
            assert_eq!(now.wrapping_sub(before), 160);
            before = now;
        }
        assert_eq!(narrowed.timestamp(Codec::Pcmu, 77), 77);
    }
}
