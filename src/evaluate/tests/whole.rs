//! What holds in every whole world: verdicts rest on what they cite, and in no order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    telemetry::is_decisive,
    worlds::{
        loss::{each_told, losses, without},
        worlds,
    },
};
use crate::{
    evaluate::{Effect, Evaluation, Needed, Verdict, explain, fixtures::World},
    model::{Evidence, Reading},
};

/// What is said, in no order.
fn said(evaluation: &Evaluation) -> (String, BTreeSet<String>) {
    let Evaluation { decision, severity, requirements, reached, .. } = evaluation;
    let decided = format!("{decision:?} {severity:?} {requirements:?} {reached:?} {:?}", evaluation.standing());
    let told = evaluation.findings.iter().map(|finding| format!("{} {}", finding.code(), finding.subject()));
    let signals = evaluation.signals.iter().map(|seen| format!("{seen:?}"));
    let unresolved = evaluation.unresolved.iter().map(|one| format!("{one:?}"));
    (decided, told.chain(signals).chain(unresolved).collect())
}

/// The same world, every list in it the other way round.
fn turned(world: &World) -> World {
    let mut world = world.clone();
    world.each_list(|access| {
        access.grants.reverse();
        access.denies.reverse();
    });
    let seen = &mut world.observed;
    for vault in seen.vaults.values_mut() {
        if let Reading::Present { value, .. } = vault {
            value.entries.iter_mut().for_each(|entries| entries.reverse());
        }
    }
    for held in seen.through_groups.values_mut() {
        if let Reading::Present { value, .. } = held {
            value.reverse();
        }
    }
    if let Some(Reading::Present { value, .. }) = &mut seen.references {
        value.reverse();
    }
    each_told(&mut seen.evidence, |evidence| {
        let Evidence { dependencies, credentials, invocations, host, refused, .. } = evidence;
        for summary in [dependencies, credentials, invocations, host] {
            if let Reading::Present { value, .. } = summary {
                value.signals.reverse();
                value.top.reverse();
            }
        }
        if let Reading::Present { value, .. } = refused {
            value.reverse();
        }
    });
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_no_list_matters_and_the_same_world_is_judged_the_same(drawn in worlds(), lost in losses()) {
        let policy = drawn.policy();
        let world = without(&drawn.world(&policy), &policy, &lost);
        let evaluation = world.evaluate(&policy);
        prop_assert_eq!(said(&evaluation), said(&turned(&world).evaluate(&policy)));
        prop_assert_eq!(format!("{evaluation:?}"), format!("{:?}", world.evaluate(&policy)));
    }

    #[test]
    fn each_verdict_cites_what_it_rests_on(drawn in worlds(), lost in losses()) {
        let policy = drawn.policy();
        let world = without(&drawn.world(&policy), &policy, &lost);
        let evaluation = world.evaluate(&policy);
        for case in explain(&policy, &world.observed, &evaluation).cases {
            let is_decided = case.telemetry.iter().any(is_decisive);
            let is_cited = match case.verdict {
                Verdict::Confirmed => {
                    let only_of_history = case.needed.iter().all(|it| matches!(it, Needed::History(_)));
                    (!case.confirming.is_empty() || is_decided) && only_of_history
                }
                Verdict::Refuted => case.confirming.is_empty() && !case.disproving.is_empty() && case.needed.is_empty(),
                Verdict::Open | Verdict::NotExamined => !case.needed.is_empty(),
            };
            prop_assert!(is_cited, "{case:?}");
            let confirming = evaluation.findings.iter().any(|finding| {
                finding.hypothesis() == Some(case.hypothesis) && finding.confirms()
            });
            prop_assert!(!confirming || case.verdict == Verdict::Confirmed, "{case:?}");
            prop_assert!(case.verdict != Verdict::Confirmed || confirming || is_decided, "{case:?}");
            let doubtful = evaluation.findings.iter().any(|finding| {
                finding.hypothesis() == Some(case.hypothesis) && finding.effect() == Effect::Unknown
            });
            prop_assert!(!(doubtful && case.verdict == Verdict::Refuted), "{case:?}");
        }
    }
}
