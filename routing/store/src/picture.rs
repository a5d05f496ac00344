//! Pictures for a tenant's pages. Each is named by its digest, so that versions of the settings refer to what never changes.

use ringback_routing::{ids::TenantId, time::Timestamp};

use crate::{AuditEntry, Store, error::StoreError, settings::scope_of, sql::sql};

/// A picture as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPicture {
    /// Media type, like `image/png`.
    pub kind: String,
    /// Base64.
    pub bytes: String,
}

impl Store {
    /// Keeps the picture and an audit row; one that is there already stays.
    pub async fn keep_picture(
        &self,
        tenant: &TenantId,
        id: &str,
        picture: KeptPicture,
        who: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let statement = sql("INSERT INTO pictures (tenant, id, kind, bytes, who, at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant, id) DO NOTHING")
        .id(tenant)
        .text(id)
        .text(picture.kind)
        .text(picture.bytes)
        .text(who)
        .int(at.as_millis());
        let entry = AuditEntry::of(who, "picture_added", id, at);
        self.run_noted(scope_of(Some(tenant)), statement, entry).await.map(drop)
    }

    pub async fn picture(&self, tenant: &TenantId, id: &str) -> Result<Option<KeptPicture>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT kind, bytes FROM pictures WHERE tenant = $1 AND id = $2").id(tenant).text(id);
        let Some(row) = row.first(&mut reader).await? else { return Ok(None) };
        Ok(Some(KeptPicture { kind: row.text("kind")?, bytes: row.text("bytes")? }))
    }
}
