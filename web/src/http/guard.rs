//! Who may call a route: decided before the handler runs, from the table in [`routes`](super::routes).

use std::{
    net::IpAddr,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use ringback_routing::{
    event::Event,
    ids::{AgentId, TenantId},
};
use ringback_store::{Permission, Role, Session, User};

use super::{
    edge::{Client, asked_language},
    error::ApiError,
};
use crate::{rate::address_key, state::App, token};

pub const COOKIE: &str = "ringback_session";
/// What a program's key begins with, so that it is recognised wherever it turns up.
pub const KEY_PREFIX: &str = "rbk_";
/// What stands for a session where a key is used.
const KEY_SESSION: &str = "key:";

/// What a person does on the own account's page before any other opens.
const NEEDS_ACCOUNT: [&str; 2] = ["password_change_needed", "second_factor_needed"];

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever holds the customer's unguessable link.
    StatusLink,
    /// Staff of these roles, each within the own tenant.
    Staff(&'static [Role]),
    /// Likewise, but a page: who is not signed in is led to the login.
    StaffPage(&'static [Role]),
    /// Loopback and the addresses of `metrics_from`.
    Operations,
}

/// Which allowance a call takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    Login,
    Callbacks,
    Pages,
    PublicApi,
    StaffApi,
    /// What a chat's page asks and says.
    ChatApi,
    /// Health checks and the like.
    Free,
}

/// The signed-in person behind a call.
#[derive(Debug, Clone)]
pub struct Caller {
    pub session: Session,
    pub user: User,
}

impl Caller {
    pub fn id(&self) -> &AgentId {
        &self.user.id
    }

    /// The caller's own tenant: there is no way to name another.
    pub fn tenant(&self) -> Result<&TenantId, ApiError> {
        self.user.tenant.as_ref().ok_or_else(ApiError::not_allowed)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(auth_required)
    }
}

#[derive(Clone)]
pub struct Guard {
    pub app: App,
    pub access: Access,
    pub rate: Rate,
    /// What the caller must be permitted besides having the role.
    pub needs: Option<Permission>,
    pub by: By,
}

/// Who of those with the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// People and programs.
    Everybody,
    /// People only: about themselves and about who else may come in.
    People,
    /// People, and those too who have yet to choose their password or to enrol their second factor.
    PeopleEnrolling,
}

pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.admit(&mut request).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal,
    }
}

impl Guard {
    async fn admit(&self, request: &mut Request) -> Result<(), Response> {
        let client = request.extensions().get::<Client>().copied();
        let address = client.map_or(IpAddr::from([127, 0, 0, 1]), |client| client.address);
        self.within_rate(address).map_err(IntoResponse::into_response)?;
        if !request.method().is_safe() {
            // A key in a header is sent by whoever holds it, never by a browser on its own.
            let access = if bearer(request.headers()).is_some() { Access::Public } else { self.access };
            same_site(&self.app, request.headers(), access).map_err(IntoResponse::into_response)?;
        }
        match self.access {
            Access::Public | Access::StatusLink => Ok(()),
            Access::Operations => {
                let known = address.is_loopback() || self.app.config.file.server.metrics_from.contains(&address);
                if known { Ok(()) } else { Err(ApiError::not_allowed().into_response()) }
            }
            Access::Staff(roles) => {
                let caller = self.staff(request.headers(), roles).await.map_err(IntoResponse::into_response)?;
                request.extensions_mut().insert(caller);
                Ok(())
            }
            Access::StaffPage(roles) => match self.staff(request.headers(), roles).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    Ok(())
                }
                Err(error) if NEEDS_ACCOUNT.contains(&error.code) && request.method() == Method::GET => {
                    Err(Redirect::to("/account").into_response())
                }
                Err(error) if error.status == StatusCode::UNAUTHORIZED && request.method() == Method::GET => {
                    // The path is one of the table's own, so it needs no escaping.
                    let lang = asked_language(request.uri().query());
                    let lang = lang.map(|lang| format!("&lang={}", lang.tag())).unwrap_or_default();
                    Err(Redirect::to(&format!("/login?next={}{lang}", request.uri().path())).into_response())
                }
                Err(error) => Err(error.into_response()),
            },
        }
    }

    fn within_rate(&self, address: IpAddr) -> Result<(), ApiError> {
        let rates = &self.app.rates;
        let limiter = match self.rate {
            Rate::Login => &rates.login,
            Rate::Callbacks => &rates.callbacks,
            Rate::Pages => &rates.pages,
            Rate::PublicApi => &rates.public_api,
            Rate::StaffApi => &rates.staff_api,
            Rate::ChatApi => &rates.chat_api,
            Rate::Free => return Ok(()),
        };
        limiter.take(address_key(address), Instant::now()).map_err(|wait| {
            self.app.counters.rate_limited.fetch_add(1, Relaxed);
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited").retry(wait.as_secs() + 1)
        })
    }

    async fn staff(&self, headers: &HeaderMap, roles: &[Role]) -> Result<Caller, ApiError> {
        let caller = match bearer(headers) {
            Some(_) if self.by != By::Everybody => return Err(ApiError::not_allowed()),
            Some(key) => by_key(&self.app, key).await?,
            None => signed_in(&self.app, headers).await?,
        };
        let caller = caller.ok_or_else(auth_required)?;
        let may = self.needs.is_none_or(|needs| caller.user.may(needs));
        if !roles.contains(&caller.user.role) || !may {
            return Err(ApiError::not_allowed());
        }
        if self.by != By::PeopleEnrolling && caller.user.must_change {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "password_change_needed"));
        }
        if self.by != By::PeopleEnrolling && must_enrol(&self.app, &caller.user) {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "second_factor_needed"));
        }
        Ok(caller)
    }
}

/// Whether this person has to enrol an authenticator app before anything else. Whom the identity provider signs in proves
/// it there; a program's key is no password.
pub fn must_enrol(app: &App, user: &User) -> bool {
    let here = user.external.is_none() && !user.id.as_str().starts_with(KEY_SESSION);
    here && !user.second_factor && app.config.file.server.second_factor_for.contains(&user.role)
}

/// The key in `Authorization: Bearer` (RFC 6750).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The caller a key stands for: its role and what it is permitted, without a desk.
async fn by_key(app: &App, key: &str) -> Result<Option<Caller>, ApiError> {
    let Some(secret) = key.strip_prefix(KEY_PREFIX).filter(|secret| token::is_plausible(secret)) else {
        return Ok(None);
    };
    let digest = token::digest(secret);
    let Some(key) = app.store.api_key(&digest, app.now()).await? else { return Ok(None) };
    let id = AgentId::new(format!("{KEY_SESSION}{}", key.id));
    let session = Session {
        token_digest: format!("{KEY_SESSION}{digest}"),
        user: id.clone(),
        tenant: key.tenant.clone(),
        created_at: key.created_at,
        expires_at: key.expires_at.unwrap_or(app.now()),
        idp_session: None,
    };
    let user = User {
        id,
        tenant: key.tenant,
        name: key.name,
        role: key.role,
        password_hash: String::new(),
        agent: None,
        disabled: false,
        permissions: Some(key.permissions),
        external: None,
        second_factor: false,
        must_change: false,
    };
    Ok(Some(Caller { session, user }))
}

/// How long a socket or stream waits for the ledger's word on its session: nothing else moves on it meanwhile, so that an
/// agent's page would seem silent.
const SESSION_PATIENCE: Duration = Duration::from_millis(500);

/// Whether whoever was admitted would be admitted again. A ledger that does not answer, or not soon, is no reason to throw
/// agents out of their calls.
pub async fn still_holds(app: &App, caller: &Caller) -> bool {
    let digest = &caller.session.token_digest;
    let found = async {
        match digest.strip_prefix(KEY_SESSION) {
            Some(key) => app.store.api_key(key, app.now()).await.map(|found| found.is_some()),
            None => app.store.session(digest, app.now()).await.map(|found| {
                found.is_some_and(|(_, user)| user.role == caller.user.role && user.tenant == caller.user.tenant)
            }),
        }
    };
    matches!(tokio::time::timeout(SESSION_PATIENCE, found).await, Err(_) | Ok(Err(_) | Ok(true)))
}

fn auth_required() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "auth_required")
}

/// The session of the request's cookie, if it holds.
pub async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<Caller>, ApiError> {
    let Some(token) = cookie(headers).filter(|token| token::is_plausible(token)) else { return Ok(None) };
    let found = app.store.session(&token::digest(token), app.now()).await?;
    Ok(found.map(|(session, user)| Caller { session, user }))
}

/// Tells the engine of an agent who was added while the server runs.
pub async fn known_to_engine(app: &App, user: &User) -> Result<(), ApiError> {
    let (Some(tenant), Some(agent)) = (&user.tenant, &user.agent) else { return Ok(()) };
    if app.engine.agent_view(tenant, &user.id).await?.is_none() {
        app.engine.submit(tenant, Event::AgentConfigured { agent: agent.clone() }).await?;
    }
    Ok(())
}

/// The session token in the cookies.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_of(headers, COOKIE)
}

pub fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A browser says where a request comes from; only our own pages may change anything. Programs that are no browser send
/// neither header: they may call what is public, while staff calls must name our origin.
pub fn same_site(app: &App, headers: &HeaderMap, access: Access) -> Result<(), ApiError> {
    let refused = || ApiError::new(StatusCode::FORBIDDEN, "cross_site");
    let origin = headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("null"));
    let site = headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or("cross-site"));
    if origin.is_some_and(|origin| !app.origins.iter().any(|own| own == origin)) {
        return Err(refused());
    }
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(refused());
    }
    match access {
        Access::Staff(_) | Access::StaffPage(_) if origin.is_none() => Err(refused()),
        _ => Ok(()),
    }
}
