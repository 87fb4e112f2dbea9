//! Role definitions, and what the caller may do.

use serde_json::{Value, json};

use super::{before, beside, path};
use crate::recorded::{Recording, simulated::stage::Stage};

/// The roles of the list were there, and one of another name.
pub(in crate::recorded::simulated) fn listed(recording: &Recording) -> Stage {
    let path = path(recording);
    let items = recording.body["value"].as_array().expect("a list").iter().map(newest);
    let name = "07e40000-0000-4000-8000-000000000001";
    let other = json!({
        "id": format!("{path}/{name}"), "name": name, "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": "another name", "type": "CustomRole", "permissions": [],
            "assignableScopes": [before(&path, "/providers/")],
        },
    });
    Stage::of(recording).inside_of(&path).with_all(items).with(other)
}

/// The caller has at the scope what is answered, and something else beside it.
pub(in crate::recorded::simulated) fn held(recording: &Recording) -> Stage {
    let path = path(recording);
    let scope = before(&path, "/providers/microsoft.authorization").to_owned();
    let at = |scope: &str, entry: &Value| {
        let mut permission = entry.clone();
        permission["scope"] = scope.into();
        permission
    };
    let entries = recording.body["value"].as_array().expect("a list");
    let mut permissions: Vec<Value> = entries.iter().map(|entry| at(&scope, &newest_entry(entry))).collect();
    permissions.push(at(&beside(&scope), &json!({ "actions": ["*"], "notActions": [] })));
    Stage::of(recording).inside_of(&path).set("callerPermissions", permissions.into())
}

/// A role with the members of the newest version.
fn newest(document: &Value) -> Value {
    let mut document = document.clone();
    let entries = document["properties"]["permissions"].as_array_mut();
    entries.into_iter().flatten().for_each(|entry| *entry = newest_entry(entry));
    document
}

fn newest_entry(entry: &Value) -> Value {
    let mut entry = entry.clone();
    for member in ["dataActions", "notDataActions"] {
        if entry[member].is_null() {
            entry[member] = json!([]);
        }
    }
    entry
}
