//! An API server that fails: watches that end, answers that are lost, writes that lose a race.

use std::{collections::BTreeSet, time::Duration};

use rolecall::sandbox::kube::{KubeFailure, KubeFault};
use serde_json::json;

use super::run::{POLICY, Run, SETTLED, document, orders};

/// Connections that are refused.
pub fn unavailable(path_contains: &str, times: u32) -> KubeFault {
    KubeFault { method: None, path_contains: path_contains.to_owned(), times, failure: KubeFailure::Unavailable }
}

fn status_write(failure: KubeFailure) -> KubeFault {
    KubeFault { method: Some("PATCH"), path_contains: "/status".to_owned(), times: 1, failure }
}

#[tokio::test(start_paused = true)]
async fn changes_are_seen_after_watches_have_expired_or_were_dropped() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    run.kube.expire_watches();
    let mut gated = orders("Report");
    gated["spec"]["gate"] = json!("Drift");
    run.kube.put(gated);
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "DriftDetected");

    run.kube.drop_watches();
    run.kube.put(orders("Report"));
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "DriftReported");
    assert_eq!(run.events(), ["DriftReported", "DriftDetected", "DriftReported"]);
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_are_no_reason_to_write() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    let writes = run.kube_writes().len();
    for _ in 0..5 {
        run.kube.expire_watches();
        run.wait(SETTLED).await;
        run.kube.drop_watches();
        run.wait(SETTLED).await;
    }
    assert_eq!(run.kube_writes().len(), writes);
}

#[tokio::test(start_paused = true)]
async fn the_operator_goes_on_when_the_api_server_is_back() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    run.kube.set_available(false);
    // Almost as long as the lease.
    run.wait(Duration::from_secs(8 * 60)).await;
    assert!(run.health.is_ready(), "restarting the pod would not bring the API server back");
    run.kube.set_available(true);
    run.kube.put(orders("Enforce"));
    run.wait(2 * SETTLED).await;
    assert_eq!(run.reason("orders"), "Propagating");
    assert_eq!(run.azure_writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_tried_again_and_nobody_is_overwritten() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.kube.fail(status_write(KubeFailure::Status(409)));
    run.start();
    run.wait(Duration::from_secs(1)).await;
    assert_eq!(run.reason("orders"), "");
    assert_eq!(run.events(), Vec::<String>::new(), "what is not in status did not happen");
    run.wait(Duration::from_secs(5)).await;
    assert_eq!(run.reason("orders"), "DriftReported");
    assert_eq!(run.events(), ["DriftReported"]);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_was_computed_from_an_old_version_is_refused() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    // The pass waits two seconds for Azure, and meanwhile the spec changes.
    let busy = "{ path: /Microsoft.Web/sites, times: 1, answer: { status: 503, headers: { retry-after: '2' } } }";
    run.arm.add_fault(serde_saphyr::from_str(busy).expect("a fault"));
    run.start();
    run.wait(Duration::from_secs(1)).await;
    let mut gated = orders("Report");
    gated["spec"]["gate"] = json!("Drift");
    run.kube.put(gated);
    run.wait(SETTLED).await;
    let answers: Vec<_> = run.status_writes().iter().map(|request| request.status).collect();
    assert_eq!(answers, [Some(409), Some(200)]);
    assert_eq!(run.events(), ["DriftDetected"]);
    assert_eq!(run.policy("orders")["status"]["observedGeneration"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_status_write_makes_no_storm() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.kube.fail(status_write(KubeFailure::AnswerLost));
    run.start();
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "DriftReported");
    assert_eq!(run.status_writes().len(), 1, "the watch shows that it was written");
    assert!(run.events().len() <= 1, "{:?}", run.events());
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_is_not_worth_a_second_pass() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.kube.fail(KubeFault {
        method: Some("POST"),
        path_contains: "/events".to_owned(),
        times: 1,
        failure: KubeFailure::Status(403),
    });
    run.start();
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "DriftReported");
    assert_eq!(run.kube_writes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_starts_before_the_crds_waits_for_them() {
    let mut run = Run::without_crds();
    run.start();
    run.wait(Duration::from_secs(3600)).await;
    assert!(!run.health.is_ready());
    run.install_crds();
    run.kube.put(document(include_str!("../../../examples/orders/boundary.yaml")));
    run.kube.put(orders("Report"));
    run.wait(2 * SETTLED).await;
    assert!(run.health.is_ready());
    assert_eq!(run.reason("orders"), "DriftReported");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_deleted_during_its_pass_stays_deleted() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    let busy = "{ path: /Microsoft.Web/sites, times: 1, answer: { status: 503, headers: { retry-after: '2' } } }";
    run.arm.add_fault(serde_saphyr::from_str(busy).expect("a fault"));
    run.start();
    run.wait(Duration::from_secs(1)).await;
    run.kube.delete(POLICY, Some("payments"), "orders");
    run.wait(SETTLED).await;
    assert_eq!(run.kube.get(POLICY, Some("payments"), "orders"), None);
    assert_eq!(run.events(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_never_saw_the_policies_ends_when_told() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.kube.fail(unavailable("/functionidentitypolicies", u32::MAX));
    run.start();
    run.wait(SETTLED).await;
    assert!(!run.health.is_ready());
    let asked = run.now();
    tokio::time::timeout(SETTLED, run.shut_down()).await.expect("it ends");
    assert_eq!(run.now(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_cannot_be_written_repeats_no_pass_and_no_write_to_azure() {
    for refusal in [403, 409, 422, 500] {
        let mut run = Run::new();
        // Azure refuses the write for good, so that each further pass would send it again.
        let fault = r#"{"method": "PUT", "path": "/roleAssignments/", "times": 1000,
            "answer": {"status": 403, "code": "AuthorizationFailed", "message": "no"}}"#;
        run.arm.add_fault(serde_json::from_str(fault).expect("a fault is JSON"));
        run.kube.fail(KubeFault { times: 100, ..status_write(KubeFailure::Status(refusal)) });
        run.kube.put(orders("Enforce"));
        run.start();
        run.wait(Duration::from_secs(14 * 60)).await;
        assert_eq!(run.azure_writes().len(), 1, "with {refusal} for an answer");
        let tries = run.kube.journal().iter().filter(|request| request.subresource.is_some()).count();
        assert!((10..40).contains(&tries), "{tries} tries in 14 minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_could_not_be_written_is_written_when_it_can_be() {
    let mut run = Run::new();
    run.kube.fail(KubeFault { times: 4, ..status_write(KubeFailure::Status(500)) });
    run.kube.put(orders("Report"));
    run.start();
    run.wait(Duration::from_secs(60)).await;
    assert_eq!(run.reason("orders"), "DriftReported");
    assert_eq!(run.events(), ["DriftReported"]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_the_api_server_does_not_find_for_a_moment_is_not_forgotten() {
    let mut run = Run::new();
    // As while the definition is being applied anew.
    run.kube.fail(status_write(KubeFailure::Status(404)));
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "DriftReported");
    assert_eq!(run.events(), ["DriftReported"]);
}

#[tokio::test(start_paused = true)]
async fn what_two_boundaries_lack_is_told_in_the_same_order_by_every_process() {
    let mut notes = BTreeSet::new();
    for _ in 0..8 {
        let mut run = Run::new();
        for name in ["another", "third"] {
            let mut boundary = document(include_str!("../../../examples/orders/boundary.yaml"));
            boundary["metadata"]["name"] = json!(name);
            boundary["spec"]["roles"] = json!([]);
            run.kube.put(boundary);
        }
        let mut own = document(include_str!("../../../examples/orders/boundary.yaml"));
        own["spec"]["roles"] = json!([]);
        run.kube.put(own);
        run.kube.put(orders("Enforce"));
        run.start();
        run.wait(SETTLED).await;
        notes.insert(run.policy("orders")["status"]["plan"]["held"].to_string());
    }
    assert_eq!(notes.len(), 1, "{notes:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_waits_to_be_written_is_not_written_when_the_boundary_is_gone() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.kube.fail(KubeFault { times: 3, ..status_write(KubeFailure::Status(500)) });
    run.start();
    run.wait(Duration::from_secs(3)).await;
    assert_eq!(run.reason("orders"), "", "it is kept, and tried again in seconds");
    run.kube.delete("IdentityBoundary", None, "payments");
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "OutsideBoundary");
    assert_eq!(run.events(), ["OutsideBoundary"], "what was found under the boundary is not told any more");
}
