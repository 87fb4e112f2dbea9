use serde_json::json;

use crate::{
    api::FunctionIdentityPolicySpec,
    policy::{
        Policy,
        fixtures::{self, object, policy},
    },
};

fn law(spec: &mut FunctionIdentityPolicySpec, evidence: serde_json::Value) {
    let id = "Microsoft.OperationalInsights/workspaces/law-prod";
    let id = format!("/subscriptions/{}/resourceGroups/rg-logs/providers/{id}", fixtures::OTHER_SUBSCRIPTION);
    spec.resources.insert("law".to_owned(), id);
    spec.evidence = Some(serde_json::from_value(evidence).expect("the loose form takes it"));
}

#[test]
fn evidence_names_a_workspace_and_the_app_goes_by_its_own_name() {
    let by_default = policy(|spec| law(spec, json!({ "workspace": "law" }))).evidence.expect("it is declared");
    assert_eq!((by_default.workspace.name(), by_default.role_name.as_str()), ("law-prod", "func-orders"));
    assert_eq!(by_default.window.as_mins(), 120);
    let told = json!({ "workspace": "law", "roleName": "Orders", "window": "90m" });
    let told = policy(|spec| law(spec, told)).evidence.unwrap();
    assert_eq!((told.role_name.as_str(), told.window.as_mins()), ("Orders", 90));
    assert!(policy(|_| {}).evidence.is_none());
}

#[test]
fn evidence_elsewhere_or_without_end_is_refused() {
    let cases = [
        (
            json!({ "workspace": "law", "window": "19m" }),
            "spec.evidence.window: `19m` is too short: the minimum is 20m",
        ),
        (json!({ "workspace": "law", "window": "25h" }), "spec.evidence.window: `25h` is too long: the maximum is 24h"),
        (
            json!({ "workspace": "law", "window": "soon" }),
            "spec.evidence.window: `soon` is not a duration such as `2h` or `90m`",
        ),
        (json!({ "workspace": "none" }), "spec.evidence.workspace: `none` is not a name in resources"),
        (
            json!({ "workspace": "bus" }),
            "spec.evidence.workspace: `bus` is a Microsoft.ServiceBus/namespaces, not a \
             Microsoft.OperationalInsights/workspaces or Microsoft.Insights/components",
        ),
    ];
    for (evidence, problem) in cases {
        let refused = Policy::parse(&object(|spec| law(spec, evidence))).expect_err("it is refused");
        assert_eq!(refused.to_string(), problem);
    }
}

#[test]
fn a_workspace_is_read_and_its_subscription_is_not() {
    let policy = policy(|spec| law(spec, json!({ "workspace": "law" })));
    assert!(policy.scopes().iter().any(|scope| scope.name() == "law-prod"), "the boundary is asked about it");
    assert_eq!(policy.subscriptions(), [fixtures::SUBSCRIPTION].into());
}

#[test]
fn a_component_that_writes_to_a_workspace_may_be_named_for_it() {
    let declared = policy(|spec| {
        law(spec, json!({ "workspace": "law" }));
        let id = spec.resources["law"].replace("OperationalInsights/workspaces", "Insights/components");
        spec.resources.insert("law".to_owned(), id);
    });
    assert!(declared.evidence.unwrap().workspace.is_type(super::COMPONENT));
}
