//! The activity log. Events are documents of the world, below the resource that they are about
//! (`…/events/{id}/ticks/{n}`), and what is done here adds its own.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::path::{self, Address};
use super::reply::{Outcome, Reply};
use super::state::{State, azure_time, derived, id_of};

/// GET of the events of a subscription, or of the tenant.
pub(super) fn list(state: &State, call: &Call) -> Outcome {
    let scope = path::before(&call.address.path, "/providers/microsoft.insights");
    let at = path::before(&call.address.path, "/values");
    state.require("microsoft.insights/eventtypes/values/read", at)?;
    let terms = call.parameter("$filter").map(terms).transpose()?.unwrap_or_default();
    let events = state.documents.iter().filter(|(key, _)| key.contains("/events/") && key.contains("/ticks/"));
    let given = events.filter(|(key, _)| path::covers(scope, key)).map(|(_, event)| event);
    let own = state.events.iter().filter(|event| path::covers(scope, &path::key(id_of(event))));
    let asked = given.chain(own).filter(|event| terms.iter().all(|term| term.holds(event)));
    let mut events: Vec<Value> = asked.cloned().collect();
    events.sort_by_key(|event| Reverse(time(event["eventTimestamp"].as_str().unwrap_or(""))));
    if let Some(members) = call.parameter("$select") {
        events = events.into_iter().map(|event| selected(event, members)).collect();
    }
    Ok(Reply::items(events))
}

/// Adds the two events of a change: that it began, and that it succeeded. A write of a role assignment says in the first
/// what was sent, a removal in the second what there was.
pub(super) fn note(events: &mut Vec<Value>, verb: &str, document: &Value, now: Timestamp) {
    let id = id_of(document);
    let address = Address::parse(id);
    let kind = address.full_type();
    let Some((provider, _)) = kind.split_once('/').filter(|(provider, _)| !provider.is_empty()) else { return };
    let number = events.len() / 2;
    let operation = derived(&format!("operation#{number}"));
    let ticks = now.as_microsecond() * 10;
    let body = kind.eq_ignore_ascii_case("Microsoft.Authorization/roleAssignments").then(|| document.to_string());
    let event = |name: &str, status: &str, properties: Value| {
        json!({
            "id": format!("{id}/events/{}/ticks/{ticks}", derived(&format!("{name}#{number}"))),
            "authorization": { "action": format!("{kind}/{verb}"), "scope": id },
            "correlationId": derived(&format!("correlation#{number}")),
            "eventName": { "value": name },
            "eventTimestamp": azure_time(now),
            "operationId": operation,
            "operationName": { "value": format!("{kind}/{verb}") },
            "properties": properties,
            "resourceId": id,
            "resourceProviderName": { "value": provider },
            "status": { "value": status },
        })
    };
    let (sent, came) = match (body, verb) {
        (None, _) => (Value::Null, Value::Null),
        (Some(body), "delete") => (Value::Null, json!({ "responseBody": body })),
        (Some(body), _) => (json!({ "requestbody": body }), Value::Null),
    };
    events.push(event("BeginRequest", "Started", sent));
    events.push(event("EndRequest", "Succeeded", came));
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
        let names: &[&str] = match member.to_ascii_lowercase().as_str() {
            "resourceuri" => &["resourceUri", "resourceId"],
            "resourceprovider" => &["resourceProviderName"],
            _ => &[member],
        };
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
