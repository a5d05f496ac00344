//! Keeps what is said: takes what waits, commits it as one batch, and only then shows and acknowledges it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use ringback_routing::ids::TenantId;
use ringback_store::{ChatMark, ChatMessage, ChatSender, ChatSide, Kept, NewMessage, StoreError};
use tokio::sync::{mpsc, oneshot};

use super::room::Room;
use crate::{error::EngineError, plant::Plant};

/// Most orders in one batch.
const BATCH: usize = 256;
/// After a batch the next one gathers for so long: a commit costs a write to the disk whether it holds one message or a
/// hundred.
const GATHER: Duration = Duration::from_millis(2);

pub(super) enum Order {
    Say {
        room: Arc<Room>,
        sender: ChatSender,
        client_id: String,
        body: String,
        reply: oneshot::Sender<Result<Kept, EngineError>>,
    },
    /// The marks of this side grew.
    Mark { room: Arc<Room>, side: ChatSide },
}

/// A message that waits for its batch.
struct Saying {
    room: Arc<Room>,
    message: NewMessage,
    reply: oneshot::Sender<Result<Kept, EngineError>>,
}

/// Runs until the engine ends.
pub(super) async fn write(plant: Arc<Plant>, mut orders: mpsc::Receiver<Order>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while orders.recv_many(&mut waiting, BATCH).await > 0 {
        batch(&plant, &mut waiting).await;
        tokio::time::sleep(GATHER).await;
    }
}

async fn batch(plant: &Plant, waiting: &mut Vec<Order>) {
    let now = plant.clock.now();
    let (mut sayings, mut marks) = (Vec::new(), BTreeMap::new());
    for order in waiting.drain(..) {
        match order {
            Order::Say { room, sender, client_id, body, reply } => {
                let message =
                    NewMessage { tenant: room.tenant.clone(), contact: room.contact, sender, client_id, at: now, body };
                sayings.push(Saying { room, message, reply });
            }
            // Several marks of one side are one row.
            Order::Mark { room, side } => {
                let marks_now = room.marks(side);
                let mark = ChatMark { tenant: room.tenant.clone(), contact: room.contact, side, marks: marks_now };
                marks.insert((room.tenant.clone(), room.contact, side), mark);
            }
        }
    }
    let tenants = sayings.iter().map(|saying| &saying.message.tenant).chain(marks.keys().map(|(tenant, ..)| tenant));
    let epochs: BTreeMap<TenantId, i64> =
        tenants.filter_map(|tenant| Some((tenant.clone(), plant.chats.epoch(tenant)?))).collect();
    let messages = sayings.iter().map(|saying| saying.message.clone()).collect();
    let fate = plant.store.keep_chat(epochs, messages, marks.into_values().collect()).await;
    if let Err(error) = &fate {
        tracing::error!(%error, messages = sayings.len(), "a batch of chat messages was not kept");
        plant.metrics.chat_failures.add(1);
    }
    let mut kept = fate.map(Vec::into_iter);
    for saying in sayings {
        let outcome = match &mut kept {
            Ok(kept) => kept.next().unwrap_or(Err(StoreError::Closed)),
            Err(error) => Err(error.clone()),
        };
        answer(plant, saying, outcome);
    }
}

fn answer(plant: &Plant, saying: Saying, outcome: Result<Kept, StoreError>) {
    let Saying { room, message, reply } = saying;
    let answer = match outcome {
        Ok(kept) => {
            show(plant, &room, message, kept);
            Ok(kept)
        }
        Err(_) => Err(EngineError::Unavailable { why: "the ledger does not take chat messages at the moment" }),
    };
    // Whoever said it may have gone; it stands all the same.
    let _ = reply.send(answer);
}

fn show(plant: &Plant, room: &Room, message: NewMessage, kept: Kept) {
    let NewMessage { sender, client_id, body, .. } = message;
    room.kept(ChatMessage { seq: kept.seq, sender, client_id, at: kept.at, body });
    plant.metrics.chat_messages.add(1);
    if room.is_activity(Instant::now()) {
        super::doorkeeper::tell_activity(plant, room);
    }
}
