//! What boundaries allow a namespace, by their documents.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{list, lower, reach_of, reaches, text};

/// The boundaries and namespaces that somebody knows of.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Rules {
    pub(in super::super) boundaries: BTreeMap<String, Value>,
    pub(in super::super) namespaces: BTreeMap<String, Value>,
}

impl Rules {
    /// The specs of the boundaries that select a namespace.
    fn over<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Value> {
        let labels = self.namespaces.get(namespace).map(|object| &object["metadata"]["labels"]);
        self.boundaries.values().map(|boundary| &boundary["spec"]).filter(move |spec| {
            let selected = &spec["namespaces"];
            let wanted = selected["matchLabels"].as_object().filter(|wanted| !wanted.is_empty());
            let by_label = wanted
                .is_some_and(|wanted| wanted.iter().all(|(key, value)| labels.map(|own| &own[key]) == Some(value)));
            list(&selected["names"]).any(|name| name == namespace) || by_label
        })
    }

    /// The scopes that a namespace may see.
    pub(in super::super) fn scopes(&self, namespace: &str) -> Vec<String> {
        self.over(namespace).flat_map(|spec| list(&spec["scopes"])).map(|scope| lower(&scope["id"])).collect()
    }

    /// Whether one boundary lets a namespace's policies switch that vault although it keeps these out.
    pub(in super::super) fn allow_switch(
        &self,
        namespace: &str,
        vault: &str,
        kept_out: &[String],
        now: Timestamp,
    ) -> bool {
        let today = now.strftime("%Y-%m-%d").to_string();
        self.over(namespace).any(|spec| {
            let entries = list(&spec["vaults"]).filter(|entry| lower(&entry["resource"]) == vault);
            let mut entries = entries.filter(|entry| entry["switch"] == "WhenSafe");
            let waives = |entry: &Value, object: &String| {
                let mut waivers = list(&entry["waive"]);
                waivers.any(|waiver| lower(&waiver["objectId"]) == *object && today.as_str() <= text(&waiver["until"]))
            };
            list(&spec["scopes"]).any(|scope| reaches(&lower(&scope["id"]), vault))
                && reach_of(text(&spec["maxMode"])) >= 2
                && list(&spec["changes"]).any(|own| own == "SwitchVaultMode")
                && entries.any(|entry| kept_out.iter().all(|object| waives(entry, object)))
        })
    }

    /// Whether one boundary lets a namespace's policies write that change at all these scopes.
    pub(in super::super) fn allow(&self, namespace: &str, change: &str, role: Option<&str>, scopes: &[&str]) -> bool {
        self.over(namespace).any(|spec| {
            let covers = |at: &&str| list(&spec["scopes"]).any(|scope| reaches(&lower(&scope["id"]), at));
            scopes.iter().all(covers)
                && reach_of(text(&spec["maxMode"])) >= 2
                && list(&spec["changes"]).any(|own| own == change)
                && role.is_none_or(|role| list(&spec["roles"]).any(|own| lower(&own["id"]) == role))
        })
    }
}
