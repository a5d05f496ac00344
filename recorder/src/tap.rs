//! The end of a recording that the media thread holds: frames go into a batch that the writer thread takes away.
//!
//! No channel, no wake-up, no allocation in the steady state: the batch lives behind a mutex that is held for a copy of
//! 160 bytes or the exchange of two buffers. If the writer holds it at that very moment, the frame goes into a spill of
//! its own and joins with the next one. A batch that is full (the disk stalls) counts what it loses and when.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::frame::{Codec, Frame, FrameSink};

/// Larger payloads (over 120 ms of G.711) are no frames of a call.
pub const MAX_PAYLOAD: usize = 960;
/// Marks waiting in one batch; more are dropped.
const MAX_WAITING_MARKS: usize = 256;
/// Frames the spill keeps while the batch is out of reach.
const MAX_SPILL: usize = 16;

/// What happened since the last look, in order.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) loss: Option<Loss>,
    frames: usize,
    marks: usize,
}

pub(crate) enum Item {
    Frame { at: Duration, codec: Codec, rtp_timestamp: u32, sequence: u16, ssrc: u32, len: u16 },
    Mark { at: Duration, name: String, begin: bool },
}

/// Frames that found no room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) frames: u64,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

/// Between one [`Tap`] and the writer thread.
pub(crate) struct Inbox {
    batch: Mutex<Batch>,
    ended: AtomicBool,
    /// Set with `ended`.
    end: Mutex<Option<Duration>>,
    capacity: usize,
}

impl Inbox {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            batch: Mutex::new(Batch::default()),
            ended: AtomicBool::new(false),
            end: Mutex::new(None),
            capacity,
        })
    }

    /// Exchanges the batch for the empty `spare`, and says whether the recording has ended (nothing will follow).
    pub(crate) fn take(&self, spare: &mut Batch) -> Option<Duration> {
        // Read before the exchange: an end seen here has all its frames in the batch.
        let end = self.end();
        spare.clear();
        std::mem::swap(&mut *lock(&self.batch), spare);
        end
    }

    fn end(&self) -> Option<Duration> {
        if self.ended.load(Ordering::Acquire) { *lock(&self.end) } else { None }
    }

    /// The first end counts.
    pub(crate) fn finish(&self, at: Duration) {
        let mut end = lock(&self.end);
        if end.is_none() {
            *end = Some(at);
            self.ended.store(true, Ordering::Release);
        }
    }
}

impl Batch {
    fn clear(&mut self) {
        // A stall may have made these large.
        if self.bytes.capacity() > 64 * 1024 {
            *self = Self::default();
            return;
        }
        self.items.clear();
        self.bytes.clear();
        self.loss = None;
        self.frames = 0;
        self.marks = 0;
    }

    fn frame(&mut self, at: Duration, frame: &Frame<'_>, capacity: usize) {
        if self.frames >= capacity || frame.payload.len() > MAX_PAYLOAD {
            return self.lose(at);
        }
        self.frames += 1;
        self.bytes.extend_from_slice(frame.payload);
        self.items.push(Item::Frame {
            at,
            codec: frame.codec,
            rtp_timestamp: frame.rtp_timestamp,
            sequence: frame.sequence,
            ssrc: frame.ssrc,
            len: frame.payload.len() as u16,
        });
    }

    fn lose(&mut self, at: Duration) {
        let loss = self.loss.get_or_insert(Loss { frames: 0, first: at, last: at });
        loss.frames += 1;
        loss.last = at;
    }

    fn mark(&mut self, at: Duration, name: &str, begin: bool) {
        if self.marks < MAX_WAITING_MARKS {
            self.marks += 1;
            self.items.push(Item::Mark { at, name: name.to_owned(), begin });
        }
    }

    fn append(&mut self, other: &mut Self, capacity: usize) {
        let mut bytes = other.bytes.as_slice();
        for item in other.items.drain(..) {
            if let Item::Frame { at, len, .. } = item {
                let (payload, rest) = bytes.split_at(usize::from(len));
                bytes = rest;
                if self.frames >= capacity {
                    self.lose(at);
                    continue;
                }
                self.frames += 1;
                self.bytes.extend_from_slice(payload);
            }
            self.items.push(item);
        }
        if let Some(loss) = other.loss {
            self.lose(loss.first);
            self.lose(loss.last);
            if let Some(sum) = &mut self.loss {
                sum.frames += loss.frames.saturating_sub(2);
            }
        }
        other.clear();
    }
}

/// The sink of one recording.
pub(crate) struct Tap {
    inbox: Arc<Inbox>,
    started: Instant,
    spill: Batch,
}

impl Tap {
    pub(crate) fn new(inbox: Arc<Inbox>, started: Instant) -> Self {
        Self { inbox, started, spill: Batch::default() }
    }

    fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }
}

impl FrameSink for Tap {
    fn frame(&mut self, frame: Frame<'_>) {
        let at = self.since_start(frame.arrived);
        match self.inbox.batch.try_lock() {
            Ok(mut batch) => {
                if !self.spill.items.is_empty() || self.spill.loss.is_some() {
                    batch.append(&mut self.spill, self.inbox.capacity);
                }
                batch.frame(at, &frame, self.inbox.capacity);
            }
            Err(_) => self.spill.frame(at, &frame, MAX_SPILL),
        }
    }

    fn mark(&mut self, name: &str, begin: bool, at: Instant) {
        let at = self.since_start(at);
        match self.inbox.batch.try_lock() {
            Ok(mut batch) => {
                batch.append(&mut self.spill, self.inbox.capacity);
                batch.mark(at, name, begin);
            }
            Err(_) => self.spill.mark(at, name, begin),
        }
    }

    fn finish(&mut self) {
        // Once in a recording's life, and the writer holds the lock for the exchange of two buffers only.
        lock(&self.inbox.batch).append(&mut self.spill, self.inbox.capacity);
        self.inbox.finish(self.started.elapsed());
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if !self.inbox.ended.load(Ordering::Acquire) {
            self.finish();
        }
    }
}

/// A sink for a recording that could not be opened.
pub(crate) struct Deaf;

impl FrameSink for Deaf {
    fn frame(&mut self, _: Frame<'_>) {}
    fn mark(&mut self, _: &str, _: bool, _: Instant) {}
    fn finish(&mut self) {}
}

/// A panic elsewhere leaves plain data behind, which is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
