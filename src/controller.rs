//! The operator: watches policies and boundaries, passes each through the pipeline and publishes the result.
//!
//! Chooses nothing about Azure; that is the pipeline's. Policies are written to by `publish` only, leases by `lease`.

mod departures;
mod health;
mod lease;
mod publish;
mod reconcile;
mod sights;
mod stores;
mod unpublished;

use std::{pin::pin, sync::Arc};

use futures::{FutureExt, StreamExt, channel::mpsc, future::BoxFuture, stream::BoxStream};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        PredicateConfig, WatchStreamExt,
        controller::{self, Controller},
        reflector,
        watcher::{self, Event, watcher},
    },
};
use tokio::{sync::oneshot, task::JoinSet};

pub use health::{Health, serve, serve_metrics};
pub use lease::{Candidate, LEASE_DURATION, Leadership, LeaseLost};
pub use publish::{FINALIZER, set_finalizer};
pub use reconcile::{PassError, Reconciler};
pub use stores::Stores;

use self::{lease::Elector, reconcile::REQUESTED_AT};

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
    /// Which lease decides whether this operator acts, and as whom it runs for it.
    pub candidate: Candidate,
}

/// Runs until `shutdown` ends, then lets the passes that are under way finish and gives the lease up. `Err` when the lease
/// is lost: passes under way are dropped at once, because another operator may act, and whoever called has to end.
pub async fn run(operator: Operator, shutdown: BoxFuture<'static, ()>) -> Result<(), LeaseLost> {
    let (elector, leadership) = Elector::new(operator.client.clone(), operator.candidate.clone(), operator.clock);
    let (synced, may_lead) = oneshot::channel();
    let (done, finished) = oneshot::channel::<()>();
    // A task of its own, because renewals wait for nobody; in a set, because that ends it together with this function.
    let mut election = JoinSet::new();
    election.spawn(async move {
        // Who has not seen everything would only keep the place of one who has. An error: there is nobody to lead.
        if may_lead.await.is_err() {
            return Ok(());
        }
        elector.run(finished.map(drop)).await
    });
    let ended = tokio::select! {
        biased;
        ended = election.join_next() => ended,
        () = act(operator, leadership, synced, shutdown) => {
            drop(done);
            election.join_next().await
        }
    };
    ended.expect("one task was spawned").expect("the elector does not panic")
}

/// Stands by until this process leads, then passes policies until `shutdown`. `synced` is told when it could lead.
async fn act(
    operator: Operator,
    leadership: Leadership,
    synced: oneshot::Sender<()>,
    shutdown: BoxFuture<'static, ()>,
) {
    let Operator { client, pipeline, clock, concurrency, health, instance, candidate: _ } = operator;
    let metrics = pipeline.metrics().clone();
    let boundaries = stores::boundaries(Api::<IdentityBoundary>::all(client.clone()), &metrics);
    let namespaces = stores::namespaces(Api::all(client.clone()), &metrics);
    let (policies, writer) = reflector::store();
    let (rivals_changed, rivals_heard) = mpsc::channel(1);
    let (mut seen, mut changed) = (rivals_changed.clone(), rivals_changed);
    let watched = metrics.clone();
    let mut events = watcher(Api::<FunctionIdentityPolicy>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .inspect(move |event| {
            if let Err(error) = event {
                tracing::warn!(error = %innermost(error), "cannot watch policies; are the CRDs installed?");
                watched.watch_failed("policies");
            }
        })
        .reflect(writer)
        .inspect(move |event| match event {
            Ok(Event::InitDone | Event::Delete(_)) => {
                let _ = seen.try_send(());
            }
            // It may have stood back for one that went while this was being written.
            Ok(Event::Apply(policy)) if stores::stands_back(policy) => {
                let _ = seen.try_send(());
            }
            Ok(Event::Apply(_) | Event::Init | Event::InitApply(_)) | Err(_) => {}
        })
        .boxed();

    // Drivers of the other two stores end with this function.
    let mut drivers = JoinSet::new();
    drivers.spawn(boundaries.driver);
    drivers.spawn(namespaces.driver);
    // A policy passed before its boundary is known would be called outside of it.
    let known = async {
        boundaries.store.wait_until_ready().await.is_ok() && namespaces.store.wait_until_ready().await.is_ok()
    };
    let elected = leadership.clone();
    let standing_by = async {
        known.await.then_some(())?;
        let mut listing = true;
        follow(&mut events, &mut listing, std::future::ready(())).await?;
        health.set_ready();
        tracing::info!("ready");
        // Nobody listens only when this is about to end.
        let _ = synced.send(());
        follow(&mut events, &mut listing, elected.begun()).await
    };
    let shutdown = shutdown.shared();
    tokio::select! {
        leads = standing_by => if leads.is_none() { return },
        () = shutdown.clone() => return,
    }

    // Those that came while we stood by, and then every change.
    let known: Vec<_> = policies.state().into_iter().map(|policy| Ok(Arc::unwrap_or_clone(policy))).collect();
    let stream = futures::stream::iter(known)
        .chain(events.applied_objects())
        .predicate_filter(trigger, PredicateConfig::default())
        .inspect(move |_| {
            let _ = changed.try_send(());
        });
    let stores =
        Stores { policies: policies.clone(), boundaries: boundaries.store, namespaces: namespaces.store, leadership };
    let reconciler = Arc::new(Reconciler::new(client, pipeline, clock, stores, instance));
    // Weakly: the reconciler holds the pipeline, and with it the metrics.
    let tallied = Arc::downgrade(&reconciler);
    metrics.tally_by(move || Some(tallied.upgrade()?.tally()));
    metrics.leading(true);
    let waiting = policies.clone();
    let may_act_now = rivals_heard.flat_map(move |()| futures::stream::iter(stores::duplicates(&waiting)));
    Controller::for_stream(stream, policies)
        .with_config(controller::Config::default().concurrency(concurrency))
        .reconcile_all_on(futures::stream::select(boundaries.changed, namespaces.changed))
        .reconcile_on(may_act_now)
        .graceful_shutdown_on(shutdown)
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
        })
        .await;
    metrics.leading(false);
}

/// Takes events, which fills the store behind them, until `end`; but never leaves in the middle of a list, whose objects
/// are in the store only when it is complete. `listing`: whether one is under way. `None` when the events have ended.
async fn follow<K>(
    events: &mut BoxStream<'static, watcher::Result<Event<K>>>,
    listing: &mut bool,
    end: impl Future<Output = ()>,
) -> Option<()> {
    let mut end = pin!(end.fuse());
    let mut ended = false;
    while !ended || *listing {
        tokio::select! {
            // The end first: whoever leads begins at once, however many events wait.
            biased;
            () = &mut end, if !ended => ended = true,
            event = events.next() => match event? {
                Ok(Event::Init) => *listing = true,
                Ok(Event::InitDone) => *listing = false,
                Ok(Event::InitApply(_) | Event::Apply(_) | Event::Delete(_)) | Err(_) => {}
            },
        }
    }
    Some(())
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

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use tokio::sync::Notify;

    use super::*;

    /// Follows these events until the fourth of them is about to come, and returns how many are left.
    async fn left_before_the_fourth(events: Vec<Event<Namespace>>) -> usize {
        let (fourth, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let reached = fourth.clone();
        let mut left = futures::stream::iter(events)
            .enumerate()
            .map(move |(at, event)| {
                if at == 3 {
                    reached.notify_one();
                }
                Ok(event)
            })
            // One at a time, so that an end is noticed between two of them.
            .then(|event| async {
                tokio::task::yield_now().await;
                event
            })
            .boxed();
        let ends = stop.clone();
        tokio::spawn(async move {
            fourth.notified().await;
            ends.notify_one();
        });
        let mut listing = true;
        follow(&mut left, &mut listing, stop.notified()).await.expect("the events go on");
        assert!(!listing);
        left.count().await
    }

    #[tokio::test]
    async fn a_standby_hands_over_when_it_leads_but_never_in_the_middle_of_a_list() {
        let (start, end) = (|| Event::Init, || Event::InitDone);
        let (listed, changed) = (|| Event::InitApply(Namespace::default()), || Event::Apply(Namespace::default()));
        let between = vec![start(), end(), changed(), changed(), changed(), changed(), changed()];
        assert_eq!(left_before_the_fourth(between).await, 4, "at once");
        let relisting = vec![start(), end(), start(), listed(), listed(), listed(), listed(), end(), changed()];
        assert_eq!(left_before_the_fourth(relisting).await, 1, "at the end of the list");
    }
}
