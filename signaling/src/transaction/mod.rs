//! The four transaction machines of RFC 3261 §17 with the Accepted states of RFC 6026. No I/O, no clock.
//!
//! | timer | length | where | tested in |
//! |---|---|---|---|
//! | A | T1, doubling | INVITE retransmission (unreliable) | `client_invite` |
//! | B | 64·T1 | INVITE without any response | `client_invite` |
//! | D | 64·T1, 0 reliable | absorbs repeated 3xx–6xx | `client_invite` |
//! | E | T1, doubling up to T2 | request retransmission (unreliable) | `client_non_invite` |
//! | F | 64·T1 | request without a final response | `client_non_invite` |
//! | G | T1, doubling up to T2 | 3xx–6xx retransmission (unreliable) | `server_invite` |
//! | H | 64·T1 | no ACK | `server_invite` |
//! | I | T4, 0 reliable | absorbs repeated ACK | `server_invite` |
//! | J | 64·T1, 0 reliable | absorbs repeated requests | `server_non_invite` |
//! | K | T4, 0 reliable | absorbs repeated responses | `client_non_invite` |
//! | L | 64·T1 | 2xx sent, absorbs repeated INVITE (RFC 6026) | `server_invite` |
//! | M | 64·T1 | 2xx received, lets forks and repetitions through (RFC 6026) | `client_invite` |
//!
//! Timer C belongs to proxies; the ring timeout of a call takes its place.

mod client_invite;
mod client_non_invite;
#[cfg(test)]
mod pair_tests;
mod server_invite;
mod server_non_invite;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub use client_invite::ClientInvite;
pub use client_non_invite::ClientNonInvite;
pub use server_invite::ServerInvite;
pub use server_non_invite::ServerNonInvite;

use crate::message::Response;

/// What a client transaction wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAction {
    Transmit(Bytes),
    /// For the transaction's user; repetitions do not come through, except 2xx to INVITE.
    Deliver(Response),
    /// Timer B or F; the transaction is over.
    TimedOut,
    /// The transport gave up; the transaction is over.
    Unsent,
    Terminated,
}

/// What a server transaction wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAction {
    Transmit(Bytes),
    /// Timer H: the final response was never acknowledged; the transaction is over.
    NotAcknowledged,
    Terminated,
}

/// A retransmission timer: first after `interval`, then doubling up to `ceiling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Backoff {
    due: Instant,
    interval: Duration,
    ceiling: Duration,
}

impl Backoff {
    fn new(now: Instant, interval: Duration, ceiling: Duration) -> Self {
        Self { due: now + interval, interval, ceiling }
    }

    /// Whether it was due, in which case it is wound up again.
    fn fire(&mut self, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        self.interval = (self.interval * 2).min(self.ceiling);
        self.due = now + self.interval;
        true
    }
}

/// The earlier of two optional moments.
fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
