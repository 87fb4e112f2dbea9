//! The catalog for programs.

use serde_json::{Value, json};

use super::{Selection, role_id};
use crate::catalog::{
    BuiltInRole,
    binding::{AccessKind, Account, ColumnEntry, Plane, Right, Row},
    built_in_roles, clocks, cosmos_roles, services, storage, vault,
};

/// The selection for programs: `bindings` and `roles`; of the whole also `storageCalls`, `vaultPermissions`, `services` and
/// `clocks`, with the words of the tables.
#[must_use]
pub fn json(selection: &Selection) -> Value {
    let bindings: Vec<_> = selection.rows.iter().map(|row| row_json(row)).collect();
    if !selection.is_whole {
        let roles: Vec<_> = selection.roles.iter().map(|role| role_json(role)).collect();
        return json!({ "bindings": bindings, "roles": roles });
    }
    json!({
        "bindings": bindings,
        "roles": built_in_roles().iter().map(role_json).collect::<Vec<_>>(),
        "cosmosRoles": cosmos_roles().iter().map(|role| json!({
            "name": role.name, "id": role.id, "dataActions": role.data_actions,
        })).collect::<Vec<_>>(),
        "storageCalls": storage::calls().iter().map(|call| {
            let right = call.right();
            json!({ "name": call.name, "kind": kind(right.data), "anyOf": right.any_of })
        }).collect::<Vec<_>>(),
        "vaultPermissions": vault::permissions().iter().map(|row| json!({
            "kind": row.kind.name(), "permission": row.permission, "dataAction": row.right, "role": row.role,
            "certain": row.certain,
        })).collect::<Vec<_>>(),
        "services": services::services().iter().map(|service| json!({
            "name": service.name, "resources": service.resources.keys().collect::<Vec<_>>(), "audience": service.audience,
            "suffix": service.suffix, "hosts": service.hosts, "verified": service.verified,
        })).collect::<Vec<_>>(),
        "clocks": clocks::CLOCKS.iter().map(|clock| json!({
            "cause": clock.cause, "provider": clock.provider, "minutes": clock.within.as_mins(), "source": clock.source,
        })).collect::<Vec<_>>(),
    })
}

fn role_json(role: &BuiltInRole) -> Value {
    json!({
        "name": role.name, "id": role.id, "actions": role.actions, "notActions": role.not_actions,
        "dataActions": role.data_actions, "notDataActions": role.not_data_actions, "condition": role.condition,
    })
}

fn kind(data: bool) -> &'static str {
    if data { "dataAction" } else { "action" }
}

fn row_json(row: &Row) -> Value {
    let entries = |column: &Option<Vec<ColumnEntry>>| {
        column.as_ref().map(|entries| {
            let entry = |entry: &ColumnEntry| {
                json!({ "at": at(entry.account), "role": entry.role, "id": role_id(row, &entry.role) })
            };
            entries.iter().map(entry).collect::<Vec<_>>()
        })
    };
    let needs: Vec<_> = row
        .needs
        .iter()
        .map(|need| {
            let right = |right: &Right| json!({ "kind": kind(right.data), "anyOf": right.any_of });
            json!({
                "for": need.purpose,
                "at": at(need.account),
                "role": need.role,
                "roleId": role_id(row, &need.role),
                "rights": need.rights.iter().map(right).collect::<Vec<_>>(),
            })
        })
        .collect();
    let service = row.resources.first().and_then(|resource| services::of_type(resource));
    json!({
        "id": row.id,
        "title": row.title,
        "types": row.types,
        "platform": row.platform,
        "direction": row.direction,
        "when": row.when,
        "default": row.default,
        "access": match row.access {
            AccessKind::Roles => "roles",
            AccessKind::None => "none",
            AccessKind::Database => "database",
            AccessKind::Unsupported => "unsupported",
        },
        "reason": row.reason,
        "plane": match row.plane { Plane::Azure => "azure", Plane::Cosmos => "cosmos" },
        "resources": row.resources,
        "entities": row.entities,
        "audience": service.map(|service| &service.audience),
        "needs": needs,
        "microsoft": entries(&row.microsoft),
        "playbook": entries(&row.playbook),
        "connection": row.connection.as_ref().map(|connection| json!({
            "property": connection.property,
            "default": connection.default,
            "settings": connection.settings,
            "extension": connection.extension,
        })),
        "notes": row.notes,
        "sources": row.sources,
        "unverified": row.unverified,
    })
}

fn at(account: Account) -> &'static str {
    match account {
        Account::Entity => "entity",
        Account::Resource => "resource",
        Account::Host => "host",
        Account::Leases => "leases",
    }
}
