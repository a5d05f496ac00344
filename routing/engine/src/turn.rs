//! One turn: waiting events go through the core, their changes commit in one transaction, then callers are answered.
//!
//! This file is the arithmetic of a turn without its waiting: what the core said, as the ledger and the callers need it.

use ringback_routing::{
    Core,
    core::Start,
    event::{Event, Receipt, Rejection},
    output::{Change, Command, Output},
    time::Timestamp,
};
use ringback_store::{JournalEntry, JournalKind};
use sha2::{Digest, Sha256};

use crate::desks::Touched;

/// What one turn brought forth so far.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub journal: Vec<JournalEntry>,
    pub changes: Vec<Change>,
    pub commands: Vec<Command>,
    /// Whether a view of the core may be another one now: that somebody wrote in a chat moves nothing but a timer.
    pub visible: bool,
    /// The agents whose desks may look different now.
    pub touched: Touched,
    /// Whether it changed what the tenant or its agents are set to.
    pub configured: bool,
    /// Whether the core took anything that came, or a timer ran.
    pub accepted: bool,
}

impl Turn {
    /// Feeds one event and drains the core.
    pub fn event(
        &mut self,
        core: &mut Core,
        seq: &mut u64,
        now: Timestamp,
        event: Event,
    ) -> Result<Receipt, Rejection> {
        let body = to_json(&event);
        self.visible |= !matches!(event, Event::ChatActivity { .. });
        self.configured |= matches!(
            event,
            Event::TenantConfigured { .. }
                | Event::AgentConfigured { .. }
                | Event::AgentRemoved { .. }
                | Event::ClosureDeclared { .. }
                | Event::ClosureLifted
        );
        if let Some(agent) = event.agent() {
            self.touched.add(agent);
        }
        if self.configured {
            self.touched = Touched::All;
        }
        let answer = core.handle(now, event);
        self.accepted |= answer.is_ok();
        self.drain(core, seq, now, JournalKind::Event, body);
        answer
    }

    /// Lets the core's timers up to `now` run and drains it.
    pub fn timeout(&mut self, core: &mut Core, seq: &mut u64, now: Timestamp) {
        self.visible = true;
        self.accepted = true;
        core.handle_timeout(now);
        self.drain(core, seq, now, JournalKind::Timeout, String::new());
    }

    /// A core just restored from `start`: what settling the past brought forth.
    pub fn start(&mut self, core: &mut Core, seq: &mut u64, now: Timestamp, start_body: String) {
        self.touched = Touched::All;
        self.accepted = true;
        self.drain(core, seq, now, JournalKind::Start, start_body);
    }

    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
    }

    /// Whatever came was refused and changed nothing, such as the end of a call that the core had ended: there is nothing to
    /// answer, to do or to keep but the journal's lines.
    pub fn is_idle(&self) -> bool {
        !self.accepted && self.changes.is_empty() && self.commands.is_empty()
    }

    fn drain(&mut self, core: &mut Core, seq: &mut u64, at: Timestamp, kind: JournalKind, body: String) {
        let outputs: Vec<Output> = std::iter::from_fn(|| core.poll_output()).collect();
        self.visible |= !outputs.is_empty();
        let outputs_digest = digest(&outputs);
        *seq += 1;
        self.journal.push(JournalEntry { at, seq: *seq, kind, body, outputs_digest });
        for output in outputs {
            match output {
                Output::Change(change) => {
                    self.touched.add_change(&change);
                    self.changes.push(change);
                }
                Output::Command(command) => self.commands.push(command),
            }
        }
    }
}

/// The outputs of most events take less, in bytes of JSON.
const OUTPUTS: usize = 8192;

/// SHA-256 over the JSON of all outputs of a drain, in hexadecimal: replay compares it byte for byte.
pub fn digest(outputs: &[Output]) -> String {
    // A contact and what is told of it.
    let mut written = Vec::with_capacity(OUTPUTS);
    // See `to_json`.
    let _ = serde_json::to_writer(&mut written, outputs);
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(&written);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The journal's form of a start.
pub(crate) fn start_body(start: &Start) -> String {
    to_json(start)
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    // The core's types have string keys and no foreign serialisers: there is nothing in them that could fail.
    serde_json::to_string(value).unwrap_or_default()
}
