//! G.711 to 16-bit linear samples (ITU-T G.711 tables 1a and 2a, scaled to 16 bits), by table: one load per sample.

use crate::frame::Codec;

/// Appends `payload` decoded to `samples`.
pub(crate) fn decode(codec: Codec, payload: &[u8], samples: &mut Vec<i16>) {
    let table = match codec {
        Codec::Pcmu => &ULAW,
        Codec::Pcma => &ALAW,
    };
    samples.extend(payload.iter().map(|&byte| table[usize::from(byte)]));
}

static ULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = ulaw(byte as u8);
        byte += 1;
    }
    table
};

static ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = alaw(byte as u8);
        byte += 1;
    }
    table
};

const fn ulaw(byte: u8) -> i16 {
    let bits = !byte;
    let segment = (bits >> 4) & 7;
    let magnitude = ((((bits & 0x0f) as i16) << 3) + 0x84) << segment;
    if bits & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}

const fn alaw(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let segment = (bits >> 4) & 7;
    let step = ((bits & 0x0f) as i16) << 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    if bits & 0x80 != 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Corner values of the two laws, as ITU-T G.191's reference decoder gives them.
    #[test]
    fn corners() {
        let mut out = Vec::new();
        decode(Codec::Pcmu, &[0x00, 0x80, 0xff, 0x7f, 0xf0, 0x8f], &mut out);
        assert_eq!(out, [-32124, 32124, 0, 0, 120, 16764]);
        out.clear();
        decode(Codec::Pcma, &[0x55, 0xd5, 0x2a, 0xaa, 0x00, 0x80], &mut out);
        assert_eq!(out, [-8, 8, -32256, 32256, -5504, 5504]);
    }
}
