//! Token audiences and host names of the services that apps reach (`services.yaml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::model::Scope;

/// A service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The types of its resources, each with the api-version by which one is read.
    pub resources: BTreeMap<String, String>,
    /// What a subnet's endpoint for it is called; none when its firewall is not compared.
    pub endpoint: Option<String>,
    /// The parts that private endpoints lead to, each with what the name of its private DNS zone begins with.
    #[serde(default)]
    pub private: BTreeMap<String, String>,
    /// The audience of its tokens, by cloud. Without a slash at the end; a client may add one.
    pub audience: BTreeMap<String, String>,
    /// What its host names end in, by cloud.
    #[serde(default)]
    pub suffix: BTreeMap<String, String>,
    /// How a host name is built.
    pub hosts: Option<String>,
    /// What else somebody should know.
    pub notes: Option<String>,
    /// Which of it was read somewhere.
    pub verified: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: String,
    services: Vec<Service>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("services.yaml")).expect("a test reads this table"));

/// All services.
#[must_use]
pub fn services() -> &'static [Service] {
    &TABLE.services
}

/// Where the table is from.
#[must_use]
pub fn source() -> &'static str {
    &TABLE.source
}

/// The service of a resource type.
#[must_use]
pub fn of_type(resource_type: &str) -> Option<&'static Service> {
    services().iter().find(|service| service.resources.keys().any(|known| known.eq_ignore_ascii_case(resource_type)))
}

/// The resource that a scope is or lies in, with the api-version by which it is read: the storage account of a container,
/// the database of a server. None for a group or subscription, and for types that the table does not have.
#[must_use]
pub fn resource_of(scope: &Scope) -> Option<(Scope, &'static str)> {
    let resources = services().iter().flat_map(|service| &service.resources);
    let found = resources.filter_map(|(kind, version)| Some((scope.cut_at(kind)?, version.as_str())));
    found.max_by_key(|(resource, _)| resource.key().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{binding, clouds::CLOUDS};

    #[test]
    fn the_resource_of_a_scope_is_the_innermost_that_the_table_has() {
        let group = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg";
        let account = "providers/Microsoft.Storage/storageAccounts/st";
        let database = "providers/Microsoft.Sql/servers/sql/databases/sales";
        let cases = [
            (format!("{group}/{account}"), Some(account)),
            (format!("{group}/{account}/blobServices/default/containers/in"), Some(account)),
            (format!("{group}/{database}"), Some(database)),
            (format!("{group}/providers/Microsoft.Sql/servers/sql"), None),
            (format!("{group}/providers/Microsoft.Fabric/capacities/one"), None),
            (group.to_owned(), None),
        ];
        for (scope, expected) in cases {
            let found = resource_of(&Scope::parse(&scope).unwrap()).map(|(resource, _)| resource.to_string());
            assert_eq!(found, expected.map(|path| format!("{group}/{path}")), "{scope}");
        }
    }

    #[test]
    fn every_cloud_is_a_known_one_and_every_audience_is_an_address_without_a_slash_at_its_end() {
        for service in services() {
            let known = |cloud: &String| CLOUDS.iter().any(|known| known.name == *cloud);
            assert!(service.audience.keys().chain(service.suffix.keys()).all(known), "{}", service.name);
            assert!(service.audience.contains_key("AzureCloud"), "{}", service.name);
            for audience in service.audience.values() {
                assert!(audience.starts_with("https://") && !audience.ends_with('/'), "{audience}");
            }
            assert!(service.suffix.is_empty() || service.hosts.is_some(), "{}", service.name);
        }
    }

    #[test]
    fn every_resource_that_a_binding_reaches_by_identity_has_a_service() {
        for row in binding::rows() {
            for resource in &row.resources {
                assert!(of_type(resource).is_some(), "{}: {resource}", row.id);
            }
        }
    }
}
