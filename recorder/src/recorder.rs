//! The handle the engine holds: opens recordings, hears of their ends and of the disk.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::{
    frame::FrameSink,
    shelf::is_safe_path,
    summary::Summary,
    syncer,
    tap::{Deaf, Inbox, Tap},
    volume::{DirVolume, Volume},
    writer,
};

/// Limits and places. `Default` but for `dir` through [`RecorderConfig::new`].
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// The shelf's folder; made if missing.
    pub dir: PathBuf,
    /// Frames waiting for the writer, for each recording. 500 are 10 s of a stalled disk.
    pub queue_frames: usize,
    /// A kill loses at most this much and `drain_every`. Not above one second.
    pub flush_every: Duration,
    /// The writer thread looks at the queues this often.
    pub drain_every: Duration,
    /// A power failure loses at most this much, the time of one sync, and what a kill loses. Zero leaves it to the system.
    pub sync_every: Duration,
    /// Below this, [`RecorderEvent::DiskLow`] warns.
    pub min_free_bytes: u64,
    /// Below this nothing more is written, so that the ledger on the same disk goes on.
    pub reserve_bytes: u64,
    /// Recordings open at a time.
    pub max_open: usize,
    /// Events waiting for the engine; more wait with the writer.
    pub event_queue: usize,
}

impl RecorderConfig {
    /// Longest allowed `flush_every`.
    pub const MAX_FLUSH: Duration = Duration::from_secs(1);

    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            queue_frames: 500,
            flush_every: Duration::from_millis(700),
            drain_every: Duration::from_millis(200),
            sync_every: Duration::from_secs(5),
            min_free_bytes: 1 << 30,
            reserve_bytes: 64 << 20,
            max_open: 10_000,
            event_queue: 1_024,
        }
    }
}

/// What is to be recorded, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSpec {
    /// Comes back in every event.
    pub key: u128,
    /// File name without ending: letters, digits, `_`, `-`. Our id, never what a peer sent.
    pub name: String,
    /// Folders below the shelf's, of the same characters, `/` between them; may be empty.
    pub subdir: String,
    /// From the contact's start to the moment of opening, which is the first sample.
    pub offset: Duration,
}

impl RecordingSpec {
    /// Path of the finished file below the shelf's folder.
    pub fn path(&self) -> String {
        if self.subdir.is_empty() { format!("{}.wav", self.name) } else { format!("{}/{}.wav", self.subdir, self.name) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum RecorderEvent {
    /// The file has its final name and is on the disk.
    Finished { key: u128, summary: Summary },
    /// Nothing could be kept, or only a `.part` that the next boot repairs.
    Failed { key: u128, why: String },
    /// Free space went below `min_free_bytes`.
    DiskLow { free_bytes: u64 },
    /// Recordings are not being written: calls go on, holes are marked. Repeated never, cleared by `DiskOk`.
    DiskFull { why: String },
    /// Space is back and every recording is being written.
    DiskOk { free_bytes: Option<u64> },
}

/// Receives what the writer thread has to tell.
pub struct RecorderEvents(mpsc::Receiver<RecorderEvent>);

impl RecorderEvents {
    /// The next event; `None` after a shutdown.
    pub async fn recv(&mut self) -> Option<RecorderEvent> {
        self.0.recv().await
    }

    /// For threads without a runtime.
    pub fn blocking_recv(&mut self) -> Option<RecorderEvent> {
        self.0.blocking_recv()
    }

    pub fn try_recv(&mut self) -> Option<RecorderEvent> {
        self.0.try_recv().ok()
    }
}

/// Counters since the start, and the present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecorderStats {
    pub open: usize,
    pub finished: u64,
    pub failed: u64,
    /// PCM bytes of the recordings, open ones included.
    pub bytes_written: u64,
    /// Never arrived or found a queue full, in finished recordings.
    pub lost_frames: u64,
    /// The disk takes nothing at the moment.
    pub disk_full: bool,
}

/// Owns the writer thread and the one that syncs. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// Between the handles and the writer thread.
pub(crate) struct Shared {
    pub(crate) config: RecorderConfig,
    pub(crate) opened: Mutex<Vec<Opened>>,
    pub(crate) stopping: AtomicBool,
    /// For refusals; taken away by the shutdown, so that the engine's `recv` ends.
    refusals: Mutex<Option<mpsc::Sender<RecorderEvent>>>,
    pub(crate) counts: Counts,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) open: AtomicUsize,
    pub(crate) finished: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) lost_frames: AtomicU64,
    pub(crate) disk_full: AtomicBool,
}

/// A recording on its way to the writer.
pub(crate) struct Opened {
    pub(crate) spec: RecordingSpec,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) started: Instant,
}

impl Recorder {
    /// Makes the folder and starts the writer thread. Call [`crate::repair::repair`] first.
    ///
    /// # Errors
    /// The folder cannot be made, a limit makes no sense, or no thread can be started.
    pub fn start(config: RecorderConfig) -> io::Result<(Self, RecorderEvents)> {
        let volume = DirVolume::new(&config.dir);
        Self::start_on(config, Box::new(volume))
    }

    /// As [`Recorder::start`], on another kind of disk.
    ///
    /// # Errors
    /// As [`Recorder::start`].
    pub fn start_on(config: RecorderConfig, volume: Box<dyn Volume>) -> io::Result<(Self, RecorderEvents)> {
        check(&config)?;
        std::fs::create_dir_all(&config.dir)?;
        let (events, receiver) = mpsc::channel(config.event_queue);
        let shared = Arc::new(Shared {
            config,
            opened: Mutex::new(Vec::new()),
            stopping: AtomicBool::new(false),
            refusals: Mutex::new(Some(events.clone())),
            counts: Counts::default(),
        });
        let volume: Arc<dyn Volume> = Arc::from(volume);
        let mut threads = Vec::new();
        if !shared.config.sync_every.is_zero() {
            let (shared, volume) = (shared.clone(), volume.clone());
            let thread = std::thread::Builder::new().name("recorder-sync".into());
            threads.push(thread.spawn(move || syncer::run(&shared, &*volume))?);
        }
        let thread = std::thread::Builder::new().name("recorder".into());
        threads.push({
            let shared = shared.clone();
            thread.spawn(move || writer::run(&shared, &events, &*volume))?
        });
        Ok((Self { shared, threads: Arc::new(Mutex::new(threads)) }, RecorderEvents(receiver)))
    }

    /// Opens a recording that begins now. A recording that may not be opened (name, limit) is answered with a sink that
    /// hears nothing and a [`RecorderEvent::Failed`]: a call goes on without its recording, and the engine knows.
    pub fn open(&self, spec: RecordingSpec) -> Box<dyn FrameSink> {
        if let Err(why) = self.may_open(&spec) {
            tracing::error!(recording = %spec.name, why, "recording refused");
            self.shared.counts.failed.fetch_add(1, Ordering::Relaxed);
            if let Some(events) = &*self.shared.refusals.lock().unwrap_or_else(PoisonError::into_inner) {
                let _ = events.try_send(RecorderEvent::Failed { key: spec.key, why: why.into() });
            }
            return Box::new(Deaf);
        }
        let inbox = Inbox::new(self.shared.config.queue_frames);
        let started = Instant::now();
        let opened = Opened { spec, inbox: inbox.clone(), started };
        self.shared.counts.open.fetch_add(1, Ordering::Relaxed);
        self.shared.opened.lock().unwrap_or_else(PoisonError::into_inner).push(opened);
        Box::new(Tap::new(inbox, started))
    }

    fn may_open(&self, spec: &RecordingSpec) -> Result<(), &'static str> {
        if self.shared.stopping.load(Ordering::Acquire) {
            return Err("shutting down");
        }
        if self.shared.counts.open.load(Ordering::Relaxed) >= self.shared.config.max_open {
            return Err("too many recordings");
        }
        if spec.name.contains('/') || !is_safe_path(Path::new(&spec.path())) {
            return Err("not a name for a recording");
        }
        Ok(())
    }

    pub fn stats(&self) -> RecorderStats {
        let counts = &self.shared.counts;
        RecorderStats {
            open: counts.open.load(Ordering::Relaxed),
            finished: counts.finished.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            bytes_written: counts.bytes_written.load(Ordering::Relaxed),
            lost_frames: counts.lost_frames.load(Ordering::Relaxed),
            disk_full: counts.disk_full.load(Ordering::Relaxed),
        }
    }

    /// Ends every open recording, waits until the files are closed and the thread is gone. Blocks: milliseconds for each
    /// open recording.
    pub fn shutdown(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.refusals.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in &threads {
            thread.thread().unpark();
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the recorder had died");
            }
        }
    }
}

fn check(config: &RecorderConfig) -> io::Result<()> {
    let wrong = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
    if config.flush_every > RecorderConfig::MAX_FLUSH || config.flush_every.is_zero() {
        return wrong("flush_every must be above zero and at most one second");
    }
    if config.drain_every > RecorderConfig::MAX_FLUSH || config.drain_every.is_zero() {
        return wrong("drain_every must be above zero and at most one second");
    }
    if config.queue_frames == 0 || config.event_queue == 0 || config.max_open == 0 {
        return wrong("queue_frames, event_queue and max_open must be above zero");
    }
    Ok(())
}
