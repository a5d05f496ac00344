//! What is dropped before it is parsed: unknown sources, floods, and bytes that cannot be SIP.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::{
    config::{IpNet, SignalingLimits},
    message::is_token,
};

/// Longest method name looked at, in bytes; RFC 4475 has one of 43.
pub const MAX_METHOD: usize = 48;

/// What becomes of a message, by its source alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Not on the allow-list: no answer, so that scanners learn nothing.
    Stranger,
    Flooding,
}

#[derive(Debug)]
pub struct Guard {
    ranges: Vec<IpNet>,
    /// Ranges of trunks, which may be replaced while the server runs.
    trunk_ranges: Vec<IpNet>,
    /// Trunk addresses and far ends of live calls, each with how many reasons it has.
    admitted: HashMap<IpAddr, u32>,
    buckets: HashMap<IpAddr, Bucket>,
    rate: f64,
    max_sources: usize,
}

/// A token bucket that holds one second's worth.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Guard {
    pub fn new(ranges: Vec<IpNet>, limits: &SignalingLimits) -> Self {
        Self {
            ranges,
            trunk_ranges: Vec::new(),
            admitted: HashMap::new(),
            buckets: HashMap::new(),
            rate: f64::from(limits.per_source_per_second.max(1)),
            max_sources: limits.max_sources.max(1),
        }
    }

    pub fn allow(&mut self, ranges: Vec<IpNet>) {
        self.trunk_ranges = ranges;
    }

    pub fn admit(&mut self, address: IpAddr) {
        *self.admitted.entry(address.to_canonical()).or_insert(0) += 1;
    }

    pub fn dismiss(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        if let Some(reasons) = self.admitted.get_mut(&address) {
            *reasons -= 1;
            if *reasons == 0 {
                self.admitted.remove(&address);
            }
        }
    }

    /// Whether an address may connect at all.
    pub fn knows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let listed = || self.ranges.iter().chain(&self.trunk_ranges).any(|range| range.contains(address));
        self.admitted.contains_key(&address) || listed()
    }

    /// Judges one message.
    pub fn judge(&mut self, now: Instant, address: IpAddr) -> Verdict {
        let address = address.to_canonical();
        if !self.knows(address) {
            return Verdict::Stranger;
        }
        if self.buckets.len() >= self.max_sources && !self.buckets.contains_key(&address) {
            self.buckets.retain(|_, bucket| now.saturating_duration_since(bucket.filled) < Duration::from_secs(1));
            if self.buckets.len() >= self.max_sources {
                return Verdict::Flooding;
            }
        }
        let bucket = self.buckets.entry(address).or_insert(Bucket { tokens: self.rate, filled: now });
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.rate).min(self.rate);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return Verdict::Flooding;
        }
        bucket.tokens -= 1.0;
        Verdict::Pass
    }
}

/// Whether bytes begin like a SIP message: a method token or `SIP/2.0`, then a space.
pub fn is_plausible(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(MAX_METHOD + 1)];
    let Some(space) = head.iter().position(|byte| *byte == b' ') else { return false };
    match std::str::from_utf8(&head[..space]) {
        Ok(word) => word.eq_ignore_ascii_case("SIP/2.0") || is_token(word),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(limits: SignalingLimits) -> Guard {
        Guard::new(vec!["10.0.0.0/8".parse().unwrap()], &limits)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_are_not_heard_until_admitted() {
        let now = Instant::now();
        let mut guard = guard(SignalingLimits::default());
        assert_eq!(guard.judge(now, address("10.1.2.3")), Verdict::Pass);
        assert_eq!(guard.judge(now, address("::ffff:10.1.2.3")), Verdict::Pass);
        assert_eq!(guard.judge(now, address("192.0.2.1")), Verdict::Stranger);
        guard.admit(address("192.0.2.1"));
        guard.admit(address("192.0.2.1"));
        guard.dismiss(address("192.0.2.1"));
        assert_eq!(guard.judge(now, address("192.0.2.1")), Verdict::Pass, "one reason is left");
        guard.dismiss(address("192.0.2.1"));
        guard.dismiss(address("192.0.2.1"));
        assert_eq!(guard.judge(now, address("192.0.2.1")), Verdict::Stranger);
    }

    #[test]
    fn a_trunks_own_list_counts_until_it_is_replaced() {
        let now = Instant::now();
        let mut guard = guard(SignalingLimits::default());
        guard.allow(vec!["198.51.100.0/24".parse().unwrap()]);
        assert_eq!(guard.judge(now, address("198.51.100.9")), Verdict::Pass);
        guard.allow(Vec::new());
        assert_eq!(guard.judge(now, address("198.51.100.9")), Verdict::Stranger);
        assert_eq!(guard.judge(now, address("10.1.2.3")), Verdict::Pass, "the general list stays");
    }

    #[test]
    fn floods_are_cut_and_heard_again_later() {
        let now = Instant::now();
        let mut guard = guard(SignalingLimits { per_source_per_second: 10, ..SignalingLimits::default() });
        let passed = (0..100).filter(|_| guard.judge(now, address("10.0.0.1")) == Verdict::Pass).count();
        assert_eq!(passed, 10);
        assert_eq!(guard.judge(now, address("10.0.0.2")), Verdict::Pass, "another source is not punished");
        assert_eq!(guard.judge(now + Duration::from_millis(100), address("10.0.0.1")), Verdict::Pass);
    }

    #[test]
    fn the_table_of_sources_does_not_grow() {
        let now = Instant::now();
        let mut guard = guard(SignalingLimits { max_sources: 100, ..SignalingLimits::default() });
        for n in 0..10_000_u32 {
            guard.judge(now, IpAddr::V4((0x0a00_0000 + n).into()));
        }
        assert!(guard.buckets.len() <= 100);
        assert_eq!(guard.judge(now + Duration::from_secs(2), address("10.200.0.1")), Verdict::Pass);
    }

    #[test]
    fn garbage_does_not_look_like_sip() {
        for good in ["INVITE sip:a@b SIP/2.0", "SIP/2.0 200 OK", "x-new sip:a SIP/2.0"] {
            assert!(is_plausible(good.as_bytes()), "{good}");
        }
        for bad in
            [&b""[..], b"\r\n\r\n", b"\x16\x03\x01 ", b"GET", b" INVITE", b"a{b c", &[0xff; 2_000], &[b'A'; 2_000]]
        {
            assert!(!is_plausible(bad));
        }
    }
}
