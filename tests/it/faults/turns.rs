//! Writes and their turns.

use std::time::Duration;

use rolecall::{azure::Limits, model::FailureClass::Throttled, sandbox::arm::World};
use serde_json::json;

use super::bench::{Bench, fault, mutating, planned_grant, planned_identity, uploads, world};

#[tokio::test(start_paused = true)]
async fn a_write_with_a_turn_waits_for_nothing() {
    let bench = Bench::new(World { throttling: true, ..world() }, Limits::default());
    let (name, request) = planned_grant();
    let turn = bench.azure.await_write_turn(&request).await.expect("the first");
    // Everything else is used up.
    for _ in 0..189 {
        bench.azure.write(&planned_identity()).await.expect("within the budget");
    }
    let began = tokio::time::Instant::now();
    bench.azure.with_turns(vec![turn]).create_grant(&uploads(), &name, &request).await.expect("its turn");
    assert_eq!(began.elapsed(), Duration::ZERO);
    bench.azure.write(&planned_identity()).await.expect("later");
    assert!(began.elapsed() > Duration::ZERO, "the next one waits");
    assert!(bench.sim.journal().iter().all(|request| request.status != Some(429)));
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_no_write_is_sent_before_its_time_not_even_with_a_turn() {
    let bench = Bench::new(world(), Limits::default());
    let (name, request) = planned_grant();
    let turn = bench.azure.await_write_turn(&request).await.expect("the first");
    let slow_down = json!({"status": 429, "code": "SubscriptionRequestsThrottled", "headers": {"retry-after": "40"}});
    bench.sim.add_fault(fault(&json!({"method": "PATCH", "answer": slow_down})));
    bench.azure.write(&planned_identity()).await.expect_err("refused");
    let failures = [
        bench.azure.with_turns(vec![turn]).create_grant(&uploads(), &name, &request).await.expect_err("void"),
        bench.azure.write(&planned_identity()).await.expect_err("too early"),
        bench.azure.await_write_turn(&request).await.map(drop).expect_err("too early"),
    ];
    for failure in failures {
        assert_eq!((failure.class, failure.code.as_str()), (Throttled, "AwaitsTurn"), "{failure}");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(40)), "{failure}");
    }
    assert_eq!(mutating(&bench.sim.journal()).len(), 1);
    tokio::time::sleep(Duration::from_secs(40)).await;
    bench.azure.create_grant(&uploads(), &name, &request).await.expect("it is time");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_is_no_part_of_the_time_that_a_request_may_take() {
    let limits = Limits { total_timeout: Duration::from_secs(2), ..Limits::default() };
    let bench = Bench::new(world(), limits);
    let slow_down = json!({"status": 429, "code": "SubscriptionRequestsThrottled", "headers": {"retry-after": "4"}});
    bench.sim.add_fault(fault(&json!({"method": "PATCH", "answer": slow_down})));
    bench.azure.write(&planned_identity()).await.expect_err("refused");
    let began = tokio::time::Instant::now();
    bench.azure.write(&planned_identity()).await.expect("in its time");
    assert_eq!(began.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_app_service_makes_nobody_wait() {
    let bench = Bench::new(world(), Limits::default());
    let lock = json!({"status": 429, "body": {"Code": "429", "Message": "Cannot acquire exclusive lock"}});
    bench.sim.add_fault(fault(&json!({"method": "PATCH", "answer": lock})));
    bench.azure.write(&planned_identity()).await.expect_err("locked");
    let began = tokio::time::Instant::now();
    bench.azure.write(&planned_identity()).await.expect("at once");
    assert_eq!(began.elapsed(), Duration::ZERO);
}
