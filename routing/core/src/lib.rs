//! The pure core of the contact centre.
//!
//! One invariant, stated as steps, holds for every caller:
//!
//! 1. mutate: call [`Core::handle`] with one event, or [`Core::handle_timeout`] when [`Core::next_deadline`] has come;
//! 2. drain: call [`Core::poll_output`] until it gives `None`;
//! 3. commit every [`Change`](output::Change) of the drain, then do every [`Command`](output::Command), then mutate again.
//!
//! There is no clock, no randomness and no I/O in here: time comes in as a value, ids come from a seed, so the same
//! events give the same outputs, bit for bit.
//!
//! Where to find what: [`core`] is the façade and dispatches; `requests` takes callbacks and cancels them; `schedule`
//! and [`hours`] say when; `slots` what fits into one hand; `floor` holds every index and `line` the order of waiting; `ladder` whom a
//! contact waits for; `arrivals` takes calls that come in, `menu` what their callers press, `codes` whose visit it is; `matcher` reserves a channel and picks the agent; [`wait`] and `forecast` know what can be said of a wait, `booking` gives chosen
//! times and guards the line; `offers` presents; `attempts` dials and announces; `conversation` bridges, holds, survives a lost
//! agent and ends; `transfer` passes a call on, `consult` brings somebody in ([`third`] is the record of that); `chats` is what only chats do, `escalation` their way to the telephone; `wrapup` closes; `agents` knows who is there; `restore` settles what a crash left; `timers` lists
//! every timer with its owner; `explain` answers why; `check` states the invariants.

pub mod agent;
pub mod config;
pub mod contact;
pub mod core;
pub mod event;
pub mod explain;
pub mod hours;
pub mod ids;
mod outbound;
pub mod output;
pub mod reason;
pub mod third;
pub mod time;
pub mod view;
pub mod views;
pub mod wait;

mod agents;
mod arrivals;
mod attempts;
mod booking;
mod chats;
mod check;
mod codes;
mod consult;
mod conversation;
mod escalation;
mod filing;
mod floor;
mod forecast;
mod ladder;
mod line;
mod matcher;
mod menu;
mod numbers;
mod offers;
mod outbox;
mod requests;
mod restore;
mod runs;
mod schedule;
mod slots;
mod timers;
mod transfer;
mod wrapup;

pub use crate::core::Core;
