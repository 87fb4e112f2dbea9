//! Grants that are too much: what the app's identities hold and nothing declared needs, or needs less of. Advice, and
//! never a reason to write: what others made is theirs to take back.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding, PrincipalState,
    identity::principals,
    operation::{Operation, has_part_in, operations},
};
use crate::{
    model::{Grant, Observed, PrincipalId, Reading, Role, Scope, SubscriptionAccess, pattern::Work},
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
    /// It allows more than what is needed there; these roles together would do.
    Broad(Vec<String>),
    /// It is held from a resource group or above; these are the places where it is needed.
    Inherited(Vec<Scope>),
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
    // Whoever does not say where the host keeps what it keeps may need any account.
    let leaves_storage_open = !policy.unchecked.is_empty();
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
                let may_be_the_hosts =
                    leaves_storage_open && grant.scope.key().contains("/providers/microsoft.storage/");
                if excess == Some(Excess::Extra) && may_be_the_hosts {
                    continue;
                }
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

/// What an identity could hold a grant for.
struct Needs {
    own: Vec<Requirement>,
    /// Of other policies. They are never told: they may be another namespace's.
    theirs: Vec<Requirement>,
}

/// Everything that an identity could hold a grant for; none when that is not known. A system-assigned identity is one
/// app's alone.
fn needs(policy: &Policy, others: Option<&[Policy]>, identity: &Identity) -> Option<Needs> {
    let own = policy.needs().filter(|need| need.identity == *identity).collect();
    let theirs = match identity {
        Identity::System => Vec::new(),
        Identity::User(_) => {
            let others = others?.iter().filter(|other| other.full_name() != policy.full_name());
            others.flat_map(Policy::needs).filter(|need| need.identity == *identity).collect()
        }
    };
    Some(Needs { own, theirs })
}

/// In what respect the grant is too much; none when it is not, or when that cannot be told.
fn judged(grant: &Grant, role: &Role, needs: &Needs, access: &SubscriptionAccess) -> Option<Excess> {
    let (mut own, mut is_theirs, mut unclear) = (Vec::new(), false, false);
    let all = needs.own.iter().map(|need| (need, true)).chain(needs.theirs.iter().map(|need| (need, false)));
    for (need, is_own) in all.filter(|(need, _)| grant.scope.reaches(&need.scope)) {
        match operations(&need.wanted, access) {
            Some((least, _)) if least.id == role.id && need.scope == grant.scope => return None,
            Some((least, asked)) => {
                let has_part = |operation| role.permissions.iter().any(|entry| has_part_in(entry, operation));
                if asked.iter().flatten().flatten().any(has_part) {
                    is_theirs |= !is_own;
                    own.extend(is_own.then_some((need, least)));
                }
            }
            None => unclear = true,
        }
    }
    if let Some(action) = leads_to_more_rights(role) {
        return Some(Excess::Privileged(action));
    }
    // What somebody else needs of it too cannot be weighed without telling of it.
    if is_theirs {
        return None;
    }
    if own.is_empty() {
        return (!unclear).then_some(Excess::Extra);
    }
    // A condition narrows it in ways that a comparison of roles does not see.
    if grant.is_conditioned() || unclear {
        return None;
    }
    let least: Vec<&Role> = own.iter().map(|(_, least)| least).collect();
    if least.iter().all(|least| least.id != role.id) && allows_more(role, &least) {
        let names: BTreeSet<_> = least.iter().map(|least| least.name.clone()).collect();
        return Some(Excess::Broad(names.into_iter().collect()));
    }
    // On the very resource it is the custom to grant, and one entity's worth wider at most: an account for its container.
    let places: BTreeSet<_> = own.iter().map(|(need, _)| need.scope.clone()).collect();
    grant.scope.resource_type().is_none().then(|| Excess::Inherited(places.into_iter().collect()))
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
    let work = Work::default();
    wanted.into_iter().any(|operation| {
        let lists = entries.iter().map(|entry| entry.plane(operation.data));
        let apart: Vec<&str> =
            lists.flat_map(|(allowed, taken)| allowed.iter().chain(taken)).map(String::as_str).collect();
        // Too many patterns to compare are more than a least role has.
        operation.actions(&apart, &work).is_none_or(|actions| {
            actions.iter().any(|action| !entries.iter().any(|entry| entry.names(operation.data, action)))
        })
    })
}

#[cfg(test)]
mod tests;
