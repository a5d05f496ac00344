//! Programs of others that are told what happens, and the messages for them. A message is written in the transaction of
//! what it tells of, so that none is lost and none tells of what never happened.

use ringback_routing::{
    ids::{ContactId, TenantId},
    output::Fact,
    time::Timestamp,
};
use serde_json::{Value, json};

use crate::{
    AuditEntry, Store, audit,
    error::StoreError,
    page_size,
    settings::scope_of,
    sql::{Conn, Row, sql},
};

/// Somebody who is told. The secret is as it was given to be kept, and is not printed.
#[derive(Clone, PartialEq)]
pub struct Webhook {
    pub id: String,
    pub url: String,
    /// Words like `contact.created`.
    pub events: Vec<String>,
    pub secret: String,
    /// Names and numbers are told too.
    pub personal: bool,
    pub created_by: String,
    pub created_at: Timestamp,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How it stands with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, again or for the first time.
    Waiting,
    Sent,
    /// Every try failed; somebody may send it again.
    Dead,
}

impl DeliveryState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

/// One message for one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub tenant: TenantId,
    pub webhook: String,
    /// The same through all tries, and for every receiver.
    pub message: String,
    pub event: String,
    pub contact: Option<ContactId>,
    pub at: Timestamp,
    pub detail: Value,
    pub state: DeliveryState,
    pub tries: u32,
    pub next_at: Timestamp,
    pub last_word: String,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryEnd {
    pub state: DeliveryState,
    pub next_at: Timestamp,
    pub word: String,
}

impl Store {
    /// # Errors
    /// [`StoreError::Taken`] when there is one of that id.
    pub async fn add_webhook(&self, tenant: &TenantId, webhook: Webhook) -> Result<(), StoreError> {
        let statement = sql("INSERT INTO webhooks (tenant, id, url, events, secret, personal, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, id) DO NOTHING")
        .id(tenant)
        .text(&webhook.id)
        .text(&webhook.url)
        .text(format!(" {} ", webhook.events.join(" ")))
        .text(&webhook.secret)
        .int(i64::from(webhook.personal))
        .text(&webhook.created_by)
        .int(webhook.created_at.as_millis());
        let detail = json!({ "events": webhook.events, "personal": webhook.personal });
        let entry = AuditEntry {
            detail,
            ..AuditEntry::of(&webhook.created_by, "webhook_added", &webhook.id, webhook.created_at)
        };
        match self.run_noted(scope_of(Some(tenant)), statement, entry).await? {
            0 => Err(StoreError::Taken("webhook")),
            _ => Ok(()),
        }
    }

    /// With all its messages.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when that tenant has no such webhook.
    pub async fn remove_webhook(
        &self,
        tenant: &TenantId,
        id: &str,
        who: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, id, who) = (tenant.clone(), id.to_owned(), who.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let gone = sql("DELETE FROM webhooks WHERE tenant = $1 AND id = $2");
                if gone.id(&tenant).text(&id).run(&mut *conn).await? == 0 {
                    return Err(StoreError::NotFound("webhook"));
                }
                let messages = sql("DELETE FROM webhook_deliveries WHERE tenant = $1 AND webhook = $2");
                messages.id(&tenant).text(&id).run(&mut *conn).await?;
                noted(conn, &tenant, &who, "webhook_removed", &id, json!({}), now).await
            })
        })
        .await
    }

    pub async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<Webhook>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT * FROM webhooks WHERE tenant = $1 ORDER BY created_at, id").id(tenant);
        rows.all(&mut reader).await?.iter().map(webhook_of).collect()
    }

    /// Messages that are due, the oldest first, of all tenants; with who is to get them.
    pub async fn due_deliveries(&self, now: Timestamp, limit: u32) -> Result<Vec<(Delivery, Webhook)>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT d.*, w.id, w.url, w.events, w.secret, w.personal, w.created_by, w.created_at
             FROM webhook_deliveries d JOIN webhooks w ON w.tenant = d.tenant AND w.id = d.webhook
             WHERE d.state = 'waiting' AND d.next_at <= $1 ORDER BY d.next_at LIMIT $2")
        .int(now.as_millis())
        .int(i64::from(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(|row| Ok((delivery_of(row)?, webhook_of(row)?))).collect()
    }

    /// How a try ended.
    pub async fn settle_delivery(&self, delivery: &Delivery, outcome: DeliveryEnd) -> Result<(), StoreError> {
        let statement = sql("UPDATE webhook_deliveries SET state = $4, tries = tries + 1, next_at = $5, last_word = $6
                     WHERE tenant = $1 AND webhook = $2 AND message = $3")
        .id(&delivery.tenant)
        .text(&delivery.webhook)
        .text(&delivery.message)
        .text(outcome.state.word())
        .int(outcome.next_at.as_millis())
        .text(&outcome.word);
        self.run(statement).await.map(drop)
    }

    /// The tenant's messages that are not sent, dead ones first, the latest first.
    pub async fn open_deliveries(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT * FROM webhook_deliveries WHERE tenant = $1 AND state <> 'sent'
             ORDER BY state, at DESC, message LIMIT $2")
        .id(tenant)
        .int(page_size(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(delivery_of).collect()
    }

    /// A dead message is sent again, at once and with all its tries.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such message that is dead.
    pub async fn resend_delivery(
        &self,
        tenant: &TenantId,
        webhook: &str,
        message: &str,
        who: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, webhook, message) = (tenant.clone(), webhook.to_owned(), message.to_owned());
        let who = who.to_owned();
        self.write(move |conn| {
            Box::pin(async move {
                let again = sql("UPDATE webhook_deliveries SET state = 'waiting', tries = 0, next_at = $4
                     WHERE tenant = $1 AND webhook = $2 AND message = $3 AND state = 'dead'")
                .id(&tenant)
                .text(&webhook)
                .text(&message)
                .int(now.as_millis())
                .run(&mut *conn)
                .await?;
                if again == 0 {
                    return Err(StoreError::NotFound("message"));
                }
                noted(conn, &tenant, &who, "webhook_sent_again", &webhook, json!({ "message": message }), now).await
            })
        })
        .await
    }

    /// Forgets up to `limit` messages of before that moment that wait no more, and says how many.
    pub async fn purge_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let statement = sql("DELETE FROM webhook_deliveries WHERE (tenant, webhook, message) IN
                        (SELECT tenant, webhook, message FROM webhook_deliveries
                         WHERE state <> 'waiting' AND at < $1 LIMIT $2)")
        .int(before.as_millis())
        .int(i64::from(limit));
        self.run(statement).await
    }
}

/// A fact of a contact that receivers may have asked for: its message, in the fact's own transaction.
pub(crate) async fn tell_fact(
    conn: &mut Conn,
    tenant: &TenantId,
    contact: ContactId,
    at: Timestamp,
    fact: &Fact,
) -> Result<(), StoreError> {
    let (event, key, detail) = match fact {
        Fact::Requested { .. } => ("contact.created", "created".to_owned(), json!({})),
        Fact::Closed { outcome, .. } => ("contact.closed", "closed".to_owned(), json!({ "outcome": outcome })),
        Fact::Recorded { leg, recording } => {
            let detail = json!({ "recording": recording.to_string(), "leg": leg.to_string() });
            ("recording.ready", recording.to_string(), detail)
        }
        _ => return Ok(()),
    };
    tell(conn, tenant, event, &format!("{contact}.{key}"), Some(contact), at, &detail).await
}

/// One message for everybody of the tenant who asked for that event; `message` makes it the only one.
pub(crate) async fn tell(
    conn: &mut Conn,
    tenant: &TenantId,
    event: &str,
    message: &str,
    contact: Option<ContactId>,
    at: Timestamp,
    detail: &Value,
) -> Result<(), StoreError> {
    sql("INSERT INTO webhook_deliveries (tenant, webhook, message, event, contact, at, detail, state, tries, next_at)
         SELECT tenant, id, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT), CAST($6 AS TEXT),
            'waiting', 0, CAST($5 AS BIGINT)
         FROM webhooks WHERE tenant = $1 AND events LIKE $7
         ON CONFLICT (tenant, webhook, message) DO NOTHING")
    .id(tenant)
    .text(message)
    .text(event)
    .opt_text(contact.map(|contact| contact.to_string()))
    .int(at.as_millis())
    .id(detail)
    .text(format!("% {event} %"))
    .run(conn)
    .await?;
    Ok(())
}

async fn noted(
    conn: &mut Conn,
    tenant: &TenantId,
    who: &str,
    what: &str,
    target: &str,
    detail: Value,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (who, what, target) = (who.to_owned(), what.to_owned(), target.to_owned());
    let entry = AuditEntry { at, who, what, target, detail };
    audit::append(conn, &scope_of(Some(tenant)), &entry).await.map(drop)
}

fn webhook_of(row: &Row) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id: row.text("id")?,
        url: row.text("url")?,
        events: row.text("events")?.split_whitespace().map(str::to_owned).collect(),
        secret: row.text("secret")?,
        personal: row.int("personal")? != 0,
        created_by: row.text("created_by")?,
        created_at: Timestamp::from_millis(row.int("created_at")?),
    })
}

fn delivery_of(row: &Row) -> Result<Delivery, StoreError> {
    let message = row.text("message")?;
    let corrupt = || StoreError::corrupt("webhook message", &message);
    let state = row.text("state")?;
    Ok(Delivery {
        tenant: TenantId::new(row.text("tenant")?),
        webhook: row.text("webhook")?,
        event: row.text("event")?,
        contact: row.opt_text("contact")?.map(|id| id.parse()).transpose().map_err(|_| corrupt())?,
        at: Timestamp::from_millis(row.int("at")?),
        detail: serde_json::from_str(&row.text("detail")?).map_err(|_| corrupt())?,
        state: [DeliveryState::Waiting, DeliveryState::Sent, DeliveryState::Dead]
            .into_iter()
            .find(|known| known.word() == state)
            .ok_or_else(corrupt)?,
        tries: u32::try_from(row.int("tries")?).unwrap_or(u32::MAX),
        next_at: Timestamp::from_millis(row.int("next_at")?),
        last_word: row.text("last_word")?,
        message,
    })
}
