//! Recordings: one row per recorded leg, found by the contact they belong to.

use std::collections::HashMap;

use ringback_routing::{
    contact::Contact,
    ids::{AgentId, ContactId, LegId, QueueId, RecordingId, TenantId},
    output::Party,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use crate::{
    Store,
    contact::{contact_of, like_anywhere, next_cursor, read_cursor},
    error::StoreError,
    page_size,
    search::RecordSearch,
    sql::{Conn, Reader, Row, sql},
};

#[derive(Debug, Clone, PartialEq)]
pub struct RecordingRow {
    pub id: RecordingId,
    pub contact: ContactId,
    pub leg: LegId,
    pub party: Party,
    /// Whose conversation it belongs to: the agent recorded, or the one the customer was to be bridged to.
    pub agent: Option<AgentId>,
    pub queue: QueueId,
    /// Of the number that was in the call; a later change of the contact's number leaves it.
    pub number_key: String,
    pub number_last4: String,
    /// Below the shelf's root.
    pub path: String,
    /// Where the file lies.
    pub node: String,
    pub state: RecordingState,
    pub started_at: Timestamp,
    /// From the contact's start.
    pub offset_ms: i64,
    pub duration_ms: i64,
    pub bytes: i64,
    pub lost_frames: i64,
    /// Chained hash over the sound; empty while recording.
    pub chain: String,
    /// JSON as the recorder gave it.
    pub marks: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    Recording,
    Finished,
    /// Put right after a crash: playable, ends early.
    Repaired,
    Failed,
}

impl RecordingState {
    fn word(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Finished => "finished",
            Self::Repaired => "repaired",
            Self::Failed => "failed",
        }
    }
}

/// A recording that has begun: what its contact does not tell.
#[derive(Debug, Clone, PartialEq)]
pub struct BegunRecording {
    pub id: RecordingId,
    pub contact: ContactId,
    pub leg: LegId,
    pub party: Party,
    /// Below the shelf's root.
    pub path: String,
    /// Where the file lies.
    pub node: String,
    pub started_at: Timestamp,
    /// From the contact's start.
    pub offset_ms: i64,
}

/// How a recording ended, by the recorder's word.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordingEnd {
    pub state: RecordingState,
    pub duration_ms: i64,
    pub bytes: i64,
    pub lost_frames: i64,
    pub chain: String,
    pub marks: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordingPage {
    pub items: Vec<RecordedContact>,
    pub next: Option<String>,
}

/// A contact and its recorded legs, in the order they began.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedContact {
    pub contact: Contact,
    pub started_at: Timestamp,
    pub recordings: Vec<RecordingRow>,
}

impl Store {
    /// Keeps the row as it is now: first when recording begins, again when it is finished or repaired.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when that tenant has no such contact.
    pub async fn save_recording(&self, tenant: &TenantId, row: &RecordingRow) -> Result<(), StoreError> {
        let (tenant, row) = (tenant.clone(), row.clone());
        self.write(move |conn| Box::pin(async move { save(conn, &tenant, &row).await })).await
    }

    /// Keeps the row of a recording that has begun; queue, number and, of a leg that is no agent's, the agent are its
    /// contact's at this moment. The sound does not wait for it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when that tenant has no such contact.
    pub async fn begin_recording(&self, tenant: &TenantId, begun: BegunRecording) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        let kept = self.write_soon(move |conn| {
            let (tenant, begun) = (tenant.clone(), begun.clone());
            Box::pin(async move {
                let contact = sql("SELECT id, doc_version, doc FROM contacts WHERE tenant = $1 AND id = $2")
                    .id(&tenant)
                    .id(begun.contact)
                    .first(&mut *conn)
                    .await?;
                let contact = contact_of(&contact.ok_or(StoreError::NotFound("contact"))?)?;
                save(conn, &tenant, &begun.row(&contact)).await
            })
        });
        kept.await
    }

    /// Keeps how a recording ended.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when its beginning has not been kept.
    pub async fn finish_recording(
        &self,
        tenant: &TenantId,
        id: RecordingId,
        end: RecordingEnd,
    ) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        let kept = self.write_soon(move |conn| {
            let (tenant, end) = (tenant.clone(), end.clone());
            Box::pin(async move {
                let known = sql("UPDATE recordings SET
                        state = $3, duration_ms = $4, bytes = $5, lost_frames = $6, chain = $7, marks = $8
                     WHERE tenant = $1 AND id = $2")
                .id(&tenant)
                .id(id)
                .text(end.state.word())
                .int(end.duration_ms)
                .int(end.bytes)
                .int(end.lost_frames)
                .text(&end.chain)
                .id(&end.marks)
                .run(conn)
                .await?;
                if known == 0 { Err(StoreError::NotFound("recording")) } else { Ok(()) }
            })
        });
        kept.await
    }

    pub async fn recording(&self, tenant: &TenantId, id: RecordingId) -> Result<Option<RecordingRow>, StoreError> {
        let mut reader = self.reader().await?;
        let row =
            sql("SELECT * FROM recordings WHERE tenant = $1 AND id = $2").id(tenant).id(id).first(&mut reader).await?;
        row.as_ref().map(row_of).transpose()
    }

    /// The contact's recorded legs, in the order they began.
    pub async fn recordings_of(&self, tenant: &TenantId, contact: ContactId) -> Result<Vec<RecordingRow>, StoreError> {
        let mut reader = self.reader().await?;
        Ok(legs_of(&mut reader, tenant, &[contact]).await?.remove(&contact).unwrap_or_default())
    }

    /// What was being recorded on `node` and never finished: after a crash, the rows to repair.
    pub async fn unfinished_recordings(&self, tenant: &TenantId, node: &str) -> Result<Vec<RecordingRow>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT * FROM recordings WHERE tenant = $1 AND node = $2 AND state = 'recording' ORDER BY id")
            .id(tenant)
            .text(node)
            .all(&mut reader)
            .await?;
        rows.iter().map(row_of).collect()
    }

    /// A page of recorded contacts, the latest first.
    pub async fn search_recordings(
        &self,
        tenant: &TenantId,
        search: &RecordSearch,
    ) -> Result<RecordingPage, StoreError> {
        let (before_at, before_id) = read_cursor(search.cursor.as_deref())?;
        let limit = page_size(search.limit);
        let mut reader = self.reader().await?;
        let rows = sql("SELECT c.id, c.doc_version, c.doc, c.recorded_at FROM contacts c
             WHERE c.tenant = $1 AND c.recorded_at >= $2 AND c.recorded_at < $3 AND (c.recorded_at, c.id) < ($4, $5)
               AND c.customer_search LIKE $6 ESCAPE '!'
               AND ($7 IS NULL OR c.id IN (SELECT contact FROM recordings WHERE tenant = $1 AND agent = $7))
               AND ($8 IS NULL OR c.id IN (SELECT contact FROM recordings WHERE tenant = $1 AND queue = $8))
               AND ($9 IS NULL OR c.id IN (SELECT contact FROM recordings WHERE tenant = $1 AND number_key = $9))
               AND ($10 IS NULL OR c.id IN (SELECT contact FROM recordings WHERE tenant = $1 AND number_last4 LIKE $10 ESCAPE '!'))
             ORDER BY c.recorded_at DESC, c.id DESC LIMIT $11")
        .id(tenant)
        .int(search.from.map_or(i64::MIN, Timestamp::as_millis))
        .int(search.to.map_or(i64::MAX, Timestamp::as_millis))
        .int(before_at)
        .text(before_id)
        .text(like_anywhere(search.text.as_deref()))
        .opt_text(search.agent.as_ref().map(AgentId::as_str))
        .opt_text(search.queue.as_ref().map(QueueId::as_str))
        .opt_text(search.number_key.as_deref())
        .opt_text(search.last_digits.as_deref().map(ends_with))
        .int(limit + 1)
        .all(&mut reader)
        .await?;
        let next = next_cursor(&rows, limit, "recorded_at")?;
        let found = rows
            .iter()
            .take(limit as usize)
            .map(|row| Ok((contact_of(row)?, Timestamp::from_millis(row.int("recorded_at")?))))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let ids: Vec<ContactId> = found.iter().map(|(contact, _)| contact.id).collect();
        let mut legs = legs_of(&mut reader, tenant, &ids).await?;
        let items = found
            .into_iter()
            .map(|(contact, started_at)| {
                let recordings = legs.remove(&contact.id).unwrap_or_default();
                RecordedContact { contact, started_at, recordings }
            })
            .collect();
        Ok(RecordingPage { items, next })
    }
}

fn insert(tenant: &TenantId, row: &RecordingRow) -> Result<crate::sql::Statement, StoreError> {
    let party = serde_json::to_string(&row.party).map_err(|_| StoreError::corrupt("recording", row.id))?;
    Ok(sql(
        "INSERT INTO recordings (tenant, id, contact, leg, party, agent, queue, number_key, number_last4, path, node,
            state, started_at, offset_ms, duration_ms, bytes, lost_frames, chain, marks)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         ON CONFLICT (tenant, id) DO UPDATE SET
            agent = excluded.agent, path = excluded.path, state = excluded.state, offset_ms = excluded.offset_ms,
            duration_ms = excluded.duration_ms, bytes = excluded.bytes, lost_frames = excluded.lost_frames,
            chain = excluded.chain, marks = excluded.marks",
    )
    .id(tenant)
    .id(row.id)
    .id(row.contact)
    .id(row.leg)
    .text(party)
    .opt_text(row.agent.as_ref().map(AgentId::as_str))
    .id(&row.queue)
    .text(&row.number_key)
    .text(&row.number_last4)
    .text(&row.path)
    .text(&row.node)
    .text(row.state.word())
    .int(row.started_at.as_millis())
    .int(row.offset_ms)
    .int(row.duration_ms)
    .int(row.bytes)
    .int(row.lost_frames)
    .text(&row.chain)
    .id(&row.marks))
}

async fn save(conn: &mut Conn, tenant: &TenantId, row: &RecordingRow) -> Result<(), StoreError> {
    let known = sql("SELECT recorded_at FROM contacts WHERE tenant = $1 AND id = $2").id(tenant).id(row.contact);
    let known = known.first(&mut *conn).await?.ok_or(StoreError::NotFound("contact"))?;
    let began = row.started_at.as_millis();
    if known.opt_int("recorded_at")?.is_none_or(|first| first > began) {
        let earlier =
            sql("UPDATE contacts SET recorded_at = $3 WHERE tenant = $1 AND id = $2").id(tenant).id(row.contact);
        earlier.int(began).run(&mut *conn).await?;
    }
    insert(tenant, row)?.run(conn).await?;
    Ok(())
}

impl BegunRecording {
    fn row(self, contact: &Contact) -> RecordingRow {
        let agent = match &self.party {
            Party::Agent { agent } => Some(agent.clone()),
            Party::Customer | Party::Outside => contact.segments.last().map(|segment| segment.agent.clone()),
        };
        let digits = contact.customer.number.as_str();
        RecordingRow {
            id: self.id,
            contact: self.contact,
            leg: self.leg,
            party: self.party,
            agent,
            queue: contact.queue.clone(),
            number_last4: digits.get(digits.len().saturating_sub(4)..).unwrap_or_default().to_owned(),
            number_key: contact.customer.number_key.clone(),
            path: self.path,
            node: self.node,
            state: RecordingState::Recording,
            started_at: self.started_at,
            offset_ms: self.offset_ms,
            duration_ms: 0,
            bytes: 0,
            lost_frames: 0,
            chain: String::new(),
            marks: serde_json::Value::Array(Vec::new()),
        }
    }
}

/// The recordings of several contacts in one query.
async fn legs_of(
    reader: &mut Reader,
    tenant: &TenantId,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Vec<RecordingRow>>, StoreError> {
    let mut legs: HashMap<ContactId, Vec<RecordingRow>> = HashMap::new();
    if contacts.is_empty() {
        return Ok(legs);
    }
    let places: Vec<String> = (0..contacts.len()).map(|place| format!("${}", place + 2)).collect();
    // Only parameter numbers are put into the text.
    let text = format!(
        "SELECT * FROM recordings WHERE tenant = $1 AND contact IN ({}) ORDER BY started_at, id",
        places.join(", ")
    );
    let statement =
        contacts.iter().fold(sql(AssertSqlSafe(text)).id(tenant), |statement, contact| statement.id(contact));
    for row in statement.once().all(reader).await? {
        let row = row_of(&row)?;
        legs.entry(row.contact).or_default().push(row);
    }
    Ok(legs)
}

fn row_of(row: &Row) -> Result<RecordingRow, StoreError> {
    let id: RecordingId = row.id("id", "recording")?;
    let corrupt = || StoreError::corrupt("recording", id);
    let state = row.text("state")?;
    Ok(RecordingRow {
        id,
        contact: row.id("contact", "contact")?,
        leg: row.id("leg", "leg")?,
        party: serde_json::from_str(&row.text("party")?).map_err(|_| corrupt())?,
        agent: row.opt_text("agent")?.map(AgentId::new),
        queue: QueueId::new(row.text("queue")?),
        number_key: row.text("number_key")?,
        number_last4: row.text("number_last4")?,
        path: row.text("path")?,
        node: row.text("node")?,
        state: [RecordingState::Recording, RecordingState::Finished, RecordingState::Repaired, RecordingState::Failed]
            .into_iter()
            .find(|known| known.word() == state)
            .ok_or_else(corrupt)?,
        started_at: Timestamp::from_millis(row.int("started_at")?),
        offset_ms: row.int("offset_ms")?,
        duration_ms: row.int("duration_ms")?,
        bytes: row.int("bytes")?,
        lost_frames: row.int("lost_frames")?,
        chain: row.text("chain")?,
        marks: serde_json::from_str(&row.text("marks")?).map_err(|_| corrupt())?,
    })
}

/// A pattern for numbers that end with these digits; of more than four, the last four.
pub(crate) fn ends_with(digits: &str) -> String {
    format!("%{}", crate::turn::last_digits(digits))
}
