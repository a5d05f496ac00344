//! How the legs of a contact sounded, for whoever is told that a call was bad.

use axum::{
    Json,
    extract::{Path, State},
};
use ringback_routing::{ids::ContactId, output::Party, time::Timestamp};
use ringback_store::LegQuality;
use serde::Serialize;
use utoipa::ToSchema;

use super::{error::ApiError, guard::Caller};
use crate::state::App;

#[derive(Debug, Serialize, ToSchema)]
pub struct QualityAnswer {
    /// Legs that have ended and had sound, in the order they ended.
    pub legs: Vec<LegSound>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct LegSound {
    pub leg: String,
    /// customer, outside or agent
    pub party: &'static str,
    pub agent: Option<String>,
    #[schema(value_type = i64)]
    pub ended_at: Timestamp,
    /// RTP packets of the party that arrived here.
    pub packets_in: u64,
    /// RTP packets sent to the party.
    pub packets_out: u64,
    /// Packets of the party that never arrived.
    pub lost: u64,
    pub lost_percent: f64,
    /// Variation of their arrival (RFC 3550), milliseconds.
    pub jitter_ms: f64,
    /// To the party and back, milliseconds; null when its side sends no reports.
    pub round_trip_ms: Option<f64>,
    /// How the party sounds here: mean opinion score, 1.0 to 4.5, estimated from loss, jitter and delay (ITU-T G.107, reduced).
    pub mos: Option<f64>,
    /// Packets from here that the party says it misses.
    pub far_lost: u64,
    pub far_jitter_ms: f64,
    /// How we sound to the party, by its own reports.
    pub far_mos: Option<f64>,
}

pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<String>,
) -> Result<Json<QualityAnswer>, ApiError> {
    let id: ContactId = contact.parse().map_err(|_| ApiError::not_found())?;
    let tenant = caller.tenant()?;
    app.store.contact(tenant, id).await?.ok_or_else(ApiError::not_found)?;
    let legs = app.store.leg_quality(tenant, id).await?;
    Ok(Json(QualityAnswer { legs: legs.into_iter().map(sound).collect() }))
}

fn sound(row: LegQuality) -> LegSound {
    let (party, agent) = match row.party {
        Party::Customer => ("customer", None),
        Party::Outside => ("outside", None),
        Party::Agent { agent } => ("agent", Some(agent.to_string())),
    };
    let figures = row.figures;
    let all = (figures.packets_in + figures.lost).max(1) as f64;
    LegSound {
        leg: row.leg.to_string(),
        party,
        agent,
        ended_at: row.ended_at,
        packets_in: figures.packets_in,
        packets_out: figures.packets_out,
        lost: figures.lost,
        lost_percent: (figures.lost as f64 * 10_000.0 / all).round() / 100.0,
        jitter_ms: figures.jitter_ms,
        round_trip_ms: figures.round_trip_ms,
        mos: figures.mos,
        far_lost: figures.far_lost,
        far_jitter_ms: figures.far_jitter_ms,
        far_mos: figures.far_mos,
    }
}
