//! What one test has for itself: a namespace, a subscription with an app in it, and a boundary around both.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::{
    arm::Arm,
    kstatus::assert_sound,
    kubectl::Kubectl,
    request::{Api, JSON, MERGE, create_namespace, poll},
    stage::{Stage, stage},
};

/// How many subscriptions the simulated Azure has: one a test.
const SUBSCRIPTIONS: usize = 64;
/// The subscription of `examples/orders`.
const EXAMPLE: &str = "11111111-aaaa-4bbb-8ccc-000000000001";
/// What tells `requestedAt` from any other annotation.
const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// A test's own part of the stage.
pub struct Scene {
    pub api: Api,
    pub namespace: String,
    pub subscription: String,
    stage: &'static Stage,
}

/// `examples/orders/world.yaml` once for each subscription, with principals of its own, at the time of now.
pub fn world() -> String {
    let example = include_str!("../../../examples/orders/world.yaml");
    let (_, resources) = example.split_once("\nresources:\n").expect("resources come last");
    let mut world = "caller:\n  objectId: 0000ca11-0000-4000-8000-0000000000ff\n  \
                     tenantId: 00000000-7777-4777-8777-00000000000a\nresources:\n"
        .to_owned();
    for number in 0..SUBSCRIPTIONS {
        let copy = resources.replace(EXAMPLE, &subscription(number));
        let copy = ["5e57e300-0001", "05e70000-0002", "c11e0000-0003"].iter().fold(copy, |copy, principal| {
            let (head, tail) = principal.split_once('-').expect("two parts");
            copy.replace(principal, &format!("{}{number:02}-{tail}", &head[..6]))
        });
        world.push_str(&copy);
    }
    world
}

/// One of the subscriptions of that world.
pub fn subscription(number: usize) -> String {
    format!("22222222-aaaa-4bbb-8ccc-{number:012}")
}

/// The scope of the grant that is missing in the example's world.
pub fn invoices(subscription: &str) -> String {
    let account = "Microsoft.Storage/storageAccounts/storderuploads";
    let group = format!("/subscriptions/{subscription}/resourceGroups/rg-functions-prod");
    format!("{group}/providers/{account}/blobServices/default/containers/invoices")
}

impl Scene {
    /// A new namespace and a subscription that no other test uses. `None` when there is no API server.
    pub fn set() -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let stage = stage()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(number < SUBSCRIPTIONS, "more tests than subscriptions");
        let namespace = format!("e2e-{}-{number}", std::process::id());
        let api = Api::of(&stage.server.kubeconfig);
        create_namespace(&api, &namespace);
        Some(Self { api, namespace, subscription: subscription(number), stage })
    }

    pub fn arm(&self) -> &Arm {
        &self.stage.arm
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.stage.server.kubeconfig
    }

    pub fn kubectl(&self) -> Option<Kubectl> {
        Kubectl::of(self.kubeconfig())
    }

    /// The example's policy in this scene, changed.
    pub fn policy(&self, name: &str, change: impl FnOnce(&mut Value)) -> Value {
        example_policy(&self.namespace, &self.subscription, name, change)
    }

    /// A policy whose needs are all met: the trigger whose role is missing is not declared, and what else it would need
    /// is.
    pub fn compliant_policy(&self, name: &str) -> Value {
        self.policy(name, |spec| {
            spec["bindings"].as_array_mut().expect("a list").retain(|binding| binding["name"] != "uploads");
            let queues = |account: &str| {
                json!({ "role": "Storage Queue Data Contributor", "resource": account, "identity": "system" })
            };
            spec["grants"] = json!([queues("host"), queues("uploads")]);
        })
    }

    /// The example's boundary around this scene, created.
    pub fn with_boundary(self) -> Self {
        create_boundary(&self.api, &self.boundary());
        self
    }

    pub fn boundary(&self) -> Value {
        example_boundary(&self.namespace, &self.subscription)
    }

    /// The path of the policies in this namespace.
    pub fn policies(&self) -> String {
        policies(&self.namespace)
    }

    pub fn create(&self, policy: &Value) -> Value {
        self.api.ok("POST", &self.policies(), JSON, policy)
    }

    pub fn get(&self, name: &str) -> Value {
        self.api.ok("GET", &format!("{}/{name}", self.policies()), JSON, &Value::Null)
    }

    /// Changes a policy by a merge patch.
    pub fn merge(&self, name: &str, patch: &Value) -> Value {
        self.api.ok("PATCH", &format!("{}/{name}", self.policies()), MERGE, patch)
    }

    /// Asks for a pass now, as `flux reconcile` does.
    pub fn request(&self, name: &str, token: &str) {
        self.merge(name, &json!({ "metadata": { "annotations": { REQUESTED_AT: token } } }));
    }

    /// Waits until the policy is as wanted. Every state that is seen on the way is sound.
    pub fn until(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let log = || self.stage.operator.log();
        until_policy(&self.api, &self.namespace, name, what, log, wanted)
    }

    /// Waits until `Ready` has this status and reason at the current generation.
    pub fn until_ready_is(&self, name: &str, status: &str, reason: &str) -> Value {
        self.until(name, &format!("Ready is {status} {reason}"), |policy| ready_is(policy, status, reason))
    }
}

pub fn policies(namespace: &str) -> String {
    format!("/apis/rolecall.dev/v1alpha1/namespaces/{namespace}/functionidentitypolicies")
}

/// Whether `Ready` has this status and reason at the current generation.
pub fn ready_is(policy: &Value, status: &str, reason: &str) -> bool {
    super::kstatus::condition(policy, "Ready") == (status, reason)
        && policy["status"]["observedGeneration"] == policy["metadata"]["generation"]
}

pub fn until_policy(
    api: &Api,
    namespace: &str,
    name: &str,
    what: &str,
    log: impl Fn() -> String,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let path = format!("{}/{name}", policies(namespace));
    let last = std::cell::RefCell::new(Value::Null);
    let found = poll(|| {
        let (_, policy) = api.send("GET", &path, JSON, &Value::Null);
        assert_sound(&policy);
        let is_wanted = wanted(&policy);
        last.replace(policy.clone());
        is_wanted.then_some(policy)
    });
    found.unwrap_or_else(|| panic!("never: {what}\n{:#}\noperator:\n{}", last.borrow(), log()))
}

/// `examples/orders/policy.yaml` elsewhere.
pub fn example_policy(namespace: &str, subscription: &str, name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut policy = document(include_str!("../../../examples/orders/policy.yaml"), subscription);
    policy["metadata"]["namespace"] = json!(namespace);
    policy["metadata"]["name"] = json!(name);
    change(&mut policy["spec"]);
    policy
}

/// `examples/orders/boundary.yaml` elsewhere.
pub fn example_boundary(namespace: &str, subscription: &str) -> Value {
    let mut boundary = document(include_str!("../../../examples/orders/boundary.yaml"), subscription);
    boundary["metadata"]["name"] = json!(namespace);
    boundary["spec"]["namespaces"]["names"] = json!([namespace]);
    boundary
}

pub fn create_boundary(api: &Api, boundary: &Value) {
    api.ok("POST", "/apis/rolecall.dev/v1alpha1/identityboundaries", JSON, boundary);
}

fn document(yaml: &str, subscription: &str) -> Value {
    serde_saphyr::from_str(&yaml.replace(EXAMPLE, subscription)).expect("YAML")
}
