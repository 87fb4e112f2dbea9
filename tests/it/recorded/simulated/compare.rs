//! What has to be the same in a recorded answer and in a simulated one. Values that Azure invents are left aside: of a
//! member only that it is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{super::Recording, stage::Answer};

/// Members whose values nobody invents.
const SPOKEN: [&str; 7] = ["id", "name", "type", "code", "Code", "status", "provisioningState"];

/// Suites that took headers away: `retry-after`, and the last one nearly all.
const WITHOUT_RETRY_AFTER: [&str; 4] = [
    "Azure/azure-libraries-for-java",
    "Azure/azure-dev",
    "kubernetes-sigs/cloud-provider-azure",
    "cloud-custodian/cloud-custodian",
];
const WITHOUT_HEADERS: &str = "cloud-custodian/cloud-custodian";

/// What differs, in words; nothing when all is well.
pub(super) fn differences(recording: &Recording, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    if recording.status != answer.status {
        found.push(format!("status {} where {} was recorded: {}", answer.status, recording.status, answer.body));
        return found;
    }
    if answer.of_operation {
        let (wanted, got) = (members(&recording.body, ""), members(&answer.body, ""));
        if wanted.keys().ne(got.keys()) || wanted[".status"] != got[".status"] {
            found.push(format!("the operation is {} where {} was recorded", answer.body, recording.body));
        }
    } else {
        compare_bodies(&recording.body, &answer.body, &mut found);
    }
    compare_headers(recording, answer, &mut found);
    found
}

/// Lists have the same items, each with the same members, and the same members beside them.
fn compare_bodies(recorded: &Value, simulated: &Value, found: &mut Vec<String>) {
    let (Some(wanted), Some(got)) = (recorded["value"].as_array(), simulated["value"].as_array()) else {
        return compare_members("", recorded, simulated, found);
    };
    let beside = |list: &Value| -> BTreeMap<String, bool> {
        let members = list.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.clone(), value.is_null())).collect()
    };
    if beside(recorded) != beside(simulated) {
        found.push(format!("list members {:?} where {:?} were recorded", beside(simulated), beside(recorded)));
    }
    let keyed = |items: &[Value]| -> BTreeMap<String, Value> {
        // Entries without an id are told apart by their place.
        let key = |(at, item): (usize, &Value)| item["id"].as_str().map_or_else(|| at.to_string(), str::to_owned);
        items.iter().enumerate().map(|pair| (key(pair), pair.1.clone())).collect()
    };
    if wanted.len() != got.len() {
        found.push(format!("{} items where {} were recorded", got.len(), wanted.len()));
        return;
    }
    let (wanted, got) = (keyed(wanted), keyed(got));
    if wanted.keys().ne(got.keys()) {
        found.push(format!("items {:?} where {:?} were recorded", got.keys(), wanted.keys()));
        return;
    }
    for (id, item) in &wanted {
        compare_members(id, item, &got[id], found);
    }
}

fn compare_members(of: &str, recorded: &Value, simulated: &Value, found: &mut Vec<String>) {
    let (wanted, got) = (members(recorded, ""), members(simulated, ""));
    let missing: Vec<_> = wanted.keys().filter(|path| !got.contains_key(*path)).collect();
    let surplus: Vec<_> = got.keys().filter(|path| !wanted.contains_key(*path)).collect();
    if !(missing.is_empty() && surplus.is_empty()) {
        found.push(format!("{of} lacks {missing:?} and has besides {surplus:?}"));
    }
    for (path, values) in &wanted {
        let name = path.rsplit('.').next().unwrap_or("");
        // What is null and what is filled in tells one answer from another.
        let null = |values: &BTreeSet<String>| values.iter().all(|value| value == "null");
        if got.get(path).is_some_and(|simulated| null(simulated) != null(values)) {
            found.push(format!("{of}{path} is {:?} where {values:?} was recorded", got[path]));
        }
        let ends = |values: &BTreeSet<String>| values.iter().all(|value| value.ends_with("/\""));
        if name == "vaultUri" && got.get(path).is_some_and(|simulated| ends(simulated) != ends(values)) {
            found.push(format!("{of}{path} ends otherwise than in {values:?}"));
        }
        if SPOKEN.contains(&name) && got.get(path).is_some_and(|simulated| simulated != values) {
            found.push(format!("{of}{path} is {:?} where {values:?} was recorded", got[path]));
        }
    }
}

/// The paths of all members with the values below them; those of array items are joined. What somebody chose, the keys
/// of a map, counts by its casing alone.
fn members(value: &Value, prefix: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    collect(value, prefix, &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{path}.{name}");
                let text = if value.is_object() || value.is_array() { String::new() } else { value.to_string() };
                found.entry(path.clone()).or_default().insert(text);
                collect(value, &path, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, &format!("{path}[]"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn compare_headers(recording: &Recording, answer: &Answer, found: &mut Vec<String>) {
    let recorded: BTreeMap<_, _> = recording.headers.iter().cloned().collect();
    let few = recording.suite == WITHOUT_HEADERS;
    for name in ["location", "azure-asyncoperation", "retry-after", "x-ms-failure-cause"] {
        let dropped = few || (name == "retry-after" && WITHOUT_RETRY_AFTER.contains(&recording.suite.as_str()));
        match (recorded.get(name), answer.headers.get(name)) {
            (Some(wanted), Some(got)) if name == "x-ms-failure-cause" && wanted != got => {
                found.push(format!("{name} {got} where {wanted} was recorded"));
            }
            // An address of its own, or one relative to the host.
            (Some(wanted), Some(got)) if wanted.starts_with('/') != got.starts_with('/') => {
                found.push(format!("{name} is {got} where {wanted} was recorded"));
            }
            (Some(wanted), None) => found.push(format!("no {name}, where {wanted} was recorded")),
            (None, Some(got)) if !dropped => found.push(format!("{name} {got}, where none was recorded")),
            _ => {}
        }
    }
    let counters = |headers: &BTreeMap<String, String>| -> BTreeSet<String> {
        let names = headers.keys().filter_map(|name| name.strip_prefix("x-ms-ratelimit-remaining-"));
        // The names in the counter of Microsoft.Compute are values.
        names.filter(|name| *name != "resource").map(str::to_owned).collect()
    };
    let (wanted, got) = (counters(&recorded), counters(&answer.headers));
    if !wanted.is_subset(&got) {
        found.push(format!("counts {got:?} where {wanted:?} were recorded"));
    }
    if wanted.is_empty()
        && recorded.get("x-ms-failure-cause").is_some_and(|cause| cause == "gateway")
        && !got.is_empty()
    {
        found.push(format!("counts {got:?} where none was recorded"));
    }
}
