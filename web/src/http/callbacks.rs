//! A customer asks to be called: checked here, decided by the core, answered only when it is kept.

use std::{collections::BTreeMap, net::IpAddr};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use ringback_routing::{
    contact::Customer,
    event::{CallbackRequest, Event, Receipt},
    ids::{AgentId, ContactId, SubjectId},
    time::{Millis, Timestamp},
};
use ringback_store::{Claim, Proof};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

use super::{availability::Tenant, body, edge::Client, error::ApiError, gate};
use crate::{
    config::AuthMode,
    jws::NamedKey,
    key_sets::NamedBy,
    phone::{self, Dialable},
    portal::{self, PortalClaims, TokenError},
    state::App,
    token,
};

/// Longest name kept, in letters.
const MAX_NAME: usize = 100;
/// Longest page address or context value kept, in letters.
const MAX_TEXT: usize = 500;
const MAX_CONTEXT: usize = 32;
/// How long the answer to an Idempotency-Key is kept.
pub(super) const KEY_LIFE: Millis = Millis::from_secs(24 * 60 * 60);

/// A request for a callback.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallbackAsk {
    #[serde(default)]
    pub name: String,
    /// As the customer types it.
    #[serde(default)]
    pub phone: String,
    #[serde(default)]
    pub subject: Option<String>,
    /// BCP 47.
    #[serde(default)]
    pub language: Option<String>,
    /// The page the customer came from.
    #[serde(default)]
    pub page: Option<String>,
    /// The portal's signed token.
    #[serde(default)]
    pub token: Option<String>,
    /// Keep the request for the next opening if closed now.
    #[serde(default)]
    pub when_open: bool,
    /// A chosen time: the beginning of one of the tenant's slots, milliseconds since 1970.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub slot: Option<Timestamp>,
    /// The customer has read that the wait is long and wants the call all the same.
    #[serde(default)]
    pub accept_wait: bool,
    /// Whatever the page knows besides, for the agent.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CallbackAnswer {
    /// The customer's unguessable link; null when the number is waiting already by somebody else's request.
    pub status_token: Option<String>,
    pub status_url: Option<String>,
    pub contact_state: AskedState,
    pub position: Option<u32>,
    /// Half of such waits are over by then. Null: not known yet.
    pub ewt_ms: Option<i64>,
    /// Nine of ten are.
    #[serde(default)]
    pub ewt_p90_ms: Option<i64>,
    pub number_display: String,
    /// Milliseconds since 1970, when the callback is kept for later.
    pub due: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskedState {
    Queued,
    Scheduled,
    Existing,
}

pub async fn create(
    State(app): State<App>,
    Path(word): Path<String>,
    headers: HeaderMap,
    client: Option<Extension<Client>>,
    request: Request,
) -> Result<Response, ApiError> {
    let from = client.map(|client| client.address);
    if !body::has_type(&headers, "application/json") {
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    }
    let bytes = body::read(request, &app).await?;
    let tenant = Tenant::find(&app, &word).await?;
    let ask: CallbackAsk = body::parse_json(&bytes)?;
    let Some(key) = idempotency_key(&headers)? else {
        let answer = ask_for_callback(&app, &tenant, ask, from, token::random()?).await?;
        return Ok((StatusCode::CREATED, Json(answer)).into_response());
    };
    create_once(&app, &tenant, ask, from, (&bytes, &key)).await
}

/// The same key and body again gives the first answer again; the same key with another body is refused.
async fn create_once(
    app: &App,
    tenant: &Tenant,
    ask: CallbackAsk,
    from: Option<IpAddr>,
    (body, key): (&Bytes, &str),
) -> Result<Response, ApiError> {
    const SCOPE: &str = "callbacks";
    let now = app.now();
    let digest = token::digest(&String::from_utf8_lossy(body));
    // Derived, so that the answer can be given again without the link ever being stored.
    let link = derived_link(&app.installation_key, &format!("{}\0{key}\0{digest}", tenant.id));
    match app.store.claim_key(&tenant.id, SCOPE, key, &digest, now, now + KEY_LIFE).await? {
        Claim::New => {}
        Claim::UnderWay => return Err(ApiError::new(StatusCode::CONFLICT, "under_way").retry(1)),
        Claim::OtherBody => return Err(ApiError::new(StatusCode::CONFLICT, "idempotency_mismatch")),
        Claim::Answered { status, response } => {
            let mut answer: CallbackAnswer = serde_json::from_str(&response).map_err(|_| ApiError::unavailable())?;
            if answer.status_url.is_some() {
                give_link(&mut answer, tenant, &link);
            }
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::CREATED);
            return Ok((status, Json(answer)).into_response());
        }
    }
    match ask_for_callback(app, tenant, ask, from, link).await {
        Ok(answer) => {
            let kept = CallbackAnswer {
                status_token: None,
                status_url: answer.status_url.as_ref().map(|_| String::new()),
                ..answer.clone()
            };
            let kept = serde_json::to_string(&kept).map_err(|_| ApiError::unavailable())?;
            app.store.keep_answer(&tenant.id, SCOPE, key, 201, &kept).await?;
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
        Err(error) => {
            app.store.drop_claim(&tenant.id, SCOPE, key).await?;
            Err(error)
        }
    }
}

pub(super) fn derived_link(key: &[u8], what: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(b"status\0");
    mac.update(what.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match value.to_str() {
        Ok(key) if (1..=64).contains(&key.len()) && key.bytes().all(plain) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid")),
    }
}

fn give_link(answer: &mut CallbackAnswer, tenant: &Tenant, link: &str) {
    answer.status_token = Some(link.to_owned());
    answer.status_url = Some(format!("/t/{}/status/{link}", tenant.id));
}

/// Everything from the form to the receipt; `from` is the customer's address, `link` becomes the status link.
pub async fn ask_for_callback(
    app: &App,
    tenant: &Tenant,
    ask: CallbackAsk,
    from: Option<IpAddr>,
    link: String,
) -> Result<CallbackAnswer, ApiError> {
    if !tenant.config.callback.enabled {
        return Err(not_enabled(tenant));
    }
    let now = app.now();
    let claims = vouched(app, tenant, ask.subject.as_deref(), ask.token.as_deref(), now).await?;
    let answer = ask_vouched(app, tenant, ask, from, link, claims.as_ref()).await;
    or_released(app, tenant, claims.as_ref(), answer).await
}

/// After a refusal nothing was kept: the token may be used for another try.
pub(super) async fn or_released<T>(
    app: &App,
    tenant: &Tenant,
    claims: Option<&PortalClaims>,
    answer: Result<T, ApiError>,
) -> Result<T, ApiError> {
    if let (Err(_), Some(claims)) = (&answer, claims) {
        app.store.release_token(&tenant.id, &claims.jti).await?;
    }
    answer
}

async fn ask_vouched(
    app: &App,
    tenant: &Tenant,
    ask: CallbackAsk,
    from: Option<IpAddr>,
    link: String,
    claims: Option<&PortalClaims>,
) -> Result<CallbackAnswer, ApiError> {
    let number = gate::number(app, tenant, &ask.phone)?;
    let subject = subject(tenant, ask.subject.as_deref())?;
    let asked = Asked {
        name: &ask.name,
        page: ask.page.as_deref(),
        language: ask.language.as_deref(),
        context: ask.context.clone(),
    };
    let e164 = number.e164().to_owned();
    let customer = customer(tenant, asked, claims, e164, number.key(&app.installation_key))?;
    let proof = Proof::of(&customer);
    gate::within_rates(app, tenant, from, &customer.number_key, proof)?;
    gate::open(app, tenant, &number, proof, ask.when_open).await?;
    let preferred = own_agent(app, tenant, &customer.number_key).await?;
    let request = CallbackRequest {
        customer,
        subject,
        status_token_digest: Some(token::digest(&link)),
        when_open: ask.when_open,
        slot: ask.slot,
        accept_wait: ask.accept_wait,
        preferred,
    };
    let number_display = phone::display(number.e164(), tenant.face.home);
    let receipt = app.engine.submit(&tenant.id, Event::CallbackRequested { request }).await?;
    answer(app, tenant, receipt, &link, number_display).await
}

/// The agent who last dealt with the customer of this number, where the tenant has it that such a one comes first (O7).
pub async fn own_agent(app: &App, tenant: &Tenant, number_key: &str) -> Result<Option<AgentId>, ApiError> {
    if !tenant.config.policy.sticky.enabled {
        return Ok(None);
    }
    Ok(app.store.last_agent(&tenant.id, number_key).await?)
}

pub fn not_enabled(tenant: &Tenant) -> ApiError {
    gate::instead(ApiError::new(StatusCode::FORBIDDEN, "not_enabled"), tenant)
}

/// What the portal says of the customer, if the tenant wants or allows that for the subject; the token is used up. Where the portal's word
/// is optional, a token that is spent or stale leaves the customer unknown, as without one.
pub(super) async fn vouched(
    app: &App,
    tenant: &Tenant,
    subject: Option<&str>,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Option<PortalClaims>, ApiError> {
    let optional = match tenant.auth_for(subject) {
        AuthMode::None => return Ok(None),
        AuthMode::Optional => true,
        AuthMode::Required => false,
    };
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return if optional { Ok(None) } else { Err(ApiError::new(StatusCode::UNAUTHORIZED, "auth_required")) };
    };
    let keys = portal_keys(app, tenant, token).await;
    let claims = match portal::verify(token, tenant.id.as_str(), &keys, now) {
        Ok(claims) => claims,
        Err(TokenError::Expired) if optional => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Kept beyond the token's own end, whatever the clocks say.
    let expiry = Timestamp::from_millis(claims.exp.saturating_add(600).saturating_mul(1000));
    match app.store.use_token(&tenant.id, &claims.jti, expiry).await? {
        true => Ok(Some(claims)),
        false if optional => Ok(None),
        false => Err(ApiError::new(StatusCode::UNAUTHORIZED, "token_used")),
    }
}

/// The tenant's keys that may have signed the token: the operator's, the administrators', and those its portal publishes.
pub async fn portal_keys(app: &App, tenant: &Tenant, token: &str) -> Vec<NamedKey> {
    let mut keys = tenant.face.portal_keys.clone();
    if !tenant.face.portal_jwks.is_empty() {
        keys.extend(app.key_sets.for_token(NamedBy::Operator, &tenant.face.portal_jwks, token).await);
    }
    let own = &tenant.face.own_portal;
    keys.extend(own.keys.iter().cloned());
    if !own.addresses.is_empty() {
        keys.extend(app.key_sets.for_token(NamedBy::Administrator, &own.addresses, token).await);
    }
    keys
}

/// Shown to agents in place of a name that nobody typed and nobody has to.
const NAMELESS: &str = "Customer";

pub(super) fn subject(tenant: &Tenant, word: Option<&str>) -> Result<Option<SubjectId>, ApiError> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(None) };
    let known = tenant.config.subjects.iter().find(|subject| subject.id.as_str() == word);
    let unknown = || ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "no_such_subject").with("field", "subject");
    Ok(Some(known.ok_or_else(unknown)?.id.clone()))
}

/// What a form says of its customer, whichever channel it asks for.
pub(super) struct Asked<'a> {
    pub name: &'a str,
    pub page: Option<&'a str>,
    pub language: Option<&'a str>,
    pub context: BTreeMap<String, String>,
}

/// The customer of a contact: the portal's word counts more than the form's.
pub(super) fn customer(
    tenant: &Tenant,
    asked: Asked<'_>,
    claims: Option<&PortalClaims>,
    number: String,
    number_key: String,
) -> Result<Customer, ApiError> {
    let vouched_name = claims.map(|claims| claims.name.as_str()).filter(|name| !name.trim().is_empty());
    let mut name = one_line(vouched_name.unwrap_or(asked.name));
    let says = |code| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code).with("field", "name");
    if name.is_empty() {
        if tenant.face.forms.name_required {
            return Err(says("name_required"));
        }
        name = NAMELESS.to_owned();
    }
    if name.chars().count() > MAX_NAME {
        return Err(says("name_too_long"));
    }
    let mut context = asked.context;
    let page = claims.and_then(|claims| claims.page.clone()).or_else(|| asked.page.map(str::to_owned));
    if let Some(claims) = claims {
        context.extend(claims.context.clone());
    }
    let too_long = |text: &String| text.chars().count() > MAX_TEXT;
    if context.len() > MAX_CONTEXT || context.iter().any(|(key, value)| key.len() > 64 || too_long(value)) {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long").with("field", "context"));
    }
    if page.as_ref().is_some_and(too_long) {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long").with("field", "page"));
    }
    let language = asked.language.filter(|tag| tenant.face.languages.iter().any(|known| known == tag));
    let number_proven = claims.and_then(|claims| claims.phone.as_deref()).is_some_and(|phone| {
        Dialable::parse(phone, &tenant.face.phone_rules).is_ok_and(|proven| proven.e164() == number)
    });
    Ok(Customer {
        name,
        number,
        number_key,
        customer_id: claims.and_then(|claims| claims.sub.clone()),
        verified: claims.is_some(),
        number_proven,
        language: language.unwrap_or(&tenant.config.language).into(),
        page: page.map(|page| one_line(&page)),
        context,
    })
}

/// Without control characters and outer spaces.
pub(super) fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    line.trim().to_owned()
}

async fn answer(
    app: &App,
    tenant: &Tenant,
    receipt: Receipt,
    link: &str,
    number_display: String,
) -> Result<CallbackAnswer, ApiError> {
    let mut answer = CallbackAnswer {
        status_token: None,
        status_url: None,
        contact_state: AskedState::Queued,
        position: None,
        ewt_ms: None,
        ewt_p90_ms: None,
        number_display,
        due: None,
    };
    match receipt {
        Receipt::CallbackQueued { position, ewt, ewt_p90, .. } => {
            answer.position = Some(position);
            answer.ewt_ms = ewt.map(|ewt| ewt.0);
            answer.ewt_p90_ms = ewt_p90.map(|ewt| ewt.0);
            give_link(&mut answer, tenant, link);
        }
        Receipt::CallbackScheduled { due, .. } => {
            answer.contact_state = AskedState::Scheduled;
            answer.due = Some(due.as_millis());
            give_link(&mut answer, tenant, link);
        }
        Receipt::CallbackExists { contact } => {
            answer.contact_state = AskedState::Existing;
            if made_by(app, tenant, contact, link).await? {
                give_link(&mut answer, tenant, link);
            }
        }
        Receipt::Done | Receipt::ChatQueued { .. } | Receipt::CallPlaced { .. } => return Err(ApiError::unavailable()),
    }
    Ok(answer)
}

/// Whether the waiting request carries the same link: then it is this request, sent again after a crash.
async fn made_by(app: &App, tenant: &Tenant, contact: ContactId, link: &str) -> Result<bool, ApiError> {
    let view = app.engine.status_view(&tenant.id, contact).await?;
    Ok(view.is_some_and(|view| view.contact.status_token_digest.as_deref() == Some(&token::digest(link))))
}
