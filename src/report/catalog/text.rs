//! The catalog for a person at a terminal.

use super::{Selection, column_text, declared, entities, place, right_text, role_id};
use crate::{
    catalog::{
        BuiltInRole,
        binding::{AccessKind, Row, user_settings},
        services,
    },
    report::text::{line, paragraph},
};

/// The selection for a person at a terminal, 80 columns wide where ids allow.
#[must_use]
pub fn text(selection: &Selection) -> String {
    let rows = selection.rows.iter().map(|row| row_text(row));
    rows.chain(selection.roles.iter().map(|role| role_text(role))).collect::<Vec<_>>().join("\n")
}

fn role_text(role: &BuiltInRole) -> String {
    let mut out = String::new();
    line(&mut out, &format!("role {}  {}", role.name, role.id));
    let lists = [
        ("action", &role.actions),
        ("but not", &role.not_actions),
        ("data action", &role.data_actions),
        ("but not", &role.not_data_actions),
    ];
    for (kind, list) in lists {
        for pattern in list {
            line(&mut out, &format!("  {kind:<11} {pattern}"));
        }
    }
    if let Some(condition) = &role.condition {
        paragraph(&mut out, "  condition   ", condition);
    }
    out
}

fn row_text(row: &Row) -> String {
    let mut text = String::new();
    let out = &mut text;
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
        if let Some(note) = &service.notes {
            paragraph(out, "            ", note);
        }
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
        if connection.settings.iter().any(|setting| setting.starts_with("<CONNECTION>__")) {
            paragraph(
                out,
                "            ",
                &format!("for a user-assigned identity also {}", user_settings().settings.join(", ")),
            );
        }
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
    text
}
