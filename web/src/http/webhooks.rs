//! The administrator's webhooks: added, removed, and what could not be brought over.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::time::Timestamp;
use ringback_store::{Delivery, Webhook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    body::{JsonBody, Nothing},
    error::ApiError,
    guard::Caller,
};
use crate::{
    seal::{Seal, SealError},
    state::App,
    token,
    webhooks::{self, EVENTS, address},
};

/// Receivers of one tenant.
const MOST: usize = 20;
/// Longest address, in bytes.
const MAX_URL: usize = 500;
/// Messages told at once.
const SHOWN: u32 = 200;

#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    pub items: Vec<WebhookItem>,
    /// Messages that are not sent: those given up first, the latest first.
    pub messages: Vec<MessageItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookItem {
    pub id: String,
    pub url: String,
    /// contact.created, contact.closed, recording.ready, closure.declared, closure.lifted
    pub events: Vec<String>,
    /// Names and numbers are told too.
    pub personal: bool,
    pub created_by: String,
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MessageItem {
    pub webhook: String,
    pub message: String,
    pub event: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// waiting or dead
    pub state: &'static str,
    pub tries: u32,
    /// When it is tried next, while it waits.
    #[schema(value_type = i64)]
    pub next_at: Timestamp,
    /// How the last try ended.
    pub last_word: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookAdd {
    /// https, and a public address unless the operator allows others.
    pub url: String,
    pub events: Vec<String>,
    #[serde(default)]
    pub personal: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookMade {
    pub item: WebhookItem,
    /// What messages are signed with; shown this once.
    pub secret: String,
}

fn item(webhook: Webhook) -> WebhookItem {
    let Webhook { id, url, events, personal, created_by, created_at, .. } = webhook;
    WebhookItem { id, url, events, personal, created_by, created_at }
}

fn message(delivery: Delivery) -> MessageItem {
    MessageItem {
        webhook: delivery.webhook,
        message: delivery.message,
        event: delivery.event,
        at: delivery.at,
        state: delivery.state.word(),
        tries: delivery.tries,
        next_at: delivery.next_at,
        last_word: delivery.last_word,
    }
}

impl From<SealError> for ApiError {
    fn from(error: SealError) -> Self {
        tracing::error!(%error, "a secret cannot be kept");
        Self::unavailable()
    }
}

pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<WebhookList>, ApiError> {
    let tenant = caller.tenant()?;
    let items = app.store.webhooks(tenant).await?.into_iter().map(item).collect();
    let messages = app.store.open_deliveries(tenant, SHOWN).await?.into_iter().map(message).collect();
    Ok(Json(WebhookList { items, messages }))
}

pub async fn add(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<WebhookAdd>,
) -> Result<(StatusCode, Json<WebhookMade>), ApiError> {
    let tenant = caller.tenant()?;
    let url = ask.url.trim().to_owned();
    if url.len() > MAX_URL {
        return Err(ApiError::bad_value("url"));
    }
    if let Some(fault) = address::fault(&url, &webhooks::named(&app.config.file)) {
        return Err(ApiError::bad_value("url").with("why", fault.to_string()));
    }
    let mut events = ask.events;
    events.sort();
    events.dedup();
    if events.is_empty() || !events.iter().all(|event| EVENTS.contains(&event.as_str())) {
        return Err(ApiError::bad_value("events"));
    }
    if app.store.webhooks(tenant).await?.len() >= MOST {
        return Err(ApiError::new(StatusCode::CONFLICT, "too_many"));
    }
    let id = format!("wh_{}", &token::digest(&token::random()?)[..20]);
    let secret = webhooks::new_secret()?;
    let webhook = Webhook {
        secret: Seal::of(&app.config)?.close(&id, &secret)?,
        id,
        url,
        events,
        personal: ask.personal,
        created_by: caller.id().to_string(),
        created_at: app.now(),
    };
    app.store.add_webhook(tenant, webhook.clone()).await?;
    Ok((StatusCode::CREATED, Json(WebhookMade { item: item(webhook), secret })))
}

pub async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.store.remove_webhook(caller.tenant()?, &id, caller.id().as_str(), app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn resend(
    State(app): State<App>,
    caller: Caller,
    Path((webhook, message)): Path<(String, String)>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    let who = caller.id().as_str();
    app.store.resend_delivery(caller.tenant()?, &webhook, &message, who, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
