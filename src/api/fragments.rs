//! Schema fragments that several fields share. Everything is bounded: the API server refuses CEL rules over
//! unbounded lists and strings, because it cannot estimate their cost.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::catalog::{
    binding,
    vault::{self, Contents},
};

/// The name of an entry of `resources`, of an identity or of a binding.
pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": "^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$",
    })
}

/// The name of a deployment slot, or nothing.
pub(super) fn slot(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "default": "", "maxLength": 59, "pattern": "^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$",
    })
}

/// Such a name, or nothing.
pub(super) fn optional_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$" })
}

/// The beginning of names of app settings, or nothing.
pub(super) fn connection(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9_.:-]*$" })
}

/// The id of a key vault.
pub(super) fn vault_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 300,
        "pattern":
            r"^/subscriptions/[^/?#%\s]+/resource[Gg]roups/[^/?#%\s]+/providers/[Mm]icrosoft\.[Kk]ey[Vv]ault/vaults/[^/?#%\s]+$",
    })
}

/// A type of binding that the catalog knows.
pub(super) fn binding_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": binding::types().collect::<Vec<_>>() })
}

/// What tells one row of the catalog from another of the same type.
fn told(field: &str) -> Schema {
    json_schema!({ "type": "string", "enum": std::iter::once("").chain(binding::values(field)).collect::<Vec<_>>() })
}

pub(super) fn direction(_: &mut SchemaGenerator) -> Schema {
    told("direction")
}

pub(super) fn source(_: &mut SchemaGenerator) -> Schema {
    told("source")
}

pub(super) fn scaling(_: &mut SchemaGenerator) -> Schema {
    told("scaling")
}

pub(super) fn provider(_: &mut SchemaGenerator) -> Schema {
    told("provider")
}

/// Permissions of access policies.
fn permissions(kind: Contents) -> Schema {
    let rows = vault::permissions().iter().filter(|row| row.kind == kind);
    let names: Vec<_> = rows.map(|row| row.permission.as_str()).collect();
    json_schema!({
        "type": "array",
        "default": [],
        "maxItems": names.len(),
        "items": { "type": "string", "enum": names },
    })
}

pub(super) fn secret_permissions(_: &mut SchemaGenerator) -> Schema {
    permissions(Contents::Secrets)
}

pub(super) fn key_permissions(_: &mut SchemaGenerator) -> Schema {
    permissions(Contents::Keys)
}

pub(super) fn certificate_permissions(_: &mut SchemaGenerator) -> Schema {
    permissions(Contents::Certificates)
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

/// Such a duration to look back.
pub(super) fn window(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 16, "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "default": "2h" })
}

/// Labels to match, bounded.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}
