//! One heap of alarms for every machine. An alarm that has moved later is left in the heap and wound up again when it
//! rings, so that a machine has at most one alarm more than it needs.

use std::{cmp::Ordering, time::Instant};

use super::{ClientMachine, ServerMachine, Stack};
use crate::event::CallKey;

/// Whose alarm it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Client(u64),
    Server(u64),
    Call(CallKey),
    Trunk(String),
    Stale,
}

/// Ordered so that the earliest is the greatest, as `BinaryHeap` wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    at: Instant,
    wake: Wake,
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Stack {
    /// When [`on_timeout`](Self::on_timeout) is wanted next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.alarms.peek().map(|alarm| alarm.at)
    }

    pub fn on_timeout(&mut self, now: Instant) {
        while self.alarms.peek().is_some_and(|alarm| alarm.at <= now) {
            if let Some(alarm) = self.alarms.pop() {
                self.wake(now, alarm);
            }
        }
    }

    /// Alarms that have been replaced by an earlier one ring unheard.
    fn wake(&mut self, now: Instant, alarm: Alarm) {
        let at = Some(alarm.at);
        match alarm.wake {
            Wake::Client(id) => {
                let Some(client) = self.clients.get_mut(&id).filter(|client| client.alarm == at) else { return };
                client.alarm = None;
                let mut actions = Vec::new();
                match &mut client.machine {
                    ClientMachine::Invite(machine) => machine.on_timeout(now, &mut actions),
                    ClientMachine::Other(machine) => machine.on_timeout(now, &mut actions),
                }
                self.on_client_actions(now, id, actions);
            }
            Wake::Server(id) => {
                let Some(server) = self.servers.get_mut(&id).filter(|server| server.alarm == at) else { return };
                server.alarm = None;
                let mut actions = Vec::new();
                match &mut server.machine {
                    ServerMachine::Invite(machine) => machine.on_timeout(now, &mut actions),
                    ServerMachine::Other(machine) => machine.on_timeout(now, &mut actions),
                }
                self.on_server_actions(now, id, actions);
            }
            Wake::Call(key) => {
                if let Some(slot) = self.calls.get_mut(&key).filter(|slot| slot.alarm == at) {
                    slot.alarm = None;
                    self.with_call(now, key, |call, ctx| call.on_timeout(ctx));
                }
            }
            Wake::Trunk(id) => {
                if let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.config().id == id && trunk.alarm == at) {
                    trunk.alarm = None;
                    self.on_trunk_due(now, &id);
                }
            }
            Wake::Stale => self.stale.retain(|_, until| now < *until),
        }
    }

    pub(super) fn set_alarm(&mut self, at: Instant, wake: Wake) {
        self.alarms.push(Alarm { at, wake });
    }

    pub(super) fn wind_client(&mut self, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let (deadline, over) = match &client.machine {
            ClientMachine::Invite(machine) => (machine.deadline(), machine.is_terminated()),
            ClientMachine::Other(machine) => (machine.deadline(), machine.is_terminated()),
        };
        if over {
            self.forget_client(id);
        } else if let Some(at) = wound(&mut client.alarm, deadline) {
            self.set_alarm(at, Wake::Client(id));
        }
    }

    pub(super) fn wind_server(&mut self, id: u64) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let (deadline, over) = match &server.machine {
            ServerMachine::Invite(machine) => (machine.deadline(), machine.is_terminated()),
            ServerMachine::Other(machine) => (machine.deadline(), machine.is_terminated()),
        };
        if over {
            if let Some(server) = self.servers.remove(&id) {
                self.server_index.remove(&server.key);
                if let Some(identity) = server.identity {
                    self.invites.remove(&identity);
                }
            }
        } else if let Some(at) = wound(&mut server.alarm, deadline) {
            self.set_alarm(at, Wake::Server(id));
        }
    }

    pub(super) fn wind_call(&mut self, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        if let Some(at) = wound(&mut slot.alarm, slot.call.deadline()) {
            self.set_alarm(at, Wake::Call(key));
        }
    }

    pub(super) fn wind_trunk(&mut self, id: &str) {
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.config().id == id) else { return };
        let deadline = trunk.deadline();
        if let Some(at) = wound(&mut trunk.alarm, deadline) {
            self.set_alarm(at, Wake::Trunk(id.to_owned()));
        }
    }
}

/// The moment for a new alarm, when none is set that rings by then.
fn wound(alarm: &mut Option<Instant>, deadline: Option<Instant>) -> Option<Instant> {
    let deadline = deadline?;
    if alarm.is_some_and(|set| set <= deadline) {
        return None;
    }
    *alarm = Some(deadline);
    Some(deadline)
}
