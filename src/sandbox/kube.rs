//! A Kubernetes API server in this process: the least that drives a real kube `Controller`, without sockets, so that
//! it runs under paused time. It must not know our kinds: CRDs are given to it.
//!
//! # Guarantees
//!
//! The same calls in the same order give the same answers, byte for byte: uids and generated names are counted, time
//! comes from the [`Clock`]. A write that changes nothing keeps the resourceVersion and sends no event (except once
//! after the creation of a custom object, as on a real server); a fake that gets this wrong makes every controller loop
//! for ever.
//!
//! # Caveats
//!
//! Not played, and refused by name: dryRun, metadata-only requests, strategic merge, selectors beyond equality of
//! labels and names, deletion of collections; discovery is a 404. Not played, and silently more generous than a real server:
//! validation (schema, CEL, names: an invalid object is stored), RBAC, field ownership of server-side apply (it never
//! conflicts and never removes labels, annotations or finalizers). A deleted namespace keeps its contents; `limit` is
//! ignored; only the storage version of a CRD is served; `v1` and `events.k8s.io/v1` events are two stores.

mod fault;
mod json_patch;
mod refusal;
mod registry;
mod schema;
mod selector;
mod server;
mod store;
mod transport;
mod watch;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::fault::{KubeFailure, KubeFault};
use self::{
    fault::Faults,
    refusal::Refusal,
    registry::{Registry, Resource},
    server::Server,
    store::Store,
    write::{Part, Write},
};
use crate::clock::Clock;

/// A request that reached the API server, or tried to.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeRequest {
    /// When it arrived.
    pub at: Timestamp,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The decoded parameters, sorted by name and joined by `&`; empty without any.
    pub query: String,
    /// `status`, for requests to a subresource.
    pub subresource: Option<String>,
    /// The kind of patch, for `PATCH`: the content type.
    pub patch: Option<String>,
    /// The JSON body, if there was one.
    pub body: Option<Value>,
    /// The HTTP status answered; `None` when the connection failed before or instead of the answer.
    pub status: Option<u16>,
    /// Whether the method is one that writes.
    pub mutating: bool,
    /// Whether a resourceVersion moved.
    pub changed: bool,
}

/// The API server. Cheap to clone; clones share state.
#[derive(Clone, Debug)]
pub struct KubeSim {
    shared: Arc<Shared>,
}

/// What the client's service, the watches and the scenario share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes open watches, in the order in which they began to wait: tokio's `watch` would wake them in random order.
    changed: tokio::sync::Notify,
}

#[derive(Debug)]
struct State {
    clock: Clock,
    server: Server,
    faults: Faults,
    journal: Vec<KubeRequest>,
    is_available: bool,
    /// Counts what ended open watches: a watch that was opened at a lower count has to end.
    interruptions: u64,
    /// The last of them.
    interruption: Interruption,
}

/// Why open watches end before their time.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Expired,
    Dropped,
    Reset,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_watches(&self) {
        self.changed.notify_waiters();
    }
}

impl State {
    fn interrupt(&mut self, interruption: Interruption) {
        self.interruptions += 1;
        self.interruption = interruption;
    }

    fn resource_of(&self, object: &Value) -> Option<Arc<Resource>> {
        self.server.registry.by_type(object["apiVersion"].as_str()?, object["kind"].as_str()?)
    }
}

impl KubeSim {
    /// An API server with the namespaces `default` and `kube-system` that serves namespaces, events, leases and the
    /// kinds of `crds` (`CustomResourceDefinition` objects).
    ///
    /// # Panics
    ///
    /// When one of `crds` is not a CRD with a storage version.
    #[must_use]
    pub fn new(clock: Clock, crds: Vec<Value>) -> Self {
        let state = State {
            clock,
            server: Server { registry: Registry::with_builtins(), store: Store::new(clock) },
            faults: Faults::default(),
            journal: Vec::new(),
            is_available: true,
            interruptions: 0,
            interruption: Interruption::Dropped,
        };
        let shared = Shared { state: Mutex::new(state), changed: tokio::sync::Notify::new() };
        let sim = Self { shared: Arc::new(shared) };
        for crd in crds {
            sim.install_crd(&crd);
        }
        for name in ["default", "kube-system"] {
            sim.put(namespace_object(name));
        }
        sim
    }

    /// Serves the kind of `crd` from now on. Before, its paths answer `404 page not found`.
    ///
    /// # Panics
    ///
    /// When `crd` is not a CRD with a storage version.
    pub fn install_crd(&self, crd: &Value) {
        let installed = self.shared.lock().server.registry.install(crd);
        assert!(installed.is_some(), "not a CustomResourceDefinition with a storage version: {crd}");
    }

    /// A client of this server, with `default` as its namespace.
    #[must_use]
    pub fn client(&self) -> ::kube::Client {
        transport::client(self.shared.clone())
    }

    /// Creates the object, or changes it as a user's `kubectl apply` does: labels and annotations are added (null
    /// removes one from an object that exists), spec is replaced, status is left alone, generation moves when the spec
    /// did. A missing namespace is created. Not in the journal.
    ///
    /// # Panics
    ///
    /// When the kind is not served or the object is refused: the scenario is wrong.
    #[expect(clippy::needless_pass_by_value, reason = "scenarios build the object in the call")]
    pub fn put(&self, object: Value) -> Value {
        let stored = self.write(&object, Part::Main);
        stored.unwrap_or_else(|why| panic!("cannot put {object}: {why}"))
    }

    /// Replaces the status of an object that exists by `object`'s, as an earlier run of a controller would have.
    ///
    /// # Panics
    ///
    /// When the kind is not served, has no status, or the object does not exist: the scenario is wrong.
    #[expect(clippy::needless_pass_by_value, reason = "scenarios build the object in the call")]
    pub fn put_status(&self, object: Value) -> Value {
        let stored = self.write(&object, Part::Status);
        stored.unwrap_or_else(|why| panic!("cannot put the status of {object}: {why}"))
    }

    /// The object of that kind and name, if it exists. `namespace` is ignored for kinds at cluster scope.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        let state = self.shared.lock();
        let resources = state.server.registry.by_kind(kind);
        resources.iter().find_map(|it| state.server.store.get(it, space(it, namespace), name)).cloned()
    }

    /// All objects of that kind, by namespace and name.
    #[must_use]
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let state = self.shared.lock();
        let resources = state.server.registry.by_kind(kind);
        resources.iter().flat_map(|resource| state.server.store.list(resource, None)).cloned().collect()
    }

    /// Deletes as `kubectl delete --wait=false` does: finalizers hold the object. Nothing happens if it is absent.
    pub fn delete(&self, kind: &str, namespace: Option<&str>, name: &str) {
        let mut state = self.shared.lock();
        for resource in state.server.registry.by_kind(kind) {
            let space = space(&resource, namespace).to_owned();
            // The only refusal without preconditions is that the object does not exist.
            drop(state.server.store.delete(&resource, &space, name, &Value::Null));
        }
        drop(state);
        self.shared.wake_watches();
    }

    /// Arms a fault. Faults are tried in the order in which they were armed.
    pub fn fail(&self, fault: KubeFault) {
        self.shared.lock().faults.arm(fault);
    }

    /// Ends every open watch with the event `ERROR` and status 410, and answers the same to watches from a
    /// resourceVersion handed out before.
    pub fn expire_watches(&self) {
        let mut state = self.shared.lock();
        state.server.store.compact();
        state.interrupt(Interruption::Expired);
        drop(state);
        self.shared.wake_watches();
    }

    /// Ends every open watch without a word, as a load balancer does.
    pub fn drop_watches(&self) {
        self.shared.lock().interrupt(Interruption::Dropped);
        self.shared.wake_watches();
    }

    /// Takes the API server away, which resets open watches and refuses connections, or brings it back.
    pub fn set_available(&self, is_available: bool) {
        let mut state = self.shared.lock();
        state.is_available = is_available;
        if !is_available {
            state.interrupt(Interruption::Reset);
        }
        drop(state);
        self.shared.wake_watches();
    }

    /// Every request of clients so far, in order of arrival.
    #[must_use]
    pub fn journal(&self) -> Vec<KubeRequest> {
        self.shared.lock().journal.clone()
    }

    fn write(&self, object: &Value, part: Part) -> Result<Value, String> {
        let mut state = self.shared.lock();
        let resource = state.resource_of(object).ok_or("its kind is not served")?;
        if part == Part::Status && !resource.status {
            return Err("its kind has no status".to_owned());
        }
        let namespace = space(&resource, object["metadata"]["namespace"].as_str()).to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let written = if part == Part::Status || state.server.store.get(&resource, &namespace, name).is_some() {
            state.server.store.update(&resource, &namespace, name, part, &Write::Apply(object.clone()))
        } else {
            ensure_namespace(&mut state, &resource, &namespace)
                .and_then(|()| state.server.create(&resource, &namespace, object.clone()))
        };
        drop(state);
        self.shared.wake_watches();
        written.map_err(|refusal| refusal.document()["message"].to_string())
    }
}

fn space<'a>(resource: &Resource, namespace: Option<&'a str>) -> &'a str {
    namespace.filter(|_| resource.namespaced).unwrap_or_default()
}

fn ensure_namespace(state: &mut State, resource: &Resource, namespace: &str) -> Result<(), Refusal> {
    if !resource.namespaced || state.server.namespace_exists(namespace) {
        return Ok(());
    }
    let namespaces = state.server.registry.namespaces();
    state.server.create(&namespaces, "", namespace_object(namespace)).map(drop)
}

/// As the server completes a namespace, except for its finalizer: contents are not deleted with it.
fn namespace_object(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
    })
}

#[cfg(test)]
mod tests;
