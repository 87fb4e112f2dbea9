//! The access policy that is added to a vault: what lacks, and why it is not added where that is not safe.

use std::collections::{BTreeMap, BTreeSet};

use super::HoldReason;
use crate::{
    evaluate::Finding,
    model::{AccessEntry, PrincipalId, Scope, Vault, VaultMode, VaultOperation},
};

/// An access policy to add: for one principal of the vault's directory.
#[derive(Clone, Debug)]
pub struct VaultEntry {
    /// The vault.
    pub vault: Scope,
    /// The vault's directory.
    pub tenant: String,
    /// Whose entry it is.
    pub principal: PrincipalId,
    /// What lacks.
    pub missing: BTreeSet<VaultOperation>,
    /// The vault when this was planned.
    pub seen: Box<Vault>,
}

impl VaultEntry {
    /// What would put the finding right, or why that is not done; none for a finding of another kind.
    pub fn of(finding: &Finding) -> Option<Result<Self, HoldReason>> {
        let Finding::AccessPolicyMissing { origin: _, identity: _, principal, vault, missing, expected, seen } =
            finding
        else {
            return None;
        };
        if *expected != VaultMode::AccessPolicy || seen.mode != VaultMode::AccessPolicy {
            let why = "the vault is declared to decide by role assignments; an access policy would have to go again";
            return Some(Err(HoldReason::NoSafeChange(why)));
        }
        // A write that nobody vouches for: what is there cannot be kept when it is not known.
        let (Some(tenant), Some(_)) = (&seen.tenant, &seen.entries) else {
            return Some(Err(HoldReason::EvidenceIncomplete));
        };
        if entries(seen).any(|entry| entry.object == *principal && !seen.counts(entry)) {
            let why = "the vault has an access policy for the same principal with an application, or in another \
                       directory, and what adding one does to that is not documented";
            return Some(Err(HoldReason::NoSafeChange(why)));
        }
        Some(Ok(Self {
            vault: vault.clone(),
            tenant: tenant.clone(),
            principal: *principal,
            missing: missing.iter().copied().collect(),
            seen: seen.clone(),
        }))
    }

    /// What the entry permits: what lacks, and what the principal has already. Whether `add` joins both or replaces the
    /// one by the other is not documented; so both readings end the same, and nothing is taken away.
    #[must_use]
    pub fn permissions(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut permissions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let had = self.own(&self.seen).flat_map(|entry| &entry.permissions);
        for (on, words) in had.filter(|(_, words)| !words.is_empty()) {
            permissions.entry(on.clone()).or_default().extend(words.iter().cloned());
        }
        for VaultOperation { on, name } in &self.missing {
            permissions.entry((*on).to_owned()).or_default().insert((*name).to_owned());
        }
        permissions
    }

    /// Whether the vault has it.
    #[must_use]
    pub fn is_in(&self, vault: &Vault) -> bool {
        self.missing.iter().all(|operation| self.own(vault).any(|entry| entry.allows(*operation)))
    }

    /// Why the vault is not the one any more that this was planned for, if so. Entries of others may come and go, as long
    /// as none of them may be what lacks; `is_ours` says of an object that the same plan adds its entry.
    #[must_use]
    pub fn differs(&self, vault: &Vault, is_ours: impl Fn(PrincipalId) -> bool) -> Option<&'static str> {
        let all = |vault: &Vault| -> BTreeSet<AccessEntry> {
            entries(vault).filter(|entry| entry.object == self.principal).cloned().collect()
        };
        let helps = |entry: &&AccessEntry| {
            let allows = self.missing.iter().any(|operation| entry.allows(*operation));
            entry.object != self.principal && vault.counts(entry) && allows && !is_ours(entry.object)
        };
        let is_known = |entry: &AccessEntry| entries(&self.seen).any(|known| known == entry);
        if vault.mode != self.seen.mode {
            Some("the mode")
        } else if vault.tenant.as_ref() != Some(&self.tenant) {
            Some("the directory")
        } else if vault.entries.is_none() || all(vault) != all(&self.seen) {
            Some("what the principal may do")
        } else {
            entries(vault).filter(helps).any(|entry| !is_known(entry)).then_some("what others may do")
        }
    }

    /// The principal's own entries that count.
    fn own<'a>(&self, vault: &'a Vault) -> impl Iterator<Item = &'a AccessEntry> {
        let principal = self.principal;
        entries(vault).filter(move |entry| entry.object == principal && vault.counts(entry))
    }
}

fn entries(vault: &Vault) -> impl Iterator<Item = &AccessEntry> {
    vault.entries.iter().flatten()
}
