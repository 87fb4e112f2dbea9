//! Role assignments: lists with their filters, and the writes with their refusals.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Call;
use super::definitions;
use super::filter::Filter;
use super::path::{self, Address};
use super::reply::{Cause, Outcome, Reply, not_found};
use super::rights::{Verb, scope_of};
use super::route::{container_exists, object_body};
use super::state::{State, azure_time, id_of};

const KIND: &str = "microsoft.authorization/roleassignments";
const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";

/// Members that a second PUT replaces, and erases where it leaves them out.
const REPLACED: [&str; 3] = ["condition", "conditionVersion", "description"];

/// Any request for role assignments.
pub(super) fn handle(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    match (call.method.as_str(), call.address.is_collection()) {
        ("GET", true) => list(state, call, KIND),
        ("GET" | "HEAD", false) => read(state, &call.address),
        ("PUT", false) => put(state, call, now),
        ("DELETE", false) => delete(state, &call.address),
        _ => Err(Reply::unsupported(call)),
    }
}

/// The assignments at, above and below a scope; or the schedules of Privileged Identity Management, which are documents
/// of the world like others and take the same right and filters.
pub(super) fn list(state: &State, call: &Call, kind: &str) -> Outcome {
    let scope = &call.address.scope;
    state.require_some_right(READ, scope)?;
    container_exists(state, scope)?;
    let filter = Filter::parse(call.parameter("$filter"))?;
    let groups = filter.assigned_to.as_ref().map(|principal| state.groups_of(principal));
    let at_asked_scope = state.allows(READ, scope);
    let is_asked = |assignment: &Value| {
        let holder = assignment["properties"]["principalId"].as_str().unwrap_or("");
        let is_holder = |wanted: &String| wanted.eq_ignore_ascii_case(holder);
        let through_group = groups.as_ref().is_some_and(|groups| groups.contains(&holder.to_lowercase()));
        // The cheap questions first: thousands of assignments are asked about one principal.
        if !filter.principal.as_ref().is_none_or(is_holder)
            || !filter.assigned_to.as_ref().is_none_or(|wanted| is_holder(wanted) || through_group)
        {
            return false;
        }
        let at = scope_of(assignment);
        (path::covers(&at, scope) || (!filter.at_scope && path::covers(scope, &at)))
            && (at_asked_scope || state.allows(READ, &at))
    };
    Ok(Reply::items(state.of_kind(kind).filter(|it| is_asked(it)).cloned().collect()))
}

fn read(state: &State, address: &Address) -> Outcome {
    state.require(READ, &address.path)?;
    container_exists(state, &address.path)?;
    let found = state.document(&address.path).cloned();
    found.map(|it| Reply::document(200, it)).ok_or_else(|| {
        let message = format!("The role assignment '{}' is not found.", address.name());
        Reply::refusal(404, Cause::Service, "RoleAssignmentNotFound", message)
    })
}

fn delete(state: &mut State, address: &Address) -> Outcome {
    state.require(DELETE, &address.path)?;
    state.require_unlocked(Verb::Delete, &address.path)?;
    container_exists(state, &address.path)?;
    Ok(state.remove(&address.path).map_or_else(|| Reply::empty(204), |removed| Reply::document(200, removed)))
}

/// A PUT, checked.
struct Grant<'a> {
    address: &'a Address,
    properties: &'a Value,
    role: String,
    principal: &'a str,
}

fn put(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    state.require(WRITE, &address.path)?;
    state.require_unlocked(Verb::Write, &address.path)?;
    scope_exists(state, &address.scope)?;
    let grant = Grant::read(state, call)?;
    if let Some(existing) = state.named(KIND, address.name()).cloned() {
        return grant.update(state, existing, now);
    }
    if state.of_kind(KIND).any(|it| grant.is_same_triple(it)) {
        // Both recordings, the newer of 2025, name no id; the wording with the id is documented only.
        let message = "The role assignment already exists.";
        return Err(Reply::refusal(409, Cause::Service, "RoleAssignmentExists", message));
    }
    let principal_type = grant.principal_type(state, now)?;
    Ok(grant.create(state, &principal_type, now))
}

impl<'a> Grant<'a> {
    fn read(state: &State, call: &'a Call) -> Result<Self, Reply> {
        let address = &call.address;
        let properties = &object_body(call)?["properties"];
        if Uuid::try_parse(address.name()).is_err() {
            let message = format!("The role assignment ID '{}' is not valid. It must be a GUID.", address.name());
            return Err(Reply::bad_request("InvalidRoleAssignmentId", message));
        }
        let principal = properties["principalId"].as_str().unwrap_or("");
        if Uuid::try_parse(principal).is_err() {
            let message = format!("The principal ID '{principal}' is not valid. Principal ID must be a GUID.");
            return Err(Reply::bad_request("InvalidPrincipalId", message));
        }
        let asked = properties["roleDefinitionId"].as_str().unwrap_or("");
        let name = path::last_segment(asked);
        let role = definitions::find(state, &address.scope, name).filter(|_| asked.contains('/'));
        let role = role.map(|it| id_of(&it).to_owned()).ok_or_else(|| {
            let message = format!("The specified role definition with ID '{name}' does not exist.");
            Reply::bad_request("RoleDefinitionDoesNotExist", message)
        })?;
        Ok(Self { address, properties, role, principal })
    }

    fn is_same_triple(&self, assignment: &Value) -> bool {
        let properties = &assignment["properties"];
        let role = path::last_segment(properties["roleDefinitionId"].as_str().unwrap_or(""));
        properties["principalId"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(self.principal))
            && role.eq_ignore_ascii_case(path::last_segment(&self.role))
            && path::key(&scope_of(assignment)) == path::key(&self.address.scope)
    }

    /// A PUT over an existing name. Condition and description become what is sent, also when nothing is sent.
    fn update(&self, state: &mut State, mut existing: Value, now: Timestamp) -> Outcome {
        if !self.is_same_triple(&existing) {
            let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
            return Err(Reply::bad_request("RoleAssignmentUpdateNotPermitted", message));
        }
        let replaced: Vec<(&str, &Value)> = REPLACED.iter().map(|it| (*it, &self.properties[*it])).collect();
        if replaced.iter().any(|(member, value)| existing["properties"][*member] != **value) {
            for (member, value) in replaced {
                existing["properties"][member] = value.clone();
            }
            existing["properties"]["updatedOn"] = azure_time(now).into();
            existing["properties"]["updatedBy"] = state.caller.object_id.as_str().into();
            state.put(existing.clone());
        }
        Ok(Reply::document(200, existing))
    }

    /// Resolves the kind of principal. A named kind spares the look-up that fails until the principal is replicated.
    fn principal_type(&self, state: &State, now: Timestamp) -> Result<String, Reply> {
        let sent = self.properties["principalType"].as_str();
        let skips_lookup = !state.strict_principals && sent.is_some();
        if !skips_lookup && !state.is_replicated(self.principal, now) {
            let (principal, tenant) = (self.principal.replace('-', "").to_lowercase(), &state.caller.tenant_id);
            let message = format!(
                "Principal {principal} does not exist in the directory {tenant}. Check that you have the correct \
                 principal ID. If you are creating this principal and then immediately assigning a role, this error \
                 might be related to a replication delay. In this case, set the role assignment principalType \
                 property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype"
            );
            return Err(Reply::bad_request("PrincipalNotFound", message));
        }
        match (sent, state.principal_type(self.principal)) {
            (Some(sent), Some(known)) if !sent.eq_ignore_ascii_case(&known) => {
                let message = format!(
                    "The PrincipalId '{}' has type '{known}' , which is different from specified PrinciaplType \
                     '{sent}'.",
                    self.principal.replace('-', "")
                );
                Err(Reply::bad_request("UnmatchedPrincipalType", message))
            }
            (Some(sent), None) => Ok(sent.to_owned()),
            (_, known) => Ok(known.unwrap_or_else(|| "User".to_owned())),
        }
    }

    /// Stores a new assignment. Its creator is null in this answer and filled in every later one (recorded).
    fn create(&self, state: &mut State, principal_type: &str, now: Timestamp) -> Reply {
        let (caller, time) = (state.caller.object_id.clone(), azure_time(now));
        let sent = self.properties;
        let mut document = json!({
            "properties": {
                "roleDefinitionId": self.role, "principalId": self.principal, "principalType": principal_type,
                "scope": self.address.scope, "condition": sent["condition"],
                "conditionVersion": sent["conditionVersion"], "createdOn": time, "updatedOn": time,
                "createdBy": caller, "updatedBy": caller,
                "delegatedManagedIdentityResourceId": sent["delegatedManagedIdentityResourceId"],
                "description": sent["description"],
            },
            "id": self.address.path, "type": "Microsoft.Authorization/roleAssignments", "name": self.address.name(),
        });
        state.put(document.clone());
        document["properties"]["createdBy"] = Value::Null;
        Reply::document(201, document)
    }
}

/// Whether the resource that a new assignment hangs on exists.
fn scope_exists(state: &State, scope: &str) -> Result<(), Reply> {
    container_exists(state, scope)?;
    let address = Address::parse(scope);
    let is_resource = path::resource_group(scope).is_some() && !address.namespace.is_empty();
    if is_resource && !state.is_inhabited(scope) {
        return Err(not_found(&address));
    }
    Ok(())
}
