//! What a policy declares, with every reference resolved.

use std::{collections::BTreeSet, fmt, time::Duration};

use jiff::SignedDuration;

use crate::{
    api::{self, ChangeKind, Criticality, DeletionPolicy, Gate, Mode, NetworkCheck, Prune, Settings, SystemIdentity},
    catalog::{
        Need,
        binding::{self, Plane},
        vault::VaultPermission,
    },
    model::{RoleId, Scope, VaultMode, cosmos::account_of},
};

/// A valid policy. Nothing in it is "maybe invalid".
#[derive(Clone, Debug)]
pub struct Policy {
    /// The namespace of the object; empty for a file that names none.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// Which generation this was parsed from.
    pub generation: i64,
    /// How far the operator may go.
    pub mode: Mode,
    /// What fails health checks.
    pub gate: Gate,
    /// What rests on the app.
    pub criticality: Criticality,
    /// The bindings that start functions, by name.
    pub triggers: BTreeSet<String>,
    /// Writes are stopped.
    pub suspended: bool,
    /// Time between two passes.
    pub interval: Duration,
    /// The Function App.
    pub target: Scope,
    /// What is expected of the system-assigned identity. `Required` also when something uses it.
    pub system: SystemIdentity,
    /// User-assigned identities that must be attached.
    pub user: Vec<Scope>,
    /// The identity by which the app must resolve its references; none where that is not compared.
    pub references: Option<Identity>,
    /// The host's account, where the host reaches it by a key.
    pub host_by_key: Option<Scope>,
    /// Access that must be there.
    pub requirements: Vec<Requirement>,
    /// What is declared and cannot be checked here.
    pub unchecked: Vec<Unchecked>,
    /// Vaults, with the mode expected of each.
    pub vaults: Vec<VaultRequirement>,
    /// Whether the app's settings may be read.
    pub settings: Settings,
    /// The connections that they must make, where they may be.
    pub connections: Vec<Connection>,
    /// What is declared and cannot be compared with settings, where they may be read.
    pub uncompared: Vec<Unchecked>,
    /// Where the app's telemetry is.
    pub evidence: Option<EvidenceSource>,
    /// What may be changed.
    pub allow: BTreeSet<ChangeKind>,
    /// How many changes one pass may make.
    pub max_changes: usize,
    /// Whether firewalls are compared.
    pub network: NetworkCheck,
    /// What becomes of grants that nothing declares any more.
    pub prune: Prune,
    /// What becomes of them when the policy is deleted.
    pub deletion: DeletionPolicy,
}

impl Policy {
    /// The subscriptions that an evaluation reads.
    pub fn subscriptions(&self) -> BTreeSet<&str> {
        self.compared().filter_map(Scope::subscription).collect()
    }

    /// Every scope that an evaluation reads, for the boundary.
    pub fn scopes(&self) -> BTreeSet<&Scope> {
        self.compared().chain(self.evidence.as_ref().map(|evidence| &evidence.workspace)).collect()
    }

    /// What is declared and compared. Nothing is to be known of the subscription of a workspace.
    fn compared(&self) -> impl Iterator<Item = &Scope> {
        let requirements = self.requirements.iter().map(|requirement| &requirement.scope);
        let vaults = self.vaults.iter().map(|vault| &vault.vault);
        std::iter::once(&self.target).chain(&self.user).chain(requirements).chain(vaults)
    }

    /// How it is called: `namespace/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Everything that a grant could be needed for, also by vaults that decide by access policies today.
    pub fn needs(&self) -> impl Iterator<Item = Requirement> + '_ {
        let by_grants = self.requirements.iter().filter(|requirement| requirement.wanted.plane() == Plane::Azure);
        by_grants.cloned().chain(self.vaults.iter().flat_map(VaultRequirement::needs))
    }

    /// What is declared and not looked at.
    pub fn not_checked(&self) -> impl Iterator<Item = &Unchecked> {
        self.unchecked.iter().chain(&self.uncompared)
    }

    /// The Cosmos DB accounts whose own role assignments decide something.
    pub fn cosmos_accounts(&self) -> BTreeSet<Scope> {
        let inside = self.requirements.iter().filter(|requirement| requirement.wanted.plane() == Plane::Cosmos);
        inside.map(|requirement| account_of(&requirement.scope)).collect()
    }
}

/// Where the app's telemetry is, and how the app is found in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceSource {
    /// The Log Analytics workspace.
    pub workspace: Scope,
    /// The app's role name.
    pub role_name: String,
    /// How far to look back.
    pub window: SignedDuration,
}

/// An identity of the app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The system-assigned one.
    System,
    /// A user-assigned one, by id.
    User(Scope),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("the system-assigned identity"),
            Self::User(id) => write!(f, "identity `{}`", id.name()),
        }
    }
}

/// What in the policy asks for something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An entry of `bindings`, by name.
    Binding(String),
    /// A field of `identities`.
    Identities(&'static str),
    /// A field of `platform`.
    Platform(&'static str),
    /// An entry of `grants`, by position.
    Grant(usize),
    /// An entry of `vaults`, by its resource name.
    Vault(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding(name) => write!(f, "bindings/{name}"),
            Self::Identities(field) => write!(f, "identities/{field}"),
            Self::Platform(field) => write!(f, "platform/{field}"),
            Self::Grant(position) => write!(f, "grants/{position}"),
            Self::Vault(name) => write!(f, "vaults/{name}"),
        }
    }
}

/// Several of them as one subject.
#[must_use]
pub fn subject_of(origins: &[Origin]) -> String {
    origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A connection that the app's settings must make.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Everything in the policy that uses it. Never empty.
    pub origins: Vec<Origin>,
    /// Its name.
    pub name: String,
    /// How it is made.
    pub row: &'static binding::Connection,
    /// What it must reach.
    pub resource: Scope,
    /// By which identity.
    pub identity: Identity,
}

impl Connection {
    /// Whether its settings say where it leads. Telemetry's do not.
    #[must_use]
    pub fn names_a_place(&self) -> bool {
        self.row.form != binding::Form::Telemetry
    }
}

/// Something declared whose rights Azure Resource Manager cannot show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// What in the policy.
    pub origin: Origin,
    /// Why, as a phrase that completes "it …".
    pub because: String,
}

/// Access that one identity must have at one scope.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Everything in the policy that asks for it. Never empty.
    pub origins: Vec<Origin>,
    /// Who needs it.
    pub identity: Identity,
    /// Where.
    pub scope: Scope,
    /// What.
    pub wanted: Wanted,
}

/// What a requirement asks for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// The actions of a catalog row; its role is the one to grant.
    Need(&'static Need),
    /// What a role allows; that role is the one to grant. Resolved against the definitions that Azure answers.
    Role(RoleName),
}

impl Wanted {
    /// Whose role assignments decide.
    #[must_use]
    pub fn plane(&self) -> Plane {
        match self {
            Self::Need(need) => need.plane,
            Self::Role(_) => Plane::Azure,
        }
    }

    /// Whether the two ask for the same. Rows are told from each other by their address.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Need(one), Self::Need(two)) => std::ptr::eq(*one, *two),
            (Self::Role(one), Self::Role(two)) => one == two,
            (Self::Need(_), Self::Role(_)) | (Self::Role(_), Self::Need(_)) => false,
        }
    }
}

/// A role as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleName {
    /// By GUID.
    Id(RoleId),
    /// By display name.
    Name(String),
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The permission model that is expected of a vault.
#[derive(Clone, Debug)]
pub struct VaultRequirement {
    /// The entry of `vaults`.
    pub origin: Origin,
    /// The vault.
    pub vault: Scope,
    /// The model expected.
    pub mode: VaultMode,
    /// Who reads it.
    pub identity: Identity,
    /// What it must be able to do with the contents.
    pub access: Vec<&'static VaultPermission>,
    /// Roles that it must hold besides.
    pub also: Vec<RoleName>,
}

impl VaultRequirement {
    /// The access that it takes where role assignments decide.
    ///
    /// `get` and `list` have one role between them: the first row that names it stands for both when it is granted, so
    /// each operation is asked on its own. Two that have one right between them are asked once.
    pub fn needs(&self) -> impl Iterator<Item = Requirement> + '_ {
        let first = |&(position, row): &(usize, &&'static VaultPermission)| {
            !self.access[..position].iter().any(|other| other.right == row.right)
        };
        let rights = self.access.iter().enumerate().filter(first).map(|(_, row)| Wanted::Need(row.need()));
        rights.chain(self.also.iter().cloned().map(Wanted::Role)).map(|wanted| Requirement {
            origins: vec![self.origin.clone()],
            identity: self.identity.clone(),
            scope: self.vault.clone(),
            wanted,
        })
    }
}

impl From<api::VaultMode> for VaultMode {
    fn from(mode: api::VaultMode) -> Self {
        match mode {
            api::VaultMode::Rbac => Self::Rbac,
            api::VaultMode::AccessPolicy => Self::AccessPolicy,
        }
    }
}
