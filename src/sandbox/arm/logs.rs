//! The service that answers queries of a workspace's logs, for exactly our own queries: it knows no KQL, and recognises
//! them by their text. Rows are those of the world.
//!
//! What the figures mean is the client's to find out: nothing of its reading is shared.

mod answers;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Cause, Outcome, Reply};
use super::state::{State, id_of};
use crate::catalog::queries::{Asked, recognise};

/// The rows of a workspace by table, as a query would list them.
pub(super) type Tables = BTreeMap<String, Vec<Value>>;

/// The logs of all workspaces.
pub(super) struct Logs {
    /// By the workspace's name in lower case.
    workspaces: BTreeMap<String, Tables>,
    delay: SignedDuration,
}

impl Logs {
    /// Rows are seen `delay` after the time that they bear.
    pub(super) fn new(workspaces: BTreeMap<String, Tables>, delay: SignedDuration) -> Self {
        let workspaces = workspaces.into_iter().map(|(name, tables)| (name.to_lowercase(), tables)).collect();
        Self { workspaces, delay }
    }

    /// One more row.
    pub(super) fn add(&mut self, workspace: &str, table: &str, row: Value) {
        let tables = self.workspaces.entry(workspace.to_lowercase()).or_default();
        tables.entry(table.to_owned()).or_default().push(row);
    }

    /// Every row of a table.
    pub(super) fn all(&self, workspace: &str, table: &str) -> Vec<Value> {
        let tables = self.workspaces.get(&workspace.to_lowercase());
        tables.and_then(|tables| tables.get(table)).cloned().unwrap_or_default()
    }
}

/// The rows of a workspace that a query sees.
struct Seen<'a> {
    tables: Option<&'a Tables>,
    from: Timestamp,
    to: Timestamp,
}

/// A row, with the time that it bears.
struct Row<'a> {
    time: Timestamp,
    cells: &'a Value,
}

impl<'a> Seen<'a> {
    /// Whether anything was ever written to a table. Those of Application Insights are always there.
    fn has(&self, table: &str) -> bool {
        table.starts_with("App") || self.tables.is_some_and(|tables| tables.contains_key(table))
    }

    fn rows(&self, table: &str) -> Vec<Row<'a>> {
        let rows = self.tables.and_then(|tables| tables.get(table)).into_iter().flatten();
        let timed = rows.filter_map(|cells| Some(Row { time: time_of(cells)?, cells }));
        timed.filter(|row| row.time > self.from && row.time <= self.to).collect()
    }
}

/// When a row was written; none when it does not say.
pub(super) fn time_of(row: &Value) -> Option<Timestamp> {
    row["TimeGenerated"].as_str()?.parse().ok()
}

/// Whether a request is for this service, and not for Resource Manager.
pub(super) fn is_query(call: &Call) -> bool {
    call.method == "POST" && workspace_of(call).is_some()
}

fn workspace_of(call: &Call) -> Option<&str> {
    call.address.path.strip_prefix("/v1/workspaces/")?.strip_suffix("/query")
}

/// The answer to a query.
pub(super) fn answer(state: &State, call: &Call, now: Timestamp) -> Outcome {
    let customer = workspace_of(call).unwrap_or_default();
    let mut workspaces = state.of_kind("microsoft.operationalinsights/workspaces");
    let is_asked = |id: &str| id.eq_ignore_ascii_case(customer);
    let Some(workspace) = workspaces.find(|it| it["properties"]["customerId"].as_str().is_some_and(is_asked)) else {
        return Err(refusal(404, "WorkspaceNotFoundError", "The workspace could not be found"));
    };
    let Some(asked) = call.body["query"].as_str().and_then(recognise) else {
        return Err(bad_query("SyntaxError", "SYN0002", "The sandbox answers no query but those of Rolecall itself."));
    };
    let id = id_of(workspace);
    for table in answers::tables(&asked) {
        if !state.allows(&format!("Microsoft.OperationalInsights/workspaces/query/{table}/read"), id) {
            let message = "The provided credentials have insufficient access to perform the requested operation";
            return Err(refusal(403, "InsufficientAccessError", message));
        }
    }
    let name = super::path::last_segment(id).to_lowercase();
    let from = now - SignedDuration::from_mins(asked.minutes);
    let seen = Seen { tables: state.logs.workspaces.get(&name), from, to: now - state.logs.delay };
    let rows = answers::rows(&asked, &seen, now).map_err(|table| {
        let message = format!("'where' operator: Failed to resolve table or column expression named '{table}'");
        bad_query("SemanticError", "SEM0100", &message)
    })?;
    Ok(Reply::document(200, table(&asked, &rows)))
}

/// Rows as the service sends them: cells in the order of the columns. It is not the client's order.
fn table(asked: &Asked, rows: &[Value]) -> Value {
    let columns: Vec<_> = asked.query.columns().iter().rev().collect();
    let cells = |row: &Value| columns.iter().map(|(name, _)| row[name.as_str()].clone()).collect::<Vec<_>>();
    let columns: Vec<_> = columns.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    let rows: Vec<_> = rows.iter().map(cells).collect();
    json!({ "tables": [{ "name": "PrimaryResult", "columns": columns, "rows": rows }] })
}

/// The envelope of this service.
fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::error(status, Cause::Service, json!({ "error": { "message": message, "code": code } }))
}

fn bad_query(kind: &str, code: &str, message: &str) -> Reply {
    let inner = json!({ "code": kind, "message": "A recognition or semantic error occurred.",
        "innererror": { "code": code, "message": message } });
    let outer = "The request had some invalid properties";
    let body = json!({ "error": { "message": outer, "code": "BadArgumentError", "innererror": inner } });
    Reply::error(400, Cause::Service, body)
}
