//! Responses to our requests: to their transaction, to the call they answer late, or to a call of a previous life.

use std::time::Instant;

use super::{ClientKey, ClientMachine, Owner, Stack};
use crate::{
    call::{Sent, Unanswered},
    dialog::{Dialog, InviteRecord, Peer},
    event::{CallKey, DialogState},
    header::{Essentials, list},
    message::{Method, Request, Response},
};

impl Stack {
    pub(super) fn on_response(&mut self, now: Instant, from: Peer, response: Response) {
        let Ok(essentials) = Essentials::of_response(&response) else { return };
        // Others stand behind us in it: it was not meant for us, and nobody is to be told of it (RFC 3261 §8.1.3.3).
        if list(&response.headers, "Via").count() > 1 {
            return;
        }
        let Some(branch) = essentials.via.branch() else { return };
        let key = ClientKey { branch: branch.to_owned(), method: essentials.cseq.method.clone() };
        if let Some(id) = self.client_index.get(&key).copied()
            && let Some(client) = self.clients.get_mut(&id)
        {
            let mut actions = Vec::new();
            if let (Owner::Call(key), true) = (&client.owner, self.ladders.is_on()) {
                self.ladders.keep(now, *key, false, response.encode());
            }
            match &mut client.machine {
                ClientMachine::Invite(machine) => machine.on_response(now, response, &mut actions),
                ClientMachine::Other(machine) => machine.on_response(now, response, &mut actions),
            }
            return self.on_client_actions(now, id, actions, Some(&essentials));
        }
        if essentials.cseq.method != Method::Invite {
            return;
        }
        let dialog_id = (essentials.call_id.clone(), essentials.from.tag().unwrap_or_default().to_owned());
        if let Some(call) = self.dialogs.get(&dialog_id).copied() {
            self.ladders.keep(now, call, false, response.encode());
            self.with_call(now, call, |call, ctx| call.on_stray_response(ctx, from, &response, &essentials));
        } else if self.stale.get(&dialog_id).is_some_and(|until| now < *until) {
            self.on_stale_response(now, from, &response, &essentials);
        }
    }

    pub(super) fn deliver(&mut self, now: Instant, owner: &Owner, sent: &Sent, response: &Response, of: &Essentials) {
        match owner {
            Owner::Call(key) => self.with_call(now, *key, |call, ctx| call.on_response(ctx, sent, response, of)),
            Owner::Trunk(id) => self.on_trunk_response(now, id, sent, response),
        }
    }

    pub(super) fn client_unanswered(&mut self, now: Instant, id: u64, how: Unanswered) {
        let Some(client) = self.forget_client(id) else { return };
        match client.owner {
            Owner::Call(key) => {
                self.with_call(now, key, |call, ctx| call.on_unanswered(ctx, &client.sent, how));
            }
            Owner::Trunk(id) => self.on_trunk_unanswered(now, &id, &client.sent, how),
        }
    }

    /// Bytes of a transaction could not be sent.
    pub fn transport_failed(&mut self, now: Instant, client: u64, why: &str) {
        self.trouble = Some(why.into());
        self.fail_client(now, client);
        self.trouble = None;
    }

    /// A connection has ended: pings that wait on it for an answer get none.
    pub fn connection_lost(&mut self, now: Instant, peer: Peer, why: &str) {
        let waiting = |client: &super::Client| {
            client.sent.peer == peer && matches!(client.owner, Owner::Trunk(_)) && !client.is_answered()
        };
        let pings: Vec<u64> = self.clients.iter().filter(|(_, c)| waiting(c)).map(|(id, _)| *id).collect();
        for ping in pings {
            self.transport_failed(now, ping, why);
        }
    }

    fn fail_client(&mut self, now: Instant, client: u64) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let mut actions = Vec::new();
        match &mut entry.machine {
            ClientMachine::Invite(machine) => machine.on_transport_error(&mut actions),
            ClientMachine::Other(machine) => machine.on_transport_error(&mut actions),
        }
        self.on_client_actions(now, client, actions, None);
    }

    /// A call of a previous life still rings or has been answered: from the response alone it is cancelled or ended.
    /// Our To and Request-URI were the same, which is what CANCEL has to repeat.
    fn on_stale_response(&mut self, now: Instant, from: Peer, response: &Response, essentials: &Essentials) {
        if response.status >= 300 {
            return;
        }
        let mut invite = Request::new(Method::Invite, essentials.to.uri.clone());
        if let Some(via) = response.headers.get("Via") {
            invite.headers.push("Via", via);
        }
        let record = InviteRecord {
            cseq: essentials.cseq.number,
            branch: essentials.via.branch().unwrap_or_default().to_owned(),
            uri: essentials.to.uri.clone(),
        };
        let dialog = Dialog::of_response(&invite, response, essentials, from);
        let key = CallKey(self.entropy.key());
        tracing::warn!(status = response.status, "a call of a previous run was still alive; ending it");
        // Always as an early dialog: CANCEL goes out, and the 2xx, if it is one, is ACKed and BYEd right behind it.
        self.terminate_stored(now, &dialog.stored(key, None, DialogState::Early, Some(&record)));
        if response.is_success() {
            let parsed =
                crate::message::Parsed { message: crate::message::Message::Response(response.clone()), flaw: None };
            self.receive(now, from, parsed);
        }
    }
}
