//! What the customer of a contact had before: the last chats with what was written, and calls. To an agent it is open as
//! long as the contact is in hand.

use axum::{
    Json,
    extract::{Path, State},
};
use ringback_routing::{
    contact::{Channel, Contact, ContactState, Outcome, SegmentState},
    ids::{ContactId, TenantId},
    time::Timestamp,
};
use ringback_store::{ContactSearch, Role};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::audit,
    chat::{ChatLine, Names},
    contacts,
    error::ApiError,
    guard::Caller,
    schema,
    timeline::{self, TimelineEvent},
};
use crate::state::App;

/// O6: the last 20 chats; calls stand between them.
const SHOWN: u32 = 20;
/// Contacts looked through for them.
const LOOKED_THROUGH: u32 = 60;
/// Messages of a transcript read at once.
const PAGE: u32 = 500;

#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// The latest first.
    pub items: Vec<HistoryItem>,
}

/// An earlier contact of the same customer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HistoryItem {
    pub contact: String,
    #[schema(value_type = schema::Channel)]
    pub channel: Channel,
    #[schema(value_type = i64)]
    pub requested_at: Timestamp,
    pub subject: String,
    #[schema(value_type = Option<schema::Outcome>)]
    pub outcome: Option<Outcome>,
    /// Names of the agents who were in it.
    pub agents: Vec<String>,
    pub dispositions: Vec<String>,
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TranscriptAnswer {
    pub messages: Vec<ChatLine>,
    /// What happened between the lines, in order; of a chat that became a call, with the places in the recording.
    pub events: Vec<TimelineEvent>,
}

pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
) -> Result<Json<HistoryAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let present = opened(&app, &caller, &contact).await?;
    let earlier = earlier(&app, tenant, &present).await?;
    let mut names = Names::default();
    let mut items = Vec::new();
    for contact in up_to_chats(earlier, |contact| contact.chat.is_some()) {
        items.push(item(&app, tenant, &contact, &mut names).await?);
    }
    Ok(Json(HistoryAnswer { items }))
}

pub async fn transcript(
    State(app): State<App>,
    caller: Caller,
    Path((contact, wanted)): Path<(String, String)>,
) -> Result<Json<TranscriptAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let wanted: ContactId = wanted.parse().map_err(|_| ApiError::not_found())?;
    let present = opened(&app, &caller, &contact).await?;
    let known = earlier(&app, tenant, &present).await?.iter().any(|contact| contact.id == wanted);
    // Only chats of the customer who is here now.
    if !known && present.id != wanted {
        return Err(ApiError::not_found());
    }
    // Written down before the first line leaves, as with listening.
    audit(&app, &caller, "transcript_read", wanted, json!({ "beside": present.id.to_string() })).await?;
    Ok(Json(whole(&app, tenant, wanted).await?))
}

/// The first of them until [`SHOWN`] are chats; what stands between does not count.
fn up_to_chats<T>(items: Vec<T>, is_chat: impl Fn(&T) -> bool) -> Vec<T> {
    let mut chats = 0;
    let fits = |item: &T| {
        chats += u32::from(is_chat(item));
        chats <= SHOWN
    };
    items.into_iter().take_while(fits).collect()
}

/// Lines and events.
pub(super) async fn whole(app: &App, tenant: &TenantId, contact: ContactId) -> Result<TranscriptAnswer, ApiError> {
    let messages = lines_of(app, tenant, contact).await?;
    Ok(TranscriptAnswer { messages, events: timeline::of(app, tenant, contact).await? })
}

/// All that was written in a contact, with the names of who wrote it.
pub(super) async fn lines_of(app: &App, tenant: &TenantId, contact: ContactId) -> Result<Vec<ChatLine>, ApiError> {
    let (mut messages, mut names) = (Vec::new(), Names::default());
    let mut after = 0;
    loop {
        let rows = app.store.chat_messages(tenant, contact, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        messages.extend(rows.iter().map(ChatLine::of));
    }
    names.put_on(app, tenant, &mut messages).await;
    Ok(messages)
}

/// The contact the history is asked for: to an agent, somebody else's does not exist.
pub(super) async fn opened(app: &App, caller: &Caller, word: &str) -> Result<Contact, ApiError> {
    let tenant = caller.tenant()?;
    let id: ContactId = word.parse().map_err(|_| ApiError::not_found())?;
    let contact = contacts::standing(app, tenant, id).await?;
    let in_hand = contact
        .segments
        .iter()
        .any(|segment| &segment.agent == caller.id() && !matches!(segment.state, SegmentState::Done { .. }));
    if caller.user.role == Role::Agent && !in_hand { Err(ApiError::not_found()) } else { Ok(contact) }
}

async fn earlier(app: &App, tenant: &TenantId, present: &Contact) -> Result<Vec<Contact>, ApiError> {
    if present.customer.number_key.is_empty() {
        // All who withhold their number have that in common and nothing else.
        return Ok(Vec::new());
    }
    let search = ContactSearch {
        to: Some(present.requested_at),
        number_key: Some(present.customer.number_key.clone()),
        limit: LOOKED_THROUGH,
        ..ContactSearch::default()
    };
    Ok(app.store.contacts(tenant, &search).await?.items.into_iter().filter(|found| found.id != present.id).collect())
}

pub(super) async fn item(
    app: &App,
    tenant: &TenantId,
    contact: &Contact,
    names: &mut Names,
) -> Result<HistoryItem, ApiError> {
    let mut agents = Vec::new();
    let served = contact.segments.iter().filter(|segment| segment.connected_at.is_some());
    for segment in served.clone() {
        let name = names.of(app, tenant, &segment.agent).await;
        if !agents.contains(&name) {
            agents.push(name);
        }
    }
    Ok(HistoryItem {
        contact: contact.id.to_string(),
        channel: contact.channel,
        requested_at: contact.requested_at,
        subject: contact.subject.to_string(),
        outcome: match contact.state {
            ContactState::Closed { outcome } => Some(outcome),
            _ => None,
        },
        agents,
        dispositions: served.clone().flat_map(|segment| segment.dispositions.iter().map(ToString::to_string)).collect(),
        notes: served.filter_map(|segment| segment.note.clone()).filter(|note| !note.trim().is_empty()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_chats_are_shown_however_many_calls_stand_between_them() {
        let chats = |all: &[bool]| up_to_chats(all.to_vec(), |chat| *chat).len();
        assert_eq!(chats(&[true; 30]), 20);
        assert_eq!(chats(&[false; 30]), 30);
        let mixed: Vec<bool> = (0..60).map(|at| at % 2 == 1).collect();
        assert_eq!(chats(&mixed), 41, "twenty chats, and the call after the last of them");
    }
}
