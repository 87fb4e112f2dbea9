//! What happens to an app, what is said of it, and what undoes it.

use super::*;

/// One row per cause: what happens, what is said of it, and what undoes it.
type Case = (&'static str, fn(&ArmSim), &'static str, &'static str, fn(&ArmSim));

const CASES: [Case; 11] = [
    (
        "uploads",
        |sim| sim.edit(SITE, |app| app["identity"] = json!({ "type": "None" })),
        "ManagedIdentityCredential authentication unavailable. No managed identity endpoint found.",
        "stparcels.blob.core.windows.net ",
        |sim| {
            let user = json!({ IDENTITY: { "principalId": SHARED_PRINCIPAL } });
            let both =
                json!({ "type": "SystemAssigned", "principalId": SITE_PRINCIPAL, "userAssignedIdentities": user });
            sim.edit(SITE, |app| app["identity"] = both);
        },
    ),
    (
        "uploads",
        |sim| sim.edit(SITE, |app| app["identity"]["principalId"] = Value::Null),
        "Unable to load the proper Managed Identity.",
        "stparcels.blob.core.windows.net ",
        |sim| sim.edit(SITE, |app| app["identity"]["principalId"] = SITE_PRINCIPAL.into()),
    ),
    (
        "orders",
        |sim| sim.edit(SITE, |app| app["identity"]["userAssignedIdentities"] = json!({})),
        "No User Assigned or Delegated Managed Identity found",
        "sb-parcels.servicebus.windows.net ",
        |sim| {
            let user = json!({ IDENTITY: { "principalId": SHARED_PRINCIPAL } });
            sim.edit(SITE, |app| app["identity"]["userAssignedIdentities"] = user);
        },
    ),
    (
        "uploads",
        |sim| sim.remove(&grant_path(STORE, GRANTS[0])),
        "AuthorizationPermissionMismatch",
        "stparcels.blob.core.windows.net 403",
        |sim| sim.insert(granted(STORE, GRANTS[0], SITE_PRINCIPAL, BLOB_READER)),
    ),
    (
        "orders",
        |sim| sim.remove(&grant_path(VAULT, GRANTS[2])),
        "ForbiddenByRbac",
        "kv-ledger.vault.azure.net 403",
        |sim| sim.insert(granted(VAULT, GRANTS[2], SHARED_PRINCIPAL, SECRETS_USER)),
    ),
    (
        "orders",
        |sim| sim.edit(VAULT, |vault| vault["properties"]["enableRbacAuthorization"] = false.into()),
        "does not have secrets get permission on key vault 'kv-ledger;location=westeurope'",
        "kv-ledger.vault.azure.net 403",
        |sim| {
            let entry = json!({ "objectId": SHARED_PRINCIPAL, "permissions": { "secrets": ["Get"] } });
            sim.edit(VAULT, |vault| vault["properties"]["accessPolicies"] = json!([entry]));
        },
    ),
    (
        "orders",
        |sim| sim.edit(VAULT, |vault| vault["properties"]["networkAcls"] = json!({ "defaultAction": "Deny" })),
        "Client address is not authorized",
        "kv-ledger.vault.azure.net 403",
        |sim| sim.edit(VAULT, |vault| vault["properties"]["networkAcls"] = json!({ "defaultAction": "Allow" })),
    ),
    (
        "uploads",
        |sim| sim.edit(STORE, |store| store["properties"]["publicNetworkAccess"] = "Disabled".into()),
        "ErrorCode: AuthorizationFailure",
        "stparcels.blob.core.windows.net 403",
        |sim| sim.edit(STORE, |store| store["properties"]["publicNetworkAccess"] = "Enabled".into()),
    ),
    (
        "uploads",
        |sim| sim.remove(STORE),
        "Name or service not known (stparcels.blob.core.windows.net:443)",
        "stparcels.blob.core.windows.net 0",
        |sim| sim.insert(json!({ "id": STORE, "location": "westeurope", "properties": {} })),
    ),
    (
        "orders",
        |sim| sim.remove(IDENTITY),
        "No User Assigned or Delegated Managed Identity found",
        "sb-parcels.servicebus.windows.net ",
        |sim| sim.insert(json!({ "id": IDENTITY, "properties": { "principalId": SHARED_PRINCIPAL } })),
    ),
    (
        "orders",
        |sim| sim.edit(VAULT, |vault| vault["properties"]["publicNetworkAccess"] = "disabled".into()),
        "ForbiddenByConnection",
        "kv-ledger.vault.azure.net 403",
        |sim| sim.edit(VAULT, |vault| vault["properties"]["publicNetworkAccess"] = Value::Null),
    ),
];

#[tokio::test(start_paused = true)]
async fn each_cause_has_its_symptom_and_each_repair_its_recovery() {
    for (function, cause, text, result, repair) in CASES {
        let sim = alive(|_| {});
        minutes(20).await;
        assert_eq!((runs(&sim, "uploads"), runs(&sim, "orders")), ((20, 0), (20, 0)), "all is well before: {text}");
        assert_eq!(said(&sim), "", "{text}");
        cause(&sim);
        if text.contains("Delegated") {
            // A token that is held goes on being good until the process ends.
            restart(&sim).await;
        }
        minutes(30).await;
        let (well, _) = runs(&sim, function);
        assert_eq!(well, 0, "{function} goes on in spite of: {text}");
        assert!(said(&sim).contains(text), "nobody says `{text}`: {}", said(&sim));
        let (host, code) = result.split_once(' ').expect("a host and a result");
        let told = results(&sim, host);
        assert!(if code.is_empty() { told.is_empty() } else { told.iter().all(|it| it == code) }, "{text}: {told:?}");
        repair(&sim);
        minutes(40).await;
        assert_eq!(runs(&sim, function), (20, 0), "{function} does not recover from: {text}; {}", said(&sim));
    }
}
