//! What each source told, within the width of a terminal.

use jiff::Timestamp;

use super::query::Run;
use crate::{
    catalog::queries,
    model::{
        Reading, Source,
        evidence::{Evidence, FiveMinutes, Recovery, Refused, Summary},
    },
    report::{
        series::{Failed, five_minutes},
        text::{line, paragraph},
        words,
    },
};

/// The most lines of the plot: two hours.
const MOST_STEPS: usize = 24;

/// The width of a terminal.
const WIDTH: usize = 80;

/// A line for each source, with what it told below.
pub(super) fn lines(out: &mut String, evidence: &Evidence, run: &Run<'_>) {
    let Evidence { workspace: _, role_name: _, window: _, dependencies, credentials, .. } = evidence;
    let Evidence { invocations, host, series, recovery, refused, sources: _, .. } = evidence;
    told(out, Source::DependencyFailures, dependencies, run, summary);
    told(out, Source::CredentialTraces, credentials, run, summary);
    told(out, Source::Invocations, invocations, run, invoked);
    told(out, Source::HostTraces, host, run, summary);
    told(out, Source::RefusedPrincipals, refused, run, |value| refusals(value));
    told(out, Source::Recovery, recovery, run, figures);
    told(out, Source::FailureSeries, series, run, |value| plot(value));
}

/// What a source asks, and what it told: the words behind the question, and the lines below it.
fn told<T>(
    out: &mut String,
    source: Source,
    reading: &Reading<T>,
    run: &Run<'_>,
    words: impl Fn(&T) -> (String, String),
) {
    let (says, below) = match reading {
        Reading::Present { value, .. } => words(value),
        Reading::Absent { .. } if run.is_asked(source) => ("nothing".to_owned(), String::new()),
        Reading::Absent { .. } => ("not asked, nothing that is declared keeps such a log".to_owned(), String::new()),
        Reading::Unreadable(failure) => (format!("not available, {}", failure.text), String::new()),
    };
    paragraph(out, "    - ", &format!("{}: {says}", queries::query(source).asks));
    out.push_str(&below);
}

fn summary(summary: &Summary) -> (String, String) {
    let Summary { count, first, last, top, more, signals: _, samples } = summary;
    let mut below = String::new();
    for group in top {
        let result = if group.result.is_empty() { String::new() } else { format!(" answered {}", group.result) };
        paragraph(&mut below, "      ", &format!("{} × {}{result}", group.count, called(&group.name)));
    }
    rest(&mut below, *more);
    for sample in samples {
        quoted(&mut below, sample);
    }
    (format!("{count}, {}", range(*first, *last)), below)
}

fn invoked(summary: &Summary) -> (String, String) {
    let Summary { count, first, last, top, more, signals: _, samples: _ } = summary;
    let mut below = String::new();
    for group in top {
        let text = format!("{} × {}, {} failed", group.count, called(&group.name), group.failed);
        paragraph(&mut below, "      ", &text);
    }
    rest(&mut below, *more);
    (format!("{count}, {}", range(*first, *last)), below)
}

fn refusals(refused: &[Refused]) -> (String, String) {
    let mut below = String::new();
    for one in refused {
        let text = format!(
            "{} × principal {} at {}, last {}",
            one.count,
            one.principal,
            words::short(&one.resource),
            words::moment(one.last)
        );
        paragraph(&mut below, "      ", &text);
        if !one.said.is_empty() {
            quoted(&mut below, &one.said);
        }
    }
    let count = refused.iter().map(|one| one.count).fold(0, u64::saturating_add);
    (count.to_string(), below)
}

fn figures(recovery: &Recovery) -> (String, String) {
    let Recovery { calls, auth_failures, network_failures, newest } = recovery;
    let says = format!(
        "{calls} succeeded, {auth_failures} refusals, {network_failures} without an answer; the newest telemetry is of {}",
        words::moment(*newest)
    );
    (says, String::new())
}

fn plot(series: &[FiveMinutes]) -> (String, String) {
    let failed = |step: &FiveMinutes| Failed {
        refused: step.auth_failures,
        unanswered: step.network_failures,
        calls: step.calls,
    };
    let sum = |of: fn(&FiveMinutes) -> u64| series.iter().map(of).fold(0_u64, u64::saturating_add);
    let says = format!(
        "{} calls, {} refused (#), {} without an answer (~)",
        sum(|step| step.calls),
        sum(|step| step.auth_failures),
        sum(|step| step.network_failures)
    );
    let most = series.iter().map(|step| failed(step).count()).max().unwrap_or_default();
    if most == 0 {
        return (says, String::new());
    }
    let shown = &series[series.len().saturating_sub(MOST_STEPS)..];
    let mut below = String::new();
    for step in shown {
        below.push_str("    ");
        below.push_str(&five_minutes(step.begin, failed(step), most, ""));
    }
    (says, below)
}

fn rest(out: &mut String, more: usize) {
    if more > 0 {
        line(out, &format!("      and {more} more"));
    }
}

/// The host logs much that belongs to no function.
fn called(name: &str) -> String {
    if name.is_empty() { "the host itself".to_owned() } else { format!("`{name}`") }
}

/// From the first to the last. The day is told twice only where it differs.
fn range(first: Timestamp, last: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let last_words = words::moment(last);
    let last_words = if day(first) == day(last) { &last_words[11..] } else { &last_words };
    format!("{} to {last_words}", words::moment(first))
}

/// What the app said, without secrets already. Nobody copies it, so that long words may be broken.
fn quoted(out: &mut String, text: &str) {
    let options = textwrap::Options::new(WIDTH).initial_indent("      \"").subsequent_indent("       ");
    line(out, &textwrap::fill(&format!("{text}\""), options));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Scope, evidence::Group};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_told_twice_only_where_it_differs() {
        let first = at("2026-03-01T23:55:00Z");
        assert_eq!(range(first, at("2026-03-01T23:59:00Z")), "2026-03-01T23:55:00Z to 23:59:00Z");
        assert_eq!(range(first, at("2026-03-02T00:05:00Z")), "2026-03-01T23:55:00Z to 2026-03-02T00:05:00Z");
    }

    #[test]
    fn a_summary_tells_its_groups_how_many_more_there_are_and_long_samples_within_80_columns() {
        let group =
            |name: &str, result: &str| Group { name: name.to_owned(), result: result.to_owned(), count: 7, failed: 2 };
        let told = Summary {
            count: 21,
            first: at("2026-03-02T08:00:00Z"),
            last: at("2026-03-02T08:05:00Z"),
            top: vec![group("kv", "403"), group("", "")],
            more: 3,
            signals: Vec::new(),
            samples: vec!["x".repeat(300), "short".to_owned()],
        };
        let (says, below) = summary(&told);
        assert_eq!(says, "21, 2026-03-02T08:00:00Z to 08:05:00Z");
        assert!(
            below.starts_with("      7 × `kv` answered 403\n      7 × the host itself\n      and 3 more\n      \"xxx")
        );
        assert!(below.ends_with("      \"short\"\n"));
        assert!(below.lines().all(|line| line.chars().count() <= WIDTH), "{below}");
        assert!(invoked(&told).1.contains("7 × `kv`, 2 failed"));
    }

    #[test]
    fn whom_a_resource_refused_is_named_by_object_id() {
        let resource =
            Scope::lenient("/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-orders");
        let principal = "05e70000-0002-4000-8000-000000000002".parse().unwrap();
        let last = at("2026-03-02T08:05:00Z");
        let one = Refused { resource, principal, count: 4, last, said: "ForbiddenByRbac".to_owned() };
        let (says, below) = refusals(&[one]);
        assert_eq!(says, "4");
        let words = below.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            words,
            "4 × principal 05e70000-0002-4000-8000-000000000002 at `kv-orders`, last 2026-03-02T08:05:00Z \"ForbiddenByRbac\""
        );
    }

    #[test]
    fn a_series_is_drawn_where_something_failed() {
        let step = |minute: i64, auth_failures, network_failures| FiveMinutes {
            begin: at("2026-03-02T08:00:00Z") + jiff::SignedDuration::from_mins(minute),
            calls: 10,
            auth_failures,
            network_failures,
        };
        assert_eq!(
            plot(&[step(0, 0, 0)]),
            ("10 calls, 0 refused (#), 0 without an answer (~)".to_owned(), String::new())
        );
        let long: Vec<_> = (0..36).map(|at| step(5 * at, u64::from(at == 35) * 4, u64::from(at == 35) * 2)).collect();
        let (says, below) = plot(&long);
        assert_eq!(says, "360 calls, 4 refused (#), 2 without an answer (~)");
        assert_eq!(below.lines().count(), MOST_STEPS);
        let last = below.lines().last().unwrap();
        assert!(last.starts_with("      10:55  ###") && last.contains("~~") && last.ends_with("6 of  10"), "{last}");
    }
}
