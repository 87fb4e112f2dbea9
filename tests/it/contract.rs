//! What a Kubernetes API server does with the requests that a controller sends, as a transcript. The same function
//! runs against `sandbox::kube` and against a real kube-apiserver, and the transcripts are equal. It says what it
//! saw, normalised: codes, reasons, whether versions and generations moved, types of events; never ids, times or
//! wording.

use kube::client::Body;
use rolecall::{cli::crd::definitions, clock::Clock, sandbox::kube::KubeSim};
use serde_json::{Value, json};

use crate::cluster::{
    request::{Api, create_namespace, install_crd},
    stage::stage,
};

/// The kind to play with: a namespaced CRD with a status subresource that is already served.
struct Subject {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    /// A valid spec.
    spec: Value,
    /// Another valid spec.
    changed_spec: Value,
    /// A valid status that differs from the default, with everything that the schema fills in.
    status: Value,
}

const NAME: &str = "contract";
const FINALIZER: &str = "contract.example.dev/hold";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const MANAGED: &str = "?fieldManager=contract&force=true";

/// Another group than ours, because the operator of the shared server would have a say otherwise.
const GROUP: &str = "contract.rolecall.dev";

#[tokio::test(start_paused = true)]
async fn the_simulated_api_server_answers_the_same_every_time() {
    let sim = KubeSim::new(Clock::System, vec![definition()]);
    let first = contract(sim.client(), "default", &subject()).await;
    assert_eq!(contract(sim.client(), "default", &subject()).await, first);
}

#[test]
fn the_simulated_api_server_answers_as_the_real_one_does() {
    let Some(stage) = stage() else { return };
    let api = Api::of(&stage.server.kubeconfig);
    install_crd(&api, &definition().to_string());
    create_namespace(&api, "contract");
    let real = api.run(async |client| contract(client, "contract", &subject()).await);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let simulated = runtime.expect("a runtime").block_on(async {
        let sim = KubeSim::new(Clock::System, vec![definition()]);
        contract(sim.client(), "default", &subject()).await
    });
    let differences: Vec<_> = real.iter().zip(&simulated).filter(|(real, simulated)| real != simulated).collect();
    assert!(differences.is_empty(), "(real, simulated): {differences:#?}");
    assert_eq!(simulated.len(), real.len());
}

/// The definition of `FunctionIdentityPolicy` under another group.
fn definition() -> Value {
    let definitions = definitions().expect("the definitions can be printed");
    let (_, text) = definitions.iter().find(|(name, _)| name.starts_with("functionid")).expect("one of ours");
    let mut crd: Value = serde_saphyr::from_str(text).expect("YAML");
    let names = &mut crd["spec"]["names"];
    names["shortNames"] = json!([]);
    names["categories"] = json!([]);
    crd["metadata"]["name"] = json!(format!("{}.{GROUP}", names["plural"].as_str().expect("text")));
    crd["spec"]["group"] = json!(GROUP);
    crd
}

fn subject() -> Subject {
    let spec = json!({
        "scope": { "subscriptionId": "33333333-aaaa-4bbb-8ccc-000000000003", "resourceGroup": "rg" },
        "resources": { "app": "Microsoft.Web/sites/app" },
        "target": { "resource": "app" },
    });
    let mut changed_spec = spec.clone();
    changed_spec["mode"] = json!("DryRun");
    Subject {
        group: GROUP,
        version: "v1alpha1",
        kind: "FunctionIdentityPolicy",
        plural: "functionidentitypolicies",
        spec,
        changed_spec,
        status: json!({ "observedGeneration": 1, "conditions": [], "suspended": false }),
    }
}

/// Sends the requests in their order. `namespace` exists; the object named `contract` in it is ours.
async fn contract(client: kube::Client, namespace: &str, subject: &Subject) -> Vec<String> {
    let mut play = Play::new(client, namespace, subject);
    play.clean_up().await;
    let start = play.collection_version().await;

    play.send("get what is absent", "GET", "/contract", "", Value::Null).await;
    play.send("delete what is absent", "DELETE", "/contract", "", Value::Null).await;
    play.send("an absent kind", "GET", "absent", "", Value::Null).await;
    let created = play.send("create", "POST", "", "", play.object(&subject.spec)).await;
    play.send("create again", "POST", "", "", play.object(&subject.spec)).await;
    play.send("create with a version", "POST", "", "", created.clone()).await;
    play.send("create without a kind", "POST", "", "", json!({ "metadata": { "name": NAME } })).await;
    play.send("create without a name", "POST", "", "", play.with(&subject.spec, &json!({}))).await;
    play.send("get", "GET", "/contract", "", Value::Null).await;
    play.send("list by name", "GET", "?fieldSelector=metadata.name%3Dcontract", "", Value::Null).await;
    play.send("list by an unknown field", "GET", "?fieldSelector=spec.absent%3D1", "", Value::Null).await;

    let annotation = json!({ "metadata": { "annotations": { "a": "1" }, "labels": { "team": "blue" } } });
    let fresh = play.send("merge an annotation", "PATCH", "/contract", MERGE, annotation.clone()).await;
    play.send("merge it again", "PATCH", "/contract", MERGE, annotation).await;
    play.send("list by label", "GET", "?labelSelector=team%3Dblue", "", Value::Null).await;
    play.send("list by another label", "GET", "?labelSelector=team%3Dgreen", "", Value::Null).await;
    play.send("replace a stale version", "PUT", "/contract", "", created.clone()).await;
    play.send("replace without a version", "PUT", "/contract", "", play.object(&subject.spec)).await;
    let mut misnamed = fresh.clone();
    misnamed["metadata"]["name"] = json!("another");
    play.send("replace under another name", "PUT", "/contract", "", misnamed).await;
    let mut changed = fresh;
    changed["spec"] = subject.changed_spec.clone();
    changed["status"] = subject.status.clone();
    let changed = play.send("replace spec and status", "PUT", "/contract", "", changed).await;
    play.send("replace by the same", "PUT", "/contract", "", changed).await;
    play.send("merge the same spec", "PATCH", "/contract", MERGE, json!({ "spec": subject.changed_spec })).await;
    play.send("merge status into the object", "PATCH", "/contract", MERGE, json!({ "status": subject.status })).await;

    let status = "/contract/status?fieldManager=contract&force=true";
    let applied = json!({ "apiVersion": play.api_version(), "kind": subject.kind, "status": subject.status });
    play.send("apply status", "PATCH", status, APPLY, applied.clone()).await;
    play.send("apply the same status", "PATCH", status, APPLY, applied.clone()).await;
    play.send("merge the same status", "PATCH", "/contract/status", MERGE, json!({ "status": subject.status })).await;
    let mut stale = applied.clone();
    stale["metadata"] = json!({ "resourceVersion": created["metadata"]["resourceVersion"] });
    play.send("apply status to a stale version", "PATCH", status, APPLY, stale).await;
    play.send("apply status to what is absent", "PATCH", &format!("/absent/status{MANAGED}"), APPLY, applied.clone())
        .await;
    play.send("apply without a manager", "PATCH", "/contract/status", APPLY, applied).await;
    play.send("strategic merge", "PATCH", "/contract", "application/strategic-merge-patch+json", json!({})).await;

    let test = json!([{ "op": "test", "path": "/metadata/name", "value": "another" }]);
    play.send("a JSON patch whose test fails", "PATCH", "/contract", JSON_PATCH, test).await;
    let add = json!([{ "op": "add", "path": "/metadata/finalizers", "value": [FINALIZER] }]);
    play.send("add a finalizer", "PATCH", "/contract", JSON_PATCH, add).await;
    let other = json!({ "preconditions": { "uid": "00000000-0000-0000-0000-000000000000" } });
    play.send("delete another uid", "DELETE", "/contract", "", other).await;
    play.send("delete", "DELETE", "/contract", "", Value::Null).await;
    play.send("delete again", "DELETE", "/contract", "", Value::Null).await;
    let more = json!({ "metadata": { "finalizers": [FINALIZER, "contract.example.dev/more"] } });
    play.send("add a finalizer while deleting", "PATCH", "/contract", MERGE, more).await;
    play.send("change spec while deleting", "PATCH", "/contract", MERGE, json!({ "spec": subject.spec })).await;
    let none = json!({ "metadata": { "finalizers": null } });
    play.send("remove the last finalizer", "PATCH", "/contract", MERGE, none).await;
    play.send("get what is gone", "GET", "/contract", "", Value::Null).await;

    let applied = play.with(&subject.spec, &json!({ "name": NAME, "labels": { "team": "blue" } }));
    play.send("apply what is absent", "PATCH", &format!("/contract{MANAGED}"), APPLY, applied.clone()).await;
    play.send("apply the same", "PATCH", &format!("/contract{MANAGED}"), APPLY, applied).await;
    play.send("delete without finalizers", "DELETE", "/contract", "", Value::Null).await;
    play.watch("watch from before all this", &start).await;
    play.lines
}

struct Play<'a> {
    client: kube::Client,
    collection: String,
    subject: &'a Subject,
    /// Version and generation of the object as last seen.
    seen: (Value, Value),
    lines: Vec<String>,
}

impl<'a> Play<'a> {
    fn new(client: kube::Client, namespace: &str, subject: &'a Subject) -> Self {
        let Subject { group, version, plural, .. } = subject;
        let collection = format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}");
        Self { client, collection, subject, seen: (Value::Null, Value::Null), lines: Vec::new() }
    }

    fn api_version(&self) -> String {
        format!("{}/{}", self.subject.group, self.subject.version)
    }

    fn with(&self, spec: &Value, metadata: &Value) -> Value {
        json!({ "apiVersion": self.api_version(), "kind": self.subject.kind, "metadata": metadata, "spec": spec })
    }

    fn object(&self, spec: &Value) -> Value {
        self.with(spec, &json!({ "name": NAME }))
    }

    async fn clean_up(&mut self) {
        let none = json!({ "metadata": { "finalizers": null } });
        for (method, media_type, body) in [("PATCH", MERGE, none), ("DELETE", "", Value::Null)] {
            self.exchange(method, "/contract", media_type, &body).await;
        }
    }

    async fn collection_version(&mut self) -> String {
        let (_, list) = self.exchange("GET", "", "", &Value::Null).await;
        document(&list)["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
    }

    /// Sends one request, notes what was answered and returns the answer.
    async fn send(&mut self, what: &str, method: &str, path: &str, media_type: &str, body: Value) -> Value {
        let (code, answer) = self.exchange(method, path, media_type, &body).await;
        let answer = document(&answer);
        let said = self.said(&answer);
        self.lines.push(format!("{what}: {code} {said}"));
        answer
    }

    fn said(&mut self, answer: &Value) -> String {
        if answer["kind"] == "Status" {
            return answer["reason"].as_str().or(answer["status"].as_str()).unwrap_or_default().to_owned();
        }
        if let Some(items) = answer["items"].as_array() {
            return format!("{} items", items.len());
        }
        let Value::Object(_) = answer["metadata"] else {
            return "plain text".to_owned();
        };
        let metadata = &answer["metadata"];
        let seen = (metadata["resourceVersion"].clone(), metadata["generation"].clone());
        let version = if seen.0 == self.seen.0 { "kept" } else { "moved" };
        let said = format!(
            "version {version}, generation {}{}{}{}",
            seen.1,
            if metadata["deletionTimestamp"].is_string() { ", deleting" } else { "" },
            if metadata["finalizers"].is_array() { ", held" } else { "" },
            if answer["status"] == self.subject.status { ", status set" } else { "" },
        );
        self.seen = seen;
        said
    }

    /// What a watch on our object tells in two seconds. Bookmarks come when a server likes and are left out.
    async fn watch(&mut self, what: &str, from: &str) {
        let path =
            format!("?watch=true&timeoutSeconds=2&fieldSelector=metadata.name%3Dcontract&resourceVersion={from}");
        let (code, text) = self.exchange("GET", &path, "", &Value::Null).await;
        let events = text.lines().map(|line| document(line)["type"].as_str().unwrap_or("?").to_owned());
        let events: Vec<String> = events.filter(|event| event != "BOOKMARK").collect();
        self.lines.push(format!("{what}: {code} {}", events.join(" ")));
    }

    async fn exchange(&mut self, method: &str, path: &str, media_type: &str, body: &Value) -> (u16, String) {
        let media_type = if media_type.is_empty() { "application/json" } else { media_type };
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.collection))
            .header(http::header::CONTENT_TYPE, media_type)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::from(bytes))
            .expect("a valid request");
        let response = self.client.send(request).await.expect("the server answers");
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.expect("the answer is whole");
        (code, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The text as JSON, or null.
fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
