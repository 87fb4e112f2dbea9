//! What people and pipelines see of a policy while the operator works on it.

use serde_json::{Value, json};

use super::{
    kstatus::{Kstatus, condition, kstatus},
    request::JSON,
    scene::{Scene, invoices},
};

const ASSIGNMENTS: &str = "2022-04-01";

/// Fails when the object is written to by anybody within some seconds.
fn assert_left_alone(scene: &Scene, policy: &Value) {
    let name = policy["metadata"]["name"].as_str().expect("a name");
    let version = policy["metadata"]["resourceVersion"].as_str().expect("a version");
    let watch = format!(
        "{}?watch=true&timeoutSeconds=6&fieldSelector=metadata.name%3D{name}&resourceVersion={version}",
        scene.policies()
    );
    let (code, events) = scene.api.send("GET", &watch, JSON, &Value::Null);
    assert_eq!((code, &events), (200, &json!("")), "somebody wrote to it");
}

#[test]
fn report_shows_the_drift_and_is_current() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |_| {}));
    let policy = scene.until_ready_is("orders", "True", "DriftReported");
    assert_eq!(condition(&policy, "Drifted"), ("True", "DriftDetected"));
    assert_eq!(kstatus(&policy), Kstatus::Current);
    assert_eq!(policy["status"]["hypothesis"], "H2");
    assert_eq!(policy["status"]["findings"][0]["code"], "role-missing");
    assert_eq!(policy["status"]["plan"]["held"][0]["reason"], "ModeReport");
    assert_eq!(scene.arm().role_assignments_at(&invoices(&scene.subscription)), Vec::<Value>::new());
}

#[test]
fn a_gate_makes_drift_fail_health_checks() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |spec| spec["gate"] = json!("Drift")));
    let policy = scene.until_ready_is("orders", "False", "DriftDetected");
    assert_eq!(condition(&policy, "Stalled"), ("True", "DriftDetected"));
    assert_eq!(kstatus(&policy), Kstatus::Failed);
}

#[test]
fn dry_run_publishes_the_request_and_sends_none() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |spec| spec["mode"] = json!("DryRun")));
    let policy = scene.until_ready_is("orders", "True", "DriftReported");
    let step = &policy["status"]["plan"]["steps"][0];
    assert_eq!(step["change"], "GrantRole");
    let request = step["request"].as_str().unwrap_or_default();
    assert!(request.starts_with(&format!("PUT {}", invoices(&scene.subscription))), "{request}");
    assert_eq!(scene.arm().role_assignments_at(&invoices(&scene.subscription)), Vec::<Value>::new());
}

#[test]
fn enforce_grants_once_and_then_leaves_azure_and_the_object_alone() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    let created = scene.create(&scene.policy("orders", |spec| spec["mode"] = json!("Enforce")));
    assert_eq!(kstatus(&created), Kstatus::InProgress);

    // Five seconds long, until the next pass has seen the grant.
    let remediating = scene.until_ready_is("orders", "Unknown", "Remediating");
    assert_eq!(condition(&remediating, "Reconciling"), ("True", "Progressing"));
    assert_eq!(kstatus(&remediating), Kstatus::InProgress);
    assert_eq!(remediating["status"]["plan"]["steps"][0]["outcome"], "applied");
    let granted = scene.arm().role_assignments_at(&invoices(&scene.subscription));
    assert_eq!(granted.len(), 1, "{granted:#?}");
    assert_eq!(granted[0]["properties"]["principalType"], "ServicePrincipal");

    let propagating = scene.until_ready_is("orders", "Unknown", "Propagating");
    assert_eq!(condition(&propagating, "Drifted"), ("False", "NoDriftDetected"));
    assert_eq!(kstatus(&propagating), Kstatus::InProgress);
    assert_left_alone(&scene, &propagating);

    // Another pass, and nothing was written anew: same name, same time.
    scene.request("orders", "once more");
    scene.until("orders", "handled", |policy| policy["status"]["lastHandledReconcileAt"] == "once more");
    assert_eq!(scene.arm().role_assignments_at(&invoices(&scene.subscription)), granted);
}

#[test]
fn a_compliant_policy_is_current_and_left_alone() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.compliant_policy("orders"));
    let policy = scene.until_ready_is("orders", "True", "Compliant");
    assert_eq!(condition(&policy, "Drifted"), ("False", "NoDriftDetected"));
    assert_eq!(kstatus(&policy), Kstatus::Current);
    assert_left_alone(&scene, &policy);
}

#[test]
fn a_request_makes_the_operator_look_again_and_is_echoed() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.compliant_policy("orders"));
    scene.until_ready_is("orders", "True", "Compliant");

    let vault = format!(
        "/subscriptions/{}/resourceGroups/rg-functions-prod/providers/Microsoft.KeyVault/vaults/kv-orders",
        scene.subscription
    );
    let grant = &scene.arm().role_assignments_at(&vault)[0];
    scene.arm().delete(grant["id"].as_str().expect("an id"), ASSIGNMENTS);
    scene.request("orders", "2027-01-04T10:00:00Z");
    // Lists of the subscription are a minute old at most; who asks gets them anew.
    let policy = scene.until_ready_is("orders", "True", "DriftReported");
    assert_eq!(policy["status"]["lastHandledReconcileAt"], "2027-01-04T10:00:00Z");
    assert_eq!(policy["status"]["findings"][0]["subject"], "vaults/secrets");
}

#[test]
fn a_change_of_spec_is_in_progress_until_it_was_looked_at() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |_| {}));
    scene.until_ready_is("orders", "True", "DriftReported");
    let changed = scene.merge("orders", &json!({ "spec": { "gate": "Drift" } }));
    assert_eq!(kstatus(&changed), Kstatus::InProgress);
    scene.until_ready_is("orders", "False", "DriftDetected");
}

#[test]
fn a_suspended_policy_is_compared_and_not_repaired() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    let suspended = scene.policy("orders", |spec| {
        spec["mode"] = json!("Enforce");
        spec["suspend"] = json!(true);
    });
    scene.create(&suspended);
    let policy = scene.until_ready_is("orders", "True", "DriftReported");
    assert_eq!(policy["status"]["suspended"], true);
    assert_eq!(policy["status"]["plan"]["held"][0]["reason"], "Suspended");
    assert_eq!(scene.arm().role_assignments_at(&invoices(&scene.subscription)), Vec::<Value>::new());

    scene.merge("orders", &json!({ "spec": { "suspend": false } }));
    scene.until("orders", "repaired", |policy| {
        ["Remediating", "Propagating"].contains(&condition(policy, "Ready").1) && policy["status"]["suspended"] == false
    });
    assert_eq!(scene.arm().role_assignments_at(&invoices(&scene.subscription)).len(), 1);
}

#[test]
fn a_deleted_policy_is_gone_at_once_and_its_grants_stay() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |spec| spec["mode"] = json!("Enforce")));
    scene.until_ready_is("orders", "Unknown", "Remediating");
    let path = format!("{}/orders", scene.policies());
    scene.api.ok("DELETE", &path, JSON, &Value::Null);
    assert_eq!(scene.api.send("GET", &path, JSON, &Value::Null).0, 404, "no finalizer holds it");
    assert_eq!(scene.arm().role_assignments_at(&invoices(&scene.subscription)).len(), 1);
}

#[test]
fn a_policy_that_the_schema_cannot_see_through_is_stalled_with_the_reason() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |spec| spec["interval"] = json!("5s")));
    let policy = scene.until_ready_is("orders", "False", "InvalidSpec");
    assert_eq!(kstatus(&policy), Kstatus::Failed);
    let conditions = policy["status"]["conditions"].as_array().expect("a list");
    assert!(conditions[0]["message"].as_str().is_some_and(|text| text.contains("the minimum is 30s")), "{policy:#}");
}
