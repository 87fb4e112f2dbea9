//! Writes of key vaults, as far as they are more than a merge: creation, the whole vault again, and single entries of the
//! access policies.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::path::{self, Address};
use super::reply::{Outcome, Reply};
use super::resources::{self, existing};
use super::rights::Verb;
use super::route::{container_exists, object_body};
use super::state::{State, azure_time};

const TYPE: &str = "Microsoft.KeyVault/vaults";
const REGISTERING: &str = "RegisteringDns";
/// Answers of this version and later have `systemData` and what concerns soft deletion (recorded: 2018-02-14 has
/// neither, 2021-06-01-preview both; what is between is an assumption).
const NEWER: &str = "2020";
/// From this version on a vault decides by roles where its creator does not say otherwise (documented).
const ROLES_BY_DEFAULT: &str = "2026-02-01";

/// PUT of a vault: 200 also for a new one, which is still registering its name then. What a PUT leaves out keeps its
/// value, and firewall rules that equal the default are not answered (both recorded).
pub(super) fn put(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    state.require(&format!("{TYPE}/write"), &address.path)?;
    state.require_unlocked(Verb::Write, &address.path)?;
    container_exists(state, &address.path)?;
    let body = object_body(call)?;
    let before = state.document(&address.path).cloned();
    let is_new = before.is_none();
    let mut vault = before.unwrap_or_else(|| created(state, call, body, now));
    for member in ["location", "tags"] {
        if let Some(value) = body.get(member).filter(|value| !value.is_null()) {
            vault[member] = value.clone();
        }
    }
    for (member, value) in body["properties"].as_object().into_iter().flatten() {
        if !value.is_null() && !matches!(member.as_str(), "createMode" | "provisioningState" | "vaultUri") {
            vault["properties"][member] = value.clone();
        }
    }
    if is_default_firewall(&vault["properties"]["networkAcls"])
        && let Some(properties) = vault["properties"].as_object_mut()
    {
        properties.remove("networkAcls");
    }
    if !is_new && call.parameter("api-version").unwrap_or("") >= NEWER {
        written(&mut vault, now);
    }
    state.put(vault.clone());
    if is_new {
        let uri = vault["properties"]["vaultUri"].as_str().unwrap_or("").trim_end_matches('/').to_owned();
        vault["properties"]["vaultUri"] = uri.into();
        vault["properties"]["provisioningState"] = REGISTERING.into();
        state.registering.insert(path::key(&address.path));
    }
    Ok(Reply::document(200, vault))
}

/// GET of a vault. The first after its creation finds the name still being registered (recorded).
pub(super) fn read(state: &mut State, call: &Call) -> Outcome {
    let reply = resources::read(state, call)?;
    let registering = state.registering.remove(&path::key(&call.address.path));
    Ok(if registering {
        reply.map(|vault| vault["properties"]["provisioningState"] = REGISTERING.into())
    } else {
        reply
    })
}

/// A vault says when it was written last. That its access policies count as a part of it is an assumption.
pub(super) fn written(vault: &mut Value, now: Timestamp) {
    vault["systemData"]["lastModifiedAt"] = azure_time(now).into();
}

/// What a new vault has that nobody sent.
fn created(state: &State, call: &Call, body: &Value, now: Timestamp) -> Value {
    let version = call.parameter("api-version").unwrap_or("");
    let name = call.address.name();
    let mut vault = json!({
        "id": call.address.path, "name": name, "type": TYPE, "location": body["location"], "tags": {},
        "properties": {
            "tenantId": state.caller.tenant_id, "accessPolicies": [], "enabledForDeployment": false,
            "vaultUri": format!("https://{}.vault.sandbox.invalid/", name.to_lowercase()),
            "provisioningState": "Succeeded",
        },
    });
    if version >= NEWER {
        let (caller, time) = (state.caller.object_id.as_str(), azure_time(now));
        vault["systemData"] = json!({
            "createdBy": caller, "createdByType": "Application", "createdAt": time,
            "lastModifiedBy": caller, "lastModifiedByType": "Application", "lastModifiedAt": time,
        });
        vault["properties"]["enableSoftDelete"] = true.into();
        vault["properties"]["softDeleteRetentionInDays"] = 90.into();
        vault["properties"]["publicNetworkAccess"] = "Enabled".into();
    }
    if version >= ROLES_BY_DEFAULT {
        vault["properties"]["enableRbacAuthorization"] = true.into();
    }
    vault
}

fn is_default_firewall(rules: &Value) -> bool {
    let empty = |member: &str| rules[member].as_array().is_none_or(Vec::is_empty);
    let is = |member: &str, word: &str| rules[member].as_str().is_none_or(|it| it.eq_ignore_ascii_case(word));
    rules.is_object()
        && is("bypass", "AzureServices")
        && is("defaultAction", "Allow")
        && empty("ipRules")
        && empty("virtualNetworkRules")
}

/// PUT of `accessPolicies/add`, `replace` or `remove`. The answer has the entries that were sent, an id that ends with a
/// slash, and no name (recorded). That `add` joins an entry with what it had is an assumption.
pub(super) fn put_policies(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    let vault = Address::parse(path::before(&address.path, "/accesspolicies"));
    state.require(&format!("{TYPE}/accessPolicies/write"), &address.path)?;
    state.require_unlocked(Verb::Write, &address.path)?;
    let mut document = existing(state, &vault)?.clone();
    let sent = object_body(call)?["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
    let entries = document["properties"]["accessPolicies"].as_array().cloned().unwrap_or_default();
    let is_sent = |entry: &&Value| sent.iter().any(|sent| whose(sent) == whose(entry));
    let others: Vec<Value> = entries.iter().filter(|entry| !is_sent(entry)).cloned().collect();
    let after = match address.name().to_lowercase().as_str() {
        "replace" => sent.clone(),
        "remove" => others,
        "add" => {
            let added = sent.iter().map(|entry| united(entries.iter().find(|old| whose(old) == whose(entry)), entry));
            let added: Vec<Value> = added.collect();
            others.into_iter().chain(added).collect()
        }
        _ => return Err(Reply::unsupported(call)),
    };
    document["properties"]["accessPolicies"] = after.into();
    written(&mut document, now);
    let id = format!("{}/accessPolicies/", document["id"].as_str().unwrap_or(""));
    state.put(document);
    let properties = json!({ "accessPolicies": sent });
    Ok(Reply::document(200, json!({ "id": id, "type": format!("{TYPE}/accessPolicies"), "properties": properties })))
}

/// Whose entry it is: a vault has one for each of these.
fn whose(entry: &Value) -> [String; 3] {
    ["tenantId", "objectId", "applicationId"].map(|member| entry[member].as_str().unwrap_or("").to_lowercase())
}

/// An entry with what it had and what is added.
fn united(old: Option<&Value>, added: &Value) -> Value {
    let mut entry = added.clone();
    let Some(had) = old.and_then(|old| old["permissions"].as_object()) else { return entry };
    let mut permissions = added["permissions"].as_object().cloned().unwrap_or_else(Map::new);
    for (kind, words) in had {
        let list = permissions.entry(kind.clone()).or_insert_with(|| json!([]));
        let Some(list) = list.as_array_mut() else { continue };
        for word in words.as_array().into_iter().flatten() {
            if !list.iter().any(|it| it.as_str().map(str::to_lowercase) == word.as_str().map(str::to_lowercase)) {
                list.push(word.clone());
            }
        }
    }
    entry["permissions"] = permissions.into();
    entry
}
