//! Reads and writes of apps, identities and vaults.

use std::{collections::BTreeSet, time::Duration};

use azure_core::http::Method;
use bytes::Bytes;

use super::{Azure, wire};
use crate::{
    model::{AppSettings, Failure, PlatformIdentity, Scope, Site, TargetKind, UserIdentity, Vault, VaultReference},
    plan::{self, Request},
};

/// The api-versions of what is read. `docs/adr/0003` says how they were chosen.
pub(super) const SITES: &str = "2024-11-01";
const CONTAINER_APPS: &str = "2026-07-01";
const MACHINES: &str = "2026-04-01";
const IDENTITIES: &str = "2024-11-30";
/// Versions before this one retire on 2027-02-27.
const VAULTS: &str = "2026-02-01";
/// Of lists of resources of any type.
const RESOURCES: &str = "2025-04-01";

/// `Reader` does not have it.
const SETTINGS_HINT: &str =
    "give the operator a role with `Microsoft.Web/sites/config/list/action` on the app, or set `settings: Never`";

impl Azure {
    /// Everything of a subscription that can be a target of that kind, but for slots.
    pub async fn sites(&self, subscription: &str, kind: TargetKind) -> Result<Vec<Site>, Failure> {
        let path = format!("/subscriptions/{subscription}/providers/{}", kind.resource_type());
        self.arm.list(&path, target_version(kind)).await?.iter().map(wire::site).collect()
    }

    /// One app, container app or machine; none when it does not exist.
    pub async fn site(&self, id: &Scope) -> Result<Option<Site>, Failure> {
        let answer = absent(self.arm.get(id.as_str(), target_version(TargetKind::of(id))).await)?;
        answer.map(|answer| wire::site(&answer.json("GET target")?)).transpose()
    }

    /// Sends a planned request. A DELETE of what is gone already has done its work.
    ///
    /// Not for role assignments that are created: those go through the management crate.
    pub async fn write(&self, request: &Request) -> Result<(), Failure> {
        let method = match request.method {
            plan::Method::Patch => Method::Patch,
            plan::Method::Put => Method::Put,
            plan::Method::Delete => Method::Delete,
            plan::Method::Post => Method::Post,
        };
        let url = self.arm.url(&request.path, request.api_version);
        let body = (!request.body.is_null()).then(|| Bytes::from(request.body.to_string()));
        match self.arm.execute(method, url, body).await {
            Ok(_) => Ok(()),
            Err(failure) if method == Method::Delete && failure.is_not_found() => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// How long the process of an app's host has run; none when it does not say. A host that is scaled to zero or starts
    /// answers with an error.
    ///
    /// The path is the one that Microsoft's portal asks (Azure/azure-functions-ux, `getHostStatus`); the member came
    /// with Azure/azure-functions-host pull request 4741, which was made for this question.
    pub async fn host_uptime(&self, site: &Scope) -> Result<Option<Duration>, Failure> {
        let answer = self.arm.get(&format!("{site}/host/default/properties/status"), SITES).await?;
        wire::host_uptime(&answer.json("GET host status")?)
    }

    /// The references of an app's settings to vaults, as the app last resolved them.
    pub async fn vault_references(&self, site: &Scope) -> Result<Vec<VaultReference>, Failure> {
        let path = format!("{site}/config/configreferences/appsettings");
        let entries = self.arm.list(&path, SITES).await?;
        entries.iter().filter_map(|entry| wire::vault_reference(entry).transpose()).collect()
    }

    /// As whom an app's image is pulled: nothing where no image of a registry is, none when the app is gone.
    pub async fn registry(&self, site: &Site) -> Result<Option<Vec<PlatformIdentity>>, Failure> {
        let Some(answer) = absent(self.arm.get(&format!("{}/config/web", site.id), SITES).await)? else {
            return Ok(None);
        };
        let document = answer.json("GET site configuration")?;
        Ok(Some(wire::registry(&document["properties"], &site.attached).into_iter().collect()))
    }

    /// The settings of an app, without the values that are none of ours. The list is a POST, because values can be secrets;
    /// so it is not tried again by itself, and counts among the writes that Azure allows.
    pub async fn app_settings(&self, site: &Scope) -> Result<AppSettings, Failure> {
        let url = self.arm.url(&format!("{site}/config/appsettings/list"), SITES);
        let answer = self.arm.execute(Method::Post, url, None).await.map_err(|failure| {
            if failure.code == "AuthorizationFailed" { failure.with_hint(SETTINGS_HINT) } else { failure }
        })?;
        wire::settings(&answer.json("POST settings")?)
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

    /// The ids of all resources of a type in a subscription that we may see. What is left out proves nothing.
    pub async fn resources_of_type(&self, subscription: &str, kind: &str) -> Result<BTreeSet<Scope>, Failure> {
        let path = format!("/subscriptions/{subscription}/resources");
        let entries =
            self.arm.list_with(&path, RESOURCES, &[("$filter", &format!("resourceType eq '{kind}'"))]).await?;
        Ok(entries.iter().filter_map(|entry| entry["id"].as_str()).map(Scope::lenient).collect())
    }

    /// Whether a resource exists. The api-version is its type's.
    pub async fn exists(&self, id: &Scope, api_version: &str) -> Result<bool, Failure> {
        Ok(absent(self.arm.get(id.as_str(), api_version).await)?.is_some())
    }
}

/// The api-version that targets of a kind are read with.
pub(super) fn target_version(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::App => SITES,
        TargetKind::ContainerApp => CONTAINER_APPS,
        TargetKind::Machine => MACHINES,
    }
}

/// A 404 is an answer: the thing is not there. Resource Manager answers 403 to those who may not know.
pub(super) fn absent<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}
