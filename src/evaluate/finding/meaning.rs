//! What a finding means: its code, its effect on the whole, the hypothesis that it speaks for, its place in the chain.

use super::Finding;
use crate::{
    evaluate::{excess::Excess, settings::ConnectionProblem},
    model::Hypothesis,
};

/// What a finding means for the policy as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Worth a look; nothing declared is missing.
    Advisory,
    /// Time will tell.
    Propagating,
    /// Cannot be said.
    Unknown,
    /// Something declared is missing or different.
    Drift,
}

impl Finding {
    /// A stable code for people, dashboards and `ignore` lists.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TargetNotFound { .. } => "target-not-found",
            Self::Unreadable { .. } => "unreadable",
            Self::SystemIdentityDisabled => "system-identity-disabled",
            Self::SystemIdentityForbidden { .. } => "system-identity-forbidden",
            Self::UserIdentityNotAttached { .. } => "user-identity-not-attached",
            Self::UserIdentityNotFound { .. } => "user-identity-not-found",
            Self::PrincipalMissing { .. } => "principal-missing",
            Self::StaleAttachment { .. } => "stale-attachment",
            Self::RoleUnknown { .. } => "role-unknown",
            Self::RoleMissing { .. } => "role-missing",
            Self::CosmosRoleMissing { .. } => "cosmos-role-missing",
            Self::AccessDenied { .. } => "access-denied",
            Self::AccessUndecided { .. } => "access-undecided",
            Self::Propagating { .. } => "propagating",
            Self::GrantEnds { .. } => "grant-ends",
            Self::ResourceNotFound { .. } => "resource-not-found",
            Self::NetworkBlocked { .. } => "network-blocked",
            Self::ResourceNotReady { .. } => "resource-not-ready",
            Self::KeysRefused { .. } => "keys-refused",
            Self::TargetStopped { .. } => "target-stopped",
            Self::VaultNotFound { .. } => "vault-not-found",
            Self::VaultModeMismatch { .. } => "vault-mode-mismatch",
            Self::VaultModeDisputed { .. } => "vault-mode-disputed",
            Self::AccessPolicyMissing { .. } => "access-policy-missing",
            Self::AccessPolicyUndecided { .. } => "access-policy-undecided",
            Self::Connection { problem, .. } => match problem {
                ConnectionProblem::Missing { .. } => "connection-missing",
                ConnectionProblem::UsesSecret { .. } => "connection-uses-secret",
                ConnectionProblem::WrongIdentity { .. } => "connection-wrong-identity",
                ConnectionProblem::IdentityUnsupported { .. } => "connection-identity-unsupported",
                ConnectionProblem::UnknownToScaler { .. } => "connection-unknown-to-scaler",
                ConnectionProblem::WrongAddress { .. } => "service-uri-mismatch",
                ConnectionProblem::Undecided { .. } => "connection-undecided",
            },
            Self::PlatformIdentity { .. } => "platform-wrong-identity",
            Self::HostNotRecycled { .. } => "host-not-recycled",
            Self::ReferencesDenied { .. } => "references-denied",
            Self::UnneededGrant { .. } => "unneeded-grant",
            Self::ExcessiveGrant { excess, .. } => match excess {
                Excess::Privileged(_) => "privileged-grant",
                Excess::Former(_) => "former-grant",
                Excess::Extra => "extra-grant",
                Excess::Broad(_) => "broad-grant",
                Excess::Inherited(_) => "inherited-grant",
            },
        }
    }

    /// What it means for the whole.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Unreadable { .. }
            | Self::AccessUndecided { .. }
            | Self::AccessPolicyUndecided { .. }
            | Self::Connection { problem: ConnectionProblem::Undecided { .. }, .. }
            | Self::RoleUnknown { .. } => Effect::Unknown,
            Self::Propagating { .. } => Effect::Propagating,
            // Somebody may have meant it: a slot that waits for its turn is stopped.
            Self::TargetStopped { .. }
            | Self::Connection { problem: ConnectionProblem::UnknownToScaler { .. }, .. }
            | Self::UnneededGrant { kept: Some(_), .. }
            | Self::VaultModeDisputed { .. }
            | Self::GrantEnds { .. }
            | Self::ExcessiveGrant { .. } => Effect::Advisory,
            Self::TargetNotFound { .. }
            | Self::SystemIdentityDisabled
            | Self::SystemIdentityForbidden { .. }
            | Self::UserIdentityNotAttached { .. }
            | Self::UserIdentityNotFound { .. }
            | Self::PrincipalMissing { .. }
            | Self::StaleAttachment { .. }
            | Self::RoleMissing { .. }
            | Self::CosmosRoleMissing { .. }
            | Self::AccessDenied { .. }
            | Self::ResourceNotFound { .. }
            | Self::NetworkBlocked { .. }
            | Self::ResourceNotReady { .. }
            | Self::KeysRefused { .. }
            | Self::VaultNotFound { .. }
            | Self::VaultModeMismatch { .. }
            | Self::AccessPolicyMissing { .. }
            | Self::Connection { .. }
            | Self::PlatformIdentity { .. }
            | Self::HostNotRecycled { .. }
            | Self::ReferencesDenied { .. }
            | Self::UnneededGrant { kept: None, .. } => Effect::Drift,
        }
    }

    /// Whether it shows its hypothesis to be so.
    #[must_use]
    pub fn confirms(&self) -> bool {
        matches!(self.effect(), Effect::Drift | Effect::Propagating) || matches!(self, Self::TargetStopped { .. })
    }

    /// The hypothesis that it confirms, or leaves open when its effect is unknown.
    #[must_use]
    pub fn hypothesis(&self) -> Option<Hypothesis> {
        match self {
            Self::SystemIdentityDisabled
            | Self::UserIdentityNotAttached { .. }
            | Self::UserIdentityNotFound { .. }
            | Self::PrincipalMissing { .. }
            | Self::StaleAttachment { .. }
            | Self::PlatformIdentity { .. }
            | Self::HostNotRecycled { .. } => Some(Hypothesis::H1),
            Self::RoleMissing { .. }
            | Self::CosmosRoleMissing { .. }
            | Self::AccessUndecided { .. }
            | Self::RoleUnknown { .. } => Some(Hypothesis::H2),
            Self::Connection { problem, .. } => Some(match problem {
                ConnectionProblem::WrongAddress { .. } | ConnectionProblem::Undecided { is_address: true, .. } => {
                    Hypothesis::H5
                }
                ConnectionProblem::Missing { .. }
                | ConnectionProblem::UsesSecret { .. }
                | ConnectionProblem::WrongIdentity { .. }
                | ConnectionProblem::IdentityUnsupported { .. }
                | ConnectionProblem::UnknownToScaler { .. }
                | ConnectionProblem::Undecided { is_address: false, .. } => Hypothesis::H1,
            }),
            Self::Propagating { .. } => Some(Hypothesis::H3),
            Self::VaultModeMismatch { .. }
            | Self::AccessPolicyMissing { .. }
            | Self::AccessPolicyUndecided { .. }
            | Self::ReferencesDenied { .. } => Some(Hypothesis::H4),
            // Not a matter of identity or role: a resource that is gone or closed, or access that is denied to whoever asks.
            Self::AccessDenied { .. }
            | Self::ResourceNotFound { .. }
            | Self::NetworkBlocked { .. }
            | Self::ResourceNotReady { .. }
            | Self::KeysRefused { .. }
            | Self::TargetStopped { .. }
            | Self::VaultNotFound { .. } => Some(Hypothesis::H6),
            // One identity or one grant too many explains no failure, nor does access that is there.
            Self::TargetNotFound { .. }
            | Self::SystemIdentityForbidden { .. }
            | Self::GrantEnds { .. }
            | Self::VaultModeDisputed { .. }
            | Self::Unreadable { .. }
            | Self::UnneededGrant { .. }
            | Self::ExcessiveGrant { .. } => None,
        }
    }

    /// The position in the playbook's chain: what comes first there is told first.
    pub(in crate::evaluate) fn link(&self) -> u8 {
        match self {
            Self::TargetNotFound { .. } => 0,
            Self::SystemIdentityDisabled
            | Self::UserIdentityNotFound { .. }
            | Self::UserIdentityNotAttached { .. }
            | Self::PrincipalMissing { .. }
            | Self::StaleAttachment { .. }
            | Self::SystemIdentityForbidden { .. }
            | Self::PlatformIdentity { .. }
            | Self::HostNotRecycled { .. } => 1,
            Self::Connection { problem, .. } => match problem {
                ConnectionProblem::WrongAddress { .. } => 3,
                ConnectionProblem::Undecided { .. } => 4,
                ConnectionProblem::Missing { .. }
                | ConnectionProblem::UsesSecret { .. }
                | ConnectionProblem::WrongIdentity { .. }
                | ConnectionProblem::IdentityUnsupported { .. } => 1,
                ConnectionProblem::UnknownToScaler { .. } => 6,
            },
            Self::RoleMissing { .. } | Self::CosmosRoleMissing { .. } | Self::AccessDenied { .. } => 2,
            Self::ResourceNotFound { .. }
            | Self::VaultNotFound { .. }
            | Self::VaultModeMismatch { .. }
            | Self::AccessPolicyMissing { .. }
            | Self::ReferencesDenied { .. }
            | Self::NetworkBlocked { .. }
            | Self::KeysRefused { .. }
            | Self::TargetStopped { .. }
            | Self::ResourceNotReady { .. } => 3,
            Self::RoleUnknown { .. }
            | Self::AccessUndecided { .. }
            | Self::AccessPolicyUndecided { .. }
            | Self::Unreadable { .. } => 4,
            Self::Propagating { .. } => 5,
            Self::GrantEnds { .. } | Self::UnneededGrant { .. } | Self::VaultModeDisputed { .. } => 6,
            Self::ExcessiveGrant { .. } => 7,
        }
    }
}
