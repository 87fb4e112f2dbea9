//! What is done, what is held with which reason, and what is in a request.

mod after_repairs;
mod alignment;
mod least;
mod properties;
mod vaults;

use jiff::SignedDuration;

use super::*;
use crate::{
    api::{FunctionIdentityPolicySpec, IdentityBoundary},
    evaluate::fixtures::{FORMER, SHARED, SYSTEM, World, data, failure, minutes_ago, now, principal, role_id},
    model::{FailureClass, Observed, PermissionSet, Reading},
    policy::{
        Authority, Boundary,
        fixtures::{SUBSCRIPTION, app, declare, host, host_account, own, policy, queue, shared, trigger, user},
    },
};

const RECEIVER: &str = "Azure Service Bus Data Receiver";
const CONTRIBUTOR: &str = "Storage Blob Data Contributor";

/// An enforcing policy that allows every change.
fn enforcing(edit: impl FnOnce(&mut FunctionIdentityPolicySpec)) -> Policy {
    policy(|spec| {
        spec.mode = Mode::Enforce;
        spec.remediation.allow = ALL.to_vec();
        edit(spec);
    })
}

const ALL: [ChangeKind; 3] = [ChangeKind::EnableSystemIdentity, ChangeKind::AttachUserIdentity, ChangeKind::GrantRole];

fn boundary_object(max_mode: Mode, scopes: &[Scope], roles: &[&str], changes: &[ChangeKind]) -> IdentityBoundary {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "rolecall.dev/v1alpha1",
        "kind": "IdentityBoundary",
        "metadata": { "name": "payments" },
        "spec": {
            "namespaces": { "names": ["payments"] },
            "maxMode": format!("{max_mode:?}"),
            "scopes": scopes.iter().map(|scope| serde_json::json!({ "id": scope })).collect::<Vec<_>>(),
            "roles": roles.iter().map(|role| serde_json::json!({ "id": role_id(role) })).collect::<Vec<_>>(),
            "changes": changes.iter().map(|change| format!("{change:?}")).collect::<Vec<_>>(),
        },
    }))
    .unwrap()
}

fn boundary(max_mode: Mode, scopes: &[Scope], roles: &[&str], changes: &[ChangeKind]) -> Authority {
    let object = boundary_object(max_mode, scopes, roles, changes);
    Authority::Boundaries { boundaries: vec![Boundary::from(&object)], namespaces: [].into() }
}

fn everything(max_mode: Mode) -> Authority {
    boundary(max_mode, &[app().resource_group().unwrap()], &[RECEIVER, CONTRIBUTOR], &ALL)
}

fn lookup(observed: &Observed) -> impl Fn(&Scope, &crate::model::RoleId) -> Option<Role> + '_ {
    |scope, role| observed.access_at(scope).ok()?.roles.get(role).cloned()
}

fn planned(policy: &Policy, world: &World, authority: &Authority) -> Plan {
    plan(
        policy,
        &authority.verdict(policy),
        &world.evaluate(policy),
        &Circumstances::default(),
        lookup(&world.observed),
    )
}

fn holds(plan: &Plan) -> Vec<(&str, &'static str)> {
    plan.held.iter().map(|held| (held.subject.as_str(), held.reason.word())).collect()
}

fn subjects(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::subject).collect()
}

/// The system identity is disabled, the user's is not attached, and it lacks its role.
fn broken(policy: &Policy) -> World {
    let mut world = World::without_grants(policy);
    world.site().system = crate::model::SystemAssigned::Off;
    world.site().attached.clear();
    world
}

#[test]
fn a_matching_world_calls_for_nothing() {
    let policy = enforcing(|_| ());
    let plan = planned(&policy, &World::matching(&policy), &everything(Mode::Enforce));
    assert!(plan.steps.is_empty() && plan.held.is_empty(), "{plan:?}");
}

#[test]
fn what_may_be_changed_is_changed_and_the_rest_waits_for_it() {
    let policy = enforcing(|_| ());
    let plan = planned(&policy, &broken(&policy), &everything(Mode::Enforce));
    assert!(plan.may_write());
    assert_eq!(subjects(&plan), ["identities/system, identities/mi-shared", "bindings/incoming"]);
    assert_eq!(holds(&plan), [("platform/hostStorage", "AwaitsIdentity")]);
}

#[test]
fn each_reason_holds_every_change() {
    type Edit = fn(&mut FunctionIdentityPolicySpec);
    let group = app().resource_group().unwrap();
    let table: [(&str, Edit, Authority); 8] = [
        ("ModeReport", |spec| spec.mode = Mode::Report, everything(Mode::Enforce)),
        ("Suspended", |spec| spec.suspend = true, everything(Mode::Enforce)),
        ("Suspended", |spec| (spec.suspend, spec.mode) = (true, Mode::Report), everything(Mode::Enforce)),
        ("BoundaryMode", |_| (), everything(Mode::Report)),
        ("NotAllowed", |spec| spec.remediation.allow.clear(), everything(Mode::Enforce)),
        ("MaxChanges", |spec| spec.remediation.max_changes = 0, everything(Mode::Enforce)),
        ("OutsideBoundary", |_| (), boundary(Mode::Enforce, &[group], &[RECEIVER], &[])),
        ("OutsideBoundary", |spec| spec.mode = Mode::DryRun, boundary(Mode::Enforce, &[app()], &[], &[])),
    ];
    for (reason, edit, authority) in table {
        let policy = enforcing(edit);
        let plan = planned(&policy, &broken(&policy), &authority);
        assert!(plan.steps.is_empty(), "{reason}: {:?}", plan.steps);
        let expected = [
            ("identities/system", reason),
            ("identities/mi-shared", reason),
            ("bindings/incoming", reason),
            ("platform/hostStorage", "AwaitsIdentity"),
        ];
        assert_eq!(holds(&plan), expected);
    }
}

#[test]
fn a_dry_run_has_the_steps_of_enforce_and_may_not_write() {
    let dry = enforcing(|spec| spec.mode = Mode::DryRun);
    let real = enforcing(|_| ());
    let rehearsed = planned(&dry, &broken(&dry), &everything(Mode::Enforce));
    let capped = planned(&real, &broken(&real), &everything(Mode::DryRun));
    let enforced = planned(&real, &broken(&real), &everything(Mode::Enforce));
    for plan in [rehearsed, capped] {
        assert!(!plan.may_write());
        assert_eq!(plan.mode, Mode::DryRun);
        let requests = |plan: &Plan| plan.steps.iter().map(|step| step.request.clone()).collect::<Vec<_>>();
        assert_eq!(requests(&plan), requests(&enforced));
    }
}

#[test]
fn only_the_kinds_that_are_listed_are_changed() {
    let policy = enforcing(|spec| spec.remediation.allow = vec![ChangeKind::GrantRole]);
    let plan = planned(&policy, &broken(&policy), &everything(Mode::Enforce));
    assert_eq!(subjects(&plan), ["bindings/incoming"]);
    assert_eq!(holds(&plan)[..2], [("identities/system", "NotAllowed"), ("identities/mi-shared", "NotAllowed")]);
}

#[test]
fn max_changes_takes_the_first_of_the_chain() {
    let policy = enforcing(|spec| spec.remediation.max_changes = 2);
    let plan = planned(&policy, &broken(&policy), &everything(Mode::Enforce));
    assert_eq!(subjects(&plan), ["identities/system, identities/mi-shared"]);
    assert_eq!(holds(&plan)[0], ("bindings/incoming", "MaxChanges"));
}

#[test]
fn a_role_that_leads_to_more_rights_is_held_also_for_a_caller_without_a_boundary() {
    let policy = enforcing(|spec| declare(spec, "Owner", "bus", "shared"));
    let world = World::without_grants(&policy);
    for authority in [Authority::Caller, boundary(Mode::Enforce, &[app().resource_group().unwrap()], &["Owner"], &ALL)]
    {
        let plan = planned(&policy, &world, &authority);
        let too_powerful = HoldReason::RoleTooPowerful { role: "Owner".to_owned(), action: "*".to_owned() };
        assert!(plan.held.iter().any(|held| held.subject == "grants/0" && held.reason == too_powerful), "{plan:?}");
    }
}

#[test]
fn the_first_hold_is_the_one_to_act_on() {
    let policy = enforcing(|spec| {
        spec.remediation.allow.clear();
        host(spec, "host", "shared");
    });
    let mut world = World::matching(&policy);
    world.each_list(|access| {
        access.grants.retain(|grant| grant.role != role_id(RECEIVER));
        access.grants[0].changed = Some(minutes_ago(1));
    });
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    assert_eq!(holds(&plan), [("bindings/incoming", "NotAllowed"), ("platform/hostStorage", "Propagating")]);
    let until = now() + SignedDuration::from_mins(29);
    assert_eq!(plan.held[1].reason, HoldReason::Propagating(until));
}

#[test]
fn nothing_is_written_for_an_app_that_could_not_be_read_and_that_is_said() {
    let policy = enforcing(|_| ());
    let mut world = World::without_grants(&policy);
    world.observed.target = Reading::Unreadable(failure(FailureClass::Transient, "TransportError"));
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    assert!(plan.steps.is_empty());
    assert_eq!(holds(&plan), [("bindings/incoming", "EvidenceIncomplete"), ("target", "EvidenceIncomplete")]);
}

#[test]
fn an_identity_that_could_not_be_read_or_is_gone_is_not_attached() {
    let policy = enforcing(|_| ());
    let mut world = World::matching(&policy);
    world.site().attached.clear();
    let denied = failure(FailureClass::Denied, "AuthorizationFailed");
    world.observed.user.insert(shared(), Reading::Unreadable(denied));
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    assert!(plan.steps.is_empty(), "{plan:?}");
    assert_eq!(holds(&plan)[0], ("identities/mi-shared", "EvidenceIncomplete"));
    world.observed.user.insert(shared(), Reading::Absent { at: now() });
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    assert!(plan.steps.is_empty(), "{plan:?}");
    assert_eq!(holds(&plan), [("identities/mi-shared", "NoSafeChange"), ("bindings/incoming", "AwaitsIdentity")]);
}

#[test]
fn what_no_change_of_ours_would_help_is_held_with_the_reason() {
    let policy = enforcing(|_| ());
    let mut world = World::matching(&policy);
    world.deny("locked", &queue(), SHARED, data(&["*"], &[]));
    world.site().attached.get_mut(&shared()).unwrap().principal = Some(principal(FORMER));
    world.grant(SYSTEM, "Reader", &host_account());
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    // Detaching, if for a moment, is off unless it is allowed by name.
    assert_eq!(holds(&plan), [("identities/mi-shared", "NotAllowed"), ("bindings/incoming", "NoSafeChange")]);
}

#[test]
fn identity_changes_are_one_request_that_keeps_all_that_is_there() {
    let policy = enforcing(|spec| user(spec, "spare", "second"));
    let mut world = World::matching(&policy);
    let spare = own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-spare");
    let foreign = own("Microsoft.ManagedIdentity/userAssignedIdentities/mi-of-someone-else");
    let kept = world.site().attached.remove(&spare).unwrap();
    world.site().attached.insert(foreign.clone(), kept);
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    let [step] = plan.steps.as_slice() else { panic!("one step: {plan:?}") };
    assert_eq!((step.request.method, step.request.path.as_str()), (Method::Patch, app().as_str()));
    let identity = &step.request.body["identity"];
    assert_eq!(identity["type"], "SystemAssigned, UserAssigned", "the system identity stays enabled");
    let named: Vec<_> = identity["userAssignedIdentities"].as_object().unwrap().keys().cloned().collect();
    let mut expected = [shared(), spare, foreign].map(|id| id.to_string());
    expected.sort();
    assert_eq!(named, expected);
}

#[test]
fn enabling_the_system_identity_alone_names_no_map() {
    let policy = enforcing(|spec| {
        spec.identities.user.clear();
        spec.bindings.clear();
    });
    let mut world = World::matching(&policy);
    world.site().system = crate::model::SystemAssigned::Off;
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    let expected = serde_json::json!({ "identity": { "type": "SystemAssigned" } });
    assert_eq!(plan.steps[0].request.body, expected);
}

#[test]
fn one_grant_serves_two_needs_and_names_both() {
    let policy = enforcing(|spec| {
        spec.bindings.clear();
        trigger(spec, "clicks", "eventHubTrigger", "hub", "eventhubs/clicks", "shared");
    });
    let mut world = World::without_grants(&policy);
    world.grant(SHARED, "Azure Event Hubs Data Receiver", &queue().resource_group().unwrap());
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    assert_eq!(subjects(&plan), ["platform/hostStorage, bindings/clicks"]);
}

#[test]
fn a_grant_is_created_under_its_own_name_for_a_service_principal() {
    let policy = enforcing(|_| ());
    let mut world = World::matching(&policy);
    world.each_list(|access| access.grants.retain(|grant| grant.role != role_id(RECEIVER)));
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    let [step] = plan.steps.as_slice() else { panic!("{plan:?}") };
    let name = grant_name(&queue(), principal(SHARED), role_id(RECEIVER));
    let Request { method, path, api_version, body } = &step.request;
    assert_eq!((*method, *api_version), (Method::Put, "2022-04-01"));
    assert_eq!(*path, format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", queue()));
    let definition = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{}",
        role_id(RECEIVER)
    );
    let properties = &body["properties"];
    assert_eq!(properties["roleDefinitionId"], definition.as_str());
    assert_eq!(properties["principalId"], SHARED);
    assert_eq!(properties["principalType"], "ServicePrincipal");
    assert!(properties["description"].as_str().unwrap().ends_with("payments/orders"));
}

#[test]
fn the_name_of_a_grant_is_that_of_its_triple() {
    let upper = Scope::parse(&queue().to_string().to_uppercase()).unwrap();
    let name = |scope: &Scope, who: &str, role: &str| grant_name(scope, principal(who), role_id(role));
    let own = name(&queue(), SHARED, RECEIVER);
    assert_eq!(own, name(&upper, SHARED, RECEIVER), "case does not make another name");
    let others = [
        name(&queue(), SYSTEM, RECEIVER),
        name(&queue(), SHARED, CONTRIBUTOR),
        name(&host_account(), SHARED, RECEIVER),
    ];
    assert!(others.iter().all(|other| *other != own));
    assert_eq!(
        own.to_string(),
        "6b8a84d5-5b53-5925-a53a-5a7ddf06f230",
        "a version that names otherwise would grant twice"
    );
}

#[test]
fn a_role_that_became_too_powerful_since_is_judged_by_what_it_allows_now() {
    let policy = enforcing(|_| ());
    let mut world = World::matching(&policy);
    world.each_list(|access| access.grants.retain(|grant| grant.role != role_id(RECEIVER)));
    let wider = PermissionSet { actions: vec!["Microsoft.Authorization/*".to_owned()], ..PermissionSet::default() };
    world.each_list(|access| {
        access.roles.get_mut(&role_id(RECEIVER)).unwrap().permissions.push(wider.clone());
    });
    let plan = planned(&policy, &world, &everything(Mode::Enforce));
    assert_eq!(holds(&plan), [("bindings/incoming", "RoleTooPowerful")]);
}
