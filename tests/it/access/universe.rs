//! Every action that there is, for the oracle: finitely many, and at least one for every way in which the patterns of
//! the estates can match or not.

use std::collections::BTreeMap;

use rolecall::catalog::{
    Need,
    binding::{self, Right},
};

/// A set of actions, by position.
pub type Actions = [u64; 4];

pub const NONE: Actions = [0; 4];

pub fn without(all: Actions, taken: Actions) -> Actions {
    std::array::from_fn(|at| all[at] & !taken[at])
}

pub fn with(one: Actions, other: Actions) -> Actions {
    std::array::from_fn(|at| one[at] | other[at])
}

pub fn has(all: Actions, action: usize) -> bool {
    all[action / 64] & (1 << (action % 64)) != 0
}

pub struct Universe {
    /// Written out, in lower case.
    pub actions: Vec<String>,
    /// What roles, deny assignments and conditions may say, in the casing that they say it in.
    pub patterns: Vec<&'static str>,
    /// What each of them matches.
    pub matched: Vec<Actions>,
    /// The catalog's needs that are asked for.
    pub rows: Vec<&'static Need>,
    /// What each of them asks for: all of these, each in one of its ways, which are actions by plane.
    pub of_rows: Vec<Vec<Vec<[Actions; 2]>>>,
}

/// Those with a star first: they are drawn more often.
const PATTERNS: [&str; 30] = [
    "*",
    "Microsoft.Storage/*",
    "*/action",
    "*/write",
    "*/read",
    "Microsoft.Storage/storageAccounts/*/read",
    "microsoft.storage/storageaccounts/blobservices/containers/*",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*",
    "Microsoft.Storage/storageAccounts/queueServices/queues/messages/*",
    "*/blobs/*",
    "Microsoft.ServiceBus/*",
    "Microsoft.ServiceBus/*/receive/action",
    "Microsoft.Authorization/*",
    "Microsoft.Authorization/*/write",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
    "MICROSOFT.STORAGE/storageAccounts/blobServices/containers/read",
    "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read",
    "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
    "Microsoft.Storage/storageAccounts/queueServices/queues/messages/delete",
    "Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action",
    "Microsoft.Storage/storageAccounts/queueServices/queues/write",
    "Microsoft.Storage/storageAccounts/listKeys/action",
    "Microsoft.ServiceBus/namespaces/messages/receive/action",
    "Microsoft.ServiceBus/namespaces/messages/send/action",
    "Microsoft.ServiceBus/namespaces/queues/read",
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Authorization/roleAssignments/delete",
];

/// How many of them are about more than one provider or service, how many have a star.
pub const WIDE: usize = 5;
pub const WITH_STAR: usize = 14;
pub const BLOBS: usize = 7;
pub const MESSAGES: usize = 8;

/// What a star may stand for, a segment at a time.
const SEGMENTS: [&str; 7] = ["", "zz", "blobs", "read", "write", "action", "receive/action"];

impl Universe {
    pub fn enumerate() -> Self {
        let ids = ["blob-trigger-polling", "queue-trigger", "queue-output", "service-bus-trigger"];
        let named =
            ids.map(|id| binding::rows().iter().find(|row| row.id == id).unwrap_or_else(|| panic!("no row {id}")));
        let rows: Vec<&Need> = named.iter().flat_map(|row| &row.needs).collect();
        let rights = rows.iter().flat_map(|row| &row.rights);
        let of_rows = rights.flat_map(|right| right.any_of.iter().flatten()).map(String::as_str);
        let mut patterns: Vec<&str> = PATTERNS.to_vec();
        for action in of_rows {
            if !patterns.iter().any(|known| known.eq_ignore_ascii_case(action)) {
                patterns.push(action);
            }
        }

        let one: Vec<String> = SEGMENTS.iter().map(|&segment| segment.to_owned()).collect();
        let joined = |first: &[String]| -> Vec<String> {
            first.iter().flat_map(|first| SEGMENTS.iter().map(move |last| format!("{first}/{last}"))).collect()
        };
        let two = joined(&one);
        let three = joined(&two);
        let short: Vec<String> = one.into_iter().chain(two).collect();
        let long: Vec<String> = short.iter().cloned().chain(three).collect();
        let mut by_match: BTreeMap<Vec<bool>, String> = BTreeMap::new();
        for pattern in &patterns {
            let fillers = if pattern.matches('*').count() > 1 { &short } else { &long };
            for action in filled(&pattern.to_ascii_lowercase(), fillers) {
                let way = patterns.iter().map(|other| is_match(&other.to_ascii_lowercase(), &action)).collect();
                by_match.entry(way).or_insert(action);
            }
        }
        let actions: Vec<String> = by_match.values().cloned().collect();
        assert!(actions.len() <= 256, "{} actions do not fit", actions.len());
        let ways: Vec<&Vec<bool>> = by_match.keys().collect();
        let matched: Vec<Actions> = (0..patterns.len())
            .map(|pattern| {
                let of_pattern = (0..actions.len()).filter(|action| ways[*action][pattern]);
                of_pattern.fold(NONE, |all, action| with(all, single(action)))
            })
            .collect();
        let all_of = |names: &[&str]| {
            let is_asked =
                |action: &&usize| names.iter().any(|name| is_match(&name.to_ascii_lowercase(), &actions[**action]));
            let all: Vec<usize> = (0..actions.len()).collect();
            all.iter().filter(is_asked).fold(NONE, |all, action| with(all, single(*action)))
        };
        let way = |right: &Right, way: &Vec<String>| {
            let named: Vec<&str> = way.iter().map(String::as_str).collect();
            if right.data { [NONE, all_of(&named)] } else { [all_of(&named), NONE] }
        };
        let ways = |right: &Right| right.any_of.iter().map(|one| way(right, one)).collect();
        let of_rows = rows.iter().map(|row| row.rights.iter().map(ways).collect()).collect();
        Self { actions, patterns, matched, rows, of_rows }
    }
}

fn single(action: usize) -> Actions {
    std::array::from_fn(|at| if at == action / 64 { 1 << (action % 64) } else { 0 })
}

/// The pattern with each star replaced by each filler.
fn filled(pattern: &str, fillers: &[String]) -> Vec<String> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![pattern.to_owned()] };
    let rest = filled(after, fillers);
    fillers.iter().flat_map(|filler| rest.iter().map(move |rest| format!("{before}{filler}{rest}"))).collect()
}

/// As it is defined: a star is nothing, or one character and a star.
fn is_match(pattern: &str, text: &str) -> bool {
    match (pattern.as_bytes().first(), text.as_bytes().first()) {
        (None, None) => true,
        (Some(b'*'), None) => is_match(&pattern[1..], text),
        (Some(b'*'), Some(_)) => is_match(&pattern[1..], text) || is_match(pattern, &text[1..]),
        (Some(own), Some(other)) => own == other && is_match(&pattern[1..], &text[1..]),
        (None, Some(_)) | (Some(_), None) => false,
    }
}
