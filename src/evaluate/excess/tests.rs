//! What counts as too much, and what is left alone.

use super::*;
use crate::{
    evaluate::fixtures::{FORMER, SHARED, STRANGER, SYSTEM, World, control, principal},
    model::Condition,
    policy::fixtures::{SUBSCRIPTION, host_account, own, policy, queue, shared},
};

const RECEIVER: &str = "Azure Service Bus Data Receiver";
const OWNER: &str = "Azure Service Bus Data Owner";
const BLOB_READER: &str = "Storage Blob Data Reader";

fn bus() -> Scope {
    own("Microsoft.ServiceBus/namespaces/sb-orders")
}

fn told(world: &World, others: Option<&[Policy]>) -> Vec<Excess> {
    let (findings, more) = excess(&policy(|_| ()), others, &world.observed, &BTreeSet::new(), |_| true);
    assert_eq!(more, 0);
    let excess = findings.into_iter().map(|finding| match finding {
        Finding::ExcessiveGrant { excess, .. } => excess,
        other => panic!("another finding: {other:?}"),
    });
    excess.collect()
}

fn alone(change: impl Fn(&mut World)) -> Vec<Excess> {
    let mut world = World::matching(&policy(|_| ()));
    change(&mut world);
    told(&world, Some(&[]))
}

#[test]
fn what_is_declared_to_the_letter_is_never_too_much() {
    assert_eq!(alone(|_| ()), []);
    let on_the_resource = alone(|world| drop(world.grant(SHARED, RECEIVER, &bus()).id.clone()));
    assert_eq!(on_the_resource, [], "a namespace for its queue is the custom");
    let strangers = alone(|world| drop(world.grant(STRANGER, "Owner", &queue()).id.clone()));
    assert_eq!(strangers, [], "others may hold what they like");
}

#[test]
fn a_grant_is_judged_by_what_it_adds_to_what_is_needed() {
    let root = Scope::of_subscription(SUBSCRIPTION);
    for (who, role, scope, expected) in [
        (SHARED, BLOB_READER, host_account(), Excess::Extra),
        (SHARED, RECEIVER, host_account(), Excess::Extra),
        (SHARED, OWNER, queue(), Excess::Broad(vec![RECEIVER.to_owned()])),
        (SHARED, OWNER, bus(), Excess::Broad(vec![RECEIVER.to_owned()])),
        (SHARED, RECEIVER, bus().resource_group().unwrap(), Excess::Inherited(vec![queue()])),
        (SYSTEM, "Storage Blob Data Contributor", root.clone(), Excess::Inherited(vec![host_account()])),
        (SYSTEM, "Owner", root.clone(), Excess::Privileged("*".to_owned())),
        (SHARED, "Contributor", host_account(), Excess::Privileged("*".to_owned())),
    ] {
        assert_eq!(alone(|world| drop(world.grant(who, role, &scope).id.clone())), [expected], "{role} at {scope}");
    }
}

#[test]
fn privileged_is_what_the_permissions_say_and_not_the_name() {
    let privileged = alone(|world| {
        let entry = control(&["Microsoft.Authorization/*"], &["Microsoft.Authorization/*/delete"]);
        let role = world.define("c0570111-0000-4000-8000-000000000009", "Harmless Helper", vec![entry]);
        world.grant_id(SYSTEM, role, &queue());
    });
    assert_eq!(privileged, [Excess::Privileged("Microsoft.Authorization/*".to_owned())]);
    let harmless = alone(|world| {
        let entry = control(&["Microsoft.Authorization/*"], &["Microsoft.Authorization/*/write"]);
        let role = world.define("c0570111-0000-4000-8000-000000000009", "Owner of Everything", vec![entry]);
        world.grant_id(SYSTEM, role, &queue());
    });
    assert_eq!(harmless, [Excess::Extra]);
}

#[test]
fn an_earlier_principal_of_a_declared_identity_holds_what_it_should_not() {
    let former = alone(|world| {
        world.site().attached.get_mut(&shared()).unwrap().principal = Some(principal(FORMER));
        world.grant(FORMER, RECEIVER, &queue());
    });
    assert_eq!(former, [Excess::Former(principal(FORMER))]);
}

#[test]
fn what_a_shared_identity_holds_for_another_policy_is_not_extra() {
    let mut world = World::matching(&policy(|_| ()));
    let elsewhere = own("Microsoft.ServiceBus/namespaces/sb-orders/queues/refunds");
    world.grant(SHARED, RECEIVER, &elsewhere);
    let mut other = policy(|spec| spec.bindings.iter_mut().for_each(|one| one.entity = "queues/refunds".to_owned()));
    other.name = "refunds".to_owned();
    assert_eq!(told(&world, Some(&[])), [Excess::Extra]);
    assert_eq!(told(&world, Some(&[other])), []);
    assert_eq!(told(&world, None), [], "nobody knows for whom it is held");
    world.grant(SYSTEM, RECEIVER, &elsewhere);
    assert_eq!(told(&world, None), [Excess::Extra], "a system-assigned identity has one app");
}

#[test]
fn what_another_namespace_needs_silences_and_is_never_told() {
    let group = bus().resource_group().unwrap();
    let mut world = World::matching(&policy(|_| ()));
    world.grant(SHARED, RECEIVER, &group);
    assert_eq!(told(&world, Some(&[])), [Excess::Inherited(vec![queue()])]);
    let mut other = policy(|spec| spec.bindings.iter_mut().for_each(|one| one.entity = "queues/refunds".to_owned()));
    other.namespace = "elsewhere".to_owned();
    assert_eq!(told(&world, Some(&[other])), []);
}

#[test]
fn advice_names_everything_that_is_needed() {
    let also_sends = policy(|spec| {
        let output = serde_json::json!({ "name": "replies", "type": "serviceBus", "resource": "bus",
            "entity": "queues/replies", "identity": "shared" });
        spec.bindings.push(serde_json::from_value(output).expect("a binding"));
    });
    let mut world = World::matching(&also_sends);
    world.grant(SHARED, OWNER, &bus());
    world.grant(SHARED, RECEIVER, &bus().resource_group().unwrap());
    let (findings, _) = excess(&also_sends, Some(&[]), &world.observed, &BTreeSet::new(), |_| true);
    let told = findings.into_iter().map(|finding| match finding {
        Finding::ExcessiveGrant { excess, .. } => excess,
        other => panic!("another finding: {other:?}"),
    });
    let told: Vec<_> = told.collect();
    let both = vec![RECEIVER.to_owned(), "Azure Service Bus Data Sender".to_owned()];
    assert_eq!(told, [Excess::Broad(both), Excess::Inherited(vec![queue()])]);
}

#[test]
fn a_storage_grant_is_not_extra_while_the_hosts_account_is_not_declared() {
    let open = policy(|spec| {
        spec.platform.host_storage = None;
        spec.bindings
            .push(serde_json::from_value(serde_json::json!({ "name": "tick", "type": "timerTrigger" })).unwrap());
    });
    let mut world = World::matching(&open);
    world.grant(SHARED, BLOB_READER, &host_account());
    let (findings, _) = excess(&open, Some(&[]), &world.observed, &BTreeSet::new(), |_| true);
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn what_cannot_be_judged_is_left_alone() {
    let narrowed = alone(|world| {
        world.grant(SHARED, OWNER, &bus()).condition = Condition::read("'a' StringEquals 'a'", None);
    });
    assert_eq!(narrowed, []);
    let undefined = alone(|world| {
        world.grant_id(SHARED, "c0570111-0000-4000-8000-000000000010".parse().unwrap(), &bus());
    });
    assert_eq!(undefined, []);
    let mut world = World::matching(&policy(|_| ()));
    world.grant(SHARED, BLOB_READER, &host_account());
    let (outside, _) =
        excess(&policy(|_| ()), Some(&[]), &world.observed, &BTreeSet::new(), |scope| *scope != host_account());
    assert_eq!(outside, [], "nothing outside of the boundary is told");
}

#[test]
fn the_gravest_are_told_and_the_rest_are_counted() {
    let mut world = World::matching(&policy(|_| ()));
    for number in 0..12 {
        world.grant(SHARED, BLOB_READER, &host_account().child(&format!("blobServices/default/containers/c{number}")));
    }
    world.grant(SHARED, "Owner", &queue());
    let (findings, more) = excess(&policy(|_| ()), Some(&[]), &world.observed, &BTreeSet::new(), |_| true);
    assert_eq!((findings.len(), more), (MOST, 5));
    assert!(matches!(&findings[0], Finding::ExcessiveGrant { excess: Excess::Privileged(_), .. }));
}
