//! The state that a recording implies, derived from the recording itself: what it answers was there, and so was what it
//! lies in; beside it there is something that must not be answered.

pub(super) mod apps;
pub(super) mod cosmos;
pub(super) mod grants;
pub(super) mod hosts;
pub(super) mod identities;
pub(super) mod log;
pub(super) mod plain;
pub(super) mod refusals;
pub(super) mod roles;
pub(super) mod vaults;

use serde_json::{Map, Value, json};

use super::super::{Recording, recordings};

/// Another recording, whose request comes before or whose answer tells more.
fn another(number: u16) -> &'static Recording {
    &recordings().expect("one recording is there, so all are")[&number]
}

/// The path without doubled and trailing slashes.
fn path(recording: &Recording) -> String {
    let segments: Vec<&str> = recording.path.split('/').filter(|segment| !segment.is_empty()).collect();
    format!("/{}", segments.join("/"))
}

/// What precedes a word in a text, ignoring case.
fn before<'a>(text: &'a str, word: &str) -> &'a str {
    text.to_lowercase().find(word).map_or(text, |at| &text[..at])
}

/// A place beside another one: the same path with another last name.
fn beside(place: &str) -> String {
    let (parent, name) = place.rsplit_once('/').expect("a place has a name");
    let guid = name.len() == 36 && name.matches('-').count() == 4;
    format!("{parent}/{}", if guid { "be51de00-0000-4000-8000-000000000001" } else { "beside" })
}

/// The user-assigned identities that a block names, as documents of their own.
fn attached_identities(block: &Value) -> Vec<Value> {
    let entries = block["userAssignedIdentities"].as_object().into_iter().flatten();
    let document = |(id, entry): (&String, &Value)| {
        let or = |member: &str, other: &str| entry[member].as_str().unwrap_or(other).to_owned();
        json!({
            "id": id, "name": id.rsplit('/').next(), "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "location": "westeurope", "tags": {}, "properties": {
                "principalId": or("principalId", "a77ac4ed-0000-4000-8000-000000000001"),
                "clientId": or("clientId", "a77ac4ed-0000-4000-8000-000000000002"),
                "tenantId": "a77ac4ed-0000-4000-8000-000000000003",
            },
        })
    };
    entries.map(document).collect()
}

/// An identity block as it is sent: the values of the map are empty.
fn as_sent(block: &Value) -> Value {
    let mut sent = json!({ "type": block["type"] });
    if let Some(map) = block["userAssignedIdentities"].as_object() {
        let empty: Map<String, Value> = map.keys().map(|id| (id.clone(), json!({}))).collect();
        sent["userAssignedIdentities"] = empty.into();
    }
    sent
}

/// A document without a member.
fn without(document: &Value, member: &str) -> Value {
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        members.remove(member);
    }
    document
}
