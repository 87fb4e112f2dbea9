//! Effective access inside a Cosmos DB account: its own role assignments, by the same three answers.

use std::collections::BTreeSet;

use super::{Access, DecidingGrant, Finding};
use crate::{
    catalog::{Need, binding::Right},
    model::{
        Observed, PrincipalId, Reading, Scope,
        cosmos::{CosmosAccess, CosmosGrant, account_of},
    },
    policy::{Requirement, subject_of},
};

/// The answer for one requirement; what is wrong goes to `findings`.
pub(super) fn evaluate_need(
    requirement: &Requirement,
    need: &Need,
    principal: PrincipalId,
    observed: &Observed,
    findings: &mut Vec<Finding>,
) -> Access {
    let Requirement { origins, identity, scope, wanted: _ } = requirement;
    let account = account_of(scope);
    let unreadable = match observed.cosmos.get(&account) {
        Some(Reading::Present { value, .. }) => {
            let access = answer(need, scope, &account, principal, value, &observed.identities);
            let (origins, identity, scope, role) =
                (origins.clone(), identity.clone(), scope.clone(), need.role.clone());
            match &access {
                Access::Missing(missing) => findings.push(Finding::CosmosRoleMissing {
                    origins,
                    identity,
                    principal,
                    role,
                    scope,
                    missing: missing.clone(),
                }),
                Access::Unknown(because) => {
                    let because = because.clone();
                    findings.push(Finding::AccessUndecided { origins, identity, role, scope, because });
                }
                Access::Satisfied(_)
                | Access::Propagating { .. }
                | Access::Denied(_)
                | Access::NoPrincipal
                | Access::NoResource => {}
            }
            return access;
        }
        Some(Reading::Unreadable(failure)) => failure.clone(),
        // One that does not exist has its own finding.
        Some(Reading::Absent { .. }) | None => super::not_observed(&format!("the access of `{}`", account.name())),
    };
    Finding::unreadable(findings, subject_of(origins), &unreadable);
    Access::Unknown(unreadable.text)
}

/// Whether the principal has what the need asks for, at a place of the account.
///
/// Azure does not say which principals are groups. A grant of somebody who is none of the identities that were seen may
/// be a group's, and leaves open what it would cover.
fn answer(
    need: &Need,
    place: &Scope,
    account: &Scope,
    principal: PrincipalId,
    access: &CosmosAccess,
    identities: &BTreeSet<PrincipalId>,
) -> Access {
    let near: Vec<_> = access.grants.iter().filter(|grant| grant.reaches(place, account)).collect();
    let covering = |grant: &CosmosGrant, pattern: &str| access.roles.get(&grant.role).map(|role| role.allows(pattern));
    let mut deciding = BTreeSet::new();
    let (mut missing, mut unknown) = (Vec::new(), None);
    for pattern in need.rights.iter().flat_map(patterns) {
        // Of several that would do, the one with the least id is named: a list has no order.
        let own = near.iter().filter(|grant| grant.principal == principal);
        if let Some(grant) =
            own.clone().filter(|grant| covering(grant, pattern) == Some(true)).min_by_key(|grant| &grant.id)
        {
            deciding.insert(grant.id.clone());
        } else if let Some(grant) = own.clone().find(|grant| covering(grant, pattern).is_none()) {
            unknown.get_or_insert(format!("what role {} of the account allows could not be read", grant.role));
        } else if let Some(grant) = near
            .iter()
            .filter(|grant| grant.principal != principal && !identities.contains(&grant.principal))
            .find(|grant| covering(grant, pattern) != Some(false))
        {
            let stranger = grant.principal;
            unknown.get_or_insert(format!("{stranger} has it, and may be a group that the identity is a member of"));
        } else {
            missing.push(pattern.to_owned());
        }
    }
    if !missing.is_empty() && access.has_unread {
        return Access::Unknown("some role assignment of the account could not be understood".to_owned());
    }
    if !missing.is_empty() {
        return Access::Missing(missing);
    }
    if let Some(because) = unknown {
        return Access::Unknown(because);
    }
    let grants = access.grants.iter().filter(|grant| deciding.contains(&grant.id));
    let mut by: Vec<_> = grants.map(|grant| deciding_grant(grant, access)).collect();
    by.sort();
    Access::Satisfied(by)
}

/// Rights of this plane have one way each.
fn patterns(right: &Right) -> impl Iterator<Item = &str> {
    right.any_of.iter().flatten().map(String::as_str)
}

fn deciding_grant(grant: &CosmosGrant, access: &CosmosAccess) -> DecidingGrant {
    let role = access.roles.get(&grant.role).map_or_else(|| grant.role.to_string(), |role| role.name.clone());
    // Azure does not say when it was made.
    let (id, scope) = (grant.id.clone(), grant.scope.clone());
    DecidingGrant { id, role, scope, through_group: false, acts_from: None }
}

#[cfg(test)]
mod tests;
