//! The world that the tests of the simulator share, and a client: the real `azure_core` pipeline over the in-process
//! transport.

mod faults;
mod grants;
mod identities;
mod life;
mod limits;
mod oddities;
mod reading;
mod rights;
mod served;

use azure_core::http::headers::Headers;
use azure_core::http::policies::Policy;
use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, PipelineSendOptions, Request, RetryOptions, Transport, Url,
};
use serde_json::{Value, json};

use super::*;

const GROUP: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders";
const SUBSCRIPTION: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001";
const SITE: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders\
    /providers/Microsoft.Web/sites/fn-invoice";
const SLOT: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders\
    /providers/Microsoft.Web/sites/fn-invoice/slots/blue";
const IDENTITY: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-people\
    /providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-shared";
const VAULT: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders\
    /providers/Microsoft.KeyVault/vaults/kv-ledger";
const STORE: &str = "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders\
    /providers/Microsoft.Storage/storageAccounts/stparcels";
const SHARED_PRINCIPAL: &str = "22222222-bbbb-4000-8000-000000000002";
const SITE_PRINCIPAL: &str = "33333333-cccc-4000-8000-000000000003";
const GROUP_PRINCIPAL: &str = "44444444-dddd-4000-8000-000000000004";
const HUMAN: &str = "55555555-eeee-4000-8000-000000000005";
/// Storage Blob Data Reader, Key Vault Secrets User.
const BLOB_READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

/// A site with a slot and a system identity, a shared user identity, a vault, a storage account, and assignments at the
/// tenant, the subscription, a resource and through a group.
fn world() -> World {
    let text = json!({
        "clock": "2026-03-02T09:00:00Z",
        "groups": {
            GROUP_PRINCIPAL: ["66666666-ffff-4000-8000-000000000006"],
            "66666666-ffff-4000-8000-000000000006": [SHARED_PRINCIPAL],
        },
        "resources": [
            {
                "id": SITE, "name": "fn-invoice", "type": "Microsoft.Web/sites", "kind": "functionapp,linux",
                "location": "West Europe", "properties": {
                    "state": "Running", "httpsOnly": true, "lastModifiedTimeUtc": "2026-01-05T07:08:09.5",
                },
                "identity": {
                    "type": "SystemAssigned", "tenantId": Caller::default().tenant_id, "principalId": SITE_PRINCIPAL,
                },
            },
            {
                "id": SLOT, "name": "fn-invoice/blue", "type": "Microsoft.Web/sites/slots", "location": "West Europe",
                "properties": {"state": "Stopped"},
            },
            {
                "id": IDENTITY, "name": "id-shared", "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
                "location": "westeurope", "tags": {}, "properties": {
                    "tenantId": Caller::default().tenant_id, "principalId": SHARED_PRINCIPAL,
                    "clientId": "77777777-abcd-4000-8000-000000000007",
                },
            },
            {
                "id": VAULT, "name": "kv-ledger", "type": "Microsoft.KeyVault/vaults", "location": "northeurope",
                "properties": {"enableRbacAuthorization": false, "sku": {"name": "standard", "family": "A"}},
            },
            {
                "id": STORE, "name": "stparcels", "type": "Microsoft.Storage/storageAccounts",
                "location": "francecentral", "properties": {},
            },
            assignment("/", "a0000000-0000-4000-8000-00000000000a", HUMAN, "User"),
            assignment(SUBSCRIPTION, "b0000000-0000-4000-8000-00000000000b", GROUP_PRINCIPAL, "Group"),
            assignment(STORE, "d0000000-0000-4000-8000-00000000000d", SITE_PRINCIPAL, "ServicePrincipal"),
        ],
    });
    World::from_yaml(&text.to_string()).expect("the shared world is valid")
}

fn assignment(scope: &str, name: &str, principal: &str, kind: &str) -> Value {
    let base = if scope == "/" { "" } else { scope };
    json!({
        "id": format!("{base}/providers/Microsoft.Authorization/roleAssignments/{name}"), "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": role_path(BLOB_READER),
            "principalId": principal, "principalType": kind, "scope": scope,
        },
    })
}

fn role_path(role: &str) -> String {
    format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}")
}

fn lock(scope: &str, level: &str) -> Value {
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/locks/keep-{level}"), "name": format!("keep-{level}"),
        "type": "Microsoft.Authorization/locks", "properties": {"level": level, "notes": "by the auditors"},
    })
}

fn simulate(world: World) -> ArmSim {
    let clock = Clock::starting_at(world.clock.unwrap_or(Timestamp::UNIX_EPOCH));
    ArmSim::new(world, clock)
}

/// A world and a client of it.
struct Bench {
    sim: ArmSim,
    pipeline: Pipeline,
}

/// An answer: status, headers, body.
struct Got {
    status: u16,
    headers: Headers,
    body: Value,
}

impl Bench {
    fn new(world: World) -> Self {
        let sim = simulate(world);
        let options = ClientOptions {
            transport: Some(Transport::new(sim.transport())),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let none: Vec<Arc<dyn Policy>> = Vec::new();
        let pipeline = Pipeline::new(None, None, options, none.clone(), none, None);
        Self { sim, pipeline }
    }

    async fn try_send(&self, method: Method, url: &str, body: Option<&Value>) -> azure_core::Result<Got> {
        let mut request = Request::new(Url::parse(url).expect("a URL"), method);
        request.insert_header("authorization", "Bearer let-me-in");
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body.to_string());
        }
        let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let response = self.pipeline.send(&Context::new(), &mut request, Some(options)).await?;
        let (status, headers, body) = response.deconstruct();
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Got { status: status.into(), headers, body: serde_json::from_str(&text).unwrap_or(text.into()) })
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Got {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("https://management.azure.com{path}{mark}api-version=2022-04-01");
        self.try_send(method, &url, body.as_ref()).await.expect("an answer")
    }

    async fn get(&self, path: &str) -> Got {
        self.send(Method::Get, path, None).await
    }

    async fn put(&self, path: &str, body: Value) -> Got {
        self.send(Method::Put, path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Got {
        self.send(Method::Patch, path, Some(body)).await
    }

    /// PUT of a role assignment as the product sends it.
    async fn grant(&self, scope: &str, name: &str, principal: &str, role: &str) -> Got {
        self.put(&grant_path(scope, name), grant_body(principal, role)).await
    }
}

impl Got {
    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("")
    }

    fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or("")
    }

    fn names(&self) -> Vec<&str> {
        let items = self.body["value"].as_array().into_iter().flatten();
        items.map(|item| item["name"].as_str().unwrap_or("?")).collect()
    }

    fn header(&self, name: &'static str) -> Option<String> {
        self.headers.get_optional_string(&name.into())
    }
}

fn grant_path(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

fn grant_body(principal: &str, role: &str) -> Value {
    json!({"properties": {
        "roleDefinitionId": role_path(role), "principalId": principal, "principalType": "ServicePrincipal",
    }})
}

fn permission(scope: &str, actions: &[&str]) -> Permission {
    Permission {
        scope: scope.to_owned(),
        actions: actions.iter().map(ToString::to_string).collect(),
        ..Permission::default()
    }
}
