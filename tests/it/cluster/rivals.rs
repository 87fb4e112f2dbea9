//! Two policies about one app: exactly one acts.

use serde_json::{Value, json};

use super::{
    kstatus::{Kstatus, condition, kstatus},
    request::{JSON, poll},
    scene::{Scene, create_boundary, policies},
};

/// Creation times have whole seconds; of equally old policies the first by name acts.
fn created_later(scene: &Scene, name: &str, than: &Value) {
    let age = |policy: &Value| policy["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
    let dry = format!("{}?dryRun=All", scene.policies());
    let later = poll(|| {
        let tried = scene.api.ok("POST", &dry, JSON, &scene.policy(name, |_| {}));
        (age(&tried) > age(than)).then_some(())
    });
    assert!(later.is_some(), "the server's clock stands still");
    scene.create(&scene.policy(name, |_| {}));
}

#[test]
fn of_two_policies_for_one_app_the_older_acts_and_the_younger_takes_over_when_it_is_gone() {
    let Some(scene) = Scene::set().map(Scene::with_boundary) else { return };
    // The younger one's name comes first, so that the name cannot be what decides.
    let older = scene.create(&scene.policy("the-older", |_| {}));
    created_later(&scene, "a-younger", &older);
    let younger = scene.until_ready_is("a-younger", "False", "DuplicateTarget");
    assert_eq!(condition(&younger, "Stalled"), ("True", "DuplicateTarget"));
    assert_eq!(kstatus(&younger), Kstatus::Failed);
    let message = younger["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains(&format!("{}/the-older", scene.namespace)), "{message}");
    scene.until_ready_is("the-older", "True", "DriftReported");

    scene.api.ok("DELETE", &format!("{}/the-older", scene.policies()), JSON, &Value::Null);
    scene.until_ready_is("a-younger", "True", "DriftReported");
}

#[test]
fn an_older_policy_that_may_not_look_is_no_rival() {
    let Some(scene) = Scene::set() else { return };
    let elsewhere = format!("{}-squatter", scene.namespace);
    super::request::create_namespace(&scene.api, &elsewhere);
    let mut squatter = scene.policy("squatter", |_| {});
    squatter["metadata"]["namespace"] = json!(elsewhere);
    let squatter = scene.api.ok("POST", &policies(&elsewhere), JSON, &squatter);
    create_boundary(&scene.api, &scene.boundary());
    created_later(&scene, "orders", &squatter);
    scene.until_ready_is("orders", "True", "DriftReported");
}
