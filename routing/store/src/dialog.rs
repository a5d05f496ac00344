//! SIP dialogs as they become known, so that after a crash each can be ended by what is stored.

use ringback_routing::{
    ids::{LegId, TenantId},
    time::Timestamp,
};

use crate::{Store, error::StoreError, sql::sql};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogRow {
    pub tenant: TenantId,
    pub leg: LegId,
    pub node: String,
    pub saved_at: Timestamp,
    /// JSON as signaling wrote it.
    pub doc: String,
}

impl Store {
    /// Keeps what is known of the leg's dialog now; the last save wins. Queued at once, so that saves and removals are
    /// written in the order of these calls.
    pub fn save_dialog(
        &self,
        tenant: &TenantId,
        leg: LegId,
        node: &str,
        doc: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let statement = sql("INSERT INTO dialogs (tenant, leg, node, saved_at, doc) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (tenant, leg) DO UPDATE SET
                        node = excluded.node, saved_at = excluded.saved_at, doc = excluded.doc")
        .id(tenant)
        .id(leg)
        .text(node)
        .int(now.as_millis())
        .text(doc);
        self.run_soon(statement)
    }

    /// Forgets the dialog; one that is not there is no error.
    pub fn remove_dialog(&self, tenant: &TenantId, leg: LegId) -> impl Future<Output = Result<(), StoreError>> + use<> {
        self.run_soon(sql("DELETE FROM dialogs WHERE tenant = $1 AND leg = $2").id(tenant).id(leg))
    }

    /// The tenant's dialogs, of all nodes.
    pub async fn dialogs(&self, tenant: &TenantId) -> Result<Vec<DialogRow>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT leg, node, saved_at, doc FROM dialogs WHERE tenant = $1 ORDER BY leg")
            .id(tenant)
            .all(&mut reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(DialogRow {
                    tenant: tenant.clone(),
                    leg: row.id("leg", "dialog")?,
                    node: row.text("node")?,
                    saved_at: Timestamp::from_millis(row.int("saved_at")?),
                    doc: row.text("doc")?,
                })
            })
            .collect()
    }
}
