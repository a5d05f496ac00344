//! The caller's side up to the answer: provisionals, forks, PRACK, and every way of giving up.

use std::{sync::Arc, time::Instant};

use super::{
    Call, CallAction, Ctx, Large, Outgoing, Phase, Purpose, Sent, ServerId, Unanswered,
    failover::{Alternatives, TRY_ELSEWHERE},
    invite::first_invite,
    session::Session,
};
use crate::{
    config::Transport,
    dialog::{Dialog, InviteRecord, Local, Peer},
    digest::{AuthSession, Credentials, Rounds},
    event::{CallRequest, DialogState, EndedBy, FailureCause, SignalingEvent, StoredDialog},
    header::{Essentials, lists_option, sdp_of},
    message::{Method, Request, Response, is_token},
    trunk::TrunkConfig,
    uri::percent_encoded,
};

/// Longest reason phrase passed on, in characters.
const MAX_REASON: usize = 120;

/// Skipped in CSeq when a stored dialog is taken up: what was sent after the last save is not known.
const CSEQ_LEAP: u32 = 1_000;

/// Why we gave up a call before its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    HangUp,
    RingTimeout,
}

#[derive(Debug)]
pub(super) struct Inviting {
    pub(super) progress: Progress,
    pub(super) alternatives: Alternatives,
    ring_deadline: Instant,
    early: Vec<Early>,
    sdp: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// No response yet.
    Calling,
    /// 100 only: nothing rings yet, as far as we know.
    Proceeding,
    Ringing,
    /// Given up before any response: CANCEL must wait for one (RFC 3261 §9.1).
    CancelWanted(Why),
    Cancelling {
        why: Why,
        until: Instant,
    },
}

/// A dialog of one fork that has only rung so far.
#[derive(Debug)]
struct Early {
    dialog: Dialog,
    /// The last reliable provisional acknowledged (RFC 3262).
    rseq: Option<u32>,
    sdp: Option<String>,
}

/// A call request that cannot be put into an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRequest(pub &'static str);

impl Inviting {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.progress {
            Progress::Calling => Some(
                self.alternatives.deadline().map_or(self.ring_deadline, |heard_by| heard_by.min(self.ring_deadline)),
            ),
            Progress::Proceeding | Progress::Ringing => Some(self.ring_deadline),
            Progress::CancelWanted(_) => None,
            Progress::Cancelling { until, .. } => Some(until),
        }
    }

    /// Whether nobody has given the call up.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self.progress, Progress::Calling | Progress::Proceeding | Progress::Ringing)
    }

    /// Requests of a far side that has not answered yet.
    pub(super) fn on_request(&mut self, ctx: &mut Ctx<'_>, server: ServerId, request: &Request, from: &Essentials) {
        let tag = from.from.tag();
        let early = self.early.iter_mut().find(|early| early.dialog.remote_tag.as_deref() == tag);
        let status = match early {
            None => 481,
            Some(early) => early.on_request(request, from.cseq.number),
        };
        ctx.refuse(server, request, status);
    }
}

impl Early {
    /// The status for a request of the ringing side.
    fn on_request(&mut self, request: &Request, cseq: u32) -> u16 {
        if !self.dialog.accept_cseq(cseq) {
            return 500;
        }
        match request.method {
            Method::Update if request.body.is_empty() => {
                self.dialog.refresh_target(&request.headers);
                200
            }
            Method::Info | Method::Options => 200,
            Method::Bye | Method::Prack => 481,
            _ => 491,
        }
    }
}

impl Call {
    /// Sends the INVITE of an outbound call to `peer`, and should that fail before anything rings, to `others` in turn.
    pub fn place(
        ctx: &mut Ctx<'_>,
        wanted: &CallRequest,
        trunk: &TrunkConfig,
        mut local: Local,
        peer: Peer,
        others: &[Peer],
    ) -> Result<Self, BadRequest> {
        local.sips = trunk.sips;
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>');
        if !plain(&wanted.call_id) || !is_token(&wanted.from_tag) || !is_token(&wanted.branch) {
            return Err(BadRequest("Call-ID, tag or branch is not a token"));
        }
        if wanted.to_user.is_empty() || wanted.to_user.len() > 128 {
            return Err(BadRequest("no number to call"));
        }
        let branch = match wanted.branch.strip_prefix("z9hG4bK") {
            Some(_) => wanted.branch.clone(),
            None => format!("z9hG4bK{}", wanted.branch),
        };
        let caller = percent_encoded(wanted.caller_id.as_deref().unwrap_or(&trunk.from_user));
        let credentials = trunk.username.clone().zip(trunk.password.clone());
        let auth = credentials.map(|(username, password)| {
            AuthSession::new(Credentials { username, password, realm: trunk.realm.clone() })
        });
        let request = first_invite(wanted, trunk, &local, &caller, peer);
        let mut call = Self {
            key: wanted.key,
            trunk: Some(trunk.id.clone()),
            local,
            contact_user: caller,
            large: if trunk.large_by_tcp { Large::ByTcp } else { Large::ByUdp },
            auth,
            outgoing: None,
            acks: Vec::new(),
            phase: Phase::Inviting(Inviting {
                progress: Progress::Calling,
                alternatives: Alternatives::new(ctx, others, trunk.silence),
                ring_deadline: ctx.now + wanted.ring_timeout,
                early: Vec::new(),
                sdp: wanted.sdp.clone(),
            }),
        };
        let uri = request.uri.clone();
        let (request, to) = call.send_as(ctx, request, peer, Purpose::Invite, branch.clone(), Rounds::default());
        let record = InviteRecord { cseq: 1, branch, uri };
        call.outgoing = Some(Outgoing { request, record, peer: to, hop: peer, answers_until: None });
        // The event comes before the bytes leave, as a caller that stores it would wish.
        let stored = call.stored(&call.calling_dialog(), DialogState::Calling);
        ctx.out.insert(0, CallAction::Event(Box::new(SignalingEvent::Dialog(stored))));
        Ok(call)
    }

    /// The dialog of an INVITE nobody has answered: both parties, no remote tag.
    pub(super) fn calling_dialog(&self) -> Dialog {
        let (request, record, peer) = match &self.outgoing {
            Some(outgoing) => (Some(&outgoing.request), Some(&outgoing.record), outgoing.peer),
            None => (None, None, Peer { transport: Transport::Udp, address: ([0, 0, 0, 0], 0).into() }),
        };
        let party = |name: &str| request.and_then(|r| r.headers.get(name)).unwrap_or_default();
        let from = crate::header::NameAddr::parse(party("From"));
        Dialog {
            call_id: party("Call-ID").to_owned(),
            local_tag: from.as_ref().and_then(|from| from.tag()).unwrap_or_default().to_owned(),
            remote_tag: None,
            local_party: from.map(|from| from.without_tag()).unwrap_or_default(),
            remote_party: party("To").to_owned(),
            remote_target: record.map(|record| record.uri.clone()).unwrap_or_default(),
            route_set: Vec::new(),
            local_cseq: record.map_or(1, |record| record.cseq),
            remote_cseq: None,
            peer,
        }
    }

    /// Ends a call of a previous life: BYE when it was answered, CANCEL when it was not, and ACK with BYE for what may
    /// cross. `None` when the record is not usable or the call was a coming one not yet answered.
    pub fn resume(ctx: &mut Ctx<'_>, stored: &StoredDialog, auth: Option<AuthSession>, local: Local) -> Option<Self> {
        let mut dialog = Dialog::restored(stored)?;
        dialog.local_cseq = dialog.local_cseq.saturating_add(CSEQ_LEAP);
        let peer = dialog.peer;
        let mut call = Self {
            key: stored.key,
            trunk: stored.trunk.clone(),
            local,
            contact_user: "ringback".into(),
            large: Large::ByUdp,
            auth,
            outgoing: None,
            acks: Vec::new(),
            phase: Phase::Over { until: ctx.now },
        };
        if stored.outbound {
            let record = InviteRecord {
                cseq: stored.invite_cseq,
                branch: stored.invite_branch.clone(),
                uri: stored.invite_uri.clone(),
            };
            let request = Arc::new(call.old_invite(&dialog, &record, peer));
            call.outgoing = Some(Outgoing { request, record, peer, hop: peer, answers_until: None });
        }
        match (stored.state, stored.outbound) {
            (DialogState::Confirmed, _) => {
                if let Some(outgoing) = &mut call.outgoing {
                    outgoing.answers_until = Some(ctx.now + ctx.timers.transaction());
                }
                call.bye(ctx, Box::new(dialog), EndedBy::Local);
            }
            (DialogState::Calling | DialogState::Early, true) => {
                let outgoing = call.outgoing.as_ref()?;
                let (request, branch) = (outgoing.request.clone(), outgoing.record.branch.clone());
                let sent = Sent { request, peer, hop: peer, purpose: Purpose::Invite, rounds: Rounds::default() };
                ctx.out.push(CallAction::Resume { sent, branch });
                call.phase = Phase::Inviting(Inviting {
                    progress: Progress::Ringing,
                    alternatives: Alternatives::default(),
                    ring_deadline: ctx.now,
                    early: Vec::new(),
                    sdp: String::new(),
                });
                call.give_up(ctx, Why::HangUp);
            }
            (DialogState::Calling | DialogState::Early, false) => return None,
        }
        Some(call)
    }

    /// The head of an INVITE sent by a previous life, as far as CANCEL and ACK need it.
    fn old_invite(&self, dialog: &Dialog, record: &InviteRecord, peer: Peer) -> Request {
        let mut request = Request::new(Method::Invite, record.uri.clone());
        request.headers.push("Via", self.local.via(peer.transport, &record.branch));
        request.headers.push("Max-Forwards", "70");
        request.headers.write("From", format_args!("{};tag={}", dialog.local_party, dialog.local_tag));
        request.headers.push("To", &dialog.remote_party);
        request.headers.push("Call-ID", &dialog.call_id);
        request.headers.write("CSeq", format_args!("{} INVITE", record.cseq));
        request
    }

    /// The INVITE left anew: with an answer to a challenge, a longer session timer, or another way.
    pub(super) fn reinvited(
        &mut self,
        ctx: &mut Ctx<'_>,
        request: Arc<Request>,
        peer: Peer,
        cseq: u32,
        branch: String,
    ) {
        let Some(outgoing) = &mut self.outgoing else { return };
        outgoing.request = request;
        outgoing.peer = peer;
        outgoing.record.cseq = cseq;
        outgoing.record.branch = branch;
        if let Phase::Inviting(inviting) = &mut self.phase {
            inviting.progress = Progress::Calling;
            inviting.early.clear();
        }
        let stored = self.stored(&self.calling_dialog(), DialogState::Calling);
        let at = ctx.out.len().saturating_sub(1);
        ctx.out.insert(at, CallAction::Event(Box::new(SignalingEvent::Dialog(stored))));
    }

    pub(super) fn give_up(&mut self, ctx: &mut Ctx<'_>, why: Why) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        match inviting.progress {
            Progress::Calling => inviting.progress = Progress::CancelWanted(why),
            Progress::Proceeding | Progress::Ringing => self.cancel(ctx, why),
            Progress::CancelWanted(_) | Progress::Cancelling { .. } => {}
        }
    }

    fn cancel(&mut self, ctx: &mut Ctx<'_>, why: Why) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        inviting.progress = Progress::Cancelling { why, until: ctx.now + ctx.timers.transaction() };
        self.send_cancel(ctx);
    }

    /// CANCEL with the INVITE's own branch (RFC 3261 §9.1).
    fn send_cancel(&mut self, ctx: &mut Ctx<'_>) {
        let Some(outgoing) = &self.outgoing else { return };
        let (request, cseq) = (outgoing.request.clone(), outgoing.record.cseq);
        let (peer, branch) = (outgoing.peer, outgoing.record.branch.clone());
        self.cancel_invite(ctx, &request, cseq, peer, branch);
    }

    pub(super) fn cancel_invite(&mut self, ctx: &mut Ctx<'_>, invite: &Request, cseq: u32, peer: Peer, branch: String) {
        let mut request = Request::new(Method::Cancel, invite.uri.clone());
        for name in ["Max-Forwards", "Route", "From", "To", "Call-ID"] {
            for value in invite.headers.all(name) {
                request.headers.push(name, value);
            }
        }
        request.headers.write("CSeq", format_args!("{cseq} CANCEL"));
        self.send_as(ctx, request, peer, Purpose::Cancel, branch, Rounds::default());
    }

    /// A call reported as failed for want of an answer rings after all: the INVITE is taken up again to be cancelled, so
    /// that nobody picks up a call that has no caller.
    pub(super) fn cancel_late(&mut self, ctx: &mut Ctx<'_>) {
        let (Phase::Over { until }, Some(outgoing)) = (&mut self.phase, &self.outgoing) else { return };
        if outgoing.answers_until.is_some() {
            return;
        }
        *until = ctx.now + ctx.timers.transaction();
        let (request, branch) = (outgoing.request.clone(), outgoing.record.branch.clone());
        let (peer, hop) = (outgoing.peer, outgoing.hop);
        let sent = Sent { request, peer, hop, purpose: Purpose::Invite, rounds: Rounds::default() };
        ctx.out.push(CallAction::Resume { sent, branch });
        self.send_cancel(ctx);
    }

    pub(super) fn on_inviting_timeout(&mut self, ctx: &mut Ctx<'_>) {
        let Phase::Inviting(inviting) = &self.phase else { return };
        match inviting.progress {
            Progress::Calling | Progress::Proceeding | Progress::Ringing if ctx.now >= inviting.ring_deadline => {
                self.give_up(ctx, Why::RingTimeout);
            }
            Progress::Calling if inviting.alternatives.deadline().is_some_and(|heard_by| ctx.now >= heard_by) => {
                self.on_silence(ctx);
            }
            // The far side answered CANCEL but never the INVITE.
            Progress::Cancelling { why, until } if ctx.now >= until => {
                self.abandon(ctx);
                let cause = given_up_cause(why, None);
                self.fail(ctx, None, cause, None);
            }
            _ => {}
        }
    }

    /// The address being tried has not said a word in its time.
    fn on_silence(&mut self, ctx: &mut Ctx<'_>) {
        if !self.fail_over(ctx, None) {
            self.abandon(ctx);
            self.fail(ctx, None, FailureCause::Unreachable, Some("no response".into()));
        }
    }

    /// Nobody waits for a final response to the INVITE any more.
    fn abandon(&self, ctx: &mut Ctx<'_>) {
        if let Some(outgoing) = &self.outgoing {
            ctx.out.push(CallAction::Abandon { branch: outgoing.record.branch.clone() });
        }
    }

    pub(super) fn on_invite_unanswered(&mut self, ctx: &mut Ctx<'_>, how: Unanswered) {
        if self.fail_over(ctx, None) {
            return;
        }
        let Phase::Inviting(inviting) = &self.phase else { return };
        let cause = match inviting.progress {
            Progress::CancelWanted(Why::HangUp) => FailureCause::Cancelled,
            Progress::Cancelling { why, .. } => given_up_cause(why, None),
            Progress::Calling | Progress::Proceeding | Progress::Ringing | Progress::CancelWanted(Why::RingTimeout) => {
                FailureCause::Unreachable
            }
        };
        let reason = match how {
            Unanswered::TimedOut => "no response",
            Unanswered::Unsent => "could not be sent",
        };
        self.fail(ctx, None, cause, Some(reason.into()));
    }

    /// Reports failure; a late 2xx is still met with ACK and BYE for 64·T1 when no final response has come.
    fn fail(&mut self, ctx: &mut Ctx<'_>, status: Option<u16>, cause: FailureCause, reason: Option<String>) {
        ctx.event(SignalingEvent::Failed { key: self.key, status, cause, reason });
        let linger = if status.is_some() { std::time::Duration::ZERO } else { ctx.timers.transaction() };
        self.finish(ctx.now, linger);
    }

    pub(super) fn on_invite_response(&mut self, ctx: &mut Ctx<'_>, response: &Response, essentials: &Essentials) {
        if response.is_success() {
            return self.on_invite_success(ctx, response, essentials);
        }
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        if response.is_provisional() {
            inviting.alternatives.heard();
            match inviting.progress {
                Progress::Calling | Progress::Proceeding if response.status > 100 => {
                    inviting.progress = Progress::Ringing
                }
                Progress::Calling => inviting.progress = Progress::Proceeding,
                Progress::CancelWanted(why) => self.cancel(ctx, why),
                Progress::Proceeding | Progress::Ringing | Progress::Cancelling { .. } => {}
            }
            return self.on_provisional(ctx, response, essentials);
        }
        if TRY_ELSEWHERE.contains(&response.status) && self.fail_over(ctx, seconds(response)) {
            return;
        }
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let cause = match inviting.progress {
            Progress::CancelWanted(why) | Progress::Cancelling { why, .. } => {
                given_up_cause(why, Some(response.status))
            }
            Progress::Calling | Progress::Proceeding | Progress::Ringing => FailureCause::of_status(response.status),
        };
        let reason = (!response.reason.is_empty()).then(|| response.reason.chars().take(MAX_REASON).collect());
        self.fail(ctx, Some(response.status), cause, reason);
    }

    fn on_provisional(&mut self, ctx: &mut Ctx<'_>, response: &Response, essentials: &Essentials) {
        let (Phase::Inviting(inviting), Some(outgoing)) = (&mut self.phase, &self.outgoing) else { return };
        if response.status == 100 || !inviting.is_wanted() {
            return;
        }
        let sdp = sdp_of(&response.headers, &response.body);
        let Some(tag) = essentials.to.tag() else {
            // RFC 2543 peers ring without a tag: there is no dialog yet.
            return ctx.event(SignalingEvent::Provisional { key: self.key, status: response.status, sdp });
        };
        let known = inviting.early.iter().position(|early| early.dialog.remote_tag.as_deref() == Some(tag));
        let at = match known {
            Some(at) => at,
            None if inviting.early.len() < ctx.limits.max_forks => {
                let dialog = Dialog::of_response(&outgoing.request, response, essentials, outgoing.hop);
                inviting.early.push(Early { dialog, rseq: None, sdp: None });
                inviting.early.len() - 1
            }
            None => return,
        };
        let early = &mut inviting.early[at];
        let reliable = lists_option(&response.headers, "Require", "100rel");
        let rseq = response.headers.get("RSeq").and_then(|rseq| rseq.trim().parse::<u32>().ok()).filter(|_| reliable);
        match (rseq, early.rseq) {
            (Some(rseq), Some(last)) if rseq != last.wrapping_add(1) => return,
            (Some(rseq), _) => early.rseq = Some(rseq),
            (None, _) => {}
        }
        early.dialog.refresh_target(&response.headers);
        if sdp.is_some() {
            early.sdp.clone_from(&sdp);
        }
        let prack = rseq.map(|rseq| {
            let mut request = early.dialog.request(Method::Prack);
            request.headers.write("RAck", format_args!("{rseq} {} INVITE", essentials.cseq.number));
            (request, early.dialog.next_hop())
        });
        let dialog = known.is_none().then(|| early.dialog.clone());
        if let Some(dialog) = dialog {
            ctx.event(SignalingEvent::Dialog(self.stored(&dialog, DialogState::Early)));
        }
        if let Some((request, peer)) = prack {
            self.send(ctx, request, peer, Purpose::Prack);
        }
        ctx.event(SignalingEvent::Provisional { key: self.key, status: response.status, sdp });
    }

    /// A 2xx: the first one answers the call, any other one is acknowledged and ended (§13.2.2.4).
    fn on_invite_success(&mut self, ctx: &mut Ctx<'_>, response: &Response, essentials: &Essentials) {
        if self.repeat_ack(ctx, essentials) {
            return;
        }
        let Some(outgoing) = &mut self.outgoing else { return };
        outgoing.answers_until.get_or_insert(ctx.now + ctx.timers.transaction());
        let invite = outgoing.request.clone();
        let mut dialog = Dialog::of_response(&invite, response, essentials, outgoing.hop);
        let cseq = essentials.cseq.number;
        let phase = std::mem::replace(&mut self.phase, Phase::Over { until: ctx.now });
        let Phase::Inviting(inviting) = phase else {
            self.phase = phase;
            self.acknowledge(ctx, &dialog, &invite, cseq);
            return self.end_fork(ctx, dialog);
        };
        let early = inviting.early.into_iter().find(|early| early.dialog.remote_tag == dialog.remote_tag);
        let early_sdp = early.and_then(|early| {
            dialog.local_cseq = dialog.local_cseq.max(early.dialog.local_cseq);
            dialog.remote_cseq = early.dialog.remote_cseq;
            early.sdp
        });
        self.acknowledge(ctx, &dialog, &invite, cseq);
        let given_up = match inviting.progress {
            Progress::Calling | Progress::Proceeding | Progress::Ringing => None,
            Progress::CancelWanted(why) | Progress::Cancelling { why, .. } => Some(why),
        };
        // Some gateways put the answer into an unreliable 183 only.
        let answer = sdp_of(&response.headers, &response.body).or(early_sdp);
        match (given_up, answer) {
            (Some(why), _) => {
                self.end_fork(ctx, dialog);
                self.fail(ctx, Some(response.status), given_up_cause(why, None), None);
            }
            (None, None) => {
                self.end_fork(ctx, dialog);
                self.fail(ctx, Some(response.status), FailureCause::Failed, Some("answered without SDP".into()));
            }
            (None, Some(answer)) => {
                let session = Session::answered(ctx.now, dialog, inviting.sdp, answer.clone(), &response.headers);
                ctx.event(SignalingEvent::Dialog(self.stored(&session.dialog, DialogState::Confirmed)));
                self.phase = Phase::Confirmed(Box::new(session));
                ctx.event(SignalingEvent::Answered { key: self.key, sdp: answer });
            }
        }
    }

    /// BYE to an answer nobody wants.
    pub(super) fn end_fork(&mut self, ctx: &mut Ctx<'_>, mut dialog: Dialog) {
        let request = dialog.request(Method::Bye);
        let peer = dialog.next_hop();
        self.send(ctx, request, peer, Purpose::ForkBye);
    }
}

/// The result of a call we gave up: what the far side said counts only when we merely lost patience.
fn given_up_cause(why: Why, status: Option<u16>) -> FailureCause {
    match (why, status) {
        (Why::HangUp, _) => FailureCause::Cancelled,
        (Why::RingTimeout, None | Some(487)) => FailureCause::NoAnswer,
        (Why::RingTimeout, Some(status)) => FailureCause::of_status(status),
    }
}

/// Retry-After in seconds; a comment or parameters may follow.
fn seconds(response: &Response) -> Option<u64> {
    let value = response.headers.get("Retry-After")?;
    value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
