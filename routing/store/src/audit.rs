//! Who did and looked at what: append-only, each row's hash covering the one before it, so that a row changed, taken out
//! or put in afterwards shows.
//!
//! The hash covers the digest of the detail and not its text, so that a detail which must be erased one day leaves the
//! chain whole.

use ringback_routing::{ids::TenantId, time::Timestamp};

use crate::{
    Store, digest,
    error::StoreError,
    page_size,
    settings::scope_of,
    sql::{Conn, Row, sql},
};

/// One deed to keep. `target` and `detail` name ids, never what people said or dialled.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// The user, or "system".
    pub who: String,
    /// A word such as "recording_played".
    pub what: String,
    /// The id it was done to.
    pub target: String,
    pub detail: serde_json::Value,
}

impl AuditEntry {
    /// A deed that needs no more words.
    pub fn of(who: &str, what: &str, target: impl std::fmt::Display, at: Timestamp) -> Self {
        let (who, what, target) = (who.to_owned(), what.to_owned(), target.to_string());
        Self { at, who, what, target, detail: serde_json::json!({}) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// 1, 2, 3 … within the tenant.
    pub seq: u64,
    pub entry: AuditEntry,
    pub hash: String,
}

/// What to look for in a chain; empty texts match everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditSearch {
    pub who: String,
    pub what: String,
    pub target: String,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// The `seq` of the last row of the page before.
    pub before: Option<u64>,
}

/// One chain and what checking it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedChain {
    /// The tenant; None: the operators' own.
    pub tenant: Option<TenantId>,
    pub verdict: AuditVerdict,
    /// Hash of the last row: compared with one noted earlier it shows a chain that was written anew from its beginning.
    pub head: String,
}

/// What checking the chain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every row is as it was written.
    Whole { rows: u64 },
    /// The first row that is missing or not as it was written.
    Broken { seq: u64 },
}

/// Rows read at a time while the chain is checked.
const VERIFY_STEP: i64 = 1000;

impl Store {
    /// Appends to the tenant's chain (None: the operators' own) and returns the row's number.
    pub async fn audit(&self, tenant: Option<&TenantId>, entry: AuditEntry) -> Result<u64, StoreError> {
        let chain = scope_of(tenant);
        self.write(move |conn| Box::pin(async move { append(conn, &chain, &entry).await })).await
    }

    /// The rows that match, newest first.
    pub async fn audit_rows(
        &self,
        tenant: Option<&TenantId>,
        search: &AuditSearch,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let before = search.before.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
        let mut reader = self.reader().await?;
        let rows = sql("SELECT seq, at, who, what, target, detail, hash FROM audit
             WHERE chain = $1 AND seq < $2 AND at >= $3 AND at < $4
               AND ($5 = '' OR who = $5) AND ($6 = '' OR what = $6) AND ($7 = '' OR target = $7)
             ORDER BY seq DESC LIMIT $8")
        .text(scope_of(tenant))
        .int(before)
        .int(search.from.map_or(i64::MIN, Timestamp::as_millis))
        .int(search.to.map_or(i64::MAX, Timestamp::as_millis))
        .text(&search.who)
        .text(&search.what)
        .text(&search.target)
        .int(page_size(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(row_of).collect()
    }

    /// Checks every chain there is, by name.
    pub async fn verify_audits(&self) -> Result<Vec<CheckedChain>, StoreError> {
        let mut reader = self.reader().await?;
        let rows =
            sql("SELECT chain FROM audit_heads UNION SELECT chain FROM audit ORDER BY chain").all(&mut reader).await?;
        drop(reader);
        let mut checked = Vec::with_capacity(rows.len());
        for row in rows {
            let chain = row.text("chain")?;
            let tenant = chain.strip_prefix("tenant:").map(TenantId::new);
            let verdict = self.verify_audit(tenant.as_ref()).await?;
            checked.push(CheckedChain { head: self.audit_head(&chain).await?, tenant, verdict });
        }
        Ok(checked)
    }

    async fn audit_head(&self, chain: &str) -> Result<String, StoreError> {
        let mut reader = self.reader().await?;
        let head = sql("SELECT hash FROM audit_heads WHERE chain = $1").text(chain).first(&mut reader).await?;
        head.map_or(Ok(String::new()), |head| head.text("hash"))
    }

    /// Computes the whole chain anew and compares it with what is kept, to the head.
    pub async fn verify_audit(&self, tenant: Option<&TenantId>) -> Result<AuditVerdict, StoreError> {
        let chain = scope_of(tenant);
        let mut reader = self.reader().await?;
        // The head first: rows appended while this runs are beyond it and are left for the next check.
        let head = sql("SELECT seq, hash FROM audit_heads WHERE chain = $1").text(&chain).first(&mut reader).await?;
        let (last, last_hash) = match head {
            Some(head) => (head.int("seq")?, head.text("hash")?),
            None => (0, String::new()),
        };
        let (mut seq, mut hash) = (0, String::new());
        while seq < last {
            let rows = sql("SELECT seq, at, who, what, target, detail, detail_digest, hash FROM audit
                 WHERE chain = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4")
            .text(&chain)
            .int(seq)
            .int(last)
            .int(VERIFY_STEP)
            .all(&mut reader)
            .await?;
            if rows.is_empty() {
                return Ok(broken(seq + 1));
            }
            for row in &rows {
                let kept = row_of(row)?;
                let detail_digest = row.text("detail_digest")?;
                seq += 1;
                hash = link(&hash, &chain, seq, &kept.entry, &detail_digest);
                let whole = kept.seq == seq.unsigned_abs()
                    && kept.hash == hash
                    && digest::hex_of(&[row.text("detail")?.as_bytes()]) == detail_digest;
                if !whole {
                    return Ok(broken(seq));
                }
            }
        }
        let beyond = sql("SELECT seq FROM audit WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT 1")
            .text(&chain)
            .int(last)
            .first(&mut reader)
            .await?;
        match beyond {
            // Without a head, or with one set back, rows that are there prove it.
            Some(_) if !self.head_moved(&chain, last).await? => Ok(broken(last + 1)),
            _ if hash != last_hash => Ok(broken(last)),
            _ => Ok(AuditVerdict::Whole { rows: last.unsigned_abs() }),
        }
    }

    async fn head_moved(&self, chain: &str, from: i64) -> Result<bool, StoreError> {
        let mut reader = self.reader().await?;
        let head = sql("SELECT seq FROM audit_heads WHERE chain = $1").text(chain).first(&mut reader).await?;
        Ok(match head {
            Some(head) => head.int("seq")? > from,
            None => false,
        })
    }
}

/// Appends to a chain within a write, so that a deed and its row are kept together or not at all.
pub(crate) async fn append(conn: &mut Conn, chain: &str, entry: &AuditEntry) -> Result<u64, StoreError> {
    // The head's row is locked until the commit: two nodes cannot both append the same number.
    sql("INSERT INTO audit_heads (chain, seq, hash) VALUES ($1, 0, '') ON CONFLICT (chain) DO NOTHING")
        .text(chain)
        .run(&mut *conn)
        .await?;
    let head = sql("UPDATE audit_heads SET seq = seq + 1 WHERE chain = $1 RETURNING seq, hash")
        .text(chain)
        .first(&mut *conn)
        .await?
        .ok_or(StoreError::NotFound("audit head"))?;
    let seq = head.int("seq")?;
    let detail = entry.detail.to_string();
    let detail_digest = digest::hex_of(&[detail.as_bytes()]);
    let hash = link(&head.text("hash")?, chain, seq, entry, &detail_digest);
    sql("INSERT INTO audit (chain, seq, at, who, what, target, detail, detail_digest, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .text(chain)
    .int(seq)
    .int(entry.at.as_millis())
    .text(&entry.who)
    .text(&entry.what)
    .text(&entry.target)
    .text(&detail)
    .text(&detail_digest)
    .text(&hash)
    .run(&mut *conn)
    .await?;
    sql("UPDATE audit_heads SET hash = $2 WHERE chain = $1").text(chain).text(&hash).run(&mut *conn).await?;
    Ok(seq.unsigned_abs())
}

fn broken(seq: i64) -> AuditVerdict {
    AuditVerdict::Broken { seq: seq.unsigned_abs() }
}

fn link(previous: &str, chain: &str, seq: i64, entry: &AuditEntry, detail_digest: &str) -> String {
    digest::hex_of(&[
        previous.as_bytes(),
        chain.as_bytes(),
        &seq.to_be_bytes(),
        &entry.at.as_millis().to_be_bytes(),
        entry.who.as_bytes(),
        entry.what.as_bytes(),
        entry.target.as_bytes(),
        detail_digest.as_bytes(),
    ])
}

fn row_of(row: &Row) -> Result<AuditRow, StoreError> {
    let seq = row.int("seq")?;
    Ok(AuditRow {
        seq: seq.unsigned_abs(),
        entry: AuditEntry {
            at: Timestamp::from_millis(row.int("at")?),
            who: row.text("who")?,
            what: row.text("what")?,
            target: row.text("target")?,
            detail: serde_json::from_str(&row.text("detail")?).unwrap_or(serde_json::Value::Null),
        },
        hash: row.text("hash")?,
    })
}
