//! Private endpoints: what is read of them and how often, and what a person is told.

use rolecall::{
    evaluate::Reach,
    sandbox::scenario::{self, Scenario},
};

use super::*;

const READ: [&str; 4] = ["/virtualNetworks/", "/privateEndpoints/", "/privateDnsZoneGroups", "/virtualNetworkLinks"];

fn played(name: &str) -> (Scenario, ArmSim, rolecall::clock::Clock) {
    let scenario = scenario::all().into_iter().find(|one| one.name == name).expect("there is such a scenario");
    let clock = rolecall::clock::Clock::starting_at(scenario.world.clock.expect("it has a clock"));
    let arm = ArmSim::new(scenario.world.clone(), clock);
    (scenario, arm, clock)
}

/// How much was read that no list shows, the rules of namespaces aside.
fn private_reads(arm: &ArmSim) -> usize {
    arm.journal().iter().filter(|one| READ.iter().any(|part| one.path.contains(part))).count()
}

fn reach(report: &Report, resource: &str) -> Reach {
    let PassResult::Evaluated(pass) = &report.finding else { panic!("{:?}", report.situation()) };
    let of_it = pass.evaluation.reached.iter().find(|one| one.resource.name() == resource);
    of_it.expect("it is compared").reach.clone()
}

/// What `check` prints, without its line breaks.
fn printed(report: &Report) -> String {
    let text = report::text(report, report.exit_code(), false);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn looked(name: &str, prepare: impl FnOnce(&ArmSim)) -> (Report, ArmSim) {
    let (scenario, arm, clock) = played(name);
    prepare(&arm);
    let report = pipeline(&arm, clock).pass(&scenario.policy, &boundaries(), None, Intent::Look).await;
    (report, arm)
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_in_order_needs_is_read_again_after_a_day() {
    let (scenario, arm, clock) = played("private-endpoints-in-order");
    let (pipeline, mut policy) = (pipeline(&arm, clock), scenario.policy);
    // A network, three endpoints, where their names are, and what the three zones are linked to; and the rules of a namespace.
    for (minutes, expected) in [(0, 10), (10, 10), (23 * 60, 10), (2 * 60, 20), (10, 20)] {
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        let (report, after) = pass(&pipeline, policy).await;
        policy = after;
        assert_eq!((told(&report).len(), private_reads(&arm)), (0, expected), "{minutes} minutes later");
        assert!(matches!(reach(&report, "storderuploads"), Reach::Private(_)), "{minutes} minutes later");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_does_not_wait_for_turns_and_is_told_by_which_endpoints() {
    let (report, arm) = looked("private-endpoints-in-order", |_| {}).await;
    assert_eq!(private_reads(&arm), 10);
    let Reach::Private(endpoints) = reach(&report, "storderuploads") else { panic!("{}", printed(&report)) };
    let names: Vec<_> = endpoints.iter().map(rolecall::model::Scope::name).collect();
    assert_eq!(names, ["pe-uploads-blob", "pe-uploads-queue"]);
    assert!(!printed(&report).contains("lets the app in"), "{}", printed(&report));
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_not_linked_is_told_with_its_networks_and_what_would_settle_it() {
    let (report, _) = looked("private-zone-not-linked", |_| {}).await;
    let printed = printed(&report);
    let says =
        "zone `privatelink.blob.core.windows.net` is linked to `vnet-hub`, not to the app's network `vnet-orders`";
    assert!(printed.contains(says), "{printed}");
    assert!(printed.contains("nslookup storderuploads.privatelink.blob.core.windows.net"), "{printed}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_named_with_the_right_and_not_asked_for_at_every_pass() {
    let (scenario, arm, clock) = played("private-endpoints-in-order");
    fault(&arm, "/virtualNetworkLinks", 99, &json!({ "status": 403 }));
    let (pipeline, mut policy) = (pipeline(&arm, clock), scenario.policy);
    for _ in 0..4 {
        let (report, after) = pass(&pipeline, policy).await;
        policy = after;
        assert_eq!(told(&report), [] as [&str; 0]);
        assert!(matches!(reach(&report, "storderuploads"), Reach::Undecided(_)));
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    assert_eq!(reads(&arm, "/virtualNetworkLinks"), 3);
    let (report, _) = looked("private-endpoints-in-order", |arm| {
        fault(arm, "/virtualNetworkLinks", 99, &json!({ "status": 403 }));
    })
    .await;
    let right = "`Microsoft.Network/privateDnsZones/virtualNetworkLinks/read` in `rg-functions-prod` is missing";
    assert!(printed(&report).contains(right), "{}", printed(&report));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_empty_is_asked_for_again_after_an_hour() {
    let (scenario, arm, clock) = played("private-endpoints-in-order");
    fault(&arm, "/pe-secrets/privateDnsZoneGroups", 1, &json!("empty-list"));
    let (pipeline, mut policy) = (pipeline(&arm, clock), scenario.policy);
    for (minutes, asked) in [(0, 1), (50, 1), (20, 2), (23 * 60, 2)] {
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        let (report, after) = pass(&pipeline, policy).await;
        policy = after;
        assert_eq!(reads(&arm, "/pe-secrets/privateDnsZoneGroups"), asked, "{minutes} minutes later");
        assert_eq!(matches!(reach(&report, "kv-orders"), Reach::Private(_)), asked == 2, "{minutes} minutes later");
    }
}

/// A hub is somebody else's, as a rule.
#[tokio::test(start_paused = true)]
async fn an_endpoint_outside_of_the_boundary_is_not_read() {
    let (report, arm) = looked("private-endpoints-in-order", |arm| {
        let hub = "/subscriptions/22222222-aaaa-4bbb-8ccc-000000000002/resourceGroups/rg-hub/providers";
        let endpoint = format!("{hub}/Microsoft.Network/privateEndpoints/pe-hub");
        let state = json!({ "status": "Approved" });
        let connection = json!({ "privateEndpoint": { "id": endpoint }, "privateLinkServiceConnectionState": state });
        change(arm, UPLOADS, &json!({ "privateEndpointConnections": [{ "properties": connection }] }));
    })
    .await;
    assert_eq!(reads(&arm, "/pe-hub"), 0);
    let says = "`pe-hub` in `rg-hub` was not read: the boundary does not reach it";
    assert!(printed(&report).contains(says), "{}", printed(&report));
}
