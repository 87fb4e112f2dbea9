//! From a text back to the query that it is, and what it is about: for whoever answers our queries in Azure's place.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Dialect, Parameters, Query, ROWS, queries};
use crate::model::Scope;

/// A query of ours, taken apart.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which.
    pub query: &'static Query,
    /// The texts of each parameter, and of each list that is the same in every query.
    pub texts: BTreeMap<&'static str, Vec<String>>,
    /// How many minutes are looked back.
    pub minutes: i64,
}

/// The query of ours that a text for a workspace is; none for any other text.
#[must_use]
pub fn recognise(text: &str) -> Option<Asked> {
    let (name, mut rest) = text.strip_prefix("// rolecall: ")?.split_once('\n')?;
    let query = queries().iter().find(|query| query.id.name() == name)?;
    let nothing = Scope::lenient("/");
    // What the same names are in every query: only the others may differ.
    let same = Parameters { role_name: "", app: &nothing, resources: &[], window: SignedDuration::ZERO };
    let mut asked = Asked { query, texts: BTreeMap::new(), minutes: 0 };
    let mut template = query.text.trim_end();
    while let Some((before, after)) = template.split_once('{') {
        let (name, after) = after.split_once('}')?;
        rest = rest.strip_prefix(before)?;
        template = after;
        if let Some(word) = ROWS.names.get(&Dialect::Workspace).and_then(|names| names.get(name)) {
            rest = rest.strip_prefix(word.as_str())?;
        } else if name == "window" {
            let (minutes, after) = rest.split_once('m')?;
            asked.minutes = minutes.parse().ok()?;
            rest = after;
        } else {
            let (texts, after) = literals(rest)?;
            let is_parameter = matches!(name, "roleName" | "app" | "resources");
            if !is_parameter && rest[..rest.len() - after.len()] != same.value(name)? {
                return None;
            }
            asked.texts.insert(name, texts);
            rest = after;
        }
    }
    (rest == template).then_some(asked)
}

/// The literals of a list, and what comes after it.
fn literals(text: &str) -> Option<(Vec<String>, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix('"') {
        let mut literal = String::new();
        let mut symbols = inner.char_indices();
        loop {
            match symbols.next()? {
                (at, '"') => {
                    rest = &inner[at + 1..];
                    break;
                }
                (_, '\\') => literal.push(symbols.next()?.1),
                (_, symbol) => literal.push(symbol),
            }
        }
        found.push(literal);
        match rest.strip_prefix(", ") {
            Some(next) if next.starts_with('"') => rest = next,
            Some(_) | None => break,
        }
    }
    Some((found, rest))
}
