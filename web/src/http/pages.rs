//! The staff's pages, the tenant's colours and the built files.

use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use ringback_routing::ids::TenantId;
use ringback_store::Role;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    availability::Tenant,
    body::QueryOf,
    edge::Microphone,
    error::ApiError,
    guard::{Caller, must_enrol},
    login::{StaffUser, staff_tenant},
};
use crate::{assets, html::Page, state::App, words::Lang};

/// A year: the name changes with the content.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const A_WHILE: HeaderValue = HeaderValue::from_static("public, max-age=300");

pub async fn root() -> Redirect {
    Redirect::to("/login")
}

#[derive(Deserialize)]
pub struct LoginQuery {
    #[serde(default)]
    next: Option<String>,
}

pub async fn login(
    State(app): State<App>,
    Extension(lang): Extension<Lang>,
    QueryOf(query): QueryOf<LoginQuery>,
) -> Response {
    // Only our own pages: whatever else stands there leads nowhere.
    let next = query.next.filter(|next| ["/agent", "/supervisor", "/account", "/admin"].contains(&next.as_str()));
    let oidc = app.oidc.as_ref().map(|provider| json!({ "name": provider.config.name }));
    let boot = json!({ "next": next, "oidc": oidc });
    shell(&app, lang, "login", lang.pick("Sign in", "Iniciar sesión"), None, boot)
}

pub async fn agent(
    State(app): State<App>,
    Extension(lang): Extension<Lang>,
    caller: Caller,
) -> Result<Response, ApiError> {
    if caller.user.agent.is_none() {
        return Err(ApiError::not_allowed());
    }
    let mut response = staff(&app, lang, "agent", lang.pick("My desk", "Mi puesto"), &caller).await?;
    response.extensions_mut().insert(Microphone);
    Ok(response)
}

pub async fn supervisor(
    State(app): State<App>,
    Extension(lang): Extension<Lang>,
    caller: Caller,
) -> Result<Response, ApiError> {
    staff(&app, lang, "supervisor", lang.pick("Board", "Tablero"), &caller).await
}

pub async fn admin(
    State(app): State<App>,
    Extension(lang): Extension<Lang>,
    caller: Caller,
) -> Result<Response, ApiError> {
    if caller.user.tenant.is_none() {
        let boot = json!({ "user": StaffUser::from(&caller.user), "tenant": null });
        return Ok(shell(&app, lang, "operator", lang.pick("Counties", "Condados"), None, boot));
    }
    staff(&app, lang, "admin", lang.pick("Settings", "Ajustes"), &caller).await
}

/// Also for those who have no tenant, and those who have yet to enrol.
pub async fn account(
    State(app): State<App>,
    Extension(lang): Extension<Lang>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let user = &caller.user;
    let boot = json!({ "user": StaffUser::from(user), "second_factor": user.second_factor,
        "must_enrol": must_enrol(&app, user), "external": user.external.is_some(), "must_change": user.must_change });
    Ok(shell(&app, lang, "account", lang.pick("My account", "Mi cuenta"), user.tenant.as_ref(), boot))
}

async fn staff(app: &App, lang: Lang, page: &str, title: &str, caller: &Caller) -> Result<Response, ApiError> {
    let tenant = Tenant::find(app, caller.tenant()?.as_str()).await?;
    let boot = json!({ "user": StaffUser::from(&caller.user), "tenant": staff_tenant(&tenant) });
    let title = format!("{title} · {}", tenant.config.name);
    Ok(shell(app, lang, page, &title, Some(&tenant.id), boot))
}

pub(crate) fn shell(
    app: &App,
    lang: Lang,
    page: &str,
    title: &str,
    tenant: Option<&TenantId>,
    mut boot: Value,
) -> Response {
    boot["page"] = json!(page);
    boot["lang"] = json!(lang.tag());
    boot["version"] = json!(env!("CARGO_PKG_VERSION"));
    boot["server_time"] = json!(app.now());
    let entry = app.assets.entry(page);
    let body = if entry.script.is_none() {
        "<p class=\"notice\">This server was built without its pages (RINGBACK_WEB=none). The interfaces under /api/v1 work.</p>"
    } else {
        "<noscript><p class=\"notice\">This page needs JavaScript.</p></noscript>"
    };
    let theme = tenant.map(|tenant| format!("/t/{tenant}/theme.css"));
    let page = Page { lang, title, entry, theme, boot, body: body.to_owned(), after: String::new() };
    Html(page.render()).into_response()
}

/// Where the role works.
pub fn home_of(role: Role) -> &'static str {
    match role {
        Role::Agent => "/agent",
        Role::Operator => "/admin",
        _ => "/supervisor",
    }
}

pub async fn theme(State(app): State<App>, Path(word): Path<String>) -> Result<Response, ApiError> {
    let face = app.faces.get(&TenantId::new(&word)).ok_or_else(ApiError::not_found)?;
    let css = format!(":root{{--accent:{};--accent-text:{}}}\n", face.accent, face.accent.text());
    let mut response = css.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, A_WHILE);
    Ok(response)
}

pub async fn asset(Path(file): Path<String>) -> Result<Response, ApiError> {
    served(&format!("assets/{file}"), FOREVER)
}

pub async fn static_file(Path(file): Path<String>) -> Result<Response, ApiError> {
    if file.contains('/') {
        return Err(ApiError::not_found());
    }
    served(&file, A_WHILE)
}

/// Browsers ask for /favicon.ico also where a page names its icon.
pub async fn icon() -> Response {
    let mut response = include_str!("../icon.svg").into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    response.headers_mut().insert(header::CACHE_CONTROL, A_WHILE);
    response
}

/// Foreign pages load this one: they are allowed to by the resource policy.
pub async fn embed() -> Result<Response, ApiError> {
    let mut response = served("embed.js", A_WHILE)?;
    let anyone = HeaderValue::from_static("cross-origin");
    response.headers_mut().insert("cross-origin-resource-policy", anyone);
    Ok(response)
}

fn served(name: &str, cache: HeaderValue) -> Result<Response, ApiError> {
    let (data, media_type) = assets::file(name).ok_or_else(ApiError::not_found)?;
    let mut response = data.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    Ok(response)
}
