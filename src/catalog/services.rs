//! Token audiences and host names of the services that apps reach (`services.yaml`).

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

/// A service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The types of its resources.
    pub resources: Vec<String>,
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
    services().iter().find(|service| service.resources.iter().any(|known| known.eq_ignore_ascii_case(resource_type)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{binding, clouds::CLOUDS};

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
