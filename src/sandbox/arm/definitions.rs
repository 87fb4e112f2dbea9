//! Role definitions: the built-in ones at every subscription and at the tenant, and custom ones from the documents.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::call::Call;
use super::filter::Filter;
use super::path;
use super::reply::{Cause, Outcome, Reply};
use super::rights::scope_of;
use super::route::container_exists;
use super::state::{State, id_of};

const KIND: &str = "microsoft.authorization/roledefinitions";
const READ: &str = "Microsoft.Authorization/roleDefinitions/read";
const TYPE: &str = "Microsoft.Authorization/roleDefinitions";

/// The dump that the product's catalogue is made from, read here as plain JSON.
static BUILT_IN: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let dump: Value = serde_json::from_str(include_str!("../../catalog/roles.json")).expect("the catalogue is JSON");
    dump["roles"].as_array().cloned().unwrap_or_default()
});

/// GET of one definition or of a list.
pub(super) fn handle(state: &State, call: &Call) -> Outcome {
    let address = &call.address;
    // Everybody may read definitions at the tenant.
    let tenant = address.scope == "/";
    if !address.is_collection() {
        if !tenant {
            state.require(READ, &address.path)?;
        }
        return find(state, &address.scope, address.name()).map(|it| Reply::document(200, it)).ok_or_else(|| {
            let message = format!("The specified role definition with ID '{}' does not exist.", address.name());
            Reply::refusal(404, Cause::Service, "RoleDefinitionDoesNotExist", message)
        });
    }
    state.require_some_right(READ, &address.scope)?;
    if path::resource_group(&address.scope).is_some() {
        container_exists(state, &address.scope)?;
    }
    let filter = Filter::parse(call.parameter("$filter"))?;
    if !tenant && !state.allows(READ, &address.scope) {
        return Ok(Reply::items(Vec::new()));
    }
    let all = built_in(state, &address.scope).chain(custom(state, &address.scope));
    Ok(Reply::items(all.filter(|it| is_asked(it, &filter)).collect()))
}

/// The definition with this GUID, as it is seen from a scope.
pub(super) fn find(state: &State, scope: &str, name: &str) -> Option<Value> {
    let mut all = built_in(state, scope).chain(state.of_kind(KIND).cloned());
    all.find(|it| path::last_segment(id_of(it)).eq_ignore_ascii_case(name))
}

fn is_asked(definition: &Value, filter: &Filter) -> bool {
    let properties = &definition["properties"];
    let is = |member: &str, wanted: &Option<String>| {
        let found = properties[member].as_str().unwrap_or("");
        wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
    };
    is("roleName", &filter.role_name) && is("type", &filter.role_type)
}

/// Custom definitions that can be assigned at the scope: those of a place below it are not listed.
fn custom<'a>(state: &'a State, scope: &'a str) -> impl Iterator<Item = Value> + 'a {
    let found = state.of_kind(KIND).filter(move |definition| {
        let scopes = definition["properties"]["assignableScopes"].as_array();
        let listed = scopes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let mut assignable = listed.chain([scope_of(definition)]).filter(|it| it != "/" || scopes.is_some());
        assignable.any(|it| path::covers(&it, scope))
    });
    found.cloned()
}

fn built_in<'a>(state: &State, scope: &'a str) -> impl Iterator<Item = Value> + 'a {
    let roles: &[Value] = if state.built_in_roles { &BUILT_IN } else { &[] };
    roles.iter().map(move |role| document(role, scope))
}

/// A built-in definition in the form of the 2022-04-01 answers. Asked anywhere in a subscription, its id is at the
/// subscription.
fn document(role: &Value, scope: &str) -> Value {
    let list = |member: &str| role[member].as_array().cloned().unwrap_or_default();
    let mut permission = json!({
        "actions": list("actions"), "notActions": list("notActions"),
        "dataActions": list("dataActions"), "notDataActions": list("notDataActions"),
    });
    if let Some(condition) = role["condition"].as_str() {
        permission["condition"] = condition.into();
        permission["conditionVersion"] = "2.0".into();
    }
    let at = path::subscription(scope).map(|it| format!("/subscriptions/{it}")).unwrap_or_default();
    let name = role["id"].as_str().unwrap_or("");
    json!({
        "properties": {
            "roleName": role["name"], "type": "BuiltInRole", "description": role["name"], "assignableScopes": ["/"],
            "permissions": [permission],
            "createdOn": "2015-06-01T12:00:00.1234567Z", "updatedOn": "2024-06-01T12:00:00.7654321Z",
            "createdBy": null, "updatedBy": null,
        },
        "id": format!("{at}/providers/{TYPE}/{name}"), "type": TYPE, "name": name,
    })
}
