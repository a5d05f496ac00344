//! The called side up to the answer: ringing, accepting, rejecting, CANCEL.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Call, Ctx, Phase, ServerId, allows,
    refresh::{self, Asked, MIN_SE},
    session::{AckWait, AfterAck, Exchange, Session},
};
use crate::{
    dialog::{Dialog, Local, Peer},
    digest::AuthSession,
    event::{CallKey, DialogState, EndedBy, SignalingEvent},
    header::{Essentials, NameAddr, lists_option, reply, sdp_of},
    message::{ALLOW, Method, Request, Response},
    uri::{Uri, percent_encoded},
};

/// A provisional is repeated this often so that proxies keep the call (RFC 3261 §13.3.1.1).
const RING_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Ringing {
    server: ServerId,
    request: Request,
    dialog: Dialog,
    offer: Option<String>,
    cseq: u32,
    /// The last provisional, and when it is repeated.
    rung: Option<(Response, Instant)>,
}

impl Ringing {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rung.as_ref().map(|(_, again)| *again)
    }

    fn reply(&self, ctx: &Ctx<'_>, status: u16, sdp: Option<String>, contact: String) -> Response {
        let mut response = reply(&self.request, status, Some(&self.dialog.local_tag));
        for route in self.request.headers.all("Record-Route") {
            response.headers.push("Record-Route", route);
        }
        response.headers.push("Contact", contact);
        response.headers.push("Allow", ALLOW);
        response.headers.push("Server", ctx.user_agent);
        if let Some(sdp) = sdp {
            response.headers.push("Content-Type", "application/sdp");
            response.body = Bytes::from(sdp);
        }
        response
    }
}

/// Who is called by whom, as the INVITE says.
struct Parties {
    to_user: String,
    from_user: String,
    from_display: Option<String>,
}

impl Parties {
    fn of(request: &Request, essentials: &Essentials) -> Self {
        let user = |uri: &str| Uri::parse(uri).map(|uri| uri.decoded_user()).unwrap_or_default();
        let mut to_user = user(&request.uri);
        if to_user.is_empty() {
            to_user = user(&essentials.to.uri);
        }
        Self { to_user, from_user: user(&essentials.from.uri), from_display: essentials.from.display.clone() }
    }
}

impl Call {
    /// A new call coming in. The request has passed the checks of the stack; `Err` is the answer that refuses it.
    #[allow(clippy::too_many_arguments)] // each is a fact about the INVITE that only the stack knows
    pub fn incoming(
        ctx: &mut Ctx<'_>,
        key: CallKey,
        trunk: Option<String>,
        auth: Option<AuthSession>,
        server: ServerId,
        request: &Request,
        essentials: &Essentials,
        local: Local,
        peer: Peer,
    ) -> Result<Self, Box<Response>> {
        if let Some(response) = super::unsupported(request) {
            return Err(Box::new(response));
        }
        let offer = sdp_of(&request.headers, &request.body);
        if offer.is_none() && !request.body.is_empty() {
            let mut response = reply(request, 415, None);
            response.headers.push("Accept", "application/sdp");
            return Err(Box::new(response));
        }
        if refresh::asked(ctx.now, request) == Asked::TooSmall {
            let mut response = reply(request, 422, None);
            response.headers.push("Min-SE", MIN_SE.to_string());
            return Err(Box::new(response));
        }
        let dialog = Dialog::of_request(request, essentials, ctx.entropy.tag(), peer);
        ctx.respond(server, reply(request, 100, None));
        let Parties { to_user, from_user, from_display } = Parties::of(request, essentials);
        let contact_user = percent_encoded(&to_user);
        ctx.event(SignalingEvent::Incoming {
            key,
            trunk: trunk.clone(),
            to_user,
            from_user,
            from_display,
            sdp: offer.clone(),
            headers: request.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        });
        let ringing =
            Ringing { server, request: request.clone(), dialog, offer, cseq: essentials.cseq.number, rung: None };
        Ok(Self {
            key,
            trunk,
            local,
            contact_user: if contact_user.is_empty() { "ringback".into() } else { contact_user },
            auth,
            outgoing: None,
            acks: Vec::new(),
            phase: Phase::Ringing(Box::new(ringing)),
        })
    }

    /// Call-ID and local tag, by which requests of the far side find this call.
    pub fn dialog_id(&self) -> (String, String) {
        match &self.phase {
            Phase::Ringing(ringing) => (ringing.dialog.call_id.clone(), ringing.dialog.local_tag.clone()),
            Phase::Confirmed(session) => (session.dialog.call_id.clone(), session.dialog.local_tag.clone()),
            Phase::Ending { dialog, .. } => (dialog.call_id.clone(), dialog.local_tag.clone()),
            Phase::Inviting(_) | Phase::Over { .. } => {
                self.outgoing.as_ref().map_or_else(Default::default, |outgoing| {
                    let get = |name: &str| outgoing.request.headers.get(name).unwrap_or_default().to_owned();
                    let tag = NameAddr::parse(&get("From")).and_then(|from| from.tag().map(str::to_owned));
                    (get("Call-ID"), tag.unwrap_or_default())
                })
            }
        }
    }

    pub(super) fn on_ringing_timeout(&mut self, ctx: &mut Ctx<'_>) {
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        let server = ringing.server;
        if let Some((response, again)) = ringing.rung.as_mut().filter(|(_, again)| ctx.now >= *again) {
            *again = ctx.now + RING_AGAIN;
            let response = response.clone();
            ctx.respond(server, response);
        }
    }

    /// Sends a provisional; statuses outside 101–199 count as 180. With SDP it is early media.
    pub fn ring(&mut self, ctx: &mut Ctx<'_>, status: u16, sdp: Option<String>) {
        let Phase::Ringing(ringing) = &self.phase else { return };
        // A caller that insists on reliable provisionals gets none: RFC 3262 §3 forbids unreliable ones.
        if lists_option(&ringing.request.headers, "Require", "100rel") {
            return;
        }
        let status = if (101..200).contains(&status) { status } else { 180 };
        let response = ringing.reply(ctx, status, sdp, self.contact(ringing.dialog.peer));
        let server = ringing.server;
        ctx.respond(server, response.clone());
        if let Phase::Ringing(ringing) = &mut self.phase {
            ringing.rung = Some((response, ctx.now + RING_AGAIN));
        }
    }

    /// Answers with 200, which is repeated until ACK comes; then `Answered` follows.
    pub fn accept(&mut self, ctx: &mut Ctx<'_>, sdp: String) {
        let Phase::Ringing(ringing) = &self.phase else { return };
        let mut response = ringing.reply(ctx, 200, Some(sdp.clone()), self.contact(ringing.dialog.peer));
        response.headers.push("Supported", "100rel, timer");
        let refresh = match refresh::asked(ctx.now, &ringing.request) {
            Asked::Timer(refresh) => Some(refresh),
            Asked::Nothing | Asked::TooSmall => None,
        };
        if let Some(refresh) = &refresh {
            refresh::announce(&mut response, refresh);
        }
        let server = ringing.server;
        let cseq = ringing.cseq;
        let session = Session {
            dialog: ringing.dialog.clone(),
            local_sdp: sdp,
            remote_sdp: ringing.offer.clone(),
            exchange: Exchange::Idle,
            queued: None,
            ack: Some(AckWait::new(ctx, server, response.clone(), cseq, AfterAck::Announce)),
            refresh,
            far_updates: allows(&ringing.request.headers, "UPDATE"),
        };
        ctx.event(SignalingEvent::Dialog(self.stored(&session.dialog, DialogState::Confirmed)));
        ctx.respond(server, response);
        self.phase = Phase::Confirmed(Box::new(session));
    }

    /// Refuses the call; statuses outside 400–699 count as 480.
    pub fn reject(&mut self, ctx: &mut Ctx<'_>, status: u16) {
        let status = if (400..700).contains(&status) { status } else { 480 };
        self.turn_away(ctx, status, EndedBy::Local);
    }

    /// The caller has given up.
    pub fn on_cancel(&mut self, ctx: &mut Ctx<'_>) {
        self.turn_away(ctx, 487, EndedBy::Remote);
    }

    fn turn_away(&mut self, ctx: &mut Ctx<'_>, status: u16, by: EndedBy) {
        let Phase::Ringing(ringing) = &self.phase else { return };
        let mut response = reply(&ringing.request, status, Some(&ringing.dialog.local_tag));
        response.headers.push("Server", ctx.user_agent);
        let server = ringing.server;
        ctx.respond(server, response);
        ctx.event(SignalingEvent::Ended { key: self.key, by });
        self.finish(ctx.now, Duration::ZERO);
    }

    pub(super) fn on_ringing_request(
        &mut self,
        ctx: &mut Ctx<'_>,
        server: ServerId,
        request: &Request,
        from: &Essentials,
    ) {
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        if ringing.dialog.remote_tag.as_deref() != from.from.tag() {
            return ctx.refuse(server, request, 481);
        }
        if !ringing.dialog.accept_cseq(from.cseq.number) {
            return ctx.refuse(server, request, 500);
        }
        match request.method {
            Method::Bye => {
                ctx.refuse(server, request, 200);
                self.turn_away(ctx, 487, EndedBy::Remote);
            }
            Method::Update if request.body.is_empty() => {
                ringing.dialog.refresh_target(&request.headers);
                ctx.refuse(server, request, 200);
            }
            Method::Info | Method::Options => ctx.refuse(server, request, 200),
            Method::Prack => ctx.refuse(server, request, 481),
            Method::Ack | Method::Cancel => {}
            // §14.2 and RFC 3311 §5.2: not before our own answer.
            Method::Invite | Method::Update => {
                let mut response = reply(request, 500, None);
                response.headers.push("Retry-After", ctx.entropy.between(1, 10).to_string());
                ctx.respond(server, response);
            }
            Method::Other(_) => ctx.refuse(server, request, request.method.refusal()),
        }
    }
}
