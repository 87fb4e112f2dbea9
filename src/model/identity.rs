//! What Azure says about an app, a user-assigned identity and a vault: only the members that decide something.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;

use super::{ClientId, PrincipalId, Scope, network::Outbound};

/// A target and the identities on it: a Function App, a Web App, a container app or a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub id: Scope,
    /// What it is.
    pub workload: Workload,
    /// Its system-assigned identity.
    pub system: SystemAssigned,
    /// The user-assigned identities attached, by id. The principal is the site's own *copy*, which goes stale when
    /// the identity is deleted and made again.
    pub attached: BTreeMap<Scope, Attachment>,
    /// The user-assigned identity by which references to vaults are resolved; none means the system-assigned one.
    pub reference_identity: Option<Scope>,
    /// From where it calls, as this answer shows it.
    pub outbound: Outbound,
    /// Azure's word for its state while a change of it goes on, which another write would disturb.
    pub under_way: Option<String>,
    /// Azure's word for its state when it was stopped or switched off.
    pub stopped: Option<String>,
    /// As whom the platform acts for it, where its own document says so.
    pub platform: Vec<PlatformIdentity>,
}

/// What a target turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A Function App.
    FunctionApp,
    /// A Web App.
    WebApp,
    /// A container app.
    ContainerApp,
    /// A virtual machine.
    Machine {
        /// It runs Windows.
        windows: bool,
    },
}

/// As whom the platform does something for an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformIdentity {
    /// What.
    pub used_for: PlatformUse,
    /// Who does it.
    pub by: ActsAs,
}

/// As whom the platform acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActsAs {
    /// The system-assigned identity.
    System,
    /// That user-assigned identity.
    User(Scope),
    /// What is written there, and no identity on the target has it as its client id.
    Unattached(String),
    /// The identity of some client id; the client ids of those on the target are not all known.
    Unclear,
    /// No identity: with a name and a password, if at all.
    Password,
}

/// What the platform does for an app or a container app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformUse {
    /// It pulls images from there.
    Registry {
        /// The registry's host name.
        server: String,
    },
    /// It reads a secret from a vault.
    Secret {
        /// The secret's name in the container app.
        name: String,
        /// The vault's host name.
        host: String,
    },
    /// It resolves the references in an app's settings.
    References,
}

/// The system-assigned identity of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemAssigned {
    /// Not enabled.
    Off,
    /// Enabled, and Azure has not filled in its principal.
    Unfilled,
    /// Enabled, with this principal.
    On(PrincipalId),
}

impl SystemAssigned {
    /// The principal, when there is one to speak of.
    #[must_use]
    pub fn principal(self) -> Option<PrincipalId> {
        match self {
            Self::On(principal) => Some(principal),
            Self::Off | Self::Unfilled => None,
        }
    }

    /// Whether it is enabled.
    #[must_use]
    pub fn is_enabled(self) -> bool {
        self != Self::Off
    }
}

/// One user-assigned identity on a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The principal as the site has it; none while Azure has not filled it in.
    pub principal: Option<PrincipalId>,
    /// The client id as the site has it.
    pub client: Option<ClientId>,
}

/// A user-assigned identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserIdentity {
    /// Its id.
    pub id: Scope,
    /// Its principal; none while Azure has not filled it in.
    pub principal: Option<PrincipalId>,
    /// Its client id, by which settings name it.
    pub client: Option<ClientId>,
}

/// How a vault decides who may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum VaultMode {
    /// Role assignments.
    Rbac,
    /// Access policies stored in the vault.
    AccessPolicy,
}

/// A key vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Its id.
    pub id: Scope,
    /// Its permission model. `enableRbacAuthorization` null or absent means access policies.
    pub mode: VaultMode,
    /// The directory that it trusts.
    pub tenant: Option<String>,
    /// Its access policies; none when the answer does not show them. They count only while the mode is theirs.
    pub entries: Option<Vec<AccessEntry>>,
    /// When it was last written; none when Azure does not say.
    pub changed: Option<Timestamp>,
}

/// An access policy of a vault: what one object of one directory may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessEntry {
    /// Whose: a principal's or a group's.
    pub object: PrincipalId,
    /// In which directory.
    pub tenant: Option<String>,
    /// It counts only together with an application: for nobody who asks by itself.
    pub compound: bool,
    /// What it may do, by what it is done with (`secrets`), in the words that were written; `all` is everything. Also
    /// what no policy can declare, as `storage`.
    pub permissions: BTreeMap<String, BTreeSet<String>>,
}

/// An operation on the contents of a vault, in the words of access policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultOperation {
    /// On what, as `secrets`.
    pub on: &'static str,
    /// Its name, as `get`.
    pub name: &'static str,
}

impl fmt::Display for VaultOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.on)
    }
}

impl AccessEntry {
    /// Whether it allows the operation. Casing does not count.
    #[must_use]
    pub fn allows(&self, operation: VaultOperation) -> bool {
        let is_it = |word: &String| word.eq_ignore_ascii_case("all") || word.eq_ignore_ascii_case(operation.name);
        self.permissions.get(operation.on).is_some_and(|words| words.iter().any(is_it))
    }
}

impl Vault {
    /// Whether an entry counts for whom it names: one with an application counts only for who asks through that, and one
    /// of another directory for nobody here.
    #[must_use]
    pub fn counts(&self, entry: &AccessEntry) -> bool {
        !entry.compound && entry.tenant == self.tenant
    }
}
