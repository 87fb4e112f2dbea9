//! The words that a policy or a boundary chooses from, each with the one that is safe where none is chosen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far the operator goes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Report drift in status. Never writes.
    Report,
    /// Go as far as possible without writing, and publish the requests.
    DryRun,
    /// Apply what boundary and `remediation` allow.
    Enforce,
}

impl Mode {
    pub(crate) fn safe() -> Self {
        Self::Report
    }
}

/// What fails health checks.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Drift is reported and Ready stays true.
    None,
    /// Drift makes Ready false.
    Drift,
}

impl Gate {
    pub(super) fn safe() -> Self {
        Self::None
    }
}

/// What rests on the app.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criticality {
    /// Production relies on it.
    Production,
    /// A part of the functions, and there is a fallback.
    Partial,
    /// Nothing critical; retries succeed in the end.
    NonCritical,
}

impl Criticality {
    pub(crate) fn safe() -> Self {
        Self::Production
    }
}

/// Whether the app's settings may be read.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// They are left alone.
    Never,
    /// Those that make a connection are compared with what is declared.
    Inspect,
}

impl Settings {
    pub(super) fn safe() -> Self {
        Self::Never
    }
}

/// Whether firewalls are compared.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkCheck {
    /// They are.
    Check,
    /// They are not read.
    Ignore,
}

impl NetworkCheck {
    pub(super) fn on() -> Self {
        Self::Check
    }
}

/// What becomes of grants that nothing declares any more.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// They stay.
    Never,
    /// Those that are provably this operator's are deleted.
    Owned,
}

impl Prune {
    pub(super) fn safe() -> Self {
        Self::Never
    }
}

/// What becomes of grants when the policy is deleted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// They stay.
    Retain,
    /// Those that are provably this operator's, and that no other policy requires, are deleted.
    Revoke,
}

impl DeletionPolicy {
    pub(super) fn safe() -> Self {
        Self::Retain
    }
}

/// A kind of change.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Enable the app's system-assigned identity. Restarts a Function App or a Web App.
    EnableSystemIdentity,
    /// Attach a user-assigned identity, keeping those attached. Restarts a Function App or a Web App.
    AttachUserIdentity,
    /// Create a role assignment.
    GrantRole,
    /// Delete a role assignment that this operator made and that nothing declares any more. `prune` and
    /// `deletionPolicy` say when.
    RevokeRole,
    /// Add the access policy that a declared identity lacks to a key vault that is declared to decide by them. All that
    /// is there is kept.
    AddVaultPolicyEntry,
    /// Restart the app, when its host still is the one from before its identity was written. At most once for a write.
    RestartHost,
    /// Have the app resolve its references to vaults again, after access to the vault took effect.
    RefreshReferences,
    /// Detach a user-assigned identity that was made anew and attach it again at once, so that the app gets its new
    /// principal. Needs `AttachUserIdentity` too. Restarts the app.
    ReattachUserIdentity,
    /// Have a key vault that is declared to decide by role assignments do so, once everybody whom its access policies let
    /// in is certain to get in by roles. Needs the boundary's `vaults[].switch: WhenSafe` too.
    SwitchVaultMode,
}
