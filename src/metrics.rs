//! What is counted, for Prometheus. One registry, filled in one function, and a handle for whoever counts.
//!
//! Knows words and numbers. Every label value is a word of the program: what a user writes never becomes a series.

mod listing;
mod operation;
mod registered;
mod tally;
mod words;

use std::{
    fmt,
    sync::{Arc, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::encoding::text;
use tokio::time::Instant;

pub use listing::Listed;
pub use operation::{OPERATIONS, operation};
pub use tally::Tally;

use registered::Registered;

/// The media type of what [`Metrics::scrape`] returns.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Registered>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Arc::new(Registered::default()))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Every metric there is, in the order of the docs.
    #[must_use]
    pub fn listed(&self) -> &[Listed] {
        &self.0.listed
    }

    /// Everything as text of the type [`MEDIA_TYPE`].
    #[must_use]
    pub fn scrape(&self) -> String {
        let tally = self.0.tally.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_down(tally.as_ref().and_then(|take| take()));
        self.0.process_resident_memory.of([]).set(resident_memory().unwrap_or_default());
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry).expect("a string takes everything");
        text
    }

    /// What the policies come to is asked for at each scrape. Counted at each change instead, a policy that changes or
    /// goes while nobody looks would leave its series behind. `None` from `take`: nothing is known at the moment.
    pub fn tally_by(&self, take: impl Fn() -> Option<Tally> + Send + Sync + 'static) {
        *self.0.tally.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(take));
    }

    fn write_down(&self, tally: Option<Tally>) {
        let Registered { policies, findings, held_changes, oldest_observation, .. } = &*self.0;
        policies.clear();
        findings.clear();
        held_changes.clear();
        let tally = tally.unwrap_or_default();
        for ((ready, reason), count) in tally.policies {
            policies.of([ready, reason]).set(f64::from(count));
        }
        for (code, count) in tally.findings {
            findings.of([code]).set(f64::from(count));
        }
        for (reason, count) in tally.held {
            held_changes.of([reason]).set(f64::from(count));
        }
        oldest_observation.of([]).set(tally.oldest_observation.as_secs_f64());
    }

    /// A request is sent. It is counted when the answer is given to it, or when it is dropped without one.
    #[must_use]
    pub fn arm_request(&self, operation: &'static str) -> ArmRequest<'_> {
        ArmRequest { metrics: self, operation, sent: Instant::now(), code: "none" }
    }

    /// A read is sent again.
    pub fn arm_retried(&self, operation: &'static str) {
        self.0.arm_retries.of([operation]).inc();
    }

    /// A change was tried. `outcome` is the outcome's word.
    pub fn changed(&self, change: &'static str, outcome: &'static str) {
        self.0.changes.of([change, outcome]).inc();
    }

    /// For how many subscriptions the breaker is open.
    pub fn breaker_open(&self, subscriptions: usize) {
        self.0.breakers_open.of([]).set(f64::from(u32::try_from(subscriptions).unwrap_or(u32::MAX)));
    }

    /// A pass ended; `published` when its result is in the cluster.
    pub fn reconciled(&self, published: bool, took: Duration) {
        self.0.reconcile_duration.of([if published { "ok" } else { "error" }]).observe(took.as_secs_f64());
    }

    /// A status was sent to the API server.
    pub fn status_written(&self, outcome: StatusWrite) {
        self.0.status_writes.of([outcome.word()]).inc();
    }

    /// A watch ended with an error.
    pub fn watch_failed(&self, resource: &'static str) {
        self.0.watch_errors.of([resource]).inc();
    }

    /// Whether this process passes policies.
    pub fn leading(&self, is_leader: bool) {
        self.0.leader.of([]).set(f64::from(u8::from(is_leader)));
    }

    /// When the process began.
    pub fn started(&self, at: Timestamp) {
        self.0.process_start_time.of([]).set(at.as_duration().as_secs_f64());
    }
}

/// What became of a status that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWrite {
    /// The API server took it.
    Written,
    /// The policy had changed meanwhile.
    Conflict,
    /// The policy was gone.
    Gone,
    /// Anything else.
    Failed,
}

impl StatusWrite {
    fn word(self) -> &'static str {
        match self {
            Self::Written => "Written",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::Failed => "Failed",
        }
    }
}

/// A request that is under way.
pub struct ArmRequest<'a> {
    metrics: &'a Metrics,
    operation: &'static str,
    sent: Instant,
    code: &'static str,
}

impl ArmRequest<'_> {
    /// The answer began. `told_to_wait`: it carries a `Retry-After`.
    pub fn answered(mut self, status: u16, told_to_wait: bool) {
        self.code = words::status_code(status);
        // App Service answers 429 without it while another write holds the site: that is a lock.
        if told_to_wait && matches!(status, 429 | 503) {
            self.metrics.0.arm_throttled.of([self.operation]).inc();
        }
    }
}

/// A request that ran out of time is dropped by whoever waited for it, and was sent all the same.
impl Drop for ArmRequest<'_> {
    fn drop(&mut self) {
        let Registered { arm_requests, arm_request_duration, .. } = &*self.metrics.0;
        arm_requests.of([self.operation, self.code]).inc();
        arm_request_duration.of([self.operation]).observe(self.sent.elapsed().as_secs_f64());
    }
}

/// From Linux; nothing elsewhere.
fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u32 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0)
}
