//! Chats for supervisors: found like recordings, read like them. Every search and every reading is written down.

use axum::{
    Json,
    extract::{Path, State},
};
use ringback_routing::{
    contact::{Channel, ContactState, Outcome},
    ids::{ContactId, TenantId},
    time::Timestamp,
};
use ringback_store::{FoundChat, RecordSearch};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::{audit, shown_number},
    body::QueryOf,
    chat::Names,
    error::ApiError,
    guard::Caller,
    history::{TranscriptAnswer, whole},
    recordings::{self, RecordingQuery},
    schema,
};
use crate::{config::Face, state::App};

#[derive(Debug, Serialize, ToSchema)]
pub struct TranscriptList {
    pub items: Vec<ChatFound>,
    /// Give it as `page` to read on.
    pub next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ChatFound {
    pub contact: String,
    #[schema(value_type = i64)]
    pub requested_at: Timestamp,
    pub customer_name: String,
    pub number_display: String,
    /// Names of the agents who were in it.
    pub agents: Vec<String>,
    pub queue: String,
    pub subject: String,
    /// How the contact went on: chat, or a call that came of it.
    #[schema(value_type = schema::Channel)]
    pub channel: Channel,
    #[schema(value_type = Option<schema::Outcome>)]
    pub outcome: Option<Outcome>,
    pub dispositions: Vec<String>,
    pub messages: u64,
}

pub async fn search(
    State(app): State<App>,
    caller: Caller,
    QueryOf(query): QueryOf<RecordingQuery>,
) -> Result<Json<TranscriptList>, ApiError> {
    let tenant = caller.tenant()?;
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    let asked = recordings::asked(&app, &face, &query)?;
    let search = RecordSearch {
        from: asked.from,
        to: asked.to,
        agent: asked.agent,
        queue: asked.queue,
        number_key: asked.number_key,
        last_digits: asked.last_digits,
        text: asked.text,
        cursor: asked.cursor,
        limit: asked.limit,
    };
    audit(&app, &caller, "transcripts_searched", tenant, query.told()).await?;
    let page = app.store.search_chats(tenant, &search).await?;
    let mut names = Names::default();
    let mut items = Vec::with_capacity(page.items.len());
    for found in page.items {
        items.push(item(&app, &face, tenant, found, &mut names).await);
    }
    Ok(Json(TranscriptList { items, next: page.next }))
}

/// What was written and what happened, to the end. Notes between agents stand in it too.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
) -> Result<Json<TranscriptAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let contact: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    if app.store.contact(tenant, contact).await?.is_none() {
        return Err(ApiError::not_found());
    }
    // Written down before the first line leaves, as with listening.
    audit(&app, &caller, "transcript_read", contact, json!({})).await?;
    Ok(Json(whole(&app, tenant, contact).await?))
}

async fn item(app: &App, face: &Face, tenant: &TenantId, found: FoundChat, names: &mut Names) -> ChatFound {
    let FoundChat { contact, messages } = found;
    let mut agents = Vec::new();
    for segment in contact.segments.iter().filter(|segment| segment.connected_at.is_some()) {
        let name = names.of(app, tenant, &segment.agent).await;
        if !agents.contains(&name) {
            agents.push(name);
        }
    }
    ChatFound {
        contact: contact.id.to_string(),
        requested_at: contact.requested_at,
        customer_name: contact.customer.name.clone(),
        number_display: shown_number(face, &contact.customer.number),
        agents,
        queue: contact.queue.to_string(),
        subject: contact.subject.to_string(),
        channel: contact.channel,
        outcome: match contact.state {
            ContactState::Closed { outcome } => Some(outcome),
            _ => None,
        },
        dispositions: contact.segments.iter().flat_map(|s| &s.dispositions).map(ToString::to_string).collect(),
        messages,
    }
}
