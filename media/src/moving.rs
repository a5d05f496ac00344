//! A carrier's leg moves to the thread of the browser that it is bridged to: its sockets are its own. Browsers
//! stay, they share their thread's port. While a leg is on its way, commands for it wait at its new thread.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use mio::Waker;

use crate::command::Command;
use crate::event::{LegKey, MediaError, MediaEvent};
use crate::leg::{Leg, Transport};
use crate::stats::count;
use crate::thread::MediaThread;

/// How the threads reach each other; set once all have started.
pub(crate) type Neighbours = Arc<OnceLock<Vec<(SyncSender<Command>, Arc<Waker>)>>>;

/// Commands that wait for legs on their way, in order.
#[derive(Default)]
pub(crate) struct Waiting {
    expected: Vec<LegKey>,
    commands: VecDeque<Command>,
}

impl Waiting {
    /// Whether the command concerns a leg that is still on its way, or one that a waiting command concerns: what is said
    /// of a leg is done in the order in which it was said. Nobody waits for ever: whoever waits does so for an arrival that
    /// was ordered before.
    pub(crate) fn concerns(&self, command: &Command) -> bool {
        let waits = |leg: LegKey| {
            let named = |waiting: &Command| waiting.legs().contains(&Some(leg));
            self.expected.contains(&leg) || self.commands.iter().any(named)
        };
        !self.expected.is_empty() && command.legs().into_iter().flatten().any(waits)
    }
}

impl MediaThread {
    /// Keeps a command until its leg has come.
    pub(crate) fn postpone(&mut self, command: Command) {
        if self.waiting.commands.len() >= self.config.limits.commands {
            count(&self.wire.totals.commands_lost, 1);
            return;
        }
        self.waiting.commands.push_back(command);
    }

    pub(crate) fn expect(&mut self, leg: LegKey) {
        self.waiting.expected.push(leg);
    }

    pub(crate) fn depart(&mut self, leg: LegKey, to: usize) {
        let is_carrier = self.leg(leg).is_some_and(|(_, leg)| matches!(leg.transport, Transport::Carrier(_)));
        let moved = if is_carrier { self.remove(leg) } else { None };
        let lane = self.neighbours.get().and_then(|lanes| lanes.get(to));
        let sent = lane.is_some_and(|(commands, waker)| {
            let sent = commands.try_send(Command::Arrive { leg, moved }).is_ok();
            let _ = waker.wake();
            sent
        });
        if !sent {
            // The leg is gone with the command; its ports are free again.
            count(&self.wire.totals.commands_lost, 1);
            self.events.push(MediaEvent::Failed { leg, why: MediaError::Unavailable });
        }
    }

    pub(crate) fn arrive(&mut self, now: Instant, key: LegKey, moved: Option<Box<Leg>>) {
        self.waiting.expected.retain(|expected| *expected != key);
        if let Some(leg) = moved {
            match self.insert(leg) {
                Ok(slot) => self.wake_tick(slot, now),
                Err(_) => self.events.push(MediaEvent::Failed { leg: key, why: MediaError::Exhausted }),
            }
        }
        for command in std::mem::take(&mut self.waiting.commands) {
            self.execute(now, command);
        }
    }
}
