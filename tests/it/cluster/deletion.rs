//! Deleting a policy with `kubectl`, on the real API server and with exactly the chart's rights: finalizer, revocation,
//! and the way out when the operator is gone.

use serde_json::{Value, json};

use super::{
    command_line::rolecall,
    request::{JSON, until},
    scene::{Scene, invoices},
};

const CHANGES: [&str; 4] = ["EnableSystemIdentity", "AttachUserIdentity", "GrantRole", "RevokeRole"];

/// A policy that asks for revocation, in a boundary that lets it.
fn revoking() -> Option<Scene> {
    let scene = Scene::set()?;
    let mut boundary = scene.boundary();
    boundary["spec"]["changes"] = json!(CHANGES);
    super::scene::create_boundary(&scene.api, &boundary);
    scene.create(&scene.policy("orders", |spec| {
        spec["mode"] = json!("Enforce");
        spec["deletionPolicy"] = json!("Revoke");
        spec["remediation"]["allow"] = json!(CHANGES);
    }));
    scene.until_ready_is("orders", "Unknown", "Propagating");
    Some(scene)
}

fn delete(scene: &Scene) {
    scene.api.ok("DELETE", &format!("{}/orders", scene.policies()), JSON, &Value::Null);
}

fn is_gone(scene: &Scene) -> bool {
    scene.api.send("GET", &format!("{}/orders", scene.policies()), JSON, &Value::Null).0 == 404
}

fn granted(scene: &Scene) -> usize {
    scene.arm().role_assignments_at(&invoices(&scene.subscription)).len()
}

#[test]
fn what_was_granted_is_revoked_before_the_policy_goes() {
    let Some(scene) = revoking() else { return };
    assert_eq!(scene.get("orders")["metadata"]["finalizers"], json!(["rolecall.dev/revoke"]));
    assert_eq!(granted(&scene), 1);
    delete(&scene);
    until("the policy is gone", || format!("{:#}", scene.get("orders")), || Some(is_gone(&scene)));
    assert_eq!(granted(&scene), 0);
}

#[test]
fn finalizers_are_released_by_hand_and_nothing_is_revoked() {
    let Some(scene) = revoking() else { return };
    let release = |arguments: &[&str]| {
        let command = [&["release-finalizers", "-n", scene.namespace.as_str()], arguments].concat();
        let (code, printed, _) = rolecall(&scene, &command);
        (code, printed)
    };
    let (code, printed) = release(&["--dry-run"]);
    assert_eq!((code, printed.as_str()), (Some(0), format!("{}/orders\n", scene.namespace).as_str()));
    assert_eq!(scene.get("orders")["metadata"]["finalizers"], json!(["rolecall.dev/revoke"]));
    let (code, printed) = release(&[]);
    assert_eq!((code, printed.as_str()), (Some(0), format!("{}/orders\n", scene.namespace).as_str()));
    assert_eq!(granted(&scene), 1);
    // The operator is still there, and puts it back.
    scene.until("orders", "the finalizer is back", |policy| {
        policy["metadata"]["finalizers"] == json!(["rolecall.dev/revoke"])
    });
}
