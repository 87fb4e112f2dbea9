//! Targets that are no Function App: what is read of them and when, what is written and how, and what is left alone.

use rolecall::{
    api::{ChangeKind, FunctionIdentityPolicy},
    clock::Clock,
    pipeline::{Intent, Pipeline},
    plan::{HoldReason, Outcome},
    report::{self, ExitCode, Pass, PassResult, Report, Situation},
    sandbox::{
        arm::{ArmRequest, ArmSim},
        scenario::{self, Scenario},
    },
};
use serde_json::{Value, json};

use crate::azure::{boundaries, pipeline};

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers";
const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/mi-orders";

struct Scene {
    arm: ArmSim,
    pipeline: Pipeline,
    policy: FunctionIdentityPolicy,
}

/// A scenario at its beginning, after something was changed in it.
fn scene(name: &str, edit: impl FnOnce(&ArmSim)) -> Scene {
    let named = |scenario: &Scenario| scenario.name == name;
    let Scenario { policy, world, .. } = scenario::all().into_iter().find(named).expect("a scenario of that name");
    let clock = Clock::starting_at(world.clock.expect("the example world has a clock"));
    let arm = ArmSim::new(world, clock);
    edit(&arm);
    Scene { pipeline: pipeline(&arm, clock), arm, policy }
}

impl Scene {
    async fn pass(&self, intent: Intent) -> Report {
        self.pipeline.pass(&self.policy, &boundaries(), None, intent).await
    }

    /// How often that was asked for.
    fn asked(&self, method: &str, path: &str) -> usize {
        let is_it = |request: &&ArmRequest| {
            request.method == method && request.path.to_lowercase().ends_with(&path.to_lowercase())
        };
        self.arm.journal().iter().filter(is_it).count()
    }
}

fn evaluated(report: &Report) -> &Pass {
    let PassResult::Evaluated(pass) = &report.finding else { panic!("{:?}", report.situation()) };
    pass
}

/// The one request that the plan makes of it.
fn planned(report: &Report) -> (String, &'static str, Value) {
    let [step] = &evaluated(report).plan.steps[..] else { panic!("one step") };
    (step.request.path.clone(), step.request.api_version, step.request.body.clone())
}

#[tokio::test(start_paused = true)]
async fn both_identities_are_written_in_the_words_of_the_type_and_with_its_version() {
    let written = |both: &str| json!({ "identity": { "type": both, "userAssignedIdentities": { format!("{GROUP}/{IDENTITY}"): {} } } });
    let report = scene("container-app-without-identity", |_| {}).pass(Intent::Look).await;
    let app = format!("{GROUP}/Microsoft.App/containerApps/ca-orders");
    assert_eq!(planned(&report), (app, "2026-07-01", written("SystemAssigned,UserAssigned")));
    let report = scene("machine-identity-detached", |_| {}).pass(Intent::Look).await;
    let machine = format!("{GROUP}/Microsoft.Compute/virtualMachines/vm-orders");
    assert_eq!(planned(&report), (machine, "2026-04-01", written("SystemAssigned, UserAssigned")));
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_listed_only_where_a_policy_is_about_one_and_once_for_all() {
    let (machines, apps) = ("/virtualMachines", "/containerApps");
    let functions = scene("healthy", |_| {});
    assert_eq!(functions.pass(Intent::Look).await.exit_code(), ExitCode::Compliant);
    assert_eq!((functions.asked("GET", machines), functions.asked("GET", apps)), (0, 0));
    let scene = scene("machine-identity-detached", |arm| {
        let machine = format!("{GROUP}/Microsoft.Compute/virtualMachines/vm-orders");
        let mut identities = serde_json::Map::new();
        identities.insert(format!("{GROUP}/{IDENTITY}"), json!({}));
        arm.edit(&machine, |machine| {
            machine["identity"]["type"] = "SystemAssigned, UserAssigned".into();
            machine["identity"]["userAssignedIdentities"] = identities.into();
        });
    });
    let both = tokio::join!(scene.pass(Intent::Look), scene.pass(Intent::Look));
    // Azure has not filled in its copy yet, and the identity itself has a principal.
    assert_eq!((both.0.exit_code(), both.1.exit_code()), (ExitCode::Compliant, ExitCode::Compliant));
    assert_eq!((scene.asked("GET", machines), scene.asked("GET", apps)), (1, 0));
    assert_eq!(scene.asked("GET", "/vm-orders"), 0, "the list shows all of it");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_into_a_change_that_goes_on() {
    for (name, path) in [
        ("container-app-without-identity", "Microsoft.App/containerApps/ca-orders"),
        ("machine-identity-detached", "Microsoft.Compute/virtualMachines/vm-orders"),
    ] {
        let scene = scene(name, |arm| {
            arm.edit(&format!("{GROUP}/{path}"), |target| {
                target["properties"]["provisioningState"] = "Updating".into();
            });
        });
        let report = scene.pass(Intent::Act).await;
        let [outcome] = &evaluated(&report).execution.outcomes[..] else { panic!("{name}: one step") };
        let Outcome::Failed(failure) = &outcome.outcome else { panic!("{name}: {:?}", outcome.outcome) };
        assert_eq!((failure.code.as_str(), outcome.sent), ("AnotherOperationInProgress", false), "{name}");
        assert!(matches!(report.situation(), Situation::Retrying(_)), "{name}: {:?}", report.situation());
        scene
            .arm
            .edit(&format!("{GROUP}/{path}"), |target| target["properties"]["provisioningState"] = "Failed".into());
        let report = scene.pass(Intent::Act).await;
        assert_eq!(report.situation(), Situation::Remediating, "{name}: a change that failed is over");
        assert_eq!(scene.asked("PATCH", path), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_of_a_machine_that_was_made_anew_is_told_and_left_alone() {
    let mut scene = scene("machine-identity-detached", |arm| {
        let entry = json!({ "principalId": "0ddba11e-0009-4000-8000-000000000009", "clientId": null });
        arm.edit(&format!("{GROUP}/Microsoft.Compute/virtualMachines/vm-orders"), |machine| {
            machine["identity"]["type"] = "SystemAssigned, UserAssigned".into();
            machine["identity"]["userAssignedIdentities"] = json!({ format!("{GROUP}/{IDENTITY}"): entry });
        });
    });
    scene.policy.spec.remediation.allow = vec![ChangeKind::AttachUserIdentity, ChangeKind::ReattachUserIdentity];
    let report = scene.pass(Intent::Act).await;
    let pass = evaluated(&report);
    assert_eq!(pass.evaluation.findings[0].code(), "stale-attachment");
    assert!(matches!(pass.plan.held[0].reason, HoldReason::NoSafeChange(_)), "{:?}", pass.plan.held);
    assert_eq!(scene.asked("PATCH", "vm-orders"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_web_app_is_a_target_like_a_function_app_and_has_no_host_to_restart() {
    let app = format!("{GROUP}/Microsoft.Web/sites/func-orders");
    let scene = scene("wrong-user-identity", |arm| arm.edit(&app, |app| app["kind"] = "app,linux".into()));
    let report = scene.pass(Intent::Act).await;
    assert_eq!(report.situation(), Situation::Remediating);
    assert!(report::text(&report, report.exit_code(), true).contains("az webapp identity assign"));
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    assert_eq!(scene.pass(Intent::Act).await.exit_code(), ExitCode::Compliant);
    assert_eq!(scene.asked("GET", "/host/default/properties/status"), 0);
}

#[tokio::test(start_paused = true)]
async fn explain_tells_how_to_try_what_only_the_inside_can() {
    for (name, folder) in
        [("container-app-without-identity", "container-app"), ("machine-identity-detached", "machine")]
    {
        let report = scene(name, |_| {}).pass(Intent::Explain).await;
        let told = report::explanation(&report, &["orders", "-n", "payments"]);
        insta::with_settings!({ snapshot_path => "snapshots/targets", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(folder, told);
        });
        assert_eq!(report::explanation_json(&report, &["orders"])["probes"].as_array().map(Vec::is_empty), Some(false));
    }
}
