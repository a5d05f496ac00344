//! The county portal vouches for its customer: a JWS (RFC 7515) in compact form, signed with the tenant's key.
//!
//! Claims (RFC 7519): `aud` the tenant's id, `exp` at most [`MAX_LIFE_SECS`] ahead, `jti` single use, `name`, and as the
//! portal likes `sub` (customer id), `phone` (the customer's own, proven to the portal), `page`, `context` (a flat object
//! of strings).

use std::collections::BTreeMap;

use ringback_routing::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::jws::{self, NamedKey};

/// Longest life of a token: 5 minutes.
pub const MAX_LIFE_SECS: i64 = 300;
/// Clocks of portal and server may differ by this much.
const LEEWAY_SECS: i64 = 10;
const MAX_CONTEXT_ENTRIES: usize = 32;
const MAX_TEXT: usize = 500;

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

impl Audience {
    pub fn names(&self, who: &str) -> bool {
        match self {
            Self::One(one) => one == who,
            Self::Several(several) => several.iter().any(|one| one == who),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not valid")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

/// Checks signature, audience, times and sizes. Single use of `jti` is for the ledger to decide when the token is spent.
pub fn verify(token: &str, tenant: &str, keys: &[NamedKey], now: Timestamp) -> Result<PortalClaims, TokenError> {
    let claims = jws::open(token, keys).map_err(|_| TokenError::Invalid)?;
    check(claims, tenant, now.as_millis() / 1000)
}

fn check(claims: PortalClaims, tenant: &str, now: i64) -> Result<PortalClaims, TokenError> {
    let meant_for_us = claims.aud.names(tenant);
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

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::KeyPair;
    use serde_json::json;

    use super::*;
    use crate::jws::{Key, sign_hs256, tests};

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
        verify(token, "sacramento", &[Key::Hs256(SECRET.to_vec()).into()], NOW)
    }

    #[test]
    fn a_genuine_token_is_read() {
        assert_eq!(check_hs(&hs(&claims())), Ok(claims()));
        let several = PortalClaims { aud: Audience::Several(vec!["x".into(), "sacramento".into()]), ..claims() };
        assert!(check_hs(&hs(&several)).is_ok());
    }

    #[test]
    fn es256_is_read_and_algorithms_are_not_confused() {
        let pair = tests::es256();
        let public = pair.public_key().as_ref().to_vec();
        let sign = |text: &[u8]| pair.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec();
        let token = tests::token(&json!({ "alg": "ES256" }), &serde_json::to_value(claims()).unwrap(), sign);
        let key = [Key::Es256(public.clone()).into()];
        assert_eq!(verify(&token, "sacramento", &key, NOW), Ok(claims()));
        // The classic confusion: an HMAC made with the public key as its secret.
        let confused = sign_hs256(&claims(), &public).unwrap();
        assert_eq!(verify(&confused, "sacramento", &key, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn forged_foreign_and_stale_tokens_are_refused() {
        let good = hs(&claims());
        assert_eq!(verify(&good, "alpine", &[Key::Hs256(SECRET.to_vec()).into()], NOW), Err(TokenError::Invalid));
        assert_eq!(verify(&good, "sacramento", &[Key::Hs256(vec![7; 32]).into()], NOW), Err(TokenError::Invalid));
        assert_eq!(verify(&good, "sacramento", &[], NOW), Err(TokenError::Invalid));
        let (head, tail) = good.split_at(good.len() / 2);
        assert_eq!(check_hs(&format!("{head}A{}", &tail[1..])), Err(TokenError::Invalid));
        let none = tests::token(&json!({ "alg": "none" }), &serde_json::to_value(claims()).unwrap(), |_| Vec::new());
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
