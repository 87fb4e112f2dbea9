//! What the sources of triggers had while nothing was invoked, by Azure Monitor.

use serde_json::{Value, json as object};

use crate::{
    model::{
        Reading, Scope,
        evidence::Evidence,
        work::{Sources, Span, Work},
    },
    report::{text::paragraph, words},
};

/// A line for each, where they were asked.
pub(super) fn lines(out: &mut String, evidence: &Evidence) {
    let Some(Sources { span, had, others }) = &evidence.sources else { return };
    let Span { from, to } = span;
    let time = format!("{} to {}", words::moment(*from), &words::moment(*to)[11..]);
    let nothing = if had.is_empty() { ": not counted" } else { "" };
    paragraph(out, "    - ", &format!("what the triggers' sources have, by Azure Monitor, {time}{nothing}"));
    for (source, work) in had {
        let text = match work {
            Reading::Present { value, .. } => self::had(source, *value),
            Reading::Absent { .. } => format!("of {} nothing was counted, or not all", words::short(source)),
            Reading::Unreadable(failure) => format!("of {}: not available, {}", words::short(source), failure.text),
        };
        paragraph(out, "      ", &text);
    }
    if *others && !had.is_empty() {
        paragraph(out, "      ", "the sources of other triggers are not counted");
    }
}

/// What a source had.
pub(super) fn had(source: &Scope, work: Work) -> String {
    let place = words::short(source);
    match work {
        Work::Waiting { least, last } => format!("waiting in {place}: {last}, never less than {least}"),
        Work::Arrived(count) => format!("arrived in {place}: {count}"),
    }
}

/// The same for programs: `source`, `from`, `to`, and `waiting` or `arrived` where that was counted.
pub(super) fn json(evidence: &Evidence) -> Value {
    let Some(Sources { span, had, others: _ }) = &evidence.sources else { return object!([]) };
    let told = had.iter().map(|(source, work)| {
        let mut told = match work {
            Reading::Present { value, .. } => object!(value),
            Reading::Absent { .. } | Reading::Unreadable(_) => object!({}),
        };
        let (state, because) = match work {
            Reading::Present { .. } => ("told", None),
            Reading::Absent { .. } => ("nothing", None),
            Reading::Unreadable(failure) => ("not-available", Some(&failure.text)),
        };
        told["source"] = object!(source);
        told["state"] = object!(state);
        told["because"] = object!(because);
        told["from"] = object!(words::moment(span.from));
        told["to"] = object!(words::moment(span.to));
        told
    });
    told.collect()
}
