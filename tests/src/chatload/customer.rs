//! A customer: asks for a chat, writes at a pace, comes back after a lost connection where the page left off.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    Floor,
    line::{Outbox, connect, hear, pause, send},
};
use crate::load::{Failure, http, server::TENANT};

/// What is written: a line as people write it.
const TEXT: &str = "Good morning, I have a question about the letter I got from you last week.";

/// Asks for a chat and gives its link.
pub(super) async fn ask(port: u16, number: usize) -> Result<String, Failure> {
    let body = json!({ "name": format!("Load {number}"), "phone": format!("+1916555{:04}", number % 10_000) });
    let answer = http::post(port, &format!("/api/v1/t/{TENANT}/chats"), None, &body).await?;
    let link = answer.json["chat_token"].as_str().filter(|_| answer.status == 201);
    link.map(str::to_owned).ok_or_else(|| format!("chat: {} {}", answer.status, answer.json).into())
}

pub(super) async fn talk(floor: Arc<Floor>, number: usize, link: String) -> Result<(), Failure> {
    let mut outbox = Outbox::new(format!("c{number}"));
    let (mut upto, mut counted) = (0, false);
    // Not everybody writes at the same moment.
    let mut next = Instant::now() + floor.pace.mul_f64((number % 97) as f64 / 97.0);
    loop {
        let path = format!("/api/v1/chat/{link}/socket?after={upto}");
        let Ok(mut socket) = connect(floor.port, &path, "ringback.chat.v1", None).await else {
            pause().await;
            continue;
        };
        let mut broken = false;
        for id in outbox.waiting() {
            broken |= send(&mut socket, &json!({ "type": "say", "client_id": id, "body": TEXT })).await.is_err();
        }
        while !broken {
            let due = next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            tokio::select! {
                heard = hear(&mut socket) => {
                    let Ok(message) = heard else { break };
                    match message["type"].as_str() {
                        Some("status") if message["stage"] == "talking" && !counted => {
                            counted = true;
                            floor.talking.fetch_add(1, Relaxed);
                        }
                        Some("said") => {
                            let id = message["client_id"].as_str().unwrap_or_default();
                            if let Some(took) = outbox.acknowledged(id) {
                                floor.tally.acknowledged(&link, id, took);
                            }
                        }
                        Some("messages") => {
                            upto = message["upto"].as_u64().unwrap_or(upto);
                            let lines = message["messages"].as_array();
                            lines.into_iter().flatten().for_each(|line| floor.tally.arrived(&link, "customer", line));
                        }
                        Some("refused") => return Err(format!("a customer was told: {message}").into()),
                        _ => {}
                    }
                }
                () = tokio::time::sleep(due) => {
                    next = (next + floor.pace).max(Instant::now());
                    if counted && floor.writing.load(Relaxed) {
                        let say = json!({ "type": "say", "client_id": outbox.push(), "body": TEXT });
                        broken = send(&mut socket, &say).await.is_err();
                    }
                }
            }
        }
        pause().await;
    }
}
