//! One heap of alarms for every machine. An alarm that has moved later is left in the heap and wound up again when it would
//! be the next to ring, so that a machine has at most one alarm more than it needs, and nobody is woken for nothing. What is
//! only to be forgotten has a heap of its own: that may be late, and much of it is done at once.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use super::{Client, ClientMachine, Server, ServerMachine, Stack};
use crate::event::CallKey;

/// How late may be forgotten what nobody waits for.
const SLACK: Duration = Duration::from_millis(500);

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
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.put_off();
        let chore = self.chores.peek().map(|alarm| alarm.at + SLACK);
        self.alarms.peek().map(|alarm| alarm.at).into_iter().chain(chore).min()
    }

    pub fn on_timeout(&mut self, now: Instant) {
        while let Some(alarm) = pop_due(&mut self.alarms, now).or_else(|| pop_due(&mut self.chores, now)) {
            self.wake(now, alarm);
        }
    }

    /// Winds up anew what would ring next and has nothing to do then.
    fn put_off(&mut self) {
        while let Some(Alarm { at, wake }) = self.alarms.peek() {
            let (set, due) = match wake {
                Wake::Client(id) => {
                    self.clients.get(id).map_or((None, None), |client| (client.alarm, client.deadline()))
                }
                Wake::Server(id) => {
                    self.servers.get(id).map_or((None, None), |server| (server.alarm, server.deadline()))
                }
                Wake::Call(key) => self.calls.get(key).map_or((None, None), |slot| (slot.alarm, slot.call.deadline())),
                Wake::Trunk(_) | Wake::Stale => return,
            };
            if (set, due) == (Some(*at), Some(*at)) {
                return;
            }
            let (wake, is_its_own) = (wake.clone(), set == Some(*at));
            self.alarms.pop();
            if is_its_own {
                self.wind_anew(wake);
            }
        }
    }

    fn wind_anew(&mut self, wake: Wake) {
        match wake {
            Wake::Client(id) => {
                self.clients.entry(id).and_modify(|client| client.alarm = None);
                self.wind_client(id);
            }
            Wake::Server(id) => {
                self.servers.entry(id).and_modify(|server| server.alarm = None);
                self.wind_server(id);
            }
            Wake::Call(key) => {
                self.calls.entry(key).and_modify(|slot| slot.alarm = None);
                self.wind_call(key);
            }
            Wake::Trunk(_) | Wake::Stale => {}
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
                self.on_client_actions(now, id, actions, None);
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
        let (deadline, over) = (client.deadline(), client.is_terminated());
        if over {
            self.forget_client(id);
        } else if let Some(at) = wound(&mut client.alarm, deadline) {
            let heap = if client.is_answered() { &mut self.chores } else { &mut self.alarms };
            heap.push(Alarm { at, wake: Wake::Client(id) });
        }
    }

    pub(super) fn wind_server(&mut self, id: u64) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let (deadline, over) = (server.deadline(), server.is_terminated());
        if over {
            if let Some(server) = self.servers.remove(&id) {
                self.server_index.remove(&server.key);
                if let Some(identity) = server.identity {
                    self.invites.remove(&identity);
                }
            }
        } else if let Some(at) = wound(&mut server.alarm, deadline) {
            let heap = if server.is_settled() { &mut self.chores } else { &mut self.alarms };
            heap.push(Alarm { at, wake: Wake::Server(id) });
        }
    }

    pub(super) fn wind_call(&mut self, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        if let Some(at) = wound(&mut slot.alarm, slot.call.deadline()) {
            let heap = if slot.call.is_over() { &mut self.chores } else { &mut self.alarms };
            heap.push(Alarm { at, wake: Wake::Call(key) });
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

fn pop_due(heap: &mut BinaryHeap<Alarm>, now: Instant) -> Option<Alarm> {
    heap.peek().is_some_and(|alarm| alarm.at <= now).then(|| heap.pop()).flatten()
}

impl Client {
    fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.deadline(),
            ClientMachine::Other(machine) => machine.deadline(),
        }
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.is_terminated(),
            ClientMachine::Other(machine) => machine.is_terminated(),
        }
    }
}

impl Server {
    fn deadline(&self) -> Option<Instant> {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.deadline(),
            ServerMachine::Other(machine) => machine.deadline(),
        }
    }

    fn is_terminated(&self) -> bool {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.is_terminated(),
            ServerMachine::Other(machine) => machine.is_terminated(),
        }
    }

    /// Whether it only waits for what might be repeated.
    fn is_settled(&self) -> bool {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.is_settled(),
            ServerMachine::Other(_) => true,
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
