//! Keys that portals publish: fetched when they are needed, kept for an hour, looked for again when a token names one that
//! is not known.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::{
    fetch::{FetchError, Fetcher},
    jws::{self, Key, NamedKey},
};

const LIFE: Duration = Duration::from_secs(60 * 60);
/// A key that is not known is looked for again, at most so often: strangers' tokens must not make us ask without end.
const AGAIN: Duration = Duration::from_secs(30);

struct Set {
    keys: Vec<NamedKey>,
    at: Instant,
}

pub struct KeySets {
    fetcher: Fetcher,
    sets: Mutex<HashMap<String, Set>>,
}

impl KeySets {
    pub fn new() -> Result<Self, FetchError> {
        Ok(Self { fetcher: Fetcher::new(None)?, sets: Mutex::new(HashMap::new()) })
    }

    /// The keys at these addresses that may have signed `token`. An address that does not answer keeps what it said last.
    pub async fn for_token(&self, addresses: &[String], token: &str) -> Vec<NamedKey> {
        let wanted = jws::key_id(token);
        let mut found = Vec::new();
        for address in addresses {
            found.extend(self.at(address, wanted.as_deref()).await);
        }
        found
    }

    async fn at(&self, address: &str, wanted: Option<&str>) -> Vec<NamedKey> {
        let mut sets = self.sets.lock().await;
        let now = Instant::now();
        let fresh = sets.get(address).is_some_and(|set| {
            let has = wanted.is_none_or(|wanted| set.keys.iter().any(|key| key.id.as_deref() == Some(wanted)));
            let age = now - set.at;
            age < AGAIN || (has && age < LIFE)
        });
        if !fresh {
            let answer = self.fetcher.get(address).await;
            let set = sets.entry(address.to_owned()).or_insert(Set { keys: Vec::new(), at: now });
            set.at = now;
            match answer.map(|text| jws::key_set(&text)) {
                Ok(Some(keys)) => set.keys = keys.into_iter().filter(|known| of_a_portal(&known.key)).collect(),
                Ok(None) => tracing::warn!(address, "a portal publishes no key set there"),
                Err(error) => tracing::warn!(address, %error, "a portal's keys cannot be fetched"),
            }
        }
        sets.get(address).map(|set| set.keys.clone()).unwrap_or_default()
    }
}

fn of_a_portal(key: &Key) -> bool {
    matches!(key, Key::Es256(_) | Key::EdDsa(_))
}
