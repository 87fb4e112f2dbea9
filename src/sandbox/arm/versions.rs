//! What older api-versions show of a document. The documents are kept in the form of the newest; each rule here was
//! recorded.

use serde_json::Value;

use super::call::Call;
use super::reply::{Outcome, Reply};

/// Conditions, and what came with them, are shown from this version on.
const CONDITIONS: &str = "2020-03-01";
/// Data actions are shown from this version on.
const DATA_ACTIONS: &str = "2018-01-01";
/// The answer to a write of a role assignment names the kind of principal from this version on.
const PRINCIPAL_TYPE: &str = "2018-09-01";
/// The only version in which a user-assigned identity shows where its secret is.
const CLIENT_SECRET: &str = "2015-08-31-preview";

/// A vault says who wrote it and when from about this version on (2019-09-01 does not, 2021-06-01-preview does).
const WRITTEN: &str = "2020";

/// An answer as the api-version of the request shows it.
pub(super) fn shaped(call: &Call, outcome: Outcome) -> Outcome {
    let version = call.parameter("api-version").unwrap_or("").to_owned();
    let before = |first: &str| version.as_str() < first;
    let kind = call.address.kind();
    let shape = |reply: Reply| match kind.as_str() {
        "microsoft.authorization/roleassignments" => reply.map(|document| {
            if before(CONDITIONS) {
                let newer = ["condition", "conditionVersion", "description", "delegatedManagedIdentityResourceId"];
                drop_members(&mut document["properties"], &newer);
            }
            if before(PRINCIPAL_TYPE) && call.method == "PUT" {
                drop_members(&mut document["properties"], &["principalType"]);
            }
        }),
        "microsoft.authorization/roledefinitions" if before(DATA_ACTIONS) => reply.map(|document| {
            let entries = document["properties"]["permissions"].as_array_mut();
            entries.into_iter().flatten().for_each(without_data_actions);
        }),
        "microsoft.authorization/permissions" if before(DATA_ACTIONS) => {
            reply.map(without_data_actions).with_nulls(&["nextLink"])
        }
        "microsoft.managedidentity/userassignedidentities" if version == CLIENT_SECRET => {
            reply.map(|document| document["properties"]["clientSecretUrl"] = "https://identity.sandbox.invalid/".into())
        }
        "microsoft.keyvault/vaults" if before(WRITTEN) => reply.map(|document| drop_members(document, &["systemData"])),
        _ => reply,
    };
    outcome.map(shape)
}

fn without_data_actions(entry: &mut Value) {
    drop_members(entry, &["dataActions", "notDataActions"]);
}

fn drop_members(value: &mut Value, names: &[&str]) {
    if let Some(members) = value.as_object_mut() {
        for name in names {
            members.remove(*name);
        }
    }
}
