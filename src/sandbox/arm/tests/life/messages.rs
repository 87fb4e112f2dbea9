//! What is sent to a function waits in its queue while it is not taken, and Azure Monitor counts it.

use super::*;

/// The metric of a queue in the twenty minutes until now, in steps of five minutes.
async fn asked(sim: &ArmSim, metric: &str, aggregation: &str, filter: &str) -> (u16, Value) {
    let to = sim.clock.now();
    let from = to - Duration::from_mins(20);
    let uri = format!(
        "https://management.azure.com{BUS}/providers/Microsoft.Insights/metrics?api-version=2024-02-01&interval=PT5M\
         &timespan={from}/{to}&metricnames={metric}&aggregation={aggregation}&$filter={filter}"
    );
    let mut request = http::Request::get(uri.replace(' ', "%20")).body(Bytes::new()).expect("a request");
    request.headers_mut().insert("authorization", "Bearer let-me-in".parse().expect("a header"));
    let answer = sim.answer(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let ArmBody::Full(body) = answer.into_body() else { panic!("a body") };
    (status, serde_json::from_slice(&body).expect("JSON"))
}

/// The values of the steps; a step that was not counted has none.
async fn counts(sim: &ArmSim, metric: &str, aggregation: &str) -> Vec<Option<f64>> {
    let (status, body) = asked(sim, metric, aggregation, "EntityName eq 'Orders'").await;
    assert_eq!(status, 200, "{body}");
    let series = &body["value"][0]["timeseries"][0];
    assert_eq!(series["metadatavalues"][0]["value"], "orders");
    series["data"].as_array().expect("steps").iter().map(|step| step[aggregation].as_f64()).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_wait_while_the_listener_does_not_start_and_are_taken_when_it_does() {
    let sim = alive(|world| {
        world["resources"]
            .as_array_mut()
            .expect("resources")
            .retain(|it| !it["id"].as_str().unwrap().contains(GRANTS[1]));
    });
    // For an hour one came every half a minute; the last minutes are not counted yet.
    assert_eq!(counts(&sim, "ActiveMessages", "minimum").await, [Some(83.0), Some(93.0), Some(103.0), Some(113.0)]);
    assert_eq!(counts(&sim, "IncomingMessages", "total").await, [Some(10.0), Some(10.0), Some(10.0), Some(4.0)]);
    sim.insert(granted(BUS, GRANTS[1], SHARED_PRINCIPAL, BUS_RECEIVER));
    minutes(40).await;
    let taken = counts(&sim, "ActiveMessages", "maximum").await;
    assert!(taken.iter().flatten().all(|waiting| *waiting <= 1.0), "{taken:?}");
    assert!(runs(&sim, "orders").0 > 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_function_fails_at_waits_and_to_a_quiet_one_nothing_comes() {
    let failing = alive(|world| {
        world["resources"]
            .as_array_mut()
            .expect("resources")
            .retain(|it| !it["id"].as_str().unwrap().contains(GRANTS[2]));
    });
    assert!(runs(&failing, "orders").1 > 0);
    assert_eq!(counts(&failing, "ActiveMessages", "minimum").await[0], Some(83.0));
    let quiet = alive(|world| world["hosts"][0]["functions"][1]["quiet"] = true.into());
    assert_eq!(runs(&quiet, "orders"), (0, 0));
    let (_, body) = asked(&quiet, "ActiveMessages", "minimum", "EntityName eq 'orders'").await;
    assert_eq!(body["value"][0]["timeseries"], json!([]), "nobody has ever sent anything");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_counted_is_refused_in_the_words_of_the_service() {
    let sim = alive(|_| {});
    let named = "EntityName eq 'orders'";
    let cases = [
        ("PassiveMessages", named, "Failed to find metric configuration for provider: Microsoft.ServiceBus"),
        (
            "ActiveMessages",
            "Queue eq 'orders'",
            "Metric: ActiveMessages does not support requested dimension combination: queue",
        ),
        ("ActiveMessages", "EntityName in ('orders')", "Detect invalid value: EntityName in ('orders')"),
    ];
    for (metric, filter, said) in cases {
        let (status, body) = asked(&sim, metric, "minimum", filter).await;
        assert_eq!((status, &body["code"]), (400, &json!("BadRequest")), "{body}");
        assert!(body["message"].as_str().is_some_and(|text| text.starts_with(said)), "{body}");
    }
    let (status, _) = asked(&sim, "ActiveMessages", "total", named).await;
    assert_eq!(status, 501, "what Azure makes of it is not known");
    sim.set_caller_permissions(Some(vec![permission(SUBSCRIPTION, &["Microsoft.ServiceBus/*/read"])]));
    let (status, body) = asked(&sim, "ActiveMessages", "minimum", named).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("AuthorizationFailed")));
    sim.set_caller_permissions(Some(vec![permission(SUBSCRIPTION, &["Microsoft.Insights/metrics/read"])]));
    sim.remove(BUS);
    let (status, body) = asked(&sim, "ActiveMessages", "minimum", named).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("ResourceNotFound")));
}
