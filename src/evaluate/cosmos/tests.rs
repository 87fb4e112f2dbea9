//! Access inside a Cosmos DB account: who has it, who does not, and when that cannot be told.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    catalog::cosmos_roles,
    evaluate::{
        Evaluation,
        fixtures::{SHARED, World, now, present, principal},
    },
    model::{Failure, FailureClass, RoleId, cosmos::CosmosRole},
    policy::{Policy, fixtures},
};

const READER: &str = "00000000-0000-0000-0000-000000000001";
const CONTRIBUTOR: &str = "00000000-0000-0000-0000-000000000002";
const STRANGER: &str = "9e9e9e9e-0000-4000-8000-000000000009";

/// A trigger on a container; its leases are beside it.
fn policy() -> Policy {
    fixtures::policy(|spec| {
        spec.resources.insert("cosmos".to_owned(), "Microsoft.DocumentDB/databaseAccounts/co-sales".to_owned());
        let trigger = json!({ "name": "changes", "type": "cosmosDBTrigger", "resource": "cosmos",
            "entity": "dbs/sales/colls/orders", "identity": "shared" });
        spec.bindings = vec![serde_json::from_value(trigger).expect("a binding")];
        spec.platform.host_storage = None;
    })
}

fn at(path: &str) -> Scope {
    fixtures::own(&format!("Microsoft.DocumentDB/databaseAccounts/co-sales{path}"))
}

fn account(grants: &[(&str, &str, &str)]) -> CosmosAccess {
    let definition = |role: &crate::catalog::CosmosRole| {
        let permissions = vec![(role.data_actions.clone(), Vec::new())];
        (role.id.parse().expect("a GUID"), CosmosRole { name: role.name.clone(), permissions })
    };
    let grant = |(position, (who, role, path)): (usize, &(&str, &str, &str))| CosmosGrant {
        id: at(&format!("/sqlRoleAssignments/{position}")),
        principal: principal(who),
        role: role.parse().expect("a GUID"),
        scope: at(path),
    };
    CosmosAccess {
        grants: grants.iter().enumerate().map(grant).collect(),
        roles: cosmos_roles().iter().map(definition).collect(),
        has_unread: false,
    }
}

fn evaluated(access: CosmosAccess) -> Evaluation {
    seen(present(Arc::new(access)))
}

fn seen(access: Reading<Arc<CosmosAccess>>) -> Evaluation {
    let policy = policy();
    let mut world = World::without_grants(&policy);
    world.observed.cosmos.insert(at(""), access);
    world.observed.identities.insert(principal(SHARED));
    super::super::evaluate(&policy, &world.observed, now())
}

fn codes(evaluation: &Evaluation) -> Vec<&'static str> {
    evaluation.findings.iter().map(Finding::code).collect()
}

#[test]
fn a_reader_of_the_container_and_a_contributor_of_the_leases_are_enough() {
    let least = [(SHARED, READER, "/dbs/sales/colls/orders"), (SHARED, CONTRIBUTOR, "/dbs/sales/colls/leases")];
    assert!(codes(&evaluated(account(&least))).is_empty());
    assert!(codes(&evaluated(account(&[(SHARED, CONTRIBUTOR, "")]))).is_empty(), "the account reaches both");
}

#[test]
fn what_is_missing_is_missing_at_its_place_for_that_identity() {
    let only_read = evaluated(account(&[(SHARED, READER, "/dbs/sales")]));
    let [Finding::CosmosRoleMissing { role, scope, missing, .. }] = &only_read.findings[..] else {
        panic!("{:?}", only_read.findings)
    };
    assert_eq!((role.as_str(), scope), ("Cosmos DB Built-in Data Contributor", &at("/dbs/sales/colls/leases")));
    assert!(missing.iter().any(|action| action.ends_with("/containers/items/upsert")), "{missing:?}");
    let elsewhere = evaluated(account(&[(SHARED, CONTRIBUTOR, "/dbs/Sales")]));
    assert_eq!(codes(&elsewhere), ["cosmos-role-missing", "cosmos-role-missing"], "another database by its case");
}

#[test]
fn a_grant_of_an_identity_that_was_seen_is_nobody_elses_and_one_of_a_stranger_may_be_a_groups() {
    let access = account(&[(STRANGER, CONTRIBUTOR, "")]);
    assert_eq!(codes(&evaluated(access.clone())), ["access-undecided", "access-undecided"]);
    let policy = policy();
    let mut world = World::without_grants(&policy);
    world.observed.cosmos.insert(at(""), present(Arc::new(access)));
    world.observed.identities.insert(principal(STRANGER));
    let evaluation = super::super::evaluate(&policy, &world.observed, now());
    assert_eq!(codes(&evaluation), ["cosmos-role-missing", "cosmos-role-missing"]);
}

#[test]
fn what_could_not_be_read_is_unknown_and_never_missing() {
    let failure = Failure::new(FailureClass::Denied, "AuthorizationFailed", "no");
    assert_eq!(codes(&seen(Reading::Unreadable(failure))), ["unreadable"]);
    assert_eq!(codes(&seen(Reading::Absent { at: now() })), ["resource-not-found"]);
    let unread = CosmosAccess { has_unread: true, ..account(&[]) };
    assert_eq!(codes(&evaluated(unread)), ["access-undecided", "access-undecided"]);
    let mut undefined = account(&[(SHARED, READER, ""), (SHARED, CONTRIBUTOR, "")]);
    undefined.roles.remove(&CONTRIBUTOR.parse::<RoleId>().expect("a GUID"));
    assert_eq!(codes(&evaluated(undefined)), ["access-undecided"], "the reading need not the contributor");
}

#[test]
fn azure_roles_on_the_account_count_for_nothing_inside() {
    let policy = policy();
    let mut world = World::without_grants(&policy);
    world.grant(SHARED, "Owner", &at(""));
    world.observed.cosmos.insert(at(""), present(Arc::new(account(&[]))));
    let evaluation = super::super::evaluate(&policy, &world.observed, now());
    assert_eq!(codes(&evaluation), ["cosmos-role-missing", "cosmos-role-missing"]);
}
