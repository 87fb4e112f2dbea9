//! Each rule with what leads to it, and that ignorance never blocks.

mod private;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Barrier, Doubt, Reach, network_questions};
use crate::{
    api::NetworkCheck,
    evaluate::{
        Evaluation, Finding, Hypothesis, Standing,
        fixtures::{World, failure, present},
    },
    model::{
        FailureClass, NetworkQuestion, Reading, Scope,
        network::{Firewall, Outbound, PublicAccess, Rules, Subnet},
    },
    policy::{
        Policy,
        fixtures::{self, declare, host_account, kv, own, trigger, vault},
    },
};

/// A policy whose app calls one account.
fn policy() -> Policy {
    fixtures::policy(|spec| spec.bindings.clear())
}

fn integration() -> Scope {
    own("Microsoft.Network/virtualNetworks/vnet-apps/subnets/snet-func")
}

fn other() -> Scope {
    own("Microsoft.Network/virtualNetworks/vnet-apps/subnets/snet-other")
}

fn open() -> Firewall {
    Firewall {
        public: PublicAccess::ByRules,
        rules: Rules::Open,
        private_endpoints: [].into(),
        keys_off: false,
        out_of_service: None,
        is_whole: true,
    }
}

fn closed(subnets: &[Scope], others: bool) -> Rules {
    Rules::Closed { subnets: subnets.iter().cloned().collect(), others }
}

/// A private endpoint that the document does not name, if any.
fn unnamed(is_there: bool) -> BTreeSet<Option<Scope>> {
    is_there.then_some(None).into_iter().collect()
}

fn subnet(endpoints: &[&str]) -> Subnet {
    Subnet { endpoints: endpoints.iter().map(|&name| name.to_owned()).collect() }
}

/// A world in order, with that firewall before the account and an app that calls from there.
fn world(policy: &Policy, firewall: Firewall, outbound: Outbound) -> World {
    let mut world = World::matching(policy);
    world.site().outbound = outbound.clone();
    let seen = &mut world.observed.network;
    seen.outbound = Some(present(outbound));
    seen.firewalls.insert(host_account(), present(firewall));
    world
}

fn reach(evaluation: &Evaluation) -> &Reach {
    let [one] = &evaluation.reached[..] else { panic!("{:?}", evaluation.reached) };
    &one.reach
}

#[test]
fn each_firewall_has_its_answer_for_each_way_of_calling() {
    use Outbound::{Elsewhere, Shared};
    use Reach::{Blocked, Open, Undecided};
    let inside = || Outbound::Subnet(integration());
    let with = |public, rules, private: bool| Firewall { public, rules, private_endpoints: unnamed(private), ..open() };
    let rules = |rules, private| with(PublicAccess::ByRules, rules, private);
    let off = |private| with(PublicAccess::Off, Rules::Open, private);
    let listed = || closed(&[other(), integration()], false);
    let cases = [
        ("everybody is let in", open(), Shared, Open),
        ("off, without an endpoint", off(false), Shared, Blocked(Barrier::NoWayIn)),
        ("off, without an endpoint, for a subnet", off(false), inside(), Blocked(Barrier::NoWayIn)),
        ("off, with one, for an app outside", off(true), Shared, Blocked(Barrier::PrivateOnly)),
        ("off, with one, for a subnet", off(true), inside(), Undecided(Doubt::PrivateEndpoint)),
        ("off, with one, for another network", off(true), Elsewhere, Undecided(Doubt::PrivateEndpoint)),
        ("a perimeter", with(PublicAccess::Elsewhere, closed(&[], false), false), Shared, Undecided(Doubt::Perimeter)),
        ("nobody is let in", rules(closed(&[], false), false), Shared, Blocked(Barrier::AppOutside)),
        ("nor by an endpoint", rules(closed(&[], false), true), Shared, Blocked(Barrier::AppOutside)),
        ("addresses are", rules(closed(&[], true), false), Shared, Undecided(Doubt::Addresses)),
        ("another network", rules(closed(&[], false), false), Elsewhere, Undecided(Doubt::AnotherNetwork)),
        ("the subnet is let in", rules(listed(), false), inside(), Open),
        ("and others are", rules(closed(&[integration()], true), false), inside(), Open),
        (
            "only another subnet is",
            rules(closed(&[other()], false), false),
            inside(),
            Blocked(Barrier::OtherSubnets(integration())),
        ),
        ("or addresses", rules(closed(&[other()], true), false), inside(), Undecided(Doubt::Addresses)),
        ("or an endpoint", rules(closed(&[other()], false), true), inside(), Undecided(Doubt::PrivateEndpoint)),
        ("rules that nobody could read", rules(Rules::Unknown, false), Shared, Undecided(Doubt::NotRead)),
        ("rules whose turn has not come", rules(Rules::Waits, false), Shared, Undecided(Doubt::Waits)),
    ];
    let policy = policy();
    for (what, firewall, outbound, expected) in cases {
        let mut world = world(&policy, firewall, outbound);
        world.observed.network.subnets.insert(integration(), present(subnet(&["microsoft.storage"])));
        let evaluation = world.evaluate(&policy);
        assert_eq!(*reach(&evaluation), expected, "{what}");
        let told: Vec<_> = evaluation.findings.iter().map(Finding::code).collect();
        let is_blocked = matches!(expected, Blocked(_));
        assert_eq!(told, if is_blocked { vec!["network-blocked"] } else { vec![] }, "{what}");
        assert_eq!(evaluation.standing(), if is_blocked { Standing::Drifted } else { Standing::Compliant }, "{what}");
        assert_eq!(evaluation.decision.cause, is_blocked.then_some(Hypothesis::H6), "{what}");
        assert_eq!(network_questions(&policy, &world.observed), BTreeSet::new(), "{what}: all is known");
    }
}

#[test]
fn a_subnet_counts_by_the_service_endpoint_of_that_service() {
    let policy = policy();
    let blocked = Reach::Blocked(Barrier::NoServiceEndpoint(integration()));
    let cases = [
        (vec!["microsoft.storage"], false, Reach::Open),
        (vec!["microsoft.keyvault", "microsoft.storage.global"], false, Reach::Open),
        (vec!["microsoft.keyvault"], false, blocked.clone()),
        (vec![], false, blocked),
        // Then its calls may come in by their address.
        (vec![], true, Reach::Undecided(Doubt::Addresses)),
    ];
    for (endpoints, others, expected) in cases {
        let firewall = Firewall { rules: closed(&[integration()], others), ..open() };
        let mut world = world(&policy, firewall, Outbound::Subnet(integration()));
        world.observed.network.subnets.insert(integration(), present(subnet(&endpoints)));
        assert_eq!(*reach(&world.evaluate(&policy)), expected, "{endpoints:?}, {others}");
    }
}

#[test]
fn it_is_asked_step_by_step_and_what_would_be_blocked_is_looked_at_once_more() {
    let policy = policy();
    let account = host_account();
    let mut world = World::matching(&policy);
    world.site().outbound = Outbound::Subnet(integration());
    let asked = |world: &World| network_questions(&policy, &world.observed);
    assert_eq!(asked(&world), BTreeSet::from([NetworkQuestion::Listed(account.clone())]));

    let listed = Firewall { rules: closed(&[integration()], false), is_whole: false, ..open() };
    world.observed.network.firewalls.insert(account.clone(), present(listed.clone()));
    assert_eq!(asked(&world), BTreeSet::from([NetworkQuestion::Subnet(integration())]));
    assert_eq!(*reach(&world.evaluate(&policy)), Reach::Undecided(Doubt::Subnet(integration())));

    world.observed.network.subnets.insert(integration(), present(subnet(&[])));
    let confirm = BTreeSet::from([NetworkQuestion::Confirm(account.clone())]);
    assert_eq!(asked(&world), confirm);
    assert_eq!(world.evaluate(&policy).findings, [], "a list alone proves nothing");

    world.observed.network.outbound = Some(present(Outbound::Subnet(integration())));
    assert_eq!(asked(&world), confirm, "the account itself was not looked at");
    world.observed.network.firewalls.insert(account, present(Firewall { is_whole: true, ..listed }));
    assert_eq!(asked(&world), BTreeSet::new());
    let evaluation = world.evaluate(&policy);
    let [Finding::NetworkBlocked { resource, .. }] = &evaluation.findings[..] else { panic!("{evaluation:?}") };
    assert_eq!(*resource, host_account());
}

#[test]
fn the_rules_of_a_namespace_are_asked_only_while_public_access_leaves_them_to_decide() {
    let policy = fixtures::policy(|spec| spec.platform.host_storage = None);
    let namespace = own("Microsoft.ServiceBus/namespaces/sb-orders");
    let mut world = World::matching(&policy);
    for (public, expected) in [
        (PublicAccess::ByRules, Some(NetworkQuestion::Rules(namespace.clone()))),
        (PublicAccess::Off, Some(NetworkQuestion::Confirm(namespace.clone()))),
        (PublicAccess::Elsewhere, None),
    ] {
        let listed = Firewall { public, rules: Rules::NotAsked, is_whole: false, ..open() };
        world.observed.network.firewalls.insert(namespace.clone(), present(listed));
        assert_eq!(network_questions(&policy, &world.observed), expected.into_iter().collect(), "{public:?}");
        assert_eq!(world.evaluate(&policy).findings, []);
    }
}

#[test]
fn a_resource_that_serves_nobody_is_told_once_it_was_looked_at_by_itself() {
    let policy = policy();
    for is_whole in [false, true] {
        let firewall = Firewall { out_of_service: Some("Deleting".to_owned()), is_whole, ..open() };
        let world = world(&policy, firewall, Outbound::Shared);
        let told: Vec<_> = world.evaluate(&policy).findings.iter().map(Finding::code).collect();
        assert_eq!(told, if is_whole { vec!["resource-not-ready"] } else { vec![] });
        assert_eq!(network_questions(&policy, &world.observed).is_empty(), is_whole);
    }
}

#[test]
fn only_what_the_app_itself_calls_is_compared_and_nothing_where_the_policy_says_so() {
    let edit = |network| {
        fixtures::policy(|spec| {
            spec.network = network;
            trigger(spec, "clicks", "eventHubTrigger", "hub", "eventhubs/clicks", "system");
            declare(spec, "Storage Blob Data Reader", "files", "system");
            vault(spec, "RBAC", "shared", &["get"]);
        })
    };
    let policy = edit(NetworkCheck::Check);
    let asked = network_questions(&policy, &World::matching(&policy).observed);
    let listed = [
        host_account(),
        kv(),
        own("Microsoft.EventHub/namespaces/eh-clicks"),
        own("Microsoft.ServiceBus/namespaces/sb-orders"),
    ];
    assert_eq!(asked, listed.map(NetworkQuestion::Listed).into(), "the declared grant says nothing about calls");
    let policy = edit(NetworkCheck::Ignore);
    let world = World::matching(&policy);
    assert_eq!(network_questions(&policy, &world.observed), BTreeSet::new());
    assert_eq!(world.evaluate(&policy).reached, []);
}

fn firewalls() -> impl Strategy<Value = Firewall> {
    let public = prop_oneof![Just(PublicAccess::ByRules), Just(PublicAccess::Off), Just(PublicAccess::Elsewhere)];
    let subnets = prop::sample::subsequence(vec![integration(), other()], 0..=2);
    let rules = prop_oneof![
        Just(Rules::NotAsked),
        Just(Rules::Unknown),
        Just(Rules::Waits),
        Just(Rules::Open),
        (subnets, any::<bool>()).prop_map(|(subnets, others)| closed(&subnets, others)),
    ];
    let state = prop::option::of(Just("Deleting".to_owned()));
    let named = [None, Some(private::endpoint("pe-blob")), Some(private::endpoint("pe-queue"))];
    let private_endpoints = prop::sample::subsequence(named.to_vec(), 0..=3);
    (public, rules, private_endpoints, any::<bool>(), state).prop_map(
        |(public, rules, private_endpoints, is_whole, out_of_service)| Firewall {
            public,
            rules,
            private_endpoints: private_endpoints.into_iter().collect(),
            keys_off: false,
            out_of_service,
            is_whole,
        },
    )
}

fn outbounds() -> impl Strategy<Value = Outbound> {
    prop_oneof![Just(Outbound::Shared), Just(Outbound::Elsewhere), Just(Outbound::Subnet(integration()))]
}

/// A reading that may be missing, refused, or of something that is gone.
fn seen<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<Reading<T>>> {
    let refused = || Reading::Unreadable(failure(FailureClass::Denied, "AuthorizationFailed"));
    let gone = || Reading::Absent { at: crate::evaluate::fixtures::now() };
    (value, 0..6_u8).prop_map(move |(value, what)| match what {
        0 => None,
        1 => Some(refused()),
        2 => Some(gone()),
        _ => Some(present(value)),
    })
}

fn subnets() -> impl Strategy<Value = Subnet> {
    any::<bool>().prop_map(|has| subnet(if has { &["microsoft.storage"] } else { &[] }))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Blocked is said only where resource and app were read by themselves, and what the answer rests on was read.
    #[test]
    fn what_was_not_read_never_blocks(
        firewall in seen(firewalls()),
        app in seen(outbounds()),
        listed in outbounds(),
        subnet in seen(subnets()),
    ) {
        let policy = policy();
        let mut world = World::matching(&policy);
        world.site().outbound = listed;
        let network = &mut world.observed.network;
        network.outbound = app.clone();
        network.firewalls.extend(firewall.clone().map(|reading| (host_account(), reading)));
        network.subnets.extend(subnet.clone().map(|reading| (integration(), reading)));
        let evaluation = world.evaluate(&policy);
        prop_assert!(evaluation.standing() != Standing::Undetermined, "the unknown is not told as drift or doubt");
        for finding in &evaluation.findings {
            let whole = firewall.as_ref().and_then(Reading::present).filter(|firewall| firewall.is_whole);
            prop_assert!(whole.is_some(), "{finding:?}");
            if let Finding::NetworkBlocked { by, .. } = finding {
                prop_assert!(app.as_ref().and_then(Reading::present).is_some(), "{by:?}");
                if matches!(by, Barrier::NoServiceEndpoint(_)) {
                    prop_assert!(subnet.as_ref().and_then(Reading::present).is_some());
                }
            }
        }
        // Whatever is asked is something that was not seen, so that asking ends.
        for question in network_questions(&policy, &world.observed) {
            let is_new = match &question {
                NetworkQuestion::Listed(_) => firewall.is_none(),
                NetworkQuestion::Subnet(_) => subnet.is_none(),
                // None of them was seen.
                NetworkQuestion::Network(_) | NetworkQuestion::Endpoint(_) => true,
                NetworkQuestion::Zones(_) | NetworkQuestion::Links(_) => false,
                NetworkQuestion::Rules(_) | NetworkQuestion::Confirm(_) => true,
            };
            prop_assert!(is_new, "{question:?}");
        }
    }
}

#[test]
fn a_key_is_told_where_the_account_refuses_keys_and_only_when_that_is_certain() {
    let policy = fixtures::policy(|spec| {
        spec.bindings.clear();
        let host = spec.platform.host_storage.as_mut().expect("the fixture has one");
        (host.auth, host.identity) = (crate::api::StorageAuth::Key, String::new());
    });
    let codes = |world: &World| world.evaluate(&policy).findings.iter().map(Finding::code).collect::<Vec<_>>();
    let keyless = Firewall { keys_off: true, ..open() };
    assert_eq!(codes(&world(&policy, keyless.clone(), Outbound::Shared)), ["keys-refused"]);
    assert!(codes(&world(&policy, open(), Outbound::Shared)).is_empty());
    let listed = world(&policy, Firewall { is_whole: false, ..keyless.clone() }, Outbound::Shared);
    assert!(codes(&listed).is_empty(), "a list may leave members out");
    let account = policy.host_by_key.clone().expect("it is by key");
    assert_eq!(network_questions(&policy, &listed.observed), BTreeSet::from([NetworkQuestion::Confirm(account)]));
    let by_identity = self::policy();
    let world = world(&by_identity, keyless, Outbound::Shared);
    assert!(world.evaluate(&by_identity).findings.iter().all(|finding| finding.code() != "keys-refused"));
}

#[test]
fn an_app_that_was_stopped_is_told_as_the_cause_and_keeps_nothing_from_being_ready() {
    let policy = policy();
    let mut world = world(&policy, open(), Outbound::Shared);
    world.site().stopped = Some("Stopped".to_owned());
    let evaluation = world.evaluate(&policy);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H6));
    assert_eq!(evaluation.standing(), crate::evaluate::Standing::CompliantWithFindings);
}
