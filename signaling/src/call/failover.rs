//! An INVITE that found nobody goes to the trunk's next address (RFC 3263 §4.3), as long as nothing has rung.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Call, CallAction, Ctx, Phase, Purpose, Sent, uac::Progress};
use crate::{
    dialog::{Dialog, Peer},
    digest::Rounds,
    event::{DialogState, SignalingEvent},
    header::Essentials,
    message::{Method, Request, Response},
};

/// An address that has not said a word for this many T1 is given up while others wait; RFC 3261 §17.2.1 wants a 100
/// within 200 ms.
const PATIENCE: u32 = 8;

/// Final answers by which an address says that another may do better (RFC 3263 §4.3).
pub(super) const TRY_ELSEWHERE: [u16; 2] = [408, 503];

/// Addresses still to be tried, and those given up without an answer.
#[derive(Debug, Default)]
pub(super) struct Alternatives {
    others: VecDeque<Peer>,
    left: Vec<Left>,
    /// When the one being tried is given up for silence.
    heard_by: Option<Instant>,
    /// How long the last one may be silent, when it is not for timer B to end it.
    silence: Option<Duration>,
}

/// An INVITE nobody waits for any more. Should it ring after all, it is cancelled.
#[derive(Debug)]
struct Left {
    request: Arc<Request>,
    branch: String,
    peer: Peer,
}

impl Alternatives {
    pub(super) fn new(ctx: &Ctx<'_>, others: &[Peer], silence: Option<Duration>) -> Self {
        let mut new = Self { others: others.iter().copied().collect(), silence, ..Self::default() };
        new.wait(ctx);
        new
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.heard_by
    }

    fn wait(&mut self, ctx: &Ctx<'_>) {
        let patience = if self.others.is_empty() { self.silence } else { Some(ctx.timers.t1 * PATIENCE) };
        self.heard_by = patience.map(|patience| ctx.now + patience);
    }

    /// The address being tried has answered something.
    pub(super) fn heard(&mut self) {
        self.heard_by = None;
    }
}

impl Call {
    /// Sends the INVITE to the next address; false when there is none, or something has rung already. `seconds`: how long
    /// the address that failed wants to be left alone.
    pub(super) fn fail_over(&mut self, ctx: &mut Ctx<'_>, seconds: Option<u64>) -> bool {
        let (Phase::Inviting(inviting), Some(outgoing)) = (&mut self.phase, &mut self.outgoing) else { return false };
        if !matches!(inviting.progress, Progress::Calling | Progress::Proceeding) {
            return false;
        }
        ctx.out.push(CallAction::Avoid { peer: outgoing.hop, seconds });
        let Some(next) = inviting.alternatives.others.pop_front() else { return false };
        let branch = std::mem::replace(&mut outgoing.record.branch, ctx.entropy.branch());
        ctx.out.push(CallAction::Abandon { branch: branch.clone() });
        let (old, new_branch) = (outgoing.request.clone(), outgoing.record.branch.clone());
        inviting.alternatives.left.push(Left { request: old.clone(), branch, peer: outgoing.peer });
        inviting.alternatives.wait(ctx);
        inviting.progress = Progress::Calling;
        outgoing.hop = next;
        let mut request = (*old).clone();
        request.headers.remove("Via");
        let (request, peer) = self.send_as(ctx, request, next, Purpose::Invite, new_branch, Rounds::default());
        if let Some(outgoing) = &mut self.outgoing {
            (outgoing.request, outgoing.peer) = (request, peer);
        }
        let stored = self.stored(&self.calling_dialog(), DialogState::Calling);
        let at = ctx.out.len().saturating_sub(1);
        ctx.out.insert(at, CallAction::Event(Box::new(SignalingEvent::Dialog(stored))));
        true
    }

    /// A late response of an address that was given up: what rings is cancelled, what was answered is ended. False when
    /// the response is none of these.
    pub(super) fn on_left_response(&mut self, ctx: &mut Ctx<'_>, response: &Response, essentials: &Essentials) -> bool {
        let Phase::Inviting(inviting) = &mut self.phase else { return false };
        let branch = essentials.via.branch().unwrap_or_default();
        let left = &mut inviting.alternatives.left;
        let Some(at) = left.iter().position(|left| left.branch == branch) else { return false };
        let Left { request, branch, peer } = left.swap_remove(at);
        if response.is_success() {
            let dialog = Dialog::of_response(&request, response, essentials, peer);
            self.acknowledge(ctx, &dialog, &request, essentials.cseq.number);
            self.end_fork(ctx, dialog);
        } else if response.is_provisional() {
            let rounds = Rounds::default();
            let sent = Sent { request: request.clone(), peer, hop: peer, purpose: Purpose::Late, rounds };
            ctx.out.push(CallAction::Resume { sent, branch: branch.clone() });
            self.cancel_invite(ctx, &request, essentials.cseq.number, peer, branch);
        }
        true
    }
    /// A late response to the first INVITE of a call that has since been placed anew over another trunk, under the same
    /// names: what rings is cancelled and what was answered is ended, by what the response itself says. False when the
    /// response is not to such an INVITE.
    pub(super) fn on_foreign_response(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: Peer,
        response: &Response,
        essentials: &Essentials,
    ) -> bool {
        let Some(outgoing) = &self.outgoing else { return false };
        let branch = essentials.via.branch().unwrap_or_default();
        if outgoing.record.branch == branch || outgoing.record.cseq != essentials.cseq.number {
            return false;
        }
        // Our To and Request-URI were the same.
        let mut invite = Request::new(Method::Invite, essentials.to.uri.clone());
        invite.headers.push("Max-Forwards", "70");
        for name in ["From", "Call-ID"] {
            invite.headers.push(name, response.headers.get(name).unwrap_or_default());
        }
        invite.headers.push("To", essentials.to.without_tag());
        if response.is_success() {
            if !self.repeat_ack(ctx, essentials) {
                let dialog = Dialog::of_response(&invite, response, essentials, from);
                self.acknowledge(ctx, &dialog, &invite, essentials.cseq.number);
                self.end_fork(ctx, dialog);
            }
        } else if response.is_provisional() {
            let (request, rounds) = (Arc::new(invite), Rounds::default());
            let sent = Sent { request: request.clone(), peer: from, hop: from, purpose: Purpose::Late, rounds };
            ctx.out.push(CallAction::Resume { sent, branch: branch.to_owned() });
            self.cancel_invite(ctx, &request, essentials.cseq.number, from, branch.to_owned());
        }
        true
    }

    /// A response to an INVITE that is being cancelled because another address has the call.
    pub(super) fn on_late_response(
        &mut self,
        ctx: &mut Ctx<'_>,
        sent: &Sent,
        response: &Response,
        essentials: &Essentials,
    ) {
        if response.is_success() && !self.repeat_ack(ctx, essentials) {
            let dialog = Dialog::of_response(&sent.request, response, essentials, sent.peer);
            self.acknowledge(ctx, &dialog, &sent.request, essentials.cseq.number);
            self.end_fork(ctx, dialog);
        }
    }
}
