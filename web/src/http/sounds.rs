//! Sound for a tenant's own prompts: brought in as a WAV, made fit for the telephone, listened to. What is played where is a
//! setting and names the sound.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use ringback_engine::sound;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    body::{self, has_type},
    error::ApiError,
    guard::Caller,
};
use crate::{prompts, state::App, token};

#[derive(Debug, Serialize, ToSchema)]
pub struct SoundMade {
    /// Its name, for the setting `prompts`.
    pub sound: String,
    pub milliseconds: u64,
}

pub async fn add(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, Json<SoundMade>), ApiError> {
    let tenant = caller.tenant()?.clone();
    let typed = ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"];
    if !typed.iter().any(|name| has_type(request.headers(), name)) {
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    }
    let bytes = body::read(request, &app).await?;
    let most = app.limits().prompt_seconds;
    let made = tokio::task::spawn_blocking(move || sound::convert(&bytes, most)).await;
    let made = made.map_err(|_| ApiError::unavailable())?;
    let pcm = made.map_err(|error| ApiError::bad_value("sound").with("why", error.to_string()))?;
    let bytes: Vec<u8> = pcm.0.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let id = token::hex(&Sha256::digest(&bytes)[..16]);
    app.store.keep_sound(&tenant, &id, prompts::to_text(&bytes), caller.id().as_str(), app.now()).await?;
    Ok((StatusCode::CREATED, Json(SoundMade { sound: id, milliseconds: pcm.0.len() as u64 / 8 })))
}

pub async fn read(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, ApiError> {
    let kept = app.store.sound(caller.tenant()?, &id).await?.ok_or_else(ApiError::not_found)?;
    let pcm = prompts::from_text(&kept).ok_or_else(ApiError::unavailable)?;
    let headers = [(header::CONTENT_TYPE, "audio/wav"), (header::CACHE_CONTROL, "private, max-age=3600")];
    Ok((headers, sound::wav_of(&pcm)).into_response())
}
