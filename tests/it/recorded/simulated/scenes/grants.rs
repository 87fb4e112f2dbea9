//! Role assignments.

use serde_json::{Value, json};

use super::{another, before, beside, path};
use crate::recorded::{
    Recording,
    simulated::stage::{Ask, Stage},
};

const NAME: &str = "7b1a0e00-0000-4000-8000-000000000001";
const GROUP: &str = "6400b000-0000-4000-8000-000000000001";
const SOMEBODY_ELSE: &str = "5e15e000-0000-4000-8000-000000000001";
/// Contributor.
const ROLE: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";

/// Nobody has the grant yet. What was not kept of the request is what the answer repeats.
pub(in crate::recorded::simulated) fn created(recording: &Recording) -> Stage {
    let answered = &recording.body["properties"];
    let mut body = recording.sent.clone();
    if body.is_null() {
        body = json!({ "properties": {
            "roleDefinitionId": answered["roleDefinitionId"], "principalId": answered["principalId"],
        }});
    }
    let principal = answered["principalId"].as_str().expect("a principal");
    let stage = Stage::of(recording).inside_of(&path(recording)).sending(body);
    if answered["principalType"] == "ServicePrincipal" {
        return stage.with(identity(principal));
    }
    // A member of a group that is not an identity is a user.
    stage.set("groups", json!({ GROUP: [principal] }))
}

/// The assignment of the request before, read.
pub(in crate::recorded::simulated) fn read_back(recording: &Recording) -> Stage {
    let written = another(9);
    let principal = written.body["properties"]["principalId"].as_str().expect("a principal");
    Stage::of(recording).inside_of(&path(recording)).with(identity(principal)).after(Ask::of(written))
}

/// The same principal has the same role at the same scope under another name.
pub(in crate::recorded::simulated) fn twin(recording: &Recording) -> Stage {
    let scope = before(&path(recording), "/providers/microsoft.authorization").to_owned();
    let mut properties = recording.sent["properties"].clone();
    properties["scope"] = scope.as_str().into();
    let existing = assignment(&scope, &properties);
    Stage::of(recording).inside_of(&path(recording)).with(existing)
}

/// Nothing knows the principal, whose id the message repeats without dashes.
pub(in crate::recorded::simulated) fn stranger(recording: &Recording) -> Stage {
    let message = recording.body["error"]["message"].as_str().expect("a message");
    let digits = message.split(' ').find(|word| word.len() == 32).expect("the principal's digits");
    let principal: uuid::Uuid = digits.parse().expect("a GUID");
    let path = path(recording);
    let subscription: Vec<&str> = path.split('/').take(3).collect();
    let role = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}", subscription.join("/"));
    let body = json!({ "properties": { "roleDefinitionId": role, "principalId": principal.to_string() } });
    Stage::of(recording).inside_of(&path).sending(body)
}

/// The assignment that is answered was there.
pub(in crate::recorded::simulated) fn deleted(recording: &Recording) -> Stage {
    Stage::of(recording).inside_of(&path(recording)).with(newest(&recording.body))
}

/// The assignments of the list were there; beside them one at a neighbouring scope, and one of somebody else.
pub(in crate::recorded::simulated) fn listed(recording: &Recording) -> Stage {
    let path = path(recording);
    let scope = before(&path, "/providers/microsoft.authorization").to_owned();
    let items = recording.body["value"].as_array().expect("a list");
    let someone = &items[0]["properties"];
    let at = |scope: &str, principal: &Value| {
        let mut properties = newest(&items[0])["properties"].clone();
        properties["scope"] = scope.into();
        properties["principalId"] = principal.clone();
        assignment(scope, &properties)
    };
    let mut stage = Stage::of(recording)
        .inside_of(&path)
        .with_all(items.iter().map(newest))
        .with(at(&beside(&scope), &someone["principalId"]));
    if recording.query.contains("filter") {
        stage = stage.with(at(&scope, &SOMEBODY_ELSE.into()));
    }
    // Who is asked about is in every group that is answered.
    let asked = recording.query.split('\'').nth(1).unwrap_or("");
    let groups = items.iter().filter(|item| item["properties"]["principalType"] == "Group");
    let groups = groups.filter_map(|item| item["properties"]["principalId"].as_str());
    stage
        .set("groups", groups.map(|group| (group.to_owned(), json!([asked]))).collect::<serde_json::Map<_, _>>().into())
}

/// An assignment with the members of the newest version.
fn newest(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(properties) = document["properties"].as_object_mut() {
        for member in ["condition", "conditionVersion", "description", "delegatedManagedIdentityResourceId"] {
            properties.entry(member).or_insert(Value::Null);
        }
        properties.entry("principalType").or_insert_with(|| json!("User"));
    }
    document
}

fn assignment(scope: &str, properties: &Value) -> Value {
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{NAME}"), "name": NAME,
        "type": "Microsoft.Authorization/roleAssignments", "properties": properties,
    })
}

fn identity(principal: &str) -> Value {
    let group = "/subscriptions/1de27171-0000-4000-8000-000000000001/resourceGroups/people";
    json!({
        "id": format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/somebody"),
        "properties": { "principalId": principal },
    })
}
