use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::watcher;

use super::*;

const FINALIZER: &str = "example.dev/cleanup";

struct Context {
    client: kube::Client,
    reconciles: AtomicUsize,
    cleanups: AtomicUsize,
}

/// Publishes the observed generation and comes back in ten minutes.
async fn reconcile(object: Arc<Widget>, context: Arc<Context>) -> kube::Result<Action> {
    context.reconciles.fetch_add(1, Ordering::SeqCst);
    let api: Api<Widget> = Api::namespaced(context.client.clone(), "default");
    apply_status(&api, &object.name_any(), object.metadata.generation.unwrap_or(0)).await?;
    Ok(Action::requeue(Duration::from_secs(600)))
}

async fn reconcile_with_finalizer(object: Arc<Widget>, context: Arc<Context>) -> Result<Action, BoxedFinalizerError> {
    let api: Api<Widget> = Api::namespaced(context.client.clone(), "default");
    let done = finalizer(&api, FINALIZER, object, |event| async {
        match event {
            Event::Apply(object) => reconcile(object, context.clone()).await,
            Event::Cleanup(_) => {
                context.cleanups.fetch_add(1, Ordering::SeqCst);
                Ok(Action::await_change())
            }
        }
    });
    done.await.map_err(Box::new)
}

type BoxedFinalizerError = Box<kube::runtime::finalizer::Error<kube::Error>>;

fn context(sim: &KubeSim) -> Arc<Context> {
    Arc::new(Context { client: sim.client(), reconciles: AtomicUsize::new(0), cleanups: AtomicUsize::new(0) })
}

fn retry<E>(_: Arc<Widget>, _: &E, _: Arc<Context>) -> Action {
    Action::requeue(Duration::from_secs(15))
}

#[tokio::test(start_paused = true)]
async fn a_controller_runs_two_hours_without_looping() {
    let sim = sim();
    sim.put(manifest("small", 1));
    let context = context(&sim);
    let controller = Controller::new(widgets(&sim), watcher::Config::default());
    let run = controller.run(reconcile, retry, context.clone()).for_each(|_| async {});
    assert!(tokio::time::timeout(Duration::from_secs(7200), run).await.is_err(), "a controller does not end");

    // The first, the one its own status change triggers, then one every ten minutes.
    let reconciles = context.reconciles.load(Ordering::SeqCst);
    assert!((12..=14).contains(&reconciles), "{reconciles} reconciles");
    let journal = sim.journal();
    let of = |method: &str| journal.iter().filter(|request| request.method == method).count();
    assert_eq!(of("PATCH"), reconciles);
    // One list, and a watch reopened every 290 seconds.
    assert_eq!(of("GET"), 1 + 25);
    assert_eq!(journal.iter().filter(|request| request.changed).count(), 1, "only the first status moved anything");
    let stored = sim.get("Widget", Some("default"), "small").expect("stored");
    assert_eq!(stored["status"]["observedGeneration"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_controller_follows_changes_through_faults_until_the_object_is_deleted() {
    let sim = sim();
    sim.put(manifest("small", 1));
    let context = context(&sim);
    let controller = Controller::new(widgets(&sim), watcher::Config::default());
    let run = controller.run(reconcile_with_finalizer, retry, context.clone()).for_each(|_| async {});
    let story = async {
        let minutes = async |count: u64| tokio::time::sleep(Duration::from_secs(60 * count)).await;
        minutes(1).await;
        sim.expire_watches();
        sim.put(manifest("small", 2));
        minutes(1).await;
        sim.set_available(false);
        minutes(20).await;
        sim.set_available(true);
        minutes(2).await;
        let stored = sim.get("Widget", Some("default"), "small").expect("held by its finalizer");
        assert_eq!(stored["status"]["observedGeneration"], 2);
        assert_eq!(stored["metadata"]["finalizers"], json!([FINALIZER]));
        sim.drop_watches();
        sim.delete("Widget", Some("default"), "small");
        minutes(1).await;
    };
    tokio::select! {
        () = run => panic!("a controller does not end"),
        () = story => {}
    }
    assert_eq!(sim.get("Widget", Some("default"), "small"), None);
    assert_eq!(context.cleanups.load(Ordering::SeqCst), 1);
}
