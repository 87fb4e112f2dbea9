//! What each query finds in the rows of a workspace. Written from the text of the queries.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};

use super::{Row, Seen};
use crate::catalog::queries::Asked;

/// The tables that a query names.
pub(super) fn tables(asked: &Asked) -> &'static [&'static str] {
    match asked.query.id.name() {
        "dependency-failures" => &["AppDependencies"],
        "credential-traces" => &["AppTraces", "AppExceptions"],
        "invocations" => &["AppRequests"],
        "host-traces" => &["FunctionAppLogs"],
        "failure-series" | "recovery" => &["AppDependencies", "AppRequests", "AppTraces", "AppExceptions"],
        _ => &["StorageBlobLogs", "StorageQueueLogs", "StorageTableLogs", "AZKVAuditLogs", "AzureDiagnostics"],
    }
}

/// The rows of the answer, by column. The name of a table where none of those that the query names is there.
pub(super) fn rows(asked: &Asked, seen: &Seen<'_>, now: Timestamp) -> Result<Vec<Value>, &'static str> {
    let named = tables(asked);
    if !named.iter().any(|table| seen.has(table)) {
        return Err(named[0]);
    }
    Ok(match asked.query.id.name() {
        "dependency-failures" => dependency_failures(asked, seen),
        "credential-traces" => credential_traces(asked, seen),
        "invocations" => invocations(asked, seen),
        "host-traces" => host_traces(asked, seen),
        "failure-series" => failure_series(asked, seen),
        "recovery" => recovery(asked, seen, now),
        _ => refused_principals(asked, seen),
    })
}

fn dependency_failures(asked: &Asked, seen: &Seen<'_>) -> Vec<Value> {
    let mut groups = Groups::new(&["Target", "Kind", "Result", "Said"], &[]);
    for row in of_role(asked, seen, "AppDependencies") {
        let (result, data) = (row.text("ResultCode"), row.text("Data"));
        if is_refusal(&result) || row.is("Success", "false") {
            let said = extracted(asked, "dependencyPattern", &data);
            groups.add(&[&row.text("Target"), &row.text("DependencyType"), &result, &said], &row, row.items(), &data);
        }
    }
    groups.ranked(50)
}

fn credential_traces(asked: &Asked, seen: &Seen<'_>) -> Vec<Value> {
    let mut groups = Groups::new(&["Kind", "Said"], &[]);
    for (kind, row, text) in told(asked, seen) {
        if has_any(&text, &asked.texts["tracePhrases"]) {
            groups.add(&[kind, &extracted(asked, "tracePattern", &text)], &row, row.items(), &text);
        }
    }
    groups.ranked(50)
}

fn host_traces(asked: &Asked, seen: &Seen<'_>) -> Vec<Value> {
    let mut groups = Groups::new(&["Function", "Said"], &[]);
    for row in seen.rows("FunctionAppLogs") {
        let text = format!("{} {}", row.text("Message"), row.text("ExceptionMessage"));
        if row.is("_ResourceId", &asked.texts["app"][0]) && has_any(&text, &asked.texts["hostPhrases"]) {
            groups.add(&[&row.text("FunctionName"), &extracted(asked, "hostPattern", &text)], &row, 1, &text);
        }
    }
    groups.ranked(50)
}

fn invocations(asked: &Asked, seen: &Seen<'_>) -> Vec<Value> {
    let mut groups = Groups::new(&["Function"], &["Succeeded", "Failed"]);
    for row in of_role(asked, seen, "AppRequests") {
        let succeeded = if row.is("Success", "true") { row.items() } else { 0 };
        groups.add_sums(&[&row.text("Name")], &row, &[succeeded, row.items() - succeeded]);
    }
    let mut rows = groups.ranked(100);
    rows.sort_by_key(|row| Reverse((row["Failed"].as_u64(), row["Succeeded"].as_u64())));
    rows
}

fn failure_series(asked: &Asked, seen: &Seen<'_>) -> Vec<Value> {
    let mut steps: BTreeMap<Timestamp, [u64; 3]> = BTreeMap::new();
    for (time, figures) in figures(asked, seen) {
        let begin = Timestamp::from_second(time.as_second() - time.as_second().rem_euclid(300)).unwrap_or(time);
        let sums = steps.entry(begin).or_default();
        sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
    }
    let step = |(begin, [calls, auth, network]): (Timestamp, [u64; 3])| json!({ "Begin": written(begin), "Calls": calls, "AuthFailures": auth, "NetworkFailures": network });
    // Steps in which nothing is written are left out, and one in which only others are told is there.
    steps.into_iter().take(300).map(step).collect()
}

fn recovery(asked: &Asked, seen: &Seen<'_>, now: Timestamp) -> Vec<Value> {
    let ago = |minutes| now - SignedDuration::from_mins(minutes);
    let figures = figures(asked, seen);
    let calls = figures.iter().filter(|(time, _)| (ago(20)..=ago(5)).contains(time)).map(|(_, it)| it[0]);
    let late = |which: usize| figures.iter().filter(|(time, _)| *time > ago(20)).map(move |(_, it)| it[which]).sum();
    let (calls, auth, network): (u64, u64, u64) = (calls.sum(), late(1), late(2));
    let newest = figures.iter().map(|(time, _)| *time).max().map(written);
    vec![json!({ "Calls": calls, "AuthFailures": auth, "NetworkFailures": network, "Newest": newest })]
}

/// Calls, refusals and calls without an answer, row by row. What is only told is a row without any.
fn figures(asked: &Asked, seen: &Seen<'_>) -> Vec<(Timestamp, [u64; 3])> {
    let mut figures = Vec::new();
    let is_recovery = asked.query.id.name() == "recovery";
    let counts = |row: &Row<'_>| !is_recovery || row.is("Success", "true");
    for row in of_role(asked, seen, "AppDependencies") {
        let (result, items) = (row.text("ResultCode"), row.items());
        let is_asked = result == "401" && has_any(&row.text("Target"), &asked.texts["vaultHosts"]);
        let auth = if is_refusal(&result) && !is_asked { items } else { 0 };
        let calls = if counts(&row) { items } else { 0 };
        figures.push((row.time, [calls, auth, if result == "0" { items } else { 0 }]));
    }
    let invoked = of_role(asked, seen, "AppRequests");
    figures.extend(invoked.map(|row| (row.time, [if counts(&row) { row.items() } else { 0 }, 0, 0])));
    let phrases = &asked.texts[if is_recovery { "refusalPhrases" } else { "amqpPhrases" }];
    for (_, row, text) in told(asked, seen) {
        let auth = if has_any(&text, phrases) { row.items() } else { 0 };
        if auth > 0 || is_recovery {
            figures.push((row.time, [0, auth, 0]));
        }
    }
    figures
}

fn refused_principals(asked: &Asked, seen: &Seen<'_>) -> Vec<Value> {
    let mut groups = Groups::new(&["Resource", "ObjectId", "Result"], &[]);
    let mut add = |row: &Row<'_>, object: &str, result: &str, text: &str| {
        // Nine segments, the empty one before the first slash among them.
        let resource = row.text("_ResourceId").to_lowercase();
        let resource = resource.split('/').take(9).collect::<Vec<_>>().join("/");
        if !object.is_empty() && asked.texts["resources"].contains(&resource) {
            groups.add(&[&resource, object, result], row, 1, text);
        }
    };
    for table in ["StorageBlobLogs", "StorageQueueLogs", "StorageTableLogs"] {
        for row in seen.rows(table) {
            let status = row.text("StatusCode");
            if is_refusal(&status) {
                add(&row, &row.text("RequesterObjectId"), &status, &row.text("StatusText"));
            }
        }
    }
    for row in seen.rows("AZKVAuditLogs").iter().filter(|row| row.text("HttpStatusCode") == "403") {
        let object = row.cells["Identity"]["claim"]["oid"].as_str().unwrap_or_default();
        add(row, object, "403", &row.text("ResultDescription"));
    }
    let diagnostics = seen.rows("AzureDiagnostics");
    let of_vaults = diagnostics.iter().filter(|row| row.text("ResourceProvider") == "MICROSOFT.KEYVAULT");
    for row in of_vaults.filter(|row| row.text("httpStatusCode_d") == "403") {
        add(row, &row.text("identity_claim_oid_g"), "403", &row.text("ResultDescription"));
    }
    groups.ranked(50)
}

fn of_role<'a>(asked: &'a Asked, seen: &Seen<'a>, table: &str) -> impl Iterator<Item = Row<'a>> {
    let role = &asked.texts["roleName"][0];
    seen.rows(table).into_iter().filter(move |row| row.is("AppRoleName", role))
}

/// Traces and exceptions with their texts.
fn told<'a>(asked: &'a Asked, seen: &Seen<'a>) -> Vec<(&'static str, Row<'a>, String)> {
    let traces = of_role(asked, seen, "AppTraces").map(|row| ("traces", row.text("Message"), row));
    let exceptions = of_role(asked, seen, "AppExceptions").map(|row| {
        let text = format!("{} {}", row.text("OuterMessage"), row.text("InnermostMessage"));
        ("exceptions", text, row)
    });
    traces.chain(exceptions).map(|(kind, text, row)| (kind, row, text)).collect()
}

fn is_refusal(result: &str) -> bool {
    matches!(result, "401" | "403")
}

/// KQL's `has_any`: a phrase, with no letter or digit right beside it.
fn has_any(text: &str, phrases: &[String]) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let beside = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|c| c.is_alphanumeric());
    phrases.iter().any(|phrase| {
        let phrase: Vec<char> = phrase.to_lowercase().chars().collect();
        let mut windows = text.windows(phrase.len().max(1)).enumerate();
        windows.any(|(at, window)| {
            window == phrase
                && !(phrase[0].is_alphanumeric() && beside(at.checked_sub(1)))
                && !(phrase[phrase.len() - 1].is_alphanumeric() && beside(Some(at + phrase.len())))
        })
    })
}

/// What `extract` finds: the first of the phrases of a pattern that is there, as the text has it.
fn extracted(asked: &Asked, pattern: &str, text: &str) -> String {
    let pattern = asked.texts[pattern][0].trim_start_matches("(?i)").replace('\\', "");
    let lower = text.to_ascii_lowercase();
    let found = pattern.split('|').filter_map(|phrase| Some((lower.find(&phrase.to_ascii_lowercase())?, phrase.len())));
    found.min_by_key(|(at, _)| *at).map(|(at, length)| text[at..at + length].to_owned()).unwrap_or_default()
}

fn written(time: Timestamp) -> String {
    let time = time.round(Unit::Microsecond).unwrap_or(time);
    time.strftime("%Y-%m-%dT%H:%M:%S%.fZ").to_string()
}

impl Row<'_> {
    fn text(&self, column: &str) -> String {
        match &self.cells[column] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    fn is(&self, column: &str, text: &str) -> bool {
        self.text(column).eq_ignore_ascii_case(text)
    }

    fn items(&self) -> u64 {
        self.cells["ItemCount"].as_u64().unwrap_or(1)
    }
}

/// `summarize … by …`
struct Groups {
    by: &'static [&'static str],
    sums: &'static [&'static str],
    found: BTreeMap<Vec<String>, Group>,
}

struct Group {
    sums: Vec<u64>,
    first: Timestamp,
    last: Timestamp,
    sample: String,
}

impl Groups {
    fn new(by: &'static [&'static str], sums: &'static [&'static str]) -> Self {
        Self { by, sums: if sums.is_empty() { &["Count"] } else { sums }, found: BTreeMap::new() }
    }

    fn add(&mut self, key: &[&str], row: &Row<'_>, count: u64, text: &str) {
        self.add_sums(key, row, &[count]);
        let key: Vec<_> = key.iter().map(ToString::to_string).collect();
        if let Some(group) = self.found.get_mut(&key)
            && group.sample.is_empty()
        {
            group.sample = text.chars().take(1000).collect();
        }
    }

    fn add_sums(&mut self, key: &[&str], row: &Row<'_>, figures: &[u64]) {
        let key = key.iter().map(ToString::to_string).collect();
        let empty = || Group { sums: vec![0; figures.len()], first: row.time, last: row.time, sample: String::new() };
        let group = self.found.entry(key).or_insert_with(empty);
        group.sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        (group.first, group.last) = (group.first.min(row.time), group.last.max(row.time));
    }

    fn ranked(self, most: usize) -> Vec<Value> {
        let Self { by, sums, found } = self;
        let mut groups: Vec<_> = found.into_iter().collect();
        groups.sort_by_key(|(_, group)| Reverse(group.sums[0]));
        let row = |(key, group): (Vec<String>, Group)| {
            let mut row = json!({ "First": written(group.first), "Last": written(group.last), "Sample": group.sample });
            by.iter().zip(key).for_each(|(name, text)| row[*name] = text.into());
            sums.iter().zip(group.sums).for_each(|(name, sum)| row[*name] = sum.into());
            row
        };
        groups.into_iter().take(most).map(row).collect()
    }
}
