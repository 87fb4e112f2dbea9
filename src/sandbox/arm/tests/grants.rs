//! Writes of role assignments.

use super::*;

const NAME: &str = "c1c1c1c1-0000-4000-8000-0000000000c1";
const OTHER_NAME: &str = "c2c2c2c2-0000-4000-8000-0000000000c2";

#[tokio::test(start_paused = true)]
async fn a_new_grant_answers_201_without_creator_and_is_read_with_one() {
    let bench = Bench::new(world());
    let created = bench.grant(STORE, NAME, SHARED_PRINCIPAL, BLOB_READER).await;
    assert_eq!((created.status, &created.body["properties"]["createdBy"]), (201, &Value::Null));
    assert_eq!(created.body["properties"]["createdOn"], "2026-03-02T09:00:00.0000000Z");
    let read = bench.get(&grant_path(STORE, NAME)).await;
    assert_eq!(read.body["properties"]["createdBy"], Caller::default().object_id);
    let entry = bench.sim.journal()[0].clone();
    assert!(entry.mutating && entry.effective && entry.client_request_id.is_some());
    assert_eq!(entry.body, grant_body(SHARED_PRINCIPAL, BLOB_READER));
}

#[tokio::test(start_paused = true)]
async fn the_same_grant_again_changes_nothing_and_one_without_condition_erases_it() {
    let bench = Bench::new(world());
    let path = grant_path(STORE, NAME);
    let mut conditioned = grant_body(SHARED_PRINCIPAL, BLOB_READER);
    conditioned["properties"]["condition"] = "@Resource[x] StringEquals 'y'".into();
    conditioned["properties"]["conditionVersion"] = "2.0".into();
    bench.put(&path, conditioned.clone()).await;
    assert_eq!(bench.put(&path, conditioned).await.status, 200);
    let erased = bench.grant(STORE, NAME, SHARED_PRINCIPAL, BLOB_READER).await;
    assert_eq!((erased.status, &erased.body["properties"]["condition"]), (200, &Value::Null));
    let effective: Vec<bool> = bench.sim.journal().iter().map(|entry| entry.effective).collect();
    assert_eq!(effective, [true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_triple_has_one_name_and_a_name_one_triple() {
    let bench = Bench::new(world());
    bench.grant(STORE, NAME, SHARED_PRINCIPAL, BLOB_READER).await;
    let twin = bench.grant(STORE, OTHER_NAME, SHARED_PRINCIPAL, BLOB_READER).await;
    assert_eq!((twin.status, twin.code()), (409, "RoleAssignmentExists"));
    let elsewhere = bench.grant(VAULT, NAME, SHARED_PRINCIPAL, SECRETS_USER).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (400, "RoleAssignmentUpdateNotPermitted"));
}

#[tokio::test(start_paused = true)]
async fn a_grant_needs_an_existing_scope_and_role_and_proper_guids() {
    let bench = Bench::new(world());
    let missing = format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv-none");
    assert_eq!(bench.grant(&missing, NAME, SHARED_PRINCIPAL, BLOB_READER).await.code(), "ResourceNotFound");
    let unknown_role = bench.grant(STORE, NAME, SHARED_PRINCIPAL, OTHER_NAME).await;
    assert_eq!((unknown_role.status, unknown_role.code()), (400, "RoleDefinitionDoesNotExist"));
    assert_eq!(bench.grant(STORE, "my-grant", SHARED_PRINCIPAL, BLOB_READER).await.code(), "InvalidRoleAssignmentId");
    assert_eq!(bench.grant(STORE, NAME, "somebody", BLOB_READER).await.code(), "InvalidPrincipalId");
    assert_eq!(bench.put(&grant_path(STORE, NAME), json!([])).await.code(), "InvalidRequestContent");
}

#[tokio::test(start_paused = true)]
async fn a_young_principal_is_unknown_unless_its_type_is_named() {
    let bench = Bench::new(World { principal_replication: jiff::SignedDuration::from_secs(40), ..world() });
    let enabled = bench.patch(SLOT, json!({"identity": {"type": "SystemAssigned"}})).await;
    let principal = enabled.body["identity"]["principalId"].as_str().expect("a principal").to_owned();
    let mut untyped = grant_body(&principal, BLOB_READER);
    untyped["properties"].as_object_mut().expect("properties").remove("principalType");
    let early = bench.put(&grant_path(STORE, NAME), untyped.clone()).await;
    assert_eq!((early.status, early.code()), (400, "PrincipalNotFound"));
    assert!(early.message().contains(&principal.replace('-', "")), "{}", early.message());
    assert_eq!(bench.grant(VAULT, OTHER_NAME, &principal, SECRETS_USER).await.status, 201);
    tokio::time::advance(Duration::from_secs(40)).await;
    let later = bench.put(&grant_path(STORE, NAME), untyped).await;
    assert_eq!((later.status, &later.body["properties"]["principalType"]), (201, &json!("ServicePrincipal")));
}

#[tokio::test(start_paused = true)]
async fn strict_principals_wait_for_replication_even_with_a_type() {
    let replication = jiff::SignedDuration::from_secs(15);
    let bench = Bench::new(World { principal_replication: replication, strict_principals: true, ..world() });
    let enabled = bench.patch(SLOT, json!({"identity": {"type": "SystemAssigned"}})).await;
    let principal = enabled.body["identity"]["principalId"].as_str().expect("a principal").to_owned();
    assert_eq!(bench.grant(STORE, NAME, &principal, BLOB_READER).await.code(), "PrincipalNotFound");
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(bench.grant(STORE, NAME, &principal, BLOB_READER).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_grant_is_shown_once_and_then_204() {
    let bench = Bench::new(world());
    let path = grant_path(STORE, "d0000000-0000-4000-8000-00000000000d");
    let before = bench.sim.document(&path);
    let deleted = bench.send(Method::Delete, &path, None).await;
    assert_eq!((deleted.status, Some(deleted.body)), (200, before));
    assert_eq!(bench.send(Method::Delete, &path, None).await.status, 204);
    assert_eq!(bench.get(&path).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn locks_refuse_writes_and_deletes_below_them() {
    let bench = Bench::new(world());
    bench.sim.insert(lock(GROUP, "CanNotDelete"));
    let existing = grant_path(STORE, "d0000000-0000-4000-8000-00000000000d");
    let deleted = bench.send(Method::Delete, &existing, None).await;
    assert_eq!((deleted.status, deleted.code()), (409, "ScopeLocked"));
    assert_eq!(bench.grant(STORE, NAME, SHARED_PRINCIPAL, BLOB_READER).await.status, 201);
    bench.sim.insert(lock(VAULT, "ReadOnly"));
    let refused = bench.grant(VAULT, OTHER_NAME, SHARED_PRINCIPAL, SECRETS_USER).await;
    assert_eq!((refused.status, refused.code()), (409, "ScopeLocked"));
    assert!(refused.message().contains(VAULT));
    let listed = bench.get(&format!("{VAULT}/providers/Microsoft.Authorization/locks")).await;
    assert_eq!(listed.names(), ["keep-CanNotDelete", "keep-ReadOnly"]);
}
