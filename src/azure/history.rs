//! The activity log: what was changed, in the control plane alone, of the last ninety days.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::Azure;
use crate::model::{Change, Failure, Granted, History, RoleId, Scope};

/// The only stable api-version (`docs/adr/0003`).
const EVENTS: &str = "2015-04-01";

/// The members of events that are read. Not among them: the caller and its claims.
const MEMBERS: &str =
    "authorization,correlationId,eventTimestamp,id,operationId,operationName,properties,resourceId,resourceUri,status";

impl Azure {
    /// What was changed since then, newest first. It takes the right `Microsoft.Insights/eventtypes/values/read` at the
    /// subscription, which `Reader` has.
    pub async fn changes(&self, of: &History, since: Timestamp) -> Result<Vec<Change>, Failure> {
        let term = match of {
            History::Grants(_) => "resourceProvider eq 'Microsoft.Authorization'".to_owned(),
            History::Resource(resource) => format!("resourceUri eq '{resource}'"),
        };
        let kind = "providers/Microsoft.Insights/eventtypes/management/values";
        let path = format!("{}/{kind}", Scope::of_subscription(of.subscription()));
        let filter = format!("eventTimestamp ge '{}' and {term}", since.strftime("%Y-%m-%dT%H:%M:%SZ"));
        let parameters = [("$filter", filter.as_str()), ("$select", MEMBERS)];
        Ok(changes(&self.arm.list_with(&path, EVENTS, &parameters).await?))
    }
}

/// What succeeded. A change leaves several events of one operation: the first has what was sent, the last what came of it.
fn changes(events: &[Value]) -> Vec<Change> {
    let mut operations: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events {
        let operation = event["operationId"].as_str().or(event["id"].as_str()).unwrap_or_default();
        operations.entry(operation).or_default().push(event);
    }
    let mut changes: Vec<_> = operations.values().filter_map(|events| change(events)).collect();
    changes.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.resource.cmp(&other.resource)));
    changes
}

fn change(events: &[&Value]) -> Option<Change> {
    let last = events.iter().find(|event| event["status"]["value"] == "Succeeded")?;
    let operation = last["operationName"]["value"].as_str()?;
    let (_, verb) = operation.rsplit_once('/')?;
    // Keys that are listed, hosts that are restarted, change nothing of what is compared.
    if !["write", "delete"].iter().any(|it| verb.eq_ignore_ascii_case(it)) {
        return None;
    }
    let named = |member: &str| last[member].as_str();
    let resource = named("resourceId").or(named("resourceUri")).or(last["authorization"]["scope"].as_str())?;
    let resource = Scope::lenient(resource);
    Some(Change {
        at: last["eventTimestamp"].as_str()?.parse().ok()?,
        operation: operation.to_owned(),
        grant: events.iter().find_map(|event| granted(event, &resource)),
        resource,
        correlation: named("correlationId").unwrap_or_default().to_owned(),
    })
}

/// What an event says of a role assignment: the request of a write, and the answer to a removal, each a text of JSON in one
/// casing or another.
fn granted(event: &Value, assignment: &Scope) -> Option<Granted> {
    let (at, _) = assignment.key().rsplit_once("/providers/microsoft.authorization/roleassignments/")?;
    let bodies = event["properties"].as_object()?.iter();
    let mut bodies =
        bodies.filter(|(name, _)| ["requestbody", "responsebody"].iter().any(|it| name.eq_ignore_ascii_case(it)));
    bodies.find_map(|(_, body)| {
        let body: Value = serde_json::from_str(body.as_str()?).ok()?;
        let properties = member(&body, "properties")?;
        let text = |name: &str| member(properties, name).and_then(Value::as_str);
        Some(Granted {
            principal: text("principalId")?.parse().ok()?,
            role: RoleId::from_definition_id(text("roleDefinitionId")?)?,
            scope: Scope::lenient(text("scope").unwrap_or(&assignment.as_str()[..at.len()])),
        })
    })
}

fn member<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    of.as_object()?.iter().find_map(|(member, value)| member.eq_ignore_ascii_case(name).then_some(value))
}

#[cfg(test)]
mod tests;
