//! Two policies about one app, without anything else happening in the cluster.

use std::time::Duration;

use serde_json::{Value, json};

use super::run::{NAMESPACE, POLICY, Run, SETTLED, orders};

fn named(name: &str) -> Value {
    let mut policy = orders("Report");
    policy["metadata"]["name"] = json!(name);
    // No sweep comes within these tests.
    policy["spec"]["interval"] = json!("100h");
    policy
}

async fn rivals() -> Run {
    let mut run = Run::new();
    run.kube.put(named("older"));
    run.start();
    run.wait(SETTLED).await;
    run.kube.put(named("a-younger"));
    run.wait(SETTLED).await;
    assert_eq!((run.reason("older"), run.reason("a-younger")), ("DriftReported".into(), "DuplicateTarget".into()));
    run
}

#[tokio::test(start_paused = true)]
async fn the_younger_takes_over_when_the_older_is_deleted() {
    let run = rivals().await;
    run.kube.delete(POLICY, Some(NAMESPACE), "older");
    run.wait(Duration::from_secs(2)).await;
    assert_eq!(run.reason("a-younger"), "DriftReported");
}

#[tokio::test(start_paused = true)]
async fn the_younger_takes_over_when_the_older_turns_to_another_app() {
    let run = rivals().await;
    let mut turned = named("older");
    turned["spec"]["resources"]["app"] = json!("Microsoft.Web/sites/func-another");
    run.kube.put(turned);
    run.wait(Duration::from_secs(2)).await;
    assert_eq!(run.reason("a-younger"), "DriftReported");
}

#[tokio::test(start_paused = true)]
async fn the_younger_takes_over_when_the_older_went_while_nobody_watched() {
    let run = rivals().await;
    run.kube.set_available(false);
    run.kube.delete(POLICY, Some(NAMESPACE), "older");
    run.kube.set_available(true);
    run.kube.expire_watches();
    run.wait(2 * SETTLED).await;
    assert_eq!(run.reason("a-younger"), "DriftReported");
}

#[tokio::test(start_paused = true)]
async fn standing_back_is_quiet() {
    let run = rivals().await;
    let (writes, looks) = (run.kube_writes().len(), run.arm.journal().len());
    run.wait(8 * SETTLED).await;
    assert_eq!((run.kube_writes().len(), run.arm.journal().len()), (writes, looks));
}
