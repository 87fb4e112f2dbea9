use super::*;
use crate::{
    api::{ChangeKind, FunctionIdentityPolicySpec, Mode},
    evaluate::fixtures::World,
    model::SystemAssigned,
    policy::{Policy, fixtures::policy},
    report::fixtures::looked,
};

/// As `explain` looks at a policy: what would help is planned whatever its mode is.
fn to_enforce(edit: impl Fn(&mut FunctionIdentityPolicySpec)) -> Policy {
    policy(|spec| {
        spec.mode = Mode::Enforce;
        edit(spec);
    })
}

fn allow(kinds: &[ChangeKind]) -> impl Fn(&mut FunctionIdentityPolicySpec) {
    move |spec| spec.remediation.allow = kinds.to_vec()
}

/// One section, each line without its indent.
fn section(policy: &Policy, world: &World, heading: &str) -> Vec<String> {
    let text = explanation(&looked(policy, world));
    let from = text.find(&format!("\n  {heading}\n")).unwrap_or_else(|| panic!("no `{heading}` in {text}"));
    let lines = text[from + 1..].lines().skip(1).take_while(|line| line.starts_with("    "));
    lines.map(|line| line.trim_start().to_owned()).collect()
}

fn next(policy: &Policy, world: &World) -> String {
    section(policy, world, "Next").join(" ")
}

fn without_system(policy: &Policy) -> World {
    let mut world = World::matching(policy);
    world.site().system = SystemAssigned::Off;
    world
}

#[test]
fn a_change_that_is_not_allowed_comes_with_its_command() {
    let (host, bus) = ("/providers/Microsoft.Storage/storageAccounts/sthost", "/namespaces/sb-orders/queues/incoming");
    let policy = to_enforce(allow(&[]));
    let told = next(&policy, &World::without_grants(&policy));
    for part in ["1. grant `", "2. grant `", "held: `remediation.allow` does not list `GrantRole`", host, bus] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert_eq!(told.matches("$ az role assignment create --name ").count(), 2, "{told}");
    let suspended = Policy { suspended: true, ..to_enforce(allow(&[ChangeKind::EnableSystemIdentity])) };
    let told = next(&suspended, &without_system(&suspended));
    assert!(
        told.contains("$ az functionapp identity assign ") && told.contains("held: the policy is suspended"),
        "{told}"
    );
}

#[test]
fn every_step_is_told_and_the_chain_is_followed() {
    // Of the two only the later one is allowed: the earlier comes first all the same.
    let policy = to_enforce(allow(&[ChangeKind::GrantRole]));
    let mut world = World::without_grants(&policy);
    world.site().attached.clear();
    let told = next(&policy, &world);
    assert!(told.starts_with("1. attach identity `mi-shared` to `func-orders`"), "{told}");
    assert!(told.contains("held: `remediation.allow` does not list `AttachUserIdentity`"), "{told}");
    assert!(told.contains(" 2. grant `") && told.contains(" 3. grant `") && !told.contains(" 4. "), "{told}");
    assert_eq!(told.matches("held: ").count(), 1, "what is allowed is not held: {told}");
}

#[test]
fn what_is_not_to_be_done_by_hand_either_has_no_command() {
    let powerful = |spec: &mut FunctionIdentityPolicySpec| {
        crate::policy::fixtures::declare(spec, "Owner", "host", "shared");
        spec.remediation.allow = vec![ChangeKind::GrantRole];
    };
    let policy = to_enforce(powerful);
    let told = next(&policy, &World::matching(&to_enforce(allow(&[ChangeKind::GrantRole]))));
    assert!(told.contains("leads to more rights and is never granted") && !told.contains("$ az"), "{told}");
}

#[test]
fn a_new_principal_has_its_roles_still_to_come() {
    let allowed = to_enforce(allow(&[ChangeKind::EnableSystemIdentity, ChangeKind::GrantRole]));
    for policy in [allowed, to_enforce(allow(&[]))] {
        let told = next(&policy, &without_system(&policy));
        assert!(told.starts_with("enable the system-assigned identity"), "{told}");
        assert!(told.contains("its principal is new: 1 role has to be granted to it afterwards, so explain"), "{told}");
    }
    let detached = to_enforce(allow(&[ChangeKind::AttachUserIdentity]));
    let mut world = World::matching(&detached);
    world.site().attached.clear();
    assert!(!next(&detached, &world).contains("is new"), "an identity of its own keeps its principal");
}
