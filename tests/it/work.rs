//! That nothing is invoked while a trigger's source has work: measured where telemetry shows no invocation, and nowhere else.

use std::time::Duration;

use rolecall::{
    evaluate::{Evaluation, Hypothesis, Recovered, recovered},
    model::Reading,
    pipeline::{Intent, Pipeline},
    report::{self, PassResult, Report},
    sandbox::{
        arm::{ArmSim, Fault, Function, World},
        scenario::{self, Scenario},
    },
};
use serde_json::{Value, json};

use crate::azure::{boundaries, pipeline};

const BUS: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/Microsoft.ServiceBus/namespaces/sb-orders";

/// An app whose listener of a queue has not started for an hour.
fn incident() -> Scenario {
    scenario::all().into_iter().find(|it| it.name == "service-bus-role-missing").expect("there is one of that name")
}

/// It runs in that world.
fn started(world: World) -> (ArmSim, Pipeline) {
    let clock = rolecall::clock::Clock::starting_at(world.clock.expect("a scenario's world has a clock"));
    let arm = ArmSim::new(world, clock);
    let pipeline = pipeline(&arm, clock);
    (arm, pipeline)
}

async fn explained(pipeline: &Pipeline) -> Report {
    pipeline.pass(&incident().policy, &boundaries(), None, Intent::Explain).await
}

fn evaluation(report: &Report) -> &Evaluation {
    match &report.finding {
        PassResult::Evaluated(pass) => &pass.evaluation,
        _ => panic!("the policy is evaluated"),
    }
}

/// The queries of the requests for metrics.
fn asked(arm: &ArmSim) -> Vec<String> {
    let is_metric = |path: &str| path == format!("{BUS}/providers/Microsoft.Insights/metrics");
    arm.journal().into_iter().filter(|request| is_metric(&request.path)).map(|request| request.query).collect()
}

/// The signals that tell of no invocation.
fn told(evaluation: &Evaluation) -> Vec<&str> {
    let all = evaluation.signals.iter().filter(|seen| seen.signal.ends_with("nothing-invoked"));
    all.map(|seen| seen.signal.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_are_told_with_their_number_and_asked_for_once_in_five_minutes() {
    let (arm, pipeline) = started(incident().world);
    let report = explained(&pipeline).await;
    let evaluation = evaluation(&report);
    let seen =
        evaluation.signals.iter().find(|seen| seen.signal == "source-active-nothing-invoked").expect("it is told");
    assert_eq!((seen.hypothesis, seen.count, seen.at.as_str()), (Hypothesis::H2, 103, "orders"));
    assert!(seen.ambiguous.as_ref().is_some_and(|other| !other.contains("in which nothing happens")));
    assert_eq!(told(evaluation), ["source-active-nothing-invoked"]);

    let queries = asked(&arm);
    let [query] = queries.as_slice() else { panic!("one request: {queries:?}") };
    assert!(query.contains("timespan=2026-03-02T08%3A40%3A00Z%2F2026-03-02T08%3A55%3A00Z&interval=PT5M"), "{query}");
    assert!(query.contains("metricnames=ActiveMessages&aggregation=minimum"), "{query}");
    assert!(query.ends_with("filter=EntityName+eq+%27orders%27"), "{query}");
    explained(&pipeline).await;
    assert_eq!(asked(&arm).len(), 1, "nothing new can be known");
    tokio::time::advance(Duration::from_secs(301)).await;
    explained(&pipeline).await;
    assert_eq!(asked(&arm).len(), 2);

    let text = report::explanation(&report, &["orders", "-n", "payments"]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let figure = "by Azure Monitor, 2026-03-02T08:40:00Z to 08:55:00Z waiting in `sb-orders/queues/orders`: 103, \
                  never less than 83";
    assert!(words.contains(figure), "{text}");
    insta::with_settings!({ snapshot_path => "snapshots/cli", prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!("explain-with-messages-that-wait", text) });
    let document = report::explanation_json(&report, &["orders"]);
    assert_eq!(
        document["evidence"]["work"],
        json!([{
            "source": format!("{BUS}/queues/orders"), "state": "told", "because": null, "waiting": { "least": 83, "last": 103 },
            "from": "2026-03-02T08:40:00Z", "to": "2026-03-02T08:55:00Z",
        }])
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_empty_or_late_confirms_nothing() {
    let (_, pipeline) = started(incident().world);
    let whole = explained(&pipeline).await;
    let late = |minute: u64| json!({ "timeStamp": format!("2026-03-02T08:{minute}:00Z"), "minimum": (minute < 50).then_some(9.0) });
    let series = json!({
        "metadatavalues": [{ "name": { "value": "entityname" }, "value": "orders" }],
        "data": [late(40), late(45), late(50)],
    });
    let with = |series: Value| {
        let metric = json!({ "name": { "value": "ActiveMessages" }, "errorCode": "Success", "timeseries": series });
        json!({ "status": 200, "body": { "value": [metric] } })
    };
    let cases = [
        (json!({ "status": 403, "code": "AuthorizationFailed" }), "not-available"),
        (json!("empty-list"), "nothing"),
        (with(json!([])), "nothing"),
        (with(json!([series])), "nothing"),
    ];
    for (answer, state) in cases {
        let (arm, pipeline) = started(incident().world);
        let fault = json!({ "path": "/Microsoft.Insights/metrics", "times": 99, "answer": answer });
        arm.add_fault(serde_json::from_value::<Fault>(fault).expect("a fault is JSON"));
        let report = explained(&pipeline).await;
        let partial = evaluation(&report);
        assert_eq!(told(partial), ["nothing-invoked"], "{answer}: what refusals tell remains");
        assert_eq!(partial.decision, evaluation(&whole).decision, "{answer}");
        assert_eq!(partial.findings, evaluation(&whole).findings, "{answer}");
        let work = &report::explanation_json(&report, &["orders"])["evidence"]["work"][0];
        assert_eq!((&work["state"], work.get("waiting")), (&json!(state), None), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_functions_are_invoked_or_no_source_is_counted_nobody_asks() {
    let mut world = incident().world;
    // The queue's function cannot start, and another one runs.
    world.hosts[0].functions[0].quiet = false;
    let (arm, pipeline) = started(world);
    let report = explained(&pipeline).await;
    assert_eq!((told(evaluation(&report)), asked(&arm)), (vec![], vec![]));
    assert_eq!(report::explanation_json(&report, &["orders"])["evidence"]["work"], json!([]));

    let (arm, pipeline) = started(incident().world);
    let mut policy = incident().policy;
    policy.spec.bindings.retain(|binding| binding.name != "incoming");
    let report = pipeline.pass(&policy, &boundaries(), None, Intent::Explain).await;
    assert_eq!(asked(&arm), Vec::<String>::new());
    assert!(report::explanation(&report, &["orders"]).contains("not counted"));
}

#[tokio::test(start_paused = true)]
async fn an_app_in_order_that_was_never_seen_to_take_from_its_queue_cannot_be_said_to_have_recovered() {
    let healthy = scenario::all().into_iter().find(|it| it.name == "healthy").expect("there is one of that name");
    let mut world = World { hosts: incident().world.hosts, ..healthy.world };
    world.resources.extend(incident().world.resources.into_iter().filter(|it| it["name"] == "law-prod"));
    // What the queue's function does is somebody else's, who does not run; this app only looks for uploads.
    let (uploads, incoming): (Vec<Function>, Vec<Function>) =
        world.hosts[0].functions.drain(..).partition(|function| function.name == "uploads");
    let mut other = world.hosts[0].clone();
    world.hosts[0].functions = uploads;
    other.app = format!("{}-gone", other.app);
    other.functions = incoming;
    other.role_name = Some("func-gone".to_owned());
    world.resources.push(json!({ "id": other.app, "properties": { "state": "Stopped" } }));
    world.hosts.push(other);
    let (_, pipeline) = started(world);
    let report = explained(&pipeline).await;
    let evidence = evaluation(&report).evidence.as_ref().and_then(Reading::present).expect("it was read");
    assert!(evidence.recovery.present().is_some_and(|figures| figures.calls > 0 && figures.auth_failures == 0));
    let now = "2026-03-02T09:00:00Z".parse().expect("a time");
    let Recovered::NotSeenServed { source } = recovered(evidence, now) else { panic!("messages wait") };
    assert_eq!(source.name(), "orders");
    assert_eq!(evaluation(&report).decision.cause, None);
    let text = report::explanation(&report, &["orders"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("`sb-orders/queues/orders` has work, and there is no invocation in it"), "{text}");
}
