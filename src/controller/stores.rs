//! What is known of the cluster without asking: policies, boundaries, namespaces.

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
        Predicate, PredicateConfig, WatchStreamExt, predicates,
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};

use crate::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    pipeline::Leave,
    policy::{Authority, Boundary, Policy},
};

/// The stores that a pass looks into.
pub(super) struct Stores {
    pub(super) policies: Store<FunctionIdentityPolicy>,
    pub(super) boundaries: Store<IdentityBoundary>,
    pub(super) namespaces: Store<Namespace>,
}

impl Leave for Stores {
    fn authority(&self) -> Authority {
        let boundaries = self.boundaries.state().iter().map(|boundary| Boundary::from(&**boundary)).collect();
        let labels = |namespace: &Namespace| (namespace.name_any(), namespace.labels().clone());
        let namespaces = self.namespaces.state().iter().map(|namespace| labels(namespace)).collect();
        Authority::Boundaries { boundaries, namespaces }
    }

    fn is_current(&self, object: &FunctionIdentityPolicy) -> bool {
        self.policies.get(&ObjectRef::from_obj(object)).is_some_and(|now| {
            now.metadata.generation == object.metadata.generation
                && now.metadata.uid == object.metadata.uid
                && now.metadata.deletion_timestamp.is_none()
        })
    }
}

impl Stores {
    /// The policy that acts instead of this one, as `namespace/name`: the oldest one that is valid and about the same
    /// app. Of equally old ones the first by name, so that exactly one acts.
    pub(super) fn older_policy_for_the_same_app(&self, policy: &FunctionIdentityPolicy) -> Option<String> {
        let target = Policy::parse(policy).ok()?.target;
        let age = |object: &FunctionIdentityPolicy| {
            let created = object.creation_timestamp().map(|time| time.0);
            (created, object.namespace().unwrap_or_default(), object.name_any())
        };
        let own = age(policy);
        let authority = self.authority();
        let rival = |other: &FunctionIdentityPolicy| {
            let Ok(other) = Policy::parse(other) else { return false };
            // One that may not even look cannot stand in the way of one that may: a team must not be able to block
            // another's app by naming it.
            other.target == target && authority.verdict(&other).unreadable(&other).is_empty()
        };
        // The name first: parsing every policy for each would be quadratic.
        let same_name = |other: &FunctionIdentityPolicy| {
            let id = other.spec.resources.get(&other.spec.target.resource);
            id.and_then(|id| id.rsplit('/').next()).is_some_and(|name| name.eq_ignore_ascii_case(target.name()))
        };
        let older = self.policies.state().into_iter().filter(|other| {
            other.uid() != policy.uid()
                && same_name(other)
                && other.metadata.deletion_timestamp.is_none()
                && age(other) < own
                && rival(other)
        });
        older.map(|other| age(&other)).min().map(|(_, namespace, name)| format!("{namespace}/{name}"))
    }
}

/// A store, what fills it, and a signal for each change that could matter to policies.
pub(super) struct Watched<K: kube::Resource<DynamicType = ()> + 'static> {
    pub(super) store: Store<K>,
    pub(super) driver: BoxFuture<'static, ()>,
    pub(super) changed: BoxStream<'static, ()>,
}

pub(super) fn boundaries(api: Api<IdentityBoundary>) -> Watched<IdentityBoundary> {
    watched(api, "boundaries")
}

pub(super) fn namespaces(api: Api<Namespace>) -> Watched<Namespace> {
    watched(api, "namespaces")
}

fn watched<K>(api: Api<K>, what: &'static str) -> Watched<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (mut signal, changed) = mpsc::channel(1);
    let driver = watcher(api, watcher::Config::default())
        .default_backoff()
        .inspect(move |event| {
            if let Err(error) = event {
                tracing::warn!(error = %super::brief(error), "cannot watch {what}");
            }
        })
        .reflect(writer)
        .touched_objects()
        // Heartbeats and annotations of namespaces are no reason to look at Azure.
        .predicate_filter(
            predicates::generation.combine(predicates::labels).combine(predicates::finalizers),
            PredicateConfig::default(),
        )
        .for_each(move |object| {
            if object.is_ok() {
                // A signal that is still waiting says the same.
                let _ = signal.try_send(());
            }
            futures::future::ready(())
        })
        .boxed();
    Watched { store, driver, changed: changed.boxed() }
}
