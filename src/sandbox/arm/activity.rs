//! The activity log. Events are documents of the world, below the resource that they are about
//! (`…/events/{id}/ticks/{n}`); what is done here writes none.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::call::Call;
use super::path;
use super::reply::{Outcome, Reply};
use super::state::State;

/// GET of the events of a subscription, or of the tenant.
pub(super) fn list(state: &State, call: &Call) -> Outcome {
    let scope = path::before(&call.address.path, "/providers/microsoft.insights");
    let at = path::before(&call.address.path, "/values");
    state.require("microsoft.insights/eventtypes/values/read", at)?;
    let terms = call.parameter("$filter").map(terms).transpose()?.unwrap_or_default();
    let events = state.documents.iter().filter(|(key, _)| key.contains("/events/") && key.contains("/ticks/"));
    let asked = events.filter(|(key, event)| path::covers(scope, key) && terms.iter().all(|term| term.holds(event)));
    let mut events: Vec<Value> = asked.map(|(_, event)| event.clone()).collect();
    events.sort_by_key(|event| Reverse(time(event["eventTimestamp"].as_str().unwrap_or(""))));
    if let Some(members) = call.parameter("$select") {
        events = events.into_iter().map(|event| selected(event, members)).collect();
    }
    Ok(Reply::items(events))
}

/// A term of the filter: a member, how it is compared, and with what.
struct Term {
    member: String,
    operator: String,
    value: String,
}

impl Term {
    fn holds(&self, event: &Value) -> bool {
        let Self { member, operator, value } = self;
        // `resourceUri` is asked for, and newer events call it `resourceId`.
        let names: &[&str] =
            if member.eq_ignore_ascii_case("resourceUri") { &["resourceUri", "resourceId"] } else { &[member] };
        let found =
            names.iter().find_map(|name| event[*name].as_str().or(event[*name]["value"].as_str())).unwrap_or("");
        match operator.as_str() {
            "ge" => time(found) >= time(value),
            "le" => time(found) <= time(value),
            _ => found.eq_ignore_ascii_case(value),
        }
    }
}

/// Takes a filter apart. What it has besides comparisons joined by `and` is refused, as in Azure.
fn terms(filter: &str) -> Result<Vec<Term>, Reply> {
    let parts = filter.split(" and ").map(|part| {
        let mut words = part.trim().splitn(3, ' ');
        let (member, operator, value) = (words.next()?, words.next()?, words.next()?);
        let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        matches!(operator, "ge" | "le" | "eq").then(|| Term {
            member: member.to_owned(),
            operator: operator.to_owned(),
            value: value.to_owned(),
        })
    });
    parts.collect::<Option<Vec<_>>>().ok_or_else(|| {
        Reply::bad_request("BadRequest", format!("The filter '{filter}' is not supported: 'ge', 'le' and 'eq' are."))
    })
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// The members that are asked for; the id always (recorded).
fn selected(event: Value, members: &str) -> Value {
    let asked = |name: &str| members.split(',').any(|it| it.trim().eq_ignore_ascii_case(name)) || name == "id";
    let kept: Map<String, Value> = match event {
        Value::Object(all) => all.into_iter().filter(|(name, _)| asked(name)).collect(),
        _ => Map::new(),
    };
    kept.into()
}
