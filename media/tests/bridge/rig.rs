//! One media plane and its parties, driven by a 20 ms beat.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringback_media::testing::tone::{Tone, level};
use ringback_media::testing::{BrowserPeer, Received, RtpPeer, samples};
use ringback_media::{
    Circle, Codec, Decoder, Encryption, Frame, FrameSink, LegKey, Media, MediaConfig, MediaError, MediaEvent,
    MediaEvents, RtpTerms,
};

pub const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const BEAT: Duration = Duration::from_millis(20);

/// Every test has its own ports.
static NEXT_PORTS: AtomicU16 = AtomicU16::new(30_000);

pub struct Rig {
    pub media: Media,
    pub events: MediaEvents,
    pub seen: Vec<MediaEvent>,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub fn start(change: impl FnOnce(&mut MediaConfig)) -> Rig {
        let first = NEXT_PORTS.fetch_add(40, Ordering::Relaxed);
        let mut config = MediaConfig { rtp_ports: first..=first + 39, ..MediaConfig::default() };
        change(&mut config);
        let (media, events) = Media::start(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Rig { media, events, seen: Vec::new(), runtime }
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn carrier(&self, key: u128, codec: Codec, frequency: f64) -> Party {
        let mut peer = RtpPeer::bind(LOCAL, codec).unwrap();
        let offer = self.wait(self.media.open_rtp(LegKey(key))).unwrap();
        let answer = peer.answer(&offer);
        self.media.apply_answer(LegKey(key), answer);
        Party { peer: Peer::Carrier(peer), codec, tone: Tone::new(frequency, 0.5), heard: Vec::new() }
    }

    /// A carrier whose leg is on such terms and that itself encrypts by `policy`. Called: the server offers.
    pub fn encrypted_carrier(&self, key: u128, terms: Encryption, policy: Encryption, frequency: f64) -> Party {
        let mut peer = RtpPeer::bind(LOCAL, Codec::Pcmu).unwrap();
        peer.encrypt(policy).unwrap();
        let offer = self
            .wait(self.media.open_rtp_on(LegKey(key), RtpTerms { encryption: terms, ..RtpTerms::default() }))
            .unwrap();
        let answer = peer.answer(&offer);
        self.media.apply_answer(LegKey(key), answer);
        Party { peer: Peer::Carrier(peer), codec: Codec::Pcmu, tone: Tone::new(frequency, 0.5), heard: Vec::new() }
    }

    /// The same, calling: the carrier offers.
    pub fn encrypted_caller(
        &self,
        key: u128,
        terms: Encryption,
        policy: Encryption,
        frequency: f64,
    ) -> Result<Party, MediaError> {
        let mut peer = RtpPeer::bind(LOCAL, Codec::Pcmu).unwrap();
        peer.encrypt(policy).unwrap();
        let terms = RtpTerms { encryption: terms, ..RtpTerms::default() };
        let answer = self.wait(self.media.answer_rtp_on(LegKey(key), peer.description(), terms))?;
        peer.set_remote(&answer);
        Ok(Party { peer: Peer::Carrier(peer), codec: Codec::Pcmu, tone: Tone::new(frequency, 0.5), heard: Vec::new() })
    }

    /// A stranger that sends to the same port as `victim` does.
    pub fn intruder(&self, victim: &mut Party, frequency: f64) -> Party {
        let mut peer = RtpPeer::bind(LOCAL, Codec::Pcmu).unwrap();
        peer.set_remote_address(victim.carrier().remote().unwrap());
        Party { peer: Peer::Carrier(peer), codec: Codec::Pcmu, tone: Tone::new(frequency, 0.5), heard: Vec::new() }
    }

    pub fn browser(&mut self, key: u128, frequency: f64) -> Party {
        self.browser_of(key, Circle(0), frequency)
    }

    pub fn browser_of(&mut self, key: u128, circle: Circle, frequency: f64) -> Party {
        let (mut peer, offer) = BrowserPeer::offer(Instant::now(), LOCAL).unwrap();
        let answer = self.wait(self.media.open_browser(LegKey(key), circle, offer)).unwrap();
        peer.accept(Instant::now(), &answer).unwrap();
        let mut party = Party {
            peer: Peer::Browser(Box::new(peer)),
            codec: Codec::Pcmu,
            tone: Tone::new(frequency, 0.5),
            heard: Vec::new(),
        };
        let until = Instant::now() + Duration::from_secs(5);
        while !party.browser().is_connected() {
            assert!(Instant::now() < until, "the browser did not connect");
            party.browser().drive(Instant::now());
            std::thread::sleep(Duration::from_millis(1));
        }
        party
    }

    /// All parties speak and listen for so many beats; gives what happened.
    pub fn run(&mut self, parties: &mut [&mut Party], beats: u32) {
        let start = Instant::now();
        for beat in 0..beats {
            for party in parties.iter_mut() {
                party.speak();
            }
            let next = start + BEAT * (beat + 1);
            while Instant::now() < next {
                for party in parties.iter_mut() {
                    party.listen();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.collect();
    }

    pub fn collect(&mut self) {
        while let Some(event) = self.events.try_recv() {
            self.seen.push(event);
        }
    }

    pub fn count(&mut self, wanted: impl Fn(&MediaEvent) -> bool) -> usize {
        self.collect();
        self.seen.iter().filter(|event| wanted(event)).count()
    }
}

pub enum Peer {
    Carrier(RtpPeer),
    Browser(Box<BrowserPeer>),
}

pub struct Party {
    pub peer: Peer,
    pub codec: Codec,
    pub tone: Tone,
    pub heard: Vec<Received>,
}

impl Party {
    pub fn browser(&mut self) -> &mut BrowserPeer {
        match &mut self.peer {
            Peer::Browser(peer) => peer,
            Peer::Carrier(_) => panic!("not a browser"),
        }
    }

    pub fn carrier(&mut self) -> &mut RtpPeer {
        match &mut self.peer {
            Peer::Carrier(peer) => peer,
            Peer::Browser(_) => panic!("not a carrier"),
        }
    }

    pub fn speak(&mut self) {
        let frame = self.tone.frame(self.codec);
        match &mut self.peer {
            Peer::Carrier(peer) => peer.send(&frame).unwrap(),
            Peer::Browser(peer) => peer.send(Instant::now(), &frame),
        }
    }

    /// A packet that is lost on its way.
    pub fn skip(&mut self) {
        self.tone.frame(self.codec);
        self.carrier().skip();
    }

    pub fn listen(&mut self) {
        match &mut self.peer {
            Peer::Carrier(peer) => peer.receive(&mut self.heard),
            Peer::Browser(peer) => {
                peer.drive(Instant::now());
                self.heard.extend(peer.take_received());
            }
        }
    }

    /// Level of a frequency in the last packets heard.
    pub fn level(&self, frequency: f64, packets: usize) -> f64 {
        let from = self.heard.len().saturating_sub(packets);
        level(&samples(&self.heard[from..]), frequency)
    }

    /// The same for sound that waited in a jitter buffer: the mean over pieces of 100 ms, which a change of the wait or a
    /// late thread of the test may break but not spoil.
    pub fn mixed_level(&self, frequency: f64, packets: usize) -> f64 {
        let from = self.heard.len().saturating_sub(packets);
        let pieces: Vec<f64> =
            samples(&self.heard[from..]).chunks_exact(800).map(|piece| level(piece, frequency)).collect();
        pieces.iter().sum::<f64>() / pieces.len().max(1) as f64
    }

    /// One stream: one SSRC, no number twice, none missing, timestamps growing.
    pub fn assert_continuous(&self) {
        assert!(!self.heard.is_empty(), "nothing heard");
        for pair in self.heard.windows(2) {
            assert_eq!(pair[1].ssrc, pair[0].ssrc);
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "a gap or a repeat");
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!((160..8000).contains(&step), "timestamp step {step}");
        }
    }
}

/// A sink that keeps everything.
#[derive(Clone, Default)]
pub struct Tape(pub Arc<Mutex<Recorded>>);

#[derive(Default)]
pub struct Recorded {
    decoder: Decoder,
    pub samples: Vec<i16>,
    pub marks: Vec<(String, bool)>,
    pub finished: bool,
}

impl FrameSink for Tape {
    fn frame(&mut self, frame: Frame<'_>) {
        let mut tape = self.0.lock().unwrap();
        let Recorded { decoder, samples, .. } = &mut *tape;
        decoder.decode(frame.codec, frame.payload, samples);
    }

    fn mark(&mut self, name: &str, begin: bool, _at: Instant) {
        self.0.lock().unwrap().marks.push((name.to_owned(), begin));
    }

    fn finish(&mut self) {
        self.0.lock().unwrap().finished = true;
    }
}
