//! OpenID Connect as a relying party: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1; RFC
//! 7636), what an ID token must say, and what a logout token must (Back-Channel Logout 1.0).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ringback_routing::{ids::TenantId, time::Timestamp};
use ringback_store::Role;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::{
    config::OidcProvider,
    fetch::{FetchError, Fetcher},
    jws::{self, NamedKey},
    portal::Audience,
};

/// Clocks of provider and server may differ by this much, in seconds.
const LEEWAY_SECS: i64 = 60;
/// An ID token is made for the sign-in at hand: one older than this is not ours, in seconds.
const MAX_AGE_SECS: i64 = 600;
/// How long what the provider says of itself is believed.
const METADATA_LIFE: Duration = Duration::from_secs(60 * 60);
/// A key that is not known is looked for again, at most so often.
const KEYS_AGAIN: Duration = Duration::from_secs(30);
/// What makes a token a logout token.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const MAX_CLAIM: usize = 255;

#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the provider's description of itself is not right: {0}")]
    Metadata(&'static str),
    #[error("the provider's token is not right: {0}")]
    Token(&'static str),
}

/// The provider's description of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    end_session_endpoint: Option<String>,
}

#[derive(Debug, Clone)]
struct Known {
    metadata: Metadata,
    keys: Vec<NamedKey>,
    at: Instant,
    keys_at: Instant,
}

/// The provider that staff sign in at.
pub struct Provider {
    pub config: OidcProvider,
    /// Where the provider sends people back to.
    redirect_uri: String,
    fetcher: Fetcher,
    known: Mutex<Option<Known>>,
}

/// What a sign-in under way is recognised by when it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub state: String,
    pub nonce: String,
    /// PKCE: 43 letters of A-Z a-z 0-9 - _
    pub verifier: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct IdClaims {
    pub iss: String,
    pub sub: String,
    pub aud: Audience,
    #[serde(default)]
    pub azp: Option<String>,
    pub exp: i64,
    pub iat: i64,
    #[serde(default)]
    pub nonce: Option<String>,
    #[serde(default)]
    pub sid: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub preferred_username: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(flatten)]
    pub others: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct LogoutClaims {
    iss: String,
    aud: Audience,
    iat: i64,
    jti: String,
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    nonce: Option<serde_json::Value>,
    events: BTreeMap<String, serde_json::Value>,
}

/// Whom the provider signs out.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedOut {
    pub jti: String,
    pub who: Who,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Who {
    Session(String),
    Person(String),
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    pub fn new(config: OidcProvider, origin: &str) -> Result<Self, FetchError> {
        let fetcher = Fetcher::new(config.ca_file.as_deref())?;
        let redirect_uri = format!("{origin}/login/oidc/callback");
        Ok(Self { config, redirect_uri, fetcher, known: Mutex::new(None) })
    }

    /// Where the browser is sent to sign in.
    pub async fn authorization(&self, attempt: &Attempt) -> Result<String, OidcError> {
        let endpoint = self.known(None).await?.metadata.authorization_endpoint;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(attempt.verifier.as_bytes()));
        Ok(with_query(
            &endpoint,
            &[
                ("response_type", "code"),
                ("client_id", &self.config.client_id),
                ("redirect_uri", &self.redirect_uri),
                ("scope", &self.config.scopes.join(" ")),
                ("state", &attempt.state),
                ("nonce", &attempt.nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        ))
    }

    /// Turns the code into what the provider says of the person.
    pub async fn redeem(&self, code: &str, attempt: &Attempt, now: Timestamp) -> Result<IdClaims, OidcError> {
        let endpoint = self.known(None).await?.metadata.token_endpoint;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &attempt.verifier),
        ];
        let basic = self.config.client_secret.as_ref().map(|secret| {
            let pair = format!("{}:{}", encoded(&self.config.client_id), encoded(secret.reveal()));
            STANDARD.encode(pair)
        });
        if basic.is_none() {
            form.push(("client_id", &self.config.client_id));
        }
        let answer = self.fetcher.post_form(&endpoint, basic.as_deref(), query(&form)).await?;
        let tokens: Tokens = serde_json::from_slice(&answer).map_err(|_| OidcError::Token("there is no ID token"))?;
        let known = self.known(jws::key_id(&tokens.id_token)).await?;
        let claims = jws::open(&tokens.id_token, &known.keys).map_err(|_| OidcError::Token("it is not genuine"))?;
        self.check(claims, &attempt.nonce, now.as_millis() / 1000)
    }

    fn check(&self, claims: IdClaims, nonce: &str, now: i64) -> Result<IdClaims, OidcError> {
        let says = |wrong| Err(OidcError::Token(wrong));
        if claims.iss != self.config.issuer {
            return says("another issuer");
        }
        let several = matches!(&claims.aud, Audience::Several(several) if several.len() > 1);
        let for_us = claims.azp.as_deref().map_or(!several, |party| party == self.config.client_id);
        if !claims.aud.names(&self.config.client_id) || !for_us {
            return says("another audience");
        }
        if claims.exp <= now.saturating_sub(LEEWAY_SECS) {
            return says("it has expired");
        }
        if claims.iat > now.saturating_add(LEEWAY_SECS) || claims.iat < now.saturating_sub(MAX_AGE_SECS) {
            return says("it was not made now");
        }
        if claims.nonce.as_deref() != Some(nonce) {
            return says("another sign-in's");
        }
        if claims.sub.is_empty() || claims.sub.len() > MAX_CLAIM {
            return says("no subject");
        }
        Ok(claims)
    }

    /// Checks a logout token; that its `jti` is used once is for the ledger.
    pub async fn signed_out(&self, token: &str, now: Timestamp) -> Result<SignedOut, OidcError> {
        let says = |wrong| Err(OidcError::Token(wrong));
        let known = self.known(jws::key_id(token)).await?;
        let claims: LogoutClaims = jws::open(token, &known.keys).map_err(|_| OidcError::Token("it is not genuine"))?;
        let now = now.as_millis() / 1000;
        if claims.iss != self.config.issuer || !claims.aud.names(&self.config.client_id) {
            return says("another issuer or audience");
        }
        let made_now = (now - MAX_AGE_SECS..=now + LEEWAY_SECS).contains(&claims.iat);
        if !made_now || claims.exp.is_some_and(|exp| exp <= now - LEEWAY_SECS) {
            return says("it has expired");
        }
        // An ID token must not pass for a logout token.
        if claims.nonce.is_some() || !claims.events.contains_key(LOGOUT_EVENT) || claims.jti.is_empty() {
            return says("it is no logout token");
        }
        let who = match (claims.sid, claims.sub) {
            (Some(sid), _) => Who::Session(sid),
            (None, Some(sub)) => Who::Person(sub),
            (None, None) => return says("it names nobody"),
        };
        Ok(SignedOut { jti: claims.jti, who })
    }

    /// Where the browser is sent to sign out there too, if the provider has such a place.
    pub async fn end_session(&self, back_to: &str) -> Option<String> {
        let endpoint = self.known(None).await.ok()?.metadata.end_session_endpoint?;
        let fields = [("client_id", self.config.client_id.as_str()), ("post_logout_redirect_uri", back_to)];
        Some(with_query(&endpoint, &fields))
    }

    /// Role and tenant by the first configured group the person is in.
    pub fn place_of(&self, claims: &IdClaims) -> Option<(Role, Option<TenantId>)> {
        let groups = claims.others.get(&self.config.groups_claim);
        let is_in = |group: &str| match groups {
            Some(serde_json::Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(group)),
            Some(serde_json::Value::String(one)) => one == group,
            _ => false,
        };
        let found = self.config.groups.iter().find(|known| is_in(&known.group))?;
        Some((found.role, found.tenant.clone()))
    }

    /// What is known of the provider, asked anew when it is old or when it lacks the named key.
    async fn known(&self, key: Option<String>) -> Result<Known, OidcError> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        if let Some(fresh) = known.as_mut().filter(|known| now - known.at < METADATA_LIFE) {
            let lacks = key.is_some() && !fresh.keys.iter().any(|known| known.id == key);
            if lacks && now - fresh.keys_at >= KEYS_AGAIN {
                fresh.keys = self.keys(&fresh.metadata).await?;
                fresh.keys_at = now;
            }
            return Ok(fresh.clone());
        }
        let issuer = self.config.issuer.trim_end_matches('/');
        let text = self.fetcher.get(&format!("{issuer}/.well-known/openid-configuration")).await?;
        let metadata: Metadata = serde_json::from_slice(&text).map_err(|_| OidcError::Metadata("it is incomplete"))?;
        if metadata.issuer != self.config.issuer {
            return Err(OidcError::Metadata("it is another issuer's"));
        }
        let keys = self.keys(&metadata).await?;
        let fresh = Known { metadata, keys, at: now, keys_at: now };
        *known = Some(fresh.clone());
        Ok(fresh)
    }

    async fn keys(&self, metadata: &Metadata) -> Result<Vec<NamedKey>, OidcError> {
        let text = self.fetcher.get(&metadata.jwks_uri).await?;
        jws::key_set(&text).filter(|keys| !keys.is_empty()).ok_or(OidcError::Metadata("it has no keys"))
    }
}

fn with_query(endpoint: &str, fields: &[(&str, &str)]) -> String {
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{joint}{}", query(fields))
}

fn query(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
