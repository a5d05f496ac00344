//! Bounds what a power failure takes: every few seconds all that was written since is brought to the disk.
//!
//! One call for the whole file system instead of one for each recording: its cost does not grow with the calls, and it
//! covers names and sidecars too. It may take as long as the disk likes, so it has a thread of its own: the writer goes
//! on meanwhile, and a kill of the process alone still costs less than a second.

use std::{sync::atomic::Ordering, time::Instant};

use crate::{recorder::Shared, volume::Volume};

/// Runs until the recorder is shut down. What is closed by the shutdown is synced by the writer, file by file.
pub(crate) fn run(shared: &Shared, volume: &dyn Volume) {
    let every = shared.config.sync_every;
    let mut synced = 0;
    let mut failing = false;
    let mut next = Instant::now() + every;
    while !shared.stopping.load(Ordering::Acquire) {
        let left = next.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            std::thread::park_timeout(left);
            continue;
        }
        let written = shared.counts.bytes_written.load(Ordering::Relaxed);
        if written != synced {
            match volume.sync() {
                Ok(()) => (synced, failing) = (written, false),
                Err(error) if failing => tracing::debug!(%error, "recordings still cannot be synced"),
                Err(error) => {
                    tracing::error!(%error, "recordings cannot be synced: a power failure would take more of them");
                    failing = true;
                }
            }
        }
        // Counted from the end: a slow disk is not asked without a pause.
        next = Instant::now() + every;
    }
}
