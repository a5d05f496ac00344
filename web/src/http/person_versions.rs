//! What became of a person, change by change, and the way back.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::time::Timestamp;
use ringback_store::{User, UserState, UserVersion};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    board::audit,
    body::JsonBody,
    error::ApiError,
    guard::Caller,
    people::{Person, end_sessions, found, tell_engine},
};
use crate::{settings::Difference, state::App};

/// So many versions are told at once.
const VERSIONS: u32 = 100;

#[derive(Debug, Serialize, ToSchema)]
pub struct PersonVersions {
    /// The latest first; empty: nobody changed anything yet.
    pub items: Vec<PersonVersion>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PersonVersion {
    pub version: u64,
    /// Empty: as it was before the first change.
    pub who: String,
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Against the version before: name, role, disabled, permissions, queues, skills, can_reject, voice_slots, chat_slots.
    pub differences: Vec<Difference>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonBack {
    /// The version in force.
    pub base: u64,
}

pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PersonVersions>, ApiError> {
    let user = found(&app, &caller, &id).await?;
    let kept = app.store.user_versions(user.tenant.as_ref(), &user.id, VERSIONS + 1).await?;
    let item = |(at, one): (usize, &UserVersion)| PersonVersion {
        version: one.version,
        who: one.who.clone(),
        at: one.at,
        differences: kept.get(at + 1).map(|before| differences(&before.state, &one.state)).unwrap_or_default(),
    };
    Ok(Json(PersonVersions { items: kept.iter().enumerate().take(VERSIONS as usize).map(item).collect() }))
}

/// Role, rights and desk as they once were, as a new version; password and second factor stay.
pub async fn bring_back(
    State(app): State<App>,
    caller: Caller,
    Path((id, version)): Path<(String, u64)>,
    JsonBody(ask): JsonBody<PersonBack>,
) -> Result<Json<Person>, ApiError> {
    // A queue that is being taken out is given to nobody meanwhile.
    let _turn = app.settings_turn.lock().await;
    let mut user = found(&app, &caller, &id).await?;
    let kept = app.store.user_versions(user.tenant.as_ref(), &user.id, VERSIONS).await?;
    if kept.first().map(|latest| latest.version) != Some(ask.base) {
        return Err(ApiError::new(StatusCode::CONFLICT, "settings_outdated"));
    }
    let wanted = kept.into_iter().find(|one| one.version == version).ok_or_else(ApiError::not_found)?;
    let before = UserState::from(&user);
    let rights = |of: &UserState| (of.role, of.disabled, of.permissions.clone());
    let other_rights = rights(&before) != rights(&wanted.state);
    if user.id == *caller.id() && other_rights {
        return Err(ApiError::new(StatusCode::CONFLICT, "not_yourself"));
    }
    there(&app, &user, &wanted.state).await?;
    let UserState { name, role, disabled, permissions, agent } = wanted.state;
    (user.name, user.role, user.disabled, user.permissions, user.agent) = (name, role, disabled, permissions, agent);
    app.store.change_user(&user, caller.id().as_str(), app.now()).await?;
    if other_rights {
        end_sessions(&app, &user.id).await?;
    }
    tell_engine(&app, &user).await?;
    let changed = differences(&before, &UserState::from(&user)).into_iter().map(|one| one.what).collect::<Vec<_>>();
    audit(&app, &caller, "user_brought_back", &user.id, json!({ "version": version, "changed": changed })).await?;
    Ok(Json(Person::from(&user)))
}

/// The queues that were answered then are still there.
async fn there(app: &App, user: &User, state: &UserState) -> Result<(), ApiError> {
    let Some(agent) = &state.agent else { return Ok(()) };
    let tenant = match &user.tenant {
        Some(id) => app.tenant(id).await,
        None => None,
    };
    let known = tenant
        .is_some_and(|tenant| agent.queues.iter().all(|id| tenant.core.queues.iter().any(|queue| queue.id == *id)));
    if known { Ok(()) } else { Err(ApiError::bad_value("queues")) }
}

fn differences(before: &UserState, after: &UserState) -> Vec<Difference> {
    let (old, new) = (by_name(before), by_name(after));
    let names: BTreeSet<&&str> = old.keys().chain(new.keys()).collect();
    let names = names.into_iter().filter(|name| old.get(**name) != new.get(**name));
    names
        .map(|name| Difference {
            what: (*name).to_owned(),
            before: old.get(*name).cloned(),
            after: new.get(*name).cloned(),
        })
        .collect()
}

fn by_name(state: &UserState) -> BTreeMap<&'static str, Value> {
    let mut named =
        BTreeMap::from([("name", json!(state.name)), ("role", json!(state.role)), ("disabled", json!(state.disabled))]);
    if let Some(permissions) = &state.permissions {
        named.insert("permissions", json!(permissions));
    }
    if let Some(agent) = &state.agent {
        named.insert("queues", json!(agent.queues));
        named.insert("skills", json!(agent.skills));
        named.insert("can_reject", json!(agent.can_reject));
        named.insert("voice_slots", json!(agent.voice_slots));
        named.insert("chat_slots", json!(agent.chat_slots));
    }
    named
}
