//! What the telemetry of a scenario's hosts tells when it is over: when it began to hurt, how much, and when it was over.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Scenario;
use super::play::Moment;
use crate::sandbox::arm::ArmSim;

/// Five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Their beginning.
    pub begin: Timestamp,
    /// Calls and invocations.
    pub calls: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls without an answer.
    pub unanswered: u64,
}

const STEP: i64 = 5 * 60;

/// Calls and failures in each five minutes of a scenario that are over. Empty where nobody writes telemetry.
pub(super) fn series(scenario: &Scenario, arm: &ArmSim) -> Vec<Step> {
    let mut steps: BTreeMap<i64, [u64; 3]> = BTreeMap::new();
    for (at, is_call, row) in rows(scenario, arm) {
        let begin = at.as_second() - at.as_second().rem_euclid(STEP);
        let [calls, refused, unanswered] = steps.entry(begin).or_default();
        *calls += 1;
        *refused += u64::from(is_call && is_refused(&row));
        *unanswered += u64::from(is_call && is_unanswered(&row));
    }
    let Some((start, end)) = time(scenario) else { return Vec::new() };
    let step = |(begin, [calls, refused, unanswered]): (i64, [u64; 3])| {
        Some(Step { begin: Timestamp::from_second(begin).ok()?, calls, refused, unanswered })
    };
    let is_whole = |step: &Step| step.begin >= start && step.begin + SignedDuration::from_secs(STEP) <= end;
    steps.into_iter().filter_map(step).filter(is_whole).collect()
}

/// The first call that fails, the first listener that does not start, and the last call that fails.
pub(super) fn symptoms(scenario: &Scenario, arm: &ArmSim) -> Vec<Moment> {
    let Some((start, end)) = time(scenario) else { return Vec::new() };
    let fails = |row: &Value| is_refused(row) || is_unanswered(row);
    let mut failed: Vec<_> =
        rows(scenario, arm).into_iter().filter(|(_, is_call, row)| *is_call && fails(row)).collect();
    failed.retain(|(at, _, _)| (start..end).contains(at));
    let answer = |(at, _, row): &(Timestamp, bool, Value), which: &str| {
        let answer = match text(row, "ResultCode") {
            "" => "refuses".to_owned(),
            "0" => "does not answer".to_owned(),
            status => format!("answers {status}"),
        };
        Moment::App { at: *at, says: format!("{} {answer} for the {which} time", text(row, "Target")) }
    };
    let listener = table(scenario, arm, "AppTraces")
        .into_iter()
        .find(|(at, row)| (start..end).contains(at) && text(row, "Message").ends_with("was unable to start."));
    let first = failed.first().map(|it| answer(it, "first"));
    let listener = listener.map(|(at, row)| Moment::App { at, says: text(&row, "Message").to_owned() });
    let last = failed.last().map(|it| answer(it, "last"));
    first.into_iter().chain(listener).chain(last).collect()
}

/// Calls, and invocations, in order of time.
fn rows(scenario: &Scenario, arm: &ArmSim) -> Vec<(Timestamp, bool, Value)> {
    let calls = table(scenario, arm, "AppDependencies").into_iter().map(|(at, row)| (at, true, row));
    let invocations = table(scenario, arm, "AppRequests").into_iter().map(|(at, row)| (at, false, row));
    let mut rows: Vec<_> = calls.chain(invocations).collect();
    rows.sort_by_key(|(at, ..)| *at);
    rows
}

fn table(scenario: &Scenario, arm: &ArmSim, name: &str) -> Vec<(Timestamp, Value)> {
    let Some(host) = scenario.world.hosts.first() else { return Vec::new() };
    let workspace = host.workspace.rsplit('/').next().unwrap_or_default();
    let timed = |row: Value| Some((text(&row, "TimeGenerated").parse().ok()?, row));
    arm.rows(workspace, name).into_iter().filter_map(timed).collect()
}

/// A vault that asks for a token refuses nothing, and AMQP has no status.
fn is_refused(row: &Value) -> bool {
    match text(row, "ResultCode") {
        "403" => true,
        "401" => !text(row, "Target").contains(".vault."),
        "" => row["Success"] == false,
        _ => false,
    }
}

/// A name that is not known, or a connection that nobody takes.
fn is_unanswered(row: &Value) -> bool {
    text(row, "ResultCode") == "0"
}

fn time(scenario: &Scenario) -> Option<(Timestamp, Timestamp)> {
    let start = scenario.world.clock?;
    Some((start, start + scenario.run_for))
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}
