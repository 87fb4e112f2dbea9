//! The look just before a write: is the world still what the plan was made for?
//!
//! `Ok(None)` means that the write may go ahead.

use crate::{
    azure::Azure,
    model::{Failure, FailureClass, Grant, PrincipalId, Scope, Truth, condition::Request, grant_name},
    plan::{AddVaultPolicyEntry, GrantRole, HoldReason, IdentityChange, Outcome, Plan, Reattach, RevokeRole},
    policy::Identity,
};

/// The identity block must be what the planned one was built on: written over another, it could detach something.
pub(super) async fn identity(azure: &Azure, change: &IdentityChange) -> Result<Option<Outcome>, Failure> {
    let Some(site) = azure.site(&change.target).await? else {
        return Ok(Some(Outcome::Moved(format!("{} is gone", change.target.app_name()))));
    };
    let enabled = site.system.is_enabled() || !change.enable_system;
    if enabled && change.attach.iter().all(|id| site.attached.contains_key(id)) {
        return Ok(Some(Outcome::AlreadyDone));
    }
    // Another write would be refused, or come between. It is over in minutes.
    if let Some(state) = &site.under_way {
        let text = format!("a change of {} goes on: its provisioningState is `{state}`", change.target.app_name());
        return Err(Failure::new(FailureClass::Transient, "AnotherOperationInProgress", text));
    }
    let unchanged = site.system == change.system_before && site.attached.keys().eq(&change.attached_before);
    Ok((!unchanged).then(|| Outcome::Moved(format!("the identities of {} have changed", change.target.app_name()))))
}

/// The app must still hold the old principal, the identity must still have the new one, and nothing else of the block
/// may have changed.
pub(super) async fn reattach(azure: &Azure, change: &Reattach) -> Result<Option<Outcome>, Failure> {
    let moved = |what: &str| Ok(Some(Outcome::Moved(format!("{what} of {} has changed", change.target.app_name()))));
    let Some(site) = azure.site(&change.target).await? else { return moved("the existence") };
    let held = site.attached.get(&change.identity).and_then(|attachment| attachment.principal);
    if held == Some(change.current) {
        return Ok(Some(Outcome::AlreadyDone));
    }
    let current = azure.user_identity(&change.identity).await?.and_then(|identity| identity.principal);
    let unchanged = site.system == change.system_before && site.attached.keys().eq(&change.attached_before);
    if held != Some(change.on_site) || current != Some(change.current) || !unchanged {
        return moved("an identity");
    }
    Ok(None)
}

/// The principal must still be the named identity's, and our name must be free.
pub(super) async fn grant(azure: &Azure, grant: &GrantRole, plan: &Plan) -> Result<Option<Outcome>, Failure> {
    let principal = principal_of(azure, &grant.identity, &grant.target).await?;
    if principal != Some(grant.principal) {
        return Ok(Some(Outcome::Moved(format!("{} is no longer {}", grant.identity, grant.principal))));
    }
    // The survey may be a minute old, and what Azure leaves out of a subscription's list it may show here.
    let now = azure.grants_at(&grant.scope, grant.principal).await?;
    let expected = |other: &Grant| grant.held.contains(&other.id) || plan.creates(other.id.name());
    let new = now.iter().find(|other| other.scope.reaches(&grant.scope) && !expected(other));
    let name = grant_name(&grant.scope, grant.principal, grant.role.id).to_string();
    if let Some(new) = new {
        return Ok(Some(Outcome::Moved(format!("the identity holds a role that the survey did not show: {}", new.id))));
    }
    let Some(existing) = azure.grant(&grant.scope, &name).await? else {
        // The same under another name, and narrowed: Azure would refuse ours, at this pass and at every other.
        let narrowed = now.iter().any(|other| is_same(other, grant) && other.is_conditioned());
        return Ok(narrowed.then_some(Outcome::Held(HoldReason::ConditionedAssignmentExists)));
    };
    if !is_same(&existing, grant) {
        let text = format!("role assignment {name} exists for another principal, role or scope");
        return Err(Failure::new(FailureClass::Bug, "NameInUse", text));
    }
    // Writing over it would erase somebody's condition.
    Ok(Some(if existing.is_conditioned() {
        Outcome::Held(HoldReason::ConditionedAssignmentExists)
    } else {
        Outcome::AlreadyDone
    }))
}

/// The principal must still be the named identity's, and the vault what it was as far as that principal goes.
pub(super) async fn vault_entry(
    azure: &Azure,
    add: &AddVaultPolicyEntry,
    plan: &Plan,
) -> Result<Option<Outcome>, Failure> {
    let AddVaultPolicyEntry { identity, entry, target, .. } = add;
    if principal_of(azure, identity, target).await? != Some(entry.principal) {
        return Ok(Some(Outcome::Moved(format!("{identity} is no longer {}", entry.principal))));
    }
    let name = entry.vault.name();
    let Some(vault) = azure.vault(&entry.vault).await? else {
        return Ok(Some(Outcome::Moved(format!("vault {name} is gone"))));
    };
    if vault.mode == entry.seen.mode && vault.tenant.as_ref() == Some(&entry.tenant) && entry.is_in(&vault) {
        return Ok(Some(Outcome::AlreadyDone));
    }
    let is_ours = |principal| plan.adds_entry(&entry.vault, principal);
    Ok(entry.differs(&vault, is_ours).map(|what| Outcome::Moved(format!("{what} at vault {name} has changed"))))
}

/// Whose principal it is now.
pub(super) async fn principal_of(
    azure: &Azure,
    identity: &Identity,
    target: &Scope,
) -> Result<Option<PrincipalId>, Failure> {
    Ok(match identity {
        Identity::System => azure.site(target).await?.and_then(|site| site.system.principal()),
        Identity::User(id) => azure.user_identity(id).await?.and_then(|identity| identity.principal),
    })
}

/// What is deleted must still be what was planned: ours, and unchanged since, which a person's edit would show. And what
/// may make it needless must still be there.
pub(super) async fn revocation(azure: &Azure, revoke: &RevokeRole) -> Result<Option<Outcome>, Failure> {
    let RevokeRole { grant: seen, role: _, beside } = revoke;
    if !beside.is_empty() {
        let held = azure.grants_at(&seen.scope, seen.principal).await?;
        let stays = |id: &&Scope| held.iter().any(|other| other.id == **id && !other.is_conditioned());
        if let Some(gone) = beside.iter().find(|id| !stays(id)) {
            return Ok(Some(Outcome::Moved(format!("role assignment {} is gone, or narrowed", gone.name()))));
        }
    }
    let Some(now) = azure.grant(&seen.scope, seen.id.name()).await? else { return Ok(Some(Outcome::AlreadyDone)) };
    // Not by its times, which two answers about the same grant may give differently.
    let facts = |grant: &Grant| {
        let Grant { id: _, principal, principal_kind: _, role, scope, condition, changed: _, mark, created_by } = grant;
        (*principal, *role, scope.clone(), condition.clone(), mark.clone(), *created_by)
    };
    let changed = facts(&now) != facts(seen);
    Ok(changed.then(|| Outcome::Moved(format!("role assignment {} has changed", seen.id.name()))))
}

/// Whether a grant is the planned one, whatever its name.
pub(super) fn is_same(existing: &Grant, planned: &GrantRole) -> bool {
    existing.principal == planned.principal && existing.role == planned.role.id && existing.scope == planned.scope
}

/// For a dry run: whether Azure would let us. A condition on our own rights that cannot be judged beforehand is no
/// refusal: nothing is written on the strength of this.
pub(super) async fn own_rights(azure: &Azure, needed: &[Request<'_>]) -> Result<Outcome, Failure> {
    for request in needed {
        let own = azure.own_permissions(request.resource).await?;
        if own.iter().all(|entry| entry.serves(request) == Truth::False) {
            let Request { action, resource, .. } = request;
            let text = format!("the write would be refused: we lack `{action}` at {resource}");
            return Err(Failure::new(FailureClass::Denied, "AuthorizationFailed", text));
        }
    }
    Ok(Outcome::Rehearsed)
}
