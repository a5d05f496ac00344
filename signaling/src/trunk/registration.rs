//! Keeping an address of record bound to us at the carrier's registrar (RFC 3261 §10.2), without I/O and without a clock.

use std::time::{Duration, Instant};

use super::TrunkConfig;
use crate::{
    call::Ctx,
    dialog::{Local, Peer},
    digest::{AuthSession, Rounds},
    header::{NameAddr, list},
    message::{Method, Request, Response},
    uri::{Uri, bracketed, percent_encoded},
};

/// First wait after a refusal or silence, and the longest one (RFC 5626 §4.5 names 30 s and 1,800 s).
const RETRY_FIRST: Duration = Duration::from_secs(30);
const RETRY_MOST: Duration = Duration::from_secs(1_800);

/// A binding is renewed this long before its end, or at its half when it is short.
const MARGIN: Duration = Duration::from_secs(60);

/// Longest binding asked for because a registrar wants it so (423), in seconds.
const MOST_SECONDS: u64 = 24 * 3_600;

#[derive(Debug)]
pub(super) struct Registration {
    /// Seconds the binding is asked for; a 423 raises it.
    seconds: u64,
    /// Until when the registrar keeps the binding.
    held: Option<Instant>,
    step: Step,
    /// Refusals and silences in a row.
    failures: u32,
    call_id: String,
    tag: String,
    cseq: u32,
    auth: Option<AuthSession>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The next REGISTER leaves then; the text says why the last one failed.
    Due(Instant, Option<String>),
    Sent,
    /// The binding is being removed, or is.
    Leaving,
}

/// What a step of the registration brings about.
pub(super) type Next = Option<(Request, Rounds)>;

/// How it stands with the registrar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    Registered,
    /// With the cause of the last failure, when there was one.
    Not(&'a str),
}

impl Registration {
    /// `None` when the trunk does not register.
    pub(super) fn new(now: Instant, config: &TrunkConfig, call_id: String, auth: Option<AuthSession>) -> Option<Self> {
        let seconds = config.register?.as_secs().clamp(1, MOST_SECONDS);
        let tag = call_id.chars().rev().take(16).collect();
        let step = Step::Due(now, None);
        Some(Self { seconds, held: None, step, failures: 0, call_id, tag, cseq: 0, auth })
    }

    pub(super) fn standing(&self, now: Instant) -> Standing<'_> {
        match &self.step {
            Step::Leaving => Standing::Not("unregistered"),
            _ if self.held.is_some_and(|until| now < until) => Standing::Registered,
            Step::Due(_, Some(cause)) => Standing::Not(cause),
            Step::Due(_, None) | Step::Sent => Standing::Not("not registered yet"),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match (&self.step, self.held) {
            (Step::Due(at, _), Some(end)) => Some(end.min(*at)),
            (Step::Due(at, _), None) => Some(*at),
            (Step::Sent, end) => end,
            (Step::Leaving, _) => None,
        }
    }

    /// Sends REGISTER when it is due, and forgets a binding that has run out.
    pub(super) fn on_timeout(&mut self, ctx: &mut Ctx<'_>, config: &TrunkConfig, local: &Local, peer: Peer) -> Next {
        self.held = self.held.filter(|end| ctx.now < *end);
        match self.step {
            Step::Due(at, _) if ctx.now >= at => {
                self.step = Step::Sent;
                let seconds = self.seconds;
                Some((self.request(ctx, config, local, peer, seconds), Rounds::default()))
            }
            _ => None,
        }
    }

    /// Removes the binding (§10.2.2); nothing when there is none.
    pub(super) fn leave(&mut self, ctx: &mut Ctx<'_>, config: &TrunkConfig, local: &Local, peer: Peer) -> Next {
        let bound = self.step != Step::Leaving && (self.held.take().is_some() || self.step == Step::Sent);
        self.step = Step::Leaving;
        bound.then(|| (self.request(ctx, config, local, peer, 0), Rounds::default()))
    }

    pub(super) fn on_response(
        &mut self,
        ctx: &mut Ctx<'_>,
        config: &TrunkConfig,
        local: &Local,
        peer: Peer,
        rounds: Rounds,
        response: &Response,
    ) -> Next {
        let answered = self.auth.as_mut().and_then(|auth| auth.on_challenge(response, rounds));
        let seconds = if self.step == Step::Leaving { 0 } else { self.seconds };
        if let Some(rounds) = answered {
            return Some((self.request(ctx, config, local, peer, seconds), rounds));
        }
        if self.step == Step::Leaving {
            return None;
        }
        match (response.status, number(response, "Min-Expires")) {
            (200..300, _) => self.bound(ctx, config, local, response),
            // Only upwards, so that a registrar cannot keep us asking.
            (423, Some(least)) if least > self.seconds && least <= MOST_SECONDS => {
                self.seconds = least;
                return Some((self.request(ctx, config, local, peer, least), Rounds::default()));
            }
            (status, _) => {
                let cause = format!("REGISTER is answered by {status} {}", response.reason);
                let wait = number(response, "Retry-After").map(Duration::from_secs);
                self.failed(ctx, &cause, wait);
            }
        }
        None
    }

    /// No answer, or the transport failed.
    pub(super) fn on_unanswered(&mut self, ctx: &mut Ctx<'_>, why: &str) {
        if self.step == Step::Sent {
            self.failed(ctx, why, None);
        }
    }

    /// How long the registrar keeps what we asked for: the word beside our own Contact, else the header, else our wish.
    fn bound(&mut self, ctx: &mut Ctx<'_>, config: &TrunkConfig, local: &Local, response: &Response) {
        let ours = |contact: &&NameAddr| {
            Uri::parse(&contact.uri).is_some_and(|uri| {
                let port = uri.port.unwrap_or(config.transport.default_port());
                uri.decoded_user() == config.account() && bracketed(&uri.host) == local.host && port == local.port
            })
        };
        let contacts: Vec<NameAddr> = list(&response.headers, "Contact").filter_map(NameAddr::parse).collect();
        let beside = contacts.iter().find(ours).and_then(|contact| contact.param("expires").flatten()?.parse().ok());
        let seconds: u64 = beside.or_else(|| number(response, "Expires")).unwrap_or(self.seconds);
        if seconds == 0 {
            return self.failed(ctx, "the registrar does not keep the binding", None);
        }
        let lasts = Duration::from_secs(seconds.min(MOST_SECONDS));
        self.failures = 0;
        self.held = Some(ctx.now + lasts);
        self.step = Step::Due(ctx.now + (lasts / 2).max(lasts.saturating_sub(MARGIN)), None);
    }

    fn failed(&mut self, ctx: &mut Ctx<'_>, cause: &str, wait: Option<Duration>) {
        let doubled = RETRY_FIRST * 2_u32.saturating_pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        // Spread, so that a carrier that comes back does not hear all its customers at once.
        let most = doubled.min(RETRY_MOST).as_millis() as u64;
        let spread = Duration::from_millis(ctx.entropy.between(most / 2, most));
        let wait = wait.map_or(spread, |wait| wait.clamp(Duration::from_secs(1), RETRY_MOST));
        self.step = Step::Due(ctx.now + wait, Some(cause.to_owned()));
    }

    fn request(&mut self, ctx: &mut Ctx<'_>, config: &TrunkConfig, local: &Local, peer: Peer, seconds: u64) -> Request {
        self.cseq += 1;
        let scheme = config.scheme();
        let domain = bracketed(config.from_domain.as_deref().unwrap_or(&config.host));
        let user = percent_encoded(config.account());
        let param = if config.sips { "" } else { peer.transport.uri_param() };
        let mut request = Request::new(Method::Other("REGISTER".into()), format!("{scheme}:{domain}{param}"));
        let local = Local { sips: config.sips, ..local.clone() };
        request.headers.push("Max-Forwards", "70");
        request.headers.write("From", format_args!("<{scheme}:{user}@{domain}>;tag={}", self.tag));
        request.headers.write("To", format_args!("<{scheme}:{user}@{domain}>"));
        request.headers.push("Call-ID", &self.call_id);
        request.headers.write("CSeq", format_args!("{} REGISTER", self.cseq));
        request.headers.write("Contact", format_args!("{};expires={seconds}", local.contact(peer.transport, &user)));
        request.headers.push("Expires", seconds.to_string());
        request.headers.push("User-Agent", ctx.user_agent);
        if let Some(auth) = &mut self.auth {
            auth.authorise(&mut request, ctx.entropy);
        }
        request
    }
}

/// A header that is a number of seconds; `120 (comment);params` is read as 120.
fn number(response: &Response, name: &str) -> Option<u64> {
    let value = response.headers.get(name)?;
    value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{SignalingLimits, SipTimers, Transport},
        digest::Credentials,
        entropy::Entropy,
        uri::params_of,
    };

    /// A registration with its clock.
    struct Desk {
        now: Instant,
        config: TrunkConfig,
        registration: Registration,
        entropy: Entropy,
    }

    fn local() -> Local {
        Local::new("192.0.2.1", 5060)
    }

    fn peer() -> Peer {
        Peer { transport: Transport::Udp, address: ([192, 0, 2, 2], 5060).into() }
    }

    impl Desk {
        fn new(seconds: u64) -> Self {
            let mut config = TrunkConfig::new("t", Transport::Udp, "carrier.example", 5060);
            config.username = Some("ringback".into());
            config.register = Some(Duration::from_secs(seconds));
            let credentials = Credentials { username: "ringback".into(), password: "pw".into(), realm: None };
            let now = Instant::now();
            let auth = Some(AuthSession::new(credentials));
            let registration = Registration::new(now, &config, "call".into(), auth).expect("it registers");
            Self { now, config, registration, entropy: Entropy::Seeded(1) }
        }

        fn step(&mut self, step: impl FnOnce(&mut Registration, &mut Ctx<'_>, &TrunkConfig) -> Next) -> Next {
            let (limits, mut out) = (SignalingLimits::default(), Vec::new());
            let mut ctx = Ctx {
                now: self.now,
                entropy: &mut self.entropy,
                timers: SipTimers::default(),
                limits: &limits,
                user_agent: "test",
                out: &mut out,
            };
            step(&mut self.registration, &mut ctx, &self.config)
        }

        /// Goes to the next deadline; says after how many seconds, and what left.
        fn next(&mut self) -> (u64, Next) {
            let due = self.registration.deadline().expect("something is due");
            let waited = due.saturating_duration_since(self.now).as_secs();
            self.now = self.now.max(due);
            (waited, self.step(|r, ctx, config| r.on_timeout(ctx, config, &local(), peer())))
        }

        fn answer(&mut self, rounds: Rounds, status: u16, headers: &[(&str, &str)]) -> Next {
            let mut response = Response::new(status);
            headers.iter().for_each(|(name, value)| response.headers.push(name, *value));
            self.step(|r, ctx, config| r.on_response(ctx, config, &local(), peer(), rounds, &response))
        }

        fn ok(&mut self, seconds: u32) {
            let contact = format!("<sip:ringback@192.0.2.1:5060>;expires={seconds}");
            assert!(self.answer(Rounds::default(), 200, &[("Contact", &contact)]).is_none());
        }

        fn registered(&self) -> bool {
            self.registration.standing(self.now) == Standing::Registered
        }
    }

    fn header(request: &Request, name: &str) -> String {
        request.headers.get(name).unwrap_or_default().to_owned()
    }

    fn param(request: &Request, name: &str) -> String {
        let value = header(request, "Authorization").replace(',', ";").replace([' ', '"'], "");
        params_of(&value).into_iter().find(|(known, _)| known == name).and_then(|p| p.1).unwrap_or_default()
    }

    #[test]
    fn the_registrar_says_how_long_and_it_is_renewed_before() {
        let mut desk = Desk::new(600);
        let (waited, sent) = desk.next();
        let (request, _) = sent.expect("at once");
        assert_eq!((waited, request.uri.as_str()), (0, "sip:carrier.example"));
        assert_eq!(header(&request, "Contact"), "<sip:ringback@192.0.2.1:5060>;expires=600");
        assert!(!desk.registered());
        // Other bindings of the same account say nothing about ours.
        let contacts = "<sip:ringback@198.51.100.9>;expires=5, <sip:ringback@192.0.2.1:5060>;expires=300";
        assert!(desk.answer(Rounds::default(), 200, &[("Contact", contacts), ("Expires", "10")]).is_none());
        assert!(desk.registered());
        let (waited, sent) = desk.next();
        assert!(sent.is_some_and(|(request, _)| header(&request, "CSeq") == "2 REGISTER"));
        assert_eq!(waited, 240, "a minute before its end");
        desk.ok(20);
        assert_eq!(desk.next().0, 10, "a short one at its half");
        assert!(desk.registered(), "while it is renewed the old one counts");
        assert_eq!(desk.next().0, 10);
        assert!(!desk.registered(), "no answer came, and it has run out");
    }

    #[test]
    fn a_registrar_that_wants_longer_gets_longer() {
        let mut desk = Desk::new(60);
        desk.next();
        let (request, rounds) = desk.answer(Rounds::default(), 423, &[("Min-Expires", "300")]).expect("again");
        assert_eq!(header(&request, "Expires"), "300");
        assert!(desk.answer(rounds, 423, &[("Min-Expires", "300")]).is_none(), "it asks for no more than that");
        assert!(matches!(desk.registration.standing(desk.now), Standing::Not(cause) if cause.contains("423")));
    }

    #[test]
    fn a_nonce_is_counted_on_until_it_is_stale() {
        let mut desk = Desk::new(120);
        desk.next();
        let challenge =
            |nonce: &str, stale: &str| format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"{stale}");
        let first = challenge("one", "");
        let (request, _) = desk.answer(Rounds::default(), 401, &[("WWW-Authenticate", &first)]).expect("an answer");
        assert_eq!((param(&request, "nonce"), param(&request, "nc")), ("one".into(), "00000001".into()));
        for count in 2..5 {
            desk.ok(120);
            let (request, _) = desk.next().1.expect("renewed");
            assert_eq!((param(&request, "nonce"), param(&request, "nc")), ("one".into(), format!("{count:08x}")));
        }
        let stale = challenge("two", ", stale=true");
        let (request, _) = desk.answer(Rounds::default(), 401, &[("WWW-Authenticate", &stale)]).expect("an answer");
        assert_eq!((param(&request, "nonce"), param(&request, "nc")), ("two".into(), "00000001".into()));
        assert!(desk.registered(), "all the while");
    }

    #[test]
    fn a_wrong_password_is_not_hammered() {
        let mut desk = Desk::new(120);
        let mut waits = Vec::new();
        for round in 0..9 {
            let (waited, sent) = desk.next();
            let (_, rounds) = sent.expect("tries again");
            waits.push(waited);
            let challenge = format!("Digest realm=\"r\", nonce=\"n{round}\", qop=\"auth\"");
            let again = desk.answer(rounds, 401, &[("WWW-Authenticate", &challenge)]);
            let (_, rounds) = again.expect("one answer per nonce");
            let challenge = format!("Digest realm=\"r\", nonce=\"m{round}\", qop=\"auth\"");
            assert!(desk.answer(rounds, 401, &[("WWW-Authenticate", &challenge)]).is_none());
        }
        for (at, waited) in waits.iter().enumerate().skip(1) {
            let most = (30 << (at - 1)).min(1_800);
            assert!((most / 2..=most).contains(waited), "{waits:?}");
        }
    }

    #[test]
    fn retry_after_is_heeded_and_silence_is_a_failure() {
        let mut desk = Desk::new(120);
        desk.next();
        assert!(desk.answer(Rounds::default(), 503, &[("Retry-After", "7 (busy);duration=60")]).is_none());
        assert_eq!(desk.next().0, 7);
        desk.step(|registration, ctx, _| {
            registration.on_unanswered(ctx, "no answer to REGISTER");
            None
        });
        assert_eq!(desk.registration.standing(desk.now), Standing::Not("no answer to REGISTER"));
    }

    #[test]
    fn leaving_takes_the_binding_away_once() {
        let mut desk = Desk::new(120);
        desk.next();
        desk.ok(120);
        let leave = |desk: &mut Desk| desk.step(|r, ctx, config| r.leave(ctx, config, &local(), peer()));
        let (request, rounds) = leave(&mut desk).expect("a binding to remove");
        assert_eq!((header(&request, "Expires"), desk.registered()), ("0".into(), false));
        let challenge = "Digest realm=\"r\", nonce=\"late\", qop=\"auth\"";
        let (again, _) = desk.answer(rounds, 401, &[("WWW-Authenticate", challenge)]).expect("also with a password");
        assert_eq!(header(&again, "Expires"), "0");
        assert!(leave(&mut desk).is_none());
        assert_eq!(desk.registration.deadline(), None);
        desk.ok(0);
        assert!(!desk.registered());
    }
}
