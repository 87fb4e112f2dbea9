//! The operator that stops: too much at once, too many writes, a cap on what any policy may do.

use std::time::Duration;

use rolecall::{
    api::Mode,
    pipeline::{BreakerLimits, Settings},
};
use serde_json::{Value, json};

use super::{
    ownership::{MINUTE, boundary, policy},
    run::Run,
};

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers";
const RECEIVER: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/providers/Microsoft.Authorization/\
                        roleDefinitions/4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const APPS: usize = 12;

/// Each app listens to a queue of its own, by an identity of its own.
fn app(run: &Run, number: usize) {
    let mut site = run.arm.document(&format!("{GROUP}/Microsoft.Web/sites/func-orders")).expect("the example's app");
    let name = format!("func-{number:02}");
    site["id"] = json!(format!("{GROUP}/Microsoft.Web/sites/{name}"));
    site["name"] = json!(name);
    site["identity"] = json!({ "type": "SystemAssigned", "principalId": principal(number) });
    run.arm.insert(site);
    run.arm.insert(json!({
        "id": format!("{GROUP}/Microsoft.ServiceBus/namespaces/sb-orders/queues/q-{number:02}"),
        "name": format!("q-{number:02}"), "type": "Microsoft.ServiceBus/namespaces/queues", "properties": {},
    }));
    grant(run, number);
    run.kube.put(policy_of(number));
}

fn policy_of(number: usize) -> Value {
    let mut policy = policy(&format!("app-{number:02}"), false);
    let spec = policy["spec"].as_object_mut().expect("a spec");
    spec.remove("platform");
    spec.insert("vaults".to_owned(), json!([]));
    spec.insert("identities".to_owned(), json!({ "system": "Required" }));
    spec["resources"]["app"] = json!(format!("Microsoft.Web/sites/func-{number:02}"));
    let queue = format!("queues/q-{number:02}");
    spec["bindings"] = json!([
        { "name": "in", "type": "serviceBusTrigger", "resource": "bus", "entity": queue, "identity": "system" },
    ]);
    policy
}

fn principal(number: usize) -> String {
    format!("5e57e300-0000-4000-8000-0000000000{number:02}")
}

fn grant_id(number: usize) -> String {
    let queue = format!("{GROUP}/Microsoft.ServiceBus/namespaces/sb-orders/queues/q-{number:02}");
    format!("{queue}/providers/Microsoft.Authorization/roleAssignments/a5516e00-1000-4000-8000-0000000000{number:02}")
}

fn grant(run: &Run, number: usize) {
    run.arm.insert(json!({
        "id": grant_id(number), "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": RECEIVER, "principalId": principal(number), "principalType": "ServicePrincipal",
            "scope": format!("{GROUP}/Microsoft.ServiceBus/namespaces/sb-orders/queues/q-{number:02}"),
            "createdOn": "2025-01-01T00:00:00Z", "updatedOn": "2025-01-01T00:00:00Z",
        },
    }));
}

fn reasons(run: &Run) -> Vec<String> {
    (0..APPS).map(|number| run.reason(&format!("app-{number:02}"))).collect()
}

/// Twelve policies, all compliant, seen more than once.
async fn fleet(settings: Settings) -> Run {
    let mut run = Run::new();
    run.settings = settings;
    run.kube.put(boundary());
    (0..APPS).for_each(|number| app(&run, number));
    run.start();
    run.wait(25 * MINUTE).await;
    assert_eq!(reasons(&run), vec!["Compliant"; APPS]);
    run
}

fn lose(run: &Run, numbers: std::ops::Range<usize>) {
    for number in numbers {
        run.arm.remove(&grant_id(number));
    }
}

fn message(run: &Run, name: &str) -> String {
    run.policy(name)["status"]["conditions"][0]["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_incident_of_a_few_is_repaired() {
    let run = fleet(Settings::default()).await;
    lose(&run, 0..6);
    run.wait(25 * MINUTE).await;
    assert_eq!((run.azure_writes().len(), reasons(&run)), (6, vec!["Compliant".to_owned(); APPS]));
}

#[tokio::test(start_paused = true)]
async fn an_incident_of_most_stops_all_writes_and_says_why() {
    let run = fleet(Settings::default()).await;
    lose(&run, 0..7);
    run.wait(60 * MINUTE).await;
    assert_eq!(run.azure_writes().len(), 0);
    let held = reasons(&run).iter().filter(|reason| *reason == "Held").count();
    assert_eq!(held, 7);
    let message = message(&run, "app-00");
    assert!(message.contains("7 of 12 policies") && message.contains("--max-drift-share"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn writes_stay_stopped_over_a_restart_and_go_on_when_a_person_says_so() {
    let mut run = fleet(Settings::default()).await;
    lose(&run, 0..7);
    run.wait(30 * MINUTE).await;
    run.crash();
    run.start();
    run.wait(30 * MINUTE).await;
    assert_eq!(run.azure_writes().len(), 0, "status remembers that they were in order");
    run.crash();
    run.settings.breaker.drift = 1.0;
    run.start();
    run.wait(30 * MINUTE).await;
    assert_eq!((run.azure_writes().len(), reasons(&run)), (7, vec!["Compliant".to_owned(); APPS]));
}

#[tokio::test(start_paused = true)]
async fn writes_go_on_by_themselves_when_what_was_lost_is_back() {
    let run = fleet(Settings::default()).await;
    lose(&run, 0..8);
    run.wait(30 * MINUTE).await;
    (0..6).for_each(|number| grant(&run, number));
    run.wait(30 * MINUTE).await;
    assert_eq!((run.azure_writes().len(), reasons(&run)), (2, vec!["Compliant".to_owned(); APPS]));
}

#[tokio::test(start_paused = true)]
async fn policies_that_were_never_in_order_are_no_reason_to_stop() {
    let mut run = Run::new();
    run.kube.put(boundary());
    (0..APPS).for_each(|number| app(&run, number));
    lose(&run, 0..APPS);
    run.start();
    run.wait(25 * MINUTE).await;
    assert_eq!((run.azure_writes().len(), reasons(&run)), (APPS, vec!["Compliant".to_owned(); APPS]));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_shrinks_stops_writes_of_those_whom_it_does_not_concern() {
    let settings = Settings { breaker: BreakerLimits { drift: 1.0, shrink: 0.3 }, ..Settings::default() };
    let run = fleet(settings).await;
    lose(&run, 0..7);
    run.wait(30 * MINUTE).await;
    assert_eq!(run.azure_writes().len(), 0);
    assert!(
        message(&run, "app-00").contains("the list of role assignments shrank from"),
        "{}",
        message(&run, "app-00")
    );
}

#[tokio::test(start_paused = true)]
async fn the_fleet_sends_no_more_writes_within_an_hour_than_it_may() {
    let run = fleet(Settings { max_writes_per_hour: Some(2), ..Settings::default() }).await;
    lose(&run, 0..5);
    let mut sent = Vec::new();
    for _ in 0..3 {
        run.wait(40 * MINUTE).await;
        sent.push(run.azure_writes().len());
    }
    assert_eq!(sent, [2, 4, 4]);
    run.wait(60 * MINUTE).await;
    assert_eq!((run.azure_writes().len(), reasons(&run)), (5, vec!["Compliant".to_owned(); APPS]));
    let times: Vec<_> = run.azure_writes().into_iter().map(|write| write.time).collect();
    for three in times.windows(3) {
        let apart = Duration::try_from(three[2].duration_since(three[0])).expect("in order");
        assert!(apart >= Duration::from_secs(3600), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cap_on_the_mode_holds_for_every_policy_and_names_itself() {
    for (cap, reason) in [(Mode::Report, "OperatorMode"), (Mode::DryRun, "OperatorMode")] {
        let run = fleet(Settings { max_mode: cap, ..Settings::default() }).await;
        lose(&run, 0..1);
        run.wait(25 * MINUTE).await;
        assert_eq!((run.azure_writes().len(), run.reason("app-00")), (0, "Held".to_owned()));
        let stalled = run.policy("app-00")["status"]["conditions"][1]["reason"].clone();
        assert_eq!(stalled, reason);
        assert!(message(&run, "app-00").contains("--max-mode"), "{}", message(&run, "app-00"));
    }
}
