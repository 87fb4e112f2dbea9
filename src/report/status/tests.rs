//! The status table of the design, row by row, and what keeps a status still, small and valid.

use std::{sync::LazyLock, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    api::{Gate, Mode},
    evaluate::fixtures::{World, failure, minutes_ago, now},
    model::{Reading, Scope},
    policy::{
        Origin, Policy, PolicyError, Unchecked, Violation,
        fixtures::{app, declare, host_account, policy, queue, shared, trigger},
    },
    report::{
        ExitCode,
        cadence::next_pass,
        fixtures::{acted, failed, looked, report},
    },
};

mod bounds;

fn in_mode(mode: Mode) -> Policy {
    policy(|spec| {
        spec.mode = mode;
        spec.remediation.allow = vec![crate::api::ChangeKind::GrantRole];
    })
}

fn suspended(mode: Mode) -> Policy {
    Policy { suspended: true, ..in_mode(mode) }
}

fn gated(mode: Mode) -> Policy {
    Policy { gate: Gate::Drift, ..in_mode(mode) }
}

fn not_allowed() -> Policy {
    Policy { allow: [].into(), ..in_mode(Mode::Enforce) }
}

/// Two grants are missing.
fn drifted(policy: &Policy) -> Report {
    looked(policy, &World::without_grants(policy))
}

fn matching(policy: &Policy) -> Report {
    looked(policy, &World::matching(policy))
}

fn repairing(outcomes: &[Outcome]) -> Report {
    let policy = in_mode(Mode::Enforce);
    acted(&policy, &World::without_grants(&policy), |at| outcomes.get(at).cloned())
}

fn propagating(policy: &Policy) -> Report {
    let mut world = World::matching(policy);
    world.each_list(|access| access.grants[0].changed = Some(minutes_ago(1)));
    looked(policy, &world)
}

fn unreadable(class: FailureClass, code: &str) -> Report {
    let policy = in_mode(Mode::Enforce);
    let mut world = World::matching(&policy);
    world.observed.unwitnessed.insert(queue(), failure(class, code));
    looked(&policy, &world)
}

fn refused(class: FailureClass, code: &str) -> Report {
    let policy = in_mode(Mode::Enforce);
    failed(&policy, &World::without_grants(&policy), &failure(class, code))
}

fn gone() -> Report {
    let policy = in_mode(Mode::Enforce);
    let mut world = World::matching(&policy);
    world.observed.target = Reading::Absent { at: now() };
    looked(&policy, &world)
}

fn invalid() -> Report {
    let violation =
        Violation { field: "spec.interval".to_owned(), entry: String::new(), problem: "is too short".to_owned() };
    report(PassResult::Invalid(PolicyError { violations: vec![violation] }))
}

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

fn of<'a>(status: &'a FunctionIdentityPolicyStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// `True Compliant`, or `-` when the condition is not there.
fn shown(status: &FunctionIdentityPolicyStatus, kind: &str) -> String {
    of(status, kind).map_or("-".to_owned(), |found| format!("{} {}", found.status, found.reason))
}

struct Expected {
    row: &'static str,
    report: Report,
    /// How long the same has been seen, in minutes.
    lasted: Option<i64>,
    ready: &'static str,
    reconciling: &'static str,
    stalled: &'static str,
    drifted: &'static str,
    check: ExitCode,
}

const NONE: &str = "-";
const DRIFT: &str = "True DriftDetected";
const NO_DRIFT: &str = "False NoDriftDetected";
const UNKNOWN: &str = "Unknown Undetermined";

#[expect(clippy::too_many_arguments, reason = "the columns of the table")]
fn row(
    row: &'static str,
    report: Report,
    lasted: Option<i64>,
    ready: &'static str,
    reconciling: &'static str,
    stalled: &'static str,
    drifted: &'static str,
    check: ExitCode,
) -> Expected {
    Expected { row, report, lasted, ready, reconciling, stalled, drifted, check }
}

static TABLE: LazyLock<Vec<Expected>> = LazyLock::new(table);

#[rustfmt::skip]
fn table() -> Vec<Expected> {
    use ExitCode::{Compliant, Drift, Error, Undetermined};
    use FailureClass::{Blocked, Bug, Denied, Rejected, Throttled, Transient, Waiting};
    let moved = || Outcome::Moved("the identities have changed".to_owned());
    let conditioned = || Outcome::Held(HoldReason::ConditionedAssignmentExists);
    let uncertain = || Outcome::Held(HoldReason::LeaseUncertain);
    let outside = PassResult::OutsideBoundary(vec![app()]);
    let duplicate = PassResult::Duplicate("payments/older".to_owned());
    vec![
        row("match", matching(&in_mode(Mode::Enforce)), None, "True Compliant", NONE, NONE, NO_DRIFT, Compliant),
        row("match, Report, gated", matching(&gated(Mode::Report)), None, "True Compliant", NONE, NONE, NO_DRIFT, Compliant),
        row("drift, Report", drifted(&in_mode(Mode::Report)), None, "True DriftReported", NONE, NONE, DRIFT, Drift),
        row("drift, DryRun", drifted(&in_mode(Mode::DryRun)), None, "True DriftReported", NONE, NONE, DRIFT, Drift),
        row("drift, Report, gated", drifted(&gated(Mode::Report)), None, "False DriftDetected", NONE, "True DriftDetected", DRIFT, Drift),
        row("drift, DryRun, gated", drifted(&gated(Mode::DryRun)), None, "False DriftDetected", NONE, "True DriftDetected", DRIFT, Drift),
        row("repaired", repairing(&[Outcome::Applied, Outcome::Applied]), None, "Unknown Remediating", "True Progressing", NONE, DRIFT, Drift),
        row("repaired in part", repairing(&[Outcome::Applied, Outcome::Failed(failure(Denied, "AuthorizationFailed"))]), None, "Unknown Remediating", "True Progressing", NONE, DRIFT, Drift),
        row("somebody else did it", repairing(&[Outcome::AlreadyDone, moved()]), None, "Unknown Remediating", "True Progressing", NONE, DRIFT, Drift),
        row("the lease was uncertain", repairing(&[uncertain(), conditioned()]), None, "Unknown Remediating", "True Progressing", NONE, DRIFT, Drift),
        row("would repair", drifted(&in_mode(Mode::Enforce)), None, "Unknown Remediating", "True Progressing", NONE, DRIFT, Drift),
        row("propagating", propagating(&in_mode(Mode::Enforce)), None, "Unknown Propagating", "True Propagating", NONE, NO_DRIFT, Drift),
        row("propagating, Report", propagating(&in_mode(Mode::Report)), Some(60), "Unknown Propagating", "True Propagating", NONE, NO_DRIFT, Drift),
        row("held", drifted(&not_allowed()), None, "False Held", NONE, "True NotAllowed", DRIFT, Drift),
        row("held, gate has no say", drifted(&Policy { gate: Gate::Drift, ..not_allowed() }), None, "False Held", NONE, "True NotAllowed", DRIFT, Drift),
        row("held at the write", repairing(&[conditioned(), conditioned()]), None, "False Held", NONE, "True ConditionedAssignmentExists", DRIFT, Drift),
        row("cannot read", unreadable(Denied, "Unwitnessed"), None, "Unknown Undetermined", "True ProgressingWithRetry", NONE, UNKNOWN, Undetermined),
        row("cannot read for 14 minutes", unreadable(Denied, "Unwitnessed"), Some(14), "Unknown Undetermined", "True ProgressingWithRetry", NONE, UNKNOWN, Undetermined),
        row("cannot read for 15 minutes", unreadable(Denied, "Unwitnessed"), Some(15), "Unknown Undetermined", NONE, "True Undetermined", UNKNOWN, Undetermined),
        row("cannot read for long", unreadable(Denied, "Unwitnessed"), Some(600), "Unknown Undetermined", NONE, "True Undetermined", UNKNOWN, Undetermined),
        row("reading waits", unreadable(Waiting, "PrincipalNotFound"), None, "Unknown Waiting", "True Waiting", NONE, UNKNOWN, Undetermined),
        row("reading is throttled", unreadable(Throttled, "429"), Some(60), "Unknown Throttled", "True Throttled", NONE, UNKNOWN, Undetermined),
        row("reading fails for now", unreadable(Transient, "TransportError"), None, "Unknown Transient", "True Transient", NONE, UNKNOWN, Undetermined),
        row("writing waits", refused(Waiting, "PrincipalNotFound"), None, "Unknown Waiting", "True Waiting", NONE, DRIFT, Undetermined),
        row("writing is throttled", refused(Throttled, "TooManyRequests"), None, "Unknown Throttled", "True Throttled", NONE, DRIFT, Undetermined),
        row("writing fails for now", refused(Transient, "Http500"), None, "Unknown Transient", "True Transient", NONE, DRIFT, Undetermined),
        row("writing is denied", refused(Denied, "AuthorizationFailed"), None, "False AuthorizationFailed", NONE, "True AuthorizationFailed", DRIFT, Undetermined),
        row("writing is blocked", refused(Blocked, "ScopeLocked"), None, "False ScopeLocked", NONE, "True ScopeLocked", DRIFT, Undetermined),
        row("writing is rejected", refused(Rejected, "BadRequest"), None, "False BadRequest", NONE, "True BadRequest", DRIFT, Undetermined),
        row("a bug", refused(Bug, "Undecodable"), None, "False Undecodable", NONE, "True Undecodable", DRIFT, Undetermined),
        row("no app", gone(), None, "False TargetNotFound", "True ProgressingWithRetry", NONE, UNKNOWN, Error),
        row("no app for 14 minutes", gone(), Some(14), "False TargetNotFound", "True ProgressingWithRetry", NONE, UNKNOWN, Error),
        row("no app for 15 minutes", gone(), Some(15), "False TargetNotFound", NONE, "True TargetNotFound", UNKNOWN, Error),
        row("invalid", invalid(), None, "False InvalidSpec", NONE, "True InvalidSpec", UNKNOWN, Error),
        row("outside", report(outside), None, "False OutsideBoundary", NONE, "True OutsideBoundary", UNKNOWN, Error),
        row("second policy", report(duplicate), None, "False DuplicateTarget", NONE, "True DuplicateTarget", UNKNOWN, Error),
        row("suspended, match", matching(&suspended(Mode::Enforce)), None, "True Compliant", NONE, NONE, NO_DRIFT, Compliant),
        row("suspended, drift", drifted(&suspended(Mode::Enforce)), None, "True DriftReported", NONE, NONE, DRIFT, Drift),
        row("suspended, drift, gated", drifted(&Policy { suspended: true, ..gated(Mode::Enforce) }), None, "False DriftDetected", NONE, "True DriftDetected", DRIFT, Drift),
        row("suspended, propagating", propagating(&suspended(Mode::Enforce)), None, "Unknown Propagating", "True Propagating", NONE, NO_DRIFT, Drift),
    ]
}

fn status_of(expected: &Expected) -> FunctionIdentityPolicyStatus {
    let earlier =
        expected.lasted.map(|lasted| status(None, &expected.report, None, now() - SignedDuration::from_mins(lasted)));
    status(earlier.as_ref(), &expected.report, None, now())
}

#[test]
fn every_row_of_the_table_reads_as_designed() {
    for expected in TABLE.iter() {
        let status = status_of(expected);
        let seen = ["Ready", "Reconciling", "Stalled", "Drifted"].map(|kind| shown(&status, kind));
        let Expected { row, ready, reconciling, stalled, drifted, check, report, .. } = expected;
        assert_eq!(seen, [ready, reconciling, stalled, drifted].map(|shown| (*shown).to_owned()), "{row}");
        assert_eq!(report.exit_code(), *check, "{row}");
        assert_eq!(status.suspended, row.starts_with("suspended"), "{row}");
        let says = of(&status, "Ready").unwrap().message.ends_with("suspended: no write");
        assert_eq!(says, status.suspended, "{row}");
    }
}

#[test]
fn advisory_findings_keep_ready_true() {
    // No finding of this version is advisory, so the row is asked for by name.
    let rows = rows(None, &matching(&in_mode(Mode::Enforce)), &Situation::CompliantWithFindings, now());
    let first = rows.first().map(|row| (row.kind, row.status, row.reason.as_str()));
    assert_eq!(first, Some(("Ready", "True", "CompliantWithFindings")));
    assert!(rows.iter().all(|row| row.kind != "Stalled" && row.kind != "Reconciling"));
}

#[test]
fn conditions_are_what_kubernetes_and_kstatus_take() {
    for expected in TABLE.iter() {
        let status = status_of(expected);
        let row = expected.row;
        assert!(of(&status, "Reconciling").is_none() || of(&status, "Stalled").is_none(), "{row}: never both");
        for condition in &status.conditions {
            assert_eq!(condition.observed_generation, Some(7), "{row}");
            assert!(is_reason(&condition.reason), "{row}: {}", condition.reason);
            assert!(!condition.message.is_empty() && !condition.message.ends_with(": "), "{row}: {condition:?}");
            assert!(!condition.message.ends_with('.'), "{row}: {}", condition.message);
        }
        let kinds: Vec<_> = status.conditions.iter().map(|condition| &condition.type_).collect();
        assert!(kinds.iter().enumerate().all(|(at, kind)| !kinds[..at].contains(kind)), "{row}: {kinds:?}");
    }
}

/// `^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`
fn is_reason(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ',' | ':');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner) && !text.ends_with([',', ':'])
}

#[test]
fn the_same_report_gives_the_same_status_and_no_event() {
    for expected in TABLE.iter() {
        let first = status_of(expected);
        for minutes in [1, 10] {
            let again = status(Some(&first), &expected.report, None, later(minutes));
            let turned = of(&first, "Reconciling").is_some() && of(&again, "Stalled").is_some();
            assert!(turned || again == first, "{} after {minutes} minutes", expected.row);
            assert!(turned || event(Some(&first), &again).is_none(), "{}", expected.row);
        }
    }
}

#[test]
fn the_time_of_the_last_look_moves_hourly_or_with_another_change() {
    let report = matching(&in_mode(Mode::Enforce));
    let first = status(None, &report, None, now());
    let at = |status: &FunctionIdentityPolicyStatus| status.last_observed_time.as_ref().map(|time| time.0);
    assert_eq!(at(&first), Some(now()));
    assert_eq!(at(&status(Some(&first), &report, None, later(59))), Some(now()));
    assert_eq!(at(&status(Some(&first), &report, None, later(60))), Some(later(60)));
    let asked = status(Some(&first), &report, Some("2026-03-01T10:05:00Z"), later(5));
    assert_eq!((at(&asked), asked.last_handled_reconcile_at.as_str()), (Some(later(5)), "2026-03-01T10:05:00Z"));
    let invalid = status(Some(&first), &invalid(), None, later(5));
    assert_eq!(at(&invalid), Some(now()), "nothing was looked at");
    assert_eq!(at(&status(None, &super::tests::invalid(), None, now())), None);
}

#[test]
fn a_condition_keeps_its_time_until_its_status_or_reason_changes() {
    let first = status(None, &matching(&in_mode(Mode::Report)), None, now());
    let second = status(Some(&first), &drifted(&in_mode(Mode::Report)), None, later(5));
    let times = |status: &FunctionIdentityPolicyStatus, kind| of(status, kind).unwrap().last_transition_time.0;
    assert_eq!((times(&second, "Ready"), times(&second, "Drifted")), (later(5), later(5)));
    let third = status(Some(&second), &drifted(&in_mode(Mode::DryRun)), None, later(9));
    assert_eq!((times(&third, "Ready"), times(&third, "Drifted")), (later(5), later(5)));
    let mut newer = drifted(&in_mode(Mode::DryRun));
    newer.generation = 8;
    let fourth = status(Some(&third), &newer, None, later(12));
    assert_eq!(times(&fourth, "Ready"), later(5), "a new generation alone is no transition");
    assert_eq!((fourth.observed_generation, of(&fourth, "Ready").unwrap().observed_generation), (8, Some(8)));
}

#[test]
fn patience_ends_after_fifteen_minutes_of_the_same_and_begins_again_after_a_change() {
    let lost = || unreadable(FailureClass::Denied, "Unwitnessed");
    let mut seen = status(None, &lost(), None, now());
    for minutes in [5, 10, 14] {
        seen = status(Some(&seen), &lost(), None, later(minutes));
        assert!(of(&seen, "Stalled").is_none(), "{minutes}");
    }
    let stalled = status(Some(&seen), &lost(), None, later(15));
    assert_eq!(shown(&stalled, "Stalled"), "True Undetermined");
    let (kind, reason, _) = event(Some(&seen), &stalled).expect("the turn is told");
    assert_eq!((kind, reason.as_str()), ("Warning", "Undetermined"));
    let well = status(Some(&stalled), &matching(&in_mode(Mode::Enforce)), None, later(16));
    let again = status(Some(&well), &lost(), None, later(17));
    assert_eq!(shown(&again, "Reconciling"), "True ProgressingWithRetry");
}

#[test]
fn an_event_is_told_on_a_transition_under_the_reason_of_ready() {
    let policy = in_mode(Mode::Report);
    let first = status(None, &matching(&policy), None, now());
    let (kind, reason, note) = event(None, &first).expect("the first look is told");
    assert_eq!((kind, reason.as_str()), ("Normal", "Compliant"));
    assert_eq!(note, of(&first, "Ready").unwrap().message);
    let second = status(Some(&first), &drifted(&policy), None, later(1));
    let (kind, reason, _) = event(Some(&first), &second).expect("drift is told");
    assert_eq!((kind, reason.as_str()), ("Warning", "DriftReported"));
    let back = status(Some(&second), &matching(&policy), None, later(2));
    assert_eq!(
        event(Some(&second), &back).map(|(kind, reason, _)| (kind, reason)),
        Some(("Normal", "Compliant".into()))
    );
}

#[test]
fn more_drift_is_told_and_another_wording_is_not() {
    let policy = in_mode(Mode::Report);
    let mut world = World::without_grants(&policy);
    world.grant(crate::evaluate::fixtures::SYSTEM, "Storage Blob Data Contributor", &host_account());
    let one = status(None, &looked(&policy, &world), None, now());
    let two = status(Some(&one), &drifted(&policy), None, later(1));
    assert_eq!(event(Some(&one), &two).map(|(_, reason, _)| reason), Some("DriftReported".to_owned()));

    let denied = |id: &str| {
        let mut failure = failure(FailureClass::Denied, "AuthorizationFailed");
        failure.text = format!("GET something was answered 403 (correlation id {id})");
        let policy = in_mode(Mode::Enforce);
        failed(&policy, &World::without_grants(&policy), &failure)
    };
    let first = status(None, &denied("aaaa"), None, now());
    let second = status(Some(&first), &denied("bbbb"), None, later(15));
    assert!(of(&second, "Ready").unwrap().message.contains("bbbb"));
    assert_eq!(event(Some(&first), &second), None);
}

#[test]
fn a_hold_is_explained_wherever_it_comes_from() {
    let message = |report: &Report| of(&status(None, report, None, now()), "Ready").unwrap().message.clone();
    assert!(message(&drifted(&not_allowed())).contains("held: `remediation.allow` does not list `GrantRole`"));
    let at_the_write = repairing(&[Outcome::Held(HoldReason::ConditionedAssignmentExists)]);
    assert!(message(&at_the_write).contains("held: the same role assignment exists with a condition"));
    let mut capped = drifted(&in_mode(Mode::Enforce));
    if let PassResult::Evaluated(pass) = &mut capped.finding {
        pass.plan.mode = Mode::DryRun;
    }
    assert_eq!(shown(&status(None, &capped, None, now()), "Stalled"), "True BoundaryMode");
    assert!(message(&capped).contains("held: the boundary over the app allows no more than `DryRun`"));
}
