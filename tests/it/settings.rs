//! The settings of an app, read where the policy says so: one request, no secret of it anywhere, and what a refusal or
//! another cloud makes of it.

use std::time::Duration;

use rolecall::{
    api::{FunctionIdentityPolicy, Mode, Settings},
    azure::{Azure, AzureConfig},
    catalog::clouds::CLOUDS,
    clock::Clock,
    evaluate::Finding,
    model::{Failure, Scope, settings::Setting},
    observe::Surveys,
    pipeline::{Intent, Pipeline},
    report::{self, PassResult, Report},
    sandbox::arm::{ArmSim, Fault, World},
};
use serde_json::{Value, json};

use crate::{
    azure::{boundaries, client, config, file, pipeline, policy},
    faults::Log,
};

const APP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/\
                   Microsoft.Web/sites/func-orders";

/// The example, whose app has these settings; none of its own when there are none.
fn estate(settings: Option<&Value>) -> (ArmSim, Clock) {
    let mut world: Value = serde_saphyr::from_str(&file("world.yaml")).expect("the example world is YAML");
    if let Some(settings) = settings {
        let document = json!({
            "id": format!("{APP}/config/appsettings"), "name": "appsettings", "type": "Microsoft.Web/sites/config",
            "properties": settings,
        });
        world["resources"].as_array_mut().expect("a world has resources").push(document);
    }
    let world = World::from_yaml(&world.to_string()).expect("the example world is valid");
    let clock = Clock::starting_at(world.clock.expect("the example world has a clock"));
    (ArmSim::new(world, clock), clock)
}

/// The example's policy, whose bindings name their connections.
fn inspecting() -> FunctionIdentityPolicy {
    let mut policy = policy();
    policy.spec.settings = Settings::Inspect;
    for (binding, connection) in policy.spec.bindings.iter_mut().zip(["Orders", "Uploads"]) {
        connection.clone_into(&mut binding.connection);
    }
    policy
}

fn right() -> Value {
    json!({
        "AzureWebJobsStorage__accountName": "stordershost",
        "Orders__fullyQualifiedNamespace": "sb-orders.servicebus.windows.net",
        "Orders__credential": "managedidentity",
        "Orders__clientId": "c11e0000-0003-4000-8000-000000000003",
        "Uploads__blobServiceUri": "https://storderuploads.blob.core.windows.net",
        "Uploads__queueServiceUri": "https://storderuploads.queue.core.windows.net",
    })
}

async fn pass(pipeline: &Pipeline, policy: &FunctionIdentityPolicy) -> Report {
    pipeline.pass(policy, &boundaries(), None, Intent::Act).await
}

fn findings(report: &Report) -> &[Finding] {
    let PassResult::Evaluated(pass) = &report.finding else { panic!("{:?}", report.situation()) };
    &pass.evaluation.findings
}

/// Those about settings. The example lacks a role besides.
fn codes(report: &Report) -> Vec<&'static str> {
    findings(report).iter().map(Finding::code).filter(|code| *code != "role-missing").collect()
}

fn asked(arm: &ArmSim) -> usize {
    arm.journal().iter().filter(|request| request.path.ends_with("/config/appsettings/list")).count()
}

#[tokio::test(start_paused = true)]
async fn settings_are_asked_for_only_where_the_policy_says_so_and_once_for_several_looks() {
    let (arm, clock) = estate(Some(&right()));
    let pipeline = pipeline(&arm, clock);
    assert_eq!(codes(&pass(&pipeline, &policy()).await), Vec::<&str>::new());
    assert_eq!(asked(&arm), 0);
    for _ in 0..2 {
        assert_eq!(codes(&pass(&pipeline, &inspecting()).await), Vec::<&str>::new());
        assert_eq!(asked(&arm), 1);
    }
    assert!(arm.journal().iter().all(|request| !request.mutating), "a read, whatever its method");
}

#[tokio::test(start_paused = true)]
async fn a_slot_has_settings_of_its_own() {
    let mut world = World::from_yaml(&file("world.yaml")).expect("the example world is valid");
    let slot = format!("{APP}/slots/staging");
    world.resources.extend([
        json!({ "id": slot, "name": "func-orders/staging", "type": "Microsoft.Web/sites/slots", "properties": {} }),
        json!({
            "id": format!("{slot}/config/appsettings"), "name": "appsettings",
            "type": "Microsoft.Web/sites/slots/config", "properties": { "Orders__clientId": "none" },
        }),
    ]);
    let clock = Clock::starting_at(world.clock.expect("the example world has a clock"));
    let azure = client(&ArmSim::new(world, clock));
    let of = async |id: &str| azure.app_settings(&Scope::parse(id).expect("an id")).await.expect("settings");
    assert_eq!(of(&slot).await.get("Orders__clientId"), Some(&Setting::Client(None)));
    assert_eq!(of(APP).await.get("Orders__clientId"), None);
}

#[tokio::test(start_paused = true)]
async fn an_app_without_settings_makes_no_connection() {
    let (arm, clock) = estate(None);
    assert_eq!(codes(&pass(&pipeline(&arm, clock), &inspecting()).await), ["connection-missing"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_the_action_that_is_missing() {
    let (arm, clock) = estate(Some(&right()));
    let refused = json!({"method": "POST", "path": "/appsettings/list", "times": 9, "answer": {"status": 403, "code": "AuthorizationFailed"}});
    arm.add_fault(serde_json::from_value::<Fault>(refused).expect("a fault"));
    let report = pass(&pipeline(&arm, clock), &inspecting()).await;
    let [_, Finding::Unreadable { subjects, failure: Failure { hint: Some(hint), .. } }] = findings(&report) else {
        panic!("{:?}", findings(&report))
    };
    assert_eq!(subjects, &["settings"]);
    assert!(hint.contains("`Microsoft.Web/sites/config/list/action`"), "{hint}");
    assert_eq!(asked(&arm), 1, "a POST is not tried again");
}

#[tokio::test(start_paused = true)]
async fn reader_alone_does_not_see_them() {
    let mut world = World::from_yaml(&file("world.yaml")).expect("the example world is valid");
    let reader = json!([{ "scope": "/", "actions": ["*/read"] }]);
    world.caller_permissions = serde_json::from_value(reader).expect("permissions");
    let clock = Clock::starting_at(world.clock.expect("the example world has a clock"));
    let arm = ArmSim::new(world, clock);
    let report = pass(&pipeline(&arm, clock), &inspecting()).await;
    assert_eq!(codes(&report), ["unreadable"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_right_in_one_cloud_is_wrong_in_another() {
    let (arm, clock) = estate(Some(&right()));
    let config = AzureConfig { cloud: CLOUDS[1], ..config(&arm) };
    let azure = Azure::new(config).expect("an endpoint");
    let pipeline = Pipeline::new(azure, Surveys::new(clock, Duration::from_secs(60)), clock);
    // The bus, two services of the uploads, and the host's account.
    assert_eq!(codes(&pass(&pipeline, &inspecting()).await), ["service-uri-mismatch"; 4]);
}

const SECRET: &str = "bm90LWEta2V5";

/// Every setting that the app could have, each with a secret in it.
fn secrets() -> Value {
    let bus = format!("Endpoint=sb://sb-orders.servicebus.windows.net/;SharedAccessKey={SECRET}=");
    let mut settings = json!({
        "AzureWebJobsStorage": format!("DefaultEndpointsProtocol=https;AccountName=st;AccountKey={SECRET}=="),
        "PaymentsApiKey": SECRET,
        "Spare": format!("@Microsoft.KeyVault(SecretUri=https://kv-orders.vault.azure.net/secrets/{SECRET})"),
        "Uploads__blobServiceUri": format!("https://storderuploads.blob.core.windows.net/?sig={SECRET}"),
        "Uploads__queueServiceUri": format!("https://{SECRET}@storderuploads.queue.core.windows.net"),
        "AZURE_CLIENT_ID": SECRET,
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": format!("Authorization=AAD;ClientId={SECRET}"),
        "Odd": { "nested": SECRET },
        "Orders__key": SECRET,
    });
    for member in
        ["fullyQualifiedNamespace", "serviceUri", "accountName", "endpoint", "accountEndpoint", "tableServiceUri"]
    {
        settings[format!("Orders__{member}")] = bus.clone().into();
    }
    for member in ["credential", "clientId", "managedIdentityResourceId", "topicEndpointUri"] {
        settings[format!("Orders__{member}")] = SECRET.into();
    }
    settings
}

#[tokio::test(start_paused = true)]
async fn no_secret_of_a_setting_is_logged_kept_or_told() {
    let (log, guard) = Log::capture();
    let mut shown = Vec::new();
    // A map, a text, and none of both.
    for settings in [secrets(), SECRET.into(), json!([SECRET])] {
        for mode in [Mode::Report, Mode::Enforce] {
            let (arm, clock) = estate(Some(&settings));
            let pipeline = pipeline(&arm, clock);
            let mut policy = inspecting();
            policy.spec.mode = mode;
            let report = pass(&pipeline, &policy).await;
            let app = Scope::parse(APP).expect("an id");
            shown.push(format!("{:?}", client(&arm).app_settings(&app).await));
            let status = report::status(None, &report, None, clock.now());
            shown.extend([
                format!("{report:?}"),
                report::text(&report, report.exit_code(), true),
                report::json(&report).to_string(),
            ]);
            shown.extend([serde_json::to_string(&status).expect("a status is JSON"), format!("{status:?}")]);
            assert!(!codes(&report).is_empty() && asked(&arm) > 0, "they were read");
        }
    }
    drop(guard);
    let (logged, shown) = (log.text(), shown.join("\n"));
    assert!(logged.contains("/config/appsettings/list"), "the request was heard of");
    assert!(!logged.contains(SECRET), "a secret was logged");
    for spelled in [SECRET.to_owned(), SECRET.to_ascii_lowercase()] {
        let line = shown.lines().find(|line| line.contains(&spelled));
        assert_eq!(line, None, "a secret is told");
    }
}
