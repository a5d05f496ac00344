//! The supervisor's board, live.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use ringback_routing::{
    event::{CancelledBy, Event},
    ids::{ContactId, TenantId},
    view::BoardView,
};
use ringback_store::AuditEntry;
use serde_json::json;

use super::{
    body::{JsonBody, Nothing},
    edge::Client,
    error::ApiError,
    guard::Caller,
    stream,
};
use crate::{phone, state::App};

async fn view(app: &App, tenant: &TenantId) -> Result<BoardView, ApiError> {
    let view = app.engine.board_view(tenant, app.limits().board_waiting).await?;
    let mut view = view.ok_or_else(ApiError::not_found)?;
    let face = app.faces.get(tenant).ok_or_else(ApiError::not_found)?;
    for waiting in &mut view.waiting {
        waiting.number = shown_number(&face, &waiting.number);
    }
    Ok(view)
}

/// Whole or masked, as the tenant wants it for its supervisors.
pub fn shown_number(face: &crate::config::Face, number: &str) -> String {
    if face.show_numbers { phone::display(number, face.home) } else { phone::mask(number) }
}

pub async fn read(State(app): State<App>, caller: Caller) -> Result<Json<BoardView>, ApiError> {
    Ok(Json(view(&app, caller.tenant()?).await?))
}

struct Live {
    app: App,
    tenant: TenantId,
}

impl stream::View for Live {
    async fn read(&mut self) -> Result<(serde_json::Value, bool), ApiError> {
        let view = view(&self.app, &self.tenant).await?;
        Ok((serde_json::to_value(view).map_err(|_| ApiError::unavailable())?, false))
    }
}

pub async fn events(
    State(app): State<App>,
    caller: Caller,
    client: Option<Extension<Client>>,
) -> Result<Response, ApiError> {
    let client = client.map(|client| client.0);
    let tenant = caller.tenant()?.clone();
    stream::follow(app.clone(), &tenant.clone(), "board", client, Some(caller), Live { app, tenant }).await
}

pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    let contact: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    let tenant = caller.tenant()?;
    app.engine.submit(tenant, Event::CallbackCancelled { contact, by: CancelledBy::Administrator }).await?;
    audit(&app, &caller, "callback_cancelled", contact, json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes down who did what.
pub async fn audit(
    app: &App,
    caller: &Caller,
    what: &str,
    target: impl ToString,
    detail: serde_json::Value,
) -> Result<(), ApiError> {
    let entry = AuditEntry {
        at: app.now(),
        who: caller.id().to_string(),
        what: what.to_owned(),
        target: target.to_string(),
        detail,
    };
    app.store.audit(caller.user.tenant.as_ref(), entry).await?;
    Ok(())
}
