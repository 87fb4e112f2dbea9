//! A policy to start a test from. No two names and no two GUIDs in it are equal, so that swapped arguments fail.

use serde_json::json;

use super::Policy;
use crate::{
    api::{FunctionIdentityPolicy, FunctionIdentityPolicySpec},
    model::Scope,
};

pub const SUBSCRIPTION: &str = "1a1a1a1a-aaaa-4aaa-8aaa-000000000001";
pub const OTHER_SUBSCRIPTION: &str = "2b2b2b2b-bbbb-4bbb-8bbb-000000000002";

/// Names, ids and defaults; no trigger, grant or vault yet.
pub fn bare() -> FunctionIdentityPolicy {
    serde_json::from_value(json!({
        "apiVersion": "rolecall.dev/v1alpha1",
        "kind": "FunctionIdentityPolicy",
        "metadata": { "name": "orders", "namespace": "payments", "generation": 7 },
        "spec": {
            "scope": { "subscriptionId": SUBSCRIPTION, "resourceGroup": "rg-apps" },
            "resources": {
                "app": "Microsoft.Web/sites/func-orders",
                "identity": "Microsoft.ManagedIdentity/userAssignedIdentities/mi-shared",
                "second": "Microsoft.ManagedIdentity/userAssignedIdentities/mi-spare",
                "bus": "Microsoft.ServiceBus/namespaces/sb-orders",
                "hub": "Microsoft.EventHub/namespaces/eh-clicks",
                "host": "Microsoft.Storage/storageAccounts/sthost",
                "files": "Microsoft.Storage/storageAccounts/stfiles",
                "kv": format!("/subscriptions/{OTHER_SUBSCRIPTION}/resourceGroups/rg-vaults/providers/Microsoft.KeyVault/vaults/kv-orders"),
            },
            "target": { "resource": "app" },
            "identities": { "user": [{ "name": "shared", "resource": "identity" }] },
        },
    }))
    .expect("the fixture is a policy")
}

/// The bare policy with one service bus trigger of `shared` and the host's storage reached by `system`.
pub fn object(edit: impl FnOnce(&mut FunctionIdentityPolicySpec)) -> FunctionIdentityPolicy {
    let mut object = bare();
    trigger(&mut object.spec, "incoming", "serviceBusTrigger", "bus", "queues/incoming", "shared");
    host(&mut object.spec, "host", "system");
    edit(&mut object.spec);
    object
}

/// The same, parsed.
pub fn policy(edit: impl FnOnce(&mut FunctionIdentityPolicySpec)) -> Policy {
    Policy::parse(&object(edit)).unwrap_or_else(|error| panic!("the fixture is valid: {error}"))
}

pub fn trigger(
    spec: &mut FunctionIdentityPolicySpec,
    name: &str,
    kind: &str,
    resource: &str,
    entity: &str,
    identity: &str,
) {
    let binding = json!({ "name": name, "type": kind, "resource": resource, "entity": entity, "identity": identity });
    spec.bindings.push(serde_json::from_value(binding).expect("a binding"));
}

pub fn host(spec: &mut FunctionIdentityPolicySpec, resource: &str, identity: &str) {
    let host = json!({ "hostStorage": { "resource": resource, "identity": identity } });
    spec.platform = serde_json::from_value(host).expect("a platform");
}

pub fn declare(spec: &mut FunctionIdentityPolicySpec, role: &str, resource: &str, identity: &str) {
    let grant = json!({ "role": role, "resource": resource, "identity": identity });
    spec.grants.push(serde_json::from_value(grant).expect("a grant"));
}

pub fn vault(spec: &mut FunctionIdentityPolicySpec, mode: &str, identity: &str, secrets: &[&str]) {
    let vault = json!({ "resource": "kv", "mode": mode, "identity": identity, "access": { "secrets": secrets } });
    spec.vaults.push(serde_json::from_value(vault).expect("a vault"));
}

pub fn user(spec: &mut FunctionIdentityPolicySpec, name: &str, resource: &str) {
    let user = json!({ "name": name, "resource": resource });
    spec.identities.user.push(serde_json::from_value(user).expect("an identity"));
}

/// A resource of the policy's own group.
pub fn own(path: &str) -> Scope {
    Scope::parse(&format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-apps/providers/{path}")).expect("an id")
}

pub fn app() -> Scope {
    own("Microsoft.Web/sites/func-orders")
}

pub fn shared() -> Scope {
    own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-shared")
}

pub fn queue() -> Scope {
    own("Microsoft.ServiceBus/namespaces/sb-orders/queues/incoming")
}

pub fn host_account() -> Scope {
    own("Microsoft.Storage/storageAccounts/sthost")
}

/// The vault, in another subscription than the rest.
pub fn kv() -> Scope {
    let group = format!("/subscriptions/{OTHER_SUBSCRIPTION}/resourceGroups/rg-vaults");
    Scope::parse(&format!("{group}/providers/Microsoft.KeyVault/vaults/kv-orders")).expect("an id")
}
