//! Sentences about firewalls, and about what leaves open whether they let the app in.

use super::short;
use crate::{
    catalog::services::of_type,
    evaluate::{Barrier, Doubt},
    model::Scope,
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
pub(in crate::report) fn doubt(doubt: &Doubt) -> Option<String> {
    let because = match doubt {
        Doubt::NotRead => return None,
        Doubt::PrivateEndpoint => {
            "whether the app's network finds its private endpoint is a matter of names and routes".to_owned()
        }
        Doubt::Addresses => "its firewall lets in some addresses, and the app's are not compared".to_owned(),
        Doubt::Perimeter => "a network security perimeter decides".to_owned(),
        Doubt::AnotherNetwork => "it is called from a network that is not looked at".to_owned(),
        Doubt::Subnet(own) => format!("the service endpoints of the app's subnet {} are not known", short(own)),
    };
    Some(because)
}
