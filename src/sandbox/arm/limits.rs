//! What a subscription may ask: token buckets per kind of operation, for the caller and for all callers, a provider's
//! own limit, and the headers that tell what is left.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::call::Call;
use super::path;
use super::reply::{Cause, Reply};
use super::world::Buckets;

/// How much more all callers of a subscription may ask together than one of them (`azure/arm/throttling.json`).
const GLOBAL: i64 = 15;

/// The counters with which some providers answer in place of the subscription's begin here (recorded): writes of apps,
/// lists of their settings, writes of container apps. How they refill is not known, nor what comes when they are used up,
/// so they fill in five minutes, as the documented limits of other providers do, and nothing is refused for their sake.
const APP_WRITES: i64 = 500;
const SETTINGS_LISTS: i64 = 12_000;
const CONTAINER_APP_WRITES: i64 = 200;

const AUTHORIZATION: &str = "microsoft.authorization";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// All counters.
pub(super) struct Limits {
    throttling: bool,
    sizes: Buckets,
    authorization_per_minute: Option<u32>,
    buckets: BTreeMap<(String, Counter), Bucket>,
    /// Requests for Microsoft.Authorization of each subscription, and since when they are counted.
    minutes: BTreeMap<String, (Timestamp, u32)>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Counter {
    Caller(Kind),
    Everybody(Kind),
    Provider(Provided),
}

/// What a provider counts by itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Provided {
    AppWrites,
    SettingsLists,
    ContainerAppWrites,
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
    pub(super) fn new(throttling: bool, sizes: Buckets, authorization_per_minute: Option<u32>) -> Self {
        Self { throttling, sizes, authorization_per_minute, buckets: BTreeMap::new(), minutes: BTreeMap::new() }
    }

    /// Takes a token of everything that counts the request, or refuses and takes none.
    pub(super) fn take(&mut self, call: &Call, now: Timestamp) -> Result<(), Reply> {
        let kind = Kind::of(call);
        if self.throttling {
            for counter in [Counter::Caller(kind), Counter::Everybody(kind)] {
                if self.bucket(call, counter, now).level < 1000 {
                    return Err(self.refusal(call, counter, now));
                }
            }
        }
        self.count_for_authorization(call, now)?;
        for counter in Self::counters(call) {
            let bucket = self.bucket(call, counter, now);
            bucket.level = (bucket.level - 1000).max(0);
        }
        Ok(())
    }

    /// The headers that tell what is left: of this caller's bucket and of everybody's. Some requests carry
    /// their provider's counter instead (both recorded); without throttling there are the older clouds'
    /// hourly windows, which everybody shares.
    pub(super) fn headers(&mut self, call: &Call, now: Timestamp) -> Vec<(String, String)> {
        let whose = if path::subscription(&call.address.path).is_some() { "subscription" } else { "tenant" };
        let told = Self::counters(call).into_iter().filter(|counter| match counter {
            Counter::Caller(_) => provided(call).is_none(),
            Counter::Everybody(_) => self.throttling && whose == "subscription" && provided(call).is_none(),
            Counter::Provider(_) => true,
        });
        let told: Vec<_> = told.collect();
        told.into_iter()
            .map(|counter| {
                let what = match counter {
                    Counter::Caller(kind) => kind.word().to_owned(),
                    Counter::Everybody(kind) => format!("global-{}", kind.word()),
                    Counter::Provider(_) => "resource-requests".to_owned(),
                };
                let left = self.bucket(call, counter, now).level / 1000;
                (format!("x-ms-ratelimit-remaining-{whose}-{what}"), left.to_string())
            })
            .collect()
    }

    fn counters(call: &Call) -> Vec<Counter> {
        let kind = Kind::of(call);
        let mut counters = vec![Counter::Caller(kind), Counter::Everybody(kind)];
        counters.extend(provided(call).map(Counter::Provider));
        counters
    }

    fn refusal(&mut self, call: &Call, counter: Counter, now: Timestamp) -> Reply {
        let (_, per_second) = self.terms(counter);
        let missing = 1000 - self.bucket(call, counter, now).level;
        let seconds = (missing + per_second * 1000 - 1) / (per_second * 1000);
        let message = format!(
            "Number of requests for subscription exceeded the limit. Please try again after '{seconds}' seconds."
        );
        let refusal = Reply::refusal(429, Cause::Gateway, "SubscriptionRequestsThrottled", message);
        refusal.with_header("retry-after", seconds.to_string())
    }

    /// The limit that Microsoft.Authorization was seen to have, reads and writes together. Its message speaks of a
    /// limit for a time interval, so it is a window that begins with a request, and not a bucket.
    fn count_for_authorization(&mut self, call: &Call, now: Timestamp) -> Result<(), Reply> {
        let Some(limit) = self.authorization_per_minute else { return Ok(()) };
        if !call.address.namespace.eq_ignore_ascii_case(AUTHORIZATION) {
            return Ok(());
        }
        let (began, count) = self.minutes.entry(subscription(call)).or_insert((now, 0));
        if now.duration_since(*began) >= MINUTE {
            (*began, *count) = (now, 0);
        }
        if *count < limit {
            *count += 1;
            return Ok(());
        }
        let left = MINUTE - now.duration_since(*began);
        let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
        let message = format!(
            "Number of requests for Microsoft.Authorization exceeded the limit of '{limit}' for time interval \
             '00:01:00'. Please try again after '{seconds}' seconds."
        );
        let refusal = Reply::refusal(429, Cause::Service, "ResourceRequestsThrottled", message);
        Err(refusal.with_header("retry-after", seconds.to_string()))
    }

    fn bucket(&mut self, call: &Call, counter: Counter, now: Timestamp) -> &mut Bucket {
        let (size, per_second) = self.terms(counter);
        let full = size * 1000;
        let bucket = self.buckets.entry((subscription(call), counter)).or_insert(Bucket { level: full, filled: now });
        let elapsed = now.duration_since(bucket.filled).as_millis().clamp(0, 86_400_000);
        let refill = i64::try_from(elapsed).unwrap_or(0) * per_second;
        bucket.level = full.min(bucket.level + refill);
        bucket.filled = now;
        bucket
    }

    /// Size and refill per second: those of the public cloud, or the hourly windows of other clouds
    /// (`azure/arm/throttling.json`), which only count down here.
    fn terms(&self, counter: Counter) -> (i64, i64) {
        let Buckets { reads, writes, deletes } = self.sizes;
        let caller = |kind| match (self.throttling, kind) {
            // The documented refills are a tenth and a twentieth of the documented sizes.
            (true, Kind::Reads) => (reads.into(), i64::from(reads / 10).max(1)),
            (true, Kind::Writes) => (writes.into(), i64::from(writes / 20).max(1)),
            (true, Kind::Deletes) => (deletes.into(), i64::from(deletes / 20).max(1)),
            (false, Kind::Reads) => (12_000, 3),
            (false, Kind::Writes) => (1_200, 1),
            (false, Kind::Deletes) => (15_000, 4),
        };
        match counter {
            Counter::Caller(kind) => caller(kind),
            Counter::Everybody(kind) => {
                let (size, per_second) = caller(kind);
                (size * GLOBAL, per_second * GLOBAL)
            }
            Counter::Provider(what) => {
                let size = match what {
                    Provided::AppWrites => APP_WRITES,
                    Provided::SettingsLists => SETTINGS_LISTS,
                    Provided::ContainerAppWrites => CONTAINER_APP_WRITES,
                };
                (size, (size / 300).max(1))
            }
        }
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

    fn word(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Deletes => "deletes",
        }
    }
}

/// What counts a request in place of the subscription's counters. Writes of what lies below an app are not among them
/// (recorded).
fn provided(call: &Call) -> Option<Provided> {
    let kind = call.address.kind();
    match (call.method.as_str(), kind.as_str()) {
        ("PUT" | "PATCH", "microsoft.web/sites" | "microsoft.web/sites/slots") => Some(Provided::AppWrites),
        ("PUT" | "PATCH", "microsoft.app/containerapps") => Some(Provided::ContainerAppWrites),
        ("POST", kind) if kind.starts_with("microsoft.web/sites/") && kind.ends_with("/config/list") => {
            Some(Provided::SettingsLists)
        }
        _ => None,
    }
}

fn subscription(call: &Call) -> String {
    path::subscription(&call.address.path).unwrap_or("").to_lowercase()
}
