//! PUT, PATCH and DELETE of the resources whose writes are modelled. Vaults and the data plane of Cosmos DB have files of
//! their own.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::identity::IdentityWrite;
use super::operations::{self, COMPUTE, CONTAINER_APPS};
use super::path::Address;
use super::reply::{Outcome, Reply};
use super::resources::existing;
use super::rights::Verb;
use super::route::{container_exists, object_body};
use super::state::{State, azure_time, derived, id_of};
use super::vaults;

const IDENTITY: &str = "microsoft.managedidentity/userassignedidentities";
const CONTAINER_APP: &str = "microsoft.app/containerapps";
const VAULT: &str = "microsoft.keyvault/vaults";
const MACHINE: &str = "microsoft.compute/virtualmachines";

/// Types whose PATCH and PUT are modelled, each for a resource that exists.
const WRITABLE: [&str; 6] =
    [CONTAINER_APP, MACHINE, VAULT, IDENTITY, "microsoft.web/sites", "microsoft.web/sites/slots"];

/// A write of a resource.
pub(super) fn write(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    let (kind, deletes) = (address.kind(), call.method == "DELETE");
    let (word, verb) = if deletes { ("delete", Verb::Delete) } else { ("write", Verb::Write) };
    let action = format!("{}/{word}", address.full_type());
    state.require(&action, &address.path)?;
    if !WRITABLE.contains(&kind.as_str()) || (deletes && kind != IDENTITY) {
        return Err(Reply::unsupported(call));
    }
    state.require_unlocked(verb, &address.path)?;
    if deletes {
        let status = if state.remove(&address.path).is_some() { 200 } else { 204 };
        return Ok(Reply::empty(status));
    }
    let body = object_body(call)?;
    if call.method == "PUT" && state.document(&address.path).is_none() {
        container_exists(state, &address.path)?;
        return if kind == IDENTITY {
            Ok(create_identity(state, address, body, now))
        } else {
            Err(Reply::unsupported(call))
        };
    }
    let before = existing(state, address)?.clone();
    let mut after = merged(state, call, &before, &action, now)?;
    if kind == VAULT && after != before {
        vaults::written(&mut after, now);
    }
    if after["identity"] != before["identity"] {
        state.hosts.identity_written(&address.path, now);
    }
    state.put(after.clone());
    Ok(match kind.as_str() {
        CONTAINER_APP => operations::begin(state, call, Reply::empty(202), CONTAINER_APPS, after, now),
        MACHINE => {
            let answer = Reply::document(200, under_way(after, body));
            operations::begin(state, call, answer, COMPUTE, Value::Null, now)
        }
        _ => Reply::document(200, after),
    })
}

/// The resource with what is sent.
fn merged(state: &mut State, call: &Call, before: &Value, action: &str, now: Timestamp) -> Result<Value, Reply> {
    let mut after = before.clone();
    for (member, value) in object_body(call)?.as_object().into_iter().flatten() {
        match member.as_str() {
            "id" | "name" | "type" | "systemData" => {}
            _ if value.is_null() => {}
            "identity" => {
                let write = IdentityWrite {
                    resource: id_of(before),
                    action,
                    current: &before["identity"],
                    sent: value,
                    replaces: call.method == "PUT",
                    // Recorded: the container apps' word for both has no space.
                    both: if call.address.kind() == CONTAINER_APP {
                        "SystemAssigned,UserAssigned"
                    } else {
                        "SystemAssigned, UserAssigned"
                    },
                };
                let block = write.apply(state, now)?;
                set_or_drop(&mut after, "identity", block);
            }
            "tags" => after["tags"] = value.clone(),
            _ => merge(&mut after[member.as_str()], value),
        }
    }
    if after != *before && after["properties"]["lastModifiedTimeUtc"].is_string() {
        after["properties"]["lastModifiedTimeUtc"] = azure_time(now).trim_end_matches('Z').into();
    }
    Ok(after)
}

/// A machine as it is answered while the write is under way: identities that are being attached have no principal yet
/// (recorded).
fn under_way(mut machine: Value, sent: &Value) -> Value {
    machine["properties"]["provisioningState"] = "Updating".into();
    let attaching = sent["identity"]["userAssignedIdentities"].as_object();
    let attaching: Vec<String> = attaching.into_iter().flatten().map(|(id, _)| id.to_lowercase()).collect();
    if let Some(attached) = machine.pointer_mut("/identity/userAssignedIdentities").and_then(Value::as_object_mut) {
        for (id, entry) in attached {
            if attaching.contains(&id.to_lowercase()) {
                *entry = json!({});
            }
        }
    }
    machine
}

/// Recorded: the id, and the relative `location` header, have `resourcegroups` in lower case.
fn create_identity(state: &mut State, address: &Address, body: &Value, now: Timestamp) -> Reply {
    let principal = state.next_principal(&address.path, now);
    let id = address.path.replace("/resourceGroups/", "/resourcegroups/");
    let document = json!({
        "id": id, "name": address.name(), "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "location": body["location"], "tags": body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "properties": {
            "tenantId": state.caller.tenant_id, "principalId": principal,
            "clientId": derived(&format!("{principal}/client")),
        },
    });
    state.put(document.clone());
    Reply::document(201, document).with_header("location", id)
}

fn set_or_drop(document: &mut Value, member: &str, value: Option<Value>) {
    let Some(members) = document.as_object_mut() else { return };
    match value {
        Some(value) => members.insert(member.to_owned(), value),
        None => members.remove(member),
    };
}

/// Merges what is sent into what is there. A null leaves the old value: providers treat it as not sent (documented for
/// `enableRbacAuthorization`). Entries with a name keep what is not sent of them (recorded for the host names of an app).
fn merge(current: &mut Value, sent: &Value) {
    match (current, sent) {
        (Value::Object(current), Value::Object(sent)) => {
            for (member, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
                merge(current.entry(member.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(current), Value::Array(sent)) if sent.iter().all(|entry| entry["name"].is_string()) => {
            let merged = sent.iter().map(|entry| {
                let mut merged =
                    current.iter().find(|old| old["name"] == entry["name"]).cloned().unwrap_or(Value::Null);
                merge(&mut merged, entry);
                merged
            });
            *current = merged.collect();
        }
        // Nothing sent for something that is not there (recorded for an app's configuration).
        (Value::Null, Value::Object(sent)) if sent.is_empty() => {}
        (current, sent) => *current = sent.clone(),
    }
}
