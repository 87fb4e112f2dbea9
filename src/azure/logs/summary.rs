//! From rows to evidence: the largest groups, what their texts say, and a few samples without secrets.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;

use super::rows::{Row, Rows};
use crate::{
    catalog::signals::{Seen, Table, classify},
    model::{
        Failure, Scope, Source,
        evidence::{
            FiveMinutes, Group, LONGEST_NAME, LONGEST_SAMPLE, MOST_GROUPS, MOST_REFUSED, MOST_SAMPLES, MOST_SIGNALS,
            MOST_STEPS, Recovery, Refused, Signalled, Summary, redacted,
        },
    },
};

/// One row of a source that is summed up by groups.
struct Counted<'a> {
    name: String,
    result: String,
    count: u64,
    failed: u64,
    first: Timestamp,
    last: Timestamp,
    seen: Option<Seen<'a>>,
    /// The phrase that was searched for: the sample may have been cut before it.
    said: &'a str,
}

/// The summary of a source of that form; none without a row.
pub(super) fn summary(source: Source, rows: &Rows) -> Result<Option<Summary>, Failure> {
    let mut counted = rows.iter().map(|row| read(source, row)).collect::<Result<Vec<_>, _>>()?;
    counted.sort_by(|one, other| (Reverse(one.count), &one.name).cmp(&(Reverse(other.count), &other.name)));
    let Some(first) = counted.iter().map(|it| it.first).min() else { return Ok(None) };
    let last = counted.iter().map(|it| it.last).max().unwrap_or(first);
    let (top, more) = groups(&counted);
    let mut samples: Vec<String> = Vec::new();
    for seen in counted.iter().filter_map(|it| it.seen.as_ref()) {
        let sample = redacted(seen.text, LONGEST_SAMPLE);
        if samples.len() < MOST_SAMPLES && !sample.is_empty() && !samples.contains(&sample) {
            samples.push(sample);
        }
    }
    let count = counted.iter().fold(0_u64, |sum, it| sum.saturating_add(it.count));
    Ok(Some(Summary { count, first, last, top, more, signals: signals(&counted), samples }))
}

fn read(source: Source, row: Row<'_>) -> Result<Counted<'_>, Failure> {
    let (name, result, table) = match source {
        Source::DependencyFailures => (row.text("Target"), row.text("Result"), Some(Table::Dependencies)),
        Source::CredentialTraces if row.text("Kind") == "exceptions" => ("exceptions", "", Some(Table::Exceptions)),
        Source::CredentialTraces => ("traces", "", Some(Table::Traces)),
        Source::HostTraces => (row.text("Function"), "", Some(Table::HostLogs)),
        Source::Invocations => (row.text("Function"), "", None),
        // These have forms of their own.
        Source::FailureSeries | Source::Recovery | Source::RefusedPrincipals => ("", "", None),
    };
    let (count, failed) = if source == Source::Invocations {
        let (succeeded, failed) = (row.count("Succeeded")?, row.count("Failed")?);
        (succeeded.saturating_add(failed), failed)
    } else {
        let count = row.count("Count")?;
        (count, count)
    };
    let target = if source == Source::DependencyFailures { name } else { "" };
    Ok(Counted {
        name: redacted(name, LONGEST_NAME),
        result: redacted(result, LONGEST_NAME),
        count,
        failed,
        first: row.moment("First")?,
        last: row.moment("Last")?,
        seen: table.map(|table| Seen { table, target, result, text: row.text("Sample") }),
        said: if table.is_some() { row.text("Said") } else { "" },
    })
}

/// The largest groups, and how many there are besides.
fn groups(counted: &[Counted<'_>]) -> (Vec<Group>, usize) {
    let mut sums: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for row in counted {
        let (count, failed) = sums.entry((&row.name, &row.result)).or_default();
        *count = count.saturating_add(row.count);
        *failed = failed.saturating_add(row.failed);
    }
    let group = |((name, result), (count, failed)): ((&str, &str), (u64, u64))| Group {
        name: name.to_owned(),
        result: result.to_owned(),
        count,
        failed,
    };
    let mut groups: Vec<_> = sums.into_iter().map(group).collect();
    groups.sort_by_key(|group| Reverse((group.failed, group.count)));
    let more = groups.len().saturating_sub(MOST_GROUPS);
    groups.truncate(MOST_GROUPS);
    (groups, more)
}

/// What the rows say, most often first. They come in the order of their counts.
fn signals(counted: &[Counted<'_>]) -> Vec<Signalled> {
    let mut found: BTreeMap<&str, Signalled> = BTreeMap::new();
    for row in counted {
        let Some(seen) = row.seen else { continue };
        let text = format!("{}\n{}", row.said, seen.text);
        for signal in classify(&Seen { text: &text, ..seen }) {
            let known = found.entry(&signal.id).or_insert_with(|| Signalled {
                signal: signal.id.clone(),
                count: 0,
                at: row.name.clone(),
                last: row.last,
            });
            known.count = known.count.saturating_add(row.count);
            known.last = known.last.max(row.last);
        }
    }
    let mut signals: Vec<_> = found.into_values().collect();
    signals.sort_by_key(|signal| Reverse(signal.count));
    signals.truncate(MOST_SIGNALS);
    signals
}

/// The newest steps of the series, oldest first; none without a row.
pub(super) fn series(rows: &Rows) -> Result<Option<Vec<FiveMinutes>>, Failure> {
    let step = |row: Row<'_>| {
        Ok(FiveMinutes {
            begin: row.moment("Begin")?,
            calls: row.count("Calls")?,
            auth_failures: row.count("AuthFailures")?,
            network_failures: row.count("NetworkFailures")?,
        })
    };
    let mut steps = rows.iter().map(step).collect::<Result<Vec<_>, Failure>>()?;
    steps.sort_by_key(|step| step.begin);
    let steps = steps.split_off(steps.len().saturating_sub(MOST_STEPS));
    Ok((!steps.is_empty()).then_some(steps))
}

/// The figures of recovery; none when nothing of the app has arrived. A sum of nothing is a row, too.
pub(super) fn recovery(rows: &Rows) -> Result<Option<Recovery>, Failure> {
    let Some(row) = rows.iter().next() else { return Ok(None) };
    let Some(newest) = row.time("Newest")? else { return Ok(None) };
    Ok(Some(Recovery {
        calls: row.count("Calls")?,
        auth_failures: row.count("AuthFailures")?,
        network_failures: row.count("NetworkFailures")?,
        newest,
    }))
}

/// Whom the resources refused, most often first; none without a row. Whoever has no id that could be compared is nobody.
pub(super) fn refused(rows: &Rows) -> Result<Option<Vec<Refused>>, Failure> {
    let mut refused: Vec<Refused> = Vec::new();
    for row in rows.iter() {
        let resource = Scope::parse(row.text("Resource")).ok();
        let (Some(resource), Ok(principal)) = (resource, row.text("ObjectId").parse()) else { continue };
        let (count, last) = (row.count("Count")?, row.moment("Last")?);
        match refused.iter_mut().find(|it| it.resource == resource && it.principal == principal) {
            Some(known) => {
                known.count = known.count.saturating_add(count);
                known.last = known.last.max(last);
            }
            None => {
                let said = redacted(row.text("Sample"), LONGEST_NAME);
                refused.push(Refused { resource, principal, count, last, said });
            }
        }
    }
    refused.sort_by_key(|it| Reverse(it.count));
    refused.truncate(MOST_REFUSED);
    Ok((!refused.is_empty()).then_some(refused))
}

#[cfg(test)]
mod tests;
