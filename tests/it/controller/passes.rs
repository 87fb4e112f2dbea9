//! When passes happen, and what they leave alone.

use std::time::Duration;

use jiff::SignedDuration;
use rolecall::sandbox::arm::Fault;
use serde_json::{Value, json};

use super::run::{NAMESPACE, Run, SETTLED, orders};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn fault(yaml: &str) -> Fault {
    serde_saphyr::from_str(yaml).expect("a fault")
}

#[tokio::test(start_paused = true)]
async fn enforce_walks_from_remediating_through_propagating_to_compliant() {
    let mut run = Run::new();
    run.kube.put(orders("Enforce"));
    run.start();
    run.wait(Duration::from_secs(2)).await;
    assert_eq!(run.reason("orders"), "Remediating");
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "Propagating");
    run.wait(HOUR).await;
    assert_eq!(run.reason("orders"), "Compliant");
    assert_eq!(run.events(), ["Remediating", "Propagating", "Compliant"]);
    let writes = run.azure_writes();
    assert_eq!(writes.len(), 1, "{writes:#?}");
    assert_eq!((writes[0].method.as_str(), writes[0].status), ("PUT", Some(201)));
}

#[tokio::test(start_paused = true)]
async fn later_passes_write_nothing_to_azure_and_one_time_an_hour_to_kubernetes() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    let writes = run.kube_writes().len();
    let version = run.policy("orders")["metadata"]["resourceVersion"].clone();
    run.wait(58 * MINUTE).await;
    assert!(run.surveys().len() >= 5, "it has looked again");
    assert_eq!(run.kube_writes().len(), writes);
    assert_eq!(run.policy("orders")["metadata"]["resourceVersion"], version);
    run.wait(9 * HOUR).await;
    let heartbeats = run.kube_writes().len() - writes;
    assert!((8..=9).contains(&heartbeats), "{heartbeats} in nine hours and a bit");
    assert_eq!(run.azure_writes(), []);
    assert_eq!(run.events(), ["DriftReported"]);
}

#[tokio::test(start_paused = true)]
async fn passes_come_at_the_interval_each_at_its_place_in_the_sweep() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(24 * HOUR).await;
    let surveys = run.surveys();
    let gaps: Vec<SignedDuration> = surveys.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect();
    let interval = SignedDuration::from_mins(10);
    // The first gap leads to the policy's place; the runtime's timers are good to a millisecond.
    assert!(gaps[0] <= interval, "{gaps:?}");
    for gap in &gaps[1..] {
        assert!((*gap - interval).abs() <= SignedDuration::from_millis(5), "{gaps:?}");
    }
    assert!((143..=144).contains(&gaps.len()), "{} passes in a day", gaps.len());
}

#[tokio::test(start_paused = true)]
async fn a_request_makes_a_fresh_look_at_once() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(Duration::from_secs(10)).await;
    let before = run.surveys().len();
    run.request("orders", "now");
    run.wait(Duration::from_secs(1)).await;
    // The survey is ten seconds old, and a minute is young enough for everybody else.
    assert_eq!(run.surveys().len(), before + 1);
    assert_eq!(run.policy("orders")["status"]["lastHandledReconcileAt"], "now");
    run.wait(SETTLED).await;
    assert_eq!(run.surveys().len(), before + 1, "a request is handled once");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_of_azure_before_the_boundaries_are_known() {
    let mut run = Run::new();
    run.kube.put(orders("Enforce"));
    run.kube.fail(super::faults::unavailable("/identityboundaries", 6));
    run.start();
    run.wait(Duration::from_secs(5)).await;
    assert_eq!(run.arm.journal(), []);
    assert_eq!(run.kube_writes(), [], "an empty list of boundaries is not believed");
    assert!(!run.health.is_ready());
    run.wait(4 * SETTLED).await;
    assert!(run.health.is_ready());
    assert_eq!(run.reason("orders"), "Propagating");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_the_pass_under_way_finish() {
    let mut run = Run::new();
    run.kube.put(orders("Enforce"));
    // The survey waits four seconds for one of its lists.
    let busy = "{ path: /Microsoft.Web/sites, times: 1, answer: { status: 503, headers: { retry-after: '4' } } }";
    run.arm.add_fault(fault(busy));
    run.start();
    run.wait(Duration::from_secs(1)).await;
    assert_eq!((run.azure_writes().len(), run.reason("orders").as_str()), (0, ""));
    let asked = run.now();
    run.shut_down().await;
    let took = run.now().duration_since(asked);
    assert!(took >= SignedDuration::from_secs(2) && took < SignedDuration::from_secs(10), "{took}");
    assert_eq!(run.azure_writes().len(), 1);
    assert_eq!(run.reason("orders"), "Remediating", "what was done is said");
    let requests = run.kube.journal().len() + run.arm.journal().len();
    run.wait(HOUR).await;
    assert_eq!(run.kube.journal().len() + run.arm.journal().len(), requests, "and then nothing any more");
}

#[tokio::test(start_paused = true)]
async fn a_boundary_that_goes_takes_the_view_with_it_at_once() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "DriftReported");
    run.kube.delete("IdentityBoundary", None, NAMESPACE);
    run.wait(Duration::from_secs(2)).await;
    assert_eq!(run.reason("orders"), "OutsideBoundary");
    assert_eq!(run.policy("orders")["status"].get("findings"), None);
    let looks = run.arm.journal().len();
    run.wait(24 * HOUR).await;
    assert_eq!(run.arm.journal().len(), looks, "what may not be seen is not asked for");
}

#[tokio::test(start_paused = true)]
async fn a_boundary_that_went_while_nobody_watched_is_missed() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    run.kube.set_available(false);
    run.kube.delete("IdentityBoundary", None, NAMESPACE);
    run.kube.set_available(true);
    run.kube.expire_watches();
    run.wait(2 * SETTLED).await;
    assert_eq!(run.reason("orders"), "OutsideBoundary");
}

#[tokio::test(start_paused = true)]
async fn a_run_with_one_policy_is_the_same_every_time() {
    let journals = async || {
        let mut run = Run::new();
        run.kube.put(orders("Enforce"));
        run.start();
        run.wait(3 * HOUR).await;
        run.request("orders", "once more");
        run.wait(HOUR).await;
        run.shut_down().await;
        let mut asked_of_azure = run.arm.journal();
        // The client library draws these at random.
        for request in &mut asked_of_azure {
            request.client_request_id = None;
        }
        format!("{asked_of_azure:#?}\n{:#?}", run.kube.journal())
    };
    let first = journals().await;
    let second = journals().await;
    let difference = first.lines().zip(second.lines()).find(|(first, second)| first != second);
    assert_eq!(difference, None);
    assert_eq!(first.len(), second.len());
}

#[tokio::test(start_paused = true)]
async fn what_others_write_into_an_object_is_no_reason_for_a_pass() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(2 * SETTLED).await;
    let looks = run.arm.journal().len();
    let mut noisy = orders("Report");
    noisy["metadata"]["annotations"] = json!({ "argocd.argoproj.io/tracking-id": "orders" });
    noisy["metadata"]["labels"] = json!({ "team": "payments" });
    run.kube.put(noisy);
    run.kube.put(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": NAMESPACE, "annotations": { "heartbeat": "1" } },
    }));
    run.wait(SETTLED).await;
    assert_eq!(run.arm.journal().len(), looks);
    assert_eq!(run.policy("orders")["metadata"]["deletionTimestamp"], Value::Null);
}
