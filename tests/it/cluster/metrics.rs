//! A scrape of the operator process.

use super::{arm::Arm, request::until, scene::Scene, stage::stage};

#[test]
fn a_scrape_counts_the_policies_of_the_cluster_and_names_none() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    scene.create(&scene.policy("named-by-a-user", |_| {}));
    scene.until_ready_is("named-by-a-user", "True", "DriftReported");
    let log = stage().expect("there was one a moment ago").operator.log();
    let address = log.split("metrics=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let metrics = Arm::at(&format!("http://{}", address.expect("the log says where")));
    let scrape = || metrics.get("/metrics").1;
    // Other tests have such policies too, and the store follows the API server by a moment.
    let counted = "rolecall_policies{ready=\"True\",reason=\"DriftReported\"}";
    until("it is counted", scrape, || Some(scrape().contains(counted)));
    let scrape = scrape();
    assert!(scrape.contains("\nrolecall_leader 1.0\n"), "{scrape}");
    assert!(
        scrape.contains("rolecall_arm_requests_total{operation=\"GET Microsoft.Web/sites\",code=\"200\"}"),
        "{scrape}"
    );
    assert!(!scrape.contains("named-by-a-user") && !scrape.contains(&scene.namespace), "{scrape}");
    assert!(!scrape.contains(&scene.subscription) && !scrape.contains("operation=\"other\""), "{scrape}");
}
