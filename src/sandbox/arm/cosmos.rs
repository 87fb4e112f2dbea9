//! Role assignments of the data plane of Azure Cosmos DB: documents of the account, and none of
//! Microsoft.Authorization. Recorded: a write is put in a queue, and the assignment has no kind of principal and no times.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Call;
use super::operations::{self, COSMOS};
use super::path::{self, Address};
use super::reply::{Cause, Outcome, Reply, not_found};
use super::rights::Verb;
use super::route::{container_exists, object_body};
use super::state::State;

const TYPE: &str = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments";

/// PUT and DELETE of an assignment.
pub(super) fn write(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    let deletes = call.method == "DELETE";
    let (word, verb) = if deletes { ("delete", Verb::Delete) } else { ("write", Verb::Write) };
    state.require(&format!("{TYPE}/{word}"), &address.path)?;
    state.require_unlocked(verb, &address.path)?;
    container_exists(state, &address.path)?;
    let account = path::before(&address.path, "/sqlroleassignments");
    if state.document(account).is_none() {
        return Err(not_found(&Address::parse(account)));
    }
    let result = if deletes {
        if state.remove(&address.path).is_none() {
            return Ok(Reply::empty(204));
        }
        Value::Null
    } else {
        let document = assignment(state, call, account)?;
        state.put(document.clone());
        document
    };
    let enqueued = Reply::document(202, json!({ "status": "Enqueued" }));
    Ok(operations::begin(state, call, enqueued, COSMOS, result, now))
}

fn assignment(state: &State, call: &Call, account: &str) -> Result<Value, Reply> {
    let sent = &object_body(call)?["properties"];
    let text = |member: &str| sent[member].as_str().unwrap_or("");
    let (role, scope, principal) = (text("roleDefinitionId"), text("scope"), text("principalId"));
    let name = call.address.name();
    if Uuid::try_parse(name).is_err() || Uuid::try_parse(principal).is_err() {
        return Err(refusal(&format!("The role assignment '{name}' and its principal '{principal}' must be GUIDs.")));
    }
    if !path::covers(account, scope) || !path::covers(account, role) {
        return Err(refusal("The role definition and the scope must be of the account."));
    }
    // The built-in ones are there without a document.
    let built_in = role.to_lowercase().contains("/sqlroledefinitions/00000000-0000-0000-0000-00000000000");
    if !built_in && state.document(role).is_none() {
        return Err(refusal(&format!("The role definition '{role}' does not exist.")));
    }
    Ok(json!({
        "id": call.address.path, "name": name, "type": TYPE,
        "properties": { "roleDefinitionId": role, "scope": scope, "principalId": principal },
    }))
}

/// The envelope is recorded, the code is an assumption.
fn refusal(message: &str) -> Reply {
    Reply::error(400, Cause::Service, json!({ "code": "BadRequest", "message": message }))
}
