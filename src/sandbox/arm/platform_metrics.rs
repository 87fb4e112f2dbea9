//! Azure Monitor's metrics of namespaces, as far as the messages for functions that live here make them. What else it would
//! count, or put together otherwise, is refused.
//!
//! The answer's form is that of the specification's examples (`Microsoft.Insights/stable/2024-02-01/examples`). Its refusals
//! have an envelope without `error`: Azure/azure-sdk-for-net issue 29584 for a name, tomkerkhove/promitor issue 2557 for a
//! dimension, open-telemetry/opentelemetry-collector-contrib issue 49479 for a parameter.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::call::Call;
use super::life::Backlog;
use super::path::Address;
use super::reply::{Cause, Outcome, Reply};
use super::resources::existing;
use super::state::{State, derived};

const DIMENSION: &str = "EntityName";

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// How late a minute is counted.
const LATE: SignedDuration = SignedDuration::from_mins(3);

/// Steps of up to an hour that are asked for.
const GRAINS: [(&str, i64); 5] = [("PT1M", 1), ("PT5M", 5), ("PT15M", 15), ("PT30M", 30), ("PT1H", 60)];

/// The metrics of a provider, each with its aggregations.
fn known(namespace: &str) -> Option<&'static [(&'static str, &'static [&'static str])]> {
    const INCOMING: (&str, &[&str]) = ("IncomingMessages", &["total"]);
    match namespace.to_ascii_lowercase().as_str() {
        "microsoft.servicebus" => Some(&[("ActiveMessages", &["average", "minimum", "maximum"]), INCOMING]),
        "microsoft.eventhub" => Some(&[INCOMING]),
        _ => None,
    }
}

/// GET of some metrics of a namespace.
pub(super) fn list(state: &State, call: &Call, now: Timestamp) -> Outcome {
    let namespace = Address::parse(&call.address.scope);
    let Some(known) = known(&namespace.namespace).filter(|_| namespace.types.len() == 1) else {
        return Err(Reply::unsupported(call));
    };
    state.require("Microsoft.Insights/metrics/read", &namespace.path)?;
    existing(state, &namespace)?;
    let parameter = |name: &str| call.parameter(name).unwrap_or_default();
    let (from, to) = timespan(parameter("timespan"))?;
    let (grain, minutes) = grain(parameter("interval"))?;
    let names: Vec<&str> = parameter("metricnames").split(',').collect();
    let mut metrics = Vec::new();
    for name in names {
        let Some((name, aggregations)) = known.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)) else {
            let valid = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
            return Err(refusal(&format!(
                "Failed to find metric configuration for provider: {}, resource Type: {}, metric: {name}, Valid metrics: {valid}",
                namespace.namespace, namespace.types[0]
            )));
        };
        let entity = entity(call, name)?;
        let aggregation = parameter("aggregation").to_ascii_lowercase();
        if !aggregations.contains(&aggregation.as_str()) {
            return Err(Reply::unsupported(call));
        }
        let below = |kind: &str| format!("{}/{kind}/{entity}", namespace.path);
        let ids = ["queues", "topics", "eventhubs"].map(below);
        let own: Vec<_> = state.backlogs().filter(|it| ids.iter().any(|id| it.is_of(id))).collect();
        let counted = |minute| (minute + MINUTE + LATE <= now).then(|| counted(&own, &aggregation, minute));
        let mut data = Vec::new();
        let mut at = floor(from, minutes);
        while at < to {
            let all = (0..minutes).filter_map(|minute| counted(at + SignedDuration::from_mins(minute)));
            let mut step = json!({ "timeStamp": at.to_string() });
            if let Some(value) = together(&aggregation, all) {
                step[&aggregation] = value.into();
            }
            data.push(step);
            at += SignedDuration::from_mins(minutes);
        }
        let label = json!({ "name": { "value": "entityname", "localizedValue": "entityname" }, "value": entity.to_lowercase() });
        // Of what nobody counted there is no series.
        let series = if own.is_empty() { json!([]) } else { json!([{ "metadatavalues": [label], "data": data }]) };
        metrics.push(json!({
            "id": format!("{}/providers/Microsoft.Insights/metrics/{name}", namespace.path),
            "type": "Microsoft.Insights/metrics", "name": { "value": name, "localizedValue": name },
            "displayDescription": name, "unit": "Count", "timeseries": series, "errorCode": "Success",
        }));
    }
    Ok(Reply::document(
        200,
        json!({
            "cost": 0, "timespan": format!("{from}/{to}"), "interval": grain, "value": metrics,
            "namespace": namespace.full_type(), "resourceregion": "westeurope",
        }),
    ))
}

/// What a minute has: what waits at its end, or what arrived in it.
fn counted(backlogs: &[&Backlog], aggregation: &str, minute: Timestamp) -> u64 {
    let of = |backlog: &&Backlog| match aggregation {
        "total" => backlog.arrived(minute + MINUTE).saturating_sub(backlog.arrived(minute)),
        _ => backlog.waiting(minute + MINUTE),
    };
    backlogs.iter().map(of).sum()
}

/// The minutes of a step put together; none where no minute was counted.
fn together(aggregation: &str, minutes: impl Iterator<Item = u64>) -> Option<f64> {
    let minutes: Vec<u32> = minutes.filter_map(|count| u32::try_from(count).ok()).collect();
    let sum: f64 = minutes.iter().copied().map(f64::from).sum();
    match aggregation {
        _ if minutes.is_empty() => None,
        "minimum" => minutes.iter().min().copied().map(f64::from),
        "maximum" => minutes.iter().max().copied().map(f64::from),
        "average" => Some(sum / f64::from(u32::try_from(minutes.len()).ok()?)),
        _ => Some(sum),
    }
}

fn floor(at: Timestamp, minutes: i64) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(minutes * 60)).unwrap_or(at)
}

fn timespan(text: &str) -> Result<(Timestamp, Timestamp), Reply> {
    let moments = text.split_once('/').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    moments.ok_or_else(|| invalid(text, "timespan", "startDateTime_ISO/endDateTime_ISO"))
}

fn grain(text: &str) -> Result<(&'static str, i64), Reply> {
    let all = GRAINS.map(|(name, _)| name).join(",");
    GRAINS.into_iter().find(|(name, _)| *name == text).ok_or_else(|| invalid(text, "interval", &all))
}

/// The one entity that is asked for. Without a filter all of a namespace would be put together, which is not modelled.
fn entity<'a>(call: &'a Call, metric: &str) -> Result<&'a str, Reply> {
    let Some(filter) = call.parameter("$filter") else { return Err(Reply::unsupported(call)) };
    let term = filter.split_once(" eq ").map(|(name, value)| (name.trim(), value.trim()));
    let quoted = term.and_then(|(name, value)| Some((name, value.strip_prefix('\'')?.strip_suffix('\'')?)));
    match quoted {
        Some((name, entity)) if name.eq_ignore_ascii_case(DIMENSION) && !entity.contains('\'') => Ok(entity),
        Some((name, entity)) if !entity.contains('\'') => Err(refusal(&format!(
            "Metric: {metric} does not support requested dimension combination: {}, supported ones are: {DIMENSION}, \
             TraceId: {{{}}}",
            name.to_lowercase(),
            derived(filter)
        ))),
        _ => Err(invalid(filter, "$filter", &format!("{DIMENSION} eq '…'"))),
    }
}

fn invalid(value: &str, parameter: &str, valid: &str) -> Reply {
    refusal(&format!("Detect invalid value: {value} for query parameter: '{parameter}', the value must be: {valid}"))
}

fn refusal(message: &str) -> Reply {
    Reply::error(400, Cause::Service, json!({ "code": "BadRequest", "message": message }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_put_together_as_they_are_asked_for() {
        let of = |aggregation: &str, minutes: &[u64]| together(aggregation, minutes.iter().copied());
        assert_eq!(of("minimum", &[4, 2, 9]), Some(2.0));
        assert_eq!(of("maximum", &[4, 2, 9]), Some(9.0));
        assert_eq!(of("average", &[4, 2, 9]), Some(5.0));
        assert_eq!(of("total", &[4, 2, 9]), Some(15.0));
        assert_eq!(of("total", &[]), None, "what was not counted is not zero");
    }
}
