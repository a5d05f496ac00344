//! Opus (RFC 6716, RFC 7587) for sound of 8 kHz, where the library is driven.
//!
//! Most packets only pass. The library decodes for recordings, conferences and ends that do not share the codec, at 8 kHz from
//! whatever band the packet has, and encodes what is made here. A panic inside it costs the packet, not the thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use opus_rs::{Application, OpusDecoder, OpusEncoder};
use tracing::warn;

/// Timestamps a second, whatever the band (RFC 7587 §4.1).
pub(crate) const CLOCK: u32 = 48_000;
/// Of them to one sample of ours.
pub(crate) const TICKS_PER_SAMPLE: u32 = 6;
/// Longest packet in time (RFC 6716 §3.2.5): 120 ms.
const LONGEST: u32 = 120 * CLOCK / 1000;
/// Samples of a frame of 20 ms.
const FRAME: usize = 160;
/// Speech of 4 kHz needs no more.
const BITS_PER_SECOND: i32 = 20_000;
/// Longest frame, with the byte before it (RFC 6716 §3.2.1).
const MAX_PACKET: usize = 1276;

/// How much time a packet takes, in ticks; 0 for what is no packet (RFC 6716 §3.1, §3.2).
pub(crate) fn ticks(packet: &[u8]) -> u32 {
    let Some(toc) = packet.first() else { return 0 };
    let config = toc >> 3;
    let choose = |lengths: &[u32]| lengths.get(usize::from(config) % lengths.len()).copied().unwrap_or(0);
    // In tenths of a millisecond.
    let frame = match config {
        0..=11 => choose(&[100, 200, 400, 600]),
        12..=15 => choose(&[100, 200]),
        _ => choose(&[25, 50, 100, 200]),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1).map_or(0, |count| count & 0x3f)),
    };
    let all = frame * CLOCK / 10_000 * frames;
    if all > LONGEST { 0 } else { all }
}

/// A packet that says nothing for as long as `packet` speaks, up to the next 20 ms; gives its length.
pub(crate) fn silence(packet: &[u8], out: &mut [u8]) -> usize {
    // Fullband frames of 20 ms that begin with the bit for silence, as encoders write them (RFC 6716 §4.3).
    let frames = ticks(packet).div_ceil(CLOCK / 50).max(1) as u8;
    let length = 2 + 2 * usize::from(frames);
    let Some(out) = out.get_mut(..length) else { return 0 };
    for (index, byte) in out.iter_mut().enumerate() {
        *byte = match index {
            0 => 0xfb,
            1 => frames,
            index if index % 2 == 0 => 0xff,
            _ => 0xfe,
        };
    }
    length
}

pub(crate) struct Decoder {
    library: OpusDecoder,
    sound: Vec<f32>,
}

impl Decoder {
    /// None when the library refuses.
    pub(crate) fn new() -> Option<Self> {
        let library = OpusDecoder::new(8000, 1).ok()?;
        Some(Decoder { library, sound: vec![0.0; (LONGEST / TICKS_PER_SAMPLE) as usize] })
    }

    /// Appends what a packet says; what cannot be decoded is silence of the same length. False: the decoder is spoilt.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut Vec<i16>) -> bool {
        let wanted = (ticks(packet) / TICKS_PER_SAMPLE) as usize;
        let (library, sound) = (&mut self.library, &mut self.sound);
        let decoded = catch_unwind(AssertUnwindSafe(|| library.decode(packet, wanted, sound)));
        let heard = match &decoded {
            Ok(Ok(samples)) => wanted.min(*samples),
            Ok(Err(_)) | Err(_) => 0,
        };
        let from = out.len();
        let sample = |loud: &f32| (loud * 32_768.0).clamp(-32_768.0, 32_767.0) as i16;
        out.extend(self.sound.iter().take(heard).map(sample));
        out.resize(from + wanted, 0);
        if decoded.is_err() {
            warn!("the Opus library panicked on a packet; its stream is decoded anew");
        }
        decoded.is_ok()
    }
}

pub(crate) struct Encoder {
    library: OpusEncoder,
}

impl Encoder {
    /// None when the library refuses.
    pub(crate) fn new() -> Option<Self> {
        let mut library = OpusEncoder::new(8000, 1, Application::Voip).ok()?;
        library.bitrate_bps = BITS_PER_SECOND;
        Some(Encoder { library })
    }

    /// One frame of 10, 20, 40 or 60 ms; of other lengths nothing is made. Gives its length, 0 for none.
    pub(crate) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        if ![FRAME / 2, FRAME, 2 * FRAME, 3 * FRAME].contains(&samples.len()) {
            return 0;
        }
        let room = out.len().min(MAX_PACKET);
        let Some(out) = out.get_mut(..room) else { return 0 };
        let library = &mut self.library;
        match catch_unwind(AssertUnwindSafe(|| library.encode_i16(samples, samples.len(), out))) {
            Ok(Ok(length)) => length.min(room),
            Ok(Err(_)) => 0,
            Err(_) => {
                warn!("the Opus library panicked while encoding; the stream is encoded anew");
                if let Some(fresh) = Encoder::new() {
                    *self = fresh;
                }
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tone::{Tone, level};
    use proptest::prelude::*;

    #[test]
    fn packets_are_as_long_as_their_first_bytes_say() {
        let cases: [(&[u8], u32); 11] = [
            (&[0x00], 480),
            (&[0x08], 960),
            (&[0x18], 2880),
            (&[0x78], 960),
            (&[0xe0], 120),
            (&[0xf8], 960),
            (&[0xf9], 1920),
            (&[0xfb, 3], 2880),
            (&[0xfb, 7], 0),
            (&[0x03], 0),
            (&[], 0),
        ];
        for (packet, length) in cases {
            assert_eq!(ticks(packet), length, "{packet:02x?}");
        }
    }

    #[test]
    fn a_tone_comes_back_and_silence_is_silent() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let (mut tone, mut heard, mut packet) = (Tone::new(700.0, 0.4), Vec::new(), [0; 400]);
        for _ in 0..100 {
            let length = encoder.encode(&tone.samples(FRAME), &mut packet);
            assert!((10..200).contains(&length), "{length} bytes");
            assert_eq!(ticks(&packet[..length]), 960);
            assert!(decoder.decode(&packet[..length], &mut heard));
        }
        assert_eq!(heard.len(), 100 * FRAME);
        let (own, other) = (level(&heard[8000..], 700.0), level(&heard[8000..], 1300.0));
        assert!(own > 0.3 && other < 0.02, "{own} {other}");
        heard.clear();
        let mut still = [0; 400];
        let length = silence(&[0xfb, 3], &mut still);
        assert_eq!(ticks(&still[..length]), 2880);
        for _ in 0..10 {
            assert!(decoder.decode(&still[..length], &mut heard));
        }
        assert!(heard[2000..].iter().all(|sample| sample.abs() < 30));
        assert_eq!(encoder.encode(&[0; 240], &mut packet), 0, "no frame is 30 ms long");
    }

    proptest! {
        #[test]
        fn any_packet_is_survived(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..40)) {
            let mut decoder = Decoder::new().unwrap();
            for packet in packets {
                let mut heard = Vec::new();
                decoder.decode(&packet, &mut heard);
                prop_assert_eq!(heard.len(), (ticks(&packet) / TICKS_PER_SAMPLE) as usize);
            }
        }
    }
}
