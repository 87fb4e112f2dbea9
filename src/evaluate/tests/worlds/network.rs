//! Firewalls, subnets and where the app calls from, drawn.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::select};

use crate::{
    evaluate::fixtures::present,
    model::{
        Reading, Scope,
        network::{Firewall, NetworkSeen, Outbound, PublicAccess, Rules, Subnet},
    },
    policy::fixtures::{host_account, kv, own},
};

fn subnet(name: &str) -> Scope {
    own(&format!("Microsoft.Network/virtualNetworks/vnet-apps/subnets/{name}"))
}

/// The resources with a firewall that the app may call.
pub fn resources() -> Vec<Scope> {
    let hub = own("Microsoft.EventHub/namespaces/eh-clicks");
    vec![own("Microsoft.ServiceBus/namespaces/sb-orders"), host_account(), hub, kv()]
}

fn rules() -> impl Strategy<Value = Rules> {
    let inside = || Just(subnet("snet-func"));
    let other = || Just(subnet("snet-other"));
    let subnets = prop::collection::btree_set(prop_oneof![inside(), other()], 0..3);
    let closed = (subnets, prop::bool::weighted(0.2)).prop_map(|(subnets, others)| Rules::Closed { subnets, others });
    prop_oneof![2 => Just(Rules::Open), 1 => Just(Rules::NotAsked), 1 => Just(Rules::Unknown), 3 => closed]
}

pub fn firewall() -> impl Strategy<Value = Firewall> {
    let public = vec![PublicAccess::ByRules, PublicAccess::ByRules, PublicAccess::Off, PublicAccess::Elsewhere];
    let state = select(vec![None, None, None, Some("Deleting".to_owned())]);
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.3), prop::bool::weighted(0.7));
    (select(public), rules(), flags, state).prop_map(|(public, rules, flags, out_of_service)| {
        let (is_private, keys_off, is_whole) = flags;
        let endpoint = own("Microsoft.Network/privateEndpoints/pe-apps");
        let private_endpoints = is_private.then_some(Some(endpoint)).into_iter().collect();
        Firewall { public, rules, private_endpoints, keys_off, out_of_service, is_whole }
    })
}

pub fn outbound() -> impl Strategy<Value = Outbound> {
    let inside = Outbound::Subnet(subnet("snet-func"));
    select(vec![Outbound::Shared, inside.clone(), inside, Outbound::Elsewhere])
}

fn endpoints() -> impl Strategy<Value = Subnet> {
    let names = ["microsoft.storage.global", "microsoft.servicebus", "microsoft.eventhub", "microsoft.keyvault"];
    let names = names.map(str::to_owned).to_vec();
    prop::collection::btree_set(select(names), 0..4).prop_map(|endpoints| Subnet { endpoints })
}

/// What is seen of the network of an app that calls from there.
pub fn network(outbound: Outbound) -> impl Strategy<Value = NetworkSeen> {
    let firewalls = resources().into_iter().map(|resource| (Just(resource), prop::option::weighted(0.8, firewall())));
    let outbound = prop::option::weighted(0.8, Just(present(outbound)));
    let inside = prop::option::weighted(0.8, endpoints());
    (firewalls.collect::<Vec<_>>(), outbound, inside).prop_map(|(firewalls, outbound, inside)| {
        let firewalls = firewalls.into_iter().filter_map(|(resource, seen)| Some((resource, present(seen?))));
        let subnets: BTreeMap<Scope, Reading<Subnet>> =
            inside.into_iter().map(|seen| (subnet("snet-func"), present(seen))).collect();
        NetworkSeen { outbound, firewalls: firewalls.collect(), subnets, ..NetworkSeen::default() }
    })
}
