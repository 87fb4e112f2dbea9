//! Whether a declared resource exists: a list that all policies share, and a look at the one that it does not have.

use std::collections::BTreeMap;

use rolecall::{
    api::{IdentityBoundary, Mode},
    evaluate::Finding,
    pipeline::Intent,
    policy::{Authority, Boundary},
    report::{PassResult, Report},
    sandbox::arm::{ArmSim, Fault},
};

use crate::azure::{boundaries, example, file, pipeline, policy};

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";

/// One pass in `Enforce` over the example, whose storage account is called `account` in the policy.
async fn pass(account: &str, faults: &[&str]) -> (Report, ArmSim) {
    let (arm, clock) = example();
    for fault in faults {
        arm.add_fault(serde_json::from_str::<Fault>(fault).expect("a fault is JSON"));
    }
    let mut policy = policy();
    policy.spec.mode = Mode::Enforce;
    let known =
        policy.spec.resources.insert("uploads".to_owned(), format!("Microsoft.Storage/storageAccounts/{account}"));
    assert!(known.is_some(), "the example has that name");
    let report = pipeline(&arm, clock).pass(&policy, &boundaries(), None, Intent::Act).await;
    (report, arm)
}

fn codes(report: &Report) -> Vec<&'static str> {
    let PassResult::Evaluated(pass) = &report.finding else { panic!("{:?}", report.situation()) };
    pass.evaluation.findings.iter().map(Finding::code).collect()
}

/// What was read to find out, each with its number.
fn looks(arm: &ArmSim, account: &str) -> (usize, usize) {
    let account = format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/{account}");
    let journal = arm.journal();
    let count = |path: &str| journal.iter().filter(|one| one.method == "GET" && one.path.ends_with(path)).count();
    (count("/resources"), count(&account))
}

#[tokio::test(start_paused = true)]
async fn one_that_is_listed_is_not_looked_at_by_itself() {
    let (report, arm) = pass("storderuploads", &[]).await;
    assert!(codes(&report).contains(&"role-missing"), "{:?}", codes(&report));
    assert_eq!(looks(&arm, "storderuploads"), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_there_is_said_and_nothing_is_granted_at_it() {
    let (report, arm) = pass("storderupload", &[]).await;
    // The grants at the account that was meant are nobody's need any more.
    assert_eq!(codes(&report), ["resource-not-found", "extra-grant"]);
    assert_eq!(looks(&arm, "storderupload"), (1, 1));
    assert!(arm.journal().iter().all(|request| !request.mutating));
}

/// The boundary reaches into the account, to its containers, and not the account itself.
#[tokio::test(start_paused = true)]
async fn one_outside_of_the_boundary_is_not_asked_about() {
    let (arm, clock) = example();
    let group = file("boundary.yaml");
    let inside = |path: &str| group.replace("rg-functions-prod", &format!("rg-functions-prod/providers/{path}"));
    let boundaries = [
        "Microsoft.Web/sites/func-orders",
        "Microsoft.ManagedIdentity/userAssignedIdentities/mi-orders",
        "Microsoft.Storage/storageAccounts/storderuploads/blobServices/default/containers/invoices",
    ];
    let parsed = boundaries.map(|path| serde_saphyr::from_str(&inside(path)).expect("a boundary"));
    let boundaries = parsed.iter().map(|boundary: &IdentityBoundary| Boundary::from(boundary)).collect();
    let authority = Authority::Boundaries { boundaries, namespaces: BTreeMap::new() };
    let mut policy = policy();
    policy.spec.platform.host_storage = None;
    policy.spec.vaults.clear();
    policy.spec.bindings.retain(|binding| binding.name == "uploads");
    policy.spec.bindings[0].type_ = "blob".to_owned();
    policy.spec.bindings[0].direction = "in".to_owned();
    let report = pipeline(&arm, clock).pass(&policy, &authority, None, Intent::Look).await;
    assert!(codes(&report).contains(&"role-missing"), "{:?}", report.situation());
    assert_eq!(looks(&arm, "storderuploads"), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_leaves_it_out_or_fails_proves_nothing() {
    let none =
        r#"{"method": "GET", "path": "/resources", "times": 1, "answer": {"status": 200, "body": {"value": []}}}"#;
    let failed = r#"{"method": "GET", "path": "/resources", "times": 9, "answer": {"status": 500}}"#;
    for list in [none, failed] {
        let (report, arm) = pass("storderuploads", &[list]).await;
        assert!(codes(&report).contains(&"role-missing"), "{:?}", codes(&report));
        assert_eq!(looks(&arm, "storderuploads").1, 1, "{list}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_may_not_be_looked_at_is_not_gone() {
    let refused =
        r#"{"method": "GET", "path": "/storageAccounts/storderupload", "times": 9, "answer": {"status": 403}}"#;
    let (report, _) = pass("storderupload", &[refused]).await;
    assert!(!codes(&report).contains(&"resource-not-found"), "{:?}", codes(&report));
}
