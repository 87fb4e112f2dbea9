//! The `identity` member of a resource: what a write makes of it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::path;
use super::reply::Reply;
use super::state::{State, id_of};

const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

/// A write of an identity block to a resource.
pub(super) struct IdentityWrite<'a> {
    /// The id of the resource.
    pub(super) resource: &'a str,
    /// The action that the caller was allowed.
    pub(super) action: &'a str,
    /// The block as it is; null when there is none.
    pub(super) current: &'a Value,
    /// The block as sent.
    pub(super) sent: &'a Value,
    /// Whether a map that is sent replaces the one that is there, as PUT does, or is merged into it, as PATCH does.
    pub(super) replaces: bool,
    /// The type's word for both kinds of identity.
    pub(super) both: &'a str,
}

impl IdentityWrite<'_> {
    /// The block that results; none when no identity is left.
    pub(super) fn apply(&self, state: &mut State, now: Timestamp) -> Result<Option<Value>, Reply> {
        let kind = self.sent["type"].as_str().or(self.current["type"].as_str()).unwrap_or("None");
        let (system, user) = words(kind)?;
        let attached = if user { self.user_identities(state)? } else { Map::new() };
        if user && attached.is_empty() {
            let message = "The identity type 'UserAssigned' needs at least one entry in 'userAssignedIdentities'.";
            return Err(Reply::bad_request("BadRequest", message));
        }
        let held = self.current["principalId"].as_str();
        if let (false, Some(principal)) = (system, held) {
            state.bury(principal);
        }
        if !system && !user {
            return Ok(None);
        }
        let mut block = Map::new();
        if system {
            let principal = held.map_or_else(|| state.next_principal(self.resource, now), str::to_owned);
            let tenant = self.current["tenantId"].as_str().unwrap_or(&state.caller.tenant_id);
            block.insert("tenantId".to_owned(), tenant.into());
            block.insert("principalId".to_owned(), principal.into());
        }
        if user {
            block.insert("userAssignedIdentities".to_owned(), attached.into());
        }
        let kind = match (system, user) {
            (true, true) => self.both,
            (true, false) => "SystemAssigned",
            (false, _) => "UserAssigned",
        };
        block.insert("type".to_owned(), kind.into());
        Ok(Some(block.into()))
    }

    fn user_identities(&self, state: &State) -> Result<Map<String, Value>, Reply> {
        let empty = Map::new();
        let current = self.current["userAssignedIdentities"].as_object().unwrap_or(&empty);
        let Some(sent) = self.sent["userAssignedIdentities"].as_object() else { return Ok(current.clone()) };
        let linked: Vec<&str> = sent.iter().filter(|(_, value)| !value.is_null()).map(|(id, _)| id.as_str()).collect();
        state.require_linked(ASSIGN, (self.action, self.resource), &linked)?;
        let mut attached = if self.replaces { Map::new() } else { current.clone() };
        for (id, value) in sent {
            attached.retain(|other, _| path::key(other) != path::key(id));
            if !value.is_null() {
                let (id, entry) = self.attach(state, id)?;
                attached.insert(id, entry);
            }
        }
        Ok(attached)
    }

    /// One entry of the map: the identity's principal as it is now. The key comes back with `resourcegroups` in lower
    /// case (recorded).
    fn attach(&self, state: &State, id: &str) -> Result<(String, Value), Reply> {
        let identity = state.document(id).ok_or_else(|| {
            let message = format!(
                "Identity operation for resource '{}' failed with error 'Failed to perform resource identity \
                 operation. Status: 'BadRequest'. Response: 'Resource '{id}' was not found.'.",
                self.resource
            );
            Reply::bad_request("FailedIdentityOperation", message)
        })?;
        let properties = &identity["properties"];
        let entry = json!({"principalId": properties["principalId"], "clientId": properties["clientId"]});
        Ok((id_of(identity).replace("/resourceGroups/", "/resourcegroups/"), entry))
    }
}

/// Whether a type names the system identity and user identities.
fn words(kind: &str) -> Result<(bool, bool), Reply> {
    let (mut system, mut user) = (false, false);
    for word in kind.split(',').map(|word| word.trim().to_lowercase()) {
        match word.as_str() {
            "systemassigned" => system = true,
            "userassigned" => user = true,
            "none" => {}
            _ => {
                let message = format!("The identity type '{kind}' is not valid.");
                return Err(Reply::bad_request("BadRequest", message));
            }
        }
    }
    Ok((system, user))
}
