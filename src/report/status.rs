//! The status object: conditions as kstatus reads them, findings and plan, bounded.

mod decision;
mod recovery;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Pass, PassResult, Report, Situation, az, words};
use crate::{
    api::{FindingStatus, FunctionIdentityPolicyStatus, HeldStatus, PendingRestart, PlanStatus, StepStatus},
    evaluate::{Finding, Hypothesis},
    model::{Failure, FailureClass},
    plan::{Held, HoldReason, Outcome, Step},
    policy::Unchecked,
};

/// How long something may be unknown or missing before the policy is called stalled.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// How often the time of the last look moves on its own.
const HEARTBEAT: SignedDuration = SignedDuration::from_hours(1);
/// The longest list in status; the schema rests on it.
const LONGEST: usize = 32;
/// The room for findings, steps and holds. With the conditions, at most 12 KiB of the decision and 4 KiB of what is
/// unchecked that is less than 64 KiB, also as `kubectl` prints it: an object is stored whole in etcd at every change and sent whole to everyone who
/// watches.
const FINDINGS_ROOM: usize = 12 * 1024;
const STEPS_ROOM: usize = 20 * 1024;
const HELD_ROOM: usize = 8 * 1024;
/// The most entries of `unchecked`.
const MOST_UNCHECKED: usize = 16;
/// The longest message of a condition that still reads well in `kubectl describe`.
const LONGEST_MESSAGE: usize = 1024;

/// One condition before times are known.
struct Row {
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

/// The status after a pass. Equal input gives equal output, and nothing in it moves while nothing changes, so that
/// `previous == status(..)` means that there is nothing to write.
#[must_use]
pub fn status(
    previous: Option<&FunctionIdentityPolicyStatus>,
    report: &Report,
    handled: Option<&str>,
    now: Timestamp,
) -> FunctionIdentityPolicyStatus {
    let situation = report.situation();
    let rows = rows(previous, report, &situation, now);
    let known = previous.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let conditions = rows.into_iter().map(|row| condition(known, row, report.generation, now)).collect();
    let pass = match &report.finding {
        PassResult::Evaluated(pass) => Some(pass),
        PassResult::Invalid(_) | PassResult::Duplicate(_) | PassResult::OutsideBoundary(_) => None,
    };
    let (findings, truncated) = within(FINDINGS_ROOM, pass.iter().flat_map(|pass| findings(pass)));
    let decided = previous.and_then(|status| status.decision.as_ref());
    let untold = pass.map_or(0, |pass| u32::try_from(pass.evaluation.untold).unwrap_or(u32::MAX));
    let truncated = truncated.saturating_add(untold);
    let mut status = FunctionIdentityPolicyStatus {
        observed_generation: report.generation,
        conditions,
        suspended: report.suspended(),
        last_observed_time: None,
        last_handled_reconcile_at: handled_token(handled.unwrap_or_default()),
        target: pass.map(|pass| pass.policy.target.to_string()).unwrap_or_default(),
        hypothesis: pass
            .and_then(|pass| pass.evaluation.decision.cause)
            .map(|cause: Hypothesis| format!("{cause:?}"))
            .unwrap_or_default(),
        severity: pass.and_then(|pass| pass.evaluation.severity).map(|it| it.word().to_owned()).unwrap_or_default(),
        decision: pass.map(|pass| decision::decision(decided, pass, now)),
        findings,
        truncated,
        unchecked: pass.map(|pass| unchecked(pass.policy.not_checked())).unwrap_or_default(),
        pending_restart: pass
            .and_then(|pass| pass.aftermath.pending_restart)
            .map(|(since, restarted)| PendingRestart { since: in_whole_seconds(since), restarted }),
        references_refreshed_time: pass.and_then(|pass| pass.aftermath.references_refreshed).map(in_whole_seconds),
        plan: pass.and_then(|pass| plan(pass)),
    };
    // The time moves with another change, or hourly: a status that changes at every pass is a write at every pass.
    let last = previous.and_then(|previous| previous.last_observed_time.clone());
    let due = last.as_ref().is_none_or(|Time(at)| now.duration_since(*at) >= HEARTBEAT);
    status.last_observed_time.clone_from(&last);
    if pass.is_some() && (due || previous.is_none_or(|previous| *previous != status)) {
        status.last_observed_time = Some(Time(now));
    }
    status
}

/// What cannot be checked; the last entry counts what there is no room for.
fn unchecked<'a>(entries: impl Iterator<Item = &'a Unchecked>) -> Vec<String> {
    let mut told: Vec<_> = entries.map(|entry| cut(&words::unchecked(entry), 256)).collect();
    if told.len() > MOST_UNCHECKED {
        let more = told.len() - (MOST_UNCHECKED - 1);
        told.truncate(MOST_UNCHECKED - 1);
        told.push(format!("{more} more"));
    }
    told
}

/// A moment as Kubernetes stores it. What a process remembers more finely would differ from its own status at every pass.
fn in_whole_seconds(moment: Timestamp) -> Time {
    Time(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
}

/// A request for a pass as status echoes it: as much of it as the schema has room for.
#[must_use]
pub fn handled_token(requested: &str) -> String {
    cut(requested, 256)
}

/// The Kubernetes event of a transition, when there is one: type, reason and note. Its reason is the reason of `Ready`.
///
/// A transition is another answer of `Ready`, the turn to `Stalled`, or other findings; never another wording, because
/// the words of a failure are Azure's.
#[must_use]
pub fn event(
    previous: Option<&FunctionIdentityPolicyStatus>,
    current: &FunctionIdentityPolicyStatus,
) -> Option<(&'static str, String, String)> {
    let is_stalled = |status: &FunctionIdentityPolicyStatus| status.condition("Stalled").is_some();
    let now = current.condition("Ready")?;
    let stalled = is_stalled(current);
    let same = previous.is_some_and(|previous| {
        let about = |status: &FunctionIdentityPolicyStatus| {
            let findings = status.findings.iter().map(|finding| (finding.code.clone(), finding.subject.clone()));
            (findings.collect::<Vec<_>>(), status.truncated)
        };
        let ready = previous.condition("Ready");
        let answer = ready.is_some_and(|before| before.status == now.status && before.reason == now.reason);
        answer && is_stalled(previous) == stalled && about(previous) == about(current)
    });
    if same {
        return recovery::event(previous, current);
    }
    let drifted = current.condition("Drifted").is_some_and(|drifted| drifted.status == "True");
    let kind = if now.status == "False" || stalled || drifted { "Warning" } else { "Normal" };
    Some((kind, now.reason.clone(), now.message.clone()))
}

/// The status table of the design, one arm a row.
fn rows(
    previous: Option<&FunctionIdentityPolicyStatus>,
    report: &Report,
    situation: &Situation,
    now: Timestamp,
) -> Vec<Row> {
    let message = message(report, situation);
    let row = |kind, status, reason: &str| Row { kind, status, reason: reason.to_owned(), message: message.clone() };
    let ready = |status, reason: &str| row("Ready", status, reason);
    let progress = |reason: &str| row("Reconciling", "True", reason);
    let stalled = |reason: &str| row("Stalled", "True", reason);
    // `ProgressingWithRetry` while there is hope, `Stalled` when it has lasted too long.
    let patiently = |reason: &str| {
        let waited = waited_since(previous, reason).is_some_and(|since| now.duration_since(since) >= PATIENCE);
        if waited { stalled(reason) } else { progress("ProgressingWithRetry") }
    };
    let mut rows = match situation {
        Situation::Compliant => vec![ready("True", "Compliant")],
        Situation::CompliantWithFindings => vec![ready("True", "CompliantWithFindings")],
        Situation::DriftReported => vec![ready("True", "DriftReported")],
        Situation::DriftGated => vec![ready("False", "DriftDetected"), stalled("DriftDetected")],
        Situation::Remediating => vec![ready("Unknown", "Remediating"), progress("Progressing")],
        Situation::Propagating(_) => vec![ready("Unknown", "Propagating"), progress("Propagating")],
        Situation::Held(reason) => vec![ready("False", "Held"), stalled(reason)],
        Situation::Undetermined(_) => vec![ready("Unknown", "Undetermined"), patiently("Undetermined")],
        Situation::Retrying(failure) => {
            let reason = class_reason(failure);
            vec![ready("Unknown", reason), progress(reason)]
        }
        Situation::Failing(failure) => {
            // Drift that cannot be repaired is certain; without drift nothing would have been tried.
            vec![ready("False", &failure.code), stalled(&failure.code)]
        }
        Situation::TargetNotFound => vec![ready("False", "TargetNotFound"), patiently("TargetNotFound")],
        Situation::InvalidSpec => vec![ready("False", "InvalidSpec"), stalled("InvalidSpec")],
        Situation::OutsideBoundary => vec![ready("False", "OutsideBoundary"), stalled("OutsideBoundary")],
        Situation::DuplicateTarget => vec![ready("False", "DuplicateTarget"), stalled("DuplicateTarget")],
    };
    let (status, reason) = match report.drifted() {
        Some(true) => ("True", "DriftDetected"),
        Some(false) => ("False", "NoDriftDetected"),
        None => ("Unknown", "Undetermined"),
    };
    rows.push(Row { kind: "Drifted", status, reason: reason.to_owned(), message: drift_message(report) });
    if let PassResult::Evaluated(pass) = &report.finding {
        let known = previous.map(|status| status.conditions.as_slice()).unwrap_or_default();
        rows.extend(recovery::row(known, pass, report.generation, now));
    }
    rows
}

/// Since when `Ready` has had this reason.
fn waited_since(previous: Option<&FunctionIdentityPolicyStatus>, reason: &str) -> Option<Timestamp> {
    let ready = previous?.condition("Ready")?;
    (ready.reason == reason).then_some(ready.last_transition_time.0)
}

fn class_reason(failure: &Failure) -> &'static str {
    match failure.class {
        FailureClass::Waiting => "Waiting",
        FailureClass::Throttled => "Throttled",
        FailureClass::Transient => "Transient",
        FailureClass::Denied => "Denied",
        FailureClass::Blocked => "Blocked",
        FailureClass::Rejected => "Rejected",
        FailureClass::Bug => "Bug",
    }
}

/// The time of a condition moves with its status, and with its reason: kstatus users and our own patience ask "since
/// when is it like this".
fn condition(known: &[Condition], row: Row, generation: i64, now: Timestamp) -> Condition {
    let before = known.iter().find(|condition| condition.type_ == row.kind);
    let unchanged = before.filter(|before| before.status == row.status && before.reason == row.reason);
    Condition {
        type_: row.kind.to_owned(),
        status: row.status.to_owned(),
        reason: row.reason,
        message: cut(&row.message, LONGEST_MESSAGE),
        observed_generation: Some(generation),
        last_transition_time: unchanged.map_or(Time(now), |before| before.last_transition_time.clone()),
    }
}

fn message(report: &Report, situation: &Situation) -> String {
    let text = match (&report.finding, situation) {
        (PassResult::Invalid(error), _) => error.to_string(),
        (PassResult::Duplicate(other), _) => format!("policy {other} is older and about the same app; it acts"),
        (PassResult::OutsideBoundary(scopes), _) => {
            let first = scopes.first().map(ToString::to_string).unwrap_or_default();
            let more = match scopes.len() {
                0 | 1 => String::new(),
                many => format!(" and {} more", many - 1),
            };
            format!("no boundary of this namespace reaches `{first}`{more}; nothing was read")
        }
        (PassResult::Evaluated(pass), situation) => evaluated_message(pass, situation),
    };
    if report.suspended() { format!("{text}; suspended: no write") } else { text }
}

/// What `Drifted` says: the findings, whatever is done about them.
fn drift_message(report: &Report) -> String {
    let PassResult::Evaluated(pass) = &report.finding else { return "not compared".to_owned() };
    match report.drifted() {
        Some(false) => "Azure has everything that is declared".to_owned(),
        Some(true) | None => {
            let codes: Vec<_> = pass
                .evaluation
                .findings
                .iter()
                .map(|finding| format!("{} [{}]", finding.code(), finding.subject()))
                .collect();
            codes.join(", ")
        }
    }
}

fn evaluated_message(pass: &Pass, situation: &Situation) -> String {
    let findings = &pass.evaluation.findings;
    let first = findings.first().map(|first| words::finding(pass, first)).unwrap_or_default();
    let more = match findings.len() {
        0 | 1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    match situation {
        Situation::Compliant => {
            let access = pass.evaluation.requirements.len();
            format!("every identity is in place and {access} of {access} access requirements are met")
        }
        Situation::Held(reason) => {
            let planned = pass.plan.held.iter().map(|held| &held.reason);
            let tried = pass.execution.outcomes.iter().filter_map(|entry| match &entry.outcome {
                Outcome::Held(reason) => Some(reason),
                _ => None,
            });
            let held = tried.chain(planned).find(|held| held.word() == *reason).cloned();
            // Steps that are ready and may not be sent.
            let held = held.or_else(|| pass.plan.limit.clone()).unwrap_or(HoldReason::BoundaryMode(pass.plan.mode));
            format!("{first}{more}; held: {}", words::hold(&held))
        }
        Situation::Failing(failure) | Situation::Retrying(failure) => {
            let hint = failure.hint.as_deref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
            format!("{}{hint}", failure.text)
        }
        Situation::Undetermined(Some(failure)) => {
            let hint = failure.hint.as_deref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
            format!("{}{hint}{more}", failure.text)
        }
        Situation::Propagating(until) => {
            let last = findings
                .iter()
                .find(|finding| matches!(finding, Finding::Propagating { until: own, .. } if own == until));
            format!("{}{more}", last.map(|last| words::finding(pass, last)).unwrap_or_default())
        }
        // Only looked at.
        Situation::Remediating if pass.execution.outcomes.is_empty() => format!("{first}{more}"),
        Situation::Remediating => {
            let changed = pass.execution.outcomes.iter().filter(|entry| entry.outcome == Outcome::Applied).count();
            format!("{first}{more}; {changed} of {} steps applied", pass.execution.outcomes.len())
        }
        _ => format!("{first}{more}"),
    }
}

/// The room that an entry takes: as JSON, or as YAML, which writes every apostrophe of a quoted text twice.
fn size(entry: &impl serde::Serialize) -> Option<usize> {
    let text = serde_json::to_string(entry).ok()?;
    Some(text.len() + text.matches('\'').count() + 1)
}

/// As many entries as the list and its room take, and how many are left out.
fn within<T: serde::Serialize>(room: usize, entries: impl Iterator<Item = T>) -> (Vec<T>, u32) {
    let mut used = 0;
    let mut fitting = Vec::new();
    let mut left_out = 0_u32;
    for entry in entries {
        used += size(&entry).unwrap_or(room);
        // One that does not fit ends the list, so that what is shown is the most decisive.
        if left_out == 0 && used <= room && fitting.len() < LONGEST {
            fitting.push(entry);
        } else {
            left_out = left_out.saturating_add(1);
        }
    }
    (fitting, left_out)
}

fn findings(pass: &Pass) -> impl Iterator<Item = FindingStatus> {
    pass.evaluation.findings.iter().map(|finding| finding_status(pass, finding))
}

fn finding_status(pass: &Pass, finding: &Finding) -> FindingStatus {
    FindingStatus {
        code: finding.code().to_owned(),
        subject: cut(&finding.subject(), 256),
        message: {
            let words = words::finding(pass, finding);
            let words = az::remedy(pass, finding).map_or(words.clone(), |command| format!("{words}: `{command}`"));
            cut(&words, LONGEST_MESSAGE)
        },
    }
}

fn plan(pass: &Pass) -> Option<PlanStatus> {
    let (steps, held) = (&pass.plan.steps, &pass.plan.held);
    let outcome = |position: usize| pass.execution.outcomes.get(position).map(|entry| &entry.outcome);
    let nothing = steps.is_empty() && held.is_empty();
    let entries = steps.iter().enumerate().map(|(at, step)| step_status(step, outcome(at)));
    let (steps, steps_left_out) = within(STEPS_ROOM, entries);
    let (held, held_left_out) = within(HELD_ROOM, held.iter().map(held_status));
    let truncated = steps_left_out.saturating_add(held_left_out);
    (!nothing).then_some(PlanStatus { steps, held, truncated })
}

pub(super) fn step_status(step: &Step, outcome: Option<&Outcome>) -> StepStatus {
    let request = &step.request;
    StepStatus {
        change: step.kinds().iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join("+"),
        summary: cut(&super::text::summary(step), LONGEST_MESSAGE),
        request: cut(
            &format!("{} {}?api-version={}", request.method.as_str(), request.path, request.api_version),
            2048,
        ),
        // A site may have more identities attached than a body in status can list.
        body: if request.body.is_null() { String::new() } else { cut(&request.body.to_string(), 8192) },
        az: cut(&az::commands(step), 4096),
        outcome: outcome.map(|outcome| cut(&words::outcome(outcome), LONGEST_MESSAGE)).unwrap_or_default(),
    }
}

pub(super) fn held_status(held: &Held) -> HeldStatus {
    HeldStatus {
        change: held.kind.map_or_else(|| "none".to_owned(), |kind| format!("{kind:?}")),
        subject: cut(&held.subject, 256),
        reason: held.reason.word().to_owned(),
        message: cut(&words::hold(&held.reason), LONGEST_MESSAGE),
    }
}

fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = (0..=longest - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests;
