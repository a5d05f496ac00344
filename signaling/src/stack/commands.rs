//! What the contact centre asks for.

use std::{net::SocketAddr, time::Instant};

use super::{Admission, Output, Stack, timers::Wake};
use crate::{
    call::{Call, Referral},
    event::{CallKey, CallRequest, FailureCause, SignalingEvent, StaleCall, StoredDialog, TransferStep},
    user_to_user::UserToUser,
};

impl Stack {
    /// Starts an outbound call; every refusal comes as [`SignalingEvent::Failed`].
    pub fn place_call(&mut self, now: Instant, wanted: &CallRequest) {
        let trunk = self.trunks.iter().find(|trunk| trunk.config().id == wanted.trunk);
        let full = self.calls.len() >= self.limits.max_dialogs || self.transactions_full();
        let route = trunk.map(|trunk| (trunk.config().clone(), trunk.route(now, &mut self.entropy)));
        let refusal = match route {
            _ if !self.make_room(wanted.key) => return,
            _ if full || self.admission == Admission::Closed => (FailureCause::Failed, "no room for another call"),
            None => (FailureCause::Unreachable, "unknown trunk"),
            Some((config, route)) => {
                let Some((first, others)) = route.split_first() else {
                    return self.refuse_call(
                        wanted.key,
                        FailureCause::Unreachable,
                        "the trunk's host is not known, or wants no calls",
                    );
                };
                let local = (self.local_of)(*first);
                let mut out = Vec::new();
                let mut ctx = self.ctx(now, &mut out);
                match Call::place(&mut ctx, wanted, &config, local, *first, others) {
                    Ok(call) => return self.add_call(now, call, out),
                    Err(error) => (FailureCause::Failed, error.0),
                }
            }
        };
        self.refuse_call(wanted.key, refusal.0, refusal.1);
    }

    fn refuse_call(&mut self, key: CallKey, cause: FailureCause, reason: &str) {
        let event = SignalingEvent::Failed { key, status: None, cause, reason: Some(reason.to_owned()) };
        self.outputs.push_back(Output::Event(Box::new(event)));
    }

    /// A call that has been reported as over gives its key to the next try of its owner. False when it lives.
    fn make_room(&mut self, key: CallKey) -> bool {
        match self.calls.get(&key) {
            None => true,
            Some(slot) if slot.call.is_over() => {
                self.forget_call(key);
                true
            }
            Some(_) => false,
        }
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

    /// Hands a call on to a number, at its own trunk's host.
    pub fn refer_to_number(&mut self, now: Instant, key: CallKey, number: &str, data: Option<UserToUser>) {
        let trunk = self.calls.get(&key).and_then(|slot| slot.call.trunk());
        let trunk = trunk.and_then(|id| self.trunks.iter().find(|trunk| trunk.config().id == id));
        match trunk.map(|trunk| Referral::to_number(number, &trunk.config().host, data)) {
            Some(referral) => self.with_call(now, key, |call, ctx| call.refer(ctx, &referral)),
            None => self.refuse_transfer(key),
        }
    }

    /// Hands a call on to the far side of another call, which it replaces (RFC 3891).
    pub fn refer_to_call(&mut self, now: Instant, key: CallKey, other: CallKey, data: Option<UserToUser>) {
        let found = self.calls.get(&other).and_then(|slot| slot.call.replaceable());
        match found.filter(|_| key != other) {
            Some((target, replaces)) => {
                let referral = Referral { target, replaces: Some(replaces), user_to_user: data };
                self.with_call(now, key, |call, ctx| call.refer(ctx, &referral));
            }
            None => self.refuse_transfer(key),
        }
    }

    fn refuse_transfer(&mut self, key: CallKey) {
        let event = SignalingEvent::Transfer { key, step: TransferStep::Refused(481) };
        self.outputs.push_back(Output::Event(Box::new(event)));
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
}
