//! The data plane roles of Cosmos DB.

use serde_json::json;

use super::{another, path, plain};
use crate::recorded::{
    Recording,
    simulated::stage::{Ask, Follow, Stage},
};

/// The account and the role were there, the assignment not.
pub(in crate::recorded::simulated) fn assigned(recording: &Recording) -> Stage {
    let role = &recording.sent["properties"]["roleDefinitionId"];
    plain::absent(recording).with(json!({ "id": role, "properties": {} }))
}

/// The assignment after the request before.
pub(in crate::recorded::simulated) fn read_back(recording: &Recording) -> Stage {
    after_the_write(recording)
}

/// The operation of that request, asked for once.
pub(in crate::recorded::simulated) fn first_word(recording: &Recording) -> Stage {
    after_the_write(recording).following(Follow::Operation(1))
}

/// The same, asked for again.
pub(in crate::recorded::simulated) fn last_word(recording: &Recording) -> Stage {
    after_the_write(recording).following(Follow::Operation(2))
}

/// The assignment was there.
pub(in crate::recorded::simulated) fn deleted(recording: &Recording) -> Stage {
    plain::absent(recording).with(json!({ "id": path(recording), "properties": {} }))
}

fn after_the_write(recording: &Recording) -> Stage {
    let write = another(96);
    let role = &write.sent["properties"]["roleDefinitionId"];
    let stage = Stage::of(recording).inside_of(&path(write)).with(json!({ "id": role, "properties": {} }));
    stage.after(Ask::of(write))
}
