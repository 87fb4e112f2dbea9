//! Firewalls, subnets and where the app calls from, drawn.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::select};

use crate::{
    evaluate::fixtures::present,
    model::{
        Reading, Scope,
        network::{Firewall, NetworkSeen, Outbound, PrivateEndpoint, PublicAccess, Rules, Subnet, VirtualNetwork},
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
    prop_oneof![2 => Just(Rules::Open), 1 => Just(Rules::NotAsked), 1 => Just(Rules::Unknown), 1 => Just(Rules::Waits), 3 => closed]
}

pub fn firewall() -> impl Strategy<Value = Firewall> {
    let public = vec![PublicAccess::ByRules, PublicAccess::ByRules, PublicAccess::Off, PublicAccess::Elsewhere];
    let state = select(vec![None, None, None, Some("Deleting".to_owned())]);
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.7));
    (select(public), rules(), doors(), flags, state).prop_map(|(public, rules, doors, flags, out_of_service)| {
        let (keys_off, is_whole) = flags;
        Firewall { public, rules, private_endpoints: doors, keys_off, out_of_service, is_whole }
    })
}

const DOORS: [&str; 2] = ["pe-near", "pe-far"];
const ZONES: [&str; 3] =
    ["privatelink.blob.core.windows.net", "privatelink.vaultcore.azure.net", "privatelink.servicebus.windows.net"];

fn in_networks(kind: &str, name: &str) -> Scope {
    own(&format!("Microsoft.Network/{kind}/{name}"))
}

/// Approved private endpoints, one of which no document may name.
fn doors() -> impl Strategy<Value = BTreeSet<Option<Scope>>> {
    let door = |name: &str| Some(in_networks("privateEndpoints", name));
    let all = select(vec![None, door(DOORS[0]), door(DOORS[0]), door(DOORS[1])]);
    prop_oneof![2 => Just(BTreeSet::new()), 1 => prop::collection::btree_set(all, 1..3)]
}

/// What is seen of private endpoints, and of the names by which they are found.
fn ways() -> impl Strategy<Value = NetworkSeen> {
    let names = || select(vec!["vnet-apps", "vnet-apps", "vnet-hub", "vnet-far"]);
    let networks = || prop::collection::btree_set(names().prop_map(|name| in_networks("virtualNetworks", name)), 0..3);
    let servers = prop_oneof![4 => Just(Vec::new()), 1 => Just(vec!["10.0.0.4".to_owned()])];
    let network = (servers, networks()).prop_map(|(dns_servers, peers)| VirtualNetwork { dns_servers, peers });
    let parts = ["blob", "queue", "table", "vault", "namespace"].map(str::to_owned).to_vec();
    let parts = || prop::collection::btree_set(select(parts.clone()), 1..6);
    let door = || {
        (prop::option::weighted(0.9, names()), parts()).prop_map(|(name, parts)| {
            let network = name.map(|name| in_networks("virtualNetworks", name));
            PrivateEndpoint { network, parts }
        })
    };
    let zones = || {
        let all = ZONES.map(|name| in_networks("privateDnsZones", name)).to_vec();
        prop::collection::btree_set(select(all), 0..4)
    };
    let doors: Vec<_> = DOORS
        .iter()
        .map(|name| {
            let id = Just(in_networks("privateEndpoints", name));
            (id, prop::option::weighted(0.9, door()), prop::option::weighted(0.9, zones()))
        })
        .collect();
    let links = ZONES.iter().map(|name| (Just(in_networks("privateDnsZones", name)), networks())).collect::<Vec<_>>();
    (prop::option::weighted(0.9, network), doors, links).prop_map(|(network, doors, links)| NetworkSeen {
        networks: network.into_iter().map(|it| (in_networks("virtualNetworks", "vnet-apps"), present(it))).collect(),
        endpoints: doors.iter().filter_map(|(id, door, _)| Some((id.clone(), present(door.clone()?)))).collect(),
        zones: doors.into_iter().filter_map(|(id, _, zones)| Some((id, present(zones?)))).collect(),
        links: links.into_iter().map(|(zone, networks)| (zone, present(networks))).collect(),
        ..NetworkSeen::default()
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
    (firewalls.collect::<Vec<_>>(), outbound, inside, ways()).prop_map(|(firewalls, outbound, inside, ways)| {
        let firewalls = firewalls.into_iter().filter_map(|(resource, seen)| Some((resource, present(seen?))));
        let subnets: BTreeMap<Scope, Reading<Subnet>> =
            inside.into_iter().map(|seen| (subnet("snet-func"), present(seen))).collect();
        NetworkSeen { outbound, firewalls: firewalls.collect(), subnets, ..ways }
    })
}
