//! What the ledger knows of earlier waits and of numbers that may still be in a call, for a core that starts.

use ringback_routing::{
    contact::Channel,
    core::NumberGuard,
    ids::{QueueId, SubjectId, TenantId},
    output::Fact,
    time::{Millis, Timestamp},
    wait::PastWait,
};

use crate::{Store, error::StoreError, sql::sql};

/// Waits older than this say nothing of today's.
const REMEMBERED: Millis = Millis::from_secs(7 * 24 * 60 * 60);
/// At most so many facts are read: each estimate rests on the last 200 of its kind.
const MOST: i64 = 2_000;

impl Store {
    /// The latest waits and handling times before `now`, oldest first.
    pub async fn past_waits(&self, tenant: &TenantId, now: Timestamp) -> Result<Vec<PastWait>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT e.at AS at, e.fact AS fact, c.id AS id, c.queue AS queue, c.subject AS subject,
                c.channel AS channel
             FROM contact_events e JOIN contacts c ON c.tenant = e.tenant AND c.id = e.contact
             WHERE e.tenant = $1 AND e.at >= $2 AND e.kind IN ('served', 'handled')
             ORDER BY e.at DESC, e.contact DESC, e.ordinal DESC LIMIT $3")
        .id(tenant)
        .int((now - REMEMBERED).as_millis())
        .int(MOST)
        .all(&mut reader)
        .await?;
        let mut past = Vec::with_capacity(rows.len());
        for row in rows.iter().rev() {
            let corrupt = || StoreError::corrupt("fact of contact", row.text("id").unwrap_or_default());
            let fact: Fact = serde_json::from_str(&row.text("fact")?).map_err(|_| corrupt())?;
            past.push(PastWait {
                at: Timestamp::from_millis(row.int("at")?),
                queue: QueueId::new(row.text("queue")?),
                subject: SubjectId::new(row.text("subject")?),
                channel: channel(&row.text("channel")?).ok_or_else(corrupt)?,
                seen: fact.seen().ok_or_else(corrupt)?,
            });
        }
        Ok(past)
    }
}

/// No guard lasts longer than this.
const LONGEST_GUARD: Millis = Millis::from_secs(24 * 60 * 60);

impl Store {
    /// Numbers whose last call may still live at `now` although its contact is closed, by key.
    pub async fn number_guards(&self, tenant: &TenantId, now: Timestamp) -> Result<Vec<NumberGuard>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT e.fact AS fact, c.id AS id, c.number_key AS number_key
             FROM contact_events e JOIN contacts c ON c.tenant = e.tenant AND c.id = e.contact
             WHERE e.tenant = $1 AND e.at >= $2 AND e.kind = 'number_guarded' ORDER BY c.number_key, e.at")
        .id(tenant)
        .int((now - LONGEST_GUARD).as_millis())
        .all(&mut reader)
        .await?;
        let mut guards = Vec::with_capacity(rows.len());
        for row in &rows {
            let corrupt = || StoreError::corrupt("fact of contact", row.text("id").unwrap_or_default());
            match serde_json::from_str(&row.text("fact")?).map_err(|_| corrupt())? {
                Fact::NumberGuarded { until } if until > now => {
                    guards.push(NumberGuard { number_key: row.text("number_key")?, until });
                }
                _ => {}
            }
        }
        Ok(guards)
    }
}

fn channel(word: &str) -> Option<Channel> {
    [Channel::Callback, Channel::Call, Channel::Outbound, Channel::Chat]
        .into_iter()
        .find(|known| crate::turn::channel_word(*known) == word)
}
