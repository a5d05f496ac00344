//! The people who work here: added, changed, signed out, by those who may.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use ringback_routing::{
    config::AgentConfig,
    event::Event,
    ids::{AgentId, QueueId, SkillId, TenantId},
};
use ringback_store::{Permission, Role, StoreError, User};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    board::audit,
    body::{JsonBody, Nothing},
    error::ApiError,
    guard::Caller,
};
use crate::{
    config::Tenant,
    password,
    state::{App, Revoked},
    users,
};

/// Shortest password an administrator can give, in letters (NIST SP 800-63B, section 3.1.1.2).
const MIN_PASSWORD: usize = 8;
/// One pair of ears.
const MOST_CALLS: u8 = 1;
/// More than anybody can answer at one time.
const MOST_CHATS: u8 = 10;
/// Longest name, in letters.
const MAX_NAME: usize = 100;

#[derive(Debug, Serialize, ToSchema)]
pub struct PeopleList {
    pub items: Vec<Person>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Person {
    pub id: String,
    pub name: String,
    /// agent, supervisor, admin, operator or auditor
    pub role: &'static str,
    pub disabled: bool,
    /// An authenticator app is enrolled.
    pub second_factor: bool,
    /// Signs in at the identity provider.
    pub external: bool,
    /// listen, export, close, do_not_call, people, role_sms
    pub permissions: Vec<&'static str>,
    pub can_reject: Option<bool>,
    pub queues: Option<Vec<String>>,
    pub skills: Option<BTreeMap<String, u8>>,
    /// How many calls and how many chats at one time; 0: none of that kind.
    pub voice_slots: Option<u8>,
    pub chat_slots: Option<u8>,
    /// Has a password that somebody else set, and chooses an own one at the next sign-in.
    pub must_change: bool,
}

impl From<&User> for Person {
    fn from(user: &User) -> Self {
        let agent = user.agent.as_ref();
        let may = Permission::ALL.into_iter().filter(|permission| user.may(*permission));
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role: user.role.as_str(),
            disabled: user.disabled,
            second_factor: user.second_factor,
            external: user.external.is_some(),
            permissions: may.map(Permission::as_str).collect(),
            can_reject: agent.map(|agent| agent.can_reject),
            queues: agent.map(|agent| agent.queues.iter().map(ToString::to_string).collect()),
            skills: agent.map(|agent| agent.skills.iter().map(|(skill, level)| (skill.to_string(), *level)).collect()),
            voice_slots: agent.map(|agent| agent.voice_slots),
            chat_slots: agent.map(|agent| agent.chat_slots),
            must_change: user.must_change,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonAdd {
    /// What is typed at sign-in: 1 to 64 of a-z, 0-9, - _ . @
    pub id: String,
    pub name: String,
    #[schema(value_type = String)]
    pub role: Role,
    /// Holds for the first sign-in, at which the person chooses an own one.
    pub password: String,
    /// For operators only: whose administrator is added. Everybody else adds people of their own tenant.
    #[serde(default)]
    pub tenant: Option<String>,
}

/// What is not named stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PersonChange {
    pub name: Option<String>,
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// A temporary one, as at the beginning.
    pub password: Option<String>,
    pub disabled: Option<bool>,
    #[schema(value_type = Option<Vec<String>>)]
    pub permissions: Option<Vec<Permission>>,
    pub can_reject: Option<bool>,
    pub queues: Option<Vec<String>>,
    pub skills: Option<BTreeMap<String, u8>>,
    /// Calls at one time: 0 or 1.
    pub voice_slots: Option<u8>,
    /// Chats at one time: 0 to 10.
    pub chat_slots: Option<u8>,
    /// Takes the authenticator app away, for somebody who lost it, and lets the person try again at once.
    pub reset_second_factor: bool,
}

impl PersonChange {
    /// Whether sessions that stand would now be worth something else.
    fn is_about_rights(&self) -> bool {
        self.role.is_some()
            || self.password.is_some()
            || self.permissions.is_some()
            || self.reset_second_factor
            || self.disabled == Some(true)
    }
}

pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<PeopleList>, ApiError> {
    let users = app.store.users(caller.user.tenant.as_ref()).await?;
    Ok(Json(PeopleList { items: users.iter().map(Into::into).collect() }))
}

pub async fn add(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<PersonAdd>,
) -> Result<(StatusCode, Json<Person>), ApiError> {
    let tenant = tenant_of(&caller, ask.tenant.as_deref(), ask.role)?;
    let place = match &tenant {
        Some(id) => Some(app.tenant(id).await.ok_or_else(|| ApiError::bad_value("tenant"))?),
        None => None,
    };
    if !users::is_name(&ask.id) {
        return Err(ApiError::bad_value("id"));
    }
    let name = full_name(&ask.name)?;
    check_password(&ask.password)?;
    let (id, role, password) = (ask.id.clone(), ask.role, ask.password);
    let mut user = hashed(&app, move || users::new_user(&id, &name, role, place.as_ref(), &password).ok()).await?;
    user.must_change = true;
    app.store.create_user(&user).await.map_err(|error| match error {
        StoreError::Taken(_) => ApiError::new(StatusCode::CONFLICT, "taken").with("field", "id"),
        other => other.into(),
    })?;
    tell_engine(&app, &user).await?;
    audit(&app, &caller, "user_added", &user.id, json!({ "role": role, "tenant": tenant })).await?;
    Ok((StatusCode::CREATED, Json(Person::from(&user))))
}

/// Administrators add people of their own tenant; operators add operators, and people of a tenant they name.
fn tenant_of(caller: &Caller, named: Option<&str>, role: Role) -> Result<Option<TenantId>, ApiError> {
    match (&caller.user.tenant, named, role) {
        (Some(_), _, Role::Operator) | (Some(_), Some(_), _) => Err(ApiError::not_allowed()),
        (Some(own), None, _) => Ok(Some(own.clone())),
        (None, None, Role::Operator) => Ok(None),
        (None, Some(tenant), role) if role != Role::Operator => Ok(Some(TenantId::new(tenant))),
        (None, _, _) => Err(ApiError::bad_value("tenant")),
    }
}

pub(super) fn full_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    let fits = !name.is_empty() && name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(ApiError::bad_value("name")) }
}

pub(super) fn check_password(password: &str) -> Result<(), ApiError> {
    let fits = password.chars().count() >= MIN_PASSWORD && password.len() <= password::MAX_PASSWORD;
    if fits { Ok(()) } else { Err(ApiError::bad_value("password")) }
}

/// Hashing takes tens of milliseconds and 19 MiB: beside the requests, and only so many at once.
pub(super) async fn hashed<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Option<T> + Send + 'static,
) -> Result<T, ApiError> {
    let permit = app.password_checks.clone().acquire_owned().await.map_err(|_| ApiError::unavailable())?;
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.ok().flatten().ok_or_else(ApiError::unavailable)
}

pub(super) async fn found(app: &App, caller: &Caller, id: &str) -> Result<User, ApiError> {
    app.store.user(caller.user.tenant.as_ref(), &AgentId::new(id)).await?.ok_or_else(ApiError::not_found)
}

pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(ask): JsonBody<PersonChange>,
) -> Result<Json<Person>, ApiError> {
    // A queue that is being taken out is given to nobody meanwhile.
    let _turn = app.settings_turn.lock().await;
    let mut user = found(&app, &caller, &id).await?;
    // Whoever takes the own rights away cannot give them back.
    if user.id == *caller.id() && (ask.role.is_some() || ask.permissions.is_some() || ask.disabled == Some(true)) {
        return Err(ApiError::new(StatusCode::CONFLICT, "not_yourself"));
    }
    apply(&app, &mut user, &ask).await?;
    app.store.change_user(&user, caller.id().as_str(), app.now()).await?;
    if ask.reset_second_factor {
        app.store.set_second_factor(&user.id, None, &[]).await?;
        app.lockouts.forget(user.id.as_str());
        user.second_factor = false;
    }
    if ask.is_about_rights() {
        end_sessions(&app, &user.id).await?;
    }
    tell_engine(&app, &user).await?;
    let detail = json!({ "role": ask.role, "disabled": ask.disabled, "permissions": ask.permissions,
        "password": ask.password.is_some(), "can_reject": ask.can_reject, "queues": ask.queues, "skills": ask.skills,
        "voice_slots": ask.voice_slots, "chat_slots": ask.chat_slots,
        "reset_second_factor": ask.reset_second_factor });
    audit(&app, &caller, "user_changed", &user.id, detail).await?;
    Ok(Json(Person::from(&user)))
}

async fn apply(app: &App, user: &mut User, ask: &PersonChange) -> Result<(), ApiError> {
    if let Some(name) = &ask.name {
        user.name = full_name(name)?;
    }
    if let Some(role) = ask.role.filter(|role| *role != user.role) {
        let tenant = place_of(app, user).await;
        if (role == Role::Operator) != user.tenant.is_none() {
            return Err(ApiError::bad_value("role"));
        }
        user.role = role;
        user.agent = users::desk_of(user.id.as_str(), &user.name, role, tenant.as_ref());
    }
    if let Some(permissions) = &ask.permissions {
        let place = place_of(app, user).await;
        let sms = place.is_some_and(|tenant| tenant.face.bounds.sms);
        if permissions.contains(&Permission::RoleSms) && !sms {
            // The operator has not enabled it for the tenant (O8).
            return Err(ApiError::bad_value("permissions"));
        }
        user.permissions = Some(permissions.clone());
    }
    user.disabled = ask.disabled.unwrap_or(user.disabled);
    if let Some(password) = ask.password.clone() {
        if user.external.is_some() {
            return Err(ApiError::new(StatusCode::CONFLICT, "signs_in_elsewhere"));
        }
        check_password(&password)?;
        user.password_hash = hashed(app, move || password::hash(&password).ok()).await?;
        user.must_change = true;
    }
    let tenant = place_of(app, user).await;
    desk(tenant.as_ref(), user, ask)
}

async fn place_of(app: &App, user: &User) -> Option<Tenant> {
    app.tenant(user.tenant.as_ref()?).await
}

fn desk(tenant: Option<&Tenant>, user: &mut User, ask: &PersonChange) -> Result<(), ApiError> {
    let name = user.name.clone();
    let Some(agent) = &mut user.agent else {
        let slots = ask.voice_slots.is_some() || ask.chat_slots.is_some();
        let about_a_desk = slots || ask.can_reject.is_some() || ask.queues.is_some() || ask.skills.is_some();
        return if about_a_desk { Err(ApiError::bad_value("role")) } else { Ok(()) };
    };
    agent.name = name;
    agent.can_reject = ask.can_reject.unwrap_or(agent.can_reject);
    if let Some(queues) = &ask.queues {
        let known = |id: &String| tenant.is_some_and(|of| of.core.queues.iter().any(|queue| queue.id.as_str() == id));
        if !queues.iter().all(known) {
            return Err(ApiError::bad_value("queues"));
        }
        agent.queues = queues.iter().map(QueueId::new).collect();
    }
    if let Some(skills) = &ask.skills {
        if !skills.values().all(|level| (1..=10).contains(level)) {
            return Err(ApiError::bad_value("skills"));
        }
        agent.skills = skills.iter().map(|(skill, level)| (SkillId::new(skill), *level)).collect();
    }
    for (field, asked, most, place) in [
        ("voice_slots", ask.voice_slots, MOST_CALLS, &mut agent.voice_slots),
        ("chat_slots", ask.chat_slots, MOST_CHATS, &mut agent.chat_slots),
    ] {
        if asked.is_some_and(|slots| slots > most) {
            return Err(ApiError::bad_value(field));
        }
        *place = asked.unwrap_or(*place);
    }
    Ok(())
}

/// A running day picks the change up at once.
pub(super) async fn tell_engine(app: &App, user: &User) -> Result<(), ApiError> {
    let Some(tenant) = &user.tenant else { return Ok(()) };
    let known = app.engine.agent_view(tenant, &user.id).await?.is_some();
    let event = match &user.agent {
        Some(agent) if !user.disabled => {
            let agent: AgentConfig = agent.clone();
            Event::AgentConfigured { agent }
        }
        _ if known => Event::AgentRemoved { agent: user.id.clone() },
        _ => return Ok(()),
    };
    app.engine.submit(tenant, event).await?;
    Ok(())
}

pub(super) async fn end_sessions(app: &App, user: &AgentId) -> Result<(), ApiError> {
    app.store.revoke_sessions_of(user, app.now()).await?;
    // Nobody may be listening: then there is no socket to close.
    let _ = app.revoked.send(Revoked::User(user.clone()));
    Ok(())
}

pub async fn sign_out(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<StatusCode, ApiError> {
    let user = found(&app, &caller, &id).await?;
    end_sessions(&app, &user.id).await?;
    audit(&app, &caller, "user_signed_out", &user.id, json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}
