//! Sockets: what comes in is judged by the guard, parsed, and handed to the endpoint; what goes out is only bytes.

pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod udp;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::mpsc;

use crate::{
    config::SignalingLimits,
    dialog::Peer,
    guard::{Guard, Verdict},
    message::Parsed,
};

/// Why a connection is not there, for the operator.
pub(crate) type Why = Arc<str>;

/// What sockets tell the endpoint.
#[derive(Debug)]
pub(crate) enum Arrival {
    Message {
        from: Peer,
        parsed: Parsed,
    },
    /// A connection came in; its writer is the way back.
    Accepted {
        from: Peer,
        id: u64,
        writer: mpsc::Sender<tcp::Write>,
    },
    /// A connection has ended.
    Closed {
        peer: Peer,
        id: u64,
        why: Why,
    },
    /// Bytes of these client transactions could not be sent.
    Unsent {
        clients: Vec<u64>,
        why: Why,
    },
    Resolved {
        trunk: String,
        found: Result<Vec<crate::trunk::Located>, String>,
    },
}

/// What was received and dropped, for metrics.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) received: AtomicU64,
    pub(crate) strangers: AtomicU64,
    pub(crate) flooding: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    pub(crate) overflow: AtomicU64,
    pub(crate) cut: AtomicU64,
}

/// What every socket task shares.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) guard: Arc<Mutex<Guard>>,
    pub(crate) limits: Arc<SignalingLimits>,
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    pub(crate) tally: Arc<Tally>,
}

impl Shared {
    /// Whether a message from an address may be looked at; counts it either way.
    pub(crate) fn passes(&self, address: std::net::IpAddr) -> bool {
        let verdict = self.with_guard(|guard| guard.judge(std::time::Instant::now(), address));
        let counter = match verdict {
            Verdict::Pass => &self.tally.received,
            Verdict::Stranger => &self.tally.strangers,
            Verdict::Flooding => &self.tally.flooding,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        verdict == Verdict::Pass
    }

    pub(crate) fn with_guard<T>(&self, step: impl FnOnce(&mut Guard) -> T) -> T {
        // The guard holds no invariant that a panic elsewhere could break.
        step(&mut self.guard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn count(&self, counter: impl Fn(&Tally) -> &AtomicU64) {
        counter(&self.tally).fetch_add(1, Ordering::Relaxed);
    }
}
