//! What the app's telemetry says, for a person.

use super::super::{
    Pass, Report,
    text::{line, paragraph},
    words,
};
use crate::{
    catalog::queries::{self, Dialect, Parameters},
    evaluate::{Availability, Recovered, Side, SignalSeen, availability, recovered},
    model::{Reading, evidence::Source},
};

/// One thing that telemetry says of a hypothesis.
pub(super) fn signal(out: &mut String, seen: &SignalSeen) {
    let side = match seen.side {
        Side::For => "for",
        Side::Against => "against",
    };
    let caution = seen.ambiguous.as_ref().map(|other| format!("; no proof: {other}")).unwrap_or_default();
    let (says, last) = (words::signal(seen), words::moment(seen.last));
    let text = format!("{says}, {} times, last {last}{caution}", seen.count);
    paragraph(out, &format!("        {side:<8}"), &text);
}

/// What the telemetry is worth, and whether calls succeed.
pub(super) fn figures(out: &mut String, report: &Report, pass: &Pass) {
    let Some(source) = &pass.policy.evidence else { return };
    line(out, "\n  Telemetry");
    let words = match &pass.evaluation.evidence {
        None => "was not asked: nothing is wrong".to_owned(),
        Some(Reading::Unreadable(failure)) => format!("not available: {}", failure.text),
        Some(Reading::Absent { .. }) => "not available: the workspace does not exist".to_owned(),
        Some(Reading::Present { value, .. }) => match (availability(value, report.at), recovered(value, report.at)) {
            (Availability::Unreadable(failure), _) => format!("not available: {}", failure.text),
            (Availability::Silent, _) => format!("not available: there is nothing of `{}` in it", source.role_name),
            (Availability::Late { newest }, _) => {
                format!("late: the newest is of {}, and what came after says nothing", words::moment(newest))
            }
            (_, Recovered::Yes { calls }) => {
                format!("{calls} calls succeeded in the last quarter of an hour, and none was refused")
            }
            (_, Recovered::Refused { auth_failures }) => {
                format!(
                    "{auth_failures} refusals in the last quarter of an hour, in calls and in what the app says of them"
                )
            }
            (_, Recovered::Unanswered { network_failures }) => {
                format!(
                    "{network_failures} calls without an answer in the last quarter of an hour, more than succeeded"
                )
            }
            (_, Recovered::NoTraffic) => "nothing succeeds, which is no recovery".to_owned(),
            (_, Recovered::Unreadable(failure)) => format!("not available: {}", failure.text),
        },
    };
    paragraph(out, "    ", &words);
    let parameters =
        Parameters { role_name: &source.role_name, app: &pass.policy.target, resources: &[], window: source.window };
    let query = queries::query(Source::Recovery);
    if let Some(text) = query.text(Dialect::Workspace, &parameters) {
        paragraph(out, "    ", &format!("To see it for yourself, in workspace `{}`:", source.workspace.name()));
        for one in text.lines() {
            line(out, &format!("      {one}"));
        }
    }
}
