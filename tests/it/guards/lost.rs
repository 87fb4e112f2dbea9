//! The answer to a write is lost: whether it took effect is found out by looking, not by writing again.

use std::time::Duration;

use rolecall::{api::Mode, model::FailureClass, report::Situation};
use serde_json::{Value, json};

use super::bench::{Bench, Seen};
use super::documents::{BLOB_CONTRIBUTOR, SYSTEM, app, block, missing, patch, put, uploads};

fn assert_retrying(seen: &Seen) {
    let Situation::Retrying(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Transient, "TransportError"));
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_answer_is_lost_is_not_sent_again() {
    let bench = Bench::new(Mode::Enforce);
    bench.fault(&json!({"method": "PUT", "times": 1, "answer": "answer-lost"}));
    assert_retrying(&bench.act().await);
    assert_eq!(bench.writes(), [put(&missing())]);
    assert_eq!(bench.grants(&uploads(), SYSTEM, BLOB_CONTRIBUTOR).len(), 1);
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_the_lists_do_not_show_yet_is_not_sent_again() {
    let bench = Bench::new(Mode::Enforce);
    bench.fault(&json!({"method": "PUT", "times": 1, "answer": "answer-lost"}));
    let before: Vec<Value> = bench.arm.snapshot();
    let before: Vec<_> =
        before.into_iter().filter(|document| document["type"] == "Microsoft.Authorization/roleAssignments").collect();
    assert_retrying(&bench.act().await);
    // The list of the subscription lags behind; what is read by its name does not.
    let list = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/providers/Microsoft.Authorization/roleAssignments";
    bench.fault(&json!({"method": "GET", "path": list, "times": 1,
                        "answer": {"status": 200, "body": {"value": before}}}));
    let seen = bench.act().await;
    assert_eq!(seen.codes(), ["role-missing"], "the list is believed, and the name is asked");
    assert_eq!(seen.outcomes(), [super::documents::DONE]);
    assert_eq!(bench.writes(), [put(&missing())]);
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn an_identity_write_whose_answer_is_lost_is_not_sent_again() {
    let bench = Bench::with_block(Mode::Enforce, &block(Some(SYSTEM), &[]));
    bench.fault(&json!({"method": "PATCH", "times": 1, "answer": "answer-lost"}));
    assert_retrying(&bench.act().await);
    assert_eq!(bench.writes(), [patch()]);
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn an_identity_write_that_does_not_show_is_left_alone_for_two_minutes() {
    let bench = Bench::with_block(Mode::Enforce, &block(Some(SYSTEM), &[]));
    let old = bench.arm.document(&app()).expect("the app is there");
    bench.fault(&json!({"method": "PATCH", "times": 1, "answer": "answer-lost"}));
    assert_retrying(&bench.act().await);
    for (after, expected) in [(0, 1), (59, 1), (60, 1), (2, 2)] {
        bench.arm.insert(old.clone());
        tokio::time::sleep(Duration::from_secs(after)).await;
        let seen = bench.act().await;
        assert_eq!(bench.writes().len(), expected, "{after}");
        if expected == 1 {
            assert_eq!(seen.outcomes(), ["not sent: the identities of func-orders were written just now"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_arrived_is_sent_by_the_next_pass() {
    let bench = Bench::new(Mode::Enforce);
    bench.fault(&json!({"method": "PUT", "times": 1, "answer": "reset"}));
    assert_retrying(&bench.act().await);
    bench.act().await;
    assert_eq!(bench.writes(), [put(&missing()), put(&missing())]);
    assert_eq!(bench.answers(), [None, Some(201)]);
    bench.assert_settled().await;
}
