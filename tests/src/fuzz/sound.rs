//! Session descriptions and the datagrams of the media ports.

use ringback_media::testing::ears::{self, Ear};

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
