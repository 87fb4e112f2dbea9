//! Whether what the policy names is there at all. A grant at a resource, or inside of it, says that it was there when the
//! grant was made, and is taken for enough; one from above covers a name with a typing error as well.

use std::collections::BTreeSet;

use super::{Access, Evaluated, Finding, together};
use crate::{
    catalog::{binding::Plane, services},
    model::{Observed, Reading, Scope, cosmos::account_of},
    policy::Requirement,
};

/// The answer for a requirement whose resource does not exist; none when it exists, or when nobody knows.
pub(super) fn gone(requirement: &Requirement, observed: &Observed, findings: &mut Vec<Finding>) -> Option<Evaluated> {
    let resource = match requirement.wanted.plane() {
        Plane::Cosmos => {
            let account = account_of(&requirement.scope);
            matches!(observed.cosmos.get(&account), Some(Reading::Absent { .. })).then_some(account)
        }
        Plane::Azure => {
            let mut absent = observed.resources.iter().filter(|(_, it)| matches!(it, Reading::Absent { .. }));
            absent.find(|(resource, _)| resource.reaches(&requirement.scope)).map(|(resource, _)| resource.clone())
        }
    }?;
    let origins = requirement.origins.clone();
    together::tell(findings, Finding::ResourceNotFound { origins, resource });
    Some(Evaluated::unanswered(requirement, Access::NoResource))
}

/// The resources of which it is not known whether they exist, where that could matter.
pub(super) fn unasked(requirements: &[Evaluated], observed: &Observed) -> BTreeSet<Scope> {
    let in_doubt = requirements.iter().filter(|one| match &one.access {
        Access::Missing(_) => true,
        Access::Satisfied(grants) | Access::Propagating { by: grants, .. } => {
            let own = services::resource_of(&one.scope).map(|(resource, _)| resource);
            !grants.iter().any(|grant| own.as_ref().is_some_and(|own| own.reaches(&grant.scope)))
        }
        Access::Denied(_) | Access::Unknown(_) | Access::NoPrincipal | Access::NoResource => false,
    });
    let resources = in_doubt.filter_map(|one| services::resource_of(&one.scope)).map(|(resource, _)| resource);
    let is_known = |resource: &Scope| {
        observed.resources.contains_key(resource)
            || observed.vaults.contains_key(resource)
            || observed.cosmos.contains_key(resource)
    };
    resources.filter(|resource| !is_known(resource)).collect()
}

#[cfg(test)]
mod tests;
