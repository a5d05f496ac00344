//! Passing a call on, and bringing somebody in: what a tab asks for, made into events.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use ringback_routing::{
    agent::Presence,
    contact::{Channel, Contact, ContactState, Customer},
    event::{ConsultationStep, Consulted, Event, OutboundRequest, Receipt, TransferTarget},
    ids::{AgentId, ContactId, SubjectId, TenantId},
    view::AgentView,
};
use ringback_store::Proof;

use super::message::{CallTo, Colleague, ServerMessage, StepWord};
use crate::{
    config::Face,
    http::{availability::Tenant, error::ApiError, gate, login::MAX_NOTE},
    phone::{Dialable, PhoneRefusal},
    state::App,
};

/// Longest name of whom an agent calls, in letters.
const MAX_NAME: usize = 100;
/// Whom nobody knows.
const NAMELESS: &str = "Customer";

/// Passed on at once: the agent who asks wraps up.
pub(super) fn transfer(
    face: &Face,
    agent: AgentId,
    contact: ContactId,
    to: CallTo,
    note: Option<String>,
) -> Result<Event, ApiError> {
    let note = note_within(note)?;
    let to = match to {
        CallTo::Queue { queue } => TransferTarget::Queue { queue },
        CallTo::Subject { subject } => TransferTarget::Subject { subject },
        CallTo::Agent { agent } => TransferTarget::Agent { agent },
        CallTo::Outside { number } => {
            let with = Consulted::Outside { number: dialable(face, &number)?, at_once: true };
            return Ok(Event::ConsultationRequested { agent, contact, with, note });
        }
    };
    Ok(Event::CallTransferRequested { agent, contact, to, note })
}

/// Asked first, while the customer hears music.
pub(super) fn consult(
    face: &Face,
    agent: AgentId,
    contact: ContactId,
    to: CallTo,
    note: Option<String>,
) -> Result<Event, ApiError> {
    let note = note_within(note)?;
    let with = match to {
        CallTo::Agent { agent } => Consulted::Agent { agent },
        CallTo::Outside { number } => Consulted::Outside { number: dialable(face, &number)?, at_once: false },
        CallTo::Queue { .. } | CallTo::Subject { .. } => return Err(ApiError::bad_value("to")),
    };
    Ok(Event::ConsultationRequested { agent, contact, with, note })
}

/// A call of the agent's own accord: the number must be one the tenant dials, and the gate is asked before anything else.
pub(super) async fn call_out(
    app: &App,
    tenant: &TenantId,
    agent: AgentId,
    (phone, name): (&str, Option<String>),
    subject: Option<SubjectId>,
) -> Result<(), ApiError> {
    let tenant = Tenant::find(app, tenant.as_str()).await?;
    let number = dialled(&tenant.face, phone)?;
    gate::open(app, &tenant, &number, Proof::Nobody, false).await?;
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME) {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long").with("field", "name"));
    }
    let customer = Customer {
        name: name.unwrap_or_else(|| NAMELESS.to_owned()),
        number: number.e164().to_owned(),
        number_key: number.key(&app.installation_key),
        customer_id: None,
        verified: false,
        number_proven: false,
        language: tenant.config.language.as_str().into(),
        page: None,
        context: BTreeMap::new(),
    };
    let event = Event::OutboundRequested { agent, request: OutboundRequest { customer, subject } };
    match app.engine.submit(&tenant.id, event).await {
        Ok(Receipt::CallbackExists { .. }) => Err(ApiError::new(StatusCode::CONFLICT, "number_waits")),
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What came of calls of the agent's own that were being placed, and are on the desk no more.
pub(super) async fn over(app: &App, tenant: &TenantId, before: &AgentView, now: &AgentView) -> Vec<ServerMessage> {
    let placed = |contact: &&Contact| {
        contact.channel == Channel::Outbound && contact.attempts.iter().all(|attempt| attempt.bridged_at.is_none())
    };
    let gone = |contact: &&Contact| now.contacts.iter().all(|known| known.id != contact.id);
    let mut news = Vec::new();
    for contact in before.contacts.iter().filter(placed).filter(gone) {
        // Lost by one agent it may go on with another.
        if let Ok(Some(contact)) = app.store.contact(tenant, contact.id).await
            && matches!(contact.state, ContactState::Closed { .. })
        {
            news.push(ServerMessage::CallOver { contact: contact.id, why: contact.reason });
        }
    }
    news
}

pub(super) fn step(agent: AgentId, contact: ContactId, step: StepWord) -> Event {
    let step = match step {
        StepWord::Back => ConsultationStep::Back,
        StepWord::Join => ConsultationStep::Join,
        StepWord::Complete => ConsultationStep::Complete,
    };
    Event::ConsultationStepped { agent, contact, step }
}

/// Everybody else who is signed in, by name.
pub(super) async fn colleagues(app: &App, agent: &AgentId, tenant: &TenantId) -> Result<ServerMessage, ApiError> {
    let board = app.engine.board_view(tenant, 0).await?.ok_or_else(ApiError::not_found)?;
    let others = board.agents.into_iter().filter(|other| other.id != *agent && other.presence != Presence::Offline);
    let mut agents: Vec<_> =
        others.map(|other| Colleague { id: other.id, name: other.name, presence: other.presence }).collect();
    agents.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(ServerMessage::Colleagues { agents })
}

fn note_within(note: Option<String>) -> Result<Option<String>, ApiError> {
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    match note {
        Some(note) if note.chars().count() > MAX_NOTE => {
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long").with("field", "note"))
        }
        note => Ok(note),
    }
}

fn dialable(face: &Face, typed: &str) -> Result<String, ApiError> {
    Ok(dialled(face, typed)?.e164().to_owned())
}

/// The number in the form that is dialled. Of emergency numbers the agent is told what to do instead.
fn dialled(face: &Face, typed: &str) -> Result<Dialable, ApiError> {
    match Dialable::parse(typed, &face.phone_rules) {
        Ok(number) => Ok(number),
        Err(PhoneRefusal::Service) => {
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "emergency_number").with("field", "phone"))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
