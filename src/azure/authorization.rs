//! Role assignments, role definitions and deny assignments by the management crate, bridged onto our pipeline.
//!
//! The crate speaks an older `azure_core`. It builds the requests and follows the pages; the bridge sends them through
//! [`Arm`] and keeps the entries for our own decoding, because the crate refuses a whole page for one odd entry and
//! drops the conditions of role definitions (`docs/adr/0002`). It is given a placeholder for a token: it logs its
//! requests, headers and all.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_core::http::Method;
use azure_core_old::{
    auth::{AccessToken, Secret, TokenCredential},
    error::{Error as OldError, ErrorKind as OldErrorKind},
};
use azure_mgmt_authorization::package_2022_04_01 as authorization;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    Azure,
    arm::{Answer, Arm},
    paging::{Page, endless},
    wire,
};
use crate::{
    model::{DenyAssignment, Failure, FailureClass, Grant, PermissionSet, PrincipalId, Role, RoleId, Scope},
    plan::Request,
};

impl Azure {
    /// Every role assignment at, above and below a subscription.
    pub async fn grants_of_subscription(&self, subscription: &str) -> Result<Vec<Grant>, Failure> {
        let (client, bridge) = Bridge::client(&self.arm);
        let pages = client.role_assignments_client().list_for_subscription(subscription).into_stream();
        grants(&bridge.entries(pages).await?)
    }

    /// The role assignments that reach a principal, through groups as well.
    pub async fn grants_assigned_to(&self, subscription: &str, principal: PrincipalId) -> Result<Vec<Grant>, Failure> {
        let (client, bridge) = Bridge::client(&self.arm);
        let request = client.role_assignments_client().list_for_subscription(subscription);
        let pages = request.filter(format!("assignedTo('{principal}')")).into_stream();
        grants(&bridge.entries(pages).await?)
    }

    /// The role assignments at, above and below a scope that name a principal.
    pub async fn grants_at(&self, scope: &Scope, principal: PrincipalId) -> Result<Vec<Grant>, Failure> {
        let (client, bridge) = Bridge::client(&self.arm);
        let request = client.role_assignments_client().list_for_scope(unslashed(scope));
        let pages = request.filter(format!("principalId eq '{principal}'")).into_stream();
        grants(&bridge.entries(pages).await?)
    }

    /// Every role assignment at, above and below a scope.
    pub async fn grants_around(&self, scope: &Scope) -> Result<Vec<Grant>, Failure> {
        let (client, bridge) = Bridge::client(&self.arm);
        let pages = client.role_assignments_client().list_for_scope(unslashed(scope)).into_stream();
        grants(&bridge.entries(pages).await?)
    }

    /// One role assignment; none when there is none of that name.
    pub async fn grant(&self, scope: &Scope, name: &str) -> Result<Option<Grant>, Failure> {
        let (client, _) = Bridge::client(&self.arm);
        let sent = client.role_assignments_client().get(unslashed(scope), name).send().await;
        let Some(document) = found(sent, "GET roleAssignment").await? else { return Ok(None) };
        // That there is one is certain, and what it is has to be known: `None` would say that the name is free.
        let grant = wire::grant(&document)?.ok_or_else(|| {
            let text = format!("role assignment {name} at {scope} names no principal or no role");
            Failure::new(FailureClass::Bug, "UndecodableAnswer", text)
        })?;
        Ok(Some(grant))
    }

    /// Creates the role assignment of a planned request.
    pub async fn create_grant(&self, scope: &Scope, name: &str, request: &Request) -> Result<(), Failure> {
        let parameters: authorization::models::RoleAssignmentCreateParameters =
            serde_json::from_value(request.body.clone()).map_err(|error| {
                Failure::new(FailureClass::Bug, "Unsendable", format!("a planned grant cannot be sent: {error}"))
            })?;
        let (client, _) = Bridge::client(&self.arm);
        client.role_assignments_client().create(unslashed(scope), name, parameters).send().await.map_err(failure)?;
        Ok(())
    }

    /// Every role that is defined for a subscription, built-in and custom.
    pub async fn roles_of_subscription(&self, subscription: &str) -> Result<Vec<Role>, Failure> {
        let (client, bridge) = Bridge::client(&self.arm);
        let pages = client.role_definitions_client().list(format!("subscriptions/{subscription}")).into_stream();
        let entries = bridge.entries(pages).await?;
        entries.iter().filter_map(|entry| wire::role(entry).transpose()).collect()
    }

    /// One role as it is defined at a scope.
    pub async fn role(&self, scope: &Scope, role: RoleId) -> Result<Option<Role>, Failure> {
        let (client, _) = Bridge::client(&self.arm);
        let sent = client.role_definitions_client().get(unslashed(scope), role.to_string()).send().await;
        let document = found(sent, "GET roleDefinition").await?;
        document.map_or(Ok(None), |document| wire::role(&document))
    }

    /// Every deny assignment at, above and below a subscription.
    pub async fn denies_of_subscription(&self, subscription: &str) -> Result<Vec<DenyAssignment>, Failure> {
        let (client, bridge) = Bridge::client(&self.arm);
        let pages = client.deny_assignments_client().list(subscription).into_stream();
        bridge.entries(pages).await?.iter().map(wire::deny).collect()
    }

    /// Every deny assignment at, above and below a scope.
    pub async fn denies_around(&self, scope: &Scope) -> Result<Vec<DenyAssignment>, Failure> {
        let path = format!("{scope}/providers/Microsoft.Authorization/denyAssignments");
        self.arm.list(&path, "2022-04-01").await?.iter().map(wire::deny).collect()
    }

    /// What the caller itself may do at a resource group or resource.
    pub async fn own_permissions(&self, scope: &Scope) -> Result<Vec<PermissionSet>, Failure> {
        let path = format!("{scope}/providers/Microsoft.Authorization/permissions");
        wire::permissions(&self.arm.list(&path, "2022-04-01").await?)
    }
}

fn grants(entries: &[Value]) -> Result<Vec<Grant>, Failure> {
    entries.iter().filter_map(|entry| wire::grant(entry).transpose()).collect()
}

/// The document of a single answer; none when Azure says that it does not exist.
async fn found(
    sent: Result<impl Into<azure_core_old::Response>, OldError>,
    what: &str,
) -> Result<Option<Value>, Failure> {
    match sent.map_err(failure) {
        Ok(response) => {
            let response: azure_core_old::Response = response.into();
            let body = response.into_body().collect().await.map_err(failure)?;
            Answer { status: 200, body }.json(what).map(Some)
        }
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The crate puts a slash of its own before a scope.
fn unslashed(scope: &Scope) -> String {
    scope.as_str().trim_start_matches('/').to_owned()
}

/// The failure that the bridge reported, or the crate's own complaint.
fn failure(error: OldError) -> Failure {
    match error.into_downcast::<Failure>() {
        Ok(failure) => failure,
        Err(other) => Failure::new(FailureClass::Bug, "UndecodableAnswer", format!("the answer was refused: {other}")),
    }
}

/// The older `HttpClient` over our pipeline.
#[derive(Debug)]
struct Bridge {
    arm: Arm,
    pages: Mutex<Vec<Vec<Value>>>,
}

impl Bridge {
    fn client(arm: &Arm) -> (authorization::Client, Arc<Self>) {
        let bridge = Arc::new(Self { arm: arm.clone(), pages: Mutex::default() });
        let transport = azure_core_old::TransportOptions::new(bridge.clone());
        let client = authorization::Client::builder(Arc::new(NoToken))
            .endpoint(arm.endpoint().clone())
            .scopes(&["placeholder"])
            .retry(azure_core_old::RetryOptions::none())
            .transport(transport)
            .build()
            .expect("endpoint and scopes are given, nothing is left to fail");
        (client, bridge)
    }

    /// Drives the crate's paging to its end and hands out what was on the pages.
    async fn entries<T>(
        &self,
        mut pages: impl futures::Stream<Item = Result<T, OldError>> + Unpin,
    ) -> Result<Vec<Value>, Failure> {
        let mut seen = 0;
        while let Some(page) = pages.next().await {
            page.map_err(failure)?;
            seen += 1;
            // The crate takes any object for a page, one without entries when it has no `value`: half a list would
            // pass for a whole one.
            if self.pages.lock().expect("no code panics while it holds this lock").len() != seen {
                let text = "an answer of Microsoft.Authorization is not a list: it has no `value`";
                return Err(Failure::new(FailureClass::Bug, "UndecodableAnswer", text));
            }
        }
        let mut pages = self.pages.lock().expect("no code panics while it holds this lock");
        Ok(std::mem::take(&mut *pages).into_iter().flatten().collect())
    }

    async fn forward(&self, request: &azure_core_old::Request) -> Result<azure_core_old::Response, Failure> {
        let method = match request.method() {
            azure_core_old::Method::Get => Method::Get,
            azure_core_old::Method::Put => Method::Put,
            azure_core_old::Method::Delete => Method::Delete,
            other => {
                let text = format!("the bridge does not send {other:?}");
                return Err(Failure::new(FailureClass::Bug, "Unsendable", text));
            }
        };
        let body = match request.body() {
            azure_core_old::Body::Bytes(bytes) if !bytes.is_empty() => Some(without_nulls(bytes)?),
            _ => None,
        };
        let seen = self.pages.lock().expect("no code panics while it holds this lock").len();
        if seen >= self.arm.limits().max_pages {
            return Err(endless(request.url().path()));
        }
        let answer = self.arm.execute(method, request.url().clone(), body).await?;
        // The crate repeats the api-version only where the link lacks it; a list is what has a `value`.
        let body = match serde_json::from_slice::<Value>(&answer.body) {
            Ok(document) if method == Method::Get && document.get("value").is_some() => {
                let Page { entries, next } = Page::read(&document, request.url().path())?;
                self.pages.lock().expect("no code panics while it holds this lock").push(entries);
                Bytes::from(json!({ "value": [], "nextLink": next }).to_string())
            }
            Ok(_) => answer.body,
            Err(error) if method == Method::Get => {
                let text = format!("the answer to GET {} is not JSON: {error}", request.url().path());
                return Err(Failure::new(FailureClass::Bug, "UndecodableAnswer", text));
            }
            Err(_) => answer.body,
        };
        let status = azure_core_old::StatusCode::try_from(answer.status).unwrap_or(azure_core_old::StatusCode::Ok);
        let stream = stream::once(async move { Ok(body) });
        Ok(azure_core_old::Response::new(status, azure_core_old::headers::Headers::new(), Box::pin(stream)))
    }
}

/// The crate writes `"createdOn":null` into what it creates. Left out, the request is exactly the planned one.
fn without_nulls(body: &Bytes) -> Result<Bytes, Failure> {
    let mut document: Value = serde_json::from_slice(body)
        .map_err(|error| Failure::new(FailureClass::Bug, "Unsendable", format!("a request is not JSON: {error}")))?;
    if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|_, value| !value.is_null());
    }
    Ok(Bytes::from(document.to_string()))
}

#[async_trait]
impl azure_core_old::HttpClient for Bridge {
    async fn execute_request(
        &self,
        request: &azure_core_old::Request,
    ) -> azure_core_old::Result<azure_core_old::Response> {
        self.forward(request).await.map_err(|failure| {
            let text = failure.text.clone();
            OldError::full(OldErrorKind::Other, failure, text)
        })
    }
}

/// Satisfies the crate's own token handling; [`Arm`] adds the real one.
#[derive(Debug)]
struct NoToken;

#[async_trait]
impl TokenCredential for NoToken {
    async fn get_token(&self, _: &[&str]) -> azure_core_old::Result<AccessToken> {
        Ok(AccessToken::new(Secret::new("placeholder"), azure_core::time::OffsetDateTime::UNIX_EPOCH))
    }

    async fn clear_cache(&self) -> azure_core_old::Result<()> {
        Ok(())
    }
}
