//! What of our own making is no longer needed, and what stays on any doubt.

use super::*;
use crate::{
    evaluate::fixtures::{FORMER, SHARED, STRANGER, SYSTEM, World, minutes_ago, now, principal, principal_of, role_id},
    model::{Mark, grant_name},
    policy::{
        Policy,
        fixtures::{OTHER_SUBSCRIPTION, SUBSCRIPTION, host_account, own, policy, queue},
    },
};

const INSTALLATION: &str = "1f1f1f1f-ours";
const US: &str = "57575757-0000-4000-8000-000000000057";
const RECEIVER: &str = "Azure Service Bus Data Receiver";
const SENDER: &str = "Azure Service Bus Data Sender";
const OWNER: &str = "Azure Service Bus Data Owner";

type Spoil = fn(&mut Grant);

fn bus() -> Scope {
    own("Microsoft.ServiceBus/namespaces/sb-orders")
}

fn owner() -> Owner {
    Owner { installation: INSTALLATION.to_owned(), principal: principal(US) }
}

/// A grant that this installation made for `policy`.
fn ours(world: &mut World, who: &str, role: &str, scope: &Scope, policy: &str) -> Scope {
    let name = grant_name(scope, principal(who), role_id(role));
    let grant = world.grant(who, role, scope);
    grant.id = Scope::lenient(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"));
    grant.mark = Some(Mark { installation: Some(INSTALLATION.to_owned()), policy: policy.to_owned() });
    grant.created_by = Some(principal(US));
    grant.id.clone()
}

fn edit(world: &mut World, id: &Scope, change: impl Fn(&mut Grant)) {
    world.each_list(|access| access.grants.iter_mut().filter(|grant| grant.id == *id).for_each(&change));
}

/// What the policies need, each of its own principals in the fixture.
fn claims(policies: &[&Policy]) -> Claims {
    let mut claims = Claims::default();
    for policy in policies {
        claims.live.insert(policy.full_name());
        claims.needs.extend(policy.needs().map(|requirement| Claim {
            policy: policy.full_name(),
            principal: Some(principal_of(policy, &requirement.identity)),
            requirement,
        }));
    }
    claims
}

fn called(name: &str, namespace: &str) -> Policy {
    let mut other = policy(|_| ());
    (other.name, other.namespace) = (name.to_owned(), namespace.to_owned());
    other
}

fn found(policy: &Policy, world: &World, claims: &Claims) -> Vec<(String, Option<Kept>)> {
    let findings = unneeded(policy, &owner(), claims, &world.observed, now(), |_| true);
    let told = findings.into_iter().map(|finding| match finding {
        Finding::UnneededGrant { grant, kept, .. } => (grant.id.to_string(), kept),
        other => panic!("another finding: {other:?}"),
    });
    told.collect()
}

#[test]
fn a_grant_that_the_policy_needs_is_no_finding() {
    let policy = policy(|_| ());
    let mut world = World::without_grants(&policy);
    ours(&mut world, SHARED, RECEIVER, &queue(), "payments/orders");
    assert_eq!(found(&policy, &world, &claims(&[&policy])), []);
}

#[test]
fn a_grant_of_an_earlier_principal_is_unneeded() {
    let policy = policy(|_| ());
    let mut world = World::matching(&policy);
    let id = ours(&mut world, FORMER, RECEIVER, &queue(), "payments/orders");
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [(id.to_string(), None)]);
}

#[test]
fn a_role_that_another_grant_replaces_is_unneeded_once_that_one_acts() {
    let policy = policy(|_| ());
    let mut world = World::without_grants(&policy);
    let old = ours(&mut world, SHARED, OWNER, &queue(), "payments/orders");
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [], "nothing else meets the need");
    let new = ours(&mut world, SHARED, RECEIVER, &queue(), "payments/orders");
    edit(&mut world, &new, |grant| grant.changed = Some(minutes_ago(1)));
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [], "what takes over is too young");
    edit(&mut world, &new, |grant| grant.changed = Some(minutes_ago(600)));
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [(old.to_string(), None)]);
}

#[test]
fn two_that_stand_in_for_each_other_are_not_both_taken_away() {
    let policy = policy(|_| ());
    let mut world = World::without_grants(&policy);
    ours(&mut world, SHARED, OWNER, &queue(), "payments/orders");
    ours(&mut world, SHARED, OWNER, &bus(), "payments/orders");
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [], "without both the need is not met");
}

#[test]
fn a_role_for_something_else_at_the_same_place_is_unneeded() {
    let policy = policy(|_| ());
    let mut world = World::matching(&policy);
    let id = ours(&mut world, SHARED, SENDER, &queue(), "payments/orders");
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [(id.to_string(), None)]);
}

#[test]
fn nothing_is_ours_without_all_three_proofs() {
    let policy = policy(|_| ());
    let spoil: [(&str, Spoil); 5] = [
        ("made by hand", |grant| grant.mark = None),
        ("another cluster's", |grant| {
            let policy = "payments/orders".to_owned();
            grant.mark = Some(Mark { installation: Some("2e2e2e2e-theirs".to_owned()), policy });
        }),
        ("from a command line", |grant| {
            grant.mark = Some(Mark { installation: None, policy: "payments/orders".to_owned() });
        }),
        ("created by somebody else", |grant| grant.created_by = Some(principal(STRANGER))),
        ("under another name", |grant| {
            grant.id = Scope::lenient(&format!(
                "{}/providers/Microsoft.Authorization/roleAssignments/0a0a0a0a-0000-4000-8000-00000000000a",
                grant.scope
            ));
        }),
    ];
    for (case, spoil) in spoil {
        let mut world = World::matching(&policy);
        let id = ours(&mut world, FORMER, RECEIVER, &queue(), "payments/orders");
        edit(&mut world, &id, spoil);
        assert_eq!(found(&policy, &world, &claims(&[&policy])), [], "{case}");
    }
}

#[test]
fn what_another_policy_needs_stays_and_only_neighbours_are_named() {
    let leaving = called("leaving", "payments");
    let (near, far) = (called("near", "payments"), called("far", "shipping"));
    let mut world = World::without_grants(&leaving);
    let id = ours(&mut world, SHARED, RECEIVER, &queue(), "payments/leaving");
    let kept = |by: &[&str], elsewhere| {
        Some(Kept::Required { by: by.iter().map(|name| (*name).to_owned()).collect(), elsewhere })
    };
    let cases: [(&[&Policy], _); 4] = [
        (&[&near], kept(&["payments/near"], false)),
        (&[&far], kept(&[], true)),
        (&[&far, &near], kept(&["payments/near"], true)),
        (&[], None),
    ];
    for (others, expected) in cases {
        assert_eq!(found(&leaving, &world, &claims(others)), [(id.to_string(), expected)]);
    }
}

#[test]
fn a_principal_that_is_not_known_may_be_anybody() {
    let (leaving, other) = (called("leaving", "payments"), called("other", "payments"));
    let mut world = World::without_grants(&leaving);
    ours(&mut world, SHARED, RECEIVER, &queue(), "payments/leaving");
    let mut claims = claims(&[&other]);
    claims.needs.iter_mut().for_each(|claim| claim.principal = None);
    assert!(matches!(&found(&leaving, &world, &claims)[..], [(_, Some(Kept::Undecided(_)))]));
}

#[test]
fn an_invalid_policy_may_need_anything_in_the_subscriptions_that_it_speaks_of() {
    let leaving = called("leaving", "payments");
    let mut world = World::without_grants(&leaving);
    ours(&mut world, SHARED, RECEIVER, &queue(), "payments/leaving");
    let about = |subscription: &str| Claims { unparsed: [subscription.to_owned()].into(), ..Claims::default() };
    assert!(matches!(&found(&leaving, &world, &about(SUBSCRIPTION))[..], [(_, Some(Kept::Undecided(_)))]));
    assert!(matches!(&found(&leaving, &world, &about(OTHER_SUBSCRIPTION))[..], [(_, None)]));
}

#[test]
fn a_grant_is_answered_for_by_its_own_policy_while_that_lives() {
    let (policy, maker) = (called("orders", "payments"), called("maker", "payments"));
    let mut world = World::matching(&policy);
    let id = ours(&mut world, SYSTEM, SENDER, &queue(), "payments/maker");
    assert_eq!(found(&policy, &world, &claims(&[&policy, &maker])), [], "it is the maker's");
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [(id.to_string(), None)], "the maker is gone");
    let mut world = World::matching(&policy);
    ours(&mut world, STRANGER, SENDER, &queue(), "payments/maker");
    assert_eq!(found(&policy, &world, &claims(&[&policy])), [], "held by nobody of this policy");
}

#[test]
fn what_lies_outside_of_the_boundary_is_not_told() {
    let policy = policy(|_| ());
    let mut world = World::matching(&policy);
    ours(&mut world, FORMER, RECEIVER, &queue(), "payments/orders");
    let findings =
        unneeded(&policy, &owner(), &claims(&[&policy]), &world.observed, now(), |scope| host_account().reaches(scope));
    assert_eq!(findings, []);
}
