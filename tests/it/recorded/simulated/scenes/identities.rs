//! User-assigned identities.

use serde_json::json;

use super::{another, path, plain};
use crate::recorded::{
    Recording,
    simulated::stage::{Ask, Stage},
};

/// The identity that the request before created.
pub(in crate::recorded::simulated) fn read_back(recording: &Recording) -> Stage {
    plain::absent(recording).after(Ask::of(another(25)))
}

/// The identity was there.
pub(in crate::recorded::simulated) fn deleted(recording: &Recording) -> Stage {
    let path = path(recording);
    Stage::of(recording).inside_of(&path).with(json!({ "id": path, "location": "westeurope", "properties": {} }))
}

/// The identity was there, without what only this version shows.
pub(in crate::recorded::simulated) fn with_secret_url(recording: &Recording) -> Stage {
    let mut identity = recording.body.clone();
    let properties = identity["properties"].as_object_mut().expect("properties");
    properties.remove("clientSecretUrl").expect("the member that only this version has");
    plain::absent(recording).with(identity)
}
