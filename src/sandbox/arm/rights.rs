//! What the caller may do: its permissions, deny assignments, locks. An evaluation of its own, so that it can disagree
//! with the client's.

use serde_json::{Value, json};

use super::path::{self, Address};
use super::reply::{Cause, Reply};
use super::state::{State, id_of};
use super::world::Permission;

/// Stands for everyone in deny assignments.
const EVERYONE: &str = "00000000-0000-0000-0000-000000000000";

/// What a lock keeps from happening.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    /// PUT, PATCH and POST: a `ReadOnly` lock refuses them.
    Write,
    /// DELETE: every lock refuses it.
    Delete,
}

impl State {
    /// Whether the caller may do `action` at `scope`.
    pub(super) fn allows(&self, action: &str, scope: &str) -> bool {
        self.is_granted(action, scope) && self.denial(action, scope).is_none()
    }

    /// Refuses what the caller may not do.
    pub(super) fn require(&self, action: &str, scope: &str) -> Result<(), Reply> {
        if !self.is_granted(action, scope) {
            return Err(self.authorization_failed(action, scope));
        }
        let Some(denial) = self.denial(action, scope) else { return Ok(()) };
        let caller = &self.caller.object_id;
        let name = denial["properties"]["denyAssignmentName"].as_str().unwrap_or("");
        let (at, id) = (scope_of(denial), path::last_segment(id_of(denial)).replace('-', ""));
        let message = format!(
            "The client '{caller}' with object id '{caller}' has permission to perform action '{action}' on scope \
             '{scope}'; however, the access is denied because of the deny assignment with name '{name}' and Id \
             '{id}' at scope '{at}'."
        );
        Err(Reply::refusal(403, Cause::Gateway, "DenyAssignmentAuthorizationFailed", message))
    }

    /// Refuses a list to a caller without any right at, above or below its scope; whoever has one gets a list, filtered
    /// silently.
    pub(super) fn require_some_right(&self, action: &str, scope: &str) -> Result<(), Reply> {
        let Some(permissions) = &self.permissions else { return Ok(()) };
        let near = |it: &Permission| path::covers(&it.scope, scope) || path::covers(scope, &it.scope);
        if permissions.iter().any(|it| near(it) && !it.actions.is_empty()) {
            return Ok(());
        }
        Err(self.authorization_failed(action, scope))
    }

    /// Refuses the use of other resources that a write names.
    pub(super) fn require_linked(&self, action: &str, at: (&str, &str), linked: &[&str]) -> Result<(), Reply> {
        let refused: Vec<&str> = linked.iter().copied().filter(|id| !self.allows(action, id)).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let (caller, (own_action, scope), ids) = (&self.caller.object_id, at, refused.join(", "));
        let message = format!(
            "The client '{caller}' with object id '{caller}' has permission to perform action '{own_action}' on scope \
             '{scope}'; however, it does not have permission to perform action '{action}' on the linked scope(s) \
             '{ids}' or the linked scope(s) are invalid."
        );
        Err(Reply::refusal(403, Cause::Gateway, "LinkedAuthorizationFailed", message))
    }

    /// Refuses what a lock at the scope or above keeps from happening.
    pub(super) fn require_unlocked(&self, verb: Verb, scope: &str) -> Result<(), Reply> {
        let holds = |lock: &Value| {
            let level = lock["properties"]["level"].as_str().unwrap_or("");
            path::covers(&scope_of(lock), scope) && (verb == Verb::Delete || level.eq_ignore_ascii_case("ReadOnly"))
        };
        let locks: Vec<String> =
            self.of_kind("microsoft.authorization/locks").filter(|it| holds(it)).map(scope_of).collect();
        if locks.is_empty() {
            return Ok(());
        }
        let word = if verb == Verb::Delete { "delete" } else { "write" };
        let message = format!(
            "The scope '{scope}' cannot perform {word} operation because following scope(s) are locked: '{}'. Please \
             remove the lock and try again.",
            locks.join(",")
        );
        Err(Reply::refusal(409, Cause::Gateway, "ScopeLocked", message))
    }

    /// The caller's permissions that hold at a scope, as the permissions list shows them.
    pub(super) fn permissions_at(&self, scope: &str) -> Vec<Value> {
        let Some(permissions) = &self.permissions else {
            return vec![json!({"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []})];
        };
        let held = permissions.iter().filter(|it| path::covers(&it.scope, scope));
        held.map(|it| {
            let Permission { scope: _, actions, not_actions, data_actions, not_data_actions } = it;
            json!({
                "actions": actions, "notActions": not_actions,
                "dataActions": data_actions, "notDataActions": not_data_actions,
            })
        })
        .collect()
    }

    pub(super) fn authorization_failed(&self, action: &str, scope: &str) -> Reply {
        let caller = &self.caller.object_id;
        let message = format!(
            "The client '{caller}' with object id '{caller}' does not have authorization to perform action '{action}' \
             over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your \
             credentials."
        );
        Reply::refusal(403, Cause::Gateway, "AuthorizationFailed", message)
    }

    fn is_granted(&self, action: &str, scope: &str) -> bool {
        let Some(permissions) = &self.permissions else { return true };
        permissions.iter().any(|it| {
            path::covers(&it.scope, scope) && any_matches(&it.actions, action) && !any_matches(&it.not_actions, action)
        })
    }

    fn denial(&self, action: &str, scope: &str) -> Option<&Value> {
        self.of_kind("microsoft.authorization/denyassignments").find(|denial| {
            let properties = &denial["properties"];
            let at = scope_of(denial);
            let here = match properties["doNotApplyToChildScopes"].as_bool() {
                Some(true) => path::key(&at) == path::key(scope),
                Some(false) | None => path::covers(&at, scope),
            };
            let denies = |entry: &Value| {
                any_matches(&texts(&entry["actions"]), action) && !any_matches(&texts(&entry["notActions"]), action)
            };
            here && self.is_meant(&properties["principals"])
                && !self.is_meant(&properties["excludePrincipals"])
                && properties["permissions"].as_array().is_some_and(|entries| entries.iter().any(denies))
        })
    }

    fn is_meant(&self, principals: &Value) -> bool {
        let caller = self.caller.object_id.to_lowercase();
        let groups = self.groups_of(&caller);
        let ids = principals.as_array().into_iter().flatten().filter_map(|it| it["id"].as_str());
        ids.map(str::to_lowercase).any(|id| id == EVERYONE || id == caller || groups.contains(&id))
    }
}

/// Where an extension document sits: its `properties.scope`, or what its id is hung on.
pub(super) fn scope_of(document: &Value) -> String {
    match document["properties"]["scope"].as_str() {
        Some(scope) => scope.to_owned(),
        None => Address::parse(id_of(document)).scope,
    }
}

/// Whether a role definition allows a data action.
pub(super) fn grants_data_action(definition: &Value, action: &str) -> bool {
    let mut entries = definition["properties"]["permissions"].as_array().into_iter().flatten();
    entries.any(|entry| {
        any_matches(&texts(&entry["dataActions"]), action) && !any_matches(&texts(&entry["notDataActions"]), action)
    })
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn any_matches(patterns: &[String], action: &str) -> bool {
    let action = action.to_lowercase();
    patterns.iter().any(|pattern| matches(&pattern.to_lowercase(), &action))
}

/// Whether a pattern, in which `*` stands for any text, slashes too, matches a whole action.
fn matches(pattern: &str, action: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == action };
    let Some(rest) = action.strip_prefix(head) else { return false };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| matches(tail, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text_also_across_slashes() {
        assert!(matches("*", "microsoft.web/sites/read"));
        assert!(matches("*/read", "microsoft.web/sites/slots/read"));
        assert!(matches("microsoft.web/*/read", "microsoft.web/sites/slots/read"));
        assert!(!matches("*/read", "microsoft.web/sites/write"));
        assert!(!matches("microsoft.web/sites", "microsoft.web/sites/read"));
    }
}
