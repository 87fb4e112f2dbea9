//! Key vaults and their access policies.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{Resource, decode, nullable, timestamp};
use crate::model::{AccessEntry, Failure, Scope, Vault, VaultMode};

/// What is beside the properties. Old answers have none of it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default, deserialize_with = "nullable")]
    system_data: SystemData,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SystemData {
    #[serde(default)]
    last_modified_at: Option<String>,
}

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
    let Written { system_data } = decode(document, "the vault")?;
    let changed = system_data.last_modified_at.as_deref().and_then(timestamp);
    Ok(Vault { id: Scope::lenient(&id), mode, tenant, entries, changed })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn permissions_stay_as_they_were_written_whatever_they_are_on() {
        let permissions = |permissions: Value| {
            let object = "52525252-0000-4000-8000-000000000052";
            let entry = json!({ "tenantId": "A", "objectId": object, "permissions": permissions });
            let document = json!({ "id": "/v", "properties": { "tenantId": "a", "accessPolicies": [entry] } });
            let vault = vault(&document).expect("it can be read");
            assert!(
                vault.counts(&vault.entries.as_ref().expect("shown")[0]),
                "directories are compared without casing"
            );
            let mut entries = vault.entries.expect("shown");
            entries.remove(0).permissions
        };
        let read =
            permissions(json!({ "secrets": ["Get", "list"], "storage": ["all"], "keys": null, "certificates": [] }));
        let told: Vec<_> = read.iter().map(|(on, words)| (on.as_str(), words.iter().collect::<Vec<_>>())).collect();
        assert_eq!(
            format!("{told:?}"),
            r#"[("certificates", []), ("secrets", ["Get", "list"]), ("storage", ["all"])]"#
        );
        assert!(permissions(Value::Null).is_empty());
    }
}
