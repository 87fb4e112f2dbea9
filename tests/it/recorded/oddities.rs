//! Each oddity of the recordings by its name, as the client meets it. The simulator's side has the same names in
//! `src/sandbox/arm/tests/oddities.rs`.

use rolecall::{
    azure::{ErrorFacts, failure_of},
    model::{FailureClass, PrincipalKind, Scope, SystemAssigned, VaultMode},
    plan::Method,
};
use serde_json::{Value, json};

use super::{
    Recording, recordings,
    refused::{planned_grant, planned_identity},
    replay::Replay,
};

const SUBSCRIPTION: &str = "0dd17700-0000-4000-8000-000000000001";

fn scope() -> Scope {
    Scope::parse(&format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-odd")).expect("a scope")
}

fn recording(number: u16) -> Option<&'static Recording> {
    recordings().map(|all| &all[&number])
}

#[tokio::test(start_paused = true)]
async fn casing_of_ids_makes_no_difference() {
    // One group in both casings within one list, and a key of the map in lower case.
    let (Some(list), Some(app)) = (recording(4), recording(44)) else { return };
    let texts: Vec<&str> = list.documents().iter().filter_map(|entry| entry["properties"]["scope"].as_str()).collect();
    let in_lower_case = texts.iter().filter(|text| text.contains("/resourcegroups/")).count();
    assert!(in_lower_case > 0 && texts.iter().any(|text| text.contains("/resourceGroups/")), "both are recorded");
    let grants = Replay::client(list).grants_of_subscription(SUBSCRIPTION).await.expect("a list");
    for (grant, text) in grants.iter().zip(&texts) {
        let other = if text.contains("/resourcegroups/") {
            text.replace("/resourcegroups/", "/resourceGroups/")
        } else {
            text.replace("/resourceGroups/", "/resourcegroups/")
        };
        assert_eq!(grant.scope, Scope::lenient(&other));
    }
    let app = Replay::client(app).site(&scope()).await.expect("a document").expect("found");
    assert!(!app.attached.is_empty());
    for id in app.attached.keys() {
        assert!(id.as_str().contains("/resourcegroups/"), "{id}: as it was answered");
        assert!(
            app.attached.contains_key(&Scope::lenient(&id.as_str().replace("/resourcegroups/", "/resourceGroups/")))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_principal_type_is_not_known_to_be_no_group() {
    let Some(recording) = recording(3) else { return };
    assert_eq!(recording.body["properties"].get("principalType"), None);
    let grant = Replay::client(recording).grant(&scope(), "any").await.expect("a document").expect("found");
    assert_eq!(grant.principal_kind, PrincipalKind::Unknown);
    assert!(grant.principal_kind.may_have_members());
}

#[tokio::test(start_paused = true)]
async fn created_by_that_is_null_at_first_and_filled_later_is_one_grant() {
    let (Some(created), Some(read)) = (recording(9), recording(10)) else { return };
    assert_eq!(created.body["properties"]["createdBy"], Value::Null);
    assert!(read.body["properties"]["createdBy"].is_string());
    let (azure, replay) = Replay::of([created, read]);
    azure.create_grant(&scope(), "any", &planned_grant()).await.expect("201 is a success");
    let found = azure.grant(&scope(), "any").await.expect("a document").expect("found");
    let at_first = Replay::client(created).grant(&scope(), "any").await.expect("a document").expect("found");
    assert_eq!((found.id, found.principal, found.role), (at_first.id, at_first.principal, at_first.role));
    assert_eq!(replay.sent().len(), 2, "nothing is written again");
}

#[tokio::test(start_paused = true)]
async fn an_empty_page_with_a_next_link_is_not_the_end_of_a_list() {
    let (Some(empty), Some(full), Some(last)) = (recording(64), recording(62), recording(63)) else { return };
    assert!(empty.documents().is_empty() && empty.body["nextLink"].is_string());
    let (azure, replay) = Replay::of([empty, full, last]);
    let vaults = azure.vaults(SUBSCRIPTION).await.expect("three pages");
    assert_eq!((vaults.len(), replay.sent().len()), (full.documents().len(), 3));
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_disappears_is_no_member_and_reads_as_none() {
    // Never there; the last user-assigned one taken off; type `None`.
    for (number, system) in [(37, false), (52, true), (110, false)] {
        let Some(recording) = recording(number) else { return };
        let app = Replay::client(recording).site(&scope()).await.expect("a document").expect("found");
        assert_eq!(recording.body.get("identity").is_some(), system, "{number}");
        assert_eq!((app.system != SystemAssigned::Off, app.attached.len()), (system, 0), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_omitted_mode_of_a_vault_means_access_policies() {
    for number in [61, 68, 69, 73] {
        let Some(recording) = recording(number) else { return };
        let (azure, document) = (Replay::client(recording), recording.documents()[0]);
        assert_eq!(document["properties"].get("enableRbacAuthorization"), None, "{number}");
        let mode = if recording.is_list() {
            let (azure, _) = Replay::of([recording, &recordings().expect("all")[&63]]);
            azure.vaults(SUBSCRIPTION).await.expect("a list")[0].mode
        } else {
            azure.vault(&scope()).await.expect("a document").expect("found").mode
        };
        assert_eq!(mode, VaultMode::AccessPolicy, "{number}");
    }
}

#[test]
fn five_error_envelopes_all_give_their_code_and_message() {
    // `{error}`, App Service's capitals, Cosmos DB's without an outer object, an operation result's `{Error}`, and a
    // message alone, which leaves the status for a code.
    let envelopes = [
        (27, &["error"][..], "ResourceNotFound"),
        (128, &["Code", "Details", "Innererror", "Message", "Target"], "NotFound"),
        (137, &["code", "message"], "NotFound"),
        (151, &["Error"], "ResourceGroupDeletionBlocked"),
        (154, &["Message"], "Http400"),
    ];
    for (number, members, code) in envelopes {
        let Some(recording) = recording(number) else { return };
        let mut outer: Vec<&str> = recording.body.as_object().expect("an object").keys().map(String::as_str).collect();
        outer.sort_unstable();
        assert_eq!(outer, members, "{number}");
        let facts = ErrorFacts { status: recording.status, ..ErrorFacts::default() };
        let failure = failure_of("GET /odd", &facts, recording.body.to_string().as_bytes());
        assert_eq!(failure.code, code, "{number}");
        assert!(failure.text.len() > format!("GET /odd was answered {} {code}: ", recording.status).len(), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_that_means_a_lock_is_no_throttling() {
    let Some(recording) = recording(129) else { return };
    assert_eq!((recording.status, &recording.body["Code"]), (429, &json!("429")), "a text");
    let (azure, replay) = Replay::of([recording]);
    let failure = azure.write(&planned_identity(Method::Patch)).await.expect_err("a refusal");
    assert_eq!((failure.class, failure.retry_after), (FailureClass::Transient, None));
    assert_eq!(replay.sent().len(), 1);
    // The same status with a time to come back is one.
    let facts = ErrorFacts { status: 429, retry_after: Some("17".to_owned()), ..ErrorFacts::default() };
    let failure = failure_of("PATCH /odd", &facts, recording.body.to_string().as_bytes());
    assert_eq!(failure.class, FailureClass::Throttled);
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_patch_with_200_is_sent_once_and_not_awaited() {
    for number in [92, 107] {
        let Some(recording) = recording(number) else { return };
        let header = |wanted: &str| recording.headers.iter().any(|(name, _)| name == wanted);
        assert!(recording.status == 200 && header("azure-asyncoperation"), "{number}");
        assert_eq!(recording.body["properties"]["provisioningState"], "Updating", "{number}");
        let (azure, replay) = Replay::of([recording]);
        azure.write(&planned_identity(Method::Patch)).await.expect("a success");
        assert_eq!(replay.sent().len(), 1, "{number}: the next pass looks");
    }
}
