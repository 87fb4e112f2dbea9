//! Everything that one evaluation may look at, read before it begins.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    AppSettings, Change, DenyAssignment, Ends, Failure, Grants, History, PlatformIdentity, PrincipalId, Reading, Role,
    RoleId, Scope, Site, UserIdentity, Vault, cosmos::CosmosAccess, evidence::Evidence, network::NetworkSeen,
};

/// What was seen of one policy's world.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The app.
    pub target: Reading<Site>,
    /// The declared user-assigned identities.
    pub user: BTreeMap<Scope, Reading<UserIdentity>>,
    /// The declared vaults.
    pub vaults: BTreeMap<Scope, Reading<Vault>>,
    /// Grants, roles and deny assignments, by subscription id in lower case.
    pub access: BTreeMap<String, Reading<Arc<SubscriptionAccess>>>,
    /// Scopes for which that list proves nothing, with the reason: Azure leaves out of a list what the caller may
    /// not read, without saying so.
    pub unwitnessed: BTreeMap<Scope, Failure>,
    /// Ids of the grants that reach a principal through groups, for those principals and subscriptions (in lower case)
    /// that were asked about.
    pub through_groups: BTreeMap<(PrincipalId, String), Reading<Vec<Scope>>>,
    /// When time-bound grants end, by subscription id in lower case, where anybody asked. Advice rests on it and no
    /// answer.
    pub ends: BTreeMap<String, Reading<Arc<Ends>>>,
    /// The app's host, asked about after a write of the app's identity.
    pub host: Option<HostSeen>,
    /// The app's references to vaults, asked about after a grant on one of them took effect.
    pub references: Option<Reading<Vec<VaultReference>>>,
    /// As whom its own configuration says that the app's image is pulled, where anybody asked. Empty when no image is.
    pub registry: Option<Reading<Vec<PlatformIdentity>>>,
    /// The app's settings, where the policy lets them be read.
    pub settings: Option<Reading<Arc<AppSettings>>>,
    /// The cloud, by name: each has its own host names.
    pub cloud: &'static str,
    /// What decides access inside Cosmos DB accounts, by account.
    pub cosmos: BTreeMap<Scope, Reading<Arc<CosmosAccess>>>,
    /// Whether declared resources exist, where anybody asked: access that comes from above says nothing about it.
    pub resources: BTreeMap<Scope, Reading<()>>,
    /// What telemetry tells, where anybody asked. Absent when the workspace does not exist.
    pub evidence: Option<Reading<Arc<Evidence>>>,
    /// What was changed lately, where anybody asked.
    pub history: BTreeMap<History, Reading<Arc<Vec<Change>>>>,
    /// The network between the app and what it uses, where anybody asked.
    pub network: NetworkSeen,
    /// The principals of the identities that were seen: none of them is a group. Filled in where that could matter: for Cosmos DB and access policies.
    pub identities: BTreeSet<PrincipalId>,
    /// How much the shared lists held, by subscription id in lower case.
    pub census: BTreeMap<String, Census>,
}

/// When the app's host began, after its identity was written.
#[derive(Clone, Debug)]
pub struct HostSeen {
    /// When the identity was written.
    pub identity_written: Timestamp,
    /// When the process of the host began.
    pub started: Reading<Timestamp>,
}

/// An app setting that refers to a vault, as the app last resolved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultReference {
    /// The setting's name.
    pub setting: String,
    /// The vault's name.
    pub vault: String,
    /// Azure's word for what became of it.
    pub status: String,
}

impl VaultReference {
    /// Whether the app was refused.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.status == "AccessToKeyVaultDenied"
    }
}

/// How long the lists of one survey were; none for a list that was not read. A list that shrinks much between two
/// surveys is a reason to stop writing: Azure leaves out of lists what it does not want to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// When the survey began.
    pub began: Timestamp,
    /// Apps.
    pub sites: Option<usize>,
    /// User-assigned identities.
    pub identities: Option<usize>,
    /// Vaults.
    pub vaults: Option<usize>,
    /// Role assignments.
    pub grants: Option<usize>,
}

/// What decides access in one subscription, inherited grants included.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionAccess {
    /// Every grant at, above and below the subscription.
    pub grants: Grants,
    /// Every role that can be granted there.
    pub roles: BTreeMap<RoleId, Role>,
    /// Every deny assignment.
    pub denies: Vec<DenyAssignment>,
}

impl Observed {
    /// What decides access at a scope, or why that is not known.
    pub fn access_at(&self, scope: &Scope) -> Result<&SubscriptionAccess, Failure> {
        if let Some(why) = self.unwitnessed.get(scope) {
            return Err(why.clone());
        }
        let subscription = scope.subscription().unwrap_or_default();
        match self.access.get(subscription) {
            Some(Reading::Present { value, .. }) => Ok(value),
            Some(Reading::Unreadable(why)) => Err(why.clone()),
            Some(Reading::Absent { .. }) | None => {
                let text = format!("access in subscription {subscription} was not read");
                Err(Failure::new(super::FailureClass::Bug, "NotObserved", text))
            }
        }
    }
}
