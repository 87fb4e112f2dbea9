//! Looks at Azure for the policies: one survey per subscription, shared and aged, and what one policy needs of it.
//! Decides nothing.

mod shared;
mod survey;

use std::collections::{BTreeMap, BTreeSet};

pub use survey::{Survey, Surveys};

use crate::{
    api::SystemIdentity,
    azure::Azure,
    clock::Clock,
    model::{Failure, FailureClass, Observed, PermissionSet, PrincipalId, Reading, Scope, Site, SubscriptionAccess},
    policy::Policy,
};

/// What one policy can see of the surveys, with a targeted read for everything that they do not hold.
pub async fn observe(azure: &Azure, surveys: &Surveys, clock: Clock, policy: &Policy) -> Observed {
    let mut by_subscription = BTreeMap::new();
    for subscription in policy.subscriptions() {
        by_subscription.insert(subscription.to_owned(), surveys.of(azure, subscription, Some(&policy.target)).await);
    }
    let survey = |scope: &Scope| scope.subscription().and_then(|subscription| by_subscription.get(subscription));

    let listed = survey(&policy.target).and_then(|survey| find(&survey.sites, &policy.target));
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
        .map(|requirement| &requirement.scope)
        .chain(policy.vaults.iter().map(|vault| &vault.vault))
        .collect();
    for scope in access_scopes {
        let Some(survey) = survey(scope) else { continue };
        if let Some(failure) = surveys.lacks_witness(azure, scope, survey).await {
            unwitnessed.insert(scope.clone(), failure);
        }
    }
    let access = by_subscription.iter().map(|(id, survey)| (id.clone(), survey.access.clone())).collect();
    Observed { target, user, vaults, access, unwitnessed, through_groups: BTreeMap::new() }
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
        let known = observed.through_groups.entry(*principal).or_insert_with(|| answer.clone());
        // A principal with needs in several subscriptions has a list in each.
        match (known, answer) {
            (Reading::Present { value, .. }, Reading::Present { value: more, .. }) => value.extend(more),
            (known @ Reading::Present { .. }, unreadable @ Reading::Unreadable(_)) => *known = unreadable,
            _ => {}
        }
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
fn missing_witness(own: &[PermissionSet]) -> Option<&'static str> {
    WITNESSES.into_iter().find(|action| !own.iter().any(|entry| entry.allows(action)))
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
