//! What Azure lets us ask, as arithmetic: one token bucket, learnt from counters and refusals. Takes moments and gives
//! back how long to wait; must not know requests, clocks or who is waiting (`turns` does).
//!
//! The documented sizes are where it starts and nothing that it insists on: subscriptions differ, and others of the
//! same identity spend from the same bucket (`azure/arm/throttling.json`).

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::catalog::clouds::Allowance;

/// What a refusal makes of the rate, and how the rate comes back: 5 % a minute, so that one refusal costs minutes and
/// not hours, and a limit that stays as it is refuses once in several minutes.
const AFTER_A_REFUSAL: f64 = 0.75;
const RECOVERY_PER_MINUTE: f64 = 1.05;
/// The slowest that refusals make us: one request in twenty seconds still finds out whether the limit is gone.
const SLOWEST: f64 = 0.05;
/// Of what a provider let through in the minute before it refused, the share that counts as its limit.
const OF_WHAT_WAS_ACCEPTED: f64 = 0.9;
/// A learnt limit of a provider that has recovered to this rate is none: reads of the whole subscription refill no
/// faster.
const FORGOTTEN: f64 = 25.0;
/// Providers that document a limit have it for five minutes; a counter that comes without one is taken to refill so.
const COUNTER_REFILL: f64 = 300.0;
/// Others need room for their next moments and not for their hour: a tenth of an hourly window would be a thousand.
const LARGEST_RESERVE: f64 = 25.0;
/// Counters below this share of the bucket are compared, when they are so far apart: in less, one request more or less
/// decides, and in more the bucket may have been full in between.
const LOW: f64 = 0.2;
const SHORTEST_WATCH: Duration = Duration::from_secs(2);
const LONGEST_WATCH: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
/// How long an answer to the first request after a refusal is waited for before another one may go.
const PROBE: Duration = Duration::from_secs(1);
/// Refusals in a row double the pause up to here, whatever short time each names.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How urgent a request is when tokens are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A write, or a look just before one.
    Confirming,
    /// Everything else. A list can be a minute older; a write that waits for its look cannot go on.
    Looking,
}

impl Urgency {
    /// What of a bucket is left to others of the same identity. It also covers requests that were under way when a
    /// counter was sent.
    fn reserve(self, size: f64) -> f64 {
        let share = match self {
            Self::Confirming => 0.05,
            Self::Looking => 0.10,
        };
        (size * share).min(LARGEST_RESERVE)
    }
}

/// Which of a bucket's requests one was, so that refusals of what was sent before the last one teach nothing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// One token bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    /// None: nothing is known to limit it.
    limit: Option<Limit>,
    /// The documented rate, which a learnt one comes back to. None for a provider's own limit.
    documented: Option<f64>,
    /// No request goes before this moment, and then one alone until it is answered.
    closed_until: Option<Instant>,
    next: u64,
    /// What was sent before this one was answered by the last refusal, or is no news.
    refused_before: u64,
    in_a_row: u32,
    /// When the requests of the last minute went, for a bucket without a known limit.
    sent: VecDeque<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    size: f64,
    per_second: f64,
    level: f64,
    /// The level is of this moment.
    at: Instant,
    /// A counter that was low, when, and how many had been sent by then: what the next low one is compared with.
    low: Option<(f64, Instant, u64)>,
}

impl Bucket {
    /// A bucket that is full, of the size that is documented.
    pub(super) fn documented(allowance: Allowance, now: Instant) -> Self {
        let size = f64::from(allowance.size);
        let per_second = f64::from(allowance.per_hour) / 3600.0;
        let limit = Limit { size, per_second, level: size, at: now, low: None };
        Self { documented: Some(per_second), limit: Some(limit), ..Self::unlimited() }
    }

    /// A bucket that limits nothing until Azure says so.
    pub(super) fn unlimited() -> Self {
        Self {
            limit: None,
            documented: None,
            closed_until: None,
            next: 0,
            refused_before: 0,
            in_a_row: 0,
            sent: VecDeque::new(),
        }
    }

    /// Takes a token, or says how long to wait before it is worth asking again. `patience`: how much of its longest
    /// wait the request has left, from 1 down to 0. Who has none left is served from what is kept for others, so that
    /// lists come through however many confirmations there are.
    pub(super) fn take(&mut self, urgency: Urgency, patience: f64, now: Instant) -> Result<Ticket, Duration> {
        self.advance(now);
        if let Some(until) = self.closed_until {
            if now < until {
                return Err(until - now);
            }
            // One to find out. Its answer opens the bucket, or closes it again.
            self.closed_until = Some(now + PROBE);
            if let Some(limit) = &mut self.limit {
                limit.level = (limit.level - 1.0).max(0.0);
            }
            return Ok(self.ticket(now));
        }
        if let Some(limit) = &mut self.limit {
            let needed = 1.0 + urgency.reserve(limit.size) * patience;
            if limit.level < needed {
                return Err(limit.time_to(needed));
            }
            limit.level -= 1.0;
        }
        Ok(self.ticket(now))
    }

    /// How long the request behind `ahead` others waits at least.
    pub(super) fn wait(&mut self, ahead: usize, now: Instant) -> Duration {
        self.advance(now);
        let closed = self.closed_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        #[expect(clippy::cast_precision_loss, reason = "nobody waits behind 2^52 others")]
        let queue = self.limit.map_or(Duration::ZERO, |limit| limit.time_to(1.0 + ahead as f64));
        closed.max(queue)
    }

    /// Whether Azure has asked for silence that is not over.
    pub(super) fn closed_for(&self, now: Instant) -> Option<Duration> {
        self.closed_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Whether a request that holds this ticket came too late: Azure has asked for silence since, and it is not
    /// over. The one that goes to find out holds a younger ticket than the refusal.
    pub(super) fn outdated(&self, ticket: Ticket, now: Instant) -> Option<Duration> {
        self.closed_for(now).filter(|_| ticket.0 < self.refused_before)
    }

    /// A token that was not used. Where it was the one that should find out, another may.
    pub(super) fn give_back(&mut self, ticket: Ticket, now: Instant) {
        if let Some(limit) = &mut self.limit {
            limit.level = (limit.level + 1.0).min(limit.size);
        }
        if ticket.0 >= self.refused_before && ticket.0 + 1 == self.next {
            self.closed_until = self.closed_until.map(|until| until.min(now));
        }
    }

    /// An answer that is no refusal, and what its counter says is left.
    ///
    /// The counter may come from another front end than the one before, with tokens of its own (successive answers can
    /// go up). A lower one is believed at once; a higher one gives back the token of this request and no more, so that
    /// the emptiest of them sets the pace and a larger bucket than documented is found out all the same.
    pub(super) fn answered(&mut self, ticket: Ticket, left: Option<f64>, now: Instant) {
        self.advance(now);
        if ticket.0 >= self.refused_before {
            (self.closed_until, self.in_a_row) = (None, 0);
        }
        let Some(left) = left else { return };
        // A provider's counter is all that is known of its limit.
        let first = Limit { size: left, per_second: left.max(1.0) / COUNTER_REFILL, level: left, at: now, low: None };
        let limit = self.limit.get_or_insert(first);
        limit.level = left.min(limit.level + 1.0).min(limit.size);
        limit.watch(left, self.next, self.documented, now);
    }

    /// A refusal: nothing more until Azure says, and slower after that.
    pub(super) fn refused(&mut self, ticket: Ticket, retry_after: Option<Duration>, now: Instant) {
        self.advance(now);
        if ticket.0 >= self.refused_before {
            self.in_a_row += 1;
            // Only the first: that a lone request comes too early says nothing about the rate.
            if self.in_a_row == 1 {
                self.slow_down(now);
            }
        }
        self.refused_before = self.next;
        if let Some(limit) = &mut self.limit {
            limit.level = 0.0;
        }
        if let Some(told) = retry_after {
            // Told twice in a row to come back in a moment that was too early, we stop believing in the moment.
            let doubled = told.saturating_mul(2_u32.saturating_pow(self.in_a_row.saturating_sub(2)));
            let until = now + doubled.min(LONGEST_PAUSE).max(told);
            self.closed_until = self.closed_until.max(Some(until));
        }
    }

    fn slow_down(&mut self, now: Instant) {
        if let Some(limit) = &mut self.limit {
            limit.per_second = (limit.per_second * AFTER_A_REFUSAL).max(SLOWEST);
            return;
        }
        // The one that was refused is the last of them.
        let accepted = u32::try_from(self.sent.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let per_second = (f64::from(accepted) / MINUTE.as_secs_f64() * OF_WHAT_WAS_ACCEPTED).max(SLOWEST);
        // Ten seconds' worth may go at once: enough for a pass, too little to run into the limit again.
        self.limit = Some(Limit { size: (10.0 * per_second).max(1.0), per_second, level: 0.0, at: now, low: None });
    }

    fn ticket(&mut self, now: Instant) -> Ticket {
        if self.documented.is_none() {
            while self.sent.front().is_some_and(|moment| now.duration_since(*moment) >= MINUTE) {
                self.sent.pop_front();
            }
            self.sent.push_back(now);
        }
        self.next += 1;
        Ticket(self.next - 1)
    }

    /// Refills and recovers up to `now`.
    fn advance(&mut self, now: Instant) {
        let Some(limit) = &mut self.limit else { return };
        let passed = now.saturating_duration_since(limit.at);
        limit.level = (limit.level + passed.as_secs_f64() * limit.per_second).min(limit.size);
        limit.at = now.max(limit.at);
        let recovered = limit.per_second * RECOVERY_PER_MINUTE.powf(passed.as_secs_f64() / MINUTE.as_secs_f64());
        limit.per_second = recovered.min(self.documented.unwrap_or(f64::MAX));
        if self.documented.is_none() && limit.per_second > FORGOTTEN {
            self.limit = None;
        }
    }
}

impl Limit {
    /// Learns from two low counters what comes back between them, less what others take. Full buckets tell nothing.
    fn watch(&mut self, left: f64, sent: u64, documented: Option<f64>, now: Instant) {
        if left > self.size * LOW {
            self.low = None;
            return;
        }
        let Some((before, at, sent_before)) = self.low else {
            self.low = Some((left, now, sent));
            return;
        };
        let passed = now.saturating_duration_since(at);
        if passed < SHORTEST_WATCH {
            return;
        }
        self.low = Some((left, now, sent));
        if passed > LONGEST_WATCH {
            return;
        }
        let ours = f64::from(u32::try_from(sent - sent_before).unwrap_or(u32::MAX));
        let seen = (left - before + ours) / passed.as_secs_f64();
        let seen = seen.clamp(SLOWEST, documented.unwrap_or(f64::MAX));
        // Down at once, up by halves: front ends take turns, and the emptiest of them sets the pace.
        self.per_second = if seen < self.per_second { seen } else { f64::midpoint(seen, self.per_second) };
    }

    fn time_to(&self, level: f64) -> Duration {
        let seconds = (level - self.level).max(0.0) / self.per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests;
