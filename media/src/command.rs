//! What the handle asks of a media thread.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::config::Codecs;
use crate::event::{LegKey, MediaError};
use crate::frame::FrameSink;
use crate::leg::Leg;
use crate::output::OutputStream;
use crate::player::Pcm8k;
use crate::ports::PortPair;
use crate::room::{RoomKey, Voice};
use crate::sdes::{Agreed, Keys};
use crate::sdp::{Origin, Remote};
use crate::stats::LegStats;
use crate::webrtc_leg::WebrtcLeg;

type Reply<T> = oneshot::Sender<Result<T, MediaError>>;

/// Answer of a thread that was asked to renegotiate a browser's leg.
pub(crate) enum Renegotiated {
    /// ICE restarted, DTLS goes on.
    Answer(String),
    /// A reloaded page or another browser: the connection must be made anew.
    NotSamePeer,
}

/// A carrier's leg to be.
pub(crate) struct Opening {
    pub(crate) ports: PortPair,
    pub(crate) origin: Origin,
    pub(crate) keys: Keys,
    pub(crate) codecs: Codecs,
    /// The far side's offer, and the keys agreed by our answer to it.
    pub(crate) remote: Option<Box<(Remote, Option<Agreed>)>>,
}

pub(crate) enum Command {
    /// A new browser leg, or a new connection for an existing one.
    Browser {
        leg: LegKey,
        browser: Box<WebrtcLeg>,
        output: OutputStream,
        reply: Reply<()>,
    },
    Renegotiate {
        leg: LegKey,
        offer: String,
        reply: Reply<Renegotiated>,
    },
    Carrier {
        leg: LegKey,
        opening: Box<Opening>,
        reply: Reply<()>,
    },
    /// A further offer of the far side on an existing leg.
    Reoffer {
        leg: LegKey,
        remote: Box<Remote>,
        reply: Reply<String>,
    },
    Answer {
        leg: LegKey,
        remote: Box<Remote>,
        /// None: nobody waits, and what is wrong comes as an event.
        reply: Option<Reply<()>>,
    },
    Bridge {
        a: LegKey,
        b: LegKey,
    },
    Unbridge {
        a: LegKey,
        b: LegKey,
    },
    Join {
        room: RoomKey,
        leg: LegKey,
        voice: Voice,
    },
    Leave {
        leg: LegKey,
    },
    Echo {
        leg: LegKey,
        on: bool,
    },
    Play {
        leg: LegKey,
        prompt: Arc<Pcm8k>,
        repeat: bool,
        token: u64,
    },
    StopPlay {
        leg: LegKey,
    },
    Mute {
        leg: LegKey,
        on: bool,
    },
    SendDtmf {
        leg: LegKey,
        digits: String,
    },
    Record {
        leg: LegKey,
        sink: Box<dyn FrameSink>,
    },
    StopRecord {
        leg: LegKey,
    },
    Mark {
        leg: LegKey,
        name: String,
        begin: bool,
    },
    Close {
        leg: LegKey,
    },
    /// The leg will come from another thread: commands for it wait.
    Expect {
        leg: LegKey,
    },
    /// Hand the leg over to another thread.
    Depart {
        leg: LegKey,
        to: usize,
    },
    /// The leg has come, or it had ended on its old thread.
    Arrive {
        leg: LegKey,
        moved: Option<Box<Leg>>,
    },
    LegStats {
        leg: LegKey,
        reply: oneshot::Sender<Option<LegStats>>,
    },
    Shutdown,
}

impl Command {
    /// The legs that must be on the thread for this command; a bridge has two.
    pub(crate) fn legs(&self) -> [Option<LegKey>; 2] {
        match self {
            Command::Bridge { a, b } | Command::Unbridge { a, b } => [Some(*a), Some(*b)],
            Command::Shutdown | Command::Arrive { .. } => [None, None],
            Command::Browser { leg, .. }
            | Command::Renegotiate { leg, .. }
            | Command::Carrier { leg, .. }
            | Command::Reoffer { leg, .. }
            | Command::Answer { leg, .. }
            | Command::Join { leg, .. }
            | Command::Leave { leg }
            | Command::Echo { leg, .. }
            | Command::Play { leg, .. }
            | Command::StopPlay { leg }
            | Command::Mute { leg, .. }
            | Command::SendDtmf { leg, .. }
            | Command::Record { leg, .. }
            | Command::StopRecord { leg }
            | Command::Mark { leg, .. }
            | Command::Close { leg }
            | Command::Expect { leg }
            | Command::Depart { leg, .. }
            | Command::LegStats { leg, .. } => [Some(*leg), None],
        }
    }
}
