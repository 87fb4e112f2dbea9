//! What is asked about, and what follows when it is not there.

use std::collections::BTreeSet;

use crate::{
    evaluate::{
        Access, Answer, Evaluation, Finding, Question, Standing, Verdict, evaluate,
        fixtures::{SHARED, World, now, present},
    },
    model::{Failure, FailureClass, Reading, Scope},
    policy::{Policy, fixtures},
};

const RECEIVER: &str = "Azure Service Bus Data Receiver";

/// A policy that needs one queue, and the queue.
fn policy() -> (Policy, Scope) {
    let policy = fixtures::policy(|spec| {
        spec.platform.host_storage = None;
        spec.vaults.clear();
    });
    assert_eq!(policy.requirements.len(), 1, "one queue");
    let queue = policy.requirements[0].scope.clone();
    (policy, queue)
}

fn namespace(queue: &Scope) -> Scope {
    let (namespace, _) = queue.as_str().split_once("/queues/").unwrap();
    Scope::parse(namespace).unwrap()
}

fn codes(evaluation: &Evaluation) -> Vec<&'static str> {
    evaluation.findings.iter().map(Finding::code).collect()
}

#[test]
fn only_access_from_above_or_none_leaves_open_whether_a_resource_exists() {
    let (policy, queue) = policy();
    let namespace = namespace(&queue);
    let group = queue.resource_group().unwrap();
    let subscription = Scope::of_subscription(queue.subscription().unwrap());
    let asked = BTreeSet::from([namespace.clone()]);
    for (granted_at, expected) in [
        (Some(&queue), &BTreeSet::new()),
        (Some(&namespace), &BTreeSet::new()),
        (Some(&group), &asked),
        (Some(&subscription), &asked),
        (None, &asked),
    ] {
        let mut world = World::without_grants(&policy);
        if let Some(scope) = granted_at {
            world.grant(SHARED, RECEIVER, scope);
        }
        assert_eq!(evaluate(&policy, &world.observed, now()).ask_resources, *expected, "{granted_at:?}");
        world.observed.resources.insert(namespace.clone(), present(()));
        let answered = evaluate(&policy, &world.observed, now());
        assert!(answered.ask_resources.is_empty(), "it is asked once");
        let as_before = if granted_at.is_some() { vec![] } else { vec!["role-missing"] };
        assert_eq!(codes(&answered), as_before);
    }
}

#[test]
fn a_resource_that_does_not_exist_is_said_instead_of_a_role_that_is_there_or_missing() {
    let (policy, queue) = policy();
    for role in [None, Some(RECEIVER)] {
        let mut world = World::without_grants(&policy);
        if let Some(role) = role {
            world.grant(SHARED, role, &queue.resource_group().unwrap());
        }
        world.observed.resources.insert(namespace(&queue), Reading::Absent { at: now() });
        let evaluation = evaluate(&policy, &world.observed, now());
        let [Finding::ResourceNotFound { origins, resource }] = &evaluation.findings[..] else {
            panic!("{:?}", codes(&evaluation));
        };
        assert_eq!((origins, resource), (&policy.requirements[0].origins, &namespace(&queue)));
        assert_eq!(evaluation.requirements[0].access, Access::NoResource);
        assert_eq!(evaluation.standing(), Standing::Drifted);
        let verdicts = evaluation.decision.hypotheses.iter().map(|one| one.verdict);
        let (h2, h6) = (verdicts.clone().nth(1), verdicts.clone().nth(5));
        assert_eq!((h2, h6), (Some(Verdict::Open), Some(Verdict::Confirmed)), "nobody can hold a role at nothing");
        let role_present = evaluation.decision.path.iter().find(|node| node.question == Question::RolePresent);
        assert_eq!(role_present.map(|node| node.answer), Some(Answer::CannotTell));
        assert!(evaluation.ask_resources.is_empty());
    }
}

#[test]
fn a_resource_that_cannot_be_looked_at_is_not_gone() {
    let (policy, queue) = policy();
    let mut world = World::without_grants(&policy);
    let failure = Failure::new(FailureClass::Denied, "AuthorizationFailed", "no");
    world.observed.resources.insert(namespace(&queue), Reading::Unreadable(failure));
    assert_eq!(codes(&evaluate(&policy, &world.observed, now())), ["role-missing"]);
    world.grant(SHARED, RECEIVER, &queue.resource_group().unwrap());
    assert!(codes(&evaluate(&policy, &world.observed, now())).is_empty());
}

#[test]
fn a_grant_at_what_holds_a_resource_does_not_say_that_it_is_there() {
    const READER: &str = "Reader";
    let database = Scope::parse(&format!(
        "/subscriptions/{}/resourceGroups/rg-orders/providers/Microsoft.Sql/servers/sql-orders/databases/orders",
        fixtures::queue().subscription().unwrap()
    ))
    .unwrap();
    let policy = fixtures::policy(|spec| {
        spec.platform.host_storage = None;
        spec.bindings.clear();
        spec.vaults.clear();
        spec.resources.insert("database".to_owned(), database.to_string());
        fixtures::declare(spec, READER, "database", "shared");
    });
    let server = Scope::parse(database.as_str().split_once("/databases/").unwrap().0).unwrap();
    for (granted_at, is_asked) in [(&server, true), (&database, false)] {
        let mut world = World::without_grants(&policy);
        world.grant(SHARED, READER, granted_at);
        let asked = evaluate(&policy, &world.observed, now()).ask_resources;
        assert_eq!(asked.contains(&database), is_asked, "{granted_at}");
    }
}
