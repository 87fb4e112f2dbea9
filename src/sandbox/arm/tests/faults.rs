//! Faults on demand.

use super::*;

fn faulty(fault: Value) -> Bench {
    let fault: Fault = serde_json::from_value(fault).expect("a fault");
    Bench::new(World { faults: vec![fault], ..world() })
}

const ASSIGNMENTS: &str = "/providers/Microsoft.Authorization/roleAssignments";

#[tokio::test(start_paused = true)]
async fn a_status_fault_hits_as_often_and_as_late_as_told() {
    let bench = faulty(json!({
        "method": "GET", "path": "ROLEassignments", "after": 1, "times": 2,
        "answer": {"status": 429, "code": "TooManyRequests", "message": "slow down", "headers": {"retry-after": "7"}},
    }));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let got = bench.get(&format!("{SUBSCRIPTION}{ASSIGNMENTS}")).await;
        let wait = (got.status == 429).then(|| got.header("retry-after")).flatten();
        assert_eq!(wait.as_deref().unwrap_or("7"), "7");
        statuses.push(got.status);
    }
    assert_eq!(statuses, [200, 429, 429, 200]);
    assert_eq!(bench.get(SITE).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_reset_changes_nothing_and_a_lost_answer_hides_a_change() {
    let name = "ab12ab12-0000-4000-8000-0000000000ab";
    let path = grant_path(STORE, name);
    let url = format!("https://management.azure.com{path}?api-version=2022-04-01");
    let body = grant_body(SHARED_PRINCIPAL, BLOB_READER);
    for (answer, effective) in [("reset", false), ("answer-lost", true)] {
        let bench = faulty(json!({"method": "PUT", "path": name, "answer": answer}));
        let error = bench.try_send(Method::Put, &url, Some(&body)).await.err().expect("a broken connection");
        assert_eq!(error.kind(), &azure_core::error::ErrorKind::Io);
        let entry = &bench.sim.journal()[0];
        assert_eq!((entry.effective, entry.status), (effective, None), "{answer}");
        assert_eq!(bench.sim.document(&path).is_some(), effective);
        assert_eq!(bench.get(&path).await.status, if effective { 200 } else { 404 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_waits_on_simulated_time() {
    let bench = faulty(json!({"path": "kv-ledger", "answer": "hang"}));
    let waited = tokio::time::timeout(Duration::from_secs(90), bench.get(VAULT)).await;
    assert!(waited.is_err());
    let before = bench.sim.journal()[0].time;
    assert_eq!(bench.get(VAULT).await.status, 200);
    assert_eq!(bench.sim.journal()[1].time.duration_since(before).as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_come_with_a_good_status() {
    for (answer, start) in [("html", "<html>"), ("half-json", "{\"")] {
        let bench = faulty(json!({"path": "fn-invoice", "answer": answer}));
        let got = bench.get(SITE).await;
        let text = got.body.as_str().expect("no JSON").to_owned();
        assert_eq!(got.status, 200);
        assert!(text.starts_with(start), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_list_ends_with_the_patience_of_the_reader() {
    let bench = faulty(json!({"path": "roleAssignments", "answer": "endless"}));
    let request =
        http::Request::get(format!("https://management.azure.com{SUBSCRIPTION}{ASSIGNMENTS}?api-version=2022-04-01"));
    let request = request.header("authorization", "Bearer x").body(Bytes::new()).unwrap();
    let mut stream = bench.sim.answer(request).await.unwrap().into_body().into_stream();
    let reading = async {
        let mut read = 0;
        while let Some(chunk) = stream.next().await {
            read += chunk.len();
            if read > 1_000_000 {
                return read;
            }
        }
        read
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), reading).await.expect("enough bytes in time") > 1_000_000);
}

#[tokio::test(start_paused = true)]
async fn lists_lie_in_all_the_ways_that_lists_can() {
    let path = format!("{SUBSCRIPTION}{ASSIGNMENTS}");
    let empty = faulty(json!({"path": "roleAssignments", "answer": "empty-list"}));
    assert_eq!(empty.get(&path).await.body, json!({"value": []}));

    let late = faulty(json!({"path": "roleAssignments", "answer": "empty-page"}));
    let first = late.get(&path).await;
    assert_eq!(first.names().len(), 0);
    let link = first.body["nextLink"].as_str().expect("a link");
    assert_eq!(late.try_send(Method::Get, link, None).await.unwrap().names().len(), 3);

    let foreign = faulty(json!({"path": "roleAssignments", "answer": "foreign-next-link"}));
    let got = foreign.get(&path).await;
    assert!(got.body["nextLink"].as_str().expect("a link").starts_with("https://management.example.net/"));

    let torn = faulty(json!({"path": "roleAssignments", "answer": "fail-second-page"}));
    let first = torn.get(&path).await;
    assert_eq!(first.names().len(), 2);
    let link = first.body["nextLink"].as_str().expect("a link");
    assert_eq!(torn.try_send(Method::Get, link, None).await.unwrap().status, 500);
    assert_eq!(torn.try_send(Method::Get, link, None).await.unwrap().names().len(), 1);
}
