//! Time-based one-time passwords (RFC 6238) as authenticator apps make them: SHA-1, 30 seconds, 6 digits.

use ring::hmac;
use ringback_routing::time::Timestamp;

use crate::token::NoRandomness;

/// Seconds of one step.
const STEP_SECS: i64 = 30;
/// Steps to either side that are still taken: people type slowly, telephones' clocks are off.
const WINDOW: i64 = 1;
/// Bytes of a secret: as many as SHA-1 gives (RFC 4226, section 4).
const SECRET: usize = 20;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// How many recovery codes a person gets.
const RECOVERY_CODES: usize = 10;
/// Bytes of each: 80 bits, 16 letters.
const RECOVERY: usize = 10;

/// A fresh secret, base32 (RFC 4648) without padding.
pub fn secret() -> Result<String, NoRandomness> {
    let mut bytes = [0u8; SECRET];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(base32(&bytes))
}

/// What an authenticator app reads from the QR code (Key URI format).
pub fn uri(issuer: &str, account: &str, secret: &str) -> String {
    let (issuer, account) = (percent(issuer), percent(account));
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
}

/// The step whose code this is, near `now`.
pub fn step_of(secret: &str, code: &str, now: Timestamp) -> Option<i64> {
    let key = unbase32(secret)?;
    let typed: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    if typed.len() != 6 || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let present = now.as_millis() / 1000 / STEP_SECS;
    (present - WINDOW..=present + WINDOW).find(|step| {
        let expected = code_at(&key, *step);
        subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), typed.as_bytes()).into()
    })
}

/// The code of this moment, for tests and nobody else.
#[cfg(test)]
pub(crate) fn code(secret: &str, now: Timestamp) -> String {
    code_at(&unbase32(secret).unwrap(), now.as_millis() / 1000 / STEP_SECS)
}

/// HOTP (RFC 4226, section 5.3).
fn code_at(key: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or(0) & 15);
    let four = bytes.get(offset..offset + 4).unwrap_or(&[0; 4]);
    let number = four.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Fresh recovery codes, in groups that can be read out.
pub fn recovery_codes() -> Result<Vec<String>, NoRandomness> {
    let code = || {
        let mut bytes = [0u8; RECOVERY];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let letters = base32(&bytes).to_lowercase();
        Ok(letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-"))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// A recovery code as it was given out, however it was typed; None: it is none.
pub fn recovery(typed: &str) -> Option<String> {
    let letters: String = typed.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    (letters.len() == RECOVERY * 8 / 5).then_some(letters)
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut buffer, mut bits) = (0u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(buffer >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(buffer << (5 - bits) & 31) as usize]));
    }
    text
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter.to_ascii_uppercase())?;
        buffer = buffer << 5 | value as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    Some(bytes)
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_codes_of_rfc_6238() {
        // Appendix B, SHA-1, cut to six digits.
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(b"12345678901234567890", seconds / 30), expected);
        }
    }

    #[test]
    fn a_code_is_taken_a_step_early_or_late() {
        let secret = secret().unwrap();
        assert_eq!(secret.len(), 32);
        let code = code(&secret, at(3_000));
        for (now, taken) in [(2_940, false), (2_970, true), (3_000, true), (3_030, true), (3_060, false)] {
            assert_eq!(step_of(&secret, &code, at(now)), taken.then_some(100), "{now}");
        }
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(step_of(&secret, &spaced, at(3_000)), Some(100));
        for wrong in ["", "12345", "1234567", "abcdef", "１２３４５６"] {
            assert_eq!(step_of(&secret, wrong, at(3_000)), None);
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (plain, text) in [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(plain.as_bytes()), text);
            assert_eq!(unbase32(text).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(unbase32("M1"), None);
    }

    #[test]
    fn recovery_codes_differ_and_are_read_as_people_type_them() {
        let codes = recovery_codes().unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), RECOVERY_CODES);
        let letters = recovery(&codes[0]).unwrap();
        assert_eq!(recovery(&codes[0].to_uppercase().replace('-', " ")), Some(letters));
        assert_eq!(recovery("123456"), None);
    }

    #[test]
    fn the_address_says_whose_it_is() {
        let uri = uri("Ringback ü", "ann@x", "ABC");
        assert!(
            uri.starts_with("otpauth://totp/Ringback%20%C3%BC:ann%40x?secret=ABC&issuer=Ringback%20%C3%BC&"),
            "{uri}"
        );
    }
}
