//! Container apps and machines: the writes of their identities.

use serde_json::{Value, json};

use super::{another, attached_identities, path, plain};
use crate::recorded::{
    Recording,
    simulated::stage::{Ask, Follow, Stage},
};

const PRINCIPAL: &str = "5e1f0000-0000-4000-8000-000000000001";

/// The app was there as it is sent.
pub(in crate::recorded::simulated) fn app_patched(recording: &Recording) -> Stage {
    let sent = &recording.sent;
    let mut app = sent.clone();
    app["id"] = path(recording).into();
    app["identity"] = Value::Null;
    plain::absent(recording).with(app).with_all(attached_identities(&sent["identity"]))
}

/// The operation of the request before, when it is done.
pub(in crate::recorded::simulated) fn app_done(recording: &Recording) -> Stage {
    let write = another(104);
    app_patched(write).asking(recording).after(Ask::of(write)).following(Follow::Operation(2))
}

/// The machine had what is attached to it, and no identity of its own.
pub(in crate::recorded::simulated) fn machine_with_both(recording: &Recording) -> Stage {
    let sent = json!({ "identity": { "type": recording.body["identity"]["type"] } });
    plain::absent(recording).with(without_system(&recording.body)).sending(sent)
}

/// The machine after the request before.
pub(in crate::recorded::simulated) fn machine_read_back(recording: &Recording) -> Stage {
    let write = another(107);
    let body = json!({ "identity": { "type": write.body["identity"]["type"] } });
    plain::absent(recording).with(without_system(&write.body)).after(Ask { body, ..Ask::of(write) })
}

/// The machine had every identity that the request names, and one of its own.
pub(in crate::recorded::simulated) fn machine_less_one(recording: &Recording) -> Stage {
    let named = attached_identities(&recording.sent["identity"]);
    let mut machine = recording.body.clone();
    machine["identity"] = system();
    machine["identity"]["type"] = "SystemAssigned, UserAssigned".into();
    for identity in &named {
        let id = identity["id"].as_str().expect("an id");
        let (principal, client) = (&identity["properties"]["principalId"], &identity["properties"]["clientId"]);
        machine["identity"]["userAssignedIdentities"][id] = json!({ "principalId": principal, "clientId": client });
    }
    plain::absent(recording).with(machine).with_all(named)
}

/// The machine had an identity of its own.
pub(in crate::recorded::simulated) fn machine_with_none(recording: &Recording) -> Stage {
    let mut machine = recording.body.clone();
    machine["identity"] = system();
    plain::absent(recording).with(machine)
}

fn system() -> Value {
    json!({ "type": "SystemAssigned", "principalId": PRINCIPAL, "tenantId": PRINCIPAL })
}

fn without_system(machine: &Value) -> Value {
    let mut machine = machine.clone();
    let map = machine["identity"]["userAssignedIdentities"].clone();
    machine["identity"] = json!({ "type": "UserAssigned", "userAssignedIdentities": map });
    machine["properties"]["provisioningState"] = "Succeeded".into();
    machine
}
