//! Requests to the API server as JSON, and waiting for what comes of them.

use std::{path::Path, time::Duration};

use kube::{
    client::Body,
    config::{Config, KubeConfigOptions, Kubeconfig},
};
use rolecall::cli::crd::definitions;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const JSON: &str = "application/json";
pub const MERGE: &str = "application/merge-patch+json";
pub const APPLY: &str = "application/apply-patch+yaml";

/// Longer than anything here takes on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An API server, asked synchronously.
pub struct Api {
    runtime: Runtime,
    client: kube::Client,
}

impl Api {
    pub fn of(kubeconfig: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = runtime.block_on(async {
            let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a usable kubeconfig");
            kube::Client::try_from(config).expect("a client")
        });
        Self { runtime, client }
    }

    /// Runs an async scenario with a client of this server.
    pub fn run<T>(&self, scenario: impl AsyncFnOnce(kube::Client) -> T) -> T {
        self.runtime.block_on(scenario(self.client.clone()))
    }

    /// Sends one request. An answer that is not JSON is a string.
    pub fn send(&self, method: &str, path: &str, media_type: &str, body: &Value) -> (u16, Value) {
        self.try_send(method, path, media_type, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Like `send`, when the server may be away.
    pub fn try_send(&self, method: &str, path: &str, media_type: &str, body: &Value) -> kube::Result<(u16, Value)> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, media_type)
            .header(http::header::ACCEPT, JSON)
            .body(Body::from(bytes))
            .expect("a valid request");
        self.runtime.block_on(async {
            let response = self.client.send(request).await?;
            let code = response.status().as_u16();
            let bytes = response.into_body().collect_bytes().await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok((code, serde_json::from_str(&text).unwrap_or(Value::String(text))))
        })
    }

    /// Sends a request that must succeed and returns the answer.
    pub fn ok(&self, method: &str, path: &str, media_type: &str, body: &Value) -> Value {
        let (code, answer) = self.send(method, path, media_type, body);
        assert!((200..300).contains(&code), "{method} {path}: {code} {answer:#}");
        answer
    }
}

/// Applies our CRDs and waits until they are served.
pub fn install_crds(kubeconfig: &Path) {
    let api = Api::of(kubeconfig);
    for (_, text) in definitions().expect("the definitions can be printed") {
        install_crd(&api, &text);
    }
}

/// Applies one CRD, given as YAML, and waits until it is served.
pub fn install_crd(api: &Api, yaml: &str) {
    let crd: Value = serde_saphyr::from_str(yaml).expect("YAML");
    let name = crd["metadata"]["name"].as_str().expect("a name");
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    api.ok("PATCH", &format!("{path}?fieldManager=tests&force=true"), APPLY, &crd);
    let (group, plural) = (&crd["spec"]["group"], &crd["spec"]["names"]["plural"]);
    let list = format!("/apis/{}/v1alpha1/{}", group.as_str().expect("text"), plural.as_str().expect("text"));
    // Established is said a moment before every request finds the kind.
    until("the kind is served", String::new, || Some(api.send("GET", &list, JSON, &Value::Null).0 == 200));
}

/// Asks again and again until the answer is true.
pub fn until(what: &str, log: impl Fn() -> String, mut is_true: impl FnMut() -> Option<bool>) {
    let found = poll(|| is_true().unwrap_or(false).then_some(()));
    assert!(found.is_some(), "not within {PATIENCE:?}: {what}\n{}", log());
}

/// Asks again and again until there is an answer, or too much time has passed.
#[expect(clippy::disallowed_methods, reason = "a real process cannot be told the time")]
pub fn poll<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if std::time::Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A namespace, which may be there already.
pub fn create_namespace(api: &Api, name: &str) {
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let (code, answer) = api.send("POST", "/api/v1/namespaces", JSON, &object);
    assert!(code == 201 || code == 409, "{code} {answer}");
}
