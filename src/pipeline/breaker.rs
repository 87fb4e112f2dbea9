//! Stops all writes of a subscription when too much changes at once: what looks like a thousand incidents is more likely
//! one mistake, of ours or of somebody who can still undo it.
//!
//! The baseline of lists is this process's memory, that of policies is their status. Both can only hold a write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{api::FunctionIdentityPolicy, model::Census};

/// Fewer than this are never "too many at once".
const SMALLEST: usize = 5;

/// What is too much, as shares of what was there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerLimits {
    /// The share of policies in order that may drift at once. 1 never stops.
    pub drift: f64,
    /// The share of entries that a list may lose between two surveys. 1 never stops.
    pub shrink: f64,
}

impl Default for BreakerLimits {
    /// Half: an incident of one team is repaired, one of everybody is looked at by a person.
    fn default() -> Self {
        Self { drift: 0.5, shrink: 0.5 }
    }
}

/// What was seen of each subscription.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    limits: BreakerLimits,
    seen: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// The survey that was looked at last.
    last: Timestamp,
    /// The last one whose lists were believed.
    baseline: Census,
    /// Whether there was an earlier one.
    is_known: bool,
    shrunk: Option<String>,
    drifted: Option<(Timestamp, Option<String>)>,
}

impl Breaker {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self { limits, seen: Mutex::default() }
    }

    /// Takes note of a survey's lists.
    pub(super) fn note(&self, subscription: &str, census: Census) {
        let mut all = self.entries();
        let Some(seen) = all.get_mut(subscription) else {
            // Without a whole survey there is nothing to compare with.
            if census.grants.is_some() {
                let first = Seen { last: census.began, baseline: census, is_known: false, shrunk: None, drifted: None };
                all.insert(subscription.to_owned(), first);
            }
            return;
        };
        if census.began <= seen.last || census.grants.is_none() {
            return;
        }
        seen.last = census.began;
        seen.is_known = true;
        seen.shrunk = shrunk(&seen.baseline, &census, self.limits.shrink);
        if seen.shrunk.is_none() {
            seen.baseline = census;
        }
    }

    /// A grant that we deleted ourselves is not one that got lost.
    pub(super) fn forgive_one_grant(&self, subscription: &str) {
        if let Some(seen) = self.entries().get_mut(subscription) {
            seen.baseline.grants = seen.baseline.grants.map(|grants| grants.saturating_sub(1));
        }
    }

    /// Whether it is known yet how many policies drifted in the survey that was noted last.
    pub(super) fn is_counted(&self, subscription: &str) -> bool {
        self.entries()
            .get(subscription)
            .is_some_and(|seen| seen.drifted.as_ref().is_some_and(|(at, _)| *at == seen.last))
    }

    /// Takes note of how many of the policies that were in order drifted in the survey that was noted last.
    pub(super) fn count(&self, subscription: &str, drifted: usize, were_in_order: usize) {
        if let Some(seen) = self.entries().get_mut(subscription) {
            let too_many = drifted >= SMALLEST && share(drifted, were_in_order) > self.limits.drift;
            let why = too_many.then(|| {
                format!(
                    "{drifted} of {were_in_order} policies that were in order drifted at once; when that is meant, \
                     run the operator with a larger `--max-drift-share`"
                )
            });
            seen.drifted = Some((seen.last, why));
        }
    }

    /// The subscriptions in which nothing is written, with the reason.
    pub(super) fn stopped(&self) -> BTreeMap<String, String> {
        let all = self.entries();
        let why = |seen: &Seen| seen.shrunk.clone().or_else(|| seen.drifted.as_ref()?.1.clone());
        all.iter().filter_map(|(subscription, seen)| Some((subscription.clone(), why(seen)?))).collect()
    }

    /// The subscriptions that were surveyed more than once.
    pub(super) fn known(&self) -> BTreeSet<String> {
        let all = self.entries();
        all.iter().filter(|(_, seen)| seen.is_known).map(|(subscription, _)| subscription.clone()).collect()
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a policy's status says that it was in order, or that it would be repaired if the breaker let it. A policy
/// that nobody has looked at drifted from nothing.
pub(super) fn was_in_order(policy: &FunctionIdentityPolicy) -> bool {
    let conditions = policy.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|condition| match condition.type_.as_str() {
        "Drifted" => condition.status == "False",
        "Stalled" => condition.reason == "BreakerOpen",
        _ => false,
    })
}

fn shrunk(before: &Census, now: &Census, most: f64) -> Option<String> {
    let lists = [
        ("apps", before.sites, now.sites),
        ("user-assigned identities", before.identities, now.identities),
        ("vaults", before.vaults, now.vaults),
        ("role assignments", before.grants, now.grants),
    ];
    lists.into_iter().find_map(|(what, before, now)| {
        let (before, now) = (before?, now?);
        let lost = before.saturating_sub(now);
        let too_many = lost >= SMALLEST && share(lost, before) > most;
        too_many.then(|| {
            format!(
                "the list of {what} shrank from {before} to {now}; when that is meant, restart the operator, which \
                 takes the lists that it finds for granted"
            )
        })
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of policies and list entries are far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(second: i64, grants: usize) -> Census {
        let began = Timestamp::from_second(second).unwrap();
        Census { began, sites: Some(40), identities: Some(3), vaults: None, grants: Some(grants) }
    }

    fn reasons(breaker: &Breaker) -> Vec<String> {
        breaker.stopped().into_values().collect()
    }

    #[test]
    fn a_list_that_loses_more_than_half_stops_writes_until_it_is_back() {
        let breaker = Breaker::default();
        breaker.note("s", census(1, 100));
        breaker.note("s", census(2, 51));
        assert_eq!(reasons(&breaker), Vec::<String>::new());
        breaker.note("s", census(3, 20));
        assert!(reasons(&breaker)[0].contains("role assignments shrank from 51 to 20"), "{:?}", reasons(&breaker));
        breaker.note("s", census(4, 20));
        assert_eq!(reasons(&breaker).len(), 1, "the short list is not the new measure");
        breaker.note("s", census(5, 49));
        assert_eq!(reasons(&breaker), Vec::<String>::new());
    }

    #[test]
    fn a_few_entries_are_never_too_many() {
        let breaker = Breaker::default();
        breaker.note("s", census(1, 4));
        breaker.note("s", census(2, 0));
        assert_eq!(reasons(&breaker), Vec::<String>::new());
    }

    #[test]
    fn what_we_deleted_ourselves_did_not_get_lost() {
        let breaker = Breaker::default();
        breaker.note("s", census(1, 10));
        for _ in 0..6 {
            breaker.forgive_one_grant("s");
        }
        breaker.note("s", census(2, 4));
        assert_eq!(reasons(&breaker), Vec::<String>::new());
    }

    #[test]
    fn a_list_that_was_not_read_says_nothing() {
        let breaker = Breaker::default();
        breaker.note("s", census(1, 100));
        breaker.note("s", Census { grants: None, ..census(2, 0) });
        assert_eq!(reasons(&breaker), Vec::<String>::new());
        assert_eq!(breaker.known().len(), 0, "an unread survey is no second look");
    }

    #[test]
    fn the_same_survey_twice_is_no_baseline() {
        let breaker = Breaker::default();
        breaker.note("s", census(1, 9));
        breaker.note("s", census(1, 9));
        assert!(breaker.known().is_empty());
        breaker.note("s", census(2, 9));
        assert!(breaker.known().contains("s"));
    }

    #[test]
    fn more_than_half_of_the_policies_at_once_stop_writes() {
        let breaker = Breaker::default();
        breaker.note("s", census(1, 9));
        for (drifted, were, stops) in [(5, 10, false), (6, 10, true), (4, 4, false), (5, 5, true), (0, 0, false)] {
            breaker.count("s", drifted, were);
            assert_eq!(breaker.stopped().contains_key("s"), stops, "{drifted} of {were}");
        }
    }
}
