//! Access that is there and ends soon, because Privileged Identity Management gave it for a time.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Access, DecidingGrant, Question};
use crate::{
    evaluate::{Evaluated, operation::Ways},
    model::{Ends, Grant, Observed},
};

/// How long before its end a grant is spoken of: time to ask for another and to have it approved.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

impl Question<'_> {
    /// When access ends that is satisfied now; none when it does not within two weeks, or when that is not known.
    pub(super) fn ends(&self, asked: &[Ways]) -> Option<Timestamp> {
        let ends = self.known_ends().filter(|ends| !ends.is_empty())?;
        let last = self.now.saturating_add(SOON).unwrap_or(Timestamp::MAX);
        let soon: BTreeSet<_> = self.reaching().filter_map(|grant| ends.of(grant)).collect();
        // What has ended by a list from before, and is held all the same, was prolonged.
        let soon = soon.into_iter().filter(|end| *end > self.now && *end <= last);
        // What is undecided or young then may well be access.
        soon.into_iter().find(|end| {
            let then = Question { ended_by: Some(*end), ..*self };
            matches!(then.answer(asked), Access::Missing(_))
        })
    }

    /// Whether the grant is one of those that end by the moment that is asked about.
    pub(super) fn is_over(&self, grant: &Grant) -> bool {
        let end = || self.known_ends()?.of(grant);
        self.ended_by.is_some_and(|moment| end().is_some_and(|end| end > self.now && end <= moment))
    }

    fn known_ends(&self) -> Option<&Ends> {
        self.observed.ends.get(self.scope.subscription()?)?.present().map(|ends| &**ends)
    }
}

/// The subscriptions whose time-bound grants would have to be known, and were not asked about. What Rolecall granted is
/// no reason: a role assignment with its mark was made without an end.
pub(in crate::evaluate) fn unasked(requirements: &[Evaluated], observed: &Observed) -> BTreeSet<String> {
    let of_others = |evaluated: &Evaluated, deciding: &DecidingGrant| {
        let (access, principal) = (observed.access_at(&evaluated.scope).ok(), evaluated.principal);
        let mut reaching = access.zip(principal).into_iter().flat_map(|(it, who)| it.grants.that_may_reach(who));
        reaching.any(|grant| grant.id == deciding.id && grant.mark.is_none())
    };
    let open = |evaluated: &&Evaluated| match &evaluated.access {
        Access::Satisfied(by) => by.iter().any(|deciding| of_others(evaluated, deciding)),
        _ => false,
    };
    let subscriptions = requirements.iter().filter(open).filter_map(|evaluated| evaluated.scope.subscription());
    subscriptions.filter(|id| !observed.ends.contains_key(*id)).map(str::to_owned).collect()
}
