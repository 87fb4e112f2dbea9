//! The survey: read once for everyone, again when it is old or older than our last write, never trusted when it failed.

use std::time::Duration;

use rolecall::{
    api::Mode,
    pipeline::Intent,
    report::{ExitCode, Situation},
    sandbox::arm::{ArmSim, Fault},
};

use crate::azure::{boundaries, example, pipeline, policy};

/// How often the role assignments of the whole subscription were listed.
fn surveys(arm: &ArmSim) -> usize {
    let list = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/providers/Microsoft.Authorization/roleAssignments";
    arm.journal().iter().filter(|request| request.path.eq_ignore_ascii_case(list)).count()
}

fn writes(arm: &ArmSim) -> usize {
    arm.journal().iter().filter(|request| request.mutating).count()
}

#[tokio::test(start_paused = true)]
async fn fifty_policies_at_once_share_one_survey() {
    let (arm, clock) = example();
    let pipeline = pipeline(&arm, clock);
    let authority = boundaries();
    let policies: Vec<_> = (0..50)
        .map(|number| {
            let mut policy = policy();
            policy.metadata.name = Some(format!("orders-{number}"));
            policy
        })
        .collect();
    let passes = policies.iter().map(|policy| pipeline.pass(policy, &authority, None, Intent::Look));
    let reports = futures::future::join_all(passes).await;
    assert!(reports.iter().all(|report| report.exit_code() == ExitCode::Drift));
    assert_eq!(surveys(&arm), 1);
    // Six lists, one of them on two pages, our own permissions at one resource group, the storage accounts and the activity log
    // because a role is missing at one, the app's references, the firewalls of three types and the rules of one namespace, for
    // all fifty.
    assert_eq!(arm.journal().len(), 15);
}

#[tokio::test(start_paused = true)]
async fn an_old_survey_is_read_again() {
    let (arm, clock) = example();
    let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), policy());
    for (after, expected) in [(0, 1), (59, 1), (2, 2)] {
        tokio::time::sleep(Duration::from_secs(after)).await;
        pipeline.pass(&policy, &authority, None, Intent::Look).await;
        assert_eq!(surveys(&arm), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_survey_older_than_our_write_does_not_count() {
    let (arm, clock) = example();
    let (pipeline, authority, mut policy) = (pipeline(&arm, clock), boundaries(), policy());
    policy.spec.mode = Mode::Enforce;
    let first = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    assert_eq!((first.situation(), writes(&arm)), (Situation::Remediating, 1));
    // At once, well within the survey's age.
    let second = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    assert!(matches!(second.situation(), Situation::Propagating(_)), "{:?}", second.situation());
    assert_eq!((surveys(&arm), writes(&arm)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_survey_is_read_again_by_the_next_try() {
    let (arm, clock) = example();
    let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), policy());
    let fault = r#"{"method": "GET", "path": "/roleAssignments", "times": 3, "answer": {"status": 500}}"#;
    arm.add_fault(serde_json::from_str::<Fault>(fault).expect("a fault is JSON"));
    let first = pipeline.pass(&policy, &authority, None, Intent::Look).await;
    assert!(matches!(first.situation(), Situation::Retrying(_)), "{:?}", first.situation());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let second = pipeline.pass(&policy, &authority, None, Intent::Look).await;
    assert_eq!(second.exit_code(), ExitCode::Drift);
}

/// Rights at the resource group alone: Azure leaves out what is inherited, without a word.
#[tokio::test(start_paused = true)]
async fn a_reader_of_the_group_alone_concludes_nothing() {
    let text = crate::azure::file("world.yaml").replace(
        "resources:\n",
        "callerPermissions:\n  - scope: /subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod\n    actions: [\"*/read\"]\nresources:\n",
    );
    let world = rolecall::sandbox::arm::World::from_yaml(&text).expect("the world is valid");
    let clock = rolecall::clock::Clock::starting_at(world.clock.expect("it has a clock"));
    let arm = ArmSim::new(world, clock);
    let (pipeline, authority, mut policy) = (pipeline(&arm, clock), boundaries(), policy());
    policy.spec.mode = Mode::Enforce;
    let report = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    assert_eq!((report.exit_code(), writes(&arm)), (ExitCode::Undetermined, 0), "{:?}", report.situation());
}

#[tokio::test(start_paused = true)]
async fn fifty_policies_share_a_survey_that_hangs() {
    let (arm, clock) = example();
    let pipeline = pipeline(&arm, clock);
    let authority = boundaries();
    let fault = r#"{"method": "GET", "path": "/roleAssignments", "times": 1000, "answer": "hang"}"#;
    arm.add_fault(serde_json::from_str::<Fault>(fault).expect("a fault is JSON"));
    let (policies, begun) = (vec![policy(); 50], clock.now());
    let passes = policies.iter().map(|policy| pipeline.pass(policy, &authority, None, Intent::Look));
    let reports = futures::future::join_all(passes).await;
    assert!(reports.iter().all(|report| report.exit_code() == ExitCode::Undetermined));
    let took = clock.now().duration_since(begun);
    assert!(took.as_secs() < 130, "fifty policies waited one after the other: {took}");
}

#[tokio::test(start_paused = true)]
async fn a_custom_role_of_a_resource_group_is_looked_up_before_it_is_judged() {
    const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
    const ROLE: &str = "c0570000-0042-4000-8000-000000000042";
    let (arm, clock) = example();
    // Not in the subscription's list of definitions: it can be assigned in the group only.
    arm.insert(serde_json::json!({
        "id": format!("{GROUP}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"),
        "name": ROLE,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": "Invoice Worker", "type": "CustomRole", "assignableScopes": [GROUP],
            "permissions": [{
                "actions": ["Microsoft.Storage/storageAccounts/blobServices/containers/*"], "notActions": [],
                "dataActions": ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"], "notDataActions": []
            }]
        }
    }));
    let assignment = "a5516e00-0042-4000-8000-000000000000";
    arm.insert(serde_json::json!({
        "id": format!("{GROUP}/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        "name": assignment,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("{GROUP}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"),
            "principalId": "5e57e300-0001-4000-8000-000000000001", "principalType": "ServicePrincipal", "scope": GROUP,
            "createdOn": "2025-11-03T08:15:42Z", "updatedOn": "2025-11-03T08:15:42Z"
        }
    }));
    let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), policy());
    let report = pipeline.pass(&policy, &authority, None, Intent::Look).await;
    assert_eq!(report.exit_code(), ExitCode::Compliant, "{:?}", report.situation());
}

/// A list of an old api-version, and a nested group: the answer about one principal counts whatever it says of kinds.
#[tokio::test(start_paused = true)]
async fn a_grant_without_a_principal_type_counts_if_azure_says_that_it_reaches_the_identity() {
    const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
    const READERS: &str = "9f0e7000-0043-4000-8000-000000000043";
    for (members, expected) in
        [("5e57e300-0001-4000-8000-000000000001", ExitCode::Compliant), (READERS, ExitCode::Drift)]
    {
        let text = crate::azure::file("world.yaml");
        let mut world = rolecall::sandbox::arm::World::from_yaml(&text).expect("the world is valid");
        world.groups.insert(READERS.to_owned(), vec![members.to_owned()]);
        let clock = rolecall::clock::Clock::starting_at(world.clock.expect("it has a clock"));
        let arm = ArmSim::new(world, clock);
        let owner = "/providers/Microsoft.Authorization/roleDefinitions/b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
        arm.insert(serde_json::json!({
            "id": format!("{GROUP}/providers/Microsoft.Authorization/roleAssignments/a5516e00-0043-4000-8000-000000000000"),
            "name": "a5516e00-0043-4000-8000-000000000000",
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {
                "roleDefinitionId": owner, "principalId": READERS, "scope": GROUP,
                "createdOn": "2025-11-03T08:15:42Z", "updatedOn": "2025-11-03T08:15:42Z"
            }
        }));
        let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), policy());
        let report = pipeline.pass(&policy, &authority, None, Intent::Look).await;
        assert_eq!(report.exit_code(), expected, "{:?}", report.situation());
        let asked = arm.journal().iter().filter(|request| request.query.contains("assignedTo")).count();
        assert_eq!(asked, 1, "and nothing is asked twice");
    }
}

#[tokio::test(start_paused = true)]
async fn who_else_speaks_of_an_app_is_not_told_outside_of_the_boundary() {
    let (arm, clock) = example();
    let (pipeline, authority, mut policy) = (pipeline(&arm, clock), boundaries(), policy());
    policy.metadata.namespace = Some("another-team".to_owned());
    let report = pipeline.pass(&policy, &authority, Some("payments/orders".to_owned()), Intent::Act).await;
    assert_eq!(report.situation(), Situation::OutsideBoundary);
}

#[tokio::test(start_paused = true)]
async fn a_policy_outside_its_boundary_asks_azure_nothing() {
    let (arm, clock) = example();
    let (pipeline, authority, mut policy) = (pipeline(&arm, clock), boundaries(), policy());
    policy.metadata.namespace = Some("another-team".to_owned());
    let report = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    assert_eq!(report.situation(), Situation::OutsideBoundary);
    assert_eq!(arm.journal(), []);
}

#[tokio::test(start_paused = true)]
async fn an_identity_write_that_azure_does_not_show_yet_is_not_repeated() {
    const APP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/Microsoft.Web/sites/func-orders";
    let (arm, clock) = example();
    let (pipeline, authority, mut policy) = (pipeline(&arm, clock), boundaries(), policy());
    policy.spec.mode = Mode::Enforce;
    policy.spec.remediation.allow.retain(|change| *change == rolecall::api::ChangeKind::EnableSystemIdentity);
    let disable = |document: &mut serde_json::Value| {
        document["identity"]["type"] = "UserAssigned".into();
        let identity = document["identity"].as_object_mut().expect("the app has identities");
        identity.retain(|key, _| key == "type" || key == "userAssignedIdentities");
    };
    arm.edit(APP, disable);
    for (after, expected) in [(0, 1), (5, 1), (60, 1), (60, 2)] {
        tokio::time::sleep(Duration::from_secs(after)).await;
        pipeline.pass(&policy, &authority, None, Intent::Act).await;
        assert_eq!(writes(&arm), expected);
        // Azure goes on showing the old block.
        arm.edit(APP, disable);
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_a_list_leaves_out_is_looked_at_before_it_is_called_missing() {
    let (arm, clock) = example();
    let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), policy());
    let fault = r#"{"method": "GET", "path": "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/providers/Microsoft.Web/sites",
        "times": 1, "answer": {"status": 200, "body": {"value": [{"id": "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/Microsoft.Web/sites/func-orders"}]}}}"#;
    arm.add_fault(serde_json::from_str::<Fault>(fault).expect("a fault is JSON"));
    let report = pipeline.pass(&policy, &authority, None, Intent::Look).await;
    let status = rolecall::report::status(None, &report, None, clock.now());
    let codes: Vec<_> = status.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["role-missing"], "nothing is said of identities");
    assert!(
        arm.journal().iter().any(|request| request.path.ends_with("/sites/func-orders")),
        "the app was not looked at"
    );
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_sent_exactly_as_the_plan_shows_it() {
    let (arm, clock) = example();
    let (pipeline, authority, mut policy) = (pipeline(&arm, clock), boundaries(), policy());
    policy.spec.mode = Mode::DryRun;
    let shown = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    let shown = rolecall::report::status(None, &shown, None, clock.now()).plan.expect("there is a plan").steps;
    assert_eq!(writes(&arm), 0);
    policy.spec.mode = Mode::Enforce;
    pipeline.pass(&policy, &authority, None, Intent::Act).await;
    let sent: Vec<_> = arm.journal().into_iter().filter(|request| request.mutating).collect();
    assert_eq!(sent.len(), shown.len());
    for (sent, shown) in sent.iter().zip(&shown) {
        assert_eq!(format!("{} {}?{}", sent.method, sent.path, sent.query), shown.request);
        assert_eq!(sent.body, serde_json::from_str::<serde_json::Value>(&shown.body).expect("a body is JSON"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_for_one_app_leaves_the_survey_to_the_policies_of_others() {
    let (arm, clock) = example();
    let (pipeline, authority, mut policy) = (pipeline(&arm, clock), boundaries(), policy());
    policy.spec.mode = Mode::Enforce;
    pipeline.pass(&policy, &authority, None, Intent::Act).await;
    assert_eq!((surveys(&arm), writes(&arm)), (1, 1));
    // Another app of the subscription, which is not there: its policy looks for itself alone.
    let mut other = policy.clone();
    other.spec.resources.insert("app".to_owned(), "Microsoft.Web/sites/func-returns".to_owned());
    pipeline.pass(&other, &authority, None, Intent::Act).await;
    assert_eq!(surveys(&arm), 1);
    pipeline.pass(&policy, &authority, None, Intent::Act).await;
    assert_eq!(surveys(&arm), 2, "who wrote sees what it wrote");
}
