//! Private endpoints: each fact that can be the wrong one, and that what was not seen is never taken for absent.

use std::collections::{BTreeMap, BTreeSet};

use super::{host_account, integration, open, reach, world};
use crate::{
    evaluate::{
        Doubt, Hypothesis, PrivateDoubt, Reach, Standing, Unseen, Verdict,
        fixtures::{World, failure, present},
        network_questions,
    },
    model::{
        AWAITS_TURN, FailureClass, NetworkQuestion, Reading, Scope,
        network::{Firewall, NetworkSeen, Outbound, PrivateEndpoint, PublicAccess, VirtualNetwork},
    },
    policy::{
        Policy,
        fixtures::{self, own},
    },
};

/// The host keeps blobs there, and its triggers' work queue.
fn policy() -> Policy {
    fixtures::policy(|spec| {
        spec.bindings.clear();
        fixtures::trigger(spec, "files", "blobTrigger", "host", "containers/in", "system");
    })
}

pub(super) fn endpoint(name: &str) -> Scope {
    own(&format!("Microsoft.Network/privateEndpoints/{name}"))
}

fn network(name: &str) -> Scope {
    own(&format!("Microsoft.Network/virtualNetworks/{name}"))
}

fn zone(part: &str) -> Scope {
    own(&format!("Microsoft.Network/privateDnsZones/privatelink.{part}.core.windows.net"))
}

fn in_network(name: &str, part: &str) -> Reading<PrivateEndpoint> {
    present(PrivateEndpoint { network: Some(network(name)), parts: [part.to_owned()].into() })
}

/// An account without public access, whose endpoints the app's network reaches and resolves.
fn right(policy: &Policy) -> World {
    let named = ["pe-blob", "pe-queue"].map(|name| Some(endpoint(name))).into();
    let firewall = Firewall { public: PublicAccess::Off, private_endpoints: named, ..open() };
    let mut world = world(policy, firewall, Outbound::Subnet(integration()));
    let seen = &mut world.observed.network;
    let peers = [network("vnet-hub")].into();
    seen.networks.insert(network("vnet-apps"), present(VirtualNetwork { dns_servers: Vec::new(), peers }));
    for (part, place) in [("blob", "vnet-apps"), ("queue", "vnet-hub")] {
        let id = endpoint(&format!("pe-{part}"));
        seen.endpoints.insert(id.clone(), in_network(place, part));
        seen.zones.insert(id, present([zone(part)].into()));
        seen.links.insert(zone(part), present([network("vnet-apps"), network("vnet-hub")].into()));
    }
    world
}

fn doubt(change: impl FnOnce(&mut NetworkSeen)) -> PrivateDoubt {
    let policy = policy();
    let mut world = right(&policy);
    change(&mut world.observed.network);
    let evaluation = world.evaluate(&policy);
    assert_eq!((evaluation.findings.len(), evaluation.standing()), (0, Standing::Compliant), "a doubt is no finding");
    let h6 = evaluation.decision.hypotheses.iter().find(|one| one.hypothesis == Hypothesis::H6).expect("all six");
    assert_eq!(h6.verdict, Verdict::Open);
    let Reach::Undecided(Doubt::Private(doubt)) = reach(&evaluation) else { panic!("{:?}", evaluation.reached) };
    doubt.clone()
}

#[test]
fn endpoints_that_the_apps_network_reaches_and_resolves_are_a_way_in() {
    let policy = policy();
    let world = right(&policy);
    let evaluation = world.evaluate(&policy);
    assert_eq!(*reach(&evaluation), Reach::Private(["pe-blob", "pe-queue"].map(endpoint).into()));
    assert_eq!(network_questions(&policy, &world.observed), BTreeSet::new(), "all is known");
}

#[test]
fn each_fact_that_is_wrong_leaves_it_open_and_is_named() {
    let apps = || network("vnet-apps");
    let servers = vec!["10.9.0.4".to_owned()];
    let custom = VirtualNetwork { dns_servers: servers.clone(), peers: BTreeSet::new() };
    let own = apps();
    assert_eq!(
        doubt(|seen| _ = seen.networks.insert(apps(), present(custom))),
        PrivateDoubt::Resolvers { own: own.clone(), servers }
    );
    let networks: BTreeSet<_> = [network("vnet-hub")].into();
    assert_eq!(
        doubt(|seen| _ = seen.links.insert(zone("blob"), present(networks.clone()))),
        PrivateDoubt::NotLinked { zone: zone("blob"), networks, own }
    );
    assert_eq!(
        doubt(|seen| _ = seen.networks.insert(apps(), present(VirtualNetwork::default()))),
        PrivateDoubt::Apart { endpoint: endpoint("pe-queue"), network: Some(network("vnet-hub")) }
    );
    for none in [BTreeSet::new(), [fixtures::own("Microsoft.Network/privateDnsZones/corp.example")].into()] {
        assert_eq!(
            doubt(|seen| _ = seen.zones.insert(endpoint("pe-blob"), present(none))),
            PrivateDoubt::NoZone(endpoint("pe-blob"))
        );
    }
    assert_eq!(
        doubt(|seen| _ = seen.endpoints.insert(endpoint("pe-queue"), in_network("vnet-hub", "file"))),
        PrivateDoubt::NoEndpoint("queue")
    );
}

#[test]
fn a_zone_has_one_address_for_a_name_so_another_endpoint_out_of_reach_may_have_it() {
    let policy = policy();
    let mut world = right(&policy);
    let far = endpoint("pe-far");
    let account = world.observed.network.firewalls.get_mut(&host_account()).expect("it was seen");
    let Reading::Present { value: firewall, .. } = account else { panic!("it was seen") };
    firewall.private_endpoints.insert(Some(far.clone()));
    world.observed.network.endpoints.insert(far.clone(), in_network("vnet-far", "blob"));
    for (zones, expected) in [
        ([zone("blob")], Some(PrivateDoubt::Shared { zone: zone("blob"), endpoint: far.clone() })),
        ([own("Microsoft.Network/privateDnsZones/far/x/privatelink.blob.core.windows.net")], None),
    ] {
        world.observed.network.zones.insert(far.clone(), present(zones.into()));
        let evaluation = world.evaluate(&policy);
        let found = match reach(&evaluation) {
            Reach::Undecided(Doubt::Private(doubt)) => Some(doubt.clone()),
            _ => None,
        };
        assert_eq!(found, expected);
    }
    // Of somebody else, whose documents nobody here may read: it is no reason to doubt what was seen.
    world.observed.network.endpoints.insert(far, refused());
    assert!(matches!(reach(&world.evaluate(&policy)), Reach::Private(_)));
}

fn refused<T>() -> Reading<T> {
    Reading::Unreadable(failure(FailureClass::Denied, "AuthorizationFailed"))
}

#[test]
fn what_was_not_read_is_told_with_what_it_was() {
    use NetworkQuestion::{Endpoint, Links, Network, Zones};
    let apps = network("vnet-apps");
    let (blob, links) = (endpoint("pe-blob"), zone("blob"));
    let unseen = |question| PrivateDoubt::Unseen(question, Unseen::Denied);
    assert_eq!(doubt(|seen| _ = seen.networks.insert(apps.clone(), refused())), unseen(Network(apps.clone())));
    assert_eq!(doubt(|seen| _ = seen.endpoints.insert(blob.clone(), refused())), unseen(Endpoint(blob.clone())));
    assert_eq!(doubt(|seen| _ = seen.zones.insert(blob.clone(), refused())), unseen(Zones(blob.clone())));
    assert_eq!(doubt(|seen| _ = seen.links.insert(links.clone(), refused())), unseen(Links(links.clone())));
    let gone = Reading::Absent { at: crate::evaluate::fixtures::now() };
    assert_eq!(
        doubt(|seen| _ = seen.links.insert(links.clone(), gone)),
        PrivateDoubt::Unseen(Links(links), Unseen::Gone)
    );
    let late = Reading::Unreadable(failure(FailureClass::Throttled, AWAITS_TURN));
    assert_eq!(
        doubt(|seen| _ = seen.endpoints.insert(blob.clone(), late)),
        PrivateDoubt::Unseen(Endpoint(blob), Unseen::Waits)
    );
}

#[test]
fn it_is_asked_step_by_step_and_a_network_with_servers_of_its_own_ends_it() {
    use NetworkQuestion::{Endpoint, Links, Network, Zones};
    let policy = policy();
    let all = right(&policy).observed.network;
    let mut world = right(&policy);
    let seen = &mut world.observed.network;
    (seen.networks, seen.endpoints) = (BTreeMap::new(), BTreeMap::new());
    (seen.zones, seen.links) = (BTreeMap::new(), BTreeMap::new());
    let asked = |world: &World| network_questions(&policy, &world.observed);
    assert_eq!(asked(&world), [Network(network("vnet-apps"))].into());
    world.observed.network.networks = all.networks;
    assert_eq!(asked(&world), ["pe-blob", "pe-queue"].map(|name| Endpoint(endpoint(name))).into());
    world.observed.network.endpoints = all.endpoints;
    assert_eq!(asked(&world), ["pe-blob", "pe-queue"].map(|name| Zones(endpoint(name))).into());
    world.observed.network.zones = all.zones;
    assert_eq!(asked(&world), ["blob", "queue"].map(|part| Links(zone(part))).into());
    let custom = VirtualNetwork { dns_servers: vec!["10.9.0.4".to_owned()], peers: BTreeSet::new() };
    world.observed.network.networks.insert(network("vnet-apps"), present(custom));
    assert_eq!(asked(&world), BTreeSet::new());
}

#[test]
fn of_many_endpoints_the_nearest_are_looked_at_and_the_others_named() {
    let policy = policy();
    let elsewhere = |number: usize| {
        Scope::lenient(&format!(
            "/subscriptions/0000/resourceGroups/managed/providers/Microsoft.Network/privateEndpoints/{number}"
        ))
    };
    let named: BTreeSet<_> = (0..6).map(elsewhere).chain([endpoint("pe-blob")]).map(Some).collect();
    let firewall = Firewall { public: PublicAccess::Off, private_endpoints: named, ..open() };
    let mut world = world(&policy, firewall, Outbound::Subnet(integration()));
    world.observed.network.networks.insert(network("vnet-apps"), present(VirtualNetwork::default()));
    let asked = network_questions(&policy, &world.observed);
    assert_eq!(asked.len(), 5);
    assert!(asked.contains(&NetworkQuestion::Endpoint(endpoint("pe-blob"))));
    for question in asked {
        world.observed.network.endpoints.insert(question.about().clone(), in_network("vnet-far", "file"));
    }
    let left_out = PrivateDoubt::LeftOut([4, 5].map(elsewhere).into());
    assert_eq!(*reach(&world.evaluate(&policy)), Reach::Undecided(Doubt::Private(left_out)));
}
