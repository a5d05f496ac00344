//! The chats of one desk: which rooms the tab sits in, and what it has not been told yet.

use std::{collections::BTreeMap, sync::Arc};

use ringback_engine::{ChatRoom, Standing};
use ringback_routing::{
    contact::Channel,
    ids::{ContactId, TenantId},
    view::AgentView,
};
use ringback_store::ChatSide;
use tokio::sync::Notify;

use super::message::ServerMessage;
use crate::{
    http::chat::{ChatLine, Names},
    state::App,
};

/// Messages in one frame.
const PAGE: u32 = 100;

#[derive(Default)]
pub(super) struct Chats {
    seats: BTreeMap<ContactId, Seat>,
    /// What a returning tab says it has.
    known: BTreeMap<ContactId, u64>,
    names: Names,
    bell: Arc<Notify>,
}

struct Seat {
    room: ChatRoom,
    sent: u64,
    shown: Option<Standing>,
}

impl Chats {
    pub(super) fn bell(&self) -> Arc<Notify> {
        self.bell.clone()
    }

    pub(super) fn has(&mut self, known: BTreeMap<ContactId, u64>) {
        self.known = known;
    }

    /// A seat in the room of each chat on the desk, and in no other.
    pub(super) async fn sit(&mut self, app: &App, tenant: &TenantId, view: &AgentView) {
        let on_desk = |id: ContactId| view.contacts.iter().any(|contact| contact.id == id);
        self.seats.retain(|id, _| on_desk(*id));
        for contact in view.contacts.iter().filter(|contact| contact.channel == Channel::Chat) {
            if self.seats.contains_key(&contact.id) {
                continue;
            }
            // A ledger that cannot be read now is read at the next change.
            let Ok(room) = app.engine.chat_room(tenant, contact.id).await else { continue };
            room.follow(&self.bell);
            let sent = self.known.remove(&contact.id).unwrap_or(0);
            self.seats.insert(contact.id, Seat { room, sent, shown: None });
        }
    }

    pub(super) async fn news(&mut self, app: &App, tenant: &TenantId) -> Vec<ServerMessage> {
        let mut news = Vec::new();
        for (contact, seat) in &mut self.seats {
            seat.news(*contact, &mut news).await;
        }
        for message in &mut news {
            if let ServerMessage::ChatMessages { messages, .. } = message {
                self.names.put_on(app, tenant, messages).await;
            }
        }
        news
    }

    pub(super) fn seen(&self, contact: ContactId, delivered: u64, seen: u64) {
        if let Some(seat) = self.seats.get(&contact) {
            seat.room.mark(ChatSide::Agent, delivered, seen);
        }
    }

    pub(super) fn typing(&self, contact: ContactId) {
        if let Some(seat) = self.seats.get(&contact) {
            seat.room.typing(ChatSide::Agent);
        }
    }
}

impl Seat {
    async fn news(&mut self, contact: ContactId, news: &mut Vec<ServerMessage>) {
        let standing = self.room.standing();
        let shown = self.shown.replace(standing);
        while self.sent < standing.last {
            let Ok(messages) = self.room.messages(self.sent, PAGE).await else { break };
            let Some(upto) = messages.last().map(|message| message.seq) else { break };
            self.sent = upto;
            let messages = messages.iter().map(|message| ChatLine::of(message)).collect();
            news.push(ServerMessage::ChatMessages { contact, messages, upto });
        }
        let beside = |standing: &Standing| (standing.customer, standing.customer_here);
        if shown.as_ref().map(beside) != Some(beside(&standing)) {
            news.push(ServerMessage::ChatStanding {
                contact,
                delivered: standing.customer.delivered,
                seen: standing.customer.seen,
                here: standing.customer_here,
            });
        }
        if shown.is_some_and(|shown| shown.customer_typing != standing.customer_typing) {
            news.push(ServerMessage::ChatTyping { contact });
        }
    }
}
