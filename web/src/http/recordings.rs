//! Recorded calls, found by date, agent, number, queue and name. Every search is written down.

use std::collections::HashMap;

use axum::{Json, extract::State};
use ringback_routing::{
    contact::{ContactState, Outcome},
    ids::{AgentId, QueueId, TenantId},
    output::Party,
    time::Timestamp,
};
use ringback_store::{RecordSearch, RecordedContact, RecordingRow, RecordingState};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::{audit, shown_number},
    body::QueryOf,
    error::ApiError,
    guard::Caller,
    holds::HoldItem,
    schema,
};
use crate::{
    config::Face,
    phone::{self, Dialable},
    state::App,
};

/// Rows of one page.
const PAGE: u32 = 50;
/// Longest search text, in letters.
const MAX_TEXT: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingQuery {
    #[serde(default)]
    from: Option<i64>,
    #[serde(default)]
    to: Option<i64>,
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    page: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RecordingList {
    pub items: Vec<RecordedCall>,
    /// Give it as `page` to read on.
    pub next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedCall {
    pub contact: String,
    #[schema(value_type = i64)]
    pub started_at: Timestamp,
    pub duration_ms: i64,
    pub customer_name: String,
    pub number_display: String,
    pub agent: Option<String>,
    pub agent_name: Option<String>,
    pub queue: String,
    pub subject: String,
    #[schema(value_type = Option<schema::Outcome>)]
    pub outcome: Option<Outcome>,
    pub dispositions: Vec<String>,
    pub legs: Vec<RecordedLeg>,
    /// The records stay whatever their age.
    pub held: Option<HoldItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedLeg {
    pub recording: String,
    /// customer or agent
    pub party: &'static str,
    pub agent: Option<String>,
    pub offset_ms: i64,
    pub duration_ms: i64,
    /// recording, finished, repaired or failed
    #[schema(value_type = String)]
    pub state: RecordingState,
    /// Chained hash over the sound; empty while recording.
    pub chain: String,
}

pub async fn search(
    State(app): State<App>,
    caller: Caller,
    QueryOf(query): QueryOf<RecordingQuery>,
) -> Result<Json<RecordingList>, ApiError> {
    let tenant = caller.tenant()?;
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    let search = asked(&app, &face, &query)?;
    audit(&app, &caller, "recordings_searched", tenant, query.told()).await?;
    let page = app.store.search_recordings(tenant, &search).await?;
    let names = names(&app, tenant).await?;
    let contacts: Vec<_> = page.items.iter().map(|found| found.contact.id).collect();
    let holds = app.store.legal_holds_on(tenant, &contacts).await?;
    let held = |contact| holds.iter().find(|hold| hold.contact == contact).map(|hold| HoldItem::of(hold, &names));
    let items = page.items.into_iter().map(|found| item(&face, &names, held(found.contact.id), found)).collect();
    Ok(Json(RecordingList { items, next: page.next }))
}

impl RecordingQuery {
    /// What was looked for, as it is written down: without the number or name itself.
    pub(super) fn told(&self) -> serde_json::Value {
        json!({
            "from": self.from, "to": self.to, "agent": self.agent, "queue": self.queue,
            "by_number": self.number.is_some(), "by_text": self.q.is_some(),
        })
    }
}

pub(super) fn asked(app: &App, face: &Face, query: &RecordingQuery) -> Result<RecordSearch, ApiError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let text = given(&query.q);
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT) {
        return Err(ApiError::bad_value("q"));
    }
    let mut search = RecordSearch {
        from: query.from.map(Timestamp::from_millis),
        to: query.to.map(Timestamp::from_millis),
        agent: given(&query.agent).map(AgentId::new),
        queue: given(&query.queue).map(QueueId::new),
        text,
        cursor: given(&query.page),
        limit: PAGE,
        ..RecordSearch::default()
    };
    if let Some(number) = given(&query.number) {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        match Dialable::parse(&number, &face.phone_rules) {
            Ok(number) => search.number_key = Some(phone::number_key(&app.installation_key, number.e164())),
            Err(_) if (1..=4).contains(&digits.len()) => search.last_digits = Some(digits),
            Err(_) => return Err(ApiError::bad_value("number")),
        }
    }
    Ok(search)
}

/// Names of the tenant's people by id.
pub(super) async fn names(app: &App, tenant: &TenantId) -> Result<HashMap<AgentId, String>, ApiError> {
    let users = app.store.users(Some(tenant)).await?;
    Ok(users.into_iter().map(|user| (user.id, user.name)).collect())
}

fn item(face: &Face, names: &HashMap<AgentId, String>, held: Option<HoldItem>, found: RecordedContact) -> RecordedCall {
    let contact = found.contact;
    let end = |leg: &RecordingRow| leg.offset_ms + leg.duration_ms;
    let first = found.recordings.iter().map(|leg| leg.offset_ms).min().unwrap_or(0);
    let last = found.recordings.iter().map(end).max().unwrap_or(0);
    let agent = contact.segments.iter().rev().find(|segment| segment.connected_at.is_some());
    let agent = agent.or(contact.segments.last()).map(|segment| segment.agent.clone());
    RecordedCall {
        contact: contact.id.to_string(),
        started_at: found.started_at,
        duration_ms: last - first,
        number_display: shown_number(face, &contact.customer.number),
        customer_name: contact.customer.name.clone(),
        agent_name: agent.as_ref().and_then(|agent| names.get(agent).cloned()),
        agent: agent.map(|agent| agent.to_string()),
        queue: contact.queue.to_string(),
        subject: contact.subject.to_string(),
        outcome: match contact.state {
            ContactState::Closed { outcome } => Some(outcome),
            _ => None,
        },
        dispositions: contact.segments.iter().flat_map(|s| &s.dispositions).map(ToString::to_string).collect(),
        legs: found.recordings.into_iter().map(leg).collect(),
        held,
    }
}

fn leg(row: RecordingRow) -> RecordedLeg {
    let (party, agent) = match &row.party {
        Party::Customer => ("customer", None),
        Party::Outside => ("outside", None),
        Party::Agent { agent } => ("agent", Some(agent.to_string())),
    };
    RecordedLeg {
        recording: row.id.to_string(),
        party,
        agent,
        offset_ms: row.offset_ms,
        duration_ms: row.duration_ms,
        state: row.state,
        chain: row.chain,
    }
}
