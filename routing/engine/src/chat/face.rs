//! A chat as the pages hold it.

use std::{sync::Arc, time::Duration};

use ringback_routing::ids::{ContactId, TenantId};
use ringback_store::{ChatMarks, ChatMessage, ChatSender, ChatSide, Kept, StoreError};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    room::{Here, Room, Standing},
    scribe::Order,
};
use crate::{Engine, error::EngineError, plant::Plant};

/// A handle on one chat. Whoever holds it has been let in: what is said is not checked here again.
#[derive(Clone)]
pub struct ChatRoom {
    plant: Arc<Plant>,
    room: Arc<Room>,
}

impl Engine {
    /// The chat of a contact, whether or not it is over.
    pub async fn chat_room(&self, tenant: &TenantId, contact: ContactId) -> Result<ChatRoom, EngineError> {
        let opened = self.plant.chats.open(&self.plant.store, tenant, contact).await;
        let room = opened.map_err(|_| EngineError::Unavailable { why: "the ledger cannot be read" })?;
        Ok(ChatRoom { plant: self.plant.clone(), room })
    }

    /// What was written in a chat has been erased: nothing of it stays in memory.
    pub fn forget_chat(&self, tenant: &TenantId, contact: ContactId) {
        self.plant.chats.forget(tenant, contact);
    }
}

impl ChatRoom {
    /// Keeps a message and says its number; `Ok` means it is on disk. The same `client_id` of the same sender is the same
    /// message: it is kept once and answered alike.
    pub async fn say(&self, sender: ChatSender, client_id: String, body: String) -> Result<Kept, EngineError> {
        let (reply, answer) = oneshot::channel();
        let order = Order::Say { room: self.room.clone(), sender, client_id, body, reply };
        self.plant.chats.scribe.try_send(order).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => EngineError::Unavailable { why: "too many messages are waiting" },
            mpsc::error::TrySendError::Closed(_) => EngineError::Unavailable { why: "the server is stopping" },
        })?;
        answer.await.map_err(|_| EngineError::Unavailable { why: "the server is stopping" })?
    }

    /// The side was given, and has seen, the messages up to these numbers.
    pub fn mark(&self, side: ChatSide, delivered: u64, seen: u64) {
        if self.room.mark(side, ChatMarks { delivered, seen }) {
            // With a full queue the row stays behind; the next mark brings it up.
            let _ = self.plant.chats.scribe.try_send(Order::Mark { room: self.room.clone(), side });
        }
    }

    pub fn typing(&self, side: ChatSide) {
        self.room.typing(side);
    }

    pub fn standing(&self) -> Standing {
        self.room.standing()
    }

    /// The messages after `after`, in order, at most `limit`.
    pub async fn messages(&self, after: u64, limit: u32) -> Result<Vec<Arc<ChatMessage>>, StoreError> {
        if let Some(at_hand) = self.room.at_hand(after) {
            return Ok(at_hand);
        }
        let rows = self.plant.store.chat_messages(&self.room.tenant, self.room.contact, after, limit).await?;
        Ok(rows.into_iter().map(Arc::new).collect())
    }

    /// Wakes `follower` after every change from now on, as long as it lives.
    pub fn follow(&self, follower: &Arc<Notify>) {
        self.room.follow(follower);
    }

    /// The customer is connected as long as what is returned lives.
    pub fn enter(&self) -> Here {
        self.room.enter()
    }

    /// The chat was just asked for, and its customer's page is expected within `patience`.
    pub fn welcome(&self, patience: Duration) {
        self.room.welcome(patience);
    }

    /// The customer asked without keeping a connection, and is expected to ask again within `patience`.
    pub fn expect(&self, patience: Duration) {
        self.room.expect(patience);
    }
}
