//! How a world declares the hosts that live in it.

use jiff::SignedDuration;
use serde::Deserialize;

use super::service::Service;

/// A host that runs an app's functions. What it is allowed follows from the documents.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    /// The id of the app or slot.
    pub app: String,
    /// The id of the workspace that its telemetry goes to.
    pub workspace: String,
    /// What it calls itself in its telemetry; absent, the app's name.
    pub role_name: Option<String>,
    /// How long it has lived in this world when the world begins.
    #[serde(default = "an_hour")]
    pub alive_for: SignedDuration,
    /// What it runs.
    pub functions: Vec<Function>,
}

/// A function.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How often there is something to do.
    #[serde(default = "half_a_minute")]
    pub every: SignedDuration,
    /// Its listener looks, and finds nothing to do.
    #[serde(default)]
    pub quiet: bool,
    /// Where its listener takes work from; absent, it is called from outside or by a timer.
    pub trigger: Option<Call>,
    /// What it calls each time it runs, in order.
    #[serde(default)]
    pub calls: Vec<Call>,
}

/// A call of another service.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// The id of what is called, which need not exist: a container, a queue, a namespace, a vault.
    pub target: String,
    /// What is done there.
    #[serde(default)]
    pub operation: Operation,
    /// The id of the user-assigned identity to do it with; absent, the app's own.
    pub identity: Option<String>,
    /// The audience that a token is asked for; absent, the service's.
    pub audience: Option<String>,
}

/// What is done with a service.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// A blob, an entity or a secret is read, a message received.
    #[default]
    Read,
    /// A blob, an entity or a secret is written, a message sent.
    Write,
}

/// After how long the first front end of a service goes by a role assignment that was made or removed. The last one does
/// after twice as long.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Propagation {
    /// One that was made.
    pub grant: SignedDuration,
    /// One that was removed.
    pub removal: SignedDuration,
}

/// Why a host cannot live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It calls something that is not modelled.
    #[error("a host calls `{0}`, which is no storage, Service Bus, Event Hubs or Key Vault")]
    Target(String),
    /// It would do nothing else.
    #[error("function `{0}` must not run more often than every second")]
    TooOften(String),
}

impl Host {
    pub(in crate::sandbox::arm) fn check(&self) -> Result<(), HostError> {
        for function in &self.functions {
            if function.every < SignedDuration::from_secs(1) {
                return Err(HostError::TooOften(function.name.clone()));
            }
            let unknown = |call: &&Call| Service::of(&call.target).is_none();
            if let Some(call) = function.trigger.iter().chain(&function.calls).find(unknown) {
                return Err(HostError::Target(call.target.clone()));
            }
        }
        Ok(())
    }
}

impl Default for Propagation {
    /// Vendors say "up to" 5, 10 and 30 minutes; the playbook saw the first refusal three minutes after a removal, and tells to
    /// wait five to ten minutes after a grant.
    fn default() -> Self {
        Self { grant: SignedDuration::from_mins(5), removal: SignedDuration::from_mins(3) }
    }
}

fn an_hour() -> SignedDuration {
    SignedDuration::from_hours(1)
}

fn half_a_minute() -> SignedDuration {
    SignedDuration::from_secs(30)
}
