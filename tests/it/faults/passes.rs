//! A whole pass in `Enforce` over a world that cannot be read: nothing is written, nothing is called missing, and the
//! exit code says that it cannot be said.

use std::{collections::BTreeMap, time::Duration};

use rolecall::{
    api::{FunctionIdentityPolicy, IdentityBoundary, Mode},
    azure::Limits,
    evaluate::Finding,
    observe::Surveys,
    pipeline::{Intent, Pipeline},
    policy::{Authority, Boundary},
    report::{ExitCode, PassResult, Report},
    sandbox::arm::World,
};
use serde_json::{Value, json};

use super::bench::{
    BLOB_CONTRIBUTOR, Bench, SYSTEM, assignment, example, fault, missing_assignment, mutating, planned_grant, uploads,
    world,
};

const LIMITS: Limits = Limits {
    total_timeout: Duration::from_secs(60),
    write_timeout: Duration::from_secs(9),
    read_retries: 2,
    longest_wait: Duration::from_secs(5),
    max_body: 1024 * 1024,
    max_pages: 7,
};

/// One pass that may write over the example's policy, in mode `Enforce` and within the example's boundary.
pub(super) async fn enforce(bench: &Bench) -> Report {
    let mut policy: FunctionIdentityPolicy = serde_saphyr::from_str(&example("policy.yaml")).expect("a policy");
    policy.spec.mode = Mode::Enforce;
    policy.metadata.generation = Some(4);
    let boundary: IdentityBoundary = serde_saphyr::from_str(&example("boundary.yaml")).expect("a boundary");
    let authority = Authority::Boundaries {
        boundaries: vec![Boundary::from(&boundary)],
        namespaces: BTreeMap::from([("payments".to_owned(), BTreeMap::new())]),
    };
    let surveys = Surveys::new(bench.clock, Duration::from_secs(60));
    Pipeline::new(bench.azure.clone(), surveys, bench.clock).pass(&policy, &authority, None, Intent::Act).await
}

fn findings(report: &Report) -> Vec<&'static str> {
    match &report.finding {
        PassResult::Evaluated(pass) => pass.evaluation.findings.iter().map(Finding::code).collect(),
        other => panic!("the pass came to nothing: {other:?}"),
    }
}

/// The example's world, where one role is missing.
fn drifted() -> Bench {
    Bench::new(world(), LIMITS)
}

/// The same with that role granted: whatever is written here is wrong.
fn compliant() -> Bench {
    let bench = drifted();
    bench.sim.insert(missing_assignment());
    bench
}

/// What the policy's resources are read from.
const RESOURCES: [&str; 3] = ["/microsoft.web/sites", "/userassignedidentities", "/vaults"];
/// What decides access.
const ACCESS: [&str; 4] = ["/roleassignments", "/roledefinitions", "/denyassignments", "/permissions"];

/// Faults that leave nothing to read.
fn whole() -> Vec<Value> {
    vec![
        json!({"status": 401, "code": "ExpiredAuthenticationToken"}),
        json!({"status": 403, "code": "AuthorizationFailed"}),
        json!({"status": 409, "code": "Conflict"}),
        json!({"status": 429, "code": "TooManyRequests"}),
        json!({"status": 429, "code": "TooManyRequests", "headers": {"retry-after": "300"}}),
        json!({"status": 500, "code": "InternalServerError"}),
        json!({"status": 503, "code": "ServerTimeout"}),
        json!({"status": 200, "body": {}}),
        json!({"status": 200, "body": {"value": null}}),
        json!("html"),
        json!("half-json"),
        json!("reset"),
        json!("hang"),
        json!("endless"),
        json!("empty-page"),
    ]
}

/// Faults that begin like a whole list.
fn partial() -> Vec<Value> {
    vec![json!("fail-second-page"), json!("foreign-next-link")]
}

async fn assert_undetermined(bench: &Bench, path: &str, answer: &Value) {
    bench.sim.add_fault(fault(&json!({"method": "GET", "path": path, "times": 1000, "answer": answer})));
    let report = enforce(bench).await;
    assert_eq!(mutating(&bench.sim.journal()), Vec::<String>::new(), "{path} {answer}");
    assert!(!findings(&report).contains(&"role-missing"), "{path} {answer}: {:?}", findings(&report));
    assert_eq!(report.exit_code(), ExitCode::Undetermined, "{path} {answer}: {:?}", findings(&report));
}

#[tokio::test(start_paused = true)]
async fn without_a_fault_the_missing_role_is_found_and_granted_once() {
    let bench = drifted();
    let report = enforce(&bench).await;
    assert_eq!((findings(&report), report.exit_code()), (vec!["role-missing"], ExitCode::Drift));
    assert_eq!(mutating(&bench.sim.journal()), [format!("PUT {}", planned_grant().1.path)]);

    let bench = compliant();
    let report = enforce(&bench).await;
    assert_eq!((findings(&report), report.exit_code()), (vec![], ExitCode::Compliant));
    assert_eq!(mutating(&bench.sim.journal()), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_decides_access_is_not_written_on_when_it_cannot_be_read() {
    for path in ACCESS {
        for answer in whole().into_iter().chain(partial()).chain([json!({"status": 404, "code": "NotFound"})]) {
            assert_undetermined(&drifted(), path, &answer).await;
            assert_undetermined(&compliant(), path, &answer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_cannot_be_read_is_not_written_to() {
    for answer in whole() {
        assert_undetermined(&drifted(), "/microsoft.web/sites", &answer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_cannot_be_read_is_neither_compliant_nor_drifted() {
    for path in RESOURCES {
        for answer in whole() {
            assert_undetermined(&compliant(), path, &answer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_or_a_vault_that_cannot_be_read_holds_up_only_what_depends_on_it() {
    for path in ["/userassignedidentities", "/vaults"] {
        let bench = drifted();
        bench.sim.add_fault(fault(&json!({"path": path, "times": 1000, "answer": {"status": 403, "code": "No"}})));
        let report = enforce(&bench).await;
        assert_eq!(mutating(&bench.sim.journal()), [format!("PUT {}", planned_grant().1.path)], "{path}");
        assert_eq!(report.exit_code(), ExitCode::Drift, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_resources_that_breaks_off_is_made_up_for_by_targeted_reads() {
    for path in RESOURCES {
        for answer in partial() {
            let bench = compliant();
            bench.sim.add_fault(fault(&json!({"path": path, "times": 1000, "answer": answer})));
            assert_eq!(enforce(&bench).await.exit_code(), ExitCode::Compliant, "{path} {answer}");
            assert_eq!(mutating(&bench.sim.journal()), Vec::<String>::new(), "{path} {answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_of_what_we_ourselves_must_be_in_is_not_believed() {
    for path in ["/roleassignments", "/roledefinitions", "/permissions"] {
        assert_undetermined(&drifted(), path, &json!("empty-list")).await;
        assert_undetermined(&compliant(), path, &json!("empty-list")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn groups_that_cannot_be_asked_leave_the_access_undecided() {
    let team = "97e4a400-0005-4000-8000-000000000005";
    let bench = |members: Vec<String>| {
        let mut world: World = world();
        world.groups.insert(team.to_owned(), members);
        let bench = Bench::new(world, LIMITS);
        let name = "a5516e00-0010-4000-8000-000000000000";
        bench.sim.insert(assignment(&uploads(), name, team, "Group", BLOB_CONTRIBUTOR));
        bench
    };
    assert_eq!(enforce(&bench(vec![SYSTEM.to_owned()])).await.exit_code(), ExitCode::Compliant);
    assert_eq!(findings(&enforce(&bench(vec![])).await), ["role-missing"]);
    for answer in whole().into_iter().chain(partial()) {
        for members in [vec![], vec![SYSTEM.to_owned()]] {
            let bench = bench(members);
            // The first list of role assignments is the survey's, the second is the question about groups.
            let words = json!({"path": "/roleassignments", "after": 1, "times": 1000, "answer": answer});
            bench.sim.add_fault(fault(&words));
            let report = enforce(&bench).await;
            assert_eq!(mutating(&bench.sim.journal()), Vec::<String>::new(), "{answer}");
            assert!(!findings(&report).contains(&"role-missing"), "{answer}");
            assert_eq!(report.exit_code(), ExitCode::Undetermined, "{answer}: {:?}", findings(&report));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_just_before_the_write_that_fails_stops_the_write() {
    // The survey lists; only the look before a write reads the app and the assignment by name.
    for path in ["/microsoft.web/sites/func-orders", "/roleassignments/"] {
        for answer in whole() {
            let bench = drifted();
            bench.sim.add_fault(fault(&json!({"method": "GET", "path": path, "times": 1000, "answer": answer})));
            let report = enforce(&bench).await;
            assert_eq!(mutating(&bench.sim.journal()), Vec::<String>::new(), "{path} {answer}");
            assert_eq!(report.exit_code(), ExitCode::Undetermined, "{path} {answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_found_done_by_the_next_pass() {
    for answer in [json!("answer-lost"), json!("reset"), json!({"status": 500, "code": "InternalServerError"})] {
        let bench = drifted();
        bench.sim.add_fault(fault(&json!({"method": "PUT", "answer": answer})));
        assert_eq!(enforce(&bench).await.exit_code(), ExitCode::Undetermined, "{answer}");
        assert_eq!(mutating(&bench.sim.journal()).len(), 1, "{answer}");
        enforce(&bench).await;
        let journal = bench.sim.journal();
        assert_eq!(journal.iter().filter(|request| request.effective).count(), 1, "{answer}");
        let tries = if answer == json!("answer-lost") { 1 } else { 2 };
        assert_eq!(mutating(&journal).len(), tries, "{answer}");
    }
}
