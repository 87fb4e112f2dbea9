//! H4: does each vault decide by the model that is declared, and which access must then be there?

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;

use super::{Finding, PrincipalState, access::Question};
use crate::{
    model::{AccessEntry, Observed, PrincipalId, Reading, Vault, VaultMode, VaultOperation},
    policy::{Identity, Policy, Requirement, VaultRequirement},
};

/// The access that vaults in RBAC mode call for; what is wrong with the vaults goes to `findings`.
///
/// While a vault uses access policies its roles decide nothing, so they are not asked for.
///
/// A vault's access policies are compared here instead: they are part of the vault, and nobody inherits them.
pub(super) fn compare(
    policy: &Policy,
    principals: &BTreeMap<Identity, PrincipalState>,
    observed: &Observed,
    now: Timestamp,
    ask_groups: &RefCell<BTreeSet<(PrincipalId, String)>>,
    findings: &mut Vec<Finding>,
) -> Vec<Requirement> {
    let mut needs = Vec::new();
    for required in &policy.vaults {
        let origin = required.origin.clone();
        match observed.vaults.get(&required.vault) {
            Some(Reading::Present { value, .. }) => {
                if value.mode != required.mode {
                    findings.push(Finding::VaultModeMismatch {
                        origin: origin.clone(),
                        vault: required.vault.clone(),
                        expected: required.mode,
                        actual: value.mode,
                    });
                }
                match (value.mode, principals.get(&required.identity)) {
                    (VaultMode::Rbac, _) => needs.extend(required.needs()),
                    (VaultMode::AccessPolicy, Some(PrincipalState::Known(principal))) => {
                        let asked = Asked { required, vault: value, principal: *principal, observed, now, ask_groups };
                        findings.extend(asked.answer());
                    }
                    (VaultMode::AccessPolicy, Some(PrincipalState::Unreadable(failure))) => {
                        Finding::unreadable(findings, origin.to_string(), failure);
                    }
                    // The identity's own finding says why there is none.
                    (VaultMode::AccessPolicy, Some(PrincipalState::None) | None) => {}
                }
            }
            Some(Reading::Absent { .. }) => {
                findings.push(Finding::VaultNotFound { origin, vault: required.vault.clone() });
            }
            Some(Reading::Unreadable(failure)) => {
                Finding::unreadable(findings, origin.to_string(), failure);
            }
            None => {
                let failure = super::not_observed(&format!("vault `{}`", required.vault.name()));
                Finding::unreadable(findings, origin.to_string(), &failure);
            }
        }
    }
    needs
}

/// What is asked of one vault's access policies.
struct Asked<'a> {
    required: &'a VaultRequirement,
    vault: &'a Vault,
    principal: PrincipalId,
    observed: &'a Observed,
    now: Timestamp,
    ask_groups: &'a RefCell<BTreeSet<(PrincipalId, String)>>,
}

impl Asked<'_> {
    /// The finding, when something declared is not allowed, or not certain to be.
    fn answer(&self) -> Option<Finding> {
        let VaultRequirement { origin, vault, identity, access, .. } = self.required;
        if access.is_empty() {
            return None;
        }
        let (origin, vault, identity) = (origin.clone(), vault.clone(), identity.clone());
        let Some(entries) = &self.vault.entries else {
            let because = "Azure did not show its access policies".to_owned();
            return Some(Finding::AccessPolicyUndecided { origin, identity, vault, because });
        };
        let (own, others): (Vec<&AccessEntry>, Vec<&AccessEntry>) =
            entries.iter().filter(|entry| self.vault.counts(entry)).partition(|entry| entry.object == self.principal);
        let asked = access.iter().map(|permission| permission.operation());
        let refused: Vec<_> = asked.filter(|asked| !own.iter().any(|entry| entry.allows(*asked))).collect();
        // Nobody is asked about groups for the sake of what is there already, or what they do not allow either.
        let could_help = |entry: &&&AccessEntry| refused.iter().any(|asked| entry.allows(*asked));
        let reaching: Vec<(&AccessEntry, Option<bool>)> =
            others.iter().filter(could_help).map(|entry| (*entry, self.reaches(entry))).collect();
        let lets = |asked: VaultOperation, how: Option<bool>| {
            let entry = reaching.iter().find(|(entry, reaches)| *reaches == how && entry.allows(asked));
            entry.map(|(entry, _)| entry.object)
        };
        let refused: Vec<_> = refused.iter().copied().filter(|asked| lets(*asked, Some(true)).is_none()).collect();
        let missing: Vec<_> = refused.iter().copied().filter(|asked| lets(*asked, None).is_none()).collect();
        if !missing.is_empty() {
            let (principal, expected, seen) = (self.principal, self.required.mode, Box::new(self.vault.clone()));
            return Some(Finding::AccessPolicyMissing { origin, identity, principal, vault, missing, expected, seen });
        }
        let doubtful = refused.first().and_then(|asked| lets(*asked, None))?;
        let because = format!(
            "an access policy for {doubtful} does, and whether that is a group with it in it could not be read"
        );
        Some(Finding::AccessPolicyUndecided { origin, identity, vault, because })
    }

    /// Whether an entry is the principal's, or a group's that it is in; none while that is not known. What an object is
    /// shows only by the roles that it holds.
    fn reaches(&self, entry: &AccessEntry) -> Option<bool> {
        if self.observed.identities.contains(&entry.object) {
            return Some(false);
        }
        let (scope, ask_groups) = (&self.vault.id, self.ask_groups);
        let access = self.observed.access_at(scope).ok()?;
        let Self { principal, observed, now, .. } = *self;
        let question = Question { principal, scope, access, observed, now, ended_by: None, ask_groups };
        let mut held = access.grants.held_by(entry.object);
        if held.any(|grant| !grant.principal_kind.may_have_members()) {
            return Some(false);
        }
        question.is_member(entry.object)
    }
}
