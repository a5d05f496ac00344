//! Signing in and out at the identity provider.

use axum::{
    Extension, Form, Json,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use ringback_routing::{
    ids::{AgentId, TenantId},
    time::{Millis, Timestamp},
};
use ringback_store::{AuditEntry, Role, User};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{body::QueryOf, edge::Client, error::ApiError, guard::cookie_of, login, pages::home_of};
use crate::{
    assets::Entry,
    html::{Page, escape},
    oidc::{Attempt, IdClaims, OidcError, Provider, Who},
    state::{App, Revoked},
    token, users,
    words::{self, Lang},
};

/// Keeps a sign-in under way in the browser that began it.
const COOKIE: &str = "ringback_oidc";
/// How long it may take.
const LIFE: Millis = Millis::from_secs(10 * 60);
/// Who changed a person as the groups say.
const THE_PROVIDER: &str = "identity provider";
/// Stands for the tenant of tokens that belong to none; no tenant can be called so.
const NOBODY: &str = "@oidc";

#[derive(Debug, Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: Option<String>,
}

/// What the provider sends back. Other fields are its own business.
#[derive(Debug, Default, Deserialize)]
pub struct CameBack {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    state: Option<String>,
    /// RFC 9207.
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct LogoutNotice {
    pub logout_token: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SignedOutAnswer {
    /// Where to sign out at the identity provider too.
    pub redirect: String,
}

fn provider(app: &App) -> Result<&Provider, ApiError> {
    app.oidc.as_ref().ok_or_else(ApiError::not_found)
}

fn failed(error: OidcError) -> ApiError {
    match error {
        OidcError::Token(why) => {
            tracing::warn!(why, "a token of the identity provider was refused");
            ApiError::new(StatusCode::UNAUTHORIZED, "provider_refused")
        }
        error => {
            tracing::error!(%error, "the identity provider cannot be asked");
            ApiError::new(StatusCode::BAD_GATEWAY, "provider_unreachable")
        }
    }
}

pub async fn start(
    State(app): State<App>,
    client: Option<Extension<Client>>,
    QueryOf(query): QueryOf<Next>,
) -> Result<Response, ApiError> {
    let provider = provider(&app)?;
    let attempt = Attempt { state: token::random()?, nonce: token::random()?, verifier: token::random()? };
    let address = provider.authorization(&attempt).await.map_err(failed)?;
    let next = query.next.filter(|next| ["/agent", "/supervisor"].contains(&next.as_str())).unwrap_or_default();
    let until = (app.now() + LIFE).as_millis();
    let kept = format!("{}.{}.{}.{until}.{}", attempt.state, attempt.nonce, attempt.verifier, next.trim_matches('/'));
    let secure = client.is_some_and(|client| client.secure) || app.config.secure();
    let mut response = Redirect::to(&address).into_response();
    set_kept(&mut response, &kept, LIFE.0 / 1000, secure)?;
    Ok(response)
}

/// Lax, not Strict: the provider's page leads back here.
fn set_kept(response: &mut Response, value: &str, seconds: i64, secure: bool) -> Result<(), ApiError> {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/login/oidc; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let value = HeaderValue::from_str(&cookie).map_err(|_| ApiError::unavailable())?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

struct Kept {
    attempt: Attempt,
    until: Timestamp,
    next: Option<String>,
}

fn kept(headers: &HeaderMap) -> Option<Kept> {
    let mut parts = cookie_of(headers, COOKIE)?.splitn(5, '.');
    let mut part = || parts.next().filter(|part| token::is_plausible(part)).map(str::to_owned);
    let attempt = Attempt { state: part()?, nonce: part()?, verifier: part()? };
    let until = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let next = parts.next().filter(|next| ["agent", "supervisor"].contains(next)).map(|next| format!("/{next}"));
    Some(Kept { attempt, until, next })
}

pub async fn callback(
    State(app): State<App>,
    Extension(lang): Extension<Lang>,
    headers: HeaderMap,
    client: Option<Extension<Client>>,
    QueryOf(came): QueryOf<CameBack>,
) -> Response {
    let client = client.map(|client| client.0);
    match come_back(&app, &headers, client.as_ref(), came).await {
        Ok((response, home)) => lead_on(&app, response, lang, &home),
        Err(error) => {
            tracing::info!(code = error.code, "a sign-in at the identity provider came to nothing");
            turn_away(&app, lang, &error)
        }
    }
}

async fn come_back(
    app: &App,
    headers: &HeaderMap,
    client: Option<&Client>,
    came: CameBack,
) -> Result<(Response, String), ApiError> {
    let provider = provider(app)?;
    let expired = || ApiError::new(StatusCode::CONFLICT, "form_expired");
    let kept = kept(headers).ok_or_else(expired)?;
    let state = came.state.unwrap_or_default();
    let ours: bool = subtle::ConstantTimeEq::ct_eq(state.as_bytes(), kept.attempt.state.as_bytes()).into();
    if !ours || kept.until < app.now() {
        return Err(expired());
    }
    // Once, whatever came of it.
    if !app.store.use_token(&TenantId::new(NOBODY), &token::digest(&state), kept.until + LIFE).await? {
        return Err(expired());
    }
    let refused = || ApiError::new(StatusCode::UNAUTHORIZED, "provider_refused");
    if came.error.is_some() || came.iss.is_some_and(|iss| iss != provider.config.issuer) {
        return Err(refused());
    }
    let code = came.code.ok_or_else(refused)?;
    let claims = provider.redeem(&code, &kept.attempt, app.now()).await.map_err(failed)?;
    let Some((role, tenant)) = provider.place_of(&claims) else {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "no_role_here"));
    };
    let user = known_here(app, &claims, role, tenant).await?;
    let session = claims.sid.as_ref().map(|sid| format!("{} {sid}", claims.iss));
    // Without `sid` the session still counts as the provider's, so that signing out leads there.
    let session = session.or_else(|| Some(format!("{} ", claims.iss)));
    let response = login::begin_session(app, &user, client, session).await?;
    Ok((response, kept.next.unwrap_or_else(|| home_of(user.role).to_owned())))
}

/// The person as the provider describes them now: added at the first sign-in, changed when the groups have.
async fn known_here(app: &App, claims: &IdClaims, role: Role, tenant: Option<TenantId>) -> Result<User, ApiError> {
    let external = format!("{} {}", claims.iss, claims.sub);
    let found = app.store.user_of_provider(&external).await?;
    let Some(mut user) = found else { return add(app, claims, role, tenant, external).await };
    if user.disabled {
        return Err(ApiError::not_allowed());
    }
    if user.tenant != tenant {
        // Whatever the person did stays with the old tenant, under the old name.
        user.disabled = true;
        user.external = None;
        app.store.change_user(&user, THE_PROVIDER, app.now()).await?;
        let _ = app.revoked.send(Revoked::User(user.id.clone()));
        noted(app, &user, "user_moved_away").await?;
        return add(app, claims, role, tenant, external).await;
    }
    if user.role != role {
        user.role = role;
        user.permissions = None;
        let place = match &tenant {
            Some(id) => app.tenant(id).await,
            None => None,
        };
        user.agent = users::desk_of(user.id.as_str(), &user.name, role, place.as_ref());
        app.store.change_user(&user, THE_PROVIDER, app.now()).await?;
        app.store.revoke_sessions_of(&user.id, app.now()).await?;
        let _ = app.revoked.send(Revoked::User(user.id.clone()));
        noted(app, &user, "user_changed").await?;
    }
    Ok(user)
}

async fn add(
    app: &App,
    claims: &IdClaims,
    role: Role,
    tenant: Option<TenantId>,
    external: String,
) -> Result<User, ApiError> {
    let place = match &tenant {
        Some(id) => Some(app.tenant(id).await.ok_or_else(ApiError::not_allowed)?),
        None => None,
    };
    let wished = claims.preferred_username.as_ref().or(claims.email.as_ref()).unwrap_or(&claims.sub);
    let wished: String = wished.to_lowercase().chars().take(40).collect();
    let taken = app.store.user_for_login(&wished).await?.is_some();
    // A name that is taken or cannot be typed is told apart by a piece of the subject's digest.
    let id = if taken || !users::is_name(&wished) {
        let digest = token::hex(&Sha256::digest(external.as_bytes()));
        let plain: String = wished.chars().filter(|letter| users::is_name(&letter.to_string())).collect();
        format!("{plain}-{}", &digest[..8])
    } else {
        wished
    };
    let name: String =
        claims.name.as_deref().unwrap_or(&id).chars().filter(|letter| !letter.is_control()).take(100).collect();
    let user = User {
        agent: users::desk_of(&id, &name, role, place.as_ref()),
        id: AgentId::new(id),
        tenant,
        name,
        role,
        // No password fits no digest.
        password_hash: String::new(),
        disabled: false,
        permissions: None,
        external: Some(external),
        second_factor: false,
        must_change: false,
    };
    app.store.create_user(&user).await?;
    noted(app, &user, "user_added").await?;
    Ok(user)
}

async fn noted(app: &App, user: &User, what: &str) -> Result<(), ApiError> {
    let detail = json!({ "role": user.role, "by": "identity provider" });
    let (who, target) = ("system".to_owned(), user.id.to_string());
    let entry = AuditEntry { at: app.now(), who, what: what.to_owned(), target, detail };
    app.store.audit(user.tenant.as_ref(), entry).await?;
    Ok(())
}

/// A page of our own that leads on: a redirect would still be the foreign page's request, and the session cookie, being
/// Strict, would stay at home.
fn lead_on(app: &App, signed_in: Response, lang: Lang, home: &str) -> Response {
    let words = lang.pick("Signed in. Go on", "Sesión iniciada. Continuar");
    let body = format!("<p class=\"notice\"><a href=\"{}\">{words}</a></p>", escape(home));
    let mut response = plain(app, lang, StatusCode::OK, lang.pick("Signed in", "Sesión iniciada"), body);
    for cookie in signed_in.headers().get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    if let Ok(refresh) = HeaderValue::from_str(&format!("0; url={home}")) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), refresh);
    }
    response
}

fn turn_away(app: &App, lang: Lang, error: &ApiError) -> Response {
    let (title, detail) = words::problem(error.code, lang);
    let again = lang.pick("Back to sign-in", "Volver a iniciar sesión");
    let body = format!(
        "<h1>{}</h1><p class=\"notice\">{}</p><p><a href=\"/login\">{again}</a></p>",
        escape(title),
        escape(detail)
    );
    plain(app, lang, error.status, title, body)
}

/// In the clothes of the account page, without its script.
fn plain(app: &App, lang: Lang, status: StatusCode, title: &str, body: String) -> Response {
    let page = Page {
        lang,
        title,
        entry: Entry { script: None, ..app.assets.entry("account") },
        theme: None,
        boot: json!({ "page": "sso", "lang": lang.tag() }),
        body,
        after: String::new(),
    };
    (status, Html(page.render())).into_response()
}

/// The provider says that somebody signed out there (Back-Channel Logout 1.0, section 2.5).
pub async fn signed_out(
    State(app): State<App>,
    form: Result<Form<LogoutNotice>, FormRejection>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let provider = provider(&app)?;
    let refused = || ApiError::new(StatusCode::BAD_REQUEST, "provider_refused");
    let Form(notice) = form.map_err(|_| refused())?;
    let told = provider.signed_out(&notice.logout_token, app.now()).await.map_err(|error| match failed(error) {
        // 400 is what the provider understands.
        error if error.status == StatusCode::UNAUTHORIZED => refused(),
        error => error,
    })?;
    let until = app.now() + LIFE + LIFE;
    if !app.store.use_token(&TenantId::new(NOBODY), &token::digest(&told.jti), until).await? {
        return Err(refused());
    }
    let issuer = &provider.config.issuer;
    match told.who {
        Who::Session(sid) => {
            for digest in app.store.revoke_provider_sessions(&format!("{issuer} {sid}"), app.now()).await? {
                // Nobody may be listening: then there is no socket to close.
                let _ = app.revoked.send(Revoked::Session(digest));
            }
        }
        Who::Person(sub) => {
            if let Some(user) = app.store.user_of_provider(&format!("{issuer} {sub}")).await? {
                app.store.revoke_sessions_of(&user.id, app.now()).await?;
                let _ = app.revoked.send(Revoked::User(user.id));
            }
        }
    }
    Ok(Json(json!({})))
}
