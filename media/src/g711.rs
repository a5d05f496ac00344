//! G.711 by table: decoding, encoding and changing the flavour.

/// Samples a second.
pub(crate) const CLOCK: u32 = 8000;

/// The two flavours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Law {
    /// µ-law: PCMU.
    Mu,
    /// A-law: PCMA.
    A,
}

const DECODE_ULAW: [i16; 256] = build_decode_ulaw();
const DECODE_ALAW: [i16; 256] = build_decode_alaw();
const ULAW_TO_ALAW: [u8; 256] = build_ulaw_to_alaw();
const ALAW_TO_ULAW: [u8; 256] = build_alaw_to_ulaw();

/// One sample as 16-bit linear PCM.
pub(crate) fn decode(law: Law, byte: u8) -> i16 {
    match law {
        Law::Mu => DECODE_ULAW[byte as usize],
        Law::A => DECODE_ALAW[byte as usize],
    }
}

/// One 16-bit linear sample as a G.711 byte.
pub(crate) const fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::Mu => encode_ulaw(sample),
        Law::A => encode_alaw(sample),
    }
}

/// The byte of the other flavour, or the byte itself when the flavour is the same.
pub(crate) fn transcode(from: Law, to: Law, byte: u8) -> u8 {
    match (from, to) {
        (Law::Mu, Law::A) => ULAW_TO_ALAW[byte as usize],
        (Law::A, Law::Mu) => ALAW_TO_ULAW[byte as usize],
        _ => byte,
    }
}

const fn decode_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = (byte >> 4) & 0x07;
    let mantissa = (byte & 0x0f) as i32;
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    (if byte & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

const fn decode_alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 0x07;
    let mantissa = (byte & 0x0f) as i32;
    let magnitude = if exponent == 0 { (mantissa << 4) + 8 } else { ((mantissa << 4) + 0x108) << (exponent - 1) };
    (if byte & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn encode_ulaw(sample: i16) -> u8 {
    let negative = sample < 0;
    let mut magnitude = if negative { -(sample as i32) } else { sample as i32 };
    if magnitude > 32_635 {
        magnitude = 32_635;
    }
    magnitude += 0x84;
    let exponent = 24 - (magnitude as u32).leading_zeros();
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !((if negative { 0x80 } else { 0 }) | ((exponent as u8) << 4) | mantissa as u8)
}

const fn encode_alaw(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = if negative { -(sample as i32) - 1 } else { sample as i32 };
    let magnitude = magnitude >> 4;
    let code = if magnitude < 32 {
        magnitude as u8
    } else {
        let exponent = 28 - (magnitude as u32).leading_zeros();
        ((exponent as u8) << 4) | ((magnitude >> (exponent - 1)) & 0x0f) as u8
    };
    (code | if negative { 0 } else { 0x80 }) ^ 0x55
}

const fn build_decode_ulaw() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = decode_ulaw(byte as u8);
        byte += 1;
    }
    table
}

const fn build_decode_alaw() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = decode_alaw(byte as u8);
        byte += 1;
    }
    table
}

const fn build_ulaw_to_alaw() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = encode_alaw(decode_ulaw(byte as u8));
        byte += 1;
    }
    table
}

const fn build_alaw_to_ulaw() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = encode_ulaw(decode_alaw(byte as u8));
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Codec;

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!(decode(Law::Mu, 0x00), -32_124);
        assert_eq!(decode(Law::Mu, 0x80), 32_124);
        assert_eq!(decode(Law::Mu, 0xff), 0);
        assert_eq!(decode(Law::Mu, 0x7f), 0);
        assert_eq!(decode(Law::A, 0xd5), 8);
        assert_eq!(decode(Law::A, 0x55), -8);
        assert_eq!(decode(Law::A, 0xaa), 32_256);
        assert_eq!(decode(Law::A, 0x2a), -32_256);
    }

    #[test]
    fn every_byte_survives_its_own_flavour() {
        for law in [Law::Mu, Law::A] {
            for byte in 0..=255u8 {
                let sample = decode(law, byte);
                assert_eq!(decode(law, encode(law, sample)), sample, "{law:?} {byte:#04x}");
            }
        }
    }

    #[test]
    fn encoding_error_stays_within_half_a_step() {
        for law in [Law::Mu, Law::A] {
            for sample in (-32_768..=32_767i32).step_by(7) {
                let error = (i32::from(decode(law, encode(law, sample as i16))) - sample).abs();
                let allowed = 16 + sample.abs() / 32 + if sample.abs() > 32_124 { 650 } else { 0 };
                assert!(error <= allowed, "{law:?} {sample}: {error} > {allowed}");
            }
        }
    }

    #[test]
    fn changing_the_flavour_keeps_the_level() {
        for byte in 0..=255u8 {
            let sample = i32::from(decode(Law::Mu, byte));
            let other = i32::from(decode(Law::A, transcode(Law::Mu, Law::A, byte)));
            assert!((sample - other).abs() <= 16 + sample.abs() / 16, "{byte:#04x}: {sample} → {other}");
            assert_eq!(transcode(Law::Mu, Law::Mu, byte), byte);
        }
    }

    #[test]
    fn silence_is_quiet() {
        for codec in Codec::ALL {
            if let Some(law) = codec.law() {
                assert!(codec.silence().is_some_and(|byte| decode(law, byte).abs() <= 8));
            }
        }
    }
}
