//! The requests that steps send, as values, so that a dry run shows what a real one sends.

use serde_json::{Map, Value, json};

use super::{
    step::{GrantRole, IdentityChange, Reattach, RevokeRole},
    vault::VaultEntry,
};
use crate::model::{Scope, TargetKind, grant_name};

/// The api-version of role assignments.
pub const ROLE_ASSIGNMENT_API: &str = "2022-04-01";
/// The api-version that apps are written with, and their identity blocks.
pub const IDENTITY_API: &str = "2024-11-01";
/// The api-versions that identity blocks of container apps and of machines are written with.
const CONTAINER_APP_API: &str = "2026-07-01";
const MACHINE_API: &str = "2026-04-01";

/// The api-version of vaults and their access policies: those before it retire on 2027-02-27.
const VAULT_API: &str = "2026-02-01";

/// The api-version with which the refresh of references is documented.
const REFERENCES_API: &str = "2022-03-01";

/// An ARM request that changes something.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// The path, without the endpoint.
    pub path: String,
    /// The api-version.
    pub api_version: &'static str,
    /// The body; null for none.
    pub body: Value,
}

/// The verbs of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Create under a name of our own.
    Put,
    /// Merge into what is there.
    Patch,
    /// Take away.
    Delete,
    /// Have something done. Never sent twice for one answer that got lost.
    Post,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Post => "POST",
        }
    }
}

pub(super) fn grant(grant: &GrantRole) -> Request {
    let GrantRole { scope, principal, mark, .. } = grant;
    let role = grant.role.id;
    let name = grant_name(scope, *principal, role);
    let subscription = scope.subscription().unwrap_or_default();
    Request {
        method: Method::Put,
        path: format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"),
        api_version: ROLE_ASSIGNMENT_API,
        body: json!({
            "properties": {
                "roleDefinitionId":
                    format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
                "principalId": principal,
                // Skips the directory look-up that fails with `PrincipalNotFound` right after an identity is made.
                "principalType": "ServicePrincipal",
                "description": mark.description(),
            }
        }),
    }
}

pub(super) fn vault_entry(entry: &VaultEntry) -> Request {
    let VaultEntry { vault, tenant, principal, .. } = entry;
    let entry = json!({ "tenantId": tenant, "objectId": principal, "permissions": entry.permissions() });
    Request {
        method: Method::Put,
        path: format!("{vault}/accessPolicies/add"),
        api_version: VAULT_API,
        body: json!({ "properties": { "accessPolicies": [entry] } }),
    }
}

/// Nothing else of the vault is sent, so that nothing else is written over.
pub(super) fn vault_mode(vault: &Scope, by_roles: bool) -> Request {
    Request {
        method: Method::Patch,
        path: vault.to_string(),
        api_version: VAULT_API,
        body: json!({ "properties": { "enableRbacAuthorization": by_roles } }),
    }
}

pub(super) fn revoke(revoke: &RevokeRole) -> Request {
    Request {
        method: Method::Delete,
        path: revoke.grant.id.to_string(),
        api_version: ROLE_ASSIGNMENT_API,
        body: Value::Null,
    }
}

pub(super) fn restart(target: &Scope) -> Request {
    Request { method: Method::Post, path: format!("{target}/restart"), api_version: IDENTITY_API, body: Value::Null }
}

pub(super) fn refresh(target: &Scope) -> Request {
    Request {
        method: Method::Post,
        path: format!("{target}/config/configreferences/appsettings/refresh"),
        api_version: REFERENCES_API,
        body: Value::Null,
    }
}

/// Names every identity that is to be there afterwards. Recorded answers leave open whether a PATCH merges the map or
/// replaces it; with the whole map both readings end the same.
pub(super) fn identity(change: &IdentityChange) -> Request {
    let IdentityChange { target, workload: _, enable_system, attach, system_before, attached_before } = change;
    let system = *enable_system || system_before.is_enabled();
    block(target, system, attached_before.iter().chain(attach), None)
}

/// Null takes one entry away; with every other one named, a PATCH that replaces the map ends the same.
pub(super) fn detach(reattach: &Reattach) -> Request {
    let Reattach { target, identity, system_before, attached_before, .. } = reattach;
    let others = attached_before.iter().filter(|id| *id != identity);
    block(target, system_before.is_enabled(), others, Some(identity))
}

pub(super) fn attach_again(reattach: &Reattach) -> Request {
    let Reattach { target, system_before, attached_before, .. } = reattach;
    block(target, system_before.is_enabled(), attached_before.iter(), None)
}

/// A write of an identity block: what is in it afterwards, and what is taken away.
fn block<'a>(
    target: &Scope,
    system: bool,
    attached: impl Iterator<Item = &'a Scope>,
    detached: Option<&Scope>,
) -> Request {
    let mut user: Map<_, _> = attached.map(|id| (id.as_str().to_owned(), json!({}))).collect();
    let (both, api_version) = match TargetKind::of(target) {
        TargetKind::App => ("SystemAssigned, UserAssigned", IDENTITY_API),
        // Recorded, and what the type's page writes: no space.
        TargetKind::ContainerApp => ("SystemAssigned,UserAssigned", CONTAINER_APP_API),
        TargetKind::Machine => ("SystemAssigned, UserAssigned", MACHINE_API),
    };
    let kind = match (system, user.is_empty()) {
        (true, true) => "SystemAssigned",
        (true, false) => both,
        (false, false) => "UserAssigned",
        (false, true) => "None",
    };
    user.extend(detached.map(|id| (id.as_str().to_owned(), Value::Null)));
    let mut identity = Map::new();
    identity.insert("type".to_owned(), kind.into());
    // A type without user identities drops them all by itself, and refuses a map.
    if kind.contains("UserAssigned") {
        identity.insert("userAssignedIdentities".to_owned(), Value::Object(user));
    }
    Request { method: Method::Patch, path: target.to_string(), api_version, body: json!({ "identity": identity }) }
}
