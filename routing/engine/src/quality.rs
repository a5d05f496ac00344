//! How a leg sounded, kept with its contact once the leg has ended.
//!
//! A call's media ends with it and says its figures then. An agent's connection stays over many calls: its figures are
//! taken when the agent is attached to a contact and again when it is over, and the difference is the contact's.

use std::sync::Arc;

use ringback_media::{LegKey, LegStats};
use ringback_routing::{
    ids::{ContactId, LegId, TenantId},
    output::Party,
};
use ringback_store::{LegQuality, QualityFigures};

use crate::{
    legs::{Leg, LegKind},
    plant::Plant,
};

/// A leg out of the books whose figures are still to come.
#[derive(Debug, Clone)]
pub(crate) struct Departed {
    pub tenant: TenantId,
    pub contact: ContactId,
    pub party: Party,
}

impl Departed {
    pub fn of(leg: &Leg) -> Self {
        let party = match &leg.kind {
            LegKind::Customer { .. } => Party::Customer,
            LegKind::Outside { .. } => Party::Outside,
            LegKind::Agent { agent, .. } => Party::Agent { agent: agent.clone() },
        };
        Self { tenant: leg.tenant.clone(), contact: leg.contact, party }
    }
}

/// A media leg has closed: a call is over, or an agent's connection went in the middle of one.
pub(crate) fn media_ended(plant: &Arc<Plant>, key: LegKey, stats: LegStats) {
    let leg = LegId(key.0);
    let ended = {
        let mut book = plant.books.legs();
        match book.take_departed(leg) {
            Some(departed) => Some((leg, departed, stats)),
            None => book.agent_on(key).map(|(leg, agent, since)| (leg, Departed::of(agent), stats.since(&since))),
        }
    };
    if let Some((leg, departed, stats)) = ended {
        keep(plant.clone(), leg, departed, stats);
    }
}

/// An agent's part in a contact is over, the connection stays.
pub(crate) fn agent_left(plant: &Arc<Plant>, leg: LegId, gone: &Leg) {
    let LegKind::Agent { since, .. } = &gone.kind else { return };
    let (plant, departed, key, since) = (plant.clone(), Departed::of(gone), gone.media, *since);
    tokio::spawn(async move {
        // A connection that is gone has told its figures when it closed.
        if let Some(stats) = plant.media.leg_stats(key).await {
            keep(plant, leg, departed, stats.since(&since));
        }
    });
}

/// Beside everything else: nobody waits for it, and a ledger that cannot take it loses a figure, no call.
fn keep(plant: Arc<Plant>, leg: LegId, departed: Departed, stats: LegStats) {
    if stats.packets_in == 0 && stats.packets_out == 0 {
        // Busy, no answer: there was no sound.
        return;
    }
    let Departed { tenant, contact, party } = departed;
    let row = LegQuality { leg, contact, party, ended_at: plant.clock.now(), figures: figures(&stats) };
    tokio::spawn(async move {
        if let Err(error) = plant.store.save_leg_quality(&tenant, row).await {
            tracing::warn!(%leg, %error, "how a leg sounded is not kept");
        }
    });
}

fn figures(stats: &LegStats) -> QualityFigures {
    // Two decimals are more than an estimate holds.
    let rounded = |value: f32| (f64::from(value) * 100.0).round() / 100.0;
    QualityFigures {
        packets_in: stats.packets_in,
        packets_out: stats.packets_out,
        lost: stats.lost,
        jitter_ms: rounded(stats.jitter_ms),
        round_trip_ms: stats.round_trip_ms.map(rounded),
        mos: stats.mos.map(rounded),
        far_lost: u64::from(stats.remote_lost),
        far_jitter_ms: rounded(stats.remote_jitter_ms),
        far_mos: stats.remote_mos.map(rounded),
    }
}
