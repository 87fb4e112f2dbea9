//! The catalog for readers: as text, as JSON, and as the page `docs/catalog.md`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::text::{line, paragraph};
use crate::catalog::{
    binding::{self, AccessKind, Account, ColumnEntry, Plane, Right, Row},
    built_in, built_in_roles, clocks,
    clouds::CLOUDS,
    cosmos_role, cosmos_roles, role_sources, services, storage, vault,
};

/// The rows whose id, type, field of `platform` or resource type contains the word, ignoring case; all without a word.
#[must_use]
pub fn matching(word: Option<&str>) -> Vec<&'static Row> {
    let word = word.unwrap_or_default().to_ascii_lowercase();
    let matches = |row: &&Row| {
        let names = [Some(&row.id), row.platform.as_ref()].into_iter().flatten();
        names.chain(&row.types).chain(&row.resources).any(|name| name.to_ascii_lowercase().contains(&word))
    };
    binding::rows().iter().filter(matches).collect()
}

/// The rows for a person at a terminal, 80 columns wide where ids allow.
#[must_use]
pub fn text(rows: &[&Row]) -> String {
    let mut out = String::new();
    for (position, row) in rows.iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        row_text(&mut out, row);
    }
    out
}

fn row_text(out: &mut String, row: &Row) {
    line(out, &row.title);
    paragraph(out, "  declare   ", &declared(row));
    if !row.resources.is_empty() {
        paragraph(out, "  resource  ", &row.resources.join(", "));
    }
    if !row.entities.is_empty() {
        paragraph(out, "  entity    ", &entities(row));
    }
    if let Some(service) = row.resources.first().and_then(|resource| services::of_type(resource)) {
        let audiences = service.audience.iter().map(|(cloud, audience)| format!("{audience} ({cloud})"));
        paragraph(out, "  audience  ", &audiences.collect::<Vec<_>>().join(", "));
    }
    match row.access {
        AccessKind::Roles => {}
        AccessKind::None => line(out, "  access    asks no identity of its own"),
        AccessKind::Database | AccessKind::Unsupported => {
            let how = if row.access == AccessKind::Database { "not by roles" } else { "no identity-based connection" };
            paragraph(out, "  access    ", &format!("{how}: {}", row.reason.as_deref().unwrap_or_default()));
        }
    }
    for need in &row.needs {
        let at = place(need.account);
        paragraph(
            out,
            "  needs     ",
            &format!("{}, {at}: `{}` {}", need.purpose, need.role, role_id(row, &need.role)),
        );
        for right in &need.rights {
            paragraph(out, "            ", &right_text(right));
        }
    }
    for (name, column) in [("Microsoft", &row.microsoft), ("playbook", &row.playbook)] {
        if let Some(entries) = column {
            paragraph(out, &format!("  {name:<10}"), &column_text(entries));
        }
    }
    if let Some(connection) = &row.connection {
        paragraph(out, "  settings  ", &connection.settings.join(", "));
        let default = connection.default.as_ref().map(|name| format!(", `{name}` by default"));
        let since = connection.extension.as_ref().map(|version| format!(", from extension {version} on"));
        let (default, since) = (default.unwrap_or_default(), since.unwrap_or_default());
        paragraph(out, "  named by  ", &format!("{}{default}{since}", connection.property));
    }
    for note in &row.notes {
        paragraph(out, "  note      ", note);
    }
    for source in &row.sources {
        paragraph(out, "  source    ", source);
    }
    if let Some(unverified) = &row.unverified {
        paragraph(out, "  unread    ", unverified);
    }
}

/// How a policy says that it means the row.
fn declared(row: &Row) -> String {
    if let Some(field) = &row.platform {
        return match (field.as_str(), row.access) {
            ("vaults", _) => "`vaults`".to_owned(),
            (_, AccessKind::Unsupported) => "nothing: no identity can be declared for it".to_owned(),
            _ => format!("`platform.{field}`"),
        };
    }
    let types = row.types.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let told = row.when.iter().map(|(field, value)| format!("{field}: {value}")).collect::<Vec<_>>().join(", ");
    match (told.is_empty(), row.default) {
        (true, _) => format!("type {types}"),
        (false, true) => format!("type {types}, alone or with `{told}`"),
        (false, false) => format!("type {types} with `{told}`"),
    }
}

/// What may be named below the resource, and so where a role may sit; above it every scope up to the root.
fn entities(row: &Row) -> String {
    row.entities.iter().map(|kind| format!("`{kind}/…`")).collect::<Vec<_>>().join(", ")
}

fn place(account: Account) -> &'static str {
    match account {
        Account::Entity => "on the entity",
        Account::Resource => "on the resource",
        Account::Host => "on the host's storage account",
        Account::Leases => "where the leases are",
    }
}

fn role_id<'a>(row: &Row, name: &'a str) -> &'a str {
    let id = match row.plane {
        Plane::Azure => built_in(name).map(|role| role.id.as_str()),
        Plane::Cosmos => cosmos_role(name).map(|role| role.id.as_str()),
    };
    id.unwrap_or_default()
}

fn right_text(right: &Right) -> String {
    let ways = right.any_of.iter().map(|way| way.join(" with ")).collect::<Vec<_>>().join(" or ");
    format!("{} {ways}", if right.data { "data action" } else { "action" })
}

fn column_text(entries: &[ColumnEntry]) -> String {
    let entry = |entry: &ColumnEntry| format!("`{}` {}", entry.role, place(entry.account));
    entries.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// The rows for programs: an array of objects with the words of the table.
#[must_use]
pub fn json(rows: &[&Row]) -> Value {
    rows.iter().map(|row| row_json(row)).collect()
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
            let right = |right: &Right| {
                json!({ "kind": if right.data { "dataAction" } else { "action" }, "anyOf": right.any_of })
            };
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

/// All tables as one page in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Catalog\n\n\
         Generated by `make generate` from `src/catalog`; `rolecall catalog` prints the same.\n\n\
         What each binding of Azure Functions, and the platform below it, needs of the app's identity, and where that is \
         said. A need is a set of rights: any role, or several together, may meet it. The role named beside it is the least \
         built-in one that does, and the one that is granted when the need is not met. `roleSet` `Microsoft` or `Playbook` \
         asks for the roles of that column instead; a column that is not shown is the same as the needs.\n\n\
         Pages without an owner are of `MicrosoftDocs/azure-docs`.\n",
    );
    for (title, platform) in [("Bindings", false), ("Platform", true)] {
        write_out(&mut out, format_args!("\n## {title}\n"));
        for row in binding::rows().iter().filter(|row| row.platform.is_some() == platform) {
            row_markdown(&mut out, row);
        }
    }
    storage_markdown(&mut out);
    vault_markdown(&mut out);
    clouds_markdown(&mut out);
    clocks_markdown(&mut out);
    roles_markdown(&mut out);
    out
}

fn row_markdown(out: &mut String, row: &Row) {
    write_out(out, format_args!("\n### {}\n\n- Declared by {}\n", row.title, declared(row)));
    if !row.resources.is_empty() {
        let resources = row.resources.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        write_out(out, format_args!("- Resource: {resources}\n"));
    }
    if !row.entities.is_empty() {
        write_out(out, format_args!("- Entity: {}\n", entities(row)));
    }
    match row.access {
        AccessKind::Roles => {}
        AccessKind::None => out.push_str("- Asks no identity of its own\n"),
        AccessKind::Database => write_out(out, format_args!("- Not by roles: {}\n", reason(row))),
        AccessKind::Unsupported => write_out(out, format_args!("- No identity-based connection: {}\n", reason(row))),
    }
    for need in &row.needs {
        let (at, id) = (place(need.account), role_id(row, &need.role));
        write_out(out, format_args!("- To {}, {at}: **{}** (`{id}`)\n", need.purpose, need.role));
        for right in &need.rights {
            let way = |way: &Vec<String>| way.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" with ");
            let ways = right.any_of.iter().map(way).collect::<Vec<_>>().join(" or ");
            write_out(out, format_args!("  - {} {ways}\n", if right.data { "data action" } else { "action" }));
        }
    }
    for (name, column) in [("Microsoft", &row.microsoft), ("Playbook", &row.playbook)] {
        if let Some(entries) = column {
            write_out(out, format_args!("- {name}: {}\n", column_text(entries)));
        }
    }
    if let Some(connection) = &row.connection {
        let settings = connection.settings.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        let default = connection.default.as_ref().map(|name| format!(", `{name}` by default")).unwrap_or_default();
        let since = connection.extension.as_ref().map(|it| format!(", from extension {it} on")).unwrap_or_default();
        write_out(out, format_args!("- Settings: {settings} (named by {}{default}{since})\n", connection.property));
    }
    for note in &row.notes {
        write_out(out, format_args!("- {note}\n"));
    }
    let sources = row.sources.iter().map(|source| format!("`{source}`")).collect::<Vec<_>>().join(", ");
    if !sources.is_empty() {
        write_out(out, format_args!("- Sources: {sources}\n"));
    }
    if let Some(unverified) = &row.unverified {
        write_out(out, format_args!("- Not verified: {unverified}\n"));
    }
}

fn reason(row: &Row) -> &str {
    row.reason.as_deref().unwrap_or_default()
}

fn storage_markdown(out: &mut String) {
    write_out(out, format_args!("\n## Calls of the storage data plane\n\nSource: {}.\n\n", storage::source()));
    out.push_str("| call | rights |\n|---|---|\n");
    for call in storage::calls() {
        write_out(out, format_args!("| {} | {} |\n", call.name, right_text(&call.right())));
    }
}

fn vault_markdown(out: &mut String) {
    write_out(out, format_args!("\n## Key Vault permissions\n\nSource: {}.\n\n", vault::source()));
    out.push_str("| on | permission | data action | least role | |\n|---|---|---|---|---|\n");
    for row in vault::permissions() {
        let certain = if row.certain { "" } else { "inferred" };
        let (kind, name) = (row.kind.name(), &row.permission);
        write_out(out, format_args!("| {kind} | {name} | `{}` | {} | {certain} |\n", row.right, row.role));
    }
    out.push_str("\n| template of the portal | roles |\n|---|---|\n");
    for template in vault::templates() {
        let roles = if template.roles.is_empty() { "a custom role".to_owned() } else { template.roles.join(", ") };
        write_out(out, format_args!("| {} | {roles} |\n", template.name));
    }
}

fn clouds_markdown(out: &mut String) {
    write_out(out, format_args!("\n## Clouds\n\nSource: {}.\n\n", services::source()));
    out.push_str("| cloud | Resource Manager | authority | token scope |\n|---|---|---|---|\n");
    for cloud in CLOUDS {
        let (name, endpoint) = (cloud.name, cloud.arm_endpoint);
        write_out(out, format_args!("| {name} | {endpoint} | {} | `{}` |\n", cloud.authority_host, cloud.arm_scope));
    }
    out.push_str("\n| service | cloud | token audience | host names end in | verified |\n|---|---|---|---|---|\n");
    for service in services::services() {
        for cloud in CLOUDS {
            let (audience, suffix) = (service.audience.get(cloud.name), service.suffix.get(cloud.name));
            if audience.is_none() && suffix.is_none() {
                continue;
            }
            let cell = |it: Option<&String>| it.map_or("–".to_owned(), |it| format!("`{it}`"));
            let (name, verified) = (&service.name, &service.verified);
            let (audience, suffix) = (cell(audience), cell(suffix));
            write_out(out, format_args!("| {name} | {} | {audience} | {suffix} | {verified} |\n", cloud.name));
        }
    }
}

fn clocks_markdown(out: &mut String) {
    out.push_str("\n## How long changes take to act\n\n| change | of | within | source |\n|---|---|---|---|\n");
    for clock in clocks::CLOCKS {
        let of = clock.provider.unwrap_or("all others");
        let within = match clock.within.as_mins() {
            minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
            minutes => format!("{minutes} min"),
        };
        write_out(out, format_args!("| {} | {of} | {within} | {} |\n", clock.cause, clock.source));
    }
}

fn roles_markdown(out: &mut String) {
    let [azure, cosmos] = role_sources();
    write_out(
        out,
        format_args!("\n## Roles\n\n{} built-in roles of Azure. Source: {azure}.\n\n", built_in_roles().len()),
    );
    out.push_str("| role | id |\n|---|---|\n");
    for role in built_in_roles() {
        write_out(out, format_args!("| {} | `{}` |\n", role.name, role.id));
    }
    write_out(
        out,
        format_args!("\nRoles of Cosmos DB's own data plane. Source: {cosmos}.\n\n| role | id |\n|---|---|\n"),
    );
    for role in cosmos_roles() {
        write_out(out, format_args!("| {} | `{}` |\n", role.name, role.id));
    }
}

fn write_out(out: &mut String, words: std::fmt::Arguments<'_>) {
    out.write_fmt(words).expect("writing to a string does not fail");
}
