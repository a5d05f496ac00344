//! Calls to numbers outside that are brought into a call, as far as a tenant's day counts them: dialled, answered, ended. By the
//! code that is told there the contact is found again.

use ringback_routing::{
    ids::{ContactId, LegId, TenantId},
    time::Timestamp,
};

use crate::{Store, error::StoreError, sql::sql};

impl Store {
    /// The call is about to leave; `code` stands for its contact. Said twice, the first time holds.
    pub async fn outside_dialled(
        &self,
        tenant: &TenantId,
        leg: LegId,
        contact: ContactId,
        code: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let statement =
            sql("INSERT INTO outside_legs (tenant, leg, dialled_at, contact, code) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (tenant, leg) DO NOTHING")
            .id(tenant)
            .id(leg)
            .int(at.as_millis())
            .id(contact)
            .text(code);
        self.run(statement).await.map(drop)
    }

    /// From here on its minutes count.
    pub async fn outside_answered(&self, tenant: &TenantId, leg: LegId, at: Timestamp) -> Result<(), StoreError> {
        let statement = sql("UPDATE outside_legs SET answered_at = $3
                     WHERE tenant = $1 AND leg = $2 AND answered_at IS NULL")
        .id(tenant)
        .id(leg)
        .int(at.as_millis());
        self.run(statement).await.map(drop)
    }

    /// Its minutes count no further.
    pub async fn outside_ended(&self, tenant: &TenantId, leg: LegId, at: Timestamp) -> Result<(), StoreError> {
        let statement =
            sql("UPDATE outside_legs SET ended_at = $3 WHERE tenant = $1 AND leg = $2 AND ended_at IS NULL")
                .id(tenant)
                .id(leg)
                .int(at.as_millis());
        self.run(statement).await.map(drop)
    }

    /// Contacts that went outside under this code since then, the latest first, `limit` at most.
    pub async fn contacts_by_code(
        &self,
        tenant: &TenantId,
        code: &str,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<ContactId>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT contact, MAX(dialled_at) AS last FROM outside_legs
                        WHERE tenant = $1 AND code = $2 AND dialled_at >= $3 AND contact IS NOT NULL
                        GROUP BY contact ORDER BY last DESC LIMIT $4")
        .id(tenant)
        .text(code)
        .int(since.as_millis())
        .int(i64::from(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(|row| row.id("contact", "short code")).collect()
    }

    /// After a restart none of the tenant's stands any more.
    pub async fn outside_all_ended(&self, tenant: &TenantId, at: Timestamp) -> Result<(), StoreError> {
        let statement = sql("UPDATE outside_legs SET ended_at = $2 WHERE tenant = $1 AND ended_at IS NULL")
            .id(tenant)
            .int(at.as_millis());
        self.run(statement).await.map(drop)
    }
}
