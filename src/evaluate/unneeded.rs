//! Grants of our own making that nothing declares any more. What others made is never looked at here.
//!
//! A grant is spared on any doubt: it counts as unneeded only when every live policy has what it needs without it.

use std::{cell::RefCell, collections::BTreeSet};

use jiff::Timestamp;

use super::{
    Access, Finding,
    access::Question,
    operation::{has_part_in, operations},
};
use crate::{
    model::{Grant, Observed, Owner, Reading, Scope, SubscriptionAccess},
    policy::{Claim, Claims, Policy},
};

/// Why a grant of ours stays although the policy does not need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Other policies need it: those of the same namespace by name, all others together.
    Required {
        /// Names in the policy's own namespace.
        by: Vec<String>,
        /// Whether a policy of another namespace needs it.
        elsewhere: bool,
    },
    /// Whether somebody needs it cannot be told.
    Undecided(&'static str),
}

/// The findings about grants of `owner` that are this policy's to answer for and that it does not need: those made for
/// it, and those that its identities hold and whose own policy is gone. `may_tell` keeps what lies outside of the
/// policy's boundary out.
#[must_use]
pub fn unneeded(
    policy: &Policy,
    owner: &Owner,
    claims: &Claims,
    observed: &Observed,
    now: Timestamp,
    may_tell: impl Fn(&Scope) -> bool,
) -> Vec<Finding> {
    let name = policy.full_name();
    let own_principals: BTreeSet<_> =
        claims.needs.iter().filter(|claim| claim.policy == name).filter_map(|claim| claim.principal).collect();
    let is_ours_to_answer_for = |grant: &Grant| {
        let made_for = grant.mark.as_ref().map(|mark| mark.policy.as_str()).unwrap_or_default();
        let orphaned = !claims.live.contains(made_for) && own_principals.contains(&grant.principal);
        owner.owns(grant) && (made_for == name || orphaned) && may_tell(&grant.scope)
    };
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let own = name.as_str();
    for access in observed.access.values().filter_map(Reading::present) {
        let candidates: Vec<&Grant> = access.grants.iter().filter(|grant| is_ours_to_answer_for(grant)).collect();
        let mut candidates: Vec<&Grant> = candidates.into_iter().filter(|grant| seen.insert(&grant.id)).collect();
        candidates.sort_by(|one, other| one.id.cmp(&other.id));
        let declared: Vec<_> = candidates.iter().map(|grant| declaring(grant, claims, access)).collect();
        // The needs are asked without all that nobody declares: two that stand in for each other are not both needed
        // because of each other. What is declared to the letter stays, and may take over from them.
        let leaving = candidates.iter().zip(&declared).filter(|(_, names)| names.is_empty());
        let remaining = without(access, &leaving.map(|(grant, _)| &grant.id).collect());
        for (grant, declared) in candidates.into_iter().zip(declared) {
            let touching = claims.needs.iter().filter(|claim| declared.is_empty() && touches(grant, claim, access));
            let answers: Vec<_> =
                touching.map(|claim| (claim, answer(grant, claim, observed, &remaining, now))).collect();
            let needing = answers.iter().filter(|(_, answer)| *answer == Answer::Needs);
            let needing: BTreeSet<&str> =
                needing.map(|(claim, _)| claim.policy.as_str()).chain(declared.iter().copied()).collect();
            if needing.contains(own) {
                continue;
            }
            let same_namespace = |other: &&str| other.split('/').next() == Some(policy.namespace.as_str());
            let kept = if !needing.is_empty() {
                let by = needing.iter().copied().filter(same_namespace).map(str::to_owned).collect();
                Some(Kept::Required { by, elsewhere: needing.iter().any(|other| !same_namespace(other)) })
            } else if answers.iter().any(|(_, answer)| *answer == Answer::CannotTell) {
                Some(Kept::Undecided("whether a policy needs it cannot be told from what was read"))
            } else if grant.scope.subscription().is_some_and(|id| claims.unparsed.contains(id)) {
                Some(Kept::Undecided("a policy about that subscription is invalid, so what it needs is not known"))
            } else {
                None
            };
            let role = access.roles.get(&grant.role);
            let role = role.map_or_else(|| grant.role.to_string(), |role| role.name.clone());
            let beside = remaining.grants.held_by(grant.principal).filter(|other| other.id != grant.id);
            let beside = beside.filter(|other| !other.is_conditioned() && other.scope.reaches(&grant.scope));
            let beside = beside.map(|other| other.id.clone()).collect();
            findings.push(Finding::UnneededGrant { grant: Box::new(grant.clone()), role, beside, kept });
        }
    }
    findings
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Needs,
    DoesNot,
    CannotTell,
}

/// Whether the grant could have a part in meeting the need, whoever it names.
fn touches(grant: &Grant, claim: &Claim, access: &SubscriptionAccess) -> bool {
    if !grant.scope.reaches(&claim.requirement.scope) {
        return false;
    }
    let Some(role) = access.roles.get(&grant.role) else { return true };
    let Some((_, asked)) = operations(&claim.requirement.wanted, access) else { return true };
    let mut asked = asked.iter().flatten().flatten();
    asked.any(|operation| role.permissions.iter().any(|entry| has_part_in(entry, operation)))
}

fn answer(grant: &Grant, claim: &Claim, observed: &Observed, remaining: &SubscriptionAccess, now: Timestamp) -> Answer {
    match claim.principal {
        Some(principal) if principal != grant.principal => return Answer::DoesNot,
        Some(_) => {}
        None => return Answer::CannotTell,
    }
    let Some((_, asked)) = operations(&claim.requirement.wanted, remaining) else { return Answer::CannotTell };
    let scope = &claim.requirement.scope;
    let nobody_is_asked = RefCell::default();
    let question = Question {
        principal: grant.principal,
        scope,
        access: remaining,
        observed,
        now,
        ended_by: None,
        ask_groups: &nobody_is_asked,
    };
    match question.answer(&asked) {
        Access::Satisfied(_) => Answer::DoesNot,
        // What takes over is too young, or is not there: also a need that is half met keeps its half.
        Access::Propagating { .. } | Access::Missing(_) | Access::Denied(_) => Answer::Needs,
        Access::Unknown(_) | Access::NoPrincipal | Access::NoResource => Answer::CannotTell,
    }
}

/// The policies that would have exactly this grant made if it were not there.
fn declaring<'a>(grant: &Grant, claims: &'a Claims, access: &SubscriptionAccess) -> BTreeSet<&'a str> {
    let declares = |claim: &&Claim| {
        claim.principal == Some(grant.principal)
            && claim.requirement.scope == grant.scope
            && operations(&claim.requirement.wanted, access).is_some_and(|(role, _)| role.id == grant.role)
    };
    claims.needs.iter().filter(declares).map(|claim| claim.policy.as_str()).collect()
}

fn without(access: &SubscriptionAccess, leaving: &BTreeSet<&Scope>) -> SubscriptionAccess {
    let grants = access.grants.iter().filter(|grant| !leaving.contains(&grant.id)).cloned().collect();
    SubscriptionAccess { grants, roles: access.roles.clone(), denies: access.denies.clone() }
}

#[cfg(test)]
mod tests;
