//! Trunks within the stack: their settings, their look-ups, and what they send for themselves.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use super::{Output, Owner, Stack};
use crate::{
    call::{Ctx, Sent, Unanswered},
    config::Transport,
    dialog::Peer,
    event::{SignalingEvent, TrunkState},
    message::Response,
    trunk::{Desk, Located, Trunk, TrunkConfig},
};

impl Stack {
    pub fn trunk_states(&self) -> Vec<TrunkState> {
        self.trunks.iter().map(|trunk| trunk.state().clone()).collect()
    }

    /// Whether a trunk's state may have changed since the last time this was asked.
    pub fn take_trunks_touched(&mut self) -> bool {
        std::mem::take(&mut self.trunks_touched)
    }

    /// Replaces the trunks. Calls that run keep theirs; a trunk that is the same keeps its state.
    pub fn set_trunks(&mut self, now: Instant, configs: Vec<TrunkConfig>) {
        let mut old = std::mem::take(&mut self.trunks);
        let place = |trunk: &TrunkConfig| (trunk.id.clone(), trunk.host.clone(), trunk.port, trunk.transport);
        for config in configs {
            let known = old.iter().position(|trunk| place(trunk.config()) == place(&config));
            let trunk = match known {
                Some(at) => old.swap_remove(at).reconfigured(now, config),
                None => Trunk::new(now, config, self.entropy.token()),
            };
            let config = trunk.config();
            let id = config.id.clone();
            let port = config.port.unwrap_or(config.transport.default_port());
            let literal = config.host.parse().ok().map(|ip| SocketAddr::new(ip, port));
            self.trunks.push(trunk);
            // An address needs no look-up, so that a call may follow at once.
            let found = literal.into_iter().map(|address| Located { address, priority: 0, weight: 0 });
            let found: Vec<Located> = found.collect();
            if found.is_empty() {
                self.with_trunk(now, &id, |_, _| {});
            } else {
                self.resolved(now, &id, Ok(found));
            }
        }
        self.admit_trunks();
        let ranges = self.trunks.iter().flat_map(|trunk| trunk.config().allow_from.clone()).collect();
        self.outputs.push_back(Output::Allow(ranges));
    }

    /// A trunk's host was looked up; a failure keeps what is known.
    pub fn resolved(&mut self, now: Instant, id: &str, found: Result<Vec<Located>, String>) {
        self.with_trunk(now, id, |trunk, _| trunk.resolved(now, found));
        self.admit_trunks();
    }

    /// The server takes no new calls: bindings at registrars are removed.
    pub fn leave(&mut self, now: Instant) {
        let ids: Vec<String> = self.trunks.iter().map(|trunk| trunk.config().id.clone()).collect();
        for id in ids {
            self.with_trunk(now, &id, |trunk, desk| trunk.leave(desk));
        }
    }

    /// The trunk that has an address, TLS trunks before others.
    pub fn trunk_at(&self, address: IpAddr) -> Option<&TrunkConfig> {
        let here = |trunk: &&Trunk| trunk.addresses().any(|known| known.ip() == address);
        let found = self.trunks.iter().filter(here);
        found.min_by_key(|trunk| trunk.config().transport != Transport::Tls).map(|trunk| trunk.config())
    }

    /// A call found an address of a trunk wanting; for `seconds` when it said so itself.
    pub(super) fn avoid(&mut self, now: Instant, peer: Peer, seconds: Option<u64>) {
        let there = |trunk: &&Trunk| {
            trunk.config().transport == peer.transport && trunk.addresses().any(|address| address == peer.address)
        };
        let ids: Vec<String> = self.trunks.iter().filter(there).map(|trunk| trunk.config().id.clone()).collect();
        for id in ids {
            self.with_trunk(now, &id, |trunk, _| trunk.avoid(peer.address, now, seconds));
        }
    }

    fn admit_trunks(&mut self) {
        let wanted = self.trunks.iter().flat_map(|trunk| trunk.addresses()).map(|address| address.ip()).collect();
        for address in self.trunk_addresses.difference(&wanted) {
            self.outputs.push_back(Output::Dismiss(*address));
        }
        for address in wanted.difference(&self.trunk_addresses) {
            self.outputs.push_back(Output::Admit(*address));
        }
        self.trunk_addresses = wanted;
    }

    pub(super) fn on_trunk_due(&mut self, now: Instant, id: &str) {
        let interval = self.limits.resolve_interval;
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.config().id == id) else { return };
        if trunk.wants_resolution(now, interval) {
            let TrunkConfig { host, port, transport, sips, .. } = trunk.config().clone();
            if host.parse::<IpAddr>().is_err() {
                let trunk = id.to_owned();
                self.outputs.push_back(Output::Resolve { trunk, host, port, transport, sips });
            }
        }
        self.with_trunk(now, id, |trunk, desk| trunk.on_timeout(desk));
    }

    pub(super) fn on_trunk_response(&mut self, now: Instant, id: &str, sent: &Sent, response: &Response) {
        self.with_trunk(now, id, |trunk, desk| trunk.on_response(desk, sent, response));
    }

    pub(super) fn on_trunk_unanswered(&mut self, now: Instant, id: &str, sent: &Sent, how: Unanswered) {
        let why = self.trouble.take().filter(|_| how == Unanswered::Unsent);
        self.with_trunk(now, id, |trunk, desk| {
            trunk.on_unanswered(desk, sent.purpose, sent.peer, why.as_deref());
        });
    }

    /// Runs one step of a trunk, sends what it wants sent, reports its state and sets its alarm.
    fn with_trunk(&mut self, now: Instant, id: &str, step: impl FnOnce(&mut Trunk, &mut Desk<'_, '_>)) {
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.config().id == id) else { return };
        let (mut out, mut sends) = (Vec::new(), Vec::new());
        let mut ctx = Ctx {
            now,
            entropy: &mut self.entropy,
            timers: self.timers,
            limits: &self.limits,
            user_agent: &self.user_agent,
            out: &mut out,
        };
        let mut desk = Desk { ctx: &mut ctx, local_of: &self.local_of, sends: &mut sends };
        step(trunk, &mut desk);
        let changed = trunk.appraise(now);
        self.trunks_touched = true;
        for (sent, branch) in sends {
            self.start_client(now, sent, branch, Owner::Trunk(id.to_owned()));
        }
        if let Some(state) = changed {
            self.outputs.push_back(Output::Event(Box::new(SignalingEvent::Trunk(state))));
        }
        self.wind_trunk(id);
    }
}
