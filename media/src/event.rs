//! What the media plane reports.

use thiserror::Error;

use crate::frame::Codec;
use crate::sdp::SdpError;
use crate::stats::LegStats;

/// Name of a leg, chosen by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegKey(pub u128);

/// Why a connected browser is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// No genuine ICE check within the consent timeout.
    ConsentExpired,
    /// The browser closed DTLS.
    Closed,
    /// Connected, but no RTP for the agent silence timeout.
    NoAudio,
    /// DTLS or the connection as a whole failed.
    TransportFailed,
}

/// Why a leg does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MediaError {
    /// The leg key is in use.
    #[error("a leg of this name exists already")]
    Exists,
    /// The leg key is not known.
    #[error("no leg of this name exists")]
    UnknownLeg,
    /// No free pair of RTP ports, or too many legs.
    #[error("no free media ports or legs")]
    Exhausted,
    /// A carrier's description is unusable.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// A browser's offer is unusable.
    #[error("the browser's offer cannot be answered")]
    Offer,
    /// ICE and DTLS did not complete in time.
    #[error("the browser did not connect in time")]
    ConnectTimeout,
    /// The media thread's command queue is full or it has stopped.
    #[error("the media plane is overloaded or stopped")]
    Unavailable,
}

/// What happened on a leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MediaEvent {
    /// A browser's ICE and DTLS are up.
    Connected { leg: LegKey },
    /// A browser that was connected is gone; the leg stays until closed or restarted.
    Disconnected { leg: LegKey, why: DisconnectReason },
    /// A leg could not be set up or a command for it was lost.
    Failed { leg: LegKey, why: MediaError },
    /// The party pressed a key.
    Dtmf { leg: LegKey, digit: char },
    /// A prompt that does not repeat was played to its end.
    PromptFinished { leg: LegKey, token: u64 },
    /// No RTP for the silence timeout; sent once, until RTP comes again.
    Silent { leg: LegKey },
    /// A browser's sound would have to be transcoded for whom it is bridged to; it should offer its connection anew with
    /// `codec` first ([`crate::Media::browser_mend`]).
    Suggested { leg: LegKey, codec: Codec },
    /// The leg was closed; its figures from beginning to end.
    Ended { leg: LegKey, stats: LegStats },
    /// The first RTP, or the first after [`MediaEvent::Silent`].
    Heard { leg: LegKey },
}

/// The receiving end of the media plane's events.
#[derive(Debug)]
pub struct MediaEvents(pub(crate) tokio::sync::mpsc::Receiver<MediaEvent>);

impl MediaEvents {
    /// The next event, `None` after shutdown.
    pub async fn recv(&mut self) -> Option<MediaEvent> {
        self.0.recv().await
    }

    /// The next event if one is waiting.
    pub fn try_recv(&mut self) -> Option<MediaEvent> {
        self.0.try_recv().ok()
    }

    /// The next event, waiting on a thread without an async runtime.
    pub fn blocking_recv(&mut self) -> Option<MediaEvent> {
        self.0.blocking_recv()
    }
}
