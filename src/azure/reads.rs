//! Reads and writes of apps, identities and vaults.

use azure_core::http::Method;
use bytes::Bytes;

use super::{Azure, wire};
use crate::{
    model::{Failure, Scope, Site, UserIdentity, Vault},
    plan::{self, Request},
};

/// The api-versions of what is read. `docs/adr/0003` says how they were chosen.
const SITES: &str = "2024-11-01";
const IDENTITIES: &str = "2024-11-30";
/// Versions before this one retire on 2027-02-27.
const VAULTS: &str = "2026-02-01";

impl Azure {
    /// Every app of a subscription.
    pub async fn sites(&self, subscription: &str) -> Result<Vec<Site>, Failure> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.Web/sites");
        self.arm.list(&path, SITES).await?.iter().map(wire::site).collect()
    }

    /// One app; none when it does not exist.
    pub async fn site(&self, id: &Scope) -> Result<Option<Site>, Failure> {
        absent(self.arm.get(id.as_str(), SITES).await)?.map(|answer| wire::site(&answer.json("GET site")?)).transpose()
    }

    /// Sends a planned change of an identity block and returns the app as Azure answers it.
    pub async fn write_identity(&self, request: &Request) -> Result<(), Failure> {
        let method = match request.method {
            plan::Method::Patch => Method::Patch,
            plan::Method::Put => Method::Put,
            plan::Method::Delete => Method::Delete,
        };
        let url = self.arm.url(&request.path, request.api_version);
        self.arm.execute(method, url, Some(Bytes::from(request.body.to_string()))).await?;
        Ok(())
    }

    /// Every user-assigned identity of a subscription.
    pub async fn user_identities(&self, subscription: &str) -> Result<Vec<UserIdentity>, Failure> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.ManagedIdentity/userAssignedIdentities");
        self.arm.list(&path, IDENTITIES).await?.iter().map(wire::user_identity).collect()
    }

    /// One user-assigned identity; none when it does not exist.
    pub async fn user_identity(&self, id: &Scope) -> Result<Option<UserIdentity>, Failure> {
        let answer = absent(self.arm.get(id.as_str(), IDENTITIES).await)?;
        answer.map(|answer| wire::user_identity(&answer.json("GET identity")?)).transpose()
    }

    /// Every vault of a subscription.
    pub async fn vaults(&self, subscription: &str) -> Result<Vec<Vault>, Failure> {
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.KeyVault/vaults");
        self.arm.list(&path, VAULTS).await?.iter().map(wire::vault).collect()
    }

    /// One vault; none when it does not exist.
    pub async fn vault(&self, id: &Scope) -> Result<Option<Vault>, Failure> {
        absent(self.arm.get(id.as_str(), VAULTS).await)?
            .map(|answer| wire::vault(&answer.json("GET vault")?))
            .transpose()
    }
}

/// A 404 is an answer: the thing is not there. Resource Manager answers 403 to those who may not know.
fn absent<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}
