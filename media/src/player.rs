//! A prompt being played, 20 ms at a time.

use std::sync::Arc;

/// Samples in one packet: 20 ms.
pub(crate) const FRAME_SAMPLES: usize = 160;

/// A prompt: 16-bit linear PCM, mono, 8000 samples per second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pcm8k(pub Vec<i16>);

impl Pcm8k {
    /// Length in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.0.len() as u64 / 8
    }
}

/// Position in a prompt.
#[derive(Debug)]
pub(crate) struct Player {
    prompt: Arc<Pcm8k>,
    position: usize,
    repeat: bool,
    token: u64,
}

impl Player {
    pub(crate) fn new(prompt: Arc<Pcm8k>, repeat: bool, token: u64) -> Self {
        Player { prompt, position: 0, repeat, token }
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// Fills the next frame; false when the prompt was over before it. A short last frame is filled with silence.
    pub(crate) fn next_frame(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> bool {
        let samples = &self.prompt.0;
        if samples.is_empty() || (self.position >= samples.len() && !self.repeat) {
            return false;
        }
        for sample in frame.iter_mut() {
            if self.position >= samples.len() && self.repeat {
                self.position = 0;
            }
            *sample = samples.get(self.position).copied().unwrap_or(0);
            self.position += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(length: usize, repeat: bool, limit: usize) -> Vec<[i16; FRAME_SAMPLES]> {
        let prompt = Arc::new(Pcm8k((0..length).map(|i| 100 + i as i16).collect()));
        let mut player = Player::new(prompt, repeat, 1);
        let mut frame = [0; FRAME_SAMPLES];
        let mut out = Vec::new();
        while out.len() < limit && player.next_frame(&mut frame) {
            out.push(frame);
        }
        out
    }

    #[test]
    fn the_last_frame_is_filled_with_silence() {
        let out = frames(200, false, 10);
        assert_eq!(out.len(), 2);
        assert_eq!(out[1][40..], [0; 120]);
        assert_ne!(out[1][39], 0);
        assert_eq!(frames(160, false, 10).len(), 1);
    }

    #[test]
    fn repeating_joins_end_and_beginning() {
        let out = frames(200, true, 100);
        assert_eq!(out.len(), 100);
        assert_eq!(out[1][40], out[0][0]);
    }

    #[test]
    fn an_empty_prompt_is_over_at_once_even_when_repeated() {
        assert!(frames(0, false, 10).is_empty());
        assert!(frames(0, true, 10).is_empty());
    }
}
