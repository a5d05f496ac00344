//! What the customer's link opens: the chat as it stands, its messages, and what the customer does there. The page uses a
//! socket for it; where no socket gets through it asks again and again with `wait`.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ringback_engine::{ChatRoom, EngineError::Rejected};
use ringback_routing::{
    contact::{ChatEnd, Contact},
    event::{Event, Rejection},
    ids::{AgentId, ContactId, TenantId},
    time::Timestamp,
};
use ringback_store::{ChatMessage, ChatSender, ChatSide};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use utoipa::ToSchema;

use super::{
    names::Names,
    words::{ChatLine, ChatStage, ChatStatus, Writer, body_within, first_name, is_client_id, stage_of, talking_with},
};
use crate::{
    http::{
        body::{JsonBody, Nothing, QueryOf},
        error::ApiError,
    },
    state::App,
    token,
    words::Lang,
};

/// Messages in one answer; more follow with the next.
pub(super) const PAGE: u32 = 100;
/// Longest wait of one poll: proxies cut requests that are silent for a minute.
const LONGEST_POLL: Duration = Duration::from_secs(25);
/// A customer who polls may be silent for so long between two polls.
const POLL_PATIENCE: Duration = Duration::from_secs(15);
/// How often a poll looks whether the place in line moved.
const LOOK: Duration = Duration::from_secs(1);

/// A chat held by its customer.
pub(super) struct Held {
    pub app: App,
    pub tenant: TenantId,
    pub contact: ContactId,
    pub room: ChatRoom,
    /// Of the agents met so far.
    names: Names,
    digest: String,
}

impl Held {
    /// # Errors
    /// 404 for whatever is not the link of a chat.
    pub async fn open(app: &App, link: &str) -> Result<Self, ApiError> {
        if !token::is_plausible(link) {
            return Err(ApiError::not_found());
        }
        let digest = token::digest(link);
        let found = app.store.contact_by_status_token(&digest).await?;
        let (tenant, contact) = found.ok_or_else(ApiError::not_found)?;
        let room = app.engine.chat_room(&tenant, contact).await?;
        let held = Self { app: app.clone(), tenant, contact, room, names: Names::default(), digest };
        // A chat that has become a call keeps its messages, and its customer the way to them.
        match held.contact().await?.chat {
            Some(_) => Ok(held),
            None => Err(ApiError::not_found()),
        }
    }

    pub async fn contact(&self) -> Result<Contact, ApiError> {
        if let Some(view) = self.app.engine.status_view(&self.tenant, self.contact).await? {
            return Ok(view.contact);
        }
        self.app.store.contact(&self.tenant, self.contact).await?.ok_or_else(ApiError::not_found)
    }

    pub async fn status(&mut self) -> Result<ChatStatus, ApiError> {
        let live = self.app.engine.status_view(&self.tenant, self.contact).await?;
        let (contact, position, (ewt, ewt_p90)) = match live {
            Some(view) => (view.contact, view.position, (view.ewt, view.ewt_p90)),
            None => (self.contact().await?, None, (None, None)),
        };
        let (stage, ended_by) = stage_of(&contact);
        let agent = match talking_with(&contact) {
            Some(agent) => Some(self.name_of(&agent.clone()).await),
            None => None,
        };
        let waiting = stage == ChatStage::Waiting;
        let mut status = ChatStatus {
            stage,
            position: position.filter(|_| waiting),
            ewt_ms: ewt.filter(|_| waiting).map(|ewt| ewt.0),
            ewt_p90_ms: ewt_p90.filter(|_| waiting).map(|ewt| ewt.0),
            agent,
            passed_on: waiting && contact.segments.iter().any(|segment| segment.connected_at.is_some()),
            ended_by,
            requested_at: contact.requested_at,
            call: None,
        };
        status.call = self.call_offer(&status, &contact.customer).await;
        Ok(status)
    }

    async fn name_of(&mut self, agent: &AgentId) -> String {
        first_name(&self.names.of(&self.app, &self.tenant, agent).await)
    }

    /// The messages after `after` as the customer may see them, and the number up to which that is.
    pub async fn lines(&mut self, after: u64) -> Result<(Vec<ChatLine>, u64), ApiError> {
        let messages = self.room.messages(after, PAGE).await?;
        let upto = messages.last().map_or(after, |message| message.seq);
        Ok((self.for_customer(&messages).await, upto))
    }

    async fn for_customer(&mut self, messages: &[Arc<ChatMessage>]) -> Vec<ChatLine> {
        let mut lines = Vec::with_capacity(messages.len());
        for message in messages {
            let mut line = ChatLine::of(message);
            if let ChatSender::Agent(agent) = &message.sender {
                line.agent = Some(self.name_of(agent).await);
            }
            if line.from != Writer::Note {
                lines.push(line);
            }
        }
        lines
    }

    /// Keeps what the customer wrote; answered only when it is on disk.
    pub async fn say(&mut self, client_id: &str, body: &str) -> Result<ChatSaid, ApiError> {
        if !is_client_id(client_id) {
            return Err(ApiError::bad_value("client_id"));
        }
        let face = self.app.faces.get(&self.tenant).ok_or_else(ApiError::not_found)?;
        let body = body_within(body, face.chat.customer_chars)?;
        self.app
            .rates
            .chat
            .take(self.digest.clone(), Instant::now())
            .map_err(|wait| ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited").retry(wait.as_secs() + 1))?;
        let kept = self.room.say(ChatSender::Customer, client_id.to_owned(), body).await?;
        Ok(ChatSaid { client_id: client_id.to_owned(), seq: kept.seq, at: kept.at })
    }

    /// The customer ends the chat, in line or in the middle of it.
    pub async fn end(&self) -> Result<(), ApiError> {
        let event = Event::ChatEnded { contact: self.contact, by: ChatEnd::Customer };
        match self.app.engine.submit(&self.tenant, event).await {
            // It was over already: that is what was asked for.
            Ok(_) | Err(Rejected(Rejection::NoSuchContact | Rejection::WrongState)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a customer writes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatSay {
    /// The page's own name for the message: sent again under it, it is kept once. 1 to 64 letters, digits, - and _.
    pub client_id: String,
    pub body: String,
}

/// The message is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatSaid {
    pub client_id: String,
    pub seq: u64,
    #[schema(value_type = i64)]
    pub at: Timestamp,
}

/// How far the customer was given, and has seen, what the agent wrote.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatSeen {
    pub delivered: u64,
    pub seen: u64,
}

/// The chat as it stands and what was said after `after`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatNews {
    pub status: ChatStatus,
    pub messages: Vec<ChatLine>,
    /// Give this as `after` the next time.
    pub upto: u64,
    /// What of the customer's messages was delivered to an agent, and seen.
    pub delivered: u64,
    pub seen: u64,
    /// Changes with each sign that the agent is typing.
    pub agent_typing: u64,
    /// Stands for all of this but the messages; give it to the next poll.
    pub tag: String,
}

#[derive(Deserialize)]
pub struct PollQuery {
    #[serde(default)]
    after: u64,
    /// Seconds to wait for something new.
    #[serde(default)]
    wait: Option<u64>,
    /// That of the last answer: another one is news.
    #[serde(default)]
    tag: Option<String>,
}

async fn news(held: &mut Held, after: u64) -> Result<ChatNews, ApiError> {
    let standing = held.room.standing();
    let (messages, upto) = held.lines(after).await?;
    let status = held.status().await?;
    let beside =
        serde_json::to_string(&(&status, standing.agent.delivered, standing.agent.seen, standing.agent_typing));
    Ok(ChatNews {
        tag: token::digest(&beside.unwrap_or_default()),
        status,
        messages,
        upto,
        delivered: standing.agent.delivered,
        seen: standing.agent.seen,
        agent_typing: standing.agent_typing,
    })
}

/// At once.
pub async fn read(
    State(app): State<App>,
    Path(link): Path<String>,
    QueryOf(query): QueryOf<PollQuery>,
) -> Result<Json<ChatNews>, ApiError> {
    let mut held = Held::open(&app, &link).await?;
    Ok(Json(news(&mut held, query.after).await?))
}

/// As soon as something is new, or after the wait. Whoever polls counts as present.
pub async fn poll(
    State(app): State<App>,
    Path(link): Path<String>,
    QueryOf(query): QueryOf<PollQuery>,
) -> Result<Json<ChatNews>, ApiError> {
    let mut held = Held::open(&app, &link).await?;
    let permit = app.streams.clone().try_acquire_owned();
    let _permit = permit.map_err(|_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable").retry(10))?;
    let wait = Duration::from_secs(query.wait.unwrap_or(0)).min(LONGEST_POLL);
    held.room.expect(wait + POLL_PATIENCE);
    let follower = Arc::new(Notify::new());
    held.room.follow(&follower);
    let until = Instant::now() + wait;
    let mut closing = app.closing.subscribe();
    loop {
        let news = news(&mut held, query.after).await?;
        let changed = query.tag.as_ref().is_none_or(|tag| *tag != news.tag);
        if !news.messages.is_empty() || changed || Instant::now() >= until {
            return Ok(Json(news));
        }
        tokio::select! {
            () = follower.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = raised(&mut closing) => return Ok(Json(news)),
        }
    }
}

/// Returns when the flag is up, or can no longer go up.
pub(super) async fn raised(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|raised| *raised).await;
}

pub async fn say(
    State(app): State<App>,
    Path(link): Path<String>,
    JsonBody(say): JsonBody<ChatSay>,
) -> Result<Json<ChatSaid>, ApiError> {
    let mut held = Held::open(&app, &link).await?;
    if held.status().await?.stage == ChatStage::Ended {
        return Err(ApiError::new(StatusCode::CONFLICT, "chat_over"));
    }
    Ok(Json(held.say(&say.client_id, &say.body).await?))
}

pub async fn seen(
    State(app): State<App>,
    Path(link): Path<String>,
    JsonBody(seen): JsonBody<ChatSeen>,
) -> Result<StatusCode, ApiError> {
    Held::open(&app, &link).await?.room.mark(ChatSide::Customer, seen.delivered, seen.seen);
    Ok(StatusCode::NO_CONTENT)
}

pub async fn typing(
    State(app): State<App>,
    Path(link): Path<String>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    Held::open(&app, &link).await?.room.typing(ChatSide::Customer);
    Ok(StatusCode::NO_CONTENT)
}

pub async fn end(
    State(app): State<App>,
    Path(link): Path<String>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<Json<ChatStatus>, ApiError> {
    let mut held = Held::open(&app, &link).await?;
    held.end().await?;
    Ok(Json(held.status().await?))
}

/// The whole chat as a text file in the tenant's time.
pub async fn transcript(
    State(app): State<App>,
    Path(link): Path<String>,
    Extension(lang): Extension<Lang>,
) -> Result<Response, ApiError> {
    let mut held = Held::open(&app, &link).await?;
    let config = app.engine.config(&held.tenant).await?;
    let mut text = format!("{}\n\n", config.name);
    let mut after = 0;
    loop {
        let (lines, upto) = held.lines(after).await?;
        for line in &lines {
            let at = line.at.to_utc().with_timezone(&config.timezone).format("%Y-%m-%d %H:%M:%S %Z");
            let who = match (&line.from, &line.agent) {
                (Writer::Agent, Some(name)) => name.as_str(),
                _ => lang.pick("You", "Usted"),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "[{at}] {who}: {}", line.body.replace('\n', "\n    "));
        }
        if upto == after {
            break;
        }
        after = upto;
    }
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"chat.txt\""));
    Ok(response)
}
