//! Legal holds: a contact's records stay, whatever their age, until somebody lifts the hold.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::{
    ids::{AgentId, ContactId, TenantId},
    time::Timestamp,
};
use ringback_store::{LegalHold, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{body::JsonBody, error::ApiError, guard::Caller, recordings::names};
use crate::state::App;

/// Longest reason, in letters.
const MAX_REASON: usize = 500;

#[derive(Debug, Serialize, ToSchema)]
pub struct HoldList {
    /// The latest first.
    pub items: Vec<HoldItem>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldItem {
    pub contact: String,
    pub reason: String,
    pub who: String,
    pub who_name: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldAsk {
    /// 1 to 500 letters.
    #[serde(default)]
    pub reason: String,
}

impl HoldItem {
    pub fn of(hold: &LegalHold, names: &HashMap<AgentId, String>) -> Self {
        let name = names.get(&AgentId::new(&hold.who)).unwrap_or(&hold.who);
        Self {
            contact: hold.contact.to_string(),
            reason: hold.reason.clone(),
            who: hold.who.clone(),
            who_name: name.clone(),
            at: hold.at,
        }
    }
}

pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<HoldList>, ApiError> {
    let tenant = caller.tenant()?;
    let names = names(&app, tenant).await?;
    let holds = app.store.legal_holds(tenant).await?;
    Ok(Json(HoldList { items: holds.iter().map(|hold| HoldItem::of(hold, &names)).collect() }))
}

pub async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
    JsonBody(ask): JsonBody<HoldAsk>,
) -> Result<(StatusCode, Json<HoldItem>), ApiError> {
    let tenant = caller.tenant()?;
    let contact = known(&app, tenant, &contact).await?;
    let reason = ask.reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(ApiError::bad_value("reason"));
    }
    let hold = LegalHold { contact, reason, who: caller.id().to_string(), at: app.now() };
    app.store.set_legal_hold(tenant, hold.clone()).await.map_err(|error| match error {
        StoreError::Taken(_) => ApiError::new(StatusCode::CONFLICT, "held_already"),
        other => other.into(),
    })?;
    Ok((StatusCode::CREATED, Json(HoldItem::of(&hold, &names(&app, tenant).await?))))
}

pub async fn lift(State(app): State<App>, caller: Caller, Path(contact): Path<String>) -> Result<StatusCode, ApiError> {
    let tenant = caller.tenant()?;
    let contact = known(&app, tenant, &contact).await?;
    app.store.lift_legal_hold(tenant, contact, caller.id().as_str(), app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn known(app: &App, tenant: &TenantId, word: &str) -> Result<ContactId, ApiError> {
    let id: ContactId = word.parse().map_err(|_| ApiError::not_found())?;
    app.store.contact(tenant, id).await?.map(|contact| contact.id).ok_or_else(ApiError::not_found)
}
