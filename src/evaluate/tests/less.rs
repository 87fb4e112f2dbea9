//! Less evidence says no more (S10): whatever is drawn, and whatever of it is taken away.

use std::collections::BTreeSet;

use proptest::{prelude::*, test_runner::TestCaseError};

use super::{
    telemetry::is_decisive,
    verdict,
    worlds::{
        evidence,
        loss::{Loss, Losses, each_told, losses, silenced, silences, without},
        worlds,
    },
};
use crate::{
    evaluate::{
        Effect, Evaluation, Finding, Hypothesis, Reach, Verdict,
        fixtures::{minutes_ago, present},
    },
    model::Reading,
    policy::Origin,
};

/// What a finding says, of each thing in the policy that it is about: of less fewer of them may be told together.
fn told(finding: &Finding) -> BTreeSet<String> {
    let code = finding.code();
    let of_origins: BTreeSet<_> = finding.origins().iter().map(|origin| format!("{code} {origin}")).collect();
    if of_origins.is_empty() { BTreeSet::from([format!("{code} {}", finding.subject())]) } else { of_origins }
}

fn is_told_certainly(finding: &Finding) -> bool {
    finding.confirms() || finding.effect() == Effect::Drift
}

/// What is said of less is what is said of all, and no more.
fn says_no_more(whole: &Evaluation, partial: &Evaluation, lost: &Losses) -> Result<(), TestCaseError> {
    let known: BTreeSet<_> =
        whole.findings.iter().filter(|finding| is_told_certainly(finding)).flat_map(told).collect();
    // What hides the rest when it is known, and is not known any more: then the rest is told.
    let hides = |finding: &&Finding| match finding {
        // Known (`tests/it/diagnosis.rs`): where nobody can read whether a resource is there, the access to it is judged
        // as if it were.
        Finding::ResourceNotFound { .. } => lost.contains(&Loss::Resources),
        // Where all is denied it is not told what is missing besides. What is missing is so for certain, whether a group is
        // denied or not.
        Finding::AccessDenied { .. } => lost.contains(&Loss::Groups),
        _ => false,
    };
    let hidden: BTreeSet<&Origin> = whole.findings.iter().filter(hides).flat_map(Finding::origins).collect();
    let mut excused = BTreeSet::new();
    for finding in partial.findings.iter().filter(|finding| is_told_certainly(finding)) {
        let was_hidden = finding.origins().iter().any(|origin| hidden.contains(origin));
        if was_hidden && ["role-missing", "propagating", "access-denied"].contains(&finding.code()) {
            excused.extend(finding.hypothesis());
            continue;
        }
        prop_assert!(told(finding).is_subset(&known), "{finding:?} is not among {known:?}");
    }
    for one in &partial.decision.hypotheses {
        let (before, after) = (verdict(whole, one.hypothesis), one.verdict);
        let may_confirm = before == Verdict::Confirmed
            || excused.contains(&one.hypothesis)
            // Documented: telemetry decides what documents leave open, and fewer documents leave more open.
            || partial.signals.iter().any(|seen| seen.hypothesis == one.hypothesis && is_decisive(seen));
        prop_assert!(after != Verdict::Confirmed || may_confirm, "{:?} was {before:?}", one.hypothesis);
        let is_contrary = (before, after) == (Verdict::Confirmed, Verdict::Refuted);
        prop_assert!(!is_contrary, "{:?} was confirmed, and is refuted", one.hypothesis);
        // What telemetry opened is as it was before.
        let is_ruled_out = before != Verdict::Refuted && after == Verdict::Refuted && whole.signals.is_empty();
        // As if it were there: of access alone.
        let is_access = matches!(one.hypothesis, Hypothesis::H2 | Hypothesis::H3) && !hidden.is_empty();
        prop_assert!(!is_ruled_out || is_access, "{:?} was {before:?}, and is refuted", one.hypothesis);
    }
    for one in &partial.reached {
        let before = whole.reached.iter().find(|before| before.resource == one.resource).map(|before| &before.reach);
        let is_open = |reach: &Reach| matches!(reach, Reach::Open | Reach::Private(_));
        let is_known = match &one.reach {
            Reach::Undecided(_) => true,
            Reach::Open | Reach::Private(_) => before.is_none_or(is_open),
            Reach::Blocked(_) => before.is_none_or(|before| *before == one.reach),
        };
        prop_assert!(is_known, "{one:?} was {before:?}");
    }
    if let Some(cause) = partial.decision.cause {
        prop_assert_eq!(verdict(partial, cause), Verdict::Confirmed);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reading_that_fails_confirms_nothing_and_turns_nothing(drawn in worlds(), lost in losses()) {
        let policy = drawn.policy();
        let world = drawn.world(&policy);
        // An app that is gone ends the walk, and of one that could not be read it goes on.
        prop_assume!(world.observed.target.present().is_some() || !lost.contains(&Loss::Target));
        let (whole, partial) = (world.evaluate(&policy), without(&world, &policy, &lost).evaluate(&policy));
        says_no_more(&whole, &partial, &lost)?;
    }

    #[test]
    fn what_azure_leaves_out_without_a_word_confirms_nothing_and_turns_nothing(drawn in worlds(), lost in silences()) {
        let policy = drawn.policy();
        let world = drawn.world(&policy);
        let (whole, partial) = (world.evaluate(&policy), silenced(&world, &policy, &lost).evaluate(&policy));
        says_no_more(&whole, &partial, &lost)?;
    }

    #[test]
    fn telemetry_that_is_late_decides_nothing(drawn in worlds(), evidence in evidence(), ago in 16_i64..60) {
        let policy = drawn.policy();
        let mut world = drawn.world(&policy);
        world.observed.evidence = None;
        let without = world.evaluate(&policy);
        world.observed.evidence = Some(present(evidence.into()));
        each_told(&mut world.observed.evidence, |evidence| {
            if let Reading::Present { value, .. } = &mut evidence.recovery {
                value.newest = minutes_ago(ago);
            }
        });
        let late = world.evaluate(&policy);
        prop_assert_eq!(&late.decision.hypotheses, &without.decision.hypotheses);
        prop_assert_eq!(late.decision.cause, without.decision.cause);
    }
}
