//! The policies that are alive, as of one moment: what they need is not taken away.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    api::FunctionIdentityPolicy,
    model::VaultMode,
    pipeline::Leave,
    policy::{Policy, VaultRequirement},
};

/// The live policies, parsed, and what tells this moment from another.
pub(super) struct Live {
    pub(super) policies: Vec<Policy>,
    /// The subscriptions that those speak of which could not be parsed.
    pub(super) unparsed: BTreeSet<String>,
    /// Uid and generation of each.
    pub(super) seen: BTreeSet<(Option<String>, Option<i64>)>,
    /// The names of those that were asked about the vaults of the policy at hand.
    pub(super) heard: BTreeSet<String>,
    /// The one that is being deleted and does not count.
    pub(super) leaving: Option<String>,
}

impl Live {
    /// None when the policies of the cluster are not known. `leaving`: the uid of a policy that does not count.
    pub(super) fn of(leave: &impl Leave, leaving: Option<String>) -> Option<Self> {
        let is_alive = |object: &&Arc<FunctionIdentityPolicy>| {
            object.metadata.deletion_timestamp.is_none() && (leaving.is_none() || object.metadata.uid != leaving)
        };
        let objects = leave.policies()?;
        let alive: Vec<_> = objects.iter().filter(is_alive).collect();
        let (mut policies, mut unparsed) = (Vec::new(), BTreeSet::new());
        for object in &alive {
            match Policy::parse(object) {
                Ok(policy) => policies.push(policy),
                Err(_) => unparsed.extend(subscriptions(object)),
            }
        }
        let seen = alive.iter().map(|object| (object.metadata.uid.clone(), object.metadata.generation)).collect();
        Some(Self { policies, unparsed, seen, heard: BTreeSet::new(), leaving })
    }

    /// Whether a policy came, changed or went since.
    pub(super) fn has_moved(&self, leave: &impl Leave) -> bool {
        Self::of(leave, self.leaving.clone()).is_none_or(|now| now.seen != self.seen)
    }
}

/// The live policies that may speak of an identity which `own` speaks of; none when those are not all known.
pub(super) fn neighbours(leave: &impl Leave, own: &Policy) -> Option<Vec<Policy>> {
    let names: BTreeSet<String> = own.user.iter().map(|id| id.name().to_ascii_lowercase()).collect();
    let names_one = |object: &&Arc<FunctionIdentityPolicy>| {
        let mut ids = object.spec.resources.values();
        ids.any(|id| id.rsplit('/').next().is_some_and(|name| names.contains(&name.to_ascii_lowercase())))
    };
    let is_alive = |object: &&Arc<FunctionIdentityPolicy>| object.metadata.deletion_timestamp.is_none();
    let objects = leave.policies()?;
    // What an invalid policy needs is not known.
    objects.iter().filter(is_alive).filter(names_one).map(|object| Policy::parse(object).ok()).collect()
}

/// The live policies that declare a vault which `own` declares, too: those that may look at all that they speak of. One that
/// may not cannot stand in the way of one that may. `matters`: whether a policy that says so of a vault's mode is asked for,
/// by the name of the vault; nothing is parsed before that. None when the policies of the cluster are not known.
pub(super) fn sharers(
    leave: &impl Leave,
    own: &Policy,
    matters: impl Fn(&VaultRequirement, VaultMode) -> bool,
) -> Option<Vec<Policy>> {
    let is_asked_for = |object: &&Arc<FunctionIdentityPolicy>| {
        object.spec.vaults.iter().any(|declared| {
            let id = object.spec.resources.get(&declared.resource).and_then(|id| id.rsplit('/').next());
            let same = |one: &&VaultRequirement| id.is_some_and(|id| id.eq_ignore_ascii_case(one.vault.name()));
            own.vaults.iter().filter(same).any(|one| matters(one, declared.mode.into()))
        })
    };
    let objects = leave.policies()?;
    let alive = objects.iter().filter(|object| object.metadata.deletion_timestamp.is_none());
    let others = alive.filter(is_asked_for).filter_map(|object| Policy::parse(object).ok());
    let others: Vec<Policy> = others.filter(|other| other.full_name() != own.full_name()).collect();
    if others.is_empty() {
        return Some(others);
    }
    let authority = leave.authority();
    Some(others.into_iter().filter(|other| authority.verdict(other).unreadable(other).is_empty()).collect())
}

/// Every subscription that a policy names, valid or not: nothing that it declares can lie elsewhere.
fn subscriptions(object: &FunctionIdentityPolicy) -> impl Iterator<Item = String> + '_ {
    let base = std::iter::once(object.spec.scope.subscription_id.as_str());
    let named = object.spec.resources.values().filter_map(|id| id.split('/').filter(|part| !part.is_empty()).nth(1));
    base.chain(named).map(str::to_ascii_lowercase)
}
