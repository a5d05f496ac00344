//! A tenant's logo: brought in as PNG, JPEG or WebP, looked at, and shown to customers once the settings name it.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ringback_routing::ids::TenantId;
use ringback_store::KeptPicture;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    body::{self, has_type},
    error::ApiError,
    guard::Caller,
};
use crate::{picture, state::App, token};

/// A year: the name changes with the content.
const FOREVER: &str = "public, max-age=31536000, immutable";
const MINE_FOR_A_WHILE: &str = "private, max-age=3600";

#[derive(Debug, Serialize, ToSchema)]
pub struct PictureMade {
    /// Its name, for the setting `look.logo`.
    pub picture: String,
    /// In dots.
    pub width: u32,
    pub height: u32,
}

pub async fn add(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, Json<PictureMade>), ApiError> {
    let tenant = caller.tenant()?.clone();
    let typed = ["image/png", "image/jpeg", "image/webp"].into_iter().find(|name| has_type(request.headers(), name));
    let typed = typed.ok_or_else(|| ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"))?;
    let bytes = body::read(request, &app).await?;
    let refused = |why: String| ApiError::bad_value("picture").with("why", why);
    let seen = picture::look(&bytes).map_err(|error| refused(error.to_string()))?;
    // What it says it is and what it is must agree: it is served by the latter.
    if seen.kind != typed {
        return Err(refused(format!("it is {}", seen.kind)));
    }
    let id = token::hex(&Sha256::digest(&bytes)[..16]);
    let kept = KeptPicture { kind: seen.kind.to_owned(), bytes: STANDARD.encode(&bytes) };
    app.store.keep_picture(&tenant, &id, kept, caller.id().as_str(), app.now()).await?;
    Ok((StatusCode::CREATED, Json(PictureMade { picture: id, width: seen.width, height: seen.height })))
}

/// For the administrator who has brought it in and not saved yet.
pub async fn read(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, ApiError> {
    shown(&app, caller.tenant()?, &id, MINE_FOR_A_WHILE).await
}

/// The logo in force, for everybody; none that was brought in and never saved.
pub async fn logo(State(app): State<App>, Path((word, id)): Path<(String, String)>) -> Result<Response, ApiError> {
    let tenant = TenantId::new(&word);
    let face = app.faces.get(&tenant).ok_or_else(ApiError::not_found)?;
    if face.logo.as_ref() != Some(&id) {
        return Err(ApiError::not_found());
    }
    shown(&app, &tenant, &id, FOREVER).await
}

async fn shown(app: &App, tenant: &TenantId, id: &str, cache: &'static str) -> Result<Response, ApiError> {
    let kept = app.store.picture(tenant, id).await?.ok_or_else(ApiError::not_found)?;
    let bytes = STANDARD.decode(&kept.bytes).map_err(|_| ApiError::unavailable())?;
    // Looked at anew: what stands in the ledger does not say how browsers take it.
    let kind = picture::look(&bytes).map_err(|_| ApiError::unavailable())?.kind;
    let mut response = bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    Ok(response)
}
