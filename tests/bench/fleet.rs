//! A fleet: apps, their identities and grants in simulated subscriptions, and a policy for each.

use serde_json::{Value, json};

const RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const QUEUE_CONTRIBUTOR: &str = "974c5e8b-45b9-4653-ba55-5f855dd0fb88";
const TABLE_CONTRIBUTOR: &str = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3";
const SENDER: &str = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
/// When everything was made: long ago, so that every grant acts.
const MADE: &str = "2025-01-01T00:00:00Z";

/// How many apps there are, and in how many subscriptions.
#[derive(Clone, Copy)]
pub struct Fleet {
    pub policies: usize,
    pub subscriptions: usize,
}

impl Fleet {
    /// The world with all that the policies declare.
    pub fn world(self) -> Value {
        let mut resources = Vec::new();
        for subscription in 0..self.subscriptions {
            let id = subscription_id(subscription);
            // The operator's own right, without which lists prove nothing.
            let mine = "c0ffee00-5eed-4a11-8b0d-0123456789ab";
            resources.push(grant(&format!("/subscriptions/{id}"), READER, mine, 999_999));
        }
        for number in 0..self.policies {
            let group = self.group(number);
            let principal = principal(number);
            resources.push(json!({
                "id": format!("{group}/Microsoft.Web/sites/func-{number:05}"), "name": format!("func-{number:05}"),
                "type": "Microsoft.Web/sites", "kind": "functionapp,linux", "location": "West Europe",
                "identity": { "type": "SystemAssigned", "principalId": principal },
                "properties": { "state": "Running", "enabled": true },
            }));
            for (at, role) in self.needs(number) {
                resources.push(grant(&at, role, &principal, number));
            }
        }
        json!({ "clock": "2026-03-02T09:00:00Z", "resources": resources })
    }

    /// The policy of one app: five grants.
    pub fn policy(self, number: usize) -> Value {
        json!({
            "apiVersion": "rolecall.dev/v1alpha1", "kind": "FunctionIdentityPolicy",
            "metadata": { "name": format!("app-{number:05}"), "namespace": "fleet" },
            "spec": {
                "mode": "Enforce",
                "scope": {
                    "subscriptionId": subscription_id(number % self.subscriptions), "resourceGroup": "rg-fleet",
                },
                "resources": {
                    "app": format!("Microsoft.Web/sites/func-{number:05}"),
                    "bus": format!("Microsoft.ServiceBus/namespaces/sb-{number:05}"),
                    "files": format!("Microsoft.Storage/storageAccounts/st{number:05}"),
                },
                "target": { "resource": "app" },
                "identities": { "system": "Required" },
                "bindings": [
                    { "name": "in", "type": "serviceBusTrigger", "resource": "bus", "identity": "system" },
                ],
                "grants": [
                    { "role": SENDER, "resource": "bus", "identity": "system" },
                    { "role": BLOB_CONTRIBUTOR, "resource": "files", "identity": "system" },
                    { "role": QUEUE_CONTRIBUTOR, "resource": "files", "identity": "system" },
                    { "role": TABLE_CONTRIBUTOR, "resource": "files", "identity": "system" },
                ],
                "remediation": { "allow": ["EnableSystemIdentity", "GrantRole"] },
            },
        })
    }

    /// The boundary over all of it.
    pub fn boundary(self) -> Value {
        let scopes = (0..self.subscriptions).map(|subscription| {
            json!({ "id": format!("/subscriptions/{}/resourceGroups/rg-fleet", subscription_id(subscription)) })
        });
        let roles = [RECEIVER, SENDER, BLOB_CONTRIBUTOR, QUEUE_CONTRIBUTOR, TABLE_CONTRIBUTOR];
        json!({
            "apiVersion": "rolecall.dev/v1alpha1", "kind": "IdentityBoundary", "metadata": { "name": "fleet" },
            "spec": {
                "namespaces": { "names": ["fleet"] }, "maxMode": "Enforce", "scopes": scopes.collect::<Vec<_>>(),
                "roles": roles.map(|id| json!({ "id": id })), "changes": ["EnableSystemIdentity", "GrantRole"],
            },
        })
    }

    fn needs(self, number: usize) -> [(String, &'static str); 5] {
        let group = self.group(number);
        let bus = format!("{group}/Microsoft.ServiceBus/namespaces/sb-{number:05}");
        let files = format!("{group}/Microsoft.Storage/storageAccounts/st{number:05}");
        [
            (bus.clone(), RECEIVER),
            (bus, SENDER),
            (files.clone(), BLOB_CONTRIBUTOR),
            (files.clone(), QUEUE_CONTRIBUTOR),
            (files, TABLE_CONTRIBUTOR),
        ]
    }

    fn group(self, number: usize) -> String {
        let subscription = subscription_id(number % self.subscriptions);
        format!("/subscriptions/{subscription}/resourceGroups/rg-fleet/providers")
    }
}

pub fn subscription_id(number: usize) -> String {
    format!("33333333-aaaa-4bbb-8ccc-{number:012}")
}

fn principal(number: usize) -> String {
    format!("5e57e300-0000-4000-8000-{number:012}")
}

fn grant(scope: &str, role: &str, principal: &str, number: usize) -> Value {
    let subscription = scope.split('/').nth(2).expect("a subscription");
    let name = format!("{}-4000-8000-{number:012}", &role[..13]);
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"), "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId":
                format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal, "principalType": "ServicePrincipal", "scope": scope,
            "createdOn": MADE, "updatedOn": MADE, "condition": null, "description": null,
        },
    })
}
