//! The SQL role assignments and definitions of a Cosmos DB account.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Azure, reads::absent, wire::decode};
use crate::{
    catalog,
    model::{
        Failure, RoleId, Scope,
        cosmos::{CosmosAccess, CosmosGrant, CosmosRole},
    },
};

/// `docs/adr/0003` says how api-versions were chosen.
const COSMOS: &str = "2026-03-15";

impl Azure {
    /// What decides access to an account's data; none when the account does not exist. Assumed, for no page says it: a list
    /// that we may not read is refused and never shortened, because it belongs to the account whole.
    pub async fn cosmos_access(&self, account: &Scope) -> Result<Option<CosmosAccess>, Failure> {
        let list = async |kind: &str| absent(self.arm.list(&format!("{account}/{kind}"), COSMOS).await);
        let Some(definitions) = list("sqlRoleDefinitions").await? else { return Ok(None) };
        let Some(assignments) = list("sqlRoleAssignments").await? else { return Ok(None) };
        let mut access = CosmosAccess { roles: built_in(), ..CosmosAccess::default() };
        for document in &definitions {
            access.roles.extend(role(document)?);
        }
        for document in &assignments {
            match grant(document, account)? {
                Some(grant) => access.grants.push(grant),
                None => access.has_unread = true,
            }
        }
        Ok(Some(access))
    }
}

/// Every account has these. The one recorded list of definitions shows custom roles only.
fn built_in() -> BTreeMap<RoleId, CosmosRole> {
    let role = |known: &catalog::CosmosRole| {
        let permissions = vec![(known.data_actions.clone(), Vec::new())];
        (
            known.id.parse().expect("a test reads every id of the table"),
            CosmosRole { name: known.name.clone(), permissions },
        )
    };
    catalog::cosmos_roles().iter().map(role).collect()
}

#[derive(Deserialize)]
struct Document<P> {
    id: String,
    properties: P,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    #[serde(default)]
    role_name: Option<String>,
    #[serde(default)]
    permissions: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    data_actions: Option<Vec<String>>,
    #[serde(default)]
    not_data_actions: Option<Vec<String>>,
}

/// A definition by its id; none when that has no GUID, and so no assignment can name it.
fn role(document: &Value) -> Result<Option<(RoleId, CosmosRole)>, Failure> {
    let Document::<Definition> { id, properties } = decode(document, "the SQL role definition")?;
    let Some(role) = RoleId::from_definition_id(&id) else { return Ok(None) };
    let entries = properties.permissions.unwrap_or_default();
    let entry = |entry: Entry| (entry.data_actions.unwrap_or_default(), entry.not_data_actions.unwrap_or_default());
    let permissions = entries.into_iter().map(entry).collect();
    Ok(Some((role, CosmosRole { name: properties.role_name.unwrap_or_else(|| role.to_string()), permissions })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    #[serde(default)]
    role_definition_id: Option<String>,
    #[serde(default)]
    principal_id: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

/// An assignment; none when its principal, role or place is not in a form that is known here.
fn grant(document: &Value, account: &Scope) -> Result<Option<CosmosGrant>, Failure> {
    let Document::<Assignment> { id, properties } = decode(document, "the SQL role assignment")?;
    let role = properties.role_definition_id.as_deref().and_then(RoleId::from_definition_id);
    let principal = properties.principal_id.and_then(|text| text.parse().ok());
    let scope = properties.scope.and_then(|scope| place(&scope, account));
    let (Some(role), Some(principal), Some(scope)) = (role, principal, scope) else { return Ok(None) };
    Ok(Some(CosmosGrant { id: Scope::lenient(&id), principal, role, scope }))
}

/// A scope is written whole, or from the account on.
fn place(scope: &str, account: &Scope) -> Option<Scope> {
    let scope = scope.trim_end_matches('/');
    let prefix = account.as_str();
    let below = match scope.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &scope[prefix.len()..],
        _ if scope.is_empty() || scope.starts_with("/dbs/") => scope,
        _ => return None,
    };
    (below.is_empty() || below.starts_with('/')).then(|| Scope::lenient(&format!("{prefix}{below}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "/subscriptions/1/resourceGroups/r/providers/Microsoft.DocumentDB/databaseAccounts/co";

    fn decoded(scope: &str) -> Option<CosmosGrant> {
        let document = json!({
            "id": format!("{ACCOUNT}/sqlRoleAssignments/a1"),
            "properties": {
                "roleDefinitionId": format!("{ACCOUNT}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002"),
                "principalId": "05e70000-0000-4000-8000-000000000001",
                "scope": scope,
            },
        });
        grant(&document, &Scope::parse(ACCOUNT).unwrap()).expect("it can be understood")
    }

    #[test]
    fn a_scope_is_read_whole_in_any_casing_or_from_the_account_on() {
        for (scope, place) in [
            (ACCOUNT.to_owned(), String::new()),
            ("/".to_owned(), String::new()),
            (ACCOUNT.to_uppercase() + "/dbs/Sales", "/dbs/Sales".to_owned()),
            ("/dbs/Sales/colls/orders".to_owned(), "/dbs/Sales/colls/orders".to_owned()),
        ] {
            assert_eq!(
                decoded(&scope).map(|grant| grant.scope.to_string()),
                Some(format!("{ACCOUNT}{place}")),
                "{scope}"
            );
        }
        assert_eq!(decoded("/subscriptions/1/resourceGroups/other"), None);
        assert_eq!(decoded(&format!("{ACCOUNT}2/dbs/Sales")), None, "another account");
    }

    #[test]
    fn the_built_in_roles_are_known_without_being_listed() {
        let names: Vec<_> = built_in().into_values().map(|role| role.name).collect();
        assert_eq!(names, ["Cosmos DB Built-in Data Reader", "Cosmos DB Built-in Data Contributor"]);
    }

    #[test]
    fn a_definition_with_nulls_allows_nothing_and_spoils_nothing() {
        let id = format!("{ACCOUNT}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000001");
        let (_, role) = role(&json!({ "id": id, "properties": { "permissions": null } })).unwrap().unwrap();
        assert!(role.permissions.is_empty());
        assert!(super::role(&json!({ "id": "x", "properties": {} })).unwrap().is_none());
    }
}
