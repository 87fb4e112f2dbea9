//! The catalog for readers: as text, as JSON, and as the page `docs/catalog.md`.

mod json;
mod markdown;
mod text;

pub use json::json;
pub use markdown::markdown;
pub use text::text;

use crate::catalog::{
    BuiltInRole,
    binding::{self, AccessKind, Account, ColumnEntry, Plane, Right, Row},
    built_in, built_in_roles, cosmos_role,
};

/// What of the catalog is asked for.
#[derive(Debug)]
pub struct Selection {
    /// Rows of bindings and of the platform.
    pub rows: Vec<&'static Row>,
    /// Roles; none unless they are asked for by name.
    pub roles: Vec<&'static BuiltInRole>,
    /// Nothing was left out.
    pub is_whole: bool,
}

/// The rows of which a name contains the word, the title, how a policy declares it or a setting of the connection does, and
/// the roles whose name does, ignoring case; all rows without a word.
#[must_use]
pub fn matching(word: Option<&str>) -> Selection {
    let lower = word.unwrap_or_default().to_ascii_lowercase();
    let contains = |name: &String| name.to_ascii_lowercase().contains(&lower);
    let matches = |row: &&Row| {
        let names = [Some(&row.id), Some(&row.title), row.platform.as_ref()].into_iter().flatten();
        let connection = row.connection.iter();
        let settings = connection.flat_map(|one| one.settings.iter().chain([&one.property]).chain(&one.default));
        let mut told = names.chain(&row.types).chain(&row.resources).chain(settings);
        told.any(contains) || contains(&declared(row))
    };
    let roles = built_in_roles().iter().filter(|role| word.is_some() && contains(&role.name)).collect();
    Selection { rows: binding::rows().iter().filter(matches).collect(), roles, is_whole: word.is_none() }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(word: &str) -> Vec<&'static str> {
        matching(Some(word)).rows.iter().map(|row| row.id.as_str()).collect()
    }

    #[test]
    fn a_row_is_found_by_whatever_the_text_shows_of_it() {
        for row in binding::rows() {
            let settings = row.connection.iter().flat_map(|connection| &connection.settings);
            for word in settings.chain([&row.title, &declared(row)]) {
                assert!(found(&word.to_uppercase()).contains(&row.id.as_str()), "{word} finds {}", row.id);
            }
        }
        assert!(found("no such thing").is_empty());
    }
}
