//! The operator through kubectl: columns, waiting, events, documentation.

use serde_json::{Value, json};

use super::{kstatus::condition, request::JSON, scene::Scene, stage::ROLECALL};

#[test]
fn get_shows_readiness_reason_mode_and_drift() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    let Some(kubectl) = scene.kubectl() else { return };
    kubectl.apply(&["apply", "-f", "-"], &scene.policy("orders", |_| {}).to_string());
    scene.until_ready_is("orders", "True", "DriftReported");
    let table = kubectl.ok(&["get", "fip", "-n", &scene.namespace]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "MODE", "DRIFT", "AGE"]);
    assert_eq!(rows[1][..5], ["orders", "True", "DriftReported", "Report", "True"]);
    let all = kubectl.ok(&["get", "rolecall", "-n", &scene.namespace, "-o", "name"]);
    assert!(all.contains("functionidentitypolicy.rolecall.dev/orders"), "the category: {all}");
}

#[test]
fn wait_ends_when_the_policy_is_compliant_and_describe_tells_the_story() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    let Some(kubectl) = scene.kubectl() else { return };
    let policy = scene.compliant_policy("orders").to_string();
    kubectl.apply(&["apply", "--server-side", "--field-manager=flux", "-f", "-"], &policy);
    kubectl.ok(&["wait", "fip/orders", "-n", &scene.namespace, "--for=condition=Ready", "--timeout=60s"]);

    let drift = json!({ "spec": { "bindings": scene.policy("x", |_| {})["spec"]["bindings"] } });
    scene.merge("orders", &drift);
    scene.until_ready_is("orders", "True", "DriftReported");
    let events = format!("/apis/events.k8s.io/v1/namespaces/{}/events", scene.namespace);
    let reasons = || {
        let list = scene.api.ok("GET", &events, JSON, &Value::Null);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    // An event follows its status by one request.
    super::request::until("two events", || format!("{:?}", reasons()), || Some(reasons().len() >= 2));
    assert_eq!(reasons(), ["Compliant", "DriftReported"], "by name, which ends in the time");

    let told = kubectl.ok(&["describe", "fip", "orders", "-n", &scene.namespace]);
    let (_, told) = told.split_once("\nEvents:").expect("describe lists events");
    for (kind, reason) in [("Normal", "Compliant"), ("Warning", "DriftReported")] {
        let line = told.lines().find(|line| line.contains(reason)).unwrap_or_else(|| panic!("no {reason} in {told}"));
        assert!(line.trim_start().starts_with(kind) && line.contains("rolecall.dev/operator"), "{line}");
    }
    assert_eq!(condition(&scene.get("orders"), "Ready").1, "DriftReported");
}

#[test]
fn explain_documents_every_field_of_remediation() {
    let Some(scene) = Scene::set() else { return };
    let Some(kubectl) = scene.kubectl() else { return };
    let told = kubectl.ok(&["explain", "fip.spec.remediation"]);
    for words in ["What `Enforce` may change", "allow", "maxChanges", "How many changes one pass may make"] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
}

#[test]
fn crds_of_the_binary_and_of_the_repository_apply_both_ways() {
    let Some(scene) = Scene::set() else { return };
    let Some(kubectl) = scene.kubectl() else { return };
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    kubectl.ok(&["apply", "--server-side", "--force-conflicts", "-f", files]);
    kubectl.ok(&["apply", "-f", files]);
    let printed = std::process::Command::new(ROLECALL).arg("crd").output().expect("rolecall runs");
    let printed = String::from_utf8(printed.stdout).expect("text");
    let dry = kubectl.apply(&["apply", "--dry-run=server", "-f", "-"], &printed);
    assert_eq!(dry.matches("unchanged").count(), 2, "what is printed is what is in crds/: {dry}");
}

#[test]
fn strict_validation_is_what_kubectl_does_by_default() {
    let Some(scene) = Scene::set() else { return };
    let Some(kubectl) = scene.kubectl() else { return };
    let misspelled = scene.policy("orders", |spec| spec["mdoe"] = json!("Enforce")).to_string();
    let refused = kubectl.run(&["apply", "-f", "-"], &misspelled);
    assert!(!refused.success && refused.stderr.contains("unknown field \"spec.mdoe\""), "{}", refused.stderr);
}

#[test]
fn delete_returns_when_the_policy_is_gone() {
    let Some(scene) = Scene::set() else { return };
    let Some(kubectl) = scene.kubectl() else { return };
    kubectl.apply(&["apply", "-f", "-"], &scene.policy("orders", |_| {}).to_string());
    kubectl.ok(&["delete", "fip", "orders", "-n", &scene.namespace, "--timeout=30s"]);
    let absent = kubectl.run(&["get", "fip", "orders", "-n", &scene.namespace], "");
    assert!(absent.stderr.contains("NotFound"), "{}", absent.stderr);
}
