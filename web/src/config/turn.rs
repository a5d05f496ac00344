//! `[media.turn]`: a relay (RFC 8656) for agents whose network lets no UDP out to us.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{check::Check, file::Secret};

/// Addresses of relays that browsers are told; each costs them time when they look for a path.
const MOST_URLS: usize = 8;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnTable {
    /// `turn:` and `turns:` addresses (RFC 7065).
    pub urls: Vec<String>,
    /// What the relay and we share; browsers get something made of it that is good for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<Spanned<PathBuf>>,
    /// For so long after it was given, in seconds. Each connection asks for its own.
    #[serde(default = "a_shift")]
    pub ttl_seconds: u32,
    /// Browsers use the relay and no other path.
    #[serde(default)]
    pub only: bool,
}

fn a_shift() -> u32 {
    43_200
}

/// A relay with its secret read.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub urls: Vec<String>,
    pub secret: Secret,
    pub ttl_seconds: u32,
    pub only: bool,
}

impl Check<'_> {
    pub(super) fn turn(&mut self, table: Option<&TurnTable>) -> Option<Turn> {
        let table = table?;
        let known = |url: &String| {
            let rest = url.strip_prefix("turn:").or_else(|| url.strip_prefix("turns:"));
            rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
        };
        if table.urls.is_empty() || table.urls.len() > MOST_URLS || !table.urls.iter().all(known) {
            self.about("media.turn.urls", "must be 1 to 8 addresses like turn:turn.example.gov:3478?transport=tcp");
        }
        if !(60..=604_800).contains(&table.ttl_seconds) {
            self.about("media.turn.ttl_seconds", "must be 60 to 604800");
        }
        let secret = match (&table.secret, &table.secret_file) {
            (Some(secret), None) => Some(secret.clone()),
            (None, Some(path)) => self.secret_file(path).map(Secret::new),
            _ => {
                self.about("media.turn.secret", "give either secret or secret_file");
                None
            }
        };
        let secret = secret?;
        if secret.reveal().is_empty() {
            self.about("media.turn.secret", "must not be empty");
        }
        Some(Turn { urls: table.urls.clone(), secret, ttl_seconds: table.ttl_seconds, only: table.only })
    }
}
