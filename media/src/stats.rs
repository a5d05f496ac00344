//! Counters of the media plane.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::quality;

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
    /// Bridges in which sound had to be sent for more than 1.5 s in another codec than it came in: the two sides share none.
    pub transcoded_calls: u64,
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

impl LegStats {
    /// What came to pass since `earlier`, of the same leg: an agent's connection outlives its calls. Jitter and round trip
    /// are those of now; the estimates are made anew.
    pub fn since(self, earlier: &Self) -> Self {
        let packets_in = self.packets_in.saturating_sub(earlier.packets_in);
        let packets_out = self.packets_out.saturating_sub(earlier.packets_out);
        let lost = self.lost.saturating_sub(earlier.lost);
        let remote_lost = self.remote_lost.saturating_sub(earlier.remote_lost);
        let since = Self {
            packets_in,
            packets_out,
            lost,
            dropped_by_source: self.dropped_by_source.saturating_sub(earlier.dropped_by_source),
            dropped_by_format: self.dropped_by_format.saturating_sub(earlier.dropped_by_format),
            send_errors: self.send_errors.saturating_sub(earlier.send_errors),
            remote_lost,
            ..self
        };
        since.judged(self.remote_mos.is_some())
    }

    /// With the estimates that follow from the figures; `reported`: the far side has told what it received.
    pub(crate) fn judged(self, reported: bool) -> Self {
        let share = |lost: u64, all: u64| lost as f64 / all.max(1) as f64;
        let round_trip = self.round_trip_ms.map(f64::from);
        let mos = |loss, jitter: f32| quality::mos(loss, f64::from(jitter), round_trip);
        let (heard, told) = (self.packets_in > 0, reported && self.packets_out > 0);
        Self {
            mos: heard.then(|| mos(share(self.lost, self.packets_in + self.lost), self.jitter_ms)),
            remote_mos: told.then(|| mos(share(u64::from(self.remote_lost), self.packets_out), self.remote_jitter_ms)),
            ..self
        }
    }
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
    pub(crate) transcoded_calls: AtomicU64,
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
            transcoded_calls: read(&self.transcoded_calls),
            mixed_frames: read(&self.mixed_frames),
            concealed_frames: read(&self.concealed_frames),
            send_errors: read(&self.send_errors),
            commands_lost: read(&self.commands_lost),
            events_lost: read(&self.events_lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_call_is_not_charged_with_the_loss_of_an_earlier_one() {
        let earlier =
            LegStats { packets_in: 900, packets_out: 1000, lost: 100, remote_lost: 10, ..LegStats::default() };
        let now = LegStats { packets_in: 1890, packets_out: 2000, lost: 110, remote_lost: 10, ..earlier }.judged(true);
        let call = now.since(&earlier);
        assert_eq!((call.packets_in, call.packets_out, call.lost, call.remote_lost), (990, 1000, 10, 0));
        assert!(call.mos > now.mos && call.remote_mos > now.remote_mos, "{call:?}");
        assert_eq!(now.since(&now).mos, None, "nothing was heard");
        assert_eq!(earlier.since(&now).lost, 0, "a leg that began anew");
    }
}
