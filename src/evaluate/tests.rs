//! What is concluded from which evidence, hypothesis by hypothesis.

mod access;
mod clocks;
mod ends;
mod less;
mod properties;
mod telemetry;
mod vault;
mod whole;
mod worlds;

use super::{
    fixtures::{FORMER, SHARED, SYSTEM, World, failure, principal},
    *,
};
use crate::{
    api::SystemIdentity,
    model::{FailureClass, UserIdentity, VaultMode},
    policy::fixtures::{app, host, kv, policy, shared, user, vault},
};

fn codes(evaluation: &Evaluation) -> Vec<&'static str> {
    evaluation.findings.iter().map(Finding::code).collect()
}

fn verdict(evaluation: &Evaluation, hypothesis: Hypothesis) -> Verdict {
    let all = &evaluation.decision.hypotheses;
    all.iter().find(|one| one.hypothesis == hypothesis).expect("all six are there").verdict
}

#[test]
fn a_world_as_declared_is_compliant_and_says_by_which_grants() {
    let policy = policy(|spec| vault(spec, "RBAC", "shared", &["get", "list"]));
    let evaluation = World::matching(&policy).evaluate(&policy);
    assert_eq!(evaluation.standing(), Standing::Compliant, "{:?}", evaluation.findings);
    assert_eq!(evaluation.decision.cause, None);
    assert_eq!(evaluation.requirements.len(), 4, "receive, coordinate the host, get and list");
    for requirement in &evaluation.requirements {
        let Access::Satisfied(by) = &requirement.access else { panic!("{requirement:?}") };
        assert_eq!(by.len(), 1);
    }
    for hypothesis in [Hypothesis::H2, Hypothesis::H3, Hypothesis::H4] {
        assert_eq!(verdict(&evaluation, hypothesis), Verdict::Refuted);
    }
    assert_eq!(verdict(&evaluation, Hypothesis::H1), Verdict::Open, "nobody looked at the app's settings");
}

#[test]
fn a_disabled_system_identity_is_h1_and_its_access_waits_for_a_principal() {
    let policy = policy(|_| ());
    let mut world = World::matching(&policy);
    world.site().system = crate::model::SystemAssigned::Off;
    let evaluation = world.evaluate(&policy);
    assert_eq!(codes(&evaluation), ["system-identity-disabled"]);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H1));
    assert_eq!(evaluation.requirements[0].access, Access::NoPrincipal);
    assert_eq!(verdict(&evaluation, Hypothesis::H2), Verdict::Open, "nobody could look for its roles");
}

#[test]
fn a_forbidden_system_identity_that_is_enabled_is_drift() {
    let policy = policy(|spec| {
        spec.identities.system = SystemIdentity::Forbidden;
        host(spec, "host", "shared");
    });
    let evaluation = World::matching(&policy).evaluate(&policy);
    assert_eq!(evaluation.findings, [Finding::SystemIdentityForbidden { principal: Some(principal(SYSTEM)) }]);
    assert_eq!(evaluation.standing(), Standing::Drifted);
}

#[test]
fn another_identity_in_place_of_the_declared_one_is_named() {
    let policy = policy(|_| ());
    let mut world = World::matching(&policy);
    let attachment = world.site().attached.remove(&shared()).unwrap();
    let spare = crate::policy::fixtures::own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-spare");
    world.site().attached.insert(spare.clone(), attachment);
    let evaluation = world.evaluate(&policy);
    assert_eq!(evaluation.findings, [Finding::UserIdentityNotAttached { identity: shared(), attached: vec![spare] }]);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H1));
}

#[test]
fn an_identity_that_does_not_exist_and_one_without_a_principal_are_told_apart() {
    let policy = policy(|_| ());
    let mut world = World::matching(&policy);
    world.observed.user.insert(shared(), Reading::Absent { at: fixtures::now() });
    assert_eq!(codes(&world.evaluate(&policy)), ["user-identity-not-found"]);
    let unfilled = UserIdentity { id: shared(), principal: None, client: None };
    world.observed.user.insert(shared(), Reading::Present { value: unfilled, at: fixtures::now() });
    let evaluation = world.evaluate(&policy);
    assert_eq!(codes(&evaluation), ["principal-missing"]);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H1));
}

#[test]
fn the_sites_copy_of_an_earlier_principal_is_stale_and_access_is_asked_for_the_present_one() {
    let policy = policy(|_| ());
    let mut world = World::matching(&policy);
    world.site().attached.get_mut(&shared()).unwrap().principal = Some(principal(FORMER));
    let evaluation = world.evaluate(&policy);
    let stale = Finding::StaleAttachment { identity: shared(), on_site: principal(FORMER), current: principal(SHARED) };
    assert_eq!(evaluation.findings, [stale]);
    assert!(evaluation.requirements.iter().any(|one| one.principal == Some(principal(SHARED))));
    world.site().attached.get_mut(&shared()).unwrap().principal = None;
    assert_eq!(world.evaluate(&policy).standing(), Standing::Compliant, "a copy not filled in yet proves nothing");
}

#[test]
fn an_app_that_is_gone_ends_the_walk_with_every_answer_open() {
    let policy = policy(|spec| vault(spec, "RBAC", "shared", &["get"]));
    let mut world = World::matching(&policy);
    world.observed.target = Reading::Absent { at: fixtures::now() };
    let evaluation = world.evaluate(&policy);
    assert_eq!(evaluation.findings, [Finding::TargetNotFound { target: app() }]);
    assert_eq!(evaluation.standing(), Standing::TargetNotFound);
    assert!(evaluation.decision.path.iter().all(|node| node.answer != Answer::Yes), "{:?}", evaluation.decision);
}

#[test]
fn what_could_not_be_read_is_never_taken_as_absent() {
    type Break<'a> = &'a dyn Fn(&mut World);
    let policy = policy(|spec| vault(spec, "RBAC", "shared", &["get"]));
    let denied = || failure(FailureClass::Denied, "AuthorizationFailed");
    let breaks: [(&str, Break); 6] = [
        ("the app", &|world| world.observed.target = Reading::Unreadable(denied())),
        ("an identity", &|world| {
            world.observed.user.insert(shared(), Reading::Unreadable(denied()));
        }),
        ("a vault", &|world| {
            world.observed.vaults.insert(kv(), Reading::Unreadable(denied()));
        }),
        ("a vault that nobody looked at", &|world| world.observed.vaults.clear()),
        ("an identity that nobody looked at", &|world| world.observed.user.clear()),
        ("a scope without a witness", &|world| {
            world.observed.unwitnessed.insert(kv(), denied());
        }),
    ];
    for (what, break_it) in breaks {
        let mut world = World::matching(&policy);
        break_it(&mut world);
        let evaluation = world.evaluate(&policy);
        assert_eq!(evaluation.standing(), Standing::Undetermined, "{what}: {:?}", evaluation.findings);
        assert!(evaluation.findings.iter().all(|finding| finding.code() == "unreadable"), "{what}");
        assert_eq!(evaluation.decision.cause, None, "{what}");
    }
}

#[test]
fn a_vault_in_the_other_mode_is_h4_whichever_way() {
    for (declared, actual, access) in [("RBAC", VaultMode::AccessPolicy, 0), ("AccessPolicy", VaultMode::Rbac, 1)] {
        let policy = policy(|spec| vault(spec, declared, "shared", &["get"]));
        let mut world = World::matching(&policy);
        world.vault().mode = actual;
        let evaluation = world.evaluate(&policy);
        assert!(codes(&evaluation).contains(&"vault-mode-mismatch"), "{declared}");
        assert_eq!(verdict(&evaluation, Hypothesis::H4), Verdict::Confirmed);
        let asked = evaluation.requirements.iter().filter(|one| one.scope == kv()).count();
        assert_eq!(asked, access, "roles are asked for while they decide, and only then");
    }
}

#[test]
fn a_vault_that_is_gone_is_no_matter_of_identity_and_leaves_its_mode_open() {
    let policy = policy(|spec| vault(spec, "RBAC", "shared", &["get"]));
    let mut world = World::matching(&policy);
    world.observed.vaults.insert(kv(), Reading::Absent { at: fixtures::now() });
    let evaluation = world.evaluate(&policy);
    assert_eq!(codes(&evaluation), ["vault-not-found"]);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H6));
    assert_eq!(verdict(&evaluation, Hypothesis::H4), Verdict::Open);
}

#[test]
fn an_earlier_link_of_the_chain_is_the_cause() {
    let policy = policy(|spec| {
        user(spec, "spare", "second");
        vault(spec, "AccessPolicy", "shared", &[]);
    });
    let mut world = World::without_grants(&policy);
    world.vault().mode = VaultMode::Rbac;
    let evaluation = world.evaluate(&policy);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H2), "role before vault mode");
    world.site().system = crate::model::SystemAssigned::Off;
    let evaluation = world.evaluate(&policy);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H1), "identity before role");
    assert_eq!(codes(&evaluation), ["system-identity-disabled", "role-missing", "vault-mode-mismatch"]);
}

#[test]
fn without_a_vault_or_access_the_question_is_not_asked() {
    let policy = policy(|spec| {
        spec.bindings.clear();
        spec.platform.host_storage = None;
    });
    let evaluation = World::matching(&policy).evaluate(&policy);
    assert_eq!(evaluation.standing(), Standing::Compliant);
    let answers: Vec<_> = evaluation.decision.path.iter().map(|node| node.answer).collect();
    let mut expected = vec![Answer::Yes, Answer::Yes];
    expected.resize(7, Answer::NotAsked);
    assert_eq!(answers, expected);
}
