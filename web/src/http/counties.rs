//! The operator's tenants and carriers: founded by a guided start, connected, and what each still needs.

use axum::{Json, extract::State, http::StatusCode};
use chrono_tz::Tz;
use ringback_routing::ids::{AgentId, TenantId};
use ringback_store::{Role, StoreError, User};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::audit,
    body::JsonBody,
    error::ApiError,
    guard::Caller,
    people::{check_password, full_name, hashed},
};
use crate::{
    counties::{self, Missing, Plan, TrunkPlan},
    password,
    settings::Settings,
    state::App,
    users,
};

/// People a tenant begins with: an administrator, some agents.
const MOST_PEOPLE: usize = 20;

#[derive(Debug, Serialize, ToSchema)]
pub struct TenantList {
    pub items: Vec<TenantItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TenantItem {
    pub id: String,
    pub name: String,
    /// IANA name.
    pub timezone: String,
    pub callback: bool,
    pub chat: bool,
    /// What it still needs for its first call: hours, administrator, agent, trunk, trunk_down, opt_in, portal.
    #[schema(value_type = Vec<String>)]
    pub missing: Vec<Missing>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantFound {
    /// Stands in addresses: 1 to 40 of a-z, 0-9, - and _
    pub id: String,
    pub name: String,
    /// IANA name, like America/Los_Angeles.
    pub timezone: String,
    /// Parts that are left out are as in an empty configuration.
    pub settings: Settings,
    /// A carrier's connection of its own.
    #[serde(default)]
    pub trunk: Option<TrunkConnect>,
    #[serde(default)]
    pub people: Vec<FirstPerson>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstPerson {
    pub id: String,
    pub name: String,
    /// agent, supervisor, admin or auditor
    #[schema(value_type = String)]
    pub role: Role,
    /// Holds for the first sign-in.
    pub password: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkConnect {
    pub trunk: TrunkPlan,
    /// For the carrier; never shown again.
    #[serde(default)]
    pub password: Option<String>,
}

pub async fn list(State(app): State<App>) -> Result<Json<TenantList>, ApiError> {
    let mut items = Vec::new();
    for id in app.faces.tenants() {
        items.extend(item(&app, &id).await?);
    }
    Ok(Json(TenantList { items }))
}

async fn item(app: &App, id: &TenantId) -> Result<Option<TenantItem>, ApiError> {
    let Some(tenant) = app.tenant(id).await else { return Ok(None) };
    Ok(Some(TenantItem {
        id: id.to_string(),
        name: tenant.core.name.clone(),
        timezone: tenant.core.timezone.name().to_owned(),
        callback: tenant.core.callback.enabled,
        chat: tenant.core.chat.enabled,
        missing: counties::missing(app, &tenant).await?,
    }))
}

pub async fn found(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<TenantFound>,
) -> Result<(StatusCode, Json<TenantItem>), ApiError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if !(1..=40).contains(&ask.id.len()) || !ask.id.bytes().all(plain) {
        return Err(ApiError::bad_value("id"));
    }
    let name = full_name(&ask.name)?;
    let timezone: Tz = ask.timezone.parse().map_err(|_| ApiError::bad_value("timezone"))?;
    let trunk = ask.trunk.map(|connect| checked(connect, Some(&ask.id))).transpose()?;
    let people = people(&app, ask.people).await?;
    let settings = Settings { closure: None, ..ask.settings };
    let plan = Plan { id: ask.id, name, timezone, settings, trunk, people };
    let id = counties::found(&app, caller.id().as_str(), plan).await.map_err(taken)?;
    audit(&app, &caller, "tenant_founded", &id, json!({})).await?;
    let item = item(&app, &id).await?.ok_or_else(ApiError::unavailable)?;
    Ok((StatusCode::CREATED, Json(item)))
}

pub async fn connect(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<TrunkConnect>,
) -> Result<StatusCode, ApiError> {
    let (plan, password) = checked(ask, None)?;
    let (id, tenant) = (plan.id.clone(), plan.tenant.clone());
    counties::connect(&app, caller.id().as_str(), plan, password).await.map_err(taken)?;
    audit(&app, &caller, "trunk_connected", &id, json!({ "tenant": tenant })).await?;
    Ok(StatusCode::CREATED)
}

/// A connection as it can be kept; of a tenant that is being founded it is that tenant's own.
pub(super) fn checked(ask: TrunkConnect, founded: Option<&String>) -> Result<(TrunkPlan, Option<String>), ApiError> {
    let mut plan = ask.trunk;
    plan.tenant = founded.cloned().or(plan.tenant);
    if let Some(field) = plan.fault() {
        return Err(ApiError::bad_value(&format!("trunk.{field}")));
    }
    let password = ask.password.filter(|password| !password.is_empty());
    if password.as_ref().is_some_and(|password| password.len() > password::MAX_PASSWORD) {
        return Err(ApiError::bad_value("trunk.password"));
    }
    Ok((plan, password))
}

async fn people(app: &App, asked: Vec<FirstPerson>) -> Result<Vec<User>, ApiError> {
    if asked.len() > MOST_PEOPLE {
        return Err(ApiError::bad_value("people"));
    }
    let mut people = Vec::new();
    for (at, person) in asked.into_iter().enumerate() {
        let wrong = |field: &str| ApiError::bad_value(&format!("people.{at}.{field}"));
        if !users::is_name(&person.id) {
            return Err(wrong("id"));
        }
        let name = full_name(&person.name).map_err(|_| wrong("name"))?;
        check_password(&person.password).map_err(|_| wrong("password"))?;
        if person.role == Role::Operator {
            return Err(wrong("role"));
        }
        let password_hash = hashed(app, move || password::hash(&person.password).ok()).await?;
        people.push(User {
            id: AgentId::new(person.id),
            tenant: None,
            name,
            role: person.role,
            password_hash,
            agent: None,
            disabled: false,
            permissions: None,
            external: None,
            second_factor: false,
            must_change: true,
        });
    }
    Ok(people)
}

/// What is there already, by the field in which it was typed.
fn taken(error: crate::settings::SettingsError) -> ApiError {
    let taken = |field: &str| ApiError::new(StatusCode::CONFLICT, "taken").with("field", field);
    match error {
        crate::settings::SettingsError::Store(StoreError::Taken("trunk")) => taken("trunk.id"),
        crate::settings::SettingsError::Store(StoreError::Taken("user")) => taken("people"),
        crate::settings::SettingsError::Store(StoreError::Taken(_)) => taken("id"),
        crate::settings::SettingsError::Fault(field) if field == "id" => taken("id"),
        other => other.into(),
    }
}
