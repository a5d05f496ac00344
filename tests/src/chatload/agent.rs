//! An agent: signs in, takes every chat that is offered, writes in each at a pace.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Floor,
    line::{Outbox, Socket, connect, hear, pause, send},
};
use crate::load::{Failure, server::session_cookie};

const TEXT: &str = "Thank you. I am looking at your file now; it will take a moment.";

/// One chat on the desk.
struct Chat {
    outbox: Outbox,
    next: Instant,
    upto: u64,
    connected: bool,
}

struct Desk {
    floor: Arc<Floor>,
    number: usize,
    chats: BTreeMap<String, Chat>,
    accepted: Value,
    counted: bool,
}

pub(super) async fn work(floor: Arc<Floor>, number: usize) -> Result<(), Failure> {
    let cookie = session_cookie(number);
    let mut desk = Desk { floor, number, chats: BTreeMap::new(), accepted: Value::Null, counted: false };
    loop {
        if let Ok(mut socket) = connect(desk.floor.port, "/ws", "ringback.v1", Some(&cookie)).await {
            // Whatever broke it, the next connection goes on where this one ended.
            let _ = desk.serve(&mut socket).await;
        }
        pause().await;
    }
}

impl Desk {
    async fn serve(&mut self, socket: &mut Socket) -> Result<(), Failure> {
        let known: BTreeMap<&String, u64> = self.chats.iter().map(|(contact, chat)| (contact, chat.upto)).collect();
        let session = format!("load-{}", self.number);
        send(socket, &json!({ "type": "hello", "session": session, "after": null, "chats": known })).await?;
        send(socket, &json!({ "type": "pong", "id": 0, "microphone": false, "media": false })).await?;
        if !self.counted {
            send(socket, &json!({ "type": "state", "state": "ready", "ref": 1 })).await?;
        }
        for (contact, chat) in &self.chats {
            for id in chat.outbox.waiting() {
                say(socket, contact, &id).await?;
            }
        }
        loop {
            let due = self.chats.values().map(|chat| chat.next).min();
            let due = due.map_or(Duration::from_secs(1), |at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                message = hear(socket) => self.take(socket, &message?).await?,
                () = tokio::time::sleep(due.max(Duration::from_millis(1))) => self.write(socket).await?,
            }
        }
    }

    async fn write(&mut self, socket: &mut Socket) -> Result<(), Failure> {
        let now = Instant::now();
        let writing = self.floor.writing.load(Relaxed);
        for (contact, chat) in self.chats.iter_mut().filter(|(_, chat)| chat.next <= now) {
            chat.next = (chat.next + self.floor.pace).max(now);
            if writing && chat.connected {
                let id = chat.outbox.push();
                say(socket, contact, &id).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, socket: &mut Socket, message: &Value) -> Result<(), Failure> {
        let contact = message["contact"].as_str().unwrap_or_default();
        match message["type"].as_str() {
            Some("ping") => {
                let pong = json!({ "type": "pong", "id": message["id"], "microphone": false, "media": false });
                send(socket, &pong).await?;
            }
            Some("snapshot") => self.look(socket, &message["agent"]).await?,
            Some("chat_said") => {
                let id = message["client_id"].as_str().unwrap_or_default();
                if let Some(chat) = self.chats.get_mut(contact)
                    && let Some(took) = chat.outbox.acknowledged(id)
                {
                    self.floor.tally.agent_acknowledged(contact, id, took);
                }
            }
            Some("chat_messages") => {
                let Some(chat) = self.chats.get_mut(contact) else { return Ok(()) };
                chat.upto = message["upto"].as_u64().unwrap_or(chat.upto);
                for line in message["messages"].as_array().into_iter().flatten() {
                    self.floor.tally.arrived(contact, "agent", line);
                }
                let seen =
                    json!({ "type": "chat_seen", "contact": contact, "delivered": chat.upto, "seen": chat.upto });
                send(socket, &seen).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn look(&mut self, socket: &mut Socket, agent: &Value) -> Result<(), Failure> {
        if !self.counted && agent["presence"] == "ready" {
            self.counted = true;
            self.floor.ready.fetch_add(1, Relaxed);
        }
        for contact in agent["contacts"].as_array().into_iter().flatten() {
            let Some(segment) = contact["segments"].as_array().and_then(|all| all.last()) else { continue };
            let id = contact["id"].as_str().unwrap_or_default();
            let number = self.chats.len();
            let chat = self.chats.entry(id.to_owned()).or_insert_with(|| Chat {
                outbox: Outbox::new(format!("a{}x{number}", self.number)),
                // Not everybody writes at the same moment.
                next: Instant::now() + self.floor.pace.mul_f64((self.number % 89) as f64 / 89.0),
                upto: 0,
                connected: false,
            });
            chat.connected = segment["state"]["state"] == "connected";
            if segment["state"]["state"] == "offered" && self.accepted != segment["offer"] {
                self.accepted = segment["offer"].clone();
                send(socket, &json!({ "type": "accept", "offer": self.accepted })).await?;
            }
        }
        Ok(())
    }
}

async fn say(socket: &mut Socket, contact: &str, id: &str) -> Result<(), Failure> {
    send(socket, &json!({ "type": "chat_say", "contact": contact, "client_id": id, "body": TEXT })).await
}
