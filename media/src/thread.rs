//! A media thread: one epoll loop over the browsers' socket and the carriers' sockets. No lock, no await,
//! nothing on the way of a packet waits.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use tracing::warn;

use crate::command::Command;
use crate::config::MediaConfig;
use crate::demux::{Demux, Slot};
use crate::event::{DisconnectReason, LegKey, MediaEvent};
use crate::leg::{Hearing, Leg, Transport};
use crate::moving::{Neighbours, Waiting};
use crate::room::Rooms;
use crate::stats::{Totals, count};
use crate::wire::Wire;

pub(crate) const WAKER: Token = Token(0);
const BROWSERS: Token = Token(1);
/// Tokens of carriers' sockets: two per slot from here on.
const FIRST_CARRIER: usize = 2;
/// Larger than any datagram we accept; a longer one is cut and then fails its checks.
const DATAGRAM: usize = 2048;
/// The loop turns at least this often.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Readiness events taken in one turn.
const EVENTS: usize = 1024;
/// Under load turns are at least this far apart, so that several packets share one waking up, which costs more than a
/// packet does. A quiet thread wakes at once. The kernel adds its timer slack, 50 µs.
const GATHER: Duration = Duration::from_micros(220);

/// Events on their way to the engine; the thread never waits for it.
pub(crate) struct EventQueue {
    pub(crate) sender: tokio::sync::mpsc::Sender<MediaEvent>,
    pub(crate) totals: Arc<Totals>,
}

impl EventQueue {
    pub(crate) fn push(&self, event: MediaEvent) {
        if self.sender.try_send(event).is_err() {
            count(&self.totals.events_lost, 1);
        }
    }
}

pub(crate) struct MediaThread {
    pub(crate) config: Arc<MediaConfig>,
    poll: Poll,
    commands: Receiver<Command>,
    /// Legs whose close command found the queue full.
    closing: Arc<Mutex<Vec<LegKey>>>,
    pub(crate) wire: Wire,
    pub(crate) demux: Demux,
    pub(crate) legs: Vec<Option<Box<Leg>>>,
    pub(crate) slots: HashMap<LegKey, Slot>,
    pub(crate) free: Vec<Slot>,
    pub(crate) events: EventQueue,
    pub(crate) next_origin: u64,
    pub(crate) neighbours: Neighbours,
    pub(crate) waiting: Waiting,
    pub(crate) rooms: Rooms,
    timers: BTreeSet<(Instant, Slot)>,
    /// Sockets with more to read than one turn allows.
    unfinished: Vec<Token>,
    stopping: bool,
}

/// What a new thread is made of.
pub(crate) struct Parts {
    pub(crate) index: usize,
    pub(crate) neighbours: Neighbours,
    pub(crate) config: Arc<MediaConfig>,
    pub(crate) poll: Poll,
    pub(crate) commands: Receiver<Command>,
    pub(crate) closing: Arc<Mutex<Vec<LegKey>>>,
    pub(crate) wire: Wire,
    pub(crate) events: EventQueue,
}

impl MediaThread {
    /// # Errors
    /// When the browsers' socket cannot be registered.
    pub(crate) fn new(parts: Parts) -> io::Result<Self> {
        let Parts { index, config, poll, commands, closing, mut wire, events, neighbours } = parts;
        poll.registry().register(&mut wire.browsers, BROWSERS, Interest::READABLE)?;
        Ok(MediaThread {
            demux: Demux::new(config.limits.addresses_per_browser),
            config,
            poll,
            commands,
            closing,
            wire,
            legs: Vec::new(),
            slots: HashMap::new(),
            free: Vec::new(),
            events,
            next_origin: (index as u64) << 48 | 1,
            neighbours,
            waiting: Waiting::default(),
            rooms: Rooms::default(),
            timers: BTreeSet::new(),
            unfinished: Vec::new(),
            stopping: false,
        })
    }

    /// Runs until [`Command::Shutdown`].
    pub(crate) fn run(mut self) {
        let mut ready = Events::with_capacity(EVENTS);
        let mut buffer = vec![0u8; DATAGRAM];
        let mut rhythm = Rhythm::default();
        while !self.stopping {
            let timeout = if self.unfinished.is_empty() { self.next_wait(Instant::now()) } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut ready, Some(timeout))
                && error.kind() != io::ErrorKind::Interrupted
            {
                warn!(%error, "the media thread cannot wait for its sockets");
            }
            rhythm.wake(Instant::now());
            for token in std::mem::take(&mut self.unfinished) {
                self.read(token, &mut buffer);
            }
            for event in &ready {
                if event.token() != WAKER {
                    self.read(event.token(), &mut buffer);
                }
            }
            self.take_commands();
            self.fire_timers();
            self.mix_rooms(Instant::now());
            if self.unfinished.is_empty() && !self.stopping {
                let now = Instant::now();
                std::thread::sleep(rhythm.pause(now).min(self.next_wait(now)));
            }
        }
        let open: Vec<LegKey> = self.slots.keys().copied().collect();
        for leg in open {
            self.close(leg);
        }
    }

    fn next_wait(&self, now: Instant) -> Duration {
        let next = self.timers.first().map(|(at, _)| *at).into_iter().chain(self.rooms.next_mix()).min();
        next.map_or(MAX_WAIT, |at| at.saturating_duration_since(now).min(MAX_WAIT))
    }

    fn take_commands(&mut self) {
        for _ in 0..self.config.limits.commands {
            match self.commands.try_recv() {
                Ok(Command::Shutdown) => self.stopping = true,
                Ok(command) => self.execute(Instant::now(), command),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.stopping = true;
                    break;
                }
            }
        }
        let closing = std::mem::take(&mut *self.closing.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for leg in closing {
            self.execute(Instant::now(), Command::Close { leg });
        }
    }

    /// Reads a socket until it is empty or the others' turn has come.
    fn read(&mut self, token: Token, buffer: &mut [u8]) {
        for _ in 0..self.config.limits.reads_per_wake.max(1) {
            let received = match self.socket(token) {
                Some(socket) => socket.recv_from(buffer),
                None => return,
            };
            match received {
                Ok((length, from)) => {
                    let now = Instant::now();
                    let datagram = &buffer[..length];
                    match carrier_token(token) {
                        None => self.browser_datagram(now, from, datagram),
                        Some((slot, Channel::Rtp)) => self.carrier_datagram(slot, now, from, datagram),
                        Some((slot, Channel::Rtcp)) => self.carrier_report(slot, now, from, datagram),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // ICMP errors of earlier sends show up here; the socket is still good.
                Err(_) => {}
            }
        }
        self.unfinished.push(token);
    }

    fn socket(&self, token: Token) -> Option<&UdpSocket> {
        let Some((slot, channel)) = carrier_token(token) else { return Some(&self.wire.browsers) };
        match &self.legs.get(slot)?.as_ref()?.transport {
            Transport::Carrier(carrier) => Some(match channel {
                Channel::Rtp => &carrier.rtp,
                Channel::Rtcp => &carrier.rtcp,
            }),
            Transport::Browser(_) => None,
        }
    }

    /// Puts a leg into a free slot and its sockets into epoll.
    ///
    /// # Errors
    /// When there are too many legs or epoll refuses a socket.
    pub(crate) fn insert(&mut self, mut leg: Box<Leg>) -> io::Result<Slot> {
        if self.slots.len() >= self.config.limits.legs {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let slot = self.free.pop().unwrap_or(self.legs.len());
        if let Transport::Carrier(carrier) = &mut leg.transport {
            let registry = self.poll.registry();
            registry.register(&mut carrier.rtp, Token(FIRST_CARRIER + 2 * slot), Interest::READABLE)?;
            registry.register(&mut carrier.rtcp, Token(FIRST_CARRIER + 2 * slot + 1), Interest::READABLE)?;
        }
        if slot == self.legs.len() {
            self.legs.push(None);
        }
        self.slots.insert(leg.key, slot);
        self.legs[slot] = Some(leg);
        self.wire.totals.legs.fetch_add(1, Ordering::Relaxed);
        Ok(slot)
    }

    /// Takes a leg out: nobody hears it, nothing is read for it.
    pub(crate) fn remove(&mut self, key: LegKey) -> Option<Box<Leg>> {
        let slot = self.slots.remove(&key)?;
        let mut leg = self.legs.get_mut(slot)?.take()?;
        self.free.push(slot);
        self.demux.remove(slot);
        self.vacate(&mut leg, slot);
        if let Some(at) = leg.scheduled.take() {
            self.timers.remove(&(at, slot));
        }
        if let Some(peer) = leg.peer.take() {
            self.unlink(Instant::now(), peer);
        }
        if let Transport::Carrier(carrier) = &mut leg.transport {
            let _ = self.poll.registry().deregister(&mut carrier.rtp);
            let _ = self.poll.registry().deregister(&mut carrier.rtcp);
        }
        self.wire.totals.legs.fetch_sub(1, Ordering::Relaxed);
        Some(leg)
    }

    /// Nobody speaks to this leg any more.
    pub(crate) fn unlink(&mut self, now: Instant, slot: Slot) {
        if let Some(Some(leg)) = self.legs.get_mut(slot) {
            leg.peer = None;
            self.wake_tick(slot, now);
        }
    }

    pub(crate) fn leg(&mut self, key: LegKey) -> Option<(Slot, &mut Leg)> {
        let slot = *self.slots.get(&key)?;
        Some((slot, self.legs.get_mut(slot)?.as_mut()?))
    }

    /// Starts the leg's 20 ms ticks if it has something to send and does not tick yet or only slowly.
    pub(crate) fn wake_tick(&mut self, slot: Slot, now: Instant) {
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        if leg.needs_tick() {
            let soon = leg.output.sent_at().map_or(now, |at| (at + crate::leg::TICK).max(now));
            leg.tick_at = Some(leg.tick_at.map_or(soon, |at| at.min(soon)));
        }
        self.reschedule(slot, now);
    }

    /// Puts the leg's earliest deadline on the timer. Deadlines that only moved back are noticed when they fire.
    pub(crate) fn reschedule(&mut self, slot: Slot, now: Instant) {
        let silence = (self.config.silence_timeout, self.config.agent_silence_timeout);
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        let library = match &leg.transport {
            Transport::Browser(browser) => browser.deadline(),
            Transport::Carrier(_) => None,
        };
        let wanted = [leg.tick_at, library, leg.silence_deadline(silence.0, silence.1), Some(leg.report_at)];
        let wanted = wanted.into_iter().flatten().min().map(|at| at.max(now));
        if leg.scheduled == wanted {
            return;
        }
        if let Some(at) = leg.scheduled.take() {
            self.timers.remove(&(at, slot));
        }
        leg.scheduled = wanted;
        if let Some(at) = wanted {
            self.timers.insert((at, slot));
        }
    }

    fn fire_timers(&mut self) {
        let now = Instant::now();
        while let Some(&(at, slot)) = self.timers.first() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, slot));
            if let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) {
                leg.scheduled = None;
            }
            self.fire(slot, now);
            self.reschedule(slot, now + Duration::from_micros(1));
        }
    }

    fn fire(&mut self, slot: Slot, now: Instant) {
        let silence = (self.config.silence_timeout, self.config.agent_silence_timeout);
        let interval = self.config.limits.rtcp_interval;
        let Some(leg) = self.legs.get_mut(slot).and_then(Option::as_mut) else { return };
        if leg.silence_deadline(silence.0, silence.1).is_some_and(|at| at <= now) {
            leg.hearing = Hearing::Silent;
            self.events.push(match leg.transport {
                Transport::Browser(_) => MediaEvent::Disconnected { leg: leg.key, why: DisconnectReason::NoAudio },
                Transport::Carrier(_) => MediaEvent::Silent { leg: leg.key },
            });
        }
        if leg.report_at <= now {
            leg.report_at = now + interval;
            self.wire.report(leg, now);
        }
        let ticks = leg.tick_at.is_some_and(|at| at <= now);
        let is_browser = if let Transport::Browser(browser) = &mut leg.transport {
            browser.timeout(now);
            self.wire.flush(browser);
            true
        } else {
            false
        };
        if is_browser {
            self.browser_changes(slot, now);
        }
        if ticks {
            self.tick(slot, now);
        }
    }
}

/// How close the thread's turns follow each other.
#[derive(Default)]
struct Rhythm {
    woke: Option<Instant>,
    is_busy: bool,
}

impl Rhythm {
    fn wake(&mut self, now: Instant) {
        // Twice: the pause itself must not make a busy thread look quiet.
        self.is_busy = self.woke.is_some_and(|before| now.saturating_duration_since(before) < GATHER * 2);
        self.woke = Some(now);
    }

    /// How long to wait before the next turn; nothing on a quiet thread.
    fn pause(&self, now: Instant) -> Duration {
        match self.woke {
            Some(woke) if self.is_busy => GATHER.saturating_sub(now.saturating_duration_since(woke)),
            _ => Duration::ZERO,
        }
    }
}

enum Channel {
    Rtp,
    Rtcp,
}

fn carrier_token(token: Token) -> Option<(Slot, Channel)> {
    let index = token.0.checked_sub(FIRST_CARRIER)?;
    Some((index / 2, if index % 2 == 0 { Channel::Rtp } else { Channel::Rtcp }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_busy_thread_gathers() {
        let start = Instant::now();
        let at = |micros| start + Duration::from_micros(micros);
        let mut rhythm = Rhythm::default();
        rhythm.wake(at(0));
        assert_eq!(rhythm.pause(at(1)), Duration::ZERO, "the first packet");
        rhythm.wake(at(10_000));
        assert_eq!(rhythm.pause(at(10_005)), Duration::ZERO, "one call: a packet each 10 ms");
        rhythm.wake(at(10_050));
        assert_eq!(rhythm.pause(at(10_060)), GATHER - Duration::from_micros(10));
        rhythm.wake(at(10_330));
        assert_eq!(rhythm.pause(at(10_600)), Duration::ZERO, "a long turn needs no pause");
    }
}
