//! The whole of SIP without I/O: transactions, calls and trunks joined. Messages, commands and time go in, [`Output`]s
//! come out; [`crate::endpoint`] is the loop around it, and the pair tests drive two of them on virtual time.

#[cfg(test)]
mod bench;
mod commands;
#[cfg(test)]
mod failover_tests;
#[cfg(test)]
mod pair_tests;
mod requests;
mod responses;
mod timers;
#[cfg(test)]
mod transfer_tests;
mod trunks;

use std::{
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    net::IpAddr,
    time::Instant,
};

use bytes::Bytes;

use crate::{
    call::{Call, CallAction, Ctx, Sent, ServerId},
    config::{IpNet, SignalingLimits, SipTimers, Transport},
    dialog::{Local, Peer},
    entropy::Entropy,
    event::{CallKey, SignalingEvent},
    header::Essentials,
    ladder::{Ladder, Ladders},
    message::{Method, Response},
    transaction::{ClientAction, ClientInvite, ClientNonInvite, ServerAction, ServerInvite, ServerNonInvite},
    trunk::Trunk,
};
use timers::Alarm;

/// What the loop has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send bytes; a failure is reported by [`Stack::transport_failed`] with the transaction named here.
    Send {
        peer: Peer,
        bytes: Bytes,
        client: Option<u64>,
    },
    Event(Box<SignalingEvent>),
    /// Look up a trunk's host (RFC 3263: by SRV when no port is given) and report by [`Stack::resolved`].
    Resolve {
        trunk: String,
        host: String,
        port: Option<u16>,
        transport: Transport,
        sips: bool,
    },
    /// Listen to an address from now on; paired with `Dismiss`.
    Admit(IpAddr),
    Dismiss(IpAddr),
    /// Listen to these ranges besides those of the settings; replaces what was said before.
    Allow(Vec<IpNet>),
}

/// How the stack names itself towards a peer; given by the loop, which knows the sockets.
pub type LocalOf = Box<dyn Fn(Peer) -> Local + Send>;

pub struct Stack {
    user_agent: String,
    limits: SignalingLimits,
    timers: SipTimers,
    entropy: Entropy,
    local_of: LocalOf,
    clients: HashMap<u64, Client>,
    client_index: HashMap<ClientKey, u64>,
    servers: HashMap<ServerId, Server>,
    server_index: HashMap<ServerKey, ServerId>,
    /// INVITEs being handled, by what is the same on every path they may have taken.
    invites: HashMap<String, ServerId>,
    calls: HashMap<CallKey, Slot>,
    /// Call-ID and local tag → call.
    dialogs: HashMap<(String, String), CallKey>,
    trunks: Vec<Trunk>,
    trunk_addresses: HashSet<IpAddr>,
    /// Call-ID and From-tag of calls of a previous life.
    stale: HashMap<(String, String), Instant>,
    alarms: BinaryHeap<Alarm>,
    /// What is only to be forgotten.
    chores: BinaryHeap<Alarm>,
    outputs: VecDeque<Output>,
    next_id: u64,
    admission: Admission,
    /// Why the transport failed, while a step deals with it.
    trouble: Option<Box<str>>,
    trunks_touched: bool,
    ladders: Ladders,
}

/// Whether new calls are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Open,
    /// The contact centre does not keep up, or the server is shutting down.
    Closed,
}

/// A response finds its transaction by branch and CSeq method (RFC 3261 §17.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ClientKey {
    branch: String,
    method: Method,
}

/// A request finds its transaction by branch, sent-by and method, ACK counting as INVITE (§17.2.3). Peers older than
/// RFC 3261 have no useful branch: there the words that identify the request take its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ServerKey {
    branch: String,
    sent_by: String,
    method: Method,
}

struct Client {
    machine: ClientMachine,
    key: ClientKey,
    sent: Sent,
    owner: Owner,
    alarm: Option<Instant>,
}

enum ClientMachine {
    Invite(ClientInvite),
    Other(ClientNonInvite),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Call(CallKey),
    Trunk(String),
}

struct Server {
    machine: ServerMachine,
    key: ServerKey,
    reply_to: Peer,
    /// Key of an INVITE in `Stack::invites`.
    identity: Option<String>,
    /// The call an INVITE belongs to, for CANCEL.
    call: Option<CallKey>,
    alarm: Option<Instant>,
}

enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerNonInvite),
}

struct Slot {
    call: Call,
    dialog_id: (String, String),
    admitted: Option<IpAddr>,
    alarm: Option<Instant>,
}

impl Client {
    fn is_answered(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.is_answered(),
            ClientMachine::Other(machine) => machine.is_answered(),
        }
    }

    /// Whether nobody waits for its response. A farewell to a registrar is waited for, a ping is not.
    fn is_quiet(&self) -> bool {
        self.is_answered() || self.sent.purpose == crate::call::Purpose::Ping
    }
}

impl Stack {
    pub fn new(
        user_agent: String,
        limits: SignalingLimits,
        timers: SipTimers,
        entropy: Entropy,
        local_of: LocalOf,
    ) -> Self {
        Self {
            user_agent,
            ladders: Ladders::new(limits.ladder_bytes),
            limits,
            timers,
            entropy,
            local_of,
            clients: HashMap::new(),
            client_index: HashMap::new(),
            servers: HashMap::new(),
            server_index: HashMap::new(),
            invites: HashMap::new(),
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            trunks: Vec::new(),
            trunk_addresses: HashSet::new(),
            stale: HashMap::new(),
            alarms: BinaryHeap::new(),
            chores: BinaryHeap::new(),
            outputs: VecDeque::new(),
            next_id: 1,
            admission: Admission::Open,
            trouble: None,
            trunks_touched: true,
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The messages of a call, masked; empty when they are not kept (any more).
    pub fn ladder(&self, key: CallKey) -> Ladder {
        self.ladders.of(key)
    }

    pub fn set_admission(&mut self, admission: Admission) {
        self.admission = admission;
    }

    /// Whether no call is left that still has something to say.
    pub fn is_quiet(&self) -> bool {
        self.calls.values().all(|slot| slot.call.is_over()) && self.clients.values().all(|client| client.is_quiet())
    }

    /// Calls known, transactions alive.
    pub fn sizes(&self) -> (usize, usize) {
        (self.calls.len(), self.clients.len() + self.servers.len())
    }

    fn transactions_full(&self) -> bool {
        self.clients.len() + self.servers.len() >= self.limits.max_transactions
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Runs one step of a call and carries out what it wants.
    fn with_call(&mut self, now: Instant, key: CallKey, step: impl FnOnce(&mut Call, &mut Ctx<'_>)) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let mut out = Vec::new();
        let mut ctx = Ctx {
            now,
            entropy: &mut self.entropy,
            timers: self.timers,
            limits: &self.limits,
            user_agent: &self.user_agent,
            out: &mut out,
        };
        step(&mut slot.call, &mut ctx);
        self.carry_out(now, key, out);
        self.settle(now, key);
    }

    /// A context for steps outside a stored call.
    fn ctx<'a>(&'a mut self, now: Instant, out: &'a mut Vec<CallAction>) -> Ctx<'a> {
        Ctx {
            now,
            entropy: &mut self.entropy,
            timers: self.timers,
            limits: &self.limits,
            user_agent: &self.user_agent,
            out,
        }
    }

    /// Stores a new call and carries out its first wishes.
    fn add_call(&mut self, now: Instant, call: Call, out: Vec<CallAction>) {
        let (key, dialog_id) = (call.key(), call.dialog_id());
        self.dialogs.insert(dialog_id.clone(), key);
        self.calls.insert(key, Slot { call, dialog_id, admitted: None, alarm: None });
        self.carry_out(now, key, out);
        self.settle(now, key);
    }

    /// After a step: forget a call that is gone, otherwise wind up its alarm and listen to its far end.
    fn settle(&mut self, now: Instant, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        if slot.call.is_gone(now) {
            return self.forget_call(key);
        }
        if let Some(peer) = slot.call.next_hop() {
            let address = peer.address.ip();
            if slot.admitted != Some(address) {
                self.outputs.push_back(Output::Admit(address));
                if let Some(old) = slot.admitted.replace(address) {
                    self.outputs.push_back(Output::Dismiss(old));
                }
            }
        }
        self.wind_call(key);
    }

    fn forget_call(&mut self, key: CallKey) {
        let Some(slot) = self.calls.remove(&key) else { return };
        if let Some(address) = slot.admitted {
            self.outputs.push_back(Output::Dismiss(address));
        }
        if self.dialogs.get(&slot.dialog_id) == Some(&key) {
            self.dialogs.remove(&slot.dialog_id);
        }
        // A proceeding INVITE has no timer of its own and must not outlive its call.
        if let Some(branch) = slot.call.invite_branch() {
            self.abandon_client(branch.to_owned());
        }
    }

    fn carry_out(&mut self, now: Instant, key: CallKey, actions: Vec<CallAction>) {
        for action in actions {
            match action {
                CallAction::Send { sent, branch } => self.start_client(now, sent, branch, Owner::Call(key)),
                CallAction::Resume { sent, branch } => self.resume_client(sent, branch, key),
                CallAction::Abandon { branch } => self.abandon_client(branch),
                CallAction::Transmit { bytes, peer } => {
                    self.ladders.keep(now, key, true, bytes.clone());
                    self.outputs.push_back(Output::Send { peer, bytes, client: None });
                }
                CallAction::Respond { server, response } => self.respond(now, server, &response),
                CallAction::Event(event) => self.outputs.push_back(Output::Event(event)),
                CallAction::Avoid { peer, seconds } => self.avoid(now, peer, seconds),
            }
        }
    }

    fn start_client(&mut self, now: Instant, sent: Sent, branch: String, owner: Owner) {
        let mut actions = Vec::new();
        let reliable = sent.peer.transport.is_reliable();
        let method = sent.request.method.clone();
        let machine = if method == Method::Invite {
            let machine = ClientInvite::start(now, sent.request.clone(), reliable, self.timers, &mut actions);
            ClientMachine::Invite(machine)
        } else {
            ClientMachine::Other(ClientNonInvite::start(now, &sent.request, reliable, self.timers, &mut actions))
        };
        let id = self.store_client(machine, sent, ClientKey { branch, method }, owner);
        self.on_client_actions(now, id, actions, None);
    }

    fn resume_client(&mut self, sent: Sent, branch: String, key: CallKey) {
        let reliable = sent.peer.transport.is_reliable();
        let machine = ClientInvite::resume(sent.request.clone(), reliable, self.timers);
        let client_key = ClientKey { branch, method: Method::Invite };
        self.store_client(ClientMachine::Invite(machine), sent, client_key, Owner::Call(key));
    }

    fn store_client(&mut self, machine: ClientMachine, sent: Sent, key: ClientKey, owner: Owner) -> u64 {
        let id = self.id();
        self.client_index.insert(key.clone(), id);
        self.clients.insert(id, Client { machine, key, sent, owner, alarm: None });
        id
    }

    fn abandon_client(&mut self, branch: String) {
        let key = ClientKey { branch, method: Method::Invite };
        if let Some(id) = self.client_index.get(&key).copied()
            && let Some(Client { machine: ClientMachine::Invite(machine), .. }) = self.clients.get(&id)
            && !machine.is_answered()
        {
            self.forget_client(id);
        }
    }

    fn forget_client(&mut self, id: u64) -> Option<Client> {
        let client = self.clients.remove(&id)?;
        if self.client_index.get(&client.key) == Some(&id) {
            self.client_index.remove(&client.key);
        }
        Some(client)
    }

    /// Sends a response on a server transaction; nothing when it is over.
    fn respond(&mut self, now: Instant, id: ServerId, response: &Response) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let mut actions = Vec::new();
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.respond(now, response, &mut actions),
            ServerMachine::Other(machine) => machine.respond(now, response, &mut actions),
        }
        self.on_server_actions(now, id, actions);
    }

    fn on_server_actions(&mut self, now: Instant, id: ServerId, actions: Vec<ServerAction>) {
        let Some(server) = self.servers.get(&id) else { return };
        let (peer, call) = (server.reply_to, server.call);
        for action in actions {
            if let ServerAction::Transmit(bytes) = action {
                if let Some(key) = call {
                    self.ladders.keep(now, key, true, bytes.clone());
                }
                self.outputs.push_back(Output::Send { peer, bytes, client: None });
            }
        }
        self.wind_server(id);
    }

    /// `read`: of the response that brought them, if one did.
    fn on_client_actions(&mut self, now: Instant, id: u64, actions: Vec<ClientAction>, read: Option<&Essentials>) {
        for action in actions {
            let Some(client) = self.clients.get(&id) else { return };
            match action {
                ClientAction::Transmit(bytes) => {
                    let peer = client.sent.peer;
                    if let Owner::Call(key) = client.owner {
                        self.ladders.keep(now, key, true, bytes.clone());
                    }
                    self.outputs.push_back(Output::Send { peer, bytes, client: Some(id) });
                }
                ClientAction::Deliver(response) => {
                    let (owner, sent) = (client.owner.clone(), client.sent.clone());
                    if let Some(read) = read {
                        self.deliver(now, &owner, &sent, &response, read);
                    }
                }
                ClientAction::TimedOut => self.client_unanswered(now, id, crate::call::Unanswered::TimedOut),
                ClientAction::Unsent => self.client_unanswered(now, id, crate::call::Unanswered::Unsent),
                ClientAction::Terminated => {}
            }
        }
        self.wind_client(id);
    }
}
