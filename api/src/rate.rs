//! A token bucket for each of many, such as tenants, and the two header fields that tell how full one is.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The buckets of this process. Behind several processes each `Who` has the sum of them.
pub(crate) struct Rates<Who> {
    requests_max: f64,
    per_second: f64,
    policy: HeaderValue,
    buckets: Mutex<HashMap<Who, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

/// What a request found in its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Whether there was a token for it.
    pub allowed: bool,
    /// Tokens left.
    pub left: u64,
    /// Seconds until the bucket is full again.
    pub full_in_s: u64,
    /// Seconds until there is a token, at least 1.
    pub next_in_s: u64,
}

impl<Who: Eq + Hash> Rates<Who> {
    /// Buckets of `requests_max` tokens that fill up in `window_s` seconds.
    pub(crate) fn new(requests_max: u32, window_s: u32) -> Self {
        let policy = format!("\"requests\";q={requests_max};w={window_s}");
        Self {
            requests_max: f64::from(requests_max.max(1)),
            per_second: f64::from(requests_max.max(1)) / f64::from(window_s.max(1)),
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("\"requests\"")),
            buckets: Mutex::default(),
        }
    }

    /// Takes a token of `who` at `now`.
    pub(crate) fn take(&self, who: Who, now: Instant) -> Allowance {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(who).or_insert(Bucket { tokens: self.requests_max, filled_at: now });
        bucket.tokens = self.filled(bucket, now);
        bucket.filled_at = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        self.allowance(bucket.tokens, allowed)
    }

    /// What `who` would find at `now`. Takes nothing.
    pub(crate) fn look(&self, who: &Who, now: Instant) -> Allowance {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = buckets.get(who).map_or(self.requests_max, |bucket| self.filled(bucket, now));
        self.allowance(tokens, tokens >= 1.0)
    }

    /// Tokens of a bucket that is full.
    pub(crate) fn requests_max(&self) -> u64 {
        self.requests_max as u64
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let waited_s = now.saturating_duration_since(bucket.filled_at).as_secs_f64();
        (bucket.tokens + waited_s * self.per_second).min(self.requests_max)
    }

    fn allowance(&self, tokens: f64, allowed: bool) -> Allowance {
        let seconds_for = |tokens: f64| (tokens / self.per_second).ceil() as u64;
        Allowance {
            allowed,
            left: tokens as u64,
            full_in_s: seconds_for(self.requests_max - tokens),
            next_in_s: seconds_for((1.0 - tokens).max(0.0)).max(1),
        }
    }

    /// Writes the policy and what is left of it.
    pub(crate) fn describe(&self, allowance: Allowance, headers: &mut HeaderMap) {
        headers.insert(POLICY.clone(), self.policy.clone());
        let left = format!("\"requests\";r={};t={}", allowance.left, allowance.full_in_s);
        if let Ok(value) = HeaderValue::try_from(left) {
            headers.insert(LIMIT.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use jobs::TenantId;

    use super::Rates;

    #[test]
    fn a_bucket_empties_and_fills_at_its_rate() {
        let (rates, tenant, start) = (Rates::new(10, 5), TenantId::new(), Instant::now());
        for left in (0..10).rev() {
            let allowance = rates.take(tenant, start);
            assert_eq!((allowance.allowed, allowance.left), (true, left));
        }
        let refused = rates.take(tenant, start);
        assert_eq!((refused.allowed, refused.left, refused.full_in_s, refused.next_in_s), (false, 0, 5, 1));
        assert!(rates.take(tenant, start + Duration::from_millis(501)).allowed);
        assert!(!rates.take(tenant, start + Duration::from_millis(502)).allowed);
        assert!(rates.take(TenantId::new(), start).allowed, "another tenant has its own bucket");
        assert_eq!(rates.look(&tenant, start + Duration::from_mins(1)).left, 10, "looking takes nothing");
        assert_eq!(rates.take(tenant, start + Duration::from_mins(1)).left, 9);
        assert_eq!((rates.look(&TenantId::new(), start).left, rates.requests_max()), (10, 10));
    }
}
