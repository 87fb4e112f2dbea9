//! Every recorded refusal gets its class and code, whichever way the client sends.

use azure_core::http::Method;
use rolecall::{
    model::{
        Failure,
        FailureClass::{self, Blocked, Denied, Rejected, Transient, Waiting},
        PrincipalId, RoleId, Scope, TargetKind,
    },
    plan::{self, Request},
};
use serde_json::{Value, json};

use super::{
    Category, Recording, assert_complete, of,
    replay::{Replay, TOKEN},
};

/// Number, class, code, and whether a targeted read takes the answer for "it is not there".
///
/// A 409 without a code that is known better passes for Transient: it speaks of the state of a resource, and states
/// change without us.
const REFUSED: [(u16, FailureClass, &str, bool); 35] = [
    (1, Transient, "RoleAssignmentExists", false),
    (2, Waiting, "PrincipalNotFound", false),
    (14, Transient, "RoleAssignmentExists", false),
    (20, Rejected, "RoleDefinitionDoesNotExist", true),
    (27, Rejected, "ResourceNotFound", true),
    (128, Rejected, "NotFound", true),
    // A lock of App Service, not a limit.
    (129, Transient, "Http429", false),
    // HEAD has no body and so no code; without one a 404 proves nothing.
    (130, Rejected, "Http404", false),
    (131, Rejected, "DomainResellerWebService_INVALID_RECORDS", false),
    (132, Rejected, "ResourceGroupNotFound", true),
    (133, Transient, "GatewayTimeout", false),
    (134, Denied, "Unauthorized", false),
    (135, Transient, "PreconditionFailed", false),
    (136, Rejected, "NotFound", true),
    (137, Rejected, "NotFound", true),
    (138, Transient, "PreconditionFailed", false),
    (139, Rejected, "NotFound", true),
    (140, Transient, "ResourceReadFailed", false),
    (141, Denied, "AuthorizationFailed", false),
    (142, Rejected, "LockNotFound", false),
    (143, Rejected, "ResourceGroupNotFound", true),
    (144, Denied, "AuthorizationFailed", false),
    (145, Denied, "LinkedAuthorizationFailed", false),
    (146, Denied, "ExpiredAuthenticationToken", false),
    // Somebody has to register the provider.
    (147, Blocked, "MissingSubscriptionRegistration", false),
    (148, Transient, "DeploymentActive", false),
    (149, Transient, "InternalServerError", false),
    (150, Transient, "OperationNotAllowed", false),
    (151, Transient, "ResourceGroupDeletionBlocked", false),
    (152, Rejected, "LocationNotAvailableForResourceGroup", false),
    (153, Rejected, "InvalidRequestContent", false),
    (154, Rejected, "Http400", false),
    (155, Transient, "ReceiverAlreadyEnabled", false),
    (156, Rejected, "NotFound", true),
    (157, Rejected, "DeploymentNotFound", false),
];

const SUBSCRIPTION: &str = "5e6f7a8b-0000-4000-8000-000000000003";

fn scope() -> Scope {
    Scope::parse(&format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-refused")).expect("a scope")
}

/// A role assignment as a plan sends it.
pub(super) fn planned_grant() -> Request {
    let role = "4633458b-17de-408a-b874-0445c86b69e6";
    Request {
        method: plan::Method::Put,
        path: format!("{}/providers/Microsoft.Authorization/roleAssignments/any", scope()),
        api_version: plan::ROLE_ASSIGNMENT_API,
        body: json!({"properties": {
            "roleDefinitionId":
                format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": "6a7b8c9d-0000-4000-8000-000000000004",
            "principalType": "ServicePrincipal",
        }}),
    }
}

/// An identity block as a plan sends it.
pub(super) fn planned_identity(method: plan::Method) -> Request {
    Request {
        method,
        path: format!("{}/providers/Microsoft.Web/sites/func-refused", scope()),
        api_version: plan::IDENTITY_API,
        body: json!({"identity": {"type": "SystemAssigned"}}),
    }
}

/// What came of a request, and how often each method was sent.
async fn sent<T>(
    recording: &Recording,
    call: impl AsyncFnOnce(rolecall::azure::Azure) -> Result<T, Failure>,
) -> (Result<T, Failure>, usize) {
    let (azure, replay) = Replay::of([recording]);
    let result = call(azure).await;
    (result, replay.sent().len())
}

#[tokio::test(start_paused = true)]
async fn every_refusal_has_its_class_and_code_by_every_way_of_sending() {
    assert_complete(Category::Refused, &REFUSED.map(|row| row.0));
    for (recording, (number, class, code, _)) in of(Category::Refused).into_iter().zip(REFUSED) {
        let reads = [
            sent(recording, async |azure| azure.sites(SUBSCRIPTION, TargetKind::App).await.map(drop)).await,
            sent(recording, async |azure| azure.own_permissions(&scope()).await.map(drop)).await,
            sent(recording, async |azure| azure.grants_of_subscription(SUBSCRIPTION).await.map(drop)).await,
            sent(recording, async |azure| azure.denies_of_subscription(SUBSCRIPTION).await.map(drop)).await,
        ];
        let writes = [
            sent(recording, async |azure| azure.write(&planned_identity(plan::Method::Patch)).await).await,
            sent(recording, async |azure| azure.write(&planned_identity(plan::Method::Put)).await).await,
            sent(recording, async |azure| azure.create_grant(&scope(), "any", &planned_grant()).await).await,
        ];
        let read_tries = if recording.status >= 500 { 3 } else { 1 };
        for (result, tries) in &reads {
            assert_eq!(*tries, read_tries, "{number}: reads");
            assert_is(result.as_ref().expect_err("a refusal"), number, class, code, recording);
        }
        for (result, tries) in &writes {
            assert_eq!(*tries, 1, "{number}: a write is sent once");
            assert_is(result.as_ref().expect_err("a refusal"), number, class, code, recording);
        }
    }
}

fn assert_is(failure: &Failure, number: u16, class: FailureClass, code: &str, recording: &Recording) {
    assert_eq!((failure.class, failure.code.as_str()), (class, code), "{number}: {failure:?}");
    assert_eq!(failure.retry_after, None, "{number}: none of them says when");
    let Failure { text, .. } = failure;
    assert!(text.contains(&format!("was answered {}", recording.status)), "{number}: {text}");
    assert!(!text.ends_with('.') && !text.contains(['\r', '\n']) && text.len() < 1000, "{number}: {text}");
    assert!(!format!("{failure:?}").contains(TOKEN), "{number}");
    // What Azure says reaches the reader, wherever the envelope has it.
    let message = ["/error/message", "/Error/Message", "/Message", "/message"]
        .iter()
        .find_map(|pointer| recording.body.pointer(pointer).and_then(Value::as_str));
    if let Some(message) = message {
        let start: String = message.chars().take(30).take_while(|symbol| !matches!(symbol, '\r' | '\n')).collect();
        assert!(text.contains(start.trim_end_matches('.')), "{number}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_targeted_read_tells_absence_from_every_other_refusal() {
    let role = "4633458b-17de-408a-b874-0445c86b69e6".parse::<RoleId>().expect("a GUID");
    for (recording, (number, _, _, absent)) in of(Category::Refused).into_iter().zip(REFUSED) {
        let azure = Replay::client(recording);
        let found = [
            azure.site(&scope()).await.map(|found| found.is_some()),
            azure.user_identity(&scope()).await.map(|found| found.is_some()),
            azure.vault(&scope()).await.map(|found| found.is_some()),
            azure.grant(&scope(), "any").await.map(|found| found.is_some()),
            azure.role(&scope(), role).await.map(|found| found.is_some()),
        ];
        for found in found {
            match found {
                Ok(found) => assert!(absent && !found, "{number} passes for absence"),
                Err(failure) => assert!(!absent, "{number}: {failure}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_principal_that_is_asked_for_does_not_hide_a_refusal() {
    let principal: PrincipalId = "7b8c9d0e-0000-4000-8000-000000000005".parse().expect("a GUID");
    for recording in of(Category::Refused) {
        let (azure, replay) = Replay::of([recording]);
        azure.grants_assigned_to(SUBSCRIPTION, principal).await.expect_err("a refusal");
        azure.grants_at(&scope(), principal).await.expect_err("a refusal");
        assert!(replay.sent().iter().all(|(method, url)| *method == Method::Get && url.contains("%24filter=")));
    }
}
