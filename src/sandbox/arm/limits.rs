//! Token buckets per subscription and kind of operation, and the headers that tell what is left.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::call::Call;
use super::path;
use super::reply::{Cause, Reply};

/// All buckets.
pub(super) struct Limits {
    throttling: bool,
    buckets: BTreeMap<(String, Kind), Bucket>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Reads,
    Writes,
    Deletes,
}

struct Bucket {
    /// In thousandths, so that a refill per second needs no fractions.
    level: i64,
    filled: Timestamp,
}

impl Limits {
    pub(super) fn new(throttling: bool) -> Self {
        Self { throttling, buckets: BTreeMap::new() }
    }

    /// Takes a token, or refuses.
    pub(super) fn take(&mut self, call: &Call, now: Timestamp) -> Result<(), Reply> {
        let throttling = self.throttling;
        let kind = Kind::of(call);
        let (_, per_second) = kind.capacity(throttling);
        let bucket = self.bucket(call, now);
        if bucket.level >= 1000 {
            bucket.level -= 1000;
            return Ok(());
        }
        if !throttling {
            return Ok(());
        }
        let seconds = (1000 - bucket.level + per_second * 1000 - 1) / (per_second * 1000);
        let message = format!(
            "Number of requests for subscription exceeded the limit. Please try again after '{seconds}' seconds."
        );
        let refusal = Reply::refusal(429, Cause::Gateway, "SubscriptionRequestsThrottled", message);
        Err(refusal.with_header("retry-after", seconds.to_string()))
    }

    /// The header that tells what is left.
    pub(super) fn header(&mut self, call: &Call, now: Timestamp) -> (String, String) {
        let whose = if path::subscription(&call.address.path).is_some() { "subscription" } else { "tenant" };
        let word = match Kind::of(call) {
            Kind::Reads => "reads",
            Kind::Writes => "writes",
            Kind::Deletes => "deletes",
        };
        let left = self.bucket(call, now).level / 1000;
        (format!("x-ms-ratelimit-remaining-{whose}-{word}"), left.to_string())
    }

    fn bucket(&mut self, call: &Call, now: Timestamp) -> &mut Bucket {
        let kind = Kind::of(call);
        let subscription = path::subscription(&call.address.path).unwrap_or("").to_lowercase();
        let (capacity, per_second) = kind.capacity(self.throttling);
        let full = capacity * 1000;
        let bucket = self.buckets.entry((subscription, kind)).or_insert(Bucket { level: full, filled: now });
        let elapsed = now.duration_since(bucket.filled).as_millis().clamp(0, 86_400_000);
        let refill = i64::try_from(elapsed).unwrap_or(0) * per_second;
        bucket.level = full.min(bucket.level + refill);
        bucket.filled = now;
        bucket
    }
}

impl Kind {
    fn of(call: &Call) -> Self {
        match call.method.as_str() {
            "GET" | "HEAD" => Self::Reads,
            "DELETE" => Self::Deletes,
            _ => Self::Writes,
        }
    }

    /// Size and refill per second: the documented floor of a normal subscription, or the hourly windows of other
    /// clouds (`azure/arm/throttling.json`), which only count down here.
    fn capacity(self, throttling: bool) -> (i64, i64) {
        match (throttling, self) {
            (true, Self::Reads) => (250, 25),
            (true, Self::Writes | Self::Deletes) => (200, 10),
            (false, Self::Reads) => (12_000, 3),
            (false, Self::Writes) => (1_200, 1),
            (false, Self::Deletes) => (15_000, 4),
        }
    }
}
