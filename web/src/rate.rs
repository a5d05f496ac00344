//! Token buckets per address: each kind of request has its own named allowance.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many at once, refilled evenly over `per`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    pub burst: u32,
    pub per: Duration,
}

impl Allowance {
    pub const fn per_minute(burst: u32) -> Self {
        Self { burst, per: Duration::from_secs(60) }
    }
    pub const fn per_hour(burst: u32) -> Self {
        Self { burst, per: Duration::from_secs(3600) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// Buckets by key, at most `capacity` of them: when full, refilled buckets are dropped first, then the oldest.
#[derive(Debug)]
pub struct RateLimiter<K> {
    allowance: Allowance,
    capacity: usize,
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K: Eq + Hash + Clone> RateLimiter<K> {
    pub fn new(allowance: Allowance, capacity: usize) -> Self {
        Self { allowance, capacity: capacity.max(1), buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes one; `Err` says how long to wait for the next.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.take_of(key, self.allowance, now)
    }

    /// The same of an allowance of the key's own, which is not refilled more slowly than the limiter's.
    pub fn take_of(&self, key: K, allowance: Allowance, now: Instant) -> Result<(), Duration> {
        let per_token = allowance.per.as_secs_f64() / f64::from(allowance.burst.max(1));
        let full = f64::from(allowance.burst);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.capacity && !buckets.contains_key(&key) {
            self.make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(key).or_insert(Bucket { tokens: full, at: now });
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() / per_token;
        bucket.tokens = (bucket.tokens + gained).min(full);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - bucket.tokens) * per_token))
        }
    }

    fn make_room(&self, buckets: &mut HashMap<K, Bucket>, now: Instant) {
        buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < self.allowance.per);
        if buckets.len() >= self.capacity {
            let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| key.clone());
            if let Some(key) = oldest {
                buckets.remove(&key);
            }
        }
    }
}

/// One household or phone: an IPv4 address, or the /64 an IPv6 customer is given.
pub fn address_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let mut octets = six.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        four => four,
    }
}

/// The network an address is of: IPv4 /24, IPv6 /48, the usual share of one customer of a provider.
pub fn network_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(six) => {
            let mut octets = six.octets();
            octets[6..].fill(0);
            IpAddr::from(octets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_per_interval() {
        let limiter = RateLimiter::new(Allowance::per_minute(3), 10);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(limiter.take("a", start), Ok(()));
        }
        let wait = limiter.take("a", start).unwrap_err();
        assert!((19..=20).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(limiter.take("b", start), Ok(()));
        assert!(limiter.take("a", start + Duration::from_secs(19)).is_err());
        assert_eq!(limiter.take("a", start + Duration::from_secs(21)), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = RateLimiter::new(Allowance::per_minute(1), 4);
        let start = Instant::now();
        for n in 0..1000u32 {
            let _ = limiter.take(n, start);
        }
        assert!(limiter.buckets.lock().unwrap().len() <= 4);
    }

    #[test]
    fn ipv6_neighbours_share_an_allowance() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        let network = |text: &str| network_key(text.parse().unwrap());
        assert_eq!(network("192.0.2.1"), network("192.0.2.200"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8:7:1::1"), network("2001:db8:7:2::9"));
        assert_ne!(network("2001:db8:7::1"), network("2001:db8:8::1"));
    }
}
