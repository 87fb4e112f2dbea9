//! What a caller with few rights sees and is refused.

use super::*;

const NAME: &str = "e1e1e1e1-0000-4000-8000-0000000000e1";

fn limited(permissions: Vec<Permission>) -> Bench {
    Bench::new(World { caller_permissions: Some(permissions), ..world() })
}

#[tokio::test(start_paused = true)]
async fn lists_leave_out_silently_what_the_caller_may_not_read() {
    let bench = limited(vec![permission(STORE, &["*/read"])]);
    let assignments = bench.get(&format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments")).await;
    assert_eq!((assignments.status, assignments.names()), (200, vec!["d0000000-0000-4000-8000-00000000000d"]));
    let sites = bench.get(&format!("{SUBSCRIPTION}/providers/Microsoft.Web/sites")).await;
    // The list of apps has these members whatever is in it (recorded).
    assert_eq!((sites.status, sites.body), (200, json!({"value": [], "id": null, "nextLink": null})));
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_any_right_is_refused_the_list() {
    let bench = limited(vec![permission("/subscriptions/88888888-0000-4000-8000-000000000008", &["*"])]);
    let got = bench.get(&format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments")).await;
    assert_eq!((got.status, got.code()), (403, "AuthorizationFailed"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_client_action_and_scope() {
    let bench = limited(vec![permission(SUBSCRIPTION, &["*/read"])]);
    let got = bench.grant(STORE, NAME, SHARED_PRINCIPAL, BLOB_READER).await;
    let (oid, scope) = (Caller::default().object_id, grant_path(STORE, NAME));
    assert_eq!(got.status, 403);
    assert_eq!(
        got.message(),
        format!(
            "The client '{oid}' with object id '{oid}' does not have authorization to perform action \
             'Microsoft.Authorization/roleAssignments/write' over scope '{scope}' or the scope is invalid. If access \
             was recently granted, please refresh your credentials."
        )
    );
    let hidden = limited(vec![permission(GROUP, &["Microsoft.Web/*"])]);
    assert_eq!(hidden.get(VAULT).await.status, 403);
    assert_eq!(hidden.get(SITE).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn attaching_needs_a_right_on_the_identity_too() {
    let bench = limited(vec![permission(GROUP, &["Microsoft.Web/sites/*"])]);
    let body = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}});
    let got = bench.patch(SITE, body.clone()).await;
    assert_eq!((got.status, got.code()), (403, "LinkedAuthorizationFailed"));
    assert!(got.message().contains(IDENTITY) && got.message().contains("Microsoft.Web/sites/write"));
    let assign = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";
    bench.sim.set_caller_permissions(Some(vec![
        permission(SITE, &["Microsoft.Web/sites/write"]),
        permission(IDENTITY, &[assign]),
    ]));
    assert_eq!(bench.patch(SITE, body).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_deny_assignment_beats_every_role_except_for_those_it_excludes() {
    let bench = Bench::new(world());
    let id = format!("{GROUP}/providers/Microsoft.Authorization/denyAssignments/f0f0f0f0-0000-4000-8000-0000000000f0");
    bench.sim.insert(json!({
        "id": id, "name": "f0f0f0f0-0000-4000-8000-0000000000f0", "type": "Microsoft.Authorization/denyAssignments",
        "properties": {
            "denyAssignmentName": "held by a stack", "scope": GROUP, "doNotApplyToChildScopes": false,
            "permissions": [{"actions": ["*/write"], "notActions": ["Microsoft.Web/*"]}],
            "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
            "excludePrincipals": [],
        },
    }));
    let refused = bench.grant(STORE, NAME, SHARED_PRINCIPAL, BLOB_READER).await;
    assert_eq!((refused.status, refused.code()), (403, "DenyAssignmentAuthorizationFailed"));
    assert_eq!(bench.patch(SITE, json!({"tags": {"cost": "north"}})).await.status, 200);
    let listed = bench.get(&format!("{STORE}/providers/Microsoft.Authorization/denyAssignments")).await;
    assert_eq!(listed.names(), ["f0f0f0f0-0000-4000-8000-0000000000f0"]);
    bench.sim.edit(&id, |it| it["properties"]["excludePrincipals"] = json!([{"id": Caller::default().object_id}]));
    assert_eq!(bench.grant(STORE, NAME, SHARED_PRINCIPAL, BLOB_READER).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn the_permissions_list_shows_what_the_caller_holds_at_the_scope() {
    let bench = limited(vec![
        Permission { not_actions: vec!["*/delete".to_owned()], ..permission(SUBSCRIPTION, &["*/read"]) },
        permission(VAULT, &["Microsoft.KeyVault/vaults/write"]),
    ]);
    let path = "/providers/Microsoft.Authorization/permissions";
    let at_vault = bench.get(&format!("{VAULT}{path}")).await;
    let actions: Vec<&Value> =
        at_vault.body["value"].as_array().into_iter().flatten().map(|it| &it["actions"]).collect();
    assert_eq!(actions, [&json!(["*/read"]), &json!(["Microsoft.KeyVault/vaults/write"])]);
    let at_group = bench.get(&format!("{GROUP}{path}")).await;
    assert_eq!(at_group.body["value"][0]["notActions"], json!(["*/delete"]));
    assert_eq!(at_group.body["value"].as_array().map(Vec::len), Some(1));
}
