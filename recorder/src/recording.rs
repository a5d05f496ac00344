//! One recording's life on the writer thread: batches in, samples placed, whole frames appended, marks kept, and a
//! file with its sidecar at the end. A disk that refuses turns the recording into one that waits, with a growing hole
//! that is filled with silence and marked when the disk takes bytes again.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    frame::{Codec, Decoder},
    integrity::Chain,
    recorder::RecordingSpec,
    summary::{Mark, Sidecar, Stage, Summary, milliseconds},
    tap::{Batch, Inbox, Item, Loss},
    timeline::{Arrival, FRAME_SAMPLES, Run, SAMPLE_RATE, Timeline, samples_in},
    volume::Volume,
    wav::WavWriter,
};

/// Samples written in one go; longer silences come in pieces.
const MAX_PENDING: usize = 8 * SAMPLE_RATE as usize;
/// Marks kept for one recording.
pub const MAX_MARKS: usize = 1_000;
/// The mark under which the sound is replaced by silence.
pub const PAUSE: &str = "pause";
/// The mark over what was lost by a full queue or disk.
pub const LOSS: &str = "loss";

pub(crate) struct Recording {
    spec: RecordingSpec,
    inbox: Arc<Inbox>,
    place: Place,
    timeline: Timeline,
    output: Output,
    /// Samples placed but not yet in the file.
    pending: Vec<i16>,
    chain: Chain,
    summary: Summary,
    overflow_frames: u64,
    paused: bool,
    /// Sidecar differs from what is on the disk.
    stale: bool,
    decoder: Decoder,
    decoded: Vec<i16>,
}

struct Place {
    part: PathBuf,
    wav: PathBuf,
    sidecar: PathBuf,
}

enum Output {
    /// Not yet made.
    Unopened,
    Writing(WavWriter),
    /// The disk refused `hole` samples, beginning at `from`. `file` is `None` when not even that could be made.
    Waiting {
        file: Option<WavWriter>,
        from: u64,
        hole: u64,
    },
}

impl Recording {
    pub(crate) fn new(spec: RecordingSpec, inbox: Arc<Inbox>, root: &Path) -> Self {
        let relative = spec.path();
        let wav = root.join(&relative);
        let summary = Summary::empty(spec.key, relative, spec.offset.as_millis() as u64);
        let place = Place { part: wav.with_extension("wav.part"), sidecar: wav.with_extension("json"), wav };
        Self {
            spec,
            inbox,
            place,
            timeline: Timeline::new(),
            output: Output::Unopened,
            pending: Vec::new(),
            chain: Chain::default(),
            summary,
            overflow_frames: 0,
            paused: false,
            stale: true,
            decoder: Decoder::default(),
            decoded: Vec::new(),
        }
    }

    pub(crate) fn key(&self) -> u128 {
        self.spec.key
    }

    /// Samples in the file.
    pub(crate) fn samples(&self) -> u64 {
        self.summary.samples
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.output, Output::Waiting { .. })
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Takes what has arrived since the last look; returns the end, when it has come.
    pub(crate) fn drain(&mut self, spare: &mut Batch) -> Option<Duration> {
        let end = self.inbox.take(spare);
        let mut bytes = spare.bytes.as_slice();
        for item in spare.items.drain(..) {
            match item {
                Item::Frame { at, codec, rtp_timestamp, sequence, ssrc, len } => {
                    let (payload, rest) = bytes.split_at(usize::from(len).min(bytes.len()));
                    bytes = rest;
                    self.frame(at, codec, (rtp_timestamp, sequence, ssrc), payload);
                }
                Item::Mark { at, name, begin } => self.mark(at, &name, begin),
            }
        }
        if let Some(loss) = spare.loss.take() {
            self.lose(loss);
        }
        end
    }

    fn frame(&mut self, at: Duration, codec: Codec, rtp: (u32, u16, u32), payload: &[u8]) {
        self.decoded.clear();
        self.decoder.decode(codec, payload, &mut self.decoded);
        if self.paused {
            self.decoded.fill(0);
        }
        let (rtp_timestamp, sequence, ssrc) = rtp;
        let arrival = Arrival { at, rtp_timestamp, sequence, ssrc, samples: &self.decoded };
        let Self { timeline, pending, output, chain, summary, .. } = self;
        timeline.frame(arrival, &mut |run| Self::take(run, pending, output, chain, summary));
    }

    /// Puts a run behind what is pending; very long silences are written on the way.
    fn take(run: Run<'_>, pending: &mut Vec<i16>, output: &mut Output, chain: &mut Chain, summary: &mut Summary) {
        match run {
            Run::Sound(sound) => pending.extend_from_slice(sound),
            Run::Silence(mut samples) => {
                while samples > 0 {
                    let room = MAX_PENDING.saturating_sub(pending.len()).max(FRAME_SAMPLES) as u64;
                    let now = samples.min(room);
                    pending.resize(pending.len() + now as usize, 0);
                    samples -= now;
                    if pending.len() >= MAX_PENDING {
                        // The flush that follows tries again and reports.
                        if output.append(pending, chain, summary).is_err() {
                            output.wait(pending, summary.samples);
                        }
                    }
                }
            }
        }
    }

    fn mark(&mut self, at: Duration, name: &str, begin: bool) {
        let at_ms = milliseconds(samples_in(at).unsigned_abs());
        if name == PAUSE {
            self.paused = begin;
        }
        if begin {
            self.add_mark(Mark { name: name.to_owned(), begin_ms: at_ms, end_ms: None });
        } else if let Some(open) =
            self.summary.marks.iter_mut().rev().find(|mark| mark.name == name && mark.end_ms.is_none())
        {
            open.end_ms = Some(at_ms.max(open.begin_ms));
        }
        self.stale = true;
    }

    fn lose(&mut self, loss: Loss) {
        self.overflow_frames += loss.frames;
        let begin_ms = loss.first.as_millis() as u64;
        let end_ms = loss.last.as_millis() as u64 + 20;
        self.add_mark(Mark { name: LOSS.to_owned(), begin_ms, end_ms: Some(end_ms) });
    }

    fn add_mark(&mut self, mark: Mark) {
        if self.summary.marks.len() < MAX_MARKS {
            self.summary.marks.push(mark);
            self.stale = true;
        }
    }

    /// Makes everything placed so far playable after a kill; returns the samples added to the file.
    ///
    /// # Errors
    /// The disk refuses, and will be asked again at the next flush.
    pub(crate) fn flush(&mut self, volume: &dyn Volume) -> io::Result<u64> {
        let before = self.summary.samples;
        let links = self.chain.links().len();
        if let Err(error) = self.try_flush(volume) {
            self.output.wait(&mut self.pending, self.summary.samples);
            return Err(error);
        }
        self.stale |= self.chain.links().len() > links;
        self.save_sidecar(Stage::Recording);
        Ok(self.summary.samples - before)
    }

    /// The disk's reserve is touched: nothing is written, the hole grows.
    pub(crate) fn hold_back(&mut self) {
        self.output.wait(&mut self.pending, self.summary.samples);
    }

    fn try_flush(&mut self, volume: &dyn Volume) -> io::Result<()> {
        self.resume(volume)?;
        self.output.append(&mut self.pending, &mut self.chain, &mut self.summary)
    }

    /// The file is made, if need be; a hole of before is filled with silence and marked.
    fn resume(&mut self, volume: &dyn Volume) -> io::Result<()> {
        if let Output::Unopened = self.output {
            self.output = Output::Waiting { file: None, from: 0, hole: 0 };
        }
        let Output::Waiting { file, from, hole } = &mut self.output else { return Ok(()) };
        if file.is_none() {
            if self.place.wav.exists() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a recording of this name exists"));
            }
            let made = volume.create(&self.place.part)?;
            match WavWriter::create(made) {
                Ok(made) => *file = Some(made),
                Err(error) => {
                    let _ = std::fs::remove_file(&self.place.part);
                    return Err(error);
                }
            }
        }
        let Some(writer) = file else { return Ok(()) };
        let silence = [0; MAX_PENDING / 8];
        while *hole > 0 {
            let piece = &silence[..silence.len().min(*hole as usize)];
            writer.append(piece)?;
            *hole -= piece.len() as u64;
            account(piece, &mut self.chain, &mut self.summary);
        }
        let (from, to) = (*from, self.summary.samples);
        if let Some(writer) = file.take() {
            self.output = Output::Writing(writer);
        }
        if to > from {
            let (begin_ms, end_ms) = (milliseconds(from), Some(milliseconds(to)));
            self.add_mark(Mark { name: LOSS.to_owned(), begin_ms, end_ms });
        }
        Ok(())
    }

    /// Ends the recording: the last frames, the hash, the sidecar, the final name.
    ///
    /// # Errors
    /// Nothing could be kept. What is in the `.part` file stays for a repair.
    pub(crate) fn finish(mut self, volume: &dyn Volume, end: Duration, may_write: bool) -> io::Result<Summary> {
        let Self { timeline, pending, output, chain, summary, .. } = &mut self;
        timeline.finish(end, &mut |run| Self::take(run, pending, output, chain, summary));
        let last = if may_write { self.try_flush(volume) } else { Err(io::ErrorKind::StorageFull.into()) };
        if let Err(error) = last {
            self.output.wait(&mut self.pending, self.summary.samples);
            tracing::warn!(recording = %self.spec.name, %error, "the end of a recording is lost");
        }
        let writer = match &mut self.output {
            Output::Writing(writer) => writer,
            Output::Waiting { file: Some(writer), from, hole } => {
                // The sound before the hole is whole; what would follow is named in the mark only.
                let end_ms = Some(milliseconds(self.summary.samples + *hole));
                self.summary.marks.push(Mark { name: LOSS.to_owned(), begin_ms: milliseconds(*from), end_ms });
                writer
            }
            Output::Unopened | Output::Waiting { file: None, .. } => return Err(io::ErrorKind::StorageFull.into()),
        };
        writer.finish()?;
        self.summary.close_marks();
        self.count();
        self.summary.sha256_chain = self.chain.clone().finish().pop().unwrap_or_default();
        self.stale = true;
        self.save_sidecar(Stage::Finished);
        volume.rename(&self.place.part, &self.place.wav)?;
        Ok(self.summary)
    }

    fn count(&mut self) {
        let counters = self.timeline.counters();
        self.summary.lost_frames = counters.lost_frames.max(self.overflow_frames);
        self.summary.gaps = counters.gaps;
    }

    /// Brings the sidecar up to date, if it is not. Without it the sound is still good, so a failure is only told.
    fn save_sidecar(&mut self, stage: Stage) {
        let links = match stage {
            Stage::Recording => self.chain.links(),
            Stage::Finished => self.chain.clone().finish(),
        };
        if !self.stale {
            return;
        }
        self.count();
        let sidecar = Sidecar { format: Sidecar::FORMAT, stage, summary: self.summary.clone(), links };
        match sidecar.write(&self.place.sidecar) {
            Ok(()) => self.stale = false,
            Err(error) => tracing::warn!(recording = %self.spec.name, %error, "marks not written"),
        }
    }
}

impl Output {
    /// Appends the whole frames of `pending` and forgets them; the rest waits for its frame to fill.
    fn append(&mut self, pending: &mut Vec<i16>, chain: &mut Chain, summary: &mut Summary) -> io::Result<()> {
        let whole = pending.len() / FRAME_SAMPLES * FRAME_SAMPLES;
        match self {
            Self::Writing(writer) => {
                if whole > 0 {
                    writer.append(&pending[..whole])?;
                    account(&pending[..whole], chain, summary);
                    pending.drain(..whole);
                }
                Ok(())
            }
            Self::Unopened | Self::Waiting { .. } => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    /// From now on whole frames go into the hole.
    fn wait(&mut self, pending: &mut Vec<i16>, samples: u64) {
        let whole = pending.len() / FRAME_SAMPLES * FRAME_SAMPLES;
        pending.drain(..whole);
        let here = Self::Waiting { file: None, from: samples, hole: 0 };
        *self = match std::mem::replace(self, here) {
            Self::Unopened => Self::Waiting { file: None, from: 0, hole: whole as u64 },
            Self::Writing(writer) => Self::Waiting { file: Some(writer), from: samples, hole: whole as u64 },
            Self::Waiting { file, from, hole } => Self::Waiting { file, from, hole: hole + whole as u64 },
        };
    }
}

/// Samples that are in the file now.
fn account(sound: &[i16], chain: &mut Chain, summary: &mut Summary) {
    let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    chain.update(&bytes);
    summary.set_samples(summary.samples + sound.len() as u64);
}
