//! Keeps the SIP dialogs of living calls in the ledger, so that a restart can take down what a crash left standing.
//!
//! Writing is beside the turn: a dialog not yet written when the process dies is still found by its derived names.

use std::{collections::HashMap, time::Duration};

use ringback_routing::{
    ids::{LegId, TenantId},
    time::Timestamp,
};
use ringback_signaling::StoredDialog;
use ringback_store::{KeptDialog, Store};
use tokio::sync::mpsc;

/// What is told within this time goes to the ledger in one go, and of each dialog only what was told last.
const GATHER: Duration = Duration::from_millis(25);
/// Most in one go.
const AT_ONCE: usize = 128;

struct Entry {
    tenant: TenantId,
    leg: LegId,
    /// None when the dialog is over.
    dialog: Option<Box<StoredDialog>>,
    at: Timestamp,
}

/// The way in; entries are written in order.
#[derive(Clone)]
pub(crate) struct DialogWriter {
    entries: mpsc::Sender<Entry>,
}

impl DialogWriter {
    /// `waiting`: entries that may wait for the ledger before senders wait too.
    pub fn start(store: Store, node: String, waiting: usize) -> Self {
        let (entries, mut inbox) = mpsc::channel(waiting);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while inbox.recv_many(&mut batch, AT_ONCE).await > 0 {
                tokio::time::sleep(GATHER).await;
                while batch.len() < AT_ONCE
                    && let Ok(more) = inbox.try_recv()
                {
                    batch.push(more);
                }
                if let Err(error) = store.keep_dialogs(&node, last_words(&mut batch)).await {
                    tracing::warn!(%error, "dialogs are not in the ledger; a crash now would leave them to their names");
                }
            }
        });
        Self { entries }
    }

    pub async fn save(&self, tenant: TenantId, leg: LegId, dialog: StoredDialog, at: Timestamp) {
        // The writer ends only with the process.
        let _ = self.entries.send(Entry { tenant, leg, dialog: Some(Box::new(dialog)), at }).await;
    }

    pub async fn remove(&self, tenant: TenantId, leg: LegId, at: Timestamp) {
        let _ = self.entries.send(Entry { tenant, leg, dialog: None, at }).await;
    }
}

/// Empties the batch: what holds of each of its dialogs.
fn last_words(batch: &mut Vec<Entry>) -> Vec<KeptDialog> {
    let mut last = HashMap::new();
    for entry in batch.drain(..) {
        last.insert((entry.tenant, entry.leg), (entry.dialog, entry.at));
    }
    let mut kept = Vec::with_capacity(last.len());
    for ((tenant, leg), (dialog, saved_at)) in last {
        match dialog.map(|dialog| serde_json::to_string(&*dialog)).transpose() {
            Ok(doc) => kept.push(KeptDialog { tenant, leg, saved_at, doc }),
            Err(error) => tracing::error!(%leg, %error, "a dialog cannot be written down"),
        }
    }
    kept
}
