//! What is written in chats: kept in batches, each message once, in one gapless order per contact.

use std::{collections::BTreeMap, str::FromStr};

use ringback_routing::{
    ids::{AgentId, ContactId, TenantId},
    time::Timestamp,
};

use crate::{
    MAX_PAGE, Store,
    error::StoreError,
    lease,
    sql::{Conn, Row, sql},
};

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChatSender {
    Customer,
    Agent(AgentId),
    /// From one agent to the next; no customer sees it.
    Note(AgentId),
}

impl std::fmt::Display for ChatSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Customer => f.write_str("customer"),
            Self::Agent(agent) => write!(f, "agent:{agent}"),
            Self::Note(agent) => write!(f, "note:{agent}"),
        }
    }
}

impl FromStr for ChatSender {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(':') {
            None if text == "customer" => Ok(Self::Customer),
            Some(("agent", agent)) => Ok(Self::Agent(AgentId::new(agent))),
            Some(("note", agent)) => Ok(Self::Note(AgentId::new(agent))),
            _ => Err(()),
        }
    }
}

/// One of the two sides of a chat, whichever agent sits on the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChatSide {
    Customer,
    Agent,
}

impl ChatSide {
    fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
        }
    }
}

/// A message as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// 1, 2, 3 … within the contact.
    pub seq: u64,
    pub sender: ChatSender,
    pub client_id: String,
    pub at: Timestamp,
    pub body: String,
}

/// A message to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    pub tenant: TenantId,
    pub contact: ContactId,
    pub sender: ChatSender,
    /// The same id of the same sender in the same contact is the same message.
    pub client_id: String,
    pub at: Timestamp,
    pub body: String,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub seq: u64,
    pub at: Timestamp,
    /// False: it was kept already, with this number and time.
    pub fresh: bool,
}

/// How far one side has come with what the other wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChatMarks {
    pub delivered: u64,
    pub seen: u64,
}

/// A side's marks to be kept; they only ever grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMark {
    pub tenant: TenantId,
    pub contact: ContactId,
    pub side: ChatSide,
    pub marks: ChatMarks,
}

impl Store {
    /// Keeps a batch of messages and marks in one transaction; `Ok` means it is on disk. The answers stand in the order
    /// of the messages. `epochs` is what [`Store::acquire_lease`] gave for each tenant of the batch.
    ///
    /// # Errors
    /// Whatever keeps the whole batch from the disk. A single message is refused only with [`StoreError::Fenced`], when
    /// another node owns its tenant.
    pub async fn keep_chat(
        &self,
        epochs: BTreeMap<TenantId, i64>,
        messages: Vec<NewMessage>,
        marks: Vec<ChatMark>,
    ) -> Result<Vec<Result<Kept, StoreError>>, StoreError> {
        self.write(move |conn| {
            Box::pin(async move {
                let mut owned = BTreeMap::new();
                for (tenant, epoch) in &epochs {
                    owned.insert(tenant.clone(), lease::fence(conn, tenant, *epoch).await);
                }
                let mut kept = Vec::with_capacity(messages.len());
                for message in &messages {
                    kept.push(match owned.get(&message.tenant) {
                        Some(Ok(())) => Ok(keep(conn, message).await?),
                        _ => Err(StoreError::Fenced),
                    });
                }
                for mark in marks.iter().filter(|mark| matches!(owned.get(&mark.tenant), Some(Ok(())))) {
                    keep_marks(conn, mark).await?;
                }
                Ok(kept)
            })
        })
        .await
    }

    /// The messages after `after`, in order, at most `limit` and at most [`MAX_PAGE`].
    pub async fn chat_messages(
        &self,
        tenant: &TenantId,
        contact: ContactId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChatMessage>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT seq, sender, client_id, at, body FROM chat_messages
             WHERE tenant = $1 AND contact = $2 AND seq > $3 ORDER BY seq LIMIT $4")
        .id(tenant)
        .id(contact)
        .int(i64::try_from(after).unwrap_or(i64::MAX))
        .int(i64::from(limit.min(MAX_PAGE)))
        .all(&mut reader)
        .await?;
        rows.iter().map(|row| message_of(row, contact)).collect()
    }

    /// The number of the contact's last message (0: none) and the marks of the customer's and the agent's side.
    pub async fn chat_standing(
        &self,
        tenant: &TenantId,
        contact: ContactId,
    ) -> Result<(u64, ChatMarks, ChatMarks), StoreError> {
        let mut reader = self.reader().await?;
        let last = sql("SELECT COALESCE(MAX(seq), 0) AS last FROM chat_messages WHERE tenant = $1 AND contact = $2")
            .id(tenant)
            .id(contact)
            .first(&mut reader)
            .await?
            .map_or(Ok(0), |row| row.int("last"))?;
        let rows = sql("SELECT side, delivered, seen FROM chat_marks WHERE tenant = $1 AND contact = $2")
            .id(tenant)
            .id(contact)
            .all(&mut reader)
            .await?;
        let (mut customer, mut agent) = (ChatMarks::default(), ChatMarks::default());
        for row in &rows {
            let marks =
                ChatMarks { delivered: row.int("delivered")?.unsigned_abs(), seen: row.int("seen")?.unsigned_abs() };
            match row.text("side")?.as_str() {
                "customer" => customer = marks,
                _ => agent = marks,
            }
        }
        Ok((last.unsigned_abs(), customer, agent))
    }
}

async fn keep(conn: &mut Conn, message: &NewMessage) -> Result<Kept, StoreError> {
    let sender = message.sender.to_string();
    let row = sql("INSERT INTO chat_messages (tenant, contact, seq, sender, client_id, at, body)
         SELECT $1, $2, COALESCE(MAX(seq), 0) + 1, $3, $4, CAST($5 AS BIGINT), $6
         FROM chat_messages WHERE tenant = $1 AND contact = $2
         ON CONFLICT (tenant, contact, sender, client_id) DO NOTHING RETURNING seq")
    .id(&message.tenant)
    .id(message.contact)
    .text(&sender)
    .text(&message.client_id)
    .int(message.at.as_millis())
    .text(&message.body)
    .first(&mut *conn)
    .await?;
    if let Some(row) = row {
        return Ok(Kept { seq: row.int("seq")?.unsigned_abs(), at: message.at, fresh: true });
    }
    let row = sql("SELECT seq, at FROM chat_messages
         WHERE tenant = $1 AND contact = $2 AND sender = $3 AND client_id = $4")
    .id(&message.tenant)
    .id(message.contact)
    .text(&sender)
    .text(&message.client_id)
    .first(&mut *conn)
    .await?
    .ok_or(StoreError::NotFound("message"))?;
    Ok(Kept { seq: row.int("seq")?.unsigned_abs(), at: Timestamp::from_millis(row.int("at")?), fresh: false })
}

async fn keep_marks(conn: &mut Conn, mark: &ChatMark) -> Result<(), StoreError> {
    sql("INSERT INTO chat_marks (tenant, contact, side, delivered, seen) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, contact, side) DO UPDATE SET
            delivered = CASE WHEN excluded.delivered > chat_marks.delivered THEN excluded.delivered ELSE chat_marks.delivered END,
            seen = CASE WHEN excluded.seen > chat_marks.seen THEN excluded.seen ELSE chat_marks.seen END")
    .id(&mark.tenant)
    .id(mark.contact)
    .text(mark.side.word())
    .int(i64::try_from(mark.marks.delivered).unwrap_or(i64::MAX))
    .int(i64::try_from(mark.marks.seen).unwrap_or(i64::MAX))
    .run(conn)
    .await?;
    Ok(())
}

fn message_of(row: &Row, contact: ContactId) -> Result<ChatMessage, StoreError> {
    Ok(ChatMessage {
        seq: row.int("seq")?.unsigned_abs(),
        sender: row.text("sender")?.parse().map_err(|()| StoreError::corrupt("message of contact", contact))?,
        client_id: row.text("client_id")?,
        at: Timestamp::from_millis(row.int("at")?),
        body: row.text("body")?,
    })
}
