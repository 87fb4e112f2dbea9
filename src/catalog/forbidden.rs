//! Rights that the operator never hands out, whatever a boundary says: each of them is a way to more rights.
//!
//! Matched against a role's permissions as Azure answers them, never against its name.

/// Actions that make a role ungrantable. A role that allows everything (`*`) overlaps all of them.
pub const FORBIDDEN_ACTIONS: [&str; 8] = [
    "Microsoft.Authorization/*/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.Web/sites/write",
    "Microsoft.Web/sites/slots/write",
    "Microsoft.KeyVault/vaults/accessPolicies/write",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/write",
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions/write",
];

/// Actions that reveal keys: grantable only when a boundary names the role's GUID.
pub const NAMED_ONLY_ACTIONS: [&str; 2] = ["*/listKeys/action", "*/listAccountSas/action"];
