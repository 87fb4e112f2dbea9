//! Key vaults and their access policies.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{Resource, decode, nullable};
use crate::model::{AccessEntry, Failure, Scope, Vault, VaultMode};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VaultProperties {
    #[serde(default)]
    enable_rbac_authorization: Option<bool>,
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    access_policies: Option<Vec<AccessPolicy>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessPolicy {
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    object_id: Option<String>,
    #[serde(default)]
    application_id: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    permissions: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl AccessPolicy {
    /// The entry; none when it names nobody. Words come in either casing, and stay as they are: they may be sent again.
    fn read(self) -> Option<AccessEntry> {
        let Self { tenant_id, object_id, application_id, permissions } = self;
        Some(AccessEntry {
            object: object_id?.parse().ok()?,
            tenant: tenant_id.map(|id| id.to_ascii_lowercase()),
            compound: application_id.is_some_and(|id| !id.trim().is_empty()),
            permissions: permissions.into_iter().filter_map(|(on, words)| Some((on, words?))).collect(),
        })
    }
}

pub(in crate::azure) fn vault(document: &Value) -> Result<Vault, Failure> {
    let Resource::<VaultProperties> { id, properties, .. } = decode(document, "the vault")?;
    // Only `true` means RBAC: vaults older than the setting answer null or leave it out.
    let mode =
        if properties.enable_rbac_authorization == Some(true) { VaultMode::Rbac } else { VaultMode::AccessPolicy };
    let entries = properties.access_policies.map(|all| all.into_iter().filter_map(AccessPolicy::read).collect());
    let tenant = properties.tenant_id.map(|id| id.to_ascii_lowercase());
    Ok(Vault { id: Scope::lenient(&id), mode, tenant, entries })
}
