//! Keys by which programs call the interfaces: made by those who may, shown once, ended at any time.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::{ids::AgentId, time::Timestamp};
use ringback_store::{ApiKey, Permission, Role};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::audit,
    body::JsonBody,
    error::ApiError,
    guard::{Caller, KEY_PREFIX},
};
use crate::{
    state::{App, Revoked},
    token,
};

/// Longest name of a key, in letters.
const MAX_NAME: usize = 100;
/// Letters of its id: enough to tell keys apart.
const ID: usize = 12;

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyList {
    pub items: Vec<KeyItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyItem {
    pub id: String,
    pub name: String,
    /// Whose routes it may call.
    pub role: &'static str,
    pub permissions: Vec<&'static str>,
    pub created_by: String,
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    pub expires_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    pub revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyItem {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            role: key.role.as_str(),
            permissions: key.permissions.into_iter().map(Permission::as_str).collect(),
            created_by: key.created_by,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAdd {
    pub name: String,
    #[schema(value_type = String)]
    pub role: Role,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<Permission>,
    /// Milliseconds since 1970; without it the key holds until it is revoked.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyMade {
    /// For `Authorization: Bearer`; never shown again.
    pub key: String,
    pub item: KeyItem,
}

pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<KeyList>, ApiError> {
    let keys = app.store.api_keys(caller.user.tenant.as_ref()).await?;
    Ok(Json(KeyList { items: keys.into_iter().map(Into::into).collect() }))
}

pub async fn add(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<KeyAdd>,
) -> Result<(StatusCode, Json<KeyMade>), ApiError> {
    let name = ask.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(ApiError::bad_value("name"));
    }
    // Operators' keys run the installation, a tenant's keys its work; nobody hands on more than they have.
    if (ask.role == Role::Operator) != caller.user.tenant.is_none() {
        return Err(ApiError::bad_value("role"));
    }
    let may = |permission: &Permission| *permission != Permission::People && caller.user.may(*permission);
    if !ask.permissions.iter().all(may) {
        return Err(ApiError::bad_value("permissions"));
    }
    let now = app.now();
    if ask.expires_at.is_some_and(|at| at <= now) {
        return Err(ApiError::bad_value("expires_at"));
    }
    let secret = token::random()?;
    let digest = token::digest(&secret);
    let key = ApiKey {
        id: digest.chars().take(ID).collect(),
        tenant: caller.user.tenant.clone(),
        name,
        role: ask.role,
        permissions: ask.permissions,
        created_by: caller.id().to_string(),
        created_at: now,
        expires_at: ask.expires_at,
        revoked_at: None,
    };
    app.store.create_api_key(&key, &digest).await?;
    audit(&app, &caller, "key_made", &key.id, json!({ "role": key.role, "permissions": key.permissions })).await?;
    Ok((StatusCode::CREATED, Json(KeyMade { key: format!("{KEY_PREFIX}{secret}"), item: key.into() })))
}

pub async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    if !app.store.revoke_api_key(caller.user.tenant.as_ref(), &id, app.now()).await? {
        return Err(ApiError::not_found());
    }
    let _ = app.revoked.send(Revoked::User(AgentId::new(format!("key:{id}"))));
    audit(&app, &caller, "key_revoked", &id, json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}
