//! The expected wait: an estimate from what the queue has lately seen, and silence when it has seen nothing.

use std::collections::VecDeque;

use crate::time::{Millis, Timestamp};

/// How many past handling times the mean is taken over.
const HANDLED_KEPT: usize = 50;
/// Fewer handling times than this are no data.
const HANDLED_NEEDED: usize = 3;
/// The delay of the last answer is believed when this many answers fell into the window.
const ANSWERS_NEEDED: usize = 5;
const ANSWER_WINDOW: Millis = Millis::from_secs(600);
const ANSWERS_KEPT: usize = 64;
const LONGEST_HANDLED: Millis = Millis::from_secs(86_400);

/// What one queue has seen of handling times and waits.
#[derive(Debug, Default)]
pub(crate) struct WaitStats {
    handled: VecDeque<i64>,
    handled_sum: i64,
    answers: VecDeque<(Timestamp, Millis)>,
}

impl WaitStats {
    /// An agent was taken up this long by one contact, from accepting it to the end of wrap-up.
    pub(crate) fn handled(&mut self, span: Millis) {
        // A clock set by years in the middle of a call is no handling time.
        let span = span.0.min(LONGEST_HANDLED.0);
        self.handled.push_back(span);
        self.handled_sum += span;
        if self.handled.len() > HANDLED_KEPT {
            self.handled_sum -= self.handled.pop_front().unwrap_or(0);
        }
    }

    /// A contact entered service at `at` after waiting `delay` in line.
    pub(crate) fn answered(&mut self, at: Timestamp, delay: Millis) {
        self.answers.push_back((at, delay));
        if self.answers.len() > ANSWERS_KEPT {
            self.answers.pop_front();
        }
    }

    /// Position (1 = next) × mean handling time / effective agents, met half-way by the delay of the last contact to
    /// enter service when the last ten minutes hold five answers or more. None without data or without agents.
    pub(crate) fn estimate(&self, now: Timestamp, position: u32, effective: u32) -> Option<Millis> {
        if self.handled.len() < HANDLED_NEEDED || effective == 0 {
            return None;
        }
        let mean = self.handled_sum / self.handled.len() as i64;
        let by_length = mean.saturating_mul(i64::from(position)) / i64::from(effective);
        let recent = self.answers.iter().filter(|(at, _)| now.since(*at) <= ANSWER_WINDOW).count();
        match self.answers.back() {
            Some((_, last)) if recent >= ANSWERS_NEEDED => Some(Millis(by_length.saturating_add(last.0) / 2)),
            _ => Some(Millis(by_length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_without_data_then_length_then_blend() {
        let now = Timestamp::from_millis(1_000_000);
        let mut stats = WaitStats::default();
        assert_eq!(stats.estimate(now, 1, 1), None);
        for _ in 0..3 {
            stats.handled(Millis::from_secs(60));
        }
        assert_eq!(stats.estimate(now, 1, 0), None);
        assert_eq!(stats.estimate(now, 4, 2), Some(Millis::from_secs(120)));
        for _ in 0..5 {
            stats.answered(now, Millis::from_secs(30));
        }
        assert_eq!(stats.estimate(now, 4, 2), Some(Millis::from_secs(75)));
        assert_eq!(stats.estimate(now + Millis::from_secs(601), 4, 2), Some(Millis::from_secs(120)));
    }
}
