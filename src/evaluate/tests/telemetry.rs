//! What telemetry may move, and what it may not.

use proptest::prelude::*;

use super::{
    verdict,
    worlds::{evidence, worlds},
};
use crate::evaluate::{
    Answer, Hypothesis, Question, Recovered, Side, SignalSeen, Verdict,
    fixtures::{now, present},
    recovered,
};

/// The words of services that have one reason (`docs/diagnosis.md`), each with what it decides.
const DECISIVE: [(&str, Hypothesis); 6] = [
    ("other-identity-refused", Hypothesis::H1),
    ("audience", Hypothesis::H5),
    ("vault-firewall", Hypothesis::H6),
    ("namespace-firewall", Hypothesis::H6),
    ("cosmos-firewall", Hypothesis::H6),
    ("no-such-host", Hypothesis::H6),
];

pub fn is_decisive(seen: &SignalSeen) -> bool {
    seen.side == Side::For && DECISIVE.contains(&(seen.signal.as_str(), seen.hypothesis))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn telemetry_decides_what_is_open_by_words_of_one_reason_and_opens_what_nothing_explains(
        drawn in worlds(),
        evidence in evidence(),
    ) {
        let policy = drawn.policy();
        let mut world = drawn.world(&policy);
        world.observed.evidence = None;
        let without = world.evaluate(&policy);
        world.observed.evidence = Some(present(evidence.clone().into()));
        let with = world.evaluate(&policy);
        prop_assert_eq!(&with.findings, &without.findings);
        prop_assert_eq!(&with.reached, &without.reached);
        let is_refused = matches!(
            recovered(&evidence, now()),
            Recovered::Refused { .. } | Recovered::Unanswered { .. }
        );
        let newest = evidence.recovery.present().map(|figures| figures.newest);
        let is_recent = |seen: &SignalSeen| newest.is_some_and(|newest| newest.duration_since(seen.last).as_mins() < 15);
        for one in &with.decision.hypotheses {
            let (before, after) = (verdict(&without, one.hypothesis), one.verdict);
            let mut recent = with.signals.iter().filter(|it| it.hypothesis == one.hypothesis && is_recent(it));
            let may_move = match (before, after) {
                (before, after) if before == after => continue,
                (Verdict::Open | Verdict::NotExamined, Verdict::Confirmed) => recent.any(is_decisive),
                (Verdict::Refuted, Verdict::Open) => {
                    with.decision.cause.is_none()
                        && recent.any(|seen| seen.side == Side::For && seen.ambiguous.is_none())
                }
                _ => false,
            };
            prop_assert!(may_move && is_refused, "{:?} was {before:?}, and is {after:?}", one.hypothesis);
        }
        let first = with.decision.hypotheses.iter().find(|one| one.verdict == Verdict::Confirmed);
        prop_assert_eq!(with.decision.cause, first.map(|one| one.hypothesis));
        for (before, after) in without.decision.path.iter().zip(&with.decision.path) {
            prop_assert_eq!(before.question, after.question);
            let may_differ = [Question::AudienceRight, Question::ServiceReachable].contains(&before.question);
            prop_assert!(before == after || (may_differ && after.answer == Answer::No), "{before:?}, {after:?}");
        }
        // It makes nothing less grave.
        prop_assert!(without.severity.is_none_or(|before| with.severity.is_some_and(|after| after <= before)));
    }
}
