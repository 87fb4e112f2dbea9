//! What is said about a pass: status, text, JSON and the time of the next one. The only producer of words.

mod az;
mod cadence;
pub mod catalog;
mod explain;
mod farewell;
#[cfg(test)]
pub(crate) mod fixtures;
mod json;
mod series;
mod situation;
mod status;
mod text;
mod words;

use jiff::Timestamp;

pub use cadence::due;
pub use explain::{explanation, explanation_json, told_in_a_line};
pub use farewell::{FarewellEnd, farewell};
pub use json::json;
pub use series::{Failed, five_minutes};
pub use situation::{ExitCode, Situation};
pub use status::{event, handled_token, status};
pub use text::text;

use crate::{
    api::FunctionIdentityPolicyStatus,
    evaluate::{Evaluation, Explanation, Hypothesis, RECOVERS_WITHIN},
    model::Scope,
    plan::{Execution, Plan},
    policy::{Policy, PolicyError},
};

/// The words for a hypothesis as status names it; empty for one that it cannot name.
#[must_use]
pub fn hypothesis(code: &str) -> &'static str {
    let all = [Hypothesis::H1, Hypothesis::H2, Hypothesis::H3, Hypothesis::H4, Hypothesis::H5, Hypothesis::H6];
    all.into_iter().find(|one| format!("{one:?}") == code).map(words::hypothesis).unwrap_or_default()
}

/// What one pass over one policy found and did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The policy's namespace.
    pub namespace: String,
    /// The policy's name.
    pub name: String,
    /// The generation that was looked at.
    pub generation: i64,
    /// When the pass looked.
    pub at: Timestamp,
    /// What came out.
    pub finding: PassResult,
}

/// How far a pass came.
#[derive(Clone, Debug)]
pub enum PassResult {
    /// The policy contradicts itself.
    Invalid(PolicyError),
    /// Another, older policy is about the same app: `namespace/name`.
    Duplicate(String),
    /// The policy speaks of scopes that its boundaries do not reach. Nothing was read.
    OutsideBoundary(Vec<Scope>),
    /// The policy was compared with Azure.
    Evaluated(Box<Pass>),
}

/// A whole pass.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The policy, parsed.
    pub policy: Policy,
    /// What was found.
    pub evaluation: Evaluation,
    /// What it rests on.
    pub explanation: Explanation,
    /// What follows.
    pub plan: Plan,
    /// What was done; empty when nothing was to be.
    pub execution: Execution,
    /// What later passes are to know of this one.
    pub aftermath: Aftermath,
}

/// What a pass leaves open. Status carries it on: it can hold a change later, and never calls for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// When the identity was written, until the host is known to have been made anew, and whether the app was restarted
    /// for it.
    pub pending_restart: Option<(Timestamp, bool)>,
    /// When the references to vaults were refreshed last.
    pub references_refreshed: Option<Timestamp>,
    /// Whether something was wrong, and calls are not known to succeed again.
    pub recovery: Recovery,
}

/// Whether a recovery is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing was wrong, or calls were seen to succeed again.
    #[default]
    NotAwaited,
    /// Something was wrong.
    Awaited {
        /// Since when the configuration is in order again.
        in_order_since: Option<Timestamp>,
    },
}

impl Recovery {
    fn of(status: &FunctionIdentityPolicyStatus) -> Self {
        if status.condition("Recovered").is_none_or(|recovered| recovered.status == "True") {
            return Self::NotAwaited;
        }
        Self::Awaited { in_order_since: status.in_order().map(|ready| ready.last_transition_time.0) }
    }

    /// Whether enough time has passed in order, so that calls can be counted.
    #[must_use]
    pub fn is_due(self, now: Timestamp) -> bool {
        match self {
            Self::Awaited { in_order_since: Some(since) } => now.duration_since(since) >= RECOVERS_WITHIN,
            Self::Awaited { in_order_since: None } | Self::NotAwaited => false,
        }
    }
}

impl Aftermath {
    /// What an earlier pass left open, as status has it.
    #[must_use]
    pub fn of(status: Option<&FunctionIdentityPolicyStatus>) -> Self {
        let pending = status.and_then(|status| status.pending_restart.as_ref());
        Self {
            pending_restart: pending.map(|pending| (pending.since.0, pending.restarted)),
            references_refreshed: status.and_then(|status| Some(status.references_refreshed_time.as_ref()?.0)),
            recovery: status.map(Recovery::of).unwrap_or_default(),
        }
    }
}
