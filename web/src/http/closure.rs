//! The emergency closure: one click closes the office to new requests, one opens it again.

use axum::{Json, extract::State, http::StatusCode};
use ringback_routing::{config::Closure, time::Timestamp, view::ClosurePreview};
use ringback_store::{AuditEntry, VersionNotice};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{body::JsonBody, error::ApiError, guard::Caller, schema};
use crate::{settings, state::App};

/// Longest message, in letters.
const MAX_MESSAGE: usize = 500;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosureAsk {
    /// Shown to customers.
    pub message: String,
    /// Milliseconds since 1970; without it the closure lasts until it is lifted.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub until: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ClosureAnswer {
    #[schema(value_type = Option<schema::Closure>)]
    pub closure: Option<Closure>,
}

pub async fn read(State(app): State<App>, caller: Caller) -> Result<Json<ClosureAnswer>, ApiError> {
    let config = app.engine.config(caller.tenant()?).await?;
    let now = app.now();
    let closure = config.hours.closure.clone().filter(|closure| closure.until.is_none_or(|until| until > now));
    Ok(Json(ClosureAnswer { closure }))
}

pub async fn declare(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<ClosureAsk>,
) -> Result<StatusCode, ApiError> {
    let closure = asked(&app, &ask)?;
    if closure.message.is_empty() {
        return Err(ApiError::bad_value("message"));
    }
    let notice = notice(&app, &caller, "closure_declared", "closure.declared", json!({ "until": ask.until }))?;
    settings::close(&app, caller.tenant()?, Some(closure), notice).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whom it would find waiting; the message may still be empty.
pub async fn preview(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<ClosureAsk>,
) -> Result<Json<ClosurePreview>, ApiError> {
    let closure = asked(&app, &ask)?;
    Ok(Json(app.engine.closure_preview(caller.tenant()?, closure).await?))
}

fn asked(app: &App, ask: &ClosureAsk) -> Result<Closure, ApiError> {
    let message = ask.message.trim().to_owned();
    let since = app.now();
    if message.chars().count() > MAX_MESSAGE {
        return Err(ApiError::bad_value("message"));
    }
    if ask.until.is_some_and(|until| until <= since) {
        return Err(ApiError::bad_value("until"));
    }
    Ok(Closure { since, until: ask.until, message })
}

pub async fn lift(State(app): State<App>, caller: Caller) -> Result<StatusCode, ApiError> {
    let notice = notice(&app, &caller, "closure_lifted", "closure.lifted", json!({}))?;
    settings::close(&app, caller.tenant()?, None, notice).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What stands in the audit, and what programs of others hear; the message to customers is theirs to read on the page.
fn notice(
    app: &App,
    caller: &Caller,
    what: &str,
    event: &'static str,
    detail: serde_json::Value,
) -> Result<VersionNotice, ApiError> {
    let (who, what, target) = (caller.id().to_string(), what.to_owned(), caller.tenant()?.to_string());
    let audit = AuditEntry { at: app.now(), who, what, target, detail: detail.clone() };
    Ok(VersionNotice { audit, event, detail })
}
