//! The whole call as one stereo file that exists nowhere: customer left, agents right, rendered from the legs' mono files
//! for just the bytes that are asked for.
//!
//! Time zero is the first leg's first sample. Legs lie where their offsets put them; where several speak on one channel
//! they are added and kept within 16 bits. The hours between two attempts are shortened ([`Gaps::Shortened`]).

use std::{io, sync::Arc};

use crate::{
    shelf::{Shelf, checked_range},
    summary::milliseconds,
    timeline::SAMPLE_RATE,
    wav::{HEADER_BYTES, MAX_PCM_BYTES, PROBE_BYTES, Shape, header},
};

/// Legs of one call.
pub const MAX_LEGS: usize = 256;
/// Columns of a waveform.
pub const MAX_BUCKETS: usize = 20_000;
/// With [`Gaps::Shortened`], nothing recorded for longer than this is shortened to this.
pub const LONGEST_GAP_MS: u64 = 3_000;
/// Bytes of one sample on both channels.
const PAIR: u64 = 4;
/// Pairs rendered at a time for peaks.
const BLOCK: u64 = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The customer.
    Left,
    /// Agents and everybody else.
    Right,
}

/// One recorded leg of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegTrack {
    /// Its name on the shelf: `path` of its summary.
    pub rel: String,
    /// From the contact's start.
    pub offset_ms: u64,
    pub channel: Channel,
}

/// What becomes of the time in which no leg is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    Kept,
    Shortened,
}

/// The rendered call.
#[derive(Clone)]
pub struct StereoWav {
    shelf: Arc<dyn Shelf>,
    tracks: Vec<Track>,
    samples: u64,
    clock: Clock,
}

#[derive(Clone)]
struct Track {
    name: String,
    lane: usize,
    /// Where it begins in the rendered call, in samples.
    begin: u64,
    samples: u64,
    pcm_at: u64,
}

/// From the contact's time to the rendered call's.
#[derive(Clone)]
struct Clock {
    /// Contact time of sample zero.
    origin: u64,
    /// From this contact time on, so many samples are left out; ascending.
    cuts: Vec<(u64, u64)>,
}

/// Smallest and largest sample of each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peaks {
    pub duration_ms: u64,
    pub left: Vec<(i16, i16)>,
    pub right: Vec<(i16, i16)>,
}

impl StereoWav {
    /// Reads the legs' headers.
    ///
    /// # Errors
    /// No legs, too many, one that is missing or no recording, or more than a WAV can hold (18 hours).
    pub fn open(shelf: Arc<dyn Shelf>, legs: &[LegTrack], gaps: Gaps) -> io::Result<Self> {
        if legs.is_empty() || legs.len() > MAX_LEGS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a call has 1 to 256 legs"));
        }
        let mut tracks = Vec::with_capacity(legs.len());
        for leg in legs {
            let shape = shape(&*shelf, &leg.rel)?;
            let begin = leg.offset_ms.saturating_mul(u64::from(SAMPLE_RATE) / 1_000);
            let lane = match leg.channel {
                Channel::Left => 0,
                Channel::Right => 1,
            };
            tracks.push(Track {
                name: leg.rel.clone(),
                lane,
                begin,
                samples: shape.pcm_bytes / 2,
                pcm_at: shape.pcm_at,
            });
        }
        let clock = Clock::new(&mut tracks, gaps);
        for track in &mut tracks {
            track.begin = clock.place(track.begin);
        }
        let samples = tracks.iter().map(|track| track.begin.saturating_add(track.samples)).max().unwrap_or(0);
        if samples > MAX_PCM_BYTES / PAIR {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too long for one file"));
        }
        Ok(Self { shelf, tracks, samples, clock })
    }

    /// Bytes of the whole file.
    #[allow(clippy::len_without_is_empty)] // Never empty: there is a header.
    pub fn len(&self) -> u64 {
        HEADER_BYTES + self.samples * PAIR
    }

    pub fn duration_ms(&self) -> u64 {
        milliseconds(self.samples)
    }

    /// Where a moment of the contact (an offset as in [`LegTrack`]) is in the rendered call; marks are placed by this.
    pub fn view_ms(&self, offset_ms: u64) -> u64 {
        milliseconds(self.clock.place(offset_ms.saturating_mul(u64::from(SAMPLE_RATE) / 1_000)))
    }

    /// The bytes `from..to`, fewer at the end of the file.
    ///
    /// # Errors
    /// The shelf fails, or the range is turned around or above [`crate::shelf::MAX_RANGE_BYTES`].
    pub fn read_range(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        checked_range(from, to)?;
        let to = to.min(self.len());
        let from = from.min(to);
        let mut bytes = Vec::with_capacity((to - from) as usize);
        if from < HEADER_BYTES {
            let header = header(2, self.samples * PAIR);
            bytes.extend_from_slice(&header[from as usize..to.min(HEADER_BYTES) as usize]);
        }
        if to > HEADER_BYTES {
            let begin = from.max(HEADER_BYTES) - HEADER_BYTES;
            let end = to - HEADER_BYTES;
            let (first, last) = (begin / PAIR, end.div_ceil(PAIR));
            let pairs = self.render(first, last)?;
            let rendered: Vec<u8> = pairs.iter().flatten().flat_map(|&sample| clip(sample).to_le_bytes()).collect();
            let skip = (begin - first * PAIR) as usize;
            bytes.extend_from_slice(&rendered[skip..skip + (end - begin) as usize]);
        }
        Ok(bytes)
    }

    /// The waveform in so many columns. Reads everything once: not for a thread that must not wait.
    ///
    /// # Errors
    /// The shelf fails, or more than [`MAX_BUCKETS`].
    pub fn peaks(&self, buckets: usize) -> io::Result<Peaks> {
        if buckets == 0 || buckets > MAX_BUCKETS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "1 to 20000 columns"));
        }
        let mut lanes = [vec![(0, 0); buckets], vec![(0, 0); buckets]];
        let mut at = 0;
        while at < self.samples {
            let end = (at + BLOCK).min(self.samples);
            for (index, pair) in (at..end).zip(self.render(at, end)?) {
                let bucket = (index * buckets as u64 / self.samples) as usize;
                for (lane, sample) in lanes.iter_mut().zip(pair) {
                    let (low, high) = &mut lane[bucket];
                    let sample = clip(sample);
                    *low = sample.min(*low);
                    *high = sample.max(*high);
                }
            }
            at = end;
        }
        let [left, right] = lanes;
        Ok(Peaks { duration_ms: self.duration_ms(), left, right })
    }

    /// Sums the legs over the samples `from..to`.
    fn render(&self, from: u64, to: u64) -> io::Result<Vec<[i32; 2]>> {
        let mut pairs = vec![[0; 2]; (to - from) as usize];
        for track in &self.tracks {
            let begin = from.max(track.begin);
            let end = to.min(track.begin + track.samples);
            if begin >= end {
                continue;
            }
            let byte = |sample: u64| track.pcm_at + (sample - track.begin) * 2;
            let pcm = self.shelf.read_range(&track.name, byte(begin), byte(end))?;
            let window = &mut pairs[(begin - from) as usize..];
            for (pair, sample) in window.iter_mut().zip(pcm.chunks_exact(2)) {
                pair[track.lane] += i32::from(i16::from_le_bytes([sample[0], sample[1]]));
            }
        }
        Ok(pairs)
    }
}

/// One leg as it lies on the shelf.
#[derive(Clone)]
pub struct LegWav {
    shelf: Arc<dyn Shelf>,
    name: String,
    len: u64,
}

impl LegWav {
    /// # Errors
    /// No such recording.
    pub fn open(shelf: Arc<dyn Shelf>, name: &str) -> io::Result<Self> {
        let len = shelf.len(name)?;
        Ok(Self { shelf, name: name.to_owned(), len })
    }

    /// Bytes of the file.
    #[allow(clippy::len_without_is_empty)] // A recording without sound still has a header.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// As [`StereoWav::read_range`].
    ///
    /// # Errors
    /// As [`StereoWav::read_range`].
    pub fn read_range(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        self.shelf.read_range(&self.name, from.min(self.len), to.min(self.len))
    }
}

impl Clock {
    fn new(tracks: &mut [Track], gaps: Gaps) -> Self {
        tracks.sort_by_key(|track| track.begin);
        let origin = tracks.first().map_or(0, |track| track.begin);
        let longest = LONGEST_GAP_MS * u64::from(SAMPLE_RATE) / 1_000;
        let mut cuts = Vec::new();
        let mut removed = 0;
        let mut covered = origin;
        for track in tracks.iter() {
            let gap = track.begin.saturating_sub(covered);
            if gaps == Gaps::Shortened && gap > longest {
                removed += gap - longest;
                cuts.push((track.begin, removed));
            }
            covered = covered.max(track.begin.saturating_add(track.samples));
        }
        Self { origin, cuts }
    }

    fn place(&self, contact_sample: u64) -> u64 {
        let before = self.cuts.iter().take_while(|(from, _)| *from <= contact_sample).last();
        let removed = before.map_or(0, |(_, removed)| *removed);
        // A moment within a shortened gap must not lie behind what follows the gap.
        let next = self.cuts.iter().find(|(from, _)| *from > contact_sample);
        let placed = contact_sample.saturating_sub(self.origin).saturating_sub(removed);
        match next {
            Some((from, total)) => placed.min(from - self.origin - total),
            None => placed,
        }
    }
}

fn shape(shelf: &dyn Shelf, name: &str) -> io::Result<Shape> {
    let len = shelf.len(name)?;
    let beginning = shelf.read_range(name, 0, PROBE_BYTES.min(len))?;
    let mut shape = Shape::read(&beginning)?;
    if !shape.is_ours() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a mono recording of 8 kHz and 16 bits"));
    }
    shape.pcm_bytes = shape.pcm_bytes.min(len.saturating_sub(shape.pcm_at));
    Ok(shape)
}

fn clip(sum: i32) -> i16 {
    sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}
