//! What holds for every policy, boundary and world.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{ALL, CONTRIBUTOR, RECEIVER, boundary, planned};
use crate::{
    api::{ChangeKind, Mode},
    evaluate::fixtures::{World, failure, principal_of, role_id},
    model::{FailureClass, Reading, Scope, TargetKind},
    plan::{Change, Plan},
    policy::{
        Policy, Wanted,
        fixtures::{app, host_account, own, policy, queue, shared, trigger, user},
    },
};

const MODES: [Mode; 3] = [Mode::Report, Mode::DryRun, Mode::Enforce];

/// Everything that is drawn: the policy's switches, the boundary's, and what is broken in the world.
#[derive(Clone, Debug)]
struct Case {
    target: TargetKind,
    mode: usize,
    max_mode: usize,
    suspended: bool,
    allow: Vec<ChangeKind>,
    changes: Vec<ChangeKind>,
    max_changes: u32,
    roles: Vec<&'static str>,
    scopes: Vec<Scope>,
    kept_grants: u8,
    no_system: bool,
    detached: bool,
    unreadable: u8,
}

fn case() -> impl Strategy<Value = Case> {
    let scopes = vec![app(), shared(), queue(), host_account(), app().resource_group().unwrap()];
    let kinds = || prop::sample::subsequence(ALL.to_vec(), 0..=3);
    let roles = prop::sample::subsequence(vec![RECEIVER, CONTRIBUTOR, "Reader", "Owner"], 0..=4);
    let target = prop::sample::select(vec![TargetKind::App, TargetKind::ContainerApp]);
    let switches = (target, 0..3_usize, 0..3_usize, prop::bool::weighted(0.2), kinds(), kinds(), 0_u32..5);
    let world = (any::<u8>(), any::<bool>(), any::<bool>(), prop_oneof![3 => Just(0_u8), 1 => any::<u8>()]);
    (switches, roles, prop::sample::subsequence(scopes, 0..=5), world).prop_map(|(switches, roles, scopes, world)| {
        let (target, mode, max_mode, suspended, allow, changes, max_changes) = switches;
        let (kept_grants, no_system, detached, unreadable) = world;
        Case {
            target,
            mode,
            max_mode,
            suspended,
            allow,
            changes,
            max_changes,
            roles,
            scopes,
            kept_grants,
            no_system,
            detached,
            unreadable,
        }
    })
}

fn declared(case: &Case) -> Policy {
    policy(|spec| {
        if case.target == TargetKind::ContainerApp {
            spec.resources.insert("app".to_owned(), "Microsoft.App/containerApps/ca-orders".to_owned());
        }
        spec.mode = MODES[case.mode];
        spec.suspend = case.suspended;
        spec.remediation.allow.clone_from(&case.allow);
        spec.remediation.max_changes = case.max_changes;
        user(spec, "spare", "second");
        trigger(spec, "again", "serviceBusTrigger", "bus", "queues/again", "spare");
        trigger(spec, "clicks", "eventHubTrigger", "hub", "eventhubs/clicks", "system");
    })
}

fn world(case: &Case, policy: &Policy) -> World {
    let mut world = World::matching(policy);
    world.each_list(|access| {
        let mut at = 0;
        access.grants.retain(|_| {
            at += 1;
            case.kept_grants & (1 << (at % 8)) != 0
        });
    });
    if case.no_system {
        world.site().system = crate::model::SystemAssigned::Off;
    }
    if case.detached {
        world.site().attached.pop_first();
    }
    let lost = || failure(FailureClass::Transient, "TransportError");
    if case.unreadable & 1 != 0 {
        world.observed.access.values_mut().for_each(|list| *list = Reading::Unreadable(lost()));
    }
    if case.unreadable & 2 != 0 {
        world.observed.user.insert(shared(), Reading::Unreadable(lost()));
    }
    if case.unreadable & 4 != 0 {
        world.observed.unwitnessed.insert(queue(), lost());
    }
    if case.unreadable & 8 != 0 {
        world.observed.target = Reading::Unreadable(lost());
    }
    world
}

fn made(case: &Case) -> (Policy, World, Plan) {
    let policy = declared(case);
    let world = world(case, &policy);
    let authority = boundary(MODES[case.max_mode], &case.scopes, &case.roles, &case.changes);
    let plan = planned(&policy, &world, &authority);
    (policy, world, plan)
}

/// The triples that the policy asks for.
fn asked(policy: &Policy) -> BTreeSet<(String, String, Scope)> {
    let asked = policy.requirements.iter().map(|one| {
        let Wanted::Need(row) = &one.wanted else { panic!("only triggers are declared") };
        let who = principal_of(policy, &one.identity).to_string();
        (who, role_id(&row.role).to_string(), one.scope.clone())
    });
    asked.collect()
}

proptest! {
    #[test]
    fn in_report_and_while_suspended_there_is_no_step(case in case()) {
        let (policy, _, plan) = made(&case);
        if policy.mode == Mode::Report || MODES[case.max_mode] == Mode::Report || policy.suspended {
            prop_assert!(plan.steps.is_empty());
        }
        prop_assert!(plan.mode <= policy.mode, "a boundary never widens");
        prop_assert!(!plan.may_write() || (plan.mode == Mode::Enforce && policy.mode == Mode::Enforce));
    }

    #[test]
    fn every_step_is_declared_allowed_and_inside_one_boundary(case in case()) {
        let (policy, _, plan) = made(&case);
        let inside = |scope: &Scope| case.scopes.iter().any(|own| own.reaches(scope));
        prop_assert!(plan.steps.iter().map(|step| step.kinds().len()).sum::<usize>() <= policy.max_changes);
        for step in &plan.steps {
            for kind in step.kinds() {
                prop_assert!(policy.allow.contains(&kind) && case.changes.contains(&kind), "{:?}", kind);
            }
            match &step.change {
                Change::Grant(grant) => {
                    let triple = (grant.principal.to_string(), grant.role.id.to_string(), grant.scope.clone());
                    prop_assert!(asked(&policy).contains(&triple), "{:?} is not declared", grant);
                    prop_assert!(inside(&grant.scope));
                    prop_assert!(case.roles.iter().any(|role| role_id(role) == grant.role.id));
                }
                Change::Identity(change) => {
                    prop_assert!(inside(&change.target) && change.attach.iter().all(inside));
                    prop_assert!(change.attach.iter().all(|id| policy.user.contains(id)));
                }
                Change::AddEntry(_)
                | Change::Switch(_)
                | Change::Revoke(_)
                | Change::Reattach(_)
                | Change::Restart(_)
                | Change::Refresh { .. } => {
                    prop_assert!(false, "nothing in these worlds calls for it");
                }
            }
        }
    }

    #[test]
    fn no_identity_is_ever_detached(case in case()) {
        let (_, world, plan) = made(&case);
        for step in &plan.steps {
            let Change::Identity(_) = &step.change else { continue };
            let site = world.observed.target.present().unwrap();
            let identity = &step.request.body["identity"];
            for id in site.attached.keys() {
                prop_assert!(identity["userAssignedIdentities"].get(id.as_str()).is_some(), "{} is dropped", id);
            }
            let kind = identity["type"].as_str().unwrap();
            prop_assert!(!site.system.is_enabled() || kind.starts_with("SystemAssigned"), "{}", kind);
            prop_assert!(case.target == TargetKind::App || !kind.contains(' '), "{} has a space", kind);
        }
    }

    #[test]
    fn no_step_rests_on_what_could_not_be_read(case in case()) {
        let (_, world, plan) = made(&case);
        for step in &plan.steps {
            prop_assert!(world.observed.target.present().is_some());
            match &step.change {
                Change::Grant(grant) => prop_assert!(world.observed.access_at(&grant.scope).is_ok()),
                Change::Identity(change) => {
                    let readable = |id| world.observed.user[id].present().is_some();
                    prop_assert!(change.attach.iter().all(readable));
                }
                Change::AddEntry(_)
                | Change::Switch(_)
                | Change::Revoke(_)
                | Change::Reattach(_)
                | Change::Restart(_)
                | Change::Refresh { .. } => {
                    prop_assert!(false, "nothing in these worlds calls for it");
                }
            }
        }
    }

    #[test]
    fn every_missing_role_is_a_step_or_a_hold_and_no_grant_comes_twice(case in case()) {
        let (policy, world, plan) = made(&case);
        let evaluation = world.evaluate(&policy);
        let spoken: Vec<_> = plan.held.iter().map(|held| held.subject.clone()).chain(super::subjects(&plan)).collect();
        for finding in &evaluation.findings {
            prop_assert!(
                finding.subject().split(", ").all(|one| spoken.iter().any(|said| said.split(", ").any(|said| said == one))),
                "nothing is said about {}",
                finding.subject()
            );
        }
        let mut paths = BTreeSet::new();
        prop_assert!(plan.steps.iter().all(|step| paths.insert(step.request.path.to_lowercase())));
    }
}

#[test]
fn the_cases_are_worth_drawing() {
    // A property over plans that are always empty would prove nothing.
    let case = Case {
        target: TargetKind::App,
        mode: 2,
        max_mode: 2,
        suspended: false,
        allow: ALL.to_vec(),
        changes: ALL.to_vec(),
        max_changes: 9,
        roles: vec![RECEIVER, CONTRIBUTOR],
        scopes: vec![own("Microsoft.Web/sites/func-orders").resource_group().unwrap()],
        kept_grants: 0,
        no_system: false,
        detached: true,
        unreadable: 0,
    };
    assert_eq!(made(&case).2.steps.len(), 4);
}
