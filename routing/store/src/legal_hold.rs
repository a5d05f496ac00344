//! Legal holds: a contact whose records must stay. Whatever removes records asks [`is_held`] within the write that removes
//! them, so that a hold set a moment before wins.

use ringback_routing::{
    ids::{ContactId, TenantId},
    time::Timestamp,
};
use sqlx::AssertSqlSafe;

use crate::{
    AuditEntry, MAX_PAGE, Store, audit,
    error::StoreError,
    settings::scope_of,
    sql::{Conn, Row, sql},
};

/// A hold that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    pub contact: ContactId,
    pub reason: String,
    pub who: String,
    pub at: Timestamp,
}

/// Whether the contact's records must stay.
pub(crate) async fn is_held(conn: &mut Conn, tenant: &TenantId, contact: ContactId) -> Result<bool, StoreError> {
    let found = sql("SELECT ordinal FROM legal_holds WHERE tenant = $1 AND contact = $2 AND lifted_at IS NULL")
        .id(tenant)
        .id(contact)
        .first(conn)
        .await?;
    Ok(found.is_some())
}

impl Store {
    /// Sets a hold; the audit row is part of it. One that stands already stays as it is and is not set again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when that tenant has no such contact, [`StoreError::Taken`] when a hold stands.
    pub async fn set_legal_hold(&self, tenant: &TenantId, hold: LegalHold) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let known = sql("SELECT id FROM contacts WHERE tenant = $1 AND id = $2")
                    .id(&tenant)
                    .id(hold.contact)
                    .first(&mut *conn)
                    .await?;
                if known.is_none() {
                    return Err(StoreError::NotFound("contact"));
                }
                if is_held(conn, &tenant, hold.contact).await? {
                    return Err(StoreError::Taken("hold"));
                }
                sql("INSERT INTO legal_holds (tenant, contact, ordinal, reason, set_by, set_at)
                     SELECT $1, $2, COALESCE(MAX(ordinal), 0) + 1, $3, $4, CAST($5 AS BIGINT)
                     FROM legal_holds WHERE tenant = $1 AND contact = $2")
                .id(&tenant)
                .id(hold.contact)
                .text(&hold.reason)
                .text(&hold.who)
                .int(hold.at.as_millis())
                .run(&mut *conn)
                .await?;
                // The reason is a person's words: it stands with the hold and not in the chain.
                let entry = AuditEntry::of(&hold.who, "legal_hold_set", hold.contact, hold.at);
                audit::append(conn, &scope_of(Some(&tenant)), &entry).await.map(drop)
            })
        })
        .await
    }

    /// Lifts the hold that stands; what is due by its age goes with the next removal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when none stands.
    pub async fn lift_legal_hold(
        &self,
        tenant: &TenantId,
        contact: ContactId,
        who: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let statement = sql("UPDATE legal_holds SET lifted_by = $3, lifted_at = $4
             WHERE tenant = $1 AND contact = $2 AND lifted_at IS NULL")
        .id(tenant)
        .id(contact)
        .text(who)
        .int(at.as_millis());
        let entry = AuditEntry::of(who, "legal_hold_lifted", contact, at);
        match self.run_noted(scope_of(Some(tenant)), statement, entry).await? {
            0 => Err(StoreError::NotFound("hold")),
            _ => Ok(()),
        }
    }

    /// Those that stand, the latest first, at most [`MAX_PAGE`].
    pub async fn legal_holds(&self, tenant: &TenantId) -> Result<Vec<LegalHold>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT contact, reason, set_by, set_at FROM legal_holds
             WHERE tenant = $1 AND lifted_at IS NULL ORDER BY set_at DESC, contact LIMIT $2")
        .id(tenant)
        .int(i64::from(MAX_PAGE))
        .all(&mut reader)
        .await?;
        rows.iter().map(hold_of).collect()
    }

    /// Those that stand on any of these contacts; at most [`MAX_PAGE`] are asked for.
    pub async fn legal_holds_on(
        &self,
        tenant: &TenantId,
        contacts: &[ContactId],
    ) -> Result<Vec<LegalHold>, StoreError> {
        let contacts = &contacts[..contacts.len().min(MAX_PAGE as usize)];
        if contacts.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (0..contacts.len()).map(|place| format!("${}", place + 2)).collect();
        // Only parameter numbers are put into the text.
        let text = format!(
            "SELECT contact, reason, set_by, set_at FROM legal_holds
             WHERE tenant = $1 AND lifted_at IS NULL AND contact IN ({})",
            places.join(", ")
        );
        let statement =
            contacts.iter().fold(sql(AssertSqlSafe(text)).id(tenant), |statement, contact| statement.id(contact));
        let mut reader = self.reader().await?;
        statement.once().all(&mut reader).await?.iter().map(hold_of).collect()
    }
}

fn hold_of(row: &Row) -> Result<LegalHold, StoreError> {
    Ok(LegalHold {
        contact: row.id("contact", "contact")?,
        reason: row.text("reason")?,
        who: row.text("set_by")?,
        at: Timestamp::from_millis(row.int("set_at")?),
    })
}
