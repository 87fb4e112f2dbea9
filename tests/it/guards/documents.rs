//! The example's ids, other documents that the tests put beside them, and the words that are said of steps.

use std::collections::BTreeMap;

use rolecall::{
    api::{IdentityBoundary, IdentityBoundarySpec, Mode},
    policy::{Authority, Boundary},
    sandbox::arm::Permission,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::azure::file;

pub(super) const SUBSCRIPTION: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001";
pub(super) const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
/// Of the app's system-assigned identity.
pub(super) const SYSTEM: &str = "5e57e300-0001-4000-8000-000000000001";
/// Of the identity `mi-orders`.
pub(super) const SHARED: &str = "05e70000-0002-4000-8000-000000000002";
/// Of nobody that the example knows.
pub(super) const STRANGER: &str = "57a46e12-0009-4000-8000-000000000009";
pub(super) const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
pub(super) const BLOB_OWNER: &str = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
pub(super) const RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
pub(super) const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
pub(super) const NOTHING: [&str; 0] = [];
/// What a step that found its work done says.
pub(super) const DONE: &str = "already there; nothing was sent";
pub(super) const APPLIED: &str = "applied";
pub(super) const REHEARSED: &str = "dry run: everything was confirmed and our rights allow it; not sent";
/// What a step says whose grant exists with a condition.
pub(super) const CONDITIONED: &str =
    "not sent: the same role assignment exists with a condition, which a write would erase";
/// The modes in which steps are tried.
pub(super) const ACTING: [Mode; 2] = [Mode::Enforce, Mode::DryRun];

pub(super) fn app() -> String {
    format!("{GROUP}/providers/Microsoft.Web/sites/func-orders")
}

pub(super) fn identity(name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

pub(super) fn storage() -> String {
    format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/storderuploads")
}

/// Where the app lacks its role in the example.
pub(super) fn uploads() -> String {
    format!("{}/blobServices/default/containers/invoices", storage())
}

pub(super) fn queue() -> String {
    format!("{GROUP}/providers/Microsoft.ServiceBus/namespaces/sb-orders/queues/orders")
}

/// The example's grant of the receiver's role to `mi-orders`.
pub(super) fn receiver() -> String {
    let bus = format!("{GROUP}/providers/Microsoft.ServiceBus/namespaces/sb-orders");
    format!("{bus}/providers/Microsoft.Authorization/roleAssignments/a5516e00-0005-4000-8000-000000000000")
}

/// The id under which a grant is made, worked out here once more: every operator must come to the same.
pub(super) fn own_name(scope: &str, principal: &str, role: &str) -> String {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://rolecall.dev/grants");
    let name = Uuid::new_v5(&space, format!("{}|{principal}|{role}", scope.to_lowercase()).as_bytes());
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

/// The id under which the example's missing grant is made.
pub(super) fn missing() -> String {
    own_name(&uploads(), SYSTEM, BLOB_CONTRIBUTOR)
}

pub(super) fn put(id: &str) -> String {
    format!("PUT {id}")
}

pub(super) fn patch() -> String {
    format!("PATCH {}", app())
}

/// A role assignment under any name, old enough to act.
pub(super) fn assignment(id: &str, scope: &str, principal: &str, role: &str) -> Value {
    json!({
        "id": id, "name": id.rsplit('/').next(), "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal, "principalType": "ServicePrincipal", "scope": scope,
            "condition": null, "conditionVersion": null, "description": "somebody else's",
            "createdOn": "2025-11-03T08:15:42.1234567Z", "updatedOn": "2025-11-03T08:15:42.1234567Z",
        },
    })
}

/// A role assignment as somebody else would name it.
pub(super) fn foreign(scope: &str, principal: &str, role: &str) -> Value {
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/f04e1600-0001-4000-8000-000000000000");
    assignment(&id, scope, principal, role)
}

/// The same with a condition.
pub(super) fn conditioned(mut assignment: Value) -> Value {
    assignment["properties"]["condition"] = "@Resource[name] StringEquals 'invoices'".into();
    assignment["properties"]["conditionVersion"] = "2.0".into();
    assignment
}

/// A user-assigned identity that nobody declares.
pub(super) fn other_identity() -> Value {
    json!({
        "id": identity("mi-other"), "name": "mi-other", "location": "westeurope",
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "properties": { "principalId": "07e40000-0007-4000-8000-000000000007",
                        "clientId": "c11e0000-0007-4000-8000-000000000007" },
    })
}

/// The identity block of an app.
pub(super) fn block(system: Option<&str>, attached: &[(&str, &str)]) -> Value {
    let attached: BTreeMap<_, _> = attached
        .iter()
        .map(|(name, principal)| (identity(name), json!({ "principalId": principal, "clientId": principal })))
        .collect();
    let mut block = match (system, attached.is_empty()) {
        (Some(principal), true) => json!({ "type": "SystemAssigned", "principalId": principal }),
        (Some(principal), false) => json!({ "type": "SystemAssigned, UserAssigned", "principalId": principal }),
        (None, true) => return json!({ "type": "None" }),
        (None, false) => json!({ "type": "UserAssigned" }),
    };
    if !attached.is_empty() {
        block["userAssignedIdentities"] = json!(attached);
    }
    block
}

/// The boundary of the example, changed.
pub(super) fn boundary(edit: impl FnOnce(&mut IdentityBoundarySpec)) -> Authority {
    let mut boundary: IdentityBoundary = serde_saphyr::from_str(&file("boundary.yaml")).expect("a boundary");
    edit(&mut boundary.spec);
    Authority::Boundaries { boundaries: vec![Boundary::from(&boundary)], namespaces: BTreeMap::new() }
}

pub(super) fn no_boundary() -> Authority {
    Authority::Boundaries { boundaries: Vec::new(), namespaces: BTreeMap::new() }
}

/// Rights over the whole subscription.
pub(super) fn rights(actions: &[&str], not_actions: &[&str]) -> Permission {
    rights_at(SUBSCRIPTION, actions, not_actions)
}

pub(super) fn rights_at(scope: &str, actions: &[&str], not_actions: &[&str]) -> Permission {
    let owned = |actions: &[&str]| actions.iter().map(ToString::to_string).collect();
    Permission {
        scope: scope.to_owned(),
        actions: owned(actions),
        not_actions: owned(not_actions),
        ..Permission::default()
    }
}
