//! The activity log.

use serde_json::json;

use super::{beside, plain};
use crate::recorded::{Recording, simulated::stage::Stage};

/// The events of the list were there with members that may not be asked for; beside them one of another subscription,
/// one of another resource, and an old one.
pub(in crate::recorded::simulated) fn listed(recording: &Recording) -> Stage {
    let selects = recording.query.contains("$select");
    let items = recording.body["value"].as_array().expect("a list").iter().map(|event| {
        let mut event = event.clone();
        if selects {
            event["caller"] = "nobody asks who".into();
        }
        event
    });
    let path = super::path(recording);
    let subscription = super::before(&path, "/providers/");
    let time = &recording.body["value"][0]["eventTimestamp"];
    let event = |place: String, time: &serde_json::Value| {
        let resource = format!("{place}/resourceGroups/other/providers/Microsoft.Web/sites/other");
        json!({ "id": format!("{resource}/events/1/ticks/1"), "resourceId": resource, "eventTimestamp": time })
    };
    let mut stage = plain::absent(recording).with_all(items).with(event(beside(subscription), time));
    if selects {
        let mut old = recording.body["value"][0].clone();
        let id = format!("{}0", old["id"].as_str().expect("an id"));
        old["id"] = id.into();
        old["eventTimestamp"] = "2001-01-01T00:00:00Z".into();
        stage = stage.with(old).with(event(subscription.to_owned(), time));
    }
    stage
}
