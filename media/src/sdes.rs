//! Keys in session descriptions (RFC 4568): whether a carrier's leg is encrypted, and with what.
//!
//! A key is worth as much as the call: it is drawn from the system's secure source, travels in the SIP message only, and
//! `Debug` does not show it. Whoever wants it secret on the way uses SIP over TLS.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::sdp::SdpError;

/// Master key and salt of the longest suite: 16 and 14 octets.
const MAX_MATERIAL: usize = 30;
/// Key lines read from one media section; more are ignored.
pub(crate) const MAX_LINES: usize = 16;
/// 28 octets end in padding, which some peers leave out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a carrier's leg is encrypted (SRTP with keys in the SDP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Plain RTP. An offer that demands SRTP is refused.
    #[default]
    Off,
    /// Encrypted if the far side can: keys beside the plain profile (RFC 8643).
    Optional,
    /// RTP/SAVP. A far side without SRTP is refused.
    Required,
}

/// Cipher and authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// AES in counter mode, HMAC-SHA1 cut to 80 bits (RFC 4568 §6.2.1).
    AesCm80,
    /// The same with 32 bits for RTP (RFC 4568 §6.2.2).
    AesCm32,
    /// AES in Galois/counter mode (RFC 7714 §12).
    AesGcm,
}

impl Suite {
    /// In the order that we offer: what everybody has first, the short tag last.
    const ALL: [Suite; 3] = [Suite::AesCm80, Suite::AesGcm, Suite::AesCm32];

    fn name(self) -> &'static str {
        match self {
            Suite::AesCm80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AesGcm => "AEAD_AES_128_GCM",
        }
    }

    /// Octets behind the number of an SRTCP packet: the tag, which in Galois mode stands before it.
    pub(crate) fn report_tag(self) -> usize {
        match self {
            Suite::AesCm80 | Suite::AesCm32 => 10,
            Suite::AesGcm => 0,
        }
    }

    /// Octets of the master key.
    pub(crate) const KEY: usize = 16;

    /// Octets of master key and salt.
    pub(crate) fn material(self) -> usize {
        match self {
            Suite::AesCm80 | Suite::AesCm32 => 30,
            Suite::AesGcm => 28,
        }
    }
}

/// One `a=crypto` line: what its author encrypts with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Crypto {
    tag: u32,
    pub(crate) suite: Suite,
    material: [u8; MAX_MATERIAL],
}

impl fmt::Debug for Crypto {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "crypto {} {:?}", self.tag, self.suite)
    }
}

impl Crypto {
    /// A fresh key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    fn generate(tag: u32, suite: Suite) -> Result<Crypto, SdpError> {
        let mut material = [0; MAX_MATERIAL];
        getrandom::fill(&mut material[..suite.material()]).map_err(|_| SdpError::NoKey)?;
        Ok(Crypto { tag, suite, material })
    }

    /// Keys that were agreed elsewhere than in a description; parts that are too long are cut.
    pub(crate) fn of(suite: Suite, key: &[u8], salt: &[u8]) -> Crypto {
        let mut material = [0; MAX_MATERIAL];
        for (to, from) in material.iter_mut().zip(key.iter().chain(salt)) {
            *to = *from;
        }
        Crypto { tag: 0, suite, material }
    }

    /// Reads the value of `a=crypto:`. A line that needs what we do not do (unknown suites, several keys, key
    /// identifiers, weakening session parameters) gives `None`: the far side listed others, or there is no agreement.
    pub(crate) fn parse(value: &str) -> Option<Crypto> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let name = words.next()?;
        let suite = Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))?;
        let (method, key) = words.next()?.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") || key.contains(';') {
            return None;
        }
        let mut parts = key.split('|');
        let encoded = parts.next()?;
        if parts.any(|part| part.contains(':')) || !words.all(is_harmless) {
            return None;
        }
        let decoded = BASE64.decode(encoded).ok().filter(|decoded| decoded.len() == suite.material())?;
        let mut material = [0; MAX_MATERIAL];
        material[..decoded.len()].copy_from_slice(&decoded);
        Some(Crypto { tag, suite, material })
    }

    /// The line as it stands in a description, without its end.
    pub(crate) fn line(&self) -> String {
        let encoded = BASE64.encode(&self.material[..self.suite.material()]);
        format!("a=crypto:{} {} inline:{encoded}", self.tag, self.suite.name())
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.material[..Suite::KEY]
    }

    pub(crate) fn salt(&self) -> &[u8] {
        &self.material[Suite::KEY..self.suite.material()]
    }

    fn matches(&self, other: &Crypto) -> bool {
        self.tag == other.tag && self.suite == other.suite
    }
}

/// A session parameter that changes nothing we do (RFC 4568 §6.3): a window size hint, or one marked as optional.
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-') || parameter.to_ascii_uppercase().starts_with("WSH=")
}

/// Both directions' keys, once agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) ours: Crypto,
    pub(crate) theirs: Crypto,
}

/// What a far side's description says about encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    /// The profile is RTP/SAVP or RTP/SAVPF.
    pub(crate) demanded: bool,
    /// Lines that we could use, in their order.
    pub(crate) lines: Vec<Crypto>,
}

/// One leg's policy and keys.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    policy: Encryption,
    ours: Vec<Crypto>,
    agreed: Option<Agreed>,
}

impl Keys {
    pub(crate) fn new(policy: Encryption) -> Self {
        Keys { policy, ours: Vec::new(), agreed: None }
    }

    /// The profile of our offer.
    pub(crate) fn offered_profile(&self) -> &'static str {
        match self.policy {
            Encryption::Off | Encryption::Optional => "RTP/AVP",
            Encryption::Required => "RTP/SAVP",
        }
    }

    /// Lines for our offer: one key for each suite.
    ///
    /// # Errors
    /// [`SdpError::NoKey`].
    pub(crate) fn offer(&mut self) -> Result<&[Crypto], SdpError> {
        if self.policy != Encryption::Off && self.ours.is_empty() {
            let made: Result<Vec<_>, _> =
                (1..).zip(Suite::ALL).map(|(tag, suite)| Crypto::generate(tag, suite)).collect();
            self.ours = made?;
        }
        Ok(&self.ours)
    }

    /// The far side's answer to our offer.
    ///
    /// # Errors
    /// [`SdpError::Unencrypted`] when encryption is required and not agreed, or was agreed and is taken back;
    /// [`SdpError::Profile`] when the answer demands what was not offered.
    pub(crate) fn answered(&mut self, stated: &Stated) -> Result<Option<&Agreed>, SdpError> {
        let found = stated.lines.iter().find_map(|theirs| {
            let ours = self.ours.iter().find(|ours| ours.matches(theirs))?;
            Some(Agreed { ours: ours.clone(), theirs: theirs.clone() })
        });
        self.settle(stated, found)
    }

    /// The far side's offer: takes its first line that we can use, and answers with a key of our own that stays the
    /// same as long as the line does.
    ///
    /// # Errors
    /// As [`Keys::answered`], and [`SdpError::NoKey`].
    pub(crate) fn offered(&mut self, stated: &Stated) -> Result<Option<&Agreed>, SdpError> {
        let found = match stated.lines.first().filter(|_| self.policy != Encryption::Off) {
            None => None,
            Some(theirs) => {
                let ours = match &self.agreed {
                    Some(agreed) if agreed.ours.matches(theirs) => agreed.ours.clone(),
                    _ => Crypto::generate(theirs.tag, theirs.suite)?,
                };
                Some(Agreed { ours, theirs: theirs.clone() })
            }
        };
        self.settle(stated, found)
    }

    fn settle(&mut self, stated: &Stated, found: Option<Agreed>) -> Result<Option<&Agreed>, SdpError> {
        if found.is_none() {
            if self.policy == Encryption::Required || self.agreed.is_some() {
                return Err(SdpError::Unencrypted);
            }
            if stated.demanded {
                return Err(SdpError::Profile);
            }
        }
        self.agreed = found;
        Ok(self.agreed.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CM80: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|";

    fn stated(demanded: bool, lines: &[&str]) -> Stated {
        Stated { demanded, lines: lines.iter().filter_map(|line| Crypto::parse(line)).collect() }
    }

    #[test]
    fn lines_are_read_and_written() {
        let read = Crypto::parse("1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz").unwrap();
        assert_eq!((read.key().len(), read.salt().len()), (16, 14));
        assert_eq!(read.key(), b"YS___semctl () {");
        assert_eq!(read.line(), "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz");
        assert_eq!(Crypto::parse(CM80), Some(read), "a lifetime changes nothing");
        for suite in Suite::ALL {
            let made = Crypto::generate(7, suite).unwrap();
            let line = made.line();
            assert_eq!(Crypto::parse(line.strip_prefix("a=crypto:").unwrap()), Some(made.clone()));
            assert_eq!(
                Crypto::parse(line.strip_prefix("a=crypto:").unwrap().trim_end_matches('=')),
                Some(made.clone())
            );
            assert_ne!(Crypto::generate(7, suite).unwrap(), made, "never the same key twice");
        }
    }

    #[test]
    fn what_we_do_not_do_is_passed_over() {
        let key = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        for line in [
            "".to_owned(),
            "1".to_owned(),
            format!("x AES_CM_128_HMAC_SHA1_80 {key}"),
            format!("1 F8_128_HMAC_SHA1_80 {key}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 {key}|2^20|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 {key};{key}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 {key} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 {key} KDR=1"),
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA".to_owned(),
            "1 AES_CM_128_HMAC_SHA1_80 inline:*".to_owned(),
            format!("1 AEAD_AES_128_GCM {key}"),
        ] {
            assert_eq!(Crypto::parse(&line), None, "{line}");
        }
        assert!(Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_32 {key} WSH=128 -X=1")).is_some());
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let key = Crypto::parse(CM80).unwrap();
        assert_eq!(format!("{key:?}"), "crypto 1 AesCm80");
    }

    #[test]
    fn an_offer_is_answered_by_policy() {
        let (with, without, sealed) = (stated(false, &[CM80]), stated(false, &[]), stated(true, &[CM80]));
        assert_eq!(Keys::new(Encryption::Off).offered(&with), Ok(None));
        assert_eq!(Keys::new(Encryption::Off).offered(&sealed), Err(SdpError::Profile));
        assert_eq!(Keys::new(Encryption::Optional).offered(&without), Ok(None));
        assert!(Keys::new(Encryption::Optional).offered(&with).unwrap().is_some());
        assert_eq!(Keys::new(Encryption::Optional).offered(&stated(true, &[])), Err(SdpError::Profile));
        assert_eq!(Keys::new(Encryption::Required).offered(&without), Err(SdpError::Unencrypted));
        assert!(Keys::new(Encryption::Required).offered(&sealed).unwrap().is_some());
    }

    #[test]
    fn an_answer_takes_one_of_our_lines() {
        for policy in [Encryption::Optional, Encryption::Required] {
            let mut keys = Keys::new(policy);
            let offered = keys.offer().unwrap().to_vec();
            assert_eq!(offered.len(), 3);
            let theirs = Crypto::generate(2, Suite::AesGcm).unwrap();
            let answer = Stated { demanded: policy == Encryption::Required, lines: vec![theirs.clone()] };
            let agreed = keys.answered(&answer).unwrap().unwrap().clone();
            assert_eq!(agreed, Agreed { ours: offered[1].clone(), theirs });
            assert_eq!(keys.answered(&stated(false, &[])), Err(SdpError::Unencrypted), "never taken back");
        }
        let mut keys = Keys::new(Encryption::Required);
        keys.offer().unwrap();
        let other = Stated { demanded: true, lines: vec![Crypto::generate(2, Suite::AesCm80).unwrap()] };
        assert_eq!(keys.answered(&other), Err(SdpError::Unencrypted), "tag and suite must belong together");
        assert_eq!(Keys::new(Encryption::Off).answered(&stated(true, &[CM80])), Err(SdpError::Profile));
    }

    #[test]
    fn our_key_stays_while_the_far_side_keeps_its_line() {
        let mut keys = Keys::new(Encryption::Optional);
        let first = keys.offered(&stated(true, &[CM80])).unwrap().unwrap().clone();
        assert_eq!(keys.offered(&stated(true, &[CM80])).unwrap(), Some(&first));
    }
}
