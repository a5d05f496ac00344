//! The called side up to the answer: ringing, accepting, rejecting, CANCEL.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Call, Ctx, Large, Phase, ServerId, allows,
    refresh::{self, Asked, MIN_SE},
    reliable::{Next, Reliable},
    session::{AckWait, AfterAck, Exchange, Session},
};
use crate::{
    dialog::{Dialog, Local, Peer},
    digest::AuthSession,
    event::{CallKey, DialogState, EndedBy, SignalingEvent},
    header::{Essentials, NameAddr, list, lists_option, reply, sdp_of},
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
    pub(super) cseq: u32,
    /// The last provisional, and when it is repeated.
    rung: Option<(Response, Instant)>,
    /// Present when the caller insists on reliable provisionals.
    pub(super) reliable: Option<Reliable>,
}

impl Ringing {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let reliable = self.reliable.as_ref().and_then(Reliable::deadline);
        self.rung.as_ref().map(|(_, again)| *again).into_iter().chain(reliable).min()
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

/// Where an INVITE came from, as far as the configuration knows.
#[derive(Debug)]
pub struct Origin {
    pub trunk: Option<String>,
    pub auth: Option<AuthSession>,
    /// The account we are registered by there.
    pub account: Option<String>,
    /// Whether it is believed about who calls (RFC 3325).
    pub trusted: bool,
}

/// Who is called by whom, as the INVITE says.
struct Parties {
    to_user: String,
    from_user: String,
    from_display: Option<String>,
}

impl Parties {
    fn of(request: &Request, essentials: &Essentials, origin: &Origin) -> Self {
        let user = |uri: &str| Uri::parse(uri).map(|uri| uri.decoded_user()).unwrap_or_default();
        let mut to_user = user(&request.uri);
        if to_user.is_empty() || Some(to_user.as_str()) == origin.account.as_deref() {
            to_user = user(&essentials.to.uri);
        }
        // What the carrier asserts counts more than what the caller wrote, if the carrier is believed.
        let asserted = list(&request.headers, "P-Asserted-Identity").filter_map(NameAddr::parse);
        let caller = asserted.filter(|_| origin.trusted).find(|identity| !user(&identity.uri).is_empty());
        let caller = caller.as_ref().unwrap_or(&essentials.from);
        Self { to_user, from_user: user(&caller.uri), from_display: caller.display.clone() }
    }
}

/// Headers that only a trusted neighbour may write (RFC 3325 §9).
fn is_asserted(name: &str) -> bool {
    name.eq_ignore_ascii_case("P-Asserted-Identity")
}

/// RFC 3323 §4.2 and RFC 3325 §9.3: values that ask to keep the caller's identity from the called side.
fn wants_privacy(words: &str) -> bool {
    words.split(';').any(|word| matches!(word.trim().to_ascii_lowercase().as_str(), "id" | "user" | "header"))
}

/// Whether the caller reads the only kind of answer there is (RFC 3261 §20.1); who says nothing does.
fn takes_sdp(request: &Request) -> bool {
    let mut kinds = list(&request.headers, "Accept").peekable();
    let kind = |value: &str| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kinds.peek().is_none()
        || kinds.any(|value| matches!(kind(value).as_str(), "application/sdp" | "application/*" | "*/*"))
}

impl Call {
    /// A new call coming in. The request has passed the checks of the stack; `Err` is the answer that refuses it.
    #[allow(clippy::too_many_arguments)] // each is a fact about the INVITE that only the stack knows
    pub fn incoming(
        ctx: &mut Ctx<'_>,
        key: CallKey,
        origin: Origin,
        server: ServerId,
        request: &Request,
        essentials: &Essentials,
        local: Local,
        peer: Peer,
    ) -> Result<Self, Box<Response>> {
        let tag = ctx.entropy.tag();
        if let Some(response) = super::unsupported(request, Some(&tag)) {
            return Err(Box::new(response));
        }
        let refused = |status, header, value: &str| {
            let mut response = reply(request, status, Some(&tag));
            response.headers.push(header, value);
            Err(Box::new(response))
        };
        let offer = sdp_of(&request.headers, &request.body);
        if offer.is_none() && !request.body.is_empty() {
            return refused(415, "Accept", "application/sdp");
        }
        if !takes_sdp(request) {
            return refused(406, "Accept", "application/sdp");
        }
        if refresh::asked(ctx.now, request) == Asked::TooSmall {
            return refused(422, "Min-SE", &MIN_SE.to_string());
        }
        let dialog = Dialog::of_request(request, essentials, tag, peer);
        ctx.respond(server, reply(request, 100, None));
        let Parties { to_user, from_user, from_display } = Parties::of(request, essentials, &origin);
        let private = list(&request.headers, "Privacy").any(wants_privacy);
        let headers = request.headers.iter().filter(|(name, _)| origin.trusted || !is_asserted(name));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let Origin { trunk, auth, .. } = origin;
        let contact_user = percent_encoded(&to_user);
        ctx.event(SignalingEvent::Incoming {
            key,
            trunk: trunk.clone(),
            to_user,
            from_user,
            from_display,
            sdp: offer.clone(),
            private,
            headers,
        });
        let insists = lists_option(&request.headers, "Require", "100rel");
        let reliable = insists.then(|| Reliable::new(ctx.entropy.between(1, 1 << 20) as u32));
        let (request, cseq) = (request.clone(), essentials.cseq.number);
        let ringing = Ringing { server, request, dialog, offer, cseq, rung: None, reliable };
        Ok(Self {
            key,
            trunk,
            local,
            contact_user: if contact_user.is_empty() { "ringback".into() } else { contact_user },
            large: Large::ByTcp,
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
        self.on_reliable_timeout(ctx, server);
    }

    /// Sends a provisional; statuses outside 101–199 count as 180. With SDP it is early media.
    pub fn ring(&mut self, ctx: &mut Ctx<'_>, status: u16, sdp: Option<String>) {
        let status = if (101..200).contains(&status) { status } else { 180 };
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        let next = || Next::Ring { status, sdp: sdp.clone() };
        if ringing.reliable.as_mut().is_some_and(|reliable| reliable.must_wait(next)) {
            return;
        }
        let Phase::Ringing(ringing) = &self.phase else { return };
        let response = ringing.reply(ctx, status, sdp, self.contact(ringing.dialog.peer));
        let server = ringing.server;
        if ringing.reliable.is_some() {
            return self.ring_reliably(ctx, server, response);
        }
        ctx.respond(server, response.clone());
        if let Phase::Ringing(ringing) = &mut self.phase {
            ringing.rung = Some((response, ctx.now + RING_AGAIN));
        }
    }

    /// Answers with 200, which is repeated until ACK comes; then `Answered` follows.
    pub fn accept(&mut self, ctx: &mut Ctx<'_>, sdp: String) {
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        let next = || Next::Accept { sdp: sdp.clone() };
        if ringing.reliable.as_mut().is_some_and(|reliable| reliable.must_wait(next)) {
            return;
        }
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
            transfer: None,
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
            Method::Prack => self.on_prack(ctx, server, request),
            Method::Ack | Method::Cancel => {}
            // §14.2 and RFC 3311 §5.2: not before our own answer.
            Method::Invite | Method::Update => {
                let mut response = reply(request, 500, None);
                response.headers.push("Retry-After", ctx.entropy.between(1, 10).to_string());
                ctx.respond(server, response);
            }
            Method::Refer => ctx.refuse(server, request, 405),
            Method::Notify => ctx.refuse(server, request, 481),
            Method::Other(_) => ctx.refuse(server, request, request.method.refusal()),
        }
    }
}
