//! What an app needs, in the words of a policy: its platform, bindings, further grants and vaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fragments;

/// What the Functions host needs, whatever the app does.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// The storage account behind `AzureWebJobsStorage`. It also holds the receipts and queues of blob triggers, the
    /// checkpoints of Event Hubs triggers, the locks of timers, function keys and, unless told otherwise, the state of Durable
    /// Functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_storage: Option<HostStorage>,
    /// The storage account of the deployed package, on Flex Consumption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_storage: Option<PlatformResource>,
    /// The container registry of the app's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<PlatformResource>,
    /// The Application Insights component that telemetry goes to, when that takes a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<PlatformResource>,
    /// The stores of App Configuration references.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub app_configuration: Vec<PlatformResource>,
}

impl Platform {
    pub(super) fn none() -> Self {
        Self {
            host_storage: None,
            deployment_storage: None,
            registry: None,
            telemetry: None,
            app_configuration: Vec::new(),
        }
    }
}

/// The host's storage account.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct HostStorage {
    /// A name in `resources`; its value is a `Microsoft.Storage/storageAccounts` id.
    #[schemars(schema_with = "fragments::name")]
    pub resource: String,
    /// `Identity`, or `Key` when the app reaches the account by a connection string: then no role governs it, and what a
    /// binding needs there is not checked.
    #[serde(default = "StorageAuth::identity")]
    #[schemars(default = "StorageAuth::identity")]
    pub auth: StorageAuth,
    /// `system`, or the name of an entry of `identities.user`. Empty only with `auth: Key`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::optional_name")]
    pub identity: String,
}

/// How the host reaches its storage account.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageAuth {
    /// By an identity.
    Identity,
    /// By a connection string.
    Key,
}

impl StorageAuth {
    fn identity() -> Self {
        Self::Identity
    }
}

/// A resource that the platform reaches for the app.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PlatformResource {
    /// A name in `resources`.
    #[schemars(schema_with = "fragments::name")]
    pub resource: String,
    /// A child of the resource, such as `containers/packages`. Empty means the whole resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::entity")]
    pub entity: String,
    /// `system`, or the name of an entry of `identities.user`.
    #[schemars(schema_with = "fragments::name")]
    pub identity: String,
}

/// A column of the catalog.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleSet {
    /// The rights that are used, with the least role for each.
    Least,
    /// The roles that Microsoft documents.
    Microsoft,
    /// The roles that the incident playbook asks for.
    Playbook,
}

impl RoleSet {
    pub(super) fn least() -> Self {
        Self::Least
    }
}

/// A trigger, input or output of the app.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// A name of your choice, unique in the policy.
    #[schemars(schema_with = "fragments::name")]
    pub name: String,
    /// The type as in `function.json`.
    #[serde(rename = "type")]
    #[schemars(schema_with = "fragments::binding_type")]
    pub type_: String,
    /// For types that have both: `in` or `out`, as in `function.json`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::direction")]
    pub direction: String,
    /// How a blob trigger learns of blobs: `LogsAndContainerScan` (what it does when this is empty) or `EventGrid`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::source")]
    pub source: String,
    /// How a Service Bus trigger is scaled: `Incremental` (meant when this is empty) or `QueueLength`, which takes the right to
    /// manage.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::scaling")]
    pub scaling: String,
    /// Where Durable Functions keep their state: `AzureStorage` (meant when this is empty), `DurableTaskScheduler`,
    /// `Netherite` or `MSSQL`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::provider")]
    pub provider: String,
    /// A name in `resources`: what the binding reaches. Empty for types that reach nothing, and for Durable Functions that
    /// keep their state on the host's storage account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::optional_name")]
    pub resource: String,
    /// The queue, topic subscription, event hub or container, such as `queues/orders`,
    /// `topics/orders/subscriptions/billing`, `eventhubs/clicks` or `containers/uploads`. Empty means the whole resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::entity")]
    pub entity: String,
    /// `system`, or the name of an entry of `identities.user`. Empty for types that ask no identity.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::optional_name")]
    pub identity: String,
    /// The name of its connection, as in `function.json`: what the app settings begin with that say where the resource is.
    /// Empty means what the type takes when nothing is said. Compared where `settings` is `Inspect`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::connection")]
    pub connection: String,
    /// Where a Cosmos DB trigger keeps its leases. Without it, in the container `leases` of the same database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leases: Option<Leases>,
}

/// The container of a Cosmos DB trigger's leases.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Leases {
    /// A name in `resources`. Empty means the account of the binding.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::optional_name")]
    pub resource: String,
    /// The container, such as `dbs/sales/colls/leases`. Empty means the whole account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::entity")]
    pub entity: String,
}

/// A role that no binding implies.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredGrant {
    /// A role's name, such as `Monitoring Metrics Publisher`, or its GUID.
    #[schemars(length(min = 1, max = 256))]
    pub role: String,
    /// A name in `resources`: where the role is needed.
    #[schemars(schema_with = "fragments::name")]
    pub resource: String,
    /// A child of the resource, such as `queues/orders`. Empty means the whole resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "fragments::entity")]
    pub entity: String,
    /// `system`, or the name of an entry of `identities.user`.
    #[schemars(schema_with = "fragments::name")]
    pub identity: String,
}

/// A key vault that the app reads.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VaultExpectation {
    /// A name in `resources`; its value is a `Microsoft.KeyVault/vaults` id.
    #[schemars(schema_with = "fragments::name")]
    pub resource: String,
    /// The permission model expected. Reported where it differs; switched towards `RBAC` where `SwitchVaultMode` is allowed
    /// here and the boundary says `switch: WhenSafe` of the vault.
    pub mode: VaultMode,
    /// `system`, or the name of an entry of `identities.user`.
    #[schemars(schema_with = "fragments::name")]
    pub identity: String,
    /// What the identity must be able to do, by role assignments or by access policies, as the vault decides.
    #[serde(default = "VaultAccess::none")]
    #[schemars(default = "VaultAccess::none")]
    pub access: VaultAccess,
}

/// The permission model of a key vault.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultMode {
    /// Role assignments decide (`enableRbacAuthorization` is true).
    #[serde(rename = "RBAC")]
    Rbac,
    /// Access policies decide (`enableRbacAuthorization` is false, null or absent).
    AccessPolicy,
}

/// What an identity must be able to do with a vault's contents, in the words of access policies.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VaultAccess {
    /// Operations on secrets. A Key Vault reference needs `get`.
    #[serde(default)]
    #[schemars(schema_with = "fragments::secret_permissions")]
    pub secrets: Vec<String>,
    /// Operations on keys.
    #[serde(default)]
    #[schemars(schema_with = "fragments::key_permissions")]
    pub keys: Vec<String>,
    /// Operations on certificates.
    #[serde(default)]
    #[schemars(schema_with = "fragments::certificate_permissions")]
    pub certificates: Vec<String>,
}

impl VaultAccess {
    pub(super) fn none() -> Self {
        Self { secrets: Vec::new(), keys: Vec::new(), certificates: Vec::new() }
    }
}
