//! Successes of families that the client does not read: it neither panics nor makes something of them that they are not.

use azure_core::http::Method;
use rolecall::{
    azure::{ErrorFacts, failure_of},
    model::{Failure, FailureClass, Scope, TargetKind},
    plan,
};
use serde_json::Value;

use super::{Category, of, refused::planned_identity, replay::Replay};

const SUBSCRIPTION: &str = "8c9d0e1f-0000-4000-8000-000000000006";

fn assert_undecodable(failure: &Failure, number: u16) {
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Bug, "UndecodableAnswer"), "{number}: {failure}");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_success_read_as_a_list_is_a_list_or_not_understood() {
    let mut lists = 0;
    for recording in of(Category::Others) {
        let azure = Replay::client(recording);
        let entries = recording.documents();
        let listed = azure.sites(SUBSCRIPTION, TargetKind::App).await;
        // Entries without an id, such as those of an activity log of another shape, are not apps.
        if recording.is_list() && entries.iter().all(|entry| entry["id"].is_string()) {
            assert_eq!(listed.expect("a list").len(), entries.len(), "{}", recording.number);
            lists += 1;
        } else {
            assert_undecodable(&listed.expect_err("no list"), recording.number);
        }
        // The bridge must not take an answer that is no list for a list without entries.
        let denies = azure.denies_of_subscription(SUBSCRIPTION).await;
        if !recording.is_list() {
            assert_undecodable(&denies.expect_err("no list"), recording.number);
        }
    }
    if super::recordings().is_some() {
        assert_eq!(lists, LISTS);
    }
}

/// How many of them are lists of things with an id.
const LISTS: usize = 12;

#[tokio::test(start_paused = true)]
async fn a_foreign_success_read_as_a_document_needs_an_id() {
    let scope = Scope::parse(&format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-other")).expect("a scope");
    for recording in of(Category::Others) {
        let read = Replay::client(recording).vault(&scope).await;
        match recording.body.get("id").and_then(Value::as_str) {
            Some(id) => assert_eq!(read.expect("a document").expect("found").id, Scope::lenient(id)),
            None => assert_undecodable(&read.expect_err("no document"), recording.number),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_done_with_whatever_success_says() {
    for recording in of(Category::Others) {
        let (azure, replay) = Replay::of([recording]);
        assert_eq!(azure.write(&planned_identity(plan::Method::Patch)).await, Ok(()), "{}", recording.number);
        assert_eq!(replay.sent().iter().map(|(method, _)| *method).collect::<Vec<_>>(), [Method::Patch]);
    }
}

#[test]
fn a_body_that_is_no_error_envelope_leaves_the_status_as_the_code() {
    for recording in of(Category::Others) {
        let facts = ErrorFacts { status: 500, ..ErrorFacts::default() };
        let failure = failure_of("GET /other", &facts, recording.body.to_string().as_bytes());
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (FailureClass::Transient, "Http500"),
            "{}",
            recording.number
        );
        assert_eq!(failure.text, "GET /other was answered 500 Http500", "{}", recording.number);
    }
}
