//! Writes: sent exactly once, whatever comes of them.

use rolecall::{
    azure::Limits,
    model::{
        Failure,
        FailureClass::{self, Blocked, Denied, Throttled, Transient, Waiting},
    },
};
use serde_json::{Value, json};

use super::bench::{Bench, app, assert_no_token, fault, mutating, planned_grant, planned_identity, uploads, world};

/// A fault, the class and code of the failure, and whether the change took effect all the same.
fn faults() -> Vec<(Value, FailureClass, &'static str, bool)> {
    let status = |status: u16, code: &str| json!({"status": status, "code": code});
    let told = |status: u16, code: &str| json!({"status": status, "code": code, "headers": {"retry-after": "1"}});
    vec![
        (json!("reset"), Transient, "TransportError", false),
        (json!("answer-lost"), Transient, "TransportError", true),
        (json!("hang"), Transient, "Timeout", false),
        (status(500, "InternalServerError"), Transient, "InternalServerError", false),
        (status(503, "ServerTimeout"), Transient, "ServerTimeout", false),
        (told(503, "ServerTimeout"), Throttled, "ServerTimeout", false),
        (told(429, "TooManyRequests"), Throttled, "TooManyRequests", false),
        (json!({"status": 429, "body": {"Code": "429", "Message": "exclusive lock"}}), Transient, "Http429", false),
        (status(409, "ScopeLocked"), Blocked, "ScopeLocked", false),
        (status(409, "AnotherOperationInProgress"), Transient, "AnotherOperationInProgress", false),
        (status(400, "PrincipalNotFound"), Waiting, "PrincipalNotFound", false),
        (status(400, "RoleAssignmentLimitExceeded"), Blocked, "RoleAssignmentLimitExceeded", false),
        (status(403, "LinkedAuthorizationFailed"), Denied, "LinkedAuthorizationFailed", false),
        (status(400, "RoleAssignmentUpdateNotPermitted"), FailureClass::Bug, "RoleAssignmentUpdateNotPermitted", false),
        (status(403, "RequestDisallowedByPolicy"), Blocked, "RequestDisallowedByPolicy", false),
    ]
}

async fn put(bench: &Bench) -> Result<(), Failure> {
    let (name, request) = planned_grant();
    bench.azure.create_grant(&uploads(), &name, &request).await
}

async fn patch(bench: &Bench) -> Result<(), Failure> {
    bench.azure.write(&planned_identity()).await
}

#[tokio::test(start_paused = true)]
async fn a_put_is_sent_once_whatever_is_answered() {
    let (_, request) = planned_grant();
    for (answer, class, code, effective) in faults() {
        let bench = Bench::new(world(), Limits::default());
        bench.sim.add_fault(fault(&json!({"times": 1000, "answer": answer})));
        let failure = put(&bench).await.expect_err("the fault stays");
        assert_eq!((failure.class, failure.code.as_str()), (class, code), "{answer}: {failure}");
        assert_no_token(&failure);
        let journal = bench.sim.journal();
        assert_eq!(mutating(&journal), [format!("PUT {}", request.path)], "{answer}");
        assert_eq!(journal[0].body, request.body, "{answer}: sent as planned");
        assert_eq!((journal.len(), journal[0].effective), (1, effective), "{answer}");
        assert_eq!(bench.sim.document(&request.path).is_some(), effective, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_sent_once_whatever_is_answered() {
    for (answer, class, code, effective) in faults() {
        let bench = Bench::new(world(), Limits::default());
        bench.sim.add_fault(fault(&json!({"times": 1000, "answer": answer})));
        let failure = patch(&bench).await.expect_err("the fault stays");
        assert_eq!((failure.class, failure.code.as_str()), (class, code), "{answer}: {failure}");
        assert_no_token(&failure);
        let journal = bench.sim.journal();
        assert_eq!(mutating(&journal), [format!("PATCH {}", app())], "{answer}");
        assert_eq!((journal.len(), journal[0].effective), (1, effective), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_fault_both_writes_take_effect() {
    let bench = Bench::new(world(), Limits::default());
    assert_eq!((put(&bench).await, patch(&bench).await), (Ok(()), Ok(())));
    assert!(bench.sim.journal().iter().all(|request| request.effective));
}
