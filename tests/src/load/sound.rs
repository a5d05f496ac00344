//! The media loop: one thread sends and receives for all browsers and telephones. A packet is sent every 20 ms by each,
//! evenly spread, and carries the moment of its sending.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use ringback_media::testing::{BrowserPeer, Received, RtpPeer};
use std::os::fd::AsRawFd;

const FRAME: Duration = Duration::from_millis(20);
const MAGIC: [u8; 4] = *b"ring";
/// Bytes of PCMU in 20 ms.
const PAYLOAD: usize = 160;
/// How often peers without traffic look after their timers.
const TIMERS: Duration = Duration::from_millis(50);

/// From other threads to the loop.
enum Order {
    Browser(Box<BrowserPeer>, Arc<AtomicBool>),
    Phone(usize, RtpPeer),
    RemovePhone(usize),
}

pub(crate) struct Sound {
    orders: mpsc::Sender<Order>,
    next: AtomicUsize,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    measuring: AtomicBool,
    /// Browsers that hear a telephone now.
    hearing: AtomicUsize,
    tally: Mutex<Tally>,
}

/// What arrived of what was sent while measuring.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    sent: u64,
    pub(super) received: u64,
    pub(super) lost: u64,
    /// Microseconds → packets.
    latencies: BTreeMap<u64, u64>,
}

impl Tally {
    pub(super) fn percentile(&self, share: f64) -> u64 {
        let rank = (self.received as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (latency, count) in &self.latencies {
            seen += count;
            if seen >= rank {
                return *latency;
            }
        }
        0
    }
}

impl Sound {
    /// `eager`: never sleeps, so that waking up is not measured as the server's latency; takes a processor of its own.
    pub(crate) fn start(calls: usize, eager: bool) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel();
        let state = Arc::new(State::default());
        let mut media = Loop::new(calls, eager, inbox, Arc::clone(&state))?;
        std::thread::spawn(move || media.run());
        Ok(Self { orders, next: AtomicUsize::new(0), state })
    }

    /// Drives this browser from now on; the flag tells when it is connected.
    pub(super) fn add_browser(&self, peer: BrowserPeer) -> Arc<AtomicBool> {
        let connected = Arc::new(AtomicBool::new(false));
        // The loop ends with the process only.
        let _ = self.orders.send(Order::Browser(Box::new(peer), Arc::clone(&connected)));
        connected
    }

    pub(crate) fn add_phone(&self, peer: RtpPeer) -> usize {
        let number = self.next.fetch_add(1, Relaxed);
        let _ = self.orders.send(Order::Phone(number, peer));
        number
    }

    pub(crate) fn remove_phone(&self, number: usize) {
        let _ = self.orders.send(Order::RemovePhone(number));
    }

    pub(super) fn bridged(&self) -> usize {
        self.state.hearing.load(Relaxed)
    }

    pub(super) fn measure(&self, on: bool) {
        self.state.measuring.store(on, Relaxed);
    }

    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.state.tally.lock().map(|tally| tally.clone()).unwrap_or_default();
        tally.lost = tally.sent.saturating_sub(tally.received);
        tally
    }
}

enum Peer {
    Browser { peer: Box<BrowserPeer>, connected: Arc<AtomicBool>, heard: Option<Instant> },
    Phone(RtpPeer),
}

struct Seat {
    peer: Peer,
    /// Who hears it, once that is known: only bridged packets count as sent.
    bridged: bool,
    due: Instant,
}

struct Loop {
    poll: Poll,
    inbox: mpsc::Receiver<Order>,
    state: Arc<State>,
    seats: BTreeMap<usize, Seat>,
    phones: BTreeMap<usize, usize>,
    next_seat: usize,
    spacing: Duration,
    eager: bool,
    epoch: Instant,
    /// Sent in this pass, for the shared tally.
    local: Tally,
}

impl Loop {
    fn new(calls: usize, eager: bool, inbox: mpsc::Receiver<Order>, state: Arc<State>) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            inbox,
            state,
            seats: BTreeMap::new(),
            phones: BTreeMap::new(),
            next_seat: 0,
            spacing: FRAME / (2 * calls.max(1)) as u32,
            eager,
            epoch: Instant::now(),
            local: Tally::default(),
        })
    }

    fn run(&mut self) {
        let mut events = Events::with_capacity(1024);
        let mut timers = Instant::now();
        loop {
            while let Ok(order) = self.inbox.try_recv() {
                self.take(order);
            }
            let wait = if self.eager && self.seats.len() > 1 { Duration::ZERO } else { Duration::from_millis(1) };
            if self.poll.poll(&mut events, Some(wait)).is_err() {
                continue;
            }
            for event in &events {
                self.read(event.token().0);
            }
            self.send_due();
            if timers.elapsed() > TIMERS {
                timers = Instant::now();
                self.look_after_timers();
            }
        }
    }

    fn take(&mut self, order: Order) {
        let seat = self.next_seat;
        self.next_seat += 1;
        let peer = match order {
            Order::Browser(peer, connected) => Peer::Browser { peer, connected, heard: None },
            Order::Phone(number, peer) => {
                self.phones.insert(number, seat);
                Peer::Phone(peer)
            }
            Order::RemovePhone(number) => {
                if let Some(seat) = self.phones.remove(&number)
                    && let Some(Seat { peer: Peer::Phone(peer), .. }) = self.seats.remove(&seat)
                {
                    let _ = self.poll.registry().deregister(&mut SourceFd(&peer.socket().as_raw_fd()));
                }
                return;
            }
        };
        let descriptor = match &peer {
            Peer::Browser { peer, .. } => peer.socket().as_raw_fd(),
            Peer::Phone(peer) => peer.socket().as_raw_fd(),
        };
        if self.poll.registry().register(&mut SourceFd(&descriptor), Token(seat), Interest::READABLE).is_ok() {
            // Each peer has its own place within the 20 ms, so that the server is not hit by bursts nobody would make.
            let due = Instant::now()
                + self.spacing
                    * (seat as u32 % (2 * (FRAME.as_nanos() / self.spacing.as_nanos().max(1)) as u32).max(1));
            self.seats.insert(seat, Seat { peer, bridged: false, due });
        }
    }

    fn read(&mut self, token: usize) {
        let Some(seat) = self.seats.get_mut(&token) else { return };
        let mut packets = Vec::new();
        match &mut seat.peer {
            Peer::Browser { peer, connected, heard } => {
                peer.drive(Instant::now());
                packets = peer.take_received();
                connected.store(peer.is_connected(), Relaxed);
                if packets.iter().any(|packet| stamp_of(packet).is_some()) {
                    *heard = Some(Instant::now());
                    seat.bridged = true;
                }
            }
            Peer::Phone(peer) => {
                peer.receive(&mut packets);
                seat.bridged |= packets.iter().any(|packet| stamp_of(packet).is_some());
            }
        }
        for packet in &packets {
            let Some((sent, counted)) = stamp_of(packet) else { continue };
            if counted {
                let latency = packet.at.saturating_duration_since(self.epoch).saturating_sub(sent);
                self.local.received += 1;
                *self.local.latencies.entry(latency.as_micros() as u64).or_default() += 1;
            }
        }
    }

    fn send_due(&mut self) {
        let measuring = self.state.measuring.load(Relaxed);
        for seat in self.seats.values_mut() {
            let now = Instant::now();
            if now < seat.due {
                continue;
            }
            seat.due += FRAME;
            if seat.due < now {
                // Late by more than a frame: go on from here rather than catch up in a burst.
                seat.due = now + FRAME;
            }
            let counted = measuring && seat.bridged;
            let payload = stamp(now.saturating_duration_since(self.epoch), counted);
            match &mut seat.peer {
                Peer::Browser { peer, .. } if peer.is_connected() => peer.send(now, &payload),
                Peer::Browser { .. } => continue,
                Peer::Phone(peer) => {
                    if peer.send(&payload).is_err() {
                        continue;
                    }
                }
            }
            self.local.sent += u64::from(counted);
        }
    }

    fn look_after_timers(&mut self) {
        let now = Instant::now();
        let mut hearing = 0;
        for seat in self.seats.values_mut() {
            if let Peer::Browser { peer, connected, heard } = &mut seat.peer {
                if peer.deadline().is_some_and(|deadline| deadline <= now) {
                    peer.drive(now);
                }
                connected.store(peer.is_connected(), Relaxed);
                let hears = heard.is_some_and(|at| now.duration_since(at) < Duration::from_secs(1));
                seat.bridged &= hears;
                hearing += usize::from(hears);
            }
        }
        self.state.hearing.store(hearing, Relaxed);
        if let Ok(mut tally) = self.state.tally.lock() {
            tally.sent += std::mem::take(&mut self.local.sent);
            tally.received += std::mem::take(&mut self.local.received);
            for (latency, count) in std::mem::take(&mut self.local.latencies) {
                *tally.latencies.entry(latency).or_default() += count;
            }
        }
    }
}

/// Sound that is a message to ourselves: it passes the server unchanged because nothing is transcoded.
fn stamp(sent: Duration, counted: bool) -> [u8; PAYLOAD] {
    let mut payload = [0xff; PAYLOAD];
    payload[..4].copy_from_slice(&MAGIC);
    payload[4] = u8::from(counted);
    payload[5..13].copy_from_slice(&(sent.as_nanos() as u64).to_be_bytes());
    payload
}

fn stamp_of(packet: &Received) -> Option<(Duration, bool)> {
    let payload = &packet.payload;
    if packet.payload_type != 0 || payload.len() < 13 || payload[..4] != MAGIC {
        return None;
    }
    let nanos = u64::from_be_bytes(*payload[5..13].first_chunk()?);
    Some((Duration::from_nanos(nanos), payload[4] == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let mut tally = Tally { received: 100, ..Tally::default() };
        for latency in 1..=100 {
            tally.latencies.insert(latency, 1);
        }
        assert_eq!((tally.percentile(0.5), tally.percentile(0.99)), (50, 99));
        assert_eq!(Tally::default().percentile(0.5), 0);
    }
}
