//! A trunk's health (sans-IO): name resolution wanted and OPTIONS pings (RFC 3261 §11) turned into up and down.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    call::{Ctx, Purpose, Sent},
    config::TrunkConfig,
    dialog::{Local, Peer},
    digest::{AuthSession, Credentials, Rounds},
    event::TrunkState,
    message::{Method, Request, Response},
    uri::bracketed,
};

/// A trunk counts as down when OPTIONS has gone unanswered for this many T1.
const PING_PATIENCE: u32 = 8;

/// Statuses by which a carrier says that it cannot take calls; any other final answer shows it is alive.
const DOWN_STATUSES: [u16; 3] = [408, 503, 504];

#[derive(Debug)]
pub struct Trunk {
    config: TrunkConfig,
    addresses: Vec<SocketAddr>,
    ping: Ping,
    state: TrunkState,
    auth: Option<AuthSession>,
    call_id: String,
    cseq: u32,
    resolve_at: Instant,
    /// The alarm the stack has set for it.
    pub(crate) alarm: Option<Instant>,
}

#[derive(Debug)]
enum Ping {
    /// Not configured: the trunk is up as soon as its host is known.
    Off,
    Due(Instant),
    Sent {
        at: Instant,
        late: Instant,
    },
}

impl Trunk {
    pub fn new(now: Instant, config: TrunkConfig, call_id: String) -> Self {
        let ping = if config.options_interval.is_some() { Ping::Due(now) } else { Ping::Off };
        let state = TrunkState { id: config.id.clone(), up: false, rtt_ms: None, last_status: None };
        let auth = credentials(&config).map(AuthSession::new);
        Self { config, addresses: Vec::new(), ping, state, auth, call_id, cseq: 0, resolve_at: now, alarm: None }
    }

    /// The same trunk with other settings: addresses and state stay.
    pub fn reconfigured(mut self, now: Instant, config: TrunkConfig) -> Self {
        self.auth = credentials(&config).map(AuthSession::new);
        self.ping = match (self.ping, config.options_interval) {
            (_, None) => Ping::Off,
            (Ping::Off, Some(_)) => Ping::Due(now),
            (ping, Some(_)) => ping,
        };
        self.config = config;
        self.alarm = None;
        self.resolve_at = now;
        self
    }

    pub fn config(&self) -> &TrunkConfig {
        &self.config
    }

    pub fn state(&self) -> &TrunkState {
        &self.state
    }

    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where calls go; `None` while the host is not known.
    pub fn peer(&self) -> Option<Peer> {
        self.addresses.first().map(|address| Peer { transport: self.config.transport, address: *address })
    }

    pub fn auth(&self) -> Option<AuthSession> {
        credentials(&self.config).map(AuthSession::new)
    }

    pub fn deadline(&self) -> Option<Instant> {
        let ping = match &self.ping {
            Ping::Off => None,
            Ping::Due(at) => Some(*at).filter(|_| !self.addresses.is_empty()),
            Ping::Sent { late, .. } => Some(*late),
        };
        Some(ping.map_or(self.resolve_at, |ping| ping.min(self.resolve_at)))
    }

    /// Whether the host is to be looked up now; the next look-up is then due after `interval`.
    pub fn wants_resolution(&mut self, now: Instant, interval: Duration) -> bool {
        let due = now >= self.resolve_at;
        if due {
            self.resolve_at = now + interval;
        }
        due
    }

    /// The host's addresses; none keeps those known. Returns the state when it changed.
    pub fn resolved(&mut self, mut addresses: Vec<SocketAddr>) -> Option<TrunkState> {
        if addresses.is_empty() {
            return None;
        }
        // A known address that is still good stays first, so that look-ups do not spread a call over hosts.
        if let Some(first) = self.addresses.first()
            && let Some(at) = addresses.iter().position(|address| address == first)
        {
            addresses.swap(0, at);
        }
        self.addresses = addresses;
        if matches!(self.ping, Ping::Off) { self.set(true, None, None) } else { None }
    }

    /// Sends an OPTIONS when one is due, and counts a missing answer. Returns the state when it changed.
    pub fn on_timeout(
        &mut self,
        ctx: &mut Ctx<'_>,
        local: Option<Local>,
    ) -> (Option<(Sent, String)>, Option<TrunkState>) {
        match self.ping {
            Ping::Due(at) if ctx.now >= at => {
                let (Some(peer), Some(local)) = (self.peer(), local) else { return (None, None) };
                self.ping = Ping::Sent { at: ctx.now, late: ctx.now + ctx.timers.t1 * PING_PATIENCE };
                let request = self.options(ctx, &local, peer);
                (Some(self.sent(ctx, request, &local, peer, Rounds::default())), None)
            }
            Ping::Sent { late, .. } if ctx.now >= late => {
                self.wind_up(ctx.now);
                self.rotate();
                (None, self.set(false, None, None))
            }
            _ => (None, None),
        }
    }

    /// The next address is tried when this one does not answer.
    fn rotate(&mut self) {
        if !self.addresses.is_empty() {
            self.addresses.rotate_left(1);
        }
    }

    fn wind_up(&mut self, now: Instant) {
        self.ping = self.config.options_interval.map_or(Ping::Off, |interval| Ping::Due(now + interval));
    }

    fn options(&mut self, ctx: &mut Ctx<'_>, local: &Local, peer: Peer) -> Request {
        self.cseq += 1;
        let mut uri = format!("sip:{}:{}", bracketed(&self.config.host), self.config.port);
        if peer.transport.is_reliable() {
            uri.push_str(";transport=tcp");
        }
        let mut request = Request::new(Method::Options, uri.clone());
        let domain = self.config.from_domain.as_deref().map_or_else(|| local.host.clone(), bracketed);
        let user = crate::uri::percent_encoded(&self.config.from_user);
        request.headers.push("Max-Forwards", "70");
        request.headers.push("From", format!("<sip:{user}@{domain}>;tag={}", ctx.entropy.tag()));
        request.headers.push("To", format!("<{uri}>"));
        request.headers.push("Call-ID", self.call_id.clone());
        request.headers.push("CSeq", format!("{} OPTIONS", self.cseq));
        request.headers.push("Contact", local.contact(peer.transport, &user));
        request.headers.push("Accept", "application/sdp");
        request.headers.push("User-Agent", ctx.user_agent);
        request
    }

    fn sent(
        &mut self,
        ctx: &mut Ctx<'_>,
        mut request: Request,
        local: &Local,
        peer: Peer,
        rounds: Rounds,
    ) -> (Sent, String) {
        if let Some(auth) = &mut self.auth {
            auth.authorise(&mut request, ctx.entropy);
        }
        let branch = ctx.entropy.branch();
        request.headers.push_front("Via", local.via(peer.transport, &branch));
        // OPTIONS belongs to no call; the purpose is never read for it.
        (Sent { request: Arc::new(request), peer, purpose: Purpose::Refresh, rounds }, branch)
    }

    /// A final answer to OPTIONS. May send it again with an answer to a challenge.
    pub fn on_response(
        &mut self,
        ctx: &mut Ctx<'_>,
        sent: &Sent,
        response: &Response,
        local: &Local,
    ) -> (Option<(Sent, String)>, Option<TrunkState>) {
        if response.is_provisional() {
            return (None, None);
        }
        let rounds = self.auth.as_mut().and_then(|auth| auth.on_challenge(response, sent.rounds));
        if let Some(rounds) = rounds {
            let request = self.options(ctx, local, sent.peer);
            return (Some(self.sent(ctx, request, local, sent.peer, rounds)), None);
        }
        let rtt = match self.ping {
            Ping::Sent { at, .. } => Some(u32::try_from((ctx.now - at).as_millis()).unwrap_or(u32::MAX)),
            Ping::Due(_) | Ping::Off => self.state.rtt_ms,
        };
        self.wind_up(ctx.now);
        (None, self.set(!DOWN_STATUSES.contains(&response.status), rtt, Some(response.status)))
    }

    /// OPTIONS could not be sent, or timer F has ended it.
    pub fn on_unanswered(&mut self, now: Instant) -> Option<TrunkState> {
        if !matches!(self.ping, Ping::Sent { .. }) {
            return None;
        }
        self.wind_up(now);
        self.rotate();
        self.set(false, None, None)
    }

    fn set(&mut self, up: bool, rtt_ms: Option<u32>, last_status: Option<u16>) -> Option<TrunkState> {
        let changed = self.state.up != up || (self.state.last_status != last_status && last_status.is_some());
        self.state.up = up;
        if up {
            self.state.rtt_ms = rtt_ms;
        }
        if last_status.is_some() {
            self.state.last_status = last_status;
        }
        changed.then(|| self.state.clone())
    }
}

fn credentials(config: &TrunkConfig) -> Option<Credentials> {
    let (username, password) = config.username.clone().zip(config.password.clone())?;
    Some(Credentials { username, password, realm: config.realm.clone() })
}
