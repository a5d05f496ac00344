//! Session descriptions, the datagrams of the media ports, sound in every codec, and recordings that a crash left.

use std::fs;

use ringback_media::{
    Codec, Decoder,
    testing::ears::{self, Ear},
};
use ringback_recorder::{
    repair::{RepairOutcome, repair},
    wav,
};

use super::kind_of;

/// Reads a description, answers it, and reads the answer; and reduces it as if a browser had offered it.
pub fn description(input: &[u8]) -> u64 {
    kind_of(ears::description(&String::from_utf8_lossy(input)))
}

/// One socket's worth of state: what comes is judged with what came before.
#[derive(Default)]
pub struct Socket(Ear);

impl Socket {
    pub fn receive(&mut self, input: &[u8]) -> u64 {
        kind_of(self.0.receive(input))
    }
}

/// One stream in each codec: what comes is decoded after what came before.
#[derive(Default)]
pub struct Voices(Vec<(Codec, Decoder)>);

impl Voices {
    pub fn receive(&mut self, input: &[u8]) -> u64 {
        if self.0.is_empty() {
            self.0 = Codec::ALL.into_iter().map(|codec| (codec, Decoder::default())).collect();
        }
        let mut kinds = Vec::new();
        for (codec, decoder) in &mut self.0 {
            let mut sound = Vec::new();
            decoder.decode(*codec, input, &mut sound);
            assert!(sound.len() <= input.len().max(960), "no more than 120 ms of a packet, or a sample of a byte");
            let loud = sound.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
            kinds.push((sound.len().min(1000) / 80, loud.checked_ilog2()));
        }
        kind_of(kinds.last())
    }
}

/// Samples of a whole frame.
const FRAME: usize = 160;

/// A recording as it lies after a crash, whole.
pub fn left_behind() -> Vec<u8> {
    let sound = [7u8; 2 * FRAME * 5 + 31];
    let mut file = wav::header(1, sound.len() as u64).to_vec();
    file.extend(sound);
    file
}

/// A folder in memory, if there is one: repairing waits for the disk.
pub struct Shelf(tempfile::TempDir);

impl Shelf {
    pub fn open() -> Self {
        let memory = tempfile::tempdir_in("/dev/shm");
        Self(memory.or_else(|_| tempfile::tempdir()).expect("a folder"))
    }

    /// What stands beside a repaired recording.
    pub fn sidecar(&self) -> Vec<u8> {
        self.lay(&left_behind(), None);
        repair(self.0.path());
        let written = fs::read(self.0.path().join("call.json")).unwrap_or_default();
        self.clear();
        written
    }

    /// An odd first byte: the rest is the file of sound. An even one: it is what stands beside a good one.
    pub fn repair(&self, input: &[u8]) -> u64 {
        let Some((which, bytes)) = input.split_first() else { return 0 };
        match which % 2 {
            1 => self.lay(bytes, None),
            _ => self.lay(&left_behind(), Some(bytes)),
        }
        let found = repair(self.0.path());
        let [one] = found.as_slice() else { panic!("one file lay there: {found:?}") };
        let kind = match &one.outcome {
            RepairOutcome::Repaired { summary, links_intact } => {
                let file = fs::read(self.0.path().join("call.wav")).expect("it plays");
                let sound = file.len() - 44;
                assert_eq!(file[..44], wav::header(1, sound as u64)[..], "the header says how long it is");
                assert_eq!(
                    (summary.samples, sound % (2 * FRAME)),
                    (sound as u64 / 2, 0),
                    "whole frames, as many as are told"
                );
                kind_of((links_intact, summary.samples.min(1600), summary.marks.len().min(9), one.key.is_some()))
            }
            RepairOutcome::Empty => kind_of("empty"),
            RepairOutcome::Damaged { why } => kind_of(("damaged", why)),
        };
        self.clear();
        kind
    }

    fn lay(&self, sound: &[u8], beside: Option<&[u8]>) {
        fs::write(self.0.path().join("call.wav.part"), sound).expect("room");
        if let Some(beside) = beside {
            fs::write(self.0.path().join("call.json"), beside).expect("room");
        }
    }

    fn clear(&self) {
        for entry in fs::read_dir(self.0.path()).expect("the folder").flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }
}
