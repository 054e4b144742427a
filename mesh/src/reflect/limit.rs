//! How fast one address may be answered: a token bucket for each.

use std::{collections::HashMap, net::IpAddr};

/// More addresses than this are not answered in one second.
const MOST: usize = 4096;
/// After so long a bucket is full again, so that forgetting it changes nothing.
const FULL_AFTER_NS: i64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Limiter {
    per_second: f64,
    buckets: HashMap<IpAddr, Bucket>,
    swept_ns: i64,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at_ns: i64,
}

impl Limiter {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: HashMap::new(), swept_ns: i64::MIN }
    }

    /// Takes a token if there is one.
    pub(super) fn allows(&mut self, address: IpAddr, now_ns: i64) -> bool {
        if self.buckets.len() >= MOST && !self.buckets.contains_key(&address) && !self.sweep(now_ns) {
            return false;
        }
        let full = self.per_second;
        let bucket = self.buckets.entry(address).or_insert(Bucket { tokens: full, at_ns: now_ns });
        let passed_s = now_ns.saturating_sub(bucket.at_ns).max(0) as f64 / 1e9;
        bucket.tokens = (bucket.tokens + passed_s * full).min(full);
        bucket.at_ns = now_ns;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }

    /// Forgets whoever was quiet, at most once a second; tells whether there is room now.
    fn sweep(&mut self, now_ns: i64) -> bool {
        if now_ns.saturating_sub(self.swept_ns) >= FULL_AFTER_NS {
            self.swept_ns = now_ns;
            self.buckets.retain(|_, bucket| now_ns.saturating_sub(bucket.at_ns) < FULL_AFTER_NS);
        }
        self.buckets.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_burst_is_allowed_once_and_addresses_do_not_share() {
        let mut limiter = Limiter::new(10);
        let [noisy, quiet] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        assert_eq!((0..30).filter(|_| limiter.allows(noisy, 0)).count(), 10);
        assert!(limiter.allows(quiet, 0));
        assert_eq!((0..30).filter(|_| limiter.allows(noisy, 500_000_000)).count(), 5);
    }

    #[test]
    fn memory_is_bounded() {
        let mut limiter = Limiter::new(10);
        let mut ask = |i: u32, now_ns| limiter.allows(IpAddr::V4(Ipv4Addr::from(i)), now_ns);
        assert_eq!((0..10_000).filter(|i| ask(*i, 0)).count(), MOST);
        assert!(ask(0, 1), "who is known is answered");
        assert!(ask(20_000, FULL_AFTER_NS + 1), "the quiet ones were forgotten");
        assert!(limiter.buckets.len() <= MOST);
    }
}
