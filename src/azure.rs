//! Azure Resource Manager: one pipeline for every request, tokens, and typed reads that hold only what is used.
//!
//! Knows the wire. Knows no policy and decides nothing.

mod arm;
mod authorization;
mod counted;
mod credentials;
mod envelope;
mod limits;
mod paging;
mod policies;
mod reads;
mod token;
mod wire;

use std::sync::Arc;

use azure_core::{credentials::TokenCredential, http::Transport};

pub use arm::Answer;
pub use credentials::{StaticToken, TokenSource, credential};
pub use envelope::{ErrorFacts, failure_of};
pub use limits::Limits;

use crate::{
    catalog::clouds::Cloud,
    metrics::Metrics,
    model::{Failure, PrincipalId},
};

/// How to reach Azure.
#[derive(Clone)]
pub struct AzureConfig {
    /// The cloud: its endpoint and token scope are the defaults.
    pub cloud: Cloud,
    /// Another Resource Manager endpoint, such as a simulator's.
    pub arm_endpoint: Option<String>,
    /// Where tokens come from.
    pub credential: Arc<dyn TokenCredential>,
    /// Another transport; none means HTTPS by reqwest.
    pub transport: Option<Transport>,
    /// Times and sizes.
    pub limits: Limits,
}

/// A client of Resource Manager. Cheap to clone.
#[derive(Clone)]
pub struct Azure {
    arm: arm::Arm,
    caller: token::Caller,
}

impl Azure {
    /// Builds the client. Nothing is sent yet. Fails when the endpoint is not a URL, or is plain HTTP to another
    /// machine.
    pub fn new(config: AzureConfig) -> Result<Self, Failure> {
        Self::counted(config, Metrics::default())
    }

    /// The same, counting what is sent where others can see it.
    pub fn counted(config: AzureConfig, metrics: Metrics) -> Result<Self, Failure> {
        let caller = token::Caller::new(config.credential.clone(), config.cloud.arm_scope);
        Ok(Self { arm: arm::Arm::new(config, metrics)?, caller })
    }

    /// The principal that our token stands for; none when the token does not say. It proves which grants are ours.
    pub async fn own_principal(&self) -> Result<Option<PrincipalId>, Failure> {
        self.caller.principal().await
    }

    /// Where the requests are counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.arm.metrics()
    }
}
