//! What holds in every world.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    codes,
    worlds::grants::{DrawnGrant, add, grants},
};
use crate::{
    evaluate::{
        Access, Effect, Evaluation, Hypothesis, Standing, Verdict, explain,
        fixtures::{SYSTEM, World, data, failure, now},
    },
    model::{FailureClass, Reading},
    policy::{
        Policy,
        fixtures::{host_account, kv, policy, queue, trigger, vault},
    },
};

fn declared() -> Policy {
    policy(|spec| {
        trigger(spec, "clicks", "eventHubTrigger", "hub", "eventhubs/clicks", "system");
        vault(spec, "RBAC", "shared", &["get", "list"]);
    })
}

/// What can be broken or odd about a world, as a set of bits.
fn disturb(world: &mut World, what: u16) {
    let denied = || failure(FailureClass::Denied, "AuthorizationFailed");
    let bit = |position: u16| what & (1 << position) != 0;
    if bit(0) {
        world.observed.unwitnessed.insert(queue(), denied());
    }
    if bit(1) {
        world.observed.user.values_mut().for_each(|reading| *reading = Reading::Unreadable(denied()));
    }
    if bit(2) {
        world.observed.vaults.insert(kv(), Reading::Unreadable(denied()));
    }
    if bit(3) {
        world.deny("locked", &host_account(), SYSTEM, data(&["*/delete"], &[]));
    }
    if bit(4) {
        world.site().system = crate::model::SystemAssigned::Off;
    }
    if bit(5) {
        world.site().attached.clear();
    }
    if bit(6) {
        world.observed.vaults.insert(kv(), Reading::Absent { at: now() });
    }
    if bit(7) {
        world.observed.target = Reading::Unreadable(denied());
    }
    if bit(8) {
        world.observed.target = Reading::Absent { at: now() };
    }
    if bit(9) {
        world.observed.vaults.clear();
    }
}

fn drawn_world(policy: &Policy, grants: &[DrawnGrant], matching: bool, what: u16) -> World {
    let mut world = if matching { World::matching(policy) } else { World::without_grants(policy) };
    for drawn in grants {
        add(&mut world, drawn);
    }
    disturb(&mut world, what);
    world
}

/// Everything that an evaluation says.
fn said(evaluation: &Evaluation) -> String {
    format!("{evaluation:?}")
}

proptest! {
    #[test]
    fn adding_a_grant_never_turns_satisfied_into_anything_else(grants in grants(), more in grants(), what in 0_u16..8) {
        let policy = declared();
        let before = drawn_world(&policy, &grants, false, what);
        let mut after = before.clone();
        for drawn in &more {
            add(&mut after, drawn);
        }
        let (before, after) = (before.evaluate(&policy), after.evaluate(&policy));
        for (before, after) in before.requirements.iter().zip(&after.requirements) {
            if matches!(before.access, Access::Satisfied(_)) {
                prop_assert!(matches!(after.access, Access::Satisfied(_)), "{before:?} became {after:?}");
            }
            if matches!(after.access, Access::Missing(_)) {
                prop_assert!(matches!(before.access, Access::Missing(_)), "{before:?} became {after:?}");
            }
        }
    }

    #[test]
    fn an_unreadable_access_list_never_yields_a_missing_role(grants in grants(), what in 0_u16..1024) {
        let policy = declared();
        let mut world = drawn_world(&policy, &grants, false, what);
        let lost = failure(FailureClass::Transient, "TransportError");
        world.observed.access.values_mut().for_each(|list| *list = Reading::Unreadable(lost.clone()));
        let evaluation = world.evaluate(&policy);
        prop_assert!(!codes(&evaluation).contains(&"role-missing"));
        prop_assert!(evaluation.standing() != Standing::Compliant);
    }

    #[test]
    fn the_order_of_grants_and_denials_does_not_matter(
        grants in grants(),
        what in 0_u16..1024,
        matching in any::<bool>(),
        turn in 0_usize..14,
    ) {
        let policy = declared();
        let mut world = drawn_world(&policy, &grants, matching, what);
        world.deny("another", &host_account(), SYSTEM, data(&["*/delete"], &[]));
        let mut turned = world.clone();
        turned.each_list(|access| {
            access.denies.reverse();
            access.grants.reverse();
            let by = turn % access.grants.len().max(1);
            access.grants.rotate_left(by);
        });
        prop_assert_eq!(said(&world.evaluate(&policy)), said(&turned.evaluate(&policy)));
        prop_assert_eq!(said(&world.evaluate(&policy)), said(&world.evaluate(&policy)));
    }

    #[test]
    fn no_verdict_contradicts_the_evidence(grants in grants(), matching in any::<bool>(), what in 0_u16..1024) {
        let policy = declared();
        let world = drawn_world(&policy, &grants, matching, what);
        let evaluation = world.evaluate(&policy);
        for case in explain(&policy, &world.observed, &evaluation).cases {
            let is_cited = match case.verdict {
                Verdict::Confirmed => !case.confirming.is_empty() && case.needed.is_empty(),
                Verdict::Refuted => case.confirming.is_empty() && !case.disproving.is_empty() && case.needed.is_empty(),
                Verdict::Open | Verdict::NotExamined => case.confirming.is_empty() && !case.needed.is_empty(),
            };
            prop_assert!(is_cited, "{:?}", case);
        }
        let accesses = || evaluation.requirements.iter().map(|one| &one.access);
        for one in &evaluation.decision.hypotheses {
            let confirming = evaluation.findings.iter().any(|finding| {
                finding.hypothesis() == Some(one.hypothesis) && finding.effect() != Effect::Unknown
            });
            prop_assert_eq!(one.verdict == Verdict::Confirmed, confirming, "{:?}", one);
        }
        let verdict = |which| super::verdict(&evaluation, which);
        if verdict(Hypothesis::H2) == Verdict::Refuted {
            let held = |access| matches!(access, &Access::Satisfied(_) | &Access::Propagating { .. });
            prop_assert!(accesses().all(held));
        }
        if verdict(Hypothesis::H3) == Verdict::Refuted {
            prop_assert!(accesses().all(|access| matches!(access, Access::Satisfied(_) | Access::Missing(_))));
        }
        if evaluation.decision.cause == Some(Hypothesis::H2) {
            prop_assert!(codes(&evaluation).contains(&"role-missing"));
            prop_assert!(verdict(Hypothesis::H1) != Verdict::Confirmed, "an earlier link dominates");
        }
        let missing = evaluation.requirements.iter().filter(|one| matches!(one.access, Access::Missing(_)));
        let missing: BTreeSet<_> = missing.map(|one| (&one.principal, &one.role, &one.scope)).collect();
        prop_assert_eq!(missing.len(), codes(&evaluation).iter().filter(|code| **code == "role-missing").count());
    }

    #[test]
    fn compliant_means_that_everything_was_read_and_is_there(
        grants in grants(),
        matching in any::<bool>(),
        what in prop_oneof![Just(0_u16), 0_u16..1024],
    ) {
        let policy = declared();
        let world = drawn_world(&policy, &grants, matching, what);
        let evaluation = world.evaluate(&policy);
        if evaluation.standing() == Standing::Compliant {
            prop_assert!(evaluation.requirements.iter().all(|one| matches!(one.access, Access::Satisfied(_))));
            prop_assert!(evaluation.requirements.len() >= policy.requirements.len());
            prop_assert!(world.observed.target.present().is_some());
            prop_assert!(policy.user.iter().all(|id| world.observed.user[id].present().is_some()));
            prop_assert!(policy.vaults.iter().all(|one| world.observed.vaults[&one.vault].present().is_some()));
            prop_assert!(evaluation.ask_groups.is_empty() && evaluation.decision.cause.is_none());
        }
    }
}
