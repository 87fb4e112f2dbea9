//! What became of the references in the app's settings, as the platform last resolved them. Its words have several reasons
//! each, so they leave a hypothesis open and confirm none.

use super::Hypothesis;
use crate::{
    model::{Observed, Reading, TargetKind, VaultReference},
    policy::Policy,
};

/// A reference to a declared vault that the platform did not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The app setting.
    pub setting: String,
    /// The platform's word for it.
    pub status: String,
    /// What it speaks for.
    pub hypothesis: Hypothesis,
}

/// All of them; none where nobody asked. What refers to another vault is nothing that the policy declares.
pub(super) fn unresolved(policy: &Policy, observed: &Observed) -> Vec<Unresolved> {
    let references = declared(policy, observed);
    let unresolved = references.filter_map(|reference| {
        let (setting, status) = (reference.setting.clone(), reference.status.clone());
        Some(Unresolved { setting, hypothesis: speaks_for(&status)?, status })
    });
    unresolved.collect()
}

/// Those that are resolved.
pub(super) fn resolved<'a>(policy: &'a Policy, observed: &'a Observed) -> impl Iterator<Item = &'a VaultReference> {
    declared(policy, observed).filter(|reference| reference.status == "Resolved")
}

/// Whether the app can have any, to a vault that is declared.
#[must_use]
pub fn has_references(policy: &Policy) -> bool {
    TargetKind::of(&policy.target) == TargetKind::App && !policy.vaults.is_empty()
}

fn declared<'a>(policy: &'a Policy, observed: &'a Observed) -> impl Iterator<Item = &'a VaultReference> {
    let all = observed.references.as_ref().and_then(Reading::present).into_iter().flatten();
    all.filter(|reference| policy.vaults.iter().any(|one| one.vault.name().eq_ignore_ascii_case(&reference.vault)))
}

/// Azure documents the words and not their reasons: a firewall refuses like a missing right, and a name that is not known
/// looks like a vault that does not exist.
fn speaks_for(status: &str) -> Option<Hypothesis> {
    match status {
        "AccessToKeyVaultDenied" => Some(Hypothesis::H4),
        "MSINotEnabled" | "UnauthorizedClient" => Some(Hypothesis::H1),
        "VaultNotFound"
        | "SecretNotFound"
        | "SecretVersionNotFound"
        | "InvalidSyntax"
        | "FetchTimedOut"
        | "OtherReasons" => Some(Hypothesis::H6),
        // Resolved, not tried yet, or a word of later.
        _ => None,
    }
}
