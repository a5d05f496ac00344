//! The customer's socket, `ringback.chat.v1`. It begins where the page left off (`after`), so that a page that lost its
//! connection misses nothing and gets nothing twice.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use axum::{
    extract::{
        Path, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use ringback_engine::Standing;
use ringback_store::ChatSide;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};
use utoipa::ToSchema;

use super::{
    link::{Held, raised},
    words::{ChatLine, ChatStage, ChatStatus},
};
use crate::{
    http::{body::QueryOf, error::ApiError},
    state::App,
    words::Lang,
};

pub const PROTOCOL: &str = "ringback.chat.v1";

/// Of each socket, in bytes each way: a message has a few hundred letters.
const BUFFER: usize = 2 * 1024;
/// Largest frame taken, in bytes: 500 letters of four bytes, escaped, and the envelope.
const LARGEST_FRAME: usize = 16 * 1024;
/// How long one frame may take to leave.
const SEND_PATIENCE: Duration = Duration::from_secs(5);
/// How often a waiting customer's place is looked up.
const LOOK: Duration = Duration::from_secs(1);
/// Frames a page may send within a second: letters typed make few, a script would make many.
const FRAMES_PER_SECOND: u32 = 20;

/// From the customer's page.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum CustomerMessage {
    Say {
        client_id: String,
        body: String,
    },
    /// How far what the agent wrote was given to the page and seen by the customer.
    Seen {
        delivered: u64,
        seen: u64,
    },
    Typing,
    End,
}

/// To the customer's page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CustomerNews {
    Status {
        #[serde(flatten)]
        status: ChatStatus,
    },
    Messages {
        messages: Vec<ChatLine>,
        /// Where to begin after a lost connection.
        upto: u64,
    },
    /// The message is kept.
    Said { client_id: String, seq: u64, at: i64 },
    /// What of the customer's messages was delivered to an agent, and seen.
    Marks { delivered: u64, seen: u64 },
    /// The agent is typing.
    Typing,
    Refused {
        /// Of the message, if it was one.
        client_id: Option<String>,
        #[schema(value_type = Object)]
        problem: serde_json::Value,
    },
}

#[derive(Deserialize)]
pub struct OpenQuery {
    #[serde(default)]
    after: u64,
}

pub async fn open(
    State(app): State<App>,
    Path(link): Path<String>,
    QueryOf(query): QueryOf<OpenQuery>,
    lang: Option<axum::Extension<Lang>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    // A browser always names the origin of a socket; programs name none, and the link is all they need.
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    if origin.is_some_and(|origin| !app.origins.iter().any(|own| own == origin)) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site"));
    }
    let held = Held::open(&app, &link).await?;
    let upgrade = upgrade.map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "bad_message"))?.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_message").with("protocol", PROTOCOL));
    }
    let permit = app.chat_sockets.clone().try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable").retry(10))?;
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    let talk = Talk::new(held, query.after, lang.map_or(Lang::En, |lang| lang.0));
    Ok(upgrade.max_message_size(LARGEST_FRAME).max_frame_size(LARGEST_FRAME).on_upgrade(async move |socket| {
        app.counters.sockets.fetch_add(1, Relaxed);
        talk.serve(socket).await;
        app.counters.sockets.fetch_sub(1, Relaxed);
        drop(permit);
    }))
}

/// One connection of a customer's page.
struct Talk {
    held: Held,
    lang: Lang,
    follower: Arc<Notify>,
    /// What the page has.
    sent: u64,
    shown: Option<Standing>,
    status: Option<ChatStatus>,
}

/// Why the connection ends.
enum End {
    Gone,
    Told(u16),
}

const TOO_MUCH: End = End::Told(4003);
const STOPPING: End = End::Told(4004);
const SILENT: End = End::Told(4005);

impl Talk {
    fn new(held: Held, after: u64, lang: Lang) -> Self {
        let follower = Arc::new(Notify::new());
        held.room.follow(&follower);
        Self { held, lang, follower, sent: after, shown: None, status: None }
    }

    async fn serve(mut self, mut socket: WebSocket) {
        let here = self.held.room.enter();
        let end = self.converse(&mut socket).await;
        if let End::Told(code) = end {
            let close = Message::Close(Some(CloseFrame { code, reason: "".into() }));
            // Whoever does not take the farewell is gone anyway.
            let _ = tokio::time::timeout(SEND_PATIENCE, socket.send(close)).await;
        }
        drop(here);
    }

    async fn converse(&mut self, socket: &mut WebSocket) -> End {
        let limits = self.held.app.limits().clone();
        let mut closing = self.held.app.closing.subscribe();
        let mut pings = interval(Duration::from_secs(u64::from(limits.chat_ping_seconds.max(1))));
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut heard, mut second, mut frames) = (Instant::now(), Instant::now(), 0);
        let mut news = self.news(true).await;
        loop {
            for one in news.drain(..) {
                if !send(socket, &one).await {
                    return End::Gone;
                }
            }
            tokio::select! {
                frame = socket.recv() => {
                    heard = Instant::now();
                    if heard.duration_since(second) >= Duration::from_secs(1) {
                        (second, frames) = (heard, 0);
                    }
                    frames += 1;
                    if frames > FRAMES_PER_SECOND {
                        return TOO_MUCH;
                    }
                    match frame {
                        Some(Ok(Message::Text(text))) => news = self.hear(&text).await,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_))) | None => return End::Gone,
                        Some(Ok(Message::Binary(_)) | Err(_)) => return TOO_MUCH,
                    }
                }
                () = self.follower.notified() => news = self.news(false).await,
                _ = looks.tick(), if self.is_waiting() => news = self.news(true).await,
                _ = pings.tick() => {
                    if heard.elapsed() > Duration::from_secs(u64::from(limits.chat_dead_seconds)) {
                        return SILENT;
                    }
                    if !ping(socket).await {
                        return End::Gone;
                    }
                }
                () = raised(&mut closing) => return STOPPING,
            }
        }
    }

    fn is_waiting(&self) -> bool {
        self.status.as_ref().is_none_or(|status| status.stage == ChatStage::Waiting)
    }

    /// Whatever the page does not know yet; `look` reads the contact even without a sign that it changed.
    async fn news(&mut self, look: bool) -> Vec<CustomerNews> {
        let standing = self.held.room.standing();
        let shown = self.shown.replace(standing);
        let mut news = Vec::new();
        if look || shown.is_none_or(|shown| shown.news != standing.news) {
            match self.held.status().await {
                Ok(status) if self.status.as_ref() != Some(&status) => {
                    self.status = Some(status.clone());
                    news.push(CustomerNews::Status { status });
                }
                Ok(_) => {}
                // The next look tries again.
                Err(error) => tracing::debug!(code = error.code, "a chat's contact could not be read"),
            }
        }
        while self.sent < standing.last {
            let Ok((messages, upto)) = self.held.lines(self.sent).await else { break };
            if upto == self.sent {
                break;
            }
            self.sent = upto;
            if !messages.is_empty() {
                news.push(CustomerNews::Messages { messages, upto });
            }
        }
        if shown.is_none_or(|shown| shown.agent != standing.agent) {
            news.push(CustomerNews::Marks { delivered: standing.agent.delivered, seen: standing.agent.seen });
        }
        if shown.is_some_and(|shown| shown.agent_typing != standing.agent_typing) {
            news.push(CustomerNews::Typing);
        }
        news
    }

    async fn hear(&mut self, text: &str) -> Vec<CustomerNews> {
        let Ok(message) = serde_json::from_str::<CustomerMessage>(text) else {
            return self.refuse(None, &ApiError::new(StatusCode::BAD_REQUEST, "bad_message"));
        };
        match message {
            CustomerMessage::Say { client_id, body } => {
                let over = self.status.as_ref().is_some_and(|status| status.stage == ChatStage::Ended);
                let said = match over {
                    true => Err(ApiError::new(StatusCode::CONFLICT, "chat_over")),
                    false => self.held.say(&client_id, &body).await,
                };
                match said {
                    Ok(said) => {
                        vec![CustomerNews::Said { client_id, seq: said.seq, at: said.at.as_millis() }]
                    }
                    Err(error) => self.refuse(Some(client_id), &error),
                }
            }
            CustomerMessage::Seen { delivered, seen } => {
                self.held.room.mark(ChatSide::Customer, delivered, seen);
                Vec::new()
            }
            CustomerMessage::Typing => {
                self.held.room.typing(ChatSide::Customer);
                Vec::new()
            }
            CustomerMessage::End => match self.held.end().await {
                Ok(()) => self.news(true).await,
                Err(error) => self.refuse(None, &error),
            },
        }
    }

    fn refuse(&self, client_id: Option<String>, error: &ApiError) -> Vec<CustomerNews> {
        vec![CustomerNews::Refused { client_id, problem: error.document(self.lang) }]
    }
}

async fn send(socket: &mut WebSocket, news: &CustomerNews) -> bool {
    let Ok(text) = serde_json::to_string(news) else { return true };
    let sent = tokio::time::timeout(SEND_PATIENCE, socket.send(Message::Text(text.into()))).await;
    matches!(sent, Ok(Ok(())))
}

/// The browser answers by itself; a connection that is dead does not.
async fn ping(socket: &mut WebSocket) -> bool {
    let sent = tokio::time::timeout(SEND_PATIENCE, socket.send(Message::Ping(Vec::new().into()))).await;
    matches!(sent, Ok(Ok(())))
}
