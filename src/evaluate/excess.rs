//! Grants that are too much: what the app's identities hold and nothing declared needs, or needs less of. Advice, and
//! never a reason to write: what others made is theirs to take back.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding, PrincipalState,
    identity::principals,
    operation::{Operation, has_part_in, operations},
};
use crate::{
    model::{Grant, Observed, PrincipalId, Reading, Role, Scope, SubscriptionAccess},
    policy::{Identity, Policy, Requirement, leads_to_more_rights},
};

/// In what respect a grant is too much, the gravest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excess {
    /// It allows this action, which leads to more rights than anybody declared.
    Privileged(String),
    /// An earlier principal of the identity holds it.
    Former(PrincipalId),
    /// Nothing declared needs any of it.
    Extra,
    /// It allows more than what is needed there; this role would do.
    Broad(String),
    /// It is held from a resource group or above; this is where it is needed.
    Inherited(Scope),
}

/// How many are told of one policy. The gravest come first, and a reader who has put those right sees the next.
const MOST: usize = 8;

/// The findings, and how many more there are. `others` are the live policies beside this one, none when they are not all
/// known: then nobody can say what a shared identity holds for them. `may_tell` keeps what lies outside of the policy's
/// boundary out.
#[must_use]
pub fn excess(
    policy: &Policy,
    others: Option<&[Policy]>,
    observed: &Observed,
    spoken_of: &BTreeSet<Scope>,
    may_tell: impl Fn(&Scope) -> bool,
) -> (Vec<Finding>, usize) {
    let Some(site) = observed.target.present() else { return (Vec::new(), 0) };
    let principals = principals(policy, observed, Some(site), &mut Vec::new());
    let mut found: BTreeMap<(Excess, Scope), Finding> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for access in observed.access.values().filter_map(Reading::present) {
        for (identity, state) in &principals {
            let PrincipalState::Known(principal) = state else { continue };
            let former = match identity {
                Identity::System => None,
                Identity::User(id) => site.attached.get(id).and_then(|attachment| attachment.principal),
            };
            let former = former.filter(|former| former != principal);
            let needs = needs(policy, others, identity);
            let held = access.grants.held_by(*principal).map(|grant| (grant, None));
            let left = former
                .into_iter()
                .flat_map(|former| access.grants.held_by(former).map(move |grant| (grant, Some(former))));
            for (grant, former) in held.chain(left) {
                if spoken_of.contains(&grant.id) || !may_tell(&grant.scope) || !seen.insert(&grant.id) {
                    continue;
                }
                let Some(role) = access.roles.get(&grant.role) else { continue };
                let excess = match (former, &needs) {
                    (Some(former), _) => Some(Excess::Former(former)),
                    (None, Some(needs)) => judged(grant, role, needs, access),
                    (None, None) => None,
                };
                if let Some(excess) = excess {
                    let finding = Finding::ExcessiveGrant {
                        identity: identity.clone(),
                        grant: grant.id.clone(),
                        role: role.name.clone(),
                        scope: grant.scope.clone(),
                        excess: excess.clone(),
                    };
                    found.insert((excess, grant.id.clone()), finding);
                }
            }
        }
    }
    let more = found.len().saturating_sub(MOST);
    (found.into_values().take(MOST).collect(), more)
}

/// Everything that an identity could hold a grant for; none when that is not known. A system-assigned identity is one
/// app's alone.
fn needs(policy: &Policy, others: Option<&[Policy]>, identity: &Identity) -> Option<Vec<Requirement>> {
    let own = policy.needs().filter(|need| need.identity == *identity);
    match identity {
        Identity::System => Some(own.collect()),
        Identity::User(_) => {
            let others = others?.iter().filter(|other| other.full_name() != policy.full_name());
            let theirs = others.flat_map(Policy::needs).filter(|need| need.identity == *identity);
            Some(own.chain(theirs).collect())
        }
    }
}

/// In what respect the grant is too much; none when it is not, or when that cannot be told.
fn judged(grant: &Grant, role: &Role, needs: &[Requirement], access: &SubscriptionAccess) -> Option<Excess> {
    let mut needed: Vec<(&Requirement, Role, Vec<Operation>)> = Vec::new();
    let mut unclear = false;
    for need in needs.iter().filter(|need| grant.scope.reaches(&need.scope)) {
        match operations(&need.wanted, access) {
            Some((least, _)) if least.id == role.id && need.scope == grant.scope => return None,
            Some((least, operations)) => {
                let has_part = |operation| role.permissions.iter().any(|entry| has_part_in(entry, operation));
                if operations.iter().any(has_part) {
                    needed.push((need, least, operations));
                }
            }
            None => unclear = true,
        }
    }
    if let Some(action) = leads_to_more_rights(role) {
        return Some(Excess::Privileged(action));
    }
    if needed.is_empty() {
        return (!unclear).then_some(Excess::Extra);
    }
    // A condition narrows it in ways that a comparison of roles does not see.
    if grant.is_conditioned() || unclear {
        return None;
    }
    let least: Vec<&Role> = needed.iter().map(|(_, least, _)| least).collect();
    if least.iter().all(|least| least.id != role.id) && allows_more(role, &least) {
        return Some(Excess::Broad(least[0].name.clone()));
    }
    let narrowest = needed.iter().map(|(need, ..)| &need.scope).min()?;
    // On the very resource it is the custom to grant, and one entity's worth wider at most: an account for its container.
    let is_above = grant.scope.resource_type().is_none();
    is_above.then(|| Excess::Inherited(narrowest.clone()))
}

/// Whether the role allows an action that none of the others does.
fn allows_more(role: &Role, others: &[&Role]) -> bool {
    let wanted = role.permissions.iter().flat_map(|entry| {
        [false, true].into_iter().flat_map(move |data| {
            let (allowed, taken) = entry.plane(data);
            allowed.iter().map(move |own| Operation { data, pattern: own.clone(), except: taken.to_vec() })
        })
    });
    let entries: Vec<_> = others.iter().flat_map(|other| &other.permissions).collect();
    wanted.into_iter().any(|operation| {
        let lists = entries.iter().map(|entry| entry.plane(operation.data));
        let apart: Vec<&str> =
            lists.flat_map(|(allowed, taken)| allowed.iter().chain(taken)).map(String::as_str).collect();
        // Too many patterns to compare are more than a least role has.
        operation.actions(&apart).is_none_or(|actions| {
            actions.iter().any(|action| !entries.iter().any(|entry| entry.names(operation.data, action)))
        })
    })
}

#[cfg(test)]
mod tests;
