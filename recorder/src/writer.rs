//! The writer thread: looks at every open recording ten times a second, keeps the files playable, watches the disk.
//!
//! The recordings take turns instead of being served in one go: a thread that computes for milliseconds keeps a media
//! thread from its processor for as long, since schedulers let a running thread finish its slice (Linux: about 3 ms).

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    recorder::{Opened, RecorderEvent, Shared},
    recording::Recording,
    tap::Batch,
    volume::Volume,
};

/// Recordings served before the processor is given back: a fraction of a millisecond.
const PER_TURN: usize = 8;
/// Turns do not follow each other faster; with very many recordings each serves more of them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// How often free space is asked for and a refusing disk tried again.
const DISK_CHECK: Duration = Duration::from_secs(1);
/// How long a shutdown waits for the engine to take the last events.
const LAST_EVENTS: Duration = Duration::from_secs(5);

struct Writer<'a> {
    shared: &'a Shared,
    engine: &'a mpsc::Sender<RecorderEvent>,
    volume: &'a dyn Volume,
    /// In the order in which they are served; who was served goes to the end.
    open: VecDeque<Open>,
    /// Exchanged with each inbox in turn.
    spare: Batch,
    events: VecDeque<RecorderEvent>,
    disk: Disk,
    disk_checked: Option<Instant>,
    free_bytes: Option<u64>,
    watched: Option<Instant>,
}

struct Open {
    recording: Recording,
    started: Instant,
    flushed: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    Ok,
    Low,
    Full,
}

/// Runs until the recorder is shut down and every recording is closed.
pub(crate) fn run(shared: &Shared, engine: &mpsc::Sender<RecorderEvent>, volume: &dyn Volume) {
    let mut writer = Writer {
        shared,
        engine,
        volume,
        open: VecDeque::new(),
        spare: Batch::default(),
        events: VecDeque::new(),
        disk: Disk::Ok,
        disk_checked: None,
        free_bytes: None,
        watched: None,
    };
    let mut next = Instant::now();
    loop {
        let now = Instant::now();
        let stopping = shared.stopping.load(Ordering::Acquire);
        let rota = Rota::of(writer.open.len(), shared.config.drain_every);
        writer.turn(now, if stopping { usize::MAX } else { rota.share }, stopping);
        if stopping && writer.open.is_empty() {
            break;
        }
        // A late turn is not made up for by a faster one.
        next = (next + rota.pause).max(now);
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
    let until = Instant::now() + LAST_EVENTS;
    while !writer.events.is_empty() && Instant::now() < until {
        writer.tell();
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many recordings are served in a turn, and how long the turn lasts: all come round once in `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rota {
    share: usize,
    pause: Duration,
}

impl Rota {
    fn of(open: usize, every: Duration) -> Self {
        let turns = open.div_ceil(PER_TURN).clamp(1, usize::from(u16::MAX));
        let pause = (every / turns as u32).max(SHORTEST_PAUSE.min(every));
        let turns = (every.as_nanos() / pause.as_nanos().max(1)).max(1) as usize;
        Rota { share: open.div_ceil(turns).max(1), pause }
    }
}

impl Writer<'_> {
    fn turn(&mut self, now: Instant, share: usize, stopping: bool) {
        self.check_disk(now);
        let opened = std::mem::take(&mut *self.shared.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for Opened { spec, inbox, started } in opened {
            let recording = Recording::new(spec, inbox, &self.shared.config.dir);
            self.open.push_back(Open { recording, started, flushed: None });
        }
        for _ in 0..share.min(self.open.len()) {
            let Some(mut open) = self.open.pop_front() else { break };
            if stopping {
                open.recording.inbox().finish(open.started.elapsed());
            }
            // One recording's defect must not end the others.
            match catch_unwind(AssertUnwindSafe(|| self.serve(&mut open, now))) {
                Ok(None) => self.open.push_back(open),
                Ok(Some(end)) => self.finish(open, end),
                Err(_) => self.failed(open.recording.key(), "a defect in the recorder".into()),
            }
        }
        if self.watched.is_none_or(|last| now.duration_since(last) >= self.shared.config.drain_every) {
            self.watched = Some(now);
            self.watch_disk();
        }
        self.tell();
    }

    /// Takes in what arrived; flushes when it is time. Returns the end when it has come.
    fn serve(&mut self, open: &mut Open, now: Instant) -> Option<Duration> {
        let reserve_touched = self.reserve_touched();
        let end = open.recording.drain(&mut self.spare);
        if end.is_some() {
            return end;
        }
        let due = open.flushed.is_none_or(|last| now.duration_since(last) >= self.shared.config.flush_every);
        if !due {
            return None;
        }
        open.flushed = Some(now);
        if reserve_touched {
            open.recording.hold_back();
            return None;
        }
        let was_waiting = open.recording.is_waiting();
        match open.recording.flush(self.volume) {
            Ok(samples) => {
                self.shared.counts.bytes_written.fetch_add(samples * 2, Ordering::Relaxed);
            }
            Err(error) if was_waiting => tracing::debug!(%error, "the disk still refuses"),
            Err(error) => tracing::error!(%error, "the disk refuses a recording"),
        }
        None
    }

    fn finish(&mut self, open: Open, end: Duration) {
        let Open { recording, .. } = open;
        let (key, before) = (recording.key(), recording.samples());
        let (volume, may_write) = (self.volume, !self.reserve_touched());
        match catch_unwind(AssertUnwindSafe(|| recording.finish(volume, end, may_write))) {
            Ok(Ok(summary)) => {
                let counts = &self.shared.counts;
                counts.open.fetch_sub(1, Ordering::Relaxed);
                counts.finished.fetch_add(1, Ordering::Relaxed);
                counts.bytes_written.fetch_add((summary.samples - before) * 2, Ordering::Relaxed);
                counts.lost_frames.fetch_add(summary.lost_frames, Ordering::Relaxed);
                self.events.push_back(RecorderEvent::Finished { key, summary });
            }
            Ok(Err(error)) => self.failed(key, error.to_string()),
            Err(_) => self.failed(key, "a defect in the recorder".into()),
        }
    }

    fn failed(&mut self, key: u128, why: String) {
        tracing::error!(key = format_args!("{key:032x}"), why, "recording failed");
        self.shared.counts.open.fetch_sub(1, Ordering::Relaxed);
        self.shared.counts.failed.fetch_add(1, Ordering::Relaxed);
        self.events.push_back(RecorderEvent::Failed { key, why });
    }

    fn check_disk(&mut self, now: Instant) {
        if self.disk_checked.is_none_or(|last| now.duration_since(last) >= DISK_CHECK) {
            self.disk_checked = Some(now);
            self.free_bytes = self.volume.free_bytes();
        }
    }

    fn reserve_touched(&self) -> bool {
        self.free_bytes.is_some_and(|free| free < self.shared.config.reserve_bytes)
    }

    /// Tells of a change between good, low and full.
    fn watch_disk(&mut self) {
        let free = self.free_bytes;
        let waiting = self.open.iter().any(|open| open.recording.is_waiting());
        let disk = if waiting || self.reserve_touched() {
            Disk::Full
        } else if free.is_some_and(|free| free < self.shared.config.min_free_bytes) {
            Disk::Low
        } else {
            Disk::Ok
        };
        if disk == self.disk {
            return;
        }
        self.disk = disk;
        self.shared.counts.disk_full.store(disk == Disk::Full, Ordering::Relaxed);
        let free_bytes = free.unwrap_or(0);
        tracing::warn!(?disk, free_bytes, "space for recordings");
        self.events.push_back(match disk {
            Disk::Ok => RecorderEvent::DiskOk { free_bytes: free },
            Disk::Low => RecorderEvent::DiskLow { free_bytes },
            Disk::Full if waiting => RecorderEvent::DiskFull { why: "the disk takes no recordings".into() },
            Disk::Full => RecorderEvent::DiskFull { why: format!("{free_bytes} bytes left") },
        });
    }

    /// Hands over events as far as the engine takes them. There are at most two for each recording.
    fn tell(&mut self) {
        while let Some(event) = self.events.pop_front() {
            match self.engine.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.events.push_front(event);
                    return;
                }
                Err(TrySendError::Closed(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(100);

    #[test]
    fn all_recordings_come_round_in_time_and_no_turn_is_long() {
        assert_eq!(Rota::of(0, EVERY), Rota { share: 1, pause: EVERY });
        assert_eq!(Rota::of(2, EVERY), Rota { share: 2, pause: EVERY });
        assert_eq!(Rota::of(400, EVERY), Rota { share: 8, pause: Duration::from_millis(2) });
        for open in [1, 7, 9, 100, 401, 799, 801, 5_000, 10_000] {
            let Rota { share, pause } = Rota::of(open, EVERY);
            let turns = open.div_ceil(share) as u32;
            assert!(pause * turns <= EVERY + pause, "{open} recordings take {:?}", pause * turns);
            assert!(share <= PER_TURN || pause == SHORTEST_PAUSE, "{open} recordings: {share} in one turn");
        }
        assert_eq!(Rota::of(1_000, Duration::from_micros(10)).pause, Duration::from_micros(10));
    }
}
