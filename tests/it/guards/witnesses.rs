//! Azure leaves out of its lists what the caller may not read. Without the right to read what decides access, nothing is
//! called missing and nothing is written.

use rolecall::{
    api::Mode,
    model::FailureClass,
    report::{ExitCode, Situation},
    sandbox::arm::Permission,
};

use super::bench::Bench;
use super::documents::{ACTING, APPLIED, GROUP, NOTHING, missing, put, rights, rights_at};

const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments/read";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions/read";
const DENIALS: &str = "Microsoft.Authorization/denyAssignments/read";
/// Everything else that a pass needs, writes included.
const REST: [&str; 5] = [
    "Microsoft.Web/sites/*",
    "Microsoft.ManagedIdentity/userAssignedIdentities/*",
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.Authorization/permissions/read",
    "Microsoft.Authorization/roleAssignments/write",
];

fn with(more: &[&str]) -> Vec<Permission> {
    vec![rights(&[&REST[..], more].concat(), &[])]
}

fn taken(not_actions: &[&str]) -> Vec<Permission> {
    vec![rights(&["*/read", "Microsoft.Authorization/roleAssignments/write"], not_actions)]
}

async fn assert_undetermined(permissions: Vec<Permission>, lacked: &str) {
    for mode in ACTING {
        let bench = Bench::new(mode);
        bench.arm.set_caller_permissions(Some(permissions.clone()));
        let seen = bench.act().await;
        assert_eq!(bench.writes(), NOTHING, "{permissions:?}");
        assert!(!seen.codes().contains(&"role-missing"), "{permissions:?}: {:?}", seen.codes());
        assert_eq!(seen.exit, ExitCode::Undetermined, "{permissions:?}");
        let Situation::Undetermined(Some(failure)) = &seen.situation else { panic!("{:?}", seen.situation) };
        assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Denied, "Unwitnessed"), "{permissions:?}");
        let said = format!("we lack `{lacked}` at {GROUP}, so grants may be missing from what Azure lists");
        assert_eq!(failure.text.to_lowercase(), said.to_lowercase(), "{permissions:?}");
    }
}

async fn assert_granted(permissions: Vec<Permission>) {
    let bench = Bench::new(Mode::Enforce);
    bench.arm.set_caller_permissions(Some(permissions.clone()));
    assert_eq!(bench.act().await.outcomes(), [APPLIED], "{permissions:?}");
    assert_eq!(bench.writes(), [put(&missing())]);
}

/// A right to read the assignments of one resource: the list is not empty, and still not whole.
fn one_resource() -> Permission {
    let bus = format!("{GROUP}/providers/Microsoft.ServiceBus/namespaces/sb-orders");
    rights_at(&bus, &[ASSIGNMENTS], &[])
}

#[tokio::test(start_paused = true)]
async fn with_the_three_rights_there_is_a_verdict() {
    assert_granted(with(&[ASSIGNMENTS, DEFINITIONS, DENIALS])).await;
    assert_granted(taken(&[])).await;
    assert_granted(taken(&["Microsoft.Storage/*"])).await;
}

#[tokio::test(start_paused = true)]
async fn the_rights_may_come_from_several_roles() {
    let [one, two] = [taken(&[ASSIGNMENTS]), with(&[ASSIGNMENTS])];
    assert_granted([one, two].concat()).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_role_assignments_nothing_is_known() {
    let mut permissions = with(&[DEFINITIONS, DENIALS]);
    permissions.push(one_resource());
    assert_undetermined(permissions, ASSIGNMENTS).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_role_definitions_nothing_is_known() {
    assert_undetermined(with(&[ASSIGNMENTS, DENIALS]), DEFINITIONS).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_deny_assignments_nothing_is_known() {
    assert_undetermined(with(&[ASSIGNMENTS, DEFINITIONS]), DENIALS).await;
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_taken_away_again_is_none() {
    for lacked in [ASSIGNMENTS, DEFINITIONS, DENIALS] {
        let mut permissions = taken(&[lacked]);
        permissions.push(one_resource());
        assert_undetermined(permissions, lacked).await;
    }
    for wide in ["Microsoft.Authorization/deny*/read", "*/DENYASSIGNMENTS/*"] {
        assert_undetermined(taken(&[wide]), DENIALS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_at_another_resource_group_is_no_witness() {
    let mut permissions = with(&[ASSIGNMENTS, DEFINITIONS]);
    permissions.push(rights_at(&format!("{GROUP}-other"), &[DENIALS], &[]));
    assert_undetermined(permissions, DENIALS).await;
}
