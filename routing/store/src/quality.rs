//! How each leg of a contact sounded: loss, jitter and an estimate of what was heard, kept when the leg ends.

use ringback_routing::{
    ids::{ContactId, LegId, TenantId},
    output::Party,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Store, error::StoreError, sql::sql, turn::DOC_VERSION};

/// One leg that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LegQuality {
    pub leg: LegId,
    pub contact: ContactId,
    pub party: Party,
    pub ended_at: Timestamp,
    pub figures: QualityFigures,
}

/// What RTP and RTCP told of the leg. "Far" is the party's own word about what it received of us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityFigures {
    /// RTP packets of the party that arrived.
    pub packets_in: u64,
    /// RTP packets sent to the party.
    pub packets_out: u64,
    /// Packets of the party that never arrived.
    pub lost: u64,
    /// RFC 3550 §6.4.1, milliseconds.
    pub jitter_ms: f64,
    /// To the party and back, milliseconds; none without RTCP.
    #[serde(default)]
    pub round_trip_ms: Option<f64>,
    /// How the party sounds to us, 1.0 to 4.5; none when nothing arrived.
    #[serde(default)]
    pub mos: Option<f64>,
    /// Packets of ours that the party misses.
    #[serde(default)]
    pub far_lost: u64,
    #[serde(default)]
    pub far_jitter_ms: f64,
    /// How we sound to the party; none without its reports.
    #[serde(default)]
    pub far_mos: Option<f64>,
}

impl Store {
    /// Keeps how a leg sounded; said again, the last word holds.
    pub async fn save_leg_quality(&self, tenant: &TenantId, row: LegQuality) -> Result<(), StoreError> {
        let corrupt = |_| StoreError::corrupt("quality of leg", row.leg);
        let party = serde_json::to_string(&row.party).map_err(corrupt)?;
        let doc = serde_json::to_string(&row.figures).map_err(corrupt)?;
        let statement = sql("INSERT INTO leg_quality (tenant, leg, contact, party, ended_at, doc_version, doc)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)
                     ON CONFLICT (tenant, leg) DO UPDATE SET ended_at = excluded.ended_at, doc = excluded.doc")
        .id(tenant)
        .id(row.leg)
        .id(row.contact)
        .text(party)
        .int(row.ended_at.as_millis())
        .int(DOC_VERSION)
        .text(doc);
        self.run_soon(statement).await
    }

    /// The contact's legs that have ended, in the order they did.
    pub async fn leg_quality(&self, tenant: &TenantId, contact: ContactId) -> Result<Vec<LegQuality>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT leg, party, ended_at, doc FROM leg_quality
             WHERE tenant = $1 AND contact = $2 ORDER BY ended_at, leg")
        .id(tenant)
        .id(contact)
        .all(&mut reader)
        .await?;
        rows.iter()
            .map(|row| {
                let leg: LegId = row.id("leg", "quality of leg")?;
                let corrupt = |_| StoreError::corrupt("quality of leg", leg);
                Ok(LegQuality {
                    leg,
                    contact,
                    party: serde_json::from_str(&row.text("party")?).map_err(corrupt)?,
                    ended_at: Timestamp::from_millis(row.int("ended_at")?),
                    figures: serde_json::from_str(&row.text("doc")?).map_err(corrupt)?,
                })
            })
            .collect()
    }
}
