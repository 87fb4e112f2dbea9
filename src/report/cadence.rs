//! When to look again: one class of situation, one cadence.

use std::time::Duration;

use jiff::Timestamp;

use super::{Pass, PassResult, Recovery, Report, Situation};
use crate::{
    evaluate::{Finding, RECOVERS_WITHIN},
    model::{Failure, FailureClass},
    plan::{HoldReason, Outcome},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// After a change: long enough for Azure to show it in a list, short enough for a person who watches.
const AFTER_A_CHANGE: Duration = Duration::from_secs(5);

/// Time until the next pass, before it is spread; none when only a change of the policy or of a boundary can help.
///
/// `unsettled_since`: since when the policy has been in this situation, as its status shows. Waiting as long again as
/// it has lasted is a backoff that needs no counter and survives restarts.
pub(super) fn next_pass(report: &Report, unsettled_since: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let PassResult::Evaluated(pass) = &report.finding else { return None };
    let interval = pass.policy.interval;
    let lasted = unsettled_since
        .map(|since| now.duration_since(since))
        .and_then(|lasted| Duration::try_from(lasted).ok())
        .unwrap_or_default();
    let wait = match report.situation() {
        // A rehearsal found that the drift is none any more.
        Situation::DriftReported | Situation::DriftGated if pass.execution.found_another_world() => {
            interval.min(lasted.clamp(AFTER_A_CHANGE, 5 * MINUTE))
        }
        Situation::Compliant | Situation::CompliantWithFindings | Situation::DriftReported | Situation::DriftGated => {
            interval
        }
        Situation::Held(_) => room_at(pass, now).map_or(interval, |wait| interval.min(wait)),
        // Time may bring it back, and nobody is helped by a look every few seconds.
        Situation::TargetNotFound => interval.min(5 * MINUTE),
        // Backing off, for a change that Azure accepts and does not show.
        Situation::Remediating => lasted.clamp(AFTER_A_CHANGE, 5 * MINUTE),
        Situation::Propagating(until) => {
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            interval.min(left + SECOND).max(AFTER_A_CHANGE)
        }
        Situation::Undetermined(failure) => failure.as_ref().map_or(interval, |failure| after_failure(failure, lasted)),
        Situation::Retrying(failure) | Situation::Failing(failure) => after_failure(&failure, lasted),
        Situation::InvalidSpec | Situation::OutsideBoundary | Situation::DuplicateTarget => return None,
    };
    // A recovery is waited for by people.
    let wait = match pass.aftermath.recovery {
        Recovery::Awaited { in_order_since: Some(since) } if pass.policy.evidence.is_some() => {
            let left =
                Duration::try_from(RECOVERS_WITHIN.saturating_sub(now.duration_since(since))).unwrap_or_default();
            if left.is_zero() { wait.min(5 * MINUTE) } else { wait.min(left + SECOND) }
        }
        Recovery::Awaited { .. } | Recovery::NotAwaited => wait,
    };
    // Whether the host was made anew is a question of minutes, whatever else has time.
    let wait = if pass.aftermath.pending_restart.is_some() { wait.min(RECYCLES_WITHIN) } else { wait };
    Some(wait.max(told(pass)))
}

/// A little longer than an identity write is left alone.
const RECYCLES_WITHIN: Duration = Duration::from_secs(130);

/// How long until a hold ends by itself, for those that do.
fn room_at(pass: &Pass, now: Timestamp) -> Option<Duration> {
    let tried = pass.execution.outcomes.iter().filter_map(|entry| match &entry.outcome {
        Outcome::Held(reason) => Some(reason),
        _ => None,
    });
    let waits = pass.plan.held.iter().map(|held| &held.reason).chain(tried).filter_map(|reason| match reason {
        HoldReason::NoBaseline => Some(A_SECOND_LOOK),
        HoldReason::AnotherIdentityWrite => Some(AFTER_A_CHANGE),
        HoldReason::WriteBudget(until) => Duration::try_from(until.duration_since(now)).ok().map(|left| left + SECOND),
        _ => None,
    });
    waits.min()
}

/// Until a subscription that was seen for the first time is looked at again: the age at which a survey is made anew.
const A_SECOND_LOOK: Duration = Duration::from_secs(65);

/// The longest `Retry-After` that is believed: more is a mistake, and would park a policy for good.
const LONGEST_TOLD: Duration = Duration::from_secs(60 * 60);

/// The longest that Azure told us to wait, whatever else came of the pass: one throttled call among ten is a reason
/// for all of them.
fn told(pass: &Pass) -> Duration {
    let read = pass.evaluation.findings.iter().filter_map(|finding| match finding {
        Finding::Unreadable { failure, .. } => Some(failure),
        _ => None,
    });
    let longest = read.chain(pass.execution.failures()).filter_map(|failure| failure.retry_after).max();
    longest.unwrap_or_default().min(LONGEST_TOLD)
}

fn after_failure(failure: &Failure, lasted: Duration) -> Duration {
    match failure.class {
        FailureClass::Waiting => lasted.clamp(15 * SECOND, 5 * MINUTE),
        // Never sooner than told: an earlier try is not processed and gets a new, later time.
        FailureClass::Throttled => failure.retry_after.unwrap_or(30 * SECOND).clamp(SECOND, LONGEST_TOLD),
        FailureClass::Transient => lasted.clamp(5 * SECOND, 5 * MINUTE),
        FailureClass::Denied => 15 * MINUTE,
        FailureClass::Blocked => 30 * MINUTE,
        FailureClass::Rejected | FailureClass::Bug => 60 * MINUTE,
    }
}

/// The part of an interval over which a sweep is spread. Shorter than a survey of a minute lives at ten minutes, so that
/// one survey serves them all.
const SWEEP: u32 = 12;

/// When the next pass is due; none when only a change of the policy or of a boundary can help.
///
/// What is settled is looked at in sweeps: all policies of a subscription within a twelfth of their interval, each at
/// its own place in it, however their passes were spread before. Everything else waits as long as it must, and up to
/// a tenth more.
#[must_use]
pub fn due(report: &Report, unsettled_since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let wait = next_pass(report, unsettled_since, now)?;
    let PassResult::Evaluated(pass) = &report.finding else { return None };
    let own = hash(&[&report.namespace, &report.name]);
    if wait == pass.policy.interval {
        let together = hash(&[pass.policy.target.subscription().unwrap_or_default()]);
        return Some(next_sweep(now, wait, together, own));
    }
    let wait = jitter(wait, own);
    let wait = jiff::SignedDuration::try_from(wait).unwrap_or(jiff::SignedDuration::MAX);
    Some(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

/// The next time that is at this policy's place in the sweep of its subscription.
fn next_sweep(now: Timestamp, interval: Duration, together: u64, own: u64) -> Timestamp {
    let interval = i128::try_from(interval.as_millis()).unwrap_or(i128::MAX).max(1);
    let spread = (interval / i128::from(SWEEP)).max(1);
    let phase = i128::from(together) % interval + i128::from(own) % spread;
    let now = i128::from(now.as_millisecond());
    let next = ((now - phase).div_euclid(interval) + 1).saturating_mul(interval).saturating_add(phase);
    i64::try_from(next).ok().and_then(|next| Timestamp::from_millisecond(next).ok()).unwrap_or(Timestamp::MAX)
}

/// FNV-1a: stable across versions and processes, which the standard hasher does not promise.
fn hash(words: &[&str]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([b'/']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Up to a tenth more, so that what began at one moment does not stay together.
fn jitter(wait: Duration, own: u64) -> Duration {
    let thousandths = u32::try_from(own % 1000).unwrap_or_default();
    // Divided first: an interval of a million years is valid and must not overflow.
    wait.saturating_add((wait / 10_000).saturating_mul(thousandths))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        api::Mode,
        evaluate::fixtures::{World, failure, minutes_ago, now},
        model::Reading,
        policy::{
            Policy, PolicyError,
            fixtures::{host_account, policy, queue},
        },
        report::fixtures::{acted, failed, looked, report},
    };

    fn enforcing() -> Policy {
        policy(|spec| {
            spec.mode = Mode::Enforce;
            spec.remediation.allow = vec![crate::api::ChangeKind::GrantRole];
        })
    }

    /// The wait after a write that failed like that, when it has failed so for as long.
    fn after(class: FailureClass, lasted: Duration) -> Duration {
        let report = failed(&enforcing(), &World::without_grants(&enforcing()), &failure(class, "SomeCode"));
        let since = now() - jiff::SignedDuration::try_from(lasted).unwrap();
        next_pass(&report, Some(since), now()).expect("it is tried again")
    }

    #[test]
    fn each_class_of_failure_has_its_cadence() {
        let table = [
            (FailureClass::Waiting, 0, 15),
            (FailureClass::Waiting, 60, 60),
            (FailureClass::Waiting, 86_400, 300),
            (FailureClass::Throttled, 0, 30),
            (FailureClass::Transient, 0, 5),
            (FailureClass::Transient, 40, 40),
            (FailureClass::Transient, 86_400, 300),
            (FailureClass::Denied, 0, 900),
            (FailureClass::Denied, 86_400, 900),
            (FailureClass::Blocked, 0, 1800),
            (FailureClass::Rejected, 0, 3600),
            (FailureClass::Bug, 0, 3600),
        ];
        for (class, lasted, wait) in table {
            assert_eq!(after(class, lasted * SECOND), wait * SECOND, "{class:?} for {lasted} s");
        }
    }

    #[test]
    fn a_throttled_call_is_never_tried_sooner_than_told_whatever_else_came_of_the_pass() {
        let told =
            |seconds: u32, class| Failure { retry_after: Some(seconds * SECOND), ..failure(class, "TooManyRequests") };
        let policy = enforcing();
        let mut world = World::without_grants(&policy);
        let wait = |report: &Report| next_pass(report, Some(minutes_ago(1)), now()).unwrap();
        let written = failed(&policy, &world, &told(3000, FailureClass::Throttled));
        assert_eq!(wait(&written), 3000 * SECOND);
        assert_eq!(wait(&failed(&policy, &world, &told(0, FailureClass::Throttled))), SECOND, "never at once");

        // One passing failure, one throttled read and one missing role: drift decides what is said.
        world.observed.unwitnessed.insert(host_account(), told(1234, FailureClass::Throttled));
        let outcomes = |_| Some(Outcome::Failed(failure(FailureClass::Transient, "TransportError")));
        assert_eq!(wait(&acted(&policy, &world, outcomes)), 1234 * SECOND);
        let mut world = World::matching(&policy);
        world.observed.unwitnessed.insert(queue(), failure(FailureClass::Transient, "TransportError"));
        world.observed.unwitnessed.insert(host_account(), told(700, FailureClass::Throttled));
        assert_eq!(wait(&looked(&policy, &world)), 700 * SECOND, "the other failure would be tried in a minute");
    }

    #[test]
    fn what_is_settled_waits_for_the_interval_and_what_moves_does_not() {
        let policy = enforcing();
        let wait = |report: &Report| next_pass(report, None, now());
        assert_eq!(wait(&looked(&policy, &World::matching(&policy))), Some(10 * MINUTE));
        let held = Policy { allow: [].into(), ..policy.clone() };
        assert_eq!(wait(&looked(&held, &World::without_grants(&held))), Some(10 * MINUTE));
        let applied = acted(&policy, &World::without_grants(&policy), |_| Some(Outcome::Applied));
        assert_eq!(wait(&applied), Some(AFTER_A_CHANGE));
        let lease = Outcome::Held(HoldReason::LeaseUncertain);
        let uncertain = acted(&policy, &World::without_grants(&policy), |_| Some(lease.clone()));
        assert_eq!(wait(&uncertain), Some(AFTER_A_CHANGE), "by then it is renewed, or somebody else leads");
        let rehearsing = Policy { mode: Mode::DryRun, ..policy.clone() };
        let world = World::without_grants(&rehearsing);
        assert_eq!(wait(&acted(&rehearsing, &world, |_| Some(Outcome::Rehearsed))), Some(10 * MINUTE));
        let made_meanwhile = acted(&rehearsing, &world, |_| Some(Outcome::AlreadyDone));
        assert_eq!(wait(&made_meanwhile), Some(AFTER_A_CHANGE), "what is told is known to be out of date");
        let mut world = World::matching(&policy);
        world.each_list(|access| access.grants[1].changed = Some(minutes_ago(3)));
        assert_eq!(wait(&looked(&policy, &world)), Some(2 * MINUTE + SECOND), "just after it is certain to act");
        world.observed.target = Reading::Absent { at: now() };
        assert_eq!(wait(&looked(&policy, &world)), Some(5 * MINUTE));
    }

    #[test]
    fn what_only_a_change_can_help_is_not_tried_again() {
        for finding in [
            PassResult::Invalid(PolicyError { violations: Vec::new() }),
            PassResult::Duplicate("payments/older".to_owned()),
            PassResult::OutsideBoundary(vec![queue()]),
        ] {
            assert_eq!(next_pass(&report(finding), None, now()), None);
        }
    }

    #[test]
    fn the_longest_interval_that_a_policy_can_state_does_not_overflow() {
        let patient = policy(|spec| "9999999999999h".clone_into(&mut spec.interval));
        let report = looked(&patient, &World::matching(&patient));
        assert!(due(&report, None, now()).unwrap() > now());
        assert_eq!(jitter(Duration::MAX, 999), Duration::MAX);
        assert!(next_sweep(now(), Duration::MAX, u64::MAX, u64::MAX) > now());
    }

    #[test]
    fn a_place_in_the_sweep_is_the_same_in_every_version() {
        assert_eq!(hash(&["payments", "orders"]), 0xa44d_8a60_f817_48af);
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }

    proptest! {
        #[test]
        fn jitter_adds_up_to_a_tenth(seconds in 0_u32..10_000_000, own: u64) {
            let wait = seconds * SECOND;
            let jittered = jitter(wait, own);
            prop_assert!(jittered >= wait && jittered <= wait + wait / 10);
        }

        #[test]
        fn a_sweep_keeps_the_policies_of_a_subscription_together_wherever_they_were(
            together: u64,
            owns in proptest::collection::vec(any::<u64>(), 2..20),
            passed in proptest::collection::vec(0_i64..600, 20),
            minutes in 1_u32..600,
        ) {
            let interval = minutes * MINUTE;
            let length = jiff::SignedDuration::try_from(interval).unwrap();
            // Passed at any time; two intervals later each has found its place.
            let settled = owns.iter().zip(&passed).map(|(own, passed)| {
                let from = now() + jiff::SignedDuration::from_secs(*passed);
                let first = next_sweep(from, interval, together, *own);
                prop_assert!(first > from && first <= from + length);
                let second = next_sweep(first, interval, together, *own);
                prop_assert_eq!(second, first + length);
                Ok(second.as_millisecond().rem_euclid(length.as_millis().try_into().unwrap()))
            });
            let places = settled.collect::<Result<Vec<i64>, TestCaseError>>()?;
            // On the ring of the interval, all within one arc of a twelfth.
            let length: i64 = length.as_millis().try_into().unwrap();
            let begin = i64::try_from(together % u64::try_from(length).unwrap()).unwrap();
            for place in places {
                prop_assert!((place - begin).rem_euclid(length) < (length / 12).max(1));
            }
        }
    }
}
