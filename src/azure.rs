//! Azure Resource Manager and the logs of a workspace: one pipeline for every request, tokens, and typed reads that hold
//! only what is used.
//!
//! Knows the wire. Knows no policy and decides nothing.

mod arm;
mod authorization;
mod budget;
mod cosmos;
mod counted;
mod credentials;
mod envelope;
mod history;
mod limits;
mod logs;
mod network;
mod paging;
mod policies;
mod reads;
mod schedules;
mod token;
mod told;
mod turns;
mod wire;
mod work;

use std::{sync::Arc, time::Duration};

use azure_core::{credentials::TokenCredential, http::Transport};

pub use arm::Answer;
pub use credentials::{StaticToken, TokenSource, credential};
pub use envelope::{ErrorFacts, failure_of};
pub use limits::Limits;
pub use logs::WorkspaceId;
pub use network::RuleSet;

use crate::{
    catalog::clouds::Cloud,
    metrics::Metrics,
    model::{Failure, PrincipalId},
    plan::{Method, Request},
};

/// How to reach Azure.
#[derive(Clone)]
pub struct AzureConfig {
    /// The cloud: its endpoint and token scope are the defaults.
    pub cloud: Cloud,
    /// Another Resource Manager endpoint, such as a simulator's.
    pub arm_endpoint: Option<String>,
    /// Another endpoint for queries of logs. Without it, the cloud's, or where Resource Manager is another's, that one: a
    /// token for a simulator goes to no service of the cloud.
    pub logs_endpoint: Option<String>,
    /// Where tokens come from.
    pub credential: Arc<dyn TokenCredential>,
    /// Another transport; none means HTTPS by reqwest.
    pub transport: Option<Transport>,
    /// Times and sizes.
    pub limits: Limits,
}

/// Leave to send one write. Dropped unused, it is somebody else's.
#[derive(Debug)]
pub struct WriteTurn(turns::Turn);

/// A client of Resource Manager and of workspaces' logs. Cheap to clone; clones share what Azure allows.
#[derive(Clone)]
pub struct Azure {
    arm: arm::Arm,
    /// Apart, so that whoever holds the client holds one of them.
    logs: Arc<arm::Arm>,
    caller: token::Caller,
    cloud: &'static str,
}

impl Azure {
    /// Builds the client. Nothing is sent yet. Fails when the endpoint is not a URL, or is plain HTTP to another
    /// machine.
    pub fn new(config: AzureConfig) -> Result<Self, Failure> {
        Self::counted(config, Metrics::default())
    }

    /// The same, counting what is sent where others can see it.
    pub fn counted(config: AzureConfig, metrics: Metrics) -> Result<Self, Failure> {
        let AzureConfig { cloud, arm_endpoint, logs_endpoint, credential, transport, limits } = config;
        let caller = token::Caller::new(credential.clone(), cloud.arm_scope);
        let logs = logs::service(
            &cloud,
            logs_endpoint.or_else(|| arm_endpoint.clone()),
            credential.clone(),
            transport.clone(),
            limits,
        );
        let name = cloud.name;
        let service = arm::Service {
            name: "Resource Manager",
            endpoint: arm_endpoint.unwrap_or_else(|| cloud.arm_endpoint.to_owned()),
            scope: cloud.arm_scope.to_owned(),
            credential,
            transport,
            limits,
            allowances: cloud.allowances,
            is_told_to_stop: false,
        };
        Ok(Self {
            arm: arm::Arm::new(service, metrics.clone())?,
            logs: Arc::new(arm::Arm::new(logs, metrics)?),
            caller,
            cloud: name,
        })
    }

    /// The principal that our token stands for; none when the token does not say. It proves which grants are ours.
    pub async fn own_principal(&self) -> Result<Option<PrincipalId>, Failure> {
        self.caller.principal().await
    }

    /// The cloud, by name.
    #[must_use]
    pub fn cloud(&self) -> &'static str {
        self.cloud
    }

    /// Where the requests are counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.arm.metrics()
    }

    /// How long a write can take, from here to its answer or its end without one.
    #[must_use]
    pub fn longest_write(&self) -> Duration {
        self.arm.limits().write_timeout
    }

    /// The same client for looks just before a write: where Azure allows few requests, they come before lists.
    #[must_use]
    pub fn confirming(&self) -> Self {
        Self { arm: self.arm.confirming(), ..self.clone() }
    }

    /// Waits until a planned request may be sent. To be asked before the looks that confirm it, so that nothing waits
    /// between these and the write. Fails with class Throttled when the turn is more than seconds away.
    pub async fn await_write_turn(&self, request: &Request) -> Result<WriteTurn, Failure> {
        let operation = match request.method {
            Method::Put | Method::Patch | Method::Post => turns::Operation::Writes,
            Method::Delete => turns::Operation::Deletes,
        };
        self.arm.write_turn(operation, &request.path).await.map(WriteTurn)
    }

    /// The same client, whose next writes of that kind use the turns and do not wait.
    #[must_use]
    pub fn with_turns(&self, turns: Vec<WriteTurn>) -> Self {
        let turns = turns.into_iter().map(|turn| turn.0).collect();
        Self { arm: self.arm.holding(turns), ..self.clone() }
    }
}
