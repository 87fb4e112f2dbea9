//! Access that is there and ends soon: advice, from what is known of schedules and from nothing else.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::codes;
use crate::{
    evaluate::{
        Access, Effect, Evaluation, Finding, Standing,
        fixtures::{SHARED, World, failure, now, present, principal},
    },
    model::{Ends, FailureClass, Grant, Mark, Reading, Scope},
    policy::{
        Policy,
        fixtures::{SUBSCRIPTION, policy, queue},
    },
};

const RECEIVER: &str = "Azure Service Bus Data Receiver";
const OWNER: &str = "Azure Service Bus Data Owner";

/// A policy with one need: `shared` receives from one queue.
fn receiving() -> Policy {
    policy(|spec| spec.platform.host_storage = None)
}

fn in_days(days: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_hours(24 * days)).unwrap()
}

/// Some grants of a role at a scope, each with the day on which it ends; of `0` it is known that it stays.
fn granted(grants: &[(&str, Scope, i64)]) -> World {
    let mut world = World::without_grants(&receiving());
    let mut schedules = Vec::new();
    for (role, scope, days) in grants {
        let id = world.grant(SHARED, role, scope).id.clone();
        schedules.push((id.name().to_owned(), (*days != 0).then(|| in_days(*days))));
    }
    know(&mut world, schedules.into_iter().collect());
    world
}

fn know(world: &mut World, ends: Ends) {
    world.observed.ends.insert(SUBSCRIPTION.to_owned(), present(Arc::new(ends)));
}

fn evaluated(grants: &[(&str, Scope, i64)]) -> Evaluation {
    granted(grants).evaluate(&receiving())
}

fn end_of(evaluation: &Evaluation) -> Option<Timestamp> {
    assert!(matches!(evaluation.requirements[0].access, Access::Satisfied(_)), "{:?}", evaluation.requirements);
    match evaluation.findings.as_slice() {
        [] => None,
        [finding @ Finding::GrantEnds { ends, .. }] => {
            assert_eq!(finding.effect(), Effect::Advisory);
            Some(*ends)
        }
        others => panic!("{others:?}"),
    }
}

#[test]
fn the_only_grant_that_ends_within_two_weeks_is_told_and_nothing_drifts() {
    for (days, told) in [(1, true), (14, true), (15, false), (0, false)] {
        let evaluation = evaluated(&[(RECEIVER, queue(), days)]);
        assert_eq!(end_of(&evaluation), told.then(|| in_days(days)), "{days}");
        let standing = if told { Standing::CompliantWithFindings } else { Standing::Compliant };
        assert_eq!(evaluation.standing(), standing, "{days}");
        assert_eq!(evaluation.decision.cause, None);
    }
}

#[test]
fn a_grant_that_stays_takes_its_place_whatever_its_role_and_scope() {
    let group = queue().resource_group().unwrap();
    assert_eq!(end_of(&evaluated(&[(RECEIVER, queue(), 3), (OWNER, group.clone(), 0)])), None);
    assert_eq!(end_of(&evaluated(&[(RECEIVER, queue(), 3), (OWNER, group, 40)])), None);
}

#[test]
fn of_several_that_end_the_access_ends_with_the_last() {
    let above = queue().resource_group().unwrap();
    for days in [(3, 9), (9, 3)] {
        let evaluation = evaluated(&[(RECEIVER, queue(), days.0), (OWNER, above.clone(), days.1)]);
        assert_eq!(end_of(&evaluation), Some(in_days(9)));
    }
    // Another role that ends later is no access to the queue.
    assert_eq!(end_of(&evaluated(&[(RECEIVER, queue(), 3), ("Reader", above, 0)])), Some(in_days(3)));
}

#[test]
fn a_grant_that_is_still_there_after_its_known_end_was_prolonged() {
    for days in [-1, -30] {
        assert_eq!(end_of(&evaluated(&[(RECEIVER, queue(), days)])), None);
    }
}

#[test]
fn what_could_not_be_read_is_not_told_and_leaves_the_answer_as_it_is() {
    let mut world = granted(&[(RECEIVER, queue(), 3)]);
    let refused = failure(FailureClass::Rejected, "AadPremiumLicenseRequired");
    for reading in [Reading::Unreadable(refused), Reading::Absent { at: now() }] {
        world.observed.ends.insert(SUBSCRIPTION.to_owned(), reading);
        let evaluation = world.evaluate(&receiving());
        assert_eq!(evaluation.standing(), Standing::Compliant);
        assert!(evaluation.ask_ends.is_empty(), "it is asked once");
    }
}

#[test]
fn the_end_of_access_that_is_missing_or_young_is_not_told() {
    let mut world = granted(&[("Reader", queue(), 3)]);
    assert_eq!(codes(&world.evaluate(&receiving())), ["role-missing"]);
    world = granted(&[(RECEIVER, queue(), 3)]);
    world.each_list(|access| access.grants.iter_mut().for_each(|grant| grant.changed = Some(now())));
    assert_eq!(codes(&world.evaluate(&receiving())), ["propagating"]);
    // Whether a young grant takes the place of the one that ends is not in doubt.
    world = granted(&[(RECEIVER, queue(), 3), (OWNER, queue(), 0)]);
    let young = |grant: &mut Grant| grant.changed = Some(now());
    world.each_list(|access| access.grants.last_mut().into_iter().for_each(young));
    assert_eq!(end_of(&world.evaluate(&receiving())), None);
}

#[test]
fn a_groups_grant_may_take_its_place_and_is_asked_about() {
    let mut world = granted(&[(RECEIVER, queue(), 3)]);
    let of_group = world.group_grant(RECEIVER, &queue());
    let asked = world.evaluate(&receiving());
    assert_eq!(end_of(&asked), None, "nothing is said on doubt");
    let key = (principal(SHARED), SUBSCRIPTION.to_owned());
    assert!(asked.ask_groups.contains(&key));
    for (reaching, end) in [(vec![of_group], None), (vec![], Some(in_days(3)))] {
        world.observed.through_groups.insert(key.clone(), present(reaching));
        assert_eq!(end_of(&world.evaluate(&receiving())), end);
    }
}

#[test]
fn ends_are_asked_about_only_where_access_rests_on_what_others_granted() {
    let mut world = World::without_grants(&receiving());
    assert!(world.evaluate(&receiving()).ask_ends.is_empty(), "there is no access that could end");
    world.grant(SHARED, RECEIVER, &queue());
    let asked: Vec<_> = world.evaluate(&receiving()).ask_ends.into_iter().collect();
    assert_eq!(asked, [SUBSCRIPTION]);
    let ours = |grant: &mut Grant| grant.mark = Some(Mark { installation: None, policy: "payments/orders".to_owned() });
    world.each_list(|access| access.grants.iter_mut().for_each(ours));
    assert!(world.evaluate(&receiving()).ask_ends.is_empty(), "what Rolecall grants has no end");
    know(&mut world, Ends::default());
    assert!(world.evaluate(&receiving()).ask_ends.is_empty());
}
