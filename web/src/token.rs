//! Secrets that the outside sees: made by the operating system's CSPRNG, kept as digests.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use ringback_routing::time::Timestamp;

/// The operating system gives no randomness; nothing secret can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness;

/// 256 bits in 43 characters of URL-safe base64.
pub fn random() -> Result<String, NoRandomness> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// So many decimal digits, each as likely as the others.
pub fn digits(count: usize) -> Result<String, NoRandomness> {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        // Above 250 the first digits would come more often.
        let fair = bytes.iter().filter(|byte| **byte < 250).map(|byte| char::from(b'0' + byte % 10));
        text.extend(fair.take(count - text.len()));
    }
    Ok(text)
}

/// What only the holder of the key can say of these parts.
pub fn tag(key: &[u8], parts: &[&str]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    for part in parts {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    hex(&mac.finalize().into_bytes())
}

/// What is stored of a token.
pub fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// Whether `text` can be one of our tokens at all: looked at before the ledger is asked.
pub fn is_plausible(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// The no-JavaScript form's one-time token: `expiry.nonce.tag`, signed so that no state is kept until it is used.
pub struct FormTokens<'a> {
    pub key: &'a [u8],
}

/// How long a form may lie open: 2 h.
const FORM_TOKEN_LIFE_MS: i64 = 2 * 60 * 60 * 1000;

impl FormTokens<'_> {
    pub fn issue(&self, tenant: &str, now: Timestamp) -> Result<String, NoRandomness> {
        let expiry = now.as_millis() + FORM_TOKEN_LIFE_MS;
        let nonce = random()?;
        let tag = self.tag(tenant, expiry, &nonce);
        Ok(format!("{expiry}.{nonce}.{tag}"))
    }

    /// The token's nonce (to be used up once) and expiry, if it is ours, of this tenant and fresh.
    pub fn check<'t>(&self, tenant: &str, token: &'t str, now: Timestamp) -> Option<(&'t str, Timestamp)> {
        let mut parts = token.splitn(3, '.');
        let (expiry, nonce, tag) = (parts.next()?.parse::<i64>().ok()?, parts.next()?, parts.next()?);
        let expected = self.tag(tenant, expiry, nonce);
        let genuine: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), tag.as_bytes()).into();
        (genuine && expiry > now.as_millis()).then_some((nonce, Timestamp::from_millis(expiry)))
    }

    fn tag(&self, tenant: &str, expiry: i64, nonce: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key) else { return String::new() };
        mac.update(format!("form\0{tenant}\0{expiry}\0{nonce}").as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_plausible() {
        let (a, b) = (random().unwrap(), random().unwrap());
        assert_ne!(a, b);
        assert!(is_plausible(&a));
        assert!(!is_plausible(&a[1..]) && !is_plausible(&format!("{}'", &a[1..])));
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_form_token_is_bound_to_tenant_time_and_key() {
        let now = Timestamp::from_millis(1_000_000);
        let tokens = FormTokens { key: b"key" };
        let token = tokens.issue("sacramento", now).unwrap();
        assert!(tokens.check("sacramento", &token, now).is_some());
        assert!(tokens.check("alpine", &token, now).is_none());
        assert!(tokens.check("sacramento", &token, Timestamp::from_millis(1_000_000 + FORM_TOKEN_LIFE_MS)).is_none());
        assert!(FormTokens { key: b"other" }.check("sacramento", &token, now).is_none());
        let (rest, _) = token.split_once('.').map(|(_, rest)| (rest, ())).unwrap();
        assert!(tokens.check("sacramento", &format!("9999999999999.{rest}"), now).is_none());
        for garbage in ["", ".", "..", "1.2", "x.y.z"] {
            assert!(tokens.check("sacramento", garbage, now).is_none());
        }
    }
}
