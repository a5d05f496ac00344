//! WAV files through `hound`, whose types stay in this file: 16-bit linear PCM, 8 kHz, mono on disk, stereo on request.
//!
//! A recording grows as `<name>.wav.part`. Each [`WavWriter::append`] writes whole frames and then the lengths in the
//! header, so that at any moment the file plays up to the last append. An append either counts or leaves no trace: what
//! a full disk let through by halves is cut off again. [`WavWriter::finish`] syncs; renaming is the volume's part.

use std::{
    cell::Cell,
    io::{self, Cursor, Read, Seek, SeekFrom, Write},
    rc::Rc,
};

use crate::{timeline::SAMPLE_RATE, volume::VolumeFile};

/// Bytes before the first sample, in every file written here.
pub const HEADER_BYTES: u64 = 44;
/// A WAV counts its bytes in 32 bits; this many PCM bytes fit whatever the header adds.
pub const MAX_PCM_BYTES: u64 = u32::MAX as u64 - 4_096;
/// Enough of a file to find its samples; foreign files may carry other chunks first.
pub const PROBE_BYTES: u64 = 4_096;
const SAMPLE_BYTES: u64 = 2;

/// The header of a file with this many PCM bytes.
pub fn header(channels: u16, pcm_bytes: u64) -> Vec<u8> {
    let mut header = spec(channels).into_header_for_infinite_file();
    let pcm = u32::try_from(pcm_bytes).unwrap_or(u32::MAX);
    let riff = pcm.saturating_add(HEADER_BYTES as u32 - 8);
    header[4..8].copy_from_slice(&riff.to_le_bytes());
    header[40..44].copy_from_slice(&pcm.to_le_bytes());
    header
}

/// What the beginning of a file says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub channels: u16,
    pub sample_rate: u32,
    pub bits: u16,
    /// Where the samples begin.
    pub pcm_at: u64,
    pub pcm_bytes: u64,
}

impl Shape {
    /// Reads the header from the first bytes (up to [`PROBE_BYTES`]) of a file.
    pub fn read(beginning: &[u8]) -> io::Result<Self> {
        let reader = hound::WavReader::new(Cursor::new(beginning)).map_err(from_hound)?;
        let spec = reader.spec();
        if spec.sample_format != hound::SampleFormat::Int {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not linear PCM"));
        }
        let pcm_bytes = u64::from(reader.len()) * u64::from(spec.bits_per_sample / 8);
        let pcm_at = reader.into_inner().position();
        Ok(Self {
            channels: spec.channels,
            sample_rate: spec.sample_rate,
            bits: spec.bits_per_sample,
            pcm_at,
            pcm_bytes,
        })
    }

    /// Whether this is what the recorder writes.
    pub fn is_ours(&self) -> bool {
        self.channels == 1 && self.sample_rate == SAMPLE_RATE && self.bits == 16 && self.pcm_at == HEADER_BYTES
    }
}

/// Reads a whole 16-bit file: sample rate, channels and interleaved samples. For prompts and measurements.
pub fn read_all(path: &std::path::Path) -> io::Result<(u32, u16, Vec<i16>)> {
    samples_of(hound::WavReader::open(path).map_err(from_hound)?)
}

/// As [`read_all`], from the bytes of a file.
pub fn decode(bytes: &[u8]) -> io::Result<(u32, u16, Vec<i16>)> {
    samples_of(hound::WavReader::new(bytes).map_err(from_hound)?)
}

fn samples_of(mut reader: hound::WavReader<impl io::Read>) -> io::Result<(u32, u16, Vec<i16>)> {
    let spec = reader.spec();
    if spec.sample_format != hound::SampleFormat::Int || spec.bits_per_sample != 16 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not 16-bit linear PCM"));
    }
    let samples = reader.samples::<i16>().collect::<Result<_, _>>().map_err(from_hound)?;
    Ok((spec.sample_rate, spec.channels, samples))
}

/// What a foreign file says it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    pub sample_rate: u32,
    pub channels: u16,
    /// One sample of each channel.
    pub frames: u64,
}

/// As the header has it; no sample is read.
pub fn declared(bytes: &[u8]) -> io::Result<Declared> {
    let reader = hound::WavReader::new(bytes).map_err(from_hound)?;
    let spec = reader.spec();
    Ok(Declared { sample_rate: spec.sample_rate, channels: spec.channels, frames: u64::from(reader.duration()) })
}

/// Interleaved samples of a file of 8 to 32 bits, or of floating point, at -1 to 1.
pub fn decode_floats(bytes: &[u8]) -> io::Result<Vec<f32>> {
    let mut reader = hound::WavReader::new(bytes).map_err(from_hound)?;
    let spec = reader.spec();
    let samples = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<Vec<_>, _>>(),
        hound::SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample.clamp(1, 32)) - 1);
            reader.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full)).collect()
        }
    };
    samples.map_err(from_hound)
}

/// A growing mono file.
pub(crate) struct WavWriter {
    file: Rc<dyn VolumeFile>,
    state: State,
    /// Samples that are in the file for good.
    samples: u64,
}

enum State {
    Open {
        hound: hound::WavWriter<Positioned>,
        alive: Rc<Cell<bool>>,
    },
    /// An append failed; the file must be cut back before the next one.
    Torn,
}

impl WavWriter {
    /// Writes the header of an empty recording.
    pub(crate) fn create(file: Box<dyn VolumeFile>) -> io::Result<Self> {
        let file: Rc<dyn VolumeFile> = Rc::from(file);
        let mut writer = Self { file, state: State::Torn, samples: 0 };
        writer.mend()?;
        Ok(writer)
    }

    /// Appends samples and brings the header up to date, all or nothing.
    pub(crate) fn append(&mut self, sound: &[i16]) -> io::Result<()> {
        if self.samples.saturating_add(sound.len() as u64) * SAMPLE_BYTES > MAX_PCM_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a WAV holds 74 hours"));
        }
        if let State::Torn = self.state {
            self.mend()?;
        }
        let State::Open { hound, alive } = &mut self.state else {
            return Err(io::Error::other("not open"));
        };
        match write(hound, sound) {
            Ok(()) => {
                self.samples += sound.len() as u64;
                Ok(())
            }
            Err(error) => {
                // hound's drop would write lengths of its own belief.
                alive.set(false);
                self.state = State::Torn;
                Err(error)
            }
        }
    }

    /// Everything written is on the disk when this returns.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if let State::Torn = self.state {
            self.mend()?;
        }
        self.file.sync()
    }

    /// Cuts the file to what counts and takes up writing behind it.
    fn mend(&mut self) -> io::Result<()> {
        let pcm = self.samples * SAMPLE_BYTES;
        let header = header(1, pcm);
        let mut written = 0;
        while written < header.len() {
            match self.file.write_at(&header[written..], written as u64)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => written += count,
            }
        }
        self.file.set_len(HEADER_BYTES + pcm)?;
        let alive = Rc::new(Cell::new(true));
        let positioned = Positioned { file: self.file.clone(), alive: alive.clone(), at: 0 };
        let hound = hound::WavWriter::new_append(positioned).map_err(from_hound)?;
        self.state = State::Open { hound, alive };
        Ok(())
    }
}

fn write(hound: &mut hound::WavWriter<Positioned>, sound: &[i16]) -> io::Result<()> {
    let count = u32::try_from(sound.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut block = hound.get_i16_writer(count);
    for &sample in sound {
        block.write_sample(sample);
    }
    block.flush().map_err(from_hound)?;
    hound.flush().map_err(from_hound)
}

/// The stream `hound` wants, over a file written by position.
struct Positioned {
    file: Rc<dyn VolumeFile>,
    alive: Rc<Cell<bool>>,
    at: u64,
}

impl Read for Positioned {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Positioned {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.alive.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = self.file.write_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.at = target.ok_or(io::ErrorKind::Unsupported)?;
        Ok(self.at)
    }
}

fn spec(channels: u16) -> hound::WavSpec {
    hound::WavSpec { channels, sample_rate: SAMPLE_RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int }
}

fn from_hound(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}
