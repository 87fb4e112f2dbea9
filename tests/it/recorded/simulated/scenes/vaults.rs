//! Key vaults.

use serde_json::{Value, json};

use super::{another, path, plain};
use crate::recorded::{
    Recording,
    simulated::stage::{Ask, Follow, Stage},
};

/// The vault that the request before created.
pub(in crate::recorded::simulated) fn read_back(recording: &Recording) -> Stage {
    plain::absent(recording).after(Ask::of(another(59)))
}

/// The same, read once before.
pub(in crate::recorded::simulated) fn read_back_again(recording: &Recording) -> Stage {
    read_back(recording).after(Ask::of(another(60)))
}

/// As many vaults as a page holds.
pub(in crate::recorded::simulated) fn paged(recording: &Recording) -> Stage {
    plain::listed(recording).set("pageSize", json!(1))
}

/// The page after that.
pub(in crate::recorded::simulated) fn last_page(recording: &Recording) -> Stage {
    let first = another(62);
    paged(first).asking(recording).after(Ask::of(first)).following(Follow::NextLink)
}

/// A page that the service filtered after it was cut.
pub(in crate::recorded::simulated) fn empty_page(recording: &Recording) -> Stage {
    let fault = json!([{ "path": path(recording), "answer": "empty-page" }]);
    plain::absent(recording).set("faults", fault)
}

/// The vault had all entries but the one that is added.
pub(in crate::recorded::simulated) fn entry_added(recording: &Recording) -> Stage {
    let vault = another(69);
    let sent = json!({ "properties": { "accessPolicies": recording.body["properties"]["accessPolicies"] } });
    plain::absent(recording).with(without_entries(&vault.body, recording)).sending(sent)
}

/// The vault after the request before.
pub(in crate::recorded::simulated) fn entry_read_back(recording: &Recording) -> Stage {
    let added = another(70);
    let body = json!({ "properties": { "accessPolicies": added.body["properties"]["accessPolicies"] } });
    let write = Ask { body, ..Ask::of(added) };
    plain::absent(recording).with(without_entries(&recording.body, added)).after(write)
}

fn without_entries(vault: &Value, added: &Recording) -> Value {
    let added = added.body["properties"]["accessPolicies"].as_array().expect("entries");
    let mut vault = vault.clone();
    let entries = vault["properties"]["accessPolicies"].as_array_mut().expect("entries");
    entries.retain(|entry| added.iter().all(|added| added["objectId"] != entry["objectId"]));
    vault
}
