//! From flags to a client of Azure.

use super::{
    CliError,
    args::{AzureArguments, CloudName},
};
use crate::{
    azure::{self, Azure, AzureConfig, Limits},
    catalog::clouds::CLOUDS,
    metrics::Metrics,
    model::innermost,
};

/// A client whose requests are counted in `metrics`.
pub(super) fn azure(arguments: &AzureArguments, metrics: Metrics) -> Result<Azure, CliError> {
    let cloud = match arguments.cloud {
        CloudName::Public => CLOUDS[0],
        CloudName::UsGovernment => CLOUDS[1],
        CloudName::China => CLOUDS[2],
    };
    let credential = azure::credential(arguments.token_source, &cloud, arguments.authority_host.as_deref())?;
    let config = AzureConfig {
        cloud,
        arm_endpoint: arguments.arm_endpoint.clone(),
        logs_endpoint: arguments.logs_endpoint.clone(),
        credential,
        transport: None,
        limits: Limits::default(),
    };
    Ok(Azure::counted(config, metrics)?)
}

/// The cluster of the kubeconfig, or the one that this process runs in.
pub(super) async fn cluster(hint: &str) -> Result<kube::Client, CliError> {
    kube::Client::try_default()
        .await
        .map_err(|error| CliError::new(format!("no Kubernetes cluster: {}", innermost(&error))).with_hint(hint))
}
