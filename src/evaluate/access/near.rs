//! Grants that look as if they were meant to meet a need, and do not.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evaluate::{NearMiss, PrincipalState},
    model::{PrincipalId, PrincipalKind, RoleId, Scope, SubscriptionAccess},
    policy::Identity,
};

/// What a person would have overlooked: the role on another account, or held by an identity that is gone.
pub(super) fn near_misses(
    role: RoleId,
    principal: PrincipalId,
    scope: &Scope,
    access: &SubscriptionAccess,
    principals: &BTreeMap<Identity, PrincipalState>,
) -> Vec<NearMiss> {
    let ours: Vec<_> = principals.values().collect();
    let near: BTreeSet<_> = access
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
    // Three are enough to see the pattern, and keep status small.
    near.into_iter().take(3).collect()
}
