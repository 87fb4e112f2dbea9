//! What is refused before anything is looked at.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::plain;
use crate::recorded::{Recording, simulated::stage::Stage};

/// The caller may read in another subscription.
pub(in crate::recorded::simulated) fn reader_of_another_place(recording: &Recording) -> Stage {
    let reader = json!([{ "scope": "/subscriptions/07e40000-0000-4000-8000-000000000001", "actions": ["*/read"] }]);
    plain::absent(recording).set("callerPermissions", reader).sending(json!({ "properties": {} }))
}

/// The token ended long ago.
pub(in crate::recorded::simulated) fn expired(recording: &Recording) -> Stage {
    let part = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let token = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&json!({ "exp": 1_500_000_000 })));
    Stage::of(recording).token(token)
}

/// What is sent breaks off.
pub(in crate::recorded::simulated) fn no_json(recording: &Recording) -> Stage {
    plain::absent(recording).sending("{".into())
}
