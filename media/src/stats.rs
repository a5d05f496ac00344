//! Counters of the media plane.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures of all media threads since the start; all but `legs` only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaStats {
    /// Legs open now.
    pub legs: u64,
    /// RTP packets accepted.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Packets of closed legs that never arrived.
    pub lost: u64,
    /// Browser datagrams dropped because their source passed no STUN check.
    pub dropped_by_guard: u64,
    /// Carrier datagrams dropped because they came from the wrong source.
    pub dropped_by_source: u64,
    /// Packets of a payload type that was not negotiated, or damaged.
    pub dropped_by_format: u64,
    /// Packets sent in another codec than they came in.
    pub transcoded_frames: u64,
    /// Frames (20 ms) taken from legs in rooms.
    pub mixed_frames: u64,
    /// Of these, frames that had a part guessed.
    pub concealed_frames: u64,
    /// Datagrams that the system refused to send.
    pub send_errors: u64,
    /// Commands lost because a thread's queue was full.
    pub commands_lost: u64,
    /// Events lost because the receiver did not keep up.
    pub events_lost: u64,
}

/// Figures of one leg.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LegStats {
    /// RTP packets accepted.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Inbound packets that never arrived.
    pub lost: u64,
    /// Inbound jitter in milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f32,
    /// Packets dropped because of their source.
    pub dropped_by_source: u64,
    /// Packets dropped because of their format.
    pub dropped_by_format: u64,
    /// Datagrams that the system refused to send.
    pub send_errors: u64,
    /// Packets of ours that the far side reports as lost.
    pub remote_lost: u32,
    /// Share lost in the far side's last report, 256ths.
    pub remote_fraction_lost: u8,
    /// Jitter that the far side reports, in milliseconds.
    pub remote_jitter_ms: f32,
    /// To the far side and back, by its last report (RFC 3550 §6.4.1), in milliseconds.
    pub round_trip_ms: Option<f32>,
    /// What we hear of the party, estimated: 1.0 to 4.5 (`quality.rs`); `None` while nothing was heard.
    pub mos: Option<f32>,
    /// What the party hears of us, by its own reports; `None` without them.
    pub remote_mos: Option<f32>,
}

/// The shared cells behind [`MediaStats`].
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) legs: AtomicU64,
    pub(crate) packets_in: AtomicU64,
    pub(crate) packets_out: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) dropped_by_guard: AtomicU64,
    pub(crate) dropped_by_source: AtomicU64,
    pub(crate) dropped_by_format: AtomicU64,
    pub(crate) transcoded_frames: AtomicU64,
    pub(crate) mixed_frames: AtomicU64,
    pub(crate) concealed_frames: AtomicU64,
    pub(crate) send_errors: AtomicU64,
    pub(crate) commands_lost: AtomicU64,
    pub(crate) events_lost: AtomicU64,
}

/// Adds to a counter that nobody synchronises by.
pub(crate) fn count(cell: &AtomicU64, by: u64) {
    cell.fetch_add(by, Ordering::Relaxed);
}

impl Totals {
    pub(crate) fn snapshot(&self) -> MediaStats {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        MediaStats {
            legs: read(&self.legs),
            packets_in: read(&self.packets_in),
            packets_out: read(&self.packets_out),
            lost: read(&self.lost),
            dropped_by_guard: read(&self.dropped_by_guard),
            dropped_by_source: read(&self.dropped_by_source),
            dropped_by_format: read(&self.dropped_by_format),
            transcoded_frames: read(&self.transcoded_frames),
            mixed_frames: read(&self.mixed_frames),
            concealed_frames: read(&self.concealed_frames),
            send_errors: read(&self.send_errors),
            commands_lost: read(&self.commands_lost),
            events_lost: read(&self.events_lost),
        }
    }
}
