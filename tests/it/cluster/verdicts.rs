//! Boundaries and other writers: what happens to a policy that itself does not change.

use serde_json::{Value, json};

use super::{
    kstatus::{Kstatus, condition, kstatus},
    request::{JSON, MERGE},
    scene::{Scene, create_boundary},
};

#[test]
fn a_boundary_that_comes_later_lets_the_policy_be_looked_at() {
    let Some(scene) = Scene::set() else { return };
    scene.create(&scene.policy("orders", |_| {}));
    let policy = scene.until_ready_is("orders", "False", "OutsideBoundary");
    assert_eq!(condition(&policy, "Stalled"), ("True", "OutsideBoundary"));
    assert_eq!(condition(&policy, "Drifted").0, "Unknown");
    assert_eq!(kstatus(&policy), Kstatus::Failed);
    assert_eq!(policy["status"].get("findings"), None, "status would leak what Azure says");

    create_boundary(&scene.api, &scene.boundary());
    scene.until_ready_is("orders", "True", "DriftReported");
}

#[test]
fn a_boundary_that_goes_takes_the_view_with_it() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |_| {}));
    scene.until_ready_is("orders", "True", "DriftReported");
    let boundary = format!("/apis/rolecall.dev/v1alpha1/identityboundaries/{}", scene.namespace);
    scene.api.ok("DELETE", &boundary, JSON, &Value::Null);
    let policy = scene.until_ready_is("orders", "False", "OutsideBoundary");
    assert_eq!(policy["status"].get("findings"), None);
}

#[test]
fn a_label_of_the_namespace_puts_it_inside_a_boundary_and_out_again() {
    let Some(scene) = Scene::set() else { return };
    let mut boundary = scene.boundary();
    boundary["spec"]["namespaces"] = json!({ "matchLabels": { "team": scene.namespace } });
    create_boundary(&scene.api, &boundary);
    scene.create(&scene.policy("orders", |_| {}));
    scene.until_ready_is("orders", "False", "OutsideBoundary");
    let namespace = format!("/api/v1/namespaces/{}", scene.namespace);
    let label = |value: Value| json!({ "metadata": { "labels": { "team": value } } });
    scene.api.ok("PATCH", &namespace, MERGE, &label(json!(scene.namespace)));
    scene.until_ready_is("orders", "True", "DriftReported");
    scene.api.ok("PATCH", &namespace, MERGE, &label(Value::Null));
    scene.until_ready_is("orders", "False", "OutsideBoundary");
}

#[test]
fn a_boundary_that_allows_less_than_enforce_holds_the_repair() {
    let Some(scene) = Scene::set() else { return };
    let mut boundary = scene.boundary();
    boundary["spec"]["maxMode"] = json!("Report");
    create_boundary(&scene.api, &boundary);
    scene.create(&scene.policy("orders", |spec| spec["mode"] = json!("Enforce")));
    let policy = scene.until_ready_is("orders", "False", "Held");
    assert_eq!(condition(&policy, "Stalled"), ("True", "BoundaryMode"));
    assert_eq!(kstatus(&policy), Kstatus::Failed);
    let scope = super::scene::invoices(&scene.subscription);
    assert_eq!(scene.arm().role_assignments_at(&scope), Vec::<Value>::new());
}

#[test]
fn the_operator_has_the_last_word_on_status() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("orders", |_| {}));
    let before = scene.until_ready_is("orders", "True", "DriftReported");
    let path = format!("{}/orders/status", scene.policies());
    for round in 0..20 {
        // A request starts a pass; the write of somebody else comes into the middle of some of them.
        scene.request("orders", &format!("round {round}"));
        let lie = json!({ "status": { "target": format!("lie {round}"), "findings": [] } });
        scene.api.ok("PATCH", &path, MERGE, &lie);
    }
    scene.request("orders", "the end");
    let after = scene.until("orders", "told truly again", |policy| {
        policy["status"]["lastHandledReconcileAt"] == "the end"
            && policy["status"]["target"] == before["status"]["target"]
    });
    assert_eq!(after["status"]["findings"], before["status"]["findings"]);
    assert_eq!(after["status"]["conditions"], before["status"]["conditions"], "nothing happened, so no time moved");
}
