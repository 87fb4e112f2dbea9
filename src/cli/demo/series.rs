//! The failed calls of an incident, five minutes a line, with what was done about them beside.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    report,
    sandbox::scenario::{Moment, Played, Scenario, Step},
};

const QUIET: &str = "no more failures";
const GRANTS: &str = "/roleAssignments/";
/// How long is told of calls that go on well.
const STEADY: SignedDuration = SignedDuration::from_mins(15);

/// The plot; nothing where there is no telemetry or no call failed.
pub(super) fn plot(scenario: &Scenario, played: &Played) -> String {
    let most = played.series.iter().map(|step| failed(step).count()).max().unwrap_or_default();
    if most == 0 {
        return String::new();
    }
    let marks = marks(scenario, played);
    let mut out = String::from("\n  failed calls (# refused, ~ not answered) of all calls, in each five minutes\n\n");
    let quiet = marks.iter().find(|(_, what)| *what == QUIET).map(|(at, _)| *at + STEADY);
    let last = quiet.max(recovered(played));
    for step in played.series.iter().filter(|step| last.is_none_or(|last| step.begin <= last)) {
        let end = step.begin + SignedDuration::from_mins(5);
        let here: Vec<_> = marks.iter().filter(|(at, _)| (step.begin..end).contains(at)).collect();
        let here: Vec<_> = here.iter().map(|(at, what)| format!("{} {what}", at.strftime("%H:%M"))).collect();
        out.push_str(&report::five_minutes(step.begin, failed(step), most, &here.join(", ")));
    }
    out
}

fn failed(step: &Step) -> report::Failed {
    report::Failed { refused: step.refused, unanswered: step.unanswered, calls: step.calls }
}

/// What was done, the first five minutes in which nothing fails any more, and when status says that calls recovered.
fn marks(scenario: &Scenario, played: &Played) -> Vec<(Timestamp, &'static str)> {
    let start = scenario.world.clock.unwrap_or(Timestamp::MIN);
    let mut marks = Vec::new();
    for deed in &scenario.then {
        if !deed.remove.is_empty() {
            marks.push((start + deed.after, "removed"));
        }
        let is_grant = |document: &Value| document["id"].as_str().is_some_and(|id| id.contains(GRANTS));
        match deed.add.as_slice() {
            [] => {}
            added if added.iter().all(is_grant) => marks.push((start + deed.after, "granted")),
            _ => marks.push((start + deed.after, "changed")),
        }
    }
    for moment in &played.moments {
        if let Moment::Write { at, method, path, answered: Some(200..=299), .. } = moment
            && method == "PUT"
            && path.contains(GRANTS)
        {
            marks.push((*at, "granted"));
        }
    }
    let last = played.series.iter().rposition(|step| failed(step).count() > 0);
    marks.extend(last.and_then(|last| quiet(&played.series[last + 1..])));
    marks.extend(recovered(played).map(|at| (at, "recovered")));
    marks
}

fn quiet(after: &[Step]) -> Option<(Timestamp, &'static str)> {
    after.iter().find(|step| step.calls > 0).map(|step| (step.begin, QUIET))
}

/// When the status said for the first time that calls recovered.
fn recovered(played: &Played) -> Option<Timestamp> {
    played.moments.iter().find_map(|moment| match moment {
        Moment::Status { at, status } => {
            status.condition("Recovered").is_some_and(|recovered| recovered.status == "True").then_some(*at)
        }
        _ => None,
    })
}
