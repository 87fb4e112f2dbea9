//! The survey of a subscription: the lists that all its policies share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{
    evidence::{About, EVIDENCE_KEEP},
    implausible, missing_witness,
    network::NetworkReadings,
    reading,
    shared::Readings,
};
use crate::{
    azure::Azure,
    catalog::services,
    clock::Clock,
    model::{
        AppSettings, Census, Change, Ends, Failure, FailureClass, History, PermissionSet, PlatformIdentity,
        PrincipalId, Reading, Scope, Site, SubscriptionAccess, TargetKind, UserIdentity, Vault, VaultReference,
        cosmos::CosmosAccess, evidence::Evidence,
    },
    policy::EvidenceSource,
};

/// How long a write is remembered at least: surveys that could not be read are in use for minutes.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// How long it is known when grants end, and how long nobody asks again who was refused.
const ENDS_KEEP: SignedDuration = SignedDuration::from_hours(1);

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

/// Targets of a kind, by id.
type Targets = Reading<Arc<BTreeMap<Scope, Site>>>;

/// The surveys of all subscriptions, and the smaller readings that several policies share.
#[derive(Debug)]
pub struct Surveys {
    pub(super) clock: Clock,
    max_age: SignedDuration,
    by_subscription: Readings<String, Arc<Survey>>,
    /// Targets of the kinds that the survey leaves out, by subscription and kind: listed where a policy is about one.
    targets: Readings<(String, TargetKind), Targets>,
    own_permissions: Readings<Scope, Result<Vec<PermissionSet>, Failure>>,
    groups: Readings<(String, PrincipalId), Reading<Vec<Scope>>>,
    cosmos: Readings<Scope, Reading<Arc<CosmosAccess>>>,
    settings: Readings<Scope, Reading<Arc<AppSettings>>>,
    references: Readings<Scope, Reading<Vec<VaultReference>>>,
    registries: Readings<Scope, Reading<Vec<PlatformIdentity>>>,
    ends: Readings<String, Reading<Arc<Ends>>>,
    /// The resources of a type, by subscription and type.
    listed: Readings<(String, String), Reading<Arc<BTreeSet<Scope>>>>,
    exist: Readings<Scope, Reading<()>>,
    /// By app, workspace and what is asked about besides.
    pub(super) evidence: Readings<(Scope, EvidenceSource, About), Reading<Arc<Evidence>>>,
    pub(super) history: Readings<History, Reading<Arc<Vec<Change>>>>,
    /// On the heap: the operator is handed on by value.
    pub(super) network: Box<NetworkReadings>,
    /// Nothing read before this moment counts, per subscription, and there for everybody or for one app: our last write.
    not_before: Mutex<BTreeMap<(String, Option<Scope>), Timestamp>>,
}

impl Surveys {
    /// `max_age`: how old a survey may be when a pass uses it.
    #[must_use]
    pub fn new(clock: Clock, max_age: Duration) -> Self {
        let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
        Self {
            clock,
            max_age,
            by_subscription: Readings::new(clock, max_age),
            targets: Readings::new(clock, max_age),
            own_permissions: Readings::new(clock, max_age),
            groups: Readings::new(clock, max_age),
            cosmos: Readings::new(clock, max_age),
            settings: Readings::new(clock, max_age),
            references: Readings::new(clock, max_age),
            registries: Readings::new(clock, max_age),
            ends: Readings::new(clock, ENDS_KEEP),
            listed: Readings::new(clock, max_age),
            exist: Readings::new(clock, max_age),
            evidence: Readings::new(clock, EVIDENCE_KEEP),
            history: Readings::new(clock, max_age),
            network: Box::new(NetworkReadings::new(clock)),
            not_before: Mutex::default(),
        }
    }

    /// The subscription's survey, as young as a look at that app needs it.
    pub(super) async fn of(&self, azure: &Azure, subscription: &str, target: Option<&Scope>) -> Arc<Survey> {
        let read = async || Arc::new(survey(azure, self.clock, subscription).await);
        let not_before = self.not_before(subscription, target).await;
        self.by_subscription.get(&subscription.to_owned(), not_before, |survey| survey.failure(), read).await
    }

    /// What a list shows of a target; none when it does not show it.
    pub(super) async fn target(&self, azure: &Azure, target: &Scope, survey: &Survey) -> Option<Reading<Site>> {
        let kind = match TargetKind::of(target) {
            TargetKind::App => return super::find(&survey.sites, target),
            kind @ (TargetKind::ContainerApp | TargetKind::Machine) => kind,
        };
        let subscription = target.subscription().unwrap_or_default().to_owned();
        let not_before = survey.began.max(self.not_before(&subscription, Some(target)).await);
        let key = (subscription, kind);
        let read = async || match azure.sites(&key.0, kind).await {
            Ok(all) => {
                let all = all.into_iter().map(|one| (one.id.clone(), one)).collect();
                Reading::Present { value: Arc::new(all), at: self.clock.now() }
            }
            Err(failure) => Reading::Unreadable(failure),
        };
        of_list(&self.targets.get(&key, not_before, Reading::unreadable, read).await, target)
    }

    /// What a list that was read already shows of a target that is no app.
    pub(super) async fn known_target(&self, target: &Scope) -> Option<Reading<Site>> {
        let (_, list) = self.targets.known(&(target.subscription()?.to_owned(), TargetKind::of(target))).await?;
        of_list(&list, target)
    }

    /// The principal of its system-assigned identity there.
    pub(super) async fn known_principal(&self, target: &Scope) -> Option<PrincipalId> {
        self.known_target(target).await?.present()?.system.principal()
    }

    /// Why the survey's grants prove nothing for a scope, if so.
    pub(super) async fn lacks_witness(&self, azure: &Azure, scope: &Scope, survey: &Survey) -> Option<Failure> {
        // Azure has asked for silence, and nothing was read that could be vouched for.
        if survey.access.unreadable().is_some_and(|failure| failure.class == FailureClass::Throttled) {
            return None;
        }
        // Documented for resource groups and resources; the group answers for everything in it.
        let asked = scope.resource_group().unwrap_or_else(|| scope.clone());
        let read = async || azure.own_permissions(&asked).await;
        match self.own_permissions.get(&asked, survey.began, |own| own.as_ref().err(), read).await {
            Ok(own) => missing_witness(&own, &asked).map(|action| {
                let text = format!("we lack `{action}` at {asked}, so grants may be missing from what Azure lists");
                Failure::new(FailureClass::Denied, "Unwitnessed", text)
                    .with_hint("give the operator `Reader` on that resource group or above")
            }),
            Err(failure) => Some(failure),
        }
    }

    /// The ids of the grants that reach a principal through groups: all that do and name somebody else, of whatever
    /// type Azure says that they are.
    pub(super) async fn through_groups(
        &self,
        azure: &Azure,
        subscription: &str,
        principal: PrincipalId,
        survey: Timestamp,
    ) -> Reading<Vec<Scope>> {
        let read = async || match azure.grants_assigned_to(subscription, principal).await {
            Ok(grants) => {
                let of_groups = grants.into_iter().filter(|grant| grant.principal != principal);
                Reading::Present { value: of_groups.map(|grant| grant.id).collect(), at: self.clock.now() }
            }
            Err(failure) => Reading::Unreadable(failure),
        };
        self.groups.get(&(subscription.to_owned(), principal), survey, Reading::unreadable, read).await
    }

    /// What decides access inside a Cosmos DB account.
    pub(super) async fn cosmos(&self, azure: &Azure, account: &Scope, survey: Timestamp) -> Reading<Arc<CosmosAccess>> {
        let read = async || reading(self.clock, azure.cosmos_access(account).await.map(|access| access.map(Arc::new)));
        self.cosmos.get(account, survey, Reading::unreadable, read).await
    }

    /// The settings of an app. As old as the survey at most: a second pass within seconds takes no second request, which
    /// Azure would count as a write.
    pub(super) async fn settings(&self, azure: &Azure, app: &Scope, survey: Timestamp) -> Reading<Arc<AppSettings>> {
        let read = async || reading(self.clock, azure.app_settings(app).await.map(|settings| Some(Arc::new(settings))));
        self.settings.get(app, survey, Reading::unreadable, read).await
    }

    /// Whether a resource exists. Lists are shared by all that ask about a type; they leave out what we may not see, so
    /// that one which is not listed is looked at by itself.
    pub(super) async fn exists(&self, azure: &Azure, resource: &Scope, survey: Timestamp) -> Reading<()> {
        let Some((resource, version)) = services::resource_of(resource) else {
            let text = format!("how to look at {resource} is not known");
            return Reading::Unreadable(Failure::new(FailureClass::Bug, "UnknownType", text));
        };
        let (subscription, kind) = (resource.subscription().unwrap_or_default(), resource.resource_type());
        let key = (subscription.to_owned(), kind.unwrap_or_default().to_ascii_lowercase());
        let list =
            async || reading(self.clock, azure.resources_of_type(&key.0, &key.1).await.map(|ids| Some(Arc::new(ids))));
        if let Reading::Present { value, at } = self.listed.get(&key, survey, Reading::unreadable, list).await
            && value.contains(&resource)
        {
            return Reading::Present { value: (), at };
        }
        let look =
            async || reading(self.clock, azure.exists(&resource, version).await.map(|exists| exists.then_some(())));
        self.exist.get(&resource, survey, Reading::unreadable, look).await
    }

    /// How the app's references stand, no older than what was seen of the app itself.
    pub(super) async fn references(
        &self,
        azure: &Azure,
        target: &Scope,
        seen: Timestamp,
    ) -> Reading<Vec<VaultReference>> {
        let read = async || reading(self.clock, azure.vault_references(target).await.map(Some));
        self.references.get(target, seen, Reading::unreadable, read).await
    }

    /// As whom an app's image is pulled.
    pub(super) async fn registry(&self, azure: &Azure, site: &Site, seen: Timestamp) -> Reading<Vec<PlatformIdentity>> {
        let read = async || reading(self.clock, azure.registry(site).await);
        self.registries.get(&site.id, seen, Reading::unreadable, read).await
    }

    /// After a write that may have had them resolved again.
    pub async fn forget_references(&self, target: &Scope) {
        self.references.forget(target).await;
    }

    /// When the grants of a subscription end. A refusal lasts as long as an answer: most directories have no licence
    /// for it, and what is not known is only not told.
    pub(super) async fn ends(&self, azure: &Azure, subscription: &str) -> Reading<Arc<Ends>> {
        let read =
            async || reading(self.clock, azure.ends_of_grants(subscription).await.map(|ends| Some(Arc::new(ends))));
        self.ends.get(&subscription.to_owned(), Timestamp::MIN, |_| None, read).await
    }

    /// Nothing read of that subscription before `moment` counts from now on.
    pub async fn outdate_before(&self, subscription: &str, moment: Timestamp) {
        self.raise((subscription.to_owned(), None), moment).await;
    }

    /// After a write that took something away, or when somebody asks for another look: whatever was read of that subscription
    /// before now is out of date.
    pub async fn outdate(&self, subscription: &str) {
        self.outdate_before(subscription, self.clock.now()).await;
        // A survey read in the same instant as the write would pass for newer.
        self.by_subscription.forget(&subscription.to_owned()).await;
        self.network.outdate(subscription);
    }

    /// After a write that only added something for one app: its next look needs a survey from after it. Others keep
    /// theirs, or a thousand writes would take a thousand surveys.
    pub async fn outdate_for(&self, subscription: &str, target: &Scope) {
        // Later than the write by the least that there is: the same instant is not enough.
        let moment = self.clock.now().saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX);
        self.raise((subscription.to_owned(), Some(target.clone())), moment).await;
    }

    async fn raise(&self, whose: (String, Option<Scope>), moment: Timestamp) {
        let mut not_before = self.not_before.lock().await;
        // What is older than any survey can be that is still in use.
        let remembered = self.max_age.max(REMEMBERED);
        not_before.retain(|_, known| moment.duration_since(*known) <= remembered);
        let known = not_before.entry(whose).or_insert(moment);
        *known = moment.max(*known);
    }

    async fn not_before(&self, subscription: &str, target: Option<&Scope>) -> Timestamp {
        let not_before = self.not_before.lock().await;
        let of = |target: Option<&Scope>| not_before.get(&(subscription.to_owned(), target.cloned())).copied();
        of(None).max(target.and_then(|target| of(Some(target)))).unwrap_or(Timestamp::MIN)
    }
}

impl Survey {
    /// The principals of all identities that it lists.
    pub(super) fn principals(&self) -> impl Iterator<Item = PrincipalId> + '_ {
        let system =
            self.sites.present().into_iter().flat_map(BTreeMap::values).filter_map(|site| site.system.principal());
        let user = self.identities.present().into_iter().flat_map(BTreeMap::values).filter_map(|one| one.principal);
        system.chain(user)
    }

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
        azure.sites(subscription, TargetKind::App),
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
    // The failure of the one that was asked first: a refusal keeps the others from being asked.
    let grants = grants?;
    let roles = roles?.into_iter().map(|role| (role.id, role)).collect();
    let mut access = SubscriptionAccess { grants: grants.into(), roles, denies: denies? };
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

fn of_list(list: &Targets, target: &Scope) -> Option<Reading<Site>> {
    let Reading::Present { value, at } = list else { return None };
    value.get(target).map(|site| Reading::Present { value: site.clone(), at: *at })
}

fn by_id<T>(list: Result<Vec<T>, Failure>, id: impl Fn(&T) -> Scope, at: Timestamp) -> Reading<BTreeMap<Scope, T>> {
    match list {
        Ok(list) => Reading::Present { value: list.into_iter().map(|entry| (id(&entry), entry)).collect(), at },
        Err(failure) => Reading::Unreadable(failure),
    }
}
