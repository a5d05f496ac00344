//! Every reader of bytes from the network, opened for fuzzing. Each says in a word what it made of the input, and panics when
//! what it made is not in order.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    demux::Demux,
    dtmf::DtmfReceiver,
    latch::Latch,
    offer_filter,
    receive::Reception,
    rtcp, rtp,
    sdp::{self, Origin},
    stun,
};

/// As a leg allows it.
const SDP_LIMIT: usize = 16 * 1024;
/// Time between two datagrams.
const STEP: Duration = Duration::from_millis(20);

/// Reads a session description, answers it, and reads the answer.
pub fn description(text: &str) -> String {
    let reduced = offer_filter::reduce(text);
    assert!(reduced.lines().all(|line| !line.starts_with("a=candidate:")), "no address of a browser is passed on");
    let tidy = offer_filter::tidy_answer(text, &reduced);
    assert_eq!(offer_filter::tidy_answer(&tidy, &reduced), tidy, "twice is once");
    let formats = sdp::audio_formats(text).is_some();
    let remote = match sdp::parse(text, SDP_LIMIT) {
        Ok(remote) => remote,
        Err(error) => return format!("{error:?} {formats}"),
    };
    let origin = Origin { id: 1, version: 2, rtp: SocketAddr::from(([127, 0, 0, 1], 4000)) };
    let answer = sdp::answer(&origin, &remote, remote.encryption.lines.first());
    let read = sdp::parse(&answer, usize::MAX).expect("our own answer can be read");
    assert_eq!(read.formats.codec, remote.formats.codec, "the answer speaks what was chosen");
    assert_eq!(read.rtp.port(), 4000);
    format!("{:?} {:?} {}", remote.formats.codec, remote.direction, remote.formats.event.is_some())
}

/// One leg's ears on the carrier's side and the browsers' port.
#[derive(Debug)]
pub struct Ear {
    now: Instant,
    demux: Demux,
    latch: Latch,
    dtmf: DtmfReceiver,
    receiver: Reception,
    packets: u64,
}

impl Default for Ear {
    fn default() -> Self {
        let mut demux = Demux::new(2);
        demux.insert(0, "alice".into(), "alicespassword".into());
        let mut latch = Latch::new(Duration::from_secs(3));
        let now = Instant::now();
        latch.expect(now, address(5));
        Self { now, demux, latch, dtmf: DtmfReceiver::default(), receiver: Reception::default(), packets: 0 }
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Ear {
    /// One datagram, at the browsers' port and at the carrier's.
    pub fn receive(&mut self, datagram: &[u8]) -> String {
        self.now += STEP;
        let from = address(4 + u16::from(datagram.last().copied().unwrap_or(0) % 4));
        let route = self.demux.route(from, datagram);
        let stun = match stun::parse(datagram) {
            stun::Stun::Check(check) => {
                assert!(!check.is_genuine("alicespassword") || route != crate::demux::Route::Drop);
                "check"
            }
            stun::Stun::Other => "other",
            stun::Stun::Malformed => "malformed",
        };
        let brought = rtcp::read(datagram, 7);
        let report = (brought.about_us.is_some(), brought.sent.is_some());
        let Some(packet) = rtp::parse(datagram) else { return format!("{route:?} {stun} {report:?}") };
        assert!(packet.payload.len() + rtp::HEADER <= datagram.len(), "the payload is inside the datagram");
        let header = packet.header;
        let verdict = self.latch.judge(self.now, from, header.ssrc, header.sequence);
        let digit = self.dtmf.receive(header.ssrc, header.timestamp, packet.payload);
        self.receiver.receive(self.now, &header);
        self.packets += 1;
        assert!(self.receiver.received() <= self.packets, "no more is counted than came");
        assert!(self.receiver.jitter_ms().is_finite());
        let _ = (self.receiver.lost(), self.receiver.report());
        format!("{route:?} {stun} {report:?} {verdict:?} {digit:?} {}", rtp::is_rtcp(datagram))
    }
}
