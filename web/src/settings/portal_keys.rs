//! Public keys of a tenant's portal, brought in by its administrators beside those that the operator set: as text, or the
//! address where the portal publishes them. Secrets have no place in versions, so that only public keys are taken.

use ringback_engine::parts::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Around, is_name, lists::Entry};
use crate::{config::public_keys, jws::NamedKey, webhooks::address};

/// Longest text of keys, in bytes: a set of 32 keys has some KiB.
const MAX_TEXT: usize = 16 * 1024;
/// Longest address, in bytes.
const MAX_ADDRESS: usize = 500;
/// Each of them is asked whenever a token names an unknown key.
pub(super) const MOST_ADDRESSES: usize = 4;

/// A key, or where keys are published; one of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortalKey {
    /// For the people here.
    pub name: String,
    /// A public key as PEM (P-256 or Ed25519), or a JWK Set of such.
    #[serde(default)]
    pub key: Option<String>,
    /// https, of a JWK Set.
    #[serde(default)]
    pub address: Option<String>,
}

/// What administrators brought in, and the keys that are in it.
#[derive(Debug, Clone, Default)]
pub struct OwnPortal {
    pub entries: Vec<PortalKey>,
    pub keys: Vec<NamedKey>,
    pub addresses: Vec<String>,
}

impl OwnPortal {
    pub fn of(entries: Vec<PortalKey>) -> Self {
        let keys = entries.iter().filter_map(|entry| entry.key.as_deref()).flat_map(public_keys).collect();
        let addresses = entries.iter().filter_map(|entry| entry.address.clone()).collect();
        Self { entries, keys, addresses }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.addresses.is_empty()
    }
}

/// Whether the text holds what only the portal may know.
fn holds_secret(text: &str) -> bool {
    let set: Value = serde_json::from_str(text).unwrap_or_default();
    let keys = set["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    text.contains("PRIVATE KEY") || keys.iter().any(|key| !key["d"].is_null() || !key["k"].is_null())
}

fn is_key(text: &str) -> bool {
    text.len() <= MAX_TEXT && !holds_secret(text) && !public_keys(text).is_empty()
}

fn is_address(url: &str, reach: &[IpNet]) -> bool {
    url.len() <= MAX_ADDRESS && address::fault(url, reach).is_none()
}

impl Entry for PortalKey {
    fn key(&self) -> &str {
        &self.name
    }

    fn fault(&self, around: &Around<'_>) -> Option<&'static str> {
        if !is_name(&self.name) {
            return Some("name");
        }
        match (&self.key, &self.address) {
            (Some(text), None) => (!is_key(text)).then_some("key"),
            (None, Some(url)) => (!is_address(url, around.reach)).then_some("address"),
            _ => Some("key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    const SET: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[test]
    fn public_keys_are_read_and_secrets_are_not_taken() {
        assert_eq!(OwnPortal::of(vec![entry(PEM), entry(SET)]).keys.len(), 2);
        for (text, fits) in [
            (PEM.to_owned(), true),
            (SET.to_owned(), true),
            ("no key".to_owned(), false),
            (r#"{"keys":[]}"#.to_owned(), false),
            (SET.replace("\"kid\"", "\"d\":\"AAAA\",\"kid\""), false),
            (r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#.to_owned(), false),
            (format!("{PEM}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), false),
            (format!("{PEM}{}", "\n".repeat(MAX_TEXT)), false),
        ] {
            assert_eq!(is_key(&text), fits, "{text}");
        }
    }

    #[test]
    fn keys_are_not_fetched_from_inside_the_network() {
        let local: IpNet = "127.0.0.1/32".parse().unwrap();
        assert!(is_address("https://portal.example.gov/jwks.json", &[]));
        for url in ["http://portal.example.gov/jwks.json", "https://127.0.0.1/jwks", "https://10.0.0.7/", "file:///etc"]
        {
            assert!(!is_address(url, &[]), "{url}");
        }
        assert!(is_address("http://127.0.0.1:8090/jwks", &[local]));
    }

    fn entry(key: &str) -> PortalKey {
        PortalKey { name: "n".into(), key: Some(key.into()), address: None }
    }
}
