//! Adds what the app's identities hold beyond what is declared.

use std::collections::BTreeSet;

use super::{Leave, live};
use crate::{
    evaluate::{self, Evaluation, Finding},
    model::{Observed, Scope},
    policy::{Policy, Verdict},
};

/// What the app's identities hold beyond what is declared. Costs no request; other policies are looked at only for
/// the sake of an identity that may be theirs too.
pub(super) fn add(
    policy: &Policy,
    observed: &Observed,
    verdict: &Verdict,
    leave: &impl Leave,
    evaluation: &mut Evaluation,
) {
    let spoken_of = evaluation.findings.iter().filter_map(|finding| match finding {
        Finding::UnneededGrant { grant, .. } => Some(grant.id.clone()),
        _ => None,
    });
    let spoken_of: BTreeSet<Scope> = spoken_of.collect();
    let may_tell = |scope: &Scope| verdict.may_tell(scope);
    let judge = |others: Option<&[Policy]>| evaluate::excess(policy, others, observed, &spoken_of, may_tell);
    // With nobody else to need it, everything that could be too much is: when that is nothing, nobody is looked for.
    let alone = judge(Some(&[]));
    let (findings, untold) = if alone.0.is_empty() || policy.user.is_empty() {
        alone
    } else {
        let neighbours = live::neighbours(leave, policy);
        judge(neighbours.as_deref())
    };
    evaluation.findings.extend(findings);
    evaluation.untold = untold;
}
