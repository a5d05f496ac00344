//! Client transaction of every other request (RFC 3261 §17.1.2).

use std::time::Instant;

use bytes::Bytes;

use super::{Backoff, ClientAction, earliest};
use crate::{
    config::SipTimers,
    message::{Request, Response},
};

#[derive(Debug)]
pub struct ClientNonInvite {
    encoded: Bytes,
    reliable: bool,
    timers: SipTimers,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Trying and Proceeding differ only in the pace of timer E, which a provisional sets to T2.
    Waiting {
        e: Option<Backoff>,
        f: Instant,
    },
    Completed {
        k: Instant,
    },
    Terminated,
}

impl ClientNonInvite {
    /// Sends the request, which carries its Via with branch.
    pub fn start(
        now: Instant,
        request: &Request,
        reliable: bool,
        timers: SipTimers,
        actions: &mut Vec<ClientAction>,
    ) -> Self {
        let encoded = request.encode();
        actions.push(ClientAction::Transmit(encoded.clone()));
        let e = (!reliable).then(|| Backoff::new(now, timers.t1, timers.t2));
        Self { encoded, reliable, timers, state: State::Waiting { e, f: now + timers.transaction() } }
    }

    pub fn on_response(&mut self, now: Instant, response: Response, actions: &mut Vec<ClientAction>) {
        let State::Waiting { e, .. } = &mut self.state else { return };
        if response.is_provisional() {
            if let Some(e) = e {
                *e = Backoff::new(now, self.timers.t2, self.timers.t2);
            }
            actions.push(ClientAction::Deliver(response));
            return;
        }
        actions.push(ClientAction::Deliver(response));
        if self.reliable {
            self.state = State::Terminated;
            actions.push(ClientAction::Terminated);
        } else {
            self.state = State::Completed { k: now + self.timers.t4 };
        }
    }

    pub fn on_timeout(&mut self, now: Instant, actions: &mut Vec<ClientAction>) {
        match &mut self.state {
            State::Waiting { f, .. } if now >= *f => {
                self.state = State::Terminated;
                actions.push(ClientAction::TimedOut);
            }
            State::Waiting { e: Some(e), .. } => {
                actions.extend(e.fire(now).then(|| ClientAction::Transmit(self.encoded.clone())))
            }
            State::Completed { k } if now >= *k => {
                self.state = State::Terminated;
                actions.push(ClientAction::Terminated);
            }
            _ => {}
        }
    }

    pub fn on_transport_error(&mut self, actions: &mut Vec<ClientAction>) {
        if matches!(self.state, State::Waiting { .. }) {
            self.state = State::Terminated;
            actions.push(ClientAction::Unsent);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { e, f } => earliest(e.as_ref().map(|e| e.due), Some(*f)),
            State::Completed { k } => Some(*k),
            State::Terminated => None,
        }
    }

    /// Whether a final response has come.
    pub fn is_answered(&self) -> bool {
        !matches!(self.state, State::Waiting { .. })
    }

    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transaction::pair_tests::{options, response_to, sent, statuses};

    fn started(reliable: bool) -> (Instant, ClientNonInvite, Vec<ClientAction>) {
        let now = Instant::now();
        let mut actions = Vec::new();
        let machine = ClientNonInvite::start(now, &options(), reliable, SipTimers::default(), &mut actions);
        (now, machine, actions)
    }

    fn transmissions(start: Instant, machine: &mut ClientNonInvite, actions: &mut Vec<ClientAction>) -> Vec<u128> {
        let mut times = Vec::new();
        while let Some(due) = machine.deadline() {
            let before = sent(actions);
            machine.on_timeout(due, actions);
            times.extend(std::iter::repeat_n((due - start).as_millis(), sent(actions) - before));
        }
        times
    }

    #[test]
    fn timer_e_doubles_up_to_t2_until_timer_f_ends_it() {
        let (start, mut machine, mut actions) = started(false);
        let times = transmissions(start, &mut machine, &mut actions);
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(actions.last(), Some(&ClientAction::TimedOut));
    }

    #[test]
    fn a_provisional_slows_timer_e_to_t2() {
        let (start, mut machine, mut actions) = started(false);
        machine.on_response(start, response_to(&options(), 100), &mut actions);
        assert_eq!(
            transmissions(start, &mut machine, &mut actions),
            [4_000, 8_000, 12_000, 16_000, 20_000, 24_000, 28_000]
        );
    }

    #[test]
    fn timer_f_alone_runs_over_a_reliable_transport() {
        let (start, mut machine, mut actions) = started(true);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(32)));
        assert!(transmissions(start, &mut machine, &mut actions).is_empty());
    }

    #[test]
    fn timer_k_absorbs_repetitions() {
        let (start, mut machine, mut actions) = started(false);
        for _ in 0..3 {
            machine.on_response(start, response_to(&options(), 200), &mut actions);
        }
        assert_eq!(statuses(&actions), [200]);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(5)));
        machine.on_timeout(start + Duration::from_secs(5), &mut actions);
        assert!(machine.is_terminated());
    }

    #[test]
    fn timer_k_is_zero_over_a_reliable_transport() {
        let (start, mut machine, mut actions) = started(true);
        machine.on_response(start, response_to(&options(), 200), &mut actions);
        assert!(machine.is_terminated());
    }
}
