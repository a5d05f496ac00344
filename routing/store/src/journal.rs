//! What came into each core from outside, in order, so that any day can be played again through the same code.

use ringback_routing::{ids::TenantId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Store,
    error::StoreError,
    page_size,
    sql::{Conn, Row, sql},
};

/// One input of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    pub at: Timestamp,
    /// Counts up within an epoch.
    pub seq: u64,
    pub kind: JournalKind,
    /// JSON: what the core started from, or the event; empty for a timeout.
    pub body: String,
    /// Of the outputs this input led to; replay must arrive at the same.
    pub outputs_digest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalKind {
    Start,
    Event,
    Timeout,
}

/// An entry and where it stands: each restart of a core begins a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    pub epoch: i64,
    pub entry: JournalEntry,
}

impl Store {
    /// The tenant's whole journal in order, for replaying a test run; a long one is better read by [`Store::journal_page`].
    pub async fn journal(&self, tenant: &TenantId) -> Result<Vec<JournalEntry>, StoreError> {
        let mut reader = self.reader().await?;
        let rows =
            sql("SELECT epoch, seq, at, kind, body, outputs_digest FROM journal WHERE tenant = $1 ORDER BY epoch, seq")
                .id(tenant)
                .all(&mut reader)
                .await?;
        rows.iter().map(|row| Ok(row_of(row)?.entry)).collect()
    }

    /// Up to `limit` entries after (`epoch`, `seq`); begin with `(0, 0)`.
    pub async fn journal_page(
        &self,
        tenant: &TenantId,
        after: (i64, u64),
        limit: u32,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT epoch, seq, at, kind, body, outputs_digest FROM journal
             WHERE tenant = $1 AND (epoch, seq) > ($2, $3) ORDER BY epoch, seq LIMIT $4")
        .id(tenant)
        .int(after.0)
        .int(signed(after.1))
        .int(page_size(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(row_of).collect()
    }

    /// Removes up to `limit` of the tenant's entries older than `before` and says how many; call again while it is `limit`,
    /// so that no single write holds up the others for long.
    pub async fn purge_journal(&self, tenant: &TenantId, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| Box::pin(async move { purge(conn, &tenant, before, limit).await })).await
    }
}

/// Entries of one epoch stand in the order of their times; which epoch a time falls into is not asked of a clock that may have
/// been set meanwhile.
pub(crate) async fn purge(
    conn: &mut Conn,
    tenant: &TenantId,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let (mut gone, mut last) = (0, i64::MIN);
    while gone < u64::from(limit) {
        let next = sql("SELECT epoch FROM journal WHERE tenant = $1 AND epoch > $2 ORDER BY epoch LIMIT 1");
        let Some(row) = next.id(tenant).int(last).first(&mut *conn).await? else { break };
        last = row.int("epoch")?;
        // The oldest of the epoch, and of these the ones that are old enough: nothing else of it is looked at.
        gone += sql("DELETE FROM journal WHERE tenant = $1 AND epoch = $2 AND seq IN
                (SELECT seq FROM (SELECT seq, at FROM journal WHERE tenant = $1 AND epoch = $2 ORDER BY seq LIMIT $4) AS oldest
                 WHERE at < $3)")
        .id(tenant)
        .int(last)
        .int(before.as_millis())
        .int(i64::from(limit).saturating_sub_unsigned(gone))
        .run(&mut *conn)
        .await?;
    }
    Ok(gone)
}

pub(crate) async fn append(
    conn: &mut Conn,
    tenant: &TenantId,
    epoch: i64,
    entry: &JournalEntry,
) -> Result<(), StoreError> {
    let kind = match entry.kind {
        JournalKind::Start => "start",
        JournalKind::Event => "event",
        JournalKind::Timeout => "timeout",
    };
    sql("INSERT INTO journal (tenant, epoch, seq, at, kind, body, outputs_digest) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .id(tenant)
        .int(epoch)
        .int(signed(entry.seq))
        .int(entry.at.as_millis())
        .text(kind)
        .text(&entry.body)
        .text(&entry.outputs_digest)
        .run(conn)
        .await?;
    Ok(())
}

fn row_of(row: &Row) -> Result<JournalRow, StoreError> {
    let seq = row.int("seq")?;
    let kind = match row.text("kind")?.as_str() {
        "start" => JournalKind::Start,
        "event" => JournalKind::Event,
        "timeout" => JournalKind::Timeout,
        _ => return Err(StoreError::corrupt("journal entry", seq)),
    };
    Ok(JournalRow {
        epoch: row.int("epoch")?,
        entry: JournalEntry {
            at: Timestamp::from_millis(row.int("at")?),
            seq: seq.unsigned_abs(),
            kind,
            body: row.text("body")?,
            outputs_digest: row.text("outputs_digest")?,
        },
    })
}

/// Sequence numbers count up from zero or one and never come near the bound.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
