//! What the contact centre asks for.

use std::{net::SocketAddr, time::Instant};

use super::{Admission, Output, Stack, timers::Wake};
use crate::{
    call::Call,
    config::TrunkConfig,
    event::{CallKey, CallRequest, FailureCause, SignalingEvent, StaleCall, StoredDialog},
    trunk::Trunk,
};

impl Stack {
    /// Starts an outbound call; every refusal comes as [`SignalingEvent::Failed`].
    pub fn place_call(&mut self, now: Instant, wanted: &CallRequest) {
        let trunk = self.trunks.iter().find(|trunk| trunk.config().id == wanted.trunk);
        let full = self.calls.len() >= self.limits.max_dialogs || self.transactions_full();
        let refusal = match trunk.map(|trunk| trunk.peer()) {
            _ if self.calls.contains_key(&wanted.key) => return,
            _ if full || self.admission == Admission::Closed => (FailureCause::Failed, "no room for another call"),
            None => (FailureCause::Unreachable, "unknown trunk"),
            Some(None) => (FailureCause::Unreachable, "the trunk's host is not known"),
            Some(Some(peer)) => {
                let Some(config) = trunk.map(|trunk| trunk.config().clone()) else { return };
                let local = (self.local_of)(peer);
                let mut out = Vec::new();
                let mut ctx = self.ctx(now, &mut out);
                match Call::place(&mut ctx, wanted, &config, local, peer) {
                    Ok(call) => return self.add_call(now, call, out),
                    Err(error) => (FailureCause::Failed, error.0),
                }
            }
        };
        let (cause, reason) = (refusal.0, Some(refusal.1.to_owned()));
        let event = SignalingEvent::Failed { key: wanted.key, status: None, cause, reason };
        self.outputs.push_back(Output::Event(Box::new(event)));
    }

    pub fn ring(&mut self, now: Instant, key: CallKey, status: u16, sdp: Option<String>) {
        self.with_call(now, key, |call, ctx| call.ring(ctx, status, sdp));
    }

    pub fn accept(&mut self, now: Instant, key: CallKey, sdp: String) {
        self.with_call(now, key, |call, ctx| call.accept(ctx, sdp));
    }

    pub fn reject(&mut self, now: Instant, key: CallKey, status: u16) {
        self.with_call(now, key, |call, ctx| call.reject(ctx, status));
    }

    pub fn hang_up(&mut self, now: Instant, key: CallKey) {
        self.with_call(now, key, |call, ctx| call.hang_up(ctx));
    }

    pub fn hang_up_all(&mut self, now: Instant) {
        let keys: Vec<CallKey> = self.calls.keys().copied().collect();
        for key in keys {
            self.hang_up(now, key);
        }
    }

    pub fn reinvite(&mut self, now: Instant, key: CallKey, sdp: String) {
        self.with_call(now, key, |call, ctx| call.reinvite(ctx, sdp));
    }

    pub fn accept_reinvite(&mut self, now: Instant, key: CallKey, sdp: String) {
        self.with_call(now, key, |call, ctx| call.accept_reinvite(ctx, sdp));
    }

    /// Ends a call of a previous life. What it comes to is reported by `Failed` or `Ended` with its key.
    pub fn terminate_stored(&mut self, now: Instant, stored: &StoredDialog) {
        if self.calls.contains_key(&stored.key) {
            return;
        }
        let trunk = self.trunks.iter().find(|trunk| Some(&trunk.config().id) == stored.trunk.as_ref());
        let auth = trunk.and_then(|trunk| trunk.auth());
        let peer = stored.peer.parse::<SocketAddr>().ok();
        let local = peer.map(|address| (self.local_of)(crate::dialog::Peer { transport: stored.transport, address }));
        let mut out = Vec::new();
        let mut ctx = self.ctx(now, &mut out);
        let call = local.and_then(|local| Call::resume(&mut ctx, stored, auth, local));
        match call {
            Some(call) => self.add_call(now, call, out),
            None => {
                let event = SignalingEvent::Ended { key: stored.key, by: crate::event::EndedBy::Local };
                self.outputs.push_back(Output::Event(Box::new(event)));
            }
        }
    }

    /// Watches for answers to a call whose state is not known.
    pub fn watch_stale(&mut self, now: Instant, stale: StaleCall) {
        if self.stale.len() >= self.limits.max_stale {
            self.stale.retain(|_, until| now < *until);
        }
        if self.stale.len() < self.limits.max_stale {
            self.stale.insert((stale.call_id, stale.from_tag), stale.until);
            self.set_alarm(stale.until, Wake::Stale);
        }
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
            let id = trunk.config().id.clone();
            let literal = trunk.config().host.parse().ok().map(|ip| SocketAddr::new(ip, trunk.config().port));
            self.trunks.push(trunk);
            // An address needs no look-up, so that a call may follow at once.
            self.resolved(now, &id, literal.into_iter().collect());
        }
        self.admit_trunks();
    }

    /// A trunk's host was looked up; no addresses keep what is known.
    pub fn resolved(&mut self, now: Instant, id: &str, addresses: Vec<SocketAddr>) {
        let Some(trunk) = self.trunks.iter_mut().find(|trunk| trunk.config().id == id) else { return };
        let changed = trunk.resolved(addresses);
        self.admit_trunks();
        self.after_trunk(now, id, None, changed);
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
}
