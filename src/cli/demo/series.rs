//! The refused calls of an incident, five minutes a line, with what was done about them beside.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::sandbox::scenario::{Moment, Played, Scenario, Step};

/// The longest bar.
const LONGEST: u64 = 30;

const RECOVERED: &str = "calls recovered";
/// How long is told of calls that go on well.
const STEADY: SignedDuration = SignedDuration::from_mins(15);

/// The plot; nothing where there is no telemetry or no call was refused.
pub(super) fn plot(scenario: &Scenario, played: &Played) -> String {
    let most = played.series.iter().map(|step| step.refused).max().unwrap_or_default();
    if most == 0 {
        return String::new();
    }
    let marks = marks(scenario, played);
    let mut out = String::from("\n  refused calls, and all calls, in each five minutes\n\n");
    let quiet = marks.iter().find(|(_, what)| *what == RECOVERED).map(|(at, _)| *at + STEADY);
    for step in played.series.iter().filter(|step| quiet.is_none_or(|quiet| step.begin <= quiet)) {
        let end = step.begin + SignedDuration::from_mins(5);
        let length = (step.refused * LONGEST).div_ceil(most);
        let bar = if length == 0 { ".".to_owned() } else { "#".repeat(usize::try_from(length).unwrap_or_default()) };
        let here: Vec<_> = marks.iter().filter(|(at, _)| (step.begin..end).contains(at)).collect();
        let here: Vec<_> = here.iter().map(|(at, what)| format!("{} {what}", at.strftime("%H:%M"))).collect();
        let line = format!(
            "  {}  {bar:<30}  {:>3} of {:>3}  {}",
            step.begin.strftime("%H:%M"),
            step.refused,
            step.calls,
            here.join(", ")
        );
        writeln!(out, "{}", line.trim_end()).expect(super::INFALLIBLE);
    }
    out
}

/// What was done, and the first five minutes in which nothing is refused any more.
fn marks(scenario: &Scenario, played: &Played) -> Vec<(Timestamp, &'static str)> {
    let start = scenario.world.clock.unwrap_or(Timestamp::MIN);
    let mut marks = Vec::new();
    for deed in &scenario.then {
        if !deed.remove.is_empty() {
            marks.push((start + deed.after, "removed"));
        }
        if !deed.add.is_empty() {
            marks.push((start + deed.after, "granted"));
        }
    }
    for moment in &played.moments {
        if let Moment::Write { at, method, path, answered: Some(200..=299), .. } = moment
            && method == "PUT"
            && path.contains("/roleAssignments/")
        {
            marks.push((*at, "granted"));
        }
    }
    let last = played.series.iter().rposition(|step| step.refused > 0);
    marks.extend(last.and_then(|last| recovered(&played.series[last + 1..])));
    marks
}

fn recovered(after: &[Step]) -> Option<(Timestamp, &'static str)> {
    after.iter().find(|step| step.calls > 0).map(|step| (step.begin, RECOVERED))
}
