//! Contacts as they are asked for: one, by its status link, with its facts, or a page of many.

use ringback_routing::{
    contact::{Contact, Outcome},
    ids::{AgentId, ContactId, DispositionId, QueueId, TenantId},
    output::Fact,
    time::Timestamp,
};

use crate::{
    Store,
    error::StoreError,
    page_size,
    sql::{Row, sql},
    turn::{DOC_VERSION, json, outcome_word},
};

/// One thing that happened to a contact.
#[derive(Debug, Clone, PartialEq)]
pub struct FactRow {
    /// 1, 2, 3 … within the contact.
    pub ordinal: u64,
    pub at: Timestamp,
    pub fact: Fact,
}

/// How many contacts of a customer are looked through for the agent who knows them.
const CONTACTS_LOOKED_BACK: u32 = 10;

/// What to look for; an empty search is all of the tenant's contacts, newest first.
#[derive(Debug, Clone, Default)]
pub struct ContactSearch {
    /// Requested at or after.
    pub from: Option<Timestamp>,
    /// Requested before.
    pub to: Option<Timestamp>,
    pub queue: Option<QueueId>,
    pub outcome: Option<Outcome>,
    pub number_key: Option<String>,
    /// Part of the customer's name, in any case.
    pub text: Option<String>,
    /// From [`ContactPage::next`].
    pub cursor: Option<String>,
    pub limit: u32,
}

#[derive(Debug, Clone)]
pub struct ContactPage {
    pub items: Vec<Contact>,
    pub next: Option<String>,
}

impl Store {
    pub async fn contact(&self, tenant: &TenantId, id: ContactId) -> Result<Option<Contact>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT id, doc_version, doc FROM contacts WHERE tenant = $1 AND id = $2")
            .id(tenant)
            .id(id)
            .first(&mut reader)
            .await?;
        row.as_ref().map(contact_of).transpose()
    }

    /// Whether any contact was ever told to have come to this. Reads through the tenant's contacts: for the rare moment at
    /// which somebody wants to take a code away.
    pub async fn is_disposition_used(&self, tenant: &TenantId, code: &DispositionId) -> Result<bool, StoreError> {
        let written = json("disposition", code, code)?;
        let mut reader = self.reader().await?;
        let found = sql("SELECT id FROM contacts WHERE tenant = $1 AND doc LIKE $2 ESCAPE '!' LIMIT 1")
            .id(tenant)
            .text(format!("%\"dispositions\":[%{}%", literal(&written)))
            .first(&mut reader)
            .await?;
        Ok(found.is_some())
    }

    /// The status page's link is all its customer has: it alone names tenant and contact.
    pub async fn contact_by_status_token(&self, digest: &str) -> Result<Option<(TenantId, ContactId)>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT tenant, id FROM contacts WHERE status_token_digest = $1")
            .text(digest)
            .first(&mut reader)
            .await?;
        row.map(|row| Ok((TenantId::new(row.text("tenant")?), row.id("id", "contact")?))).transpose()
    }

    /// All that happened to the contact, in order.
    pub async fn contact_facts(&self, tenant: &TenantId, id: ContactId) -> Result<Vec<FactRow>, StoreError> {
        let mut reader = self.reader().await?;
        let rows =
            sql("SELECT ordinal, at, fact FROM contact_events WHERE tenant = $1 AND contact = $2 ORDER BY ordinal")
                .id(tenant)
                .id(id)
                .all(&mut reader)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(FactRow {
                    ordinal: row.int("ordinal")?.unsigned_abs(),
                    at: Timestamp::from_millis(row.int("at")?),
                    fact: serde_json::from_str(&row.text("fact")?)
                        .map_err(|_| StoreError::corrupt("fact of contact", id))?,
                })
            })
            .collect()
    }

    /// Who last spoke or wrote with the customer of this number (O7).
    pub async fn last_agent(&self, tenant: &TenantId, number_key: &str) -> Result<Option<AgentId>, StoreError> {
        let number_key = Some(number_key.to_owned());
        let search = ContactSearch { number_key, limit: CONTACTS_LOOKED_BACK, ..ContactSearch::default() };
        let page = self.contacts(tenant, &search).await?;
        let mut segments = page.items.iter().flat_map(|contact| contact.segments.iter().rev());
        Ok(segments.find(|segment| segment.connected_at.is_some()).map(|segment| segment.agent.clone()))
    }

    /// A page of contacts, latest request first.
    pub async fn contacts(&self, tenant: &TenantId, search: &ContactSearch) -> Result<ContactPage, StoreError> {
        let (before_at, before_id) = read_cursor(search.cursor.as_deref())?;
        let limit = page_size(search.limit);
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, doc_version, doc, requested_at FROM contacts
             WHERE tenant = $1 AND requested_at >= $2 AND requested_at < $3
               AND (requested_at, id) < ($4, $5)
               AND ($6 IS NULL OR queue = $6) AND ($7 IS NULL OR outcome = $7) AND ($8 IS NULL OR number_key = $8)
               AND customer_search LIKE $9 ESCAPE '!'
             ORDER BY requested_at DESC, id DESC LIMIT $10")
        .id(tenant)
        .int(search.from.map_or(i64::MIN, Timestamp::as_millis))
        .int(search.to.map_or(i64::MAX, Timestamp::as_millis))
        .int(before_at)
        .text(before_id)
        .opt_text(search.queue.as_ref().map(QueueId::as_str))
        .opt_text(search.outcome.map(outcome_word))
        .opt_text(search.number_key.as_deref())
        .text(like_anywhere(search.text.as_deref()))
        .int(limit + 1)
        .all(&mut reader)
        .await?;
        let next = next_cursor(&rows, limit, "requested_at")?;
        let items = rows.iter().take(limit as usize).map(contact_of).collect::<Result<_, _>>()?;
        Ok(ContactPage { items, next })
    }
}

pub(crate) fn contact_of(row: &Row) -> Result<Contact, StoreError> {
    let id = row.text("id")?;
    if row.int("doc_version")? != DOC_VERSION {
        return Err(StoreError::corrupt("contact", id));
    }
    serde_json::from_str(&row.text("doc")?).map_err(|_| StoreError::corrupt("contact", id))
}

/// A LIKE pattern with `!` as its escape: `text` anywhere, in lower case; everything when there is none.
pub(crate) fn like_anywhere(text: Option<&str>) -> String {
    match text.unwrap_or_default().trim().to_lowercase().as_str() {
        "" => "%".to_owned(),
        text => format!("%{}%", literal(text)),
    }
}

/// A text as LIKE takes it by itself, with `!` as its escape.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern
}

/// A cursor is the time and id of the last row shown; rows that come in later stand before it and do not shift the page.
pub(crate) fn read_cursor(cursor: Option<&str>) -> Result<(i64, String), StoreError> {
    let Some(cursor) = cursor else { return Ok((i64::MAX, String::new())) };
    let (at, id) = cursor.split_once('.').ok_or(StoreError::BadCursor)?;
    let id: ContactId = id.parse().map_err(|_| StoreError::BadCursor)?;
    Ok((at.parse().map_err(|_| StoreError::BadCursor)?, id.to_string()))
}

/// Where the next page begins, if `rows` (one more than `limit` asked for) hold more than this page.
pub(crate) fn next_cursor(rows: &[Row], limit: i64, time_column: &str) -> Result<Option<String>, StoreError> {
    if rows.len() as i64 <= limit {
        return Ok(None);
    }
    let last = &rows[limit as usize - 1];
    Ok(Some(format!("{}.{}", last.int(time_column)?, last.text("id")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_wildcards_literally() {
        assert_eq!(like_anywhere(None), "%");
        assert_eq!(like_anywhere(Some(" 50%_Ä! ")), "%50!%!_ä!!%");
    }

    #[test]
    fn only_our_cursors_are_read() {
        assert_eq!(read_cursor(None), Ok((i64::MAX, String::new())));
        for bad in ["", "1", "x.ct_00000000000000000000000000", "1.ct_0", "1.' OR 1=1"] {
            assert_eq!(read_cursor(Some(bad)), Err(StoreError::BadCursor), "{bad}");
        }
    }
}
