//! How what is wrong came about: what was changed lately, by the activity log. Decides nothing, since a change that was not
//! seen may have been made all the same.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Effect, Finding};
use crate::{
    model::{Change, History, Observed, Reading},
    policy::{Identity, Policy},
};

/// The most changes that are told of one finding.
const MOST: usize = 2;

/// Whose history could tell how a finding came about; none where no change of a resource is behind it.
pub(super) fn behind(finding: &Finding, policy: &Policy) -> Option<History> {
    let resource = match finding {
        Finding::RoleMissing { scope, .. } => return scope.subscription().map(|id| History::Grants(id.to_owned())),
        Finding::TargetNotFound { .. }
        | Finding::TargetStopped { .. }
        | Finding::SystemIdentityDisabled
        | Finding::SystemIdentityForbidden { .. }
        | Finding::UserIdentityNotAttached { .. }
        | Finding::PrincipalMissing { identity: Identity::System }
        | Finding::PlatformIdentity { .. } => &policy.target,
        Finding::UserIdentityNotFound { identity }
        | Finding::PrincipalMissing { identity: Identity::User(identity) }
        | Finding::StaleAttachment { identity, .. } => identity,
        Finding::VaultNotFound { vault, .. }
        | Finding::VaultModeMismatch { vault, .. }
        | Finding::AccessPolicyMissing { vault, .. } => vault,
        Finding::ResourceNotFound { resource, .. }
        | Finding::NetworkBlocked { resource, .. }
        | Finding::KeysRefused { resource, .. }
        | Finding::ResourceNotReady { resource, .. } => resource,
        Finding::Unreadable { .. }
        | Finding::RoleUnknown { .. }
        | Finding::CosmosRoleMissing { .. }
        | Finding::AccessDenied { .. }
        | Finding::AccessUndecided { .. }
        | Finding::AccessPolicyUndecided { .. }
        | Finding::Propagating { .. }
        | Finding::VaultModeDisputed { .. }
        | Finding::Connection { .. }
        | Finding::HostNotRecycled { .. }
        | Finding::ReferencesDenied { .. }
        | Finding::GrantEnds { .. }
        | Finding::UnneededGrant { .. }
        | Finding::ExcessiveGrant { .. } => return None,
    };
    Some(History::Resource(resource.clone()))
}

/// The histories that could tell something, and that nobody asked for.
pub(super) fn unasked(findings: &[Finding], policy: &Policy, observed: &Observed) -> BTreeSet<History> {
    let wrong = findings.iter().filter(|finding| finding.effect() == Effect::Drift);
    let behind = wrong.filter_map(|finding| behind(finding, policy));
    behind.filter(|history| !observed.history.contains_key(history)).collect()
}

/// The changes that can have led to a finding, newest first, each with the time at which the log was read.
pub(super) fn led_to<'a>(finding: &Finding, policy: &Policy, observed: &'a Observed) -> Vec<(&'a Change, Timestamp)> {
    let reading = behind(finding, policy).and_then(|history| observed.history.get(&history));
    let Some(Reading::Present { value: changes, at }) = reading else { return Vec::new() };
    changes.iter().filter(|change| can_lead_to(finding, change)).take(MOST).map(|change| (change, *at)).collect()
}

fn can_lead_to(finding: &Finding, change: &Change) -> bool {
    match finding {
        Finding::RoleMissing { principal, scope, .. } => change
            .grant
            .as_ref()
            .is_some_and(|grant| change.is_removal() && grant.principal == *principal && grant.scope.reaches(scope)),
        Finding::TargetNotFound { .. }
        | Finding::UserIdentityNotFound { .. }
        | Finding::VaultNotFound { .. }
        | Finding::ResourceNotFound { .. } => change.is_removal(),
        Finding::StaleAttachment { .. } => true,
        _ => !change.is_removal(),
    }
}

#[cfg(test)]
mod tests;
