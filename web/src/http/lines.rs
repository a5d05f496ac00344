//! The operator's lines: carriers' connections as they are, changed, retired, and brought back.

use axum::{
    Json,
    extract::{Path, State},
};
use ringback_routing::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::audit,
    body::JsonBody,
    counties::{TrunkConnect, checked},
    error::ApiError,
    guard::Caller,
};
use crate::{
    carriers::{self, Line, Wanted},
    counties::TrunkPlan,
    settings::Difference,
    state::App,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct LineList {
    pub items: Vec<LineItem>,
}

/// A connection that an operator made; those of the configuration file are changed there.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineItem {
    /// To be named with a change.
    pub version: u64,
    pub trunk: TrunkPlan,
    /// No calls go over it any more.
    pub retired: bool,
    /// One is kept; it is never shown.
    pub password: bool,
    /// The latest first.
    pub versions: Vec<LineState>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LineState {
    pub version: u64,
    pub who: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Against the version before.
    pub differences: Vec<Difference>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineChange {
    /// The version that was changed; another one meanwhile refuses the change.
    pub base: u64,
    pub trunk: TrunkPlan,
    #[serde(default)]
    pub retired: bool,
    /// Left out or empty: the one that is there stays.
    #[serde(default)]
    pub password: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineBack {
    /// The version in force.
    pub base: u64,
}

impl From<Line> for LineItem {
    fn from(line: Line) -> Self {
        let state = |state: carriers::LineVersion| LineState {
            version: state.version,
            who: state.who,
            at: state.at,
            differences: state.differences,
        };
        Self {
            version: line.versions.first().map_or(0, |latest| latest.version),
            trunk: line.plan,
            retired: line.retired,
            password: line.has_password,
            versions: line.versions.into_iter().map(state).collect(),
        }
    }
}

pub async fn list(State(app): State<App>) -> Result<Json<LineList>, ApiError> {
    let items = carriers::lines(&app).await?.into_iter().map(LineItem::from).collect();
    Ok(Json(LineList { items }))
}

pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(ask): JsonBody<LineChange>,
) -> Result<Json<LineItem>, ApiError> {
    let (plan, password) = checked(TrunkConnect { trunk: ask.trunk, password: ask.password }, None)?;
    if plan.id != id {
        return Err(ApiError::bad_value("trunk.id"));
    }
    let renewed = password.is_some();
    let wanted = Wanted { base: ask.base, plan, retired: ask.retired, password };
    let line = LineItem::from(carriers::change(&app, caller.id().as_str(), &id, wanted).await?);
    told(&app, &caller, "trunk_changed", &id, &line, renewed).await?;
    Ok(Json(line))
}

pub async fn bring_back(
    State(app): State<App>,
    caller: Caller,
    Path((id, version)): Path<(String, u64)>,
    JsonBody(ask): JsonBody<LineBack>,
) -> Result<Json<LineItem>, ApiError> {
    let line = carriers::bring_back(&app, caller.id().as_str(), &id, ask.base, version).await?;
    let line = LineItem::from(line);
    told(&app, &caller, "trunk_brought_back", &id, &line, false).await?;
    Ok(Json(line))
}

async fn told(
    app: &App,
    caller: &Caller,
    what: &str,
    id: &str,
    line: &LineItem,
    new_password: bool,
) -> Result<(), ApiError> {
    let changed = line.versions.first().map(|latest| latest.differences.iter().map(|one| one.what.clone()).collect());
    let changed: Vec<String> = changed.unwrap_or_default();
    let detail = json!({ "version": line.version, "changed": changed, "new_password": new_password });
    audit(app, caller, what, id, detail).await
}
