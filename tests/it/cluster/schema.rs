//! What the API server takes and what it refuses: schema and CEL rules, each with the words that a user reads.

use serde_json::{Value, json};

use super::{
    request::{JSON, create_namespace},
    scene::{Scene, policies},
};

type Change = fn(&mut Value);

/// Sends the policy without keeping it. `None` when it is accepted, else the message.
fn refusal(scene: &Scene, policy: &Value) -> Option<String> {
    let path = format!("{}?dryRun=All&fieldValidation=Strict", scene.policies());
    answer(&scene.api.send("POST", &path, JSON, policy))
}

fn answer((code, answer): &(u16, Value)) -> Option<String> {
    match code {
        201 => None,
        400 | 422 => Some(answer["message"].as_str().unwrap_or_default().to_owned()),
        other => panic!("{other} {answer:#}"),
    }
}

fn assert_refused(scene: &Scene, table: &[(&str, Change, &str)]) {
    for (what, change, expected) in table {
        let message = refusal(scene, &scene.policy("a", change)).unwrap_or_else(|| panic!("accepted: {what}"));
        assert!(message.contains(expected), "{what}: expected `{expected}` in `{message}`");
    }
}

#[test]
fn what_is_valid_is_accepted() {
    let Some(scene) = Scene::set() else { return };
    let accepted: [(&str, Change); 9] = [
        ("the example", |_| {}),
        ("the least", |spec| {
            let kept = ["scope", "resources", "target"];
            spec.as_object_mut().expect("a map").retain(|name, _| kept.contains(&name.as_str()));
        }),
        ("every mode", |spec| spec["mode"] = json!("DryRun")),
        ("a full id", |spec| {
            spec["resources"]["app"] = json!("/subscriptions/a/resourceGroups/b/providers/Microsoft.Web/sites/c");
        }),
        ("an interval of hours and minutes", |spec| spec["interval"] = json!("1h30m")),
        ("no change at a time", |spec| spec["remediation"]["maxChanges"] = json!(0)),
        ("the most changes at a time", |spec| spec["remediation"]["maxChanges"] = json!(100)),
        ("a role by name", |spec| {
            spec["grants"] = json!([{ "role": "Reader", "resource": "bus", "identity": "system" }]);
        }),
        ("as many bindings as there may be", |spec| {
            spec["bindings"] = (0..64).map(|number| binding(&format!("b{number}"))).collect();
        }),
    ];
    for (what, change) in accepted {
        assert_eq!(refusal(&scene, &scene.policy("a", change)), None, "{what}");
    }
}

fn binding(name: &str) -> Value {
    json!({ "name": name, "type": "queueTrigger", "resource": "host", "identity": "system" })
}

#[test]
fn references_that_lead_nowhere_are_refused_by_name() {
    let Some(scene) = Scene::set() else { return };
    let neither = "uses an identity that is neither `system` nor declared in identities.user";
    assert_refused(
        &scene,
        &[
            (
                "target",
                |spec| spec["target"]["resource"] = json!("absent"),
                "target.resource is not a name in resources",
            ),
            (
                "an identity's resource",
                |spec| spec["identities"]["user"][0]["resource"] = json!("absent"),
                "an entry of identities.user names a resource that is not in resources",
            ),
            (
                "a binding's resource",
                |spec| spec["bindings"][1]["resource"] = json!("absent"),
                "an entry of bindings names a resource that is not in resources",
            ),
            (
                "a grant's resource",
                |spec| spec["grants"] = json!([{ "role": "Reader", "resource": "absent", "identity": "system" }]),
                "an entry of grants names a resource that is not in resources",
            ),
            (
                "a vault's resource",
                |spec| spec["vaults"][0]["resource"] = json!("absent"),
                "an entry of vaults names a resource that is not in resources",
            ),
            (
                "a binding's identity",
                |spec| spec["bindings"][0]["identity"] = json!("absent"),
                &format!("an entry of bindings {neither}"),
            ),
            (
                "a grant's identity",
                |spec| spec["grants"] = json!([{ "role": "Reader", "resource": "bus", "identity": "absent" }]),
                &format!("an entry of grants {neither}"),
            ),
            (
                "a vault's identity",
                |spec| spec["vaults"][0]["identity"] = json!("absent"),
                &format!("an entry of vaults {neither}"),
            ),
            (
                "a user identity that calls itself system",
                |spec| {
                    spec["identities"]["user"] = json!([{ "name": "system", "resource": "identity" }]);
                    spec["bindings"] = json!([]);
                    spec["vaults"] = json!([]);
                },
                "`system` means the system-assigned identity",
            ),
        ],
    );
}

#[test]
fn values_out_of_bounds_are_refused() {
    let Some(scene) = Scene::set() else { return };
    assert_refused(
        &scene,
        &[
            ("a mode that is none", |spec| spec["mode"] = json!("Repair"), "Unsupported value: \"Repair\""),
            ("a gate that is none", |spec| spec["gate"] = json!(true), "spec.gate: Invalid value"),
            ("an interval without a unit", |spec| spec["interval"] = json!("10"), "spec.interval: Invalid value"),
            (
                "a subscription that is no GUID",
                |spec| spec["scope"]["subscriptionId"] = json!("production"),
                "spec.scope.subscriptionId: Invalid value",
            ),
            ("no group", |spec| spec["scope"]["resourceGroup"] = json!(""), "spec.scope.resourceGroup: Invalid value"),
            ("no scope", |spec| spec["scope"] = json!({}), "spec.scope.subscriptionId: Required value"),
            ("no resources", |spec| spec["resources"] = json!({}), "spec.resources: Invalid value"),
            (
                "a resource id beyond 600 characters",
                |spec| spec["resources"]["app"] = json!("x".repeat(601)),
                "spec.resources.app: Too long",
            ),
            (
                "65 resources",
                |spec| spec["resources"] = (0..65).map(|it| (format!("r{it}"), json!("a/b/c"))).collect(),
                "spec.resources: Too many",
            ),
            (
                "65 bindings",
                |spec| spec["bindings"] = (0..65).map(|it| binding(&format!("b{it}"))).collect(),
                "spec.bindings: Too many",
            ),
            (
                "two bindings of one name",
                |spec| spec["bindings"] = json!([binding("twice"), binding("twice")]),
                "spec.bindings[1]: Duplicate value",
            ),
            (
                "a binding type that is unknown",
                |spec| spec["bindings"][0]["type"] = json!("smokeSignalTrigger"),
                "Unsupported value: \"smokeSignalTrigger\"",
            ),
            (
                "an entity with a query",
                |spec| spec["bindings"][0]["entity"] = json!("queues/orders?x=1"),
                "spec.bindings[0].entity: Invalid value",
            ),
            (
                "a change that is none",
                |spec| spec["remediation"]["allow"] = json!(["DetachEverything"]),
                "Unsupported value: \"DetachEverything\"",
            ),
            (
                "one change allowed twice",
                |spec| spec["remediation"]["allow"] = json!(["GrantRole", "GrantRole"]),
                "spec.remediation.allow[1]: Duplicate value",
            ),
            (
                "101 changes at a time",
                |spec| spec["remediation"]["maxChanges"] = json!(101),
                "spec.remediation.maxChanges: Invalid value",
            ),
            (
                "fewer than no change",
                |spec| spec["remediation"]["maxChanges"] = json!(-1),
                "spec.remediation.maxChanges: Invalid value",
            ),
            (
                "a vault mode that is none",
                |spec| spec["vaults"][0]["mode"] = json!("Rbac"),
                "Unsupported value: \"Rbac\"",
            ),
            ("null for a choice", |spec| spec["vaults"][0]["mode"] = Value::Null, "spec.vaults[0].mode"),
        ],
    );
}

#[test]
fn misspelled_fields_are_refused_by_strict_validation_and_dropped_without() {
    let Some(scene) = Scene::set() else { return };
    let misspelled = scene.policy("a", |spec| spec["mdoe"] = json!("Enforce"));
    let message = refusal(&scene, &misspelled).expect("refused");
    assert!(message.contains("unknown field \"spec.mdoe\""), "{message}");
    let lenient = format!("{}?dryRun=All&fieldValidation=Ignore", scene.policies());
    let stored = scene.api.ok("POST", &lenient, JSON, &misspelled);
    assert_eq!(stored["spec"].get("mdoe"), None);
    assert_eq!(stored["spec"]["mode"], "Report", "the safe mode, whatever was meant");
}

const VAULT: &str = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-shared";
const OBJECT: &str = "57a46e12-0009-4000-8000-000000000009";

#[test]
fn boundaries_are_bounded_and_speak_of_subscriptions() {
    let Some(scene) = Scene::set() else { return };
    let refused: [(&str, Change, &str); 8] = [
        ("everything", |spec| spec["scopes"] = json!([{ "id": "/" }]), "spec.scopes[0].id: Invalid value"),
        ("no scope", |spec| spec["scopes"] = json!([]), "spec.scopes: Invalid value"),
        ("a role by name", |spec| spec["roles"] = json!([{ "id": "Owner" }]), "spec.roles[0].id: Invalid value"),
        ("no namespaces", |spec| spec["namespaces"] = Value::Null, "spec.namespaces: Required value"),
        (
            "a vault that is none",
            |spec| spec["vaults"] = json!([{ "resource": "/subscriptions/1/resourceGroups/rg" }]),
            "spec.vaults[0].resource: Invalid value",
        ),
        (
            "a waiver for ever",
            |spec| {
                spec["vaults"] = json!([{ "resource": VAULT, "waive": [{ "objectId": OBJECT, "reason": "a job" }] }]);
            },
            "spec.vaults[0].waive[0].until: Required value",
        ),
        (
            "a day that is none",
            |spec| {
                let waiver = json!({ "objectId": OBJECT, "reason": "a job", "until": "2027-13-01" });
                spec["vaults"] = json!([{ "resource": VAULT, "waive": [waiver] }]);
            },
            "spec.vaults[0].waive[0].until: Invalid value",
        ),
        ("a change that is none", |spec| spec["changes"] = json!(["Everything"]), "Unsupported value: \"Everything\""),
    ];
    let path = "/apis/rolecall.dev/v1alpha1/identityboundaries?dryRun=All&fieldValidation=Strict";
    let sent = |boundary: &Value| answer(&scene.api.send("POST", path, JSON, boundary));
    assert_eq!(sent(&scene.boundary()), None);
    for (what, change, expected) in refused {
        let mut boundary = scene.boundary();
        change(&mut boundary["spec"]);
        let message = sent(&boundary).unwrap_or_else(|| panic!("accepted: {what}"));
        assert!(message.contains(expected), "{what}: expected `{expected}` in `{message}`");
    }
}

#[test]
fn names_of_other_namespaces_have_no_place_in_a_policy() {
    let Some(scene) = Scene::set() else { return };
    let other = format!("{}-other", scene.namespace);
    create_namespace(&scene.api, &other);
    let policy = scene.policy("a", |_| {});
    let (code, answer) = scene.api.send("POST", &policies(&other), JSON, &policy);
    assert_eq!(code, 400, "{answer}");
}
