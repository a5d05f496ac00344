//! The agents: each signs in, opens the socket and the phone as the agent's page does, and takes what is offered.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use ringback_media::testing::BrowserPeer;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{
    Failure, http,
    server::{PASSWORD, Server, TENANT, user_id},
    sound::Sound,
};

/// Agents that sign in at one time: checking passwords is slow on purpose.
const AT_ONCE: usize = 2;
const READY_LIMIT: Duration = Duration::from_secs(120);

type Socket = WebSocketStream<TcpStream>;

pub(crate) struct Floor {
    desks: JoinSet<Result<(), Failure>>,
    made: Arc<AtomicU64>,
}

/// What an agent does with calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shift {
    /// Takes one at once and keeps it.
    Hold,
    /// Each lasts so long, is wrapped up at once, and a next customer asks.
    Cycle(Duration),
    /// Lets each ring and ends it, so long after; there is no wrap-up.
    Serve { ring: Duration, talk: Duration },
}

impl Shift {
    fn ring(self) -> Duration {
        match self {
            Self::Hold | Self::Cycle(_) => Duration::ZERO,
            Self::Serve { ring, .. } => ring,
        }
    }

    fn talk(self) -> Option<Duration> {
        match self {
            Self::Hold => None,
            Self::Cycle(talk) | Self::Serve { talk, .. } => Some(talk),
        }
    }
}

/// What all desks share.
struct Shared {
    port: u16,
    sound: Arc<Sound>,
    ready: AtomicUsize,
    made: Arc<AtomicU64>,
    shift: Shift,
    number: AtomicUsize,
}

impl Floor {
    pub(crate) async fn open(
        server: &Server,
        sound: &Arc<Sound>,
        agents: usize,
        shift: Shift,
    ) -> Result<Self, Failure> {
        let made = Arc::new(AtomicU64::new(0));
        let shared = Arc::new(Shared {
            port: server.port,
            sound: Arc::clone(sound),
            ready: AtomicUsize::new(0),
            made: Arc::clone(&made),
            shift,
            number: AtomicUsize::new(agents),
        });
        let mut desks = JoinSet::new();
        let deadline = Instant::now() + READY_LIMIT;
        for agent in 0..agents {
            while shared.ready.load(Relaxed) + AT_ONCE <= agent {
                settled(&mut desks)?;
                if Instant::now() > deadline {
                    return Err(format!("only {} agents became available", shared.ready.load(Relaxed)).into());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            desks.spawn(desk(Arc::clone(&shared), agent));
        }
        while shared.ready.load(Relaxed) < agents {
            settled(&mut desks)?;
            if Instant::now() > deadline {
                return Err(format!("only {} agents became available", shared.ready.load(Relaxed)).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { desks, made })
    }

    /// One customer for each agent.
    pub(super) async fn ask(&self, server: &Server, calls: usize) -> Result<(), Failure> {
        for number in 0..calls {
            ask(server.port, number).await?;
        }
        Ok(())
    }

    pub(crate) fn calls_made(&self) -> u64 {
        self.made.load(Relaxed)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.desks.abort_all();
    }
}

/// The failure of a desk that gave up, if any did.
fn settled(desks: &mut JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    match desks.try_join_next() {
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

async fn ask(port: u16, number: usize) -> Result<(), Failure> {
    let phone = format!("+1916{}{:06}", 2 + number / 1_000_000 % 8, 200_000 + number % 800_000);
    let body = json!({ "name": "Load", "phone": phone });
    let answer = http::post(port, &format!("/api/v1/t/{TENANT}/callbacks"), None, &body).await?;
    if answer.status == 201 { Ok(()) } else { Err(format!("callback: {} {}", answer.status, answer.json).into()) }
}

async fn desk(shared: Arc<Shared>, number: usize) -> Result<(), Failure> {
    let body = json!({ "user": user_id(number), "password": PASSWORD });
    let login = http::post(shared.port, "/api/v1/login", None, &body).await?;
    let cookie = login.cookie.ok_or_else(|| format!("login: {} {}", login.status, login.json))?;
    let mut socket = connect(shared.port, &cookie).await?;
    say(&mut socket, json!({ "type": "hello", "session": format!("load-{number}"), "after": null })).await?;
    let (mut peer, offer) = BrowserPeer::offer(Instant::now(), IpAddr::V4(Ipv4Addr::LOCALHOST))?;
    say(&mut socket, json!({ "type": "phone_offer", "id": 1, "sdp": offer, "restart": false })).await?;
    let answer = loop {
        let message = hear(&mut socket).await?;
        if message["type"] == "ping" {
            pong(&mut socket, &message, false).await?;
        } else if message["type"] == "phone_answer" {
            break message["sdp"].as_str().unwrap_or_default().to_owned();
        } else if message["type"] == "error" {
            return Err(format!("phone: {message}").into());
        }
    };
    peer.accept(Instant::now(), &answer)?;
    let connected = shared.sound.add_browser(peer);
    while !connected.load(Relaxed) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    say(&mut socket, json!({ "type": "pong", "id": 0, "microphone": true, "media": true })).await?;
    say(&mut socket, json!({ "type": "state", "state": "ready", "ref": 1 })).await?;
    work(&shared, &mut socket, &connected).await
}

/// Takes offers; depending on the shift also ends calls, finishes wrap-up and brings the next customer.
async fn work(shared: &Shared, socket: &mut Socket, connected: &AtomicBool) -> Result<(), Failure> {
    let mut counted = false;
    let mut accepted = Value::Null;
    let mut finished = Value::Null;
    // One call at a time: what is said next in it, and when.
    let mut next: Option<(tokio::time::Instant, Value)> = None;
    loop {
        let message = tokio::select! {
            message = hear(socket) => message?,
            () = at(next.as_ref().map(|(when, _)| *when)) => {
                if let Some((_, words)) = next.take() {
                    say(socket, words).await?;
                }
                continue;
            }
        };
        match message["type"].as_str() {
            Some("ping") => pong(socket, &message, connected.load(Relaxed)).await?,
            Some("error") => return Err(format!("an agent was told: {message}").into()),
            Some("snapshot") => {}
            _ => continue,
        }
        let agent = &message["agent"];
        if !counted && agent["presence"] == "ready" {
            counted = true;
            shared.ready.fetch_add(1, Relaxed);
        }
        for contact in agent["contacts"].as_array().into_iter().flatten() {
            let Some(segment) = contact["segments"].as_array().and_then(|all| all.last()) else { continue };
            match segment["state"]["state"].as_str() {
                Some("offered") if accepted != segment["offer"] => {
                    accepted = segment["offer"].clone();
                    let words = json!({ "type": "accept", "offer": accepted });
                    next = Some((tokio::time::Instant::now() + shared.shift.ring(), words));
                }
                Some("connected") if finished != segment["id"] => {
                    finished = segment["id"].clone();
                    shared.made.fetch_add(1, Relaxed);
                    let words = json!({ "type": "hang_up", "contact": contact["id"] });
                    next = shared.shift.talk().map(|talk| (tokio::time::Instant::now() + talk, words));
                }
                Some("wrap_up") if matches!(shared.shift, Shift::Cycle(_)) => {
                    let done = json!({ "type": "wrap_up", "segment": segment["id"], "dispositions": [] });
                    say(socket, done).await?;
                    ask(shared.port, shared.number.fetch_add(1, Relaxed)).await?;
                }
                _ => {}
            }
        }
    }
}

async fn at(when: Option<tokio::time::Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

async fn connect(port: u16, cookie: &str) -> Result<Socket, Failure> {
    let mut request = format!("ws://localhost:{port}/ws").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("origin", HeaderValue::from_str(&format!("http://localhost:{port}"))?);
    headers.insert("cookie", HeaderValue::from_str(cookie)?);
    headers.insert("sec-websocket-protocol", HeaderValue::from_static("ringback.v1"));
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    Ok(client_async(request, stream).await?.0)
}

async fn say(socket: &mut Socket, message: Value) -> Result<(), Failure> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

async fn hear(socket: &mut Socket) -> Result<Value, Failure> {
    loop {
        match socket.next().await.ok_or("the server closed an agent's socket")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(why) => return Err(format!("the server closed an agent's socket: {why:?}").into()),
            _ => {}
        }
    }
}

async fn pong(socket: &mut Socket, ping: &Value, media: bool) -> Result<(), Failure> {
    say(socket, json!({ "type": "pong", "id": ping["id"], "microphone": true, "media": media })).await
}
