//! Hosts that live: each cause has its symptom, and each repair its recovery, and nobody wrote either down.

mod causes;
mod messages;
mod private;

use std::time::Duration;

use super::*;

const BUS: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders\
    /providers/Microsoft.ServiceBus/namespaces/sb-parcels";
const WORKSPACE: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders\
    /providers/Microsoft.OperationalInsights/workspaces/law";
const BUS_RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
/// Names of the grants of the store, the bus and the vault.
const GRANTS: [&str; 3] = [
    "e0000000-0001-4000-8000-000000000000",
    "e0000000-0002-4000-8000-000000000000",
    "e0000000-0003-4000-8000-000000000000",
];

fn granted(scope: &str, name: &str, principal: &str, role: &str) -> Value {
    let mut document = assignment(scope, name, principal, "ServicePrincipal");
    document["properties"]["roleDefinitionId"] = role_path(role).into();
    document
}

/// An app with both identities, whose two functions read blobs, and take messages to read a secret for each.
fn alive(change: impl FnOnce(&mut Value)) -> ArmSim {
    let mut text = json!({
        "clock": "2026-03-02T00:00:00Z",
        "resources": [
            {
                "id": SITE, "location": "westeurope", "properties": { "state": "Running" },
                "identity": {
                    "type": "SystemAssigned, UserAssigned", "principalId": SITE_PRINCIPAL, "tenantId": Caller::default().tenant_id,
                    "userAssignedIdentities": { IDENTITY: { "principalId": SHARED_PRINCIPAL, "clientId": HUMAN } },
                },
            },
            { "id": IDENTITY, "properties": { "principalId": SHARED_PRINCIPAL, "clientId": HUMAN } },
            { "id": STORE, "location": "westeurope", "properties": {} },
            { "id": BUS, "location": "westeurope", "properties": {} },
            { "id": VAULT, "location": "westeurope", "properties": { "enableRbacAuthorization": true, "accessPolicies": [] } },
            granted(STORE, GRANTS[0], SITE_PRINCIPAL, BLOB_READER),
            granted(BUS, GRANTS[1], SHARED_PRINCIPAL, BUS_RECEIVER),
            granted(VAULT, GRANTS[2], SHARED_PRINCIPAL, SECRETS_USER),
        ],
        "hosts": [{
            "app": SITE, "workspace": WORKSPACE,
            "functions": [
                { "name": "uploads", "trigger": { "target": format!("{STORE}/blobServices/default/containers/in") } },
                {
                    "name": "orders", "trigger": { "target": format!("{BUS}/queues/orders"), "identity": IDENTITY },
                    "calls": [{ "target": VAULT, "identity": IDENTITY }],
                },
            ],
        }],
    });
    change(&mut text);
    simulate(World::from_yaml(&text.to_string()).expect("the world is valid"))
}

async fn minutes(count: u64) {
    tokio::time::advance(Duration::from_mins(count)).await;
}

/// The rows of a table in the last ten minutes.
fn lately(sim: &ArmSim, table: &str) -> Vec<Value> {
    let from = sim.clock.now() - Duration::from_mins(10);
    let time = |row: &Value| row["TimeGenerated"].as_str().and_then(|it| it.parse::<Timestamp>().ok());
    sim.rows("law", table).into_iter().filter(|row| time(row).is_some_and(|time| time > from)).collect()
}

/// How often a function succeeded and failed in the last ten minutes.
fn runs(sim: &ArmSim, function: &str) -> (usize, usize) {
    let rows = lately(sim, "AppRequests").into_iter().filter(|row| row["Name"] == function);
    let (well, ill): (Vec<_>, Vec<_>) = rows.partition(|row| row["Success"] == true);
    (well.len(), ill.len())
}

/// What exceptions said in the last ten minutes.
fn said(sim: &ArmSim) -> String {
    let text = |row: Value| format!("{} {}", row["OuterMessage"], row["InnermostMessage"]);
    lately(sim, "AppExceptions").into_iter().map(text).collect()
}

fn results(sim: &ArmSim, host: &str) -> Vec<String> {
    let rows = lately(sim, "AppDependencies").into_iter().filter(|row| row["Target"] == host);
    rows.filter_map(|row| row["ResultCode"].as_str().map(str::to_owned)).collect()
}

async fn restart(sim: &ArmSim) {
    let uri = format!("https://management.azure.com{SITE}/restart?api-version=2024-04-01");
    let request = http::Request::post(uri).body(Bytes::new()).expect("a request");
    let mut request = request;
    request.headers_mut().insert("authorization", "Bearer let-me-in".parse().expect("a header"));
    assert_eq!(sim.answer(request).await.expect("an answer").status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_removed_role_goes_on_for_minutes_and_a_new_one_takes_minutes_front_end_by_front_end() {
    let sim = alive(|_| {});
    let refused =
        |sim: &ArmSim| results(sim, "stparcels.blob.core.windows.net").iter().filter(|it| *it == "403").count();
    minutes(20).await;
    sim.remove(&grant_path(STORE, GRANTS[0]));
    tokio::time::advance(Duration::from_secs(179)).await;
    assert_eq!(refused(&sim), 0);
    minutes(4).await;
    assert!(refused(&sim) > 0);
    minutes(20).await;
    let of_host: String = lately(&sim, "AppTraces").iter().map(|row| row["Message"].to_string()).collect();
    assert!(of_host.contains("The listener for function 'Functions.uploads' was unable to start."), "{of_host}");
    assert!(of_host.contains("Retrying to start listener for function 'Functions.uploads' (Attempt "), "{of_host}");
    assert_eq!(runs(&sim, "orders"), (20, 0), "the others are not concerned");

    sim.insert(granted(STORE, GRANTS[0], SITE_PRINCIPAL, BLOB_READER));
    tokio::time::advance(Duration::from_secs(290)).await;
    assert_eq!(results(&sim, "stparcels.blob.core.windows.net").iter().filter(|it| *it == "200").count(), 0);
    minutes(21).await;
    assert_eq!((refused(&sim), runs(&sim, "uploads")), (0, (20, 0)));
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_was_made_just_before_the_world_begins_does_not_act_yet() {
    let sim = alive(|world| world["resources"][5]["properties"]["createdOn"] = "2026-03-01T23:58:00Z".into());
    minutes(2).await;
    assert_eq!(runs(&sim, "uploads"), (0, 0), "four minutes old");
    assert!(said(&sim).contains("AuthorizationPermissionMismatch"));
    minutes(20).await;
    assert_eq!(runs(&sim, "uploads"), (20, 0));
}

/// "Service Bus managed identities": a running app keeps its link until the token ends, for up to 24 hours.
#[tokio::test(start_paused = true)]
async fn an_open_link_outlives_its_role_until_the_token_ends_or_the_app_restarts() {
    let claims = "Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: \
                  'sb://sb-parcels.servicebus.windows.net/orders'.";
    let sim = alive(|_| {});
    minutes(20).await;
    sim.remove(&grant_path(BUS, GRANTS[1]));
    minutes(22 * 60).await;
    assert_eq!(runs(&sim, "orders"), (20, 0));
    // The world began an hour after the host.
    minutes(2 * 60).await;
    assert_eq!(runs(&sim, "orders"), (0, 0));
    assert!(said(&sim).contains(claims) && said(&sim).contains("Message processing error (Action=Receive"));

    let sim = alive(|_| {});
    sim.remove(&grant_path(BUS, GRANTS[1]));
    minutes(20).await;
    assert_eq!(runs(&sim, "orders"), (20, 0));
    restart(&sim).await;
    minutes(20).await;
    assert_eq!(runs(&sim, "orders"), (0, 0));
    assert!(said(&sim).contains(claims) && said(&sim).contains("unable to start"), "{}", said(&sim));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_outlives_the_write_keeps_its_token_of_an_identity_that_is_off() {
    let sim = alive(|world| world["hostsOutliveWrites"] = true.into());
    minutes(20).await;
    sim.edit(SITE, |app| app["identity"]["principalId"] = Value::Null);
    minutes(20).await;
    assert_eq!(runs(&sim, "uploads"), (20, 0));
    minutes(23 * 60).await;
    assert_eq!(runs(&sim, "uploads"), (0, 0), "the token has ended");
    assert!(said(&sim).contains("Unable to load the proper Managed Identity."));
}

#[tokio::test(start_paused = true)]
async fn a_membership_is_in_the_token_and_comes_with_the_next_one() {
    let sim = alive(|world| {
        world["resources"][5] = granted(STORE, GRANTS[0], GROUP_PRINCIPAL, BLOB_READER);
        world["hosts"][0]["functions"].as_array_mut().expect("functions").truncate(1);
    });
    minutes(20).await;
    assert_eq!(runs(&sim, "uploads"), (0, 0));
    sim.set_group(GROUP_PRINCIPAL, &[SITE_PRINCIPAL]);
    restart(&sim).await;
    minutes(22 * 60).await;
    assert_eq!(runs(&sim, "uploads"), (0, 0), "the back end has the old token still");
    minutes(2 * 60).await;
    assert_eq!(runs(&sim, "uploads"), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_token_for_another_service_is_refused_and_for_none_is_not_had() {
    let cases = [
        (STORE, "https://management.azure.com", "Audience validation failed", Some("401")),
        (VAULT, "https://storage.azure.com/.default", "AKV10022: Invalid audience.", Some("401")),
        (BUS, "https://vault.azure.net", "status-description: InvalidAudience", Some("")),
        (STORE, "https://storage.example.org", "AADSTS500011: The resource principal named", None),
    ];
    for (target, audience, text, result) in cases {
        let sim = alive(|world| {
            let call = json!({ "target": target, "audience": audience });
            world["hosts"][0]["functions"] = json!([{ "name": "nightly", "calls": [call] }]);
        });
        minutes(20).await;
        assert_eq!(runs(&sim, "nightly"), (0, 20), "{audience}");
        assert!(said(&sim).contains(text), "{text}: {}", said(&sim));
        let seen = lately(&sim, "AppDependencies")
            .into_iter()
            .next()
            .and_then(|row| row["ResultCode"].as_str().map(str::to_owned));
        assert_eq!(seen.as_deref(), result, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn rules_let_in_the_address_and_the_subnet_that_they_name() {
    let subnet = format!("{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/apps");
    let closed = json!({ "defaultAction": "Deny", "ipRules": [{ "value": "20.50.2.16/30" }] });
    let sim = alive(|world| {
        world["resources"][0]["properties"]["outboundIpAddresses"] = "20.50.2.17,20.50.2.18".into();
        world["resources"][4]["properties"]["networkAcls"] = closed.clone();
        world["resources"][2]["properties"]["networkAcls"] = closed;
    });
    minutes(20).await;
    assert_eq!(runs(&sim, "orders"), (20, 0), "the vault sees the address");
    assert_eq!(runs(&sim, "uploads"), (0, 0), "storage of the same region does not");
    let by_subnet = json!({ "defaultAction": "Deny", "virtualNetworkRules": [{ "id": subnet }] });
    sim.edit(STORE, |store| store["properties"]["networkAcls"] = by_subnet);
    sim.edit(SITE, |app| app["properties"]["virtualNetworkSubnetId"] = subnet.clone().into());
    sim.insert(json!({ "id": subnet, "properties": { "serviceEndpoints": [] } }));
    minutes(20).await;
    assert_eq!(runs(&sim, "uploads"), (0, 0), "the subnet has no endpoint");
    sim.edit(&subnet, |subnet| subnet["properties"]["serviceEndpoints"] = json!([{ "service": "Microsoft.Storage" }]));
    minutes(20).await;
    assert_eq!(runs(&sim, "uploads"), (20, 0));
    let rules = json!({ "id": format!("{BUS}/networkRuleSets/default"), "properties": { "defaultAction": "Deny" } });
    sim.insert(rules);
    restart(&sim).await;
    minutes(20).await;
    assert!(said(&sim).contains("Ip has been prevented to connect to the endpoint."), "{}", said(&sim));
}

#[tokio::test(start_paused = true)]
async fn resource_logs_go_where_diagnostic_settings_send_them() {
    let sim = alive(|_| {});
    let setting = |source: &str, category: &str| {
        json!({
            "id": format!("{source}/providers/Microsoft.Insights/diagnosticSettings/all"),
            "properties": { "workspaceId": WORKSPACE, "logs": [{ "category": category, "enabled": true }] },
        })
    };
    sim.remove(&grant_path(STORE, GRANTS[0]));
    sim.remove(&grant_path(VAULT, GRANTS[2]));
    minutes(20).await;
    assert!(sim.rows("law", "StorageBlobLogs").is_empty() && sim.rows("law", "AzureDiagnostics").is_empty());
    sim.insert(setting(&format!("{STORE}/blobServices/default"), "StorageRead"));
    sim.insert(setting(VAULT, "AuditEvent"));
    sim.insert(setting(SITE, "FunctionAppLogs"));
    minutes(20).await;
    let blob = &lately(&sim, "StorageBlobLogs")[0];
    assert_eq!(
        (&blob["StatusText"], &blob["RequesterObjectId"]),
        (&json!("AuthorizationPermissionMismatch"), &json!(SITE_PRINCIPAL))
    );
    let vault = &lately(&sim, "AzureDiagnostics")[0];
    assert_eq!((&vault["httpStatusCode_d"], &vault["identity_claim_oid_g"]), (&json!(403), &json!(SHARED_PRINCIPAL)));
    assert!(lately(&sim, "FunctionAppLogs").iter().any(|row| row["Message"].to_string().contains("unable to start")));
}

#[tokio::test(start_paused = true)]
async fn a_world_without_hosts_has_no_telemetry_and_two_alike_live_the_same_life_whoever_looks() {
    let quiet = alive(|world| world["hosts"] = json!([]));
    minutes(60).await;
    assert!(quiet.rows("law", "AppDependencies").is_empty());
    let (often, once) = (alive(|_| {}), alive(|_| {}));
    for _ in 0..60 {
        minutes(1).await;
        let _ = often.rows("law", "AppTraces");
    }
    for table in ["AppDependencies", "AppRequests", "AppTraces"] {
        assert_eq!(often.rows("law", table), once.rows("law", table), "{table}");
        assert!(table == "AppTraces" || !once.rows("law", table).is_empty());
    }
}

#[test]
fn a_host_that_cannot_live_is_refused() {
    let refused = |function: Value| {
        let world = json!({ "hosts": [{ "app": SITE, "workspace": WORKSPACE, "functions": [function] }] });
        match World::from_yaml(&world.to_string()) {
            Err(WorldError::Host(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let stranger =
        json!({ "name": "a", "calls": [{ "target": format!("{GROUP}/providers/Microsoft.Sql/servers/s") }] });
    assert!(refused(stranger).contains("Microsoft.Sql/servers/s"));
    assert_eq!(
        refused(json!({ "name": "busy", "every": "0s" })),
        "function `busy` must not run more often than every second"
    );
}
