//! The operator: watches policies and boundaries, passes each through the pipeline and publishes the result.
//!
//! Chooses nothing about Azure; that is the pipeline's. Kubernetes is written to by `publish` only.

mod health;
mod publish;
mod stores;
mod unpublished;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, channel::mpsc, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        PredicateConfig, WatchStreamExt,
        controller::{self, Action, Controller},
        reflector,
        watcher::{self, Event, watcher},
    },
};

pub use health::{Health, serve};

use self::{
    publish::Publisher,
    stores::Stores,
    unpublished::{PassEnd, Unpublished},
};
use crate::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    clock::Clock,
    model::innermost,
    pipeline::{Intent, Pipeline},
    report,
};

/// The annotation by which people and Flux ask for a pass now.
const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// How old what was read may be when an edited policy is looked at.
const AFTER_AN_EDIT: SignedDuration = SignedDuration::from_secs(10);

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

struct Context {
    pipeline: Pipeline,
    clock: Clock,
    stores: Stores,
    publisher: Publisher,
    unpublished: Unpublished,
}

/// Why a pass was not published. Everything about Azure is in the report instead.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error("status of {policy} could not be written: {source}")]
    Publish {
        policy: String,
        wait: Duration,
        #[source]
        source: Box<kube::Error>,
    },
}

/// Runs until `shutdown` ends, then lets the passes that are under way finish.
pub async fn run(operator: Operator, shutdown: BoxFuture<'static, ()>) {
    let Operator { client, pipeline, clock, concurrency, health, instance } = operator;
    let boundaries = stores::boundaries(Api::<IdentityBoundary>::all(client.clone()));
    let namespaces = stores::namespaces(Api::all(client.clone()));
    let (policies, writer) = reflector::store();
    let started = health.clone();
    let (rivals_changed, rivals_heard) = mpsc::channel(1);
    let (mut seen, mut changed) = (rivals_changed.clone(), rivals_changed);
    let stream = watcher(Api::<FunctionIdentityPolicy>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .inspect(|event| {
            if let Err(error) = event {
                tracing::warn!(error = %innermost(error), "cannot watch policies; are the CRDs installed?");
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
    let publisher = Publisher { client, clock, instance };
    let context = Arc::new(Context { pipeline, clock, stores, publisher, unpublished: Unpublished::default() });
    let waiting = policies.clone();
    let may_act_now = rivals_heard.flat_map(move |()| futures::stream::iter(stores::duplicates(&waiting)));
    let passes = Controller::for_stream(stream, policies)
        .with_config(controller::Config::default().concurrency(concurrency))
        .reconcile_all_on(futures::stream::select(boundaries.changed, namespaces.changed))
        .reconcile_on(may_act_now)
        .graceful_shutdown_on(shutdown.clone())
        .run(reconcile, retry, context)
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

#[tracing::instrument(skip_all, fields(policy = %policy_name(&policy)))]
async fn reconcile(policy: Arc<FunctionIdentityPolicy>, context: Arc<Context>) -> Result<Action, PassError> {
    if policy.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let requested = policy.annotations().get(REQUESTED_AT).map(|token| report::handled_token(token));
    let requested = requested.as_deref();
    if let Some(end) = context.unpublished.of(&policy, requested, context.clock.now()) {
        return publish(&policy, &context, end).await;
    }

    let previous = policy.status.as_ref();
    let handled = previous.map(|status| status.last_handled_reconcile_at.as_str());
    if requested.is_some_and(|requested| Some(requested) != handled) {
        // Whoever asks for a pass has changed something in Azure and wants it seen.
        context.pipeline.refresh(&policy, &context.stores, SignedDuration::ZERO).await;
    } else if previous.is_some_and(|status| {
        status.observed_generation >= 0 && Some(status.observed_generation) != policy.metadata.generation
    }) {
        // An edit is answered from a fresh look, and a thousand edits at once from one.
        context.pipeline.refresh(&policy, &context.stores, AFTER_AN_EDIT).await;
    }
    let duplicate_of = context.stores.acts_instead(&policy);
    let report = context.pipeline.pass(&policy, &context.stores, duplicate_of, Intent::Act).await;

    let now = context.clock.now();
    let status = report::status(previous, &report, requested.or(handled), now);
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    let unsettled_since = ready.map(|condition| condition.last_transition_time.0);
    let namespace = policy.namespace().unwrap_or_default();
    let due = report::next_pass(&report, unsettled_since, now).map(|wait| {
        let wait = report::jitter(wait, &namespace, &policy.name_any());
        now.saturating_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
    });
    publish(&policy, &context, PassEnd { status, due }).await
}

/// Writes the status when it differs, and says when to come back.
async fn publish(policy: &FunctionIdentityPolicy, context: &Context, end: PassEnd) -> Result<Action, PassError> {
    let PassEnd { status, due } = &end;
    if policy.status.as_ref() != Some(status) {
        match context.publisher.status(policy, status).await {
            Ok(()) => {}
            Err(kube::Error::Api(response)) if response.code == 404 => {
                context.unpublished.forget(policy);
                return Ok(Action::await_change());
            }
            Err(source) => {
                let wait = context.unpublished.keep(policy, end);
                return Err(PassError::Publish { policy: policy_name(policy), wait, source: Box::new(source) });
            }
        }
        if let Some((kind, reason, note)) = report::event(policy.status.as_ref(), status) {
            tracing::info!(reason, note, "{}", kind.to_lowercase());
            context.publisher.event(policy, kind, &reason, &note).await;
        }
    }
    context.unpublished.forget(policy);
    Ok(due.map_or_else(Action::await_change, |due| {
        let left = Duration::try_from(due.duration_since(context.clock.now())).unwrap_or_default();
        Action::requeue(left)
    }))
}

fn retry(_: Arc<FunctionIdentityPolicy>, error: &PassError, _: Arc<Context>) -> Action {
    match error {
        PassError::Publish { wait, .. } => Action::requeue(*wait),
    }
}

fn policy_name(policy: &FunctionIdentityPolicy) -> String {
    format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any())
}
