//! From a request to its handler. The checks that every request meets come first, in this order.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Call, Token};
use super::path;
use super::reply::{Cause, Outcome, Reply};
use super::state::State;
use super::{
    activity, assignments, cosmos, definitions, extensions, hosts, logs, operations, platform_metrics, resources,
    vaults, versions, writes,
};

/// Answers a request, changing the state where it asks for that.
pub(super) fn handle(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    authenticated(state, call, now)?;
    if logs::is_query(call) {
        return logs::answer(state, call, now);
    }
    versioned(call)?;
    if let Some(answer) = operations::answer(state, call) {
        return answer;
    }
    let outcome = dispatch(state, call, now);
    versions::shaped(call, outcome)
}

fn dispatch(state: &mut State, call: &Call, now: Timestamp) -> Outcome {
    let address = &call.address;
    if address.namespace.is_empty() {
        return resources::container(state, call);
    }
    let kind = address.kind();
    match (kind.as_str(), call.method.as_str()) {
        ("microsoft.authorization/roleassignments", _) => assignments::handle(state, call, now),
        (
            "microsoft.authorization/roleassignmentscheduleinstances"
            | "microsoft.authorization/roleeligibilityscheduleinstances",
            "GET",
        ) if address.is_collection() => assignments::list(state, call, &kind),
        ("microsoft.authorization/roledefinitions", "GET" | "HEAD") => definitions::handle(state, call),
        ("microsoft.authorization/permissions", "GET") => extensions::permissions(state, call),
        ("microsoft.authorization/locks" | "microsoft.authorization/denyassignments", "GET" | "HEAD") => {
            extensions::handle(state, call)
        }
        ("microsoft.managedidentity/identities", "GET") => extensions::system_identity(state, call),
        ("microsoft.web/sites/config/appsettings" | "microsoft.web/sites/slots/config/appsettings", "GET")
            if address.is_collection() =>
        {
            hosts::references(state, &address.path)
        }
        ("microsoft.web/sites/host/properties" | "microsoft.web/sites/slots/host/properties", "GET") => {
            hosts::status(state, call, now)
        }
        ("microsoft.insights/metrics", "GET") if address.is_collection() => platform_metrics::list(state, call, now),
        ("microsoft.insights/eventtypes/values", "GET") if address.is_collection() => activity::list(state, call),
        ("microsoft.keyvault/vaults", "GET" | "HEAD") if !address.is_collection() => vaults::read(state, call),
        ("microsoft.keyvault/vaults", "PUT") if !address.is_collection() => vaults::put(state, call, now),
        ("microsoft.keyvault/vaults/accesspolicies", "PUT") => vaults::put_policies(state, call, now),
        ("microsoft.documentdb/databaseaccounts/sqlroleassignments", "PUT" | "DELETE") if !address.is_collection() => {
            cosmos::write(state, call, now)
        }
        (_, "GET" | "HEAD") if address.is_collection() => resources::list(state, call),
        (_, "GET" | "HEAD") => resources::read(state, call),
        (_, "PUT" | "PATCH" | "DELETE") if !address.is_collection() => writes::write(state, call, now),
        (_, "POST") => resources::act(state, call, now),
        _ => Err(Reply::unsupported(call)),
    }
}

/// Whether a subscription and a resource group that a path names exist.
pub(super) fn container_exists(state: &State, path: &str) -> Result<(), Reply> {
    if let Some(subscription) = path::subscription(path) {
        if !state.is_inhabited(&format!("/subscriptions/{subscription}")) {
            let message = format!("The subscription '{subscription}' could not be found.");
            return Err(Reply::refusal(404, Cause::Gateway, "SubscriptionNotFound", message));
        }
        if let Some(group) = path::resource_group(path)
            && !state.is_inhabited(&format!("/subscriptions/{subscription}/resourceGroups/{group}"))
        {
            let message = format!("Resource group '{group}' could not be found.");
            return Err(Reply::refusal(404, Cause::Gateway, "ResourceGroupNotFound", message));
        }
    }
    Ok(())
}

/// The body of a write, which must be a JSON object.
pub(super) fn object_body(call: &Call) -> Result<&Value, Reply> {
    if call.body.is_object() {
        return Ok(&call.body);
    }
    let message = "The request content was invalid and could not be deserialized.";
    Err(Reply::refusal(400, Cause::Gateway, "InvalidRequestContent", message))
}

fn authenticated(state: &State, call: &Call, now: Timestamp) -> Result<(), Reply> {
    match call.token {
        Token::Given { expires: Some(expires) } if expires <= now => {
            let time = |moment: Timestamp| moment.strftime("%-m/%-d/%Y %-I:%M:%S %p").to_string();
            let message = format!(
                "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
                time(expires),
                time(now)
            );
            return Err(Reply::refusal(401, Cause::Gateway, "ExpiredAuthenticationToken", message));
        }
        Token::Given { .. } => return Ok(()),
        Token::Absent => {}
    }
    let authority = format!("https://login.microsoftonline.com/{}", state.caller.tenant_id);
    let challenge = format!(
        "Bearer authorization_uri=\"{authority}\", error=\"invalid_token\", error_description=\"The authentication \
         failed because of missing 'Authorization' header.\""
    );
    let message = "Authentication failed. The 'Authorization' header is missing.";
    let body = json!({"error": {"code": "AuthenticationFailed", "message": message}});
    Err(Reply::error(401, Cause::Gateway, body).with_header("www-authenticate", challenge))
}

fn versioned(call: &Call) -> Result<(), Reply> {
    match call.parameter("api-version").filter(|version| !version.is_empty()) {
        None => Err(Reply::refusal(
            400,
            Cause::Gateway,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )),
        Some(version) if is_api_version(version) => Ok(()),
        Some(version) => Err(Reply::refusal(
            400,
            Cause::Gateway,
            "InvalidApiVersionParameter",
            format!("The api-version '{version}' is invalid. The supported versions are dates such as '2022-04-01'."),
        )),
    }
}

/// A date, with `-preview` or another word behind it.
fn is_api_version(version: &str) -> bool {
    let Some((date, suffix)) = version.split_at_checked(10) else { return false };
    let word = suffix.strip_prefix('-').unwrap_or("");
    date.parse::<jiff::civil::Date>().is_ok()
        && (suffix.is_empty() || (!word.is_empty() && word.chars().all(|it| it.is_ascii_alphanumeric())))
}
