//! What the contact centre asks for and what it is told: keys, requests, events and the dialog it stores.

use std::{fmt, time::Duration, time::Instant};

use serde::{Deserialize, Serialize};

use crate::config::Transport;

/// The caller's own number for a call; for incoming calls it is drawn at random here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallKey(pub u128);

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallKey({:032x})", self.0)
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// An outbound call. Call-ID, tag and branch are the caller's, because they are stored before the INVITE leaves.
#[derive(Clone)]
pub struct CallRequest {
    pub key: CallKey,
    /// Id of a configured trunk.
    pub trunk: String,
    /// The number to dial, E.164 with `+`.
    pub to_user: String,
    /// Overrides the trunk's caller id.
    pub caller_id: Option<String>,
    pub display_name: Option<String>,
    /// The offer.
    pub sdp: String,
    /// Without an answer by then the call is cancelled and fails with [`FailureCause::NoAnswer`].
    pub ring_timeout: Duration,
    pub call_id: String,
    pub from_tag: String,
    /// Branch of the first INVITE, with or without the magic cookie `z9hG4bK`; later branches are drawn here.
    pub branch: String,
    /// Further headers of the INVITE, such as User-to-User; headers of the protocol itself are refused.
    pub extra_headers: Vec<(String, String)>,
}

/// Why an outbound call did not come about; see [`FailureCause::of_status`] for the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    Busy,
    NoAnswer,
    Rejected,
    Unreachable,
    Failed,
    Cancelled,
}

/// Who ended a call that had been answered, or was coming in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    Local,
    Remote,
    /// The far side stopped answering: no ACK, no refresh, or 408/481 within the dialog.
    Timeout,
}

/// How far a stored dialog had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogState {
    /// The INVITE has left; no To-tag is known yet.
    Calling,
    Early,
    Confirmed,
}

/// Everything needed to end a call after a crash of this process.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDialog {
    pub key: CallKey,
    /// Absent for a call from a source that is no configured trunk.
    pub trunk: Option<String>,
    pub state: DialogState,
    /// Whether this side sent the INVITE.
    pub outbound: bool,
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: Option<String>,
    /// From (or To) header value of this side without its tag.
    pub local_party: String,
    pub remote_party: String,
    /// Contact URI of the far side, or the called URI while none is known.
    pub remote_target: String,
    /// Route header values in the order to be sent.
    pub route_set: Vec<String>,
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    /// CSeq and branch of the INVITE that CANCEL must name.
    pub invite_cseq: u32,
    pub invite_branch: String,
    pub invite_uri: String,
    pub transport: Transport,
    /// Where the far side was last reached, `address:port`.
    pub peer: String,
}

impl fmt::Debug for StoredDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parties and targets hold telephone numbers.
        write!(f, "StoredDialog({}, {:?}, trunk {:?})", self.key, self.state, self.trunk)
    }
}

/// A call of a previous life whose state is unknown: a late answer to it is acknowledged and ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleCall {
    pub call_id: String,
    pub from_tag: String,
    pub until: Instant,
}

/// The health of a trunk as OPTIONS sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkState {
    pub id: String,
    pub up: bool,
    /// Time of the last answered OPTIONS there and back.
    pub rtt_ms: Option<u32>,
    pub last_status: Option<u16>,
    /// Why it is down, in words for the operator; without it when it is up.
    #[serde(default)]
    pub cause: Option<String>,
    /// Whether the registrar keeps our binding; without it when the trunk does not register.
    #[serde(default)]
    pub registered: Option<bool>,
    /// When OPTIONS was answered last.
    #[serde(skip)]
    pub checked: Option<Instant>,
}

impl TrunkState {
    /// A trunk nothing is known of.
    pub fn down(id: &str) -> Self {
        let id = id.to_owned();
        Self { id, up: false, rtt_ms: None, last_status: None, cause: None, registered: None, checked: None }
    }
}

/// How handing a call on by REFER goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferStep {
    /// The far side has taken the request and calls the target.
    Taken,
    /// What it hears from the target: 100 to 199.
    Progress(u16),
    /// Its last word: 200 to 299 the target has answered, anything else why not. Last step.
    Done(u16),
    /// The far side does not hand the call on; the call stays. Last step.
    Refused(u16),
    /// The far side has fallen silent about it. Last step.
    Lost,
}

/// What happened, in order per call. The first event of an outbound call is `Dialog`, the last `Failed` or `Ended`.
#[derive(Clone, PartialEq, Eq)]
pub enum SignalingEvent {
    /// A provisional answer above 100; with SDP it is early media.
    Provisional {
        key: CallKey,
        status: u16,
        sdp: Option<String>,
    },
    /// The dialog has changed; the last one stored is what [`terminate_stored`](crate::Signaling::terminate_stored)
    /// wants after a crash.
    Dialog(StoredDialog),
    /// Outbound: 2xx received and acknowledged. Incoming: ACK received. `sdp` is the far side's.
    Answered {
        key: CallKey,
        sdp: String,
    },
    /// An outbound call came to nothing. Last event of the call.
    Failed {
        key: CallKey,
        status: Option<u16>,
        cause: FailureCause,
        reason: Option<String>,
    },
    /// An answered call, or an incoming one not yet answered, is over. Last event of the call.
    Ended {
        key: CallKey,
        by: EndedBy,
    },
    /// The far side offers a changed session; answer with
    /// [`accept_reinvite`](crate::Signaling::accept_reinvite).
    RemoteSdp {
        key: CallKey,
        sdp: String,
    },
    /// The far side's answer to an offer of ours within the call (re-INVITE by us, or without SDP by them).
    RemoteAnswer {
        key: CallKey,
        sdp: String,
    },
    /// A digit by SIP INFO.
    Dtmf {
        key: CallKey,
        digit: char,
    },
    /// Progress of [`refer_to_number`](crate::Signaling::refer_to_number) or `refer_to_call`.
    Transfer {
        key: CallKey,
        step: TransferStep,
    },
    Trunk(TrunkState),
    /// A call is coming in from an allowed source; answer with `ring`, `accept` or `reject`.
    Incoming {
        key: CallKey,
        /// The trunk whose address it came from.
        trunk: Option<String>,
        /// User part of the Request-URI, percent-decoded, or of To when the carrier calls our account; may be empty.
        to_user: String,
        /// As P-Asserted-Identity says when the trunk is believed, else as From does.
        from_user: String,
        from_display: Option<String>,
        /// The caller does not want the number shown (Privacy, RFC 3323).
        private: bool,
        /// The offer; without it, `accept` makes the offer and `Answered` brings the answer.
        sdp: Option<String>,
        /// All headers as received, names in full.
        headers: Vec<(String, String)>,
    },
}

impl SignalingEvent {
    /// The call it is about.
    pub fn key(&self) -> Option<CallKey> {
        match self {
            Self::Provisional { key, .. }
            | Self::Answered { key, .. }
            | Self::Failed { key, .. }
            | Self::Ended { key, .. }
            | Self::RemoteSdp { key, .. }
            | Self::RemoteAnswer { key, .. }
            | Self::Dtmf { key, .. }
            | Self::Transfer { key, .. }
            | Self::Incoming { key, .. } => Some(*key),
            Self::Dialog(dialog) => Some(dialog.key),
            Self::Trunk(_) => None,
        }
    }
}

impl fmt::Debug for SignalingEvent {
    /// Without numbers, names and SDP, so that it may be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provisional { key, status, sdp } => write!(f, "Provisional({key}, {status}, sdp {})", sdp.is_some()),
            Self::Dialog(dialog) => write!(f, "{dialog:?}"),
            Self::Answered { key, .. } => write!(f, "Answered({key})"),
            Self::Failed { key, status, cause, .. } => write!(f, "Failed({key}, {status:?}, {cause:?})"),
            Self::Ended { key, by } => write!(f, "Ended({key}, {by:?})"),
            Self::RemoteSdp { key, .. } => write!(f, "RemoteSdp({key})"),
            Self::RemoteAnswer { key, .. } => write!(f, "RemoteAnswer({key})"),
            Self::Dtmf { key, .. } => write!(f, "Dtmf({key})"),
            Self::Transfer { key, step } => write!(f, "Transfer({key}, {step:?})"),
            Self::Trunk(state) => write!(f, "{state:?}"),
            Self::Incoming { key, trunk, .. } => write!(f, "Incoming({key}, trunk {trunk:?})"),
        }
    }
}
