//! The customer's live page, under an unguessable link.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use ringback_routing::{
    contact::{AttemptResult, Channel, Contact, ContactState, Outcome},
    event::{CancelledBy, Event},
    ids::{ContactId, TenantId},
    output::Fact,
    reason::Reason,
    time::Timestamp,
    view::Stage,
};
use ringback_store::Proof;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    availability::{PublicTenant, Tenant},
    body::{JsonBody, Nothing},
    edge::{Client, FramedBy},
    error::ApiError,
    gate, schema, stream,
};
use crate::{
    html::{Page, escape},
    phone,
    state::App,
    token,
    words::{self, Lang},
};

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StatusPage {
    pub tenant: PublicTenant,
    #[schema(value_type = schema::Stage)]
    pub stage: Stage,
    /// 1 = next.
    pub position: Option<u32>,
    /// From now: half of such waits are over by then. Null: not known yet.
    pub ewt_ms: Option<i64>,
    /// Nine of ten are.
    pub ewt_p90_ms: Option<i64>,
    /// The last four digits.
    pub number_display: String,
    pub name: String,
    #[schema(value_type = i64)]
    pub requested_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    pub due: Option<Timestamp>,
    pub attempts: usize,
    pub max_attempts: u32,
    #[schema(value_type = Option<schema::Outcome>)]
    pub outcome: Option<Outcome>,
    #[schema(value_type = schema::Reason)]
    pub why: Reason,
    pub can_cancel: bool,
    pub can_change: bool,
    /// Another time can be chosen.
    pub can_plan: bool,
    pub timeline: Vec<Milestone>,
}

/// One step of the callback's life.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Milestone {
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// requested, scheduled, queued, offered, dialled, ringing, answered, bridged, attempt_busy, attempt_no_answer,
    /// attempt_failed, ended, cancelled, closed or number_changed
    pub what: &'static str,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberChange {
    /// As the customer types it.
    pub phone: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeChoice {
    /// The beginning of a slot, milliseconds since 1970; null: as soon as possible.
    #[schema(value_type = Option<i64>)]
    pub slot: Option<Timestamp>,
}

/// What a link opens.
struct Opened {
    tenant: TenantId,
    contact: ContactId,
}

async fn open(app: &App, link: &str) -> Result<Opened, ApiError> {
    if !token::is_plausible(link) {
        return Err(ApiError::not_found());
    }
    let found = app.store.contact_by_status_token(&token::digest(link)).await?;
    let (tenant, contact) = found.ok_or_else(ApiError::not_found)?;
    let channel = match app.engine.status_view(&tenant, contact).await? {
        Some(view) => Some(view.contact.channel),
        None => app.store.contact(&tenant, contact).await?.map(|contact| contact.channel),
    };
    // A chat has a page of its own.
    match channel {
        None | Some(Channel::Chat) => Err(ApiError::not_found()),
        Some(_) => Ok(Opened { tenant, contact }),
    }
}

async fn view(app: &App, opened: &Opened) -> Result<StatusPage, ApiError> {
    let tenant = Tenant::find(app, opened.tenant.as_str()).await?;
    let live = app.engine.status_view(&opened.tenant, opened.contact).await?;
    let (contact, position, expected, stage) = match live {
        Some(view) => (view.contact, view.position, (view.ewt, view.ewt_p90), view.stage),
        None => {
            let contact = app.store.contact(&opened.tenant, opened.contact).await?.ok_or_else(ApiError::not_found)?;
            let stage = closed_stage(&contact);
            (contact, None, (None, None), stage)
        }
    };
    let facts = app.store.contact_facts(&opened.tenant, opened.contact).await?;
    let outcome = match contact.state {
        ContactState::Closed { outcome } => Some(outcome),
        _ => None,
    };
    let due = match contact.state {
        ContactState::Scheduled { due } => Some(due),
        _ => None,
    };
    let why = contact.reason.clone();
    let waiting = matches!(contact.state, ContactState::Scheduled { .. } | ContactState::Queued { .. });
    Ok(StatusPage {
        tenant: tenant.public(),
        stage,
        position,
        ewt_ms: expected.0.map(|ewt| ewt.0),
        ewt_p90_ms: expected.1.map(|ewt| ewt.0),
        number_display: phone::mask(&contact.customer.number),
        name: contact.customer.name.clone(),
        requested_at: contact.requested_at,
        due,
        attempts: contact.attempts.len(),
        max_attempts: tenant.config.callback.max_attempts,
        outcome,
        why: why.clone(),
        // In line and "talking": on the telephone after an agent was lost.
        can_cancel: outcome.is_none() && (waiting || stage != Stage::Talking),
        can_change: waiting && stage != Stage::Talking,
        can_plan: tenant.config.callback.slots.is_some() && may_plan(&contact.state, &why) && stage != Stage::Talking,
        timeline: facts
            .iter()
            .filter_map(|row| milestone(&row.fact).map(|what| Milestone { at: row.at, what }))
            .collect(),
    })
}

/// In line, or planned by choice or for the next opening; a further try after a failed one has a time of its own.
fn may_plan(state: &ContactState, why: &Reason) -> bool {
    match state {
        ContactState::Queued { .. } => true,
        ContactState::Scheduled { .. } => matches!(why, Reason::ChosenTime | Reason::Closed { .. }),
        _ => false,
    }
}

fn closed_stage(contact: &Contact) -> Stage {
    match contact.state {
        ContactState::Closed { outcome: Outcome::Successful } => Stage::Successful,
        ContactState::Closed { outcome: Outcome::Cancelled } => Stage::Cancelled,
        _ => Stage::Unsuccessful,
    }
}

/// The customer's word for a fact; what is none of the customer's business has none.
fn milestone(fact: &Fact) -> Option<&'static str> {
    Some(match fact {
        Fact::Requested { .. } => "requested",
        Fact::Scheduled { .. } => "scheduled",
        Fact::Queued { .. } => "queued",
        Fact::Offered { .. } => "offered",
        Fact::Dialled { .. } => "dialled",
        Fact::Ringing { .. } => "ringing",
        Fact::Answered { .. } => "answered",
        Fact::Bridged { .. } => "bridged",
        Fact::AttemptEnded { result, .. } => match result {
            AttemptResult::Busy => "attempt_busy",
            AttemptResult::NoAnswer | AttemptResult::NotConfirmed => "attempt_no_answer",
            AttemptResult::Connected | AttemptResult::Cancelled => return None,
            _ => "attempt_failed",
        },
        Fact::ConversationEnded { .. } => "ended",
        Fact::NumberChanged => "number_changed",
        Fact::Closed { outcome: Outcome::Cancelled, .. } => "cancelled",
        Fact::Closed { .. } => "closed",
        _ => return None,
    })
}

pub async fn read(State(app): State<App>, Path(link): Path<String>) -> Result<Json<StatusPage>, ApiError> {
    let opened = open(&app, &link).await?;
    Ok(Json(view(&app, &opened).await?))
}

struct StatusView {
    app: App,
    opened: Opened,
}

impl stream::View for StatusView {
    async fn read(&mut self) -> Result<(serde_json::Value, bool), ApiError> {
        let page = view(&self.app, &self.opened).await?;
        let value = serde_json::to_value(&page).map_err(|_| ApiError::unavailable())?;
        Ok((value, page.outcome.is_some()))
    }
}

pub async fn events(
    State(app): State<App>,
    Path(link): Path<String>,
    client: Option<Extension<Client>>,
) -> Result<Response, ApiError> {
    let client = client.map(|client| client.0);
    let opened = open(&app, &link).await?;
    let tenant = opened.tenant.clone();
    stream::follow(app.clone(), &tenant, "status", client, None, StatusView { app, opened }).await
}

pub async fn cancel(
    State(app): State<App>,
    Path(link): Path<String>,
    JsonBody(_): JsonBody<Nothing>,
) -> Result<Json<StatusPage>, ApiError> {
    let opened = open(&app, &link).await?;
    let event = Event::CallbackCancelled { contact: opened.contact, by: CancelledBy::Customer };
    submit(&app, &opened, event).await?;
    Ok(Json(view(&app, &opened).await?))
}

pub async fn change_number(
    State(app): State<App>,
    Path(link): Path<String>,
    client: Option<Extension<Client>>,
    JsonBody(change): JsonBody<NumberChange>,
) -> Result<Json<StatusPage>, ApiError> {
    let opened = open(&app, &link).await?;
    let tenant = Tenant::find(&app, opened.tenant.as_str()).await?;
    let number = gate::number(&app, &tenant, &change.phone)?;
    let number_key = number.key(&app.installation_key);
    // Whatever the portal said of the customer, it did not say it of this number.
    let contact = app.store.contact(&opened.tenant, opened.contact).await?.ok_or_else(ApiError::not_found)?;
    let proof = if contact.customer.verified { Proof::Person } else { Proof::Nobody };
    let from = client.map(|client| client.address);
    gate::within_rates(&app, &tenant, from, &number_key, proof)?;
    gate::open(&app, &tenant, &number, proof, true).await?;
    let event = Event::CallbackNumberChanged { contact: opened.contact, number: number.e164().to_owned(), number_key };
    submit(&app, &opened, event).await?;
    Ok(Json(view(&app, &opened).await?))
}

pub async fn choose_time(
    State(app): State<App>,
    Path(link): Path<String>,
    JsonBody(choice): JsonBody<TimeChoice>,
) -> Result<Json<StatusPage>, ApiError> {
    let opened = open(&app, &link).await?;
    submit(&app, &opened, Event::CallbackTimeChosen { contact: opened.contact, slot: choice.slot }).await?;
    Ok(Json(view(&app, &opened).await?))
}

/// A contact that is closed has left the core: for its customer that is "too late", not "unknown".
async fn submit(app: &App, opened: &Opened, event: Event) -> Result<(), ApiError> {
    use ringback_engine::EngineError::Rejected;
    use ringback_routing::event::Rejection::NoSuchContact;
    match app.engine.submit(&opened.tenant, event).await {
        Ok(_) => Ok(()),
        Err(Rejected(NoSuchContact)) => Err(ApiError::new(StatusCode::CONFLICT, "wrong_state")),
        Err(error) => Err(error.into()),
    }
}

pub async fn page(
    State(app): State<App>,
    Path((word, link)): Path<(String, String)>,
    Extension(lang): Extension<Lang>,
) -> Result<Response, ApiError> {
    let tenant = Tenant::find(&app, &word).await?;
    let found = match open(&app, &link).await {
        Ok(opened) if opened.tenant == tenant.id => Some(view(&app, &opened).await?),
        Ok(_) => None,
        Err(error) if error.status == StatusCode::NOT_FOUND => None,
        Err(error) => return Err(error),
    };
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let boot = json!({
        "page": "status",
        "lang": lang.tag(),
        "version": env!("CARGO_PKG_VERSION"),
        "server_time": app.now(),
        "tenant": tenant.public(),
        "token": found.as_ref().map(|_| &link),
        "status": found,
        "parent_origins": tenant.parent_origins(),
    });
    let page = Page {
        lang,
        title: &format!("{} · {}", lang.pick("Your callback", "Su llamada"), tenant.config.name),
        entry: app.assets.entry("status"),
        theme: Some(format!("/t/{}/theme.css", tenant.id)),
        boot,
        body: plain(&tenant.config.name, found.as_ref(), lang),
        after: String::new(),
    };
    let mut response = (status, Html(page.render())).into_response();
    response.extensions_mut().insert(FramedBy(tenant.parent_origins()));
    Ok(response)
}

/// The page without JavaScript.
fn plain(name: &str, page: Option<&StatusPage>, lang: Lang) -> String {
    let mut html = format!("<h1>{}</h1>", escape(name));
    let Some(page) = page else {
        return html
            + "<p>"
            + lang.pick("There is no callback under this link.", "No hay ninguna llamada en este enlace.")
            + "</p>";
    };
    html += &format!("<div class=\"card\"><p><strong>{}</strong></p><dl class=\"facts\">", stage_words(page, lang));
    if let Some(position) = page.position {
        html += &format!("<dt>{}</dt><dd>{position}</dd>", lang.pick("Place in line", "Lugar en la fila"));
    }
    if page.outcome.is_none() {
        let wait = words::wait(page.ewt_ms, page.ewt_p90_ms, lang);
        html += &format!("<dt>{}</dt><dd>{wait}</dd>", lang.pick("Expected wait", "Espera prevista"));
    }
    html += &format!(
        "<dt>{}</dt><dd>{}</dd></dl></div>",
        lang.pick("We call", "Llamamos al"),
        escape(&page.number_display)
    );
    let hint = lang.pick("Reload this page to see how it goes on.", "Recargue esta página para ver cómo sigue.");
    html + "<p class=\"muted\">" + hint + "</p>"
}

fn stage_words(page: &StatusPage, lang: Lang) -> &'static str {
    match page.stage {
        Stage::Scheduled if page.why == Reason::ChosenTime => {
            lang.pick("We will call you at the time you chose.", "Le llamaremos a la hora que eligió.")
        }
        Stage::Unsuccessful if matches!(page.why, Reason::Closed { .. }) => {
            lang.pick("We had to close. We will not call you.", "Tuvimos que cerrar. No le llamaremos.")
        }
        Stage::Scheduled => lang.pick("We will call you when we are open.", "Le llamaremos cuando abramos."),
        Stage::Waiting => lang.pick("You are in line.", "Está en la fila."),
        Stage::AgentFound => {
            lang.pick("An agent is ready. We are about to call you.", "Un agente está listo. Le llamaremos enseguida.")
        }
        Stage::Calling | Stage::Ringing => lang.pick("We are calling you now.", "Le estamos llamando ahora."),
        Stage::Talking => lang.pick("You are talking with us.", "Está hablando con nosotros."),
        Stage::Retrying => lang
            .pick("We could not reach you and will try again.", "No pudimos comunicarnos y lo intentaremos de nuevo."),
        Stage::Successful => lang.pick("We have talked. Thank you.", "Ya hemos hablado. Gracias."),
        Stage::Unsuccessful => lang.pick("We could not reach you.", "No pudimos comunicarnos con usted."),
        Stage::Cancelled => lang.pick("The callback is cancelled.", "La llamada está cancelada."),
    }
}
