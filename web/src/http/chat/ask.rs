//! A customer asks for a chat: name and telephone number are needed and not checked further (C3), the county must be open
//! (C4).

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ringback_routing::{
    event::{ChatRequest, Event, Receipt},
    ids::ContactId,
};
use ringback_store::{ChatSender, Claim};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::body_within;
use crate::{
    http::{
        availability::Tenant,
        body,
        callbacks::{self, Asked, KEY_LIFE},
        error::ApiError,
    },
    phone::Dialable,
    portal::PortalClaims,
    state::App,
    token,
};

/// Longest telephone number kept as typed, in letters.
const MAX_PHONE: usize = 40;
/// What the customer's question is called among the messages, so that it is kept once.
const QUESTION: &str = "question";
/// How long the page has, from the answer, to open its connection.
const FIRST_PATIENCE: Duration = Duration::from_secs(15);

/// A request for a chat.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatAsk {
    #[serde(default)]
    pub name: String,
    /// As the customer types it.
    #[serde(default)]
    pub phone: String,
    /// Becomes the first message.
    #[serde(default)]
    pub question: Option<String>,
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
    /// Whatever the page knows besides, for the agent.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChatAnswer {
    /// The customer's key to this chat; nobody else can guess it.
    pub chat_token: String,
    pub position: u32,
    pub ewt_ms: Option<i64>,
}

pub async fn create(
    State(app): State<App>,
    Path(word): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    if !body::has_type(&headers, "application/json") {
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    }
    let bytes = body::read(request, &app).await?;
    let tenant = Tenant::find(&app, &word).await?;
    let ask: ChatAsk = body::parse_json(&bytes)?;
    let answer = match callbacks::idempotency_key(&headers)? {
        Some(key) => once(&app, &tenant, ask, &bytes, &key).await?,
        None => ask_for_chat(&app, &tenant, ask, token::random()?).await?,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// The same key and body again gives the first answer again; the same key with another body is refused.
async fn once(app: &App, tenant: &Tenant, ask: ChatAsk, body: &Bytes, key: &str) -> Result<ChatAnswer, ApiError> {
    const SCOPE: &str = "chats";
    let now = app.now();
    let digest = token::digest(&String::from_utf8_lossy(body));
    let link = callbacks::derived_link(&app.installation_key, &format!("chat\0{}\0{key}\0{digest}", tenant.id));
    match app.store.claim_key(&tenant.id, SCOPE, key, &digest, now, now + KEY_LIFE).await? {
        Claim::New => {}
        Claim::UnderWay => return Err(ApiError::new(StatusCode::CONFLICT, "under_way").retry(1)),
        Claim::OtherBody => return Err(ApiError::new(StatusCode::CONFLICT, "idempotency_mismatch")),
        Claim::Answered { response, .. } => {
            let kept: ChatAnswer = serde_json::from_str(&response).map_err(|_| ApiError::unavailable())?;
            return Ok(ChatAnswer { chat_token: link, ..kept });
        }
    }
    match ask_for_chat(app, tenant, ask, link).await {
        Ok(answer) => {
            // The link itself is not stored: it is derived anew.
            let kept = ChatAnswer { chat_token: String::new(), ..answer.clone() };
            let kept = serde_json::to_string(&kept).map_err(|_| ApiError::unavailable())?;
            app.store.keep_answer(&tenant.id, SCOPE, key, 201, &kept).await?;
            Ok(answer)
        }
        Err(error) => {
            app.store.drop_claim(&tenant.id, SCOPE, key).await?;
            Err(error)
        }
    }
}

async fn ask_for_chat(app: &App, tenant: &Tenant, ask: ChatAsk, link: String) -> Result<ChatAnswer, ApiError> {
    if !tenant.config.chat.enabled {
        return Err(callbacks::not_enabled(tenant));
    }
    let claims = callbacks::vouched(app, tenant, ask.subject.as_deref(), ask.token.as_deref(), app.now()).await?;
    let answer = ask_vouched(app, tenant, ask, &link, claims.as_ref()).await;
    callbacks::or_released(app, tenant, claims.as_ref(), answer).await
}

async fn ask_vouched(
    app: &App,
    tenant: &Tenant,
    ask: ChatAsk,
    link: &str,
    claims: Option<&PortalClaims>,
) -> Result<ChatAnswer, ApiError> {
    let question = ask.question.as_deref().map(str::trim).filter(|question| !question.is_empty());
    let question = question.map(|text| body_within(text, tenant.face.chat.customer_chars)).transpose()?;
    let forms = tenant.face.forms;
    if question.is_none() && forms.chat_question_required {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "question_required").with("field", "question"));
    }
    let subject = callbacks::subject(tenant, ask.subject.as_deref())?;
    let typed = callbacks::one_line(&ask.phone);
    if typed.is_empty() && forms.chat_phone_required {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "phone_required").with("field", "phone"));
    }
    if typed.chars().count() > MAX_PHONE {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long").with("field", "phone"));
    }
    let mut context = ask.context;
    // A number that cannot be dialled is kept as typed: the chat does not need it.
    let (number, number_key) = match Dialable::parse(&typed, &tenant.face.phone_rules) {
        Ok(number) => (number.e164().to_owned(), number.key(&app.installation_key)),
        Err(_) if typed.is_empty() => {
            // Nobody else's: two who left it empty have nothing in common.
            (String::new(), callbacks::derived_link(&app.installation_key, &format!("none\0{}\0{link}", tenant.id)))
        }
        Err(_) => {
            let key = callbacks::derived_link(&app.installation_key, &format!("typed\0{}\0{typed}", tenant.id));
            context.insert("phone_as_typed".to_owned(), typed);
            (String::new(), key)
        }
    };
    let asked = Asked { name: &ask.name, page: ask.page.as_deref(), language: ask.language.as_deref(), context };
    let customer = callbacks::customer(tenant, asked, claims, number, number_key)?;
    if let Some(contact) = opened_before(app, tenant, link).await? {
        return go_on(app, tenant, contact, question, link).await;
    }
    let preferred = callbacks::own_agent(app, tenant, &customer.number_key).await?;
    let request = ChatRequest { customer, subject, status_token_digest: Some(token::digest(link)), preferred };
    match app.engine.submit(&tenant.id, Event::ChatRequested { request }).await? {
        Receipt::ChatQueued { contact, position, ewt } => {
            begin(app, tenant, contact, question).await?;
            Ok(ChatAnswer { chat_token: link.to_owned(), position, ewt_ms: ewt.map(|ewt| ewt.0) })
        }
        _ => Err(ApiError::unavailable()),
    }
}

/// The chat that an earlier try with the same key opened although its answer was a failure: the question could not be
/// kept, or the ledger took the request only after the answer.
async fn opened_before(app: &App, tenant: &Tenant, link: &str) -> Result<Option<ContactId>, ApiError> {
    let found = app.store.contact_by_status_token(&token::digest(link)).await?;
    Ok(found.filter(|(of, _)| *of == tenant.id).map(|(_, contact)| contact))
}

async fn go_on(
    app: &App,
    tenant: &Tenant,
    contact: ContactId,
    question: Option<String>,
    link: &str,
) -> Result<ChatAnswer, ApiError> {
    let view = app.engine.status_view(&tenant.id, contact).await?;
    if view.is_some() {
        begin(app, tenant, contact, question).await?;
    }
    let (position, ewt) = view.map_or((None, None), |view| (view.position, view.ewt));
    Ok(ChatAnswer { chat_token: link.to_owned(), position: position.unwrap_or(1), ewt_ms: ewt.map(|ewt| ewt.0) })
}

async fn begin(app: &App, tenant: &Tenant, contact: ContactId, question: Option<String>) -> Result<(), ApiError> {
    let room = app.engine.chat_room(&tenant.id, contact).await?;
    room.welcome(FIRST_PATIENCE);
    if let Some(question) = question {
        room.say(ChatSender::Customer, QUESTION.to_owned(), question).await?;
    }
    Ok(())
}
