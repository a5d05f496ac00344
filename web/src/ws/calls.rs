//! Passing a call on, and bringing somebody in: what a tab asks for, made into events.

use ringback_routing::{
    agent::Presence,
    event::{ConsultationStep, Consulted, Event, TransferTarget},
    ids::{AgentId, ContactId},
};

use super::message::{CallTo, Colleague, ServerMessage, StepWord};
use crate::{
    config::Face,
    http::{error::ApiError, login::MAX_NOTE},
    phone::{Dialable, PhoneRefusal},
    state::App,
};

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

pub(super) fn step(agent: AgentId, contact: ContactId, step: StepWord) -> Event {
    let step = match step {
        StepWord::Back => ConsultationStep::Back,
        StepWord::Join => ConsultationStep::Join,
        StepWord::Complete => ConsultationStep::Complete,
    };
    Event::ConsultationStepped { agent, contact, step }
}

/// Everybody else who is signed in, by name.
pub(super) async fn colleagues(
    app: &App,
    agent: &AgentId,
    tenant: &ringback_routing::ids::TenantId,
) -> Result<ServerMessage, ApiError> {
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
            Err(ApiError::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "too_long").with("field", "note"))
        }
        note => Ok(note),
    }
}

/// The number in the form that is dialled. Of emergency numbers the agent is told what to do instead.
fn dialable(face: &Face, typed: &str) -> Result<String, ApiError> {
    match Dialable::parse(typed, &face.phone_rules) {
        Ok(number) => Ok(number.e164().to_owned()),
        Err(PhoneRefusal::Service) => {
            Err(ApiError::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "emergency_number").with("field", "phone"))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
