//! A subscription full of apps that all lack a grant, and their policies.

use std::collections::BTreeMap;

use rolecall::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    policy::{Authority, Boundary},
    sandbox::arm::World,
};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001";
const RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const CALLER: &str = "0000ca11-0000-4000-8000-0000000000ff";

fn group(number: usize) -> String {
    format!("{SUBSCRIPTION}/resourceGroups/rg-{}", number % 4)
}

fn site(number: usize) -> String {
    format!("{}/providers/Microsoft.Web/sites/app-{number}", group(number))
}

fn bus(number: usize) -> String {
    format!("{}/providers/Microsoft.ServiceBus/namespaces/sb-{}", group(number), number % 4)
}

fn role(role: &str) -> String {
    format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}")
}

/// A role as it is defined, without those that nobody here needs.
fn definition(id: &str, name: &str, actions: &[&str], data_actions: &[&str]) -> Value {
    json!({
        "id": role(id), "name": id, "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": name, "type": "BuiltInRole", "assignableScopes": ["/"],
            "permissions": [{
                "actions": actions, "notActions": [], "dataActions": data_actions, "notDataActions": [],
            }],
        },
    })
}

/// Every app has its identity, and none has a grant. `allows`: keys of the world, what Azure allows.
pub(super) fn world(policies: usize, allows: &Value) -> World {
    let queues = "Microsoft.ServiceBus/*/queues/read";
    let mut resources = vec![
        definition(READER, "Reader", &["*/read"], &[]),
        definition(RECEIVER, "Azure Service Bus Data Receiver", &[queues], &["Microsoft.ServiceBus/*/receive/action"]),
        json!({
            "id": format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/{CALLER}"),
            "name": CALLER, "type": "Microsoft.Authorization/roleAssignments",
            "properties": {
                "roleDefinitionId": role(READER), "principalId": CALLER,
                "principalType": "ServicePrincipal", "scope": SUBSCRIPTION, "createdOn": "2025-11-03T08:15:42Z",
            },
        }),
    ];
    resources.extend((0..4).flat_map(|number| {
        [
            json!({ "id": bus(number), "type": "Microsoft.ServiceBus/namespaces" }),
            json!({ "id": format!("{}/queues/orders", bus(number)), "type": "Microsoft.ServiceBus/namespaces/queues" }),
        ]
    }));
    resources.extend((0..policies).map(|number| {
        json!({
            "id": site(number), "name": format!("app-{number}"), "type": "Microsoft.Web/sites", "kind": "functionapp",
            "identity": { "type": "SystemAssigned", "principalId": format!("5e57e300-0001-4000-8000-{number:012}") },
            "properties": { "state": "Running" },
        })
    }));
    let mut text = json!({ "caller": { "objectId": CALLER, "tenantId": "00000000-7777-4777-8777-00000000000a" },
        "clock": "2026-03-02T09:00:00Z", "builtInRoles": false, "resources": resources });
    let keys = allows.as_object().expect("keys of a world");
    text.as_object_mut().expect("an object").extend(keys.clone());
    World::from_yaml(&text.to_string()).expect("the storm's world is valid")
}

pub(super) fn policy(number: usize) -> FunctionIdentityPolicy {
    let policy = json!({
        "apiVersion": "rolecall.dev/v1alpha1", "kind": "FunctionIdentityPolicy",
        "metadata": { "name": format!("app-{number}"), "namespace": "storm", "generation": 1 },
        "spec": {
            "mode": "Enforce",
            "scope": { "subscriptionId": SUBSCRIPTION.rsplit('/').next(), "resourceGroup": format!("rg-{}", number % 4) },
            "resources": { "app": site(number), "bus": bus(number) },
            "target": { "resource": "app" },
            "identities": { "system": "Required" },
            "bindings": [{
                "name": "incoming", "type": "serviceBusTrigger", "resource": "bus", "entity": "queues/orders",
                "identity": "system",
            }],
            "remediation": { "allow": ["GrantRole"] },
        },
    });
    serde_json::from_value(policy).expect("a policy")
}

pub(super) fn authority() -> Authority {
    let boundary = json!({
        "apiVersion": "rolecall.dev/v1alpha1", "kind": "IdentityBoundary", "metadata": { "name": "storm" },
        "spec": {
            "namespaces": { "names": ["storm"] }, "maxMode": "Enforce", "scopes": [{ "id": SUBSCRIPTION }],
            "roles": [{ "id": RECEIVER, "name": "Azure Service Bus Data Receiver" }], "changes": ["GrantRole"],
        },
    });
    let boundary: IdentityBoundary = serde_json::from_value(boundary).expect("a boundary");
    Authority::Boundaries { boundaries: vec![Boundary::from(&boundary)], namespaces: BTreeMap::new() }
}
