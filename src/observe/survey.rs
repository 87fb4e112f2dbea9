//! The survey of a subscription: the lists that all its policies share. Read by one at a time, and read again when
//! they are too old or older than our last write.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{Shared, implausible, missing_witness};
use crate::{
    azure::Azure,
    clock::Clock,
    model::{
        Failure, FailureClass, PermissionSet, PrincipalId, PrincipalKind, Reading, Scope, Site, SubscriptionAccess,
        UserIdentity, Vault,
    },
};

/// What was listed of one subscription.
#[derive(Clone, Debug)]
pub struct Survey {
    /// When the first list was asked for.
    pub at: Timestamp,
    /// Apps by id.
    pub sites: Reading<BTreeMap<Scope, Site>>,
    /// User-assigned identities by id.
    pub identities: Reading<BTreeMap<Scope, UserIdentity>>,
    /// Vaults by id.
    pub vaults: Reading<BTreeMap<Scope, Vault>>,
    /// What decides access.
    pub access: Shared<SubscriptionAccess>,
}

/// A value that was read at some time, behind a lock that makes everyone wait for one reader.
type Aged<T> = Arc<Mutex<Option<(Timestamp, T)>>>;

/// The surveys of all subscriptions, and the small readings that several policies share.
#[derive(Debug)]
pub struct Surveys {
    clock: Clock,
    max_age: SignedDuration,
    surveys: Mutex<BTreeMap<String, Aged<Arc<Survey>>>>,
    own_permissions: Mutex<BTreeMap<Scope, Aged<Result<Vec<PermissionSet>, Failure>>>>,
    groups: Mutex<BTreeMap<(String, PrincipalId), Aged<Reading<Vec<Scope>>>>>,
    /// Nothing read before this moment counts, per subscription: our last write.
    not_before: Mutex<BTreeMap<String, Timestamp>>,
}

impl Surveys {
    /// `max_age`: how old a survey may be when a pass uses it.
    #[must_use]
    pub fn new(clock: Clock, max_age: Duration) -> Self {
        Self {
            clock,
            max_age: SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX),
            surveys: Mutex::default(),
            own_permissions: Mutex::default(),
            groups: Mutex::default(),
            not_before: Mutex::default(),
        }
    }

    /// The subscription's survey, read now if there is none young enough.
    pub(super) async fn of(&self, azure: &Azure, subscription: &str) -> Arc<Survey> {
        let slot = self.surveys.lock().await.entry(subscription.to_owned()).or_default().clone();
        let not_before = self.not_before(subscription).await;
        let started = self.clock.now();
        self.fresh(slot, not_before, async || Arc::new(survey(azure, self.clock, subscription, started).await)).await
    }

    /// Why the survey's grants prove nothing for a scope, if so.
    pub(super) async fn lacks_witness(&self, azure: &Azure, scope: &Scope) -> Option<Failure> {
        // Documented for resource groups and resources; the group answers for everything in it.
        let asked = scope.resource_group().unwrap_or_else(|| scope.clone());
        let slot = self.own_permissions.lock().await.entry(asked.clone()).or_default().clone();
        let not_before = self.not_before(scope.subscription().unwrap_or_default()).await;
        let own = self.fresh(slot, not_before, async || azure.own_permissions(&asked).await).await;
        match own {
            Ok(own) => missing_witness(&own).map(|action| {
                let text = format!("we lack `{action}` at {asked}, so grants may be missing from what Azure lists");
                Failure::new(FailureClass::Denied, "Unwitnessed", text)
                    .with_hint("give the operator `Reader` on that resource group or above")
            }),
            Err(failure) => Some(failure),
        }
    }

    /// The ids of the grants that reach a principal through groups.
    pub(super) async fn through_groups(
        &self,
        azure: &Azure,
        subscription: &str,
        principal: PrincipalId,
    ) -> Reading<Vec<Scope>> {
        let key = (subscription.to_owned(), principal);
        let slot = self.groups.lock().await.entry(key).or_default().clone();
        self.fresh(slot, self.not_before(subscription).await, async || {
            match azure.grants_assigned_to(subscription, principal).await {
                Ok(grants) => {
                    let of_groups = grants.into_iter().filter(|grant| grant.principal_kind == PrincipalKind::Group);
                    Reading::Present { value: of_groups.map(|grant| grant.id).collect(), at: self.clock.now() }
                }
                Err(failure) => Reading::Unreadable(failure),
            }
        })
        .await
    }

    /// After a write: whatever was read of that subscription before now is out of date.
    pub async fn outdate(&self, subscription: &str) {
        self.not_before.lock().await.insert(subscription.to_owned(), self.clock.now());
        // Read in the same instant as the write, it would pass for newer.
        if let Some(slot) = self.surveys.lock().await.get(subscription) {
            *slot.lock().await = None;
        }
    }

    async fn not_before(&self, subscription: &str) -> Timestamp {
        self.not_before.lock().await.get(subscription).copied().unwrap_or(Timestamp::MIN)
    }

    /// The slot's value, read anew when it is too old. Whoever comes while it is being read waits for that reading.
    async fn fresh<T: Clone>(&self, slot: Aged<T>, not_before: Timestamp, read: impl AsyncFnOnce() -> T) -> T {
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        if let Some((at, value)) = &*slot
            && now.duration_since(*at) < self.max_age
            && *at >= not_before
        {
            return value.clone();
        }
        let value = read().await;
        *slot = Some((now, value.clone()));
        value
    }
}

async fn survey(azure: &Azure, clock: Clock, subscription: &str, at: Timestamp) -> Survey {
    // At once: the lists are independent, and a survey is worth most when its parts are of one moment.
    let (sites, identities, vaults, access) = tokio::join!(
        azure.sites(subscription),
        azure.user_identities(subscription),
        azure.vaults(subscription),
        access(azure, subscription),
    );
    let now = clock.now();
    Survey {
        at,
        sites: by_id(sites, |site| site.id.clone(), now),
        identities: by_id(identities, |identity| identity.id.clone(), now),
        vaults: by_id(vaults, |vault| vault.id.clone(), now),
        access: match access {
            Ok(access) => Reading::Present { value: Arc::new(access), at: now },
            Err(failure) => Reading::Unreadable(failure),
        },
    }
}

async fn access(azure: &Azure, subscription: &str) -> Result<SubscriptionAccess, Failure> {
    let (grants, roles, denies) = tokio::join!(
        azure.grants_of_subscription(subscription),
        azure.roles_of_subscription(subscription),
        azure.denies_of_subscription(subscription),
    );
    let roles = roles?.into_iter().map(|role| (role.id, role)).collect();
    let access = SubscriptionAccess { grants: grants?, roles, denies: denies? };
    match implausible(&access) {
        Some(failure) => Err(failure),
        None => Ok(access),
    }
}

fn by_id<T>(list: Result<Vec<T>, Failure>, id: impl Fn(&T) -> Scope, at: Timestamp) -> Reading<BTreeMap<Scope, T>> {
    match list {
        Ok(list) => Reading::Present { value: list.into_iter().map(|entry| (id(&entry), entry)).collect(), at },
        Err(failure) => Reading::Unreadable(failure),
    }
}
