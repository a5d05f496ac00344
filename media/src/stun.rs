//! As much of STUN (RFC 8489) as the guard needs: who is meant by a check, and is it genuine.

use hmac::{Hmac, Mac};
use sha1::Sha1;

const HEADER: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const USE_CANDIDATE: u16 = 0x0025;
const MAC_LENGTH: usize = 20;
/// Attributes looked at in one message.
const MAX_ATTRIBUTES: usize = 32;

/// A Binding request that carries what an ICE check must (RFC 8445 §7.2.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Check<'a> {
    /// User name fragment of the side that is asked: ours.
    pub(crate) local_ufrag: &'a str,
    /// The asking side nominates this pair.
    pub(crate) nominates: bool,
    message: &'a [u8],
    integrity_at: usize,
}

/// What a datagram of the STUN range is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stun<'a> {
    Check(Check<'a>),
    /// A response or indication.
    Other,
    Malformed,
}

/// Reads a datagram whose first byte is below 4 (RFC 7983).
pub(crate) fn parse(datagram: &[u8]) -> Stun<'_> {
    let Some(header) = datagram.get(..HEADER) else { return Stun::Malformed };
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != MAGIC_COOKIE || length % 4 != 0 || datagram.len() != HEADER + length {
        return Stun::Malformed;
    }
    if kind != BINDING_REQUEST {
        return Stun::Other;
    }
    parse_check(datagram).map_or(Stun::Malformed, Stun::Check)
}

fn parse_check(message: &[u8]) -> Option<Check<'_>> {
    let (mut local_ufrag, mut nominates) = (None, false);
    let mut at = HEADER;
    for _ in 0..MAX_ATTRIBUTES {
        let head = message.get(at..at + 4)?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = message.get(at + 4..at + 4 + length)?;
        match kind {
            // Nothing after the integrity attribute is protected by it.
            MESSAGE_INTEGRITY if length == MAC_LENGTH => {
                return Some(Check { local_ufrag: local_ufrag?, nominates, message, integrity_at: at });
            }
            USERNAME => local_ufrag = std::str::from_utf8(value).ok()?.split(':').next(),
            USE_CANDIDATE => nominates = true,
            _ => {}
        }
        at += 4 + length.next_multiple_of(4);
    }
    None
}

impl Check<'_> {
    /// Whether MESSAGE-INTEGRITY was made with `password` (short-term credentials, RFC 8489 §14.5).
    pub(crate) fn is_genuine(&self, password: &str) -> bool {
        let Some(tag) = self.message.get(self.integrity_at + 4..self.integrity_at + 4 + MAC_LENGTH) else {
            return false;
        };
        mac_of(&self.message[..self.integrity_at], password).is_some_and(|mac| mac.verify_slice(tag).is_ok())
    }
}

/// HMAC over the message up to the integrity attribute, with the length field ending behind that attribute.
fn mac_of(before: &[u8], password: &str) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(password.as_bytes()).ok()?;
    let length = u16::try_from(before.len() - HEADER + 4 + MAC_LENGTH).ok()?;
    mac.update(&before[..2]);
    mac.update(&length.to_be_bytes());
    mac.update(&before[4..]);
    Some(mac)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A Binding request as an ICE agent makes it, without FINGERPRINT.
    pub(crate) fn request(username: &str, password: &str, nominate: bool) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0];
        message.extend(MAGIC_COOKIE);
        message.extend([7; 12]);
        let mut attribute = |kind: u16, value: &[u8]| {
            message.extend(kind.to_be_bytes());
            message.extend((value.len() as u16).to_be_bytes());
            message.extend(value);
            message.resize(message.len().next_multiple_of(4), 0);
        };
        attribute(USERNAME, username.as_bytes());
        attribute(0x0024, &[1, 2, 3, 4]);
        if nominate {
            attribute(USE_CANDIDATE, &[]);
        }
        let tag = mac_of(&message, password).unwrap().finalize().into_bytes();
        message.extend(MESSAGE_INTEGRITY.to_be_bytes());
        message.extend((MAC_LENGTH as u16).to_be_bytes());
        message.extend(tag);
        let length = (message.len() - HEADER) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
        message
    }

    #[test]
    fn the_vector_of_rfc_5769() {
        let request = concat!(
            "000100582112a442b7e7a701bc34d686fa87dfae8022001053",
            "54554e207465737420636c69656e74",
            "002400046e0001ff80290008932ff9b151263b36",
            "000600096576746a3a68367659202020",
            "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2",
            "80280004e57a3bcf"
        );
        let bytes: Vec<u8> =
            (0..request.len()).step_by(2).map(|at| u8::from_str_radix(&request[at..at + 2], 16).unwrap()).collect();
        let Stun::Check(check) = parse(&bytes) else { panic!("not read as a check") };
        assert_eq!(check.local_ufrag, "evtj");
        assert!(check.is_genuine("VOkJxbRl1RmTxUk/WvJxBt"));
        assert!(!check.is_genuine("VOkJxbRl1RmTxUk/WvJxBu"));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let genuine = request("ours:theirs", "secret", true);
        for at in 0..genuine.len() - 20 {
            let mut forged = genuine.clone();
            forged[at] ^= 1;
            if let Stun::Check(check) = parse(&forged) {
                assert!(!check.is_genuine("secret"), "byte {at}");
            }
        }
        let Stun::Check(check) = parse(&genuine) else { panic!("not read as a check") };
        assert!(check.is_genuine("secret") && check.nominates);
    }

    #[test]
    fn a_check_without_integrity_or_name_is_malformed() {
        let mut bare = vec![0, 1, 0, 0];
        bare.extend(MAGIC_COOKIE);
        bare.extend([7; 12]);
        assert_eq!(parse(&bare), Stun::Malformed);
        bare[0..2].copy_from_slice(&[1, 1]);
        assert_eq!(parse(&bare), Stun::Other);
        assert_eq!(parse(&[]), Stun::Malformed);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), fix: bool) {
            if fix && bytes.len() >= HEADER {
                bytes.truncate(bytes.len() / 4 * 4);
                let length = (bytes.len() - HEADER) as u16;
                bytes[..2].copy_from_slice(&[0, 1]);
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE);
            }
            if let Stun::Check(check) = parse(&bytes) {
                prop_assert!(!check.is_genuine("secret"));
            }
        }
    }
}
