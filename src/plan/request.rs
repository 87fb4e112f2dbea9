//! The requests that steps send, as values, so that a dry run shows what a real one sends.

use serde_json::{Map, Value, json};

use super::step::{GrantRole, IdentityChange, RevokeRole};
use crate::model::grant_name;

/// The api-version of role assignments.
pub const ROLE_ASSIGNMENT_API: &str = "2022-04-01";
/// The api-version that identity blocks of sites are written with.
pub const IDENTITY_API: &str = "2024-11-01";

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
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
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

pub(super) fn revoke(revoke: &RevokeRole) -> Request {
    Request {
        method: Method::Delete,
        path: revoke.grant.id.to_string(),
        api_version: ROLE_ASSIGNMENT_API,
        body: Value::Null,
    }
}

/// Names every identity that is to be there afterwards. Recorded answers leave open whether a PATCH merges the map or
/// replaces it; with the whole map both readings end the same.
pub(super) fn identity(change: &IdentityChange) -> Request {
    let IdentityChange { target, enable_system, attach, system_before, attached_before } = change;
    let system = *enable_system || system_before.is_enabled();
    let user: Map<_, _> = attached_before.iter().chain(attach).map(|id| (id.as_str().to_owned(), json!({}))).collect();
    let mut identity = Map::new();
    let kind = match (system, user.is_empty()) {
        (true, true) => "SystemAssigned",
        (true, false) => "SystemAssigned, UserAssigned",
        (false, _) => "UserAssigned",
    };
    identity.insert("type".to_owned(), kind.into());
    if !user.is_empty() {
        identity.insert("userAssignedIdentities".to_owned(), Value::Object(user));
    }
    Request {
        method: Method::Patch,
        path: target.to_string(),
        api_version: IDENTITY_API,
        body: json!({ "identity": identity }),
    }
}
