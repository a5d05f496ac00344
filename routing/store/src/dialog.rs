//! SIP dialogs as they become known, so that after a crash each can be ended by what is stored.

use std::sync::Arc;

use ringback_routing::{
    ids::{LegId, TenantId},
    time::Timestamp,
};

use crate::{
    Store,
    error::StoreError,
    sql::{Conn, sql},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogRow {
    pub tenant: TenantId,
    pub leg: LegId,
    pub node: String,
    pub saved_at: Timestamp,
    /// JSON as signaling wrote it.
    pub doc: String,
}

/// What is to be known of a leg's dialog from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDialog {
    pub tenant: TenantId,
    pub leg: LegId,
    pub saved_at: Timestamp,
    /// JSON as signaling wrote it; None: the dialog is over, and forgotten.
    pub doc: Option<String>,
}

impl Store {
    /// Keeps what is known of these dialogs now; the last word holds. Queued at once, so that dialogs are written in the order
    /// of these calls. To forget one that is not there is no error.
    pub fn keep_dialogs(
        &self,
        node: &str,
        dialogs: Vec<KeptDialog>,
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let written = Arc::new((node.to_owned(), dialogs));
        self.write_soon(move |conn| {
            let written = Arc::clone(&written);
            Box::pin(async move {
                let (node, dialogs) = &*written;
                for dialog in dialogs {
                    keep(conn, node, dialog).await?;
                }
                Ok(())
            })
        })
    }

    /// Forgets the dialog; one that is not there is no error.
    pub async fn remove_dialog(&self, tenant: &TenantId, leg: LegId) -> Result<(), StoreError> {
        self.run_soon(sql("DELETE FROM dialogs WHERE tenant = $1 AND leg = $2").id(tenant).id(leg)).await
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

async fn keep(conn: &mut Conn, node: &str, dialog: &KeptDialog) -> Result<(), StoreError> {
    let statement = match &dialog.doc {
        Some(doc) => sql("INSERT INTO dialogs (tenant, leg, node, saved_at, doc) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant, leg) DO UPDATE SET
                node = excluded.node, saved_at = excluded.saved_at, doc = excluded.doc")
        .id(&dialog.tenant)
        .id(dialog.leg)
        .text(node)
        .int(dialog.saved_at.as_millis())
        .text(doc),
        None => sql("DELETE FROM dialogs WHERE tenant = $1 AND leg = $2").id(&dialog.tenant).id(dialog.leg),
    };
    statement.run(conn).await?;
    Ok(())
}
