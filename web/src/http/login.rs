//! Signing in and out. Every wrong login takes the same time and gets the same answer.

use std::{net::IpAddr, time::Instant};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ringback_routing::time::Millis;
use ringback_store::{AuditEntry, Session, User};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    availability::{PublicTenant, Tenant},
    body::{JsonBody, Nothing},
    edge::Client,
    error::ApiError,
    guard::{COOKIE, Caller, cookie},
};
use crate::{
    config::tenant::{CannedTable, FaqTable},
    password,
    state::App,
    token,
};

/// Longest user name looked at, in bytes.
const MAX_USER: usize = 64;
/// Longest note of an agent, in letters.
pub const MAX_NOTE: usize = 2_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginAsk {
    pub user: String,
    pub password: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LoginAnswer {
    pub user: StaffUser,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StaffUser {
    pub id: String,
    pub name: String,
    /// agent, supervisor, admin, operator or auditor
    pub role: &'static str,
    pub tenant: Option<String>,
}

impl From<&User> for StaffUser {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role: user.role.as_str(),
            tenant: user.tenant.as_ref().map(ToString::to_string),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    pub user: StaffUser,
    pub tenant: Option<StaffTenant>,
    pub can_reject: bool,
}

/// A tenant as its staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct StaffTenant {
    #[serde(flatten)]
    pub public: PublicTenant,
    pub reason_codes: Vec<String>,
    pub dispositions: Vec<Named>,
    /// none, optional or required
    #[schema(value_type = String)]
    pub disposition_mode: ringback_routing::config::DispositionMode,
    pub subjects: Vec<NamedSubject>,
    pub queues: Vec<Named>,
    pub limits: DeskLimits,
    /// Null where the tenant has no chat.
    pub chat: Option<DeskChat>,
}

/// What the desk needs for chats.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeskChat {
    /// Longest message of an agent, in Unicode scalar values.
    pub message_chars: usize,
    /// Inserted by typing `/` and the word.
    pub canned: Vec<CannedAnswer>,
    pub faq: Vec<FaqAnswer>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CannedAnswer {
    pub word: String,
    /// With `{name}`, `{agent}`, `{county}` and `{phone}` to be filled in.
    pub text: String,
    pub language: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FaqAnswer {
    pub question: String,
    pub answer: String,
    pub language: Option<String>,
}

fn desk_chat(tenant: &Tenant<'_>) -> Option<DeskChat> {
    let face = &tenant.face.chat;
    let canned = |known: &CannedTable| CannedAnswer {
        word: known.word.clone(),
        text: known.text.clone(),
        language: known.language.clone(),
    };
    let faq = |known: &FaqTable| FaqAnswer {
        question: known.question.clone(),
        answer: known.answer.clone(),
        language: known.language.clone(),
    };
    tenant.config.chat.enabled.then(|| DeskChat {
        message_chars: face.agent_chars,
        canned: face.canned.iter().map(canned).collect(),
        faq: face.faq.iter().map(faq).collect(),
    })
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Named {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct NamedSubject {
    pub id: String,
    pub name: String,
    pub queue: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeskLimits {
    pub note_chars: usize,
}

pub async fn login(
    State(app): State<App>,
    client: Option<Extension<Client>>,
    JsonBody(ask): JsonBody<LoginAsk>,
) -> Result<Response, ApiError> {
    let user = check(&app, ask, client.as_ref().map(|client| client.address)).await?;
    let now = app.now();
    let token = token::random()?;
    let lasts = Millis::from_secs(i64::from(app.config.file.server.session_hours) * 3600);
    let session = Session {
        token_digest: token::digest(&token),
        user: user.id.clone(),
        tenant: user.tenant.clone(),
        created_at: now,
        expires_at: now + lasts,
    };
    app.store.create_session(&session).await?;
    audit(&app, &user, "signed_in").await?;
    let secure = client.is_some_and(|client| client.secure) || app.config.secure();
    let mut response = Json(LoginAnswer { user: StaffUser::from(&user) }).into_response();
    set_cookie(&mut response, &token, lasts.0 / 1000, secure)?;
    Ok(response)
}

async fn check(app: &App, ask: LoginAsk, address: Option<IpAddr>) -> Result<User, ApiError> {
    let failed = || ApiError::new(StatusCode::UNAUTHORIZED, "login_failed");
    if ask.user.is_empty() || ask.user.len() > MAX_USER || ask.password.len() > password::MAX_PASSWORD {
        return Err(failed());
    }
    let found = app.store.user_for_login(&ask.user).await?.filter(|user| !user.disabled);
    let stored = found.as_ref().map(|user| user.password_hash.clone());
    let waits = Instant::now();
    let permit = app.password_checks.clone().acquire_owned().await.map_err(|_| ApiError::unavailable())?;
    let matches = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        password::verify(&ask.password, stored.as_deref())
    });
    let matches = matches.await.map_err(|_| ApiError::unavailable())?;
    tracing::debug!(took = ?waits.elapsed(), matches, "a password was checked");
    match found.filter(|_| matches) {
        Some(user) => Ok(user),
        None => {
            tracing::info!(?address, "a login failed");
            Err(failed())
        }
    }
}

async fn audit(app: &App, user: &User, what: &str) -> Result<(), ApiError> {
    let entry = AuditEntry {
        at: app.now(),
        who: user.id.to_string(),
        what: what.to_owned(),
        target: user.id.to_string(),
        detail: json!({}),
    };
    app.store.audit(user.tenant.as_ref(), entry).await?;
    Ok(())
}

fn set_cookie(response: &mut Response, token: &str, seconds: i64, secure: bool) -> Result<(), ApiError> {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let value = HeaderValue::from_str(&cookie).map_err(|_| ApiError::unavailable())?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(())
}

pub async fn logout(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    client: Option<Extension<Client>>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let digest = cookie(&headers).map(token::digest).unwrap_or_default();
    app.store.revoke_session(&digest, app.now()).await?;
    // Nobody may be listening: then there is no socket to close.
    let _ = app.revoked.send(digest);
    audit(&app, &caller.user, "signed_out").await?;
    let secure = client.is_some_and(|client| client.secure) || app.config.secure();
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, "", 0, secure)?;
    Ok(response)
}

pub async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Me>, ApiError> {
    let tenant = match &caller.user.tenant {
        Some(id) => Some(staff_tenant(&Tenant::find(&app, id.as_str()).await?)),
        None => None,
    };
    let can_reject = caller.user.agent.as_ref().is_some_and(|agent| agent.can_reject);
    Ok(Json(Me { user: StaffUser::from(&caller.user), tenant, can_reject }))
}

pub fn staff_tenant(tenant: &Tenant<'_>) -> StaffTenant {
    let config = &tenant.config;
    StaffTenant {
        public: tenant.public(),
        reason_codes: config.reason_codes.iter().map(ToString::to_string).collect(),
        dispositions: config
            .dispositions
            .iter()
            .map(|d| Named { id: d.id.to_string(), name: d.name.clone() })
            .collect(),
        disposition_mode: config.policy.disposition,
        subjects: config
            .subjects
            .iter()
            .map(|s| NamedSubject { id: s.id.to_string(), name: s.name.clone(), queue: s.queue.to_string() })
            .collect(),
        queues: config.queues.iter().map(|q| Named { id: q.id.to_string(), name: q.name.clone() }).collect(),
        limits: DeskLimits { note_chars: MAX_NOTE },
        chat: desk_chat(tenant),
    }
}
