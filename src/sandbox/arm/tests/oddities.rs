//! Each oddity of the recordings by its name, as the simulator shows it. The client's side has the same names in
//! `tests/it/recorded/oddities.rs`; the shapes are held to the recordings in `tests/it/recorded/simulated`.

use super::*;

const MACHINE: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders\
    /providers/Microsoft.Compute/virtualMachines/vm-press";

#[tokio::test(start_paused = true)]
async fn casing_of_ids_makes_no_difference() {
    let bench = Bench::new(world());
    let created = bench.put(&IDENTITY.replace("id-shared", "id-odd"), json!({"location": "westeurope"})).await;
    let id = created.body["id"].as_str().expect("an id");
    assert!(id.contains("/resourcegroups/"), "{id}: lower case, whatever was asked");
    assert_eq!(created.header("location").as_deref(), Some(id), "relative, and in lower case too");
    assert_eq!(bench.get(&id.to_uppercase().replace("/PROVIDERS", "/providers")).await.body["id"], id);
}

#[tokio::test(start_paused = true)]
async fn a_missing_principal_type_belongs_to_old_versions() {
    let bench = Bench::new(world());
    let path = grant_path(STORE, "0dd10dd1-0000-4000-8000-000000000001");
    let url = |version: &str| format!("https://management.azure.com{path}?api-version={version}");
    let body = grant_body(SHARED_PRINCIPAL, BLOB_READER);
    let old = bench.try_send(Method::Put, &url("2018-01-01-preview"), Some(&body)).await.unwrap();
    assert_eq!((old.status, old.body["properties"].get("principalType")), (201, None));
    assert_eq!(old.body["properties"].get("condition"), None);
    let new = bench.try_send(Method::Get, &url("2022-04-01"), None).await.unwrap();
    assert_eq!(new.body["properties"]["principalType"], "ServicePrincipal");
    assert_eq!(new.body["properties"]["condition"], Value::Null, "null, and there");
}

#[tokio::test(start_paused = true)]
async fn created_by_is_null_at_first_and_filled_later() {
    let bench = Bench::new(world());
    let name = "0dd10dd1-0000-4000-8000-000000000002";
    let created = bench.grant(STORE, name, SHARED_PRINCIPAL, BLOB_READER).await;
    assert_eq!((created.status, &created.body["properties"]["createdBy"]), (201, &Value::Null));
    assert!(bench.get(&grant_path(STORE, name)).await.body["properties"]["createdBy"].is_string());
}

#[tokio::test(start_paused = true)]
async fn an_empty_page_with_a_next_link_follows_a_full_page_of_vaults() {
    let bench = Bench::new(World { page_size: 1, ..world() });
    let first = bench.get(&format!("{GROUP}/providers/Microsoft.KeyVault/vaults")).await;
    let link = first.body["nextLink"].as_str().expect("a link although nothing comes");
    let second = bench.try_send(Method::Get, link, None).await.unwrap();
    assert_eq!((first.names().len(), second.body), (1, json!({"value": []})));
    // Other lists know where they end.
    let stores = bench.get(&format!("{GROUP}/providers/Microsoft.Storage/storageAccounts")).await;
    assert_eq!((stores.names().len(), stores.body.get("nextLink")), (1, None));
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_disappears_is_no_member() {
    let bench = Bench::new(world());
    let both = json!({"identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}});
    bench.patch(SITE, both).await;
    let system = bench.put(SITE, json!({"location": "x", "identity": {"type": "SystemAssigned"}})).await;
    assert_eq!(system.body["identity"].get("userAssignedIdentities"), None);
    let none = bench.patch(SITE, json!({"identity": {"type": "None"}})).await;
    assert_eq!(none.body.get("identity"), None);
}

#[tokio::test(start_paused = true)]
async fn an_omitted_mode_of_a_vault_stays_omitted() {
    let bench = Bench::new(world());
    let path = VAULT.replace("kv-ledger", "kv-odd");
    let put = |version: &'static str| {
        let url = format!("https://management.azure.com{path}?api-version={version}");
        let bench = &bench;
        async move { bench.try_send(Method::Put, &url, Some(&json!({"location": "x", "properties": {}}))).await.unwrap() }
    };
    let created = put("2024-11-01").await;
    assert_eq!((created.status, created.body["properties"].get("enableRbacAuthorization")), (200, None));
    assert_eq!(created.body["properties"]["provisioningState"], "RegisteringDns");
    // A later version means roles by default, and only for a vault that it creates.
    let again = put("2026-02-01").await;
    assert_eq!(again.body["properties"].get("enableRbacAuthorization"), None);
    bench.sim.remove(&path);
    assert_eq!(put("2026-02-01").await.body["properties"]["enableRbacAuthorization"], true);
}

#[tokio::test(start_paused = true)]
async fn error_envelopes_are_those_of_the_family() {
    let bench = Bench::new(world());
    let outer =
        |got: &Got| -> Vec<String> { got.body.as_object().into_iter().flatten().map(|it| it.0.clone()).collect() };
    let missing = bench.get(&VAULT.replace("kv-ledger", "kv-none")).await;
    let slot = bench.get(&format!("{SITE}/slots/none")).await;
    let account = bench.get(&format!("{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/none")).await;
    let queue = bench.get(&format!("{GROUP}/providers/Microsoft.ServiceBus/namespaces/none/queues/q")).await;
    assert_eq!(outer(&missing), ["error"]);
    assert_eq!(outer(&slot), ["Code", "Details", "Innererror", "Message", "Target"]);
    assert_eq!(outer(&account), ["code", "message"]);
    assert_eq!(queue.body["error"].get("details"), None);
    let of_others = json!([
        {"path": "operationresults", "answer": {"status": 409, "body": {"Error": {"Code": "Blocked", "Message": "m"}}}},
        {"path": "publishers", "answer": {"status": 400, "body": {"Message": "m"}}},
    ]);
    let bench = Bench::new(World { faults: serde_json::from_value(of_others).expect("faults"), ..world() });
    assert_eq!(outer(&bench.get(&format!("{SUBSCRIPTION}/operationresults/1")).await), ["Error"]);
    let images = bench.get(&format!("{SUBSCRIPTION}/providers/Microsoft.Compute/locations/x/publishers")).await;
    assert_eq!(outer(&images), ["Message"]);
}

#[tokio::test(start_paused = true)]
async fn a_429_that_means_a_lock_names_no_time_and_changes_nothing() {
    let fault = json!([{"method": "PATCH", "path": "fn-invoice", "answer": "app-locked"}]);
    let bench = Bench::new(World { faults: serde_json::from_value(fault).expect("a fault"), ..world() });
    let got = bench.patch(SITE, json!({"identity": {"type": "None"}})).await;
    assert_eq!((got.status, got.body["Code"].as_str(), got.header("retry-after")), (429, Some("429"), None));
    assert!(!bench.sim.journal()[0].effective);
    let counter = got.header("x-ms-ratelimit-remaining-subscription-resource-requests");
    assert!(counter.is_some_and(|left| left.parse::<u32>().is_ok_and(|left| left > 0)), "nothing is used up");
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_patch_with_200_is_under_way() {
    let bench = Bench::new(world());
    bench.sim.insert(json!({
        "id": MACHINE, "name": "vm-press", "type": "Microsoft.Compute/virtualMachines", "location": "westeurope",
        "properties": {"provisioningState": "Succeeded"},
    }));
    let attach = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}});
    let got = bench.patch(MACHINE, attach).await;
    assert_eq!((got.status, &got.body["properties"]["provisioningState"]), (200, &json!("Updating")));
    let entry =
        |got: &Got| got.body["identity"]["userAssignedIdentities"].as_object().expect("a map").values().next().cloned();
    assert_eq!(entry(&got), Some(json!({})), "no principal yet");
    let operation = got.header("azure-asyncoperation").expect("where to ask");
    let words = [
        bench.try_send(Method::Get, &operation, None).await.unwrap(),
        bench.try_send(Method::Get, &operation, None).await.unwrap(),
    ];
    assert_eq!(words.map(|got| got.body["status"].clone()), ["InProgress", "Succeeded"]);
    let read = bench.get(MACHINE).await;
    assert_eq!(read.body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(entry(&read).expect("an entry")["principalId"], SHARED_PRINCIPAL);
}
