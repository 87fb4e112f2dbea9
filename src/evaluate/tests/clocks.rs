//! H3: from when on what was granted is certain to act.

use jiff::{SignedDuration, Timestamp};

use super::{
    access::{RECEIVER, above, answer, receiving, world},
    verdict,
};
use crate::{
    evaluate::{
        Access, Hypothesis, Standing, Verdict, evaluate,
        fixtures::{SHARED, World, data, minutes_ago, now},
    },
    model::Scope,
    policy::fixtures::{policy, queue},
};

fn young(role: &str, at: &Scope, changed: Option<Timestamp>) -> Access {
    let mut world = world();
    world.grant(SHARED, role, at).changed = changed;
    answer(&world)
}

#[test]
fn a_grant_acts_for_certain_once_its_own_clock_has_run_out() {
    let management = Scope::parse("/providers/Microsoft.Management/managementGroups/mg-all").unwrap();
    let second = SignedDuration::from_secs(1);
    for (at, clock) in [(queue(), 5), (queue().resource_group().unwrap(), 5), (management, 6 * 60)] {
        let made = minutes_ago(clock);
        let propagating = young(RECEIVER, &at, Some(made.checked_add(second).unwrap()));
        let Access::Propagating { since, until, by } = propagating else { panic!("{at}: {propagating:?}") };
        assert_eq!((since, until), (made + second, now() + second), "{at}");
        assert_eq!(by[0].scope, at);
        assert!(matches!(young(RECEIVER, &at, Some(made)), Access::Satisfied(_)), "{at}: at the very instant");
        assert!(matches!(young(RECEIVER, &at, None), Access::Satisfied(_)), "{at}: a grant of unknown age is old");
    }
}

#[test]
fn a_young_grant_beside_an_old_one_does_not_matter_and_of_two_the_earlier_decides() {
    let mut world = world();
    world.grant(SHARED, RECEIVER, &queue()).changed = Some(minutes_ago(1));
    world.grant(SHARED, RECEIVER, &above(2)).changed = Some(minutes_ago(3));
    let Access::Propagating { since, .. } = answer(&world) else { panic!() };
    assert_eq!(since, minutes_ago(3));
    let evaluation = world.evaluate(&receiving());
    assert_eq!((evaluation.standing(), evaluation.decision.cause), (Standing::Propagating, Some(Hypothesis::H3)));
    assert_eq!(verdict(&evaluation, Hypothesis::H2), Verdict::Refuted, "the role is there");
    world.grant(SHARED, RECEIVER, &queue().resource_group().unwrap());
    assert!(matches!(answer(&world), Access::Satisfied(_)));
}

#[test]
fn time_alone_turns_propagating_into_satisfied() {
    let mut world = world();
    world.grant(SHARED, RECEIVER, &queue()).changed = Some(now());
    let after = |minutes| {
        let later = now() + SignedDuration::from_mins(minutes);
        evaluate(&receiving(), &world.observed, later).standing()
    };
    assert_eq!((after(0), after(4), after(5)), (Standing::Propagating, Standing::Propagating, Standing::Compliant));
}

#[test]
fn storage_has_a_longer_clock_than_messaging() {
    let policy = policy(|spec| spec.bindings.clear());
    let mut world = World::matching(&policy);
    world.each_list(|access| access.grants[0].changed = Some(minutes_ago(29)));
    assert_eq!(world.evaluate(&policy).standing(), Standing::Propagating);
    world.each_list(|access| access.grants[0].changed = Some(minutes_ago(30)));
    assert_eq!(world.evaluate(&policy).standing(), Standing::Compliant);
}

#[test]
fn a_custom_role_that_was_changed_starts_the_clock_of_every_grant_of_it() {
    let mut world = world();
    let receive = data(&["Microsoft.ServiceBus/*/receive/action"], &[]);
    let role = world.define("c0570111-0000-4000-8000-000000000008", "Our receiver", vec![receive]);
    world.grant_id(SHARED, role, &queue()).changed = Some(minutes_ago(600));
    let changed = |world: &mut World, at: Timestamp| {
        world.each_list(|access| access.roles.get_mut(&role).expect("it is defined").changed = Some(at));
    };
    assert!(matches!(answer(&world), Access::Satisfied(_)));
    changed(&mut world, minutes_ago(2));
    let Access::Propagating { since, until, .. } = answer(&world) else { panic!("it may not act yet") };
    assert_eq!((since, until), (minutes_ago(2), now() + SignedDuration::from_mins(3)));
    changed(&mut world, minutes_ago(5));
    assert!(matches!(answer(&world), Access::Satisfied(_)));
}
