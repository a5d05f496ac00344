//! What all tenants' hands work with: the SIP endpoint, the media threads, the recorder, and the books about them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use ringback_media::Media;
use ringback_recorder::Recorder;
use ringback_routing::{
    event::Event,
    ids::{AgentId, TenantId},
};
use ringback_signaling::Signaling;
use ringback_store::Store;
use tokio::sync::{mpsc, watch};

use crate::{
    alarms::Alarms,
    arrivals::Reception,
    channels::Channels,
    chat::Chats,
    clock::Clock,
    config::EngineLimits,
    desks::{Desks, Touched},
    dialogs::DialogWriter,
    gate::DialGate,
    legs::LegBook,
    metrics::Metrics,
    owner::{Ask, Letter},
    phones::Phones,
    trunk_tally::TrunkTally,
};

/// The ends that lead to one tenant's owner.
pub(crate) struct Door {
    pub pages: mpsc::Sender<Letter>,
    pub legs: mpsc::Sender<Event>,
    pub asks: mpsc::Sender<Ask>,
    pub version: watch::Sender<u64>,
    pub desks: Arc<Desks>,
}

/// The doors of all tenants. One that is open stays so until the process ends.
#[derive(Default)]
pub(crate) struct Doors(RwLock<BTreeMap<TenantId, Arc<Door>>>);

impl Doors {
    pub fn get(&self, tenant: &TenantId) -> Option<Arc<Door>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    pub fn open(&self, tenant: TenantId, door: Door) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, Arc::new(door));
    }
}

pub(crate) struct Plant {
    pub node: String,
    pub clock: Clock,
    pub store: Store,
    pub signaling: Signaling,
    pub media: Media,
    pub recorder: Recorder,
    pub recordings_root: std::path::PathBuf,
    pub prompts: std::sync::RwLock<crate::prompts::PromptLibrary>,
    pub gate: Arc<dyn DialGate>,
    pub caller_ids: RwLock<BTreeMap<TenantId, String>>,
    pub reception: Arc<dyn Reception>,
    pub limits: EngineLimits,
    pub alarms: Arc<Alarms>,
    pub metrics: Arc<Metrics>,
    pub dialogs: DialogWriter,
    pub doors: Doors,
    pub books: Arc<Books>,
    pub chats: Chats,
    pub trunk_tally: TrunkTally,
}

/// The books, each under its own short-lived lock; never two at once.
#[derive(Default)]
pub(crate) struct Books {
    legs: Mutex<LegBook>,
    phones: Mutex<Phones>,
    channels: Mutex<Channels>,
}

impl Books {
    pub fn new(channels: Channels) -> Self {
        Self { channels: Mutex::new(channels), ..Self::default() }
    }

    // A panic while a lock was held leaves the book as it was: its methods change it in one step.
    pub fn legs(&self) -> MutexGuard<'_, LegBook> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub fn phones(&self) -> MutexGuard<'_, Phones> {
        self.phones.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plant {
    pub fn prompts(&self) -> std::sync::RwLockReadGuard<'_, crate::prompts::PromptLibrary> {
        self.prompts.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What customers of the tenant are shown in place of a line's own number.
    pub fn caller_id(&self, tenant: &TenantId) -> Option<String> {
        self.caller_ids.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    /// Tells a tenant's core what happened on a leg. Waits while its box is full; never loses.
    pub async fn tell(&self, tenant: &TenantId, event: Event) {
        if let Some(door) = self.doors.get(tenant) {
            // The owner ends only when the server does.
            let _ = door.legs.send(event).await;
        }
    }

    /// Something about the agent's phone has changed that its page shows.
    pub fn ring_desk(&self, tenant: &TenantId, agent: &AgentId) {
        let Some(door) = self.doors.get(tenant) else { return };
        door.version.send_modify(|version| *version += 1);
        let mut touched = Touched::default();
        touched.add(agent);
        door.desks.ring(&touched, *door.version.borrow());
    }

    /// The agent's health as it is now, told to the core.
    pub async fn tell_health(&self, tenant: &TenantId, agent: &AgentId) {
        let known = self.books.phones().get(tenant, agent).map(|phone| (phone.session.clone(), phone.health()));
        if let Some((session, health)) = known {
            self.tell(tenant, Event::AgentHealth { agent: agent.clone(), session, health }).await;
        }
    }
}
