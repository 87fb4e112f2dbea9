use std::time::Duration;

use futures::{StreamExt, TryStreamExt, pin_mut};
use kube::api::{WatchEvent, WatchParams};
use kube::runtime::watcher;
use tokio::time::{Instant, timeout};

use super::*;

/// Short words for events, so that a test reads as a transcript.
fn told(event: &WatchEvent<Widget>) -> String {
    match event {
        WatchEvent::Added(object) => format!("+{}", object.name_any()),
        WatchEvent::Modified(object) => format!("~{}", object.name_any()),
        WatchEvent::Deleted(object) => format!("-{}", object.name_any()),
        WatchEvent::Bookmark(_) => "bookmark".to_owned(),
        WatchEvent::Error(status) => format!("error {} {}", status.code, status.reason),
    }
}

/// Everything a watch tells until the server ends it.
async fn transcript(api: &Api<Widget>, parameters: WatchParams, from: &str) -> Vec<String> {
    let stream = api.watch(&parameters, from).await.expect("opened");
    stream.map_ok(|event| told(&event)).try_collect().await.expect("no broken line")
}

fn quiet(seconds: u32) -> WatchParams {
    WatchParams::default().timeout(seconds).disable_bookmarks()
}

#[tokio::test(start_paused = true)]
async fn a_watch_replays_what_it_missed_and_ends_in_time() {
    let sim = sim();
    let api = widgets(&sim);
    let first = create(&api, "small").await;
    create(&api, "large").await;
    merge(&api, "small", json!({ "spec": { "size": 9 } })).await.expect("merged");
    sim.delete("Widget", Some("default"), "large");

    let began = Instant::now();
    assert_eq!(transcript(&api, quiet(30), &version(&first)).await, ["+large", "~small", "-large"]);
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert_eq!(transcript(&api, quiet(30), "0").await, ["+small"]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_gets_a_bookmark_a_minute_and_one_at_the_end() {
    let api = widgets(&sim());
    let told = transcript(&api, WatchParams::default().timeout(150), "0").await;
    assert_eq!(told, ["bookmark", "bookmark", "bookmark"]);
}

#[tokio::test(start_paused = true)]
async fn streaming_lists_mark_the_end_of_the_beginning() {
    let sim = sim();
    sim.put(manifest("small", 1));
    let told = transcript(&widgets(&sim), WatchParams::default().timeout(10).initial_events(), "0").await;
    assert_eq!(told, ["+small", "bookmark", "bookmark"]);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_write_is_told_to_nobody() {
    let sim = sim();
    let api = widgets(&sim);
    let created = create(&api, "small").await;
    for _ in 0..5 {
        apply_status(&api, "small", 1).await.expect("applied");
    }
    assert_eq!(transcript(&api, quiet(10), &version(&created)).await, ["~small"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_leaves_the_selection_is_deleted_for_the_watch() {
    let sim = sim();
    let api = widgets(&sim);
    let created = create(&api, "small").await;
    for team in ["blue", "green"] {
        merge(&api, "small", json!({ "metadata": { "labels": { "team": team } } })).await.expect("merged");
    }
    let told = transcript(&api, quiet(10).labels("team=blue"), &version(&created)).await;
    assert_eq!(told, ["+small", "-small"]);
}

#[tokio::test(start_paused = true)]
async fn removal_of_the_last_finalizer_is_told_as_a_deletion_only() {
    let sim = sim();
    let api = widgets(&sim);
    create(&api, "small").await;
    let held = merge(&api, "small", json!({ "metadata": { "finalizers": ["example.dev/a"] } })).await.expect("merged");
    sim.delete("Widget", Some("default"), "small");
    merge(&api, "small", json!({ "metadata": { "finalizers": [] } })).await.expect("merged");
    assert_eq!(transcript(&api, quiet(10), &version(&held)).await, ["~small", "-small"]);
}

#[tokio::test(start_paused = true)]
async fn expired_watches_are_told_410_and_so_are_old_versions() {
    let sim = sim();
    let api = widgets(&sim);
    let created = create(&api, "small").await;
    let open = api.watch(&quiet(200), &version(&created)).await.expect("opened");
    sim.expire_watches();
    let told: Vec<String> = open.map_ok(|event| told(&event)).try_collect().await.expect("no broken line");
    assert_eq!(told, ["error 410 Expired"]);
    assert_eq!(transcript(&api, quiet(10), &version(&created)).await, ["error 410 Expired"]);

    let listed = api.list(&kube::api::ListParams::default()).await.expect("listed");
    let now = listed.metadata.resource_version.expect("lists have a version");
    assert_eq!(transcript(&api, quiet(10), &now).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_overflows_is_410_as_well() {
    let sim = sim();
    let api = widgets(&sim);
    let created = create(&api, "small").await;
    for size in 10..1100 {
        sim.put(manifest("small", size));
    }
    assert_eq!(transcript(&api, quiet(10), &version(&created)).await, ["error 410 Expired"]);
}

#[tokio::test(start_paused = true)]
async fn the_watcher_survives_dropped_and_expired_watches() {
    let sim = sim();
    sim.put(manifest("small", 1));
    let events = watcher(widgets(&sim), watcher::Config::default());
    pin_mut!(events);
    let mut seen = Vec::new();
    let mut until_silence = async |seen: &mut Vec<String>| {
        while let Ok(Some(event)) = timeout(Duration::from_secs(5), events.next()).await {
            seen.push(match event {
                Ok(watcher::Event::Apply(object)) => format!("apply {}", object.spec.size),
                Ok(watcher::Event::InitApply(object)) => format!("init {}", object.spec.size),
                Ok(watcher::Event::Delete(_)) => "delete".to_owned(),
                Ok(watcher::Event::Init | watcher::Event::InitDone) => continue,
                Err(_) => "error".to_owned(),
            });
        }
    };
    until_silence(&mut seen).await;
    sim.drop_watches();
    sim.put(manifest("small", 2));
    until_silence(&mut seen).await;
    sim.expire_watches();
    sim.put(manifest("small", 3));
    until_silence(&mut seen).await;
    sim.delete("Widget", Some("default"), "small");
    until_silence(&mut seen).await;
    assert_eq!(seen, ["init 1", "apply 2", "error", "init 3", "delete"]);
}
