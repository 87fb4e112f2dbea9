//! One change, with everything that applying it needs.

use std::collections::BTreeSet;

use super::{
    alignment::SwitchVaultMode,
    request::{self, Request},
    vault::VaultEntry,
};
use crate::{
    api::ChangeKind,
    model::{Grant, Mark, PrincipalId, Role, Scope, SystemAssigned, Workload},
    policy::{Identity, Origin, subject_of},
};

/// A change and the request that makes it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What changes.
    pub change: Change,
    /// The exact request.
    pub request: Request,
    /// What must follow at once, unless that was refused: detaching alone would be an outage.
    pub then: Option<Request>,
    /// What takes it back at once, when a look after it finds that it did harm.
    pub undo: Option<Request>,
}

/// What a step changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes the app's identity block.
    Identity(IdentityChange),
    /// Creates a role assignment.
    Grant(GrantRole),
    /// Adds an access policy to a vault.
    AddEntry(AddVaultPolicyEntry),
    /// Has a vault decide by role assignments.
    Switch(SwitchVaultMode),
    /// Deletes a role assignment that we made.
    Revoke(RevokeRole),
    /// Takes a user-assigned identity off the app and puts it back, so that the app gets its new principal.
    Reattach(Reattach),
    /// Restarts the app.
    Restart(Scope),
    /// Has the app resolve its references to vaults again.
    Refresh {
        /// The app.
        target: Scope,
        /// The vaults in question.
        origins: Vec<Origin>,
    },
}

/// Enables and attaches; never switches off or detaches.
#[derive(Clone, Debug)]
pub struct IdentityChange {
    /// The app.
    pub target: Scope,
    /// What it is.
    pub workload: Workload,
    /// The system-assigned identity is to be enabled.
    pub enable_system: bool,
    /// User-assigned identities to attach.
    pub attach: Vec<Scope>,
    /// The system-assigned identity when this was planned.
    pub system_before: SystemAssigned,
    /// What was attached when this was planned.
    pub attached_before: BTreeSet<Scope>,
}

/// One grant to create.
#[derive(Clone, Debug)]
pub struct GrantRole {
    /// What in the policy asks for it.
    pub origins: Vec<Origin>,
    /// Who gets it.
    pub identity: Identity,
    /// The identity's principal when this was planned.
    pub principal: PrincipalId,
    /// The role, as Azure defined it when this was planned.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// The grants that the principal held there when this was planned.
    pub held: BTreeSet<Scope>,
    /// What its description says.
    pub mark: Mark,
    /// The app.
    pub target: Scope,
}

/// One access policy to add.
#[derive(Clone, Debug)]
pub struct AddVaultPolicyEntry {
    /// What in the policy asks for it.
    pub origins: Vec<Origin>,
    /// Whose it is.
    pub identity: Identity,
    /// The entry.
    pub entry: VaultEntry,
    /// The app.
    pub target: Scope,
}

/// One grant to delete.
#[derive(Clone, Debug)]
pub struct RevokeRole {
    /// The grant as it was seen.
    pub grant: Grant,
    /// The role's name.
    pub role: String,
    /// What the same principal holds there and above besides, and keeps: it may be why the grant is not needed.
    pub beside: Vec<Scope>,
}

/// An identity to take off and put back.
#[derive(Clone, Debug)]
pub struct Reattach {
    /// The app.
    pub target: Scope,
    /// What it is.
    pub workload: Workload,
    /// The identity.
    pub identity: Scope,
    /// The principal that the app still holds of it.
    pub on_site: PrincipalId,
    /// The principal that it has.
    pub current: PrincipalId,
    /// The system-assigned identity when this was planned.
    pub system_before: SystemAssigned,
    /// What was attached when this was planned.
    pub attached_before: BTreeSet<Scope>,
}

impl GrantRole {
    /// Says that it is for these, too.
    pub(super) fn serves(&mut self, origins: &[Origin]) {
        for origin in origins {
            if !self.origins.contains(origin) {
                self.origins.push(origin.clone());
            }
        }
    }
}

impl AddVaultPolicyEntry {
    /// Says that it is for that entry of `vaults`, too, and adds what that lacks.
    pub(super) fn serves(&mut self, origin: &Origin, entry: &VaultEntry) {
        if !self.origins.contains(origin) {
            self.origins.push(origin.clone());
        }
        self.entry.missing.extend(&entry.missing);
    }
}

impl Step {
    pub(super) fn of(change: Change) -> Self {
        let then = match &change {
            Change::Reattach(reattach) => Some(request::attach_again(reattach)),
            Change::Identity(_)
            | Change::Grant(_)
            | Change::AddEntry(_)
            | Change::Switch(_)
            | Change::Revoke(_)
            | Change::Restart(_)
            | Change::Refresh { .. } => None,
        };
        let undo = match &change {
            Change::Switch(switch) => Some(request::vault_mode(&switch.vault, false)),
            _ => None,
        };
        let request = match &change {
            Change::Identity(identity) => request::identity(identity),
            Change::Grant(grant) => request::grant(grant),
            Change::AddEntry(add) => request::vault_entry(&add.entry),
            Change::Switch(switch) => request::vault_mode(&switch.vault, true),
            Change::Revoke(revoke) => request::revoke(revoke),
            Change::Reattach(reattach) => request::detach(reattach),
            Change::Restart(target) => request::restart(target),
            Change::Refresh { target, .. } => request::refresh(target),
        };
        Self { change, request, then, undo }
    }

    /// How many writes it may take.
    #[must_use]
    pub fn writes(&self) -> usize {
        1 + usize::from(self.then.is_some()) + usize::from(self.undo.is_some())
    }

    /// What must not be written by two at once: a vault is one thing, whatever part of it is written.
    #[must_use]
    pub fn written(&self) -> &str {
        match &self.change {
            Change::AddEntry(add) => add.entry.vault.as_str(),
            _ => &self.request.path,
        }
    }

    /// The kinds of change in it.
    #[must_use]
    pub fn kinds(&self) -> Vec<ChangeKind> {
        match &self.change {
            Change::Grant(_) => vec![ChangeKind::GrantRole],
            Change::AddEntry(_) => vec![ChangeKind::AddVaultPolicyEntry],
            Change::Switch(_) => vec![ChangeKind::SwitchVaultMode],
            Change::Revoke(_) => vec![ChangeKind::RevokeRole],
            Change::Reattach(_) => vec![ChangeKind::ReattachUserIdentity],
            Change::Restart(_) => vec![ChangeKind::RestartHost],
            Change::Refresh { .. } => vec![ChangeKind::RefreshReferences],
            Change::Identity(identity) => {
                let enable = identity.enable_system.then_some(ChangeKind::EnableSystemIdentity);
                let attach = (!identity.attach.is_empty()).then_some(ChangeKind::AttachUserIdentity);
                enable.into_iter().chain(attach).collect()
            }
        }
    }

    /// What in the policy it is about.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.change {
            Change::Grant(grant) => subject_of(&grant.origins),
            Change::AddEntry(add) => subject_of(&add.origins),
            Change::Switch(switch) => subject_of(&switch.origins),
            Change::Revoke(revoke) => super::grant_subject(&revoke.grant),
            Change::Reattach(reattach) => super::identity_subject(&Identity::User(reattach.identity.clone())),
            Change::Restart(_) => "target".to_owned(),
            Change::Refresh { origins, .. } => subject_of(origins),
            Change::Identity(identity) => {
                let system = identity.enable_system.then(|| super::identity_subject(&Identity::System));
                let user = identity.attach.iter().map(|id| super::identity_subject(&Identity::User(id.clone())));
                system.into_iter().chain(user).collect::<Vec<_>>().join(", ")
            }
        }
    }
}
