//! Several operators over one cluster and one Azure: one acts. It dies, is cut off, is told to end, is robbed of its
//! lease; the next one acts in time, and nothing is written twice.

use std::time::Duration;

use jiff::SignedDuration;
use rolecall::{
    controller::{Health, LEASE_DURATION, LeaseLost},
    sandbox::kube::{KubeFailure, KubeFault},
};
use serde_json::json;

use super::{
    operators::{One, drift, granted, holder, lease, renewed, since, two, until},
    run::{LEASE, Run, SETTLED, candidate, orders},
    wire::{Line, Wire},
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn of_two_operators_one_acts_and_the_other_is_as_ready() {
    let (run, first, second) = two().await;
    run.wait(HOUR).await;
    assert_eq!(run.reason("orders"), "Compliant");
    assert!(first.health.is_ready() && second.health.is_ready());
    assert!(!first.wire.cluster_writes().is_empty() && !first.wire.azure().is_empty());
    assert_eq!(second.wire.cluster_writes(), Vec::<String>::new(), "a standby says nothing about policies");
    assert_eq!(second.wire.azure(), Vec::<String>::new(), "and asks nothing of Azure");
    assert_eq!(holder(&run), "first");
    assert_eq!(lease(&run)["spec"]["leaseDurationSeconds"], 15);
    assert_eq!(lease(&run)["spec"]["leaseTransitions"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_killed_is_followed_within_twenty_seconds_and_nothing_is_written_twice() {
    let mut longest = SignedDuration::ZERO;
    // Whatever lies between the last renewal, the standby's next look and the end.
    for moment in 0..14 {
        let (run, first, second) = two().await;
        run.wait(Duration::from_millis(650 * moment)).await;
        first.kill().await;
        let killed = run.now();
        drift(&run);
        // Made while nobody leads.
        let mut young = orders("Report");
        young["metadata"]["name"] = json!("a-young-one");
        young["spec"]["resources"]["app"] = json!("Microsoft.Web/sites/func-another");
        run.kube.put(young);
        until(&run, Duration::from_secs(30), "the next one repairs", || !second.wire.azure_writes().is_empty()).await;
        longest = longest.max(since(&run, killed));
        run.wait(SETTLED).await;
        assert_eq!(granted(&run).len(), 2, "one for each time that it was missing");
        assert_eq!(
            (run.reason("orders").as_str(), run.reason("a-young-one").as_str()),
            ("Propagating", "TargetNotFound")
        );
        assert_eq!((holder(&run).as_str(), &lease(&run)["spec"]["leaseTransitions"]), ("second", &json!(1)));
    }
    println!("measured: the longest of 14 failovers took {longest:#} of simulated time");
    assert!(longest < SignedDuration::from_secs(20), "{longest}");
    assert!(longest > SignedDuration::from_secs(13), "{longest}: before the lease of the first was over");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_leader_wrote_without_an_answer_is_not_written_again() {
    let (run, first, second) = two().await;
    drift(&run);
    let lost = r#"{"method": "PUT", "path": "/roleAssignments/", "times": 1, "answer": "answer-lost"}"#;
    run.arm.add_fault(serde_json::from_str(lost).expect("a fault"));
    run.request("orders", "now");
    until(&run, SECOND, "the write is sent", || run.azure_writes().len() == 2).await;
    first.kill().await;
    run.wait(SETTLED).await;
    assert_eq!((holder(&run).as_str(), run.reason("orders").as_str()), ("second", "Propagating"));
    assert!(!second.wire.azure().is_empty());
    assert_eq!(second.wire.azure_writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_reach_the_api_server_ends_before_anybody_may_take_its_lease() {
    for line in [Line::Refused, Line::Silent, Line::SilentToLeases] {
        let (run, first, second) = two().await;
        first.wire.set(line);
        let before = renewed(&run);
        let (lost, wire) = first.lost().await;
        assert_eq!(lost, LeaseLost::NotRenewed { within: Duration::from_secs(13) }, "{line:?}");
        assert_eq!(since(&run, before), SignedDuration::from_secs(13), "{line:?}");
        assert_eq!((holder(&run).as_str(), second.wire.azure().len()), ("first", 0), "{line:?}: and nobody acts yet");
        let (sent, ended) = (wire.sent(), run.now());
        until(&run, Duration::from_secs(10), "the next one acts", || !second.wire.azure().is_empty()).await;
        assert!(since(&run, ended) >= SignedDuration::from_secs(2), "{line:?}");
        wire.set(Line::Open);
        run.wait(HOUR).await;
        assert_eq!(wire.sent(), sent, "{line:?}: nothing is left of the first");
        assert_eq!(granted(&run).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_counts_from_before_it_was_sent_however_late_its_answer() {
    let (run, first, second) = two().await;
    first.wire.set(Line::LateToLeases(Duration::from_millis(2900)));
    run.wait(SETTLED).await;
    assert_eq!((holder(&run).as_str(), second.wire.azure().len()), ("first", 0), "late, and in time");
    first.wire.set(Line::Silent);
    let (lost, _) = first.lost().await;
    assert_eq!(lost, LeaseLost::NotRenewed { within: Duration::from_secs(13) });
    assert_eq!(since(&run, renewed(&run)), SignedDuration::from_secs(13));
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_of_the_api_server_is_survived() {
    let (run, first, _second) = two().await;
    run.kube.set_available(false);
    run.wait(Duration::from_secs(10)).await;
    run.kube.set_available(true);
    run.wait(SETTLED).await;
    assert_eq!(holder(&run), "first");
    assert!(!first.running.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_ends_the_leader_and_whoever_sees_the_api_server_again_leads() {
    let (run, first, second) = two().await;
    run.kube.set_available(false);
    first.lost().await;
    run.wait(HOUR).await;
    assert!(second.health.is_ready(), "restarting a standby would not bring the API server back");
    run.kube.set_available(true);
    drift(&run);
    run.wait(2 * SETTLED).await;
    assert_eq!((holder(&run).as_str(), granted(&run).len()), ("second", 2));
}

/// Puts another name into the lease, as a rogue or a person may.
fn steal(run: &Run) {
    let mut stolen = lease(run);
    stolen["spec"]["holderIdentity"] = json!("a-thief");
    stolen["metadata"] = json!({ "name": LEASE, "namespace": "default" });
    run.kube.put(stolen);
}

#[tokio::test(start_paused = true)]
async fn a_write_in_flight_is_dropped_when_the_lease_is_lost() {
    let run = Run::new();
    run.kube.put(orders("Enforce"));
    let hang = r#"{"method": "PUT", "path": "/roleAssignments/", "times": 1000, "answer": "hang"}"#;
    run.arm.add_fault(serde_json::from_str(hang).expect("a fault"));
    let leader = One::start(&run, "first");
    until(&run, SECOND, "the write is sent", || run.azure_writes().len() == 1).await;
    steal(&run);
    let stolen = run.now();
    let (lost, wire) = leader.lost().await;
    assert_eq!(lost, LeaseLost::Taken { by: "a-thief".to_owned() });
    assert!(since(&run, stolen) < SignedDuration::from_secs(3), "at the next renewal, not when the write is given up");
    let sent = wire.sent();
    run.wait(HOUR).await;
    assert_eq!(wire.sent(), sent, "no further write, and no status either");
    assert_eq!((wire.azure_writes().len(), wire.cluster_writes().len()), (1, 0));
    assert_eq!(holder(&run), "a-thief");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_told_to_end_hands_over_within_three_seconds() {
    for moment in 0..8 {
        let (run, first, second) = two().await;
        run.wait(Duration::from_millis(250 * moment)).await;
        let told = run.now();
        first.shut_down().await;
        assert_eq!((run.now(), holder(&run).as_str()), (told, ""), "nothing was under way");
        until(&run, 3 * SECOND, "the next one acts", || !second.wire.azure().is_empty()).await;
        assert_eq!(holder(&run), "second");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_told_to_end_keeps_its_lease_until_its_pass_has_finished() {
    let (run, first, second) = two().await;
    // The pass waits four seconds for one of its lists.
    drift(&run);
    let busy = "{ path: /Microsoft.Web/sites, times: 1, answer: { status: 503, headers: { retry-after: '4' } } }";
    run.arm.add_fault(serde_saphyr::from_str(busy).expect("a fault"));
    run.request("orders", "now");
    run.wait(SECOND).await;
    let told = run.now();
    first.shut_down().await;
    assert!(since(&run, told) > SignedDuration::from_secs(2), "it waited for its pass");
    assert_eq!((granted(&run).len(), run.reason("orders").as_str()), (2, "Remediating"));
    assert_eq!(second.wire.azure(), Vec::<String>::new());
    run.wait(SETTLED).await;
    assert_eq!((granted(&run).len(), holder(&run).as_str()), (2, "second"));
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_told_to_end_leaves_the_lease_alone() {
    let (run, first, second) = two().await;
    let told = run.now();
    second.shut_down().await;
    assert_eq!((run.now(), holder(&run).as_str()), (told, "first"));
    run.wait(SETTLED).await;
    assert!(!first.running.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_deleted_under_its_leader_is_made_anew_by_it() {
    for moment in 0..10 {
        let (run, first, second) = two().await;
        run.wait(Duration::from_millis(250 * moment)).await;
        run.kube.delete("Lease", Some("default"), LEASE);
        run.wait(3 * SECOND).await;
        assert_eq!(holder(&run), "first");
        run.wait(SETTLED).await;
        assert_eq!((holder(&run).as_str(), second.wire.azure().len()), ("first", 0));
        assert!(!first.running.task.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_write_into_a_lease_stays_and_costs_nobody_the_lead() {
    let (run, first, _second) = two().await;
    for number in 0..5 {
        let mut noted = lease(&run);
        noted["metadata"] =
            json!({ "name": LEASE, "namespace": "default", "annotations": { "note": number.to_string() } });
        run.kube.put(noted);
        run.wait(3 * SECOND).await;
    }
    assert_eq!(lease(&run)["metadata"]["annotations"]["note"], "4");
    assert_eq!(holder(&run), "first");
    assert!(since(&run, renewed(&run)) < SignedDuration::from_secs(3));
    assert!(!first.running.task.is_finished());
}

fn lease_fault(method: &'static str, times: u32, failure: KubeFailure) -> KubeFault {
    KubeFault { method: Some(method), path_contains: "/leases".to_owned(), times, failure }
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_or_refused_cost_nobody_the_lead() {
    let refusals = [409, 404, 429, 500, 503].map(KubeFailure::Status);
    for failure in refusals.into_iter().chain([KubeFailure::AnswerLost]) {
        let (run, first, second) = two().await;
        run.kube.fail(lease_fault("PUT", 2, failure));
        run.wait(SETTLED).await;
        assert_eq!((holder(&run).as_str(), second.wire.azure().len()), ("first", 0), "{failure:?}");
        assert!(!first.running.task.is_finished(), "{failure:?}");
        assert!(since(&run, renewed(&run)) < SignedDuration::from_secs(3), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_claim_whose_answer_was_lost_is_found_and_kept() {
    for failure in [KubeFailure::AnswerLost, KubeFailure::Status(409), KubeFailure::Status(500)] {
        let run = Run::new();
        run.kube.put(orders("Report"));
        run.kube.fail(lease_fault("POST", 1, failure));
        let _first = One::start(&run, "first");
        run.wait(5 * SECOND).await;
        assert_eq!((holder(&run).as_str(), run.reason("orders").as_str()), ("first", "DriftReported"), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_made_yet_is_waited_for() {
    let run = Run::new();
    run.kube.put(orders("Report"));
    let (wire, health) = (Wire::new(), Health::default());
    let mut elsewhere = candidate("first", LEASE_DURATION);
    elsewhere.namespace = "operators".to_owned();
    let running = run.start_as(elsewhere, wire.client(&run.kube), wire.transport(&run.arm), health.clone());
    run.wait(SETTLED).await;
    assert!(health.is_ready() && !running.task.is_finished());
    assert_eq!(wire.azure(), Vec::<String>::new(), "nobody acts without a lease");
    run.kube.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "operators" } }));
    run.wait(3 * SECOND).await;
    assert_eq!(run.reason("orders"), "DriftReported");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_holds_writes_until_the_next_one_succeeds() {
    let (run, first, second) = two().await;
    first.wire.set(Line::SilentToLeases);
    // The last renewal is four seconds old at least: a write would not be over in time.
    run.wait(5 * SECOND).await;
    drift(&run);
    run.request("orders", "now");
    run.wait(SECOND).await;
    assert_eq!(first.wire.azure_writes().len(), 1, "the one from before");
    assert_eq!(run.reason("orders"), "Remediating", "on its way, and nothing to wake anybody for");
    let step = run.policy("orders")["status"]["plan"]["steps"][0]["outcome"].clone();
    assert!(step.as_str().is_some_and(|text| text.starts_with("not sent: the operator's lease")), "{step}");
    first.wire.set(Line::Open);
    run.wait(8 * SECOND).await;
    assert_eq!((holder(&run).as_str(), first.wire.azure_writes().len()), ("first", 2), "tried again within seconds");
    assert_eq!((granted(&run).len(), second.wire.azure().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_single_renewal_that_fails_is_made_up_for_before_a_write_would_be_held() {
    for failure in [KubeFailure::Status(500), KubeFailure::Unavailable] {
        let (run, _first, _second) = two().await;
        for _ in 0..10 {
            run.kube.fail(lease_fault("PUT", 1, failure));
            for _ in 0..80 {
                run.wait(Duration::from_millis(50)).await;
                let age = since(&run, renewed(&run));
                assert!(age < SignedDuration::from_secs(4), "{failure:?}: no write may begin {age} after a renewal");
            }
        }
        assert_eq!(holder(&run), "first");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_held_to_the_end_of_the_lease_is_made_by_the_next_leader() {
    let (run, first, second) = two().await;
    first.wire.set(Line::SilentToLeases);
    run.wait(5 * SECOND).await;
    drift(&run);
    run.request("orders", "now");
    let (_, wire) = first.lost().await;
    run.wait(SETTLED).await;
    assert_eq!((wire.azure_writes().len(), second.wire.azure_writes().len()), (1, 1));
    assert_eq!((granted(&run).len(), run.reason("orders").as_str()), (2, "Propagating"));
}

#[tokio::test(start_paused = true)]
async fn three_operators_that_die_one_after_the_other_do_the_work_of_one() {
    let (run, first, second) = two().await;
    let third = One::start(&run, "third");
    run.wait(SETTLED).await;
    first.kill().await;
    drift(&run);
    run.wait(SETTLED).await;
    let leader = holder(&run);
    let (dies, stays) = if leader == "second" { (second, third) } else { (third, second) };
    dies.kill().await;
    run.arm.remove(&run.azure_writes()[0].path);
    run.wait(SETTLED).await;
    assert_eq!(holder(&run), stays.name);
    assert_eq!((granted(&run).len(), stays.wire.azure_writes().len()), (3, 1));
}
