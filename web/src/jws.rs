//! Signed tokens in compact form (RFC 7515) and the keys that check them (RFC 7517), of portals and of identity providers.
//!
//! The algorithm belongs to the key and is never taken from the token: `none`, and a public key used as an HMAC secret,
//! match nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::Sha256;

/// Longest token looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// Most keys taken from one set.
const MAX_KEYS: usize = 32;

/// A key, by its algorithm.
#[derive(Clone, PartialEq, Eq)]
pub enum Key {
    /// HMAC with SHA-256; at least 32 bytes (RFC 7518, section 3.2).
    Hs256(Vec<u8>),
    /// ECDSA P-256 public key: uncompressed point, 65 bytes.
    Es256(Vec<u8>),
    /// Ed25519 public key, 32 bytes (RFC 8037).
    EdDsa(Vec<u8>),
    /// RSA public key of 2048 bits or more, PKCS #1 v1.5 with SHA-256: modulus and exponent.
    Rs256 { n: Vec<u8>, e: Vec<u8> },
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(…)", self.algorithm())
    }
}

/// A key under the name its owner gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    pub id: Option<String>,
    pub key: Key,
}

impl From<Key> for NamedKey {
    fn from(key: Key) -> Self {
        Self { id: None, key }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not genuine")]
pub struct NotGenuine;

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

impl Key {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256 { .. } => "RS256",
        }
    }

    fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hs256(secret) => Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mut mac| {
                mac.update(text);
                mac.verify_slice(signature).is_ok()
            }),
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature).is_ok()
            }
            Self::EdDsa(public) => UnparsedPublicKey::new(&ED25519, public).verify(text, signature).is_ok(),
            Self::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, text, signature).is_ok()
            }
        }
    }
}

/// The claims of a token that one of `keys` signed. What the claims say is for the caller to judge.
pub fn open<T: DeserializeOwned>(token: &str, keys: &[NamedKey]) -> Result<T, NotGenuine> {
    if token.len() > MAX_TOKEN {
        return Err(NotGenuine);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NotGenuine);
    };
    let signed = token.get(..header.len() + 1 + payload.len()).ok_or(NotGenuine)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NotGenuine)?;
    let head: Header = decode(header)?;
    if head.crit.is_some() {
        return Err(NotGenuine);
    }
    let genuine = keys
        .iter()
        .filter(|known| may_be(known, &head))
        .any(|known| known.key.algorithm() == head.alg && known.key.signed(signed.as_bytes(), &signature));
    if genuine { decode(payload) } else { Err(NotGenuine) }
}

/// The name a token gives its key, not believed but useful for deciding whether to fetch the keys again.
pub fn key_id(token: &str) -> Option<String> {
    decode::<Header>(token.split('.').next()?).ok()?.kid
}

/// A named token and a named key must agree; whoever is unnamed is tried.
fn may_be(known: &NamedKey, head: &Header) -> bool {
    match (&known.id, &head.kid) {
        (Some(known), Some(asked)) => known == asked,
        _ => true,
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, NotGenuine> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| NotGenuine)?;
    serde_json::from_slice(&bytes).map_err(|_| NotGenuine)
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct PublicKey {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

/// The public signing keys of a JWK Set that we know how to use; the others are left out (RFC 7517, section 5).
pub fn key_set(text: &[u8]) -> Option<Vec<NamedKey>> {
    let set: KeySet = serde_json::from_slice(text).ok()?;
    let keys = set.keys.into_iter().take(MAX_KEYS);
    Some(keys.filter_map(|key| public_key(serde_json::from_value(key).ok()?)).collect())
}

fn public_key(jwk: PublicKey) -> Option<NamedKey> {
    if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let key = match (jwk.kty.as_str(), jwk.crv.as_str()) {
        ("EC", "P-256") => {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            if x.len() != 32 || y.len() != 32 {
                return None;
            }
            Key::Es256([&[4][..], &x, &y].concat())
        }
        ("OKP", "Ed25519") => Key::EdDsa(bytes(&jwk.x).filter(|x| x.len() == 32)?),
        ("RSA", _) => Key::Rs256 { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? },
        // A shared secret has no place in a published set.
        _ => return None,
    };
    if jwk.alg.as_deref().is_some_and(|alg| alg != key.algorithm()) {
        return None;
    }
    Some(NamedKey { id: jwk.kid, key })
}

/// Signs claims with a shared secret, as a portal would (demo portal, tests).
pub fn sign_hs256(claims: &impl serde::Serialize, secret: &[u8]) -> Option<String> {
    let payload = serde_json::to_vec(claims).ok()?;
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#), URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(signed.as_bytes());
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

/// The uncompressed point at the end of a P-256 SubjectPublicKeyInfo (RFC 5480: always 91 bytes with a fixed head).
pub fn p256_point(der: &[u8]) -> Option<Vec<u8>> {
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    der.strip_prefix(&HEAD).filter(|point| point.len() == 65 && point[0] == 4).map(<[u8]>::to_vec)
}

/// The key at the end of an Ed25519 SubjectPublicKeyInfo (RFC 8410: always 44 bytes with a fixed head).
pub fn ed25519_key(der: &[u8]) -> Option<Vec<u8>> {
    const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.strip_prefix(&HEAD).filter(|key| key.len() == 32).map(<[u8]>::to_vec)
}

#[cfg(test)]
pub(crate) mod tests {
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
    };
    use serde_json::{Value, json};

    use super::*;

    /// A token with that header and those claims, signed by whatever `sign` does.
    pub(crate) fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    pub(crate) fn es256() -> EcdsaKeyPair {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
    }

    pub(crate) fn es256_jwk(pair: &EcdsaKeyPair, kid: &str) -> Value {
        let point = pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
            "x": part(&point[1..33]), "y": part(&point[33..]) })
    }

    fn eddsa() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn claims() -> Value {
        json!({ "sub": "ann" })
    }

    #[test]
    fn published_keys_check_what_their_owners_sign() {
        let (ec, ed) = (es256(), eddsa());
        let ed_jwk =
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": "b", "x": URL_SAFE_NO_PAD.encode(ed.public_key()) });
        let strange = json!({ "kty": "EC", "crv": "P-521", "kid": "c" });
        let secret = json!({ "kty": "oct", "kid": "d", "k": "c2VjcmV0" });
        let encryption = json!({ "kty": "OKP", "crv": "Ed25519", "use": "enc", "x": "AAAA" });
        let set = json!({ "keys": [es256_jwk(&ec, "a"), ed_jwk, strange, secret, encryption, "nonsense"] });
        let keys = key_set(set.to_string().as_bytes()).unwrap();
        assert_eq!(keys.len(), 2);
        let by_ec = token(&json!({ "alg": "ES256", "kid": "a" }), &claims(), |text| {
            ec.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
        });
        assert_eq!(open::<Value>(&by_ec, &keys), Ok(claims()));
        let sign = |text: &[u8]| ed.sign(text).as_ref().to_vec();
        assert_eq!(open::<Value>(&token(&json!({ "alg": "EdDSA", "kid": "b" }), &claims(), sign), &keys), Ok(claims()));
        assert_eq!(open::<Value>(&token(&json!({ "alg": "EdDSA" }), &claims(), sign), &keys), Ok(claims()));
        // Another's name, another's algorithm, none at all.
        for header in [
            json!({ "alg": "EdDSA", "kid": "a" }),
            json!({ "alg": "ES256", "kid": "b" }),
            json!({ "alg": "none", "kid": "b" }),
            json!({ "alg": "EdDSA", "kid": "b", "crit": ["exp"] }),
        ] {
            assert_eq!(open::<Value>(&token(&header, &claims(), sign), &keys), Err(NotGenuine), "{header}");
        }
        assert!(key_set(b"no set").is_none());
    }

    #[test]
    fn a_public_key_is_no_secret() {
        let ed = eddsa();
        let public = ed.public_key().as_ref().to_vec();
        let confused = sign_hs256(&claims(), &public).unwrap();
        assert_eq!(open::<Value>(&confused, &[Key::EdDsa(public).into()]), Err(NotGenuine));
    }
}
