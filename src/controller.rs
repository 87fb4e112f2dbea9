//! The operator: watches policies and boundaries, passes each through the pipeline and publishes the result.
//!
//! Chooses nothing about Azure; that is the pipeline's. Kubernetes is written to by `publish` only.

mod health;
mod publish;
mod reconcile;
mod sights;
mod stores;
mod unpublished;

use std::sync::Arc;

use futures::{FutureExt, StreamExt, channel::mpsc, future::BoxFuture};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        PredicateConfig, WatchStreamExt,
        controller::{self, Controller},
        reflector,
        watcher::{self, Event, watcher},
    },
};

pub use health::{Health, serve, serve_metrics};
pub use publish::{FINALIZER, set_finalizer};
pub use reconcile::{PassError, Reconciler};
pub use stores::Stores;

use self::reconcile::REQUESTED_AT;

use crate::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    clock::Clock,
    model::innermost,
    pipeline::Pipeline,
};

/// What the operator is run with.
pub struct Operator {
    /// The cluster.
    pub client: Client,
    /// Azure.
    pub pipeline: Pipeline,
    /// Time.
    pub clock: Clock,
    /// How many policies are passed at once.
    pub concurrency: u16,
    /// Where readiness is reported.
    pub health: Health,
    /// Who writes events: the pod's name.
    pub instance: String,
}

/// Runs until `shutdown` ends, then lets the passes that are under way finish.
pub async fn run(operator: Operator, shutdown: BoxFuture<'static, ()>) {
    let Operator { client, pipeline, clock, concurrency, health, instance } = operator;
    let metrics = pipeline.metrics().clone();
    let boundaries = stores::boundaries(Api::<IdentityBoundary>::all(client.clone()), &metrics);
    let namespaces = stores::namespaces(Api::all(client.clone()), &metrics);
    let (policies, writer) = reflector::store();
    let started = health.clone();
    let (rivals_changed, rivals_heard) = mpsc::channel(1);
    let (mut seen, mut changed) = (rivals_changed.clone(), rivals_changed);
    let watched = metrics.clone();
    let stream = watcher(Api::<FunctionIdentityPolicy>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .inspect(move |event| {
            if let Err(error) = event {
                tracing::warn!(error = %innermost(error), "cannot watch policies; are the CRDs installed?");
                watched.watch_failed("policies");
            }
        })
        .reflect(writer)
        .inspect(move |event| match event {
            Ok(Event::InitDone) => {
                // Not by waiting for the store: the controller does, and a store wakes only one of those who wait.
                if health.set_ready() {
                    tracing::info!("ready");
                }
                let _ = seen.try_send(());
            }
            Ok(Event::Delete(_)) => {
                let _ = seen.try_send(());
            }
            // It may have stood back for one that went while this was being written.
            Ok(Event::Apply(policy)) if stores::stands_back(policy) => {
                let _ = seen.try_send(());
            }
            Ok(Event::Apply(_) | Event::Init | Event::InitApply(_)) | Err(_) => {}
        })
        .applied_objects()
        .predicate_filter(trigger, PredicateConfig::default())
        .inspect(move |_| {
            let _ = changed.try_send(());
        });

    // Drivers of the other two stores end with this function.
    let mut drivers = tokio::task::JoinSet::new();
    drivers.spawn(boundaries.driver);
    drivers.spawn(namespaces.driver);
    // A policy passed before its boundary is known would be called outside of it.
    let synced = async {
        boundaries.store.wait_until_ready().await.is_ok() && namespaces.store.wait_until_ready().await.is_ok()
    };
    let shutdown = shutdown.shared();
    tokio::select! {
        ready = synced => if !ready { return },
        () = shutdown.clone() => return,
    }

    let stores = Stores { policies: policies.clone(), boundaries: boundaries.store, namespaces: namespaces.store };
    let reconciler = Arc::new(Reconciler::new(client, pipeline, clock, stores, instance));
    // Weakly: the reconciler holds the pipeline, and with it the metrics.
    let tallied = Arc::downgrade(&reconciler);
    metrics.tally_by(move || Some(tallied.upgrade()?.tally()));
    metrics.leading(true);
    let waiting = policies.clone();
    let may_act_now = rivals_heard.flat_map(move |()| futures::stream::iter(stores::duplicates(&waiting)));
    let passes = Controller::for_stream(stream, policies)
        .with_config(controller::Config::default().concurrency(concurrency))
        .reconcile_all_on(futures::stream::select(boundaries.changed, namespaces.changed))
        .reconcile_on(may_act_now)
        .graceful_shutdown_on(shutdown.clone())
        .run(
            |policy, reconciler: Arc<Reconciler>| async move { reconciler.timed(&policy).await },
            |_, error: &PassError, _| error.action(),
            reconciler,
        )
        .for_each(|result| async {
            // An object that went away while it was queued is nothing to talk about.
            if let Err(error) = result
                && !matches!(error, controller::Error::ObjectNotFound(_))
            {
                tracing::warn!(error = %innermost(&error), "pass not finished");
            }
        });
    // Without its store the controller has begun no pass, and it waits for the store even when it is to end.
    let stopped_before_the_first_pass = async {
        shutdown.await;
        if started.is_ready() {
            futures::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = passes => {}
        () = stopped_before_the_first_pass => {}
    }
    metrics.leading(false);
}

/// What a reconcile waits for: not the status, which is our own doing.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a predicate")]
fn trigger(policy: &FunctionIdentityPolicy) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let meta = policy.meta();
    meta.generation.hash(&mut hasher);
    meta.deletion_timestamp.as_ref().map(|time| time.0).hash(&mut hasher);
    meta.finalizers.hash(&mut hasher);
    policy.annotations().get(REQUESTED_AT).hash(&mut hasher);
    Some(hasher.finish())
}
