//! Cases (E12): what agents file of their contacts, each under the customer it belongs to.

use ringback_routing::{
    ids::{ContactId, TenantId},
    time::Timestamp,
};

use crate::{
    Store,
    error::StoreError,
    page_size,
    sql::{Row, sql},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseState {
    /// To be finished later; may belong to nobody yet.
    Draft,
    Saved,
}

impl CaseState {
    fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Saved => "saved",
        }
    }
}

/// The case of one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRecord {
    pub contact: ContactId,
    /// Id in the directory.
    pub customer: Option<String>,
    pub state: CaseState,
    pub title: String,
    pub body: String,
    /// 1, 2, 3 …; 0 of one that was never kept.
    pub version: i64,
    pub opened_by: String,
    pub opened_at: Timestamp,
    pub changed_by: String,
    pub changed_at: Timestamp,
}

impl Store {
    pub async fn case(&self, tenant: &TenantId, contact: ContactId) -> Result<Option<CaseRecord>, StoreError> {
        let mut reader = self.reader().await?;
        let row =
            sql("SELECT contact, customer, state, title, body, version, opened_by, opened_at, changed_by, changed_at
             FROM cases WHERE tenant = $1 AND contact = $2")
            .id(tenant)
            .id(contact)
            .first(&mut reader)
            .await?;
        row.as_ref().map(case_of).transpose()
    }

    /// The cases of a customer, the latest first.
    pub async fn cases_of(&self, tenant: &TenantId, customer: &str, limit: u32) -> Result<Vec<CaseRecord>, StoreError> {
        let mut reader = self.reader().await?;
        let rows =
            sql("SELECT contact, customer, state, title, body, version, opened_by, opened_at, changed_by, changed_at
             FROM cases WHERE tenant = $1 AND customer = $2 ORDER BY opened_at DESC, contact DESC LIMIT $3")
            .id(tenant)
            .text(customer)
            .int(page_size(limit))
            .all(&mut reader)
            .await?;
        rows.iter().map(case_of).collect()
    }

    /// The drafts that somebody wrote last and left to be finished, the latest first.
    pub async fn drafts_of(&self, tenant: &TenantId, who: &str, limit: u32) -> Result<Vec<CaseRecord>, StoreError> {
        let mut reader = self.reader().await?;
        let rows =
            sql("SELECT contact, customer, state, title, body, version, opened_by, opened_at, changed_by, changed_at
             FROM cases WHERE tenant = $1 AND changed_by = $2 AND state = 'draft'
             ORDER BY changed_at DESC, contact DESC LIMIT $3")
            .id(tenant)
            .text(who)
            .int(page_size(limit))
            .all(&mut reader)
            .await?;
        rows.iter().map(case_of).collect()
    }

    /// Keeps a case, as new when `version` is 0, else in place of that version. Gives the version it has now.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when it was changed meanwhile, [`StoreError::NotFound`] when the tenant knows no such
    /// customer.
    pub async fn save_case(&self, tenant: &TenantId, case: &CaseRecord) -> Result<i64, StoreError> {
        let (tenant, case) = (tenant.clone(), case.clone());
        self.write(move |conn| {
            Box::pin(async move {
                if let Some(customer) = &case.customer {
                    sql("SELECT id FROM customers WHERE tenant = $1 AND id = $2")
                        .id(&tenant)
                        .text(customer)
                        .first(&mut *conn)
                        .await?
                        .ok_or(StoreError::NotFound("customer"))?;
                }
                let row = sql("INSERT INTO cases (tenant, contact, customer, state, title, body, version, opened_by,
                        opened_at, changed_by, changed_at)
                     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10)
                     ON CONFLICT (tenant, contact) DO UPDATE SET
                        customer = excluded.customer, state = excluded.state, title = excluded.title,
                        body = excluded.body, version = cases.version + 1, changed_by = excluded.changed_by,
                        changed_at = excluded.changed_at
                     WHERE cases.version = $11 RETURNING version")
                .id(&tenant)
                .id(case.contact)
                .opt_text(case.customer.as_deref())
                .text(case.state.word())
                .text(&case.title)
                .text(&case.body)
                .text(&case.opened_by)
                .int(case.opened_at.as_millis())
                .text(&case.changed_by)
                .int(case.changed_at.as_millis())
                .int(case.version)
                .first(conn)
                .await?;
                row.ok_or(StoreError::Taken("case"))?.int("version")
            })
        })
        .await
    }
}

fn case_of(row: &Row) -> Result<CaseRecord, StoreError> {
    Ok(CaseRecord {
        contact: row.id("contact", "case")?,
        customer: row.opt_text("customer")?,
        state: match row.text("state")?.as_str() {
            "draft" => CaseState::Draft,
            _ => CaseState::Saved,
        },
        title: row.text("title")?,
        body: row.text("body")?,
        version: row.int("version")?,
        opened_by: row.text("opened_by")?,
        opened_at: Timestamp::from_millis(row.int("opened_at")?),
        changed_by: row.text("changed_by")?,
        changed_at: Timestamp::from_millis(row.int("changed_at")?),
    })
}
