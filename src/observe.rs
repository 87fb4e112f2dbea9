//! Looks at Azure for the policies: one survey per subscription, shared and aged, and what one policy needs of it.
//! Decides nothing.

mod evidence;
mod history;
mod network;
mod shared;
mod survey;

use std::collections::{BTreeMap, BTreeSet};

pub use evidence::ask_evidence;
pub use history::ask_history;
pub use network::ask_network;
pub use survey::{Survey, Surveys};

use jiff::Timestamp;

use crate::{
    api::{Settings, SystemIdentity},
    azure::Azure,
    catalog::binding::Plane,
    clock::Clock,
    model::{
        Failure, FailureClass, HostSeen, Observed, PermissionSet, PrincipalId, Reading, Scope, Site,
        SubscriptionAccess, Truth, Vault, VaultMode, condition::Request, network::NetworkSeen,
    },
    policy::{Claim, Claims, Identity, Policy},
};

/// What one policy can see of the surveys, with a targeted read for everything that they do not hold.
pub async fn observe(azure: &Azure, surveys: &Surveys, clock: Clock, policy: &Policy) -> Observed {
    let mut by_subscription = BTreeMap::new();
    for subscription in policy.subscriptions() {
        by_subscription.insert(subscription.to_owned(), surveys.of(azure, subscription, Some(&policy.target)).await);
    }
    let survey = |scope: &Scope| scope.subscription().and_then(|subscription| by_subscription.get(subscription));

    let listed = match survey(&policy.target) {
        Some(survey) => surveys.target(azure, &policy.target, survey).await,
        None => None,
    };
    // No recording shows that a list of apps always carries the identity block: what seems missing is looked at.
    let target = match listed {
        Some(found) if found.present().is_some_and(|site| has_identities(site, policy)) => found,
        Some(_) | None => reading(clock, azure.site(&policy.target).await),
    };
    let mut user = BTreeMap::new();
    for id in &policy.user {
        let listed = survey(id).and_then(|survey| find(&survey.identities, id));
        let identity = match listed {
            Some(found) => found,
            None => reading(clock, azure.user_identity(id).await),
        };
        user.insert(id.clone(), identity);
    }
    let mut vaults = BTreeMap::new();
    for required in &policy.vaults {
        let id = &required.vault;
        let listed = survey(id).and_then(|survey| find(&survey.vaults, id));
        let vault = match listed {
            Some(found) => found,
            None => reading(clock, azure.vault(id).await),
        };
        vaults.insert(id.clone(), vault);
    }

    let mut unwitnessed = BTreeMap::new();
    let access_scopes: BTreeSet<_> = policy
        .requirements
        .iter()
        .filter(|requirement| requirement.wanted.plane() == Plane::Azure)
        .map(|requirement| &requirement.scope)
        .chain(policy.vaults.iter().map(|vault| &vault.vault))
        .collect();
    for scope in access_scopes {
        let Some(survey) = survey(scope) else { continue };
        if let Some(failure) = surveys.lacks_witness(azure, scope, survey).await {
            unwitnessed.insert(scope.clone(), failure);
        }
    }
    let mut cosmos = BTreeMap::new();
    for account in policy.cosmos_accounts() {
        // As young as the survey: whoever asks for another look gets another one here, too.
        let began = survey(&account).map_or(Timestamp::MIN, |survey| survey.began);
        let access = surveys.cosmos(azure, &account, began).await;
        cosmos.insert(account, access);
    }
    let by_policies = |vault: &Reading<Vault>| vault.present().is_some_and(|it| it.mode == VaultMode::AccessPolicy);
    let identities = if cosmos.is_empty() && !vaults.values().any(by_policies) {
        BTreeSet::new()
    } else {
        let own = target.present().and_then(|site| site.system.principal());
        by_subscription.values().flat_map(|it| it.principals()).chain(own).collect()
    };
    // An app that is not there has none.
    let settings = match (policy.settings, &target) {
        (Settings::Never, _) | (Settings::Inspect, Reading::Absent { .. }) => None,
        (Settings::Inspect, Reading::Present { .. } | Reading::Unreadable(_)) => {
            let began = survey(&policy.target).map_or(Timestamp::MIN, |survey| survey.began);
            Some(surveys.settings(azure, &policy.target, began).await)
        }
    };
    let access = by_subscription.iter().map(|(id, survey)| (id.clone(), survey.access.clone())).collect();
    let census = by_subscription.iter().map(|(id, survey)| (id.clone(), survey.census())).collect();
    Observed {
        target,
        user,
        vaults,
        access,
        unwitnessed,
        through_groups: BTreeMap::new(),
        ends: BTreeMap::new(),
        host: None,
        references: None,
        registry: None,
        settings,
        cloud: azure.cloud(),
        cosmos,
        resources: BTreeMap::new(),
        evidence: None,
        history: BTreeMap::new(),
        network: NetworkSeen::default(),
        identities,
        census,
    }
}

/// What the last surveys alone show of each policy, without any request: enough to see how many drifted at once. What
/// a list does not show is unknown here.
pub async fn glance(azure: &Azure, surveys: &Surveys, subscription: &str, policies: &[Policy]) -> Vec<Observed> {
    let survey = surveys.of(azure, subscription, None).await;
    let only = |id: &Scope| id.subscription().is_some_and(|own| own == subscription);
    let look = async |policy: &Policy| {
        let target = match Some(&policy.target).filter(|id| only(id)) {
            Some(id) => match find(&survey.sites, id) {
                Some(listed) => Some(listed),
                None => surveys.known_target(id).await,
            },
            None => None,
        };
        let target = target.filter(|found| found.present().is_some_and(|site| has_identities(site, policy)));
        let user = |id: &Scope| find(&survey.identities, id).unwrap_or_else(not_listed);
        let vault = |id: &Scope| find(&survey.vaults, id).unwrap_or_else(not_listed);
        Observed {
            target: target.unwrap_or_else(not_listed),
            user: policy.user.iter().map(|id| (id.clone(), user(id))).collect(),
            vaults: policy.vaults.iter().map(|required| (required.vault.clone(), vault(&required.vault))).collect(),
            access: [(subscription.to_owned(), survey.access.clone())].into(),
            unwitnessed: BTreeMap::new(),
            through_groups: BTreeMap::new(),
            ends: BTreeMap::new(),
            host: None,
            references: None,
            registry: None,
            settings: None,
            cloud: azure.cloud(),
            cosmos: BTreeMap::new(),
            resources: BTreeMap::new(),
            evidence: None,
            history: BTreeMap::new(),
            network: NetworkSeen::default(),
            identities: BTreeSet::new(),
            census: BTreeMap::new(),
        }
    };
    let mut seen = Vec::with_capacity(policies.len());
    for policy in policies {
        seen.push(look(policy).await);
    }
    seen
}

/// Adds since when the app's host runs, whose identity was written at that time.
pub async fn ask_host(azure: &Azure, clock: Clock, policy: &Policy, observed: &mut Observed, written: Timestamp) {
    let started = match azure.host_uptime(&policy.target).await {
        Ok(Some(uptime)) => {
            let at = clock.now();
            Reading::Present { value: at.saturating_sub(uptime).unwrap_or(Timestamp::MIN), at }
        }
        Ok(None) => {
            let text = "the host does not say how long it has run";
            Reading::Unreadable(Failure::new(FailureClass::Rejected, "NoUptime", text))
        }
        Err(failure) => Reading::Unreadable(failure),
    };
    observed.host = Some(HostSeen { identity_written: written, started });
}

/// Adds how the app's references to vaults stand.
pub async fn ask_references(azure: &Azure, surveys: &Surveys, policy: &Policy, observed: &mut Observed) {
    let Reading::Present { at, .. } = observed.target else { return };
    observed.references = Some(surveys.references(azure, &policy.target, at).await);
}

/// Adds as whom the app's image is pulled.
pub async fn ask_registry(azure: &Azure, surveys: &Surveys, observed: &mut Observed) {
    let Reading::Present { value: site, at } = &observed.target else { return };
    observed.registry = Some(surveys.registry(azure, site, *at).await);
}

/// What every live policy needs, and of which principals, as far as the surveys of this policy's subscriptions tell. No
/// request is made for another policy: its boundary was not asked.
pub async fn claims(
    azure: &Azure,
    surveys: &Surveys,
    own: &Policy,
    observed: &Observed,
    policies: &[Policy],
) -> Claims {
    let mut by_subscription = BTreeMap::new();
    for subscription in own.subscriptions() {
        by_subscription.insert(subscription.to_owned(), surveys.of(azure, subscription, Some(&own.target)).await);
    }
    let survey = |scope: &Scope| scope.subscription().and_then(|subscription| by_subscription.get(subscription));
    let principal = |system: Option<PrincipalId>, identity: &Identity| match identity {
        Identity::System => system,
        Identity::User(id) => {
            let looked_at = observed.user.get(id).and_then(Reading::present);
            let listed = || survey(id)?.identities.present()?.get(id);
            looked_at.or_else(listed)?.principal
        }
    };
    let mut claims = Claims::default();
    for policy in policies {
        let name = policy.full_name();
        let looked_at = Some(&observed.target).filter(|_| policy.target == own.target).and_then(Reading::present);
        let own = looked_at.or_else(|| survey(&policy.target)?.sites.present()?.get(&policy.target));
        let system = match own {
            Some(site) => site.system.principal(),
            None => surveys.known_principal(&policy.target).await,
        };
        claims.needs.extend(policy.needs().map(|requirement| Claim {
            policy: name.clone(),
            principal: principal(system, &requirement.identity),
            requirement,
        }));
        claims.live.insert(name);
    }
    claims
}

fn not_listed<T>() -> Reading<T> {
    Reading::Unreadable(Failure::new(FailureClass::Transient, "NotListed", "not among what was listed"))
}

fn has_identities(site: &Site, policy: &Policy) -> bool {
    let system = match policy.system {
        SystemIdentity::Required => site.system.is_enabled(),
        SystemIdentity::Optional => true,
        // Silence is no proof of absence either.
        SystemIdentity::Forbidden => false,
    };
    system && policy.user.iter().all(|id| site.attached.contains_key(id))
}

/// Adds which grants reach some principals through groups.
pub async fn ask_groups(
    azure: &Azure,
    surveys: &Surveys,
    observed: &mut Observed,
    questions: &BTreeSet<(PrincipalId, String)>,
) {
    for (principal, subscription) in questions {
        let survey = surveys.of(azure, subscription, None).await;
        let answer = surveys.through_groups(azure, subscription, *principal, survey.began).await;
        observed.through_groups.insert((*principal, subscription.clone()), answer);
    }
}

/// Adds whether some resources exist.
pub async fn ask_resources(azure: &Azure, surveys: &Surveys, observed: &mut Observed, resources: &BTreeSet<Scope>) {
    for resource in resources {
        let Some(subscription) = resource.subscription() else { continue };
        let survey = surveys.of(azure, subscription, None).await;
        observed.resources.insert(resource.clone(), surveys.exists(azure, resource, survey.began).await);
    }
}

/// Adds when the time-bound grants of some subscriptions end.
pub async fn ask_ends(azure: &Azure, surveys: &Surveys, observed: &mut Observed, subscriptions: &BTreeSet<String>) {
    for subscription in subscriptions {
        observed.ends.insert(subscription.clone(), surveys.ends(azure, subscription).await);
    }
}

/// The entry of a list that was read; none when the list does not have it or was not read, which a targeted read
/// then decides: a single resource answers 404 or 403, so that absence and ignorance can be told apart.
fn find<T: Clone>(list: &Reading<BTreeMap<Scope, T>>, id: &Scope) -> Option<Reading<T>> {
    match list {
        Reading::Present { value, at } => value.get(id).map(|value| Reading::Present { value: value.clone(), at: *at }),
        Reading::Absent { .. } | Reading::Unreadable(_) => None,
    }
}

fn reading<T>(clock: Clock, result: Result<Option<T>, Failure>) -> Reading<T> {
    match result {
        Ok(Some(value)) => Reading::Present { value, at: clock.now() },
        Ok(None) => Reading::Absent { at: clock.now() },
        Err(failure) => Reading::Unreadable(failure),
    }
}

/// The rights without which a list of grants proves nothing, because Azure leaves out what the caller may not read.
const WITNESSES: [&str; 3] = [
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Authorization/denyAssignments/read",
];

/// The right that is missing for the list to count, if one is.
fn missing_witness(own: &[PermissionSet], scope: &Scope) -> Option<&'static str> {
    let may = |action: &str| {
        let request = Request { data: false, action, resource: scope, assignment: None };
        own.iter().any(|entry| entry.serves(&request) == Truth::True)
    };
    WITNESSES.into_iter().find(|action| !may(action))
}

/// Why a list of grants is not believed that shows none at the subscription or above.
///
/// Our right at a resource group says that we see the grants in it, and nothing of those that it inherits. Every
/// subscription has an owner, so a list without any such grant is one that leaves them out.
fn implausible(access: &SubscriptionAccess, subscription: &Scope) -> Option<Failure> {
    let inherited = access.grants.iter().any(|grant| grant.scope.reaches(subscription));
    (!inherited).then(|| {
        let text = "Azure shows us no role assignment at the subscription or above, so inherited access cannot be seen";
        Failure::new(FailureClass::Denied, "Unwitnessed", text)
            .with_hint("give the operator `Reader` on the subscription; rights through Azure Lighthouse are not listed")
    })
}
