//! What several live policies say of one vault, and what a switch of its mode would do to all who use it.

use std::collections::BTreeSet;

use super::{
    Leave, Pipeline,
    live::{self, Live},
};
use crate::{
    evaluate::{self, Evaluation, Finding},
    model::{Observed, Scope, VaultMode},
    observe, plan,
    policy::{Policy, VaultRequirement, Verdict},
};

/// Adds that others declare the other mode of a vault. Those of another namespace are not named.
pub(super) fn add_disputes(policy: &Policy, leave: &impl Leave, evaluation: &mut Evaluation) {
    if policy.vaults.is_empty() {
        return;
    }
    let Some(others) = live::sharers(leave, policy, differs) else { return };
    for required in &policy.vaults {
        let against: Vec<&Policy> =
            others.iter().filter(|other| declares_other(other, required.mode, &required.vault)).collect();
        if against.is_empty() {
            continue;
        }
        let of_namespace = |other: &&&Policy| other.namespace == policy.namespace;
        let by = against.iter().filter(of_namespace).map(|other| other.full_name());
        evaluation.findings.push(Finding::VaultModeDisputed {
            origin: required.origin.clone(),
            vault: required.vault.clone(),
            by: by.collect::<BTreeSet<_>>().into_iter().collect(),
            elsewhere: against.iter().any(|other| !of_namespace(&other)),
        });
    }
}

/// The same, asked just before a write to the vault.
pub(super) fn is_disputed(leave: &impl Leave, policy: &Policy, vault: &Scope) -> bool {
    let Some(others) = live::sharers(leave, policy, differs) else { return false };
    let mut own = policy.vaults.iter().filter(|required| required.vault == *vault);
    own.any(|required| others.iter().any(|other| declares_other(other, required.mode, vault)))
}

/// Whether others have a say about the policy's vaults than those that were asked: boundaries let others look by now.
pub(super) fn others_are_heard(leave: &impl Leave, policy: &Policy, live: &Live) -> bool {
    live::sharers(leave, policy, |_, _| true).is_none_or(|sharers| names(&sharers) != live.heard)
}

fn names(policies: &[Policy]) -> BTreeSet<String> {
    policies.iter().map(Policy::full_name).collect()
}

fn differs(own: &VaultRequirement, mode: VaultMode) -> bool {
    own.mode != mode
}

fn declares_other(other: &Policy, mode: VaultMode, vault: &Scope) -> bool {
    other.vaults.iter().any(|one| one.vault == *vault && one.mode != mode)
}

impl Pipeline {
    /// Judges the switches that are asked for and allowed, and asks which groups the consumers of a vault are in where
    /// that could decide. Returns the policies as they were asked for that.
    pub(super) async fn align(
        &self,
        policy: &Policy,
        verdict: &Verdict,
        leave: &(impl Leave + Sync),
        observed: &mut Observed,
        evaluation: &mut Evaluation,
    ) -> Option<Live> {
        let now = self.clock.now();
        let wanted = evaluation.findings.iter().filter_map(|finding| match finding {
            Finding::VaultModeMismatch { vault, expected: VaultMode::Rbac, .. } => Some(vault.clone()),
            _ => None,
        });
        let wanted = wanted.filter(|vault| plan::may_switch(policy, verdict, vault, now).is_ok());
        let wanted: BTreeSet<Scope> = wanted.collect();
        if wanted.is_empty() {
            return None;
        }
        // Before anything is waited for, and before the sharers: whoever comes after that was not asked.
        let mut live = Live::of(leave, None);
        // On a command line nobody knows them, and nothing is written.
        let sharers = live::sharers(leave, policy, |_, _| true).unwrap_or_default();
        if let Some(live) = &mut live {
            live.heard = names(&sharers);
        }
        for vault in wanted {
            let claims = observe::claims(&self.azure, &self.surveys, policy, observed, &sharers).await;
            let mut ask = BTreeSet::new();
            let mut alignment = evaluate::align(policy, &vault, &claims, observed, now, &mut ask);
            if !ask.is_empty() {
                observe::ask_groups(&self.azure, &self.surveys, observed, &ask).await;
                alignment = evaluate::align(policy, &vault, &claims, observed, now, &mut ask);
            }
            evaluation.alignments.insert(vault, alignment);
        }
        live
    }
}
