use serde_json::json;

use super::*;

const ASSIGNMENT: &str = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ServiceBus/namespaces/sb/providers\
                          /Microsoft.Authorization/roleAssignments/ed9b8180-cef7-4c77-a63c-b8566ecfc412";
const PRINCIPAL: &str = "5e57e300-0001-4000-8000-000000000001";
const ROLE: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";

fn event(operation: &str, status: &str, at: &str, properties: &Value) -> Value {
    json!({
        "operationId": "7b1f", "correlationId": "c0ffee", "eventTimestamp": at,
        "operationName": { "value": operation }, "status": { "value": status }, "resourceId": ASSIGNMENT,
        "properties": properties,
    })
}

#[test]
fn a_removal_says_in_its_last_event_what_there_was() {
    let body = json!({ "properties": {
        "principalId": PRINCIPAL, "scope": "/subscriptions/1/resourceGroups/rg",
        "roleDefinitionId": format!("/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"),
    } });
    let operation = "Microsoft.Authorization/roleAssignments/delete";
    let events = [
        event(operation, "Succeeded", "2026-03-02T01:00:02Z", &json!({ "responseBody": body.to_string() })),
        event(operation, "Started", "2026-03-02T01:00:01Z", &Value::Null),
    ];
    let changes = changes(&events);
    let [change] = changes.as_slice() else { panic!("one change: {changes:?}") };
    assert!(change.is_removal());
    assert_eq!(change.at, "2026-03-02T01:00:02Z".parse().unwrap());
    assert_eq!(change.correlation, "c0ffee");
    let granted = change.grant.as_ref().unwrap();
    assert_eq!((granted.principal.to_string(), granted.role.to_string()), (PRINCIPAL.to_owned(), ROLE.to_owned()));
    assert_eq!(granted.scope, Scope::lenient("/subscriptions/1/resourceGroups/rg"));
}

#[test]
fn a_write_says_in_its_first_event_what_was_sent_and_has_its_scope_in_its_id() {
    let body = json!({ "Id": "…", "Properties": {
        "PrincipalId": PRINCIPAL, "RoleDefinitionId": format!("/providers/…/{ROLE}"), "Scope": null,
    } });
    let operation = "Microsoft.Authorization/roleAssignments/write";
    let events = [
        event(operation, "Started", "2026-03-02T01:00:01Z", &json!({ "requestbody": body.to_string() })),
        event(operation, "Succeeded", "2026-03-02T01:00:02Z", &Value::Null),
    ];
    let changes = changes(&events);
    assert!(!changes[0].is_removal());
    let scope = changes[0].grant.as_ref().unwrap().scope.as_str();
    assert_eq!(scope, "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ServiceBus/namespaces/sb");
}

#[test]
fn what_failed_or_changes_nothing_is_no_change_and_the_newest_comes_first() {
    let at = |operation: &str, id: &str, status: &str, time: &str| {
        let mut event = event(operation, status, time, &Value::Null);
        event["operationId"] = id.into();
        event
    };
    let events = [
        at("Microsoft.Web/sites/write", "1", "Started", "2026-03-02T01:00:00Z"),
        at("Microsoft.Web/sites/write", "1", "Failed", "2026-03-02T01:00:01Z"),
        at("Microsoft.Web/sites/restart/action", "2", "Succeeded", "2026-03-02T01:00:02Z"),
        at("Microsoft.Web/sites/write", "3", "Succeeded", "2026-03-02T01:00:03Z"),
        at("Microsoft.Web/sites/delete", "4", "Succeeded", "2026-03-02T01:00:04Z"),
        json!({}),
    ];
    let operations: Vec<_> = changes(&events).into_iter().map(|change| change.operation).collect();
    assert_eq!(operations, ["Microsoft.Web/sites/delete", "Microsoft.Web/sites/write"]);
}
