//! SRTP and SRTCP of carriers' legs (RFC 3711, RFC 7714): with `webrtc_leg.rs` and `keying.rs` the only files that know the library.

use std::fmt;

use bytes::BytesMut;
use rtc::crypto::default_provider;
use rtc::srtp::context::Context;
use rtc::srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc::srtp::protection_profile::ProtectionProfile;

use crate::sdes::{Agreed, Crypto, Suite};

/// Packets that may be late and are still told from repeated ones (RFC 3711 §3.3.2 asks for 64 at least).
const REPLAY_WINDOW: usize = 128;

/// Octets of the number that ends an SRTCP packet (RFC 3711 §3.4), and its flag for "encrypted".
const INDEX: usize = 4;
const ENCRYPTED: u8 = 0x80;

/// Both directions of one leg.
pub(crate) struct Srtp {
    agreed: Agreed,
    outbound: Context,
    inbound: Context,
}

impl Srtp {
    /// `None` when the library refuses the keys.
    pub(crate) fn new(agreed: &Agreed) -> Option<Srtp> {
        let (outbound, inbound) = (context(&agreed.ours)?, context(&agreed.theirs)?);
        Some(Srtp { agreed: agreed.clone(), outbound, inbound })
    }

    /// Same keys: the counters go on.
    pub(crate) fn is_keyed_by(&self, agreed: &Agreed) -> bool {
        self.agreed == *agreed
    }

    /// Encrypts a whole RTP packet.
    pub(crate) fn protect(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.outbound.encrypt_rtp(packet).ok()
    }

    /// Decrypts a whole RTP packet; `None` when it is forged, damaged or repeated.
    pub(crate) fn unprotect(&mut self, datagram: &[u8]) -> Option<BytesMut> {
        self.inbound.decrypt_rtp(datagram).ok()
    }

    /// Encrypts an RTCP compound packet.
    pub(crate) fn protect_reports(&mut self, compound: &[u8]) -> Option<BytesMut> {
        self.outbound.encrypt_rtcp(compound).ok()
    }

    /// Decrypts an RTCP compound packet; `None` when it is forged, damaged or repeated.
    pub(crate) fn unprotect_reports(&mut self, datagram: &[u8]) -> Option<BytesMut> {
        // The library takes reports that say they are not encrypted without looking at their authentication.
        let index = datagram.len().checked_sub(INDEX + self.agreed.theirs.suite.report_tag())?;
        if datagram.get(index)? & ENCRYPTED == 0 {
            return None;
        }
        self.inbound.decrypt_rtcp(datagram).ok()
    }
}

impl fmt::Debug for Srtp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.agreed)
    }
}

fn context(crypto: &Crypto) -> Option<Context> {
    let profile = match crypto.suite {
        Suite::AesCm80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AesGcm => ProtectionProfile::AeadAes128Gcm,
    };
    let provider = default_provider().ok()?;
    let windows = (Some(srtp_replay_protection(REPLAY_WINDOW)), Some(srtcp_replay_protection(REPLAY_WINDOW)));
    Context::new(crypto.key(), crypto.salt(), profile, windows.0, windows.1, provider.crypto()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6";

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let digits: Vec<u8> = hex.bytes().filter_map(digit).collect();
        digits.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect()
    }

    fn keyed(suite: &str, material: &str) -> Srtp {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes(material));
        let crypto = Crypto::parse(&format!("1 {suite} inline:{encoded}")).unwrap();
        Srtp::new(&Agreed { ours: crypto.clone(), theirs: crypto }).unwrap()
    }

    /// The packet that libsrtp checks itself with.
    #[test]
    fn counter_mode_gives_the_known_packet() {
        let mut srtp = keyed("AES_CM_128_HMAC_SHA1_80", KEY);
        let plain = bytes("800f1234decafbadcafebabe abababababababababababababababab");
        let sealed = bytes("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
        assert_eq!(srtp.protect(&plain).unwrap(), sealed);
        assert_eq!(srtp.unprotect(&sealed).unwrap(), plain);
        assert_eq!(srtp.unprotect(&sealed), None, "repeated");
    }

    #[test]
    fn each_suite_opens_what_it_sealed_and_nothing_changed() {
        let short = "000102030405060708090a0b0c0d0e0f51756964207072f6f2071751";
        for (suite, material, tag) in
            [("AES_CM_128_HMAC_SHA1_80", KEY, 10), ("AES_CM_128_HMAC_SHA1_32", KEY, 4), ("AEAD_AES_128_GCM", short, 16)]
        {
            let mut srtp = keyed(suite, material);
            let plain = bytes("80000001000000a000000007 0102030405060708");
            let sealed = srtp.protect(&plain).unwrap();
            assert_eq!(sealed.len(), plain.len() + tag);
            let mut changed = sealed.to_vec();
            changed[14] ^= 1;
            assert_eq!(srtp.unprotect(&changed), None);
            assert_eq!(srtp.unprotect(&sealed).unwrap(), plain);
            let report = crate::rtcp::compound(7, None, None, crate::rtcp::Heard::default());
            let sealed = srtp.protect_reports(&report).unwrap();
            assert_ne!(sealed[..report.len()], report[..]);
            assert_eq!(srtp.unprotect_reports(&sealed).unwrap(), report);
            let mut plain = report.clone();
            plain.extend([0; 14]);
            assert_eq!(srtp.unprotect_reports(&plain), None, "a report that claims to need no key");
        }
    }

    #[test]
    fn numbers_wrap_without_a_gap() {
        let mut srtp = keyed("AES_CM_128_HMAC_SHA1_80", KEY);
        for number in 65_000..66_500u32 {
            let header =
                crate::rtp::RtpHeader { sequence: number as u16, timestamp: number, ssrc: 7, ..Default::default() };
            let mut plain = header.to_bytes().to_vec();
            plain.extend([number as u8; 160]);
            let sealed = srtp.protect(&plain).unwrap();
            assert_eq!(srtp.unprotect(&sealed).unwrap(), plain, "{number}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused(mut datagram in proptest::collection::vec(any::<u8>(), 0..120)) {
            for suite in ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] {
                let mut srtp = keyed(suite, KEY);
                prop_assert_eq!(srtp.unprotect(&datagram), None);
                prop_assert_eq!(srtp.unprotect_reports(&datagram), None);
                if let Some(first) = datagram.first_mut() {
                    *first = 0x80 | (*first & 0x3f);
                }
                prop_assert_eq!(srtp.unprotect(&datagram), None);
            }
            let mut srtp = keyed("AEAD_AES_128_GCM", "000102030405060708090a0b0c0d0e0f51756964207072f6f2071700");
            prop_assert_eq!(srtp.unprotect(&datagram), None);
            prop_assert_eq!(srtp.unprotect_reports(&datagram), None);
        }
    }
}
