//! One call: the INVITE usage of RFC 3261 §13–§15 from either side, without I/O and without a clock.
//!
//! A call takes what its owner asks ([`Call::hang_up`], …), what its transactions deliver ([`Call::on_response`], …) and
//! the passing of time ([`Call::on_timeout`]), and answers with [`CallAction`]s. [`uac`] holds the caller's side up to
//! the answer, [`uas`] the called side, [`session`] what both share afterwards.

mod failover;
mod invite;
mod refresh;
mod reliable;
mod session;
mod transfer;
mod uac;
mod uas;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

pub use transfer::Referral;
pub use uac::BadRequest;
pub use uas::Origin;

use crate::{
    config::{SignalingLimits, SipTimers, Transport},
    dialog::{Dialog, InviteRecord, Local, Peer},
    digest::{AuthSession, Rounds},
    entropy::Entropy,
    event::{CallKey, DialogState, EndedBy, SignalingEvent, StoredDialog},
    header::{CSeq, Essentials, lists_option, reply},
    message::{ALLOW, Method, Request, Response},
};
use session::Session;
use uac::Inviting;
use uas::Ringing;

/// Names a server transaction of the stack.
pub type ServerId = u64;

/// Options of RFC 3261 §19.2 we may be required to know.
const SUPPORTED: [&str; 2] = ["100rel", "timer"];

/// A hang-up is reported after this many T1 even while the far side still owes its answer to BYE.
const BYE_PATIENCE: u32 = 4;

/// Without the Via, which is added last; RFC 3261 §18.1.1 puts the limit at 1,300 bytes with it.
const MAX_DATAGRAM_REQUEST: usize = 1_200;

/// How requests travel that are too large for a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Large {
    ByTcp,
    ByUdp,
}

/// What a request of a call is for; its responses come back with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Invite,
    Cancel,
    Prack,
    Bye,
    /// BYE to a second or unwanted answer.
    ForkBye,
    Reinvite,
    /// Session timer refresh by UPDATE or re-INVITE.
    Refresh,
    Refer,
    /// An INVITE given up in favour of another address, taken up again to be cancelled.
    Late,
    /// OPTIONS of a trunk; belongs to no call.
    Ping,
    /// REGISTER of a trunk.
    Register,
}

/// A request as it left, kept with its transaction so that it can be sent again with an answer to a challenge.
#[derive(Clone, Debug)]
pub struct Sent {
    pub request: Arc<Request>,
    /// Where it went.
    pub peer: Peer,
    /// Where it was meant to go; `peer` has another transport when the request was too large for UDP.
    pub hop: Peer,
    pub purpose: Purpose,
    pub rounds: Rounds,
}

/// What a call wants done, in order.
#[derive(Clone, Debug)]
pub enum CallAction {
    /// Start a client transaction.
    Send {
        sent: Sent,
        branch: String,
    },
    /// Take up the INVITE transaction of a previous life; nothing is transmitted.
    Resume {
        sent: Sent,
        branch: String,
    },
    /// Stop waiting for a final response to the INVITE.
    Abandon {
        branch: String,
    },
    /// An ACK of a 2xx, outside any transaction.
    Transmit {
        bytes: Bytes,
        peer: Peer,
    },
    /// Answer on a server transaction.
    Respond {
        server: ServerId,
        response: Response,
    },
    Event(Box<SignalingEvent>),
    /// Calls had better try other addresses first for a time, in seconds when the far side named one.
    Avoid {
        peer: Peer,
        seconds: Option<u64>,
    },
}

/// Why a client transaction ended without a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    TimedOut,
    Unsent,
}

/// What a call needs from outside for one step.
pub struct Ctx<'a> {
    pub now: Instant,
    pub entropy: &'a mut Entropy,
    pub timers: SipTimers,
    pub limits: &'a SignalingLimits,
    pub user_agent: &'a str,
    pub out: &'a mut Vec<CallAction>,
}

impl Ctx<'_> {
    fn event(&mut self, event: SignalingEvent) {
        self.out.push(CallAction::Event(Box::new(event)));
    }

    fn respond(&mut self, server: ServerId, response: Response) {
        self.out.push(CallAction::Respond { server, response });
    }

    /// Answers a request with a bare status.
    fn refuse(&mut self, server: ServerId, request: &Request, status: u16) {
        let mut response = reply(request, status, None);
        response.headers.push("Server", self.user_agent);
        if matches!(status, 405 | 501) {
            response.headers.push("Allow", ALLOW);
        }
        self.respond(server, response);
    }
}

#[derive(Debug)]
pub struct Call {
    key: CallKey,
    trunk: Option<String>,
    local: Local,
    /// User part of our Contact.
    contact_user: String,
    large: Large,
    auth: Option<AuthSession>,
    /// Present in calls this side made.
    outgoing: Option<Outgoing>,
    acks: Vec<Acked>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// We called; no final response yet.
    Inviting(Inviting),
    /// We are called; no final response yet.
    Ringing(Box<Ringing>),
    /// Answered, from either side.
    Confirmed(Box<Session>),
    /// BYE is on its way.
    Ending { dialog: Box<Dialog>, by: EndedBy, patience: Option<Instant> },
    /// Reported as over; kept for repeated and forked answers.
    Over { until: Instant },
}

/// The INVITE this side sent.
#[derive(Debug)]
struct Outgoing {
    request: Arc<Request>,
    record: InviteRecord,
    /// Where it went, and where CANCEL goes.
    peer: Peer,
    /// The trunk's address, where the dialog goes on unless its Contact says otherwise.
    hop: Peer,
    /// Until when another 2xx may come: 64·T1 after the first (RFC 6026 timer M).
    answers_until: Option<Instant>,
}

/// An ACK sent, to be repeated when its 2xx is.
#[derive(Debug)]
struct Acked {
    tag: Option<String>,
    cseq: u32,
    bytes: Bytes,
    peer: Peer,
}

impl Call {
    pub fn key(&self) -> CallKey {
        self.key
    }

    /// Id of the trunk it goes over.
    pub fn trunk(&self) -> Option<&str> {
        self.trunk.as_deref()
    }

    /// The earliest moment [`on_timeout`](Self::on_timeout) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Inviting(inviting) => inviting.deadline(),
            Phase::Ringing(ringing) => ringing.deadline(),
            Phase::Confirmed(session) => session.deadline(),
            Phase::Ending { patience, .. } => *patience,
            Phase::Over { until } => Some(*until),
        }
    }

    /// Whether nothing more can come and the call may be forgotten.
    pub fn is_gone(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Over { until } if now >= until)
    }

    /// Whether its last event has been reported.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// Addresses the far side may send from, to be admitted while the call lives.
    pub fn next_hop(&self) -> Option<Peer> {
        match &self.phase {
            Phase::Confirmed(session) => Some(session.dialog.next_hop()),
            Phase::Ending { dialog, .. } => Some(dialog.next_hop()),
            Phase::Inviting(_) | Phase::Ringing(_) | Phase::Over { .. } => None,
        }
    }

    pub fn on_timeout(&mut self, ctx: &mut Ctx<'_>) {
        match &mut self.phase {
            Phase::Inviting(_) => self.on_inviting_timeout(ctx),
            Phase::Ringing(_) => self.on_ringing_timeout(ctx),
            Phase::Confirmed(_) => self.on_session_timeout(ctx),
            Phase::Ending { by, patience, .. } => {
                if patience.is_some_and(|patience| ctx.now >= patience) {
                    *patience = None;
                    let by = *by;
                    ctx.event(SignalingEvent::Ended { key: self.key, by });
                }
            }
            Phase::Over { .. } => {}
        }
    }

    /// Ends the call in whatever way its state demands; again is harmless.
    pub fn hang_up(&mut self, ctx: &mut Ctx<'_>) {
        match &self.phase {
            Phase::Inviting(_) => self.give_up(ctx, uac::Why::HangUp),
            Phase::Ringing(_) => self.reject(ctx, 487),
            Phase::Confirmed(_) => self.hang_up_session(ctx),
            Phase::Ending { .. } | Phase::Over { .. } => {}
        }
    }

    /// A response to a request of this call.
    pub fn on_response(&mut self, ctx: &mut Ctx<'_>, sent: &Sent, response: &Response, essentials: &Essentials) {
        if matches!(response.status, 401 | 407) && self.retry(ctx, sent, response) {
            return;
        }
        if response.status == 422 && self.retry_longer(ctx, sent, response) {
            return;
        }
        match sent.purpose {
            Purpose::Invite => self.on_invite_response(ctx, response, essentials),
            Purpose::Bye if !response.is_provisional() => self.on_bye_done(ctx),
            Purpose::Reinvite | Purpose::Refresh => self.on_reinvite_response(ctx, sent, response, essentials),
            Purpose::Refer => self.on_refer_response(ctx, response),
            Purpose::Late => self.on_late_response(ctx, sent, response, essentials),
            Purpose::Bye | Purpose::ForkBye | Purpose::Cancel | Purpose::Prack | Purpose::Ping | Purpose::Register => {}
        }
    }

    /// A response to an INVITE whose transaction is over already.
    pub fn on_stray_response(&mut self, ctx: &mut Ctx<'_>, from: Peer, response: &Response, essentials: &Essentials) {
        if self.on_left_response(ctx, response, essentials) {
            return;
        }
        if self.on_foreign_response(ctx, from, response, essentials) {
            return;
        }
        let ours = self.outgoing.as_ref().is_some_and(|outgoing| outgoing.record.cseq == essentials.cseq.number);
        if response.is_success() {
            if !self.repeat_ack(ctx, essentials) && ours {
                self.on_invite_response(ctx, response, essentials);
            }
        } else if response.is_provisional() && ours {
            self.cancel_late(ctx);
        }
    }

    /// Branch of the INVITE this side sent.
    pub fn invite_branch(&self) -> Option<&str> {
        self.outgoing.as_ref().map(|outgoing| outgoing.record.branch.as_str())
    }

    /// A request of this call found no answer.
    pub fn on_unanswered(&mut self, ctx: &mut Ctx<'_>, sent: &Sent, how: Unanswered) {
        if self.smaller_way(ctx, sent, how) {
            return;
        }
        match sent.purpose {
            Purpose::Invite => self.on_invite_unanswered(ctx, how),
            Purpose::Bye => self.on_bye_done(ctx),
            Purpose::Reinvite | Purpose::Refresh => self.lost(ctx),
            Purpose::Refer => self.on_refer_unanswered(ctx),
            Purpose::ForkBye | Purpose::Cancel | Purpose::Prack | Purpose::Late | Purpose::Ping | Purpose::Register => {
            }
        }
    }

    /// A request of the far side within this call; ACK and CANCEL have their own ways in.
    pub fn on_request(&mut self, ctx: &mut Ctx<'_>, server: ServerId, request: &Request, essentials: &Essentials) {
        if let Some(response) = unsupported(request, None) {
            return ctx.respond(server, response);
        }
        match &mut self.phase {
            Phase::Confirmed(_) => self.on_session_request(ctx, server, request, essentials),
            Phase::Ringing(_) => self.on_ringing_request(ctx, server, request, essentials),
            Phase::Inviting(inviting) => inviting.on_request(ctx, server, request, essentials),
            Phase::Ending { .. } if request.method == Method::Bye => {
                ctx.refuse(server, request, 200);
                self.on_bye_done(ctx);
            }
            Phase::Ending { .. } | Phase::Over { .. } => ctx.refuse(server, request, 481),
        }
    }

    fn on_bye_done(&mut self, ctx: &mut Ctx<'_>) {
        if let Phase::Ending { by, patience, .. } = &self.phase {
            if patience.is_some() {
                ctx.event(SignalingEvent::Ended { key: self.key, by: *by });
            }
            self.finish(ctx.now, Duration::ZERO);
        }
    }

    /// Sends BYE and waits for its answer.
    fn bye(&mut self, ctx: &mut Ctx<'_>, mut dialog: Box<Dialog>, by: EndedBy) {
        let request = dialog.request(Method::Bye);
        let peer = dialog.next_hop();
        self.send(ctx, request, peer, Purpose::Bye);
        let patience = Some(ctx.now + ctx.timers.t1 * BYE_PATIENCE);
        self.phase = Phase::Ending { dialog, by, patience };
    }

    /// The call is reported as over; it stays as long as another 2xx may come, at least for `linger`.
    fn finish(&mut self, now: Instant, linger: Duration) {
        let answers = self.outgoing.as_ref().and_then(|outgoing| outgoing.answers_until);
        self.phase = Phase::Over { until: answers.unwrap_or(now).max(now + linger) };
    }

    fn send(&mut self, ctx: &mut Ctx<'_>, mut request: Request, peer: Peer, purpose: Purpose) {
        if let Some(auth) = &mut self.auth {
            auth.authorise(&mut request, ctx.entropy);
        }
        let branch = ctx.entropy.branch();
        self.send_as(ctx, request, peer, purpose, branch, Rounds::default());
    }

    /// Sends a request under a branch; returns it as it left, and where to.
    fn send_as(
        &mut self,
        ctx: &mut Ctx<'_>,
        mut request: Request,
        hop: Peer,
        purpose: Purpose,
        branch: String,
        rounds: Rounds,
    ) -> (Arc<Request>, Peer) {
        if !request.headers.contains("User-Agent") {
            request.headers.push("User-Agent", ctx.user_agent);
        }
        let mut peer = hop;
        // CANCEL goes the way of its INVITE, whatever its own size.
        let is_large = || request.size() > MAX_DATAGRAM_REQUEST;
        if self.large == Large::ByTcp && hop.transport == Transport::Udp && purpose != Purpose::Cancel && is_large() {
            peer.transport = Transport::Tcp;
        }
        request.headers.push_front("Via", self.local.via(peer.transport, &branch));
        let request = Arc::new(request);
        let sent = Sent { request: request.clone(), peer, hop, purpose, rounds };
        ctx.out.push(CallAction::Send { sent, branch });
        (request, peer)
    }

    /// TCP was refused for a large request: it goes by UDP after all, as do all that follow. False when that was not it.
    fn smaller_way(&mut self, ctx: &mut Ctx<'_>, sent: &Sent, how: Unanswered) -> bool {
        let by_tcp = sent.hop.transport == Transport::Udp && sent.peer.transport == Transport::Tcp;
        if how != Unanswered::Unsent || !by_tcp || self.large == Large::ByUdp {
            return false;
        }
        self.large = Large::ByUdp;
        let mut request = (*sent.request).clone();
        request.headers.remove("Via");
        let branch = ctx.entropy.branch();
        let (request, peer) = self.send_as(ctx, request, sent.hop, sent.purpose, branch.clone(), sent.rounds);
        if sent.purpose == Purpose::Invite {
            let cseq = self.outgoing.as_ref().map_or(1, |outgoing| outgoing.record.cseq);
            self.reinvited(ctx, request, peer, cseq, branch);
        }
        true
    }

    /// Whether this is a call of ours that nobody has given up before its answer.
    fn is_wanted(&self) -> bool {
        matches!(&self.phase, Phase::Inviting(inviting) if inviting.is_wanted())
    }

    /// Sends a challenged request again with an answer. False when the refusal stands.
    fn retry(&mut self, ctx: &mut Ctx<'_>, sent: &Sent, response: &Response) -> bool {
        if sent.purpose == Purpose::Late {
            return false;
        }
        let given_up = sent.purpose == Purpose::Invite && !self.is_wanted();
        if given_up || sent.purpose == Purpose::Cancel {
            return false;
        }
        let rounds = self.auth.as_mut().and_then(|auth| auth.on_challenge(response, sent.rounds));
        let Some(rounds) = rounds else { return false };
        self.resend(ctx, sent, rounds, |_| {});
        true
    }

    /// Sends a refused request again with the next CSeq, changed as the refusal wants it.
    fn resend(&mut self, ctx: &mut Ctx<'_>, sent: &Sent, rounds: Rounds, change: impl FnOnce(&mut Request)) {
        let mut request = (*sent.request).clone();
        let cseq = request.headers.get("CSeq").and_then(CSeq::parse).map_or(1, |cseq| cseq.number + 1);
        let method = request.method.clone();
        request.headers.replace_first("CSeq", format!("{cseq} {method}"));
        for name in ["Via", "Authorization", "Proxy-Authorization"] {
            request.headers.remove(name);
        }
        change(&mut request);
        if let Some(auth) = &mut self.auth {
            auth.authorise(&mut request, ctx.entropy);
        }
        let branch = ctx.entropy.branch();
        let (request, peer) = self.send_as(ctx, request, sent.hop, sent.purpose, branch.clone(), rounds);
        match (&mut self.phase, sent.purpose) {
            (_, Purpose::Invite) => self.reinvited(ctx, request, peer, cseq, branch),
            (Phase::Confirmed(session), _) => session.dialog.local_cseq = session.dialog.local_cseq.max(cseq),
            (Phase::Ending { dialog, .. }, _) => dialog.local_cseq = dialog.local_cseq.max(cseq),
            _ => {}
        }
    }

    /// Acknowledges a 2xx to `invite` (§13.2.2.4) and remembers the ACK for repetitions.
    fn acknowledge(&mut self, ctx: &mut Ctx<'_>, dialog: &Dialog, invite: &Request, cseq: u32) {
        let mut ack = dialog.request_numbered(Method::Ack, cseq);
        let branch = ctx.entropy.branch();
        let peer = dialog.next_hop();
        ack.headers.push_front("Via", self.local.via(peer.transport, &branch));
        for name in ["Authorization", "Proxy-Authorization"] {
            if let Some(value) = invite.headers.get(name) {
                ack.headers.push(name, value);
            }
        }
        let bytes = ack.encode();
        ctx.out.push(CallAction::Transmit { bytes: bytes.clone(), peer });
        if self.acks.len() >= ctx.limits.max_forks.max(1) {
            self.acks.remove(0);
        }
        self.acks.push(Acked { tag: dialog.remote_tag.clone(), cseq, bytes, peer });
    }

    /// Answers a repeated 2xx with the ACK it had before. False for a 2xx not seen yet.
    fn repeat_ack(&self, ctx: &mut Ctx<'_>, essentials: &Essentials) -> bool {
        let known =
            |acked: &&Acked| acked.cseq == essentials.cseq.number && acked.tag.as_deref() == essentials.to.tag();
        let Some(acked) = self.acks.iter().find(known) else { return false };
        ctx.out.push(CallAction::Transmit { bytes: acked.bytes.clone(), peer: acked.peer });
        true
    }

    fn contact(&self, peer: Peer) -> String {
        self.local.contact(peer.transport, &self.contact_user)
    }

    fn stored(&self, dialog: &Dialog, state: DialogState) -> StoredDialog {
        let record = self.outgoing.as_ref().map(|outgoing| &outgoing.record);
        dialog.stored(self.key, self.trunk.as_deref(), state, record)
    }
}

/// The 420 for a request that requires what we do not know (RFC 3261 §8.2.2.3).
pub fn unsupported(request: &Request, to_tag: Option<&str>) -> Option<Response> {
    let unknown: Vec<&str> = crate::header::list(&request.headers, "Require")
        .filter(|option| !SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(option)))
        .collect();
    if unknown.is_empty() {
        return None;
    }
    let mut response = reply(request, 420, to_tag);
    response.headers.push("Unsupported", unknown.join(", "));
    Some(response)
}

/// Whether the far side lists a method in Allow.
fn allows(headers: &crate::message::Headers, method: &str) -> bool {
    lists_option(headers, "Allow", method)
}
