//! The example's world, a client of it, and a witness of what goes to which host.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use azure_core::{
    credentials::TokenCredential,
    http::{AsyncRawResponse, HttpClient, Request, Transport, headers::AUTHORIZATION},
};
use rolecall::{
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    clock::Clock,
    model::{Failure, PrincipalId, RoleId, Scope},
    plan::{self, Request as Planned},
    sandbox::arm::{ArmRequest, ArmSim, Fault, World},
};
use serde_json::{Value, json};

/// What the client presents, recognisable wherever it should not be.
pub(super) const TOKEN: &str = "s3cret-faults-71b9";

pub(super) const SUBSCRIPTION: &str = "11111111-aaaa-4bbb-8ccc-000000000001";
const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
/// Of the app's system-assigned identity.
pub(super) const SYSTEM: &str = "5e57e300-0001-4000-8000-000000000001";
pub(super) const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

/// A file of `examples/orders`.
pub(super) fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders").join(name);
    std::fs::read_to_string(path).expect("the example is readable")
}

pub(super) fn world() -> World {
    World::from_yaml(&example("world.yaml")).expect("the example's world is valid")
}

pub(super) fn app() -> Scope {
    scope("Microsoft.Web/sites/func-orders")
}

/// Where the app lacks its role in the example.
pub(super) fn uploads() -> Scope {
    scope("Microsoft.Storage/storageAccounts/storderuploads/blobServices/default/containers/invoices")
}

fn scope(resource: &str) -> Scope {
    Scope::parse(&format!("{GROUP}/providers/{resource}")).expect("an id")
}

/// A role assignment as a GET returns it, old enough to act.
pub(super) fn assignment(scope: &Scope, name: &str, principal: &str, kind: &str, role: &str) -> Value {
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"), "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId":
                format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal, "principalType": kind, "scope": scope.as_str(), "condition": null,
            "createdOn": "2025-11-03T08:15:42.1234567Z", "updatedOn": "2025-11-03T08:15:42.1234567Z",
        },
    })
}

/// What the example lacks: the app's own role on the uploads.
pub(super) fn missing_assignment() -> Value {
    assignment(&uploads(), "a5516e00-0009-4000-8000-000000000000", SYSTEM, "ServicePrincipal", BLOB_CONTRIBUTOR)
}

/// A grant of that role as a plan sends it, with its name.
pub(super) fn planned_grant() -> (String, Planned) {
    let (principal, role): (PrincipalId, RoleId) = (SYSTEM.parse().unwrap(), BLOB_CONTRIBUTOR.parse().unwrap());
    let name = rolecall::model::grant_name(&uploads(), principal, role).to_string();
    let path = format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", uploads());
    let role = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}");
    let body = json!({"properties": {
        "roleDefinitionId": role, "principalId": SYSTEM, "principalType": "ServicePrincipal",
    }});
    (name, Planned { method: plan::Method::Put, path, api_version: plan::ROLE_ASSIGNMENT_API, body })
}

/// An identity block as a plan sends it: without the attached identity, so that its effect shows.
pub(super) fn planned_identity() -> Planned {
    let body = json!({"identity": {"type": "SystemAssigned"}});
    Planned { method: plan::Method::Patch, path: app().to_string(), api_version: plan::IDENTITY_API, body }
}

/// A fault from its words in a world.
pub(super) fn fault(words: &Value) -> Fault {
    serde_json::from_value(words.clone()).unwrap_or_else(|error| panic!("{words}: {error}"))
}

/// A simulator and a client of it.
pub(super) struct Bench {
    pub(super) sim: ArmSim,
    pub(super) azure: Azure,
    pub(super) clock: Clock,
    witness: Arc<Witness>,
}

impl Bench {
    pub(super) fn new(world: World, limits: Limits) -> Self {
        Self::with_credential(world, limits, Arc::new(StaticToken::new(TOKEN)))
    }

    pub(super) fn with_credential(world: World, limits: Limits, credential: Arc<dyn TokenCredential>) -> Self {
        let clock = Clock::starting_at(world.clock.expect("the example's world has a clock"));
        let sim = ArmSim::new(world, clock);
        let witness = Arc::new(Witness { inner: sim.transport(), hosts: Mutex::default() });
        let config = AzureConfig {
            cloud: CLOUDS[0],
            arm_endpoint: None,
            logs_endpoint: None,
            credential,
            transport: Some(Transport::new(witness.clone())),
            limits,
        };
        Self { sim, azure: Azure::new(config).expect("the endpoint of the cloud is a URL"), clock, witness }
    }

    /// One page of a list holds one entry, so that every list has pages.
    pub(super) fn paged(limits: Limits) -> Self {
        Self::new(World { page_size: 1, ..world() }, limits)
    }

    /// The host of each request and whether it carried our token.
    pub(super) fn hosts(&self) -> Vec<(String, bool)> {
        self.witness.hosts.lock().expect("no test panics while it holds this lock").clone()
    }
}

/// The requests that ask for a change.
pub(super) fn mutating(journal: &[ArmRequest]) -> Vec<String> {
    let changes = journal.iter().filter(|request| request.mutating);
    changes.map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// Neither what is shown to people nor what is shown to developers has the token in it.
pub(super) fn assert_no_token(failure: &Failure) {
    let shown = format!("{failure} {failure:?} {failure:#?}");
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[derive(Debug)]
struct Witness {
    inner: Arc<dyn HttpClient>,
    hosts: Mutex<Vec<(String, bool)>>,
}

#[async_trait]
impl HttpClient for Witness {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let token = request.headers().get_optional_str(&AUTHORIZATION).is_some_and(|value| value.contains(TOKEN));
        self.hosts.lock().expect("no test panics while it holds this lock").push((host, token));
        self.inner.execute_request(request).await
    }
}
