//! H4: does each vault decide by the model that is declared, and which access must then be there?

use super::Finding;
use crate::{
    catalog::{self, NeedRow},
    model::{Observed, Reading, VaultMode},
    policy::{Policy, Requirement, Wanted},
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
                    // `get` and `list` have one role between them: the first row that names it stands for both when
                    // it is granted, so each operation is asked on its own.
                    let rows = required.secrets.iter().map(|operation| catalog::vault_secret_need(*operation));
                    needs.extend(rows.map(|row: &'static NeedRow| Requirement {
                        origins: vec![origin.clone()],
                        identity: required.identity.clone(),
                        scope: required.vault.clone(),
                        wanted: Wanted::Need(row),
                    }));
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
