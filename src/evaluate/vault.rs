//! H4: does each vault decide by the model that is declared, and which access must then be there?

use super::Finding;
use crate::{
    model::{Observed, Reading, VaultMode},
    policy::{Policy, Requirement},
};

/// The access that vaults in RBAC mode call for; what is wrong with the vaults goes to `findings`.
///
/// While a vault uses access policies its roles decide nothing, so they are not asked for.
pub(super) fn compare(policy: &Policy, observed: &Observed, findings: &mut Vec<Finding>) -> Vec<Requirement> {
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
                if value.mode == VaultMode::Rbac {
                    needs.extend(required.needs());
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
