//! By which paths an agent's browser may reach the media port.

use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use ringback_routing::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{error::ApiError, guard::Caller};
use crate::{config::Turn, state::App};

/// What the browser gives its connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct IcePaths {
    /// Relays; none: the direct path only.
    pub servers: Vec<IceServer>,
    /// The relay and no other path.
    pub relay_only: bool,
}

/// As `RTCIceServer` of WebRTC has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct IceServer {
    pub urls: Vec<String>,
    pub username: String,
    pub credential: String,
}

pub async fn read(State(app): State<App>, caller: Caller) -> Result<Json<IcePaths>, ApiError> {
    let Some(turn) = &app.config.turn else {
        return Ok(Json(IcePaths { servers: Vec::new(), relay_only: false }));
    };
    let who = format!("{}.{}", caller.tenant()?, caller.id());
    Ok(Json(IcePaths { servers: vec![server(turn, app.now(), &who)], relay_only: turn.only }))
}

/// A name that says until when it is good, and the password that only who knows the secret can make of it: relays check
/// both without asking us (the "TURN REST API", draft-uberti-behave-turn-rest-00).
fn server(turn: &Turn, now: Timestamp, who: &str) -> IceServer {
    let until = now.as_millis() / 1000 + i64::from(turn.ttl_seconds);
    let username = format!("{until}:{who}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, turn.secret.reveal().as_bytes());
    let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    IceServer { urls: turn.urls.clone(), username, credential }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn the_name_says_until_when_and_the_password_is_made_of_both() {
        let turn = Turn {
            urls: vec!["turn:relay.example:3478".into()],
            secret: Secret::new("north".to_owned()),
            ttl_seconds: 600,
            only: false,
        };
        let given = server(&turn, Timestamp::from_millis(1_700_000_000_000), "open.maria");
        assert_eq!(given.username, "1700000600:open.maria");
        // openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(given.credential, "lHQI7t0um0KJgGYPeYNLNDUdLqg=");
    }
}
