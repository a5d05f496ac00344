//! Counters of the engine in Prometheus' text format.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::face::Engine;

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Metrics {
    pub turns: Counter,
    pub turn_micros: Counter,
    pub commit_failures: Counter,
    pub offers: Counter,
    pub calls_placed: Counter,
    pub calls_answered: Counter,
    pub calls_failed: Counter,
    pub calls_taken: Counter,
    pub calls_refused: Counter,
    pub bridges: Counter,
    pub recordings_finished: Counter,
    pub recordings_failed: Counter,
    pub deeds_failed: Counter,
    pub chat_messages: Counter,
    pub chat_failures: Counter,
}

impl Metrics {
    pub(crate) fn turn(&self, took: Duration) {
        self.turns.add(1);
        self.turn_micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Every counter with its help line.
    fn render(&self, out: &mut String) {
        let counters: [(&str, &str, &Counter); 15] = [
            ("ringback_turns_total", "Turns committed to the ledger.", &self.turns),
            ("ringback_turn_microseconds_total", "Time spent committing turns.", &self.turn_micros),
            ("ringback_commit_failures_total", "Turns that did not commit.", &self.commit_failures),
            ("ringback_offers_total", "Offers presented to agents.", &self.offers),
            ("ringback_calls_placed_total", "Calls placed on trunks.", &self.calls_placed),
            ("ringback_calls_answered_total", "Placed calls that were answered.", &self.calls_answered),
            ("ringback_calls_failed_total", "Placed calls that came to nothing.", &self.calls_failed),
            ("ringback_calls_taken_total", "Calls of customers that were answered.", &self.calls_taken),
            ("ringback_calls_refused_total", "Calls of customers for which there was no room.", &self.calls_refused),
            ("ringback_bridges_total", "Customer and agent connected.", &self.bridges),
            ("ringback_recordings_finished_total", "Recorded legs closed whole.", &self.recordings_finished),
            ("ringback_recordings_failed_total", "Recorded legs that could not be kept.", &self.recordings_failed),
            ("ringback_deeds_failed_total", "Commands that could not be carried out.", &self.deeds_failed),
            ("ringback_chat_messages_total", "Chat messages kept.", &self.chat_messages),
            ("ringback_chat_batches_failed_total", "Batches of chat messages not kept.", &self.chat_failures),
        ];
        for (name, help, counter) in counters {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", counter.get());
        }
    }
}

impl Engine {
    /// Everything measured, in Prometheus' text format.
    pub fn metrics_text(&self) -> String {
        let mut out = String::new();
        self.plant.metrics.render(&mut out);
        let gauge = |out: &mut String, name: &str, help: &str, value: u64| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        };
        gauge(&mut out, "ringback_calls", "Customer legs that stand.", self.calls() as u64);
        let phones = self.plant.books.phones().connected();
        gauge(&mut out, "ringback_phones_connected", "Agents' browsers with a media connection.", phones as u64);
        let recordings = self.plant.books.legs().recordings_open();
        gauge(&mut out, "ringback_recordings_open", "Recordings being written.", recordings as u64);
        self.media_metrics(&mut out);
        for (trunk, channels, in_use) in self.trunk_usage() {
            let _ = writeln!(out, "ringback_trunk_channels{{trunk=\"{trunk}\"}} {channels}");
            let _ = writeln!(out, "ringback_trunk_channels_in_use{{trunk=\"{trunk}\"}} {in_use}");
        }
        for (alarm, _) in self.alarms() {
            let _ = writeln!(out, "ringback_alarm{{alarm=\"{alarm:?}\"}} 1");
        }
        out
    }

    /// What the media threads count.
    fn media_metrics(&self, out: &mut String) {
        let stats = self.plant.media.stats();
        let counters = [
            ("packets_in", "RTP packets accepted.", stats.packets_in),
            ("packets_out", "RTP packets sent.", stats.packets_out),
            ("packets_lost", "RTP packets that never arrived, of legs that ended.", stats.lost),
            ("transcoded", "RTP packets sent in another codec than they came in.", stats.transcoded_frames),
            ("transcoded_calls", "Bridges whose sides came to share no codec.", stats.transcoded_calls),
            ("mixed_frames", "20 ms frames mixed for legs in rooms.", stats.mixed_frames),
            ("concealed_frames", "Mixed frames that had a part guessed.", stats.concealed_frames),
            ("dropped_by_guard", "Browser datagrams from addresses without a passed check.", stats.dropped_by_guard),
            ("dropped_by_source", "Carrier datagrams from the wrong source.", stats.dropped_by_source),
            ("dropped_by_format", "Datagrams forged, damaged or not negotiated.", stats.dropped_by_format),
            ("send_errors", "Datagrams that the system refused to send.", stats.send_errors),
        ];
        for (name, help, value) in counters {
            let name = format!("ringback_media_{name}_total");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
    }
}
