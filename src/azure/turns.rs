//! Who may send next: every request waits here for its turn, first come first served, and answers are reported back.
//!
//! The arithmetic is `budget`'s. A turn that is too far away is a failure with the time to come back, not a sleep: a
//! worker that sleeps does nothing for the other policies.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use azure_core::http::{Method, Url};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    budget::{Bucket, Ticket, Urgency},
    told::Told,
};
use crate::catalog::clouds::Allowances;

/// Between two looks of a waiting list at what is left: its claim grows while it waits.
const LOOK: Duration = Duration::from_millis(250);

/// What a request counts against.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Counted {
    /// Lower case; empty for requests to the tenant.
    pub(super) subscription: String,
    pub(super) operation: Operation,
    /// The provider's namespace in lower case; empty for subscriptions and resource groups themselves.
    pub(super) provider: String,
}

/// The kinds of operation that Resource Manager counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Reads,
    Writes,
    Deletes,
}

impl Counted {
    pub(super) fn of(method: Method, url: &Url) -> Self {
        let operation = match method {
            Method::Get | Method::Head => Operation::Reads,
            Method::Delete => Operation::Deletes,
            // PUT, PATCH and POST; the enum is not exhaustive.
            _ => Operation::Writes,
        };
        Self::at(operation, url.path())
    }

    /// An operation at a path.
    pub(super) fn at(operation: Operation, path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let after = |word: &str| segments.iter().rposition(|segment| *segment == word).map(|at| at + 1);
        let named = |at: Option<usize>| at.and_then(|at| segments.get(at)).copied().unwrap_or_default().to_owned();
        let subscription = if segments.first() == Some(&"subscriptions") { named(Some(1)) } else { String::new() };
        Self { subscription, operation, provider: named(after("providers")) }
    }
}

/// Why a turn is not given: it is further away than a worker should wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotYet {
    /// How far.
    pub(super) wait: Duration,
    /// Azure has refused a request of that kind and asked for silence. Otherwise the budget is short.
    pub(super) refused: bool,
}

/// All buckets of one client, and who waits for them.
#[derive(Debug)]
pub(super) struct Turns {
    allowances: Allowances,
    longest_wait: Duration,
    lines: Mutex<BTreeMap<Counter, Arc<Line>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counter {
    Subscription(String, Operation),
    Provider(String, String),
}

impl Turns {
    pub(super) fn new(allowances: Allowances, longest_wait: Duration) -> Self {
        Self { allowances, longest_wait, lines: Mutex::default() }
    }

    /// Waits until a request may be sent. Fails with the time until then when that is longer than the longest wait.
    pub(super) async fn next(&self, counted: &Counted, urgency: Urgency) -> Result<Turn, NotYet> {
        let began = Instant::now();
        let wait = Wait { urgency, began, longest: self.longest_wait };
        let (provider, subscription) = self.lines_of(counted, began);
        let provider = Place { ticket: provider.stand(&wait).await?, line: provider, used: false };
        // Given up here, the provider's token goes back by itself.
        let ticket = subscription.stand(&wait).await?;
        let subscription = Place { ticket, line: subscription, used: false };
        Ok(Turn { counted: counted.clone(), provider, subscription, refused: false })
    }

    fn lines_of(&self, counted: &Counted, now: Instant) -> (Arc<Line>, Arc<Line>) {
        let Counted { subscription, operation, provider } = counted;
        let allowance = match operation {
            Operation::Reads => self.allowances.reads,
            Operation::Writes => self.allowances.writes,
            Operation::Deletes => self.allowances.deletes,
        };
        let mut lines = locked(&self.lines);
        let provider = lines.entry(Counter::Provider(subscription.clone(), provider.clone()));
        let provider = provider.or_insert_with(|| Arc::new(Line::at(Bucket::unlimited()))).clone();
        let own = lines.entry(Counter::Subscription(subscription.clone(), *operation));
        let own = own.or_insert_with(|| Arc::new(Line::at(Bucket::documented(allowance, now)))).clone();
        (provider, own)
    }
}

/// Leave to send one request. Unused, its tokens go back.
#[derive(Debug)]
pub(super) struct Turn {
    counted: Counted,
    provider: Place,
    subscription: Place,
    refused: bool,
}

impl Turn {
    /// Whether it is one for this request.
    pub(super) fn is_for(&self, counted: &Counted) -> bool {
        self.counted == *counted
    }

    pub(super) fn operation(&self) -> Operation {
        self.counted.operation
    }

    /// Why not to send after all: Azure has refused another request since the turn was given.
    pub(super) fn void(&self) -> Option<NotYet> {
        let now = Instant::now();
        let closed = |place: &Place| locked(&place.line.bucket).outdated(place.ticket, now);
        closed(&self.provider).max(closed(&self.subscription)).map(|wait| NotYet { wait, refused: true })
    }

    /// The request goes out.
    pub(super) fn use_up(&mut self) {
        (self.provider.used, self.subscription.used) = (true, true);
    }

    /// Whether the answer was that it was one too many.
    pub(super) fn was_refused(&self) -> bool {
        self.refused
    }

    /// Reports what the answer says of limits.
    pub(super) fn answered(&mut self, answer: &Told) {
        let now = Instant::now();
        let (provider, subscription) = (&self.provider, &self.subscription);
        let left = |place: &Place, left| locked(&place.line.bucket).answered(place.ticket, left, now);
        match answer {
            Told::Left { subscription: of_subscription, provider: of_provider } => {
                left(subscription, *of_subscription);
                left(provider, *of_provider);
            }
            Told::Refused { by_provider, retry_after } => {
                self.refused = true;
                let refusing = if *by_provider { provider } else { subscription };
                locked(&refusing.line.bucket).refused(refusing.ticket, *retry_after, now);
            }
        }
    }
}

/// A bucket and those who wait for it. The two mutexes are lines in which tokio lets everybody in as they came.
#[derive(Debug)]
struct Line {
    bucket: Mutex<Bucket>,
    confirming: tokio::sync::Mutex<()>,
    looking: tokio::sync::Mutex<()>,
    confirming_waiting: AtomicUsize,
    looking_waiting: AtomicUsize,
}

#[derive(Debug)]
struct Place {
    line: Arc<Line>,
    ticket: Ticket,
    used: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.used {
            locked(&self.line.bucket).give_back(self.ticket, Instant::now());
        }
    }
}

struct Wait {
    urgency: Urgency,
    began: Instant,
    longest: Duration,
}

impl Wait {
    fn deadline(&self) -> Instant {
        self.began + self.longest
    }

    /// From 1 down to 0.
    fn patience(&self, now: Instant) -> f64 {
        match self.urgency {
            // Nothing makes it more urgent than it is.
            Urgency::Confirming => 1.0,
            Urgency::Looking => {
                let waited = now.saturating_duration_since(self.began).as_secs_f64();
                (1.0 - waited / self.longest.as_secs_f64().max(f64::MIN_POSITIVE)).max(0.0)
            }
        }
    }
}

impl Line {
    fn at(bucket: Bucket) -> Self {
        Self {
            bucket: Mutex::new(bucket),
            confirming: tokio::sync::Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            confirming_waiting: AtomicUsize::new(0),
            looking_waiting: AtomicUsize::new(0),
        }
    }

    /// Stands in line until there is a token.
    async fn stand(&self, wait: &Wait) -> Result<Ticket, NotYet> {
        let (line, waiting, others) = match wait.urgency {
            Urgency::Confirming => (&self.confirming, &self.confirming_waiting, 0),
            Urgency::Looking => (&self.looking, &self.looking_waiting, self.confirming_waiting.load(Ordering::Relaxed)),
        };
        let ahead = others + waiting.load(Ordering::Relaxed);
        let now = Instant::now();
        let expected = locked(&self.bucket).wait(ahead, now);
        if now + expected > wait.deadline() {
            return Err(self.not_yet(expected));
        }
        let _counted = Waiting::one_more(waiting);
        let Ok(_first) = timeout_at(wait.deadline(), line.lock()).await else {
            let wait = locked(&self.bucket).wait(ahead, Instant::now());
            return Err(self.not_yet(wait));
        };
        loop {
            let now = Instant::now();
            let taken = locked(&self.bucket).take(wait.urgency, wait.patience(now), now);
            let left = match taken {
                Ok(ticket) => return Ok(ticket),
                Err(left) => left,
            };
            let (least, pause) = match wait.urgency {
                Urgency::Confirming => (left, left),
                Urgency::Looking => (locked(&self.bucket).wait(0, now), left.min(LOOK)),
            };
            if now >= wait.deadline() || now + least > wait.deadline() {
                return Err(self.not_yet(left));
            }
            // Tokio counts in milliseconds, and a token that is nearly there must not be asked for a thousand times.
            sleep(pause.max(Duration::from_millis(1)).min(wait.deadline() - now)).await;
        }
    }

    fn not_yet(&self, wait: Duration) -> NotYet {
        NotYet { wait, refused: locked(&self.bucket).closed_for(Instant::now()).is_some() }
    }
}

/// Counts somebody who waits, for as long as they do.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn one_more(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
