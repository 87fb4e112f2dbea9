//! What telemetry says (`signals.yaml`): words and results that speak for or against an explanation.

use std::sync::LazyLock;

use serde::Deserialize;

use super::services;
use crate::model::Hypothesis;

/// The signals of calls that were not answered. All others that exceptions and traces tell are of refused calls, refused
/// tokens and listeners that do not start.
const UNANSWERED: [&str; 3] = ["no-such-host", "timed-out", "no-answer"];

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Table {
    /// Calls to other services.
    Dependencies,
    /// What the app and its libraries log.
    Traces,
    /// Errors that were thrown.
    Exceptions,
    /// What the host of the functions logs.
    HostLogs,
    /// What a called resource itself logs.
    ResourceLogs,
}

/// A row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its name.
    pub id: String,
    /// What was seen, as a clause.
    pub says: String,
    /// Where it is looked for.
    #[serde(rename = "in")]
    pub tables: Vec<Table>,
    service: Option<String>,
    #[serde(default)]
    result: Vec<String>,
    #[serde(default)]
    pub(super) text: Vec<String>,
    with: Option<String>,
    #[serde(default)]
    unless: Vec<String>,
    #[serde(default)]
    general: bool,
    /// What it speaks for. Nothing, where it is a symptom of all of them, or of none.
    #[serde(rename = "for")]
    pub supports: Vec<Hypothesis>,
    /// What it speaks against.
    #[serde(default, rename = "against")]
    pub opposes: Vec<Hypothesis>,
    /// What else the same words may come from. Then it decides nothing by itself.
    pub ambiguous: Option<String>,
    /// Who says so.
    pub source: String,
}

/// A row of telemetry, as far as it can be a signal.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where it is from.
    pub table: Table,
    /// Who was called: a host, perhaps with more behind it. Empty where that is not known.
    pub target: &'a str,
    /// The result, as the table has it.
    pub result: &'a str,
    /// Messages, codes and details.
    pub text: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    playbook: String,
    signals: Vec<Signal>,
}

static ROWS: LazyLock<Rows> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("signals.yaml")).expect("a test reads this table"));

/// All signals.
#[must_use]
pub fn signals() -> &'static [Signal] {
    &ROWS.signals
}

/// The playbook that rows name as their source.
#[must_use]
pub fn playbook() -> &'static str {
    &ROWS.playbook
}

/// The signal of that name.
#[must_use]
pub fn signal(id: &str) -> Option<&'static Signal> {
    signals().iter().find(|signal| signal.id == id)
}

/// The phrases that are looked for in the words of a table, each once.
#[must_use]
pub fn phrases(table: Table) -> Vec<&'static str> {
    let rows = signals().iter().filter(|signal| signal.tables.contains(&table));
    let mut phrases: Vec<_> = rows.flat_map(|signal| &signal.text).map(String::as_str).collect();
    phrases.sort_unstable();
    phrases.dedup();
    phrases
}

/// What a row of telemetry says, in the order of the table.
#[must_use]
pub fn classify(seen: &Seen<'_>) -> Vec<&'static Signal> {
    let text = format!("{}\n{}", seen.result, seen.text).to_lowercase();
    let host = host(seen.target);
    let matching: Vec<_> = signals().iter().filter(|signal| signal.matches(seen, &host, &text)).collect();
    let is_told = matching.iter().any(|signal| !signal.general);
    matching.into_iter().filter(|signal| !(is_told && signal.general)).collect()
}

impl Signal {
    /// Whether a call was not answered by whom it was meant for.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        UNANSWERED.contains(&self.id.as_str())
    }

    /// Whether a call was answered with a refusal. That no token could be had is none, and neither is a symptom.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.tables.contains(&Table::Dependencies) && !self.is_unanswered() && !self.supports.is_empty()
    }

    fn matches(&self, seen: &Seen<'_>, host: &str, text: &str) -> bool {
        let has = |phrase: &String| has_phrase(text, &phrase.to_lowercase());
        self.tables.contains(&seen.table)
            && self.service.as_deref().is_none_or(|name| is_host_of(host, name))
            && (self.result.is_empty() || self.result.iter().any(|result| result == seen.result))
            && (self.text.is_empty() || self.text.iter().any(has))
            && self.with.iter().all(has)
            && !self.unless.iter().any(has)
    }
}

/// Application Insights writes targets as `host`, `host:port`, `host/entity` and `host | name`.
fn host(target: &str) -> String {
    let end = target.find(|c: char| c.is_whitespace() || matches!(c, '/' | ':' | '|')).unwrap_or(target.len());
    target[..end].to_lowercase()
}

fn is_host_of(host: &str, service: &str) -> bool {
    let service = services::services().iter().find(|known| known.name == service);
    let mut suffixes = service.into_iter().flat_map(|service| service.suffix.values());
    suffixes.any(|suffix| host.strip_suffix(suffix.as_str()).is_some_and(|name| name.ends_with('.')))
}

/// Whether a phrase stands in a text by itself, and is no part of a longer word.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(phrase).any(|(at, _)| {
        let starts = !is_word(phrase.chars().next()) || !is_word(text[..at].chars().next_back());
        let ends = !is_word(phrase.chars().next_back()) || !is_word(text[at + phrase.len()..].chars().next());
        starts && ends
    })
}

#[cfg(test)]
mod tests;
