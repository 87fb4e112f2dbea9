//! How what is wrong came about, by the activity log.

use rolecall::{
    clock::Clock,
    model::FailureClass,
    pipeline::{Intent, Pipeline},
    report::{Pass, PassResult},
    sandbox::arm::{ArmSim, Fault},
};
use serde_json::json;

use crate::azure::{self, boundaries, policy};

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
const LOG: &str = "/eventtypes/management/values";

fn example() -> (ArmSim, Pipeline, Clock) {
    let (arm, clock) = azure::example();
    let pipeline = azure::pipeline(&arm, clock);
    (arm, pipeline, clock)
}

async fn look(pipeline: &Pipeline) -> Pass {
    match pipeline.pass(&policy(), &boundaries(), None, Intent::Look).await.finding {
        PassResult::Evaluated(pass) => *pass,
        _ => panic!("the policy is evaluated"),
    }
}

/// What the activity log speaks for, as `H2 orders roleAssignments …`.
fn told(pass: &Pass) -> Vec<String> {
    let of_log = pass.explanation.cases.iter().flat_map(|case| {
        let facts = case.confirming.iter().filter(|fact| fact.field == "activity log");
        facts.map(move |fact| format!("{:?} {}", case.hypothesis, fact.value))
    });
    of_log.collect()
}

fn questions(arm: &ArmSim) -> Vec<String> {
    let journal = arm.journal();
    journal.iter().filter(|request| request.path.ends_with(LOG)).map(|request| request.query.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_removal_of_a_grant_is_told_with_its_time_and_nobodys_name() {
    let (arm, pipeline, clock) = example();
    let before = look(&pipeline).await;
    assert_eq!(told(&before), Vec::<String>::new(), "nobody was seen to do anything");
    let bus = "Microsoft.ServiceBus/namespaces/sb-orders/providers";
    let grants = arm.snapshot();
    let grant = grants.iter().find(|it| it["id"].as_str().unwrap().contains(bus)).expect("the namespace has a grant");
    tokio::time::advance(std::time::Duration::from_secs(600)).await;
    let removed = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    arm.remove(grant["id"].as_str().unwrap());
    tokio::time::advance(std::time::Duration::from_secs(600)).await;

    let after = look(&pipeline).await;
    let told = told(&after);
    let [fact] = told.as_slice() else { panic!("one change: {told:?}") };
    let principal = grant["properties"]["principalId"].as_str().unwrap();
    let says = format!("H2 `Azure Service Bus Data Receiver` for principal {principal} was removed at {removed}");
    assert!(fact.starts_with(&says), "{fact}");
    let report = pipeline.pass(&policy(), &boundaries(), None, Intent::Explain).await;
    let text = rolecall::report::explanation(&report, &["orders"]);
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(one_line.contains("for `sb-orders` activity log: `Azure Service Bus Data Receiver`"), "{text}");
    let id = fact.rsplit_once("correlation id ").expect("the change has one").1;
    let command = format!(
        "\n    $ az monitor activity-log list --subscription 11111111-aaaa-4bbb-8ccc-000000000001 --correlation-id {id} \
         --offset 2d --query '[].{{caller:caller,operation:operationName.value,time:eventTimestamp}}'\n"
    );
    assert!(text.contains(&command), "{text}");
    // Neither who did it is asked for, nor anything of it comes into the facts.
    assert!(questions(&arm).iter().all(|query| !query.contains("caller") && !query.contains("claims")));
}

#[tokio::test(start_paused = true)]
async fn the_log_is_asked_about_what_is_wrong_and_shared_like_a_survey() {
    let (arm, pipeline, _) = example();
    look(&pipeline).await;
    look(&pipeline).await;
    let asked = questions(&arm);
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert!(asked[0].contains("resourceProvider") && asked[0].contains("Microsoft.Authorization"), "{asked:#?}");
    arm.edit(&format!("{GROUP}/providers/Microsoft.Web/sites/func-orders"), |app| app["identity"] = json!(null));
    tokio::time::advance(std::time::Duration::from_secs(301)).await;
    let told = told(&look(&pipeline).await);
    assert!(told.iter().any(|it| it.starts_with("H1 `Microsoft.Web/sites/write` at ")), "{told:?}");
    let of_app = questions(&arm).iter().filter(|query| query.contains("func-orders")).count();
    assert_eq!(of_app, 1);
}

#[tokio::test]
async fn a_log_that_refuses_changes_no_word_but_that_it_refuses() {
    let (_, pipeline, _) = example();
    let read = look(&pipeline).await;
    let (arm, pipeline, _) = example();
    let refusal = json!({ "path": LOG, "times": 99, "answer": { "status": 403, "code": "AuthorizationFailed" } });
    arm.add_fault(serde_json::from_value::<Fault>(refusal).unwrap());
    let refused = look(&pipeline).await;
    assert_eq!(refused.evaluation.findings, read.evaluation.findings);
    assert_eq!(refused.evaluation.decision, read.evaluation.decision);
    assert_eq!(refused.plan.steps.len(), read.plan.steps.len());
    let needed: Vec<_> = refused.explanation.cases.iter().flat_map(|case| &case.needed).collect();
    let history = needed.iter().filter(
        |it| matches!(it, rolecall::evaluate::Needed::History(failure) if failure.class == FailureClass::Denied),
    );
    assert_eq!(history.count(), 1, "{needed:#?}");
}
