//! The writer thread: looks at every open recording ten times a second, keeps the files playable, watches the disk.

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

/// How often free space is asked for and a refusing disk tried again.
const DISK_CHECK: Duration = Duration::from_secs(1);
/// How long a shutdown waits for the engine to take the last events.
const LAST_EVENTS: Duration = Duration::from_secs(5);

struct Writer<'a> {
    shared: &'a Shared,
    engine: &'a mpsc::Sender<RecorderEvent>,
    volume: &'a dyn Volume,
    open: Vec<Open>,
    /// Exchanged with each inbox in turn.
    spare: Batch,
    events: VecDeque<RecorderEvent>,
    disk: Disk,
    disk_checked: Option<Instant>,
    free_bytes: Option<u64>,
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
        open: Vec::new(),
        spare: Batch::default(),
        events: VecDeque::new(),
        disk: Disk::Ok,
        disk_checked: None,
        free_bytes: None,
    };
    loop {
        let stopping = shared.stopping.load(Ordering::Acquire);
        writer.turn(Instant::now(), stopping);
        if stopping && writer.open.is_empty() {
            break;
        }
        std::thread::park_timeout(shared.config.drain_every);
    }
    let until = Instant::now() + LAST_EVENTS;
    while !writer.events.is_empty() && Instant::now() < until {
        writer.tell();
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Writer<'_> {
    fn turn(&mut self, now: Instant, stopping: bool) {
        self.check_disk(now);
        let opened = std::mem::take(&mut *self.shared.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for Opened { spec, inbox, started } in opened {
            let recording = Recording::new(spec, inbox, &self.shared.config.dir);
            self.open.push(Open { recording, started, flushed: None });
        }
        let mut index = 0;
        while index < self.open.len() {
            if stopping {
                let open = &self.open[index];
                open.recording.inbox().finish(open.started.elapsed());
            }
            // One recording's defect must not end the others.
            match catch_unwind(AssertUnwindSafe(|| self.serve(index, now))) {
                Ok(None) => index += 1,
                Ok(Some(end)) => self.finish(index, end),
                Err(_) => {
                    let open = self.open.swap_remove(index);
                    self.failed(open.recording.key(), "a defect in the recorder".into());
                }
            }
        }
        self.watch_disk();
        self.tell();
    }

    /// Takes in what arrived; flushes when it is time. Returns the end when it has come.
    fn serve(&mut self, index: usize, now: Instant) -> Option<Duration> {
        let reserve_touched = self.reserve_touched();
        let open = &mut self.open[index];
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

    fn finish(&mut self, index: usize, end: Duration) {
        let Open { recording, .. } = self.open.swap_remove(index);
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
