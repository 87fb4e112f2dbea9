//! What the app's telemetry says, for a person and for programs.

mod json;
mod query;
mod sources;
mod work;

use super::super::{
    Pass, Report,
    text::{line, paragraph},
    words,
};
use crate::{
    evaluate::{Availability, Case, Recovered, Side, SignalSeen, availability, recovered},
    model::{Reading, Source, evidence::Evidence},
};
pub(super) use json::json;
use query::Run;

/// One thing that telemetry says of a hypothesis.
pub(super) fn signal(out: &mut String, seen: &SignalSeen) {
    let side = match seen.side {
        Side::For => "for",
        Side::Against => "against",
    };
    let caution = seen.ambiguous.as_ref().map(|other| format!("; no proof: {other}")).unwrap_or_default();
    let (says, last) = (words::signal(seen), words::moment(seen.last));
    // What is counted there is what the sentence ends with.
    let unit = if seen.signal == "source-active-nothing-invoked" { "of them" } else { "times" };
    let text = format!("{says}, {} {unit}, last {last}{caution}", seen.count);
    paragraph(out, &format!("        {side:<8}"), &text);
}

/// The cause and what telemetry says of it, in a line; without a cause what speaks for something that stays open. Nothing
/// where telemetry says nothing of it.
#[must_use]
pub fn told_in_a_line(pass: &Pass) -> Option<String> {
    let says = |case: &Case| {
        let speaks = case.telemetry.iter().filter(|seen| seen.side == Side::For);
        // What has one reason before what has several.
        speaks.min_by_key(|seen| seen.ambiguous.is_some()).map(|seen| seen.says.clone())
    };
    let mut cases = pass.explanation.cases.iter();
    let Some(cause) = pass.evaluation.decision.cause else {
        let (case, says) = cases.find_map(|case| Some((case, says(case)?)))?;
        return Some(format!("no cause is certain; {:?} stays open: {says}", case.hypothesis));
    };
    let says = cases.find(|case| case.hypothesis == cause).and_then(says)?;
    let severity = pass.evaluation.severity.map(|severity| format!(", {}", severity.word())).unwrap_or_default();
    Some(format!("{cause:?}{severity}: {says}"))
}

/// The section of the explanation: what the telemetry is worth, whether calls succeed, and what each source told.
pub(super) fn section(out: &mut String, report: &Report, pass: &Pass) {
    let Some(source) = &pass.policy.evidence else { return };
    line(out, "\n  Evidence");
    let run = Run::of(&pass.policy, source);
    let asked = format!(
        "of `{}` in {}, the last {} minutes",
        source.role_name,
        run.place(Source::Recovery),
        run.parameters().minutes()
    );
    paragraph(out, "    ", &asked);
    paragraph(out, "    ", &worth(report, pass));
    if let Some(Reading::Present { value, .. }) = &pass.evaluation.evidence {
        // Who was refused the first query was not asked for more.
        if value.recovery.unreadable().is_none() {
            sources::lines(out, value, &run);
            work::lines(out, value);
        }
    }
    paragraph(out, "    ", &format!("To see it for yourself, in {}:", run.place(Source::Recovery)));
    for one in run.text(Source::Recovery).lines() {
        line(out, &format!("      {one}"));
    }
    line(out, "    (`-o json` has the other queries)");
}

/// What the telemetry is worth as a whole.
enum Worth<'a> {
    /// It was not asked.
    NotAsked,
    /// It was not to be had, because.
    NotAvailable(&'a str),
    /// It was read.
    Read(&'a Evidence),
}

fn worth_of(pass: &Pass) -> Worth<'_> {
    match &pass.evaluation.evidence {
        None => Worth::NotAsked,
        Some(Reading::Unreadable(failure)) => Worth::NotAvailable(&failure.text),
        Some(Reading::Absent { .. }) => Worth::NotAvailable("the workspace does not exist"),
        Some(Reading::Present { value, .. }) => match value.recovery.unreadable() {
            Some(failure) => Worth::NotAvailable(&failure.text),
            None => Worth::Read(value),
        },
    }
}

fn worth(report: &Report, pass: &Pass) -> String {
    let value = match worth_of(pass) {
        Worth::NotAsked => return "was not asked: nothing is wrong".to_owned(),
        Worth::NotAvailable(because) => return format!("not available: {because}"),
        Worth::Read(value) => value,
    };
    match (availability(value, report.at), recovered(value, report.at)) {
        (Availability::Unreadable(failure), _) | (_, Recovered::Unreadable(failure)) => {
            format!("not available: {}", failure.text)
        }
        (Availability::Silent, _) => format!("not available: there is nothing of `{}` in it", value.role_name),
        (Availability::Late { newest }, _) => {
            format!("late: the newest is of {}, and what came after says nothing", words::moment(newest))
        }
        (Availability::Available, Recovered::Unserved { source, work }) => {
            format!("nothing is invoked, which is no recovery; {}", work::had(&source, work))
        }
        (Availability::Available, Recovered::NotSeenServed { source }) => {
            format!("{} has work, and there is no invocation in it", words::short(&source))
        }
        (Availability::Available, Recovered::Yes { calls }) => {
            format!("{calls} calls succeeded in the last quarter of an hour, and none was refused")
        }
        (Availability::Available, Recovered::Refused { auth_failures }) => {
            format!(
                "{auth_failures} refusals in the last quarter of an hour, in calls and in what the app says of them"
            )
        }
        (Availability::Available, Recovered::Unanswered { network_failures }) => {
            format!("{network_failures} calls without an answer in the last quarter of an hour, more than succeeded")
        }
        (Availability::Available, Recovered::NoTraffic) => "nothing succeeds, which is no recovery".to_owned(),
    }
}
