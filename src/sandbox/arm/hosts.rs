//! Functions hosts as far as Resource Manager shows them: since when each runs, and how its settings' references to vaults
//! were resolved.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::call::Call;
use super::definitions;
use super::path::{self, Address};
use super::reply::{Outcome, Reply};
use super::resources::existing;
use super::rights::{grants_data_action, scope_of};
use super::state::{State, id_of};

/// How long a host runs that nobody has restarted.
const OLD: SignedDuration = SignedDuration::from_hours(24 * 30);
const GET_SECRET: &str = "Microsoft.KeyVault/vaults/secrets/getSecret/action";

/// Since when hosts run, by the key of the app. The others are old.
pub(super) struct Hosts {
    /// Whether they go on as they are when the app's identity is written.
    pub(super) outlive_writes: bool,
    since: BTreeMap<String, Timestamp>,
}

impl Hosts {
    pub(super) fn new(outlive_writes: bool) -> Self {
        Self { outlive_writes, since: BTreeMap::new() }
    }

    /// Since when a host runs; none for an old one.
    pub(super) fn since(&self, app: &str) -> Option<Timestamp> {
        self.since.get(&path::key(app)).copied()
    }

    /// The app is restarted.
    pub(super) fn restart(&mut self, app: &str, now: Timestamp) {
        self.since.insert(path::key(app), now);
    }

    /// The app's identity is written, which recycles the host as a rule.
    pub(super) fn identity_written(&mut self, app: &str, now: Timestamp) {
        if !self.outlive_writes {
            self.restart(app, now);
        }
    }
}

/// GET of `host/default/properties/status`.
pub(super) fn status(state: &State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    let app = Address::parse(path::before(&address.path, "/host/"));
    state.require(&format!("{}/read", address.full_type()), &address.path)?;
    existing(state, &app)?;
    let uptime = state.hosts.since(&app.path).map_or(OLD, |since| now.duration_since(since));
    Ok(Reply::document(
        200,
        json!({
            "id": address.path, "name": "status", "type": address.full_type(),
            "properties": {
                "id": app.name(), "state": "Running", "version": "4.1036.1.0", "instanceId": "0a", "errors": null,
                "processUptime": i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX),
            },
        }),
    ))
}

/// The references of an app as they were resolved last. An app without any has an empty list.
pub(super) fn references(state: &State, path: &str) -> Outcome {
    let app = Address::parse(path::before(path, "/config/"));
    state.require("Microsoft.Web/sites/config/read", path)?;
    existing(state, &app)?;
    Ok(Reply::items(below(state, &app.path)))
}

/// Resolves the references of an app again: each by the identity that the app uses for it, and by what that one may do, as
/// the vault decides it. Firewalls are left out.
pub(super) fn refresh(state: &mut State, app: &str) {
    for mut reference in below(state, app) {
        let vault = reference["properties"]["vaultName"].as_str().unwrap_or("").to_owned();
        let Some(vault) = vault_named(state, &vault) else { continue };
        let may_read = |principal: String| match vault["properties"]["enableRbacAuthorization"].as_bool() {
            Some(true) => may_read_by_role(state, &principal, id_of(&vault)),
            Some(false) | None => may_read_by_policy(&vault, &principal),
        };
        let resolved = principal(state, app).is_some_and(may_read);
        reference["properties"]["status"] = if resolved { "Resolved" } else { "AccessToKeyVaultDenied" }.into();
        state.put(reference);
    }
}

fn below(state: &State, app: &str) -> Vec<Value> {
    let start = format!("{}/config/configreferences/appsettings/", path::key(app));
    let from = state.documents.range(start.clone()..);
    from.take_while(|(key, _)| key.starts_with(&start)).map(|(_, it)| it.clone()).collect()
}

/// The vault of that name.
fn vault_named(state: &State, name: &str) -> Option<Value> {
    let mut vaults = state.of_kind("microsoft.keyvault/vaults");
    vaults.find(|vault| path::last_segment(id_of(vault)).eq_ignore_ascii_case(name)).cloned()
}

/// The principal that resolves the references of an app.
fn principal(state: &State, app: &str) -> Option<String> {
    let app = state.document(app)?;
    let identity = &app["identity"];
    let principal = match app["properties"]["keyVaultReferenceIdentity"].as_str().filter(|id| id.starts_with('/')) {
        None => &identity["principalId"],
        Some(wanted) => {
            let attached = identity["userAssignedIdentities"].as_object()?;
            &attached.iter().find(|(id, _)| path::key(id) == path::key(wanted))?.1["principalId"]
        }
    };
    principal.as_str().map(str::to_owned)
}

/// By the principal's own access policy in the vault's directory. Groups are left out.
fn may_read_by_policy(vault: &Value, principal: &str) -> bool {
    let properties = &vault["properties"];
    let is = |value: &Value, word: &str| value.as_str().is_some_and(|it| it.eq_ignore_ascii_case(word));
    properties["accessPolicies"].as_array().into_iter().flatten().any(|entry| {
        let words = entry["permissions"]["secrets"].as_array();
        is(&entry["objectId"], principal)
            && is(&entry["tenantId"], properties["tenantId"].as_str().unwrap_or(""))
            && entry["applicationId"].as_str().is_none_or(str::is_empty)
            && words.into_iter().flatten().any(|word| is(word, "get") || is(word, "all"))
    })
}

fn may_read_by_role(state: &State, principal: &str, vault: &str) -> bool {
    state.of_kind("microsoft.authorization/roleassignments").any(|assignment| {
        let properties = &assignment["properties"];
        let at = scope_of(assignment);
        let role = path::last_segment(properties["roleDefinitionId"].as_str().unwrap_or(""));
        properties["principalId"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(principal))
            && path::covers(&at, vault)
            && definitions::find(state, &at, role).is_some_and(|role| grants_data_action(&role, GET_SECRET))
    })
}
