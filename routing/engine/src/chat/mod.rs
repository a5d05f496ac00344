//! What is written in chats. It flows beside the core, as sound does: the core decides who talks with whom, and hears
//! only that somebody wrote. A room is one chat that somebody looks at; the scribe keeps what is said, in batches.

mod doorkeeper;
mod face;
mod room;
mod scribe;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ringback_routing::ids::{ContactId, TenantId};
use ringback_store::{Store, StoreError};
use tokio::sync::mpsc;

use self::{doorkeeper::keep_door, room::Room};
pub use self::{
    face::ChatRoom,
    room::{Here, Standing},
};
use crate::plant::Plant;

/// All rooms, and the ways to those who work for them.
pub(crate) struct Chats {
    rooms: Mutex<HashMap<(TenantId, ContactId), Arc<Room>>>,
    epochs: Mutex<BTreeMap<TenantId, i64>>,
    scribe: mpsc::Sender<scribe::Order>,
    /// Rooms whose customer came or went.
    door: mpsc::UnboundedSender<Arc<Room>>,
}

impl Chats {
    /// The ends of the scribe and the doorkeeper are given to [`Chats::start`]'s tasks once the plant stands.
    pub fn new(waiting: usize) -> (Self, ChatTasks) {
        let (scribe, orders) = mpsc::channel(waiting.max(1));
        let (door, comings) = mpsc::unbounded_channel();
        (Self { rooms: Mutex::default(), epochs: Mutex::default(), scribe, door }, ChatTasks { orders, comings })
    }

    /// Under which epoch this node writes for the tenant.
    pub fn own(&self, tenant: &TenantId, epoch: i64) {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), epoch);
    }

    fn epoch(&self, tenant: &TenantId) -> Option<i64> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).copied()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<(TenantId, ContactId), Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room if somebody looks at it.
    pub fn find(&self, tenant: &TenantId, contact: ContactId) -> Option<Arc<Room>> {
        self.rooms().get(&(tenant.clone(), contact)).cloned()
    }

    /// The room, opened from the ledger if nobody looked at it so far.
    pub async fn open(&self, store: &Store, tenant: &TenantId, contact: ContactId) -> Result<Arc<Room>, StoreError> {
        if let Some(room) = self.find(tenant, contact) {
            return Ok(room);
        }
        let (last, customer, agent) = store.chat_standing(tenant, contact).await?;
        let fresh = Arc::new(Room::new(tenant.clone(), contact, last, customer, agent, self.door.clone()));
        // Two who open it at once share the first one.
        Ok(self.rooms().entry((tenant.clone(), contact)).or_insert(fresh).clone())
    }

    /// Lets go of what a room holds: its chat has been erased.
    pub fn forget(&self, tenant: &TenantId, contact: ContactId) {
        self.rooms().remove(&(tenant.clone(), contact));
    }

    fn all(&self) -> Vec<Arc<Room>> {
        self.rooms().values().cloned().collect()
    }

    /// Forgets the rooms nobody looks at; their chats are in the ledger.
    fn sweep(&self) {
        self.rooms().retain(|_, room| Arc::strong_count(room) > 1 || room.is_expected());
    }
}

/// What the scribe and the doorkeeper read from.
pub(crate) struct ChatTasks {
    orders: mpsc::Receiver<scribe::Order>,
    comings: mpsc::UnboundedReceiver<Arc<Room>>,
}

/// Starts both.
pub(crate) fn start(plant: &Arc<Plant>, tasks: ChatTasks) {
    tokio::spawn(scribe::write(plant.clone(), tasks.orders));
    tokio::spawn(keep_door(plant.clone(), tasks.comings));
}
