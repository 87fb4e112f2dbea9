//! H4: a vault that decides by access policies.

use std::collections::BTreeSet;

use super::{codes, verdict};
use crate::{
    evaluate::{
        Evaluation, Finding, Hypothesis, Standing, Verdict,
        fixtures::{GROUP, SHARED, STRANGER, SYSTEM, World, failure, minutes_ago, now, present, principal},
    },
    model::{AccessEntry, FailureClass, PrincipalKind, Reading, Scope, Vault, VaultReference},
    policy::{
        Policy,
        fixtures::{kv, policy, shared, vault},
    },
};

fn declared() -> Policy {
    policy(|spec| vault(spec, "AccessPolicy", "shared", &["get", "list"]))
}

fn with(edit: impl Fn(&mut Vault)) -> World {
    let mut world = World::matching(&declared());
    edit(world.vault());
    world
}

fn entries(edit: impl Fn(&mut Vec<AccessEntry>)) -> Evaluation {
    with(|vault| edit(vault.entries.as_mut().unwrap())).evaluate(&declared())
}

fn secrets(entry: &mut AccessEntry) -> &mut BTreeSet<String> {
    entry.permissions.entry("secrets".to_owned()).or_default()
}

#[test]
fn an_entry_for_the_identity_meets_the_need() {
    assert_eq!(entries(|_| ()).standing(), Standing::Compliant);
    let everything = entries(|all| *secrets(&mut all[0]) = ["all".to_owned()].into());
    assert_eq!(everything.standing(), Standing::Compliant);
    let two_halves = entries(|all| {
        all.push(all[0].clone());
        *secrets(&mut all[0]) = ["Get".to_owned()].into();
        *secrets(&mut all[1]) = ["LIST".to_owned()].into();
    });
    assert_eq!(two_halves.standing(), Standing::Compliant);
}

#[test]
fn keys_and_certificates_are_asked_in_their_own_lists() {
    let keyed = policy(|spec| {
        let access = serde_json::json!({ "keys": ["wrapKey"], "certificates": ["get"] });
        let vault =
            serde_json::json!({ "resource": "kv", "mode": "AccessPolicy", "identity": "shared", "access": access });
        spec.vaults.push(serde_json::from_value(vault).expect("a vault"));
    });
    let missing = |keys: &[&str], certificates: &[&str]| {
        let mut world = World::matching(&keyed);
        let entry = &mut world.vault().entries.as_mut().unwrap()[0];
        for (on, words) in [("secrets", &["all"][..]), ("keys", keys), ("certificates", certificates)] {
            entry.permissions.insert(on.to_owned(), words.iter().map(|&word| word.to_owned()).collect());
        }
        match world.evaluate(&keyed).findings.first() {
            Some(Finding::AccessPolicyMissing { missing, .. }) => missing.iter().map(ToString::to_string).collect(),
            other => other.map(|other| vec![other.code().to_owned()]).unwrap_or_default(),
        }
    };
    assert_eq!(missing(&[], &["get"]), ["wrapKey keys"]);
    assert_eq!(missing(&["wrapkey"], &[]), ["get certificates"]);
    assert!(missing(&["all"], &["get"]).is_empty());
}

#[test]
fn what_no_entry_allows_is_drift_and_h4() {
    let missing = |edit: &dyn Fn(&mut Vec<AccessEntry>)| {
        let evaluation = entries(edit);
        assert_eq!((evaluation.standing(), evaluation.decision.cause), (Standing::Drifted, Some(Hypothesis::H4)));
        match evaluation.findings.as_slice() {
            [Finding::AccessPolicyMissing { principal: who, missing, .. }] => {
                assert_eq!(*who, principal(SHARED));
                missing.iter().map(ToString::to_string).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(missing(&|all| all.clear()), ["get secrets", "list secrets"]);
    assert_eq!(missing(&|all| secrets(&mut all[0]).retain(|word| word != "list")), ["list secrets"]);
    assert_eq!(
        missing(&|all| all[0].compound = true),
        ["get secrets", "list secrets"],
        "it counts with an application only"
    );
    assert_eq!(missing(&|all| all[0].tenant = Some("another".to_owned())), ["get secrets", "list secrets"]);
    assert_eq!(
        missing(&|all| *secrets(&mut all[0]) = ["set".to_owned(), "delete".to_owned()].into()),
        ["get secrets", "list secrets"]
    );
}

#[test]
fn an_entry_of_what_may_be_a_group_leaves_the_answer_open() {
    let for_another = |who: &'static str| move |all: &mut Vec<AccessEntry>| all[0].object = principal(who);
    let evaluation = entries(for_another(GROUP));
    assert_eq!(codes(&evaluation), ["access-policy-undecided"]);
    assert_eq!(evaluation.standing(), Standing::Undetermined);
    assert_eq!(verdict(&evaluation, Hypothesis::H4), Verdict::Open);
    // What holds a role as a service principal is no group.
    let mut world = with(|vault| vault.entries.as_mut().unwrap()[0].object = principal(SYSTEM));
    world.grant(SYSTEM, "Reader", &kv());
    assert_eq!(codes(&world.evaluate(&declared())), ["access-policy-missing"]);
    let mut world = with(|vault| vault.entries.as_mut().unwrap()[0].object = principal(STRANGER));
    world.grant(STRANGER, "Reader", &kv()).principal_kind = PrincipalKind::Other;
    assert_eq!(codes(&world.evaluate(&declared())), ["access-policy-missing"], "a person is none either");
    assert_eq!(codes(&entries(for_another(STRANGER))), ["access-policy-undecided"]);

    let mut world = with(|vault| vault.entries.as_mut().unwrap()[0].object = principal(GROUP));
    let id = world.group_grant("Reader", &kv());
    let asked = world.evaluate(&declared()).ask_groups;
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), [(principal(SHARED), kv().subscription().unwrap().to_owned())]);
    let mut told = |value: Vec<Scope>| {
        let key = (principal(SHARED), kv().subscription().unwrap().to_owned());
        world.observed.through_groups.insert(key, Reading::Present { value, at: now() });
        codes(&world.evaluate(&declared()))
    };
    assert_eq!(told(vec![id]), Vec::<&str>::new());
    assert_eq!(told(vec![]), ["access-policy-missing"]);
}

#[test]
fn access_policies_that_were_not_shown_prove_nothing() {
    let evaluation = with(|vault| vault.entries = None).evaluate(&declared());
    assert_eq!(codes(&evaluation), ["access-policy-undecided"]);
    let mut world = with(|vault| vault.entries = Some(Vec::new()));
    let denied = failure(FailureClass::Denied, "AuthorizationFailed");
    world.observed.user.values_mut().for_each(|reading| *reading = Reading::Unreadable(denied.clone()));
    assert!(codes(&world.evaluate(&declared())).iter().all(|code| *code == "unreadable"));
}

#[test]
fn access_policies_of_a_vault_that_uses_roles_say_nothing() {
    let rbac = policy(|spec| vault(spec, "RBAC", "shared", &["get"]));
    let mut world = World::matching(&rbac);
    world.vault().entries = Some(Vec::new());
    assert_eq!(world.evaluate(&rbac).standing(), Standing::Compliant);
}

#[test]
fn a_refusal_from_before_is_told_only_where_the_identity_and_so_its_entries_are_known() {
    let policy = policy(|spec| vault(spec, "AccessPolicy", "shared", &["get"]));
    let mut world = World::matching(&policy);
    world.site().reference_identity = Some(shared());
    world.vault().changed = Some(minutes_ago(40));
    let refused = VaultReference {
        setting: "ApiKey".to_owned(),
        vault: kv().name().to_owned(),
        status: "AccessToKeyVaultDenied".to_owned(),
    };
    world.observed.references = Some(present(vec![refused]));
    assert_eq!(codes(&world.evaluate(&policy)), ["references-denied"]);
    let denied = failure(FailureClass::Denied, "AuthorizationFailed");
    world.observed.user.insert(shared(), Reading::Unreadable(denied));
    assert_eq!(codes(&world.evaluate(&policy)), ["unreadable"]);
}
