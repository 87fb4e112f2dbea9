//! What would help, finding by finding, before anybody asked whether it may be done.

use super::{
    AddVaultPolicyEntry, Circumstances, GrantRole, Held, HoldReason, Reattach, RevokeRole, VaultEntry,
    alignment::{SwitchVaultMode, is_disputed, is_towards_roles, wish_switch},
    grant_subject, identity_subject,
};
use crate::{
    api::ChangeKind,
    evaluate::{Access, ConnectionProblem, Evaluation, Finding, Kept},
    model::{Mark, PrincipalId, Role, RoleId, Scope, Site, TargetKind},
    policy::{Identity, Origin, Policy, Verdict, subject_of},
};

/// A change that was chosen, before anything was asked about it.
pub(super) struct Wish {
    pub(super) kind: ChangeKind,
    pub(super) change: WishedChange,
}

pub(super) enum WishedChange {
    EnableSystem,
    Attach(Scope),
    Grant(Box<GrantRole>),
    AddEntry(Box<AddVaultPolicyEntry>),
    Switch(Box<SwitchVaultMode>),
    Revoke(Box<RevokeRole>),
    Reattach(Box<Reattach>),
    Restart,
    Refresh(Vec<Origin>),
}

/// Every change that would help, in the order of the chain, and what no change of ours would help between them.
pub(super) fn wishes(
    (policy, verdict): (&Policy, &Verdict),
    evaluation: &Evaluation,
    circumstances: &Circumstances,
    role: impl Fn(&Scope, &RoleId) -> Option<Role>,
) -> Vec<Result<Wish, Held>> {
    let mut wishes: Vec<Result<Wish, Held>> = Vec::new();
    for finding in &evaluation.findings {
        let subject = finding.subject();
        match finding {
            Finding::SystemIdentityDisabled => {
                wishes.push(Ok(Wish { kind: ChangeKind::EnableSystemIdentity, change: WishedChange::EnableSystem }));
            }
            Finding::UserIdentityNotAttached { identity, .. } => {
                let others = || evaluation.findings.iter();
                // An identity that does not exist cannot be attached; its own finding is held.
                let gone = others()
                    .any(|other| matches!(other, Finding::UserIdentityNotFound { identity: gone } if gone == identity));
                let unread = others().any(|other| other.is_unreadable(|one| one == subject));
                let kind = ChangeKind::AttachUserIdentity;
                if unread {
                    wishes.push(Err(Held::without_step(Some(kind), subject, HoldReason::EvidenceIncomplete)));
                } else if !gone {
                    wishes.push(Ok(Wish { kind, change: WishedChange::Attach(identity.clone()) }));
                }
            }
            Finding::RoleMissing { .. } => wish_grant(policy, circumstances, &role, finding, &mut wishes),
            Finding::VaultModeMismatch { origin, vault, expected, actual } if is_towards_roles(*expected, *actual) => {
                let authority = (policy, verdict);
                wish_switch(authority, evaluation, circumstances, &role, (origin, vault), &mut wishes);
            }
            Finding::AccessPolicyMissing { origin, identity, .. } => {
                if let Some(entry) = VaultEntry::of(finding) {
                    let disputed = entry.as_ref().is_ok_and(|entry| is_disputed(evaluation, &entry.vault));
                    let entry = if disputed { Err(HoldReason::VaultModeDisputed) } else { entry };
                    wish_entry(policy, origin, identity, entry, &mut wishes);
                }
            }
            Finding::StaleAttachment { identity, on_site, current } => {
                let Some(site) = &evaluation.site else { continue };
                wishes.push(
                    reattach(policy, site, identity, (*on_site, *current))
                        .map_err(|reason| Held::without_step(Some(ChangeKind::ReattachUserIdentity), subject, reason)),
                );
            }
            Finding::HostNotRecycled { .. } => {
                wishes.push(Ok(Wish { kind: ChangeKind::RestartHost, change: WishedChange::Restart }));
            }
            Finding::ReferencesDenied { origin, .. } => {
                // One request is for all references of the app.
                let refresh = wishes.iter_mut().find_map(|wish| match wish {
                    Ok(Wish { change: WishedChange::Refresh(origins), .. }) => Some(origins),
                    _ => None,
                });
                match refresh {
                    Some(origins) => origins.push(origin.clone()),
                    None => wishes.push(Ok(Wish {
                        kind: ChangeKind::RefreshReferences,
                        change: WishedChange::Refresh(vec![origin.clone()]),
                    })),
                }
            }
            Finding::UnneededGrant { grant, role, beside, kept: None } => {
                let (grant, role, beside) = ((**grant).clone(), role.clone(), beside.clone());
                let revoke = Box::new(RevokeRole { grant, role, beside });
                wishes.push(Ok(Wish { kind: ChangeKind::RevokeRole, change: WishedChange::Revoke(revoke) }));
            }
            Finding::UnneededGrant { kept: Some(kept), .. } => {
                let reason = match kept {
                    Kept::Required { .. } => HoldReason::StillRequired(kept.clone()),
                    Kept::Undecided(_) => HoldReason::EvidenceIncomplete,
                };
                wishes.push(Err(Held::without_step(Some(ChangeKind::RevokeRole), subject, reason)));
            }
            other => wishes.extend(no_change_for(other, subject).map(Err)),
        }
    }
    wishes
}

/// An identity taken off and put back. The write of another kind of target is answered before it is done, so that nothing
/// could follow it at once.
fn reattach(
    policy: &Policy,
    site: &Site,
    identity: &Scope,
    (on_site, current): (PrincipalId, PrincipalId),
) -> Result<Wish, HoldReason> {
    let target = policy.target.clone();
    if TargetKind::of(&target) != TargetKind::App {
        let reason = "only with an app is an identity known to come off and on again without a gap";
        return Err(HoldReason::NoSafeChange(reason));
    }
    let (system_before, attached_before) = (site.system, site.attached.keys().cloned().collect());
    let (workload, identity) = (site.workload, identity.clone());
    let reattach = Reattach { target, workload, identity, on_site, current, system_before, attached_before };
    Ok(Wish { kind: ChangeKind::ReattachUserIdentity, change: WishedChange::Reattach(Box::new(reattach)) })
}

impl Wish {
    /// What in the policy it is about.
    pub(super) fn subject(&self) -> String {
        match &self.change {
            WishedChange::EnableSystem => identity_subject(&Identity::System),
            WishedChange::Attach(id) => identity_subject(&Identity::User(id.clone())),
            WishedChange::Grant(grant) => subject_of(&grant.origins),
            WishedChange::AddEntry(add) => subject_of(&add.origins),
            WishedChange::Switch(switch) => subject_of(&switch.origins),
            WishedChange::Revoke(revoke) => grant_subject(&revoke.grant),
            WishedChange::Reattach(reattach) => identity_subject(&Identity::User(reattach.identity.clone())),
            WishedChange::Restart => "target".to_owned(),
            WishedChange::Refresh(origins) => subject_of(origins),
        }
    }

    /// Whether it writes the app's identity block.
    pub(super) fn writes_block(&self) -> bool {
        match &self.change {
            WishedChange::EnableSystem | WishedChange::Attach(_) | WishedChange::Reattach(_) => true,
            WishedChange::Grant(_)
            | WishedChange::AddEntry(_)
            | WishedChange::Switch(_)
            | WishedChange::Revoke(_)
            | WishedChange::Restart
            | WishedChange::Refresh(_) => false,
        }
    }

    /// Where it writes.
    pub(super) fn written<'a>(&'a self, policy: &'a Policy) -> &'a Scope {
        match &self.change {
            WishedChange::EnableSystem
            | WishedChange::Attach(_)
            | WishedChange::Reattach(_)
            | WishedChange::Restart
            | WishedChange::Refresh(_) => &policy.target,
            WishedChange::Grant(grant) => &grant.scope,
            WishedChange::AddEntry(add) => &add.entry.vault,
            WishedChange::Switch(switch) => &switch.vault,
            WishedChange::Revoke(revoke) => &revoke.grant.scope,
        }
    }
}

/// The grant that puts a missing role right. Two needs may be met by one role: one grant serves both, and says so.
pub(super) fn wish_grant(
    policy: &Policy,
    circumstances: &Circumstances,
    role: impl Fn(&Scope, &RoleId) -> Option<Role>,
    finding: &Finding,
    wishes: &mut Vec<Result<Wish, Held>>,
) {
    let Finding::RoleMissing { origins, identity, principal, role_id, scope, held, .. } = finding else { return };
    let kind = ChangeKind::GrantRole;
    let Some(role) = role(scope, role_id) else {
        let reason = HoldReason::NoSafeChange("the role's definition could not be read");
        wishes.push(Err(Held::without_step(Some(kind), finding.subject(), reason)));
        return;
    };
    let same = wishes.iter_mut().find_map(|wish| match wish {
        Ok(Wish { change: WishedChange::Grant(grant), .. }) => {
            let known = (&grant.principal, &grant.role.id, &grant.scope);
            (known == (principal, role_id, scope)).then_some(grant)
        }
        _ => None,
    });
    if let Some(grant) = same {
        grant.serves(origins);
        return;
    }
    let grant = GrantRole {
        origins: origins.clone(),
        identity: identity.clone(),
        principal: *principal,
        role,
        scope: scope.clone(),
        held: held.clone(),
        mark: Mark { installation: circumstances.installation.clone(), policy: policy.full_name() },
        target: policy.target.clone(),
    };
    wishes.push(Ok(Wish { kind, change: WishedChange::Grant(Box::new(grant)) }));
}

/// A principal has one entry in a vault, for whatever asks for it.
fn wish_entry(
    policy: &Policy,
    origin: &Origin,
    identity: &Identity,
    entry: Result<VaultEntry, HoldReason>,
    wishes: &mut Vec<Result<Wish, Held>>,
) {
    let kind = ChangeKind::AddVaultPolicyEntry;
    let entry = match entry {
        Ok(entry) => entry,
        Err(reason) => {
            wishes.push(Err(Held::without_step(Some(kind), origin.to_string(), reason)));
            return;
        }
    };
    let same = wishes.iter_mut().find_map(|wish| match wish {
        Ok(Wish { change: WishedChange::AddEntry(add), .. }) => {
            (add.entry.vault == entry.vault && add.entry.principal == entry.principal).then_some(add)
        }
        _ => None,
    });
    if let Some(add) = same {
        add.serves(origin, &entry);
    } else {
        let (origins, identity, target) = (vec![origin.clone()], identity.clone(), policy.target.clone());
        let add = AddVaultPolicyEntry { origins, identity, entry, target };
        wishes.push(Ok(Wish { kind, change: WishedChange::AddEntry(Box::new(add)) }));
    }
}

/// Access that nobody could be granted, because there is no principal yet.
pub(super) fn waiting(evaluation: &Evaluation) -> impl Iterator<Item = Held> {
    let waiting = evaluation.requirements.iter().filter(|evaluated| evaluated.access == Access::NoPrincipal);
    waiting.map(|evaluated| {
        let reason = HoldReason::AwaitsIdentity(evaluated.identity.clone());
        Held::without_step(Some(ChangeKind::GrantRole), subject_of(&evaluated.origins), reason)
    })
}

/// Why nothing is done about a finding that no change of this version would put right.
fn no_change_for(finding: &Finding, subject: String) -> Option<Held> {
    let reason = match finding {
        Finding::SystemIdentityForbidden { .. } => "identities are never switched off: other things may rely on them",
        Finding::UserIdentityNotFound { .. } => "the identity does not exist; creating one is not the operator's to do",
        Finding::PrincipalMissing { .. } => "Azure has not filled in the identity's principal yet",
        Finding::CosmosRoleMissing { .. } => "role assignments inside Cosmos DB are not made by this version",
        Finding::AccessDenied { .. } => "a deny assignment outweighs every grant",
        Finding::ResourceNotFound { .. } => "the resource does not exist",
        Finding::KeysRefused { .. } => "app settings and accounts are never written: let the host use an identity",
        Finding::TargetStopped { .. } => "an app is started by whoever stopped it",
        Finding::VaultNotFound { .. } => "the vault does not exist",
        Finding::NetworkBlocked { .. } => "network rules and integrations are never written",
        Finding::ResourceNotReady { .. } => "the resource serves nobody; what becomes of it is its owner's to say",
        Finding::VaultModeMismatch { .. } => "a vault's mode is switched towards role assignments only",
        Finding::RoleUnknown { .. } => "no role of that name is known there",
        Finding::TargetNotFound { .. } => "the app does not exist",
        Finding::Connection { problem: ConnectionProblem::Undecided { .. }, .. } => {
            return Some(Held::without_step(None, subject, HoldReason::EvidenceIncomplete));
        }
        Finding::Connection { .. } => "app settings are never written",
        Finding::PlatformIdentity { .. } => "the configuration of the target is never written",
        Finding::Unreadable { .. }
        | Finding::AccessUndecided { .. }
        | Finding::AccessPolicyUndecided { .. } => {
            return Some(Held::without_step(None, subject, HoldReason::EvidenceIncomplete));
        }
        Finding::Propagating { until, .. } => {
            return Some(Held::without_step(None, subject, HoldReason::Propagating(*until)));
        }
        Finding::SystemIdentityDisabled
        | Finding::UserIdentityNotAttached { .. }
        | Finding::StaleAttachment { .. }
        | Finding::RoleMissing { .. }
        | Finding::AccessPolicyMissing { .. }
        | Finding::HostNotRecycled { .. }
        | Finding::ReferencesDenied { .. }
        | Finding::UnneededGrant { .. }
        // Advice. What others granted is theirs to take back, or to prolong.
        | Finding::GrantEnds { .. }
        | Finding::VaultModeDisputed { .. }
        | Finding::ExcessiveGrant { .. } => return None,
    };
    Some(Held::without_step(None, subject, HoldReason::NoSafeChange(reason)))
}
