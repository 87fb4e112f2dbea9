//! Grants that look as if they were meant to meet a need, and do not.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evaluate::{NearMiss, PrincipalState, operation::Ways},
    model::{PrincipalId, PrincipalKind, Role, RoleId, Scope, SubscriptionAccess, pattern},
    policy::Identity,
};

/// What a person would have overlooked: the role on another account, or held by an identity that is gone.
pub(super) fn near_misses(
    role: RoleId,
    principal: PrincipalId,
    scope: &Scope,
    access: &SubscriptionAccess,
    principals: &BTreeMap<Identity, PrincipalState>,
    lacks_data: bool,
) -> Vec<NearMiss> {
    let ours: Vec<_> = principals.values().collect();
    let mut near: BTreeSet<_> = access
        .grants
        .iter()
        .filter(|grant| grant.role == role)
        .filter_map(|grant| {
            if grant.principal == principal && !grant.scope.reaches(scope) {
                Some(NearMiss::OtherScope(grant.scope.clone()))
            } else if grant.scope == *scope
                && grant.principal_kind == PrincipalKind::ServicePrincipal
                && !ours.contains(&&PrincipalState::Known(grant.principal))
            {
                Some(NearMiss::OtherPrincipal(grant.principal))
            } else {
                None
            }
        })
        .collect();
    if lacks_data {
        near.extend(access.grants.held_by(principal).filter(|grant| grant.scope.reaches(scope)).filter_map(|grant| {
            let role = access.roles.get(&grant.role).filter(|role| only_manages(role, scope))?;
            Some(NearMiss::NoDataActions { role: role.name.clone(), scope: grant.scope.clone() })
        }));
    }
    // Three are enough to see the pattern, and keep status small.
    near.into_iter().take(3).collect()
}

/// Whether some of the actions that are missing are on data.
pub(super) fn lacks_data(asked: &[Ways], missing: &[String]) -> bool {
    let missing: BTreeSet<_> =
        missing.iter().flat_map(|ways| ways.split(" or ")).flat_map(|way| way.split(" with ")).collect();
    let mut operations = asked.iter().flatten().flatten();
    operations.any(|operation| operation.data && missing.contains(operation.pattern.as_str()))
}

/// Whether the role allows something of the resource's provider, and nothing on data anywhere: as `Contributor` does.
fn only_manages(role: &Role, scope: &Scope) -> bool {
    let kind = scope.resource_type().unwrap_or_default();
    let provider = format!("{}/*", kind.split('/').next().unwrap_or_default());
    let manages = role.permissions.iter().flat_map(|entry| &entry.actions).any(|own| pattern::overlap(own, &provider));
    manages && role.permissions.iter().all(|entry| entry.data_actions.is_empty())
}
