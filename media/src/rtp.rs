//! The RTP fixed header (RFC 3550 §5.1): a view without copying, and its writer.

/// Bytes of the fixed header.
pub(crate) const HEADER: usize = 12;

/// A parsed packet that borrows its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RtpView<'a> {
    pub(crate) header: RtpHeader,
    pub(crate) payload: &'a [u8],
}

/// The fields of the fixed header that we read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RtpHeader {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

/// Reads a datagram as RTP. CSRCs, header extension and padding are skipped; anything inconsistent gives `None`.
pub(crate) fn parse(datagram: &[u8]) -> Option<RtpView<'_>> {
    let fixed = datagram.get(..HEADER)?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let mut start = HEADER + usize::from(fixed[0] & 0x0f) * 4;
    if fixed[0] & 0x10 != 0 {
        let words = datagram.get(start + 2..start + 4)?;
        start += 4 + usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    }
    let mut end = datagram.len();
    if fixed[0] & 0x20 != 0 {
        let padding = usize::from(*datagram.last()?);
        if padding == 0 {
            return None;
        }
        end = end.checked_sub(padding)?;
    }
    let payload = datagram.get(start..end)?;
    Some(RtpView {
        header: RtpHeader {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        },
        payload,
    })
}

/// Whether a datagram of a multiplexed port is RTCP (RFC 5761 §4: packet types 192 to 223).
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|second| (192..=223).contains(second))
}

impl RtpHeader {
    /// The header on the wire, version 2, nothing optional.
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut out = [0u8; HEADER];
        out[0] = 0x80;
        out[1] = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn skips_csrc_extension_and_padding() {
        let mut packet = vec![0x80 | 0x20 | 0x10 | 0x01, 0x80 | 101];
        packet.extend([0, 7, 0, 0, 0, 9, 1, 2, 3, 4]);
        packet.extend([9, 9, 9, 9]);
        packet.extend([0xbe, 0xde, 0, 1, 0, 0, 0, 0]);
        packet.extend([10, 20, 30]);
        packet.extend([0, 0, 3]);
        let view = parse(&packet).unwrap();
        assert_eq!(view.payload, [10, 20, 30]);
        assert!(view.header.marker);
        assert_eq!(
            (view.header.payload_type, view.header.sequence, view.header.timestamp, view.header.ssrc),
            (101, 7, 9, 0x0102_0304)
        );
    }

    #[test]
    fn refuses_what_is_not_rtp() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0x80; 11]), None);
        assert_eq!(parse(&[0x00; 20]), None);
        assert_eq!(parse(&[0x8f; 16]), None, "15 CSRCs do not fit");
        let mut padded = [0u8; 12];
        padded[0] = 0xa0;
        assert_eq!(parse(&padded), None, "padding of zero bytes");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(view) = parse(&bytes) {
                prop_assert!(view.payload.len() + HEADER <= bytes.len());
            }
            let _ = is_rtcp(&bytes);
        }

        #[test]
        fn header_round_trip(marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32) {
            let header = RtpHeader { marker, payload_type, sequence, timestamp, ssrc };
            let bytes = header.to_bytes();
            prop_assert_eq!(parse(&bytes).unwrap().header, header);
        }
    }
}
