use serde_json::json;

use super::*;
use crate::{catalog::counted::counted, model::Scope};

const BUS: &str = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ServiceBus/namespaces/sb";

fn source(entity: &str) -> Counted {
    counted(&Scope::parse(&format!("{BUS}/{entity}")).unwrap()).unwrap()
}

fn queue() -> Counted {
    source("queues/Orders")
}

fn span() -> Span {
    Span::before("2026-03-02T09:20:00Z".parse().unwrap())
}

/// An answer with one series, as the specification's examples have it. An entity's name comes in lower case.
fn answer(metric: &str, entity: &str, data: &Value) -> Value {
    json!({
        "cost": 14, "timespan": "2026-03-02T09:00:00Z/2026-03-02T09:15:00Z", "interval": "PT5M",
        "namespace": "Microsoft.ServiceBus/namespaces", "resourceregion": "westeurope",
        "value": [{
            "id": format!("{BUS}/providers/Microsoft.Insights/metrics/{metric}"), "type": "Microsoft.Insights/metrics",
            "name": { "value": metric, "localizedValue": metric }, "unit": "Count", "errorCode": "Success",
            "timeseries": [{
                "metadatavalues": [{ "name": { "value": "entityname", "localizedValue": "entityname" }, "value": entity }],
                "data": data,
            }],
        }],
    })
}

fn told(source: &Counted, answer: &Value) -> Option<Work> {
    read(answer, "GET metrics", source, span()).unwrap()
}

fn steps(member: &str, values: [Value; 3]) -> Value {
    let minutes = ["00", "05", "10"].into_iter().zip(values);
    let step =
        |(minute, value): (&str, Value)| json!({ "timeStamp": format!("2026-03-02T09:{minute}:00Z"), member: value });
    minutes.map(step).collect()
}

#[test]
fn what_waited_is_told_where_every_step_was_counted() {
    let waiting = |values| told(&queue(), &answer("ActiveMessages", "orders", &steps("minimum", values)));
    let [two, nine, missing] = [json!(2.0), json!(9.0), Value::Null];
    assert_eq!(waiting([two.clone(), json!(5), nine.clone()]), Some(Work::Waiting { least: 2, last: 9 }));
    assert_eq!(waiting([json!(0.0), nine.clone(), json!(0)]), Some(Work::Waiting { least: 0, last: 0 }));
    assert_eq!(waiting([two.clone(), nine.clone(), missing.clone()]), None, "the last step is late");
    assert_eq!(waiting([missing, nine.clone(), nine]), None, "nobody knows how many waited at first");
    assert_eq!(waiting([two.clone(), json!(-1.0), two]), None, "no count");
}

#[test]
fn what_arrived_is_told_where_something_did_or_nothing_is_missing() {
    let topic = source("topics/news/subscriptions/all");
    let arrived = |values| told(&topic, &answer("IncomingMessages", "news", &steps("total", values)));
    let [four, zero, none] = [json!(4.0), json!(0.0), Value::Null];
    assert_eq!(
        arrived([four.clone(), none.clone(), four.clone()]),
        Some(Work::Arrived(8)),
        "these arrived for certain"
    );
    assert_eq!(arrived([zero.clone(), zero.clone(), zero.clone()]), Some(Work::Arrived(0)));
    assert_eq!(arrived([zero.clone(), zero, none]), None, "that nothing arrived is not certain");
}

#[test]
fn the_counts_of_another_entity_metric_or_time_are_none() {
    let values = || steps("minimum", [json!(2), json!(2), json!(2)]);
    assert_eq!(told(&queue(), &answer("ActiveMessages", "orders-eu", &values())), None);
    assert_eq!(told(&queue(), &answer("DeadletteredMessages", "orders", &values())), None);
    assert_eq!(
        told(&queue(), &answer("ActiveMessages", "orders", &steps("maximum", [json!(2), json!(2), json!(2)]))),
        None
    );
    let mut elsewhen = values();
    elsewhen[2]["timeStamp"] = json!("2026-03-02T09:15:00Z");
    assert_eq!(told(&queue(), &answer("ActiveMessages", "orders", &elsewhen)), None);
    assert_eq!(told(&queue(), &json!({ "value": [] })), None);
    let mut unseen = answer("ActiveMessages", "orders", &values());
    unseen["value"][0]["timeseries"] = json!([]);
    assert_eq!(told(&queue(), &unseen), None);
}

#[test]
fn a_metric_that_failed_alone_and_an_answer_without_metrics_are_failures() {
    let mut failed = answer("ActiveMessages", "orders", &json!([]));
    failed["value"][0]["errorCode"] = json!("Throttled");
    failed["value"][0]["errorMessage"] = json!("Metric query was throttled.");
    let failure = read(&failed, "GET metrics", &queue(), span()).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Transient, "MetricFailed"));
    assert_eq!(failure.text, "GET metrics has no `ActiveMessages`: Throttled: Metric query was throttled");
    let failure = read(&json!({ "data": [] }), "GET metrics", &queue(), span()).unwrap_err();
    assert_eq!(failure.code, "UndecodableAnswer");
}
