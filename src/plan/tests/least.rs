//! What another grant of the same plan brings along is not granted on its own.

use super::*;
use crate::policy::fixtures::kv;

const READER: &str = "Storage Blob Data Reader";
const OFFICER: &str = "Key Vault Crypto Officer";
const USER: &str = "Key Vault Crypto User";

/// The planned roles and where, of a policy that lacks all that it declares.
fn granted(policy: &Policy, roles: &[&str]) -> (Vec<(String, Scope)>, Vec<String>) {
    let groups = [app().resource_group().unwrap(), kv().resource_group().unwrap()];
    let plan = planned(policy, &World::without_grants(policy), &boundary(Mode::Enforce, &groups, roles, &ALL));
    let grants = plan.steps.iter().map(|step| match &step.change {
        Change::Grant(grant) => (grant.role.name.clone(), grant.scope.clone()),
        other => panic!("{other:?}"),
    });
    let held = plan.held.iter().map(|held| format!("{} {}", held.subject, held.reason.word()));
    (grants.collect(), held.collect())
}

fn declaring(grants: &'static [(&str, &str, &str)]) -> Policy {
    enforcing(|spec| {
        (spec.bindings, spec.platform) = (Vec::new(), serde_json::from_value(serde_json::json!({})).unwrap());
        spec.resources.insert("uploads".to_owned(), uploads().to_string());
        for (role, resource, identity) in grants {
            declare(spec, role, resource, identity);
        }
    })
}

fn uploads() -> Scope {
    host_account().child("blobServices/default/containers/uploads")
}

fn wants(role: &str, scope: Scope) -> (String, Scope) {
    (role.to_owned(), scope)
}

#[test]
fn operations_of_a_vault_that_one_role_covers_take_one_role() {
    let policy = enforcing(|spec| {
        (spec.bindings, spec.platform) = (Vec::new(), serde_json::from_value(serde_json::json!({})).unwrap());
        let access = serde_json::json!({
            "resource": "kv", "mode": "RBAC", "identity": "shared", "access": { "keys": ["get", "sign", "create"] },
        });
        spec.vaults.push(serde_json::from_value(access).expect("a vault"));
    });
    let world = World::without_grants(&policy);
    let missing = world.evaluate(&policy).findings.len();
    assert!(missing > 1, "each operation is told on its own");
    let all = [OFFICER, USER, "Key Vault Crypto Service Encryption User", "Key Vault Reader"];
    assert_eq!(granted(&policy, &all).0, [wants(OFFICER, kv())]);
    // What is held brings nothing along: the narrower ones that may be granted are.
    let (narrower, held) = granted(&policy, &all[1..]);
    assert!(narrower.contains(&wants(USER, kv())), "{narrower:?}");
    assert_eq!(held, ["vaults/kv OutsideBoundary"]);
}

#[test]
fn a_narrower_role_beside_a_wider_one_is_not_granted_and_the_wider_one_says_so() {
    let both = [READER, CONTRIBUTOR];
    for policy in [
        declaring(&[(READER, "uploads", "shared"), (CONTRIBUTOR, "uploads", "shared")]),
        declaring(&[(CONTRIBUTOR, "uploads", "shared"), (READER, "uploads", "shared")]),
    ] {
        assert_eq!(granted(&policy, &both).0, [wants(CONTRIBUTOR, uploads())]);
        let group = app().resource_group().unwrap();
        let plan = planned(&policy, &World::without_grants(&policy), &boundary(Mode::Enforce, &[group], &both, &ALL));
        let Change::Grant(grant) = &plan.steps[0].change else { panic!("{plan:?}") };
        assert_eq!(grant.origins.len(), 2, "{:?}", grant.origins);
        assert_eq!(granted(&policy, &[READER]).0, [wants(READER, uploads())], "the wider one is held");
    }
}

#[test]
fn only_a_grant_there_or_above_to_the_same_identity_brings_another_along() {
    let both = [READER, CONTRIBUTOR];
    let above = declaring(&[(READER, "uploads", "shared"), (CONTRIBUTOR, "host", "shared")]);
    assert_eq!(granted(&above, &both).0, [wants(CONTRIBUTOR, host_account())]);
    let below = declaring(&[(READER, "host", "shared"), (CONTRIBUTOR, "uploads", "shared")]);
    assert_eq!(granted(&below, &both).0.len(), 2);
    let another = declaring(&[(READER, "uploads", "shared"), (CONTRIBUTOR, "uploads", "system")]);
    assert_eq!(granted(&another, &both).0.len(), 2);
}

#[test]
fn of_two_roles_that_allow_the_same_one_is_granted_whatever_they_are_called() {
    let policy = declaring(&[("Twin A", "uploads", "shared"), ("Twin B", "uploads", "shared")]);
    let mut world = World::without_grants(&policy);
    let entry = || data(&["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"], &[]);
    let ids = ["c0570111-0000-4000-8000-00000000000a", "c0570111-0000-4000-8000-00000000000b"];
    let roles = [world.define(ids[0], "Twin A", vec![entry()]), world.define(ids[1], "Twin B", vec![entry()])];
    let verdict = Authority::Caller.verdict(&policy);
    let circumstances = Circumstances::default();
    let of = |world: &World| {
        let plan = plan(&policy, &verdict, &world.evaluate(&policy), &circumstances, lookup(&world.observed));
        let roles = plan.steps.iter().map(|step| match &step.change {
            Change::Grant(grant) => grant.role.id,
            other => panic!("{other:?}"),
        });
        roles.collect::<Vec<_>>()
    };
    assert_eq!(of(&world), [roles[0]]);
    // Less by one action is less.
    let narrower = data(
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete"],
    );
    world.define(ids[0], "Twin A", vec![narrower]);
    assert_eq!(of(&world), [roles[1]]);
}
