//! Who the operator of these tests is: the chart's `ServiceAccount`, with the rights that the chart renders and no
//! other. A right that the chart lacks is a test that fails.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    request::{APPLY, Api, JSON, create_namespace},
    stage::{Server, text},
};

/// What the chart renders of accounts and rights, below the package; `generated.rs` holds it to the chart.
pub const RENDERED: &str = "tests/cluster/rbac.yaml";
/// The release's name and namespace, as it is rendered.
pub const RELEASE: &str = "rolecall";

/// Puts account and rights there, and writes a kubeconfig with a token of the account.
pub fn kubeconfig(server: &Server) -> PathBuf {
    let api = Api::of(&server.kubeconfig);
    create_namespace(&api, RELEASE);
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR")).join(RENDERED);
    let rendered = fs::read_to_string(rendered).expect("`make generate` wrote it");
    for document in rendered.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).expect("YAML");
        if !object.is_null() {
            api.ok("PATCH", &format!("{}?fieldManager=tests&force=true", path(&object)), APPLY, &object);
        }
    }
    let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let token = format!("/api/v1/namespaces/{RELEASE}/serviceaccounts/{RELEASE}/token");
    let answer = api.ok("POST", &token, JSON, &request);

    let administrator = fs::read_to_string(&server.kubeconfig).expect("the server wrote it");
    let mut kubeconfig: Value = serde_saphyr::from_str(&administrator).expect("YAML");
    // Whole, so that no certificate of the administrator is left beside the token.
    kubeconfig["users"] = json!([{ "name": RELEASE, "user": { "token": answer["status"]["token"] } }]);
    let current = kubeconfig["current-context"].clone();
    let contexts = kubeconfig["contexts"].as_array_mut().expect("a list");
    contexts.retain(|context| context["name"] == current);
    contexts[0]["context"]["user"] = json!(RELEASE);
    // Where the lease is: in a pod it is the pod's own.
    contexts[0]["context"]["namespace"] = json!(RELEASE);
    let file = server.folder.join("operator.kubeconfig");
    fs::write(text(&file), kubeconfig.to_string()).expect("the folder can be written");
    file
}

fn path(object: &Value) -> String {
    let named = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
    let (kind, name) = (object["kind"].as_str().expect("a kind"), named("name").expect("a name"));
    let namespace = || format!("namespaces/{}", named("namespace").expect("a namespace"));
    let rights = "/apis/rbac.authorization.k8s.io/v1";
    match kind {
        "ServiceAccount" => format!("/api/v1/{}/serviceaccounts/{name}", namespace()),
        "ClusterRole" => format!("{rights}/clusterroles/{name}"),
        "ClusterRoleBinding" => format!("{rights}/clusterrolebindings/{name}"),
        "Role" => format!("{rights}/{}/roles/{name}", namespace()),
        "RoleBinding" => format!("{rights}/{}/rolebindings/{name}", namespace()),
        other => panic!("{other} is nothing that gives rights"),
    }
}
