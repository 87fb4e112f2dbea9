//! Firewalls: a list that all policies share says where to look, and what is told was looked at by itself.

mod private;

use std::{collections::BTreeMap, time::Duration};

use rolecall::{
    api::{FunctionIdentityPolicy, IdentityBoundary, NetworkCheck},
    evaluate::Finding,
    pipeline::{Intent, Pipeline},
    policy::{Authority, Boundary},
    report::{self, PassResult, Report},
    sandbox::arm::{ArmSim, Fault},
};
use serde_json::{Value, json};

use crate::azure::{boundaries, example, file, pipeline, policy};

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers";
const APP: &str = "Microsoft.Web/sites/func-orders";
const UPLOADS: &str = "Microsoft.Storage/storageAccounts/storderuploads";
const BUS: &str = "Microsoft.ServiceBus/namespaces/sb-orders";
const SUBNET: &str = "Microsoft.Network/virtualNetworks/vnet-orders/subnets/snet-func";

fn id(path: &str) -> String {
    format!("{GROUP}/{path}")
}

fn change(arm: &ArmSim, path: &str, properties: &Value) {
    arm.edit(&id(path), |document| {
        for (member, value) in properties.as_object().expect("members") {
            document["properties"][member] = value.clone();
        }
    });
}

fn insert(arm: &ArmSim, path: &str, properties: &Value) {
    let (kind, name) = path.rsplit_once('/').expect("a name");
    arm.insert(json!({ "id": id(path), "name": name, "type": kind, "properties": properties }));
}

/// The uploads account lets in the given subnets and nobody else.
fn close(arm: &ArmSim, subnets: &[&str]) {
    let rules: Vec<_> = subnets.iter().map(|path| json!({ "id": id(path), "action": "Allow" })).collect();
    let acls = json!({ "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": rules });
    change(arm, UPLOADS, &json!({ "networkAcls": acls }));
}

fn integrate(arm: &ArmSim) {
    change(arm, APP, &json!({ "virtualNetworkSubnetId": id(SUBNET) }));
}

/// The pass, and the policy with the status that it leaves.
async fn pass(pipeline: &Pipeline, mut policy: FunctionIdentityPolicy) -> (Report, FunctionIdentityPolicy) {
    let report = pipeline.pass(&policy, &boundaries(), None, Intent::Act).await;
    policy.status = Some(report::status(policy.status.as_ref(), &report, None, report.at));
    (report, policy)
}

/// What is told of networks.
fn told(report: &Report) -> Vec<&'static str> {
    let PassResult::Evaluated(pass) = &report.finding else { panic!("{:?}", report.situation()) };
    let codes = pass.evaluation.findings.iter().map(Finding::code);
    codes.filter(|code| matches!(*code, "network-blocked" | "resource-not-ready" | "unreadable")).collect()
}

fn reads(arm: &ArmSim, ending: &str) -> usize {
    let ending = ending.to_ascii_lowercase();
    arm.journal().iter().filter(|one| one.method == "GET" && one.path.to_ascii_lowercase().ends_with(&ending)).count()
}

/// Everything that is read of networks and of nothing else.
fn network_reads(arm: &ArmSim) -> usize {
    let listed = ["/storageAccounts", "/namespaces", "/networkRuleSets/default", SUBNET, UPLOADS, BUS, "/config/web"];
    listed.iter().map(|ending| reads(arm, ending)).sum()
}

fn fault(arm: &ArmSim, path: &str, times: u32, answer: &Value) {
    let fault = json!({ "method": "GET", "path": path, "times": times, "answer": answer });
    arm.add_fault(serde_json::from_value::<Fault>(fault).expect("a fault"));
}

#[tokio::test(start_paused = true)]
async fn an_open_world_costs_a_list_an_hour_and_the_rules_of_a_namespace_once_a_day() {
    let (arm, clock) = example();
    let (pipeline, mut policy) = (pipeline(&arm, clock), policy());
    // The role that the example lacks would make each look a fresh one.
    policy.spec.bindings.retain(|binding| binding.name != "uploads");
    policy.spec.resources.retain(|name, _| name != "uploads");
    for (minutes, lists, rules) in [(0, 1, 1), (10, 1, 1), (40, 1, 1), (20, 2, 1), (24 * 60, 3, 2)] {
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        let (report, after) = pass(&pipeline, policy).await;
        policy = after;
        assert_eq!(told(&report), [] as [&str; 0]);
        let seen =
            (reads(&arm, "/storageAccounts"), reads(&arm, "/namespaces"), reads(&arm, "/networkRuleSets/default"));
        assert_eq!(seen, (lists, lists, rules), "{minutes} minutes later");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_account_is_looked_at_by_itself_and_its_opening_is_seen_by_the_next_pass() {
    let (arm, clock) = example();
    let pipeline = pipeline(&arm, clock);
    close(&arm, &[]);
    let (report, policy) = pass(&pipeline, policy()).await;
    assert_eq!(told(&report), ["network-blocked"]);
    assert_eq!((reads(&arm, UPLOADS), reads(&arm, APP)), (1, 1));
    change(&arm, UPLOADS, &json!({ "networkAcls": { "defaultAction": "Allow" } }));
    tokio::time::sleep(Duration::from_secs(600)).await;
    let (report, _) = pass(&pipeline, policy).await;
    assert_eq!(told(&report), [] as [&str; 0], "though the list of firewalls is the old one");
    assert_eq!(reads(&arm, UPLOADS), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_says_more_than_the_resource_itself_proves_nothing() {
    let (arm, clock) = example();
    // Public access off, and the private endpoint left out.
    let entry = json!({ "id": id(UPLOADS), "properties": { "publicNetworkAccess": "Disabled" } });
    fault(&arm, "/storageAccounts", 1, &json!({ "status": 200, "body": { "value": [entry] } }));
    let state = json!({ "privateLinkServiceConnectionState": { "status": "Approved" } });
    let connections = json!([{ "properties": state }]);
    change(&arm, UPLOADS, &json!({ "publicNetworkAccess": "Disabled", "privateEndpointConnections": connections }));
    integrate(&arm);
    let (report, _) = pass(&pipeline(&arm, clock), policy()).await;
    assert_eq!((told(&report), reads(&arm, UPLOADS)), (vec![], 1));
}

#[tokio::test(start_paused = true)]
async fn an_integrated_app_gets_in_by_its_subnets_service_endpoint_only() {
    for (endpoints, expected) in
        [(json!([{ "service": "Microsoft.Storage" }]), vec![]), (json!([]), vec!["network-blocked"])]
    {
        let (arm, clock) = example();
        close(&arm, &[SUBNET]);
        integrate(&arm);
        insert(&arm, SUBNET, &json!({ "serviceEndpoints": endpoints }));
        let (report, _) = pass(&pipeline(&arm, clock), policy()).await;
        assert_eq!(told(&report), expected, "{endpoints}");
    }
}

/// The boundary reaches everything but the virtual network.
#[tokio::test(start_paused = true)]
async fn a_subnet_outside_of_the_boundary_is_not_read_and_leaves_it_open() {
    let (arm, clock) = example();
    close(&arm, &[SUBNET]);
    integrate(&arm);
    insert(&arm, SUBNET, &json!({ "serviceEndpoints": [] }));
    let text = file("boundary.yaml");
    let inside = [
        "Microsoft.Web",
        "Microsoft.ManagedIdentity",
        "Microsoft.ServiceBus",
        "Microsoft.Storage",
        "Microsoft.KeyVault",
    ];
    let parsed = inside.map(|provider| {
        let scope = text.replace("rg-functions-prod", &format!("rg-functions-prod/providers/{provider}"));
        serde_saphyr::from_str::<IdentityBoundary>(&scope).expect("a boundary")
    });
    let authority =
        Authority::Boundaries { boundaries: parsed.iter().map(Boundary::from).collect(), namespaces: BTreeMap::new() };
    let report = pipeline(&arm, clock).pass(&policy(), &authority, None, Intent::Look).await;
    assert_eq!((told(&report), reads(&arm, SUBNET)), (vec![], 0));
    assert!(report::text(&report, report.exit_code(), false).contains("whether `storderuploads` lets the app in"));
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_a_namespace_are_a_child_of_it() {
    let (arm, clock) = example();
    let rules = json!([{ "subnet": { "id": id(SUBNET) }, "ignoreMissingVnetServiceEndpoint": true }]);
    let properties =
        json!({ "defaultAction": "Deny", "virtualNetworkRules": rules, "trustedServiceAccessEnabled": true });
    insert(&arm, &format!("{BUS}/networkRuleSets/default"), &properties);
    let (report, _) = pass(&pipeline(&arm, clock), policy()).await;
    assert_eq!(told(&report), ["network-blocked"]);
}

/// Each policy has a namespace of its own, all of them closed.
#[tokio::test(start_paused = true)]
async fn twenty_namespaces_have_their_turn_in_ten_minutes_and_what_was_told_stays_told() {
    let (arm, clock) = example();
    let pipeline = pipeline(&arm, clock);
    let mut policies = Vec::new();
    for number in 0..25 {
        let namespace = format!("Microsoft.ServiceBus/namespaces/sb-{number}");
        insert(&arm, &namespace, &json!({ "status": "Active" }));
        let rules = json!({ "defaultAction": "Deny", "virtualNetworkRules": [{ "subnet": { "id": id(SUBNET) } }] });
        insert(&arm, &format!("{namespace}/networkRuleSets/default"), &rules);
        let mut policy = policy();
        policy.metadata.name = Some(format!("orders-{number}"));
        policy.spec.mode = rolecall::api::Mode::Report;
        policy.spec.resources.insert("bus".to_owned(), namespace);
        policies.push(policy);
    }
    let mut blocked = Vec::new();
    for _ in 0..2 {
        let mut told_of = 0;
        for policy in &mut policies {
            // Without status: as if nothing else were wrong with it.
            let report = pipeline.pass(policy, &boundaries(), None, Intent::Act).await;
            told_of += told(&report).len();
        }
        blocked.push(told_of);
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    assert_eq!(blocked, [20, 25]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_asked_again_with_every_survey_and_nothing_is_told() {
    let (arm, clock) = example();
    close(&arm, &[]);
    fault(&arm, "/providers/Microsoft.Storage/storageAccounts", 99, &json!({ "status": 403 }));
    let pipeline = pipeline(&arm, clock);
    let mut policy = policy();
    for surveys in 1..=3 {
        for _ in 0..2 {
            let (report, after) = pass(&pipeline, policy).await;
            policy = after;
            assert_eq!(told(&report), [] as [&str; 0]);
        }
        assert_eq!(reads(&arm, "/storageAccounts"), surveys);
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_with_a_gateway_is_in_a_network_that_is_not_looked_at() {
    for (name, expected) in [(json!("vnet-hub"), vec![]), (json!(""), vec!["network-blocked"])] {
        let (arm, clock) = example();
        close(&arm, &[]);
        arm.edit(&id(APP), |app| app["kind"] = json!("functionapp"));
        insert(&arm, &format!("{APP}/config/web"), &json!({ "vnetName": name }));
        let (report, _) = pass(&pipeline(&arm, clock), policy()).await;
        assert_eq!(told(&report), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_ignores_networks_reads_nothing_of_them() {
    let (arm, clock) = example();
    close(&arm, &[]);
    let mut policy = policy();
    policy.spec.network = NetworkCheck::Ignore;
    let (report, _) = pass(&pipeline(&arm, clock), policy).await;
    assert_eq!((told(&report), network_reads(&arm)), (vec![], 0));
}
