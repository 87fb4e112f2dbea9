//! One process of an operator: what it holds in memory and loses in a crash. Its stores are filled here, from what it
//! is told of the cluster.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use azure_core::http::Transport;
use futures::stream::FuturesUnordered;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::{
    controller::Action,
    reflector::{self, ObjectRef, Store, store::Writer},
    watcher::Event,
};
use rolecall::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    controller::{Leadership, PassError, Reconciler, Stores},
    observe::Surveys,
    pipeline::{Pipeline, Settings},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    arm_calls::ArmWay,
    facts::text,
    kube_calls,
    ledger::View,
    run::{ProcessId, Run, Tagged},
    stage::Key,
};

/// How old a survey may be: the default of `run`.
pub(super) const SURVEY_AGE: Duration = Duration::from_secs(60);

/// The name of the installation, which its grants are marked with.
pub(super) const INSTALLATION: &str = "reliability";

type PassFuture = futures::future::LocalBoxFuture<'static, Result<Action, PassError>>;

/// The memory of one process.
pub(super) struct Process {
    pub(super) id: ProcessId,
    reconciler: Arc<Reconciler>,
    store: Store<FunctionIdentityPolicy>,
    policies: Writer<FunctionIdentityPolicy>,
    boundaries: Writer<IdentityBoundary>,
    namespaces: Writer<Namespace>,
    /// Passes that are under way.
    pub(super) passes: FuturesUnordered<Tagged<PassFuture>>,
}

/// What changed for a process when it was told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    /// Policies that it must pass.
    pub(super) due: Vec<Key>,
    /// All of them.
    pub(super) all: bool,
    /// Those that stand back for another one.
    pub(super) duplicates: bool,
}

impl Process {
    /// Starts with empty stores.
    pub(super) fn new(run: &Arc<Run>, id: ProcessId, inner: &kube::Client) -> Self {
        let azure = Azure::new(AzureConfig {
            cloud: CLOUDS[0],
            arm_endpoint: None,
            logs_endpoint: None,
            credential: Arc::new(StaticToken::new(run.stage.world.token())),
            transport: Some(Transport::new(Arc::new(ArmWay { run: run.clone(), id }))),
            limits: Limits::default(),
        });
        let azure = azure.expect("the public cloud's endpoint is a URL");
        let (store, policies) = reflector::store();
        let (boundary_store, boundaries) = reflector::store();
        let (namespace_store, namespaces) = reflector::store();
        let stores = Stores {
            policies: store.clone(),
            boundaries: boundary_store,
            namespaces: namespace_store,
            // Whether a process leads is not the loop's to play: tests/it/controller/lease.rs does.
            leadership: Leadership::alone(),
        };
        let settings = Settings { installation: Some(INSTALLATION.to_owned()), ..Settings::default() };
        let pipeline = Pipeline::new(azure, Surveys::new(run.clock, SURVEY_AGE), run.clock).with(settings);
        let instance = format!("rolecall-{}", id.operator);
        let client = kube_calls::client(run, id, inner);
        let reconciler = Arc::new(Reconciler::new(client, pipeline, run.clock, stores, instance));
        Self { id, reconciler, store, policies, boundaries, namespaces, passes: FuturesUnordered::new() }
    }

    /// Begins a pass; false when there is no such policy.
    pub(super) fn begin(&self, key: &Key) -> bool {
        let reference = ObjectRef::new(&key.1).within(&key.0);
        let Some(policy) = self.store.get(&reference) else { return false };
        let reconciler = self.reconciler.clone();
        let pass: PassFuture = Box::pin(async move { reconciler.reconcile(&policy).await });
        self.passes.push(Tagged { policy: key.clone(), pass: Box::pin(pass) });
        true
    }

    /// Tells it what the cluster holds now; `view` is what it was told before.
    pub(super) fn tell(&mut self, run: &Run, view: &mut View, rules_version: u32) -> News {
        let mut news = News::default();
        let now = by_key(run.kube.list("FunctionIdentityPolicy"));
        for (key, before, after) in differences(&view.policies, &now) {
            let standing_back = after.is_some_and(stands_back);
            let triggers = after.is_some() && before.map(trigger) != after.map(trigger);
            news.duplicates |= after.is_none() || triggers || standing_back;
            if triggers {
                news.due.push(key.clone());
            }
            apply(&mut self.policies, before, after);
        }
        view.policies = now;
        if view.rules_version.replace(rules_version) == Some(rules_version) {
            return news;
        }
        let boundaries = by_name(run.kube.list("IdentityBoundary"));
        for (_, before, after) in differences(&view.rules.boundaries, &boundaries) {
            news.all = true;
            apply(&mut self.boundaries, before, after);
        }
        let namespaces = by_name(run.kube.list("Namespace"));
        for (_, before, after) in differences(&view.rules.namespaces, &namespaces) {
            news.all |= before.map(labels) != after.map(labels);
            apply(&mut self.namespaces, before, after);
        }
        view.rules.boundaries = boundaries;
        view.rules.namespaces = namespaces;
        news
    }
}

/// When the next pass is due. kube keeps the field private and shows it in `Debug` only.
pub(super) fn requeue_after(action: &Action) -> Option<Duration> {
    let shown = format!("{action:?}");
    let inner = shown.split_once("Some(")?.1.split_once(')')?.0;
    let wait: SignedDuration = inner.parse().unwrap_or_else(|_| panic!("`{shown}` holds no duration"));
    Some(Duration::try_from(wait).expect("not negative"))
}

/// How long to wait after a pass that was not published.
pub(super) fn wait_after(error: &PassError) -> Duration {
    match error {
        PassError::Publish { wait, .. } | PassError::Finalizer { wait, .. } => *wait,
    }
}

/// What of a policy calls for a pass: the controller's predicate, once more.
fn trigger(policy: &Value) -> [Value; 5] {
    let metadata = &policy["metadata"];
    let requested = metadata["annotations"]["reconcile.fluxcd.io/requestedAt"].clone();
    let of = |field: &str| metadata[field].clone();
    [of("uid"), of("generation"), of("deletionTimestamp"), of("finalizers"), requested]
}

pub(super) fn stands_back(policy: &Value) -> bool {
    let conditions = policy["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["reason"] == "DuplicateTarget")
}

fn labels(namespace: &Value) -> &Value {
    &namespace["metadata"]["labels"]
}

fn by_key(objects: Vec<Value>) -> BTreeMap<Key, Value> {
    let key = |object: &Value| {
        let metadata = &object["metadata"];
        Key::new((text(&metadata["namespace"]).to_owned(), text(&metadata["name"]).to_owned()))
    };
    objects.into_iter().map(|object| (key(&object), object)).collect()
}

fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    objects.into_iter().map(|object| (text(&object["metadata"]["name"]).to_owned(), object)).collect()
}

/// What is other than before, by key: before and after.
fn differences<'a, K: Ord>(
    before: &'a BTreeMap<K, Value>,
    after: &'a BTreeMap<K, Value>,
) -> Vec<(&'a K, Option<&'a Value>, Option<&'a Value>)> {
    let gone = before.iter().filter(|(key, _)| !after.contains_key(key)).map(|(key, old)| (key, Some(old), None));
    let other = after.iter().map(|(key, new)| (key, before.get(key), Some(new)));
    gone.chain(other.filter(|(_, old, new)| old != new)).collect()
}

fn apply<K>(writer: &mut Writer<K>, before: Option<&Value>, after: Option<&Value>)
where
    K: reflector::Lookup<DynamicType = ()> + Clone + DeserializeOwned + 'static,
{
    let read = |object: &Value| serde_json::from_value(object.clone()).expect("an object of its kind");
    match (before, after) {
        (_, Some(after)) => writer.apply_watcher_event(&Event::Apply(read(after))),
        (Some(before), None) => writer.apply_watcher_event(&Event::Delete(read(before))),
        (None, None) => {}
    }
}
