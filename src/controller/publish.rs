//! What is written to Kubernetes about policies: the status and events.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::events::v1::Event,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    api::{FunctionIdentityPolicy, FunctionIdentityPolicyStatus},
    clock::Clock,
    model::innermost,
};

/// The name under which fields are owned.
pub(super) const FIELD_MANAGER: &str = "rolecall";

/// How long an answer may take. kube's client waits for ever, and a pass that waits for ever is a policy that nobody
/// looks at any more, its deletion included.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The answer, or an error when there is none in time. What was asked may be done all the same.
async fn in_time<T>(answer: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    let late = |_| kube::Error::Service(format!("no answer within {} s", ANSWER_WITHIN.as_secs()).into());
    tokio::time::timeout(ANSWER_WITHIN, answer).await.map_err(late)?
}

/// What keeps a policy until its grants are revoked.
pub const FINALIZER: &str = "rolecall.dev/revoke";

/// Adds or takes away our finalizer, only if the policy is still this version of itself; returns the policy as it is then.
pub async fn set_finalizer(
    client: &Client,
    policy: &FunctionIdentityPolicy,
    wanted: bool,
) -> Result<FunctionIdentityPolicy, kube::Error> {
    let namespace = policy.namespace().unwrap_or_default();
    let api = Api::<FunctionIdentityPolicy>::namespaced(client.clone(), &namespace);
    let others = policy.finalizers().iter().filter(|own| *own != FINALIZER).cloned();
    let finalizers: Vec<_> = others.chain(wanted.then(|| FINALIZER.to_owned())).collect();
    let patch = json!({ "metadata": { "resourceVersion": policy.resource_version(), "finalizers": finalizers } });
    in_time(api.patch(&policy.name_any(), &PatchParams::default(), &Patch::Merge(patch))).await
}

/// Writes to the cluster.
pub(super) struct Publisher {
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) instance: String,
}

impl Publisher {
    /// Applies the whole status. The resourceVersion makes a status that was computed from an old version fail
    /// instead of overwriting.
    pub(super) async fn status(
        &self,
        policy: &FunctionIdentityPolicy,
        status: &FunctionIdentityPolicyStatus,
    ) -> Result<(), kube::Error> {
        let namespace = policy.namespace().unwrap_or_default();
        let api = Api::<FunctionIdentityPolicy>::namespaced(self.client.clone(), &namespace);
        let patch = json!({
            "apiVersion": FunctionIdentityPolicy::api_version(&()),
            "kind": FunctionIdentityPolicy::kind(&()),
            "metadata": { "name": policy.name_any(), "resourceVersion": policy.resource_version() },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        in_time(api.patch_status(&policy.name_any(), &params, &Patch::Apply(patch))).await?;
        Ok(())
    }

    /// Says that something happened. A lost event is logged and no more: the status says it too.
    ///
    /// Not kube's `Recorder`, because that reads the wall clock and events could not be compared between two runs.
    pub(super) async fn event(&self, policy: &FunctionIdentityPolicy, kind: &str, reason: &str, note: &str) {
        let now = self.clock.now();
        let namespace = policy.namespace().unwrap_or_default();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(event_name(&policy.name_any(), now)),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            action: Some("Reconcile".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(note.chars().take(1000).collect()),
            reason: Some(reason.chars().take(128).collect()),
            regarding: Some(policy.object_ref(&())),
            reporting_controller: Some("rolecall.dev/operator".to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(kind.to_owned()),
            ..Event::default()
        };
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        if let Err(error) = in_time(api.create(&PostParams::default(), &event)).await {
            tracing::warn!(error = %innermost(&error), reason, "event not recorded");
        }
    }
}

/// The form that kubectl's own tools use: the object's name and a moment.
fn event_name(policy: &str, now: Timestamp) -> String {
    let short: String = policy.chars().take(200).collect();
    format!("{short}.{:x}", now.as_nanosecond())
}
