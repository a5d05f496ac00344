//! Keeps the SIP dialogs of living calls in the ledger, so that a restart can take down what a crash left standing.
//!
//! Writing is beside the turn: a dialog not yet written when the process dies is still found by its derived names.

use std::sync::Arc;

use ringback_routing::{
    ids::{LegId, TenantId},
    time::Timestamp,
};
use ringback_signaling::StoredDialog;
use ringback_store::{Store, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Entries in the ledger's queue at a time: a small part of it, so that they never fill it.
const UNDER_WAY: usize = 128;

enum Entry {
    Save { tenant: TenantId, leg: LegId, dialog: Box<StoredDialog>, at: Timestamp },
    Remove { tenant: TenantId, leg: LegId },
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
            let room = Arc::new(Semaphore::new(UNDER_WAY));
            while let Some(entry) = inbox.recv().await {
                // Nobody closes it.
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                match entry {
                    Entry::Save { tenant, leg, dialog, at } => match serde_json::to_string(&*dialog) {
                        Ok(body) => settle(store.save_dialog(&tenant, leg, &node, &body, at), place),
                        Err(error) => tracing::error!(%leg, %error, "a dialog cannot be written down"),
                    },
                    Entry::Remove { tenant, leg } => settle(store.remove_dialog(&tenant, leg), place),
                }
            }
        });
        Self { entries }
    }

    pub async fn save(&self, tenant: TenantId, leg: LegId, dialog: StoredDialog, at: Timestamp) {
        // The writer ends only with the process.
        let _ = self.entries.send(Entry::Save { tenant, leg, dialog: Box::new(dialog), at }).await;
    }

    pub async fn remove(&self, tenant: TenantId, leg: LegId) {
        let _ = self.entries.send(Entry::Remove { tenant, leg }).await;
    }
}

/// It has its place in the ledger's queue; the next one need not wait until this one is on disk.
fn settle(written: impl Future<Output = Result<(), StoreError>> + Send + 'static, place: OwnedSemaphorePermit) {
    tokio::spawn(async move {
        if let Err(error) = written.await {
            tracing::warn!(%error, "a dialog is not in the ledger; a crash now would leave it to its names");
        }
        drop(place);
    });
}
