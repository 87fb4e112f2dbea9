//! `IdentityBoundary`: what the platform team lets a namespace's policies see and change.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChangeKind, Mode, fragments};

/// What policies of some namespaces may read and change in Azure. Boundaries add up and never subtract; a request is
/// allowed when one boundary allows it whole. Without a boundary nothing is read.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "rolecall.dev",
    version = "v1alpha1",
    kind = "IdentityBoundary",
    plural = "identityboundaries",
    shortname = "idb",
    category = "rolecall",
    derive = "PartialEq",
    doc = "What the policies of some namespaces may read and change in Azure.",
    printcolumn(name = "Max mode", type_ = "string", json_path = ".spec.maxMode"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct IdentityBoundarySpec {
    /// Whose policies this boundary is for. Names and selector add up; empty selects none.
    pub namespaces: NamespaceSelection,
    /// The furthest mode that policies may use here. A policy that asks for more is held at this one.
    #[serde(default = "Mode::safe")]
    #[schemars(default = "Mode::safe")]
    pub max_mode: Mode,
    /// The Azure scopes that may be read, and written as `maxMode`, `changes` and `roles` allow.
    #[schemars(length(min = 1, max = 64))]
    pub scopes: Vec<BoundaryScope>,
    /// The roles that may be granted, by GUID.
    #[serde(default)]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub roles: Vec<BoundaryRole>,
    /// The kinds of change that may be made. Empty: none.
    #[serde(default)]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub changes: Vec<ChangeKind>,
}

/// Namespaces by name or by label.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelection {
    /// Namespaces by name.
    #[serde(default)]
    #[schemars(length(max = 128), inner(length(max = 63)))]
    pub names: Vec<String>,
    /// Namespaces that carry all of these labels. Empty selects none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "fragments::labels")]
    pub match_labels: BTreeMap<String, String>,
}

/// A scope at or below a subscription.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BoundaryScope {
    /// A subscription, resource group or resource: `/subscriptions/…`. It includes everything below. A Log Analytics workspace
    /// in it may be asked for the telemetry of any app in the workspace, by its role name: a workspace that several teams
    /// share is better left out.
    #[schemars(length(max = 600), regex(pattern = r"^/subscriptions/[^/?#%\s]+(/[^/?#%\s]+)*$"))]
    pub id: String,
}

/// A role that may be granted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BoundaryRole {
    /// The role definition's GUID.
    #[schemars(length(max = 36), regex(pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"))]
    pub id: String,
    /// The role's name, for the reader. The GUID decides.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub name: String,
}
