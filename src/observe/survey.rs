//! The survey of a subscription: the lists that all its policies share.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{implausible, missing_witness, shared::Readings};
use crate::{
    azure::Azure,
    clock::Clock,
    model::{
        Census, Failure, FailureClass, PermissionSet, PrincipalId, PrincipalKind, Reading, Scope, Site,
        SubscriptionAccess, UserIdentity, Vault,
    },
};

/// What was listed of one subscription.
#[derive(Clone, Debug)]
pub struct Survey {
    /// When the reading began. What vouches for its lists must not be older.
    pub began: Timestamp,
    /// Apps by id.
    pub sites: Reading<BTreeMap<Scope, Site>>,
    /// User-assigned identities by id.
    pub identities: Reading<BTreeMap<Scope, UserIdentity>>,
    /// Vaults by id.
    pub vaults: Reading<BTreeMap<Scope, Vault>>,
    /// What decides access.
    pub access: Reading<Arc<SubscriptionAccess>>,
}

/// The surveys of all subscriptions, and the smaller readings that several policies share.
#[derive(Debug)]
pub struct Surveys {
    clock: Clock,
    by_subscription: Readings<String, Arc<Survey>>,
    own_permissions: Readings<Scope, Result<Vec<PermissionSet>, Failure>>,
    groups: Readings<(String, PrincipalId), Reading<Vec<Scope>>>,
    /// Nothing read before this moment counts, per subscription: our last write.
    not_before: Mutex<BTreeMap<String, Timestamp>>,
}

impl Surveys {
    /// `max_age`: how old a survey may be when a pass uses it.
    #[must_use]
    pub fn new(clock: Clock, max_age: Duration) -> Self {
        let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
        Self {
            clock,
            by_subscription: Readings::new(clock, max_age),
            own_permissions: Readings::new(clock, max_age),
            groups: Readings::new(clock, max_age),
            not_before: Mutex::default(),
        }
    }

    /// The subscription's survey.
    pub(super) async fn of(&self, azure: &Azure, subscription: &str) -> Arc<Survey> {
        let read = async || Arc::new(survey(azure, self.clock, subscription).await);
        let not_before = self.not_before(subscription).await;
        self.by_subscription.get(&subscription.to_owned(), not_before, |survey| survey.failure(), read).await
    }

    /// Why the survey's grants prove nothing for a scope, if so.
    pub(super) async fn lacks_witness(&self, azure: &Azure, scope: &Scope, survey: &Survey) -> Option<Failure> {
        // Documented for resource groups and resources; the group answers for everything in it.
        let asked = scope.resource_group().unwrap_or_else(|| scope.clone());
        let read = async || azure.own_permissions(&asked).await;
        match self.own_permissions.get(&asked, survey.began, |own| own.as_ref().err(), read).await {
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
        survey: Timestamp,
    ) -> Reading<Vec<Scope>> {
        let read = async || match azure.grants_assigned_to(subscription, principal).await {
            Ok(grants) => {
                let of_groups = grants.into_iter().filter(|grant| grant.principal_kind == PrincipalKind::Group);
                Reading::Present { value: of_groups.map(|grant| grant.id).collect(), at: self.clock.now() }
            }
            Err(failure) => Reading::Unreadable(failure),
        };
        self.groups.get(&(subscription.to_owned(), principal), survey, Reading::unreadable, read).await
    }

    /// Nothing read of that subscription before `moment` counts from now on.
    pub async fn outdate_before(&self, subscription: &str, moment: Timestamp) {
        let mut not_before = self.not_before.lock().await;
        let known = not_before.entry(subscription.to_owned()).or_insert(moment);
        *known = moment.max(*known);
    }

    /// After a write: whatever was read of that subscription before now is out of date.
    pub async fn outdate(&self, subscription: &str) {
        self.outdate_before(subscription, self.clock.now()).await;
        // A survey read in the same instant as the write would pass for newer.
        self.by_subscription.forget(&subscription.to_owned()).await;
    }

    async fn not_before(&self, subscription: &str) -> Timestamp {
        self.not_before.lock().await.get(subscription).copied().unwrap_or(Timestamp::MIN)
    }
}

impl Survey {
    /// How much its lists hold.
    pub(super) fn census(&self) -> Census {
        Census {
            began: self.began,
            sites: self.sites.present().map(BTreeMap::len),
            identities: self.identities.present().map(BTreeMap::len),
            vaults: self.vaults.present().map(BTreeMap::len),
            grants: self.access.present().map(|access| access.grants.len()),
        }
    }

    /// The first thing that could not be read.
    fn failure(&self) -> Option<&Failure> {
        let access = self.access.unreadable();
        access.or(self.sites.unreadable()).or(self.identities.unreadable()).or(self.vaults.unreadable())
    }
}

async fn survey(azure: &Azure, clock: Clock, subscription: &str) -> Survey {
    let began = clock.now();
    // At once: the lists are independent, and a survey is worth most when its parts are of one moment.
    let (sites, identities, vaults, access) = tokio::join!(
        azure.sites(subscription),
        azure.user_identities(subscription),
        azure.vaults(subscription),
        access(azure, subscription),
    );
    let now = clock.now();
    Survey {
        began,
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
    let mut access = SubscriptionAccess { grants: grants?, roles, denies: denies? };
    if let Some(failure) = implausible(&access, &Scope::of_subscription(subscription)) {
        return Err(failure);
    }
    // The list holds what can be assigned at the subscription. Custom roles of a resource group are asked for one by
    // one; what is not found leaves the access undecided.
    let undefined: BTreeMap<_, _> = access
        .grants
        .iter()
        .filter(|grant| !access.roles.contains_key(&grant.role))
        .map(|grant| (grant.role, grant.scope.clone()))
        .collect();
    let found = stream::iter(undefined).map(|(role, scope)| async move {
        // The grant may be another team's, and what is said of a survey is said to everybody.
        azure.role(&scope, role).await.map_err(|failure| {
            let text =
                format!("the definition of role {role}, which is granted here, could not be read: {}", failure.code);
            Failure { text, ..failure }
        })
    });
    for role in found.buffer_unordered(4).try_collect::<Vec<_>>().await?.into_iter().flatten() {
        access.roles.insert(role.id, role);
    }
    Ok(access)
}

fn by_id<T>(list: Result<Vec<T>, Failure>, id: impl Fn(&T) -> Scope, at: Timestamp) -> Reading<BTreeMap<Scope, T>> {
    match list {
        Ok(list) => Reading::Present { value: list.into_iter().map(|entry| (id(&entry), entry)).collect(), at },
        Err(failure) => Reading::Unreadable(failure),
    }
}
