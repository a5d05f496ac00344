//! The handle [`Signaling`] and the one task behind it, which feeds the [`Stack`] and carries out what it wants.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    config::{SignalingConfig, SignalingLimits, Transport},
    dialog::{Local, Peer},
    entropy::Entropy,
    event::{CallKey, CallRequest, SignalingEvent, StaleCall, StoredDialog, TrunkState},
    guard::Guard,
    ladder::Ladder,
    resolver::{Resolver, Wanted},
    stack::{Admission, LocalOf, Output, Stack},
    transport::{Arrival, Shared, Tally, tcp, tls, udp},
    trunk::TrunkConfig,
    user_to_user::UserToUser,
};

/// Arrivals handled before outputs are carried out and timers looked at.
const BATCH: usize = 64;

/// When nothing is due, it is looked again after so long.
const FAR: Duration = Duration::from_secs(3_600);

/// How long calls that are being ended at shutdown may take.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(3);

/// Peers whose local address is remembered while the server listens on all of its addresses.
const MAX_ROUTES: usize = 4_096;

/// Signaling could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot bind SIP {transport:?} to {address}: {error}")]
    Bind { transport: Transport, address: SocketAddr, error: io::Error },
    #[error("no UDP socket for the UDP trunk {0}")]
    NoUdp(String),
    #[error("SIP over TLS: {0}")]
    Certificate(String),
}

/// Too much is waiting already: the call was not placed, and may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signaling is busy")]
pub struct Busy;

/// What went through the sockets since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub received: u64,
    /// Dropped unread: source not allowed.
    pub strangers: u64,
    /// Dropped unread: above the rate of one source.
    pub flooding: u64,
    /// Not SIP.
    pub unreadable: u64,
    /// Dropped because we did not keep up.
    pub overflow: u64,
    /// Connections refused or cut for slowness, silence or number.
    pub cut: u64,
    pub calls: u64,
    pub transactions: u64,
}

enum Command {
    Place(Box<CallRequest>),
    Ring(CallKey, u16, Option<String>),
    Accept(CallKey, String),
    Reject(CallKey, u16),
    HangUp(CallKey),
    Reinvite(CallKey, String),
    AcceptReinvite(CallKey, String),
    ReferToNumber(CallKey, String, Option<UserToUser>),
    ReferToCall(CallKey, CallKey, Option<UserToUser>),
    Terminate(Box<StoredDialog>),
    Watch(StaleCall),
    SetTrunks(Vec<TrunkConfig>),
    Leave,
    Ladder(CallKey, oneshot::Sender<Ladder>),
    Shutdown(oneshot::Sender<()>),
}

/// A handle on the SIP side of the server; clones share it. When all are dropped, calls are ended and sockets closed.
#[derive(Clone)]
pub struct Signaling {
    commands: mpsc::Sender<Command>,
    view: Arc<View>,
}

/// What the handle may read without asking the task.
struct View {
    trunks: RwLock<Vec<TrunkState>>,
    sizes: RwLock<(usize, usize)>,
    tally: Arc<Tally>,
    bound: Bound,
}

/// The sockets' addresses.
#[derive(Clone, Copy, Debug)]
struct Bound {
    udp: Option<SocketAddr>,
    tcp: Option<SocketAddr>,
    tls: Option<SocketAddr>,
}

impl Signaling {
    /// Binds the sockets and starts to look after the trunks.
    pub async fn start(config: SignalingConfig) -> Result<(Self, mpsc::Receiver<SignalingEvent>), StartError> {
        let udp_trunk = config.trunks.iter().find(|trunk| trunk.transport == Transport::Udp);
        if let (None, Some(trunk)) = (config.udp_bind, udp_trunk) {
            return Err(StartError::NoUdp(trunk.id.clone()));
        }
        let bound = |transport, address| move |error| StartError::Bind { transport, address, error };
        let udp = match config.udp_bind {
            Some(address) => Some(UdpSocket::bind(address).await.map_err(bound(Transport::Udp, address))?),
            None => None,
        };
        let tcp = match config.tcp_bind {
            Some(address) => Some(TcpListener::bind(address).await.map_err(bound(Transport::Tcp, address))?),
            None => None,
        };
        let tls = match &config.tls {
            Some(listen) => {
                let acceptor = tls::Acceptor::load(listen).map_err(StartError::Certificate)?;
                let socket = TcpListener::bind(listen.bind).await.map_err(bound(Transport::Tls, listen.bind))?;
                Some((socket, acceptor))
            }
            None => None,
        };
        let bound = Bound {
            udp: udp.as_ref().and_then(|udp| udp.local_addr().ok()),
            tcp: tcp.as_ref().and_then(|tcp| tcp.local_addr().ok()),
            tls: tls.as_ref().and_then(|(tls, _)| tls.local_addr().ok()),
        };
        let (commands, command_receiver) = mpsc::channel(config.limits.command_queue.max(2));
        let (events, event_receiver) = mpsc::channel(config.limits.event_queue.max(1));
        let (arrivals, arrival_receiver) = mpsc::channel(config.limits.receive_queue.max(1));
        let limits = Arc::new(config.limits.clone());
        let guard = Arc::new(Mutex::new(Guard::new(config.accept_inbound_from.clone(), &limits)));
        let shared = Shared { guard, limits: limits.clone(), arrivals, tally: Arc::default() };
        let view =
            Arc::new(View { trunks: RwLock::default(), sizes: RwLock::default(), tally: shared.tally.clone(), bound });
        let local_of = local_of(&config, bound);
        let mut stack = Stack::new(config.user_agent, config.limits, config.timers, Entropy::Os, local_of);
        stack.set_trunks(Instant::now(), config.trunks);
        let resolver = Resolver::start(config.nameservers);
        let census = tcp::Census::default();
        let udp = udp.map(Arc::new);
        let mut tasks = Vec::new();
        tasks.extend(udp.clone().map(|socket| tokio::spawn(udp::read(socket, shared.clone()))));
        tasks.extend(tcp.map(|listener| tokio::spawn(tcp::listen(listener, None, shared.clone(), census.clone()))));
        tasks.extend(tls.map(|(listener, acceptor)| {
            tokio::spawn(tcp::listen(listener, Some(acceptor), shared.clone(), census.clone()))
        }));
        let endpoint = Endpoint {
            stack,
            shared,
            udp,
            census,
            connections: HashMap::new(),
            pending: VecDeque::new(),
            view: view.clone(),
            limits,
            resolver,
            tasks,
            closing: false,
        };
        tokio::spawn(endpoint.run(command_receiver, arrival_receiver, events));
        Ok((Self { commands, view }, event_receiver))
    }

    /// Places a call. Its first event is `Dialog`; whatever goes wrong later comes as `Failed`.
    pub fn place_call(&self, request: CallRequest) -> Result<(), Busy> {
        // The other half of the queue is for ending what runs.
        if self.commands.capacity() * 2 < self.commands.max_capacity() {
            return Err(Busy);
        }
        self.commands.try_send(Command::Place(Box::new(request))).map_err(|_| Busy)
    }

    /// Sends a provisional to an incoming call, with SDP for early media.
    pub fn ring(&self, key: CallKey, status: u16, sdp: Option<String>) {
        self.command(Command::Ring(key, status, sdp));
    }

    /// Answers an incoming call; `Answered` follows when the far side has acknowledged.
    pub fn accept(&self, key: CallKey, sdp: String) {
        self.command(Command::Accept(key, sdp));
    }

    /// Refuses an incoming call with a status of 400 to 699.
    pub fn reject(&self, key: CallKey, status: u16) {
        self.command(Command::Reject(key, status));
    }

    /// Ends a call in any state: CANCEL, BYE or 487. An unknown key is harmless.
    pub fn hang_up(&self, key: CallKey) {
        self.command(Command::HangUp(key));
    }

    /// Offers a changed session within an answered call; the answer comes as `RemoteAnswer`.
    pub fn reinvite(&self, key: CallKey, sdp: String) {
        self.command(Command::Reinvite(key, sdp));
    }

    /// Answers `RemoteSdp`. Without it the offer is refused after `limits.reinvite_patience` and the session stays.
    pub fn accept_reinvite(&self, key: CallKey, sdp: String) {
        self.command(Command::AcceptReinvite(key, sdp));
    }

    /// Hands an answered call on to a number by REFER; `Transfer` events tell how it goes. The call itself stays until it
    /// is hung up, by us or by the far side.
    pub fn refer_to_number(&self, key: CallKey, number: String, data: Option<UserToUser>) {
        self.command(Command::ReferToNumber(key, number, data));
    }

    /// The same to the far side of `other`, whose call with us it replaces (attended transfer).
    pub fn refer_to_call(&self, key: CallKey, other: CallKey, data: Option<UserToUser>) {
        self.command(Command::ReferToCall(key, other, data));
    }

    /// After a crash: CANCEL when early, BYE when confirmed. Ends with `Failed` or `Ended` of the stored key.
    pub fn terminate_stored(&self, stored: StoredDialog) {
        self.command(Command::Terminate(Box::new(stored)));
    }

    /// After a crash: a late answer to a call of unknown state is acknowledged and ended.
    pub fn watch_stale(&self, stale: StaleCall) {
        self.command(Command::Watch(stale));
    }

    /// Replaces the trunks; calls that run are not touched.
    pub fn set_trunks(&self, trunks: Vec<TrunkConfig>) {
        self.command(Command::SetTrunks(trunks));
    }

    /// No new calls are wanted: bindings at registrars are removed. Calls go on.
    pub fn leave(&self) {
        self.command(Command::Leave);
    }

    /// The messages of a call, masked; empty when they are not kept (any more).
    pub async fn ladder(&self, key: CallKey) -> Ladder {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Ladder(key, reply));
        answer.await.unwrap_or_default()
    }

    pub fn trunk_states(&self) -> Vec<TrunkState> {
        self.view.trunks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn counters(&self) -> Counters {
        let tally = &self.view.tally;
        let (calls, transactions) = *self.view.sizes.read().unwrap_or_else(PoisonError::into_inner);
        Counters {
            received: tally.received.load(Ordering::Relaxed),
            strangers: tally.strangers.load(Ordering::Relaxed),
            flooding: tally.flooding.load(Ordering::Relaxed),
            unreadable: tally.unreadable.load(Ordering::Relaxed),
            overflow: tally.overflow.load(Ordering::Relaxed),
            cut: tally.cut.load(Ordering::Relaxed),
            calls: calls as u64,
            transactions: transactions as u64,
        }
    }

    /// The UDP socket's address.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        self.view.bound.udp
    }

    /// The TCP listener's address.
    pub fn tcp_addr(&self) -> Option<SocketAddr> {
        self.view.bound.tcp
    }

    /// The TLS listener's address.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.view.bound.tls
    }

    /// Ends every call and closes the sockets; returns after at most three seconds.
    pub async fn shutdown(self) {
        let (done, finished) = oneshot::channel();
        if self.commands.send(Command::Shutdown(done)).await.is_ok() {
            let _ = finished.await;
        }
    }

    fn command(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::error!("the signaling command queue is full or closed; a command is lost");
        }
    }
}

/// How the stack names itself: the advertised host, else the bound address, else the address the peer is reached from.
fn local_of(config: &SignalingConfig, bound: Bound) -> LocalOf {
    let advertised = config.advertised.clone();
    let routes: Mutex<HashMap<IpAddr, IpAddr>> = Mutex::default();
    Box::new(move |peer| {
        let bound = match peer.transport {
            Transport::Udp => bound.udp,
            Transport::Tcp => bound.tcp,
            Transport::Tls => bound.tls,
        };
        let port = bound.map_or(peer.transport.default_port(), |bound| bound.port());
        if let Some(advertised) = &advertised {
            // One outside port cannot stand for TLS and for plain SIP.
            let outside = advertised.port.filter(|_| peer.transport != Transport::Tls);
            return Local::new(&advertised.host, outside.unwrap_or(port));
        }
        let known = bound.map(|bound| bound.ip()).filter(|ip| !ip.is_unspecified());
        let ip = known.unwrap_or_else(|| {
            let mut routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
            if routes.len() >= MAX_ROUTES {
                routes.clear();
            }
            *routes.entry(peer.address.ip()).or_insert_with(|| route_to(peer.address))
        });
        Local::new(&ip.to_canonical().to_string(), port)
    })
}

/// The local address the system would send from; nothing is sent.
fn route_to(peer: SocketAddr) -> IpAddr {
    let any: IpAddr = if peer.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let probe = std::net::UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(peer)?;
        socket.local_addr()
    });
    probe.map_or(any, |address| address.ip())
}

struct Connection {
    id: u64,
    writer: mpsc::Sender<tcp::Write>,
}

struct Endpoint {
    stack: Stack,
    shared: Shared,
    udp: Option<Arc<UdpSocket>>,
    census: tcp::Census,
    connections: HashMap<Peer, Connection>,
    /// Events not yet taken over by the channel.
    pending: VecDeque<SignalingEvent>,
    view: Arc<View>,
    limits: Arc<SignalingLimits>,
    resolver: Resolver,
    tasks: Vec<JoinHandle<()>>,
    closing: bool,
}

impl Endpoint {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut arrivals: mpsc::Receiver<Arrival>,
        events: mpsc::Sender<SignalingEvent>,
    ) {
        let mut done = None;
        let mut end: Option<Instant> = None;
        // Wound anew only when the deadline has moved: most that arrives moves it not.
        let mut alarm = pin!(tokio::time::sleep(FAR));
        loop {
            self.carry_out().await;
            if end.is_some_and(|end| Instant::now() >= end || self.stack.is_quiet()) {
                break;
            }
            let deadline = self.stack.next_deadline().into_iter().chain(end).min();
            let deadline = deadline.unwrap_or_else(|| Instant::now() + FAR).into();
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                command = commands.recv(), if end.is_none() => match command {
                    Some(Command::Shutdown(reply)) => {
                        done = Some(reply);
                        end = Some(self.begin_shutdown());
                    }
                    Some(command) => self.on_command(command),
                    None => end = Some(self.begin_shutdown()),
                },
                Some(arrival) = arrivals.recv() => {
                    self.on_arrival(arrival);
                    for _ in 1..BATCH {
                        let Ok(arrival) = arrivals.try_recv() else { break };
                        self.on_arrival(arrival);
                    }
                }
                () = &mut alarm => self.stack.on_timeout(Instant::now()),
                permit = events.reserve(), if !self.pending.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(event) = self.pending.pop_front() {
                            permit.send(event);
                        }
                    }
                    // Nobody listens any more.
                    Err(_) => {
                        self.pending.clear();
                        if end.is_none() {
                            end = Some(self.begin_shutdown());
                        }
                    }
                }
            }
        }
        self.close(&events);
        drop(done);
    }

    fn begin_shutdown(&mut self) -> Instant {
        self.closing = true;
        self.stack.set_admission(Admission::Closed);
        self.stack.hang_up_all(Instant::now());
        self.stack.leave(Instant::now());
        Instant::now() + SHUTDOWN_PATIENCE
    }

    fn close(mut self, events: &mpsc::Sender<SignalingEvent>) {
        for event in self.pending.drain(..) {
            if events.try_send(event).is_err() {
                break;
            }
        }
        for task in &self.tasks {
            task.abort();
        }
    }

    fn on_command(&mut self, command: Command) {
        let now = Instant::now();
        let stack = &mut self.stack;
        match command {
            Command::Place(request) => stack.place_call(now, &request),
            Command::Ring(key, status, sdp) => stack.ring(now, key, status, sdp),
            Command::Accept(key, sdp) => stack.accept(now, key, sdp),
            Command::Reject(key, status) => stack.reject(now, key, status),
            Command::HangUp(key) => stack.hang_up(now, key),
            Command::Reinvite(key, sdp) => stack.reinvite(now, key, sdp),
            Command::AcceptReinvite(key, sdp) => stack.accept_reinvite(now, key, sdp),
            Command::ReferToNumber(key, number, data) => stack.refer_to_number(now, key, &number, data),
            Command::ReferToCall(key, other, data) => stack.refer_to_call(now, key, other, data),
            Command::Terminate(stored) => stack.terminate_stored(now, &stored),
            Command::Watch(stale) => stack.watch_stale(now, stale),
            Command::SetTrunks(trunks) => stack.set_trunks(now, trunks),
            Command::Leave => stack.leave(now),
            Command::Ladder(key, reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(stack.ladder(key));
            }
            // Handled in the loop, which owns the reply.
            Command::Shutdown(_) => {}
        }
    }

    fn on_arrival(&mut self, arrival: Arrival) {
        let now = Instant::now();
        match arrival {
            Arrival::Message { from, parsed } => self.stack.receive(now, from, parsed),
            Arrival::Accepted { from, id, writer } => {
                self.connections.insert(from, Connection { id, writer });
            }
            Arrival::Closed { peer, id, why } => {
                if self.connections.get(&peer).is_some_and(|connection| connection.id == id) {
                    self.connections.remove(&peer);
                }
                self.stack.connection_lost(now, peer, &why);
            }
            Arrival::Unsent { clients, why } => {
                for client in clients {
                    self.stack.transport_failed(now, client, &why);
                }
            }
            Arrival::Resolved { trunk, found } => self.stack.resolved(now, &trunk, found),
        }
    }

    async fn carry_out(&mut self) {
        while let Some(output) = self.stack.poll_output() {
            match output {
                Output::Send { peer, bytes, client } => self.send(peer, bytes, client).await,
                Output::Event(event) => self.pending.push_back(*event),
                Output::Resolve { trunk, host, port, transport, sips } => {
                    self.resolve(trunk, Wanted { host, port, transport, sips });
                }
                Output::Admit(address) => self.shared.with_guard(|guard| guard.admit(address)),
                Output::Allow(ranges) => self.shared.with_guard(|guard| guard.allow(ranges)),
                Output::Dismiss(address) => self.shared.with_guard(|guard| guard.dismiss(address)),
            }
        }
        let full = self.closing || self.pending.len() >= self.limits.event_queue;
        self.stack.set_admission(if full { Admission::Closed } else { Admission::Open });
        if self.stack.take_trunks_touched() {
            *self.view.trunks.write().unwrap_or_else(PoisonError::into_inner) = self.stack.trunk_states();
        }
        *self.view.sizes.write().unwrap_or_else(PoisonError::into_inner) = self.stack.sizes();
    }

    async fn send(&mut self, peer: Peer, bytes: Bytes, client: Option<u64>) {
        let sent = match (peer.transport, &self.udp) {
            (Transport::Udp, Some(socket)) => {
                udp::send(socket, self.view.bound.udp, &bytes, peer.address).await.map_err(|error| error.to_string())
            }
            (Transport::Udp, None) => Err("there is no UDP socket".to_owned()),
            (Transport::Tcp | Transport::Tls, _) => self.send_stream(peer, tcp::Write { bytes, client }),
        };
        if let (Err(why), Some(client)) = (sent, client) {
            self.stack.transport_failed(Instant::now(), client, &why);
        }
    }

    /// Queues bytes on the connection to a peer, opening one when there is none.
    fn send_stream(&mut self, peer: Peer, write: tcp::Write) -> Result<(), String> {
        let write = match self.connections.get(&peer) {
            Some(connection) => match connection.writer.try_send(write) {
                Ok(()) => return Ok(()),
                // A peer that does not read is not worth a second connection.
                Err(mpsc::error::TrySendError::Full(_)) => return Err("the far side does not read".to_owned()),
                Err(mpsc::error::TrySendError::Closed(write)) => write,
            },
            None => write,
        };
        let (writer, writes) = mpsc::channel(self.limits.connection_queue.max(1));
        let id = tcp::next_id();
        let queued = writer.try_send(write).map_err(|_| "no room in the queue".to_owned());
        let trunk = self.stack.trunk_at(peer.address.ip()).filter(|_| peer.transport == Transport::Tls);
        let security = trunk.map(|trunk| tls::TlsPeer { files: trunk.tls.clone(), host: trunk.host.clone() });
        let (shared, census) = (self.shared.clone(), self.census.clone());
        tokio::spawn(tcp::connect(peer, security, id, writer.clone(), writes, shared, census));
        self.connections.insert(peer, Connection { id, writer });
        queued
    }

    fn resolve(&self, trunk: String, wanted: Wanted) {
        let arrivals = self.shared.arrivals.clone();
        let resolver = self.resolver.clone();
        let (v4, v6) = match self.udp.as_ref().and_then(|udp| udp.local_addr().ok()) {
            Some(bound) => (bound.is_ipv4() || bound.ip().is_unspecified(), bound.is_ipv6()),
            None => (true, true),
        };
        tokio::spawn(async move {
            let found = resolver.locate(&wanted).await.map(|mut found| {
                found.retain(|located| (located.address.is_ipv4() && v4) || (located.address.is_ipv6() && v6));
                found
            });
            if let Err(error) = &found {
                tracing::warn!(%trunk, error, "the trunk's host cannot be resolved");
            }
            let _ = arrivals.send(Arrival::Resolved { trunk, found }).await;
        });
    }
}
