//! The built-in roles that matter for Function Apps, with their exact permissions (`roles.json`).
//!
//! They say which role to recommend. Whether a role that somebody holds covers a need is decided from its definition
//! as Azure answers it, never from this copy.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::RoleId;

/// One built-in role.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuiltInRole {
    /// Its name.
    pub name: String,
    /// Its GUID, the same in every cloud and subscription.
    pub id: String,
    /// Control plane, allowed.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Control plane, taken away again.
    #[serde(default)]
    pub not_actions: Vec<String>,
    /// Data plane, allowed.
    #[serde(default)]
    pub data_actions: Vec<String>,
    /// Data plane, taken away again.
    #[serde(default)]
    pub not_data_actions: Vec<String>,
    /// An ABAC condition in the definition itself.
    #[serde(default)]
    pub condition: Option<String>,
}

impl BuiltInRole {
    /// The GUID as an id.
    #[must_use]
    pub fn role_id(&self) -> RoleId {
        self.id.parse().expect("a test reads every GUID of the table")
    }
}

/// A built-in role of Cosmos DB's own data plane.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CosmosRole {
    /// Its name.
    pub name: String,
    /// Its id below an account's `sqlRoleDefinitions`, the same in every account.
    pub id: String,
    /// What it allows.
    pub data_actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Table {
    source: String,
    roles: Vec<BuiltInRole>,
    cosmos_source: String,
    cosmos_roles: Vec<CosmosRole>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("roles.json")).expect("a test reads this table"));

/// All roles of the table, by name.
#[must_use]
pub fn built_in_roles() -> &'static [BuiltInRole] {
    &TABLE.roles
}

/// Where they are from, and where those of Cosmos DB are.
#[must_use]
pub fn role_sources() -> [&'static str; 2] {
    [&TABLE.source, &TABLE.cosmos_source]
}

/// The built-in roles of Cosmos DB's data plane.
#[must_use]
pub fn cosmos_roles() -> &'static [CosmosRole] {
    &TABLE.cosmos_roles
}

/// The one of that name.
#[must_use]
pub fn cosmos_role(name: &str) -> Option<&'static CosmosRole> {
    cosmos_roles().iter().find(|role| role.name.eq_ignore_ascii_case(name))
}

/// The built-in role of that name, ignoring case, as Azure does.
#[must_use]
pub fn built_in(name: &str) -> Option<&'static BuiltInRole> {
    built_in_roles().iter().find(|role| role.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_guid_and_no_two_share_one() {
        let ids: BTreeSet<_> = built_in_roles().iter().map(BuiltInRole::role_id).collect();
        assert_eq!(ids.len(), built_in_roles().len());
        assert_eq!(ids.len(), 130);
    }

    #[test]
    fn a_role_is_found_by_its_name_in_any_casing_and_by_nothing_less() {
        let receiver = built_in("azure service bus data RECEIVER").unwrap();
        assert_eq!(receiver.id, "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0");
        assert!(built_in("Azure Service Bus Data").is_none());
        let names: BTreeSet<_> = built_in_roles().iter().map(|role| role.name.to_lowercase()).collect();
        assert_eq!(names.len(), built_in_roles().len(), "a name stands for one role");
    }
}
