//! What may not change after the policy was made.

use serde_json::json;

use super::{
    request::{APPLY, MERGE},
    scene::Scene,
};

#[test]
fn the_target_cannot_be_changed_and_everything_else_can() {
    let Some(scene) = Scene::set() else { return };
    scene.create(&scene.policy("orders", |_| {}));
    let path = format!("{}/orders", scene.policies());
    let change = json!({ "spec": { "target": { "resource": "host" } } });
    let (code, answer) = scene.api.send("PATCH", &path, MERGE, &change);
    assert_eq!(code, 422, "{answer}");
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.contains("spec.target: Invalid value"), "{message}");
    assert!(message.contains("target is immutable: create another policy"), "{message}");

    scene.merge("orders", &json!({ "spec": { "mode": "DryRun", "interval": "1h", "vaults": [] } }));
    assert_eq!(scene.get("orders")["spec"]["mode"], "DryRun");
}

#[test]
fn two_appliers_share_the_bindings_by_name() {
    let Some(scene) = Scene::set() else { return };
    scene.create(&scene.compliant_policy("orders"));
    let own = json!({ "name": "extra", "type": "queueTrigger", "resource": "host", "identity": "system" });
    let change = json!({
        "apiVersion": "rolecall.dev/v1alpha1", "kind": "FunctionIdentityPolicy", "spec": { "bindings": [own] },
    });
    let path = format!("{}/orders?fieldManager=overlay", scene.policies());
    let merged = scene.api.ok("PATCH", &path, APPLY, &change);
    let names: Vec<_> = merged["spec"]["bindings"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["incoming", "extra"]);
}
