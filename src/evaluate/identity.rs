//! H1: is each declared identity enabled or attached, and which principal is it now?

use std::collections::BTreeMap;

use super::Finding;
use crate::{
    api::SystemIdentity,
    model::{Failure, Observed, PrincipalId, Reading, Scope, Site, SystemAssigned},
    policy::{Identity, Policy},
};

/// What is known of the principal behind an identity.
#[derive(Clone, Debug, PartialEq)]
pub enum PrincipalState {
    /// It is this one now.
    Known(PrincipalId),
    /// There is none: the identity is disabled, missing or not filled in yet. A finding of its own says so.
    None,
    /// Could not be read.
    Unreadable(Failure),
}

/// The principal of every identity that the policy speaks of; what is wrong with them goes to `findings`.
pub(super) fn principals(
    policy: &Policy,
    observed: &Observed,
    site: Option<&Site>,
    findings: &mut Vec<Finding>,
) -> BTreeMap<Identity, PrincipalState> {
    let mut principals = BTreeMap::new();
    principals.insert(Identity::System, system(policy, observed, site, findings));
    for identity in &policy.user {
        let state = user(identity, observed, site, findings);
        principals.insert(Identity::User(identity.clone()), state);
    }
    principals
}

fn system(policy: &Policy, observed: &Observed, site: Option<&Site>, findings: &mut Vec<Finding>) -> PrincipalState {
    let Some(site) = site else { return unread_site(observed) };
    match (site.system, policy.system) {
        (SystemAssigned::On(_) | SystemAssigned::Unfilled, SystemIdentity::Forbidden) => {
            let principal = site.system.principal();
            findings.push(Finding::SystemIdentityForbidden { principal });
            principal.map_or(PrincipalState::None, PrincipalState::Known)
        }
        (SystemAssigned::On(principal), SystemIdentity::Required | SystemIdentity::Optional) => {
            PrincipalState::Known(principal)
        }
        (SystemAssigned::Unfilled, SystemIdentity::Required) => {
            findings.push(Finding::PrincipalMissing { identity: Identity::System });
            PrincipalState::None
        }
        (SystemAssigned::Off, SystemIdentity::Required) => {
            findings.push(Finding::SystemIdentityDisabled);
            PrincipalState::None
        }
        (SystemAssigned::Unfilled, SystemIdentity::Optional)
        | (SystemAssigned::Off, SystemIdentity::Optional | SystemIdentity::Forbidden) => PrincipalState::None,
    }
}

fn user(identity: &Scope, observed: &Observed, site: Option<&Site>, findings: &mut Vec<Finding>) -> PrincipalState {
    let state = match observed.user.get(identity) {
        Some(Reading::Present { value, .. }) => match value.principal {
            Some(principal) => PrincipalState::Known(principal),
            None => {
                findings.push(Finding::PrincipalMissing { identity: Identity::User(identity.clone()) });
                PrincipalState::None
            }
        },
        Some(Reading::Absent { .. }) => {
            findings.push(Finding::UserIdentityNotFound { identity: identity.clone() });
            PrincipalState::None
        }
        Some(Reading::Unreadable(failure)) => {
            let subject = format!("identities/{}", identity.name());
            Finding::unreadable(findings, subject, failure);
            PrincipalState::Unreadable(failure.clone())
        }
        None => {
            let failure = super::not_observed(&format!("identity `{}`", identity.name()));
            let subject = format!("identities/{}", identity.name());
            Finding::unreadable(findings, subject, &failure);
            PrincipalState::Unreadable(failure)
        }
    };
    let Some(site) = site else { return state };
    match (site.attached.get(identity), &state) {
        (None, _) => findings.push(Finding::UserIdentityNotAttached {
            identity: identity.clone(),
            attached: site.attached.keys().cloned().collect(),
        }),
        (Some(attachment), PrincipalState::Known(current)) => match attachment.principal {
            Some(on_site) if on_site != *current => {
                findings.push(Finding::StaleAttachment { identity: identity.clone(), on_site, current: *current });
            }
            // Azure fills the copy in a little later; the identity itself is the better witness.
            Some(_) | None => {}
        },
        (Some(_), PrincipalState::None | PrincipalState::Unreadable(_)) => {}
    }
    state
}

fn unread_site(observed: &Observed) -> PrincipalState {
    match &observed.target {
        Reading::Unreadable(failure) => PrincipalState::Unreadable(failure.clone()),
        Reading::Present { .. } | Reading::Absent { .. } => PrincipalState::None,
    }
}
