//! Reliable provisional responses of the called side (RFC 3262 §3): repeated until PRACK comes, one at a time.

use std::time::{Duration, Instant};

use super::{Call, Ctx, Phase, ServerId};
use crate::message::{Request, Response};

#[derive(Debug)]
pub(super) struct Reliable {
    rseq: u32,
    waiting: Option<Waiting>,
}

/// A provisional that has not been acknowledged yet, and what is to be said after it.
#[derive(Debug)]
struct Waiting {
    response: Response,
    interval: Duration,
    again: Instant,
    until: Instant,
    next: Option<Next>,
}

#[derive(Debug)]
pub(super) enum Next {
    Ring { status: u16, sdp: Option<String> },
    Accept { sdp: String },
}

impl Reliable {
    /// `first`: the first RSeq is drawn below 2^31 (§3).
    pub(super) fn new(first: u32) -> Self {
        Self { rseq: first & 0x3fff_ffff, waiting: None }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.again.min(waiting.until))
    }

    /// Makes a provisional reliable; the caller sends it.
    fn arm(&mut self, ctx: &Ctx<'_>, response: &mut Response) {
        self.rseq += 1;
        response.headers.push("Require", "100rel");
        response.headers.push("RSeq", self.rseq.to_string());
        let (again, until) = (ctx.now + ctx.timers.t1, ctx.now + ctx.timers.transaction());
        let response = response.clone();
        self.waiting = Some(Waiting { response, interval: ctx.timers.t1, again, until, next: None });
    }

    /// Whether something has to wait for PRACK first; then it is kept. An answer displaces a provisional.
    pub(super) fn must_wait(&mut self, next: impl FnOnce() -> Next) -> bool {
        match &mut self.waiting {
            Some(waiting) => {
                if !matches!(waiting.next, Some(Next::Accept { .. })) {
                    waiting.next = Some(next());
                }
                true
            }
            None => false,
        }
    }

    /// Whether a RAck names the provisional that waits.
    fn is_acknowledged_by(&self, request: &Request, invite_cseq: u32) -> bool {
        let mut words = request.headers.get("RAck").unwrap_or_default().split_ascii_whitespace();
        let (rseq, cseq, method) = (words.next(), words.next(), words.next());
        self.waiting.is_some()
            && rseq.and_then(|n| n.parse().ok()) == Some(self.rseq)
            && cseq.and_then(|n| n.parse().ok()) == Some(invite_cseq)
            && method == Some("INVITE")
    }
}

impl Call {
    /// Sends a provisional reliably.
    pub(super) fn ring_reliably(&mut self, ctx: &mut Ctx<'_>, server: ServerId, mut response: Response) {
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        let Some(reliable) = &mut ringing.reliable else { return };
        reliable.arm(ctx, &mut response);
        ctx.respond(server, response);
    }

    pub(super) fn on_reliable_timeout(&mut self, ctx: &mut Ctx<'_>, server: ServerId) {
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        let Some(waiting) = ringing.reliable.as_mut().and_then(|reliable| reliable.waiting.as_mut()) else { return };
        if ctx.now >= waiting.until {
            // §3: a caller that never acknowledges is refused.
            return self.reject(ctx, 504);
        }
        if ctx.now >= waiting.again {
            waiting.interval *= 2;
            waiting.again = ctx.now + waiting.interval;
            let response = waiting.response.clone();
            ctx.respond(server, response);
        }
    }

    /// PRACK of the caller: 200 when it names the provisional that waits, 481 otherwise.
    pub(super) fn on_prack(&mut self, ctx: &mut Ctx<'_>, server: ServerId, request: &Request) {
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        let cseq = ringing.cseq;
        let Some(reliable) = ringing.reliable.as_mut().filter(|r| r.is_acknowledged_by(request, cseq)) else {
            return ctx.refuse(server, request, 481);
        };
        let next = reliable.waiting.take().and_then(|waiting| waiting.next);
        ctx.refuse(server, request, 200);
        match next {
            Some(Next::Ring { status, sdp }) => self.ring(ctx, status, sdp),
            Some(Next::Accept { sdp }) => self.accept(ctx, sdp),
            None => {}
        }
    }
}
