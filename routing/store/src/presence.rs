//! When an agent was what: intervals made of the recorded changes.

use ringback_routing::{
    agent::Presence,
    ids::{AgentId, ReasonCode, TenantId},
    time::Timestamp,
};

use crate::{Store, error::StoreError, sql::sql};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceInterval {
    pub presence: Presence,
    pub reason: Option<ReasonCode>,
    pub from: Timestamp,
    /// None: still so.
    pub to: Option<Timestamp>,
}

impl Store {
    /// The agent's intervals that touch `from..to`, oldest first, uncut.
    pub async fn presence(
        &self,
        tenant: &TenantId,
        agent: &AgentId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<PresenceInterval>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT at, presence, reason, until FROM (
                SELECT ordinal, at, presence, reason, LEAD(at) OVER (ORDER BY ordinal) AS until
                FROM presence_changes WHERE tenant = $1 AND agent = $2) AS intervals
             WHERE at < $4 AND (until IS NULL OR until > $3) ORDER BY ordinal")
        .id(tenant)
        .id(agent)
        .int(from.as_millis())
        .int(to.as_millis())
        .all(&mut reader)
        .await?;
        rows.iter()
            .map(|row| {
                let written = row.text("presence")?;
                Ok(PresenceInterval {
                    presence: read(&written).ok_or_else(|| StoreError::corrupt("presence of agent", agent))?,
                    reason: row.opt_text("reason")?.as_deref().map(ReasonCode::from),
                    from: Timestamp::from_millis(row.int("at")?),
                    to: row.opt_int("until")?.map(Timestamp::from_millis),
                })
            })
            .collect()
    }
}

pub(crate) fn word(presence: Presence) -> &'static str {
    match presence {
        Presence::Offline => "offline",
        Presence::NotReady => "not_ready",
        Presence::Unreachable => "unreachable",
        Presence::Ready => "ready",
        Presence::Offered => "offered",
        Presence::Busy => "busy",
        Presence::WrapUp => "wrap_up",
        Presence::Draining => "draining",
    }
}

fn read(written: &str) -> Option<Presence> {
    use Presence::*;
    [Offline, NotReady, Unreachable, Ready, Offered, Busy, WrapUp, Draining]
        .into_iter()
        .find(|presence| word(*presence) == written)
}
