//! Azure's documents, decoded tolerantly: unknown members are ignored, absent and null are the same, and one odd entry
//! does not spoil a list. What an entry lacks can only make us see less access, never more.

mod authorization;
mod settings;
mod target;
mod vault;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

pub(super) use authorization::{deny, grant, permissions, role};
pub(super) use settings::settings;
pub(super) use target::{registry, site};
pub(super) use vault::vault;

use crate::model::{Failure, FailureClass, Scope, UserIdentity, VaultReference};

/// A document, or the failure that says what could not be understood.
pub(super) fn decode<T: DeserializeOwned>(document: &Value, what: &str) -> Result<T, Failure> {
    T::deserialize(document).map_err(|error| {
        let id = document.get("id").and_then(Value::as_str).unwrap_or("without an id");
        let text = format!("{what} {id} cannot be understood: {error}");
        Failure::new(FailureClass::Bug, "UndecodableAnswer", text)
    })
}

/// `null` is the member's default.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An ARM resource: its id and the part of it that is read.
#[derive(Deserialize)]
pub(super) struct Resource<P: Default> {
    pub(super) id: String,
    #[serde(default)]
    identity: Option<IdentityBlock>,
    // Not `nullable`: a bound on P that serde would have to guess.
    #[serde(default = "P::default")]
    pub(super) properties: P,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityBlock {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    principal_id: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    user_assigned_identities: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HostProperties {
    /// Milliseconds.
    #[serde(default)]
    process_uptime: Option<u64>,
}

/// How long the process of a Functions host has run. Hosts of before 2019-08 do not say.
pub(super) fn host_uptime(document: &Value) -> Result<Option<Duration>, Failure> {
    #[derive(Deserialize)]
    struct Host {
        #[serde(default, deserialize_with = "nullable")]
        properties: HostProperties,
    }
    let Host { properties } = decode(document, "the host's status")?;
    Ok(properties.process_uptime.map(Duration::from_millis))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceProperties {
    #[serde(default)]
    vault_name: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

/// A setting's reference to a vault; none for one to something else.
pub(super) fn vault_reference(document: &Value) -> Result<Option<VaultReference>, Failure> {
    #[derive(Deserialize)]
    struct Reference {
        name: String,
        #[serde(default, deserialize_with = "nullable")]
        properties: ReferenceProperties,
    }
    let Reference { name, properties } = decode(document, "the reference")?;
    let status = properties.status.unwrap_or_default();
    Ok(properties.vault_name.map(|vault| VaultReference { setting: name, vault, status }))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentityProperties {
    #[serde(default)]
    principal_id: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
}

pub(super) fn user_identity(document: &Value) -> Result<UserIdentity, Failure> {
    let Resource::<UserIdentityProperties> { id, properties, .. } = decode(document, "the identity")?;
    let principal = properties.principal_id.and_then(|text| text.parse().ok());
    let client = properties.client_id.and_then(|text| text.parse().ok());
    Ok(UserIdentity { id: Scope::lenient(&id), principal, client })
}

/// Azure's times have 0 to 7 digits of a second, and one family writes a blank for the `T` or leaves the zone out.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{}Z", text.trim_end_matches('Z')).parse()).ok()
}
