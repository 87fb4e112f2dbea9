//! The table of bindings (`bindings.yaml`): how each gets at its resource, and which rights that takes of the app's
//! identity.
//!
//! A need is a set of rights, not a role: any role, or several together, may meet it.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{cosmos_role, storage};
use crate::model::settings::Member;
use crate::model::spelling::{did_you_mean, with_article};

/// One row.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// The row's own name.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// The types of `function.json` that it is about; none for the platform.
    #[serde(default)]
    pub types: Vec<String>,
    /// The field of `platform`, or of the policy, that it is about; none for bindings.
    pub platform: Option<String>,
    /// Trigger, in, out.
    pub direction: Option<String>,
    /// What tells it from other rows of its types: fields of a binding, each with the value that means this row.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// Meant when a binding says nothing of `when`.
    #[serde(default)]
    pub default: bool,
    /// How the identity gets in.
    pub access: AccessKind,
    /// Whose role assignments decide.
    #[serde(default)]
    pub plane: Plane,
    /// The resource types that a binding may name.
    #[serde(default)]
    pub resources: Vec<String>,
    /// The first words of the entities that it may name.
    #[serde(default)]
    pub entities: Vec<String>,
    /// Without a resource the host's storage account is meant.
    #[serde(default)]
    pub host_by_default: bool,
    /// The rights, with the least role for each.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// The roles that Microsoft documents; none where they are those of `needs`.
    pub microsoft: Option<Vec<ColumnEntry>>,
    /// The roles that the incident playbook asks for; none where they are those of `needs`.
    pub playbook: Option<Vec<ColumnEntry>>,
    /// Why nothing can be checked; only for `database` and `unsupported`.
    pub reason: Option<String>,
    /// The settings that make the connection identity-based.
    pub connection: Option<Connection>,
    /// What else somebody should know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The pages that say so.
    pub sources: Vec<String>,
    /// What of the row no page was found for.
    pub unverified: Option<String>,
}

/// How an identity gets at a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessKind {
    /// By role assignments.
    Roles,
    /// Not at all: nobody is asked.
    None,
    /// By rights that live inside the service.
    Database,
    /// No identity-based connection exists.
    Unsupported,
}

/// Whose role assignments decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Plane {
    /// Azure RBAC.
    #[default]
    Azure,
    /// The SQL role assignments of a Cosmos DB account.
    Cosmos,
}

/// Where a need is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Account {
    /// The entity that the binding names, or the whole resource when it names none.
    Entity,
    /// The resource that the binding names, whatever the entity.
    Resource,
    /// The account behind `AzureWebJobsStorage`. Checked when the policy declares one.
    Host,
    /// Where a Cosmos DB trigger keeps its leases.
    Leases,
}

/// One need: rights that must all be there, and the least built-in role that has them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Need {
    /// What it is for, as a phrase that completes "needed to …".
    #[serde(rename = "for")]
    pub purpose: String,
    /// Where.
    #[serde(rename = "at")]
    pub account: Account,
    /// The role to grant when the need is not met.
    pub role: String,
    /// Calls of the storage data plane.
    #[serde(default)]
    pub calls: Vec<String>,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    data_actions: Vec<String>,
    /// All of it as rights.
    #[serde(skip)]
    pub rights: Vec<Right>,
    /// Whose role assignments decide; that of the row.
    #[serde(skip)]
    pub plane: Plane,
}

impl Need {
    pub(super) fn of_right(purpose: String, account: Account, role: &str, right: &str) -> Self {
        let rights = vec![Right::plain(true, right)];
        Self::of_rights(purpose, account, role, rights, Plane::Azure)
    }

    fn of_rights(purpose: String, account: Account, role: &str, rights: Vec<Right>, plane: Plane) -> Self {
        let (calls, actions, data_actions) = (Vec::new(), Vec::new(), Vec::new());
        Self { purpose, account, role: role.to_owned(), calls, actions, data_actions, rights, plane }
    }
}

/// Something that must be allowed on one plane of a role, in one way or another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// A data action and not a control-plane action.
    pub data: bool,
    /// The ways. Each is a set of patterns that must all be allowed.
    pub any_of: Vec<Vec<String>>,
}

impl Right {
    pub(super) fn plain(data: bool, pattern: &str) -> Self {
        Self { data, any_of: vec![vec![pattern.to_owned()]] }
    }
}

/// A role of one of the columns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnEntry {
    /// Where.
    #[serde(rename = "at")]
    pub account: Account,
    /// Which, by name.
    pub role: String,
    /// For a role of Cosmos DB: what it allows, as a need.
    #[serde(skip)]
    pub need: Option<Need>,
}

/// Where it is written how a connection is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// In several app settings, each for one member.
    #[default]
    Settings,
    /// In the setting by which Application Insights is told to take a token.
    Telemetry,
    /// In the value of one setting, which may hold a secret and is not read.
    Value,
    /// In a property of the app.
    Site,
}

/// How a connection is made identity-based.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The property of the binding, or of the app, that names it.
    pub property: String,
    /// The name where that says nothing.
    pub default: Option<String>,
    /// Where it is written.
    #[serde(default)]
    pub form: Form,
    /// Sets of members that say where the resource is. One set suffices; of several that are there the first counts.
    #[serde(default)]
    pub addresses: Vec<Vec<Member>>,
    /// The extension takes no `managedIdentityResourceId`.
    #[serde(default)]
    pub no_resource_id: bool,
    /// App settings, with `<CONNECTION>` for the name.
    pub settings: Vec<String>,
    /// The first version of the extension that can.
    pub extension: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    user_settings: UserSettings,
    rows: Vec<Row>,
}

/// How a connection says which user-assigned identity is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSettings {
    /// The app settings.
    pub settings: Vec<String>,
    /// What they must hold.
    pub note: String,
    /// The page that says so.
    pub source: String,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table: Table = serde_saphyr::from_str(include_str!("bindings.yaml")).expect("a test reads this table");
    table.rows = table.rows.into_iter().map(resolved).collect();
    table
});

/// The settings that every identity-based connection takes besides its own.
#[must_use]
pub fn user_settings() -> &'static UserSettings {
    &TABLE.user_settings
}

/// All rows, in the table's order.
#[must_use]
pub fn rows() -> &'static [Row] {
    &TABLE.rows
}

/// The row of the platform by its field, such as `hostStorage`.
///
/// # Panics
///
/// On a field that the table does not have; a test asks for each.
#[must_use]
pub fn platform(field: &str) -> &'static Row {
    let row = rows().iter().find(|row| row.platform.as_deref() == Some(field));
    row.unwrap_or_else(|| panic!("the table of bindings has no row for {field}"))
}

/// Every type, in the order of the alphabet.
pub fn types() -> impl Iterator<Item = &'static str> {
    let mut types: Vec<_> = rows().iter().flat_map(|row| &row.types).map(String::as_str).collect();
    types.sort_unstable();
    types.dedup();
    types.into_iter()
}

/// Every value that a field of `when` can have, in the order of the alphabet.
pub fn values(field: &str) -> impl Iterator<Item = &'static str> {
    let mut values: Vec<_> = rows().iter().filter_map(|row| row.when.get(field)).map(String::as_str).collect();
    values.sort_unstable();
    values.dedup();
    values.into_iter()
}

/// The row that a binding means: its type and what it says of the fields of `when`, empty where it says nothing. An error
/// names the field and what is wrong with it.
pub fn row(type_: &str, said: &[(&'static str, &str)]) -> Result<&'static Row, (&'static str, String)> {
    let of_type: Vec<_> = rows().iter().filter(|row| row.types.iter().any(|known| known == type_)).collect();
    if of_type.is_empty() {
        let meant = did_you_mean(type_, types());
        return Err(("type", format!("`{type_}` is not a type of binding that this version knows{meant}")));
    }
    for &(field, value) in said.iter().filter(|(_, value)| !value.is_empty()) {
        let known: Vec<_> = of_type.iter().filter_map(|row| row.when.get(field)).collect();
        if known.is_empty() {
            return Err((field, format!("means nothing for {}", with_article(type_))));
        }
        if !known.iter().any(|known| *known == value) {
            let meant = did_you_mean(value, known.iter().map(|known| known.as_str()));
            return Err((field, format!("`{value}` is not one of {}{meant}", one_of(&known))));
        }
    }
    let says = |field: &str| said.iter().find(|(known, _)| *known == field).map_or("", |(_, value)| *value);
    let exact = of_type.iter().find(|row| row.when.iter().all(|(field, value)| says(field) == value));
    let default = || of_type.iter().find(|row| row.default && row.when.keys().all(|field| says(field).is_empty()));
    exact.or_else(default).copied().ok_or_else(|| {
        let field = said.iter().map(|(field, _)| *field).find(|field| of_type[0].when.contains_key(*field));
        let field = field.unwrap_or("type");
        let known: Vec<_> = of_type.iter().filter_map(|row| row.when.get(field)).collect();
        (field, format!("{} must say which: {}", with_article(type_), one_of(&known)))
    })
}

fn one_of(values: &[&String]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

/// With every call turned into the rights that it takes.
fn resolved(mut row: Row) -> Row {
    for need in &mut row.needs {
        let calls = need.calls.iter().map(|name| storage::call(name).right());
        let actions = need.actions.iter().map(|pattern| Right::plain(false, pattern));
        let data = need.data_actions.iter().map(|pattern| Right::plain(true, pattern));
        need.rights = calls.chain(actions).chain(data).collect();
        need.rights.dedup();
        need.plane = row.plane;
    }
    if row.plane == Plane::Cosmos {
        for entry in row.microsoft.iter_mut().chain(&mut row.playbook).flatten() {
            let role = cosmos_role(&entry.role).expect("a test finds every role of the table");
            let rights = role.data_actions.iter().map(|pattern| Right::plain(true, pattern)).collect();
            let purpose = "do what the documented role allows".to_owned();
            entry.need = Some(Need::of_rights(purpose, entry.account, &entry.role, rights, Plane::Cosmos));
        }
    }
    row
}

#[cfg(test)]
mod tests;
