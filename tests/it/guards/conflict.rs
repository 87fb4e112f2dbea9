//! Azure answers 409: the grant exists under a name that is not ours. It is looked up, judged by principal, role, scope
//! and condition, and never sent again.

use rolecall::{api::Mode, model::FailureClass, report::Situation};
use serde_json::{Value, json};

use super::bench::{Bench, Seen};
use super::documents::{
    BLOB_CONTRIBUTOR, CONDITIONED, DONE, GROUP, NOTHING, READER, STRANGER, SYSTEM, conditioned, foreign, missing, put,
    storage, uploads,
};

/// Somebody makes these grants while our PUT is under way.
async fn overtaken(documents: &[Value]) -> (Bench, Seen) {
    let bench = Bench::new(Mode::Enforce);
    bench.look().await;
    let inserted = documents.to_vec();
    bench.before("PUT", &missing(), 1, move |arm| inserted.into_iter().for_each(|document| arm.insert(document)));
    let seen = bench.act().await;
    bench.assert_happened();
    assert_eq!(bench.writes(), [put(&missing())]);
    assert_eq!(bench.answers(), [Some(409)]);
    assert_eq!(bench.arm.document(&missing()), None);
    for document in documents {
        assert_eq!(bench.arm.document(document["id"].as_str().unwrap_or_default()).as_ref(), Some(document));
    }
    (bench, seen)
}

fn renamed(mut document: Value, name: &str) -> Value {
    let id = document["id"].as_str().unwrap_or_default();
    let scope = id.rsplit_once('/').map_or("", |(scope, _)| scope);
    document["id"] = format!("{scope}/{name}").into();
    document["name"] = name.into();
    document
}

#[tokio::test(start_paused = true)]
async fn the_same_grant_under_another_name_is_what_was_wanted() {
    let (bench, seen) = overtaken(&[foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR)]).await;
    assert_eq!((seen.outcomes(), &seen.situation), (vec![DONE], &Situation::Remediating));
    bench.assert_settled().await;
    assert_eq!(bench.writes(), [put(&missing())]);
}

#[tokio::test(start_paused = true)]
async fn a_condition_under_another_name_is_left_alone() {
    let document = conditioned(foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR));
    let (bench, seen) = overtaken(std::slice::from_ref(&document)).await;
    assert_eq!(seen.outcomes(), [CONDITIONED]);
    assert_eq!(seen.situation, Situation::Held("ConditionedAssignmentExists"));
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(61)).await;
        bench.act().await;
    }
    assert_eq!(bench.writes(), [put(&missing())], "no pass tries again");
    assert_eq!(bench.grants(&uploads(), SYSTEM, BLOB_CONTRIBUTOR), [document]);
}

#[tokio::test(start_paused = true)]
async fn of_two_the_one_without_a_condition_decides() {
    let open = foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR);
    let narrow = conditioned(renamed(open.clone(), "00000000-0001-4000-8000-000000000000"));
    let (_, seen) = overtaken(&[open, narrow]).await;
    assert_eq!(seen.outcomes(), [DONE]);
}

/// Azure answers 409 whatever there is, and there are these grants.
async fn refused(documents: &[Value]) -> (Bench, Seen) {
    let bench = Bench::new(Mode::Enforce);
    bench.look().await;
    let exists = json!({"status": 409, "code": "RoleAssignmentExists", "message": "The role assignment exists."});
    bench.fault(&json!({"method": "PUT", "times": 1, "answer": exists}));
    let inserted = documents.to_vec();
    bench.before("PUT", &missing(), 1, move |arm| inserted.into_iter().for_each(|document| arm.insert(document)));
    let seen = bench.act().await;
    bench.assert_happened();
    assert_eq!(bench.writes(), [put(&missing())]);
    (bench, seen)
}

fn assert_waiting(seen: &Seen) {
    let Situation::Retrying(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Waiting, "RoleAssignmentExists"));
    let [outcome] = seen.outcomes()[..] else { panic!("{:?}", seen.outcomes()) };
    assert!(outcome.ends_with(", and it is not in the list yet"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_list_does_not_bear_out_is_waited_for() {
    let (bench, seen) = refused(&[]).await;
    assert_waiting(&seen);
    // The fault is over: the next pass makes the grant.
    bench.act().await;
    assert_eq!(bench.writes(), [put(&missing()), put(&missing())]);
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn that_role_at_another_scope_does_not_count() {
    for scope in [storage(), GROUP.to_owned()] {
        assert_waiting(&refused(&[foreign(&scope, SYSTEM, BLOB_CONTRIBUTOR)]).await.1);
        assert_waiting(&refused(&[conditioned(foreign(&scope, SYSTEM, BLOB_CONTRIBUTOR))]).await.1);
    }
}

#[tokio::test(start_paused = true)]
async fn another_role_or_principal_at_that_scope_does_not_count() {
    assert_waiting(&refused(&[foreign(&uploads(), SYSTEM, READER)]).await.1);
    assert_waiting(&refused(&[foreign(&uploads(), STRANGER, BLOB_CONTRIBUTOR)]).await.1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_after_the_answer_is_a_failure() {
    let bench = Bench::new(Mode::Enforce);
    bench.look().await;
    bench.before("PUT", &missing(), 1, |arm| {
        arm.insert(foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR));
        let words = json!({"method": "GET", "path": "/roleAssignments", "times": 3, "answer": {"status": 500}});
        arm.add_fault(serde_json::from_value(words).expect("a fault"));
    });
    let seen = bench.act().await;
    let Situation::Retrying(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
    assert_eq!(failure.class, FailureClass::Transient);
    assert_eq!(bench.writes(), [put(&missing())]);
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_sends_nothing_whatever_there_is() {
    let grant = foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR);
    for document in [grant.clone(), conditioned(grant)] {
        let bench = Bench::new(Mode::DryRun);
        bench.look().await;
        bench.arm.insert(document);
        bench.act().await;
        assert_eq!(bench.writes(), NOTHING);
    }
}
