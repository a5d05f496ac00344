//! What every handler shares.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicU64},
    time::Instant,
};

use ringback_engine::Engine;
use ringback_routing::{
    ids::{AgentId, SessionId, TenantId},
    time::Timestamp,
};
use ringback_store::{Store, StoreError};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::{
    assets::Assets,
    config::{Face, LimitsTable, ServerConfig, Tenant, Trunk},
    fetch::FetchError,
    gate::Gate,
    key_sets::KeySets,
    lockout::Lockouts,
    oidc::Provider,
    rate::{Allowance, RateLimiter},
    reception::Switchboard,
    token, webhooks,
};

/// The one handle of all handlers; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

pub struct Shared {
    pub begun: Instant,
    pub config: ServerConfig,
    pub engine: Engine,
    pub store: Store,
    pub faces: Faces,
    /// Origins whose pages may change things: our own.
    pub origins: Vec<String>,
    pub assets: Assets,
    /// Made once per installation; keys digests of numbers and form tokens.
    pub installation_key: Vec<u8>,
    pub rates: Rates,
    pub gate: Arc<Gate>,
    pub switchboard: Arc<Switchboard>,
    pub password_checks: Arc<Semaphore>,
    pub streams: Arc<Semaphore>,
    pub sockets: Arc<Semaphore>,
    pub chat_sockets: Arc<Semaphore>,
    /// Whose sockets and streams have to end.
    pub revoked: broadcast::Sender<Revoked>,
    pub lockouts: Lockouts,
    /// Where staff sign in with their corporate accounts, if anywhere.
    pub oidc: Option<Provider>,
    pub key_sets: KeySets,
    pub desks: Desks,
    /// All carriers, also those that were connected since the start.
    pub trunks: Mutex<Vec<Trunk>>,
    /// Settings are changed one after the other.
    pub settings_turn: tokio::sync::Mutex<()>,
    /// True once the server goes down: live calls go on.
    pub draining: watch::Sender<bool>,
    /// True once the calls are over: sockets and streams end.
    pub closing: watch::Sender<bool>,
    pub stream_places: StreamPlaces,
    pub counters: Counters,
    /// When which listening was last written to the audit: the many ranges of one playback are one listening.
    pub listened: Mutex<HashMap<String, Instant>>,
    /// The demo portal, in the demo only.
    pub demo: Option<crate::demo::portal::DemoPortal>,
}

/// What the engine asks about calls: whether one may be placed, and whose one is that comes in.
pub struct Judges {
    pub gate: Arc<Gate>,
    pub switchboard: Arc<Switchboard>,
}

impl Judges {
    pub fn new(config: &ServerConfig, store: &Store, installation_key: &[u8]) -> Self {
        Self {
            gate: Arc::new(Gate::new(config, store.clone(), installation_key.to_owned())),
            switchboard: Switchboard::new(config, installation_key.to_owned()),
        }
    }
}

/// The servers of others that are asked.
pub struct Outside {
    pub oidc: Option<Provider>,
    pub key_sets: KeySets,
}

impl Outside {
    pub fn new(config: &ServerConfig) -> Result<Self, FetchError> {
        let oidc = config.oidc.clone().map(|oidc| Provider::new(oidc, &config.origin)).transpose()?;
        Ok(Self { oidc, key_sets: KeySets::new(webhooks::named(&config.file))? })
    }
}

/// What no longer holds; sent as it happens. Whoever misses it looks into the ledger every few seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// The session of this token's digest.
    Session(String),
    /// Every session of this person.
    User(AgentId),
}

impl Revoked {
    pub fn ends(&self, session: &ringback_store::Session) -> bool {
        match self {
            Self::Session(digest) => *digest == session.token_digest,
            Self::User(user) => *user == session.user,
        }
    }
}

/// The named rates, each per client address.
pub struct Rates {
    pub login: RateLimiter<IpAddr>,
    pub callbacks: RateLimiter<IpAddr>,
    pub number: RateLimiter<String>,
    pub pages: RateLimiter<IpAddr>,
    pub public_api: RateLimiter<IpAddr>,
    pub staff_api: RateLimiter<IpAddr>,
    pub chat_api: RateLimiter<IpAddr>,
    /// Messages, by the digest of the chat's link.
    pub chat: RateLimiter<String>,
}

impl Rates {
    pub fn new(limits: &LimitsTable) -> Self {
        let per_minute = |burst| RateLimiter::new(Allowance::per_minute(burst), limits.rate_addresses);
        Self {
            login: per_minute(limits.logins_per_minute),
            callbacks: per_minute(limits.callbacks_per_minute),
            number: RateLimiter::new(Allowance::per_hour(limits.callbacks_per_number_per_hour), limits.rate_addresses),
            pages: per_minute(limits.pages_per_minute),
            public_api: per_minute(limits.public_api_per_minute),
            staff_api: per_minute(limits.staff_api_per_minute),
            chat_api: per_minute(limits.chat_api_per_minute),
            chat: RateLimiter::new(Allowance::per_minute(limits.chat_messages_per_minute), limits.chat_sockets.max(1)),
        }
    }
}

/// Counted since the start, shown in /metrics.
#[derive(Debug, Default)]
pub struct Counters {
    pub requests: AtomicU64,
    pub refused: AtomicU64,
    pub rate_limited: AtomicU64,
    pub failed: AtomicU64,
    pub connections: AtomicU64,
    pub sockets: AtomicU64,
    pub streams: AtomicU64,
}

/// What the pages need to know of each tenant: changed while the server runs, so that whoever asks gets the one that holds
/// at that moment.
#[derive(Debug, Default)]
pub struct Faces(RwLock<BTreeMap<TenantId, Arc<Face>>>);

impl Faces {
    pub fn new(faces: impl Iterator<Item = (TenantId, Face)>) -> Self {
        Self(RwLock::new(faces.map(|(id, face)| (id, Arc::new(face))).collect()))
    }

    pub fn get(&self, tenant: &TenantId) -> Option<Arc<Face>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    pub fn set(&self, tenant: TenantId, face: Face) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, Arc::new(face));
    }

    /// All tenants there are, by id.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// Which tabs of which agents have a live socket.
#[derive(Debug, Default)]
pub struct Desks(Mutex<HashMap<(TenantId, AgentId), Vec<SessionId>>>);

impl Desks {
    pub fn enter(&self, tenant: &TenantId, agent: &AgentId, session: &SessionId) {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.entry((tenant.clone(), agent.clone())).or_default().push(session.clone());
    }

    /// Takes one entry of the session away; a reloaded tab may have another.
    pub fn leave(&self, tenant: &TenantId, agent: &AgentId, session: &SessionId) {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.clone(), agent.clone());
        if let Some(sessions) = desks.get_mut(&key) {
            if let Some(index) = sessions.iter().position(|known| known == session) {
                sessions.swap_remove(index);
            }
            if sessions.is_empty() {
                desks.remove(&key);
            }
        }
    }

    pub fn is_live(&self, tenant: &TenantId, agent: &AgentId, session: &SessionId) -> bool {
        let desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.get(&(tenant.clone(), agent.clone())).is_some_and(|sessions| sessions.contains(session))
    }
}

/// How many event streams each address has open.
#[derive(Debug, Default)]
pub struct StreamPlaces(Mutex<HashMap<IpAddr, usize>>);

impl StreamPlaces {
    /// Takes a place unless `address` has `limit` already.
    pub fn take(&self, address: IpAddr, limit: usize) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = places.entry(address).or_default();
        if *taken >= limit {
            return false;
        }
        *taken += 1;
        true
    }

    pub fn give_back(&self, address: IpAddr) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = places.get_mut(&address) {
            *taken -= 1;
            if *taken == 0 {
                places.remove(&address);
            }
        }
    }
}

/// Name of the setting that holds the installation's key.
const KEY_SETTING: &str = "installation_key";

/// The key all number digests are made with: made at the first start, the same ever after.
pub async fn installation_key(store: &Store) -> Result<Vec<u8>, StoreError> {
    let fresh = token::random().map_err(|error| StoreError::Io(error.to_string().into()))?;
    Ok(store.setting_or_insert(None, KEY_SETTING, &fresh).await?.into_bytes())
}

impl App {
    pub fn new(
        config: ServerConfig,
        engine: Engine,
        store: Store,
        installation_key: Vec<u8>,
        judges: Judges,
        outside: Outside,
        demo: Option<crate::demo::portal::DemoPortal>,
    ) -> Self {
        let limits = config.file.limits.clone();
        let mut origins = vec![config.origin.clone()];
        if demo.is_some() {
            origins.extend(crate::demo::loopback_origins(&config));
        }
        Self(Arc::new(Shared {
            begun: Instant::now(),
            faces: Faces::new(config.tenants.iter().map(|tenant| (tenant.core.id.clone(), tenant.face.clone()))),
            origins,
            assets: Assets::load(),
            installation_key,
            rates: Rates::new(&limits),
            gate: judges.gate,
            switchboard: judges.switchboard,
            password_checks: Arc::new(Semaphore::new(limits.password_checks)),
            streams: Arc::new(Semaphore::new(limits.event_streams)),
            sockets: Arc::new(Semaphore::new(limits.agent_sockets)),
            chat_sockets: Arc::new(Semaphore::new(limits.chat_sockets)),
            revoked: broadcast::Sender::new(256),
            lockouts: Lockouts::default(),
            oidc: outside.oidc,
            key_sets: outside.key_sets,
            desks: Desks::default(),
            trunks: Mutex::new(config.trunks.clone()),
            settings_turn: tokio::sync::Mutex::default(),
            draining: watch::Sender::new(false),
            closing: watch::Sender::new(false),
            stream_places: StreamPlaces::default(),
            counters: Counters::default(),
            listened: Mutex::new(HashMap::new()),
            demo,
            config,
            engine,
            store,
        }))
    }

    /// The wall clock, read at this edge only.
    pub fn now(&self) -> Timestamp {
        crate::start::wall_clock()
    }

    /// A tenant as it is now.
    pub async fn tenant(&self, id: &TenantId) -> Option<Tenant> {
        let face = self.faces.get(id)?;
        let core = self.engine.config(id).await.ok()?;
        Some(Tenant { core: (*core).clone(), face: (*face).clone() })
    }

    pub fn limits(&self) -> &LimitsTable {
        &self.config.file.limits
    }
}
