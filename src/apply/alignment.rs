//! A vault's switch to role assignments: the look before it, the look after it, and what takes it back.
//!
//! The judgement is the plan's. Here everything that it rests on is read once more, and has to be the same.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{confirm::principal_of, follow};
use crate::{
    azure::Azure,
    model::{DenyAssignment, Failure, FailureClass, Grant, VaultMode},
    plan::{Outcome, Step, SwitchVaultMode},
};

/// The vault, the identities that are declared, each grant that somebody gets in by, its role and the deny assignments
/// must be what the plan was made for. What changes most easily is read last: the grants, and the vault once more.
pub(super) async fn confirm(azure: &Azure, switch: &SwitchVaultMode) -> Result<Option<Outcome>, Failure> {
    if let Some(outcome) = confirm_vault(azure, switch).await? {
        return Ok(Some(outcome));
    }
    let moved = |what: String| Ok(Some(Outcome::Moved(what)));
    let grounds = &switch.grounds;
    for role in &grounds.roles {
        if azure.role(&switch.vault, role.id).await?.as_ref() != Some(role) {
            return moved(format!("role `{}` has changed", role.name));
        }
    }
    let over = |deny: &DenyAssignment| deny.scope.reaches(&switch.vault);
    let denies: Vec<_> = azure.denies_around(&switch.vault).await?.into_iter().filter(over).collect();
    if denies.len() != grounds.denies.len() || !denies.iter().all(|deny| grounds.denies.contains(deny)) {
        return moved(format!("the deny assignments over vault {} have changed", switch.vault.name()));
    }
    for (identity, principal) in &switch.own {
        if principal_of(azure, identity, &switch.target).await? != Some(*principal) {
            return moved(format!("{identity} is no longer {principal}"));
        }
    }
    if let Some(gone) = gone(azure, switch).await?.into_iter().next() {
        return moved(format!("role assignment {} is gone, or has changed", gone.id.name()));
    }
    confirm_vault(azure, switch).await
}

async fn confirm_vault(azure: &Azure, switch: &SwitchVaultMode) -> Result<Option<Outcome>, Failure> {
    let name = switch.vault.name();
    let Some(vault) = azure.vault(&switch.vault).await? else {
        return Ok(Some(Outcome::Moved(format!("vault {name} is gone"))));
    };
    if vault.mode == VaultMode::Rbac {
        return Ok(Some(Outcome::AlreadyDone));
    }
    Ok(switch.differs(&vault).map(|what| Outcome::Moved(format!("{what} of vault {name} changed"))))
}

/// Switches, takes it back when a grant that a declared identity needs went meanwhile, and looks whether the vault shows it.
///
/// Only a switch that Azure accepted is taken back: of one whose answer got lost nobody knows whose it is. What the next
/// pass finds then is a vault of the declared mode and a missing role, and it grants that.
pub(super) async fn make(
    azure: &Azure,
    step: &Step,
    switch: &SwitchVaultMode,
    may_write: &impl Fn() -> bool,
) -> Result<Outcome, Failure> {
    azure.write(&step.request).await?;
    let name = switch.vault.name();
    // The grants first: that Azure accepted it is enough to care for who lost access, whatever the vault shows by now.
    let declared: BTreeSet<_> =
        switch.grounds.grants.iter().filter(|relied| relied.declared).map(|relied| &relied.grant.id).collect();
    let mut lost = None;
    for grant in gone(azure, switch).await?.into_iter().filter(|grant| declared.contains(&grant.id)) {
        // A list may be an old one; the grant itself says whether it is there.
        if azure.grant(&grant.scope, grant.id.name()).await?.is_none_or(|now| !is_same(grant, &now)) {
            lost = Some(grant);
            break;
        }
    }
    if let (Some(lost), Some(undo)) = (lost, &step.undo) {
        follow(azure, undo, may_write).await?;
        let lost = lost.id.name();
        let text =
            format!("role assignment {lost} went while vault {name} was switched, so its access policies decide again");
        return Err(Failure::new(FailureClass::Waiting, "AccessLost", text));
    }
    let after = azure.vault(&switch.vault).await?;
    if after.is_none_or(|vault| vault.mode != VaultMode::Rbac) {
        let text = format!("vault {name} does not show its new mode yet");
        return Err(Failure::new(FailureClass::Waiting, "ModeNotShown", text));
    }
    Ok(Outcome::Applied)
}

/// The grants that it rests on and that are not there any more as they were.
async fn gone<'a>(azure: &Azure, switch: &'a SwitchVaultMode) -> Result<Vec<&'a Grant>, Failure> {
    let now = azure.grants_around(&switch.vault).await?;
    let relied = switch.grounds.grants.iter().map(|relied| &relied.grant);
    Ok(relied.filter(|grant| !now.iter().any(|other| is_same(grant, other))).collect())
}

/// Whether a grant is still the one that was seen. One that was made anew under its old name does not act yet. Two answers
/// about the same grant may differ a little.
fn is_same(seen: &Grant, now: &Grant) -> bool {
    let facts = |grant: &Grant| (grant.principal, grant.role, grant.scope.clone(), grant.condition.clone());
    let later = seen.changed.zip(now.changed).map(|(seen, now)| now.duration_since(seen));
    let as_old = later.is_some_and(|later| later < SignedDuration::from_mins(1));
    seen.id == now.id && facts(seen) == facts(now) && as_old
}
