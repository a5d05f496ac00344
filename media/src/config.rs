//! What the operator may set, and the limits that keep every queue bounded.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::frame::Codec;
use crate::sdes::Encryption;

/// Addresses, ports and timeouts of the media plane.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// UDP address for all browsers of thread 0; thread *i* binds the port plus *i*. Port 0 lets the system choose (one thread only).
    pub webrtc_bind: SocketAddr,
    /// Addresses that browsers are told to send to (host candidates). Empty: the bound address.
    pub webrtc_advertised: Vec<IpAddr>,
    /// Local address of the RTP and RTCP sockets.
    pub rtp_bind: IpAddr,
    /// Address in the SDP that carriers receive.
    pub rtp_advertised: IpAddr,
    /// UDP ports for carriers' legs; each leg takes an even port for RTP and the next one for RTCP.
    pub rtp_ports: RangeInclusive<u16>,
    /// Number of media threads, at least 1.
    pub threads: usize,
    /// A carrier's leg without RTP for this long is reported once as [`crate::MediaEvent::Silent`].
    pub silence_timeout: Duration,
    /// A connected browser without RTP for this long is reported as [`crate::MediaEvent::Disconnected`].
    pub agent_silence_timeout: Duration,
    /// Bounds of queues and tables.
    pub limits: MediaLimits,
}

impl Default for MediaConfig {
    fn default() -> Self {
        let any = IpAddr::from([127, 0, 0, 1]);
        MediaConfig {
            webrtc_bind: SocketAddr::new(any, 0),
            webrtc_advertised: Vec::new(),
            rtp_bind: any,
            rtp_advertised: any,
            rtp_ports: 20_000..=29_999,
            threads: 1,
            silence_timeout: Duration::from_secs(10),
            agent_silence_timeout: Duration::from_secs(6),
            limits: MediaLimits::default(),
        }
    }
}

/// What a trunk asks of its legs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RtpTerms {
    /// Whether sound is encrypted on the way to the carrier.
    pub encryption: Encryption,
    /// How sound may travel.
    pub codecs: Codecs,
}

/// Codecs of a trunk in the order in which it is offered them; never none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codecs([Option<Codec>; Codec::ALL.len()]);

impl Codecs {
    /// None when there is none, or one of them twice.
    pub fn new(wanted: &[Codec]) -> Option<Codecs> {
        let mut codecs = [None; Codec::ALL.len()];
        for (index, codec) in wanted.iter().enumerate() {
            if codecs.contains(&Some(*codec)) {
                return None;
            }
            *codecs.get_mut(index)? = Some(*codec);
        }
        codecs[0].map(|_| Codecs(codecs))
    }

    pub fn iter(&self) -> impl Iterator<Item = Codec> {
        self.0.into_iter().flatten()
    }

    pub fn contains(&self, codec: Codec) -> bool {
        self.0.contains(&Some(codec))
    }

    /// How late in the order a codec comes; the two flavours of G.711 are as good as each other.
    pub(crate) fn rank(&self, codec: Codec) -> Option<usize> {
        let same = |known: Codec| known == codec || (known.law().is_some() && codec.law().is_some());
        self.contains(codec).then(|| self.iter().position(same)).flatten()
    }
}

impl Default for Codecs {
    /// All there are, the cheapest first.
    fn default() -> Self {
        Codecs(Codec::ALL.map(Some))
    }
}

/// Every bound of the media plane by name.
#[derive(Debug, Clone)]
pub struct MediaLimits {
    /// Commands waiting for one media thread.
    pub commands: usize,
    /// Events waiting for the engine.
    pub events: usize,
    /// Legs of one media thread.
    pub legs: usize,
    /// Validated source addresses remembered for one browser (old ones are forgotten first).
    pub addresses_per_browser: usize,
    /// Legs in one room: what a mix of 20 ms may cost.
    pub room_legs: usize,
    /// Datagrams read from one socket before the other sockets get their turn.
    pub reads_per_wake: usize,
    /// Length of an SDP body in bytes.
    pub sdp_bytes: usize,
    /// DTMF digits waiting to be sent on one leg.
    pub dtmf_digits: usize,
    /// Requested size of the browsers' socket buffers in bytes.
    pub browser_socket_buffer: usize,
    /// How long a carrier's leg may latch onto a source other than the address of the SDP.
    pub latch_window: Duration,
    /// ICE consent (RFC 7675): a browser without a valid STUN check for this long is disconnected.
    pub consent_timeout: Duration,
    /// Time for ICE and DTLS of a new browser connection.
    pub connect_timeout: Duration,
    /// Interval of RTCP reports.
    pub rtcp_interval: Duration,
}

impl Default for MediaLimits {
    fn default() -> Self {
        MediaLimits {
            commands: 4096,
            events: 8192,
            legs: 4096,
            addresses_per_browser: 8,
            room_legs: 16,
            reads_per_wake: 64,
            sdp_bytes: 64 * 1024,
            dtmf_digits: 64,
            browser_socket_buffer: 4 * 1024 * 1024,
            latch_window: Duration::from_secs(3),
            consent_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(20),
            rtcp_interval: Duration::from_secs(5),
        }
    }
}
