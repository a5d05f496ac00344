//! Sound for a tenant's own prompts. It is named by its digest, so that versions of the settings refer to what never changes.

use ringback_routing::{ids::TenantId, time::Timestamp};

use crate::{AuditEntry, Store, error::StoreError, settings::scope_of, sql::sql};

impl Store {
    /// Keeps the sound (8 kHz mono, 16 bits, as base64) and an audit row; one that is there already stays.
    pub async fn keep_sound(
        &self,
        tenant: &TenantId,
        id: &str,
        pcm: String,
        who: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let statement = sql("INSERT INTO sounds (tenant, id, pcm, who, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant, id) DO NOTHING")
        .id(tenant)
        .text(id)
        .text(pcm)
        .text(who)
        .int(at.as_millis());
        let entry = AuditEntry::of(who, "sound_added", id, at);
        self.run_noted(scope_of(Some(tenant)), statement, entry).await.map(drop)
    }

    /// As it was kept.
    pub async fn sound(&self, tenant: &TenantId, id: &str) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT pcm FROM sounds WHERE tenant = $1 AND id = $2").id(tenant).text(id);
        row.first(&mut reader).await?.map(|row| row.text("pcm")).transpose()
    }
}
