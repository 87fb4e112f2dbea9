//! What is counted during incidents: the numbers that a dashboard would show, scraped as Prometheus scrapes them.

use std::{collections::BTreeMap, time::Duration};

use rolecall::{
    metrics::{Metrics, operation},
    sandbox::kube::{KubeFailure, KubeFault},
};
use serde_json::json;

use super::run::{NAMESPACE, POLICY, Run, SETTLED, orders};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Every series of one scrape with its value, in whole numbers. Sums of times are left out.
fn series(metrics: &Metrics) -> BTreeMap<String, u64> {
    let text = metrics.scrape();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_seconds_sum"));
    let parsed = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let whole = value.split('.').next().and_then(|whole| whole.parse().ok());
        (name.to_owned(), whole.unwrap_or_else(|| panic!("a number: {line}")))
    });
    parsed.collect()
}

/// The series of one metric, by their labels.
fn of(run: &Run, metric: &str) -> Vec<(String, u64)> {
    let all = series(&run.metrics).into_iter();
    let own = all.filter_map(|(name, value)| {
        let labels = name.strip_prefix(metric)?;
        (labels.is_empty() || labels.starts_with('{')).then(|| (labels.trim_matches(['{', '}']).to_owned(), value))
    });
    own.collect()
}

/// The value of a metric without labels.
fn value(run: &Run, metric: &str) -> u64 {
    of(run, metric).first().unwrap_or_else(|| panic!("no {metric}")).1
}

fn one(labels: &str, value: u64) -> Vec<(String, u64)> {
    vec![(labels.to_owned(), value)]
}

fn count<T>(requests: &[T]) -> u64 {
    u64::try_from(requests.len()).expect("few")
}

#[tokio::test(start_paused = true)]
async fn a_repair_is_told_from_drift_to_compliant() {
    let mut run = Run::new();
    assert_eq!(value(&run, "rolecall_leader"), 0);
    run.kube.put(orders("Report"));
    run.start();
    run.wait(SETTLED).await;
    assert_eq!(value(&run, "rolecall_leader"), 1);
    assert_eq!(of(&run, "rolecall_policies"), one(r#"ready="True",reason="DriftReported""#, 1));
    assert_eq!(of(&run, "rolecall_findings"), one(r#"code="role-missing""#, 1));
    assert_eq!(of(&run, "rolecall_held_changes"), one(r#"reason="ModeReport""#, 1));
    assert_eq!(of(&run, "rolecall_changes_total"), []);

    run.kube.put(orders("Enforce"));
    run.wait(Duration::from_secs(2)).await;
    assert_eq!(of(&run, "rolecall_policies"), one(r#"ready="Unknown",reason="Remediating""#, 1));
    assert_eq!(of(&run, "rolecall_changes_total"), one(r#"change="GrantRole",outcome="Applied""#, 1));
    assert_eq!(of(&run, "rolecall_held_changes"), []);

    run.wait(HOUR).await;
    assert_eq!(of(&run, "rolecall_policies"), one(r#"ready="True",reason="Compliant""#, 1));
    assert_eq!(of(&run, "rolecall_findings"), []);
    assert_eq!(of(&run, "rolecall_changes_total"), one(r#"change="GrantRole",outcome="Applied""#, 1));
    assert_eq!(of(&run, "rolecall_status_writes_total"), one(r#"outcome="Written""#, count(&run.status_writes())));

    run.shut_down().await;
    assert_eq!(value(&run, "rolecall_leader"), 0);
    assert_eq!(of(&run, "rolecall_policies"), [], "who does not watch any more knows nothing");
}

#[tokio::test(start_paused = true)]
async fn every_request_is_counted_under_an_operation_of_the_table() {
    let mut run = Run::new();
    run.kube.put(orders("Enforce"));
    run.start();
    run.wait(HOUR).await;
    let mut sent: BTreeMap<String, u64> = BTreeMap::new();
    for request in run.arm.journal() {
        let operation = operation(&request.method, &request.path);
        assert_ne!(operation, "other", "{} {}", request.method, request.path);
        let code = request.status.expect("every request was answered");
        *sent.entry(format!(r#"operation="{operation}",code="{code}""#)).or_default() += 1;
    }
    assert!(sent.len() >= 10, "{sent:#?}");
    let counted = of(&run, "rolecall_arm_requests_total").into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(counted, sent);
    let timed: u64 = of(&run, "rolecall_arm_request_duration_seconds_count").iter().map(|(_, times)| times).sum();
    assert_eq!(timed, count(&run.arm.journal()));
}

#[tokio::test(start_paused = true)]
async fn throttling_shows_as_patience_asked_for_and_as_reads_sent_again() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    let sites = r#"operation="GET Microsoft.Web/sites""#;
    // Short enough to wait for within the call, then too long.
    for seconds in [2, 40] {
        let answer =
            json!({ "status": 429, "code": "TooManyRequests", "headers": { "retry-after": seconds.to_string() } });
        let fault = json!({ "path": "/Microsoft.Web/sites", "times": 1, "answer": answer });
        run.arm.add_fault(serde_json::from_value(fault).expect("a fault"));
    }
    run.start();
    run.wait(Duration::from_secs(20)).await;
    assert_eq!(of(&run, "rolecall_arm_throttled_total"), one(sites, 2));
    assert_eq!(of(&run, "rolecall_arm_retries_total"), one(sites, 1));
    let refused = format!(r#"{sites},code="429""#);
    assert!(of(&run, "rolecall_arm_requests_total").contains(&(refused, 2)));
    run.wait(SETTLED).await;
    assert_eq!(of(&run, "rolecall_policies"), one(r#"ready="True",reason="DriftReported""#, 1));
    assert_eq!(of(&run, "rolecall_arm_throttled_total"), one(sites, 2));
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_app_service_is_not_counted_as_throttling_and_a_lost_answer_has_no_code() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    for fault in [
        json!({ "path": "/Microsoft.Web/sites", "times": 1, "answer": { "status": 429, "code": "429" } }),
        json!({ "path": "/Microsoft.KeyVault/vaults", "times": 1, "answer": "answer-lost" }),
        json!({ "path": "/userAssignedIdentities", "times": 1, "answer": "hang" }),
    ] {
        run.arm.add_fault(serde_json::from_value(fault).expect("a fault"));
    }
    run.start();
    run.wait(2 * SETTLED).await;
    assert_eq!(of(&run, "rolecall_arm_throttled_total"), []);
    for lost in ["Microsoft.KeyVault/vaults", "Microsoft.ManagedIdentity/userAssignedIdentities"] {
        let lost = format!(r#"operation="GET {lost}",code="none""#);
        assert!(of(&run, "rolecall_arm_requests_total").contains(&(lost, 1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_goes_takes_its_series_with_it() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    let mut second = orders("Report");
    second["metadata"]["name"] = json!("second");
    second["spec"]["resources"]["app"] = json!("Microsoft.Web/sites/func-absent");
    run.kube.put(second);
    run.start();
    run.wait(SETTLED).await;
    let both = [(r#"ready="False",reason="TargetNotFound""#, 1), (r#"ready="True",reason="DriftReported""#, 1)];
    assert_eq!(of(&run, "rolecall_policies"), both.map(|(labels, count)| (labels.to_owned(), count)));
    run.kube.delete(POLICY, Some(NAMESPACE), "second");
    run.wait(Duration::from_secs(1)).await;
    assert_eq!(of(&run, "rolecall_policies"), one(both[1].0, 1));
    run.kube.delete(POLICY, Some(NAMESPACE), "orders");
    run.wait(Duration::from_secs(1)).await;
    for metric in ["rolecall_policies", "rolecall_findings", "rolecall_held_changes"] {
        assert_eq!(of(&run, metric), [], "{metric}");
    }
    assert_eq!(value(&run, "rolecall_oldest_observation_age_seconds"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_observation_ages_while_azure_cannot_be_read() {
    let age = |run: &Run| value(run, "rolecall_oldest_observation_age_seconds");
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    run.start();
    run.wait(3 * HOUR).await;
    // Status says hourly that it was observed; what counts is the last look, every ten minutes and a bit.
    assert!(age(&run) <= 11 * 60, "{}", age(&run));
    let denied = json!({ "path": "/roleAssignments", "times": 1000, "answer": { "status": 403, "code": "AuthorizationFailed" } });
    run.arm.add_fault(serde_json::from_value(denied).expect("a fault"));
    run.wait(2 * HOUR).await;
    assert_eq!(run.reason("orders"), "Undetermined");
    assert!(age(&run) >= 109 * 60, "{}", age(&run));
    // A policy that may not be looked at has no observation that could be late.
    run.kube.delete("IdentityBoundary", None, NAMESPACE);
    run.wait(MINUTE).await;
    assert_eq!(run.reason("orders"), "OutsideBoundary");
    assert_eq!(age(&run), 0);
}

#[tokio::test(start_paused = true)]
async fn trouble_with_the_api_server_is_counted() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    let status_write =
        |failure| KubeFault { method: Some("PATCH"), path_contains: "/status".to_owned(), times: 1, failure };
    run.kube.fail(status_write(KubeFailure::Status(409)));
    run.kube.fail(status_write(KubeFailure::Status(500)));
    run.kube.fail(super::faults::unavailable("/identityboundaries", 2));
    run.start();
    run.wait(SETTLED).await;
    let outcomes = [(r#"outcome="Conflict""#, 1), (r#"outcome="Failed""#, 1), (r#"outcome="Written""#, 1)];
    let outcomes = outcomes.map(|(labels, count)| (labels.to_owned(), count));
    assert_eq!(of(&run, "rolecall_status_writes_total"), outcomes);
    assert_eq!(of(&run, "rolecall_watch_errors_total"), one(r#"resource="boundaries""#, 2));
    let passes = of(&run, "rolecall_reconcile_duration_seconds_count");
    assert!(passes.contains(&(r#"result="error""#.to_owned(), 2)), "{passes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_policies_with_odd_names_add_no_series_of_their_own() {
    let mut run = Run::new();
    run.kube.put(orders("Report"));
    for number in 0..1000 {
        let mut odd = orders("Report");
        odd["metadata"]["name"] = json!(format!("odd-{number}.{}end", "x.".repeat(number % 60)));
        odd["metadata"]["labels"] = json!({ "team": format!("team-{number}") });
        odd["spec"]["resources"]["app"] = json!(format!("Microsoft.Web/sites/func-{number}"));
        run.kube.put(odd);
    }
    run.start();
    run.wait(2 * SETTLED).await;
    let absent = [(r#"ready="False",reason="TargetNotFound""#, 1000), (r#"ready="True",reason="DriftReported""#, 1)];
    assert_eq!(of(&run, "rolecall_policies"), absent.map(|(labels, count)| (labels.to_owned(), count)));
    let gone = r#"operation="GET Microsoft.Web/sites/{name}",code="404""#.to_owned();
    assert!(of(&run, "rolecall_arm_requests_total").contains(&(gone, 1000)));
    let many = series(&run.metrics);
    assert!(many.len() < 250, "{} series", many.len());
    for name in many.keys() {
        assert!(!name.contains("odd-") && !name.contains("team-") && !name.contains("func-"), "{name}");
    }
}
