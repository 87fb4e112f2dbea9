//! The answer to a query, as rows with named cells.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    catalog::queries::Query,
    model::{Failure, FailureClass, Source},
};

/// More than any of our queries takes.
const MOST: usize = 300;

/// The rows of an answer that was complete.
#[derive(Debug)]
pub(super) struct Rows {
    positions: BTreeMap<String, usize>,
    cells: Vec<Vec<Value>>,
    source: Source,
}

/// One row.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    rows: &'a Rows,
    cells: &'a [Value],
}

#[derive(Deserialize)]
struct Answer {
    tables: Vec<Table>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

impl Rows {
    pub(super) fn read(query: &Query, answer: &Value) -> Result<Self, Failure> {
        let source = query.id;
        let undecodable = |problem: &str| {
            let text = format!("the answer to the query `{source}` is not as expected: {problem}");
            Failure::new(FailureClass::Bug, "UndecodableAnswer", text)
        };
        let Answer { tables, error } =
            serde_json::from_value(answer.clone()).map_err(|error| undecodable(&error.to_string()))?;
        if let Some(error) = error.filter(|error| !error.is_null()) {
            return Err(super::partial(source, &error));
        }
        let Some(Table { columns, rows }) = tables.into_iter().next() else { return Err(undecodable("no table")) };
        let positions: BTreeMap<_, _> = columns.into_iter().enumerate().map(|(at, it)| (it.name, at)).collect();
        if let Some(missing) = query.columns().keys().find(|name| !positions.contains_key(*name)) {
            return Err(undecodable(&format!("no column `{missing}`")));
        }
        if rows.iter().any(|row| row.len() != positions.len()) {
            return Err(undecodable("a row has more or fewer cells than there are columns"));
        }
        if rows.len() > MOST {
            return Err(undecodable(&format!("{} rows, and it asks for {MOST} at most", rows.len())));
        }
        Ok(Self { positions, cells: rows, source })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.cells.iter().map(|cells| Row { rows: self, cells })
    }
}

impl<'a> Row<'a> {
    fn cell(self, name: &str) -> &'a Value {
        // The columns of the query were looked for when the answer came.
        self.rows.positions.get(name).and_then(|at| self.cells.get(*at)).unwrap_or(&Value::Null)
    }

    /// A text; empty for null.
    pub(super) fn text(self, name: &str) -> &'a str {
        self.cell(name).as_str().unwrap_or_default()
    }

    /// A count; 0 for null, which is what a sum of nothing is.
    pub(super) fn count(self, name: &str) -> Result<u64, Failure> {
        match self.cell(name) {
            Value::Null => Ok(0),
            cell => cell.as_u64().ok_or_else(|| self.wrong(name, "a count")),
        }
    }

    /// A time; none for null.
    pub(super) fn time(self, name: &str) -> Result<Option<Timestamp>, Failure> {
        match self.cell(name) {
            Value::Null => Ok(None),
            cell => {
                let time = cell.as_str().and_then(|text| text.parse().ok());
                time.map(Some).ok_or_else(|| self.wrong(name, "a time"))
            }
        }
    }

    /// A time that is there.
    pub(super) fn moment(self, name: &str) -> Result<Timestamp, Failure> {
        self.time(name)?.ok_or_else(|| self.wrong(name, "a time"))
    }

    fn wrong(self, name: &str, what: &str) -> Failure {
        let text = format!("the answer to the query `{}` has a `{name}` that is not {what}", self.rows.source);
        Failure::new(FailureClass::Bug, "UndecodableAnswer", text)
    }
}
