//! What a subscription allows, and the counters that tell of it.

use super::*;

fn throttled() -> World {
    World { throttling: true, ..world() }
}

/// Every rate header without its common beginning, sorted by name.
fn left(got: &Got) -> Vec<(String, u32)> {
    let headers = got.headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("x-ms-ratelimit-remaining-")?;
        Some((name.to_owned(), value.as_str().parse().expect("a number")))
    });
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    headers
}

#[tokio::test(start_paused = true)]
async fn an_empty_bucket_refuses_until_it_is_refilled() {
    let bench = Bench::new(throttled());
    for _ in 0..250 {
        assert_eq!(bench.get(SITE).await.status, 200);
    }
    let refused = bench.get(SITE).await;
    assert_eq!((refused.status, refused.code()), (429, "SubscriptionRequestsThrottled"));
    assert_eq!(refused.header("retry-after").as_deref(), Some("1"));
    // Writes have a bucket of their own.
    let name = "cd34cd34-0000-4000-8000-0000000000cd";
    assert_eq!(bench.grant(STORE, name, SHARED_PRINCIPAL, BLOB_READER).await.status, 201);
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..25 {
        assert_eq!(bench.get(SITE).await.status, 200);
    }
    assert_eq!(bench.get(SITE).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn answers_count_what_is_left_to_the_caller_and_to_everybody() {
    let bench = Bench::new(throttled());
    // Recorded: 249 and 3749 after the first read, 199 and 2999 after the first write.
    let counters =
        |own: &str, own_left, all: &str, all_left| vec![(all.to_owned(), all_left), (own.to_owned(), own_left)];
    let reads = counters("subscription-reads", 249, "subscription-global-reads", 3749);
    assert_eq!(left(&bench.get(SITE).await), reads);
    let name = "cd34cd34-0000-4000-8000-0000000000cd";
    let writes = counters("subscription-writes", 199, "subscription-global-writes", 2999);
    assert_eq!(left(&bench.grant(STORE, name, SHARED_PRINCIPAL, BLOB_READER).await), writes);
    // Recorded: what changes an app counts the provider's requests in their place.
    let patched = bench.patch(SITE, json!({"identity": {"type": "SystemAssigned"}})).await;
    assert_eq!((patched.status, left(&patched)), (200, vec![("subscription-resource-requests".to_owned(), 499)]));
    // And took one of the writes all the same.
    assert_eq!(left(&bench.grant(STORE, name, SHARED_PRINCIPAL, BLOB_READER).await)[1].1, 197);
}

#[tokio::test(start_paused = true)]
async fn a_world_chooses_the_sizes_of_its_buckets() {
    let bench = Bench::new(World { buckets: Buckets { reads: 20, ..Buckets::default() }, ..throttled() });
    for _ in 0..20 {
        assert_eq!(bench.get(SITE).await.status, 200);
    }
    assert_eq!(bench.get(SITE).await.status, 429);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!((bench.get(SITE).await.status, bench.get(SITE).await.status), (200, 200));
    assert_eq!(bench.get(SITE).await.status, 429, "two a second");
}

#[tokio::test(start_paused = true)]
async fn microsoft_authorization_has_a_limit_of_its_own_where_the_world_says_so() {
    let bench = Bench::new(World { authorization_per_minute: Some(3), ..throttled() });
    let assignments = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments");
    assert_eq!(bench.get(&assignments).await.status, 200);
    tokio::time::advance(Duration::from_secs(55)).await;
    assert_eq!(bench.get(&assignments).await.status, 200);
    let name = "cd34cd34-0000-4000-8000-0000000000cd";
    assert_eq!(bench.grant(STORE, name, SHARED_PRINCIPAL, BLOB_READER).await.status, 201);
    let refused = bench.get(&grant_path(STORE, name)).await;
    assert_eq!((refused.status, refused.code()), (429, "ResourceRequestsThrottled"));
    assert_eq!(
        refused.message(),
        "Number of requests for Microsoft.Authorization exceeded the limit of '3' for time interval '00:01:00'. Please \
         try again after '5' seconds."
    );
    assert_eq!(refused.header("retry-after").as_deref(), Some("5"));
    assert_eq!(bench.get(SITE).await.status, 200, "other providers go on");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(bench.get(&grant_path(STORE, name)).await.status, 200);
}
