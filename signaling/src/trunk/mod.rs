//! A trunk (sans-IO): its name resolved to targets, OPTIONS pings (RFC 3261 §11) and its registration, turned into up
//! and down with a cause.

mod config;
mod registration;
mod target;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub use config::{TlsFiles, TrunkConfig};
pub use target::Located;

use crate::{
    call::{Ctx, Purpose, Sent},
    dialog::{Local, Peer},
    digest::{AuthSession, Credentials, Rounds},
    entropy::Entropy,
    event::TrunkState,
    message::{Method, Request, Response},
    uri::bracketed,
};
use registration::{Next, Registration, Standing};
use target::{Health, Ping, Target};

/// A target counts as down when OPTIONS has gone unanswered for this many T1.
const PING_PATIENCE: u32 = 8;

/// Statuses by which a carrier says that it cannot take calls; any other final answer shows it is alive.
const DOWN_STATUSES: [u16; 3] = [408, 503, 504];

/// Why a trunk gets no calls whose every target named a time.
const LEFT_ALONE: &str = "no calls wanted for now (503 with Retry-After)";

/// Longest cause kept, in characters: part of it comes from the far side.
const MAX_CAUSE: usize = 200;

#[derive(Debug)]
pub struct Trunk {
    config: TrunkConfig,
    targets: Vec<Target>,
    registration: Option<Registration>,
    state: TrunkState,
    /// Why the last look-up of the name brought nothing.
    lost: Option<String>,
    auth: Option<AuthSession>,
    call_id: String,
    cseq: u32,
    resolve_at: Instant,
    /// The alarm the stack has set for it.
    pub(crate) alarm: Option<Instant>,
}

/// What a step of a trunk needs besides a call's context, and where it leaves the requests it wants sent.
pub(crate) struct Desk<'a, 'b> {
    pub(crate) ctx: &'a mut Ctx<'b>,
    pub(crate) local_of: &'a dyn Fn(Peer) -> Local,
    pub(crate) sends: &'a mut Vec<(Sent, String)>,
}

impl Trunk {
    pub fn new(now: Instant, config: TrunkConfig, call_id: String) -> Self {
        let auth = credentials(&config).map(AuthSession::new);
        let registration = Registration::new(
            now,
            &config,
            format!("{call_id}-registration"),
            credentials(&config).map(AuthSession::new),
        );
        let state = TrunkState { cause: Some("not looked up yet".into()), ..TrunkState::down(&config.id) };
        Self {
            config,
            targets: Vec::new(),
            registration,
            state,
            lost: None,
            auth,
            call_id,
            cseq: 0,
            resolve_at: now,
            alarm: None,
        }
    }

    /// The same trunk with other settings: addresses and their health stay.
    pub fn reconfigured(self, now: Instant, config: TrunkConfig) -> Self {
        let first = first_ping(now, &config);
        let mut trunk = Self { targets: self.targets, state: self.state, ..Self::new(now, config, self.call_id) };
        for target in &mut trunk.targets {
            target.ping = first;
        }
        trunk
    }

    pub fn config(&self) -> &TrunkConfig {
        &self.config
    }

    pub fn state(&self) -> &TrunkState {
        &self.state
    }

    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.targets.iter().map(|target| target.located.address)
    }

    /// Where a call goes, in the order to be tried; empty while the host is not known or wants no calls.
    pub(crate) fn route(&self, now: Instant, entropy: &mut Entropy) -> Vec<Peer> {
        target::order(&self.targets, self.config.transport, now, entropy)
    }

    pub fn auth(&self) -> Option<AuthSession> {
        credentials(&self.config).map(AuthSession::new)
    }

    pub fn deadline(&self) -> Option<Instant> {
        let pings = self.targets.iter().filter_map(|target| match target.ping {
            Ping::Off => None,
            Ping::Due(at) => Some(at),
            Ping::Sent { late, .. } => Some(late),
        });
        let registration = self.registration.as_ref().filter(|_| !self.targets.is_empty());
        let alone = self.targets.iter().filter_map(|target| target.left_alone_until);
        pings.chain(registration.and_then(Registration::deadline)).chain(alone).chain([self.resolve_at]).min()
    }

    /// Whether the host is to be looked up now; the next look-up is then due after `interval`.
    pub fn wants_resolution(&mut self, now: Instant, interval: Duration) -> bool {
        let due = now >= self.resolve_at;
        if due {
            self.resolve_at = now + interval;
        }
        due
    }

    /// What the host's name stands for; nothing found keeps what is known.
    pub(crate) fn resolved(&mut self, now: Instant, found: Result<Vec<Located>, String>) {
        match found {
            Ok(found) if !found.is_empty() => {
                target::renew(&mut self.targets, found, first_ping(now, &self.config));
                self.lost = None;
            }
            Ok(_) => self.lost = Some(format!("{} has no address", self.config.host)),
            Err(why) => self.lost = Some(why),
        }
    }

    /// A call found a target wanting; for `seconds` when it said so itself.
    pub(crate) fn avoid(&mut self, address: SocketAddr, now: Instant, seconds: Option<u64>) {
        if let Some(target) = self.targets.iter_mut().find(|target| target.located.address == address) {
            target.avoid(now, seconds);
        }
    }

    /// Sends what is due and counts missing answers.
    pub(crate) fn on_timeout(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.ctx.now;
        for at in 0..self.targets.len() {
            self.targets[at].left_alone_until.take_if(|until| now >= *until);
            match self.targets[at].ping {
                Ping::Due(due) if now >= due => {
                    let late = now + desk.ctx.timers.t1 * PING_PATIENCE;
                    self.targets[at].ping = Ping::Sent { at: now, late };
                    let peer = self.targets[at].peer(self.config.transport);
                    self.send_options(desk, peer, Rounds::default());
                }
                Ping::Sent { late, .. } if now >= late => self.ping_failed(now, at, "no answer to OPTIONS"),
                _ => {}
            }
        }
        self.with_registration(desk, None, |registration, ctx, config, local, peer| {
            registration.on_timeout(ctx, config, local, peer)
        });
    }

    /// Removes the binding at the registrar, as the server takes no new calls.
    pub(crate) fn leave(&mut self, desk: &mut Desk<'_, '_>) {
        self.with_registration(desk, None, |registration, ctx, config, local, peer| {
            registration.leave(ctx, config, local, peer)
        });
    }

    /// A response to OPTIONS or REGISTER. May send it again with an answer to a challenge.
    pub(crate) fn on_response(&mut self, desk: &mut Desk<'_, '_>, sent: &Sent, response: &Response) {
        if response.is_provisional() {
            return;
        }
        if sent.purpose == Purpose::Register {
            return self.with_registration(desk, Some(sent.peer), |registration, ctx, config, local, peer| {
                registration.on_response(ctx, config, local, peer, sent.rounds, response)
            });
        }
        let rounds = self.auth.as_mut().and_then(|auth| auth.on_challenge(response, sent.rounds));
        if let Some(rounds) = rounds {
            return self.send_options(desk, sent.peer, rounds);
        }
        self.state.last_status = Some(response.status);
        self.state.checked = Some(desk.ctx.now);
        let Some(at) = self.at(sent.peer) else { return };
        if DOWN_STATUSES.contains(&response.status) {
            let cause = format!("OPTIONS is answered by {} {}", response.status, response.reason);
            return self.ping_failed(desk.ctx.now, at, &cause);
        }
        let rtt_ms = match self.targets[at].ping {
            Ping::Sent { at, .. } => Some(u32::try_from((desk.ctx.now - at).as_millis()).unwrap_or(u32::MAX)),
            // An answer to a ping that had been given up shows life all the same.
            Ping::Due(_) | Ping::Off => None,
        };
        self.targets[at].answered(rtt_ms);
        self.targets[at].ping = self.next_ping(desk.ctx.now);
    }

    /// OPTIONS or REGISTER could not be sent, or timer F has ended it.
    pub(crate) fn on_unanswered(&mut self, desk: &mut Desk<'_, '_>, purpose: Purpose, peer: Peer, why: Option<&str>) {
        if purpose == Purpose::Register {
            let why = why.unwrap_or("no answer to REGISTER");
            return self.with_registration(desk, Some(peer), |registration, ctx, _, _, _| {
                registration.on_unanswered(ctx, why);
                None
            });
        }
        let Some(at) = self.at(peer) else { return };
        let waits = matches!(self.targets[at].ping, Ping::Sent { .. });
        match why {
            _ if waits => self.ping_failed(desk.ctx.now, at, why.unwrap_or("no answer to OPTIONS")),
            // A cause that comes after the ping was given up is still the better one.
            Some(why) if matches!(self.targets[at].health, Health::Down { .. }) => {
                self.targets[at].health = Health::Down { cause: why.to_owned() };
            }
            _ => {}
        }
    }

    fn at(&self, peer: Peer) -> Option<usize> {
        self.targets.iter().position(|target| target.located.address == peer.address)
    }

    fn ping_failed(&mut self, now: Instant, at: usize, cause: &str) {
        self.targets[at].health = Health::Down { cause: cause.to_owned() };
        self.targets[at].ping = self.next_ping(now);
    }

    fn next_ping(&self, now: Instant) -> Ping {
        self.config.options_interval.map_or(Ping::Off, |interval| Ping::Due(now + interval))
    }

    fn send_options(&mut self, desk: &mut Desk<'_, '_>, peer: Peer, rounds: Rounds) {
        let local = (desk.local_of)(peer);
        let mut request = self.options(desk.ctx, &local, peer);
        if let Some(auth) = &mut self.auth {
            auth.authorise(&mut request, desk.ctx.entropy);
        }
        post(desk, request, &local, peer, Purpose::Ping, rounds);
    }

    /// One step of the registration, towards the peer it was sent to or the best there is.
    fn with_registration(
        &mut self,
        desk: &mut Desk<'_, '_>,
        peer: Option<Peer>,
        step: impl FnOnce(&mut Registration, &mut Ctx<'_>, &TrunkConfig, &Local, Peer) -> Next,
    ) {
        let best = peer.or_else(|| self.route(desk.ctx.now, desk.ctx.entropy).first().copied());
        let best = best.or_else(|| self.targets.first().map(|target| target.peer(self.config.transport)));
        let (Some(registration), Some(peer)) = (&mut self.registration, best) else { return };
        let local = (desk.local_of)(peer);
        if let Some((request, rounds)) = step(registration, desk.ctx, &self.config, &local, peer) {
            post(desk, request, &local, peer, Purpose::Register, rounds);
        }
    }

    fn options(&mut self, ctx: &mut Ctx<'_>, local: &Local, peer: Peer) -> Request {
        self.cseq += 1;
        let scheme = self.config.scheme();
        let mut uri = format!("{scheme}:{}", bracketed(&self.config.host));
        if let Some(port) = self.config.port {
            uri.push_str(&format!(":{port}"));
        }
        if !self.config.sips {
            uri.push_str(peer.transport.uri_param());
        }
        let mut request = Request::new(Method::Options, uri.clone());
        let domain = self.config.from_domain.as_deref().map_or_else(|| local.host.clone(), bracketed);
        let user = crate::uri::percent_encoded(&self.config.from_user);
        let local = Local { sips: self.config.sips, ..local.clone() };
        request.headers.push("Max-Forwards", "70");
        request.headers.write("From", format_args!("<{scheme}:{user}@{domain}>;tag={}", ctx.entropy.tag()));
        request.headers.write("To", format_args!("<{uri}>"));
        request.headers.push("Call-ID", &self.call_id);
        request.headers.write("CSeq", format_args!("{} OPTIONS", self.cseq));
        request.headers.push("Contact", local.contact(peer.transport, &user));
        request.headers.push("Accept", "application/sdp");
        request.headers.push("User-Agent", ctx.user_agent);
        request
    }

    /// Draws the state from what is known; returns it when an operator would want to hear of it.
    pub(crate) fn appraise(&mut self, now: Instant) -> Option<TrunkState> {
        let before = news(&self.state);
        let standing = self.registration.as_ref().map(|registration| registration.standing(now));
        self.state.registered = standing.as_ref().map(|standing| *standing == Standing::Registered);
        let verdict = match (self.reach(now), standing) {
            (Err(cause), _) => Err(cause),
            (Ok(_), Some(Standing::Not(cause))) => Err(cause.to_owned()),
            (Ok(rtt_ms), _) => Ok(rtt_ms),
        };
        match verdict {
            Ok(rtt_ms) => (self.state.up, self.state.rtt_ms, self.state.cause) = (true, rtt_ms, None),
            Err(cause) => {
                (self.state.up, self.state.cause) = (false, Some(cause.chars().take(MAX_CAUSE).collect()));
            }
        }
        (news(&self.state) != before).then(|| self.state.clone())
    }

    /// Time there and back to the best target that answers, or why none does.
    fn reach(&self, now: Instant) -> Result<Option<u32>, String> {
        let mut worst = None;
        for target in &self.targets {
            if target.left_alone(now).is_some() {
                worst = worst.or(Some(LEFT_ALONE.to_owned()));
                continue;
            }
            match &target.health {
                Health::Up { rtt_ms } => return Ok(*rtt_ms),
                Health::Unknown if target.ping == Ping::Off => return Ok(None),
                Health::Unknown => {}
                Health::Down { cause } => worst = worst.or(Some(cause.clone())),
            }
        }
        Err(worst.or_else(|| self.lost.clone()).unwrap_or_else(|| "not heard of yet".to_owned()))
    }
}

/// What makes a state worth telling; the time there and back changes with every answer.
fn news(state: &TrunkState) -> (bool, Option<u16>, Option<String>, Option<bool>) {
    (state.up, state.last_status, state.cause.clone(), state.registered)
}

fn first_ping(now: Instant, config: &TrunkConfig) -> Ping {
    if config.options_interval.is_some() { Ping::Due(now) } else { Ping::Off }
}

fn post(desk: &mut Desk<'_, '_>, mut request: Request, local: &Local, peer: Peer, purpose: Purpose, rounds: Rounds) {
    let branch = desk.ctx.entropy.branch();
    request.headers.push_front("Via", local.via(peer.transport, &branch));
    desk.sends.push((Sent { request: Arc::new(request), peer, hop: peer, purpose, rounds }, branch));
}

fn credentials(config: &TrunkConfig) -> Option<Credentials> {
    let (username, password) = config.username.clone().zip(config.password.clone())?;
    Some(Credentials { username, password, realm: config.realm.clone() })
}
