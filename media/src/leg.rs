//! One leg: a party's transport with what it hears and what is heard of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;

use crate::codec::{Converter, Encoder, Narrowed};
use crate::config::Codecs;
use crate::demux::Slot;
use crate::dtmf::{DtmfReceiver, DtmfSender};
use crate::event::LegKey;
use crate::frame::FrameSink;
use crate::latch::Latch;
use crate::output::OutputStream;
use crate::player::Player;
use crate::ports::PortLease;
use crate::receive::Reception;
use crate::room::RoomKey;
use crate::rtcp::Reported;
use crate::sdes::{Agreed, Keys};
use crate::sdp::{Formats, Origin, Remote, SdpError};
use crate::srtp::Srtp;
use crate::webrtc_leg::WebrtcLeg;

/// Packet interval of everything made here.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// Packets (1.5 s) after which a bridge counts as transcoded.
const FORCED_AFTER: u32 = 75;
/// A carrier's leg whose source pauses for this long gets silence, so that nobody takes it for dead.
pub(crate) const COMFORT_AFTER: Duration = Duration::from_millis(200);

/// How a leg's party is reached.
pub(crate) enum Transport {
    Browser(Box<WebrtcLeg>),
    Carrier(Box<Carrier>),
}

/// Sockets and negotiation of a carrier's leg.
pub(crate) struct Carrier {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    /// Gives the ports back when the leg ends.
    pub(crate) _lease: PortLease,
    pub(crate) latch: Latch,
    pub(crate) origin: Origin,
    pub(crate) remote: Option<Remote>,
    pub(crate) keys: Keys,
    /// What the trunk allows.
    pub(crate) codecs: Codecs,
    /// Set once both sides' keys are agreed; then nothing plain is taken or sent.
    pub(crate) srtp: Option<Box<Srtp>>,
}

impl Carrier {
    /// Where RTP goes, unless the far side holds us.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        let remote = self.remote.as_ref()?;
        if !remote.direction.receives() {
            return None;
        }
        self.latch.destination().filter(|to| to.port() != 0 && !to.ip().is_unspecified())
    }

    /// Where RTCP goes: beside the latched RTP source when that is not the address of the SDP.
    pub(crate) fn report_destination(&self) -> Option<SocketAddr> {
        let remote = self.remote.as_ref()?;
        let rtp = self.latch.destination()?;
        let to = if rtp.ip() == remote.rtp.ip() { remote.rtcp } else { SocketAddr::new(rtp.ip(), remote.rtcp.port()) };
        (to.port() != 0 && !to.ip().is_unspecified()).then_some(to)
    }

    /// Encrypts by what was agreed; contexts go on while the keys stay.
    ///
    /// # Errors
    /// [`SdpError::NoKey`] when the keys cannot be used.
    pub(crate) fn encrypt(&mut self, agreed: Option<Agreed>) -> Result<(), SdpError> {
        self.srtp = match (agreed, self.srtp.take()) {
            (None, _) => None,
            (Some(agreed), Some(srtp)) if srtp.is_keyed_by(&agreed) => Some(srtp),
            (Some(agreed), _) => Some(Box::new(Srtp::new(&agreed).ok_or(SdpError::NoKey)?)),
        };
        Ok(())
    }

    pub(crate) fn expects_audio(&self) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.direction.sends())
    }
}

/// Whether the party is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// Nothing heard yet; silence counts from here once known.
    Waiting {
        since: Option<Instant>,
    },
    Heard {
        last: Instant,
    },
    /// Reported as silent.
    Silent,
}

/// Counters of one leg.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) dropped_source: u64,
    pub(crate) dropped_format: u64,
    pub(crate) send_errors: u64,
    /// What the far side reported last about our stream.
    pub(crate) reported: Option<Reported>,
    pub(crate) round_trip: Option<Duration>,
    /// The far side's last sender report: the middle of its time, and when it came.
    pub(crate) sender_report: Option<(u32, Instant)>,
}

/// Packets in a row that are sent in another codec than they came in.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Forced(u32);

impl Forced {
    /// One more; true once, when it has become clear that the two sides do not come to share a codec: a browser that is asked to
    /// change over does so within the first second.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        self.0 == FORCED_AFTER
    }

    pub(crate) fn is_clear(&self) -> bool {
        self.0 >= FORCED_AFTER
    }
}

pub(crate) struct Leg {
    pub(crate) key: LegKey,
    /// Never reused, so that an output stream tells its sources apart.
    pub(crate) origin: u64,
    pub(crate) transport: Transport,
    pub(crate) peer: Option<Slot>,
    /// Mixed with others instead of bridged.
    pub(crate) room: Option<RoomKey>,
    pub(crate) echo: bool,
    pub(crate) muted: bool,
    pub(crate) output: OutputStream,
    /// For what is made here and for what is heard in another codec.
    pub(crate) encoder: Encoder,
    pub(crate) converter: Converter,
    pub(crate) forced: Forced,
    pub(crate) player: Option<Player>,
    pub(crate) dtmf_in: DtmfReceiver,
    pub(crate) dtmf_out: DtmfSender,
    pub(crate) sink: Option<Box<dyn FrameSink>>,
    pub(crate) narrowed: Narrowed,
    pub(crate) reception: Reception,
    pub(crate) hearing: Hearing,
    pub(crate) tick_at: Option<Instant>,
    pub(crate) report_at: Instant,
    /// The deadline in the thread's timer set.
    pub(crate) scheduled: Option<Instant>,
    pub(crate) counters: Counters,
}

impl Leg {
    pub(crate) fn new(key: LegKey, origin: u64, transport: Transport, output: OutputStream, now: Instant) -> Self {
        Leg {
            key,
            origin,
            transport,
            peer: None,
            room: None,
            echo: false,
            muted: false,
            output,
            encoder: Encoder::default(),
            converter: Converter::default(),
            forced: Forced::default(),
            player: None,
            dtmf_in: DtmfReceiver::default(),
            dtmf_out: DtmfSender::default(),
            sink: None,
            narrowed: Narrowed::default(),
            reception: Reception::default(),
            hearing: Hearing::Waiting { since: None },
            tick_at: None,
            report_at: now,
            scheduled: None,
            counters: Counters::default(),
        }
    }

    pub(crate) fn formats(&self) -> Option<Formats> {
        match &self.transport {
            Transport::Browser(browser) => Some(browser.formats()),
            Transport::Carrier(carrier) => carrier.remote.as_ref().map(|remote| remote.formats),
        }
    }

    /// Sound of another leg may go out: nothing of our own is being sent.
    pub(crate) fn takes_forwarded(&self) -> bool {
        self.player.is_none() && !self.dtmf_out.is_active()
    }

    /// Something of our own must go out every 20 ms.
    pub(crate) fn needs_tick(&self) -> bool {
        self.player.is_some() || self.dtmf_out.is_active() || self.wants_comfort()
    }

    /// Carriers take a leg without RTP for dead, browsers do not. In a room there is a frame every 20 ms anyway.
    pub(crate) fn wants_comfort(&self) -> bool {
        match &self.transport {
            Transport::Browser(_) => false,
            Transport::Carrier(carrier) => self.room.is_none() && carrier.destination().is_some(),
        }
    }

    /// Silence frames are due: nothing was sent for a while and nobody is about to send.
    pub(crate) fn comfort_due(&self, now: Instant) -> bool {
        let patience = if self.output.is_fed() { COMFORT_AFTER } else { TICK / 2 };
        self.wants_comfort() && self.output.sent_at().is_none_or(|at| now.saturating_duration_since(at) >= patience)
    }

    /// When silence becomes an event.
    pub(crate) fn silence_deadline(&self, carrier_timeout: Duration, browser_timeout: Duration) -> Option<Instant> {
        let timeout = match &self.transport {
            Transport::Browser(browser) if browser.is_connected() => browser_timeout,
            Transport::Carrier(carrier) if carrier.expects_audio() => carrier_timeout,
            _ => return None,
        };
        match self.hearing {
            Hearing::Waiting { since } => since.map(|since| since + timeout),
            Hearing::Heard { last } => Some(last + timeout),
            Hearing::Silent => None,
        }
    }
}
