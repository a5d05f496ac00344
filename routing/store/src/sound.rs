//! Sound for a tenant's own prompts. It is named by its digest, so that versions of the settings refer to what never changes.

use ringback_routing::{ids::TenantId, time::Timestamp};
use serde_json::json;

use crate::{AuditEntry, Store, audit, error::StoreError, settings::scope_of, sql::sql};

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
        let (tenant, id, who) = (tenant.clone(), id.to_owned(), who.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let kept = sql("INSERT INTO sounds (tenant, id, pcm, who, at) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (tenant, id) DO NOTHING")
                .id(&tenant)
                .text(&id)
                .text(pcm)
                .text(&who)
                .int(at.as_millis())
                .run(&mut *conn)
                .await?;
                if kept == 0 {
                    return Ok(());
                }
                let entry = AuditEntry { at, who, what: "sound_added".to_owned(), target: id, detail: json!({}) };
                audit::append(conn, &scope_of(Some(&tenant)), &entry).await.map(drop)
            })
        })
        .await
    }

    /// As it was kept.
    pub async fn sound(&self, tenant: &TenantId, id: &str) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT pcm FROM sounds WHERE tenant = $1 AND id = $2").id(tenant).text(id);
        row.first(&mut reader).await?.map(|row| row.text("pcm")).transpose()
    }
}
