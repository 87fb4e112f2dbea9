//! The real kube client against the fake.

mod controller;
mod faults;
mod objects;
mod watches;

use jiff::Timestamp;
use kube::{
    Api, CustomResource, CustomResourceExt, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::KubeSim;
use crate::clock::Clock;

#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "example.dev", version = "v1", kind = "Widget", namespaced, status = "WidgetStatus")]
#[serde(rename_all = "camelCase")]
struct WidgetSpec {
    size: i64,
    #[serde(default = "red")]
    colour: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = { "observedGeneration": -1 }))]
struct WidgetStatus {
    observed_generation: i64,
}

fn red() -> String {
    "red".to_owned()
}

fn crd() -> Value {
    serde_json::to_value(Widget::crd()).expect("a CRD is JSON")
}

fn sim() -> KubeSim {
    let start: Timestamp = "2027-01-04T09:00:00Z".parse().expect("a timestamp");
    KubeSim::new(Clock::starting_at(start), vec![crd()])
}

fn widgets(sim: &KubeSim) -> Api<Widget> {
    Api::namespaced(sim.client(), "default")
}

fn widget(name: &str, size: i64) -> Widget {
    Widget::new(name, WidgetSpec { size, colour: red() })
}

/// A widget as YAML from a user: nothing but what they wrote.
fn manifest(name: &str, size: i64) -> Value {
    json!({
        "apiVersion": "example.dev/v1", "kind": "Widget",
        "metadata": { "name": name, "namespace": "default" }, "spec": { "size": size },
    })
}

async fn create(api: &Api<Widget>, name: &str) -> Widget {
    api.create(&PostParams::default(), &widget(name, 3)).await.expect("created")
}

async fn apply_status(api: &Api<Widget>, name: &str, observed: i64) -> kube::Result<Widget> {
    let patch = json!({
        "apiVersion": "example.dev/v1", "kind": "Widget", "status": { "observedGeneration": observed },
    });
    api.patch_status(name, &PatchParams::apply("rolecall").force(), &Patch::Apply(patch)).await
}

async fn merge(api: &Api<Widget>, name: &str, patch: Value) -> kube::Result<Widget> {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
}

fn version(widget: &Widget) -> String {
    widget.resource_version().expect("a stored object has a version")
}

/// Code and reason of a refusal.
fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone()),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn conflict() -> (u16, String) {
    (409, "Conflict".to_owned())
}
