//! What is known of the cluster without asking: policies, boundaries, namespaces.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::{
    StreamExt,
    channel::mpsc,
    future::{BoxFuture, FutureExt},
    stream::BoxStream,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher::{self, Event, watcher},
    },
};

use super::lease::Leadership;
use crate::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    metrics::Metrics,
    model::innermost,
    pipeline::Leave,
    policy::{Authority, Boundary, Policy, acts_instead},
};

/// The stores that a pass looks into.
pub struct Stores {
    /// Every policy.
    pub policies: Store<FunctionIdentityPolicy>,
    /// Every boundary.
    pub boundaries: Store<IdentityBoundary>,
    /// Every namespace.
    pub namespaces: Store<Namespace>,
    /// Whether this process acts, or another one.
    pub leadership: Leadership,
}

impl Leave for Stores {
    fn authority(&self) -> Authority {
        // By name, because the store has an order of its own in every process: the refusals of several boundaries are
        // told together, and a status must not be written anew for their order.
        let mut boundaries = self.boundaries.state();
        boundaries.sort_by_key(|boundary| boundary.name_any());
        let boundaries = boundaries.iter().map(|boundary| Boundary::from(&**boundary)).collect();
        let labels = |namespace: &Namespace| (namespace.name_any(), namespace.labels().clone());
        let namespaces = self.namespaces.state().iter().map(|namespace| labels(namespace)).collect();
        Authority::Boundaries { boundaries, namespaces }
    }

    fn is_current(&self, object: &FunctionIdentityPolicy) -> bool {
        self.policies.get(&ObjectRef::from_obj(object)).is_some_and(|now| {
            now.metadata.generation == object.metadata.generation
                && now.metadata.uid == object.metadata.uid
                && now.metadata.deletion_timestamp == object.metadata.deletion_timestamp
        })
    }

    fn policies(&self) -> Option<Vec<Arc<FunctionIdentityPolicy>>> {
        // No pass begins before the store is synced.
        Some(self.policies.state())
    }

    fn may_write(&self, longest: Duration) -> bool {
        self.leadership.permits(longest)
    }
}

impl Stores {
    /// What a pass over the policy rests on besides Azure: what its boundaries allow, and who acts in its place. To be
    /// compared, not read.
    pub(super) fn ground(&self, policy: &FunctionIdentityPolicy, acts_instead: Option<&str>) -> String {
        let verdict = Policy::parse(policy).map(|parsed| self.authority().verdict(&parsed)).ok();
        format!("{acts_instead:?} {verdict:?}")
    }

    /// The policy that acts instead of this one, if one does.
    pub(super) fn acts_instead(&self, policy: &FunctionIdentityPolicy) -> Option<String> {
        let all = self.policies.state();
        acts_instead(policy, all.iter().map(|other| &**other), &self.authority())
    }
}

/// Whether the policy last stood back for another one. When that one changes or goes, this one may be the oldest.
pub(super) fn stands_back(policy: &FunctionIdentityPolicy) -> bool {
    let ready = policy.status.as_ref().and_then(|status| status.condition("Ready"));
    ready.is_some_and(|ready| ready.reason == "DuplicateTarget")
}

/// The policies that stand back.
pub(super) fn duplicates(policies: &Store<FunctionIdentityPolicy>) -> Vec<ObjectRef<FunctionIdentityPolicy>> {
    policies.state().iter().filter(|policy| stands_back(policy)).map(|policy| ObjectRef::from_obj(&**policy)).collect()
}

/// A store, what fills it, and a signal for each change that could matter to policies.
pub(super) struct Watched<K: kube::Resource<DynamicType = ()> + 'static> {
    pub(super) store: Store<K>,
    pub(super) driver: BoxFuture<'static, ()>,
    pub(super) changed: BoxStream<'static, ()>,
}

pub(super) fn boundaries(api: Api<IdentityBoundary>, metrics: &Metrics) -> Watched<IdentityBoundary> {
    watched(api, "boundaries", metrics.clone())
}

pub(super) fn namespaces(api: Api<Namespace>, metrics: &Metrics) -> Watched<Namespace> {
    watched(api, "namespaces", metrics.clone())
}

fn watched<K>(api: Api<K>, what: &'static str, metrics: Metrics) -> Watched<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (mut signal, changed) = mpsc::channel(1);
    let (reader, mut known) = (store.clone(), None);
    let driver = watcher(api, watcher::Config::default())
        .default_backoff()
        .inspect(move |event| {
            if let Err(error) = event {
                tracing::warn!(error = %innermost(error), "cannot watch {what}");
                metrics.watch_failed(what);
            }
        })
        .reflect(writer)
        .for_each(move |event| {
            // Of a list the store shows nothing before `InitDone`.
            if let Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) = event {
                let now = fingerprint(&reader);
                if known.replace(now) != Some(now) {
                    // A signal that is still waiting says the same.
                    let _ = signal.try_send(());
                }
            }
            futures::future::ready(())
        })
        .boxed();
    Watched { store, driver, changed: changed.boxed() }
}

/// What of the objects can matter to policies. Not by event, because an object that is gone differs in nothing from
/// what it was, and one that went while nobody watched has no event at all. Heartbeats and annotations of namespaces
/// are no reason to look at Azure.
fn fingerprint<K: kube::Resource<DynamicType = ()> + Clone + 'static>(store: &Store<K>) -> u64 {
    let state = store.state();
    let facts = |object: &K| {
        let (name, labels) = (object.name_any(), object.labels().clone());
        (name, object.uid(), object.meta().generation, labels)
    };
    let all: BTreeSet<_> = state.iter().map(|object| facts(object)).collect();
    let mut hasher = DefaultHasher::new();
    all.hash(&mut hasher);
    hasher.finish()
}
