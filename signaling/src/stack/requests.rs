//! Requests of the far side: to their transaction, their call, or an answer of our own.

use std::{net::SocketAddr, time::Instant};

use super::{Admission, Output, Server, ServerKey, ServerMachine, Stack};
use crate::{
    call::{Call, Origin, ServerId, unsupported},
    dialog::Peer,
    event::CallKey,
    header::{Essentials, Via, reply, split_list},
    message::{ALLOW, Message, Method, ParseError, Parsed, Request},
    transaction::{ServerInvite, ServerNonInvite},
    uri::{Scheme, Uri},
};

/// Seconds after which a caller may try again when we are full.
const RETRY_AFTER: &str = "5";

impl Stack {
    /// A message from an allowed source.
    pub fn receive(&mut self, now: Instant, from: Peer, parsed: Parsed) {
        match parsed.message {
            Message::Response(response) => {
                if parsed.flaw.is_none() {
                    self.on_response(now, from, response);
                }
            }
            Message::Request(request) => self.on_request(now, from, request, parsed.flaw),
        }
    }

    fn on_request(&mut self, now: Instant, from: Peer, mut request: Request, flaw: Option<ParseError>) {
        let Some(reply_to) = note_source(&mut request, from) else { return };
        let essentials = match Essentials::of_request(&request) {
            Ok(essentials) if flaw.is_none() => essentials,
            _ => return self.refuse_stateless(reply_to, &request, 400),
        };
        let key = server_key(&request, &essentials);
        if request.method == Method::Ack {
            return self.on_ack(now, &key, &request, &essentials);
        }
        if let Some(id) = self.server_index.get(&key).copied() {
            return self.on_repetition(now, id, &request);
        }
        if self.transactions_full() {
            return self.refuse_stateless(reply_to, &request, 503);
        }
        let invite = ServerKey { method: Method::Invite, ..key.clone() };
        let server = self.new_server(key, &request, &essentials, reply_to);
        match (&request.method, essentials.to.tag()) {
            (Method::Cancel, _) => self.on_cancel(now, server, &invite, &request),
            // Whom we talk to is decided here: nobody hands our calls on.
            (Method::Other(_) | Method::Refer, _) => self.refuse(now, server, &request, request.method.refusal()),
            (_, Some(tag)) => {
                let dialog_id = (essentials.call_id.clone(), tag.to_owned());
                match self.dialogs.get(&dialog_id).copied() {
                    Some(call) => {
                        self.note_request(now, Some(call), &request);
                        if let Some(server) = self.servers.get_mut(&server) {
                            server.call = Some(call);
                        }
                        self.with_call(now, call, |call, ctx| call.on_request(ctx, server, &request, &essentials));
                    }
                    None => self.refuse(now, server, &request, 481),
                }
            }
            (Method::Invite, None) => self.on_invite(now, server, &request, &essentials, from),
            (Method::Options, None) => self.on_options(now, server, &request),
            (_, None) => self.refuse(now, server, &request, 481),
        }
    }

    /// Keeps a request for the call's ladder.
    fn note_request(&mut self, now: Instant, call: Option<CallKey>, request: &Request) {
        if let Some(key) = call.filter(|_| self.ladders.is_on()) {
            self.ladders.keep(now, key, false, request.encode());
        }
    }

    fn new_server(&mut self, key: ServerKey, request: &Request, read: &Essentials, reply_to: Peer) -> ServerId {
        let reliable = reply_to.transport.is_reliable();
        let machine = if request.method == Method::Invite {
            ServerMachine::Invite(ServerInvite::new(reliable, self.timers))
        } else {
            ServerMachine::Other(ServerNonInvite::new(reliable, self.timers))
        };
        let id = self.id();
        self.server_index.insert(key.clone(), id);
        let identity = (request.method == Method::Invite).then(|| identity(request, read));
        let identity = identity.filter(|identity| !self.invites.contains_key(identity));
        if let Some(identity) = &identity {
            self.invites.insert(identity.clone(), id);
        }
        self.servers.insert(id, Server { machine, key, reply_to, identity, call: None, alarm: None });
        id
    }

    fn on_repetition(&mut self, now: Instant, id: ServerId, request: &Request) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let call = server.call;
        let mut actions = Vec::new();
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.on_repetition(&mut actions),
            ServerMachine::Other(machine) => machine.on_repetition(&mut actions),
        }
        self.note_request(now, call, request);
        self.on_server_actions(now, id, actions);
    }

    /// ACK of a failure belongs to its transaction, ACK of a 2xx to the call.
    fn on_ack(&mut self, now: Instant, key: &ServerKey, request: &Request, essentials: &Essentials) {
        if let Some(id) = self.server_index.get(key).copied()
            && let Some(Server { machine: ServerMachine::Invite(machine), .. }) = self.servers.get_mut(&id)
        {
            let mut actions = Vec::new();
            machine.on_ack(now, &mut actions);
            self.on_server_actions(now, id, actions);
        }
        let Some(tag) = essentials.to.tag() else { return };
        let dialog_id = (essentials.call_id.clone(), tag.to_owned());
        if let Some(call) = self.dialogs.get(&dialog_id).copied() {
            self.note_request(now, Some(call), request);
            self.with_call(now, call, |call, ctx| call.on_ack(ctx, request, essentials));
        }
    }

    /// CANCEL is answered for itself; it changes the INVITE only before its final response (RFC 3261 §9.2).
    fn on_cancel(&mut self, now: Instant, server: ServerId, invite: &ServerKey, request: &Request) {
        let Some(id) = self.server_index.get(invite).copied() else {
            return self.refuse(now, server, request, 481);
        };
        self.refuse(now, server, request, 200);
        let Some(Server { machine: ServerMachine::Invite(machine), call, .. }) = self.servers.get(&id) else { return };
        if let (true, Some(key)) = (machine.is_open(), *call) {
            self.note_request(now, Some(key), request);
            self.with_call(now, key, |call, ctx| call.on_cancel(ctx));
        }
    }

    fn on_invite(&mut self, now: Instant, server: ServerId, request: &Request, essentials: &Essentials, from: Peer) {
        let status = match Uri::parse(&request.uri).map(|uri| uri.scheme) {
            None => Some(400),
            Some(Scheme::Other) => Some(416),
            Some(_) if self.is_merged(server, request, essentials) => Some(482),
            Some(_) if essentials.from.tag().is_none() => Some(400),
            Some(_) if self.admission == Admission::Closed => Some(503),
            Some(_) if self.calls.len() >= self.limits.max_dialogs => Some(503),
            Some(_) => None,
        };
        if let Some(status) = status {
            return self.refuse(now, server, request, status);
        }
        let source = from.address.ip().to_canonical();
        let trunk = self.trunks.iter().find(|trunk| {
            trunk.config().transport == from.transport
                && (trunk.addresses().any(|address| address.ip().to_canonical() == source)
                    || trunk.config().allow_from.iter().any(|range| range.contains(source)))
        });
        let trusted = trunk.is_some_and(|trunk| trunk.config().trusts_identity);
        // The registrar sends calls to our account; the number called is in To then.
        let account = trunk.map(|trunk| trunk.config()).filter(|config| config.register.is_some());
        let account = account.map(|config| config.account().to_owned());
        let (trunk, auth) = (trunk.map(|trunk| trunk.config().id.clone()), trunk.and_then(|trunk| trunk.auth()));
        let key = CallKey(self.entropy.key());
        let mut local = (self.local_of)(from);
        local.sips = Uri::parse(&request.uri).is_some_and(|uri| uri.scheme == Scheme::Sips);
        if let Some(server) = self.servers.get_mut(&server) {
            server.call = Some(key);
        }
        self.note_request(now, Some(key), request);
        let mut out = Vec::new();
        let mut ctx = self.ctx(now, &mut out);
        let origin = Origin { trunk, auth, account, trusted };
        match Call::incoming(&mut ctx, key, origin, server, request, essentials, local, from) {
            Ok(call) => self.add_call(now, call, out),
            Err(response) => self.respond(now, server, &response),
        }
    }

    /// Whether this INVITE has reached us already over another path (§8.2.2.2).
    fn is_merged(&self, server: ServerId, request: &Request, read: &Essentials) -> bool {
        self.invites.get(&identity(request, read)).is_some_and(|first| *first != server)
    }

    fn on_options(&mut self, now: Instant, server: ServerId, request: &Request) {
        match Uri::parse(&request.uri).map(|uri| uri.scheme) {
            None => return self.refuse(now, server, request, 400),
            Some(Scheme::Other) => return self.refuse(now, server, request, 416),
            Some(_) => {}
        }
        let tag = self.entropy.tag();
        if let Some(response) = unsupported(request, Some(&tag)) {
            return self.respond(now, server, &response);
        }
        let mut response = reply(request, 200, Some(&tag));
        response.headers.push("Allow", ALLOW);
        response.headers.push("Accept", "application/sdp");
        response.headers.push("Supported", "100rel, timer");
        response.headers.push("Server", &self.user_agent);
        self.respond(now, server, &response);
    }

    fn refuse(&mut self, now: Instant, server: ServerId, request: &Request, status: u16) {
        let tag = self.entropy.tag();
        let mut response = reply(request, status, Some(&tag));
        if matches!(status, 405 | 501) {
            response.headers.push("Allow", ALLOW);
        }
        if status == 503 {
            response.headers.push("Retry-After", RETRY_AFTER);
        }
        self.respond(now, server, &response);
    }

    /// Refuses without a transaction, when the request is too broken for one or there is no room.
    fn refuse_stateless(&mut self, peer: Peer, request: &Request, status: u16) {
        if request.method == Method::Ack {
            return;
        }
        let mut response = reply(request, status, Some("ringback"));
        if status == 503 {
            response.headers.push("Retry-After", RETRY_AFTER);
        }
        self.outputs.push_back(Output::Send { peer, bytes: response.encode(), client: None });
    }
}

/// Writes `received` and `rport` into the top Via (RFC 3261 §18.2.1, RFC 3581) and says where responses go (§18.2.2).
/// `None` when there is no usable Via: such a request cannot be answered.
fn note_source(request: &mut Request, from: Peer) -> Option<Peer> {
    let value = request.headers.get("Via")?.to_owned();
    let mut items = split_list(&value);
    let mut via = Via::parse(items.next()?)?;
    let source = from.address;
    let asks_port = via.param("rport").is_some();
    if asks_port {
        via.set_param("rport", Some(source.port().to_string()));
    }
    if asks_port || via.host.parse() != Ok(source.ip()) {
        via.set_param("received", Some(source.ip().to_canonical().to_string()));
    }
    let mut line = via.format();
    for item in items {
        line.push_str(", ");
        line.push_str(item);
    }
    request.headers.replace_first("Via", line);
    let port = if asks_port || from.transport.is_reliable() { source.port() } else { via.port.unwrap_or(5060) };
    Some(Peer { transport: from.transport, address: SocketAddr::new(source.ip(), port) })
}

fn server_key(request: &Request, essentials: &Essentials) -> ServerKey {
    let via = &essentials.via;
    let sent_by = format!("{}:{}", via.host.to_ascii_lowercase(), via.port.unwrap_or(5060));
    let branch = via.branch().filter(|branch| branch.starts_with("z9hG4bK")).unwrap_or_default();
    let method = if request.method == Method::Ack { Method::Invite } else { request.method.clone() };
    let branch = match branch {
        // An old peer: the request's own words, of which ACK and CANCEL share these with their INVITE.
        "" => identity(request, essentials),
        _ if method == Method::Invite || method == Method::Cancel => {
            format!("{branch} {}", identity(request, essentials))
        }
        branch => branch.to_owned(),
    };
    ServerKey { branch, sent_by, method }
}

/// Call-ID, From-tag and CSeq number, which tell one request from another wherever it came from.
fn identity(request: &Request, read: &Essentials) -> String {
    let number = request.headers.get("CSeq").and_then(|cseq| cseq.split([' ', '\t']).next()).unwrap_or_default();
    format!("{} {} {number}", read.call_id, read.from.tag().unwrap_or_default())
}
