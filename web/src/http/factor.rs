//! The second factor: enrolling an authenticator app, and proving to have it.

use axum::{Json, extract::State, http::StatusCode};
use ringback_routing::time::{Millis, Timestamp};
use ringback_store::User;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{board::audit, body::JsonBody, error::ApiError, guard::Caller, login, people};
use crate::{
    password, qr,
    state::{App, Revoked},
    token, totp,
};

/// How long an offered secret may wait for its first code.
const OFFER_LIFE: Millis = Millis::from_secs(10 * 60);
/// What an authenticator app shows the account under.
const ISSUER: &str = "Ringback";

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorAsk {
    /// Once more: whoever found an open browser cannot enrol an app of their own.
    pub password: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FactorOffer {
    /// Base32, for typing.
    pub secret: String,
    /// `otpauth://totp/…`
    pub uri: String,
    /// The same as a QR code, SVG.
    pub qr: String,
    #[schema(value_type = i64)]
    pub until: Timestamp,
    /// Goes back unchanged with the first code.
    pub seal: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorConfirm {
    pub secret: String,
    #[schema(value_type = i64)]
    pub until: Timestamp,
    pub seal: String,
    /// What the app shows.
    pub code: String,
}

/// Each holds once, in place of a code; shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodes {
    pub recovery_codes: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one that holds now.
    pub password: String,
    /// 8 letters at least, and another than before.
    pub new_password: String,
}

/// The person's own new password. Every other session of the person ends: whoever knew the old one is out.
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let mut user = caller.user.clone();
    if user.external.is_some() {
        return Err(ApiError::new(StatusCode::CONFLICT, "signs_in_elsewhere"));
    }
    if !login::matches(&app, ask.password.clone(), Some(user.password_hash.clone())).await? {
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "login_failed"));
    }
    people::check_password(&ask.new_password).map_err(|_| ApiError::bad_value("new_password"))?;
    if ask.new_password == ask.password {
        return Err(ApiError::bad_value("new_password"));
    }
    let new = ask.new_password;
    user.password_hash = people::hashed(&app, move || password::hash(&new).ok()).await?;
    user.must_change = false;
    app.store.update_user(&user, app.now()).await?;
    for session in app.store.end_other_sessions(&user.id, &caller.session.token_digest, app.now()).await? {
        // Nobody may be listening: then there is no socket to close.
        let _ = app.revoked.send(Revoked::Session(session));
    }
    audit(&app, &caller, "password_changed", caller.id(), json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn begin(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<FactorAsk>,
) -> Result<Json<FactorOffer>, ApiError> {
    let user = &caller.user;
    if user.external.is_some() {
        return Err(ApiError::new(StatusCode::CONFLICT, "signs_in_elsewhere"));
    }
    if !login::matches(&app, ask.password, Some(user.password_hash.clone())).await? {
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "login_failed"));
    }
    let secret = totp::secret()?;
    let until = app.now() + OFFER_LIFE;
    let uri = totp::uri(ISSUER, user.id.as_str(), &secret);
    let qr = qr::svg(&uri).ok_or_else(ApiError::unavailable)?;
    let seal = seal(&app, user, &secret, until);
    Ok(Json(FactorOffer { secret, uri, qr, until, seal }))
}

/// Nothing is kept of an offer: it comes back with what only we can have said of it.
fn seal(app: &App, user: &User, secret: &str, until: Timestamp) -> String {
    let until = until.as_millis().to_string();
    token::tag(&app.installation_key, &["second factor", user.id.as_str(), secret, &until])
}

pub async fn confirm(
    State(app): State<App>,
    caller: Caller,
    JsonBody(ask): JsonBody<FactorConfirm>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let expected = seal(&app, &caller.user, &ask.secret, ask.until);
    let ours: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), ask.seal.as_bytes()).into();
    if !ours || ask.until < app.now() {
        return Err(ApiError::new(StatusCode::CONFLICT, "form_expired"));
    }
    let step = totp::step_of(&ask.secret, &ask.code, app.now());
    let step = step.ok_or_else(|| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "second_factor_wrong"))?;
    let codes = totp::recovery_codes()?;
    let digests: Vec<_> =
        codes.iter().filter_map(|code| totp::recovery(code)).map(|code| token::digest(&code)).collect();
    app.store.set_second_factor(caller.id(), Some(&ask.secret), &digests).await?;
    app.store.use_step(caller.id(), step).await?;
    audit(&app, &caller, "second_factor_enrolled", caller.id(), json!({})).await?;
    Ok(Json(RecoveryCodes { recovery_codes: codes }))
}

/// Whether the code is the app's present one, or a recovery code that is left; either holds once.
pub async fn proves(app: &App, user: &User, code: &str) -> Result<bool, ApiError> {
    if let Some(code) = totp::recovery(code) {
        return Ok(app.store.use_recovery(&user.id, &token::digest(&code)).await?.is_some());
    }
    let Some(secret) = app.store.second_factor(&user.id).await? else { return Ok(false) };
    match totp::step_of(&secret, code, app.now()) {
        Some(step) => Ok(app.store.use_step(&user.id, step).await?),
        None => Ok(false),
    }
}
