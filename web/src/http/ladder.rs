//! The SIP messages of a contact's calls, for whoever looks for what went wrong with the carrier. Masked where they are kept.

use axum::{
    Json,
    extract::{Path, State},
};
use ringback_routing::{ids::ContactId, time::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{contacts, error::ApiError, guard::Caller};
use crate::state::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct LadderAnswer {
    /// One per attempt, the first one first.
    pub calls: Vec<SipCall>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SipCall {
    pub leg: String,
    pub trunk: String,
    #[schema(value_type = i64)]
    pub dialled_at: Timestamp,
    /// Empty when they are no longer kept: there is room for the latest calls only.
    pub messages: Vec<SipMessage>,
    /// Messages left out of the middle of a long call.
    pub left_out: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SipMessage {
    /// Since the call's first message.
    pub at_ms: u64,
    /// True: from here to the carrier.
    pub out: bool,
    /// Request or status line.
    pub line: String,
    /// Everything, without numbers, names and secrets.
    pub text: String,
}

pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
) -> Result<Json<LadderAnswer>, ApiError> {
    let id: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    let tenant = caller.tenant()?;
    let contact = contacts::standing(&app, tenant, id).await?;
    let mut calls = Vec::with_capacity(contact.attempts.len());
    for attempt in &contact.attempts {
        let ladder = app.engine.sip_ladder(attempt.leg).await;
        let messages = ladder.rungs.into_iter().map(|rung| SipMessage {
            at_ms: rung.at_ms,
            out: rung.out,
            line: rung.text.lines().next().unwrap_or_default().to_owned(),
            text: rung.text,
        });
        calls.push(SipCall {
            leg: attempt.leg.to_string(),
            trunk: attempt.trunk.to_string(),
            dialled_at: attempt.dialled_at,
            messages: messages.collect(),
            left_out: ladder.left_out,
        });
    }
    Ok(Json(LadderAnswer { calls }))
}
