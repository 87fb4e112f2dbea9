//! What hosts write while they live in simulated Azure is what the product knows how to read: for each cause, the verdict
//! and the telemetry beside it say the same, and after the repair telemetry says that it is over.

use std::time::Duration;

use rolecall::{
    clock::Clock,
    evaluate::{Evaluation, Hypothesis, Side},
    pipeline::Intent,
    report::PassResult,
    sandbox::{
        arm::ArmSim,
        scenario::{self, Scenario},
    },
};
use serde_json::{Value, json};

use crate::azure::{boundaries, pipeline};

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";

fn id(path: &str) -> String {
    format!("{GROUP}/providers/{path}")
}

/// The id of a grant of the example, by what it hangs on and the number in its name.
fn grant(of: &str, number: u8) -> String {
    let name = format!("a5516e00-000{number}-4000-8000-000000000000");
    id(&format!("{of}/providers/Microsoft.Authorization/roleAssignments/{name}"))
}

const APP: &str = "Microsoft.Web/sites/func-orders";
const VAULT: &str = "Microsoft.KeyVault/vaults/kv-orders";
const UPLOADS: &str = "Microsoft.Storage/storageAccounts/storderuploads";
const CONTAINER: &str = "Microsoft.Storage/storageAccounts/storderuploads/blobServices/default/containers/invoices";
const BUS: &str = "Microsoft.ServiceBus/namespaces/sb-orders";

/// The app of the demo, which also reads a secret, with nothing wrong; and its policy.
fn healthy() -> Scenario {
    let mut all = scenario::all().into_iter();
    let mut scenario = all.find(|it| it.name == "role-removed-by-mistake").expect("there is one of that name");
    let identity = id("Microsoft.ManagedIdentity/userAssignedIdentities/mi-orders");
    let reader = json!({ "name": "prices", "calls": [{ "target": id(VAULT), "identity": identity }] });
    scenario.world.hosts[0].functions.push(serde_json::from_value(reader).expect("a function"));
    scenario
}

struct Bench {
    arm: ArmSim,
    clock: Clock,
    scenario: Scenario,
}

impl Bench {
    fn new() -> Self {
        let scenario = healthy();
        let clock = Clock::starting_at(scenario.world.clock.expect("a scenario's world has a clock"));
        Self { arm: ArmSim::new(scenario.world.clone(), clock), clock, scenario }
    }

    async fn look(&self) -> Evaluation {
        // Another operator each time, which has seen nothing before.
        let pipeline = pipeline(&self.arm, self.clock);
        match pipeline.pass(&self.scenario.policy, &boundaries(), None, Intent::Explain).await.finding {
            PassResult::Evaluated(pass) => pass.evaluation,
            _ => panic!("the policy is evaluated"),
        }
    }

    fn switch(&self, what: &str, member: &str, value: Value) {
        self.arm.edit(&id(what), |document| document["properties"][member] = value);
    }

    /// Deletes a resource with all that lies in it and hangs on it.
    fn delete(&self, what: &str) {
        let all = self.arm.snapshot();
        let ids = all.iter().filter_map(|document| document["id"].as_str()).filter(|one| one.starts_with(&id(what)));
        ids.for_each(|one| self.arm.remove(one));
    }

    async fn restart(&self) {
        let uri = format!("https://management.azure.com{}/restart?api-version=2024-04-01", id(APP));
        let mut request = http::Request::post(uri).body(bytes::Bytes::new()).expect("a request");
        request.headers_mut().insert("authorization", "Bearer let-me-in".parse().expect("a header"));
        self.arm.answer(request).await.expect("an answer");
    }
}

/// What is done to Azure, the hypothesis to act on, and signals that speak for it.
type Case = (&'static str, fn(&Bench), Hypothesis, &'static [&'static str]);

const CASES: [Case; 9] = [
    (
        "the app's own identity is off",
        |it| it.arm.edit(&id(APP), |app| app["identity"]["principalId"] = Value::Null),
        Hypothesis::H1,
        &["identity-not-found"],
    ),
    (
        "the shared identity is not attached",
        |it| {
            it.arm.edit(&id(APP), |app| {
                app["identity"]["userAssignedIdentities"] = Value::Null;
                app["identity"]["type"] = "SystemAssigned".into();
            });
        },
        Hypothesis::H1,
        &["identity-not-found"],
    ),
    (
        "a role on storage is gone",
        |it| it.arm.remove(&grant(CONTAINER, 7)),
        Hypothesis::H2,
        &["storage-permission", "refused-403"],
    ),
    ("a role on the bus is gone", |it| it.arm.remove(&grant(BUS, 5)), Hypothesis::H2, &["amqp-claims"]),
    ("a role on the vault is gone", |it| it.arm.remove(&grant(VAULT, 6)), Hypothesis::H2, &["refused-403"]),
    (
        "the vault goes by policies",
        |it| it.switch(VAULT, "enableRbacAuthorization", false.into()),
        Hypothesis::H4,
        &["vault-refused-by-policy"],
    ),
    (
        "the vault's firewall is closed",
        |it| it.switch(VAULT, "networkAcls", json!({ "defaultAction": "Deny", "bypass": "None" })),
        Hypothesis::H6,
        &["vault-firewall"],
    ),
    (
        "storage's firewall is closed",
        |it| it.switch(UPLOADS, "networkAcls", json!({ "defaultAction": "Deny", "bypass": "None" })),
        Hypothesis::H6,
        &["storage-refused"],
    ),
    ("the account is gone", |it| it.delete(UPLOADS), Hypothesis::H6, &["no-such-host", "no-answer"]),
];

#[tokio::test(start_paused = true)]
async fn for_each_cause_telemetry_speaks_for_the_hypothesis_that_azure_confirms() {
    for (what, cause, hypothesis, signals) in CASES {
        let bench = Bench::new();
        let before = bench.look().await;
        assert!(before.signals.is_empty(), "{what}, before: {:?}", before.signals);
        cause(&bench);
        // An open link to the bus would not notice for a day, nor would one that is opened within the next minutes.
        tokio::time::advance(Duration::from_mins(10)).await;
        bench.restart().await;
        tokio::time::advance(Duration::from_mins(30)).await;
        let after = bench.look().await;
        assert_eq!(after.decision.cause, Some(hypothesis), "{what}: {:?}", after.findings);
        for signal in signals {
            let mut seen = after.signals.iter();
            let says = seen.any(|it| (it.hypothesis, it.side, it.signal.as_str()) == (hypothesis, Side::For, signal));
            assert!(says, "{what}: `{signal}` is not said; {:?}", after.signals);
        }
        let recovery = recovery(&after);
        assert!(recovery.1 > 0 || hypothesis == Hypothesis::H6 || hypothesis == Hypothesis::H1, "{what}: {recovery:?}");
    }
}

/// Calls and refusals of the last minutes.
fn recovery(evaluation: &Evaluation) -> (u64, u64) {
    let evidence = evaluation.evidence.as_ref().and_then(|it| it.present()).expect("the workspace is there");
    let figures = evidence.recovery.present().expect("telemetry arrives");
    (figures.calls, figures.auth_failures)
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_propagating_while_calls_are_refused_and_recovery_is_measured_and_not_assumed() {
    let bench = Bench::new();
    let lost = bench.arm.document(&grant(CONTAINER, 7)).expect("it is there");
    bench.arm.remove(&grant(CONTAINER, 7));
    tokio::time::advance(Duration::from_mins(14)).await;
    let mut again = lost;
    again["properties"]["createdOn"] = bench.clock.now().to_string().into();
    bench.arm.insert(again);
    tokio::time::advance(Duration::from_mins(4)).await;
    let inside = bench.look().await;
    assert_eq!(inside.decision.cause, Some(Hypothesis::H3), "{:?}", inside.findings);
    assert!(inside.signals.iter().any(|it| it.signal == "storage-permission"), "{:?}", inside.signals);
    let (calls, refused) = recovery(&inside);
    assert!(calls > 0 && refused > 0, "{calls} {refused}");
    tokio::time::advance(Duration::from_mins(31)).await;
    let (calls, refused) = recovery(&bench.look().await);
    assert!(calls > 100 && refused == 0, "{calls} {refused}");
}

#[test]
fn the_figures_of_an_incident_rise_fall_and_stay_at_nothing() {
    let by_hand = scenario::all().into_iter().find(|it| it.name == "role-put-back-by-hand").expect("it is there");
    let played = scenario::play(&by_hand);
    let refused: Vec<_> = played.series.iter().map(|it| (it.begin.strftime("%H:%M").to_string(), it.refused)).collect();
    let at = |time: &str| refused.iter().find(|(begin, _)| begin == time).expect("a step").1;
    assert_eq!((at("00:45"), at("00:55")), (0, 0), "{refused:?}");
    // Removed at 01:00: the first refusals after three minutes. Put back at 01:14: fewer from 01:19 on, and none any more.
    assert!(0 < at("01:00") && at("01:00") < at("01:05"), "{refused:?}");
    assert!(at("01:20") < at("01:10") / 2, "{refused:?}");
    assert_eq!((at("01:25"), at("01:30"), at("01:40")), (0, 0, 0), "{refused:?}");
}
