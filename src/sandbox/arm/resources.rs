//! Resources of any type: reading, listing, and a few POST actions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::hosts;
use super::path::{self, Address};
use super::reply::{Cause, Outcome, Reply, not_found};
use super::rights::Verb;
use super::route::container_exists;
use super::state::{State, id_of};

/// Types that can be listed although the world has none. Any other type is listed when a document has it; a typing
/// error in the client must not look like an empty list.
const LISTABLE: [&str; 26] = [
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
    "microsoft.network/privatednszones/virtualnetworklinks",
    "microsoft.network/privateendpoints",
    "microsoft.network/privateendpoints/privatednszonegroups",
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

/// Subscriptions and resource groups: their documents, or ones made from what lives in them.
pub(super) fn container(state: &State, call: &Call) -> Outcome {
    let Address { path, .. } = &call.address;
    let (method, depth) = (call.method.as_str(), path.split('/').count() - 1);
    if method == "GET" && path.eq_ignore_ascii_case("/subscriptions") {
        return Ok(subscriptions(state));
    }
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
            let wanted = call.parameter("$filter").map(Wanted::parse).transpose()?.unwrap_or_default();
            let all = state.documents.values().filter(|it| {
                let address = Address::parse(id_of(it));
                is_resource(&address) && wanted.holds(&address)
            });
            listed(state, scope, "Microsoft.Resources/subscriptions/resources/read", all)
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
    if is_slot_config_names(address) {
        return slot_config_names(state, address);
    }
    if is_configuration(address) && state.document(&address.path).is_none() {
        return configuration(state, address);
    }
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
    let list = listed(state, scope, &read, state.of_kind(&kind))?;
    Ok(match kind.as_str() {
        "microsoft.keyvault/vaults" => list.linking_eagerly(),
        // Recorded for a subscription; the slots of an app have neither.
        "microsoft.web/sites" if path::resource_group(scope).is_none() => list.with_nulls(&["id", "nextLink"]),
        _ => list,
    })
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
        return settings(state, &target);
    }
    let references = target.path.to_lowercase().ends_with("/config/configreferences/appsettings");
    if references && word == "refresh" {
        guard_action(state, &target, "refresh")?;
        hosts::refresh(state, path::before(&target.path, "/config/"));
        return hosts::references(state, &target.path);
    }
    Err(Reply::unsupported(call))
}

/// The settings of an app. Every app has some, if none of them.
fn settings(state: &State, target: &Address) -> Outcome {
    if state.document(&target.path).is_some() || !target.name().eq_ignore_ascii_case("appsettings") {
        return existing(state, target).map(|document| Reply::document(200, document.clone()));
    }
    let app = existing(state, &Address::parse(path::before(&target.path, "/config/")))?;
    Ok(Reply::document(
        200,
        json!({
            "id": target.path, "name": "appsettings", "type": target.full_type(), "location": app["location"],
            "properties": {},
        }),
    ))
}

fn guard_action(state: &State, target: &Address, word: &str) -> Result<(), Reply> {
    state.require(&format!("{}/{word}/action", target.full_type()), &target.path)?;
    state.require_unlocked(Verb::Write, &target.path)
}

pub(super) fn existing<'a>(state: &'a State, address: &Address) -> Result<&'a Value, Reply> {
    container_exists(state, &address.path)?;
    state.document(&address.path).ok_or_else(|| not_found(address))
}

/// What a filter of `/resources` asks for. Of those that Azure knows only the ones that the Azure CLI sends for a vault
/// are modelled.
#[derive(Default)]
struct Wanted {
    kind: Option<String>,
    name: Option<String>,
}

impl Wanted {
    fn parse(filter: &str) -> Result<Self, Reply> {
        let mut wanted = Self::default();
        for term in filter.split(" and ").map(str::trim) {
            let quoted = |member: &str| term.strip_prefix(member)?.strip_prefix(" eq '")?.strip_suffix('\'');
            if let Some(kind) = quoted("resourceType") {
                wanted.kind = Some(kind.to_lowercase());
            } else if let Some(name) = quoted("name") {
                wanted.name = Some(name.to_lowercase());
            } else {
                let message = format!("The sandbox does not model the filter '{term}'.");
                return Err(Reply::refusal(501, Cause::Gateway, "SandboxUnsupported", message));
            }
        }
        Ok(wanted)
    }

    fn holds(&self, address: &Address) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == address.kind())
            && self.name.as_ref().is_none_or(|name| *name == address.name().to_lowercase())
    }
}

fn is_slot_config_names(address: &Address) -> bool {
    address.kind() == "microsoft.web/sites/config" && address.name().eq_ignore_ascii_case("slotConfigNames")
}

fn is_configuration(address: &Address) -> bool {
    let kind = address.kind();
    let is_config = kind == "microsoft.web/sites/config" || kind == "microsoft.web/sites/slots/config";
    is_config && address.name().eq_ignore_ascii_case("web")
}

/// The configuration of an app, which every app has: what its own document shows of it.
fn configuration(state: &State, address: &Address) -> Outcome {
    let app = existing(state, &Address::parse(path::before(&address.path, "/config/")))?;
    let shown = app["properties"].get("siteConfig").filter(|shown| shown.is_object());
    Ok(Reply::document(
        200,
        json!({
            "id": address.path, "name": app["name"], "type": "Microsoft.Web/sites/config", "location": app["location"],
            "properties": shown.cloned().unwrap_or_else(|| json!({})),
        }),
    ))
}

/// Which settings stay with a slot. Every app answers this; without an id, and under its own name and type (recorded).
fn slot_config_names(state: &State, address: &Address) -> Outcome {
    let app = existing(state, &Address::parse(path::before(&address.path, "/config/")))?;
    let none = json!({ "connectionStringNames": null, "appSettingNames": null, "azureStorageConfigNames": null });
    let names = state.document(&address.path).map_or(none, |document| document["properties"].clone());
    let mut document = json!({
        "id": null, "name": app["name"], "type": "Microsoft.Web/sites", "location": app["location"], "properties": names,
    });
    if let Some(tags) = app.get("tags") {
        document["tags"] = tags.clone();
    }
    Ok(Reply::document(200, document))
}

/// The documents below a scope that the caller may read; the others are left out without a word.
fn listed<'a>(state: &State, scope: &str, read: &str, all: impl Iterator<Item = &'a Value>) -> Outcome {
    state.require_some_right(read, scope)?;
    container_exists(state, scope)?;
    let found = all.filter(|document| {
        let address = Address::parse(id_of(document));
        let own_read = format!("{}/read", address.full_type());
        path::covers(scope, &address.path) && !address.namespace.is_empty() && state.allows(&own_read, &address.path)
    });
    Ok(Reply::items(found.cloned().collect()))
}

/// The subscriptions in which the caller may read something.
fn subscriptions(state: &State) -> Reply {
    let ids = state.documents.values().filter_map(|it| path::subscription(id_of(it)));
    let ids: BTreeMap<String, &str> = ids.map(|id| (id.to_lowercase(), id)).collect();
    let paths = ids.into_values().map(|id| format!("/subscriptions/{id}"));
    let visible = paths.filter(|path| state.require_some_right("Microsoft.Resources/subscriptions/read", path).is_ok());
    Reply::items(visible.map(|id| state.document(&id).cloned().unwrap_or_else(|| synthetic(state, &id))).collect())
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
