//! Field and label selectors, as far as the operator uses them: names, namespaces and equality of labels.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::Refusal;

/// What a list or watch asks for beyond its path.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    fields: Vec<(String, String)>,
    labels: Vec<(String, String)>,
}

impl Selector {
    pub(super) fn parse(query: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let fields = equalities(query.get("fieldSelector"))?;
        if let Some((field, _)) = fields.iter().find(|(field, _)| !is_selectable(field)) {
            return Err(Refusal::bad_request(format!("field label not supported: {field}")));
        }
        Ok(Self { fields, labels: equalities(query.get("labelSelector"))? })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        self.fields.iter().all(|(field, wanted)| {
            let found = field.strip_prefix("metadata.").map_or(&Value::Null, |field| &metadata[field]);
            found == wanted.as_str()
        }) && self.labels.iter().all(|(label, wanted)| metadata["labels"][label] == wanted.as_str())
    }
}

fn is_selectable(field: &str) -> bool {
    matches!(field, "metadata.name" | "metadata.namespace")
}

fn equalities(selector: Option<&String>) -> Result<Vec<(String, String)>, Refusal> {
    let terms = selector.map(String::as_str).unwrap_or_default().split(',').filter(|term| !term.is_empty());
    terms
        .map(|term| match term.split_once('=') {
            Some((key, value)) if !key.contains(['!', '(', ' ']) => {
                Ok((key.to_owned(), value.trim_start_matches('=').to_owned()))
            }
            Some(_) | None => {
                Err(Refusal::bad_request(format!("the sandbox does not play the selector term {term:?}")))
            }
        })
        .collect()
}
