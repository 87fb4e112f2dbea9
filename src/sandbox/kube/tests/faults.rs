use std::time::Duration;

use futures::StreamExt;
use kube::api::{ListParams, WatchParams};
use kube::runtime::{WatchStreamExt, watcher};

use super::*;
use crate::sandbox::kube::{KubeFailure, KubeFault};

fn fault(method: &'static str, path: &str, failure: KubeFailure) -> KubeFault {
    KubeFault { method: Some(method), path_contains: path.to_owned(), times: 1, failure }
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_told_and_only_where_told() {
    let sim = sim();
    let api = widgets(&sim);
    create(&api, "small").await;
    for code in [500, 409, 403, 404, 429] {
        sim.fail(fault("PATCH", "/small/status", KubeFailure::Status(code)));
        api.get("small").await.expect("another method is not struck");
        assert_eq!(refusal(apply_status(&api, "small", 1).await).0, code);
    }
    apply_status(&api, "small", 1).await.expect("the faults are used up");
}

#[tokio::test]
async fn a_lost_answer_is_carried_out() {
    let sim = sim();
    let api = widgets(&sim);
    sim.fail(fault("POST", "widgets", KubeFailure::AnswerLost));
    assert!(matches!(api.create(&PostParams::default(), &widget("small", 3)).await, Err(kube::Error::Service(_))));
    assert!(sim.get("Widget", Some("default"), "small").is_some());
    let request = sim.journal().pop().expect("a request");
    assert_eq!((request.status, request.mutating, request.changed), (None, true, true));
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_server_resets_watches_and_comes_back() {
    let sim = sim();
    sim.put(manifest("small", 1));
    let api = widgets(&sim);
    let open = api.watch(&WatchParams::default(), "0").await.expect("opened");
    sim.set_available(false);
    let told: Vec<_> = open.collect().await;
    assert!(matches!(told.as_slice(), [Ok(_), Err(kube::Error::ReadEvents(_))]), "{told:?}");
    assert!(matches!(api.list(&ListParams::default()).await, Err(kube::Error::Service(_))));
    assert_eq!(sim.journal().pop().expect("a request").status, None);

    let objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
    let mut objects = objects.filter_map(async |object| object.ok()).boxed();
    assert!(tokio::time::timeout(Duration::from_secs(120), objects.next()).await.is_err());
    sim.set_available(true);
    let seen = objects.next().await.expect("an object");
    assert_eq!(seen.name_any(), "small");
}

#[tokio::test(start_paused = true)]
async fn two_runs_leave_the_same_journal() {
    let run = async || {
        let sim = sim();
        let api = widgets(&sim);
        create(&api, "small").await;
        tokio::time::advance(Duration::from_secs(90)).await;
        apply_status(&api, "small", 1).await.expect("applied");
        (sim.journal(), sim.list("Widget"))
    };
    let (first, second) = (run().await, run().await);
    assert_eq!(first, second);
    assert_eq!(first.0[1].patch.as_deref(), Some("application/apply-patch+yaml"));
    assert_eq!(first.0[1].subresource.as_deref(), Some("status"));
    assert_eq!(first.0[1].at.to_string(), "2027-01-04T09:01:30Z");
}
