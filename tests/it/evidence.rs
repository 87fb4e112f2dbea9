//! Telemetry is asked about while something is wrong with an app, and not more often than it changes.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use rolecall::{
    api::FunctionIdentityPolicy,
    clock::Clock,
    evaluate::{Evaluation, Hypothesis, Question, Side},
    pipeline::{Intent, Pipeline},
    report::{self, PassResult},
    sandbox::arm::{ArmSim, Fault, World},
};
use serde_json::{Value, json};

use crate::azure::{boundaries, example, file, pipeline, policy};

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
const WORKSPACE: &str = "Microsoft.OperationalInsights/workspaces/law-prod";

/// The example, in which a role is missing, with a workspace that the app writes to.
fn incident() -> (ArmSim, Pipeline, Clock) {
    let mut world = World::from_yaml(&file("world.yaml")).expect("the example world is valid");
    let id = format!("{GROUP}/providers/{WORKSPACE}");
    world.resources.push(json!({ "id": id, "properties": { "customerId": "ed145307-2f28-4969-924d-f13401b78747" } }));
    let container = "Microsoft.Storage/storageAccounts/storderuploads/blobServices/default/containers/invoices";
    let trigger = json!({ "target": format!("{GROUP}/providers/{container}") });
    let host = json!({
        "app": format!("{GROUP}/providers/Microsoft.Web/sites/func-orders"), "workspace": id,
        "functions": [{ "name": "uploads", "trigger": trigger }],
    });
    world.hosts.push(serde_json::from_value(host).expect("a host"));
    let clock = Clock::starting_at(world.clock.expect("the example world has a clock"));
    let arm = ArmSim::new(world, clock);
    let pipeline = pipeline(&arm, clock);
    (arm, pipeline, clock)
}

fn watched() -> FunctionIdentityPolicy {
    let mut policy = policy();
    policy.spec.resources.insert("law".to_owned(), WORKSPACE.to_owned());
    policy.spec.evidence = Some(serde_json::from_value(json!({ "workspace": "law" })).unwrap());
    policy
}

async fn look(pipeline: &Pipeline, policy: &FunctionIdentityPolicy) -> Evaluation {
    let report = pipeline.pass(policy, &boundaries(), None, Intent::Look).await;
    match report.finding {
        PassResult::Evaluated(pass) => pass.evaluation,
        _ => panic!("the policy is evaluated"),
    }
}

/// How many queries were sent, and how often the workspace was looked at.
fn asked(arm: &ArmSim) -> (usize, usize) {
    let journal = arm.journal();
    let ending = |end: &str| journal.iter().filter(|request| request.path.ends_with(end)).count();
    (ending("/query"), ending("/law-prod"))
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_asked_about_once_in_five_minutes() {
    let (arm, pipeline, _) = incident();
    let evaluation = look(&pipeline, &watched()).await;
    let evidence = evaluation.evidence.as_ref().and_then(|it| it.present()).expect("it was read");
    let dependencies = evidence.dependencies.present().expect("calls were refused");
    // The listener tries to start, less and less often, for as long as telemetry has arrived.
    assert_eq!((dependencies.count, dependencies.top[0].result.as_str()), (34, "403"));
    let says = |hypothesis, side| {
        let mut seen = evaluation.signals.iter();
        seen.any(|it| (it.hypothesis, it.side, it.signal.as_str()) == (hypothesis, side, "storage-permission"))
    };
    assert!(says(Hypothesis::H2, Side::For) && says(Hypothesis::H6, Side::Against));
    // The figures, four tables of the app and its host, and the logs of its storage and vaults.
    assert_eq!(asked(&arm), (7, 1));

    look(&pipeline, &watched()).await;
    assert_eq!(asked(&arm), (7, 1), "nothing new can be known");
    tokio::time::advance(Duration::from_secs(301)).await;
    look(&pipeline, &watched()).await;
    assert_eq!(asked(&arm), (14, 2));
}

#[tokio::test]
async fn nobody_asks_who_is_not_told_to_or_where_all_is_well() {
    let (arm, pipeline, clock) = incident();
    let evaluation = look(&pipeline, &policy()).await;
    assert!(evaluation.evidence.is_none() && evaluation.signals.is_empty() && !evaluation.ask_evidence);
    assert_eq!(asked(&arm), (0, 0));

    let (arm, pipeline, _) = (arm.clone(), self::pipeline(&arm, clock), clock);
    let mut well = watched();
    well.spec.bindings.retain(|binding| binding.name != "uploads");
    let evaluation = look(&pipeline, &well).await;
    assert!(evaluation.evidence.is_none() && !evaluation.ask_evidence, "{:?}", evaluation.findings);
    assert_eq!(asked(&arm), (0, 0));
}

#[tokio::test]
async fn a_workspace_that_refuses_is_asked_once_and_changes_nothing_else() {
    let (_, pipeline, _) = incident();
    let read = look(&pipeline, &watched()).await;
    let (arm, pipeline, _) = incident();
    let refusal =
        json!({ "path": "/query", "times": 99, "answer": { "status": 403, "code": "InsufficientAccessError" } });
    arm.add_fault(serde_json::from_value::<Fault>(refusal).unwrap());
    let evaluation = look(&pipeline, &watched()).await;
    let evidence = evaluation.evidence.as_ref().and_then(|it| it.present()).expect("the workspace is there");
    let failure = evidence.refused.unreadable().expect("nobody asked any more");
    assert_eq!(failure.code, "InsufficientAccessError");
    assert_eq!(asked(&arm), (1, 1), "who is refused once does not ask six times more");
    assert!(evaluation.signals.is_empty());
    assert_eq!(evaluation.standing(), read.standing());
    assert_eq!(evaluation.decision.cause, read.decision.cause);
    assert_eq!(evaluation.decision.hypotheses, read.decision.hypotheses);
    // Only whether it recovered was for telemetry to say.
    let before_it = |it: &Evaluation| {
        it.decision.path.iter().filter(|node| node.question != Question::Recovered).copied().collect::<Vec<_>>()
    };
    assert_eq!(before_it(&evaluation), before_it(&read));
}

#[tokio::test]
async fn a_workspace_without_the_app_says_nothing_and_is_not_asked_for_more() {
    let (arm, clock) = example();
    let id = format!("{GROUP}/providers/{WORKSPACE}");
    let pipeline = pipeline(&arm, clock);
    let gone = look(&pipeline, &watched()).await;
    assert!(matches!(gone.evidence, Some(rolecall::model::Reading::Absent { .. })) && gone.signals.is_empty());
    arm.insert(json!({ "id": id, "properties": { "customerId": "ed145307-2f28-4969-924d-f13401b78747" } }));
    let silent = look(&self::pipeline(&arm, clock), &watched()).await;
    let evidence = silent.evidence.as_ref().and_then(|it| it.present()).expect("the workspace is there");
    assert!(evidence.dependencies.present().is_none() && evidence.dependencies.unreadable().is_none());
    assert_eq!(evidence.host.unreadable().map(|failure| failure.code.as_str()), Some("BadArgumentError"));
    assert_eq!(asked(&arm).0, 3, "the figures, and two logs that are not the app's own telemetry");
    assert!(silent.signals.is_empty());
    let now: Timestamp = clock.now();
    assert_eq!(rolecall::evaluate::availability(evidence, now), rolecall::evaluate::Availability::Silent);
}

#[tokio::test]
async fn a_workspace_outside_of_the_boundary_is_not_looked_at() {
    let (arm, pipeline, _) = incident();
    let mut outside = watched();
    let elsewhere = GROUP.replace("rg-functions-prod", "rg-of-others");
    outside.spec.resources.insert("law".to_owned(), format!("{elsewhere}/providers/{WORKSPACE}"));
    let report = pipeline.pass(&outside, &boundaries(), None, Intent::Look).await;
    assert!(matches!(report.finding, PassResult::OutsideBoundary(_)));
    assert_eq!(asked(&arm), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn explain_puts_telemetry_beside_the_hypotheses_and_prints_the_query() {
    let (arm, pipeline, _) = incident();
    let report = pipeline.pass(&watched(), &boundaries(), None, Intent::Explain).await;
    let text = report::explanation(&report, &["orders", "-n", "payments"]);
    let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let after = |start: &str| told.split_once(start).unwrap_or_else(|| panic!("no `{start}` in {text}")).1;
    assert!(after("H2 ACT ON THIS").contains("for telemetry: "), "{text}");
    assert!(after("H6 ").contains("against telemetry: "), "{text}");
    assert!(after(" Evidence ").contains(" refusals in the last quarter of an hour"), "{text}");
    assert!(after("in workspace `law-prod`:").contains("AppDependencies"), "{text}");
    for told in [
        "which calls to other services failed: 34, 2026-03-02T",
        "34 × `storderuploads.blob.core.windows.net` answered 403",
        "whom the called resources refused: not available, ",
        " 34 refused (#), 0 without an answer (~) 0",
        "This request is not authorized to perform this operation using this permission.",
    ] {
        assert!(after(" Evidence ").contains(told), "{told}: {text}");
    }
    let section = text.split_once("\n  Evidence").and_then(|(_, rest)| rest.split_once("To see it")).unwrap().0;
    assert!(section.lines().all(|line| line.chars().count() <= 80), "{section}");
    insta::with_settings!({ snapshot_path => "snapshots/cli", prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!("explain-with-telemetry", text) });
    let json = report::explanation_json(&report, &["orders"]);
    assert_eq!(json["hypotheses"][1]["telemetry"][1]["signal"], "storage-permission");
    let evidence = &json["evidence"];
    assert_eq!([&evidence["roleName"], &evidence["window"], &evidence["state"]], ["func-orders", "120m", "available"]);
    assert_eq!(evidence["workspace"], format!("{GROUP}/providers/{WORKSPACE}"));
    assert_eq!(sources(evidence).len(), 7);
    for one in sources(evidence).values() {
        let id = one["source"].as_str().unwrap();
        assert!(one["query"]["text"].as_str().is_some_and(|it| it.starts_with(&format!("// rolecall: {id}\n"))));
        assert!(one["asks"].is_string() && one["query"]["in"] == "workspace `law-prod`", "{one}");
    }
    let calls = &sources(evidence)["dependency-failures"]["summary"];
    assert_eq!((&calls["count"], &calls["top"][0]["result"]), (&json!(34), &json!("403")));
    let series = sources(evidence)["failure-series"]["series"].as_array().unwrap();
    let refused: u64 = series.iter().filter_map(|step| step["auth_failures"].as_u64()).sum();
    assert_eq!(refused, 34);
    assert_eq!(sources(evidence)["recovery"]["recovery"]["calls"], 0);
    assert_eq!(sources(evidence)["invocations"]["state"], "nothing");

    // Nothing is told where the workspace does not answer, and the verdicts are the same.
    let refused = json!({ "method": "POST", "path": "/query", "times": 100, "answer": { "status": 403 } });
    arm.add_fault(serde_json::from_value::<Fault>(refused).unwrap());
    tokio::time::advance(Duration::from_secs(301)).await;
    let report = pipeline.pass(&watched(), &boundaries(), None, Intent::Explain).await;
    let evidence = &report::explanation_json(&report, &["orders"])["evidence"];
    assert!(evidence["state"] == "not-available" && evidence["because"].is_string(), "{evidence}");
    assert!(sources(evidence).values().all(|one| one["state"] == "not-available" && one["query"]["text"].is_string()));
    let silent = report::explanation(&report, &["orders", "-n", "payments"]);
    assert!(silent.contains("not available:") && silent.contains("ACT ON THIS") && !silent.contains("telemetry:"));
}

#[tokio::test(start_paused = true)]
async fn explain_names_whom_a_resource_refused_where_its_log_says_so() {
    let (arm, pipeline, _) = incident();
    let blobs = format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/storderuploads/blobServices/default");
    arm.insert(json!({
        "id": format!("{blobs}/providers/Microsoft.Insights/diagnosticSettings/all"),
        "properties": {
            "workspaceId": format!("{GROUP}/providers/{WORKSPACE}"),
            "logs": [{ "category": "StorageRead", "enabled": true }],
        },
    }));
    tokio::time::sleep(Duration::from_mins(20)).await;
    let report = pipeline.pass(&watched(), &boundaries(), None, Intent::Explain).await;
    let text = report::explanation(&report, &["orders", "-n", "payments"]);
    let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let after = told.split_once("whom the called resources refused: ").expect("it is asked").1;
    let (count, after) = after.split_once(' ').unwrap();
    let named =
        format!("{count} × principal 5e57e300-0001-4000-8000-000000000001 at `storderuploads`, last 2026-03-02T");
    assert!(count != "0" && after.starts_with(&named), "{after}");
    let document = report::explanation_json(&report, &["orders"]);
    let refused = &sources(&document["evidence"])["refused-principals"]["refused"][0];
    assert_eq!(refused["principal"], "5e57e300-0001-4000-8000-000000000001");
}

/// The sources of the explanation for programs, by name.
fn sources(evidence: &Value) -> BTreeMap<&str, &Value> {
    let all = evidence["sources"].as_array().into_iter().flatten();
    all.filter_map(|one| one["source"].as_str().map(|name| (name, one))).collect()
}

/// The policy of an incident whose telemetry is named by the component that the app was given, and the component.
fn by_component(workspace: Option<&str>) -> (ArmSim, Pipeline, FunctionIdentityPolicy) {
    let (arm, pipeline, _) = incident();
    let component = format!("{GROUP}/providers/Microsoft.Insights/components/appi-orders");
    let kept = workspace.map_or_else(|| json!({}), |it| json!({ "WorkspaceResourceId": it }));
    arm.insert(json!({ "id": component, "properties": kept }));
    let mut policy = watched();
    policy.spec.resources.insert("law".to_owned(), component);
    (arm, pipeline, policy)
}

#[tokio::test(start_paused = true)]
async fn a_component_is_followed_to_its_workspace_and_no_further_than_the_boundary() {
    let (_, pipeline, _) = incident();
    let named = look(&pipeline, &watched()).await;
    let (_, pipeline, policy) = by_component(Some(&format!("{GROUP}/providers/{WORKSPACE}")));
    assert!(named.signals.len() > 1);
    let report = pipeline.pass(&policy, &boundaries(), None, Intent::Explain).await;
    let text = report::explanation(&report, &["orders", "-n", "payments"]);
    let PassResult::Evaluated(pass) = &report.finding else { panic!("the policy is evaluated") };
    assert_eq!(pass.evaluation.signals, named.signals);
    // The component's log view has its own names, and the host's log is in the workspace only.
    let query = text.split_once("in component `appi-orders`:").expect("it names where").1;
    assert!(query.contains("(dependencies") && query.contains("cloud_RoleName =~") && !query.contains("AppRoleName"));
    let document = report::explanation_json(&report, &["orders"]);
    let place = |source| sources(&document["evidence"])[source]["query"]["in"].clone();
    assert_eq!(place("invocations"), "component `appi-orders`");
    assert_eq!(place("host-traces"), "the workspace that component `appi-orders` writes to");

    let elsewhere = "/subscriptions/22222222-aaaa-4bbb-8ccc-000000000002/resourceGroups/managed/providers";
    let cases = [
        (Some(format!("{elsewhere}/Microsoft.OperationalInsights/workspaces/w")), "OutsideBoundary"),
        (None, "ClassicComponent"),
    ];
    for (workspace, code) in cases {
        let (arm, pipeline, policy) = by_component(workspace.as_deref());
        let evaluation = look(&pipeline, &policy).await;
        let failure = evaluation.evidence.as_ref().and_then(|it| it.unreadable()).expect("it is not read");
        assert_eq!(failure.code, code);
        assert!(failure.hint.is_some());
        assert!(arm.journal().iter().all(|request| !request.path.starts_with("/subscriptions/22222222")), "{code}");
        assert_eq!(asked(&arm), (0, 0), "{code}");
    }
}
