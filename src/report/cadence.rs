//! When to look again: one class of situation, one cadence.

use std::time::Duration;

use jiff::Timestamp;

use super::{Pass, PassResult, Report, Situation};
use crate::{
    evaluate::Finding,
    model::{Failure, FailureClass},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// After a change: long enough for Azure to show it in a list, short enough for a person who watches.
const AFTER_A_CHANGE: Duration = Duration::from_secs(5);

/// Time until the next pass; none when only a change of the policy or of a boundary can help.
///
/// `unsettled_since`: since when the policy has been in this situation, as its status shows. Waiting as long again as
/// it has lasted is a backoff that needs no counter and survives restarts.
#[must_use]
pub fn next_pass(report: &Report, unsettled_since: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let PassResult::Evaluated(pass) = &report.finding else { return None };
    let interval = pass.policy.interval;
    let lasted = unsettled_since
        .map(|since| now.duration_since(since))
        .and_then(|lasted| Duration::try_from(lasted).ok())
        .unwrap_or_default();
    let wait = match report.situation() {
        Situation::Compliant
        | Situation::CompliantWithFindings
        | Situation::DriftReported
        | Situation::DriftGated
        | Situation::Held(_) => interval,
        // Time may bring it back, and nobody is helped by a look every few seconds.
        Situation::TargetNotFound => interval.min(5 * MINUTE),
        Situation::Remediating => AFTER_A_CHANGE,
        Situation::Propagating(until) => {
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            interval.min(left + SECOND).max(AFTER_A_CHANGE)
        }
        Situation::Undetermined(failure) => failure.as_ref().map_or(interval, |failure| after_failure(failure, lasted)),
        Situation::Retrying(failure) | Situation::Failing(failure) => after_failure(&failure, lasted),
        Situation::InvalidSpec | Situation::OutsideBoundary | Situation::DuplicateTarget => return None,
    };
    Some(wait.max(told(pass)))
}

/// The longest that Azure told us to wait, whatever else came of the pass: one throttled call among ten is a reason
/// for all of them.
fn told(pass: &Pass) -> Duration {
    let read = pass.evaluation.findings.iter().filter_map(|finding| match finding {
        Finding::Unreadable { failure, .. } => Some(failure),
        _ => None,
    });
    read.chain(pass.execution.failures()).filter_map(|failure| failure.retry_after).max().unwrap_or_default()
}

fn after_failure(failure: &Failure, lasted: Duration) -> Duration {
    match failure.class {
        FailureClass::Waiting => lasted.clamp(15 * SECOND, 5 * MINUTE),
        // Never sooner than told: an earlier try is not processed and gets a new, later time.
        FailureClass::Throttled => failure.retry_after.unwrap_or(30 * SECOND).max(SECOND),
        FailureClass::Transient => lasted.clamp(5 * SECOND, 5 * MINUTE),
        FailureClass::Denied => 15 * MINUTE,
        FailureClass::Blocked => 30 * MINUTE,
        FailureClass::Rejected | FailureClass::Bug => 60 * MINUTE,
    }
}

/// Spreads policies that were applied at one moment: up to a tenth more, the same for a policy every time.
#[must_use]
pub fn jitter(wait: Duration, namespace: &str, name: &str) -> Duration {
    // FNV-1a: stable across versions and processes, which the standard hasher does not promise.
    let hash = namespace
        .bytes()
        .chain([b'/'])
        .chain(name.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let thousandths = u32::try_from(hash % 1000).unwrap_or_default();
    // Divided first: an interval of a million years is valid and must not overflow.
    wait.saturating_add((wait / 10_000).saturating_mul(thousandths))
}
