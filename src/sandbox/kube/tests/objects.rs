use k8s_openapi::api::{
    coordination::v1::{Lease, LeaseSpec},
    core::v1::Namespace,
    events::v1::Event,
};
use kube::Resource;
use kube::api::{DeleteParams, ListParams, ObjectMeta};
use kube::runtime::events::{self, EventType, Recorder, Reporter};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_created_object_carries_what_the_server_adds() {
    let sim = sim();
    let created = create(&widgets(&sim), "small").await;

    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.status, Some(WidgetStatus { observed_generation: -1 }));
    assert!(created.metadata.uid.is_some());
    let stored = sim.get("Widget", Some("default"), "small").expect("stored");
    assert_eq!(stored["metadata"]["creationTimestamp"], "2027-01-04T09:00:00Z");
    assert_eq!(stored["spec"]["colour"], "red");
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let sim = sim();
    let api = widgets(&sim);
    create(&api, "small").await;
    let again = api.create(&PostParams::default(), &widget("small", 4)).await;
    assert_eq!(refusal(again), (409, "AlreadyExists".to_owned()));
}

#[tokio::test]
async fn generated_names_are_counted() {
    let api = widgets(&sim());
    let mut unnamed = widget("", 1);
    unnamed.metadata = ObjectMeta { generate_name: Some("w-".to_owned()), ..ObjectMeta::default() };
    let first = api.create(&PostParams::default(), &unnamed).await.expect("created");
    let second = api.create(&PostParams::default(), &unnamed).await.expect("created");
    assert!(first.name_any().starts_with("w-0") && first.name_any() < second.name_any());
}

#[tokio::test]
async fn a_stale_replace_is_a_conflict() {
    let sim = sim();
    let api = widgets(&sim);
    let old = create(&api, "small").await;
    let mut newer = old.clone();
    newer.spec.size = 5;
    let newer = api.replace("small", &PostParams::default(), &newer).await.expect("replaced");
    assert_eq!(newer.metadata.generation, Some(2));
    assert_eq!(refusal(api.replace("small", &PostParams::default(), &old).await), conflict());

    let mut blind = newer;
    blind.metadata.resource_version = None;
    assert_eq!(refusal(api.replace("small", &PostParams::default(), &blind).await), (422, "Invalid".to_owned()));
}

#[tokio::test]
async fn a_stale_status_apply_is_a_conflict() {
    let api = widgets(&sim());
    let old = create(&api, "small").await;
    apply_status(&api, "small", 1).await.expect("applied");
    let patch = json!({
        "apiVersion": "example.dev/v1", "kind": "Widget",
        "metadata": { "resourceVersion": version(&old) }, "status": { "observedGeneration": 7 },
    });
    let stale = api.patch_status("small", &PatchParams::apply("rolecall").force(), &Patch::Apply(patch)).await;
    assert_eq!(refusal(stale), conflict());
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let api = widgets(&sim());
    let mut object = create(&api, "small").await;
    let with_status = apply_status(&api, "small", 1).await.expect("applied");
    assert_eq!((with_status.metadata.generation, with_status.spec.size), (Some(1), 3));

    object.metadata.resource_version = with_status.metadata.resource_version;
    object.spec.size = 8;
    object.status = Some(WidgetStatus { observed_generation: 99 });
    let replaced = api.replace("small", &PostParams::default(), &object).await.expect("replaced");
    assert_eq!(replaced.status, Some(WidgetStatus { observed_generation: 1 }));
}

#[tokio::test]
async fn a_write_without_change_keeps_the_version() {
    let sim = sim();
    let api = widgets(&sim);
    create(&api, "small").await;
    let first = apply_status(&api, "small", 1).await.expect("applied");
    let second = apply_status(&api, "small", 1).await.expect("applied");
    assert_eq!(version(&first), version(&second));
    let merged = merge(&api, "small", json!({ "spec": { "size": 3 } })).await.expect("merged");
    assert_eq!(version(&first), version(&merged));
    let replaced = api.replace("small", &PostParams::default(), &second).await.expect("replaced");
    assert_eq!(version(&first), version(&replaced));

    let changed: Vec<bool> = sim.journal().iter().map(|request| request.changed).collect();
    assert_eq!(changed, [true, true, false, false, false]);
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let sim = sim();
    let api = widgets(&sim);
    create(&api, "small").await;
    let held = merge(&api, "small", json!({ "metadata": { "finalizers": ["example.dev/a"] } })).await.expect("merged");
    assert_eq!(held.metadata.generation, Some(1), "a finalizer does not move generation");

    let deleting = api.delete("small", &DeleteParams::default()).await.expect("accepted").left().expect("held");
    assert!(deleting.metadata.deletion_timestamp.is_some());
    assert_eq!(deleting.metadata.generation, Some(2), "deletion moves generation");
    let again = api.delete("small", &DeleteParams::default()).await.expect("accepted").left().expect("held");
    assert_eq!(version(&again), version(&deleting));
    let added = json!({ "metadata": { "finalizers": ["example.dev/a", "example.dev/b"] } });
    assert_eq!(refusal(merge(&api, "small", added).await).0, 422);

    merge(&api, "small", json!({ "metadata": { "finalizers": null } })).await.expect("released");
    assert_eq!(refusal(api.get("small").await), (404, "NotFound".to_owned()));
    assert_eq!(sim.list("Widget"), Vec::<Value>::new());
}

#[tokio::test]
async fn an_object_without_finalizers_goes_at_once() {
    let sim = sim();
    let api = widgets(&sim);
    create(&api, "small").await;
    assert!(api.delete("small", &DeleteParams::default()).await.expect("accepted").is_right());
    assert_eq!(refusal(api.delete("small", &DeleteParams::default()).await).0, 404);
    sim.delete("Widget", Some("default"), "small");
}

#[tokio::test]
async fn a_user_changes_spec_and_leaves_status_alone() {
    let sim = sim();
    sim.put(manifest("small", 3));
    let api = widgets(&sim);
    apply_status(&api, "small", 1).await.expect("applied");
    let same = sim.put(manifest("small", 3));
    assert_eq!(same["metadata"]["generation"], 1);
    let changed = sim.put(manifest("small", 4));
    assert_eq!((&changed["metadata"]["generation"], &changed["status"]["observedGeneration"]), (&json!(2), &json!(1)));
    let status = json!({ "observedGeneration": 6 });
    let mut object = manifest("small", 0);
    object["status"] = status.clone();
    assert_eq!(sim.put_status(object)["status"], status);
}

#[tokio::test]
async fn lists_select_by_name_and_label() {
    let sim = sim();
    let api = widgets(&sim);
    for (name, team) in [("small", "blue"), ("large", "green")] {
        let mut object = manifest(name, 1);
        object["metadata"]["labels"] = json!({ "team": team });
        sim.put(object);
    }
    let names = async |parameters: ListParams| {
        let list = api.list(&parameters).await.expect("listed");
        list.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>()
    };
    assert_eq!(names(ListParams::default()).await, ["large", "small"]);
    assert_eq!(names(ListParams::default().labels("team=blue")).await, ["small"]);
    assert_eq!(names(ListParams::default().fields("metadata.name=large")).await, ["large"]);
    assert_eq!(refusal(api.list(&ListParams::default().labels("team in (blue)")).await).0, 400);
    assert_eq!(refusal(api.list(&ListParams::default().fields("spec.size=1")).await).0, 400);
}

#[tokio::test]
async fn an_absent_kind_is_a_plain_404_until_its_crd_is_installed() {
    let sim = KubeSim::new(Clock::System, vec![]);
    let api = widgets(&sim);
    match api.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) => {
            assert_eq!((status.code, status.message.trim()), (404, "404 page not found"));
        }
        other => panic!("expected 404, got {other:?}"),
    }
    sim.install_crd(&crd());
    assert!(api.list(&ListParams::default()).await.expect("listed").items.is_empty());
}

#[tokio::test]
async fn a_missing_namespace_refuses_objects() {
    let sim = sim();
    let elsewhere: Api<Widget> = Api::namespaced(sim.client(), "nowhere");
    assert_eq!(refusal(elsewhere.create(&PostParams::default(), &widget("small", 1)).await).0, 404);
    let namespaces: Api<Namespace> = Api::all(sim.client());
    let names: Vec<_> =
        namespaces.list(&ListParams::default()).await.expect("listed").iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["default", "kube-system"]);
}

#[tokio::test]
async fn leases_are_guarded_by_their_version() {
    let sim = sim();
    let api: Api<Lease> = Api::default_namespaced(sim.client());
    let mut lease =
        Lease { metadata: ObjectMeta { name: Some("leader".to_owned()), ..Default::default() }, spec: None };
    lease.spec = Some(LeaseSpec { holder_identity: Some("a".to_owned()), ..LeaseSpec::default() });
    let held = api.create(&PostParams::default(), &lease).await.expect("created");
    let mut taken = held.clone();
    taken.spec = Some(LeaseSpec { holder_identity: Some("b".to_owned()), ..LeaseSpec::default() });
    api.replace("leader", &PostParams::default(), &taken).await.expect("taken");
    assert_eq!(refusal(api.replace("leader", &PostParams::default(), &held).await), conflict());
}

#[tokio::test]
async fn the_recorder_creates_an_event_and_counts_repeats_on_it() {
    let sim = sim();
    let object = create(&widgets(&sim), "small").await;
    let reporter = Reporter { controller: "rolecall".to_owned(), instance: Some("one".to_owned()) };
    let recorder = Recorder::new(sim.client(), reporter);
    for _ in 0..2 {
        let event = events::Event {
            type_: EventType::Warning,
            reason: "DriftDetected".to_owned(),
            note: None,
            action: "Observe".to_owned(),
            secondary: None,
        };
        recorder.publish(&event, &object.object_ref(&())).await.expect("published");
    }
    let api: Api<Event> = Api::all(sim.client());
    let events = api.list(&ListParams::default()).await.expect("listed").items;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].series.as_ref().map(|series| series.count), Some(2));
}
