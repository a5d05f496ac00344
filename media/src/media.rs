//! The handle by which the engine steers the media plane. Nothing here waits for sound.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use mio::net::UdpSocket;
use mio::{Poll, Waker};
use tokio::sync::{mpsc, oneshot};

use crate::command::{Command, Opening, Renegotiated};
use crate::config::{MediaConfig, RtpTerms};
use crate::event::{LegKey, MediaError, MediaEvent, MediaEvents};
use crate::frame::FrameSink;
use crate::moving::Neighbours;
use crate::orders::random_seed;
use crate::output::OutputStream;
use crate::player::Pcm8k;
use crate::ports::PortPool;
use crate::room::{RoomKey, Voice};
use crate::sdes::Keys;
use crate::sdp::{self, Origin};
use crate::stats::{LegStats, MediaStats, Totals, count};
use crate::thread::{EventQueue, MediaThread, Parts, WAKER};
use crate::webrtc_leg::{AnswerSettings, Identity, WebrtcLeg};
use crate::wire::Wire;

/// The media plane; clones share it. It ends with [`Media::shutdown`] or the last clone.
#[derive(Clone)]
pub struct Media {
    inner: Arc<Inner>,
}

struct Inner {
    config: Arc<MediaConfig>,
    identity: Identity,
    ports: PortPool,
    totals: Arc<Totals>,
    events: mpsc::Sender<MediaEvent>,
    lanes: Vec<Lane>,
    places: Mutex<Places>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Where legs and rooms are.
#[derive(Debug, Default)]
struct Places {
    legs: HashMap<LegKey, Place>,
    rooms: HashMap<RoomKey, BTreeSet<LegKey>>,
}

/// Browsers that may come to speak with each other, by a number of the caller's choice: they share a thread, which they cannot
/// leave because its port is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Circle(pub u64);

/// On which thread a leg lives, and whether it may move to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    lane: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Browser(Circle),
    Carrier,
}

impl Kind {
    fn is_browser(self) -> bool {
        matches!(self, Kind::Browser(_))
    }
}

/// The way to one media thread.
struct Lane {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    closing: Arc<Mutex<Vec<LegKey>>>,
    /// What browsers of this thread are told.
    candidates: Vec<SocketAddr>,
}

impl Media {
    /// Binds the browsers' ports and starts the threads.
    ///
    /// # Errors
    /// When a port cannot be bound or a thread not be started.
    pub fn start(config: MediaConfig) -> io::Result<(Media, MediaEvents)> {
        let config = Arc::new(config);
        let totals = Arc::new(Totals::default());
        let (events, receiver) = mpsc::channel(config.limits.events.max(1));
        let neighbours = Neighbours::default();
        let (mut lanes, mut threads) = (Vec::<Lane>::new(), Vec::new());
        for index in 0..config.threads.max(1) {
            let (lane, thread) = start_thread(&config, index, &totals, &events, neighbours.clone())?;
            lanes.push(lane);
            threads.push(thread);
        }
        let _ = neighbours.set(lanes.iter().map(|lane| (lane.commands.clone(), lane.waker.clone())).collect());
        let inner = Inner {
            identity: Identity::generate()?,
            ports: PortPool::new(config.rtp_bind, &config.rtp_ports),
            config,
            totals,
            events,
            lanes,
            places: Mutex::default(),
            threads: Mutex::new(threads),
        };
        Ok((Media { inner: Arc::new(inner) }, MediaEvents(receiver)))
    }

    /// Host candidates that browsers are told: the port is the one that was bound.
    pub fn browser_candidates(&self) -> Vec<SocketAddr> {
        self.inner.lanes.iter().flat_map(|lane| lane.candidates.clone()).collect()
    }

    /// Answers an agent's browser. The connection stays until [`Media::close`]; calls attach by [`Media::bridge`], and those of one
    /// circle can be brought together.
    ///
    /// # Errors
    /// [`MediaError::Exists`], [`MediaError::Offer`], [`MediaError::Exhausted`], [`MediaError::Unavailable`].
    pub async fn open_browser(&self, leg: LegKey, circle: Circle, offer_sdp: String) -> Result<String, MediaError> {
        let lane = self.inner.claim(leg, Kind::Browser(circle))?;
        let opened = self.connect_browser(lane, leg, &offer_sdp).await;
        if opened.is_err() {
            self.inner.forget(leg);
        }
        opened
    }

    /// A new offer for the same leg. The same page restarts ICE and keeps DTLS; a reloaded page gets a new
    /// connection. Bridge, prompt and recording go on.
    ///
    /// # Errors
    /// As [`Media::open_browser`], and [`MediaError::UnknownLeg`].
    pub async fn browser_restart(&self, leg: LegKey, offer_sdp: String) -> Result<String, MediaError> {
        let lane = self.inner.place(leg).ok_or(MediaError::UnknownLeg)?;
        let (reply, answer) = oneshot::channel();
        self.inner.send(lane, Command::Renegotiate { leg, offer: offer_sdp.clone(), reply })?;
        match answer.await.map_err(|_| MediaError::Unavailable)?? {
            Renegotiated::Answer(answer) => Ok(answer),
            Renegotiated::NotSamePeer => self.connect_browser(lane, leg, &offer_sdp).await,
        }
    }

    /// As [`Media::browser_restart`], for the same page's same connection only: its path is made anew, its keys stay. Where the
    /// leg knows that connection no longer nothing changes.
    ///
    /// # Errors
    /// [`MediaError::UnknownLeg`] when it is another connection or gone; else as [`Media::open_browser`].
    pub async fn browser_mend(&self, leg: LegKey, offer_sdp: String) -> Result<String, MediaError> {
        if offer_sdp.len() > self.inner.config.limits.sdp_bytes {
            return Err(MediaError::Offer);
        }
        let lane = self.inner.place(leg).ok_or(MediaError::UnknownLeg)?;
        let (reply, answer) = oneshot::channel();
        self.inner.send(lane, Command::Renegotiate { leg, offer: offer_sdp, reply })?;
        match answer.await.map_err(|_| MediaError::Unavailable)?? {
            Renegotiated::Answer(answer) => Ok(answer),
            Renegotiated::NotSamePeer => Err(MediaError::UnknownLeg),
        }
    }

    async fn connect_browser(&self, lane: usize, leg: LegKey, offer: &str) -> Result<String, MediaError> {
        let inner = &self.inner;
        if offer.len() > inner.config.limits.sdp_bytes {
            return Err(MediaError::Offer);
        }
        let output = OutputStream::new(random_seed());
        let settings = AnswerSettings {
            identity: &inner.identity,
            candidates: &inner.lanes[lane].candidates,
            ssrc: output.ssrc(),
            connect_timeout: inner.config.limits.connect_timeout,
            consent_timeout: inner.config.limits.consent_timeout,
        };
        let (browser, answer) = WebrtcLeg::answer(Instant::now(), offer, &settings)?;
        let (reply, opened) = oneshot::channel();
        inner.send(lane, Command::Browser { leg, browser: Box::new(browser), output, reply })?;
        opened.await.map_err(|_| MediaError::Unavailable)??;
        Ok(answer)
    }

    /// A leg towards a carrier on [`RtpTerms::default`]: the offer for the INVITE.
    ///
    /// # Errors
    /// [`MediaError::Exists`], [`MediaError::Exhausted`], [`MediaError::Unavailable`].
    pub async fn open_rtp(&self, leg: LegKey) -> Result<String, MediaError> {
        self.open_rtp_on(leg, RtpTerms::default()).await
    }

    /// As [`Media::open_rtp`], on the trunk's terms.
    ///
    /// # Errors
    /// As [`Media::open_rtp`], and [`MediaError::Sdp`] when no key can be made.
    pub async fn open_rtp_on(&self, leg: LegKey, terms: RtpTerms) -> Result<String, MediaError> {
        self.open_carrier(leg, terms, None).await
    }

    /// Answers a carrier's offer: a new leg for an incoming call on [`RtpTerms::default`], or a re-INVITE of an
    /// existing one on that leg's own terms.
    ///
    /// # Errors
    /// [`MediaError::Sdp`] (to be answered with 488) and those of [`Media::open_rtp`].
    pub async fn answer_rtp(&self, leg: LegKey, remote_offer: String) -> Result<String, MediaError> {
        self.answer_rtp_on(leg, remote_offer, RtpTerms::default()).await
    }

    /// As [`Media::answer_rtp`]; a new leg is on the trunk's terms.
    ///
    /// # Errors
    /// As [`Media::answer_rtp`].
    pub async fn answer_rtp_on(
        &self,
        leg: LegKey,
        remote_offer: String,
        terms: RtpTerms,
    ) -> Result<String, MediaError> {
        let remote = sdp::parse(&remote_offer, self.inner.config.limits.sdp_bytes)?;
        let Some(lane) = self.inner.place(leg) else {
            return self.open_carrier(leg, terms, Some(remote.within(&terms.codecs)?)).await;
        };
        let (reply, answer) = oneshot::channel();
        self.inner.send(lane, Command::Reoffer { leg, remote: Box::new(remote), reply })?;
        answer.await.map_err(|_| MediaError::Unavailable)?
    }

    async fn open_carrier(
        &self,
        leg: LegKey,
        terms: RtpTerms,
        remote: Option<sdp::Remote>,
    ) -> Result<String, MediaError> {
        let inner = &self.inner;
        let lane = inner.claim(leg, Kind::Carrier)?;
        let opened = async {
            let ports = inner.ports.take().map_err(|_| MediaError::Exhausted)?;
            let rtp = SocketAddr::new(inner.config.rtp_advertised, ports.lease.port());
            let origin = Origin { id: random_seed() >> 2, version: 1, rtp };
            let mut keys = Keys::new(terms.encryption);
            let (description, remote) = match remote {
                Some(remote) => {
                    let agreed = keys.offered(&remote.encryption)?.cloned();
                    let ours = agreed.as_ref().map(|agreed| &agreed.ours);
                    (sdp::answer(&origin, &remote, ours), Some(Box::new((remote, agreed))))
                }
                None => {
                    let profile = keys.offered_profile();
                    (sdp::offer(&origin, &terms.codecs, profile, keys.offer()?), None)
                }
            };
            let (reply, opened) = oneshot::channel();
            let opening = Box::new(Opening { ports, origin, keys, codecs: terms.codecs, remote });
            inner.send(lane, Command::Carrier { leg, opening, reply })?;
            opened.await.map_err(|_| MediaError::Unavailable)??;
            Ok(description)
        }
        .await;
        if opened.is_err() {
            inner.forget(leg);
        }
        opened
    }

    /// The far side's answer, early (18x) or final; errors come as [`MediaEvent::Failed`].
    pub fn apply_answer(&self, leg: LegKey, sdp: String) {
        match sdp::parse(&sdp, self.inner.config.limits.sdp_bytes) {
            Ok(remote) => self.inner.order(leg, Command::Answer { leg, remote: Box::new(remote), reply: None }),
            Err(error) => self.inner.fail(leg, MediaError::Sdp(error)),
        }
    }

    /// As [`Media::apply_answer`], and waits: when it has been taken, sound flows as it was agreed, encrypted where it must be.
    ///
    /// # Errors
    /// [`MediaError::Sdp`]: with this answer nobody would be heard, or not as the trunk's terms demand; the leg stays as it
    /// was. [`MediaError::UnknownLeg`], [`MediaError::Unavailable`].
    pub async fn take_answer(&self, leg: LegKey, sdp: String) -> Result<(), MediaError> {
        let remote = Box::new(sdp::parse(&sdp, self.inner.config.limits.sdp_bytes)?);
        let lane = self.inner.place(leg).ok_or(MediaError::UnknownLeg)?;
        let (reply, taken) = oneshot::channel();
        self.inner.send(lane, Command::Answer { leg, remote, reply: Some(reply) })?;
        taken.await.map_err(|_| MediaError::Unavailable)?
    }

    /// Each side hears the other. Earlier bridges of either side end. Two browsers of different circles may be on different threads
    /// and then cannot be bridged: [`MediaEvent::Failed`].
    pub fn bridge(&self, a: LegKey, b: LegKey) {
        match self.inner.bring_together(a, b) {
            Ok(()) => self.inner.order(a, Command::Bridge { a, b }),
            Err(why) => self.inner.fail(a, why),
        }
    }

    /// Ends the bridge between exactly these two.
    pub fn unbridge(&self, a: LegKey, b: LegKey) {
        self.inner.order(a, Command::Unbridge { a, b });
    }

    /// The leg is mixed with the others in `room`, which comes to be with its first leg and goes with its last. A bridge
    /// of the leg ends; joining again only changes who hears it. All legs of a room live on one thread: browsers cannot
    /// move to another (as in [`Media::bridge`]), so where there are several threads the browser joins before carriers.
    pub fn join(&self, room: RoomKey, leg: LegKey, voice: Voice) {
        match self.inner.bring_to_room(room, leg) {
            Ok(()) => self.inner.order(leg, Command::Join { room, leg, voice }),
            Err(why) => self.inner.fail(leg, why),
        }
    }

    /// The leg hears nobody and is heard by nobody. A bridge takes it out of its room, too.
    pub fn leave(&self, leg: LegKey) {
        self.inner.places().quit(leg);
        self.inner.order(leg, Command::Leave { leg });
    }

    /// The leg hears itself, instead of a bridged leg.
    pub fn echo(&self, leg: LegKey, on: bool) {
        self.inner.order(leg, Command::Echo { leg, on });
    }

    /// Plays a prompt to the leg instead of what it is bridged to. `token` comes back in
    /// [`MediaEvent::PromptFinished`] unless the prompt repeats, is stopped or replaced.
    pub fn play(&self, leg: LegKey, prompt: Arc<Pcm8k>, repeat: bool, token: u64) {
        self.inner.order(leg, Command::Play { leg, prompt, repeat, token });
    }

    /// Ends the prompt; a bridged leg is heard again.
    pub fn stop_play(&self, leg: LegKey) {
        self.inner.order(leg, Command::StopPlay { leg });
    }

    /// Nothing the party says reaches bridge or recording; silence takes its place.
    pub fn mute(&self, leg: LegKey, on: bool) {
        self.inner.order(leg, Command::Mute { leg, on });
    }

    /// Sends `0-9 * # A-D` to the party as telephone-events (RFC 4733); other characters are skipped.
    pub fn send_dtmf(&self, leg: LegKey, digits: String) {
        self.inner.order(leg, Command::SendDtmf { leg, digits });
    }

    /// Every accepted audio packet of the party goes to `sink`; an earlier sink is finished.
    pub fn record(&self, leg: LegKey, sink: Box<dyn FrameSink>) {
        self.inner.order(leg, Command::Record { leg, sink });
    }

    /// Finishes the sink.
    pub fn stop_record(&self, leg: LegKey) {
        self.inner.order(leg, Command::StopRecord { leg });
    }

    /// Begins or ends a named stretch in the recording.
    pub fn mark(&self, leg: LegKey, name: impl Into<String>, begin: bool) {
        self.inner.order(leg, Command::Mark { leg, name: name.into(), begin });
    }

    /// Ends the leg: bridge, prompt and recording too. Never lost; an unknown leg is no error.
    pub fn close(&self, leg: LegKey) {
        let Some(lane) = self.inner.forget(leg) else { return };
        let lane = &self.inner.lanes[lane];
        if lane.commands.try_send(Command::Close { leg }).is_err() {
            lane.closing.lock().unwrap_or_else(PoisonError::into_inner).push(leg);
        }
        let _ = lane.waker.wake();
    }

    /// Counters of the whole media plane.
    pub fn stats(&self) -> MediaStats {
        self.inner.totals.snapshot()
    }

    /// Counters of one leg, `None` when it is unknown.
    pub async fn leg_stats(&self, leg: LegKey) -> Option<LegStats> {
        let (reply, stats) = oneshot::channel();
        self.inner.send(self.inner.place(leg)?, Command::LegStats { leg, reply }).ok()?;
        stats.await.ok()?
    }

    /// Closes all legs, finishes all recordings and ends the threads.
    pub fn shutdown(self) {
        self.inner.stop();
    }
}

impl Inner {
    fn place(&self, leg: LegKey) -> Option<usize> {
        self.places().legs.get(&leg).map(|place| place.lane)
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the name for a new leg and chooses the thread: that of its circle, else the one with the fewest.
    fn claim(&self, leg: LegKey, kind: Kind) -> Result<usize, MediaError> {
        let mut places = self.places();
        if places.legs.contains_key(&leg) {
            return Err(MediaError::Exists);
        }
        let mut legs = vec![0usize; self.lanes.len()];
        let mut circle = None;
        if legs.len() > 1 {
            for place in places.legs.values().filter(|place| place.kind.is_browser() == kind.is_browser()) {
                legs[place.lane] += 1;
                if kind.is_browser() && place.kind == kind {
                    circle = Some(place.lane);
                }
            }
        }
        let lane = circle.or_else(|| (0..legs.len()).min_by_key(|lane| legs[*lane])).unwrap_or(0);
        places.legs.insert(leg, Place { lane, kind });
        Ok(lane)
    }

    fn forget(&self, leg: LegKey) -> Option<usize> {
        let mut places = self.places();
        places.quit(leg);
        places.legs.remove(&leg).map(|place| place.lane)
    }

    /// Moves a carrier's leg to the other one's thread. Unknown legs are no error.
    fn bring_together(&self, a: LegKey, b: LegKey) -> Result<(), MediaError> {
        let mut places = self.places();
        for leg in [a, b] {
            places.quit(leg);
        }
        let (Some(&place_a), Some(&place_b)) = (places.legs.get(&a), places.legs.get(&b)) else { return Ok(()) };
        if place_a.lane == place_b.lane {
            return Ok(());
        }
        let (leg, from, to) = match (place_a.kind, place_b.kind) {
            (_, Kind::Carrier) => (b, place_b.lane, place_a.lane),
            (Kind::Carrier, Kind::Browser(_)) => (a, place_a.lane, place_b.lane),
            (Kind::Browser(_), Kind::Browser(_)) => return Err(MediaError::Unavailable),
        };
        self.relocate(&mut places, leg, from, to)
    }

    /// Notes the leg in the room and moves it to the thread of those that are there. Unknown legs are no error.
    fn bring_to_room(&self, room: RoomKey, leg: LegKey) -> Result<(), MediaError> {
        let mut places = self.places();
        let Some(&place) = places.legs.get(&leg) else { return Ok(()) };
        let others = places.rooms.get(&room).and_then(|legs| legs.iter().find(|other| **other != leg));
        let there = others.and_then(|other| places.legs.get(other)).map_or(place.lane, |other| other.lane);
        if there != place.lane {
            if place.kind.is_browser() {
                return Err(MediaError::Unavailable);
            }
            self.relocate(&mut places, leg, place.lane, there)?;
        }
        places.quit(leg);
        places.rooms.entry(room).or_default().insert(leg);
        Ok(())
    }

    fn relocate(&self, places: &mut Places, leg: LegKey, from: usize, to: usize) -> Result<(), MediaError> {
        self.send(to, Command::Expect { leg })?;
        if let Err(why) = self.send(from, Command::Depart { leg, to }) {
            let _ = self.send(to, Command::Arrive { leg, moved: None });
            return Err(why);
        }
        if let Some(place) = places.legs.get_mut(&leg) {
            place.lane = to;
        }
        Ok(())
    }

    fn send(&self, lane: usize, command: Command) -> Result<(), MediaError> {
        let lane = &self.lanes[lane];
        if lane.commands.try_send(command).is_err() {
            count(&self.totals.commands_lost, 1);
            return Err(MediaError::Unavailable);
        }
        let _ = lane.waker.wake();
        Ok(())
    }

    /// Sends a command that has no reply; a leg that is gone is no error, a full queue is reported.
    fn order(&self, leg: LegKey, command: Command) {
        // Held while sending, so that no command goes to the thread that a leg is just leaving.
        let places = self.places();
        let Some(place) = places.legs.get(&leg) else { return };
        if let Err(why) = self.send(place.lane, command) {
            self.fail(leg, why);
        }
    }

    fn fail(&self, leg: LegKey, why: MediaError) {
        if self.events.try_send(MediaEvent::Failed { leg, why }).is_err() {
            count(&self.totals.events_lost, 1);
        }
    }

    fn stop(&self) {
        for lane in &self.lanes {
            let _ = lane.commands.send(Command::Shutdown);
            let _ = lane.waker.wake();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Places {
    /// The leg is in no room.
    fn quit(&mut self, leg: LegKey) {
        self.rooms.retain(|_, legs| {
            legs.remove(&leg);
            !legs.is_empty()
        });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_thread(
    config: &Arc<MediaConfig>,
    index: usize,
    totals: &Arc<Totals>,
    events: &mpsc::Sender<MediaEvent>,
    neighbours: Neighbours,
) -> io::Result<(Lane, JoinHandle<()>)> {
    let mut bind = config.webrtc_bind;
    if bind.port() != 0 {
        let port =
            bind.port().checked_add(u16::try_from(index).unwrap_or(u16::MAX)).ok_or(io::ErrorKind::InvalidInput)?;
        bind.set_port(port);
    }
    let browsers = UdpSocket::bind(bind)?;
    let buffer = config.limits.browser_socket_buffer;
    // The system may allow less (net.core.rmem_max); then bursts of many browsers have less room.
    for set in [socket2::Socket::set_recv_buffer_size, socket2::Socket::set_send_buffer_size] {
        let _ = set(&socket2::SockRef::from(&browsers), buffer);
    }
    let bound = browsers.local_addr()?;
    let advertised =
        if config.webrtc_advertised.is_empty() { vec![bound.ip()] } else { config.webrtc_advertised.clone() };
    let candidates = advertised.into_iter().map(|address| SocketAddr::new(address, bound.port())).collect();
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let (sender, commands) = sync_channel(config.limits.commands.max(1));
    let closing = Arc::new(Mutex::new(Vec::new()));
    let thread = MediaThread::new(Parts {
        index,
        neighbours,
        config: config.clone(),
        poll,
        commands,
        closing: closing.clone(),
        wire: Wire { browsers, totals: totals.clone(), epoch: (Instant::now(), SystemTime::now()) },
        events: EventQueue { sender: events.clone(), totals: totals.clone() },
    })?;
    let thread = std::thread::Builder::new().name(format!("media-{index}")).spawn(move || thread.run())?;
    Ok((Lane { commands: sender, waker, closing, candidates }, thread))
}
