//! What follows a repair or takes something away for a moment, and when it does not.

use super::*;
use crate::{
    evaluate::fixtures::minutes_ago,
    model::{HostSeen, SystemAssigned, VaultReference},
    policy::fixtures::bare,
};

const WIDER: [ChangeKind; 6] = [
    ChangeKind::EnableSystemIdentity,
    ChangeKind::AttachUserIdentity,
    ChangeKind::GrantRole,
    ChangeKind::ReattachUserIdentity,
    ChangeKind::RestartHost,
    ChangeKind::RefreshReferences,
];

fn allowing(changes: &[ChangeKind]) -> Policy {
    policy(|spec| {
        spec.mode = Mode::Enforce;
        spec.remediation.allow = changes.to_vec();
    })
}

fn within(changes: &[ChangeKind]) -> Authority {
    boundary(Mode::Enforce, &[app().resource_group().unwrap()], &[RECEIVER, CONTRIBUTOR], changes)
}

fn planned_under(policy: &Policy, world: &World, authority: &Authority, circumstances: &Circumstances) -> Plan {
    plan(policy, &authority.verdict(policy), &world.evaluate(policy), circumstances, lookup(&world.observed))
}

fn stale(policy: &Policy) -> World {
    let mut world = World::matching(policy);
    world.site().attached.get_mut(&shared()).unwrap().principal = Some(principal(FORMER));
    world
}

/// Its identity was written a while ago, and the host began before.
fn with_an_old_host(policy: &Policy) -> World {
    let mut world = World::matching(policy);
    let started = Reading::Present { value: minutes_ago(500), at: now() };
    world.observed.host = Some(HostSeen { identity_written: minutes_ago(5), started });
    world
}

#[test]
fn enabling_the_system_identity_is_held_where_it_would_only_change_the_default() {
    let unused = |spec: &mut FunctionIdentityPolicySpec| {
        spec.mode = Mode::Enforce;
        spec.remediation.allow = WIDER.to_vec();
        spec.identities.system = crate::api::SystemIdentity::Required;
        spec.platform.host_storage = None;
    };
    let policy = policy(unused);
    let mut world = World::matching(&policy);
    world.site().system = SystemAssigned::Off;
    let plan = planned(&policy, &world, &within(&WIDER));
    assert_eq!((holds(&plan), plan.steps.len()), (vec![("identities/system", "DefaultIdentityWouldChange")], 0));

    world.site().attached.clear();
    let plan = planned(&policy, &world, &within(&WIDER));
    assert_eq!(subjects(&plan), ["identities/system, identities/mi-shared"], "nobody is the default yet");

    // Host storage is reached by it: then it is meant.
    let policy = allowing(&WIDER);
    let mut world = World::matching(&policy);
    world.site().system = SystemAssigned::Off;
    assert_eq!(subjects(&planned(&policy, &world, &within(&WIDER))), ["identities/system"]);
}

#[test]
fn a_stale_attachment_is_put_back_only_where_both_halves_are_allowed() {
    let cases: [(&[ChangeKind], &[ChangeKind], &str); 4] = [
        (&[ChangeKind::AttachUserIdentity], &WIDER, "NotAllowed"),
        (&[ChangeKind::ReattachUserIdentity], &WIDER, "NotAllowed"),
        (&WIDER, &[ChangeKind::AttachUserIdentity], "OutsideBoundary"),
        (&WIDER, &[ChangeKind::ReattachUserIdentity], "OutsideBoundary"),
    ];
    for (allowed, inside, reason) in cases {
        let policy = allowing(allowed);
        let plan = planned(&policy, &stale(&policy), &within(inside));
        assert_eq!(
            (holds(&plan), plan.steps.len()),
            (vec![("identities/mi-shared", reason)], 0),
            "{allowed:?} {inside:?}"
        );
    }
    let policy = allowing(&WIDER);
    let plan = planned(&policy, &stale(&policy), &within(&WIDER));
    let [step] = plan.steps.as_slice() else { panic!("one step: {plan:?}") };
    let block = |request: &Request| request.body["identity"].clone();
    assert_eq!(block(&step.request), serde_json::json!({ "type": "SystemAssigned" }));
    let again = serde_json::json!({ "type": "SystemAssigned, UserAssigned", "userAssignedIdentities": { shared().as_str(): {} } });
    assert_eq!(step.then.as_ref().map(block), Some(again));
}

#[test]
fn detaching_names_all_others_and_takes_only_the_one() {
    let policy = policy(|spec| {
        spec.mode = Mode::Enforce;
        spec.remediation.allow = WIDER.to_vec();
        user(spec, "spare", "second");
    });
    let mut world = stale(&policy);
    world.site().system = SystemAssigned::On(principal(SYSTEM));
    let spare = own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-spare");
    let plan = planned(&policy, &world, &within(&WIDER));
    let detach = &plan.steps[0].request.body["identity"];
    assert_eq!(detach["userAssignedIdentities"], serde_json::json!({ shared().as_str(): null, spare.as_str(): {} }));
}

#[test]
fn one_write_of_the_identity_block_at_a_time() {
    let policy = policy(|spec| {
        spec.mode = Mode::Enforce;
        spec.remediation.allow = WIDER.to_vec();
        user(spec, "spare", "second");
    });
    let mut world = stale(&policy);
    let spare = own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-spare");
    world.site().attached.get_mut(&spare).unwrap().principal = Some(principal(FORMER));
    let plan = planned(&policy, &world, &within(&WIDER));
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(holds(&plan), [("identities/mi-spare", "AnotherIdentityWrite")]);
}

#[test]
fn an_old_host_is_restarted_once_and_only_for_a_write_of_our_own() {
    let policy = allowing(&WIDER);
    let world = with_an_old_host(&policy);
    let ours = Circumstances { wrote_identity: true, ..Circumstances::default() };
    let plan = planned_under(&policy, &world, &within(&WIDER), &ours);
    assert_eq!(plan.steps[0].request.path, format!("{}/restart", app()));
    let cases = [
        (Circumstances { restarted: true, ..ours.clone() }, "AlreadyRestarted"),
        (Circumstances { wrote_identity: false, ..ours }, "NotOurWrite"),
    ];
    for (circumstances, reason) in cases {
        let plan = planned_under(&policy, &world, &within(&WIDER), &circumstances);
        assert_eq!((holds(&plan), plan.steps.len()), (vec![("target", reason)], 0));
    }
}

#[test]
fn a_grant_alone_restarts_nothing() {
    let policy = allowing(&WIDER);
    let mut world = World::without_grants(&policy);
    let new = Reading::Present { value: minutes_ago(4), at: now() };
    world.observed.host = Some(HostSeen { identity_written: minutes_ago(5), started: new });
    let ours = Circumstances { wrote_identity: true, ..Circumstances::default() };
    let plan = planned_under(&policy, &world, &within(&WIDER), &ours);
    assert!(
        !plan.steps.is_empty() && plan.steps.iter().all(|step| matches!(step.change, Change::Grant(_))),
        "{plan:?}"
    );
}

#[test]
fn references_are_refreshed_once_after_the_grant_acts() {
    let mut object = bare();
    object.spec.mode = Mode::Enforce;
    object.spec.remediation.allow = WIDER.to_vec();
    object.spec.vaults = serde_json::from_value(serde_json::json!([
        { "resource": "kv", "mode": "RBAC", "identity": "shared", "access": { "secrets": ["get"] } },
    ]))
    .unwrap();
    let policy = Policy::parse(&object).unwrap();
    let vault = policy.vaults[0].vault.clone();
    let mut world = World::without_grants(&policy);
    world.grant(SHARED, "Key Vault Secrets User", &vault).changed = Some(minutes_ago(60));
    world.site().reference_identity = Some(shared());
    assert!(world.evaluate(&policy).ask_references, "the grant took effect lately");

    let denied = |is_denied| {
        let status = if is_denied { "AccessToKeyVaultDenied" } else { "Resolved" }.to_owned();
        let value = vec![VaultReference { setting: "ApiKey".to_owned(), vault: "KV-orders".to_owned(), status }];
        Some(Reading::Present { value, at: now() })
    };
    let authority = boundary(
        Mode::Enforce,
        &[app().resource_group().unwrap(), vault.resource_group().unwrap()],
        &[RECEIVER],
        &WIDER,
    );
    let plan = |world: &World, refreshed: Option<jiff::Timestamp>| {
        let circumstances = Circumstances { references_refreshed: refreshed, ..Circumstances::default() };
        planned_under(&policy, world, &authority, &circumstances)
    };
    world.observed.references = denied(true);
    assert_eq!(plan(&world, None).steps.len(), 1);
    assert_eq!(plan(&world, Some(minutes_ago(55))).steps.len(), 1, "before the grant acted, at ten minutes of age");
    assert_eq!(holds(&plan(&world, Some(minutes_ago(45)))), [("vaults/kv", "AlreadyRefreshed")]);
    world.observed.references = denied(false);
    assert!(plan(&world, None).steps.is_empty());

    // Resolved by another identity than the one that was granted: a refresh would not help.
    world.observed.references = denied(true);
    world.site().reference_identity = None;
    assert!(plan(&world, None).steps.is_empty());
    world.site().reference_identity = Some(shared());
    world.each_list(|access| access.grants.iter_mut().for_each(|grant| grant.changed = Some(minutes_ago(60 * 30))));
    assert!(!world.evaluate(&policy).ask_references, "App Service has resolved them again by itself");
}
