//! What hangs on other resources and is only read here: locks, deny assignments, the caller's permissions, the system
//! identity of a resource.

use serde_json::{Value, json};

use super::call::Call;
use super::filter::Filter;
use super::path::{self, Address};
use super::reply::{Cause, Outcome, Reply, not_found};
use super::rights::scope_of;
use super::route::container_exists;
use super::state::{State, derived, id_of};

/// GET of one lock or deny assignment, or of a list of them.
pub(super) fn handle(state: &State, call: &Call) -> Outcome {
    let address = &call.address;
    let read = format!("{}/read", address.full_type());
    if address.is_collection() {
        return list(state, call, &read);
    }
    state.require(&read, &address.path)?;
    state.document(&address.path).map(|it| Reply::document(200, it.clone())).ok_or_else(|| {
        let is_lock = address.kind() == "microsoft.authorization/locks";
        let (code, what) =
            if is_lock { ("LockNotFound", "lock") } else { ("DenyAssignmentNotFound", "deny assignment") };
        let message = format!("The {what} '{}' could not be found.", address.name());
        Reply::refusal(404, Cause::Service, code, message)
    })
}

/// The caller's permissions, which are documented for resource groups and resources only.
pub(super) fn permissions(state: &State, call: &Call) -> Outcome {
    let scope = &call.address.scope;
    if path::resource_group(scope).is_none() {
        return Err(not_found(&call.address));
    }
    container_exists(state, scope)?;
    let held = state.permissions_at(scope);
    if held.is_empty() {
        return Err(state.authorization_failed("Microsoft.Authorization/permissions/read", scope));
    }
    Ok(Reply::items(held))
}

/// The system identity of a resource, with the client id that the resource itself does not show.
pub(super) fn system_identity(state: &State, call: &Call) -> Outcome {
    let address = &call.address;
    state.require("Microsoft.ManagedIdentity/identities/read", &address.path)?;
    container_exists(state, &address.scope)?;
    let resource = state.document(&address.scope).ok_or_else(|| not_found(&Address::parse(&address.scope)))?;
    let identity = &resource["identity"];
    let principal = identity["principalId"].as_str().ok_or_else(|| not_found(address))?;
    Ok(Reply::document(
        200,
        json!({
            "id": format!("{}/providers/Microsoft.ManagedIdentity/identities/default", id_of(resource)),
            "name": "default", "type": "Microsoft.ManagedIdentity/identities", "location": resource["location"],
            "properties": {
                "clientId": derived(&format!("{principal}/client")), "principalId": principal,
                "tenantId": identity["tenantId"],
                "clientSecretUrl": "https://control.identity.example.net/",
            },
        }),
    ))
}

fn list(state: &State, call: &Call, read: &str) -> Outcome {
    let scope = &call.address.scope;
    state.require_some_right(read, scope)?;
    container_exists(state, scope)?;
    let filter = Filter::parse(call.parameter("$filter"))?;
    let kind = call.address.kind();
    let at_asked_scope = state.allows(read, scope);
    let is_asked = |document: &Value| {
        let at = scope_of(document);
        let properties = &document["properties"];
        let near = path::covers(&at, scope) || (!filter.at_scope && path::covers(scope, &at));
        let named = filter.deny_name.as_ref().is_none_or(|name| properties["denyAssignmentName"] == name.as_str());
        let principals = properties["principals"].as_array().into_iter().flatten();
        let mut ids = principals.filter_map(|it| it["id"].as_str());
        let meant = filter.principal.as_ref().is_none_or(|wanted| ids.any(|id| id.eq_ignore_ascii_case(wanted)));
        near && named && meant && (at_asked_scope || state.allows(read, &at))
    };
    Ok(Reply::items(state.of_kind(&kind).filter(|it| is_asked(it)).cloned().collect()))
}
