//! The token endpoint of an app: who gets a token, for what, and for how long.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::path;
use super::super::state::{State, derived};

/// The back end keeps a token of a managed identity for about a day, and nobody can make it forget one ("Managed identity
/// best practices").
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What the directory of every tenant knows, beside the addresses of storage accounts.
const AUDIENCES: [&str; 9] = [
    "https://storage.azure.com",
    "https://servicebus.azure.net",
    "https://eventhubs.azure.net",
    "https://vault.azure.net",
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://graph.microsoft.com",
    "https://database.windows.net",
    "https://cosmos.azure.com",
];

/// A token, with what is written in it.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) principal: String,
    pub(super) client: String,
    pub(super) tenant: String,
    pub(super) audience: String,
    /// As they were when it was issued: a membership that begins or ends later is not in it.
    groups: BTreeSet<String>,
    pub(super) expires: Timestamp,
}

impl Token {
    /// Whether it is the principal's own, or of one of its groups.
    pub(super) fn is_of(&self, object: &str) -> bool {
        self.principal.eq_ignore_ascii_case(object) || self.groups.contains(&object.to_lowercase())
    }
}

/// The tokens of an app.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    /// Those that the process holds, by identity and audience. They end with it.
    held: BTreeMap<(String, String), Token>,
    /// Those of the back end, by principal and audience.
    issued: BTreeMap<(String, String), Token>,
}

impl Tokens {
    /// The process has ended.
    pub(super) fn drop_held(&mut self) {
        self.held.clear();
    }

    /// A token of an identity of the app; absent, of its own. What the library says where there is none.
    pub(super) fn get(
        &mut self,
        state: &State,
        app: &Value,
        identity: Option<&str>,
        audience: &str,
        at: Timestamp,
    ) -> Result<Token, String> {
        let audience = audience.trim_end_matches("/.default").trim_end_matches('/').to_lowercase();
        let key = (path::key(identity.unwrap_or("system")), audience.clone());
        if let Some(held) = self.held.get(&key).filter(|held| held.expires > at) {
            return Ok(held.clone());
        }
        let token = self.issue(state, app, identity, &audience, at)?;
        self.held.insert(key, token.clone());
        Ok(token)
    }

    fn issue(
        &mut self,
        state: &State,
        app: &Value,
        identity: Option<&str>,
        audience: &str,
        at: Timestamp,
    ) -> Result<Token, String> {
        let Some((principal, client)) = attached(state, app, identity) else { return Err(no_identity(app, identity)) };
        let tenant = app["identity"]["tenantId"].as_str().unwrap_or(&state.caller.tenant_id).to_owned();
        if !AUDIENCES.contains(&audience) && !audience.ends_with(".core.windows.net") {
            return Err(format!(
                "ManagedIdentityCredential authentication failed: AADSTS500011: The resource principal named {audience} \
                 was not found in the tenant named {tenant}. This can happen if the application has not been installed by \
                 the administrator of the tenant or consented to by any user in the tenant. You might have sent your \
                 authentication request to the wrong tenant."
            ));
        }
        let key = (principal.to_lowercase(), audience.to_owned());
        if let Some(issued) = self.issued.get(&key).filter(|issued| issued.expires > at) {
            return Ok(issued.clone());
        }
        let groups = state.groups_of(&principal);
        let token = Token { principal, client, tenant, audience: audience.to_owned(), groups, expires: at + LIFETIME };
        self.issued.insert(key, token.clone());
        Ok(token)
    }
}

/// The principal and the client id of an identity that the app has. One that was deleted or made anew is none: the app
/// still names the principal of the old one.
fn attached(state: &State, app: &Value, identity: Option<&str>) -> Option<(String, String)> {
    let block = &app["identity"];
    let Some(wanted) = identity else {
        let principal = block["principalId"].as_str()?.to_owned();
        let client = derived(&format!("{principal}/client"));
        return Some((principal, client));
    };
    let mut all = block["userAssignedIdentities"].as_object()?.iter();
    let (_, entry) = all.find(|(id, _)| path::key(id) == path::key(wanted))?;
    let principal = entry["principalId"].as_str()?;
    let current = state.document(wanted)?["properties"]["principalId"].as_str()?;
    let client = entry["clientId"].as_str().unwrap_or_default();
    current.eq_ignore_ascii_case(principal).then(|| (principal.to_owned(), client.to_owned()))
}

/// What the library says. Without any identity an app has no token endpoint (azure-sdk-for-net, Azure.Identity,
/// TROUBLESHOOTING.md); with another one the endpoint refuses (azure-sdk-for-net issue 43691, azure-sdk-for-python issue
/// 35015).
fn no_identity(app: &Value, identity: Option<&str>) -> String {
    let start = "ManagedIdentityCredential authentication";
    if app["identity"]["type"].as_str().is_none_or(|kind| kind.eq_ignore_ascii_case("None")) {
        return format!("{start} unavailable. No managed identity endpoint found.");
    }
    let message = match identity {
        None => "Unable to load the proper Managed Identity.",
        Some(_) => {
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
        }
    };
    let correlation = derived(&format!("{}/{identity:?}", app["id"]));
    format!(
        "{start} failed: Service request failed.\nStatus: 400 (Bad Request)\n\nContent:\n\
         {{\"statusCode\":400,\"message\":\"{message}\",\"correlationId\":\"{correlation}\"}}"
    )
}
