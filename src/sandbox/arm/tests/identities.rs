//! Writes of the identity block, and of vaults.

use super::*;

fn attached(identity: &Value) -> Value {
    json!({"identity": {"type": identity, "userAssignedIdentities": {IDENTITY: {}}}})
}

#[tokio::test(start_paused = true)]
async fn attaching_keeps_the_system_identity_and_copies_the_principal() {
    let bench = Bench::new(world());
    let got = bench.patch(SITE, attached(&json!("SystemAssigned, UserAssigned"))).await;
    let key = IDENTITY.replace("resourceGroups", "resourcegroups");
    assert_eq!(
        got.body["identity"],
        json!({
            "type": "SystemAssigned, UserAssigned", "principalId": SITE_PRINCIPAL,
            "tenantId": "7e4a4700-5eed-4a11-8b0d-ba9876543210",
            "userAssignedIdentities": {key: {
                "principalId": SHARED_PRINCIPAL, "clientId": "77777777-abcd-4000-8000-000000000007",
            }},
        })
    );
    assert_eq!(got.body["properties"]["lastModifiedTimeUtc"], "2026-03-02T09:00:00.0000000");
}

#[tokio::test(start_paused = true)]
async fn a_patch_to_user_assigned_without_a_map_drops_the_system_identity_only() {
    let bench = Bench::new(world());
    bench.patch(SITE, attached(&json!("SystemAssigned,UserAssigned"))).await;
    let got = bench.patch(SITE, json!({"identity": {"type": "UserAssigned"}})).await;
    let identity = got.body["identity"].as_object().expect("an identity");
    assert_eq!(identity.keys().map(String::as_str).collect::<Vec<_>>(), ["type", "userAssignedIdentities"]);
}

#[tokio::test(start_paused = true)]
async fn a_re_enabled_system_identity_is_another_principal_each_time() {
    let bench = Bench::new(world());
    let mut seen = vec![SITE_PRINCIPAL.to_owned()];
    for _ in 0..2 {
        let dropped = bench.patch(SITE, json!({"identity": {"type": "None"}})).await;
        assert_eq!(dropped.body.get("identity"), None);
        let enabled = bench.patch(SITE, json!({"identity": {"type": "SystemAssigned"}})).await;
        let principal = enabled.body["identity"]["principalId"].as_str().expect("a principal").to_owned();
        assert!(!seen.contains(&principal));
        seen.push(principal);
    }
    let again = bench.patch(SITE, json!({"identity": {"type": "SystemAssigned"}})).await;
    assert_eq!(again.body["identity"]["principalId"], seen[2]);
    assert_eq!(bench.sim.journal().last().map(|entry| entry.effective), Some(false));
}

#[tokio::test(start_paused = true)]
async fn null_in_a_patch_detaches_and_a_put_map_is_the_whole_truth() {
    let bench = Bench::new(world());
    let second = IDENTITY.replace("id-shared", "id-second");
    let created = bench.put(&second, json!({"location": "westeurope"})).await;
    assert_eq!(created.status, 201);
    let both =
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}, second.clone(): {}}}});
    bench.put(SLOT, both).await;
    let patched =
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {second.to_lowercase(): null}}});
    let got = bench.patch(SLOT, patched).await;
    let keys = |got: &Got| -> Vec<String> {
        got.body["identity"]["userAssignedIdentities"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|it| it.0.clone())
            .collect()
    };
    assert_eq!(keys(&got), [IDENTITY.replace("resourceGroups", "resourcegroups")]);
    let put = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {second.clone(): {}}}});
    let got = bench.put(SLOT, put).await;
    assert_eq!(keys(&got), [second.replace("resourceGroups", "resourcegroups")]);
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_does_not_exist_cannot_be_attached() {
    let bench = Bench::new(world());
    bench.sim.remove(IDENTITY);
    let got = bench.patch(SITE, attached(&json!("UserAssigned"))).await;
    assert_eq!((got.status, got.code()), (400, "FailedIdentityOperation"));
    assert!(!bench.sim.journal()[0].effective);
}

#[tokio::test(start_paused = true)]
async fn a_put_of_the_whole_site_keeps_what_it_does_not_name() {
    let bench = Bench::new(world());
    let got = bench.put(SITE, json!({"location": "West Europe", "properties": {"httpsOnly": false}})).await;
    assert_eq!((got.status, &got.body["properties"]["state"]), (200, &json!("Running")));
    assert_eq!(got.body["identity"]["principalId"], SITE_PRINCIPAL);
}

#[tokio::test(start_paused = true)]
async fn the_system_identity_of_a_resource_shows_its_client_id() {
    let bench = Bench::new(world());
    let path = "/providers/Microsoft.ManagedIdentity/identities/default";
    let got = bench.get(&format!("{SITE}{path}")).await;
    assert_eq!(got.body["properties"]["principalId"], SITE_PRINCIPAL);
    assert!(got.body["properties"]["clientId"].is_string());
    assert_eq!(bench.get(&format!("{SLOT}{path}")).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_vault_patch_merges_and_null_keeps_the_old_mode() {
    let bench = Bench::new(world());
    let got = bench.patch(VAULT, json!({"properties": {"enableRbacAuthorization": true}})).await;
    assert_eq!(got.body["properties"]["sku"]["name"], "standard");
    let got = bench.patch(VAULT, json!({"properties": {"enableRbacAuthorization": null}})).await;
    assert_eq!(got.body["properties"]["enableRbacAuthorization"], true);
}
