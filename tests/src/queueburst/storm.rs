//! Ill will while calls come and go: ten thousand datagrams a second at SIP, the browsers' port and the ports of sound, with a foreign
//! voice among them, and five thousand connections that say nothing. All of it comes from other addresses of the loopback network
//! than the calls do.

use std::{
    io::{ErrorKind, Read},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ringback_media::{
    Codec,
    testing::tone::{Tone, level},
};

use crate::load::Failure;

/// What the foreign voice says: nobody in the calls does.
const FOREIGN: f64 = 2100.0;
/// Of a tone of 0.5: a tenth of a second in which it is heard.
const HEARD: f64 = 0.1;
/// Datagrams per millisecond.
const PER_MILLISECOND: u32 = 10;
/// Connections held, and how many of them at the SIP port.
const IDLE: usize = 5_000;
const IDLE_SIP: usize = 1_000;
/// New connections in one look at those held, and between two looks.
const DIALLED_AT_ONCE: usize = 100;
const LOOK: Duration = Duration::from_millis(100);
/// Addresses it comes from, behind 127.0.0.1 of the calls.
const ATTACKERS: Range<u8> = 2..12;

/// Where the server listens.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    pub(super) http: u16,
    pub(super) sip: u16,
    pub(super) webrtc: u16,
    pub(super) sound: Range<u16>,
}

pub(super) struct Storm {
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
    begun: Instant,
}

#[derive(Debug, Default)]
struct State {
    stop: AtomicBool,
    sent: AtomicU64,
    idle: AtomicUsize,
}

/// What was done to the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    pub(super) per_second: f64,
    pub(super) idle: usize,
}

impl Storm {
    /// # Errors
    /// When a socket cannot be bound.
    pub(super) fn begin(targets: &Targets) -> Result<Self, Failure> {
        let state = Arc::new(State::default());
        let sockets = ATTACKERS
            .map(|last| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), 0)))
            .collect::<Result<Vec<_>, _>>()?;
        let (shower, crowd) = ((Arc::clone(&state), targets.clone()), (Arc::clone(&state), targets.clone()));
        let threads = vec![
            std::thread::spawn(move || Shower::new(sockets, shower.1).run(&shower.0)),
            std::thread::spawn(move || sit(&crowd.1, &crowd.0)),
        ];
        Ok(Self { state, threads, begun: Instant::now() })
    }

    /// Connections that are held now.
    pub(super) fn idle(&self) -> usize {
        self.state.idle.load(Relaxed)
    }

    pub(super) fn end(self) -> Done {
        let took = self.begun.elapsed().as_secs_f64();
        let done = Done { per_second: self.state.sent.load(Relaxed) as f64 / took, idle: self.idle() };
        self.state.stop.store(true, Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        done
    }
}

struct Shower {
    sockets: Vec<UdpSocket>,
    targets: Targets,
    dice: Dice,
    voice: Vec<Vec<u8>>,
    said: u16,
}

impl Shower {
    fn new(sockets: Vec<UdpSocket>, targets: Targets) -> Self {
        let mut tone = Tone::new(FOREIGN, 0.5);
        let voice = (0..50).map(|_| tone.frame(Codec::Pcmu)).collect();
        Self { sockets, targets, dice: Dice(0x5eed_0bad_cafe), voice, said: 0 }
    }

    fn run(&mut self, state: &State) {
        let begun = Instant::now();
        let mut sent = 0;
        while !state.stop.load(Relaxed) {
            let due = begun.elapsed().as_millis() as u64 * u64::from(PER_MILLISECOND);
            // What a busy machine made late comes in bounded bursts.
            let now = due.saturating_sub(sent).min(200);
            (0..now).for_each(|_| self.one());
            sent += now;
            state.sent.store(sent, Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// One datagram, or a volley of the foreign voice, which counts as one.
    fn one(&mut self) {
        match self.dice.below(10) {
            0..=2 => {
                let text = self.sip();
                self.send(self.targets.sip, &text);
            }
            3..=5 => {
                let bytes = self.browser();
                self.send(self.targets.webrtc, &bytes);
            }
            6 => {
                let (port, bytes) = (self.any_port(), self.noise(300));
                self.send(port, &bytes);
            }
            _ => self.foreign_voice(),
        }
    }

    fn send(&mut self, port: u16, bytes: &[u8]) {
        let index = self.dice.below(self.sockets.len() as u64) as usize;
        if let Some(socket) = self.sockets.get(index) {
            // A full socket drops it: that is what a flood does.
            let _ = socket.send_to(bytes, (Ipv4Addr::LOCALHOST, port));
        }
    }

    fn any_port(&mut self) -> u16 {
        let Range { start, end } = self.targets.sound;
        start + self.dice.below(u64::from(end - start)) as u16
    }

    fn noise(&mut self, longest: u64) -> Vec<u8> {
        (0..=self.dice.below(longest)).map(|_| self.dice.below(256) as u8).collect()
    }

    /// Words of SIP in no order, or noise.
    fn sip(&mut self) -> Vec<u8> {
        const WORDS: [&str; 10] = [
            "INVITE sip:+19165550001@127.0.0.1 SIP/2.0\r\n",
            "REGISTER sip:127.0.0.1 SIP/2.0\r\n",
            "SIP/2.0 200 OK\r\n",
            "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-burst-1\r\n",
            "Call-ID: burst-1\r\n",
            "CSeq: 1 BYE\r\n",
            "Content-Length: 99999999\r\n",
            "From: <sip:",
            ";tag=burst-1\r\n",
            "\r\n\r\n",
        ];
        if self.dice.below(4) == 0 {
            return self.noise(600);
        }
        let words = 1 + self.dice.below(12);
        (0..words).flat_map(|_| WORDS[self.dice.below(WORDS.len() as u64) as usize].bytes()).collect()
    }

    /// What strangers may send to the browsers' port: checks without the key, a ClientHello, alerts that end a connection, sound.
    fn browser(&mut self) -> Vec<u8> {
        let mut bytes = match self.dice.below(5) {
            0 => return self.noise(600),
            1 => vec![0, 1, 0, 24, 0x21, 0x12, 0xa4, 0x42],
            // Handshake record, DTLS 1.2, epoch 0, with the beginning of a ClientHello.
            2 => vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 28, 0xfe, 0xfd],
            // Alert record: fatal close_notify and handshake_failure.
            3 => {
                return vec![
                    21,
                    0xfe,
                    0xfd,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    1,
                    0,
                    2,
                    2,
                    if self.dice.below(2) == 0 { 0 } else { 40 },
                ];
            }
            _ => return self.packet(),
        };
        bytes.extend(self.noise(60));
        bytes
    }

    fn packet(&mut self) -> Vec<u8> {
        self.said = self.said.wrapping_add(1);
        let mut bytes = vec![0x80, 0];
        bytes.extend(self.said.to_be_bytes());
        bytes.extend((u32::from(self.said) * 160).to_be_bytes());
        bytes.extend(0x0bad_f00du32.to_be_bytes());
        bytes.extend(&self.voice[usize::from(self.said) % self.voice.len()]);
        bytes
    }

    /// Five packets of one source in a row at a port where somebody may be speaking.
    fn foreign_voice(&mut self) {
        let port = self.any_port() & !1;
        let index = self.dice.below(self.sockets.len() as u64) as usize;
        for _ in 0..5 {
            let packet = self.packet();
            if let Some(socket) = self.sockets.get(index) {
                let _ = socket.send_to(&packet, (Ipv4Addr::LOCALHOST, port));
            }
        }
    }
}

/// Connections that say nothing; what the server closes is dialled again.
fn sit(targets: &Targets, state: &State) {
    let mut held: Vec<TcpStream> = Vec::new();
    let mut looked = 0;
    while !state.stop.load(Relaxed) {
        let began = Instant::now();
        for _ in 0..DIALLED_AT_ONCE {
            if held.len() >= IDLE {
                break;
            }
            let port = if held.len().is_multiple_of(IDLE / IDLE_SIP) { targets.sip } else { targets.http };
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if let Ok(stream) = TcpStream::connect_timeout(&to, LOOK)
                && stream.set_nonblocking(true).is_ok()
            {
                held.push(stream);
            }
        }
        // A fifth of them at a time.
        for _ in 0..held.len().div_ceil(5) {
            looked = if looked == 0 { held.len() } else { looked } - 1;
            let over = held.get_mut(looked).is_some_and(|stream| !is_open(stream));
            if over {
                held.swap_remove(looked);
                looked = looked.min(held.len());
            }
        }
        state.idle.store(held.len(), Relaxed);
        std::thread::sleep(LOOK.saturating_sub(began.elapsed()));
    }
}

fn is_open(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// Whether the foreign voice is in a recording: a WAV file of 16-bit samples at 8 kHz.
pub(super) fn is_in(file: &[u8]) -> bool {
    let samples: Vec<i16> =
        file.get(44..).unwrap_or_default().chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    // Half of one packet is enough to be found.
    samples.chunks(80).any(|piece| level(piece, FOREIGN) > HEARD)
}

/// Not secret, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_foreign_packet_in_a_recording_is_found() {
        let mut file = vec![0; 44 + 8000];
        assert!(!is_in(&file));
        let voice = Tone::new(FOREIGN, 0.5).samples(160);
        for (index, sample) in voice.iter().enumerate() {
            file[44 + 3000 + 2 * index..][..2].copy_from_slice(&sample.to_le_bytes());
        }
        assert!(is_in(&file));
    }
}
