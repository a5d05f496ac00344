//! Signing in and out. Every wrong login takes the same time and gets the same answer.

use std::{net::IpAddr, sync::atomic::Ordering::Relaxed, time::Instant};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ringback_routing::{ids::AgentId, time::Millis};
use ringback_store::{AuditEntry, Permission, Session, User};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    availability::{PublicTenant, Tenant},
    body::{JsonBody, Nothing},
    edge::Client,
    error::ApiError,
    factor,
    guard::{COOKIE, Caller, cookie, cookie_of, must_enrol},
    sso::SignedOutAnswer,
};
use crate::{
    config::tenant::{CannedTable, FaqTable, LogOpens},
    lockout::Place,
    password,
    rate::network_key,
    state::{App, Revoked},
    token,
};

/// The cookie by which a browser is known again after its person signed out.
const BROWSER: &str = "ringback_browser";
/// How long: half a year.
const BROWSER_SECS: i64 = 180 * 24 * 60 * 60;
/// Longest user name looked at, in bytes.
const MAX_USER: usize = 64;
/// Longest note of an agent, in letters.
pub const MAX_NOTE: usize = 2_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginAsk {
    pub user: String,
    pub password: String,
    /// Of the authenticator app, or a recovery code.
    #[serde(default)]
    pub code: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LoginAnswer {
    pub user: StaffUser,
    /// An authenticator app has to be enrolled before anything else.
    pub must_enrol: bool,
    /// An own password has to be chosen before anything else.
    pub must_change: bool,
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
    /// listen, export, close, do_not_call, people, role_sms
    pub permissions: Vec<&'static str>,
    /// An authenticator app is enrolled.
    pub second_factor: bool,
    /// One has to be, before anything else.
    pub must_enrol: bool,
    /// An own password has to be chosen before anything else.
    pub must_change: bool,
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
    /// Queues that have it otherwise.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub disposition_modes: std::collections::BTreeMap<String, ringback_routing::config::DispositionMode>,
    pub subjects: Vec<NamedSubject>,
    pub queues: Vec<Named>,
    pub limits: DeskLimits,
    /// Agents may call numbers of their own accord.
    pub outbound: bool,
    /// Null where the tenant has no chat.
    pub chat: Option<DeskChat>,
}

/// What the desk needs for chats.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeskChat {
    /// Longest message of an agent, in Unicode scalar values.
    pub message_chars: usize,
    /// When the log of a chat opens by itself: never, accept or end.
    #[schema(value_type = String)]
    pub log_opens: LogOpens,
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

fn desk_chat(tenant: &Tenant) -> Option<DeskChat> {
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
        log_opens: face.log_opens,
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
    headers: HeaderMap,
    client: Option<Extension<Client>>,
    JsonBody(ask): JsonBody<LoginAsk>,
) -> Result<Response, ApiError> {
    let address = client.as_ref().map(|client| client.address);
    let place = place(&app, &ask.user, address, &headers);
    let user = check(&app, ask, &place).await?;
    begin_session(&app, &user, client.as_deref(), None).await
}

/// Signs the user in: a session and its cookie, and one by which this browser is known again.
pub async fn begin_session(
    app: &App,
    user: &User,
    client: Option<&Client>,
    idp_session: Option<String>,
) -> Result<Response, ApiError> {
    let now = app.now();
    let token = token::random()?;
    let lasts = Millis::from_secs(i64::from(app.config.file.server.session_hours) * 3600);
    let session = Session {
        token_digest: token::digest(&token),
        user: user.id.clone(),
        tenant: user.tenant.clone(),
        created_at: now,
        expires_at: now + lasts,
        idp_session,
    };
    app.store.create_session(&session).await?;
    audit(app, user, "signed_in").await?;
    let secure = client.is_some_and(|client| client.secure) || app.config.secure();
    let answer =
        LoginAnswer { user: StaffUser::from(user), must_enrol: must_enrol(app, user), must_change: user.must_change };
    let mut response = Json(answer).into_response();
    set_cookie(&mut response, COOKIE, &token, lasts.0 / 1000, secure)?;
    set_cookie(&mut response, BROWSER, &browser_mark(app, &user.id)?, BROWSER_SECS, secure)?;
    Ok(response)
}

/// `nonce.tag`, so that nobody can claim a browser that the person never signed in with.
fn browser_mark(app: &App, user: &AgentId) -> Result<String, ApiError> {
    let nonce = token::random()?;
    let tag = token::tag(&app.installation_key, &["browser", user.as_str(), &nonce]);
    Ok(format!("{nonce}.{tag}"))
}

fn place(app: &App, user: &str, address: Option<IpAddr>, headers: &HeaderMap) -> Place {
    let marked = cookie_of(headers, BROWSER).and_then(|mark| mark.split_once('.')).filter(|(nonce, tag)| {
        let expected = token::tag(&app.installation_key, &["browser", user, nonce]);
        subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), tag.as_bytes()).into()
    });
    match marked {
        Some((nonce, _)) => Place::Known(nonce.to_owned()),
        None => Place::Network(network_key(address.unwrap_or(IpAddr::from([127, 0, 0, 1])))),
    }
}

async fn check(app: &App, ask: LoginAsk, place: &Place) -> Result<User, ApiError> {
    let failed = || ApiError::new(StatusCode::UNAUTHORIZED, "login_failed");
    if ask.user.is_empty() || ask.user.len() > MAX_USER || ask.password.len() > password::MAX_PASSWORD {
        return Err(failed());
    }
    app.lockouts.may_try(&ask.user, place, Instant::now()).map_err(|wait| {
        app.counters.rate_limited.fetch_add(1, Relaxed);
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "locked_out").retry(wait.as_secs() + 1)
    })?;
    let known = app.store.user_for_login(&ask.user).await?;
    let found = known.clone().filter(|user| !user.disabled && user.external.is_none());
    let stored = found.as_ref().map(|user| user.password_hash.clone());
    let matches = matches(app, ask.password, stored).await?;
    let Some(user) = found.filter(|_| matches) else {
        tracing::info!(?place, "a login failed");
        app.lockouts.failed(&ask.user, place, Instant::now());
        audit_failure(app, known).await?;
        return Err(failed());
    };
    if user.second_factor {
        let code = ask.code.filter(|code| !code.trim().is_empty());
        let code = code.ok_or_else(|| ApiError::new(StatusCode::UNAUTHORIZED, "second_factor_required"))?;
        if !factor::proves(app, &user, &code).await? {
            app.lockouts.failed(&ask.user, place, Instant::now());
            audit_failure(app, Some(user)).await?;
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "second_factor_wrong"));
        }
    }
    app.lockouts.succeeded(&ask.user, place);
    Ok(user)
}

/// Whether the password is the one of that digest, worked out beside the requests.
pub async fn matches(app: &App, password: String, stored: Option<String>) -> Result<bool, ApiError> {
    let waits = Instant::now();
    let permit = app.password_checks.clone().acquire_owned().await.map_err(|_| ApiError::unavailable())?;
    let matches = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        password::verify(&password, stored.as_deref())
    });
    let matches = matches.await.map_err(|_| ApiError::unavailable())?;
    tracing::debug!(took = ?waits.elapsed(), matches, "a password was checked");
    Ok(matches)
}

/// Into the chain of the user's tenant. What was typed for an unknown user is not kept: it may be a password.
async fn audit_failure(app: &App, known: Option<User>) -> Result<(), ApiError> {
    let target = known.as_ref().map_or_else(|| "unknown".to_owned(), |user| user.id.to_string());
    let tenant = known.as_ref().and_then(|user| user.tenant.as_ref());
    let (who, what) = ("system".to_owned(), "sign_in_failed".to_owned());
    app.store.audit(tenant, AuditEntry { at: app.now(), who, what, target, detail: json!({}) }).await?;
    Ok(())
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

pub fn set_cookie(
    response: &mut Response,
    name: &str,
    value: &str,
    seconds: i64,
    secure: bool,
) -> Result<(), ApiError> {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let value = HeaderValue::from_str(&cookie).map_err(|_| ApiError::unavailable())?;
    response.headers_mut().append(header::SET_COOKIE, value);
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
    let _ = app.revoked.send(Revoked::Session(digest));
    audit(&app, &caller.user, "signed_out").await?;
    let secure = client.is_some_and(|client| client.secure) || app.config.secure();
    // Whoever signed in at the identity provider is still signed in there.
    let there = match (&app.oidc, &caller.session.idp_session) {
        (Some(provider), Some(_)) => provider.end_session(&format!("{}/login", app.config.origin)).await,
        _ => None,
    };
    let mut response = match there {
        Some(redirect) => Json(SignedOutAnswer { redirect }).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    };
    set_cookie(&mut response, COOKIE, "", 0, secure)?;
    Ok(response)
}

pub async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Me>, ApiError> {
    let tenant = match &caller.user.tenant {
        Some(id) => Some(staff_tenant(&Tenant::find(&app, id.as_str()).await?)),
        None => None,
    };
    let can_reject = caller.user.agent.as_ref().is_some_and(|agent| agent.can_reject);
    let user = &caller.user;
    let permissions = Permission::ALL.into_iter().filter(|permission| user.may(*permission));
    Ok(Json(Me {
        user: StaffUser::from(user),
        tenant,
        can_reject,
        permissions: permissions.map(Permission::as_str).collect(),
        second_factor: user.second_factor,
        must_enrol: must_enrol(&app, user),
        must_change: user.must_change,
    }))
}

pub fn staff_tenant(tenant: &Tenant) -> StaffTenant {
    let config = &tenant.config;
    StaffTenant {
        public: tenant.public(),
        reason_codes: config.reason_codes.iter().map(ToString::to_string).collect(),
        dispositions: config
            .dispositions
            .iter()
            .filter(|code| !tenant.face.retired.contains(code.id.as_str()))
            .map(|d| Named { id: d.id.to_string(), name: d.name.clone() })
            .collect(),
        disposition_mode: config.policy.disposition,
        disposition_modes: config
            .queue_policies
            .iter()
            .filter_map(|(queue, policy)| Some((queue.to_string(), policy.disposition?)))
            .collect(),
        subjects: config
            .subjects
            .iter()
            .map(|s| NamedSubject { id: s.id.to_string(), name: s.name.clone(), queue: s.queue.to_string() })
            .collect(),
        queues: config.queues.iter().map(|q| Named { id: q.id.to_string(), name: q.name.clone() }).collect(),
        limits: DeskLimits { note_chars: MAX_NOTE },
        outbound: config.outbound,
        chat: desk_chat(tenant),
    }
}
