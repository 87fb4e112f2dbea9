//! What can be wrong, as data. The words are `report`'s.

mod meaning;
mod subject;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use meaning::Effect;

use super::{excess::Excess, network::Barrier, settings::ConnectionProblem, unneeded::Kept};
use crate::{
    model::{ActsAs, Failure, Grant, PlatformUse, PrincipalId, RoleId, Scope, Vault, VaultMode, VaultOperation},
    policy::{Identity, Origin},
};

/// One thing that is wrong, unknown or worth a look.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The app does not exist.
    TargetNotFound {
        /// Its id.
        target: Scope,
    },
    /// A part of the world could not be read.
    Unreadable {
        /// What in the policy depends on it. Never empty.
        subjects: Vec<String>,
        /// Why.
        failure: Failure,
    },
    /// The system-assigned identity is required and not enabled.
    SystemIdentityDisabled,
    /// The system-assigned identity is enabled and forbidden.
    SystemIdentityForbidden {
        /// Its principal, where Azure has filled it in.
        principal: Option<PrincipalId>,
    },
    /// A declared user-assigned identity is not attached.
    UserIdentityNotAttached {
        /// The identity.
        identity: Scope,
        /// What is attached instead.
        attached: Vec<Scope>,
    },
    /// A declared user-assigned identity does not exist.
    UserIdentityNotFound {
        /// The identity.
        identity: Scope,
    },
    /// An identity has no principal yet.
    PrincipalMissing {
        /// The identity.
        identity: Identity,
    },
    /// The site holds the principal of an earlier identity of that name: it was deleted and made again.
    StaleAttachment {
        /// The identity.
        identity: Scope,
        /// The principal as the site has it.
        on_site: PrincipalId,
        /// The principal that the identity has now.
        current: PrincipalId,
    },
    /// A role that the policy names does not exist in that subscription.
    RoleUnknown {
        /// What asks for it.
        origin: Origin,
        /// The name.
        role: String,
    },
    /// Access that is declared is missing.
    RoleMissing {
        /// What asks for it.
        origins: Vec<Origin>,
        /// Who lacks it.
        identity: Identity,
        /// The identity's principal.
        principal: PrincipalId,
        /// The role to grant.
        role: String,
        /// The role's id.
        role_id: RoleId,
        /// Where.
        scope: Scope,
        /// The actions that nothing covers.
        missing: Vec<String>,
        /// The grants that the principal holds there already; others found just before a write call for another look.
        held: BTreeSet<Scope>,
        /// Grants that look as if they were meant to meet the need.
        near: Vec<NearMiss>,
    },
    /// A role inside a Cosmos DB account that is declared is missing.
    CosmosRoleMissing {
        /// What asks for it.
        origins: Vec<Origin>,
        /// Who lacks it.
        identity: Identity,
        /// The identity's principal.
        principal: PrincipalId,
        /// The role to assign, one of Cosmos DB's own.
        role: String,
        /// Where: the account, or a database or container of it.
        scope: Scope,
        /// The actions that nothing covers.
        missing: Vec<String>,
    },
    /// A deny assignment takes the access away, whatever roles are held.
    AccessDenied {
        /// What asks for it.
        origins: Vec<Origin>,
        /// Who is denied.
        identity: Identity,
        /// Where.
        scope: Scope,
        /// The deny assignment's name.
        by: String,
    },
    /// Whether access is there cannot be decided from what was read.
    AccessUndecided {
        /// What asks for it.
        origins: Vec<Origin>,
        /// Who needs it.
        identity: Identity,
        /// The role that would meet it.
        role: String,
        /// Where.
        scope: Scope,
        /// What would have to be known.
        because: String,
    },
    /// Granted, and younger than the time that a grant may take to act.
    Propagating {
        /// What asks for it.
        origins: Vec<Origin>,
        /// Who was granted.
        identity: Identity,
        /// The role.
        role: String,
        /// Where.
        scope: Scope,
        /// When the grant was made.
        since: Timestamp,
        /// When it is certain to act.
        until: Timestamp,
    },
    /// Access that is there and will not be for long: what gives it ends, and nothing else does. Advice.
    GrantEnds {
        /// What asks for it.
        origins: Vec<Origin>,
        /// Who has it.
        identity: Identity,
        /// The role that would meet it.
        role: String,
        /// Where.
        scope: Scope,
        /// When the access ends.
        ends: Timestamp,
    },
    /// A declared resource does not exist.
    ResourceNotFound {
        /// What is declared at it. Never empty.
        origins: Vec<Origin>,
        /// The resource.
        resource: Scope,
    },
    /// The firewall of a resource certainly does not let the app in.
    NetworkBlocked {
        /// What uses it. Never empty.
        origins: Vec<Origin>,
        /// The resource.
        resource: Scope,
        /// Why.
        by: Barrier,
    },
    /// A resource is there and serves nobody.
    ResourceNotReady {
        /// What uses it. Never empty.
        origins: Vec<Origin>,
        /// The resource.
        resource: Scope,
        /// Azure's word for its state.
        state: String,
    },
    /// The app reaches a resource by a key, and the resource refuses all keys.
    KeysRefused {
        /// What in the policy says that a key is used.
        origin: Origin,
        /// The resource.
        resource: Scope,
    },
    /// The app was stopped.
    TargetStopped {
        /// Azure's word for it.
        state: String,
    },
    /// A vault does not exist.
    VaultNotFound {
        /// The entry of `vaults`.
        origin: Origin,
        /// The vault.
        vault: Scope,
    },
    /// A vault uses another permission model than declared.
    VaultModeMismatch {
        /// The entry of `vaults`.
        origin: Origin,
        /// The vault.
        vault: Scope,
        /// The model declared.
        expected: VaultMode,
        /// The model seen.
        actual: VaultMode,
    },
    /// Live policies declare different models of a vault.
    VaultModeDisputed {
        /// The entry of `vaults`.
        origin: Origin,
        /// The vault.
        vault: Scope,
        /// The others, by name, of the policy's own namespace.
        by: Vec<String>,
        /// Whether a policy of another namespace is among them.
        elsewhere: bool,
    },
    /// A vault decides by access policies, and none of them lets an identity do what is declared.
    AccessPolicyMissing {
        /// The entry of `vaults`.
        origin: Origin,
        /// Who needs it.
        identity: Identity,
        /// The identity's principal.
        principal: PrincipalId,
        /// The vault.
        vault: Scope,
        /// What no access policy allows.
        missing: Vec<VaultOperation>,
        /// The model that is declared.
        expected: VaultMode,
        /// The vault as it was seen.
        seen: Box<Vault>,
    },
    /// A vault decides by access policies, and whether they let an identity in cannot be decided.
    AccessPolicyUndecided {
        /// The entry of `vaults`.
        origin: Origin,
        /// Who needs it.
        identity: Identity,
        /// The vault.
        vault: Scope,
        /// What would have to be known.
        because: String,
    },
    /// The app's settings do not make a connection as declared.
    Connection {
        /// What uses it.
        origins: Vec<Origin>,
        /// Its name, as the host finds it.
        connection: String,
        /// What is wrong.
        problem: ConnectionProblem,
    },
    /// The platform acts for the target as another identity than declared.
    PlatformIdentity {
        /// What declares it. Never empty.
        origins: Vec<Origin>,
        /// The declared identity, the first of several.
        declared: Identity,
        /// Who acts.
        used: ActsAs,
        /// For what.
        used_for: PlatformUse,
    },
    /// The identity was written, and the host is the one from before.
    HostNotRecycled {
        /// When the identity was written.
        written: Timestamp,
        /// Since when the host runs.
        started: Timestamp,
    },
    /// Access to a vault is there, and the app still holds a refusal from before.
    ReferencesDenied {
        /// The entry of `vaults`.
        origin: Origin,
        /// The vault.
        vault: Scope,
        /// The app settings that refer to it.
        settings: Vec<String>,
        /// Since when the access acts.
        acts_from: Timestamp,
    },
    /// A grant that we made and that this policy does not need any more.
    UnneededGrant {
        /// The grant.
        grant: Box<Grant>,
        /// The role's name.
        role: String,
        /// What the same principal holds there and above besides, and keeps.
        beside: Vec<Scope>,
        /// Why it stays all the same; none when nobody needs it.
        kept: Option<Kept>,
    },
    /// An identity of the app holds more than anything declared needs. Advice: nothing is taken back for it.
    ExcessiveGrant {
        /// Whose.
        identity: Identity,
        /// The grant's id.
        grant: Scope,
        /// The role's name.
        role: String,
        /// Where.
        scope: Scope,
        /// In what respect it is too much.
        excess: Excess,
    },
}

/// A grant that misses the need in one respect: what a person would have overlooked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NearMiss {
    /// The right role for the right principal, somewhere else.
    OtherScope(Scope),
    /// The right role at the right place, for a principal that is none of the app's: often an earlier identity.
    OtherPrincipal(PrincipalId),
    /// A role that reaches the place and allows no action on data at all, where such actions are missing.
    NoDataActions {
        /// The role's name.
        role: String,
        /// Where it is held.
        scope: Scope,
    },
}

impl Finding {
    /// Adds that something could not be read. One failed list is one finding, however much depends on it.
    pub(super) fn unreadable(findings: &mut Vec<Self>, subject: String, failure: &Failure) {
        let known = findings.iter_mut().find_map(|finding| match finding {
            Self::Unreadable { subjects, failure: known } if known == failure => Some(subjects),
            _ => None,
        });
        match known {
            Some(subjects) if subjects.contains(&subject) => {}
            Some(subjects) => subjects.push(subject),
            None => findings.push(Self::Unreadable { subjects: vec![subject], failure: failure.clone() }),
        }
    }

    /// Whether it says that this part of the policy could not be looked at.
    pub(crate) fn is_unreadable(&self, subject: impl Fn(&str) -> bool) -> bool {
        matches!(self, Self::Unreadable { subjects, .. } if subjects.iter().any(|one| subject(one)))
    }
}
