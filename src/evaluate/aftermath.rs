//! What a repair leaves behind: a host that does not know its new identity, references that hold an old refusal.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Access, Evaluated, Finding, Hypothesis, PrincipalState, has_references};
use crate::{
    model::{Failure, HostSeen, Observed, Reading, Site, VaultMode, Workload},
    policy::{Identity, Policy, VaultRequirement},
};

/// A host that began this little before the write was answered began because of it.
const WRITE_TAKES: SignedDuration = SignedDuration::from_mins(1);

/// App Service resolves references again by itself after about this time (`app-service-key-vault-references`).
const RESOLVED_ANYWAY: SignedDuration = SignedDuration::from_hours(24);

/// A host that still is the one from before its identity was written.
pub(super) fn host(observed: &Observed) -> Option<Finding> {
    let HostSeen { identity_written: written, started } = observed.host.as_ref()?;
    let (written, started) = (*written, *started.present()?);
    (written.duration_since(started) > WRITE_TAKES).then_some(Finding::HostNotRecycled { written, started })
}

/// What was asked and could not be read, with each hypothesis that it could have spoken for. Nothing declared is missing for
/// it, so that no finding says so.
pub(super) fn unread<'a>(
    policy: &Policy,
    observed: &'a Observed,
) -> impl Iterator<Item = (Hypothesis, &'a Failure)> + use<'a> {
    // An app that is gone has no host that could answer.
    let is_there = observed.target.present().is_some();
    let host = observed.host.as_ref().filter(|_| is_there).and_then(|host| host.started.unreadable());
    let references = observed.references.as_ref().filter(|_| has_references(policy)).and_then(Reading::unreadable);
    let by_host = host.map(|failure| (Hypothesis::H1, failure));
    let by_references = references.map(|failure| [Hypothesis::H1, Hypothesis::H4].map(|it| (it, failure)));
    by_host.into_iter().chain(by_references.into_iter().flatten())
}

/// References that are refused although access acts; returns whether they would have to be asked about.
pub(super) fn references(
    policy: &Policy,
    observed: &Observed,
    site: Option<&Site>,
    principals: &BTreeMap<Identity, PrincipalState>,
    requirements: &[Evaluated],
    findings: &mut Vec<Finding>,
    now: Timestamp,
) -> bool {
    let mut ask = false;
    for required in &policy.vaults {
        let Some(Reading::Present { value: vault, .. }) = observed.vaults.get(&required.vault) else { continue };
        // By a write of the vault access policies are added, and role assignments begin to decide.
        let acts_from = match vault.mode {
            VaultMode::Rbac => acts_from(required, requirements).map(|grants| vault.changed.max(Some(grants))),
            VaultMode::AccessPolicy => is_let_in(required, principals, findings).then_some(vault.changed),
        };
        let Some(acts_from) = acts_from.flatten() else { continue };
        let is_news = acts_from <= now && now.duration_since(acts_from) < RESOLVED_ANYWAY;
        if !is_news || !site.is_some_and(|site| resolves_by(site, &required.identity)) {
            continue;
        }
        match &observed.references {
            None => ask = true,
            Some(Reading::Present { value, .. }) => {
                let of_this_vault = value.iter().filter(|reference| {
                    reference.is_denied() && reference.vault.eq_ignore_ascii_case(required.vault.name())
                });
                let settings: Vec<_> = of_this_vault.map(|reference| reference.setting.clone()).collect();
                if !settings.is_empty() {
                    findings.push(Finding::ReferencesDenied {
                        origin: required.origin.clone(),
                        vault: required.vault.clone(),
                        settings,
                        acts_from,
                    });
                }
            }
            // Nothing declared is missing; what a refresh might mend is not known.
            Some(Reading::Absent { .. } | Reading::Unreadable(_)) => {}
        }
    }
    ask
}

/// Since when all the access to a vault acts; none while some of it does not, or when Azure does not say.
fn acts_from(required: &VaultRequirement, requirements: &[Evaluated]) -> Option<Timestamp> {
    let mut own = requirements.iter().filter(|one| one.origins.contains(&required.origin)).peekable();
    own.peek()?;
    let mut latest = None;
    for evaluated in own {
        let Access::Satisfied(grants) = &evaluated.access else { return None };
        latest = latest.max(grants.iter().map(|grant| grant.acts_from).max()?);
    }
    latest
}

/// Whether the vault's access policies allow all that is declared. For an identity without a known principal they were not
/// compared.
fn is_let_in(
    required: &VaultRequirement,
    principals: &BTreeMap<Identity, PrincipalState>,
    findings: &[Finding],
) -> bool {
    let is_known = matches!(principals.get(&required.identity), Some(PrincipalState::Known(_)));
    let is_about_it = |finding: &Finding| match finding {
        Finding::AccessPolicyMissing { origin, .. } | Finding::AccessPolicyUndecided { origin, .. } => {
            *origin == required.origin
        }
        _ => false,
    };
    is_known && !required.access.is_empty() && !findings.iter().any(is_about_it)
}

/// Whether the app resolves its references as that identity.
fn resolves_by(site: &Site, identity: &Identity) -> bool {
    if !matches!(site.workload, Workload::FunctionApp | Workload::WebApp) {
        return false;
    }
    match (identity, &site.reference_identity) {
        (Identity::System, None) => site.system.principal().is_some(),
        (Identity::User(id), Some(own)) => id == own && site.attached.contains_key(id),
        (Identity::System, Some(_)) | (Identity::User(_), None) => false,
    }
}
