//! Whether the app can reach what it uses: each firewall against the network that the app calls from.
//!
//! `Blocked` is said only of what is certain; the address that a call comes from and routes are not looked at, and where one of
//! them decides nothing is said (`docs/network.md`).

mod private;

use std::collections::{BTreeMap, BTreeSet};

pub use private::{PrivateDoubt, Unseen};

use super::{Access, Evaluated, Finding};
use crate::{
    api::NetworkCheck,
    catalog::services::{self, Service},
    model::{
        NetworkQuestion, Observed, Reading, Scope, Site,
        network::{Firewall, NetworkSeen, Outbound, PublicAccess, Rules},
    },
    policy::{Origin, Policy},
};

/// A resource that the app calls, and whether its firewall lets the app in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// What in the policy uses it.
    pub origins: Vec<Origin>,
    /// The resource.
    pub resource: Scope,
    /// The answer.
    pub reach: Reach,
}

/// Whether a firewall lets the app in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It does, as far as firewalls go.
    Open,
    /// It does not have to: the app finds these private endpoints, as far as documents tell.
    Private(BTreeSet<Scope>),
    /// It certainly does not.
    Blocked(Barrier),
    /// Cannot be told.
    Undecided(Doubt),
}

/// Why an app does not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Public access is off, and no private endpoint is approved.
    NoWayIn,
    /// Public access is off; there are private endpoints, and the app is in no network.
    PrivateOnly,
    /// Only some networks are let in, and the app is in none.
    AppOutside,
    /// Only some subnets are let in, and the app's is another.
    OtherSubnets(Scope),
    /// The app's subnet is let in, and has no service endpoint by which its calls would be known.
    NoServiceEndpoint(Scope),
}

/// What leaves it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Something was not read, or could not be.
    NotRead,
    /// The rules wait for their turn to be read.
    Waits,
    /// There are private endpoints, and the app calls from a network that is not looked at, or no document names them.
    PrivateEndpoint,
    /// There are private endpoints, and this leaves it open whether the app's network finds one.
    Private(PrivateDoubt),
    /// Some addresses are let in, and which the app calls from is not compared.
    Addresses,
    /// A perimeter decides, or a setting that is not known here.
    Perimeter,
    /// The app calls from a network that is not looked at.
    AnotherNetwork,
    /// The app's subnet is let in, and whether it has the service endpoint could not be read.
    Subnet(Scope),
}

impl Reach {
    /// Whether it is open for no other reason than that something waits for its turn to be read.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self, Self::Undecided(Doubt::Waits | Doubt::Private(PrivateDoubt::Unseen(_, Unseen::Waits))))
    }
}

/// What would have to be asked to say more.
#[must_use]
pub fn network_questions(policy: &Policy, observed: &Observed) -> BTreeSet<NetworkQuestion> {
    let Some(site) = observed.target.present() else { return BTreeSet::new() };
    let answers = used(policy).into_iter().flat_map(|(resource, used)| {
        let (_, questions) = answer(&resource, &used, site, &observed.network);
        questions
    });
    answers.collect()
}

/// The answer for everything that the app calls; what is certainly wrong goes to `findings`.
pub(super) fn compare(
    policy: &Policy,
    observed: &Observed,
    site: Option<&Site>,
    requirements: &[Evaluated],
    findings: &mut Vec<Finding>,
) -> Vec<Reached> {
    let Some(site) = site else { return Vec::new() };
    let gone = |resource: &Scope| {
        let mut without = requirements.iter().filter(|one| one.access == Access::NoResource);
        without.any(|one| resource.reaches(&one.scope))
    };
    let mut all = Vec::new();
    for (resource, used) in used(policy).into_iter().filter(|(resource, _)| !gone(resource)) {
        let origins = &used.origins;
        if let Some(Reading::Present { value: Firewall { out_of_service: Some(state), is_whole: true, .. }, .. }) =
            observed.network.firewalls.get(&resource)
        {
            let (origins, resource, state) = (origins.clone(), resource.clone(), state.clone());
            findings.push(Finding::ResourceNotReady { origins, resource, state });
        }
        if let (true, Some(Reading::Present { value: Firewall { keys_off: true, is_whole: true, .. }, .. })) =
            (used.by_key, observed.network.firewalls.get(&resource))
        {
            findings.push(Finding::KeysRefused { origin: HOST_STORAGE, resource: resource.clone() });
        }
        let (reach, _) = answer(&resource, &used, site, &observed.network);
        if let Reach::Blocked(by) = &reach {
            let (origins, resource, by) = (origins.clone(), resource.clone(), by.clone());
            findings.push(Finding::NetworkBlocked { origins, resource, by });
        }
        all.push(Reached { origins: used.origins, resource, reach });
    }
    all
}

const HOST_STORAGE: Origin = Origin::Platform("hostStorage");

/// Whether the policy names anything that the app calls and whose firewall is compared.
pub(super) fn calls_something(policy: &Policy) -> bool {
    !used(policy).is_empty()
}

struct Used {
    service: &'static Service,
    /// What a subnet's endpoint for the service is called.
    endpoint: &'static str,
    /// The parts of the resource that the app uses, as private endpoints call them.
    parts: BTreeSet<&'static str>,
    /// A key of it is used.
    by_key: bool,
    origins: Vec<Origin>,
}

/// What the app itself calls, of the services whose firewalls are compared. A declared grant does not say that it calls
/// anything there, and what the platform does for the app may come from elsewhere.
fn used(policy: &Policy) -> BTreeMap<Scope, Used> {
    let mut used: BTreeMap<Scope, Used> = BTreeMap::new();
    if policy.network == NetworkCheck::Ignore {
        return used;
    }
    let is_the_apps = |origin: &&Origin| match origin {
        Origin::Binding(_) => true,
        Origin::Platform(field) => *field == "hostStorage",
        Origin::Identities(_) | Origin::Grant(_) | Origin::Vault(_) => false,
    };
    let by_requirements = policy.requirements.iter().flat_map(|requirement| {
        requirement
            .origins
            .iter()
            .filter(is_the_apps)
            .map(|origin| (&requirement.scope, origin, Some(&requirement.wanted)))
    });
    let by_vaults = policy.vaults.iter().map(|vault| (&vault.vault, &vault.origin, None));
    let by_key = policy.host_by_key.iter().map(|account| (account, &HOST_STORAGE, None));
    for (scope, origin, wanted) in by_requirements.chain(by_vaults).chain(by_key) {
        let Some((resource, _)) = services::resource_of(scope) else { continue };
        let Some(service) = resource.resource_type().and_then(|kind| services::of_type(&kind)) else { continue };
        let Some(endpoint) = service.endpoint.as_deref() else { continue };
        let by_key = policy.host_by_key.as_ref() == Some(&resource);
        let parts = BTreeSet::new();
        let known = used.entry(resource).or_insert(Used { service, endpoint, parts, by_key, origins: Vec::new() });
        known.parts.extend(private::parts(service, scope, wanted));
        if !known.origins.contains(origin) {
            known.origins.push(origin.clone());
        }
    }
    used
}

/// The answer for one resource, and what to ask next.
fn answer(resource: &Scope, used: &Used, site: &Site, seen: &NetworkSeen) -> (Reach, BTreeSet<NetworkQuestion>) {
    let one = |question: NetworkQuestion| BTreeSet::from([question]);
    let unread = Reach::Undecided(Doubt::NotRead);
    let firewall = match seen.firewalls.get(resource) {
        None => return (unread, one(NetworkQuestion::Listed(resource.clone()))),
        Some(Reading::Present { value, .. }) => value,
        // One that does not exist has its own finding.
        Some(Reading::Absent { .. } | Reading::Unreadable(_)) => return (unread, BTreeSet::new()),
    };
    let (outbound, is_certain) = match &seen.outbound {
        None => (&site.outbound, false),
        Some(Reading::Present { value, .. }) => (value, firewall.is_whole),
        Some(Reading::Absent { .. } | Reading::Unreadable(_)) => return (unread, BTreeSet::new()),
    };
    let reach = reach(firewall, outbound, used.endpoint, seen);
    let keys_refused = used.by_key && firewall.keys_off;
    let would_tell = matches!(reach, Reach::Blocked(_)) || firewall.out_of_service.is_some() || keys_refused;
    if would_tell && !is_certain {
        return (unread, one(NetworkQuestion::Confirm(resource.clone())));
    }
    match (&reach, outbound) {
        (Reach::Undecided(Doubt::NotRead), _) if firewall.rules == Rules::NotAsked => {
            (reach, one(NetworkQuestion::Rules(resource.clone())))
        }
        (Reach::Undecided(Doubt::Subnet(subnet)), _) if !seen.subnets.contains_key(subnet) => {
            let question = NetworkQuestion::Subnet(subnet.clone());
            (reach, one(question))
        }
        (Reach::Undecided(Doubt::PrivateEndpoint), Outbound::Subnet(own)) => private::reach(used, firewall, own, seen),
        (Reach::Open | Reach::Private(_) | Reach::Blocked(_) | Reach::Undecided(_), _) => (reach, BTreeSet::new()),
    }
}

fn reach(firewall: &Firewall, outbound: &Outbound, endpoint: &str, seen: &NetworkSeen) -> Reach {
    let Firewall { public, rules, private_endpoints, keys_off: _, out_of_service: _, is_whole: _ } = firewall;
    let has_private_endpoint = !private_endpoints.is_empty();
    match public {
        PublicAccess::Elsewhere => return Reach::Undecided(Doubt::Perimeter),
        PublicAccess::Off => {
            return match (has_private_endpoint, outbound) {
                (false, _) => Reach::Blocked(Barrier::NoWayIn),
                (true, Outbound::Shared) => Reach::Blocked(Barrier::PrivateOnly),
                (true, Outbound::Subnet(_) | Outbound::Elsewhere) => Reach::Undecided(Doubt::PrivateEndpoint),
            };
        }
        PublicAccess::ByRules => {}
    }
    let (subnets, others) = match rules {
        Rules::NotAsked | Rules::Unknown => return Reach::Undecided(Doubt::NotRead),
        Rules::Waits => return Reach::Undecided(Doubt::Waits),
        Rules::Open => return Reach::Open,
        Rules::Closed { subnets, others } => (subnets, *others),
    };
    let barrier = match outbound {
        Outbound::Elsewhere => return Reach::Undecided(Doubt::AnotherNetwork),
        Outbound::Shared if others => return Reach::Undecided(Doubt::Addresses),
        // It reaches no private endpoint, so whether there are any does not matter.
        Outbound::Shared => return Reach::Blocked(Barrier::AppOutside),
        Outbound::Subnet(own) if subnets.contains(own) => match seen.subnets.get(own) {
            Some(Reading::Present { value, .. }) if has_endpoint(&value.endpoints, endpoint) => return Reach::Open,
            Some(Reading::Present { .. }) => Barrier::NoServiceEndpoint(own.clone()),
            Some(Reading::Absent { .. } | Reading::Unreadable(_)) | None => {
                return Reach::Undecided(Doubt::Subnet(own.clone()));
            }
        },
        Outbound::Subnet(own) => Barrier::OtherSubnets(own.clone()),
    };
    if others {
        Reach::Undecided(Doubt::Addresses)
    } else if has_private_endpoint {
        Reach::Undecided(Doubt::PrivateEndpoint)
    } else {
        Reach::Blocked(barrier)
    }
}

/// `Microsoft.Storage.Global` serves what `Microsoft.Storage` does, for accounts of other regions as well.
fn has_endpoint(endpoints: &BTreeSet<String>, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    endpoints.contains(&name) || endpoints.contains(&format!("{name}.global"))
}

#[cfg(test)]
mod tests;
