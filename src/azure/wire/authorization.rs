//! Role assignments, role definitions, deny assignments and what the caller itself may do.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{decode, nullable, timestamp};
use crate::model::{
    Condition, Denied, DenyAssignment, Failure, FailureClass, Grant, Mark, PermissionSet, PrincipalId, PrincipalKind,
    Role, RoleId, Scope,
};

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
pub(in crate::azure) fn grant(document: &Value) -> Result<Option<Grant>, Failure> {
    let Assignment { id, properties } = decode(document, "the role assignment")?;
    let principal = properties.principal_id.and_then(|text| text.parse().ok());
    let role = properties.role_definition_id.as_deref().and_then(RoleId::from_definition_id);
    let (Some(principal), Some(role)) = (principal, role) else { return Ok(None) };
    let id = Scope::lenient(&id);
    let scope = properties.scope.map_or_else(|| scope_of(&id), |scope| Scope::lenient(&scope));
    let moment = |text: Option<String>| moment(&id, text.as_deref());
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

/// A time that is there and cannot be read must not make something young look settled.
fn moment(of: &Scope, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let unreadable = || {
        let text = format!("{of} has the time `{text}`, which cannot be read");
        Failure::new(FailureClass::Bug, "UndecodableAnswer", text)
    };
    timestamp(text).map(Some).ok_or_else(unreadable)
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
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    permissions: Vec<PermissionEntry>,
    #[serde(default)]
    created_on: Option<String>,
    #[serde(default)]
    updated_on: Option<String>,
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
pub(in crate::azure) fn role(document: &Value) -> Result<Option<Role>, Failure> {
    let RoleDefinition { name, id, properties } = decode(document, "the role definition")?;
    let role_id = name.as_deref().and_then(RoleId::from_definition_id).or_else(|| RoleId::from_definition_id(&id));
    let Some(role_id) = role_id else { return Ok(None) };
    let of = Scope::lenient(&id);
    let changed = moment(&of, properties.created_on.as_deref())?.max(moment(&of, properties.updated_on.as_deref())?);
    let is_custom = properties.kind.is_some_and(|kind| kind.eq_ignore_ascii_case("CustomRole"));
    Ok(Some(Role {
        id: role_id,
        name: properties.role_name.unwrap_or_else(|| role_id.to_string()),
        permissions: properties.permissions.into_iter().map(Into::into).collect(),
        changed: changed.filter(|_| is_custom),
    }))
}

/// What the caller itself may do: an entry for each role it holds.
pub(in crate::azure) fn permissions(entries: &[Value]) -> Result<Vec<PermissionSet>, Failure> {
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

pub(in crate::azure) fn deny(document: &Value) -> Result<DenyAssignment, Failure> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defined(kind: &str, updated: &str) -> Result<Option<Role>, Failure> {
        role(&json!({
            "id": "/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/c0570111-0000-4000-8000-000000000008",
            "properties": {
                "roleName": "Our receiver", "type": kind, "permissions": [],
                "createdOn": "2025-01-05T08:00:00.1234567Z", "updatedOn": updated,
            },
        }))
    }

    #[test]
    fn a_custom_role_has_the_time_of_its_last_change_and_a_built_in_one_has_none() {
        let changed = |kind, updated| defined(kind, updated).unwrap().expect("it has a GUID").changed;
        let moment = "2026-03-01T09:58:00Z".parse().unwrap();
        assert_eq!(changed("CustomRole", "2026-03-01T09:58:00Z"), Some(moment));
        assert_eq!(changed("customrole", "2025-01-05T08:00:00Z"), "2025-01-05T08:00:00.1234567Z".parse().ok());
        assert_eq!(changed("BuiltInRole", "2026-03-01T09:58:00Z"), None);
    }

    #[test]
    fn a_time_that_cannot_be_read_does_not_make_a_role_old() {
        assert_eq!(defined("CustomRole", "yesterday").unwrap_err().code, "UndecodableAnswer");
    }
}
