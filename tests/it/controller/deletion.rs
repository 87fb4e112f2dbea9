//! A policy that is deleted: what was granted for it goes first where it asks for that, and it always goes.

use std::time::Duration;

use rolecall::sandbox::kube::{KubeFailure, KubeFault};
use serde_json::{Value, json};

use super::{
    ownership::{MINUTE, deletions, policy, receivers, run},
    run::{NAMESPACE, POLICY, Run},
};

type Before = fn(&Run);

fn revoking() -> Value {
    let mut policy = policy("orders", true);
    policy["spec"]["deletionPolicy"] = json!("Revoke");
    policy
}

fn finalizers(run: &Run) -> Value {
    run.policy("orders")["metadata"]["finalizers"].clone()
}

fn is_gone(run: &Run) -> bool {
    run.kube.get(POLICY, Some(NAMESPACE), "orders").is_none()
}

fn delete(run: &Run) {
    run.kube.delete(POLICY, Some(NAMESPACE), "orders");
}

/// The policy is there, its grant was made and acts.
async fn settled() -> Run {
    let mut run = run();
    run.kube.put(revoking());
    run.start();
    run.wait(20 * MINUTE).await;
    assert_eq!((run.reason("orders"), receivers(&run).len()), ("Compliant".into(), 1));
    run
}

#[tokio::test(start_paused = true)]
async fn the_finalizer_is_there_before_the_first_grant() {
    let mut run = run();
    run.kube.put(revoking());
    run.start();
    run.wait(MINUTE).await;
    let finalizer = run.kube_writes().into_iter().find(|request| request.subresource.is_none()).expect("a patch");
    let grant = &run.azure_writes()[0];
    assert_eq!(finalizer.body.expect("a body")["metadata"]["finalizers"], json!(["rolecall.dev/revoke"]));
    assert!(finalizer.at <= grant.time);
    assert_eq!(finalizers(&run), json!(["rolecall.dev/revoke"]));
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_that_cannot_be_set_means_no_grant() {
    let mut run = run();
    run.kube.put(revoking());
    run.kube.fail(KubeFault {
        method: Some("PATCH"),
        path_contains: "functionidentitypolicies/orders?".to_owned(),
        times: 2,
        failure: KubeFailure::Status(403),
    });
    run.start();
    run.wait(Duration::from_secs(90)).await;
    assert_eq!((run.azure_writes().len(), run.events()), (0, vec!["FinalizerRefused".to_owned(); 2]));
    run.wait(2 * MINUTE).await;
    assert_eq!((run.azure_writes().len(), finalizers(&run)), (1, json!(["rolecall.dev/revoke"])));
}

#[tokio::test(start_paused = true)]
async fn the_finalizer_follows_mode_and_deletion_policy_and_leaves_others_alone() {
    let run = settled().await;
    let mut foreign = revoking();
    foreign["metadata"]["finalizers"] = json!(["example.com/audit"]);
    run.kube.put(foreign);
    run.wait(MINUTE).await;
    assert_eq!(finalizers(&run), json!(["rolecall.dev/revoke", "example.com/audit"]));
    let turn = |field: &str, value: &str| {
        let mut policy = revoking();
        policy["spec"][field] = json!(value);
        policy
    };
    for (field, value) in [("mode", "Report"), ("deletionPolicy", "Retain")] {
        run.kube.put(turn(field, value));
        run.wait(MINUTE).await;
        assert_eq!(finalizers(&run), json!(["example.com/audit"]), "{field} {value}");
        run.kube.put(revoking());
        run.wait(MINUTE).await;
        assert_eq!(finalizers(&run), json!(["example.com/audit", "rolecall.dev/revoke"]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_goes_before_the_policy() {
    let run = settled().await;
    delete(&run);
    run.wait(MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run), is_gone(&run)), (0, 1, true));
    assert_eq!(run.events().last().map(String::as_str), Some("Revoked"));
}

#[tokio::test(start_paused = true)]
async fn retained_policies_go_at_once_and_change_nothing() {
    let mut run = run();
    run.kube.put(policy("orders", true));
    run.start();
    run.wait(20 * MINUTE).await;
    delete(&run);
    run.wait(Duration::from_secs(1)).await;
    assert_eq!((receivers(&run).len(), deletions(&run), is_gone(&run)), (1, 0, true));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_or_unbounded_policy_is_released_and_says_so() {
    let cases: [(&str, Before); 2] = [
        ("it is suspended", |run| {
            let mut policy = revoking();
            policy["spec"]["suspend"] = json!(true);
            run.kube.put(policy);
        }),
        ("it lies outside of its boundary", |run| run.kube.delete("IdentityBoundary", None, "payments")),
    ];
    for (why, before) in cases {
        let run = settled().await;
        before(&run);
        run.wait(MINUTE).await;
        delete(&run);
        run.wait(MINUTE).await;
        assert_eq!((receivers(&run).len(), deletions(&run), is_gone(&run)), (1, 0, true), "{why}");
        let event = run.kube_writes().into_iter().rfind(|request| request.method == "POST").expect("an event");
        let event = event.body.expect("a body");
        assert_eq!(event["reason"], "RevokeSkipped");
        assert!(event["note"].as_str().is_some_and(|note| note.contains(why)), "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn azure_away_holds_a_deletion_for_a_quarter_of_an_hour() {
    let run = settled().await;
    let away = json!({ "method": "GET", "times": 100_000, "answer": "reset" });
    run.arm.add_fault(serde_json::from_value(away).expect("a fault"));
    delete(&run);
    run.wait(14 * MINUTE).await;
    assert!(!is_gone(&run));
    run.wait(4 * MINUTE).await;
    assert!(is_gone(&run));
    assert_eq!((receivers(&run).len(), run.events().last().map(String::as_str)), (1, Some("RevokeAbandoned")));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_waited_for_the_operator_is_tried_before_it_is_given_up() {
    let mut run = settled().await;
    run.crash();
    delete(&run);
    run.wait(60 * MINUTE).await;
    assert!(!is_gone(&run), "nobody was there to release it");
    run.start();
    run.wait(5 * MINUTE).await;
    assert_eq!((receivers(&run).len(), is_gone(&run)), (0, true));
    assert_eq!(run.events().last().map(String::as_str), Some("Revoked"));
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_the_revocation_ends_the_same() {
    let mut run = settled().await;
    // The finalizer cannot be taken away, so the policy stays after its grant went.
    run.kube.fail(KubeFault {
        method: Some("PATCH"),
        path_contains: "functionidentitypolicies/orders?".to_owned(),
        times: 1000,
        failure: KubeFailure::Unavailable,
    });
    delete(&run);
    run.wait(Duration::from_secs(10)).await;
    assert_eq!((receivers(&run).len(), is_gone(&run)), (0, false));
    run.crash();
    run.start();
    run.wait(60 * MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run), is_gone(&run)), (0, 1, true));
}

#[tokio::test(start_paused = true)]
async fn a_policy_switched_to_report_while_it_is_deleted_keeps_its_grants() {
    let run = settled().await;
    let refused = json!({ "method": "DELETE", "times": 3, "answer": { "status": 503, "code": "ServiceUnavailable" } });
    run.arm.add_fault(serde_json::from_value(refused).expect("a fault"));
    delete(&run);
    run.wait(Duration::from_secs(5)).await;
    let before = deletions(&run);
    let mut report = revoking();
    report["spec"]["mode"] = json!("Report");
    run.kube.put(report);
    run.wait(5 * MINUTE).await;
    assert_eq!((receivers(&run).len(), deletions(&run) - before, is_gone(&run)), (1, 0, true));
}
