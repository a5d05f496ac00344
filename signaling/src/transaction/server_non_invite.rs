//! Server transaction of every other request (RFC 3261 §17.2.2).

use std::time::Instant;

use bytes::Bytes;

use super::ServerAction;
use crate::{config::SipTimers, message::Response};

#[derive(Debug)]
pub struct ServerNonInvite {
    reliable: bool,
    timers: SipTimers,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Trying, and Proceeding once `last` is there.
    Open {
        last: Option<Bytes>,
    },
    Completed {
        response: Bytes,
        j: Instant,
    },
    Terminated,
}

impl ServerNonInvite {
    pub fn new(reliable: bool, timers: SipTimers) -> Self {
        Self { reliable, timers, state: State::Open { last: None } }
    }

    /// Sends a response; anything after the first final one is dropped.
    pub fn respond(&mut self, now: Instant, response: &Response, actions: &mut Vec<ServerAction>) {
        let State::Open { last } = &mut self.state else { return };
        let encoded = response.encode();
        actions.push(ServerAction::Transmit(encoded.clone()));
        if response.is_provisional() {
            *last = Some(encoded);
        } else if self.reliable {
            self.state = State::Terminated;
            actions.push(ServerAction::Terminated);
        } else {
            self.state = State::Completed { response: encoded, j: now + self.timers.transaction() };
        }
    }

    /// The same request again.
    pub fn on_repetition(&mut self, actions: &mut Vec<ServerAction>) {
        match &self.state {
            State::Open { last: Some(response) } | State::Completed { response, .. } => {
                actions.push(ServerAction::Transmit(response.clone()));
            }
            State::Open { last: None } | State::Terminated => {}
        }
    }

    pub fn on_timeout(&mut self, now: Instant, actions: &mut Vec<ServerAction>) {
        if matches!(self.state, State::Completed { j, .. } if now >= j) {
            self.state = State::Terminated;
            actions.push(ServerAction::Terminated);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { j, .. } => Some(*j),
            State::Open { .. } | State::Terminated => None,
        }
    }

    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transaction::pair_tests::server_sent;

    #[test]
    fn timer_j_repeats_the_answer_on_demand_only() {
        let start = Instant::now();
        let mut actions = Vec::new();
        let mut machine = ServerNonInvite::new(false, SipTimers::default());
        machine.on_repetition(&mut actions);
        assert_eq!(server_sent(&actions), 0, "nothing to repeat while Trying");
        machine.respond(start, &Response::new(200), &mut actions);
        machine.on_repetition(&mut actions);
        machine.respond(start, &Response::new(500), &mut actions);
        assert_eq!(server_sent(&actions), 2);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(32)));
        machine.on_timeout(start + Duration::from_secs(32), &mut actions);
        assert!(machine.is_terminated());
    }

    #[test]
    fn timer_j_is_zero_over_a_reliable_transport() {
        let mut actions = Vec::new();
        let mut machine = ServerNonInvite::new(true, SipTimers::default());
        machine.respond(Instant::now(), &Response::new(200), &mut actions);
        assert!(machine.is_terminated());
    }
}
