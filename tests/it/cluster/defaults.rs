//! What the API server fills in. Each default is part of the API and written down here once more.

use serde_json::{Value, json};

use super::{
    kstatus::{Kstatus, kstatus},
    request::JSON,
    scene::Scene,
};

#[test]
fn every_default_is_filled_in_as_written() {
    let Some(scene) = Scene::set() else { return };
    let least = json!({
        "scope": { "subscriptionId": scene.subscription, "resourceGroup": "rg" },
        "resources": { "app": "Microsoft.Web/sites/app" },
        "target": { "resource": "app" },
    });
    let path = format!("{}?dryRun=All&fieldValidation=Strict", scene.policies());
    let stored = scene.api.ok("POST", &path, JSON, &scene.policy("least", |spec| *spec = least.clone()));
    let mut expected = json!({
        "mode": "Report",
        "gate": "None",
        "criticality": "Production",
        "suspend": false,
        "interval": "10m",
        "identities": { "system": "Optional", "user": [] },
        "platform": {},
        "bindings": [],
        "grants": [],
        "vaults": [],
        "roleSet": "Least",
        "settings": "Never",
        "network": "Check",
        "remediation": { "allow": [], "maxChanges": 10 },
        "prune": "Never",
        "deletionPolicy": "Retain",
    });
    for (name, value) in least.as_object().expect("a map") {
        expected[name] = value.clone();
    }
    expected["target"]["slot"] = json!("");
    assert_eq!(stored["spec"], expected);
}

#[test]
fn defaults_inside_of_what_is_given_are_filled_in_too() {
    let Some(scene) = Scene::set() else { return };
    let path = format!("{}?dryRun=All&fieldValidation=Strict", scene.policies());
    let policy = scene.policy("nested", |spec| {
        spec["identities"] = json!({});
        spec["bindings"] = json!([]);
        spec["remediation"] = json!({ "allow": ["GrantRole"] });
        spec["evidence"] = json!({ "workspace": "secrets" });
        spec["vaults"] = json!([{ "resource": "secrets", "mode": "RBAC", "identity": "system" }]);
    });
    let stored = scene.api.ok("POST", &path, JSON, &policy);
    assert_eq!(stored["spec"]["identities"], json!({ "system": "Optional", "user": [] }));
    assert_eq!(stored["spec"]["remediation"], json!({ "allow": ["GrantRole"], "maxChanges": 10 }));
    assert_eq!(stored["spec"]["evidence"], json!({ "workspace": "secrets", "window": "2h" }));
    assert_eq!(stored["spec"]["vaults"][0]["access"], json!({ "secrets": [], "keys": [], "certificates": [] }));
}

#[test]
fn a_boundary_allows_nothing_that_it_does_not_say() {
    let Some(scene) = Scene::set() else { return };
    let path = "/apis/rolecall.dev/v1alpha1/identityboundaries?dryRun=All&fieldValidation=Strict";
    let mut boundary = scene.boundary();
    let scopes = json!([{ "id": format!("/subscriptions/{}", scene.subscription) }]);
    boundary["spec"] = json!({ "namespaces": {}, "scopes": scopes });
    let stored = scene.api.ok("POST", path, JSON, &boundary);
    let expected = json!({
        "namespaces": { "names": [] }, "scopes": scopes, "maxMode": "Report", "roles": [], "changes": [],
        "vaults": [],
    });
    assert_eq!(stored["spec"], expected);
    let group = format!("/subscriptions/{}/resourceGroups/rg", scene.subscription);
    let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/kv-shared");
    boundary["spec"]["vaults"] = json!([{ "resource": vault }]);
    let stored = scene.api.ok("POST", path, JSON, &boundary);
    assert_eq!(stored["spec"]["vaults"], json!([{ "resource": vault, "switch": "Never", "waive": [] }]));
}

#[test]
fn a_policy_that_nobody_has_looked_at_is_in_progress() {
    let Some(scene) = Scene::set() else { return };
    let path = format!("{}?dryRun=All", scene.policies());
    let stored = scene.api.ok("POST", &path, JSON, &scene.policy("new", |_| {}));
    assert_eq!(stored["status"], json!({ "observedGeneration": -1, "conditions": [], "suspended": false }));
    assert_eq!(kstatus(&stored), Kstatus::InProgress);

    let mut without = stored;
    without["status"] = Value::Null;
    assert_eq!(kstatus(&without), Kstatus::Current, "which is what the default is there against");
}
