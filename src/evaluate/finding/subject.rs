//! What in the policy a finding is about.

use super::Finding;
use crate::policy::{Identity, Origin, subject_of};

impl Finding {
    /// What in the policy it is about.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::TargetNotFound { .. } | Self::TargetStopped { .. } | Self::HostNotRecycled { .. } => {
                "target".to_owned()
            }
            Self::Unreadable { subjects, .. } => subjects.join(", "),
            Self::SystemIdentityDisabled | Self::SystemIdentityForbidden { .. } => "identities/system".to_owned(),
            Self::UserIdentityNotAttached { identity, .. }
            | Self::UserIdentityNotFound { identity }
            | Self::StaleAttachment { identity, .. } => format!("identities/{}", identity.name()),
            Self::PrincipalMissing { identity: Identity::System } => "identities/system".to_owned(),
            Self::PrincipalMissing { identity: Identity::User(identity) } => format!("identities/{}", identity.name()),
            Self::UnneededGrant { grant, .. } => format!("roleAssignments/{}", grant.id.name()),
            Self::ExcessiveGrant { grant, .. } => format!("roleAssignments/{}", grant.name()),
            other => subject_of(other.origins()),
        }
    }

    /// What in the policy asks for what it is about; nothing for one about the app, an identity or a grant.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        match self {
            Self::RoleUnknown { origin, .. }
            | Self::KeysRefused { origin, .. }
            | Self::VaultNotFound { origin, .. }
            | Self::VaultModeMismatch { origin, .. }
            | Self::VaultModeDisputed { origin, .. }
            | Self::AccessPolicyMissing { origin, .. }
            | Self::AccessPolicyUndecided { origin, .. }
            | Self::ReferencesDenied { origin, .. } => std::slice::from_ref(origin),
            Self::RoleMissing { origins, .. }
            | Self::CosmosRoleMissing { origins, .. }
            | Self::AccessDenied { origins, .. }
            | Self::AccessUndecided { origins, .. }
            | Self::Propagating { origins, .. }
            | Self::GrantEnds { origins, .. }
            | Self::Connection { origins, .. }
            | Self::PlatformIdentity { origins, .. }
            | Self::ResourceNotFound { origins, .. }
            | Self::NetworkBlocked { origins, .. }
            | Self::ResourceNotReady { origins, .. } => origins,
            Self::TargetNotFound { .. }
            | Self::TargetStopped { .. }
            | Self::Unreadable { .. }
            | Self::SystemIdentityDisabled
            | Self::SystemIdentityForbidden { .. }
            | Self::UserIdentityNotAttached { .. }
            | Self::UserIdentityNotFound { .. }
            | Self::PrincipalMissing { .. }
            | Self::StaleAttachment { .. }
            | Self::HostNotRecycled { .. }
            | Self::UnneededGrant { .. }
            | Self::ExcessiveGrant { .. } => &[],
        }
    }
}
