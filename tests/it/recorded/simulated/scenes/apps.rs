//! Apps, and the writes of their identities.

use serde_json::{Value, json};

use super::{as_sent, attached_identities, path, plain, without};
use crate::recorded::{
    Recording,
    simulated::stage::{Ask, Stage},
};

/// The app was there with its system identity alone if the whole app was sent to it, else without any; the identities
/// that are attached exist.
pub(in crate::recorded::simulated) fn identified(recording: &Recording) -> Stage {
    let block = &recording.body["identity"];
    let mut app = without(&recording.body, "identity");
    let sends_the_whole_app = recording.sent["properties"]["siteConfig"].is_object();
    if sends_the_whole_app {
        app["identity"] = system_of(block);
    }
    let mut sent = recording.sent.clone();
    if sent.is_null() {
        sent = json!({ "location": app["location"], "properties": {} });
        if block.is_object() {
            sent["identity"] = as_sent(block);
        }
    }
    plain::absent(recording).with(app).with_all(attached_identities(block)).sending(sent)
}

/// The app had a system identity besides what it is left with.
pub(in crate::recorded::simulated) fn without_system(recording: &Recording) -> Stage {
    let mut app = recording.body.clone();
    app["identity"]["type"] = "SystemAssigned, UserAssigned".into();
    app["identity"]["principalId"] = "575e3000-0000-4000-8000-000000000001".into();
    app["identity"]["tenantId"] = "7e4a4700-0000-4000-8000-000000000001".into();
    plain::absent(recording).with(app)
}

/// The app had a user-assigned identity, which a write of the whole app left out.
pub(in crate::recorded::simulated) fn detached(recording: &Recording) -> Stage {
    let path = path(recording);
    let (group, _) = path.split_once("/providers/").expect("an app is in a group");
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/taken-off");
    let mut app = recording.body.clone();
    app["identity"]["type"] = "SystemAssigned, UserAssigned".into();
    app["identity"]["userAssignedIdentities"] = json!({ identity: { "principalId": "p", "clientId": "c" } });
    let write = Ask {
        method: "PUT".to_owned(),
        target: format!("{path}?{}", recording.query),
        body: json!({ "location": app["location"], "identity": { "type": "SystemAssigned" } }),
    };
    plain::absent(recording).with(app).after(write)
}

/// There is an app, and nothing below it.
pub(in crate::recorded::simulated) fn alone(recording: &Recording) -> Stage {
    let path = path(recording);
    let (app, _) = path.split_once("/config/").expect("a configuration of an app");
    let document = json!({
        "id": app, "name": app.rsplit('/').next(), "type": "Microsoft.Web/sites", "location": "West US", "tags": {},
        "properties": {},
    });
    plain::absent(recording).with(document)
}

/// Another write of the app is under way.
pub(in crate::recorded::simulated) fn locked(recording: &Recording) -> Stage {
    let fault = json!([{ "method": recording.method, "path": path(recording), "answer": "app-locked" }]);
    plain::absent(recording).set("faults", fault).sending(json!({ "location": "westeurope" }))
}

fn system_of(block: &Value) -> Value {
    json!({ "type": "SystemAssigned", "tenantId": block["tenantId"], "principalId": block["principalId"] })
}
