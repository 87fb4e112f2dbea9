//! Recorded traffic of the real Azure against the real client: what was recorded decides who is right.
//!
//! The recordings are other people's data. They are read in place (`ROLECALL_RECORDED`, or beside the repository) and
//! never copied: the tables here hold numbers of recordings, counts and Azure's own codes, and what is in a document is
//! compared with that document, read as plain JSON.

mod crate_models;
mod decoded;
mod network;
mod oddities;
mod others;
mod refused;
mod replay;
pub(crate) mod simulated;

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, sync::OnceLock};

use serde_json::Value;

/// How many recordings there are.
const ALL: u16 = 157;

/// What a recording is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Category {
    /// A role assignment, or a list of them.
    Grants,
    /// A role definition, or a list of them.
    Roles,
    /// What the caller may do.
    Permissions,
    /// A user-assigned identity, or a list of them.
    UserIdentities,
    /// An app, a slot or another host with an identity block, or a list of them.
    Hosts,
    /// A key vault, or a list of them.
    Vaults,
    /// The settings of an app.
    Settings,
    /// A status of 400 and above, of any family.
    Refused,
    /// A success of a family that the client does not read.
    Others,
}

/// Each category with its number of recordings and their numbers.
const CATEGORIES: [(Category, usize, &[RangeInclusive<u16>]); 9] = [
    (Category::Grants, 11, &[3..=13]),
    (Category::Roles, 7, &[15..=19, 21..=22]),
    (Category::Permissions, 2, &[23..=24]),
    (Category::UserIdentities, 5, &[25..=26, 29..=31]),
    (Category::Hosts, 19, &[35..=39, 43..=46, 48..=49, 51..=52, 103..=103, 106..=110]),
    (Category::Vaults, 11, &[59..=64, 67..=69, 72..=73]),
    (Category::Settings, 3, &[53..=53, 55..=56]),
    (Category::Refused, 35, &[1..=2, 14..=14, 20..=20, 27..=27, 128..=157]),
    (
        Category::Others,
        64,
        &[
            28..=28,
            32..=34,
            40..=42,
            47..=47,
            50..=50,
            54..=54,
            57..=58,
            65..=66,
            70..=71,
            74..=102,
            104..=105,
            111..=127,
        ],
    ),
];

/// One request and its answer.
#[derive(Clone, Debug)]
struct Recording {
    number: u16,
    method: String,
    /// As sent, with whatever slashes it has.
    path: String,
    /// As sent, without the question mark.
    query: String,
    /// What was sent; null for nothing, and where the suite did not keep it.
    sent: Value,
    /// The suite that recorded it.
    suite: String,
    status: u16,
    headers: Vec<(String, String)>,
    /// The body as JSON; an empty string for an empty body.
    body: Value,
}

impl Recording {
    fn read(number: u16, text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("a recording is JSON");
        let (request, response) = (&document["request"], &document["response"]);
        let headers = response["headers"].as_object().expect("a recording has headers").iter();
        let status = response["status"].as_u64().expect("a recording has a status");
        Self {
            number,
            method: request["method"].as_str().expect("a recording has a method").to_owned(),
            path: request["path"].as_str().expect("a recording has a path").to_owned(),
            query: request["query"].as_str().unwrap_or("").to_owned(),
            sent: request["body"].clone(),
            suite: document["source"]["repo"].as_str().unwrap_or("").to_owned(),
            status: u16::try_from(status).expect("a status has three digits"),
            headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned())).collect(),
            body: response["body"].clone(),
        }
    }

    fn category(&self) -> Category {
        let found = CATEGORIES.iter().find(|(_, _, numbers)| contains(numbers, self.number));
        found.expect("every number is in a category").0
    }

    /// The documents of the body: the entries of a list, or the one that it is.
    fn documents(&self) -> Vec<&Value> {
        match self.body.get("value").and_then(Value::as_array) {
            Some(entries) => entries.iter().collect(),
            None => vec![&self.body],
        }
    }

    fn is_list(&self) -> bool {
        self.body.get("value").is_some_and(Value::is_array)
    }
}

fn contains(numbers: &[RangeInclusive<u16>], number: u16) -> bool {
    numbers.iter().any(|range| range.contains(&number))
}

/// All recordings by number; none where the folder is absent, which CI does not forgive.
fn recordings() -> Option<&'static BTreeMap<u16, Recording>> {
    static RECORDINGS: OnceLock<Option<BTreeMap<u16, Recording>>> = OnceLock::new();
    RECORDINGS.get_or_init(read_all).as_ref()
}

#[expect(clippy::disallowed_methods, reason = "where the recordings are is a matter of the machine")]
fn read_all() -> Option<BTreeMap<u16, Recording>> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/azure/recorded");
    let folder = std::env::var_os("ROLECALL_RECORDED").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "no recordings in `{}`: CI must have them", folder.display());
        println!("skipped: no recordings in `{}`; set ROLECALL_RECORDED to their folder", folder.display());
        return None;
    }
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).expect("the folder is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain file name");
        let number =
            name.split('-').next().and_then(|number| number.parse().ok()).expect("a name starts with a number");
        let text = std::fs::read_to_string(&path).expect("a recording is readable");
        assert!(found.insert(number, Recording::read(number, &text)).is_none(), "two recordings have number {number}");
    }
    Some(found)
}

/// The recordings of one category.
fn of(category: Category) -> Vec<&'static Recording> {
    recordings().into_iter().flat_map(BTreeMap::values).filter(|recording| recording.category() == category).collect()
}

/// A table has a row for each recording of its category and no other.
fn assert_complete(category: Category, rows: &[u16]) {
    let (_, count, numbers) = CATEGORIES.iter().find(|(known, _, _)| *known == category).expect("a category");
    let expected: Vec<u16> = numbers.iter().cloned().flatten().collect();
    assert_eq!(rows, expected, "the rows for {category:?}");
    assert_eq!(rows.len(), *count, "the number of rows for {category:?}");
}

#[test]
fn every_number_is_in_exactly_one_category() {
    for number in 1..=ALL {
        let categories = CATEGORIES.iter().filter(|(_, _, numbers)| contains(numbers, number)).count();
        assert_eq!(categories, 1, "categories of {number}");
    }
    for (category, count, numbers) in CATEGORIES {
        assert_eq!(numbers.iter().cloned().flatten().count(), count, "{category:?}");
    }
    assert_eq!(CATEGORIES.iter().map(|(_, count, _)| count).sum::<usize>(), usize::from(ALL));
}

#[test]
fn each_of_the_157_recordings_is_there_and_exactly_the_refusals_have_an_error_status() {
    let Some(recordings) = recordings() else { return };
    assert_eq!(recordings.keys().copied().collect::<Vec<_>>(), (1..=ALL).collect::<Vec<_>>());
    let mut counts = BTreeMap::new();
    for recording in recordings.values() {
        *counts.entry(recording.category()).or_insert(0) += 1;
        let refused = recording.category() == Category::Refused;
        assert_eq!(recording.status >= 400, refused, "{} was answered {}", recording.number, recording.status);
    }
    let expected: BTreeMap<_, _> = CATEGORIES.iter().map(|(category, count, _)| (*category, *count)).collect();
    assert_eq!(counts, expected);
}
