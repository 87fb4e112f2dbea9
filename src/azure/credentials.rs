//! Where tokens come from: named by the user, or found in a documented order. Reads the environment.

use std::{sync::Arc, time::Duration};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions},
};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use crate::{
    catalog::clouds::Cloud,
    model::{Failure, FailureClass},
};

/// A way to get tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TokenSource {
    /// The first that applies: `workload-identity` when `AZURE_FEDERATED_TOKEN_FILE` is set, `managed-identity` when
    /// `IDENTITY_ENDPOINT` is set or in a cluster, `azure-cli` otherwise.
    Auto,
    /// A federated Kubernetes service account token (AKS workload identity).
    WorkloadIdentity,
    /// The managed identity of the machine; `AZURE_CLIENT_ID` chooses a user-assigned one.
    ManagedIdentity,
    /// The account that `az login` signed in.
    AzureCli,
    /// The value of `ROLECALL_TOKEN`. For the simulator.
    Static,
}

/// The credential for a source. Fails when the source's own settings are missing; no token is asked for yet.
#[expect(clippy::disallowed_methods, reason = "credentials are configured by the environment, as everywhere in Azure")]
pub fn credential(
    source: TokenSource,
    cloud: &Cloud,
    authority_host: Option<&str>,
) -> Result<Arc<dyn TokenCredential>, Failure> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let unusable = |error: azure_core::Error| {
        Failure::new(FailureClass::Denied, "NoToken", format!("the token source {source:?} cannot be used: {error}"))
    };
    // AKS sets it beside the federated token, as every client of Azure expects.
    let from_environment = set("AZURE_AUTHORITY_HOST");
    let authority_host = authority_host.or(from_environment.as_deref());
    let client_options = client_options(cloud, authority_host);
    match source {
        TokenSource::Auto => {
            let found = if set("AZURE_FEDERATED_TOKEN_FILE").is_some() {
                TokenSource::WorkloadIdentity
            } else if set("IDENTITY_ENDPOINT").is_some() || set("KUBERNETES_SERVICE_HOST").is_some() {
                TokenSource::ManagedIdentity
            } else {
                TokenSource::AzureCli
            };
            credential(found, cloud, authority_host)
        }
        TokenSource::WorkloadIdentity => {
            let credential_options = ClientAssertionCredentialOptions { client_options };
            let options = WorkloadIdentityCredentialOptions { credential_options, ..Default::default() };
            Ok(WorkloadIdentityCredential::new(Some(options)).map_err(unusable)?)
        }
        TokenSource::ManagedIdentity => {
            let user_assigned_id = set("AZURE_CLIENT_ID").map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
            Ok(ManagedIdentityCredential::new(Some(options)).map_err(unusable)?)
        }
        TokenSource::AzureCli => Ok(AzureCliCredential::new(None).map_err(unusable)?),
        TokenSource::Static => match set("ROLECALL_TOKEN") {
            Some(token) => Ok(Arc::new(StaticToken::new(token))),
            None => {
                let text = "the token source `static` needs the variable ROLECALL_TOKEN";
                Err(Failure::new(FailureClass::Denied, "NoToken", text))
            }
        },
    }
}

fn client_options(cloud: &Cloud, authority_host: Option<&str>) -> ClientOptions {
    let mut custom = CustomConfiguration::default();
    authority_host.unwrap_or(cloud.authority_host).clone_into(&mut custom.authority_host);
    let configuration = CloudConfiguration::Custom(custom);
    // The default of eight tries in a minute would outlast our own timeout and hide the reason.
    let retry = ExponentialRetryOptions { max_retries: 2, ..ExponentialRetryOptions::default() };
    ClientOptions {
        cloud: Some(Arc::new(configuration)),
        retry: RetryOptions::exponential(retry),
        ..ClientOptions::default()
    }
}

/// A token that never changes: what the simulator is satisfied with.
#[derive(Clone)]
pub struct StaticToken(String);

impl StaticToken {
    /// Wraps the token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

impl std::fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StaticToken")
    }
}

#[async_trait::async_trait]
impl TokenCredential for StaticToken {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let day = Duration::from_secs(24 * 60 * 60);
        Ok(AccessToken::new(self.0.clone(), azure_core::time::OffsetDateTime::now_utc() + day))
    }
}
