//! Schema fragments that several fields share. Everything is bounded: the API server refuses CEL rules over
//! unbounded lists and strings, because it cannot estimate their cost.

use schemars::{Schema, SchemaGenerator, json_schema};

/// The name of an entry of `resources`, of an identity or of a binding.
pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": "^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$",
    })
}

/// Names → ARM ids. A map of strings, so that overlays merge it key by key.
pub(super) fn resources(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 64,
        "additionalProperties": { "type": "string", "minLength": 1, "maxLength": 600 },
    })
}

/// A child of a resource, such as `queues/orders`.
pub(super) fn entity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 400,
        "pattern": "^([A-Za-z]+/[^/?#%\\s]+(/[A-Za-z]+/[^/?#%\\s]+)*)?$",
    })
}

/// A duration of whole seconds, minutes and hours, such as `10m` or `1h30m`.
pub(super) fn interval(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 16, "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "default": "10m" })
}

/// Labels to match, bounded.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}
