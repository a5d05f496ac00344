//! Chats that were written in, found by date, agent, customer and queue.

use ringback_routing::{
    contact::Contact,
    ids::{QueueId, TenantId},
    time::Timestamp,
};

use crate::{
    ChatSender, Store,
    contact::{contact_of, like_anywhere, next_cursor, read_cursor},
    error::StoreError,
    page_size,
    recording::ends_with,
    search::RecordSearch,
    sql::sql,
};

#[derive(Debug, Clone)]
pub struct ChatPage {
    pub items: Vec<FoundChat>,
    pub next: Option<String>,
}

/// A contact in which somebody wrote, whatever channel it went on by.
#[derive(Debug, Clone)]
pub struct FoundChat {
    pub contact: Contact,
    pub messages: u64,
}

impl Store {
    /// A page of chats, the latest first.
    pub async fn search_chats(&self, tenant: &TenantId, search: &RecordSearch) -> Result<ChatPage, StoreError> {
        let (before_at, before_id) = read_cursor(search.cursor.as_deref())?;
        let limit = page_size(search.limit);
        let mut reader = self.reader().await?;
        let rows = sql("SELECT c.id, c.doc_version, c.doc, c.requested_at,
                (SELECT COUNT(*) FROM chat_messages m WHERE m.tenant = $1 AND m.contact = c.id) AS messages
             FROM contacts c
             WHERE c.tenant = $1 AND c.requested_at >= $2 AND c.requested_at < $3 AND (c.requested_at, c.id) < ($4, $5)
               AND EXISTS (SELECT 1 FROM chat_messages m WHERE m.tenant = $1 AND m.contact = c.id)
               AND c.customer_search LIKE $6 ESCAPE '!'
               AND ($7 = '' OR EXISTS (SELECT 1 FROM chat_messages m
                    WHERE m.tenant = $1 AND m.contact = c.id AND m.sender = $7))
               AND ($8 = '' OR c.queue = $8) AND ($9 = '' OR c.number_key = $9)
               AND ($10 = '' OR c.number_last4 LIKE $10 ESCAPE '!')
             ORDER BY c.requested_at DESC, c.id DESC LIMIT $11")
        .id(tenant)
        .int(search.from.map_or(i64::MIN, Timestamp::as_millis))
        .int(search.to.map_or(i64::MAX, Timestamp::as_millis))
        .int(before_at)
        .text(before_id)
        .text(like_anywhere(search.text.as_deref()))
        .text(search.agent.as_ref().map(|agent| ChatSender::Agent(agent.clone()).to_string()).unwrap_or_default())
        .text(search.queue.as_ref().map(QueueId::as_str).unwrap_or_default())
        .text(search.number_key.as_deref().unwrap_or_default())
        .text(search.last_digits.as_deref().map(ends_with).unwrap_or_default())
        .int(limit + 1)
        .all(&mut reader)
        .await?;
        let next = next_cursor(&rows, limit, "requested_at")?;
        let found = rows.iter().take(limit as usize);
        let items = found
            .map(|row| Ok(FoundChat { contact: contact_of(row)?, messages: row.int("messages")?.unsigned_abs() }))
            .collect::<Result<_, StoreError>>()?;
        Ok(ChatPage { items, next })
    }
}
