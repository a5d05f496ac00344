//! Keys that portals publish: fetched when they are needed, kept for an hour, looked for again when a token names one that
//! is not known. A portal that does not answer keeps only those waiting who are its own customers.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use ringback_engine::parts::IpNet;
use tokio::sync::Mutex;

use crate::{
    fetch::{FetchError, Fetcher},
    jws::{self, Key, NamedKey},
    webhooks::address,
};

const LIFE: Duration = Duration::from_secs(60 * 60);
/// A key that is not known is looked for again, at most so often: strangers' tokens must not make us ask without end.
const AGAIN: Duration = Duration::from_secs(30);

/// Who named an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedBy {
    /// The operator, in the file: it may be anywhere.
    Operator,
    /// An administrator, in the browser: it is a public one, or in a range that the operator allows.
    Administrator,
}

#[derive(Default)]
struct Set {
    keys: Vec<NamedKey>,
    asked: Option<Instant>,
}

type Sets = HashMap<(NamedBy, String), Arc<Mutex<Set>>>;

pub struct KeySets {
    fetcher: Fetcher,
    /// Ranges of this network that administrators may name all the same.
    reach: Vec<IpNet>,
    sets: std::sync::Mutex<Sets>,
}

impl KeySets {
    pub fn new(reach: Vec<IpNet>) -> Result<Self, FetchError> {
        Ok(Self { fetcher: Fetcher::new(None)?, reach, sets: std::sync::Mutex::default() })
    }

    /// The keys at these addresses that may have signed `token`. An address that does not answer keeps what it said last.
    pub async fn for_token(&self, by: NamedBy, addresses: &[String], token: &str) -> Vec<NamedKey> {
        let wanted = jws::key_id(token);
        let mut found = Vec::new();
        for address in addresses {
            found.extend(self.at(by, address, wanted.as_deref()).await);
        }
        found
    }

    async fn at(&self, by: NamedBy, address: &str, wanted: Option<&str>) -> Vec<NamedKey> {
        let place = {
            let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sets.entry((by, address.to_owned())).or_default())
        };
        let mut set = place.lock().await;
        let now = Instant::now();
        let has = wanted.is_none_or(|wanted| set.keys.iter().any(|key| key.id.as_deref() == Some(wanted)));
        let fresh = set.asked.is_some_and(|asked| now - asked < AGAIN || (has && now - asked < LIFE));
        if !fresh {
            set.asked = Some(now);
            match self.fetch(by, address).await.map(|text| jws::key_set(&text)) {
                Ok(Some(keys)) => set.keys = keys.into_iter().filter(|known| of_a_portal(&known.key)).collect(),
                Ok(None) => tracing::warn!(address, "a portal publishes no key set there"),
                Err(error) => tracing::warn!(address, %error, "a portal's keys cannot be fetched"),
            }
        }
        set.keys.clone()
    }

    async fn fetch(&self, by: NamedBy, url: &str) -> Result<Vec<u8>, FetchError> {
        match by {
            NamedBy::Operator => self.fetcher.get(url).await,
            NamedBy::Administrator => {
                let refused = |error: address::AddressError| FetchError::Unreachable(error.to_string());
                let target = address::target(url, &self.reach).await.map_err(refused)?;
                self.fetcher.get_from(url, &target).await
            }
        }
    }
}

fn of_a_portal(key: &Key) -> bool {
    matches!(key, Key::Es256(_) | Key::EdDsa(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_administrator_names_leads_nowhere_inside() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let inside = KeySets::new(Vec::new()).unwrap();
        let error = inside.fetch(NamedBy::Administrator, &url).await.unwrap_err();
        assert!(error.to_string().contains("not a public one"), "{error}");
        let asked = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(asked.is_err(), "nothing was spoken to");
    }
}
