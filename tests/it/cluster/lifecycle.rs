//! The process: start before everything else is there, an API server that goes and comes, the end. Each test has an
//! API server of its own.

use std::time::Duration;

use serde_json::json;

use super::{
    arm::Arm,
    process::Process,
    request::{Api, JSON, MERGE, create_namespace, until},
    scene::{self, example_boundary, example_policy, ready_is, until_policy},
    stage::{Server, free_port, operator, operator_as, own_server, sandbox},
};

/// How long a shutdown may take: Kubernetes kills after 30 s, and nobody wants to wait that long.
const SOON: Duration = Duration::from_secs(5);
const NAMESPACE: &str = "payments";

fn subscription() -> String {
    scene::subscription(0)
}

fn create_policy(api: &Api) {
    create_namespace(api, NAMESPACE);
    scene::create_boundary(api, &example_boundary(NAMESPACE, &subscription()));
    let policy = example_policy(NAMESPACE, &subscription(), "orders", |_| {});
    api.ok("POST", &scene::policies(NAMESPACE), JSON, &policy);
}

fn readiness(probes: &Arm) -> u16 {
    probes.get("/readyz").0
}

fn assert_ends_cleanly(operator: Process) {
    let log = operator.log();
    let (code, took) = operator.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < SOON, "it took {took:?} to end\n{log}");
}

#[test]
fn an_operator_that_starts_before_the_crds_is_ready_once_they_are_there() {
    let Some(server) = own_server("late-crds", "127.0.0.1:0") else { return };
    let (arm, _sandbox) = sandbox(&server.folder);
    let (operator, probes) = operator(&server, &arm);
    assert_eq!(probes.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(probes.get("/readyz"), (503, "stores are not synced yet\n".to_owned()));
    assert_eq!(probes.get("/").0, 404);
    until("the reason is logged", || operator.log(), || Some(operator.log().contains("cannot watch boundaries")));
    assert_eq!(readiness(&probes), 503);

    server.install_crds();
    until("ready", || operator.log(), || Some(readiness(&probes) == 200));
    let api = Api::of(&server.kubeconfig);
    create_policy(&api);
    until_policy(
        &api,
        NAMESPACE,
        "orders",
        "drift is reported",
        || operator.log(),
        |policy| ready_is(policy, "True", "DriftReported"),
    );
    assert_ends_cleanly(operator);
}

#[test]
fn an_operator_that_waits_for_the_crds_ends_when_told() {
    let Some(server) = own_server("no-crds", "127.0.0.1:0") else { return };
    let (arm, _sandbox) = sandbox(&server.folder);
    let (operator, _) = operator(&server, &arm);
    until("it waits", || operator.log(), || Some(operator.log().contains("cannot watch boundaries")));
    assert_ends_cleanly(operator);
}

#[test]
fn the_operator_goes_on_after_the_api_server_was_killed_and_started_again() {
    let listen = format!("127.0.0.1:{}", free_port());
    let Some(server) = own_server("restarted", &listen) else { return };
    let Server { folder, kubeconfig, .. } = &server;
    let (folder, kubeconfig) = (folder.clone(), kubeconfig.clone());
    server.install_crds();
    let (arm, _sandbox) = sandbox(&folder);
    // With one of ordinary length, a server that takes its time to start would be gone for longer than the lease lasts.
    let (operator, probes) = operator_as("operator", &server, &arm, &["--lease-duration", "10m"]);
    let api = Api::of(&kubeconfig);
    create_policy(&api);
    let log = || operator.log();
    until_policy(&api, NAMESPACE, "orders", "drift is reported", log, |policy| {
        ready_is(policy, "True", "DriftReported")
    });

    server.kill();
    until("the loss is logged", log, || Some(operator.log().contains("cannot watch policies")));
    assert_eq!(probes.get("/healthz").0, 200);
    let _server = Server::start_in(folder, &listen).expect("it started before");
    let api = Api::of(&kubeconfig);
    let path = format!("{}/orders", scene::policies(NAMESPACE));
    api.ok("PATCH", &path, MERGE, &json!({ "spec": { "gate": "Drift" } }));
    until_policy(&api, NAMESPACE, "orders", "the change is looked at", log, |policy| {
        ready_is(policy, "False", "DriftDetected")
    });
    assert_ends_cleanly(operator);
}

#[test]
fn an_operator_whose_api_server_stays_away_ends_and_one_that_is_started_again_goes_on() {
    let listen = format!("127.0.0.1:{}", free_port());
    let Some(server) = own_server("gone", &listen) else { return };
    let Server { folder, kubeconfig, .. } = &server;
    let (folder, kubeconfig) = (folder.clone(), kubeconfig.clone());
    server.install_crds();
    let (arm, _sandbox) = sandbox(&folder);
    let (mut operator, _) = operator(&server, &arm);
    let api = Api::of(&kubeconfig);
    create_policy(&api);
    until_policy(&api, NAMESPACE, "orders", "drift is reported", String::new, |policy| {
        ready_is(policy, "True", "DriftReported")
    });

    server.kill();
    assert_eq!(operator.ended(), Some(1), "{}", operator.log());
    assert!(operator.log().contains("the lease was not renewed within 13 s; ending at once"), "{}", operator.log());
    let server = Server::start_in(folder, &listen).expect("it started before");
    let (operator, _) = operator_as("started-again", &server, &arm, &[]);
    let api = Api::of(&kubeconfig);
    let path = format!("{}/orders", scene::policies(NAMESPACE));
    api.ok("PATCH", &path, MERGE, &json!({ "spec": { "gate": "Drift" } }));
    let log = || operator.log();
    until_policy(&api, NAMESPACE, "orders", "the change is looked at", log, |policy| {
        ready_is(policy, "False", "DriftDetected")
    });
    assert_ends_cleanly(operator);
}
