//! One contact with everything that happened to it.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use ringback_routing::{
    contact::{Contact, SegmentState},
    explain,
    ids::{ContactId, TenantId},
    output::Fact,
    time::Timestamp,
    view::WhyView,
};
use ringback_store::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::{board::shown_number, error::ApiError, guard::Caller, schema};
use crate::state::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct ContactAnswer {
    #[schema(value_type = schema::Contact)]
    pub contact: Contact,
    pub facts: Vec<FactAt>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FactAt {
    #[schema(value_type = i64)]
    pub at: Timestamp,
    #[schema(value_type = Object)]
    pub fact: Fact,
}

/// The contact as it stands: in the routing core, or closed in the ledger.
pub(super) async fn standing(app: &App, tenant: &TenantId, id: ContactId) -> Result<Contact, ApiError> {
    match app.engine.status_view(tenant, id).await? {
        Some(view) => Ok(view.contact),
        None => app.store.contact(tenant, id).await?.ok_or_else(ApiError::not_found),
    }
}

/// Why the contact is where it is; of a closed one, who had it and why.
pub async fn why(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
) -> Result<Json<WhyView>, ApiError> {
    let id: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    let tenant = caller.tenant()?;
    if let Some(view) = app.engine.why(tenant, id, app.limits().why_agents).await? {
        return Ok(Json(view));
    }
    let closed = app.store.contact(tenant, id).await?.ok_or_else(ApiError::not_found)?;
    Ok(Json(WhyView {
        contact: id,
        at: app.now(),
        state: closed.state.clone(),
        reason: closed.reason.clone(),
        waiting: None,
        chosen: explain::chosen(&closed),
        agents: Vec::new(),
        signed_in: 0,
    }))
}

pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
) -> Result<Json<ContactAnswer>, ApiError> {
    let id: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    let tenant = caller.tenant()?;
    let mut contact = standing(&app, tenant, id).await?;
    let in_hand = contact
        .segments
        .iter()
        .any(|segment| &segment.agent == caller.id() && !matches!(segment.state, SegmentState::Done { .. }));
    // To an agent, somebody else's contact does not exist.
    if caller.user.role == Role::Agent && !in_hand {
        return Err(ApiError::not_found());
    }
    if !in_hand {
        let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
        let shown = shown_number(&face, &contact.customer.number);
        Arc::make_mut(&mut contact.customer).number = shown;
    }
    Arc::make_mut(&mut contact.customer).number_key = String::new();
    contact.status_token_digest = None;
    let facts = app.store.contact_facts(tenant, id).await?;
    let facts = facts.into_iter().map(|row| FactAt { at: row.at, fact: row.fact }).collect();
    Ok(Json(ContactAnswer { contact, facts }))
}
