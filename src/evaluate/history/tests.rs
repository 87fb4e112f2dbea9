//! Which histories are asked, and which changes are told of a finding.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::{
    evaluate::{
        Hypothesis, Needed, evaluate, explain,
        fixtures::{SHARED, World, now, present},
    },
    model::{Failure, FailureClass, Granted, PrincipalId, RoleId, Scope},
    policy::fixtures,
};

const REMOVAL: &str = "Microsoft.Authorization/roleAssignments/delete";
const RECEIVER: &str = "Azure Service Bus Data Receiver";

/// A policy that needs one queue, the queue, and the history that could tell of its role.
fn policy() -> (Policy, Scope, History) {
    let policy = fixtures::policy(|spec| {
        spec.platform.host_storage = None;
        spec.vaults.clear();
    });
    let queue = policy.requirements[0].scope.clone();
    let history = History::Grants(queue.subscription().unwrap().to_owned());
    (policy, queue, history)
}

fn change(operation: &str, principal: PrincipalId, scope: &Scope, second: i64) -> Change {
    Change {
        at: Timestamp::from_second(second).unwrap(),
        operation: operation.to_owned(),
        resource: scope.child(&format!("providers/Microsoft.Authorization/roleAssignments/{second}")),
        grant: Some(Granted { principal, role: RoleId::from_definition_id(SHARED).unwrap(), scope: scope.clone() }),
        correlation: format!("c-{second}"),
    }
}

#[test]
fn a_missing_role_asks_who_lost_what_and_only_once() {
    let (policy, queue, history) = policy();
    let mut world = World::without_grants(&policy);
    assert_eq!(evaluate(&policy, &world.observed, now()).ask_history, BTreeSet::from([history.clone()]));
    world.observed.history.insert(history, present(Arc::default()));
    assert!(evaluate(&policy, &world.observed, now()).ask_history.is_empty());
    world.observed.history.clear();
    world.grant(SHARED, RECEIVER, &queue);
    assert!(evaluate(&policy, &world.observed, now()).ask_history.is_empty(), "nothing is wrong");
}

#[test]
fn only_what_took_the_access_away_is_told_the_newest_first() {
    let (policy, queue, history) = policy();
    let mut world = World::without_grants(&policy);
    let evaluation = evaluate(&policy, &world.observed, now());
    let own = evaluation.requirements[0].principal.unwrap();
    let other = "5e57e300-0001-4000-8000-00000000ffff".parse().unwrap();
    let (beside, above) = (queue.child("providers/x/y/z"), queue.resource_group().unwrap());
    let changes = vec![
        change("Microsoft.Authorization/roleAssignments/write", own, &queue, 9),
        change(REMOVAL, other, &queue, 8),
        change(REMOVAL, own, &beside, 7),
        change(REMOVAL, own, &above, 6),
        change(REMOVAL, own, &queue, 5),
        change(REMOVAL, own, &queue, 4),
    ];
    world.observed.history.insert(history, present(Arc::new(changes)));
    let evaluation = evaluate(&policy, &world.observed, now());
    let explanation = explain(&policy, &world.observed, &evaluation);
    let h2 = explanation.cases.iter().find(|case| case.hypothesis == Hypothesis::H2).unwrap();
    let told: Vec<_> = h2.confirming.iter().filter(|fact| fact.field == "activity log").collect();
    let ids: Vec<_> = told.iter().map(|fact| fact.value.rsplit(' ').next().unwrap()).collect();
    assert_eq!(ids, ["c-6", "c-5"], "{told:#?}");
    assert!(told[0].value.contains(&format!("for principal {own} was removed at 1970-01-01T00:00:06Z")));
    assert!(h2.needed.is_empty());
}

#[test]
fn a_log_that_cannot_be_read_leaves_every_verdict_and_is_named() {
    let (policy, _, history) = policy();
    let mut world = World::without_grants(&policy);
    let before = evaluate(&policy, &world.observed, now());
    let failure = Failure::new(FailureClass::Denied, "AuthorizationFailed", "the activity log is not for you");
    world.observed.history.insert(history, Reading::Unreadable(failure.clone()));
    let after = evaluate(&policy, &world.observed, now());
    assert_eq!(after.findings, before.findings);
    assert_eq!(after.decision, before.decision);
    let explanation = explain(&policy, &world.observed, &after);
    let h2 = explanation.cases.iter().find(|case| case.hypothesis == Hypothesis::H2).unwrap();
    assert_eq!(h2.needed, [Needed::History(failure)]);
}
