//! The answered call, the same from either side: BYE, re-INVITE, UPDATE, INFO, session timer, waiting for ACK.

use std::time::Instant;

use bytes::Bytes;

use super::{
    Call, Ctx, Phase, Purpose, Sent, ServerId, allows,
    refresh::{self, Asked, MIN_SE, Refresh, Refresher},
    transfer::Transfer,
};
use crate::{
    dialog::{Dialog, Peer},
    event::{CallKey, DialogState, EndedBy, SignalingEvent},
    header::{CSeq, Essentials, reply, sdp_of},
    message::{ALLOW, Headers, Method, Request, Response},
};

#[derive(Debug)]
pub(super) struct Session {
    pub(super) dialog: Dialog,
    pub(super) local_sdp: String,
    pub(super) remote_sdp: Option<String>,
    pub(super) exchange: Exchange,
    /// An offer of ours that met theirs (491) or had to wait its turn, and when it is tried again.
    pub(super) queued: Option<(String, Instant)>,
    pub(super) ack: Option<AckWait>,
    pub(super) refresh: Option<Refresh>,
    /// Whether a refresh may go by UPDATE, which needs no SDP.
    pub(super) far_updates: bool,
    /// The call is being handed on by REFER.
    pub(super) transfer: Option<Transfer>,
}

/// Where an offer within the call stands (RFC 3261 §14): never two at once.
#[derive(Debug)]
pub(super) enum Exchange {
    Idle,
    /// Our offer is on its way.
    Ours {
        sdp: String,
    },
    /// The contact centre is to answer theirs.
    Theirs(Box<Offered>),
}

#[derive(Debug)]
pub(super) struct Offered {
    server: ServerId,
    request: Request,
    peer: Peer,
    sdp: String,
    until: Instant,
}

/// A 2xx of ours that is repeated until its ACK comes (§13.3.1.4).
#[derive(Debug)]
pub(super) struct AckWait {
    server: ServerId,
    response: Response,
    cseq: u32,
    interval: std::time::Duration,
    again: Instant,
    until: Instant,
    then: AfterAck,
}

/// What the ACK brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterAck {
    /// The first ACK of the call: report it as answered.
    Announce,
    /// A re-INVITE is complete.
    Continue,
    /// Hung up meanwhile; BYE has to wait for the ACK (§15).
    HangUp,
}

impl AckWait {
    pub(super) fn new(ctx: &Ctx<'_>, server: ServerId, response: Response, cseq: u32, then: AfterAck) -> Self {
        let (again, until) = (ctx.now + ctx.timers.t1, ctx.now + ctx.timers.transaction());
        Self { server, response, cseq, interval: ctx.timers.t1, again, until, then }
    }
}

impl Session {
    /// The caller's side, on the 2xx.
    pub(super) fn answered(now: Instant, dialog: Dialog, ours: String, theirs: String, headers: &Headers) -> Self {
        Self {
            dialog,
            local_sdp: ours,
            remote_sdp: Some(theirs),
            exchange: Exchange::Idle,
            queued: None,
            ack: None,
            refresh: refresh::granted(now, headers),
            far_updates: allows(headers, "UPDATE"),
            transfer: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let exchange = match &self.exchange {
            Exchange::Idle | Exchange::Ours { .. } => None,
            Exchange::Theirs(offered) => Some(offered.until),
        };
        let queued = self.queued.as_ref().map(|(_, at)| *at);
        let ack = self.ack.as_ref().map(|ack| ack.again.min(ack.until));
        let refresh = self.refresh.as_ref().map(|refresh| refresh.due);
        let transfer = self.transfer.as_ref().map(Transfer::deadline);
        [exchange, queued, ack, refresh, transfer].into_iter().flatten().min()
    }

    /// The status when a new offer may not come in now.
    fn glare(&self) -> Option<u16> {
        match self.exchange {
            Exchange::Ours { .. } => Some(491),
            Exchange::Theirs(_) => Some(500),
            Exchange::Idle => self.ack.is_some().then_some(491),
        }
    }
}

impl Call {
    fn session(&mut self) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Confirmed(session) => Some(session),
            _ => None,
        }
    }

    /// Leaves the answered state; the session is gone from the call afterwards.
    fn take_session(&mut self, now: Instant) -> Option<Box<Session>> {
        match std::mem::replace(&mut self.phase, Phase::Over { until: now }) {
            Phase::Confirmed(session) => Some(session),
            other => {
                self.phase = other;
                None
            }
        }
    }

    pub(super) fn hang_up_session(&mut self, ctx: &mut Ctx<'_>) {
        let Some(session) = self.session() else { return };
        if let Some(ack) = &mut session.ack
            && ack.then != AfterAck::Continue
        {
            ack.then = AfterAck::HangUp;
            return;
        }
        self.end_session(ctx, EndedBy::Local);
    }

    /// The far side no longer answers within the call: it is over (RFC 5057), and told so in case it still listens.
    pub(super) fn lost(&mut self, ctx: &mut Ctx<'_>) {
        self.end_session(ctx, EndedBy::Timeout);
    }

    fn end_session(&mut self, ctx: &mut Ctx<'_>, by: EndedBy) {
        let Some(session) = self.take_session(ctx.now) else { return };
        if let Exchange::Theirs(offered) = &session.exchange {
            ctx.refuse(offered.server, &offered.request, 487);
        }
        self.bye(ctx, Box::new(session.dialog), by);
    }

    pub(super) fn on_session_timeout(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        let Some(session) = self.session() else { return };
        if let Some(ack) = &mut session.ack {
            if now >= ack.until {
                let by = if ack.then == AfterAck::HangUp { EndedBy::Local } else { EndedBy::Timeout };
                return self.end_session(ctx, by);
            }
            if now >= ack.again {
                ack.interval = (ack.interval * 2).min(ctx.timers.t2);
                ack.again = now + ack.interval;
                let (server, response) = (ack.server, ack.response.clone());
                ctx.respond(server, response);
            }
        }
        if let Exchange::Theirs(offered) = &session.exchange
            && now >= offered.until
        {
            let (server, response) = (offered.server, reply(&offered.request, 488, None));
            session.exchange = Exchange::Idle;
            ctx.respond(server, response);
        }
        if let Some((sdp, _)) = session.queued.take_if(|(_, at)| now >= *at) {
            self.reinvite(ctx, sdp);
        }
        self.on_transfer_timeout(ctx);
        self.on_refresh_due(ctx);
    }

    fn on_refresh_due(&mut self, ctx: &mut Ctx<'_>) {
        let Some(session) = self.session() else { return };
        let Some(refresh) = session.refresh.as_mut().filter(|refresh| ctx.now >= refresh.due) else { return };
        if refresh.by == Refresher::Them {
            return self.lost(ctx);
        }
        // Should this refresh fail, the next try comes well before the far side gives up.
        refresh.due = ctx.now + refresh.interval / 4;
        let expires = format!("{};refresher=uac", refresh.interval.as_secs());
        let busy = session.glare().is_some();
        let method = match (session.far_updates, busy) {
            (true, _) => Method::Update,
            (false, false) => Method::Invite,
            (false, true) => return,
        };
        let mut request = session.dialog.request(method.clone());
        let (peer, sdp) = (session.dialog.next_hop(), session.local_sdp.clone());
        request.headers.push("Session-Expires", expires);
        if method == Method::Invite {
            session.exchange = Exchange::Ours { sdp: sdp.clone() };
            self.offer(&mut request, peer, sdp);
        } else {
            request.headers.push("Contact", self.contact(peer));
            request.headers.push("Supported", "timer");
        }
        self.send(ctx, request, peer, Purpose::Refresh);
    }

    fn offer(&self, request: &mut Request, peer: Peer, sdp: String) {
        request.headers.push("Contact", self.contact(peer));
        request.headers.push("Allow", ALLOW);
        request.headers.push("Supported", "timer");
        request.headers.push("Content-Type", "application/sdp");
        request.body = Bytes::from(sdp);
    }

    /// Offers a changed session to the far side; waits its turn when another exchange runs.
    pub fn reinvite(&mut self, ctx: &mut Ctx<'_>, sdp: String) {
        let wait = std::time::Duration::from_millis(ctx.entropy.between(200, 400));
        let Some(session) = self.session() else { return };
        if session.glare().is_some() {
            session.queued = Some((sdp, ctx.now + wait));
            return;
        }
        let mut request = session.dialog.request(Method::Invite);
        let peer = session.dialog.next_hop();
        session.exchange = Exchange::Ours { sdp: sdp.clone() };
        self.offer(&mut request, peer, sdp);
        self.send(ctx, request, peer, Purpose::Reinvite);
    }

    /// A response to a re-INVITE or refresh of ours.
    pub(super) fn on_reinvite_response(
        &mut self,
        ctx: &mut Ctx<'_>,
        sent: &Sent,
        response: &Response,
        at: &Essentials,
    ) {
        let is_invite = sent.request.method == Method::Invite;
        if response.is_provisional() || (is_invite && response.is_success() && self.repeat_ack(ctx, at)) {
            return;
        }
        if response.is_success() {
            return self.on_reinvite_success(ctx, sent, response, at);
        }
        let glare = std::time::Duration::from_millis(if self.outgoing.is_some() {
            // §14.1: the owner of the Call-ID waits longer than the other side.
            ctx.entropy.between(210, 400) * 10
        } else {
            ctx.entropy.between(0, 200) * 10
        });
        let Some(session) = self.session() else { return };
        let ours = match std::mem::replace(&mut session.exchange, Exchange::Idle) {
            Exchange::Ours { sdp } if is_invite => Some(sdp),
            other => {
                session.exchange = other;
                None
            }
        };
        match response.status {
            // A newer offer that waits already takes the place of the refused one.
            491 => {
                if let Some(sdp) = ours {
                    session.queued.get_or_insert((sdp, ctx.now + glare));
                }
            }
            408 | 481 => self.lost(ctx),
            // UPDATE is not known after all: the next refresh goes by re-INVITE.
            405 | 501 if !is_invite => session.far_updates = false,
            _ => {}
        }
    }

    fn on_reinvite_success(&mut self, ctx: &mut Ctx<'_>, sent: &Sent, response: &Response, at: &Essentials) {
        let key = self.key;
        let Some(session) = self.session() else { return };
        let moved = session.dialog.refresh_target(&response.headers);
        if let Some(granted) = refresh::granted(ctx.now, &response.headers) {
            session.refresh = Some(granted);
        } else if let Some(refresh) = &mut session.refresh {
            refresh.restart(ctx.now);
        }
        let mut answer = None;
        if sent.request.method == Method::Invite {
            if let Exchange::Ours { sdp } = &session.exchange {
                session.local_sdp.clone_from(sdp);
                session.exchange = Exchange::Idle;
            }
            answer = sdp_of(&response.headers, &response.body).filter(|sdp| session.remote_sdp.as_ref() != Some(sdp));
            if answer.is_some() {
                session.remote_sdp.clone_from(&answer);
            }
            let dialog = session.dialog.clone();
            self.acknowledge(ctx, &dialog, &sent.request, at.cseq.number);
        }
        if moved {
            self.save(ctx);
        }
        if let Some(sdp) = answer {
            ctx.event(SignalingEvent::RemoteAnswer { key, sdp });
        }
    }

    fn save(&mut self, ctx: &mut Ctx<'_>) {
        if let Phase::Confirmed(session) = &self.phase {
            ctx.event(SignalingEvent::Dialog(self.stored(&session.dialog, DialogState::Confirmed)));
        }
    }

    pub(super) fn on_session_request(
        &mut self,
        ctx: &mut Ctx<'_>,
        server: ServerId,
        request: &Request,
        from: &Essentials,
    ) {
        let key = self.key;
        let Some(session) = self.session() else { return };
        if session.dialog.remote_tag.as_deref() != from.from.tag() {
            return ctx.refuse(server, request, 481);
        }
        if !session.dialog.accept_cseq(from.cseq.number) {
            return ctx.refuse(server, request, 500);
        }
        match request.method {
            Method::Bye => {
                ctx.refuse(server, request, 200);
                if let Exchange::Theirs(offered) = &session.exchange {
                    ctx.refuse(offered.server, &offered.request, 487);
                }
                ctx.event(SignalingEvent::Ended { key, by: EndedBy::Remote });
                self.finish(ctx.now, std::time::Duration::ZERO);
            }
            Method::Invite | Method::Update => self.on_offer(ctx, server, request),
            Method::Info => on_info(ctx, key, server, request),
            Method::Options => self.on_options(ctx, server, request),
            Method::Notify => self.on_notify(ctx, server, request),
            Method::Prack => ctx.refuse(server, request, 481),
            Method::Ack | Method::Cancel => {}
            Method::Refer => ctx.refuse(server, request, 405),
            Method::Other(_) => ctx.refuse(server, request, request.method.refusal()),
        }
    }

    fn on_options(&mut self, ctx: &mut Ctx<'_>, server: ServerId, request: &Request) {
        let mut response = reply(request, 200, None);
        response.headers.push("Allow", ALLOW);
        response.headers.push("Accept", "application/sdp");
        response.headers.push("Supported", "100rel, timer");
        ctx.respond(server, response);
    }

    /// A re-INVITE or UPDATE of the far side, with an offer, without one, or only to refresh.
    fn on_offer(&mut self, ctx: &mut Ctx<'_>, server: ServerId, request: &Request) {
        let now = ctx.now;
        let patience = ctx.limits.reinvite_patience;
        let Some(session) = self.session() else { return };
        let offer = sdp_of(&request.headers, &request.body);
        if offer.is_none() && !request.body.is_empty() {
            let mut response = reply(request, 415, None);
            response.headers.push("Accept", "application/sdp");
            return ctx.respond(server, response);
        }
        let is_invite = request.method == Method::Invite;
        if let Some(status) = session.glare().filter(|_| is_invite || offer.is_some()) {
            let mut response = reply(request, status, None);
            if status == 500 {
                response.headers.push("Retry-After", ctx.entropy.between(1, 10).to_string());
            }
            return ctx.respond(server, response);
        }
        match refresh::asked(now, request) {
            Asked::Nothing => session.refresh = session.refresh.filter(|refresh| refresh.by == Refresher::Us),
            Asked::TooSmall => {
                let mut response = reply(request, 422, None);
                response.headers.push("Min-SE", MIN_SE.to_string());
                return ctx.respond(server, response);
            }
            Asked::Timer(refresh) => session.refresh = Some(refresh),
        }
        session.far_updates |= allows(&request.headers, "UPDATE") || !is_invite;
        let moved = session.dialog.refresh_target(&request.headers);
        match offer.filter(|offer| session.remote_sdp.as_ref() != Some(offer)) {
            Some(sdp) => {
                let peer = session.dialog.peer;
                let (request, until) = (request.clone(), now + patience);
                if is_invite {
                    ctx.refuse(server, &request, 100);
                }
                session.exchange =
                    Exchange::Theirs(Box::new(Offered { server, request, peer, sdp: sdp.clone(), until }));
                let key = self.key;
                ctx.event(SignalingEvent::RemoteSdp { key, sdp });
            }
            // Nothing new, or no offer: what we said last still holds.
            None => {
                let with_sdp = is_invite || !request.body.is_empty();
                let peer = session.dialog.peer;
                self.agree(ctx, server, request, peer, with_sdp);
            }
        }
        if moved {
            self.save(ctx);
        }
    }

    /// Answers the far side's changed offer; nothing when none is waiting.
    pub fn accept_reinvite(&mut self, ctx: &mut Ctx<'_>, sdp: String) {
        let Some(session) = self.session() else { return };
        match std::mem::replace(&mut session.exchange, Exchange::Idle) {
            Exchange::Theirs(offered) => {
                session.local_sdp = sdp;
                session.remote_sdp = Some(offered.sdp);
                self.agree(ctx, offered.server, &offered.request, offered.peer, true);
            }
            other => session.exchange = other,
        }
    }

    /// 200 to a re-INVITE or UPDATE, with our session as it stands.
    fn agree(&mut self, ctx: &mut Ctx<'_>, server: ServerId, request: &Request, peer: Peer, with_sdp: bool) {
        let contact = self.contact(peer);
        let Some(session) = self.session() else { return };
        let mut response = reply(request, 200, None);
        response.headers.push("Contact", contact);
        response.headers.push("Allow", ALLOW);
        response.headers.push("Supported", "100rel, timer");
        if let Some(refresh) = session.refresh.as_ref().filter(|_| request.headers.contains("Session-Expires")) {
            refresh::announce(&mut response, refresh);
        }
        if with_sdp {
            response.headers.push("Content-Type", "application/sdp");
            response.body = Bytes::from(session.local_sdp.clone());
        }
        if request.method == Method::Invite {
            let cseq = request.headers.get("CSeq").and_then(CSeq::parse).map_or(0, |cseq| cseq.number);
            session.ack = Some(AckWait::new(ctx, server, response.clone(), cseq, AfterAck::Continue));
        }
        ctx.respond(server, response);
    }

    /// ACK of a 2xx of ours.
    pub fn on_ack(&mut self, ctx: &mut Ctx<'_>, request: &Request, essentials: &Essentials) {
        let key = self.key;
        let Some(session) = self.session() else { return };
        let Some(ack) = session.ack.take_if(|ack| ack.cseq == essentials.cseq.number) else { return };
        let answer = sdp_of(&request.headers, &request.body);
        match ack.then {
            AfterAck::HangUp => self.end_session(ctx, EndedBy::Local),
            AfterAck::Announce => match session.remote_sdp.clone().or(answer) {
                Some(sdp) => {
                    session.remote_sdp = Some(sdp.clone());
                    ctx.event(SignalingEvent::Answered { key, sdp });
                }
                // We made the offer, and ACK brought no answer: there is no session.
                None => self.end_session(ctx, EndedBy::Local),
            },
            AfterAck::Continue => {
                if let Some(sdp) = answer.filter(|answer| session.remote_sdp.as_ref() != Some(answer)) {
                    session.remote_sdp = Some(sdp.clone());
                    ctx.event(SignalingEvent::RemoteAnswer { key, sdp });
                }
            }
        }
    }
}

/// A digit by INFO (application/dtmf-relay as gateways send it); anything else is refused or, empty, acknowledged.
fn on_info(ctx: &mut Ctx<'_>, key: CallKey, server: ServerId, request: &Request) {
    if request.body.is_empty() {
        return ctx.refuse(server, request, 200);
    }
    let content_type = request.headers.get("Content-Type").unwrap_or_default();
    match dtmf(content_type, &request.body) {
        Some(digit) => {
            ctx.refuse(server, request, 200);
            ctx.event(SignalingEvent::Dtmf { key, digit });
        }
        None => {
            let mut response = reply(request, 415, None);
            response.headers.push("Accept", "application/dtmf-relay, application/dtmf");
            ctx.respond(server, response);
        }
    }
}

fn dtmf(content_type: &str, body: &[u8]) -> Option<char> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text = std::str::from_utf8(body).ok()?;
    let signal = match media_type.as_str() {
        "application/dtmf-relay" => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
        })?,
        "application/dtmf" => text.trim(),
        _ => return None,
    };
    match signal {
        "10" => Some('*'),
        "11" => Some('#'),
        _ => {
            let mut digits = signal.chars();
            let digit = digits.next()?.to_ascii_uppercase();
            (digits.next().is_none() && "0123456789*#ABCD".contains(digit)).then_some(digit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_by_info() {
        assert_eq!(dtmf("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(dtmf("Application/DTMF-Relay; x=y", b"Signal= 11 \r\n"), Some('#'));
        assert_eq!(dtmf("application/dtmf", b"*"), Some('*'));
        for (kind, body) in [("application/dtmf", "55"), ("application/dtmf", ""), ("text/plain", "5"), ("", "5")] {
            assert_eq!(dtmf(kind, body.as_bytes()), None, "{kind} {body}");
        }
        assert_eq!(dtmf("application/dtmf-relay", b"Duration=160"), None);
        assert_eq!(dtmf("application/dtmf-relay", b"Signal=\xff"), None);
    }
}
