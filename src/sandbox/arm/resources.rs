//! Resources of any type: reading, listing, the writes that are modelled and a few POST actions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::hosts;
use super::identity::IdentityWrite;
use super::path::{self, Address};
use super::reply::{Cause, Outcome, Reply, not_found};
use super::rights::Verb;
use super::route::{container_exists, object_body};
use super::state::{State, azure_time, derived, id_of};

/// Types that can be listed although the world has none. Any other type is listed when a document has it; a typing
/// error in the client must not look like an empty list.
const LISTABLE: [&str; 24] = [
    "microsoft.app/containerapps",
    "microsoft.compute/virtualmachines",
    "microsoft.documentdb/databaseaccounts",
    "microsoft.documentdb/databaseaccounts/sqlroleassignments",
    "microsoft.documentdb/databaseaccounts/sqlroledefinitions",
    "microsoft.eventgrid/domains",
    "microsoft.eventgrid/topics",
    "microsoft.eventhub/namespaces",
    "microsoft.eventhub/namespaces/networkrulesets",
    "microsoft.keyvault/vaults",
    "microsoft.managedidentity/userassignedidentities",
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials",
    "microsoft.network/networksecuritygroups",
    "microsoft.network/privateendpoints",
    "microsoft.network/routetables",
    "microsoft.network/virtualnetworks",
    "microsoft.network/virtualnetworks/subnets",
    "microsoft.operationalinsights/workspaces",
    "microsoft.servicebus/namespaces",
    "microsoft.servicebus/namespaces/networkrulesets",
    "microsoft.storage/storageaccounts",
    "microsoft.web/serverfarms",
    "microsoft.web/sites",
    "microsoft.web/sites/slots",
];

/// Types whose PATCH and PUT are modelled, each for a resource that exists.
const WRITABLE: [&str; 4] = [
    "microsoft.keyvault/vaults",
    "microsoft.managedidentity/userassignedidentities",
    "microsoft.web/sites",
    "microsoft.web/sites/slots",
];

/// Subscriptions and resource groups: their documents, or ones made from what lives in them.
pub(super) fn container(state: &State, call: &Call) -> Outcome {
    let Address { path, .. } = &call.address;
    let (method, depth) = (call.method.as_str(), path.split('/').count() - 1);
    if !matches!(method, "GET" | "HEAD") || path::subscription(path).is_none() {
        return Err(Reply::unsupported(call));
    }
    let last = path::last_segment(path).to_lowercase();
    match (depth, last.as_str()) {
        (3, "resourcegroups") => groups(state, path),
        (3 | 5, "resources") => {
            let scope = path.rsplit_once('/').map_or("/", |(scope, _)| scope);
            let is_resource = |address: &Address| {
                address.types.len() == 1 && !address.namespace.eq_ignore_ascii_case("Microsoft.Authorization")
            };
            let read = "Microsoft.Resources/subscriptions/resources/read";
            listed(state, scope, read, state.documents.values(), is_resource)
        }
        (2 | 4, _) => {
            let kind = if depth == 2 { "subscriptions" } else { "subscriptions/resourceGroups" };
            state.require(&format!("Microsoft.Resources/{kind}/read"), path)?;
            container_exists(state, path)?;
            match (method, depth) {
                ("HEAD", 4) => Ok(Reply::empty(204)),
                _ => Ok(Reply::document(200, state.document(path).cloned().unwrap_or_else(|| synthetic(state, path)))),
            }
        }
        _ => Err(Reply::unsupported(call)),
    }
}

/// GET of one resource.
pub(super) fn read(state: &State, call: &Call) -> Outcome {
    let address = &call.address;
    state.require(&format!("{}/read", address.full_type()), &address.path)?;
    existing(state, address).map(|document| Reply::document(200, document.clone()))
}

/// GET of the resources of a type at a subscription or group, or of the children of a resource.
pub(super) fn list(state: &State, call: &Call) -> Outcome {
    let address = &call.address;
    let (kind, read) = (address.kind(), format!("{}/read", address.full_type()));
    if state.document(&address.path).is_some() {
        return self::read(state, call);
    }
    if !LISTABLE.contains(&kind.as_str()) && state.of_kind(&kind).next().is_none() {
        let (namespace, types) = (&address.namespace, address.types.join("/"));
        let message = format!("The resource type '{types}' could not be found in the namespace '{namespace}'.");
        return Err(Reply::refusal(404, Cause::Gateway, "InvalidResourceType", message));
    }
    let parent = address.path.rsplit_once('/').map_or("/", |(parent, _)| parent);
    let scope = if address.names.is_empty() { &address.scope } else { parent };
    if !address.names.is_empty() && !state.is_inhabited(scope) {
        container_exists(state, scope)?;
        return Err(not_found(&Address::parse(scope)));
    }
    listed(state, scope, &read, state.of_kind(&kind), |_| true)
}

/// PUT, PATCH and DELETE of a resource.
pub(super) fn write(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    let (kind, deletes) = (address.kind(), call.method == "DELETE");
    let is_identity = kind == "microsoft.managedidentity/userassignedidentities";
    if !WRITABLE.contains(&kind.as_str()) || (deletes && !is_identity) {
        return Err(Reply::unsupported(call));
    }
    let (word, verb) = if deletes { ("delete", Verb::Delete) } else { ("write", Verb::Write) };
    let action = format!("{}/{word}", address.full_type());
    state.require(&action, &address.path)?;
    state.require_unlocked(verb, &address.path)?;
    if deletes {
        let status = if state.remove(&address.path).is_some() { 200 } else { 204 };
        return Ok(Reply::empty(status));
    }
    let body = object_body(call)?;
    if call.method == "PUT" && state.document(&address.path).is_none() {
        container_exists(state, &address.path)?;
        return if is_identity {
            Ok(create_identity(state, address, body, now))
        } else {
            Err(Reply::unsupported(call))
        };
    }
    let before = existing(state, address)?.clone();
    let mut after = before.clone();
    for (member, value) in body.as_object().into_iter().flatten() {
        match member.as_str() {
            "id" | "name" | "type" | "systemData" => {}
            _ if value.is_null() => {}
            "identity" => {
                let replaces = call.method == "PUT";
                let (resource, current) = (id_of(&before), &before["identity"]);
                let write = IdentityWrite { resource, action: &action, current, sent: value, replaces };
                let block = write.apply(state, now)?;
                set_or_drop(&mut after, "identity", block);
            }
            "tags" => after["tags"] = value.clone(),
            _ => merge(&mut after[member.as_str()], value),
        }
    }
    if after != before && after["properties"]["lastModifiedTimeUtc"].is_string() {
        after["properties"]["lastModifiedTimeUtc"] = azure_time(now).trim_end_matches('Z').into();
    }
    if after["identity"] != before["identity"] {
        state.hosts.identity_written(&address.path, now);
    }
    state.put(after.clone());
    Ok(Reply::document(200, after))
}

/// The POST actions that are modelled: reading settings, resolving references again, and restarts.
pub(super) fn act(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    let (target, word) = address.path.rsplit_once('/').unwrap_or(("", ""));
    let target = Address::parse(target);
    let (kind, word) = (target.kind(), word.to_lowercase());
    let is_app = |kind: &str| matches!(kind, "microsoft.web/sites" | "microsoft.web/sites/slots");
    if is_app(&kind) && matches!(word.as_str(), "restart" | "start" | "stop") {
        guard_action(state, &target, &word)?;
        existing(state, &target)?;
        state.hosts.restart(&target.path, now);
        return Ok(Reply::empty(200));
    }
    if kind.starts_with("microsoft.web/sites/") && kind.ends_with("/config") && word == "list" {
        guard_action(state, &target, "list")?;
        return existing(state, &target).map(|document| Reply::document(200, document.clone()));
    }
    let references = target.path.to_lowercase().ends_with("/config/configreferences/appsettings");
    if references && word == "refresh" {
        guard_action(state, &target, "refresh")?;
        hosts::refresh(state, path::before(&target.path, "/config/"));
        return hosts::references(state, &target.path);
    }
    Err(Reply::unsupported(call))
}

fn guard_action(state: &State, target: &Address, word: &str) -> Result<(), Reply> {
    state.require(&format!("{}/{word}/action", target.full_type()), &target.path)?;
    state.require_unlocked(Verb::Write, &target.path)
}

pub(super) fn existing<'a>(state: &'a State, address: &Address) -> Result<&'a Value, Reply> {
    container_exists(state, &address.path)?;
    state.document(&address.path).ok_or_else(|| not_found(address))
}

/// Of some documents those below a scope that the caller may read; the others are left out without a word.
fn listed<'a>(
    state: &State,
    scope: &str,
    read: &str,
    documents: impl Iterator<Item = &'a Value>,
    is_asked: impl Fn(&Address) -> bool,
) -> Outcome {
    state.require_some_right(read, scope)?;
    container_exists(state, scope)?;
    let found = documents.filter(|document| {
        let address = Address::parse(id_of(document));
        let own_read = format!("{}/read", address.full_type());
        path::covers(scope, &address.path)
            && !address.namespace.is_empty()
            && is_asked(&address)
            && state.allows(&own_read, &address.path)
    });
    Ok(Reply::items(found.cloned().collect()))
}

fn groups(state: &State, path: &str) -> Outcome {
    let subscription = path.rsplit_once('/').map_or("/", |(scope, _)| scope);
    let read = "Microsoft.Resources/subscriptions/resourceGroups/read";
    state.require_some_right(read, subscription)?;
    container_exists(state, subscription)?;
    let inside = state.documents.values().map(id_of).filter(|id| path::covers(subscription, id));
    let names = inside.filter_map(path::resource_group).map(|name| (name.to_lowercase(), name));
    let ids =
        names.collect::<BTreeMap<_, _>>().into_values().map(|name| format!("{subscription}/resourceGroups/{name}"));
    let readable = ids.filter(|id| state.allows(read, id));
    Ok(Reply::items(readable.map(|id| state.document(&id).cloned().unwrap_or_else(|| synthetic(state, &id))).collect()))
}

fn synthetic(state: &State, id: &str) -> Value {
    let name = path::last_segment(id);
    if path::resource_group(id).is_some() {
        return json!({
            "id": id, "name": name, "type": "Microsoft.Resources/resourceGroups", "location": "westeurope", "tags": {},
            "properties": {"provisioningState": "Succeeded"},
        });
    }
    json!({
        "id": id, "subscriptionId": name, "displayName": name, "state": "Enabled", "tenantId": state.caller.tenant_id,
        "authorizationSource": "RoleBased",
    })
}

fn create_identity(state: &mut State, address: &Address, body: &Value, now: Timestamp) -> Reply {
    let principal = state.next_principal(&address.path, now);
    let document = json!({
        "id": address.path.replace("/resourceGroups/", "/resourcegroups/"), "name": address.name(),
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "location": body["location"],
        "tags": body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "properties": {
            "tenantId": state.caller.tenant_id, "principalId": principal,
            "clientId": derived(&format!("{principal}/client")),
        },
    });
    state.put(document.clone());
    Reply::document(201, document)
}

fn set_or_drop(document: &mut Value, member: &str, value: Option<Value>) {
    let Some(members) = document.as_object_mut() else { return };
    match value {
        Some(value) => members.insert(member.to_owned(), value),
        None => members.remove(member),
    };
}

/// Merges what is sent into what is there. A null leaves the old value: providers treat it as not sent (documented for
/// `enableRbacAuthorization`).
fn merge(current: &mut Value, sent: &Value) {
    match (current, sent) {
        (Value::Object(current), Value::Object(sent)) => {
            for (member, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
                merge(current.entry(member.clone()).or_insert(Value::Null), value);
            }
        }
        (current, sent) => *current = sent.clone(),
    }
}
