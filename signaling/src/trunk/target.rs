//! The addresses a trunk's name stands for (RFC 3263), which of them answer, and in which order a call tries them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{config::Transport, dialog::Peer, entropy::Entropy};

/// Targets kept of one trunk; a name with more is cut after sorting.
const MAX_TARGETS: usize = 8;

/// A target that failed a call is tried last for so long, unless it answers OPTIONS before.
const AVOID: Duration = Duration::from_secs(30);

/// Longest Retry-After heeded: a trunk that is left alone for longer would be one that an operator has to ask about.
const LEFT_ALONE_MOST: Duration = Duration::from_secs(600);

/// One address a name was resolved to, with what its SRV record says (RFC 2782); zeros without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    pub address: SocketAddr,
    /// Lower is tried first.
    pub priority: u16,
    /// Share among equals.
    pub weight: u16,
}

#[derive(Debug)]
pub(super) struct Target {
    pub(super) located: Located,
    pub(super) ping: Ping,
    pub(super) health: Health,
    /// It has failed a call: others come first until then.
    avoided_until: Option<Instant>,
    /// It named this time itself (Retry-After, RFC 3261 §21.5.4) and gets no call before.
    pub(super) left_alone_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    /// Not configured: a target counts as up until it fails a call.
    Off,
    Due(Instant),
    Sent {
        at: Instant,
        late: Instant,
    },
}

/// What the last ping said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Unknown,
    Up { rtt_ms: Option<u32> },
    Down { cause: String },
}

impl Target {
    fn new(located: Located, ping: Ping) -> Self {
        Self { located, ping, health: Health::Unknown, avoided_until: None, left_alone_until: None }
    }

    pub(super) fn peer(&self, transport: Transport) -> Peer {
        Peer { transport, address: self.located.address }
    }

    fn is_shunned(&self, now: Instant) -> bool {
        matches!(self.health, Health::Down { .. }) || self.avoided_until.is_some_and(|until| now < until)
    }

    /// It has failed a call; for `seconds` when it wants none so long.
    pub(super) fn avoid(&mut self, now: Instant, seconds: Option<u64>) {
        match seconds {
            Some(seconds) => self.left_alone_until = Some(now + Duration::from_secs(seconds).min(LEFT_ALONE_MOST)),
            None => self.avoided_until = Some(now + AVOID),
        }
    }

    /// When it takes calls again, if it wants none now.
    pub(super) fn left_alone(&self, now: Instant) -> Option<Instant> {
        self.left_alone_until.filter(|until| now < *until)
    }

    /// It has answered OPTIONS: what was held against it is forgotten, but not what it asked for.
    pub(super) fn answered(&mut self, rtt_ms: Option<u32>) {
        self.health = Health::Up { rtt_ms };
        self.avoided_until = None;
    }
}

/// Takes over a new look-up; targets that are still named keep what is known of them.
pub(super) fn renew(known: &mut Vec<Target>, mut found: Vec<Located>, ping: Ping) {
    found.sort_by_key(|located| (located.priority, std::cmp::Reverse(located.weight)));
    let mut seen = Vec::new();
    found.retain(|located| {
        let fresh = !seen.contains(&located.address);
        seen.push(located.address);
        fresh
    });
    found.truncate(MAX_TARGETS);
    let mut old = std::mem::take(known);
    *known = found
        .into_iter()
        .map(|located| match old.iter().position(|target| target.located.address == located.address) {
            Some(at) => Target { located, ..old.swap_remove(at) },
            None => Target::new(located, ping),
        })
        .collect();
}

/// The order in which a call tries the targets: by priority, among equals by chance in proportion to their weights
/// (RFC 2782), and those that are known to fail at the end. Those that want no calls are left out.
pub(super) fn order(targets: &[Target], transport: Transport, now: Instant, entropy: &mut Entropy) -> Vec<Peer> {
    let mut rest: Vec<&Target> = targets.iter().filter(|target| target.left_alone(now).is_none()).collect();
    let mut ordered = Vec::with_capacity(rest.len());
    while let Some(first) = rest.iter().map(|target| (target.is_shunned(now), target.located.priority)).min() {
        let equals: Vec<usize> =
            (0..rest.len()).filter(|at| (rest[*at].is_shunned(now), rest[*at].located.priority) == first).collect();
        let total: u64 = equals.iter().map(|at| u64::from(rest[*at].located.weight)).sum();
        // Weights of 0 alone: in the order given. Beside others they have a small chance, as RFC 2782 wants it.
        let mut draw = if total == 0 { 0 } else { entropy.between(0, total + 1) };
        let chosen = equals.iter().find(|at| {
            let weight = u64::from(rest[**at].located.weight);
            let hit = draw <= weight;
            draw = draw.saturating_sub(weight);
            hit
        });
        let Some(chosen) = chosen.or(equals.first()) else { break };
        ordered.push(rest.remove(*chosen).peer(transport));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(last: u8, priority: u16, weight: u16) -> Located {
        Located { address: ([192, 0, 2, last], 5060).into(), priority, weight }
    }

    fn targets(found: Vec<Located>) -> Vec<Target> {
        let mut targets = Vec::new();
        renew(&mut targets, found, Ping::Off);
        targets
    }

    fn last_bytes(targets: &[Target], now: Instant, seed: u64) -> Vec<u8> {
        order(targets, Transport::Udp, now, &mut Entropy::Seeded(seed))
            .iter()
            .map(|peer| match peer.address.ip() {
                std::net::IpAddr::V4(v4) => v4.octets()[3],
                std::net::IpAddr::V6(_) => 0,
            })
            .collect()
    }

    #[test]
    fn priorities_come_first_and_weights_share() {
        let targets = targets(vec![located(3, 20, 0), located(1, 10, 75), located(2, 10, 25)]);
        let now = Instant::now();
        let mut first = [0_u32; 4];
        for seed in 0..4_000 {
            let order = last_bytes(&targets, now, seed * 7_919);
            assert_eq!(order[2], 3, "the lower priority is last");
            first[usize::from(order[0])] += 1;
        }
        assert!((2_800..3_200).contains(&first[1]), "three of four: {first:?}");
    }

    #[test]
    fn without_weights_the_order_of_the_answer_holds() {
        let targets = targets(vec![located(2, 0, 0), located(1, 0, 0), located(2, 0, 0)]);
        for seed in 0..50 {
            assert_eq!(last_bytes(&targets, Instant::now(), seed), [2, 1]);
        }
    }

    #[test]
    fn what_failed_is_tried_last_for_a_while() {
        let mut targets = targets(vec![located(1, 10, 1), located(2, 20, 1)]);
        let now = Instant::now();
        targets[0].avoid(now, None);
        assert_eq!(last_bytes(&targets, now, 1), [2, 1]);
        assert_eq!(last_bytes(&targets, now + AVOID, 1), [1, 2]);
        targets[1].health = Health::Down { cause: "silent".into() };
        assert_eq!(last_bytes(&targets, now, 1), [1, 2], "both fail: by priority again");
        renew(&mut targets, vec![located(2, 5, 0), located(9, 6, 0)], Ping::Off);
        assert_eq!(last_bytes(&targets, now, 1), [9, 2], "it is remembered across look-ups");
    }

    #[test]
    fn who_asked_to_be_left_alone_is_whatever_options_say() {
        let mut targets = targets(vec![located(1, 10, 1), located(2, 20, 1)]);
        let now = Instant::now();
        targets[0].avoid(now, Some(40));
        targets[0].answered(Some(3));
        renew(&mut targets, vec![located(1, 10, 1), located(2, 20, 1)], Ping::Off);
        assert_eq!(last_bytes(&targets, now + Duration::from_millis(39_999), 1), [2], "not even at the end");
        assert_eq!(last_bytes(&targets, now + Duration::from_secs(40), 1), [1, 2]);
        targets[0].avoid(now, Some(u64::MAX));
        assert_eq!(targets[0].left_alone(now), Some(now + LEFT_ALONE_MOST));
        targets[0].avoid(now, Some(0));
        assert_eq!(targets[0].left_alone(now), None);
    }
}
