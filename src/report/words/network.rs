//! Sentences about firewalls, and about what leaves open whether they let the app in.

use super::short;
use crate::{
    catalog::services::of_type,
    evaluate::{Barrier, Doubt, PrivateDoubt, Unseen},
    model::{NetworkQuestion, Scope},
};

/// That a resource serves nobody.
pub(super) fn not_ready(resource: &Scope, state: &str) -> String {
    format!("`{}` is in the state `{state}` and serves nobody", resource.name())
}

/// Why the app does not get in.
pub(super) fn blocked(resource: &Scope, by: &Barrier) -> String {
    let resource = resource.name();
    match by {
        Barrier::NoWayIn => {
            format!(
                "`{resource}` has public network access off and no approved private endpoint: the app cannot reach it"
            )
        }
        Barrier::PrivateOnly => format!(
            "`{resource}` has public network access off, and the app, which is in no virtual network, reaches no private \
             endpoint"
        ),
        Barrier::AppOutside => {
            format!(
                "the firewall of `{resource}` refuses what it does not list, and the app is in no virtual network to list"
            )
        }
        Barrier::OtherSubnets(own) => {
            format!("the firewall of `{resource}` does not let in the app's subnet {}", short(own))
        }
        Barrier::NoServiceEndpoint(own) => format!(
            "the firewall of `{resource}` lets in the app's subnet {}, which has no service endpoint for it, so that its \
             calls are not known to come from there",
            short(own)
        ),
    }
}

/// What would let the app in. Networks are never written, so it is for a person.
pub(in crate::report) fn way_in(id: &Scope, by: &Barrier) -> String {
    let resource = id.name();
    match by {
        Barrier::NoWayIn => {
            format!("give `{resource}` a private endpoint in the app's network, or switch its public network access on")
        }
        Barrier::PrivateOnly => {
            format!("integrate the app with a virtual network that reaches a private endpoint of `{resource}`")
        }
        Barrier::AppOutside => {
            format!("integrate the app with a virtual network, and list its subnet in the firewall of `{resource}`")
        }
        Barrier::OtherSubnets(own) => format!("list the app's subnet {} in the firewall of `{resource}`", short(own)),
        Barrier::NoServiceEndpoint(own) => {
            let endpoint =
                of_type(&id.resource_type().unwrap_or_default()).and_then(|service| service.endpoint.as_deref());
            let endpoint = endpoint.map(|name| format!(" `{name}`")).unwrap_or_default();
            format!("give the app's subnet {} the service endpoint{endpoint} for `{resource}`", short(own))
        }
    }
}

/// Why it is not known whether the app gets in; none when there is nothing to look at for a person.
pub(in crate::report) fn doubt(resource: &Scope, doubt: &Doubt) -> Option<String> {
    let because = match doubt {
        Doubt::NotRead | Doubt::Waits => return None,
        Doubt::PrivateEndpoint => {
            "whether the app's network finds its private endpoint is a matter of names and routes".to_owned()
        }
        Doubt::Private(doubt) => private(resource, doubt),
        Doubt::Addresses => "its firewall lets in some addresses, and the app's are not compared".to_owned(),
        Doubt::Perimeter => "a network security perimeter decides".to_owned(),
        Doubt::AnotherNetwork => "it is called from a network that is not looked at".to_owned(),
        Doubt::Subnet(own) => format!("the service endpoints of the app's subnet {} are not known", short(own)),
    };
    Some(because)
}

/// Why it is not known whether the app finds a private endpoint.
pub(in crate::report) fn private(resource: &Scope, doubt: &PrivateDoubt) -> String {
    match doubt {
        PrivateDoubt::Resolvers { own, servers } => format!(
            "the app's network `{}` resolves names by {}, and what they answer for its private endpoint is not seen",
            own.name(),
            listed(servers)
        ),
        PrivateDoubt::NotLinked { zone, networks, own } => format!(
            "its endpoint's zone `{}` is linked to {}, not to the app's network `{}`; `nslookup {}.{}` in the app has to give a \
             private address (on Windows `nameresolver`)",
            zone.name(),
            if networks.is_empty() { "no network".to_owned() } else { listed(networks.iter().map(Scope::name)) },
            own.name(),
            resource.name(),
            zone.name()
        ),
        PrivateDoubt::NoZone(endpoint) => {
            format!("its private endpoint `{}` is in no zone that Azure keeps up to date", endpoint.name())
        }
        PrivateDoubt::Shared { zone, endpoint } => format!(
            "its private endpoint `{}`, which was not found to be in reach, has its name in `{}`, too",
            endpoint.name(),
            zone.name()
        ),
        PrivateDoubt::Unseen(question, why) => unseen(question, *why),
        PrivateDoubt::LeftOut(endpoints) => {
            format!("of its private endpoints {} were not looked at", listed(endpoints.iter().map(Scope::name)))
        }
        PrivateDoubt::Apart { endpoint, network } => {
            let network =
                network.as_ref().map_or("another network".to_owned(), |network| format!("`{}`", network.name()));
            format!(
                "its private endpoint `{}` is in {network}, with which the app's network has no connected peering, and other \
                 ways are not seen",
                endpoint.name()
            )
        }
        PrivateDoubt::NoEndpoint(part) => format!("no private endpoint for its `{part}` was found"),
    }
}

fn unseen(question: &NetworkQuestion, why: Unseen) -> String {
    let (what, right) = match question {
        NetworkQuestion::Network(id) => {
            (format!("the app's network `{}`", id.name()), "Microsoft.Network/virtualNetworks/read")
        }
        NetworkQuestion::Zones(id) => (
            format!("the zones of its private endpoint `{}`", id.name()),
            "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read",
        ),
        NetworkQuestion::Links(id) => (
            format!("what the zone `{}` is linked to", id.name()),
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
        ),
        NetworkQuestion::Endpoint(id)
        | NetworkQuestion::Listed(id)
        | NetworkQuestion::Rules(id)
        | NetworkQuestion::Subnet(id)
        | NetworkQuestion::Confirm(id) => {
            (format!("its private endpoint `{}`", id.name()), "Microsoft.Network/privateEndpoints/read")
        }
    };
    let at = question.about().resource_group();
    let at = at.map_or_else(String::new, |group| format!(" in `{}`", group.name()));
    match why {
        Unseen::Outside => format!("{what}{at} was not read: the boundary does not reach it"),
        Unseen::Denied => format!("{what} was not read: `{right}`{at} is missing"),
        Unseen::Gone => format!("{what}{at} is not there any more"),
        Unseen::Failed => format!("{what}{at} could not be read"),
        Unseen::NotYet | Unseen::Waits => format!("{what}{at} was not read yet"),
    }
}

/// Several names or addresses in a sentence.
fn listed<T: AsRef<str>>(all: impl IntoIterator<Item = T>) -> String {
    /// A zone of a hub is linked to hundreds of networks.
    const SHOWN: usize = 3;
    let all: Vec<_> = all.into_iter().collect();
    let more = all.len().saturating_sub(SHOWN);
    let shown: Vec<_> = all.iter().take(SHOWN).map(|one| format!("`{}`", one.as_ref())).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
