//! `FunctionIdentityPolicy`: what one app needs, kept beside its manifests.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ChangeKind, Criticality, DeletionPolicy, Evidence, FunctionIdentityPolicyStatus, Gate, Mode, NetworkCheck, Prune,
    Settings, fragments,
    needs::{Binding, DeclaredGrant, Platform, RoleSet, VaultExpectation},
};

/// The identities, roles and vault modes that one app or machine needs, and whether the operator may put them right.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "rolecall.dev",
    version = "v1alpha1",
    kind = "FunctionIdentityPolicy",
    plural = "functionidentitypolicies",
    namespaced,
    status = "FunctionIdentityPolicyStatus",
    shortname = "fip",
    category = "rolecall",
    derive = "PartialEq",
    doc = "The identities, roles and vault modes that one app or machine needs, compared with live Azure.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Drift", type_ = "string", json_path = ".status.conditions[?(@.type==\"Drifted\")].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.target.resource in self.resources").message("target.resource is not a name in resources"),
    validation = Rule::new(
        "self.resources[self.target.resource] == oldSelf.resources[oldSelf.target.resource] && \
         (self.resources[self.target.resource].startsWith('/') || self.scope == oldSelf.scope)"
    )
    .message("the app that target names is immutable: create another policy"),
    validation = Rule::new("self.identities.user.all(u, u.resource in self.resources)")
        .message("an entry of identities.user names a resource that is not in resources"),
    validation = Rule::new("self.bindings.all(b, !has(b.resource) || b.resource == '' || b.resource in self.resources)")
        .message("an entry of bindings names a resource that is not in resources"),
    validation = Rule::new("self.grants.all(g, g.resource in self.resources)")
        .message("an entry of grants names a resource that is not in resources"),
    validation = Rule::new("self.vaults.all(v, v.resource in self.resources)")
        .message("an entry of vaults names a resource that is not in resources"),
    validation = Rule::new(
        "self.bindings.all(b, !has(b.identity) || b.identity in ['', 'system'] || \
         self.identities.user.exists(u, u.name == b.identity))"
    )
        .message("an entry of bindings uses an identity that is neither `system` nor declared in identities.user"),
    validation = Rule::new("self.grants.all(g, g.identity == 'system' || self.identities.user.exists(u, u.name == g.identity))")
        .message("an entry of grants uses an identity that is neither `system` nor declared in identities.user"),
    validation = Rule::new("self.vaults.all(v, v.identity == 'system' || self.identities.user.exists(u, u.name == v.identity))")
        .message("an entry of vaults uses an identity that is neither `system` nor declared in identities.user")
)]
pub struct FunctionIdentityPolicySpec {
    /// What the operator may do: `Report` drift in status, `DryRun` (also publish the exact requests it would send)
    /// or `Enforce` (send them, as far as `remediation` and the boundary allow).
    #[serde(default = "Mode::safe")]
    #[schemars(default = "Mode::safe")]
    pub mode: Mode,

    /// Whether drift in `Report` and `DryRun` fails health checks: `None` keeps Ready true, `Drift` makes it false.
    #[serde(default = "Gate::safe")]
    #[schemars(default = "Gate::safe")]
    pub gate: Gate,

    /// What rests on the app, for the severity of an incident: `Production` (the default), `Partial` (a part of the functions,
    /// with a fallback) or `NonCritical` (trying again succeeds in the end; where telemetry shows that nothing does, it is told
    /// as `Partial`).
    #[serde(default = "Criticality::safe")]
    #[schemars(default = "Criticality::safe")]
    pub criticality: Criticality,

    /// Stops all writes for this policy. Observation goes on.
    #[serde(default)]
    pub suspend: bool,

    /// Time between two passes, such as `10m` (the default); at least `30s`. Policies of a subscription
    /// are passed within a twelfth of it, each at its own place.
    #[serde(default = "default_interval")]
    #[schemars(schema_with = "fragments::interval")]
    pub interval: String,

    /// The subscription and resource group that relative ids in `resources` are completed with.
    pub scope: BaseScope,

    /// Names for the Azure resources that this policy speaks of. A value is a full ARM id (`/subscriptions/…`) or
    /// `<type>/<name>` below `scope`, such as `Microsoft.Web/sites/func-orders`.
    #[schemars(schema_with = "fragments::resources")]
    pub resources: BTreeMap<String, String>,

    /// The Function App, or another app, container app or virtual machine. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("target is immutable: create another policy"))]
    pub target: Target,

    /// The managed identities that the app must have.
    #[serde(default = "Identities::none")]
    #[schemars(default = "Identities::none")]
    pub identities: Identities,

    /// What the Functions host itself needs. Not for a virtual machine.
    #[serde(default = "Platform::none")]
    #[schemars(default = "Platform::none")]
    pub platform: Platform,

    /// The triggers, inputs and outputs of the app. Each implies the roles of its row in the catalog. Not for a virtual
    /// machine: declare `grants`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub bindings: Vec<Binding>,

    /// Roles that no binding implies.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub grants: Vec<DeclaredGrant>,

    /// The key vaults that the app reads, with the permission model that is expected of each.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub vaults: Vec<VaultExpectation>,

    /// Which column of the catalog says what a binding needs: the rights that it uses, with the `Least` role for each, or the
    /// roles of `Microsoft`'s pages, or those of the incident `Playbook`.
    #[serde(default = "RoleSet::least")]
    #[schemars(default = "RoleSet::least")]
    pub role_set: RoleSet,

    /// Whether the app's settings may be read: `Never`, or `Inspect` to compare those that say by which identity each
    /// connection reaches what. All other values are dropped unread; settings are never written. The operator needs
    /// `Microsoft.Web/sites/config/list/action` on the app, which shows it every value. Only a `Microsoft.Web/sites` has any.
    #[serde(default = "Settings::safe")]
    #[schemars(default = "Settings::safe")]
    pub settings: Settings,

    /// Where the app's telemetry is. It is asked while something is wrong with the app, and says what the configuration
    /// cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,

    /// Whether the firewalls of what the app uses are compared with the network that it calls from: `Check`, or `Ignore`
    /// where something else decides it, such as a perimeter in transition mode.
    #[serde(default = "NetworkCheck::on")]
    #[schemars(default = "NetworkCheck::on")]
    pub network: NetworkCheck,

    /// What `Enforce` may change. Nothing, unless allowed here.
    #[serde(default = "Remediation::nothing")]
    #[schemars(default = "Remediation::nothing")]
    pub remediation: Remediation,

    /// What becomes of role assignments that this operator made for the policy and that nothing declares any more:
    /// `Never` keeps them, `Owned` deletes them in `Enforce` (`RevokeRole` must be allowed). What others made is never
    /// deleted.
    #[serde(default = "Prune::safe")]
    #[schemars(default = "Prune::safe")]
    pub prune: Prune,

    /// What becomes of them when the policy is deleted: `Retain` keeps them, `Revoke` deletes them first, if the mode is
    /// `Enforce` and `RevokeRole` is allowed.
    #[serde(default = "DeletionPolicy::safe")]
    #[schemars(default = "DeletionPolicy::safe")]
    pub deletion_policy: DeletionPolicy,
}

fn default_interval() -> String {
    "10m".to_owned()
}

/// The base of relative ids, and what an overlay patches.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BaseScope {
    /// The subscription's id, a GUID.
    #[schemars(length(max = 36), regex(pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"))]
    pub subscription_id: String,
    /// The resource group's name.
    #[schemars(length(min = 1, max = 90), regex(pattern = r"^[A-Za-z0-9_().-]*[A-Za-z0-9_()-]$"))]
    pub resource_group: String,
}

/// The app that the policy is about. What it is follows from the type of its id.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// A name in `resources`; its value is the id of a `Microsoft.Web/sites` (a Function App or a Web App), a
    /// `Microsoft.App/containerApps` or a `Microsoft.Compute/virtualMachines`.
    #[schemars(schema_with = "fragments::name")]
    pub resource: String,
    /// The deployment slot of a `Microsoft.Web/sites`; empty for the app itself. A slot has identities of its own, and a swap does not move them.
    #[serde(default)]
    #[schemars(schema_with = "fragments::slot")]
    pub slot: String,
}

/// The managed identities of the app.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Identities {
    /// Whether the system-assigned identity must be enabled. `Forbidden` is reported only: it is never switched off.
    #[serde(default = "SystemIdentity::unstated")]
    #[schemars(default = "SystemIdentity::unstated")]
    pub system: SystemIdentity,
    /// User-assigned identities that must be attached.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub user: Vec<UserIdentityRef>,
    /// The identity by which the app resolves its Key Vault and App Configuration references: `system`, or a name in `user`.
    /// Without it, that is not compared. Only a `Microsoft.Web/sites` has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub key_vault_references: String,
}

impl Identities {
    fn none() -> Self {
        Self { system: SystemIdentity::unstated(), user: Vec::new(), key_vault_references: String::new() }
    }
}

/// What is expected of the system-assigned identity.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemIdentity {
    /// It must be enabled.
    Required,
    /// It may be there. It becomes required when a binding, grant or vault uses `system`.
    Optional,
    /// It must not be enabled.
    Forbidden,
}

impl SystemIdentity {
    fn unstated() -> Self {
        Self::Optional
    }
}

/// A user-assigned identity under a name of the policy's own.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct UserIdentityRef {
    /// How the rest of the policy refers to it. Not `system`.
    #[schemars(schema_with = "fragments::name")]
    #[x_kube(validation = Rule::new("self != 'system'").message("`system` means the system-assigned identity"))]
    pub name: String,
    /// A name in `resources`; its value is a `Microsoft.ManagedIdentity/userAssignedIdentities` id.
    #[schemars(schema_with = "fragments::name")]
    pub resource: String,
}

/// What `Enforce` may change.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// The kinds of change that are allowed. Empty: none.
    #[serde(default)]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allow: Vec<ChangeKind>,
    /// How many changes one pass may make; the rest is held until the next pass. `0` allows none.
    #[serde(default = "default_max_changes")]
    #[schemars(range(min = 0, max = 100), default = "default_max_changes")]
    pub max_changes: u32,
}

impl Remediation {
    fn nothing() -> Self {
        Self { allow: Vec::new(), max_changes: default_max_changes() }
    }
}

fn default_max_changes() -> u32 {
    10
}
