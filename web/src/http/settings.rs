//! What administrators set: read, changed as a whole, looked back on, and undone.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{board::audit, body::JsonBody, error::ApiError, guard::Caller};
use crate::{
    settings::{self, Difference, OuterBounds, Settings, SettingsError, Version},
    state::App,
};

/// So many versions are told at once.
const VERSIONS: u32 = 100;

#[derive(Debug, Serialize, ToSchema)]
pub struct SettingsAnswer {
    /// To be named with a change; 0: nobody changed anything, the configuration file speaks.
    pub version: u64,
    pub who: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    pub settings: Settings,
    /// What the operator allows at most.
    pub bounds: OuterBounds,
}

/// What is left out of a list is no longer there; a part that is left out stays as it is, and so does a closure.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// The version that was changed; another one in force meanwhile refuses the change.
    pub base: u64,
    pub settings: Settings,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsBack {
    /// The version in force.
    pub base: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct VersionList {
    /// The latest first.
    pub items: Vec<VersionItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct VersionItem {
    pub version: u64,
    pub who: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Against the version before.
    pub differences: Vec<Difference>,
}

impl SettingsAnswer {
    fn of(app: &App, caller: &Caller, version: Version) -> Result<Json<Self>, ApiError> {
        let face = app.faces.get(caller.tenant()?).ok_or_else(ApiError::not_found)?;
        let Version { version, who, at, settings } = version;
        Ok(Json(Self { version, who, at, settings, bounds: OuterBounds::of(&face) }))
    }
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Outdated => Self::new(StatusCode::CONFLICT, "settings_outdated"),
            SettingsError::NoSuchVersion | SettingsError::NoSuchTenant => Self::not_found(),
            SettingsError::InUse { field, by } => {
                Self::new(StatusCode::CONFLICT, "in_use").with("field", field).with("by", by)
            }
            SettingsError::Fault(field) => Self::bad_value(&field),
            SettingsError::Store(error) => error.into(),
            SettingsError::Engine(error) => error.into(),
        }
    }
}

pub async fn read(State(app): State<App>, caller: Caller) -> Result<Json<SettingsAnswer>, ApiError> {
    let now = settings::current(&app, caller.tenant()?).await?;
    SettingsAnswer::of(&app, &caller, now)
}

pub async fn change(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<SettingsChange>,
) -> Result<Json<SettingsAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let before = settings::current(&app, tenant).await?;
    let wanted = Settings { closure: before.settings.closure.clone(), ..ask.settings };
    let now = settings::change(&app, tenant, caller.id().as_str(), ask.base, wanted).await?;
    told(&app, &caller, "settings_changed", &before, &now).await?;
    SettingsAnswer::of(&app, &caller, now)
}

pub async fn versions(State(app): State<App>, caller: Caller) -> Result<Json<VersionList>, ApiError> {
    let kept = settings::versions(&app, caller.tenant()?, VERSIONS + 1).await?;
    let item = |(at, version): (usize, &Version)| VersionItem {
        version: version.version,
        who: version.who.clone(),
        at: version.at,
        differences: kept.get(at + 1).map(|before| version.settings.differences(&before.settings)).unwrap_or_default(),
    };
    Ok(Json(VersionList { items: kept.iter().enumerate().take(VERSIONS as usize).map(item).collect() }))
}

/// What an earlier version said is in force again, as a new version.
pub async fn bring_back(
    State(app): State<App>,
    caller: Caller,
    Path(version): Path<u64>,
    JsonBody(ask): JsonBody<SettingsBack>,
) -> Result<Json<SettingsAnswer>, ApiError> {
    let tenant = caller.tenant()?;
    let before = settings::current(&app, tenant).await?;
    let now = settings::bring_back(&app, tenant, caller.id().as_str(), ask.base, version).await?;
    told(&app, &caller, "settings_brought_back", &before, &now).await?;
    SettingsAnswer::of(&app, &caller, now)
}

async fn told(app: &App, caller: &Caller, what: &str, before: &Version, now: &Version) -> Result<(), ApiError> {
    let names: Vec<String> = now.settings.differences(&before.settings).into_iter().map(|one| one.what).collect();
    audit(app, caller, what, caller.tenant()?, json!({ "version": now.version, "changed": names })).await
}
