//! The agent's socket: what the tab asks for becomes events, every change of the desk becomes a snapshot, and a tab that
//! stops answering gets no offers.

mod calls;
mod chats;
mod message;
mod tab;

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use axum::{
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval_at},
};

pub use self::message::{ClientMessage, LiveCall, ServerMessage, StateWord};
use self::{message::Envelope, tab::Tab};
use crate::{
    http::{
        error::ApiError,
        guard::{Caller, known_to_engine},
    },
    state::App,
    words::Lang,
};

pub const PROTOCOL: &str = "ringback.v1";

/// Of each socket, in bytes each way. The library's 128 KiB are for file transfers; an agent's messages have a few KiB.
const BUFFER: usize = 8 * 1024;
/// Sockets that are open look around at the same moments, so many apart: one waking up serves all of them.
const STEP: Duration = Duration::from_millis(500);
/// How often it is looked whether the session still holds.
pub(crate) const SESSION_CHECK: Duration = Duration::from_secs(4);
/// Least time between two snapshots: the first change is shown at once, those that follow soon come in one.
const SNAPSHOT_PACE: Duration = Duration::from_millis(16);
/// How long one frame may take to leave.
const SEND_PATIENCE: Duration = Duration::from_secs(5);

/// Why a socket is closed, as a close code of the private range (RFC 6455, section 7.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    SignedOut,
    NotAllowed,
    TooMuch,
    Draining,
    Silent,
    /// The other side went; nobody is told.
    Gone,
}

impl Closing {
    fn code(self) -> u16 {
        match self {
            Closing::SignedOut => 4001,
            Closing::NotAllowed => 4002,
            Closing::TooMuch => 4003,
            Closing::Draining => 4004,
            Closing::Silent => 4005,
            Closing::Gone => 1000,
        }
    }
}

pub async fn open(
    State(app): State<App>,
    caller: Caller,
    lang: Option<axum::Extension<Lang>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    // A browser always names the origin of a socket; a page of another origin would speak with the agent's cookie.
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if !origin.is_some_and(|origin| app.origins.iter().any(|own| own == origin)) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site"));
    }
    let upgrade = upgrade.map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "bad_message"))?;
    if caller.user.agent.is_none() {
        return Err(ApiError::not_allowed());
    }
    let permit = app.sockets.clone().try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable").retry(10))?;
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_message").with("protocol", PROTOCOL));
    }
    known_to_engine(&app, &caller.user).await?;
    let tab = Tab::new(app.clone(), caller, lang.map_or(Lang::En, |lang| lang.0))?;
    let limit = app.limits().socket_message_bytes;
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    Ok(upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(async move |socket| {
        app.counters.sockets.fetch_add(1, Relaxed);
        serve(&app, socket, tab).await;
        app.counters.sockets.fetch_sub(1, Relaxed);
        drop(permit);
    }))
}

async fn serve(app: &App, socket: WebSocket, mut tab: Tab) {
    let (sink, mut incoming) = socket.split();
    let (out, queue) = mpsc::channel(app.limits().socket_queue);
    let writer = tokio::spawn(write(sink, queue));
    let closing = converse(app, &mut incoming, &mut tab, &out).await;
    tab.leave().await;
    if closing == Closing::SignedOut {
        let revoked = ServerMessage::Revoked { why: "signed_out".to_owned() };
        let _ = out.try_send(Outgoing::Message(Box::new(revoked)));
    }
    // A queue that is full belongs to a browser that does not read: then the connection is just dropped.
    let _ = out.try_send(Outgoing::Close(closing));
    drop(out);
    if tokio::time::timeout(SEND_PATIENCE, writer).await.is_err() {
        tracing::debug!("a browser did not take the closing of its socket");
    }
}

enum Outgoing {
    Message(Box<ServerMessage>),
    Close(Closing),
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut queue: mpsc::Receiver<Outgoing>) {
    while let Some(outgoing) = queue.recv().await {
        let (message, last) = match outgoing {
            Outgoing::Message(message) => match serde_json::to_string(&message) {
                Ok(text) => (Message::Text(text.into()), false),
                Err(_) => continue,
            },
            Outgoing::Close(Closing::Gone) => return,
            Outgoing::Close(why) => (Message::Close(Some(CloseFrame { code: why.code(), reason: "".into() })), true),
        };
        let sent = tokio::time::timeout(SEND_PATIENCE, sink.send(message)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

type Incoming = futures_util::stream::SplitStream<WebSocket>;

/// Everything between the upgrade and the end, which it explains.
async fn converse(app: &App, incoming: &mut Incoming, tab: &mut Tab, out: &mpsc::Sender<Outgoing>) -> Closing {
    let limits = app.limits().clone();
    let begin = in_step(app.begun, Instant::now());
    let mut pings = interval_at(begin.into(), Duration::from_secs(u64::from(limits.ping_seconds)));
    pings.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut checks = interval_at(begin.into(), SESSION_CHECK);
    checks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut revoked = app.revoked.subscribe();
    // While the server drains, calls in hand go on: the socket ends after them.
    let mut closing = app.closing.subscribe();
    let Some(mut version) = app.engine.watch_desk(tab.tenant(), tab.agent()) else { return Closing::NotAllowed };
    // The desk changed and has not been shown since.
    let (mut due, mut shown_at) = (false, Instant::now());
    let chats = tab.chat_bell();
    let mut pace = Pace::new(limits.socket_messages_per_second);
    // The first at once: nobody is offered anything before it is answered.
    let (mut ping, mut last_heard) = (1u64, Instant::now());
    if out.try_send(Outgoing::Message(Box::new(ServerMessage::Ping { id: ping }))).is_err() {
        return Closing::TooMuch;
    }
    loop {
        let mut answers = Vec::new();
        tokio::select! {
            frame = incoming.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    if !pace.allows(Instant::now()) {
                        return Closing::TooMuch;
                    }
                    last_heard = Instant::now();
                    answers = hear(tab, &text).await;
                }
                Some(Ok(Message::Binary(_))) => return Closing::NotAllowed,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(error)) => {
                    tracing::debug!(%error, "an agent's socket failed");
                    return Closing::TooMuch;
                }
                Some(Ok(Message::Close(_))) | None => return Closing::Gone,
            },
            _ = pings.tick() => {
                let silent = last_heard.elapsed();
                if silent > Duration::from_secs(u64::from(limits.dead_tab_seconds)) {
                    return Closing::Silent;
                }
                if silent > Duration::from_secs(u64::from(limits.silent_tab_seconds)) {
                    tab.silent().await;
                }
                ping += 1;
                answers.push(ServerMessage::Ping { id: ping });
            }
            _ = checks.tick() => {
                if !tab.still_signed_in().await {
                    return Closing::SignedOut;
                }
            }
            what = revoked.recv() => {
                if what.is_ok_and(|what| tab.ended_by(&what)) {
                    return Closing::SignedOut;
                }
            }
            () = raised(&mut closing) => return Closing::Draining,
            () = chats.notified() => answers = tab.chat_news().await,
            changed = version.changed(), if !due => {
                if changed.is_err() {
                    return Closing::Draining;
                }
                due = true;
            }
            () = tokio::time::sleep_until((shown_at + SNAPSHOT_PACE).into()), if due => {
                (due, shown_at) = (false, Instant::now());
                let now = *version.borrow_and_update();
                answers = tab.changed(now).await;
            }
        }
        for answer in answers {
            if out.try_send(Outgoing::Message(Box::new(answer))).is_err() {
                return Closing::TooMuch;
            }
        }
    }
}

/// The next moment at which sockets look around.
fn in_step(begun: Instant, now: Instant) -> Instant {
    let since = now.saturating_duration_since(begun).as_nanos();
    let left = STEP.as_nanos() - since % STEP.as_nanos();
    now + Duration::from_nanos(u64::try_from(left).unwrap_or(0))
}

/// Returns when the flag is up, or can no longer go up.
async fn raised(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|raised| *raised).await;
}

async fn hear(tab: &mut Tab, text: &str) -> Vec<ServerMessage> {
    match serde_json::from_str::<Envelope>(text) {
        Ok(Envelope { reference, message }) => tab.take(reference, message).await,
        Err(_) => {
            let reference =
                serde_json::from_str::<serde_json::Value>(text).ok().and_then(|value| value["ref"].as_u64());
            vec![tab.refuse(reference, &ApiError::new(StatusCode::BAD_REQUEST, "bad_message"))]
        }
    }
}

/// So many messages a second, with one second's worth at once.
struct Pace {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, left: per_second, at: Instant::now() }
    }

    fn allows(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.per_second);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_look_around_together_and_soon() {
        let begun = Instant::now();
        let at = |millis: u64| begun + Duration::from_millis(millis);
        for now in [1_000, 1_001, 1_250, 1_499] {
            assert_eq!(in_step(begun, at(now)), at(1_500), "{now}");
        }
        assert_eq!(in_step(at(5), begun), at(500), "a clock that stood still does no harm");
    }

    #[test]
    fn a_tab_that_talks_too_fast_is_noticed() {
        let mut pace = Pace::new(40);
        let start = Instant::now();
        assert!((0..40).all(|_| pace.allows(start)));
        assert!(!pace.allows(start));
        assert!(pace.allows(start + Duration::from_secs(1)));
    }
}
