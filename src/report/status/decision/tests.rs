//! The walk and its evidence as a person reads them with kubectl, and that they stay still.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::{super::fixtures::looked, status};
use crate::{
    api::{DecisionStatus, FunctionIdentityPolicyStatus},
    evaluate::fixtures::{SHARED, World, failure, now, present, principal, refusals},
    model::{
        FailureClass, Reading,
        network::{Firewall, Outbound, PublicAccess, Rules},
    },
    policy::{
        Policy,
        fixtures::{host_account, own, policy},
    },
};

fn status_of(world: &World, policy: &Policy) -> FunctionIdentityPolicyStatus {
    status(None, &looked(policy, world), None, now())
}

fn decision_of(spoil: impl Fn(&mut World)) -> DecisionStatus {
    let policy = policy(|_| {});
    let mut world = World::matching(&policy);
    spoil(&mut world);
    status_of(&world, &policy).decision.expect("it was decided")
}

/// One line for an answer, and one for each piece of evidence.
fn lines(decision: &DecisionStatus) -> String {
    let flow = decision.flow.iter().map(|node| format!("{} {} {}", node.question, node.answer, node.because));
    let hypotheses = decision.hypotheses.iter().flat_map(|one| {
        let evidence = |side: &str, all: &[String]| all.iter().map(|it| format!("    {side} {it}")).collect::<Vec<_>>();
        let head = vec![format!("  {} {}", one.hypothesis, one.verdict)];
        let sides = [evidence("+", &one.confirming), evidence("-", &one.disproving), evidence("?", &one.needed)];
        head.into_iter().chain(sides.into_iter().flatten()).collect::<Vec<_>>()
    });
    let all = flow.chain(hypotheses).map(|line| line.trim_end().to_owned());
    all.collect::<Vec<_>>().join("\n")
}

fn without_grants_of_shared(world: &mut World) {
    world.each_list(|list| list.grants.retain(|grant| grant.principal != principal(SHARED)));
}

#[test]
fn in_order_the_walk_is_told_and_no_hypothesis() {
    insta::assert_snapshot!(lines(&decision_of(|_| {})), @r#"
    IdentityEnabled Yes
    PrincipalAttached Yes
    RolePresent Yes
    Propagated Yes
    VaultModeAligned NotAsked
    AudienceRight NotAsked
    ServiceReachable CannotTell firewalls were not read
    "#);
}

#[test]
fn what_is_wrong_is_told_with_its_evidence_on_both_sides() {
    insta::assert_snapshot!(lines(&decision_of(without_grants_of_shared)), @r#"
    IdentityEnabled Yes
    PrincipalAttached Yes
    RolePresent No identity `mi-shared` (principal 52525252-0000-4000-8000-000000000052) lacks `Azure Service Bus Data Receiver` at `sb-orders/queues/incoming`: nothing allows `Microsoft.ServiceBus/*/receive/action`
    Propagated Yes
    VaultModeAligned NotAsked
    AudienceRight NotAsked
    ServiceReachable CannotTell firewalls were not read
      H1 Open
        - `func-orders` identity.principalId: 51515151-0000-4000-8000-000000000051
        - `func-orders` identity.userAssignedIdentities[mi-shared].principalId: 52525252-0000-4000-8000-000000000052, as the identity itself has it
        ? because app settings are not read: would need `settings: Inspect`
      H2 Confirmed
        + `sb-orders/queues/incoming` roleAssignments: none lets principal 52525252-0000-4000-8000-000000000052 do `Microsoft.ServiceBus/*/receive/action`
      H3 Refuted
        - `sthost` roleAssignments.createdOn: `Storage Blob Data Contributor` is certain to act since 2026-02-28T10:30:00Z
        - `sb-orders/queues/incoming` roleAssignments: none that could be on its way
      H4 NotExamined
        ? because nothing declared is about it
      H5 NotExamined
        ? because app settings are not read: would need `settings: Inspect`
      H6 Open
        ? because only the app itself can try: would need its traces, or a try from inside (`rolecall explain` has the commands)
    "#);
}

#[test]
fn what_telemetry_confirms_is_told_with_its_evidence_although_all_that_is_declared_is_there() {
    let refused = |world: &mut World| {
        world.observed.evidence = Some(present(std::sync::Arc::new(refusals("vault-firewall", 4))));
    };
    let decision = decision_of(refused);
    let confirmed: Vec<_> = decision.hypotheses.iter().filter(|one| one.verdict == "Confirmed").collect();
    assert_eq!(confirmed.len(), 1, "{}", lines(&decision));
    assert_eq!(confirmed[0].hypothesis, "H6");
    assert!(confirmed[0].confirming[0].starts_with("telemetry: a vault's firewall"), "{:?}", confirmed[0]);
}

#[test]
fn what_cannot_be_told_says_what_it_would_need() {
    let unread = |world: &mut World| {
        world.observed.target = Reading::Unreadable(failure(FailureClass::Denied, "AuthorizationFailed"));
    };
    insta::assert_snapshot!(lines(&decision_of(unread)), @r#"
    IdentityEnabled CannotTell it could not be read: GET something was answered AuthorizationFailed
    PrincipalAttached CannotTell it could not be read: GET something was answered AuthorizationFailed
    RolePresent CannotTell it could not be read: GET something was answered AuthorizationFailed
    Propagated CannotTell it could not be read: GET something was answered AuthorizationFailed
    VaultModeAligned NotAsked
    AudienceRight NotAsked
    ServiceReachable NotAsked
      H1 Open
        ? because it could not be read: GET something was answered AuthorizationFailed
        ? because app settings are not read: would need `settings: Inspect`
      H2 Open
        - `sb-orders/queues/incoming` roleAssignments: `Azure Service Bus Data Receiver` for principal 52525252-0000-4000-8000-000000000052
        ? because it could not be read: GET something was answered AuthorizationFailed
      H3 Open
        - `sb-orders/queues/incoming` roleAssignments.createdOn: `Azure Service Bus Data Receiver` is certain to act since 2026-02-28T10:05:00Z
        ? because it could not be read: GET something was answered AuthorizationFailed
      H4 NotExamined
        ? because nothing declared is about it
      H5 NotExamined
        ? because app settings are not read: would need `settings: Inspect`
      H6 NotExamined
        ? because it could not be read: GET something was answered AuthorizationFailed
    "#);
}

#[test]
fn an_answer_keeps_its_time_and_a_pass_without_change_moves_nothing() {
    let policy = policy(|_| {});
    let matching = World::matching(&policy);
    let first = status_of(&matching, &policy);
    let later = now() + SignedDuration::from_mins(10);
    let mut again = World::matching(&policy);
    again.observed.target = matching.observed.target.clone();
    assert_eq!(status(Some(&first), &looked(&policy, &again), None, later), first);

    without_grants_of_shared(&mut again);
    let broken = status(Some(&first), &looked(&policy, &again), None, later);
    let since = |status: &FunctionIdentityPolicyStatus, question: &str| {
        let flow = &status.decision.as_ref().expect("it was decided").flow;
        flow.iter().find(|node| node.question == question).expect("it is asked").since.0
    };
    assert_eq!(since(&broken, "RolePresent"), later);
    assert_eq!(since(&broken, "IdentityEnabled"), now());
    // Read again later: the same evidence, with another time.
    let much_later = later + SignedDuration::from_mins(10);
    for reading in again.observed.access.values_mut() {
        let Reading::Present { at, .. } = reading else { panic!("it was read") };
        *at = much_later;
    }
    assert_eq!(status(Some(&broken), &looked(&policy, &again), None, much_later), broken);
}

/// Both resources are called; a firewall that is open lets the app in.
#[test]
fn what_waits_for_its_turn_leaves_what_was_said_and_takes_nothing_newer_back() {
    let policy = policy(|_| {});
    let bus = own("Microsoft.ServiceBus/namespaces/sb-orders");
    let told = |before: Option<&FunctionIdentityPolicyStatus>, account: Rules, namespace: Rules| {
        let mut world = World::matching(&policy);
        for (resource, rules) in [(host_account(), account), (bus.clone(), namespace)] {
            let firewall = Firewall {
                public: PublicAccess::ByRules,
                rules,
                private_endpoints: BTreeSet::new(),
                keys_off: false,
                out_of_service: None,
                is_whole: true,
            };
            world.observed.network.firewalls.insert(resource, present(firewall));
        }
        world.observed.network.outbound = Some(present(Outbound::Shared));
        status(before, &looked(&policy, &world), None, now())
    };
    let way = |status: &FunctionIdentityPolicyStatus| {
        let flow = &status.decision.as_ref().expect("it was decided").flow;
        let node = flow.iter().find(|node| node.question == "ServiceReachable").expect("it is asked");
        (node.answer.clone(), node.because.clone())
    };
    let some = || Rules::Closed { subnets: BTreeSet::new(), others: true };
    let first = told(None, Rules::Open, Rules::Waits);
    assert_eq!(way(&first), ("CannotTell".to_owned(), "firewalls were not read".to_owned()), "nothing was said before");
    let open = told(Some(&first), Rules::Open, Rules::Open);
    assert_eq!(way(&open).0, "Yes");
    assert_eq!(way(&told(Some(&open), Rules::Open, Rules::Waits)).0, "Yes", "it stands");
    assert_eq!(way(&told(Some(&open), Rules::Open, Rules::Unknown)).0, "CannotTell", "what could not be read does not");
    let doubted = told(Some(&open), some(), Rules::Waits);
    assert_eq!(way(&doubted).0, "CannotTell", "what was read now counts");
    assert!(way(&doubted).1.contains("lets in some addresses"), "{:?}", way(&doubted));
    assert_eq!(way(&told(Some(&doubted), Rules::Open, Rules::Waits)), way(&doubted));
}
