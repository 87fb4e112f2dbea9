//! The queries that telemetry is asked with (`queries.yaml`), and how a parameter gets into one.

mod recognise;

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use jiff::SignedDuration;
use serde::Deserialize;

use super::{
    services,
    signals::{self, Table},
};
use crate::model::{Scope, Source};

pub use recognise::{Asked, recognise};

/// The least and the longest that is looked back.
pub const WINDOW: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(20), SignedDuration::from_hours(24));

/// The signals of refusals that no result code tells of.
const AMQP: [&str; 2] = ["amqp-claims", "amqp-refused"];

/// Whose words a query uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// A Log Analytics workspace.
    Workspace,
    /// The log view of an Application Insights component.
    Classic,
}

/// A query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Which source of evidence it reads.
    pub id: Source,
    /// What it asks, as a clause.
    pub asks: String,
    /// Where it can be asked.
    #[serde(default = "both")]
    pub dialects: Vec<Dialect>,
    columns: BTreeMap<String, String>,
    text: String,
}

/// What a query is about.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// The app's role name in its telemetry.
    pub role_name: &'a str,
    /// The app.
    pub app: &'a Scope,
    /// The resources whose own logs are read.
    pub resources: &'a [&'a Scope],
    /// How far to look back. Brought into [`WINDOW`].
    pub window: SignedDuration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    source: String,
    names: BTreeMap<Dialect, BTreeMap<String, String>>,
    queries: Vec<Query>,
}

static ROWS: LazyLock<Rows> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("queries.yaml")).expect("a test reads this table"));

fn both() -> Vec<Dialect> {
    vec![Dialect::Workspace, Dialect::Classic]
}

/// All queries.
#[must_use]
pub fn queries() -> &'static [Query] {
    &ROWS.queries
}

/// Where the names of tables and columns are from.
#[must_use]
pub fn source() -> &'static str {
    &ROWS.source
}

/// The query of a source.
#[must_use]
pub fn query(id: Source) -> &'static Query {
    queries().iter().find(|query| query.id == id).expect("a test looks for each")
}

impl Query {
    /// The columns of its answer with their types, by name.
    #[must_use]
    pub fn columns(&self) -> &BTreeMap<String, String> {
        &self.columns
    }

    /// The text to send, or for a person to run; none in a dialect in which it cannot be asked. Its first line says which
    /// query it is.
    #[must_use]
    pub fn text(&self, dialect: Dialect, parameters: &Parameters<'_>) -> Option<String> {
        if !self.dialects.contains(&dialect) {
            return None;
        }
        let body = filled(&self.text, |name| {
            let word = ROWS.names.get(&dialect).and_then(|names| names.get(name)).cloned();
            word.or_else(|| parameters.value(name)).expect("a test fills every query")
        });
        Some(format!("// rolecall: {}\n{}", self.id, body.trim_end()))
    }
}

impl Parameters<'_> {
    /// How many minutes are looked back.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        self.window.clamp(WINDOW.0, WINDOW.1).as_mins()
    }

    fn value(&self, name: &str) -> Option<String> {
        let phrases = |table| list(signals::phrases(table));
        Some(match name {
            "roleName" => literal(self.role_name),
            "app" => literal(self.app.as_str()),
            "resources" => list(self.resources.iter().map(|resource| resource.key())),
            "window" => format!("{}m", self.minutes()),
            "vaultHosts" => list(vault_hosts()),
            "amqpPhrases" => {
                list(signals::signals().iter().filter(|it| AMQP.contains(&&*it.id)).flat_map(|it| &it.text))
            }
            "refusalPhrases" => {
                let told = signals::signals().iter().filter(|it| it.tables.contains(&Table::Exceptions));
                list(told.filter(|it| !it.is_unanswered()).flat_map(|it| &it.text))
            }
            // Exceptions are asked for what traces are.
            "tracePhrases" => list(signals::phrases(Table::Exceptions)),
            "hostPhrases" => phrases(Table::HostLogs),
            "dependencyPattern" => pattern(&signals::phrases(Table::Dependencies)),
            "tracePattern" => pattern(&signals::phrases(Table::Exceptions)),
            "hostPattern" => pattern(&signals::phrases(Table::HostLogs)),
            _ => return None,
        })
    }
}

fn vault_hosts() -> impl Iterator<Item = &'static String> {
    let vaults = services::services().iter().filter(|service| service.name == "Key Vault");
    vaults.flat_map(|service| service.suffix.values())
}

/// The template with every `{name}` replaced. What is put in is not looked at again.
fn filled(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("a test fills every query");
        text.push_str(before);
        text.push_str(&value(name));
        rest = after;
    }
    text + rest
}

fn list(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    texts.into_iter().map(|text| literal(text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A text as KQL writes it ("The string data type"): in double quotes, with a backslash before quotes and backslashes.
///
/// Control characters and line ends have no place in any name of Azure, and which of them end a literal is documented for
/// two only. They become U+FFFD, so that the query finds nothing.
fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            _ if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') => literal.push('\u{fffd}'),
            _ => literal.push(character),
        }
    }
    literal.push('"');
    literal
}

/// A regular expression for any of the phrases, in any casing, as a literal.
fn pattern(phrases: &[&str]) -> String {
    let mut expression = String::new();
    for phrase in phrases {
        expression.push_str(if expression.is_empty() { "(?i)" } else { "|" });
        for character in phrase.chars() {
            let is_plain = character.is_alphanumeric() || matches!(character, ' ' | '-' | ':' | '\'');
            let escape = if is_plain { "" } else { "\\" };
            let _ = write!(expression, "{escape}{character}");
        }
    }
    literal(&expression)
}

#[cfg(test)]
mod tests;
