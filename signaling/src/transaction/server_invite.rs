//! INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1).

use std::time::Instant;

use bytes::Bytes;

use super::{Backoff, ServerAction, earliest};
use crate::{config::SipTimers, message::Response};

/// One INVITE received, from its arrival to the end of timer H, I or L.
#[derive(Debug)]
pub struct ServerInvite {
    reliable: bool,
    timers: SipTimers,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Proceeding {
        last: Option<Bytes>,
    },
    Completed {
        response: Bytes,
        g: Option<Backoff>,
        h: Instant,
    },
    Confirmed {
        i: Instant,
    },
    /// The call repeats its 2xx by itself until ACK comes; here repeated INVITEs are only absorbed.
    Accepted {
        l: Instant,
    },
    Terminated,
}

impl ServerInvite {
    pub fn new(reliable: bool, timers: SipTimers) -> Self {
        Self { reliable, timers, state: State::Proceeding { last: None } }
    }

    /// Sends a response of the call. A second final response is dropped, except a repeated 2xx.
    pub fn respond(&mut self, now: Instant, response: &Response, actions: &mut Vec<ServerAction>) {
        let encoded = response.encode();
        match &mut self.state {
            State::Proceeding { last } => {
                if response.is_provisional() {
                    *last = Some(encoded.clone());
                } else if response.is_success() {
                    self.state = State::Accepted { l: now + self.timers.transaction() };
                } else {
                    let g = (!self.reliable).then(|| Backoff::new(now, self.timers.t1, self.timers.t2));
                    let h = now + self.timers.transaction();
                    self.state = State::Completed { response: encoded.clone(), g, h };
                }
                actions.push(ServerAction::Transmit(encoded));
            }
            State::Accepted { .. } if response.is_success() => actions.push(ServerAction::Transmit(encoded)),
            _ => {}
        }
    }

    /// The same INVITE again.
    pub fn on_repetition(&mut self, actions: &mut Vec<ServerAction>) {
        match &self.state {
            State::Proceeding { last: Some(response) } | State::Completed { response, .. } => {
                actions.push(ServerAction::Transmit(response.clone()));
            }
            _ => {}
        }
    }

    /// ACK of a 3xx–6xx. ACKs of a 2xx are transactions of their own and go to the call.
    pub fn on_ack(&mut self, now: Instant, actions: &mut Vec<ServerAction>) {
        if !matches!(self.state, State::Completed { .. }) {
            return;
        }
        if self.reliable {
            self.state = State::Terminated;
            actions.push(ServerAction::Terminated);
        } else {
            self.state = State::Confirmed { i: now + self.timers.t4 };
        }
    }

    pub fn on_timeout(&mut self, now: Instant, actions: &mut Vec<ServerAction>) {
        match &mut self.state {
            State::Completed { h, .. } if now >= *h => {
                self.state = State::Terminated;
                actions.push(ServerAction::NotAcknowledged);
            }
            State::Completed { g: Some(g), response, .. } => {
                actions.extend(g.fire(now).then(|| ServerAction::Transmit(response.clone())));
            }
            State::Confirmed { i: end } | State::Accepted { l: end } if now >= *end => {
                self.state = State::Terminated;
                actions.push(ServerAction::Terminated);
            }
            _ => {}
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { g, h, .. } => earliest(g.as_ref().map(|g| g.due), Some(*h)),
            State::Confirmed { i: end } | State::Accepted { l: end } => Some(*end),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// Whether no final response has been sent yet, so that CANCEL still has something to cancel.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// Whether nothing is sent any more but in answer to what is repeated.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Confirmed { .. } | State::Accepted { .. } | State::Terminated)
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

    fn answered(reliable: bool, status: u16) -> (Instant, ServerInvite, Vec<ServerAction>) {
        let now = Instant::now();
        let mut actions = Vec::new();
        let mut machine = ServerInvite::new(reliable, SipTimers::default());
        machine.respond(now, &Response::new(status), &mut actions);
        (now, machine, actions)
    }

    fn transmissions(start: Instant, machine: &mut ServerInvite, actions: &mut Vec<ServerAction>) -> Vec<u128> {
        let mut times = Vec::new();
        while let Some(due) = machine.deadline() {
            let before = server_sent(actions);
            machine.on_timeout(due, actions);
            times.extend(std::iter::repeat_n((due - start).as_millis(), server_sent(actions) - before));
        }
        times
    }

    #[test]
    fn timer_g_doubles_up_to_t2_until_timer_h_gives_up() {
        let (start, mut machine, mut actions) = answered(false, 486);
        let times = transmissions(start, &mut machine, &mut actions);
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(actions.last(), Some(&ServerAction::NotAcknowledged));
    }

    #[test]
    fn timer_h_alone_runs_over_a_reliable_transport() {
        let (start, mut machine, mut actions) = answered(true, 486);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(32)));
        assert!(transmissions(start, &mut machine, &mut actions).is_empty());
        assert_eq!(actions.last(), Some(&ServerAction::NotAcknowledged));
    }

    #[test]
    fn ack_stops_it_and_timer_i_absorbs_more() {
        let (start, mut machine, mut actions) = answered(false, 486);
        machine.on_ack(start, &mut actions);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(5)));
        machine.on_ack(start, &mut actions);
        machine.on_repetition(&mut actions);
        assert_eq!(server_sent(&actions), 1);
        machine.on_timeout(start + Duration::from_secs(5), &mut actions);
        assert!(machine.is_terminated());
    }

    #[test]
    fn timer_i_is_zero_over_a_reliable_transport() {
        let (start, mut machine, mut actions) = answered(true, 486);
        machine.on_ack(start, &mut actions);
        assert!(machine.is_terminated());
    }

    #[test]
    fn timer_l_absorbs_repeated_invites_after_a_2xx() {
        let (start, mut machine, mut actions) = answered(false, 200);
        machine.on_repetition(&mut actions);
        machine.on_ack(start, &mut actions);
        assert_eq!(server_sent(&actions), 1, "the call repeats its 2xx, not the transaction");
        machine.respond(start, &Response::new(200), &mut actions);
        machine.respond(start, &Response::new(486), &mut actions);
        assert_eq!(server_sent(&actions), 2);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(32)));
        machine.on_timeout(start + Duration::from_secs(32), &mut actions);
        assert!(machine.is_terminated());
    }

    #[test]
    fn a_repeated_invite_gets_the_last_provisional() {
        let (_, mut machine, mut actions) = answered(false, 180);
        machine.on_repetition(&mut actions);
        assert_eq!(server_sent(&actions), 2);
        assert!(machine.is_open());
    }
}
