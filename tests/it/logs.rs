//! The real client asks the logs of a simulated workspace.

use std::time::Duration;

use jiff::SignedDuration;
use rolecall::{
    azure::{Azure, AzureConfig, Limits, WorkspaceId},
    catalog::queries::Parameters,
    clock::Clock,
    model::{Failure, FailureClass, Scope, Source},
    sandbox::arm::{ArmSim, Fault, Permission, World},
};
use serde_json::json;

use crate::azure::config;

const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg";
const CUSTOMER: &str = "ed145307-2f28-4969-924d-f13401b78747";

fn scope(path: &str) -> Scope {
    Scope::parse(&format!("{GROUP}/providers/{path}")).unwrap()
}

fn workspace() -> Scope {
    scope("Microsoft.OperationalInsights/workspaces/law-prod")
}

/// Twenty minutes after the first refusal. Each row is of an app, and one of another's.
fn world(telemetry: &str) -> ArmSim {
    let text = format!(
        "clock: 2026-04-05T01:20:00Z\nresources:\n- id: {workspace}\n  location: westeurope\n  properties: {{ customerId: \
         {CUSTOMER} }}\ntelemetry:\n  law-prod:\n{telemetry}",
        workspace = workspace()
    );
    let world = World::from_yaml(&text).expect("the world is valid");
    let clock = Clock::starting_at(world.clock.unwrap());
    ArmSim::new(world, clock)
}

const INCIDENT: &str = r#"
    AppDependencies:
    - { TimeGenerated: "2026-04-05T00:50:00Z", AppRoleName: func-orders, Target: st.blob.core.windows.net, ResultCode: "200", Success: true }
    - { TimeGenerated: "2026-04-05T01:03:00Z", AppRoleName: FUNC-orders, Target: st.blob.core.windows.net, DependencyType: Azure blob, ResultCode: "403", Success: false, ItemCount: 5, Data: "GET https://st.blob.core.windows.net/in?sig=abc AuthorizationPermissionMismatch" }
    - { TimeGenerated: "2026-04-05T01:16:00Z", AppRoleName: func-orders, Target: kv.vault.azure.net, ResultCode: "401", Success: false, Data: GET /secrets/a }
    - { TimeGenerated: "2026-04-05T01:17:00Z", AppRoleName: func-orders, Target: sb.servicebus.windows.net, ResultCode: "0", Success: false }
    - { TimeGenerated: "2026-04-05T01:10:00Z", AppRoleName: func-other, Target: elsewhere.example.org, ResultCode: "403", Success: false }
    AppRequests:
    - { TimeGenerated: "2026-04-05T01:01:00Z", AppRoleName: func-orders, Name: orders, Success: true }
    - { TimeGenerated: "2026-04-05T01:06:00Z", AppRoleName: func-orders, Name: orders, Success: false, ItemCount: 2 }
    AppExceptions:
    - { TimeGenerated: "2026-04-05T01:05:30Z", AppRoleName: func-orders, OuterMessage: "The listener for function 'orders' was unable to start.", InnermostMessage: "Unauthorized access. 'Listen' claim(s) are required to perform this operation." }
    FunctionAppLogs:
    - { TimeGenerated: "2026-04-05T01:05:00Z", _ResourceId: APP, FunctionName: orders, Message: "The listener for function 'Functions.orders' was unable to start." }
    AZKVAuditLogs:
    - { TimeGenerated: "2026-04-05T01:04:00Z", _ResourceId: VAULT, HttpStatusCode: 403, ResultDescription: Caller is not authorized, Identity: { claim: { oid: 05e70000-0000-4000-8000-000000000001 } } }
    - { TimeGenerated: "2026-04-05T01:04:00Z", _ResourceId: VAULT, HttpStatusCode: 401, Identity: {} }
    StorageBlobLogs:
    - { TimeGenerated: "2026-04-05T01:04:00Z", _ResourceId: STORE/blobServices/default, StatusCode: "403", StatusText: AuthorizationPermissionMismatch, RequesterObjectId: 05e70000-0000-4000-8000-000000000002 }
    - { TimeGenerated: "2026-04-05T01:04:00Z", _ResourceId: STORE2, StatusCode: "403", RequesterObjectId: 05e70000-0000-4000-8000-000000000003 }
"#;

fn incident() -> ArmSim {
    let app = scope("Microsoft.Web/sites/func-orders");
    let telemetry = INCIDENT.replace("APP", app.key()).replace("VAULT", &vault().as_str().to_uppercase());
    world(&telemetry.replace("STORE", store().key()))
}

fn vault() -> Scope {
    scope("Microsoft.KeyVault/vaults/kv")
}

fn store() -> Scope {
    scope("Microsoft.Storage/storageAccounts/st")
}

async fn client(arm: &ArmSim) -> (Azure, WorkspaceId) {
    let azure = Azure::new(config(arm)).unwrap();
    let workspace = azure.workspace(&workspace()).await.unwrap().expect("the workspace is there");
    (azure, workspace)
}

/// Asks with the parameters of the app, looking two hours back.
macro_rules! ask {
    ($client:expr, $method:ident $(, $source:expr)?) => {{
        let (azure, workspace) = $client;
        let (app, vault, store) = (scope("Microsoft.Web/sites/func-orders"), vault(), store());
        let resources = [&vault, &store];
        let window = SignedDuration::from_hours(2);
        let parameters = Parameters { role_name: "func-orders", app: &app, resources: &resources, window };
        azure.$method(*workspace, $($source,)? &parameters).await
    }};
}

#[tokio::test]
async fn every_source_is_asked_and_summed_up() {
    let arm = incident();
    let client = &client(&arm).await;

    let failures = ask!(client, summary, Source::DependencyFailures).unwrap().unwrap();
    let top: Vec<_> = failures.top.iter().map(|it| (it.name.as_str(), it.result.as_str(), it.count)).collect();
    assert_eq!(top[0], ("st.blob.core.windows.net", "403", 5));
    assert_eq!((failures.count, top.len()), (7, 3), "another app's is not among them: {top:?}");
    assert_eq!(failures.samples[0], "GET https://st.blob.core.windows.net/in?… AuthorizationPermissionMismatch");
    let said: Vec<_> = failures.signals.iter().map(|it| it.signal.as_str()).collect();
    assert_eq!(said, ["storage-permission", "no-answer", "vault-challenge"]);

    let credentials = ask!(client, summary, Source::CredentialTraces).unwrap().unwrap();
    let said: Vec<_> = credentials.signals.iter().map(|it| it.signal.as_str()).collect();
    assert_eq!(said, ["amqp-claims", "listener-failed"]);

    let host = ask!(client, summary, Source::HostTraces).unwrap().unwrap();
    assert_eq!((host.count, host.top[0].name.as_str()), (1, "orders"));

    let invocations = ask!(client, summary, Source::Invocations).unwrap().unwrap();
    assert_eq!((invocations.top[0].count, invocations.top[0].failed), (3, 2));

    let steps = ask!(client, failure_series).unwrap().unwrap();
    let figures: Vec<_> = steps.iter().map(|it| (it.calls, it.auth_failures, it.network_failures)).collect();
    // 00:50, 01:00, 01:05, 01:15: refusals by AMQP count, a vault that asks for a token does not.
    assert_eq!(figures, [(1, 0, 0), (6, 5, 0), (2, 1, 0), (2, 0, 1)]);

    let recovery = ask!(client, recovery).unwrap().unwrap();
    assert_eq!(
        (recovery.calls, recovery.auth_failures),
        (1, 6),
        "what succeeded in the quarter before the last five minutes"
    );
    assert_eq!(recovery.network_failures, 1);
    assert_eq!(recovery.newest.to_string(), "2026-04-05T01:17:00Z");

    let refused = ask!(client, refused_principals).unwrap().unwrap();
    let who: Vec<_> = refused.iter().map(|it| (it.resource.clone(), it.principal.to_string())).collect();
    assert_eq!(who.len(), 2, "only of the resources that were asked about: {who:?}");
    assert!(who.contains(&(vault(), "05e70000-0000-4000-8000-000000000001".to_owned())));
    assert!(who.contains(&(store(), "05e70000-0000-4000-8000-000000000002".to_owned())));

    let queries: Vec<_> = arm.journal().into_iter().filter(|it| it.method == "POST").collect();
    assert_eq!(queries.len(), 7);
    for query in queries {
        assert_eq!(query.path, format!("/v1/workspaces/{CUSTOMER}/query"));
        assert_eq!(query.body["timespan"], "PT120M");
        assert!(!query.mutating && query.status == Some(200), "a question is no change");
    }
}

#[tokio::test]
async fn nothing_written_is_nothing_and_a_log_that_does_not_exist_is_a_failure() {
    let arm = world("    AppTraces: []\n");
    let client = &client(&arm).await;
    assert_eq!(ask!(client, summary, Source::DependencyFailures), Ok(None));
    assert_eq!(ask!(client, summary, Source::CredentialTraces), Ok(None));
    assert_eq!(ask!(client, failure_series), Ok(None));
    assert_eq!(ask!(client, recovery), Ok(None), "silence is no recovery");
    let failure = ask!(client, summary, Source::HostTraces).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Rejected, "BadArgumentError"));
    assert!(failure.text.ends_with("expression named 'FunctionAppLogs'"), "{failure}");
    assert_eq!(ask!(client, refused_principals).unwrap_err().code, "BadArgumentError");
}

#[tokio::test]
async fn rows_are_seen_when_they_have_arrived() {
    let text = "clock: 2026-04-05T01:20:00Z\ntelemetryDelay: 3m\nresources: []";
    let world = World::from_yaml(text).unwrap();
    let clock = Clock::starting_at(world.clock.unwrap());
    let arm = ArmSim::new(world, clock);
    arm.insert(json!({ "id": workspace().as_str(), "properties": { "customerId": CUSTOMER } }));
    let row =
        |time: &str| json!({ "TimeGenerated": time, "AppRoleName": "func-orders", "Name": "orders", "Success": true });
    arm.log("LAW-prod", "AppRequests", row("2026-04-05T01:18:00Z"));
    let client = &client(&arm).await;
    assert_eq!(ask!(client, summary, Source::Invocations), Ok(None));
    arm.log("law-prod", "AppRequests", row("2026-04-05T01:16:00Z"));
    assert_eq!(ask!(client, summary, Source::Invocations).unwrap().map(|it| it.count), Some(1));
}

#[tokio::test]
async fn whoever_may_not_read_logs_is_told_what_is_missing() {
    let arm = incident();
    let reader = |action: &str| Permission {
        scope: GROUP.to_owned(),
        actions: vec!["Microsoft.OperationalInsights/workspaces/read".to_owned(), action.to_owned()],
        ..Permission::default()
    };
    arm.set_caller_permissions(Some(vec![reader("Microsoft.Insights/*/read")]));
    let client = &client(&arm).await;
    let failure = ask!(client, recovery).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Denied, "InsufficientAccessError"));
    assert!(failure.hint.is_some_and(|hint| hint.contains("Log Analytics Reader")));
    arm.set_caller_permissions(Some(vec![reader("Microsoft.OperationalInsights/workspaces/query/*/read")]));
    assert!(ask!(client, recovery).is_ok());
}

#[tokio::test]
async fn a_workspace_that_is_gone_or_none_is_told_apart_from_a_silent_one() {
    let arm = incident();
    let client = &client(&arm).await;
    assert_eq!(client.0.workspace(&scope("Microsoft.OperationalInsights/workspaces/other")).await, Ok(None));
    let other = client.0.workspace(&scope("Microsoft.Fabric/capacities/one")).await.unwrap_err();
    assert_eq!(other.code, "UnknownType");
    arm.edit(workspace().as_str(), |it| it["properties"]["customerId"] = "../../steal".into());
    assert_eq!(client.0.workspace(&workspace()).await.unwrap_err().code, "UndecodableAnswer");
    arm.remove(workspace().as_str());
    assert_eq!(ask!(client, recovery).unwrap_err().code, "WorkspaceNotFoundError");
}

/// The failure of a query whose answer is that one.
async fn failure_after(answer: serde_json::Value) -> Failure {
    let arm = incident();
    let client = &client(&arm).await;
    arm.add_fault(serde_json::from_value::<Fault>(json!({ "path": "/query", "answer": answer })).unwrap());
    ask!(client, recovery).expect_err("nothing was answered that could be used")
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_is_a_failure_and_no_evidence() {
    let error = json!({ "code": "PartialError", "message": "There were some errors when processing your query." });
    let columns: Vec<_> = ["Calls", "AuthFailures", "NetworkFailures", "Newest"]
        .map(|name| json!({ "name": name, "type": "long" }))
        .into();
    let table = json!({ "name": "PrimaryResult", "columns": columns, "rows": [[9, 0, 0, "2026-04-05T01:17:00Z"]] });
    let partial = json!({ "status": 200, "body": { "tables": [table], "error": error } });
    let status = |status: u16, code: &str| json!({ "status": status, "code": code, "message": "no" });
    let cases = [
        (partial, FailureClass::Transient, "PartialError"),
        (status(504, "GatewayTimeout"), FailureClass::Transient, "GatewayTimeout"),
        (status(429, "ThrottledError"), FailureClass::Throttled, "ThrottledError"),
        (json!("hang"), FailureClass::Transient, "Timeout"),
        (json!("reset"), FailureClass::Transient, "TransportError"),
        (json!("html"), FailureClass::Bug, "UndecodableAnswer"),
        (json!("half-json"), FailureClass::Bug, "UndecodableAnswer"),
        (json!("empty-list"), FailureClass::Bug, "UndecodableAnswer"),
        (json!("endless"), FailureClass::Bug, "AnswerTooLong"),
    ];
    for (answer, class, code) in cases {
        let failure = failure_after(answer.clone()).await;
        assert_eq!((failure.class, failure.code.as_str()), (class, code), "{answer}: {failure}");
    }
}

#[test]
fn a_token_for_logs_goes_where_it_is_safe_and_where_it_was_asked_for() {
    let with = |arm: Option<&str>, logs: Option<&str>| {
        let endpoint = |text: Option<&str>| text.map(str::to_owned);
        let (arm_endpoint, logs_endpoint) = (endpoint(arm), endpoint(logs));
        let made = Azure::new(AzureConfig { arm_endpoint, logs_endpoint, transport: None, ..config(&incident()) });
        made.map(|_| ()).map_err(|failure| failure.code)
    };
    let refused = Err("InvalidEndpoint".to_owned());
    assert_eq!(with(None, Some("http://logs.example.org")), refused);
    assert_eq!(with(None, Some("nowhere")), refused);
    assert_eq!(with(None, Some("http://127.0.0.1:4480")), Ok(()));
    assert_eq!(with(Some("http://127.0.0.1:4480"), None), Ok(()));
}

/// Over a socket, and by the endpoint of Resource Manager alone.
#[tokio::test]
async fn a_served_workspace_is_asked_where_resource_manager_is_served() {
    let arm = incident();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(arm.clone().serve(listener));
    let config = AzureConfig {
        arm_endpoint: Some(format!("http://{address}")),
        transport: None,
        limits: Limits { total_timeout: Duration::from_secs(10), ..Limits::default() },
        ..config(&arm)
    };
    let azure = Azure::new(config).unwrap();
    let workspace = azure.workspace(&workspace()).await.unwrap().unwrap();
    assert_eq!(ask!(&(azure, workspace), recovery).unwrap().map(|it| it.auth_failures), Some(6));
    server.abort();
}
