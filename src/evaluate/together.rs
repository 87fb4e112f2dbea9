//! Findings that one deed would settle are told once, with everything in the policy that asks for it.

use super::Finding;

/// Adds a finding, or what it is about to one that says the same of the same role at the same scope.
///
/// Two bindings need different rights of one account, so their requirements are asked one by one; one role serves both.
pub(super) fn tell(findings: &mut Vec<Finding>, finding: Finding) {
    if !findings.iter_mut().any(|known| joins(known, &finding)) {
        findings.push(finding);
    }
}

fn joins(known: &mut Finding, new: &Finding) -> bool {
    match (known, new) {
        (
            Finding::RoleMissing { origins, identity, principal, role_id, scope, missing, near, .. },
            Finding::RoleMissing {
                origins: more,
                identity: who,
                principal: by,
                role_id: role,
                scope: place,
                missing: lacking,
                near: nearer,
                ..
            },
        ) if identity == who && principal == by && role_id == role && scope == place => {
            extend(missing, lacking);
            extend(near, nearer);
            extend(origins, more)
        }
        (
            Finding::Propagating { origins, identity, role, scope, since, until },
            Finding::Propagating { origins: more, identity: who, role: what, scope: place, since: made, until: acting },
        ) if identity == who && role == what && scope == place && since == made && until == acting => {
            extend(origins, more)
        }
        (
            Finding::AccessUndecided { origins, identity, role, scope, because },
            Finding::AccessUndecided { origins: more, identity: who, role: what, scope: place, because: why },
        ) if identity == who && role == what && scope == place && because == why => extend(origins, more),
        (
            Finding::AccessDenied { origins, identity, scope, by },
            Finding::AccessDenied { origins: more, identity: who, scope: place, by: name },
        ) if identity == who && scope == place && by == name => extend(origins, more),
        (
            Finding::ResourceNotFound { origins, resource },
            Finding::ResourceNotFound { origins: more, resource: gone },
        ) if resource == gone => extend(origins, more),
        (
            Finding::GrantEnds { origins, identity, role, scope, ends },
            Finding::GrantEnds { origins: more, identity: who, role: what, scope: place, ends: at },
        ) if identity == who && role == what && scope == place && ends == at => extend(origins, more),
        _ => false,
    }
}

/// What is new of `more`, behind what is there.
fn extend<T: Clone + PartialEq>(known: &mut Vec<T>, more: &[T]) -> bool {
    for one in more {
        if !known.contains(one) {
            known.push(one.clone());
        }
    }
    true
}
