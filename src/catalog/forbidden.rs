//! Rights that the operator never hands out, whatever a boundary says: each of them is a way to more rights.
//!
//! Matched against a role's permissions as Azure answers them, never against its name.

/// Control-plane actions that make a role ungrantable. A role that allows everything (`*`) overlaps all of them.
pub const FORBIDDEN_ACTIONS: [&str; 14] = [
    "Microsoft.Authorization/*/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
    // `Managed Identity Operator` spells it `userAssignedIdentities/*/assign/action`: the star takes both forms in.
    "Microsoft.ManagedIdentity/userAssignedIdentities*/assign/action",
    "Microsoft.Web/sites/write",
    "Microsoft.Web/sites/slots/write",
    // Whoever writes a container app or a machine, or runs code in it, acts as its identities. `Container Apps Contributor`
    // spells it `containerApps/*/write`.
    "Microsoft.App/containerApps*/write",
    "Microsoft.App/containerApps*/exec/action",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/extensions/write",
    "Microsoft.Compute/virtualMachines/runCommand/action",
    "Microsoft.KeyVault/vaults/accessPolicies/write",
    // The access policies are part of the vault's own body: whoever writes it writes them. Source: Key Vault,
    // "Assign an access policy" (the warning about Contributor).
    "Microsoft.KeyVault/vaults/write",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions/write",
];

/// Control-plane actions that reveal the keys of an account: grantable only when a boundary names the role's GUID.
///
/// By provider, because `*/listKeys/action` overlaps every `Provider/*`: with `Microsoft.Support/*` it would take in
/// `Monitoring Metrics Publisher` and with `blobServices/containers/*` `Storage Blob Data Owner`, which reveal no key.
pub const NAMED_ONLY_ACTIONS: [&str; 16] = [
    "Microsoft.AppConfiguration/configurationStores/*/listKeys/action",
    "Microsoft.AppConfiguration/configurationStores/listKeys/action",
    "Microsoft.Cache/*/listKeys/action",
    "Microsoft.CognitiveServices/accounts/listKeys/action",
    "Microsoft.DocumentDB/databaseAccounts/listKeys/action",
    "Microsoft.EventGrid/*/listKeys/action",
    "Microsoft.EventHub/*/listKeys/action",
    "Microsoft.Maps/accounts/listKeys/action",
    "Microsoft.NotificationHubs/*/listKeys/action",
    "Microsoft.Relay/*/listKeys/action",
    "Microsoft.Search/searchServices/listAdminKeys/action",
    "Microsoft.ServiceBus/*/listKeys/action",
    "Microsoft.SignalRService/*/listKeys/action",
    "Microsoft.Storage/storageAccounts/listAccountSas/action",
    "Microsoft.Storage/storageAccounts/listKeys/action",
    "Microsoft.Web/sites/*/listKeys/action",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pattern;

    #[test]
    fn both_spellings_of_assigning_an_identity_are_forbidden() {
        let family = "Microsoft.ManagedIdentity/userAssignedIdentities";
        for spelled in ["/assign/action", "/*/assign/action", "/*", "/mi-one/assign/action"] {
            let own = format!("{family}{spelled}");
            assert!(FORBIDDEN_ACTIONS.iter().any(|action| pattern::overlap(action, &own)), "{own}");
        }
    }

    #[test]
    fn reading_is_never_forbidden() {
        assert!(!FORBIDDEN_ACTIONS.iter().any(|action| pattern::overlap(action, "*/read")));
    }
}
