//! INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2).

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{Backoff, ClientAction, earliest};
use crate::{
    config::SipTimers,
    message::{Method, Request, Response},
};

/// One INVITE on its way, from the first transmission to the end of timer D or M.
#[derive(Debug)]
pub struct ClientInvite {
    request: Arc<Request>,
    encoded: Bytes,
    reliable: bool,
    timers: SipTimers,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Calling {
        a: Option<Backoff>,
        b: Instant,
    },
    /// Waits without a timer of its own: the call's ring timeout cancels.
    Proceeding,
    Completed {
        ack: Bytes,
        d: Instant,
    },
    Accepted {
        m: Instant,
    },
    Terminated,
}

impl ClientInvite {
    /// Sends the INVITE, which carries its Via with branch.
    pub fn start(
        now: Instant,
        request: Arc<Request>,
        reliable: bool,
        timers: SipTimers,
        actions: &mut Vec<ClientAction>,
    ) -> Self {
        let encoded = request.encode();
        actions.push(ClientAction::Transmit(encoded.clone()));
        // Timer A has no ceiling of its own; B ends it.
        let a = (!reliable).then(|| Backoff::new(now, timers.t1, timers.transaction()));
        let state = State::Calling { a, b: now + timers.transaction() };
        Self { request, encoded, reliable, timers, state }
    }

    /// Takes up an INVITE that a previous life of this process has sent: nothing is transmitted.
    pub fn resume(request: Arc<Request>, reliable: bool, timers: SipTimers) -> Self {
        Self { request, encoded: Bytes::new(), reliable, timers, state: State::Proceeding }
    }

    pub fn on_response(&mut self, now: Instant, response: Response, actions: &mut Vec<ClientAction>) {
        match &self.state {
            State::Calling { .. } | State::Proceeding => {
                if response.is_provisional() {
                    self.state = State::Proceeding;
                } else if response.is_success() {
                    self.state = State::Accepted { m: now + self.timers.transaction() };
                } else {
                    self.complete(now, &response, actions);
                }
                actions.push(ClientAction::Deliver(response));
                if self.is_terminated() {
                    actions.push(ClientAction::Terminated);
                }
            }
            State::Completed { ack, .. } if response.status >= 300 => {
                actions.push(ClientAction::Transmit(ack.clone()));
            }
            State::Accepted { .. } if response.is_success() => actions.push(ClientAction::Deliver(response)),
            State::Completed { .. } | State::Accepted { .. } | State::Terminated => {}
        }
    }

    fn complete(&mut self, now: Instant, response: &Response, actions: &mut Vec<ClientAction>) {
        let ack = self.ack(response).encode();
        actions.push(ClientAction::Transmit(ack.clone()));
        self.state = if self.reliable { State::Terminated } else { State::Completed { ack, d: now + self.timers.d() } };
    }

    /// The ACK to a 3xx–6xx, within the transaction (RFC 3261 §17.1.1.3).
    fn ack(&self, response: &Response) -> Request {
        let mut ack = Request::new(Method::Ack, self.request.uri.clone());
        let from = &self.request.headers;
        if let Some(via) = from.get("Via") {
            ack.headers.push("Via", via);
        }
        for route in from.all("Route") {
            ack.headers.push("Route", route);
        }
        ack.headers.push("Max-Forwards", "70");
        for name in ["From", "Call-ID"] {
            if let Some(value) = from.get(name) {
                ack.headers.push(name, value);
            }
        }
        if let Some(to) = response.headers.get("To") {
            ack.headers.push("To", to);
        }
        let number = from.get("CSeq").and_then(|cseq| cseq.split_once(' ')).map_or("1", |(number, _)| number);
        ack.headers.write("CSeq", format_args!("{number} ACK"));
        ack
    }

    pub fn on_timeout(&mut self, now: Instant, actions: &mut Vec<ClientAction>) {
        match &mut self.state {
            State::Calling { b, .. } if now >= *b => {
                self.state = State::Terminated;
                actions.push(ClientAction::TimedOut);
            }
            State::Calling { a: Some(a), .. } => {
                actions.extend(a.fire(now).then(|| ClientAction::Transmit(self.encoded.clone())))
            }
            State::Completed { d: end, .. } | State::Accepted { m: end } if now >= *end => {
                self.state = State::Terminated;
                actions.push(ClientAction::Terminated);
            }
            _ => {}
        }
    }

    pub fn on_transport_error(&mut self, actions: &mut Vec<ClientAction>) {
        match self.state {
            State::Calling { .. } => {
                self.state = State::Terminated;
                actions.push(ClientAction::Unsent);
            }
            // An ACK that could not be sent changes nothing for the call.
            State::Completed { .. } => {
                self.state = State::Terminated;
                actions.push(ClientAction::Terminated);
            }
            State::Proceeding | State::Accepted { .. } | State::Terminated => {}
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { a, b } => earliest(a.as_ref().map(|a| a.due), Some(*b)),
            State::Completed { d: end, .. } | State::Accepted { m: end } => Some(*end),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether a final response has come.
    pub fn is_answered(&self) -> bool {
        !matches!(self.state, State::Calling { .. } | State::Proceeding)
    }

    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transaction::pair_tests::{drain_deliveries, invite, response_to, sent, statuses};

    fn started(reliable: bool) -> (Instant, ClientInvite, Vec<ClientAction>) {
        let now = Instant::now();
        let mut actions = Vec::new();
        let machine = ClientInvite::start(now, invite().into(), reliable, SipTimers::default(), &mut actions);
        (now, machine, actions)
    }

    /// Runs the machine through its deadlines and returns when (ms after start) it transmitted.
    fn transmissions(start: Instant, machine: &mut ClientInvite, actions: &mut Vec<ClientAction>) -> Vec<u128> {
        let mut times = Vec::new();
        while let Some(due) = machine.deadline() {
            let mut now_actions = Vec::new();
            machine.on_timeout(due, &mut now_actions);
            times.extend(std::iter::repeat_n((due - start).as_millis(), sent(&now_actions)));
            actions.extend(now_actions);
        }
        times
    }

    #[test]
    fn timer_a_doubles_until_timer_b_ends_it() {
        let (start, mut machine, mut actions) = started(false);
        let times = transmissions(start, &mut machine, &mut actions);
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(actions.last(), Some(&ClientAction::TimedOut));
        assert!(machine.is_terminated());
    }

    #[test]
    fn timer_b_alone_runs_over_a_reliable_transport() {
        let (start, mut machine, mut actions) = started(true);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(32)));
        assert!(transmissions(start, &mut machine, &mut actions).is_empty());
        assert_eq!(actions.last(), Some(&ClientAction::TimedOut));
    }

    #[test]
    fn a_provisional_stops_both() {
        let (start, mut machine, mut actions) = started(false);
        machine.on_response(start + Duration::from_millis(100), response_to(&invite(), 180), &mut actions);
        assert_eq!(machine.deadline(), None);
        machine.on_timeout(start + Duration::from_secs(600), &mut actions);
        assert_eq!((sent(&actions), statuses(&actions)), (1, vec![180]));
    }

    #[test]
    fn a_failure_is_acknowledged_each_time_until_timer_d() {
        let (start, mut machine, mut actions) = started(false);
        for _ in 0..3 {
            machine.on_response(start, response_to(&invite(), 486), &mut actions);
        }
        assert_eq!((sent(&actions), statuses(&actions)), (4, vec![486]), "one INVITE, three ACKs, delivered once");
        let ClientAction::Transmit(ack) = &actions[1] else { panic!("{actions:?}") };
        let ack = String::from_utf8_lossy(ack);
        assert!(ack.starts_with("ACK sip:"), "{ack}");
        assert!(ack.contains("branch=z9hG4bK-one") && ack.contains("tag=far") && ack.contains("CSeq: 1 ACK"), "{ack}");
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(32)));
        machine.on_timeout(start + Duration::from_secs(32), &mut actions);
        assert!(machine.is_terminated());
    }

    #[test]
    fn timer_d_is_zero_over_a_reliable_transport() {
        let (start, mut machine, mut actions) = started(true);
        machine.on_response(start, response_to(&invite(), 404), &mut actions);
        assert!(machine.is_terminated());
        assert_eq!((sent(&actions), actions.last()), (2, Some(&ClientAction::Terminated)));
    }

    #[test]
    fn timer_m_lets_every_2xx_through_and_no_failure() {
        let (start, mut machine, mut actions) = started(false);
        for status in [200, 200, 486, 180] {
            machine.on_response(start, response_to(&invite(), status), &mut actions);
        }
        assert_eq!(drain_deliveries(&mut actions), [200, 200]);
        assert_eq!(machine.deadline(), Some(start + Duration::from_secs(32)));
        machine.on_timeout(start + Duration::from_secs(32), &mut actions);
        assert!(machine.is_terminated());
    }

    #[test]
    fn a_transport_error_ends_a_call_that_was_never_heard() {
        let (_, mut machine, mut actions) = started(true);
        machine.on_transport_error(&mut actions);
        assert_eq!(actions.last(), Some(&ClientAction::Unsent));
    }
}
