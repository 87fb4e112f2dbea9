//! Azure's documents, decoded tolerantly: unknown members are ignored, absent and null are the same, and one odd entry
//! does not spoil a list. What an entry lacks can only make us see less access, never more.

mod settings;
mod target;
mod vault;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

pub(super) use settings::settings;
pub(super) use target::site;
pub(super) use vault::vault;

use crate::model::{
    Condition, Denied, DenyAssignment, Failure, FailureClass, Grant, Mark, PermissionSet, PrincipalId, PrincipalKind,
    Role, RoleId, Scope, UserIdentity, VaultReference,
};

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
    let is_denied = properties.status.as_deref() == Some("AccessToKeyVaultDenied");
    Ok(properties.vault_name.map(|vault| VaultReference { setting: name, vault, is_denied }))
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

#[derive(Deserialize)]
struct Assignment {
    id: String,
    properties: AssignmentProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentProperties {
    #[serde(default)]
    role_definition_id: Option<String>,
    #[serde(default)]
    principal_id: Option<String>,
    #[serde(default)]
    principal_type: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    condition_version: Option<String>,
    #[serde(default)]
    created_on: Option<String>,
    #[serde(default)]
    updated_on: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    created_by: Option<String>,
}

/// A role assignment; none when it names no principal or no role, and so grants nothing to anybody.
pub(super) fn grant(document: &Value) -> Result<Option<Grant>, Failure> {
    let Assignment { id, properties } = decode(document, "the role assignment")?;
    let principal = properties.principal_id.and_then(|text| text.parse().ok());
    let role = properties.role_definition_id.as_deref().and_then(RoleId::from_definition_id);
    let (Some(principal), Some(role)) = (principal, role) else { return Ok(None) };
    let id = Scope::lenient(&id);
    let scope = properties.scope.map_or_else(|| scope_of(&id), |scope| Scope::lenient(&scope));
    // A time that is there and cannot be read must not make a young grant look settled.
    let moment = |text: Option<String>| match text.as_deref().map(|text| (text, timestamp(text))) {
        Some((text, None)) => {
            let text = format!("role assignment {id} has the time `{text}`, which cannot be read");
            Err(Failure::new(FailureClass::Bug, "UndecodableAnswer", text))
        }
        Some((_, time)) => Ok(time),
        None => Ok(None),
    };
    let changed = moment(properties.created_on)?.max(moment(properties.updated_on)?);
    Ok(Some(Grant {
        principal,
        role,
        scope,
        principal_kind: principal_kind(properties.principal_type.as_deref()),
        condition: condition(properties.condition.as_deref(), properties.condition_version.as_deref()),
        changed,
        mark: properties.description.as_deref().and_then(Mark::read),
        created_by: properties.created_by.and_then(|text| text.parse().ok()),
        id,
    }))
}

fn scope_of(id: &Scope) -> Scope {
    let end = id.key().rfind("/providers/microsoft.authorization/").unwrap_or(0);
    Scope::lenient(&id.as_str()[..end])
}

/// Old api-versions leave the type out, and what is not known to be one principal may have members.
fn principal_kind(text: Option<&str>) -> PrincipalKind {
    let known = [
        ("ServicePrincipal", PrincipalKind::ServicePrincipal),
        ("Group", PrincipalKind::Group),
        ("User", PrincipalKind::Other),
        ("Device", PrincipalKind::Other),
    ];
    let is_it = |(name, _): &(&str, _)| text.is_some_and(|text| text.eq_ignore_ascii_case(name));
    known.into_iter().find(is_it).map_or(PrincipalKind::Unknown, |(_, kind)| kind)
}

/// Azure's times have 0 to 7 digits of a second, and one family writes a blank for the `T` or leaves the zone out.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{}Z", text.trim_end_matches('Z')).parse()).ok()
}

#[derive(Deserialize)]
struct RoleDefinition {
    #[serde(default)]
    name: Option<String>,
    id: String,
    properties: RoleProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleProperties {
    #[serde(default)]
    role_name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    permissions: Vec<PermissionEntry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermissionEntry {
    #[serde(default, deserialize_with = "nullable")]
    actions: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    not_actions: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    data_actions: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    not_data_actions: Vec<String>,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    condition_version: Option<String>,
}

/// The condition in a document's members.
fn condition(text: Option<&str>, version: Option<&str>) -> Option<Condition> {
    Condition::read(text?, version)
}

impl From<PermissionEntry> for PermissionSet {
    fn from(entry: PermissionEntry) -> Self {
        let PermissionEntry {
            actions,
            not_actions,
            data_actions,
            not_data_actions,
            condition: text,
            condition_version,
        } = entry;
        let condition = condition(text.as_deref(), condition_version.as_deref());
        Self { actions, not_actions, data_actions, not_data_actions, condition }
    }
}

/// A role definition; none when its id has no GUID, and so no assignment can name it.
pub(super) fn role(document: &Value) -> Result<Option<Role>, Failure> {
    let RoleDefinition { name, id, properties } = decode(document, "the role definition")?;
    let role_id = name.as_deref().and_then(RoleId::from_definition_id).or_else(|| RoleId::from_definition_id(&id));
    Ok(role_id.map(|id| Role {
        id,
        name: properties.role_name.unwrap_or_else(|| id.to_string()),
        permissions: properties.permissions.into_iter().map(Into::into).collect(),
    }))
}

/// What the caller itself may do: an entry for each role it holds.
pub(super) fn permissions(entries: &[Value]) -> Result<Vec<PermissionSet>, Failure> {
    entries.iter().map(|entry| decode::<PermissionEntry>(entry, "the permission").map(Into::into)).collect()
}

#[derive(Deserialize)]
struct Denial {
    id: String,
    properties: DenialProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DenialProperties {
    #[serde(default)]
    deny_assignment_name: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    do_not_apply_to_child_scopes: bool,
    #[serde(default, deserialize_with = "nullable")]
    principals: Vec<DeniedPrincipal>,
    #[serde(default, deserialize_with = "nullable")]
    exclude_principals: Vec<DeniedPrincipal>,
    #[serde(default, deserialize_with = "nullable")]
    permissions: Vec<PermissionEntry>,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    condition_version: Option<String>,
}

#[derive(Deserialize)]
struct DeniedPrincipal {
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "type")]
    type_: Option<String>,
}

/// The id in a deny assignment that stands for everyone.
const EVERYONE: &str = "00000000-0000-0000-0000-000000000000";

impl DeniedPrincipal {
    fn read(&self) -> Denied {
        let Some(id) = self.id.as_deref().and_then(|id| id.parse::<PrincipalId>().ok()) else { return Denied::Unread };
        if id.to_string() == EVERYONE {
            return Denied::Everyone;
        }
        if principal_kind(self.type_.as_deref()).may_have_members() { Denied::Group(id) } else { Denied::Principal(id) }
    }
}

pub(super) fn deny(document: &Value) -> Result<DenyAssignment, Failure> {
    let Denial { id, properties } = decode(document, "the deny assignment")?;
    let id = Scope::lenient(&id);
    Ok(DenyAssignment {
        name: properties.deny_assignment_name.clone().unwrap_or_else(|| id.name().to_owned()),
        scope: properties.scope.as_deref().map_or_else(|| scope_of(&id), Scope::lenient),
        own_scope_only: properties.do_not_apply_to_child_scopes,
        principals: properties.principals.iter().map(DeniedPrincipal::read).collect(),
        excluded: properties.exclude_principals.iter().map(DeniedPrincipal::read).collect(),
        condition: condition(properties.condition.as_deref(), properties.condition_version.as_deref()),
        permissions: properties.permissions.into_iter().map(Into::into).collect(),
        id,
    })
}
