//! The county portal vouches for its customer: a JWS (RFC 7515) in compact form, signed with the tenant's key.
//!
//! Claims (RFC 7519): `aud` the tenant's id, `exp` at most [`MAX_LIFE_SECS`] ahead, `jti` single use, `name`, and as the
//! portal likes `sub` (customer id), `phone`, `page`, `context` (a flat object of strings). The algorithm is fixed by the
//! kind of key configured and never taken from the token.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use ringback_routing::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Longest life of a token: 5 minutes.
pub const MAX_LIFE_SECS: i64 = 300;
/// Clocks of portal and server may differ by this much.
const LEEWAY_SECS: i64 = 10;
/// Longest token looked at, in bytes.
const MAX_TOKEN: usize = 8 * 1024;
const MAX_CONTEXT_ENTRIES: usize = 32;
const MAX_TEXT: usize = 500;

/// A tenant's key, by its algorithm.
#[derive(Clone, PartialEq)]
pub enum PortalKey {
    /// HMAC with SHA-256; at least 32 bytes (RFC 7518, section 3.2).
    Hs256(Vec<u8>),
    /// ECDSA P-256 public key: uncompressed point, 65 bytes.
    Es256(Vec<u8>),
}

impl std::fmt::Debug for PortalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hs256(_) => "Hs256(…)",
            Self::Es256(_) => "Es256(…)",
        })
    }
}

/// What the portal says of its customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortalClaims {
    pub aud: Audience,
    pub exp: i64,
    pub jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

/// RFC 7519, section 4.1.3: one or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not valid")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// Checks signature, audience, times and sizes. Single use of `jti` is for the ledger to decide when the token is spent.
pub fn verify(token: &str, tenant: &str, keys: &[PortalKey], now: Timestamp) -> Result<PortalClaims, TokenError> {
    if token.len() > MAX_TOKEN {
        return Err(TokenError::Invalid);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Invalid);
    };
    let signed = &token[..header.len() + 1 + payload.len()];
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Invalid)?;
    let head: Header = decode(header)?;
    if head.crit.is_some() {
        return Err(TokenError::Invalid);
    }
    if !keys.iter().any(|key| genuine(key, &head.alg, signed.as_bytes(), &signature)) {
        return Err(TokenError::Invalid);
    }
    check(decode(payload)?, tenant, now.as_millis() / 1000)
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Invalid)
}

fn genuine(key: &PortalKey, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
    match (key, algorithm) {
        (PortalKey::Hs256(secret), "HS256") => Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mut mac| {
            mac.update(signed);
            mac.verify_slice(signature).is_ok()
        }),
        (PortalKey::Es256(point), "ES256") => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
        }
        _ => false,
    }
}

fn check(claims: PortalClaims, tenant: &str, now: i64) -> Result<PortalClaims, TokenError> {
    let meant_for_us = match &claims.aud {
        Audience::One(one) => one == tenant,
        Audience::Several(several) => several.iter().any(|one| one == tenant),
    };
    let sizes_fit = !claims.jti.is_empty()
        && claims.jti.len() <= 128
        && claims.name.chars().count() <= MAX_TEXT
        && claims.sub.as_ref().is_none_or(|text| text.chars().count() <= MAX_TEXT)
        && claims.phone.as_ref().is_none_or(|text| text.chars().count() <= MAX_TEXT)
        && claims.page.as_ref().is_none_or(|text| text.chars().count() <= MAX_TEXT)
        && claims.context.len() <= MAX_CONTEXT_ENTRIES
        && claims.context.iter().all(|(key, value)| key.len() <= 64 && value.chars().count() <= MAX_TEXT);
    if !meant_for_us || !sizes_fit {
        return Err(TokenError::Invalid);
    }
    if claims.exp <= now.saturating_sub(LEEWAY_SECS) {
        return Err(TokenError::Expired);
    }
    let too_far = claims.exp > now.saturating_add(MAX_LIFE_SECS + LEEWAY_SECS);
    let too_early = claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(LEEWAY_SECS));
    if too_far || too_early { Err(TokenError::Invalid) } else { Ok(claims) }
}

/// Signs claims as a portal would (demo portal, tests).
pub fn sign_hs256(claims: &PortalClaims, secret: &[u8]) -> Option<String> {
    let payload = serde_json::to_vec(claims).ok()?;
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#), URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(signed.as_bytes());
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
    };

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn claims() -> PortalClaims {
        PortalClaims {
            aud: Audience::One("sacramento".into()),
            exp: 1_800_000_120,
            jti: "one".into(),
            nbf: None,
            name: "Ana Núñez".into(),
            sub: Some("C-17".into()),
            phone: None,
            page: Some("/benefits".into()),
            context: BTreeMap::from([("case".into(), "42".into())]),
        }
    }

    fn hs(claims: &PortalClaims) -> String {
        sign_hs256(claims, SECRET).unwrap()
    }

    fn check_hs(token: &str) -> Result<PortalClaims, TokenError> {
        verify(token, "sacramento", &[PortalKey::Hs256(SECRET.to_vec())], NOW)
    }

    #[test]
    fn a_genuine_token_is_read() {
        assert_eq!(check_hs(&hs(&claims())), Ok(claims()));
        let several = PortalClaims { aud: Audience::Several(vec!["x".into(), "sacramento".into()]), ..claims() };
        assert!(check_hs(&hs(&several)).is_ok());
    }

    #[test]
    fn es256_is_read_and_algorithms_are_not_confused() {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(br#"{"alg":"ES256"}"#),
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).unwrap())
        );
        let signature = pair.sign(&random, signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        let key = [PortalKey::Es256(public.clone())];
        assert_eq!(verify(&token, "sacramento", &key, NOW), Ok(claims()));
        // The classic confusion: an HMAC made with the public key as its secret.
        let confused = sign_hs256(&claims(), &public).unwrap();
        assert_eq!(verify(&confused, "sacramento", &key, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn forged_foreign_and_stale_tokens_are_refused() {
        let good = hs(&claims());
        assert_eq!(verify(&good, "alpine", &[PortalKey::Hs256(SECRET.to_vec())], NOW), Err(TokenError::Invalid));
        assert_eq!(verify(&good, "sacramento", &[PortalKey::Hs256(vec![7; 32])], NOW), Err(TokenError::Invalid));
        assert_eq!(verify(&good, "sacramento", &[], NOW), Err(TokenError::Invalid));
        let (head, tail) = good.split_at(good.len() / 2);
        assert_eq!(check_hs(&format!("{head}A{}", &tail[1..])), Err(TokenError::Invalid));
        let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(br#"{"alg":"none"}"#), good.split('.').nth(1).unwrap());
        assert_eq!(check_hs(&none), Err(TokenError::Invalid));
        assert_eq!(check_hs(&hs(&PortalClaims { exp: 1_799_999_980, ..claims() })), Err(TokenError::Expired));
        assert_eq!(check_hs(&hs(&PortalClaims { exp: 1_800_000_400, ..claims() })), Err(TokenError::Invalid));
        assert_eq!(check_hs(&hs(&PortalClaims { nbf: Some(1_800_000_060), ..claims() })), Err(TokenError::Invalid));
        assert_eq!(check_hs(&hs(&PortalClaims { jti: String::new(), ..claims() })), Err(TokenError::Invalid));
        assert_eq!(check_hs(&hs(&PortalClaims { name: "x".repeat(501), ..claims() })), Err(TokenError::Invalid));
        for garbage in ["", ".", "..", "a.b", "a.b.c.d", "é.é.é"] {
            assert_eq!(check_hs(garbage), Err(TokenError::Invalid), "{garbage}");
        }
    }
}
