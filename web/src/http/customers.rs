//! The tenant's directory: people with their numbers, the ids that portals know them by, notes and cases. Agents find and
//! keep it; every look and every change is written down by the person's id.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::{ids::TenantId, time::Timestamp};
use ringback_store::{CaseState, CustomerRecord, CustomerSearch, KnownNumber, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::{audit, shown_number},
    body::{JsonBody, QueryOf},
    callbacks::one_line,
    chat::Names,
    error::ApiError,
    guard::Caller,
};
use crate::{
    config::Face,
    phone::{self, Dialable},
    state::App,
    token,
};

/// Longest name, in letters.
pub(super) const MAX_NAME: usize = 100;
/// Numbers, and ids of portals, that one person may have.
const MAX_KEYS: usize = 10;
/// Longest id of a portal's, in letters.
const MAX_EXTERNAL_ID: usize = 100;
/// Longest notes, in letters.
const MAX_NOTES: usize = 4000;
/// Longest search, in letters.
const MAX_TEXT: usize = 100;
/// People one search shows; more is a reason to say more.
const SHOWN: u32 = 50;
/// Cases shown with a person, the latest first.
const CASES_SHOWN: u32 = 50;
/// Letters of an id besides what it begins with.
const ID: usize = 24;

/// A person of the directory.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CustomerAnswer {
    pub id: String,
    pub name: String,
    pub numbers: Vec<CustomerNumber>,
    /// What portals call this person.
    pub external_ids: Vec<String>,
    pub notes: String,
    /// Given back with a change, so that nobody writes over what somebody else changed meanwhile.
    pub version: i64,
    #[schema(value_type = i64)]
    pub changed_at: Timestamp,
    /// The latest first.
    pub cases: Vec<CaseItem>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CustomerNumber {
    /// E.164
    pub number: String,
    pub display: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CaseItem {
    pub contact: String,
    /// draft or saved
    pub state: &'static str,
    pub title: String,
    pub body: String,
    #[schema(value_type = i64)]
    pub opened_at: Timestamp,
    /// Name of the agent.
    pub opened_by: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerList {
    /// By name.
    pub items: Vec<CustomerFound>,
    /// There are others: say more of whom is meant.
    pub more: bool,
}

/// Enough to tell people apart.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerFound {
    pub id: String,
    pub name: String,
    /// Whole or masked, as the tenant wants it.
    pub numbers: Vec<String>,
    pub external_ids: Vec<String>,
}

/// A person as written by staff.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerWrite {
    #[serde(default)]
    pub name: String,
    /// As typed; kept as E.164.
    #[serde(default)]
    pub numbers: Vec<String>,
    #[serde(default)]
    pub external_ids: Vec<String>,
    #[serde(default)]
    pub notes: String,
    /// Of the version that was read; for a new person nothing.
    #[serde(default)]
    pub version: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerQuery {
    #[serde(default)]
    q: String,
}

/// By name, by a whole number, by what a number ends with (2 to 4 digits), or by a portal's id.
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    QueryOf(query): QueryOf<CustomerQuery>,
) -> Result<Json<CustomerList>, ApiError> {
    let tenant = caller.tenant()?;
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    if query.q.chars().count() > MAX_TEXT {
        return Err(ApiError::bad_value("q"));
    }
    let search = asked(&app, &face, &query.q);
    let by = if search.text.is_some() { "text" } else { "number" };
    audit(&app, &caller, "customers_searched", tenant, json!({ "by": by })).await?;
    let mut found = app.store.search_customers(tenant, &search).await?;
    let more = found.len() > SHOWN as usize;
    found.truncate(SHOWN as usize);
    let items = found.into_iter().map(|customer| CustomerFound {
        id: customer.id,
        name: customer.name,
        numbers: customer.numbers.iter().map(|known| shown_number(&face, &known.number)).collect(),
        external_ids: customer.external_ids,
    });
    Ok(Json(CustomerList { items: items.collect(), more }))
}

fn asked(app: &App, face: &Face, text: &str) -> CustomerSearch {
    let mut search = CustomerSearch { limit: SHOWN + 1, ..CustomerSearch::default() };
    let digits = text.trim();
    if (2..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        search.last_digits = Some(digits.to_owned());
    } else if let Ok(number) = Dialable::parse(text, &face.phone_rules) {
        search.number_key = Some(number.key(&app.installation_key));
    } else {
        search.text = Some(text.to_owned());
    }
    search
}

pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CustomerAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let record = app.store.customer(tenant, &id).await?.ok_or_else(ApiError::not_found)?;
    audit(&app, &caller, "customer_read", &record.id, json!({})).await?;
    Ok(Json(answer(&app, tenant, record).await?))
}

pub async fn add(
    State(app): State<App>,
    caller: Caller,
    JsonBody(write): JsonBody<CustomerWrite>,
) -> Result<(StatusCode, Json<CustomerAnswer>), ApiError> {
    let kept = create(&app, &caller, write).await?;
    Ok((StatusCode::CREATED, Json(answer(&app, caller.tenant()?, kept).await?)))
}

/// A new person in the directory.
pub(super) async fn create(app: &App, caller: &Caller, write: CustomerWrite) -> Result<CustomerRecord, ApiError> {
    let digest = token::digest(&token::random()?);
    let id = format!("cu_{}", digest.chars().take(ID).collect::<String>());
    let now = app.now();
    let record = CustomerRecord {
        id,
        name: String::new(),
        numbers: Vec::new(),
        external_ids: Vec::new(),
        notes: String::new(),
        version: 0,
        created_at: now,
        changed_by: String::new(),
        changed_at: now,
    };
    keep(app, caller, record, CustomerWrite { version: 0, ..write }, "customer_added").await
}

pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(write): JsonBody<CustomerWrite>,
) -> Result<Json<CustomerAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let before = app.store.customer(tenant, &id).await?.ok_or_else(ApiError::not_found)?;
    if write.version < 1 {
        return Err(ApiError::bad_value("version"));
    }
    let kept = keep(&app, &caller, before, write, "customer_changed").await?;
    Ok(Json(answer(&app, tenant, kept).await?))
}

pub(super) async fn keep(
    app: &App,
    caller: &Caller,
    before: CustomerRecord,
    write: CustomerWrite,
    what: &str,
) -> Result<CustomerRecord, ApiError> {
    let tenant = caller.tenant()?;
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    let mut record = written(app, &face, write)?;
    (record.id, record.created_at) = (before.id, before.created_at);
    record.changed_by = caller.id().to_string();
    record.changed_at = app.now();
    record.version = app.store.save_customer(tenant, &record).await.map_err(taken)?;
    let detail = json!({ "numbers": record.numbers.len(), "external_ids": record.external_ids.len(),
        "notes": token::digest(&record.notes) });
    audit(app, caller, what, &record.id, detail).await?;
    Ok(record)
}

/// Checked and put in order; id, times and author are the caller's to set.
fn written(app: &App, face: &Face, write: CustomerWrite) -> Result<CustomerRecord, ApiError> {
    let name = one_line(&write.name);
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(ApiError::bad_value("name"));
    }
    let mut numbers: Vec<KnownNumber> = Vec::new();
    for typed in write.numbers.iter().filter(|typed| !typed.trim().is_empty()) {
        let refused = |_| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "phone_invalid").with("field", "numbers");
        let number = Dialable::parse(typed, &face.phone_rules).map_err(refused)?;
        let known = KnownNumber { number: number.e164().to_owned(), number_key: number.key(&app.installation_key) };
        if !numbers.contains(&known) {
            numbers.push(known);
        }
    }
    let mut external_ids: Vec<String> = Vec::new();
    for typed in &write.external_ids {
        let id = one_line(typed);
        if id.chars().count() > MAX_EXTERNAL_ID {
            return Err(ApiError::bad_value("external_ids"));
        }
        if !id.is_empty() && !external_ids.contains(&id) {
            external_ids.push(id);
        }
    }
    if numbers.len() > MAX_KEYS {
        return Err(ApiError::bad_value("numbers"));
    }
    if external_ids.len() > MAX_KEYS {
        return Err(ApiError::bad_value("external_ids"));
    }
    let now = app.now();
    Ok(CustomerRecord {
        id: String::new(),
        name,
        numbers,
        external_ids,
        notes: text_within(&write.notes, MAX_NOTES, "notes")?,
        version: write.version,
        created_at: now,
        changed_by: String::new(),
        changed_at: now,
    })
}

/// Text of several lines as it is kept.
pub(super) fn text_within(text: &str, limit: usize, field: &'static str) -> Result<String, ApiError> {
    let kept: String = text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect();
    let kept = kept.trim();
    if kept.chars().count() > limit {
        let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long");
        return Err(error.with("field", field).with("limit", limit));
    }
    Ok(kept.to_owned())
}

/// Whose a key is already, or that somebody was faster.
pub(super) fn taken(error: StoreError) -> ApiError {
    match error {
        StoreError::Taken("number") => ApiError::new(StatusCode::CONFLICT, "number_taken").with("field", "numbers"),
        StoreError::Taken("external id") => {
            ApiError::new(StatusCode::CONFLICT, "external_id_taken").with("field", "external_ids")
        }
        StoreError::Taken(_) => ApiError::new(StatusCode::CONFLICT, "changed_meanwhile"),
        other => other.into(),
    }
}

/// The person with the cases, as staff see it.
pub(super) async fn answer(app: &App, tenant: &TenantId, record: CustomerRecord) -> Result<CustomerAnswer, ApiError> {
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    let mut names = Names::default();
    let mut cases = Vec::new();
    for case in app.store.cases_of(tenant, &record.id, CASES_SHOWN).await? {
        cases.push(CaseItem {
            contact: case.contact.to_string(),
            state: state_word(case.state),
            title: case.title,
            body: case.body,
            opened_at: case.opened_at,
            opened_by: names.of(app, tenant, &case.opened_by.as_str().into()).await,
        });
    }
    let number =
        |known: KnownNumber| CustomerNumber { display: phone::display(&known.number, face.home), number: known.number };
    Ok(CustomerAnswer {
        id: record.id,
        name: record.name,
        numbers: record.numbers.into_iter().map(number).collect(),
        external_ids: record.external_ids,
        notes: record.notes,
        version: record.version,
        changed_at: record.changed_at,
        cases,
    })
}

pub(super) fn state_word(state: CaseState) -> &'static str {
    match state {
        CaseState::Draft => "draft",
        CaseState::Saved => "saved",
    }
}
