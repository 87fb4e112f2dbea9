//! `rolecall check` with policies and boundaries from the cluster.

use std::process::Command;

use serde_json::json;

use super::{
    scene::Scene,
    stage::{ROLECALL, text},
};

/// Exit code, stdout and stderr of the binary in this scene.
pub fn rolecall(scene: &Scene, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(ROLECALL)
        .args(arguments)
        .env("KUBECONFIG", text(scene.kubeconfig()))
        .env("ROLECALL_TOKEN", "any")
        .env("ROLECALL_TOKEN_SOURCE", "static")
        .env("ROLECALL_ARM_ENDPOINT", &scene.arm().url)
        .output()
        .expect("rolecall runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_exits_by_what_it_finds_in_the_cluster() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.compliant_policy("compliant"));
    let namespace = scene.namespace.as_str();
    let (code, out, err) = rolecall(&scene, &["check", "compliant", "-n", namespace]);
    assert_eq!(code, Some(0), "{out}{err}");

    scene.merge("compliant", &json!({ "spec": { "bindings": scene.policy("x", |_| {})["spec"]["bindings"] } }));
    let (code, out, err) = rolecall(&scene, &["check", "compliant", "-n", namespace]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(out.contains("Storage Blob Data"), "{out}");

    let (code, _, err) = rolecall(&scene, &["check", "absent", "-n", namespace]);
    assert_eq!(code, Some(1));
    assert!(err.contains("no FunctionIdentityPolicy `absent`"), "{err}");
}

#[test]
fn check_holds_policies_to_the_boundaries_of_the_cluster() {
    let Some(scene) = Scene::set() else { return };
    scene.create(&scene.policy("orders", |_| {}));
    let (code, out, err) = rolecall(&scene, &["check", "orders", "-n", &scene.namespace, "-o", "json"]);
    assert_eq!(code, Some(1), "{out}{err}");
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(report["policies"][0]["status"]["conditions"][0]["reason"], "OutsideBoundary");
}

#[test]
fn check_of_a_namespace_exits_by_the_worst_policy() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("drifted", |_| {}));
    scene.create(&scene.policy("invalid", |spec| {
        spec["interval"] = json!("1s");
        spec["resources"]["app"] = json!("Microsoft.Web/sites/another");
    }));
    let (code, out, err) = rolecall(&scene, &["check", "-n", &scene.namespace]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("2 checked: 0 compliant, 1 drifted, 0 waiting, 0 undetermined, 1 in error"), "{out}");
}
