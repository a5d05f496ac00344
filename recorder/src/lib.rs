//! Recordings: what each party said, as WAV files that play whatever happens.
//!
//! ```text
//! media thread ──Frame──▶ tap ──batch──▶ writer thread ──▶ timeline ──▶ wav ──▶ <name>.wav.part ──▶ <name>.wav
//!                                             └── marks, hash chain ──▶ <name>.json          boot: repair
//! supervisor ──bytes from..to──▶ stereo ──▶ shelf ──▶ <name>.wav …
//! ```
//!
//! One invariant: the media thread never waits for the disk. What the disk cannot take is silence in the recording, a
//! mark over it and a count.

pub mod integrity;
mod recorder;
mod recording;
pub mod repair;
pub mod shelf;
pub mod stereo;
mod summary;
mod syncer;
mod tap;
pub mod timeline;
pub mod tone;
pub mod volume;
pub mod wav;
mod writer;

/// What the media plane hands over.
pub mod frame {
    pub use ringback_media::{Codec, Decoder, Frame, FrameSink};
}

pub use recorder::{Recorder, RecorderConfig, RecorderEvent, RecorderEvents, RecorderStats, RecordingSpec};
pub use recording::{LOSS, MAX_MARKS, PAUSE};
pub use summary::{Mark, Sidecar, Stage, Summary};
pub use tap::MAX_PAYLOAD;
