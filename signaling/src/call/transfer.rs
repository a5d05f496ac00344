//! Handing an answered call on by REFER (RFC 3515) within its dialog: to a number, or in place of another call of ours
//! (Replaces, RFC 3891). What becomes of it is told by NOTIFY.

use std::time::{Duration, Instant};

use super::{Call, Ctx, Phase, Purpose, ServerId};
use crate::{
    event::{SignalingEvent, TransferStep},
    header::{NameAddr, reply},
    message::{Method, Request, Response},
    uri::{bracketed, escaped_header, percent_encoded},
    user_to_user::UserToUser,
};

/// Without a word from the far side for so long the transfer counts as lost. Ringing takes time, and RFC 3515 §2.4.6
/// lets the far side be silent meanwhile.
const PATIENCE: Duration = Duration::from_secs(180);

/// Longest body looked at for a status line, in bytes.
const MAX_FRAGMENT: usize = 4_096;

/// To whom a call is handed on.
#[derive(Clone, PartialEq, Eq)]
pub struct Referral {
    /// URI of the target, with the Replaces value when it stands for a call.
    pub(crate) target: String,
    pub(crate) replaces: Option<String>,
    /// Travels with the call the far side then makes.
    pub(crate) user_to_user: Option<UserToUser>,
}

#[derive(Debug)]
pub(super) struct Transfer {
    state: State,
    until: Instant,
    /// The last status heard of.
    status: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// REFER is on its way.
    Asked,
    /// The far side has taken it.
    Taken,
}

impl Transfer {
    pub(super) fn deadline(&self) -> Instant {
        self.until
    }
}

impl Referral {
    /// A number at the host of a trunk.
    pub(crate) fn to_number(number: &str, host: &str, user_to_user: Option<UserToUser>) -> Self {
        let target = format!("sip:{}@{}", percent_encoded(number), bracketed(host));
        Self { target, replaces: None, user_to_user }
    }

    /// The Refer-To value: what the far side's INVITE is to carry stands behind the question mark (RFC 3261 §19.1.1).
    fn refer_to(&self) -> String {
        let mut headers = Vec::new();
        if let Some(replaces) = &self.replaces {
            headers.push(format!("Replaces={}", escaped_header(replaces)));
        }
        if let Some(data) = &self.user_to_user {
            headers.push(format!("{}={}", UserToUser::HEADER, escaped_header(&data.value())));
        }
        let mark = if headers.is_empty() { "" } else { "?" };
        format!("<{}{mark}{}>", self.target, headers.join("&"))
    }
}

impl Call {
    /// What a REFER of another call must say to have this one replaced: its far side and the Replaces value.
    pub fn replaceable(&self) -> Option<(String, String)> {
        let Phase::Confirmed(session) = &self.phase else { return None };
        let dialog = &session.dialog;
        let far = dialog.remote_tag.as_deref()?;
        let replaces = format!("{};to-tag={far};from-tag={}", dialog.call_id, dialog.local_tag);
        Some((dialog.remote_target.clone(), replaces))
    }

    /// Asks the far side to call somebody else. One at a time; a call that is not answered cannot be handed on.
    pub fn refer(&mut self, ctx: &mut Ctx<'_>, referral: &Referral) {
        let key = self.key;
        let refused = |ctx: &mut Ctx<'_>| ctx.event(SignalingEvent::Transfer { key, step: TransferStep::Refused(491) });
        let Phase::Confirmed(session) = &mut self.phase else { return refused(ctx) };
        if session.transfer.is_some() {
            return refused(ctx);
        }
        session.transfer = Some(Transfer { state: State::Asked, until: ctx.now + PATIENCE, status: None });
        let mut request = session.dialog.request(Method::Refer);
        let peer = session.dialog.next_hop();
        let us = NameAddr::parse(&session.dialog.local_party).map(|party| format!("<{}>", party.uri));
        request.headers.push("Contact", self.contact(peer));
        request.headers.push("Refer-To", referral.refer_to());
        // Who hands the call on (RFC 3892).
        if let Some(us) = us {
            request.headers.push("Referred-By", us);
        }
        self.send(ctx, request, peer, Purpose::Refer);
    }

    pub(super) fn on_refer_response(&mut self, ctx: &mut Ctx<'_>, response: &Response) {
        let Phase::Confirmed(session) = &mut self.phase else { return };
        let Some(transfer) = session.transfer.as_mut().filter(|_| !response.is_provisional()) else { return };
        if response.is_success() {
            // NOTIFY may have come first.
            if transfer.state == State::Asked {
                transfer.state = State::Taken;
                self.told(ctx, TransferStep::Taken);
            }
            return;
        }
        session.transfer = None;
        self.told(ctx, TransferStep::Refused(response.status));
        if matches!(response.status, 408 | 481) {
            self.lost(ctx);
        }
    }

    /// REFER found no answer.
    pub(super) fn on_refer_unanswered(&mut self, ctx: &mut Ctx<'_>) {
        self.end_transfer(ctx, TransferStep::Lost);
        self.lost(ctx);
    }

    pub(super) fn on_transfer_timeout(&mut self, ctx: &mut Ctx<'_>) {
        let due = |until: Instant| ctx.now >= until;
        let Phase::Confirmed(session) = &self.phase else { return };
        if session.transfer.as_ref().is_some_and(|transfer| due(transfer.until)) {
            self.end_transfer(ctx, TransferStep::Lost);
        }
    }

    /// NOTIFY of the far side: how its call to the target goes (RFC 3515 §2.4.4).
    pub(super) fn on_notify(&mut self, ctx: &mut Ctx<'_>, server: ServerId, request: &Request) {
        let Phase::Confirmed(session) = &mut self.phase else { return };
        let event = request.headers.get("Event").unwrap_or_default();
        let is_refer = event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("refer");
        let Some(transfer) = session.transfer.as_mut().filter(|_| is_refer) else {
            let status = if is_refer { 481 } else { 489 };
            return ctx.respond(server, reply(request, status, None));
        };
        ctx.respond(server, reply(request, 200, None));
        let status = fragment_status(&request.body);
        transfer.until = ctx.now + PATIENCE;
        transfer.state = State::Taken;
        let news = status.filter(|status| transfer.status != Some(*status));
        transfer.status = status.or(transfer.status);
        let last = transfer.status;
        let state = request.headers.get("Subscription-State").unwrap_or_default().trim().to_ascii_lowercase();
        match (news, last) {
            (Some(status), _) if status >= 200 => self.end_transfer(ctx, TransferStep::Done(status)),
            // The far side says no more: what it said last is all there is.
            (_, Some(status)) if state.starts_with("terminated") && status >= 200 => {
                self.end_transfer(ctx, TransferStep::Done(status));
            }
            _ if state.starts_with("terminated") => self.end_transfer(ctx, TransferStep::Lost),
            (Some(status), _) => self.told(ctx, TransferStep::Progress(status)),
            (None, _) => {}
        }
    }

    fn end_transfer(&mut self, ctx: &mut Ctx<'_>, step: TransferStep) {
        let Phase::Confirmed(session) = &mut self.phase else { return };
        if session.transfer.take().is_some() {
            self.told(ctx, step);
        }
    }

    fn told(&self, ctx: &mut Ctx<'_>, step: TransferStep) {
        ctx.event(SignalingEvent::Transfer { key: self.key, step });
    }
}

/// The status of a `message/sipfrag` body (RFC 3420).
fn fragment_status(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body.get(..body.len().min(MAX_FRAGMENT))?).ok()?;
    let rest = text.trim_start().strip_prefix("SIP/2.0 ")?;
    rest.get(..3)?.parse().ok().filter(|status| (100..700).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments() {
        assert_eq!(fragment_status(b"SIP/2.0 100 Trying\r\n"), Some(100));
        assert_eq!(fragment_status(b"SIP/2.0 603"), Some(603));
        for nonsense in [&b""[..], b"SIP/2.0 ", b"SIP/2.0 99", b"SIP/2.0 abc", b"SIP/2.0 900 x", b"\xff\xfe"] {
            assert_eq!(fragment_status(nonsense), None);
        }
    }

    #[test]
    fn what_the_far_side_is_to_carry_is_escaped() {
        let data = UserToUser::new(vec![0xab]).unwrap();
        let mut referral = Referral::to_number("+1916#5", "sip.example", Some(data));
        assert_eq!(referral.refer_to(), "<sip:+1916%235@sip.example?User-to-User=ab%3Bencoding%3Dhex>");
        referral.user_to_user = None;
        assert_eq!(referral.refer_to(), "<sip:+1916%235@sip.example>");
        referral.replaces = Some("a@b;to-tag=1;from-tag=2".into());
        assert_eq!(referral.refer_to(), "<sip:+1916%235@sip.example?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>");
    }
}
